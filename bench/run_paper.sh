#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: bench/run_paper.sh [--quick|--full] [--only FIGURE,...] [--draw] [--out DIR] [BUILD_FOLDER]
#
# Measures what the figures of the Griffin paper show, draws them and makes tables: a CSV and an SVG a
# figure, tables.md and machine.txt, in a folder of results. BUILD_FOLDER: build/release.
#   --quick   small shapes and few numbers, under 10 minutes (the default), into build/paper-quick
#   --full    the paper's shapes, 40 minutes, into bench/results/MACHINE; needs 24 GB of memory
#   --tiny    the least that can be drawn, for the tests; into build/paper-tiny
#   --only    these of latency, throughput, state, scan, extrapolation, position, prefill, quality and
#             check (of sampled times with full ones; only a table)
#   --draw    measures nothing: draws, and makes tables, of the CSVs that are there
#   --out     another folder of results
# A figure that fails does not keep others from being made; the exit code is then 1.
set -euo pipefail
sources=$(cd "$(dirname "$0")/.." && pwd)
paper=$sources/bench/paper
usage() {
  sed -n '3s/^# //p' "$0" >&2
  exit 2
}
fail() {
  echo "run_paper.sh: error: $1" >&2
  exit 1
}
say() { echo "run_paper.sh: $1" >&2; }
# shellcheck source=bench/paper/machine.sh
source "$paper/machine.sh"
# shellcheck source=bench/paper/measure.sh
source "$paper/measure.sh"

all=(latency throughput state scan extrapolation position prefill quality check)
mode=quick figures=("${all[@]}") only="" out="" draw_only="" build=""
while (($# > 0)); do
  case $1 in
    --quick | --full | --tiny) mode=${1#--} ;;
    --draw) draw_only=yes ;;
    --only | --out)
      (($# > 1)) && [[ -n $2 ]] || usage
      if [[ $1 == --out ]]; then out=$2; else only=$2; fi
      shift
      ;;
    --help) sed -n '3,$s/^# \{0,1\}//p;/^set /q' "$0" && exit ;;
    -*) usage ;;
    *)
      [[ -z $build ]] || usage
      build=$1
      ;;
  esac
  shift
done
build=${build:-$sources/build/release}
if [[ -n $only ]]; then
  IFS=, read -r -a figures <<<"$only"
  for figure in "${figures[@]}"; do
    [[ $figure != *" "* && " ${all[*]} " == *" $figure "* ]] || fail "no figure $figure, only ${all[*]}"
  done
fi

programs_of() {  # figure
  case $1 in
    scan) echo bench/kernels_bench ;;
    extrapolation) echo examples/score ;;
    quality) echo examples/score bench/griffin_bench ;;
    *) echo bench/paper_bench ;;
  esac
}
command -v gnuplot >/dev/null || fail "no gnuplot, which draws the figures (Debian's gnuplot-nox)"
if [[ -z $draw_only ]]; then
  needed=$(for figure in "${figures[@]}"; do programs_of "$figure"; done)
  for program in bench/griffin_bench $needed; do
    [[ -x $build/$program ]] || fail "no $build/$program; kernels_bench needs libbenchmark-dev"
  done
  isa=$(best_table)
fi
if [[ -z $out && $mode != full ]]; then
  out=$sources/build/paper-$mode
elif [[ -z $out ]]; then
  [[ -z $draw_only ]] || fail "--draw of full results needs --out, the folder that they are in"
  out=$sources/bench/results/$(machine_name)
fi
[[ $out$sources != *[\'\"\\]* ]] || fail "--out: expected a folder without quotes, found $out"
mkdir -p "$out"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT

# Both return 1 where something failed, after saying so.
measure() {  # figure
  rm -f "$out/$1".{csv,svg}
  (measure_"$1") && return
  echo " failed: $1" >>"$out/machine.txt"
  return 1
}
draw() {  # figure
  [[ $1 != check ]] || return 0
  gnuplot -e "results='$out'" "$paper/$1.gp" && return
  rm -f "$out/$1.svg"
  say "error: $1.svg could not be drawn"
  return 1
}

if [[ -z $draw_only ]]; then
  [[ -n $only ]] || rm -f "$out/machine.txt"
  describe_machine >>"$out/machine.txt"
fi
choose_sizes
failed=()
for ((k = 0; k < ${#figures[@]}; ++k)); do
  figure=${figures[k]}
  say "figure $((k + 1)) of ${#figures[@]}: $figure, after $((SECONDS / 60)) min $((SECONDS % 60)) s"
  if { [[ -n $draw_only ]] || measure "$figure"; } && draw "$figure"; then continue; fi
  failed+=("$figure")
done
"$paper/tables.sh" "$out" >"$folder/tables.md" && mv "$folder/tables.md" "$out/tables.md" ||
  failed+=(tables)
((${#failed[@]} == 0)) || fail "failed: ${failed[*]}; what there is, is in $out"
say "done after $((SECONDS / 60)) min $((SECONDS % 60)) s: $out"
