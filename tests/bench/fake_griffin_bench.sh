#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Answers as griffin_bench does, with known numbers that differ from run to run of a prompt. FAKE: what
# goes wrong. FAKE_RUNS: a folder that counts the runs.
set -eu
dtype="" threads="" batch=1 prompts="" decoded=0
while (($# > 0)); do
  case $1 in
    --dtype) dtype=$2 ;;
    -t) threads=$2 ;;
    -b) batch=$2 ;;
    -p) prompts=$2 ;;
    -n) decoded=$2 ;;
    --config | -o | -r) ;;
    *) echo "what is $1?" >&2 && exit 2 ;;
  esac
  shift 2
done
[[ ${FAKE:-} != killed ]] || kill -9 $$
echo 'isa,dtype,threads,batch,test,median_ts,share,bound,peak'
row() {  # test, tokens/s, share, bound
  echo "$GRIFFIN_ISA,$dtype,$threads,$batch,$1,$2,$3,$4,bf16 amx"
}
if [[ $prompts == 0 ]]; then
  share=0.75
  [[ ${FAKE:-} != "no share" ]] || share=""
  row "tg$decoded" 12.5 "$share" memory
  exit
fi
echo >>"$FAKE_RUNS/$GRIFFIN_ISA.$dtype"
speeds=(0 10 30 70 20 40)  # the median is not the first, the third, the last or the mean
run=$(wc -l <"$FAKE_RUNS/$GRIFFIN_ISA.$dtype")
declare -A gain=([low]=1 [middle]=2 [best]=8)
speed=$((speeds[run] * gain[$GRIFFIN_ISA]))
bound=compute
[[ $dtype != int8 || $run != 4 ]] || bound=memory
row pp512 "$((2 * speed))" "0.$((speeds[run] / 10))" "$bound"
[[ ${FAKE:-} == "a run less" && $GRIFFIN_ISA/$run == middle/2 ]] || row pp2048 "$speed" 0.5 compute
