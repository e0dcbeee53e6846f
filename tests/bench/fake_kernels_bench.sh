#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Answers as kernels_bench does, with known numbers. FAKE: what goes wrong.
set -eu
[[ -z ${GRIFFIN_ISA:-} ]] || { echo "GRIFFIN_ISA is $GRIFFIN_ISA" >&2 && exit 1; }
[[ ${FAKE:-} != unlisted || $* != *list_tests* ]] || { echo "no list" >&2 && exit 3; }

products() {  # table
  local product rows
  for product in bf16_bf16 int8 int4; do
    [[ $1/$product != middle/int4 ]] || continue  # it uses that of low
    for rows in 512 64 16 8 1; do echo "matmul/$product/rows:$rows/in:2560/out:15360/$1"; done
  done
}
list() {
  local table
  for table in low middle best; do products "$table"; done
}
if [[ $* == *list_tests* ]]; then
  list && exit
fi

echo "onednn: 9.8.7" >&2
header=name,iterations,real_time,cpu_time,time_unit,bytes_per_second,items_per_second,label
echo "$header,error_occurred,error_message,\"bytes/s\",\"flop/s\",\"share\""
line() {  # name, GFLOP/s, label
  local share=0.5
  [[ ${FAKE:-} != "no share" || $1 != *int8/rows:8/*best ]] || share=""
  if [[ ${FAKE:-} == error && $1 == *int8/rows:8/*best ]]; then
    echo "\"$1\",,,,,,,,true,\"not enough memory, or none\""
  else
    echo "\"$1_mean\",5,1,1,us,,,\"$3\",,,1,7e9,0.1"
    echo "\"$1_median\",5,1,1,us,,,\"$3\",,,1,${2}e9,$share"
  fi
}
declare -A speed=([low]=100 [middle]=200 [best]=400)
while read -r name; do
  label="bf16 amx"
  [[ $name != */rows:1/* ]] || label=memory
  [[ $name != */rows:16/* ]] || label=""  # some of the runs so, some so
  line "$name" "${speed[${name##*/}]}" "$label"
done < <(list)
for rows in 512 64 16 8 1; do
  line "onednn/bf16/rows:$rows/in:2560/out:15360" 320 "bf16 amx brg:one"
  line "onednn/u8s8_s32/rows:$rows/in:2560/out:15360" 500 "int8 amx brg:two"
done
