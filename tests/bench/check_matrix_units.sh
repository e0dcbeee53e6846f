#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_matrix_units.sh source_dir build_dir
#
# The script prints its three tables with a figure in every row, and says what it cannot do. No test
# knows how fast a machine is.
set -euo pipefail
script=$1/bench/matrix_units.sh build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$script" "$build" --quick >"$folder/tables"
cat "$folder/tables"

expect_rows() {  # how many rows begin so, with figures where, and a name of what the share is of where
  local found
  found=$(awk -F' *[|] *' -v begin="$2" -v figures="$3" -v of="$4" '
    BEGIN { count = split(figures, columns, " ") }
    $0 ~ begin {
      good = $of ~ /^(memory|either|f32 fma|(bf16|int8) (dot|amx))$/
      for (i = 1; i <= count; ++i) good = good && $columns[i] > 0
      rows += good
    }
    END { print rows + 0 }' "$folder/tables")
  if [[ $found != "$1" ]]; then
    echo "FAIL: $found rows of '$2' where there should be $1"
    exit 1
  fi
}
expect_rows 15 '^[|] (bf16|int8|int4) [|] (512|64|16|8|1) [|] .*[|] .*[|] .*[|] .*[|] .*[|]$' "4 5" 6
expect_rows 4 '^[|] (bf16|int8) [|] pp' "4 5 7 8" 6
expect_rows 4 '^[|] (bf16|int8|int4) [|] (1|2) [|] (1|16) [|] [0-9.]+ [|] [0-9.]+ [|] [^|]*[|]$' "5 6" 7
grep -q '^CPU: .*; tables: scalar' "$folder/tables"

refuse() {  # exit code, message, arguments
  local code=0
  "$script" "${@:3}" >"$folder/out" 2>"$folder/err" || code=$?
  if [[ $code != "$1" || -s $folder/out ]] || ! grep -q -- "$2" "$folder/err"; then
    echo "FAIL: ${*:3}: exit code $code, $(cat "$folder/out" "$folder/err")"
    exit 1
  fi
}
refuse 2 'usage:'
refuse 2 'usage:' --quick
refuse 2 'usage:' "$build" --against
refuse 2 'usage:' "$build" --fast
refuse 1 'no .*/kernels_bench' "$folder"
refuse 1 'no table avx9 here' "$build" --quick --against avx9
echo "ok"
