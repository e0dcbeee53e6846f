#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_headers.sh alone|together source_dir "wrappers" compiler flag...
#
# All headers of kernels/ that the files of one instruction set may include compile together, in order
# and in the opposite order; and each of them alone. "wrappers" are the files of simd/ that are for that set.
set -euo pipefail
how=$1 source=$2
read -ra wrappers <<<"$3"
shift 3
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

if [ "$how" = alone ]; then
  for header in "${headers[@]}"; do check "$header alone" "$header"; done
fi
mapfile -t sorted < <(printf '%s\n' "${headers[@]}" | sort)
mapfile -t reversed < <(printf '%s\n' "${headers[@]}" | sort -r)
check "all in order" "${sorted[@]}"
check "all in the opposite order" "${reversed[@]}"
echo "${#headers[@]} headers, $failures failures"
((${#headers[@]} > 10 && failures == 0))
