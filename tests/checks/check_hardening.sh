#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_hardening.sh program libgriffin_engine.a
#
# What reads files of strangers is linked and compiled with what the system has against mistakes.
set -euo pipefail
program=$1 library=$2

failures=0
expect() {
  local what=$1
  shift
  if ! "$@" >/dev/null; then
    echo "FAIL: $what"
    failures=$((failures + 1))
  fi
}

symbols=$(nm "$library")
if grep -qE ' U _*(__(asan|tsan|msan|hwasan)_init|__gcov_init)' <<<"$symbols"; then
  echo "SKIP: built with a sanitizer or for coverage"
  exit 77
fi
dynamic=$(readelf -dW "$program")
segments=$(readelf -lW "$program")
expect "$program: position-independent" grep -qE 'Type:.*DYN' <<<"$(readelf -hW "$program")"
expect "$program: symbols are bound at the start" grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic"
expect "$program: read-only after relocation" grep -q GNU_RELRO <<<"$segments"
expect "$program: no executable stack" grep -qE 'GNU_STACK.* RW ' <<<"$segments"
expect "$library: stack protector" grep -q ' U __stack_chk_fail' <<<"$symbols"
((failures == 0)) && echo "ok"
