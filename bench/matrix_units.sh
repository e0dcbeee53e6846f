#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: bench/matrix_units.sh BUILD_FOLDER [--against TABLE] [--quick]
#
# What the best kernels of this CPU gain: products beside oneDNN, and prompts beside the kernels of
# TABLE (the next lower ones, which would be chosen without the best) in turns; decoding beside what
# memory allows. Medians of five. Needs 8 GB of memory for the 2B shape in bf16. --quick: small
# shapes, to see that everything runs; its figures mean nothing. "either": some of the five were held
# against memory, some against the arithmetic.
set -euo pipefail
unset GRIFFIN_ISA  # all tables are wanted, whatever is chosen elsewhere
usage() {
  sed -n '3s/^# //p' "$0" >&2
  exit 2
}
fail() {
  echo "matrix_units.sh: error: $1" >&2
  exit 1
}

build=${1:-}
[[ -n $build && $build != -* ]] || usage
shift
against="" quick="" rounds=5 out=15360 rows=(512 64 16 8 1) model=(--config recurrentgemma-2b)
prompts=512,2048 decoded=16 products=(--benchmark_repetitions=5) probe=()
while (($# > 0)); do
  case $1 in
    --against)
      (($# > 1)) || usage
      against=$2 && shift
      ;;
    --quick)
      quick=yes rounds=1 out=256 model=() prompts=8,16 decoded=2 probe=(--probe-mib 1)
      products=(--benchmark_repetitions=2 --benchmark_min_time=0.001 --memory-mib=1)
      ;;
    *) usage ;;
  esac
  shift
done
kernels_bench=$build/bench/kernels_bench griffin_bench=$build/bench/griffin_bench
for program in "$kernels_bench" "$griffin_bench"; do
  [[ -x $program ]] || fail "no $program; kernels_bench needs libbenchmark-dev"
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Columns of a csv file by their names, with tabs between them.
columns() {
  awk -F, -v names="$*" '
    BEGIN { count = split(names, wanted, " "); OFS = "\t" }
    { gsub(/"/, "") }
    NR == 1 {
      for (i = 1; i <= NF; ++i) at[$i] = i
      for (i = 1; i <= count; ++i) if (!(wanted[i] in at)) exit 1
      next
    }
    { for (i = 1; i <= count; ++i) printf "%s%s", $(at[wanted[i]]), i < count ? OFS : "\n" }'
}

median() { sort -g | awk '{v[NR] = $1} END {print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2}'; }
number() { awk -v x="$1" -v digits="$2" 'BEGIN {printf "%.*f", digits, x}'; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN {if (b > 0) printf "%.2f", a / b; else printf "-"}'; }
positive() { awk -v x="$1" 'BEGIN {exit !(x + 0 > 0)}'; }

# Runs a program with its answer in the file csv; what it says when it fails is said here.
run() {
  local code=0
  "$@" >"$folder/csv" 2>"$folder/errors" || code=$?
  ((code == 0)) || fail "exit code $code of $*: $(cat "$folder/errors")"
}

# Which table's product another table uses: the last one up to it.
table_of() {  # product table
  local table found=""
  for table in "${tables[@]}"; do
    grep -q "^matmul/$1/.*/$table\$" <<<"$list" && found=$table
    [[ $table != "$2" ]] || break
  done
  echo "$found"
}

# GFLOP/s of a line of kernels_bench, nothing where there is no such line.
speed_of() {
  awk -F'\t' -v name="$1_median" '$1 == name {printf "%.1f", $2 / 1e9}' "$folder/products"
}

measure_products() {
  local name wrong
  name="^(matmul/(bf16_bf16|int8|int4)|onednn/(bf16|u8s8_s32))/rows:($(IFS='|' && echo "${rows[*]}"))"
  run "$kernels_bench" --benchmark_filter="$name/in:2560/out:$out(/($best|$against$also))?\$" \
    --benchmark_enable_random_interleaving=true --benchmark_report_aggregates_only=true \
    --benchmark_format=csv "${products[@]}"
  # Runs that fail are lines with ",true,message" where counters would be; the exit code is 0.
  wrong=$(awk '/^"[^"]*",+true,/ {sub(/,+true,/, ": "); print; exit}' "$folder/csv")
  [[ -z $wrong ]] || fail "kernels_bench: $wrong"
  columns name flop/s share label <"$folder/csv" >"$folder/products" ||
    fail "kernels_bench printed no flop/s, share or label"
}

print_products() {
  local number_of_rows product types shape ours theirs peer line other label share
  measure_products
  echo
  echo "Products with a matrix of $out x 2560, 1 thread, GFLOP/s"
  echo
  echo "| weights | rows | $best | share | of | $against | times $against | oneDNN | times oneDNN |"
  echo "|---|---|---|---|---|---|---|---|---|"
  for types in bf16_bf16:bf16 int8:u8s8_s32 int4:; do
    product=${types%:*}
    for number_of_rows in "${rows[@]}"; do
      shape=rows:$number_of_rows/in:2560/out:$out
      line=matmul/$product/$shape/$(table_of "$product" "$best")
      other=matmul/$product/$shape/$(table_of "$product" "$against")
      ours=$(speed_of "$line")
      IFS=$'\t' read -r share label < <(awk -F'\t' -v name="${line}_median" '
        $1 == name {print $3 "\t" $4}' "$folder/products") || true
      if ! positive "$ours" || ! positive "$share"; then fail "kernels_bench has no figures of $line"; fi
      theirs=-
      if [[ $other != "$line" ]]; then
        theirs=$(speed_of "$other")
        positive "$theirs" || fail "kernels_bench has no figures of $other"
      fi
      peer=$(speed_of "onednn/${types#*:}/$shape")
      echo "| ${product%_*} | $number_of_rows | $ours | $(number "$share" 3) | ${label:-either} | $theirs" \
        "| $(ratio "$ours" "${theirs#-}") | ${peer:--} | $(ratio "$ours" "${peer:-0}") |"
    done
  done
  print_peer
}

# What oneDNN was, where it is.
print_peer() {
  local version implementations
  version=$(sed -n 's/^onednn: //p' "$folder/errors")
  [[ -n $version ]] || return 0
  implementations=$(awk -F'\t' '$1 ~ /^onednn.*_median$/ && $4 != "" {
    split($1, name, "/"); words = split($4, label, " "); print name[2] " " label[words]
  }' "$folder/products" | sort -u | paste -sd, | sed 's/,/, /g')
  echo
  echo "oneDNN $version: ${implementations:-different ones}"
}

# Rows of griffin_bench: isa, dtype, threads, batch, test, tokens/s, share, bound, peak.
measure() {  # table, arguments
  run env GRIFFIN_ISA="$1" "$griffin_bench" "${model[@]}" "${probe[@]}" -o csv "${@:2}"
  columns isa dtype threads batch test median_ts share bound peak <"$folder/csv" >"$folder/rows" ||
    fail "griffin_bench printed other columns"
  awk -F'\t' '!($6 > 0 && $7 > 0) {exit 1} END {exit NR == 0}' "$folder/rows" ||
    fail "griffin_bench printed no figures: GRIFFIN_ISA=$1 ${*:2}"
  cat "$folder/rows"
}

# "memory", or the arithmetic; "either" where rows differ.
ceiling_of() {
  awk -F'\t' '{one = $8 == "memory" ? $8 : $9; of = NR == 1 || one == of ? one : "either"}
              END {print of}' "$1"
}

print_prompts() {
  local dtype round table test of
  local -A speed share
  for dtype in bf16 int8; do
    for ((round = 0; round < rounds; ++round)); do
      for table in "$best" "$against"; do
        measure "$table" --dtype "$dtype" -p "$prompts" -n 0 -t 2 -r 1 >>"$folder/prompts"
      done
    done
  done
  echo
  echo "Prompts, 2 threads, tokens/s"
  echo
  echo "| weights | test | $best | share | of | $against | times $against | times pp${prompts%,*} |"
  echo "|---|---|---|---|---|---|---|---|"
  for dtype in bf16 int8; do
    for test in "pp${prompts%,*}" "pp${prompts#*,}"; do
      for table in "$against" "$best"; do
        awk -F'\t' -v key="$table $dtype $test" '$1 " " $2 " " $5 == key' "$folder/prompts" >"$folder/of"
        (($(wc -l <"$folder/of") == rounds)) || fail "griffin_bench lacks runs of $table $dtype $test"
        speed[$table $test]=$(cut -f 6 "$folder/of" | median)
        share[$table]=$(cut -f 7 "$folder/of" | median)
      done
      of=$(ceiling_of "$folder/of")
      echo "| $dtype | $test | $(number "${speed[$best $test]}" 1) | $(number "${share[$best]}" 3) | $of" \
        "| $(number "${speed[$against $test]}" 1)" \
        "| $(ratio "${speed[$best $test]}" "${speed[$against $test]}")" \
        "| $(ratio "${speed[$best $test]}" "${speed[$best pp${prompts%,*}]}") |"
    done
  done
}

print_decoding() {
  local dtype
  for dtype in bf16 int8 int4; do
    measure "$best" --dtype "$dtype" -p 0 -n "$decoded" -t 1 -r "$rounds" >>"$folder/decoding"
  done
  measure "$best" --dtype bf16 -p 0 -n "$decoded" -b 16 -t 2 -r "$rounds" >>"$folder/decoding"
  echo
  echo "Decoding with $best, tokens/s"
  echo
  echo "| weights | threads | sequences | tokens/s | share | of |"
  echo "|---|---|---|---|---|---|"
  awk -F'\t' '{printf "| %s | %s | %s | %.2f | %.3f | %s |\n",
               $2, $3, $4, $6, $7, $8 == "memory" ? $8 : $9}' "$folder/decoding"
}

# The tables of this CPU, lowest first, and those of them that have a product of their own.
run "$kernels_bench" --benchmark_list_tests --benchmark_filter='^matmul/'
list=$(cat "$folder/csv")
[[ $list == matmul/* ]] || fail "kernels_bench lists no products"
mapfile -t tables < <(awk -F/ '!seen[$NF]++ {print $NF}' <<<"$list")
best=${tables[-1]}
against=${against:-${tables[${#tables[@]} > 1 ? -2 : -1]}}
[[ " ${tables[*]} " == *" $against "* ]] || fail "no table $against here, only ${tables[*]}"
[[ $against != "$best" ]] || fail "$best is the best table here: name another to compare it with"

# The weights of the 2B shape in bf16 have to fit: the system kills what asks for too much.
if [[ -z $quick ]]; then
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "${MEMINFO:-/proc/meminfo}")
  ((available >= 8000000)) || fail "8 GB of memory are needed, $((available / 1000000)) are available"
fi

# Products whose tables are named otherwise than the two: theirs are those of a lower one.
also=$(for product in bf16_bf16 int8 int4; do
  for table in "$best" "$against"; do printf '|%s' "$(table_of "$product" "$table")"; done
done)
cpu=$(sed -n 's/^model name[[:space:]]*: //p' /proc/cpuinfo | head -n 1)
echo "CPU: $cpu, $(nproc) cores; tables: ${tables[*]}"
commit=$(git -C "$(dirname "$0")" describe --always --dirty 2>/dev/null) && echo "Sources: commit $commit"
[[ -z $quick ]] || echo "--quick: these figures mean nothing"
print_products
print_prompts
print_decoding
