#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_headers.sh source_dir "wrappers" compiler flag...
#
# Every header of kernels/ that the files of one instruction set may include compiles alone, and all
# of them together in any order. "wrappers" are the files of simd/ that are for that set.
set -euo pipefail
source=$1
read -ra wrappers <<<"$2"
shift 2
compile=("$@" -x c++ -std=c++20 -fsyntax-only "-I$source/kernels" "-I$source/include" -)

cd "$source/kernels"
headers=(impl/*.h simd/lanes.h simd/math.h simd/tile_config.h simd/vec.h simd/quads.h simd/tiles.h)
for wrapper in "${wrappers[@]}"; do headers+=("simd/$wrapper.h"); done

failures=0
check() {
  local what=$1
  shift
  if ! printf '#include "%s"\n' "$@" | "${compile[@]}"; then
    echo "FAIL: $what"
    failures=$((failures + 1))
  fi
}

for header in "${headers[@]}"; do check "$header alone" "$header"; done
mapfile -t sorted < <(printf '%s\n' "${headers[@]}" | sort)
mapfile -t reversed < <(printf '%s\n' "${headers[@]}" | sort -r)
check "all in order" "${sorted[@]}"
check "all in the opposite order" "${reversed[@]}"
echo "${#headers[@]} headers, $failures failures"
((${#headers[@]} > 10 && failures == 0))
