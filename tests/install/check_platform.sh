#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_platform.sh SOURCE_FOLDER COMPILER
# A target whose pointers are too short, or whose bytes are in the other order, is told so when it is
# configured. Nothing is linked for it, so that no libraries are needed.
set -euo pipefail
source=$1 compiler=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

expect_refusal() {  # MESSAGE COMPILER FLAG
  local said
  if said=$(cmake -S "$source" -B "$folder/build$3" -DCMAKE_CXX_COMPILER="$2" -DCMAKE_CXX_FLAGS="$3" \
    -DCMAKE_TRY_COMPILE_TARGET_TYPE=STATIC_LIBRARY 2>&1); then
    echo "FAIL: $2 $3 is accepted"
    exit 1
  fi
  if ! tr -s '\n ' ' ' <<<"$said" | grep -F "$1"; then
    echo "FAIL: expected \"$1\", found: $said"
    exit 1
  fi
}

if [[ $(uname -m) == x86_64 ]]; then
  expect_refusal "expected pointers of 64 bits, found 32" "$compiler" -m32
fi
if command -v aarch64-linux-gnu-g++ >/dev/null; then
  expect_refusal "expected LITTLE_ENDIAN, found BIG_ENDIAN" aarch64-linux-gnu-g++ -mbig-endian
fi
echo "ok"
