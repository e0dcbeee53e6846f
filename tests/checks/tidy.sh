#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tidy.sh SOURCE_FOLDER BUILD_FOLDER
# clang-tidy finds nothing of what .clang-tidy lists in what BUILD_FOLDER compiles; headers are looked at
# where they are included. Takes minutes.
set -euo pipefail
cd "$1"
build=$2
find bench examples kernels src -name '*.cpp' | sort | while read -r file; do
  if grep -qF "/$file\"" "$build/compile_commands.json"; then printf '%s\0' "$file"; fi
done | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet
echo "ok"
