#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_symbols.sh LIBRARY LIST: the library shows the functions of the C API and nothing else, as its
# headers declare them. Who adds one adds it to the list; who takes one away raises griffin_c_abi.
set -euo pipefail
library=$1 list=$2
include=$(dirname "${BASH_SOURCE[0]}")/../../include/griffin/c

if ! diff <(LC_ALL=C sort "$list") \
  <(nm -D --defined-only "$library" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort); then
  echo "FAIL: $library shows other symbols (>) than $list says (<)" >&2
  exit 1
fi
declared=$(cat "$include"/*.h | tr '\n' ' ' | grep -oE 'GRIFFIN_C_API[^;(]*\(' | grep -oE 'griffin_[a-z0-9_]+\($' |
  tr -d '(' | LC_ALL=C sort)
if ! diff <(LC_ALL=C sort "$list") <(echo "$declared"); then
  echo "FAIL: the headers declare other functions (>) than $list says (<)" >&2
  exit 1
fi
echo "$(wc -l <"$list") functions"
