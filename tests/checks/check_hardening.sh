#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_hardening.sh FILE...
#
# Programs, shared libraries and archives: what reads files of strangers is linked and compiled with what the
# system has against mistakes. Kernels are not.
set -euo pipefail

failures=0
expect() {
  local what=$1
  shift
  if ! "$@" >/dev/null; then
    echo "FAIL: $what"
    failures=$((failures + 1))
  fi
}

check_archive() {
  local members marked
  expect "$1: stack protector" grep -q ' U __stack_chk_fail' <<<"$symbols"
  if [[ $(uname -m) == x86_64 ]]; then
    members=$(ar t "$1" | wc -l)
    marked=$(readelf -nW "$1" | grep -c 'x86 feature: IBT, SHSTK' || true)
    expect "$1: branches are marked in $members files, found $marked" test "$members" -eq "$marked"
  fi
}

check_linked() {
  local dynamic segments
  dynamic=$(readelf -dW "$1")
  segments=$(readelf -lW "$1")
  expect "$1: position-independent" grep -qE 'Type:.*DYN' <<<"$(readelf -hW "$1")"
  expect "$1: symbols are bound at the start" grep -qE 'BIND_NOW|FLAGS_1.*NOW' <<<"$dynamic"
  expect "$1: read-only after relocation" grep -q GNU_RELRO <<<"$segments"
  expect "$1: no executable stack" grep -qE 'GNU_STACK.* RW ' <<<"$segments"
  expect "$1: stack protector" grep -q ' U __stack_chk_fail' <<<"$symbols"
  # _FORTIFY_SOURCE has a checked form of each. (std::to_string takes the address of vsnprintf.)
  if grep -E ' U (sn?|vs|vf|f)?printf(@|$)' <<<"$symbols"; then
    expect "$1: these are not fortified" false
  fi
}

# Frames of more than a page are touched page by page; g++ and clang write that differently.
check_frames() {
  expect "$1: large frames are touched page by page" \
    grep -qE '(or|mov)q +\$0x0,\(%rsp\)' <<<"$(objdump -d --no-show-raw-insn "$1")"
}

for file in "$@"; do
  symbols=$(nm -D "$file" 2>/dev/null; nm "$file" 2>/dev/null || true)
  if grep -qE ' U _*(__(asan|tsan|msan|hwasan)_init|__gcov_init)' <<<"$symbols"; then
    echo "SKIP: built with a sanitizer or for coverage"
    exit 77
  fi
  case $file in
    *griffin_kernels*) ;;
    *.a) check_archive "$file" ;;
    *) check_linked "$file" ;;
  esac
  if [[ $file == *griffin_engine* && $(uname -m) == x86_64 ]]; then check_frames "$file"; fi
done
((failures == 0)) && echo "ok: $# files"
