#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# run.sh SECONDS [TARGET...]: fuzzes each target (all of them, if none is named) for so long, from
# its seeds and from what earlier runs found, which stays in build/fuzz/corpus. Ends with a table;
# exits with 1 if there are findings, which it names. BUILD=no: with the programs as they are.
set -eu
if [ $# -lt 1 ]; then
  echo "usage: $0 SECONDS [TARGET...]" >&2
  exit 2
fi
seconds=$1
shift
cd "$(dirname "$0")/../.."
build=build/fuzz
if [ "${BUILD:-yes}" = yes ]; then
  cmake --preset fuzz >/dev/null
  cmake --build --preset fuzz
fi
if [ $# -eq 0 ]; then
  set -- $(cd tests/fuzz/seeds && ls)
fi

# The longest inputs that are tried, in bytes, so that none takes more than milliseconds.
longest() {
  case $1 in
    kernels) echo 64 ;;
    c_api | npy | scheduler | state) echo 512 ;;
    *) echo 4096 ;;
  esac
}

dictionary() {
  case $1 in
    shard_index) echo tests/fuzz/config.dict ;;
    tokenizer_*) echo tests/fuzz/tokenizer.dict ;;
    *) echo "tests/fuzz/$1.dict" ;;
  esac
}

fuzz() {
  target=$1
  corpus=$build/corpus/$target
  findings=$build/findings/$target
  mkdir -p "$corpus" "$findings"
  if [ -f "$(dictionary "$target")" ]; then
    set -- -dict="$(dictionary "$target")"
  else
    set --
  fi
  # A busy machine is no finding: a minute is far from what any input takes.
  ASAN_OPTIONS=allocator_may_return_null=1 $build/tests/fuzz/fuzz_"$target" \
    -max_total_time="$seconds" -max_len="$(longest "$target")" -timeout=60 -report_slow_units=60 -rss_limit_mb=4096 \
    -print_final_stats=1 -artifact_prefix="$findings/" "$@" \
    "$corpus" tests/fuzz/seeds/"$target" >"$build/fuzz_$target.log" 2>&1 || broken="$broken $target"
}

# A line of the table, from the log of a run: libFuzzer's last line of state, and its statistics.
row() {
  log=$build/fuzz_$1.log
  found=$(find "$build/findings/$1" -type f | wc -l)
  awk -v target="$1" -v found="$found" '
    / cov: / { for (i = 1; i < NF; ++i) if ($i == "cov:") edges = $(i + 1) }
    /number_of_executed_units/ { executions = $2 }
    /average_exec_per_sec/ { rate = $2 }
    /new_units_added/ { new = $2 }
    END { printf "| %s | %d | %d | %d | %d | %d |\n", target, executions, rate, edges, new, found }
  ' "$log"
}

for target; do
  [ -d "tests/fuzz/seeds/$target" ] || { echo "$target: no such target" >&2 && exit 2; }
done
broken=
for target; do
  fuzz "$target"
done
echo "| target | executions | a second | edges | new inputs | findings |"
echo "|---|---|---|---|---|---|"
for target; do
  row "$target"
done
failed=0
for target; do
  for file in "$build/findings/$target"/*; do
    [ -f "$file" ] || continue
    echo "$target: $file (what it did: $build/fuzz_$target.log)"
    failed=1
  done
done
for target in $broken; do  # also where there is no input to name
  echo "$target: did not end well: $build/fuzz_$target.log"
  failed=1
done
exit $failed
