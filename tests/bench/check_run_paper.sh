#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_run_paper.sh source_dir build_dir
#
# run_paper.sh makes every file from programs with known numbers, all curves have all points, and tables
# have the ratios that follow from the numbers; it says what it cannot do; and it gets along with the
# real programs. No test knows how fast a machine is.
set -euo pipefail
sources=$1 build=$2
script=$sources/bench/run_paper.sh here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
out="$folder/the results"

fail() {
  echo "FAIL: $1"
  exit 1
}
same() {  # what, expected, found
  [[ $2 == "$3" ]] || fail "$1: expected
$2
found
$3"
}
curves() { awk -f "$here/curves.awk" "$out/$1.svg"; }
y_of() { awk -v coordinates="$2" -f "$here/curves.awk" "$out/$1.svg" | cut -d ' ' -f 2; }
well_formed() {
  local svg
  for svg in "$out"/*.svg; do
    if command -v xmllint >/dev/null; then xmllint --noout "$svg"; fi
    grep -q '^<svg' "$svg" || fail "$svg is no SVG"
    grep -q '^</svg>' "$svg" || fail "$svg has no end"
  done
}
rows() {  # file, rows after the header
  same "rows of $1.csv" "$2" "$(($(wc -l <"$out/$1.csv") - 1))"
}
tabled() { grep -q -x -F -- "$1" "$out/tables.md" || { cat "$out/tables.md" && fail "no row '$1'"; }; }

# Programs with known numbers.
fakes=$folder/fakes
mkdir -p "$fakes/bench" "$fakes/examples"
for program in bench/paper_bench bench/kernels_bench bench/griffin_bench examples/score; do
  ln -s "$(realpath "$here/fake_paper_program.sh")" "$fakes/$program"
done
echo 'MemTotal:       25165824 kB
MemAvailable:    13000000 kB' >"$folder/meminfo"
echo 'model name	: Fake(R) CPU 9 @ 2.0GHz' >"$folder/cpuinfo"
export MEMINFO=$folder/meminfo CPUINFO=$folder/cpuinfo
paper() { "$script" --out "$out" "$@" "$fakes" >"$folder/said" 2>"$folder/err"; }

paper --full || fail "$(cat "$folder/err")"
[[ ! -s $folder/said ]] || fail "stdout is not empty: $(cat "$folder/said")"
grep -q 'figure 2 of 9: throughput, after [0-9]* min' "$folder/err" || fail "no progress: $(cat "$folder/err")"
well_formed
rows latency 96
rows throughput 20
rows budget 36
rows state 40
rows scan 30
rows extrapolation 39
rows position 14
rows prefill 30
rows quality 4
rows check 2

panels=$(for panel in a b c d; do
  printf '%s\n' "1$panel MQA Transformer" "2$panel Griffin" "3$panel Hawk" "4$panel Mamba-2"
done | sed 's/$/: 6 points, line of 6/')
same latency "$panels" "$(curves latency)"
same throughput "1a MQA Transformer, memory: 0 points, line of 5
2a Griffin, memory: 0 points, line of 5
3a Hawk, memory: 0 points, line of 5
4a Mamba-2, memory: 0 points, line of 5
5a MQA Transformer, arithmetic: 0 points, line of 5
6a Griffin, arithmetic: 0 points, line of 5
7a Hawk, arithmetic: 0 points, line of 5
8a Mamba-2, arithmetic: 0 points, line of 5
9a MQA Transformer: 5 points, line of 5
10a Griffin: 5 points, line of 5
11a Hawk: 5 points, line of 5
12a Mamba-2: 5 points, line of 5
1b Griffin, the paper's: 4 points, line of 4
2b Hawk, the paper's: 4 points, line of 4
3b Griffin, ours: 5 points, line of 5
4b Hawk, ours: 5 points, line of 5
5b Mamba-2, ours: 5 points, line of 5
1c MQA Transformer: 9 points, line of 9
2c Griffin: 9 points, line of 9
3c Hawk: 9 points, line of 9
4c Mamba-2: 9 points, line of 9" "$(curves throughput)"
same state "1 MQA Transformer: 10 points, line of 10
2 Griffin: 10 points, line of 10
3 Hawk: 10 points, line of 10
4 Mamba-2: 10 points, line of 10" "$(curves state)"
same scan "$(for panel in a b; do
  printf '%s: 5 points, line of 5\n' "1$panel associative, best" "2$panel linear, scalar" \
    "3$panel linear, best" "4$panel RG-LRU with its gates, best"
done)" "$(curves scan)"
same extrapolation "1 MQA Transformer: 13 points, line of 13
2 Griffin: 13 points, line of 13
3 Hawk: 13 points, line of 13" "$(curves extrapolation)"
same position "1 MQA Transformer: 7 points, line of 7
2 Griffin: 7 points, line of 7" "$(curves position)"
same prefill "3 MQA Transformer: 9 points, line of 0
4 Griffin: 9 points, line of 0
5 MQA Transformer, in full: 6 points, line of 0
6 Griffin, in full: 6 points, line of 0" "$(curves prefill | grep -v fit)"
same "fits of prefill" "1 fit of MQA
2 fit of Griffin" "$(curves prefill | sed -n 's/: 0 points, line of [1-9][0-9][0-9]$//p')"
same quality "1a all: 0 points, line of 4
2a f32: 1 points, line of 0
3a bf16: 1 points, line of 0
4a int8: 1 points, line of 0
5a int4: 1 points, line of 0
1b bf16: 1 points, line of 0
2b int8: 1 points, line of 0
3b int4: 1 points, line of 0" "$(curves quality)"

# Points are where they belong: halves are as far apart (the last is a quarter), the same is as high.
y_of throughput 9a | awk 'NR > 1 {step[NR] = $1 - last} {last = $1}
  END {step[5] /= 2; for (i in step) if (step[i] < 10 || (step[i] - step[2]) ^ 2 > 0.01) exit 1}' ||
  fail "MQA's tokens/s do not halve: $(y_of throughput 9a)"
same "a state that does not grow" 1 "$(y_of state 3 | sort -u | wc -l)"
same "a window that is full" 1 "$(y_of state 2 | tail -n 7 | sort -u | wc -l)"
grep -q 'MQA Transformer: 400 µs a token + 20 ns × n², within 0.0 %' "$out/prefill.svg" ||
  fail "no fit of MQA"
grep -q 'Griffin: 500 µs a token beyond 4096, within 0.0 %' "$out/prefill.svg" || fail "no fit of Griffin"

# tokens/s are 12 and 10 here, and a little less with each token before.
tabled '| tokens | Hawk, s | Griffin, s | MQA, s | Mamba-2, s | MQA / Griffin | the paper | MQA / Hawk | the paper |'
tabled '| 4096 | 327.7 | 349.3 | 808.1 | 372.4 | 2.31 | 1.36 | 2.47 | 1.39 |'
tabled '| 128 | 10.24 | 11.17 | 38.09 | 11.64 | 3.41 | 1.30 | 3.72 | 1.31 |'
tabled '| 4096 | 327.7 | 346.4 | 661.3 | 372.4 | 1.91 | - | 2.02 | - |'
tabled '| 2048 | 300 (24) | 250 (24) | 25 (24) | 260 (24) | 10.00 | 3.3 | 12.00 | 7.3 |'
tabled '| 4 | 240 | 200 | 16 | 216 |'
tabled '| 131072 | 1.911 | 8.965 | 3072 | 1.911 |'
tabled '| 1000000 | 20.31 | 320 |'
tabled '| 8192 | 4.146 | 4.629 | 4.561 | 5.092 |'
tabled '| 131072 | 65.59 | 396 | - | - |'
tabled '| MQA | 1.3b | 16 | 1024 | 10 | 10.2 | 1.02 |'
tabled '| 2048 | 1.6 (20 %) | 0.4 (80 %) | 20 (2 %) | 0.8 (50 %) | 24 (1 %) | 1.2 (27 %) | 3.00 | 6.94 |'
tabled '| 16384 | 2.631 | 2.731 | 6.790 |'
tabled '| int8 | 15.240 | 2.10e-04 | 98.50 | 20 |'
for line in 'model name: Fake(R) CPU 9 @ 2.0GHz' 'instruction set: best' 'memory: 24.0 GiB' 'mode: full'; do
  grep -q -x -F "$line" "$out/machine.txt" || fail "no '$line': $(cat "$out/machine.txt")"
done
grep -q 'bench/paper_bench prefill --size 400m --lengths 512,1024' "$out/machine.txt" ||
  fail "commands are not written down"
grep -q 'score -m examples/models/griffin-700 ' "$out/machine.txt" || fail "not of equal training"
grep -q "bench/paper_bench latency" "$out/machine.txt" || fail "commands are not written down"

# What is not there is left out: a family, the speed of weights that do not fit.
echo 'MemAvailable:    12999999 kB' >"$folder/meminfo"
FAKE_FAMILIES="" paper --full --only latency,quality,throughput || fail "$(cat "$folder/err")"
grep -q 'no speed of f32: 13 GB of memory are needed, 12 are' "$folder/err" || fail "$(cat "$folder/err")"
same "curves of latency" 12 "$(curves latency | wc -l)"
same "curves of throughput" 16 "$(curves throughput | wc -l)"
same "points of quality" "1a all: 0 points, line of 3
2a bf16: 1 points, line of 0" "$(curves quality | head -n 2)"
tabled '| 4096 | 327.7 | 349.3 | 808.1 | 2.31 | 1.36 | 2.47 | 1.39 |'
tabled '| f32 | 15.210 | 0.00e+00 | 100.00 | - |'
tabled '| int8 | 15.240 | 2.10e-04 | 98.50 | 20 |'
same "runs in machine.txt" 2 "$(grep -c '^model name' "$out/machine.txt")"
sed -i '/^mqa,1.3b,4096,/s/,12.5,/,,/' "$out/throughput.csv"  # one empty field
paper --draw --only throughput || fail "$(cat "$folder/err")"
same "a point less" "7a MQA Transformer: 4 points, line of 4
1b Griffin, the paper's: 4 points, line of 4
3b Griffin, ours: 4 points, line of 4" "$(curves throughput | grep -e ^7a -e ^1b -e ^3b)"
same "runs in machine.txt" 2 "$(grep -c '^model name' "$out/machine.txt")"

refuse() {  # exit code, message, what to run
  local code=0
  "${@:3}" >"$folder/said" 2>"$folder/err" || code=$?
  if [[ $code != "$1" || -s $folder/said ]] || ! grep -q -- "$2" "$folder/err"; then
    fail "${*:3}: exit code $code, $(cat "$folder/said" "$folder/err")"
  fi
}
fail_with() {  # FAKE, figure, message; what an earlier run left of the figure goes, too
  mkdir -p "$out" && touch "$out/$2.svg" "$out/$2.csv"
  refuse 1 "$3" env FAKE="$1" "$script" --quick --out "$out" --only "$2,state" "$fakes"
  grep -q "error: failed: $2; " "$folder/err" || fail "what failed? $(cat "$folder/err")"
  [[ -s $out/state.svg && ! -e $out/$2.svg && ! -e $out/$2.csv ]] || fail "$2: files are $(ls "$out")"
}
fail_with 'latency error' latency 'exit code 3 of .*paper_bench latency --size 400m '
fail_with 'throughput malformed' throughput 'no file .*/budgets'
fail_with 'position malformed' position 'error: .*: expected a column "position", found "family,size,batch"'
fail_with 'latency malformed' latency 'expected a column "prompt", found "family,size,batch"'
fail_with 'position empty' position 'error: .*: expected a line of names, found nothing'
fail_with 'position without rows' position 'error: position.csv: expected rows with family .*, found none'
fail_with 'kernels_bench error' scan 'exit code 3 of .*kernels_bench '
fail_with 'extrapolation malformed' extrapolation 'expected a column "position"'
fail_with 'score error' quality 'exit code 3 of .*score .* --dtype f32 '
refuse 1 'griffin_bench does not run' env FAKE='griffin_bench error' "$script" --out "$out" "$fakes"

malformed() {  # message, sed program for latency.csv
  cp "$folder/latency.csv" "$out/latency.csv"
  sed -i "$2" "$out/latency.csv"
  refuse 1 "$1" "$script" --draw --only latency --out "$out" "$fakes"
  grep -q 'latency.svg could not be drawn' "$folder/err" || fail "$(cat "$folder/err")"
  [[ ! -e $out/latency.svg ]] || fail "latency.svg is there"
}
paper --only latency || fail "$(cat "$folder/err")"
cp "$out/latency.csv" "$folder/latency.csv"
malformed 'line 3: expected 12 fields, found 11' '3s/,[^,]*$//'
malformed 'line 4: expected a number as seconds, found "soon"' '4s/^\(\([^,]*,\)\{5\}\)[^,]*/\1soon/'
malformed 'expected a column "seconds"' '1s/seconds/minutes/'
malformed 'too few points: expected more rows with tokens seconds, found 1' '3,$d'
malformed 'too few points: expected more rows with tokens seconds, found 0' '2,$d'
malformed 'expected a line of names, found nothing' d
rm -f "$out/latency.csv"
refuse 1 'no file .*/latency.csv' "$script" --draw --only latency --out "$out" "$fakes"

tools=$folder/tools
mkdir "$tools"
for tool in bash env dirname sed awk cat; do ln -s "$(command -v "$tool")" "$tools/$tool"; done
refuse 1 'error: no gnuplot' env PATH="$tools" "$script" --out "$out" "$fakes"
refuse 1 'no .*/bench/griffin_bench' "$script" --only scan --out "$out" "$folder"
rm "$fakes/examples/score"
refuse 1 'no .*/examples/score' "$script" --only quality --out "$out" "$fakes"
refuse 1 'no figure 4b, only latency' "$script" --only latency,4b --out "$out" "$fakes"
refuse 2 'usage:' "$script" --fast
refuse 2 'usage:' "$script" --out
refuse 2 'usage:' "$script" "$fakes" "$fakes"

# With the real programs.
unset MEMINFO CPUINFO
rm -rf "$out"
"$script" --tiny --out "$out" "$build"
well_formed
for csv in latency throughput budget state scan extrapolation position prefill quality check; do
  (($(wc -l <"$out/$csv.csv") > 1)) || fail "$csv.csv is empty"
done
same "SVGs" 8 "$(find "$out" -name '*.svg' | wc -l)"
for family in "MQA Transformer" Griffin Hawk; do
  same "$family in latency" 4 "$(curves latency | grep -c " $family: 2 points, line of 2$")"
  same "$family in state" 1 "$(curves state | grep -c " $family: 2 points, line of 2$")"
  same "$family in throughput" 1 "$(curves throughput | grep -c "a $family: 2 points, line of 2$")"
done
for family in "MQA Transformer" Griffin; do
  same "$family in position" 1 "$(curves position | grep -c " $family: 2 points, line of 2$")"
  same "$family in prefill" 1 "$(curves prefill | grep -c " $family: 3 points, line of 0$")"
  same "$family in full" 1 "$(curves prefill | grep -c " $family, in full: 2 points, line of 0$")"
done
same "curves of scan" 8 "$(curves scan | grep -c ': 1 points, line of 1$')"
same "curves of quality" "1a all: 0 points, line of 4" "$(curves quality | head -n 1)"
echo "ok"
