#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_matrix_units.sh source_dir build_dir
#
# The script prints its three tables with a figure in every row, whatever GRIFFIN_ISA is; computes what
# it says from programs with known numbers; and says what it cannot do. No test knows how fast a
# machine is.
set -euo pipefail
script=$1/bench/matrix_units.sh build=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

GRIFFIN_ISA=scalar "$script" "$build" --quick >"$folder/tables"
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
expect_rows 4 '^[|] (bf16|int8) [|] pp' "4 5 7 8 9" 6
expect_rows 4 '^[|] (bf16|int8|int4) [|] (1|2) [|] (1|16) [|] [0-9.]+ [|] [0-9.]+ [|] [^|]*[|]$' "5 6" 7
grep -q '^CPU: .*; tables: scalar .' "$folder/tables"
grep -q '^--quick: these figures mean nothing' "$folder/tables"

refuse() {  # exit code, message, arguments
  local code=0
  "$script" "${@:3}" >"$folder/out" 2>"$folder/err" || code=$?
  if [[ $code != "$1" || -s $folder/out ]] || ! grep -q -- "$2" "$folder/err"; then
    echo "FAIL: ${*:3}: exit code $code, $(cat "$folder/out" "$folder/err")"
    exit 1
  fi
}
# With programs whose numbers are known.
fakes=$folder/fakes here=$(dirname "$0")
mkdir -p "$fakes/bench"
ln -s "$(realpath "$here/fake_kernels_bench.sh")" "$fakes/bench/kernels_bench"
ln -s "$(realpath "$here/fake_griffin_bench.sh")" "$fakes/bench/griffin_bench"
echo 'MemAvailable:    8000000 kB' >"$folder/meminfo"
export MEMINFO=$folder/meminfo FAKE_RUNS=$folder/runs

computes() {  # how often, line
  local found
  found=$(grep -c -x -F -- "$2" "$folder/tables" || true)
  if [[ $found != "$1" ]]; then
    cat "$folder/tables"
    echo "FAIL: $found times '$2' where it should be $1"
    exit 1
  fi
}
fake() {  # arguments
  rm -rf "$FAKE_RUNS" && mkdir "$FAKE_RUNS"
  GRIFFIN_ISA=low "$script" "$fakes" "$@" >"$folder/tables"
}
fake
computes 1 '| bf16 | 512 | 400.0 | 0.500 | bf16 amx | 200.0 | 2.00 | 320.0 | 1.25 |'
computes 1 '| int8 | 16 | 400.0 | 0.500 | either | 200.0 | 2.00 | 500.0 | 0.80 |'
computes 1 '| int4 | 1 | 400.0 | 0.500 | memory | 100.0 | 4.00 | - | - |'
computes 1 'oneDNN 9.8.7: bf16 brg:one, u8s8_s32 brg:two'
computes 1 '| bf16 | pp512 | 480.0 | 0.300 | bf16 amx | 120.0 | 4.00 | 1.00 |'
computes 1 '| int8 | pp512 | 480.0 | 0.300 | either | 120.0 | 4.00 | 1.00 |'
computes 1 '| int8 | pp2048 | 240.0 | 0.500 | bf16 amx | 60.0 | 4.00 | 0.50 |'
computes 1 '| bf16 | 1 | 1 | 12.50 | 0.750 | memory |'
computes 1 '| bf16 | 2 | 16 | 12.50 | 0.750 | memory |'
fake --against low
computes 1 '| bf16 | 512 | 400.0 | 0.500 | bf16 amx | 100.0 | 4.00 | 320.0 | 1.25 |'
computes 1 '| bf16 | pp512 | 480.0 | 0.300 | bf16 amx | 60.0 | 8.00 | 1.00 |'

fail_with() {  # FAKE, message, arguments
  local code=0
  rm -rf "$FAKE_RUNS" && mkdir "$FAKE_RUNS"
  FAKE=$1 "$script" "$fakes" "${@:3}" >"$folder/out" 2>"$folder/err" || code=$?
  if [[ $code != 1 ]] || ! grep -q -- "error: .*$2" "$folder/err"; then
    echo "FAIL: $*: exit code $code, $(cat "$folder/out" "$folder/err")"
    exit 1
  fi
}
fail_with error 'int8/rows:8/.*/best": "not enough memory, or none"'
fail_with unlisted 'exit code 3 of .*kernels_bench .*: no list'
fail_with killed 'exit code 137 of .*griffin_bench'
fail_with 'no share' 'no figures of matmul/int8/rows:8/.*/best'
fail_with 'a run less' 'lacks runs of middle bf16 pp2048'
fail_with '' 'best is the best table' --against best
echo 'MemAvailable:    7999999 kB' >"$folder/meminfo"
fail_with '' '8 GB of memory are needed, 7 are'

refuse 2 'usage:'
refuse 2 'usage:' --quick
refuse 2 'usage:' "$build" --against
refuse 2 'usage:' "$build" --fast
refuse 1 'no .*/kernels_bench' "$folder"
refuse 1 'no table avx9 here' "$build" --quick --against avx9
echo "ok"
