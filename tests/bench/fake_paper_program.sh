#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Answers as paper_bench, kernels_bench, griffin_bench or score does, whichever it is called as, with
# known numbers. FAKE: what goes wrong, and in which of the programs' commands, "latency error".
set -eu
option() {  # name, arguments: the value that follows the name
  local name=$1 && shift
  while (($# > 1)); do
    [[ $1 != "$name" ]] || { echo "$2" && return; }
    shift
  done
  echo "where is $name?" >&2 && exit 2
}
each() { tr , '\n' <<<"$1"; }

# Seconds of a token are 1 / speed, and a little more for each token before it if the family keeps keys.
speed_awk='function speed(family) {
    return family == "mqa" ? 10 : family == "griffin" ? 12 : family == "hawk" ? 12.5 : 11
  }
  function slower(family) {
    return family == "mqa" ? 0.0005 : family == "griffin" ? 0.00001 : 0
  }'
families="hawk griffin mqa ${FAKE_FAMILIES-mamba2}"

latency() {
  local size batch prompt tokens
  size=$(option --size "$@")
  echo family,size,batch,prompt,tokens,seconds,tokens_per_second,prompt_seconds,attention_share,attention_bound,isa,cpu
  for family in $families; do
    for batch in $(each "$(option --batch "$@")"); do
      for prompt in $(each "$(option --prompt "$@")"); do
        for tokens in $(each "$(option --tokens "$@")"); do
          awk -v OFS=, -v f="$family" -v s="$size" -v b="$batch" -v p="$prompt" -v n="$tokens" "$speed_awk"'
            BEGIN {
              seconds = n / speed(f) + slower(f) * (b + 3) / 20 * n * (p + n / 2) / 10
              share = slower(f) ? 0.5 : ""
              print f, s, b, p, n, seconds, b * n / seconds, p ? p * b / 100 : 0, share,
                share ? "memory" : "", "best", "Fake CPU 9"
            }'
        done
      done
    done
  done
}
throughput() {
  local size tokens last
  size=$(option --size "$@")
  last=$(each "$(option --tokens "$@")" | tail -n 1)
  echo family,size,tokens,batch,best_batch,sequence_bytes,budget_bytes,tokens_per_second,memory_ceiling,compute_ceiling
  for family in $families; do
    for tokens in $(each "$(option --tokens "$@")"); do
      awk -v OFS=, -v f="$family" -v s="$size" -v n="$tokens" '
        BEGIN {
          of["hawk"] = 300; of["griffin"] = 250; of["mamba2"] = 260
          t = f == "mqa" ? 51200 / n : of[f]
          print f, s, n, int(100000 / n), int(50000 / n), n * 24576, 17179869184, t, t * 1.5, 400
        }'
    done
  done
  {
    echo family,size,tokens,budget_bytes,batch,tokens_per_second
    for family in $families; do
      awk -v OFS=, -v f="$family" -v s="$size" -v n="$last" -v budgets="$(option --budgets-gib "$@")" '
        BEGIN {
          count = split(budgets, budget, ",")
          for (i = 1; i <= count; ++i) {
            b = budget[i]
            print f, s, n, b * 1073741824, int(b * 4), f == "mqa" ? 4 * b : (f == "hawk" ? 300 : f == "griffin" ? 250 : 270) * b / (b + 1)
          }
        }'
    done
  } >"$(option --budgets "$@")"
}
state() {
  echo family,size,position,allocated_bytes,used_bytes
  for family in $families; do
    for position in $(each "$(option --positions "$@")"); do
      awk -v OFS=, -v f="$family" -v s="$(option --size "$@")" -v n="$position" '
        BEGIN {
          bytes = f == "mqa" ? 24576 * n : f == "griffin" ? 8192 * (n < 1024 ? n : 1025) + 1e6 : 2e6
          print f, s, n, bytes + 4096, bytes
        }'
    done
  done
}
position() {
  echo family,size,position,seconds
  for family in griffin mqa; do
    for position in $(each "$(option --positions "$@")"); do
      awk -v OFS=, -v f="$family" -v s="$(option --size "$@")" -v n="$position" '
        BEGIN {print f, s, n, f == "mqa" ? 0.02 + n * 3e-7 : 0.02 + (n < 1024 ? n : 1024) * 3e-7}'
    done
  done
}
prefill() {
  local family tokens method
  echo family,size,tokens,seconds,method
  for method in sampled full; do
    for family in griffin mqa; do
      for tokens in $(each "$(option --lengths "$@")"); do
        [[ $method == sampled || $tokens -le $(option --read "$@") ]] || continue
        awk -v OFS=, -v f="$family" -v s="$(option --size "$@")" -v n="$tokens" -v method="$method" '
          BEGIN {
            t = f == "mqa" ? 0.01 + 0.0004 * n + 2e-8 * n * n : 0.05 + 0.0005 * n
            print f, s, n, method == "full" ? t * 1.1 : t, method
          }'
      done
    done
  done
}
check() {
  echo family,size,batch,tokens,full_seconds,sampled_seconds
  echo "$(option --family "$@"),$(option --size "$@"),$(option --batch "$@"),$(option --tokens "$@"),10,10.2"
}

scans() {
  local rows name
  [[ $* == *--benchmark_filter=^paper/* ]] || { echo "what filter?" >&2 && exit 2; }
  echo 'name,iterations,real_time,cpu_time,time_unit,bytes_per_second,items_per_second,label,error_occurred,error_message,"flop/s","ns/element","share"'
  line() {  # kernel/.../isa, ns, share
    echo "\"paper/$1/batch:8/rows:$rows/width:1024/$2\",5,1,1,us,,,\"memory\",,,1e9,$3,$4"
  }
  for name in scalar,1.6,0.2 sse,0.8,0.4 best,0.4,0.8; do
    for rows in 1024 2048 4096 8192 16384; do line linear_scan ${name//,/ }; done
  done
  for name in scalar,20,0.02 best,0.8,0.5 libm,24,0.01; do
    for rows in 1024 2048 4096 8192 16384; do line rg_lru ${name//,/ }; done
  done
  for rows in 1024 2048 4096 8192 16384; do line associative_scan best 1.2 0.27; done
}

by_position() {  # model, context
  awk -v OFS=, -v model="$1" -v context="$2" '
    BEGIN {
      print "position", "tokens", "loss", "mean_loss"
      for (n = 4; n <= context; n *= 2) {
        loss = 2.5 + 4 / sqrt(n) + (model == "mqa" && n > 256 ? log(n / 256) : 0) + (model == "hawk") / 10
        print n, 10 * context, loss, loss + 0.1
      }
    }'
}
score() {
  local model dtype
  model=$(basename "$(option -m "$@")")
  [[ -s $(option -f "$@") ]] || { echo "no text" >&2 && exit 2; }
  [[ $* != *--by-position*--csv* ]] || { by_position "$model" "$(option --context "$@")" && return; }
  dtype=$(option --dtype "$@")
  declare -A kl=([f32]=0.0 [bf16]=2.5e-5 [int8]=2.1e-4 [int4]=1.2e-2)
  declare -A perplexity=([f32]=15.21 [bf16]=15.22 [int8]=15.24 [int4]=15.6)
  declare -A same=([f32]=1.0 [bf16]=0.995 [int8]=0.985 [int4]=0.9)
  echo "{\"model\": \"griffin\", \"dtype\": \"$dtype\", \"tokens\": 5, \"perplexity\": ${perplexity[$dtype]}, \"against\": \"f32\", \"mean_kl\": ${kl[$dtype]}, \"same_argmax\": ${same[$dtype]}}"
}
griffin_bench() {
  local dtype
  dtype=$([[ $* != *--dtype* ]] || option --dtype "$@")
  declare -A speed=([f32]=5 [bf16]=10 [int8]=20 [int4]=35)
  echo 'model,dtype,isa,threads,batch,test,median_ts'
  echo "griffin,$dtype,best,2,1,tg32,${speed[${dtype:-bf16}]}"
}

program=$(basename "$0") command=$(basename "$0")
[[ $program != paper_bench ]] || command=$1
[[ $program != score || $* != *--by-position* ]] || command=extrapolation
case ${FAKE:-} in
  "$command error") echo "out of luck" >&2 && exit 3 ;;
  "$command malformed") echo family,size,batch && echo griffin,1.3b && exit ;;
  "$command empty") exit ;;
  "$command without rows") echo family,size,position,seconds && exit ;;
esac
case $program in
  paper_bench) "$1" "${@:2}" ;;
  kernels_bench) scans "$@" ;;
  *) "$program" "$@" ;;
esac
