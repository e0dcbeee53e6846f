#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_build_type.sh SOURCE_FOLDER COMPILER
# Who says nothing gets a fast build; and in a project that has no build type, or Debug, the kernels are
# optimised all the same.
set -euo pipefail
source=$1 compiler=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

configure() {  # BUILD_FOLDER SOURCE_FOLDER [CMAKE_ARGUMENT...]
  local build=$1 from=$2
  shift 2
  cmake -S "$from" -B "$folder/$build" -DCMAKE_CXX_COMPILER="$compiler" \
    -DCMAKE_EXPORT_COMPILE_COMMANDS=ON "$@" --log-level=WARNING >/dev/null
}

# The commands that compile what is in a folder.
commands_for() {
  grep '"command"' "$folder/$1/compile_commands.json" | grep -F -- "$source/$2/"
}

expect_optimised() {
  local all optimised
  all=$(commands_for "$1" kernels | wc -l)
  optimised=$(commands_for "$1" kernels | grep -cE -- ' -O[23] (.* )?-o ' || true)
  echo "$1: $optimised of $all kernel files are optimised"
  ((all > 3 && optimised == all)) || exit 1
  if commands_for "$1" kernels | grep -E -- '-O[23] .*-O(0|s|g) '; then exit 1; fi
}

configure top "$source" -DGRIFFIN_BUILD_TESTS=OFF -DGRIFFIN_BUILD_EXAMPLES=OFF -DGRIFFIN_BUILD_BENCH=OFF
grep -x 'CMAKE_BUILD_TYPE:STRING=Release' "$folder/top/CMakeCache.txt"
expect_optimised top

configure subproject "$source/tests/install/outside" -DGRIFFIN_FOLDER="$source" -DCMAKE_BUILD_TYPE=
grep -x 'CMAKE_BUILD_TYPE:.*=' "$folder/subproject/CMakeCache.txt"
expect_optimised subproject

configure debug "$source/tests/install/outside" -DGRIFFIN_FOLDER="$source" -DCMAKE_BUILD_TYPE=Debug
expect_optimised debug
if commands_for debug kernels | grep -v -- ' -g '; then
  echo "no debug information"
  exit 1
fi
