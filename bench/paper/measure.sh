# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What each figure is measured with; part of run_paper.sh.

heldout=$sources/examples/models/heldout.txt
trained=256  # tokens of a row when the models were trained

# Shapes and numbers of the mode. `size` is for what is sampled, `long` for long sequences; `cut` is how
# much of the held-out text is read.
choose_sizes() {
  size=400m long=100m batches=1,16 cut=60000 context=4096 speed_model=griffin-100m steps=()
  scans='^paper/' scan_options=() speed_options=(-n 32)
  check_families="griffin mqa" check_batches="1 16"
  case $mode in
    full)
      size=1.3b long=400m prompts=0,4096 tokens=128,256,512,1024,2048,4096
      most_tokens=512,1024,2048,4096,16384 memory=16 budgets=3.5,3.6,3.8,4,5,6,8,12,16
      states=256,512,1024,2048,4096,8192,16384,32768,65536,131072
      positions=1000,3000,10000,30000,100000,300000,1000000
      lengths=512,1024,2048,4096,8192,16384,32768,65536,131072 read=16384
      check_tokens=1024 check_batches=16
      cut=0 context=16384 speed_model=recurrentgemma-2b
      ;;
    quick)
      prompts=0,512 tokens=128,256,512 most_tokens=128,256,512 memory=3 budgets=1.6,1.8,2,3
      states=256,1024,4096,16384,65536 positions=1000,4000,16000,65536
      lengths=512,1024,2048,4096,8192 read=1024 check_tokens=128
      scans='^paper/.*/rows:(1024|2048|4096)/' scan_options=(--benchmark_min_time=0.05)
      ;;
    tiny)
      size=tiny long=tiny steps=(--rounds 1 --steps 1) batches=1,2 prompts=0,64 tokens=16,32
      most_tokens=16,48 memory=0.005 budgets=0.003,0.005 states=16,64 positions=16,64
      lengths=512,1024,2048 read=1024 check_tokens=8 check_batches=1
      scans='^paper/.*/rows:1024/' scan_options=(--benchmark_min_time=0.001 --memory-mib=1)
      cut=3000 context=512 speed_options=(-n 2 -r 1 --probe-mib 1)
      ;;
  esac
}

# A command as it can be given again in the folder of the sources; of temporary files only the names.
as_text() {
  local argument line=""
  for argument in "$@"; do
    [[ $argument =~ ^[-A-Za-z0-9_.,:/=]+$ ]] || argument="'$argument'"
    line+=" $argument"
  done
  line=${line//"$folder/"/}
  echo "${line//"$sources/"/}"
}

# Runs a program, with its answer in the file answer, and writes its command down. What it says on
# stderr is seen as it comes.
run() {
  local code=0
  as_text "$@" | sed 's/^/ /' >>"$out/machine.txt"
  "$@" >"$folder/answer" || code=$?
  ((code == 0)) || fail "exit code $code of$(as_text "$@")"
}

# Keeps a file as a result if it has these columns and at least one row of them.
keep() {  # file, name, columns
  local rows
  rows=$("$paper/select.sh" "$1" "${@:3}") || fail "no $2.csv"
  [[ -n $rows ]] || fail "$2.csv: expected rows with ${*:3}, found none"
  mv "$1" "$out/$2.csv"
}

# A column of the first row of a CSV.
field() {  # name
  awk -F, -v name="$1" '
    { gsub(/"/, "") }
    NR == 1 { for (i = 1; i <= NF; ++i) if ($i == name) at = i }
    NR == 2 && at { print $at }'
}
member() { sed -n "s/.*\"$1\": *\\([-+.0-9e]*\\).*/\\1/p" "$folder/answer"; }  # of a line of JSON

measure_latency() {
  run "$build/bench/paper_bench" latency --size "$size" --batch "$batches" --prompt "$prompts" \
    --tokens "$tokens" "${steps[@]}"
  keep "$folder/answer" latency family size batch prompt tokens seconds
}

measure_throughput() {
  run "$build/bench/paper_bench" throughput --size "$size" --tokens "$most_tokens" \
    --memory-gib "$memory" --budgets-gib "$budgets" --budgets "$folder/budgets" "${steps[@]}"
  keep "$folder/budgets" budget family size tokens budget_bytes tokens_per_second
  keep "$folder/answer" throughput family size tokens best_batch budget_bytes tokens_per_second
}

measure_state() {
  run "$build/bench/paper_bench" state --size "$size" --positions "$states"
  keep "$folder/answer" state family size position allocated_bytes
}

measure_position() {
  run "$build/bench/paper_bench" position --size "$long" --positions "$positions" "${steps[@]}"
  keep "$folder/answer" position family size position seconds
}

measure_prefill() {
  run "$build/bench/paper_bench" prefill --size "$long" --lengths "$lengths" --read "$read" \
    "${steps[@]:0:2}"
  keep "$folder/answer" prefill family size tokens seconds method
}

measure_check() {
  local family batch
  for family in $check_families; do
    for batch in $check_batches; do
      run "$build/bench/paper_bench" check --size "$size" --family "$family" --batch "$batch" \
        --tokens "$check_tokens" "${steps[@]}"
      if [[ -s $folder/check ]]; then sed -i 1d "$folder/answer"; fi
      cat "$folder/answer" >>"$folder/check"
    done
  done
  keep "$folder/check" check family size batch tokens full_seconds sampled_seconds
}

# Of every kernel the scalar one, that of the C library, and the best, which is listed last.
measure_scan() {
  local wrong
  run "$build/bench/kernels_bench" --benchmark_filter="$scans" --threads "$(nproc)" \
    --benchmark_format=csv "${scan_options[@]}"
  wrong=$(awk '/^"[^"]*",+true,/ {sub(/,+true,/, ": "); print; exit}' "$folder/answer")
  [[ -z $wrong ]] || fail "kernels_bench: $wrong"
  awk -F, -v OFS=, '
    { gsub(/"/, "") }
    NR == 1 { for (i = 1; i <= NF; ++i) at[$i] = i; next }
    {
      split($1, part, "/")
      sub("rows:", "", part[4])
      isa[++count] = part[6]
      kernel[count] = part[2]
      if (part[6] != "libm") best[part[2]] = part[6]
      line[count] = part[2] OFS part[6] OFS part[4] OFS $at["ns/element"] OFS $at["share"]
    }
    END {
      print "kernel", "isa", "rows", "ns_per_element", "share"
      for (i = 1; i <= count; ++i)
        if (isa[i] == "scalar" || isa[i] == "libm" || isa[i] == best[kernel[i]]) print line[i]
    }' "$folder/answer" >"$folder/scan"
  keep "$folder/scan" scan kernel isa rows ns_per_element share
}

# The held-out text, or its beginning.
write_text() {
  if ((cut == 0)); then cp "$heldout" "$folder/text"; else head -c "$cut" "$heldout" >"$folder/text"; fi
}

# Of the models that were trained for as long as each other.
folder_of() {  # family
  if [[ $1 == griffin ]]; then echo griffin-700; else echo "$1"; fi
}

measure_extrapolation() {
  local model
  write_text
  echo model,trained,position,tokens,loss,mean_loss >"$folder/extrapolation"
  for model in griffin hawk mqa; do
    run "$build/examples/score" -m "$sources/examples/models/$(folder_of "$model")" \
      -f "$folder/text" --context "$context" --by-position --csv
    "$paper/select.sh" "$folder/answer" position tokens loss mean_loss >"$folder/rows" ||
      fail "score printed no losses by position"
    sed "s/ /,/g; s/^/$model,$trained,/" "$folder/rows" >>"$folder/extrapolation"
  done
  keep "$folder/extrapolation" extrapolation model trained position tokens loss mean_loss
}

# Weights of the 2B shape in f32 have to fit: the system kills what asks for too much.
fits() {  # dtype
  local available
  [[ $mode == full && $1 == f32 ]] || return 0
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB$/\1/p' "${MEMINFO:-/proc/meminfo}")
  ((available >= 13000000)) && return
  say "no speed of f32: 13 GB of memory are needed, $((available / 1000000)) are available"
  return 1
}

measure_quality() {
  local dtype row speed
  write_text
  echo dtype,perplexity,kl,same_top,tokens_per_second,speed_model >"$folder/quality"
  for dtype in f32 bf16 int8 int4; do
    run "$build/examples/score" -m "$sources/examples/models/griffin" -f "$folder/text" \
      --dtype "$dtype" --against f32 --json
    row=$dtype,$(member perplexity),$(member mean_kl),$(member same_argmax)
    speed=""
    if fits "$dtype"; then
      run "$build/bench/griffin_bench" --config "$speed_model" --dtype "$dtype" -p 0 \
        "${speed_options[@]}" -o csv
      speed=$(field median_ts <"$folder/answer")
      [[ -n $speed ]] || fail "griffin_bench printed no median_ts for $dtype"
    fi
    echo "$row,$speed,$speed_model" >>"$folder/quality"
  done
  keep "$folder/quality" quality dtype perplexity kl same_top tokens_per_second speed_model
}
