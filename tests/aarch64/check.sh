#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check.sh build|kernels|engine SOURCE_FOLDER BUILD_FOLDER
#
# build: builds SOURCE_FOLDER (cross/) for AArch64 with Debian's cross compiler, looks for weak
# symbols in the archives of one file per instruction set, and for kernels' headers that do not stand
# alone. What is built stays there, so that the next time only what has changed is built again.
# kernels, engine: runs the tests of that name in an emulator, as many of them as GTEST_TOTAL_SHARDS
# and GTEST_SHARD_INDEX say.
set -euo pipefail
part=$1 source=$2 build=$3

skip() {
  echo "SKIP: $1 is not there; Debian has it in $2"
  exit 77
}
command -v aarch64-linux-gnu-g++ >/dev/null || skip aarch64-linux-gnu-g++ g++-aarch64-linux-gnu
command -v qemu-aarch64 >/dev/null || skip qemu-aarch64 qemu-user
[[ -f /usr/src/googletest/googletest/src/gtest-all.cc ]] || skip /usr/src/googletest googletest

if [[ $part == build ]]; then
  cmake -G Ninja -S "$source" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_SYSTEM_NAME=Linux \
    -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=aarch64-linux-gnu-g++ \
    --log-level=WARNING >/dev/null
  cmake --build "$build" -- --quiet
  "$source/../../checks/check_weak_symbols.sh" "$build/kernels/libgriffin_kernels.a"
  "$source/../../checks/check_weak_symbols.sh" "$build/math/libgriffin_math_functions.a"
  ctest --test-dir "$build" --tests-regex headers --output-on-failure
  exit
fi

unset GRIFFIN_ISA
run_tests=(qemu-aarch64 -L /usr/aarch64-linux-gnu "$build/test_$part")
tests=$("${run_tests[@]}" --gtest_list_tests)
for table in neon neon_dotprod neon_i8mm; do
  if ! grep -Eq "[/_]$table( |\$)" <<<"$tests"; then
    echo "FAIL: no test runs with the $table table"
    exit 1
  fi
done
# The scalar table is plain C++, tested where it was compiled for this machine; here others are compared with
# it. The recorded bits of the trained models take three minutes; those of the small ones say the same.
filter='*-*/scalar'
[[ $part != engine ]] || filter='*neon*-*/griffin_neon*:*/hawk_neon*:*/mqa_neon*'
"${run_tests[@]}" --gtest_brief=1 --gtest_filter="$filter"
