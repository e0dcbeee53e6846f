#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_abi.sh C_COMPILER [--write]
# What the headers of the C API declare is binary compatible with griffin_c.abi: functions, structs and
# their members. A change that callers do not survive needs another griffin_c_abi (src/c/CMakeLists.txt);
# --write keeps the interface as it is now. What the library shows is for check_symbols.sh to say: here a
# library is made of the headers alone, in which every function is empty.
set -euo pipefail
compiler=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
abi=$here/griffin_c.abi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

echo '#include "griffin/griffin_c.h"' |
  "$compiler" -std=c11 -E -P -I"$here/../../include" - | tr '\n' ' ' | sed 's/;/;\n/g' |
  sed -E '/visibility\("default"\)/s/;$/ { __builtin_trap(); }/' >"$folder/empty.c"
"$compiler" -std=c11 -g -O0 -fPIC -shared -Wl,-soname,libgriffin_c.so.0 "$folder/empty.c" \
  -o "$folder/libgriffin_c.so.0"
abidw --no-corpus-path --no-comp-dir-path --no-show-locs --no-elf-needed --type-id-style hash \
  "$folder/libgriffin_c.so.0" | sed "s| path='[^']*'||" >"$folder/found.abi"
if [[ ${2:-} == --write ]]; then
  cp "$folder/found.abi" "$abi"
  exit
fi
abidiff --no-show-locs "$abi" "$folder/found.abi" || {
  echo "FAIL: the binary interface of the headers is another one than $abi has" >&2
  exit 1
}
functions=$(grep -c '<function-decl' "$abi")
[[ $functions == "$(wc -l <"$here/griffin_c.symbols")" ]] || {
  echo "FAIL: $abi has $functions functions, griffin_c.symbols another number" >&2
  exit 1
}
echo "$functions functions, and their types, are those of $(basename "$abi")"
