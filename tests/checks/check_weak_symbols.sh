#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_weak_symbols.sh libgriffin_kernels.a
#
# The linker keeps one copy of a weak function, compiled for whatever CPU its file was for, and runs
# static initialisers before any CPU check. So a file of kernels for one instruction set may hold
# neither: every member of the archive but dispatch is looked at.
set -euo pipefail

archive=$1

members=$(ar t "$archive" | grep -v '^dispatch\.' || true)
if [[ -z $members ]]; then
  echo "FAIL: no instruction-set files in $archive"
  exit 1
fi

symbols=$(nm -A "$archive")
if grep -qE ' U _*(__(asan|tsan|msan|hwasan)_init|__gcov_init)' <<<"$symbols"; then
  echo "SKIP: built with a sanitizer or for coverage, whose own symbols are in every file"
  exit 77
fi

failures=0
for member in $members; do
  # V, W: weak and defined; u: unique over the whole program. A weak reference (v, w) is no code.
  weak=$(grep -F ":$member:" <<<"$symbols" | grep -E ' [VWu] ' | c++filt || true)
  initialisers=$(grep -F ":$member:" <<<"$symbols" | grep -E ' _GLOBAL__(sub_)?I' || true)
  sections=$(objdump -h "$archive" |
    awk -v member="$member:" '/file format/ { inside = $1 == member }
                              inside && $2 ~ /^\.(init_array|ctors|preinit_array)/ { print $2 }')
  count=$(grep -cF ":$member:" <<<"$symbols" || true)
  echo "$member: $count symbols"
  for found in "$weak" "$initialisers" "$sections"; do
    if [[ -n $found ]]; then
      echo "FAIL: $member must have no weak symbol and no static initialiser:"
      echo "$found"
      failures=$((failures + 1))
    fi
  done
done
((failures == 0))
