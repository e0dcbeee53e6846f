#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_build_type.sh SOURCE_FOLDER COMPILER
# Who says nothing gets a fast build.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake -S "$1" -B "$folder" -DCMAKE_CXX_COMPILER="$2" -DGRIFFIN_BUILD_TESTS=OFF \
  -DGRIFFIN_BUILD_EXAMPLES=OFF -DGRIFFIN_BUILD_BENCH=OFF --log-level=WARNING >/dev/null
grep -x 'CMAKE_BUILD_TYPE:STRING=Release' "$folder/CMakeCache.txt"
