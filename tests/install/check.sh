#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check.sh find_package|add_subdirectory SOURCE_FOLDER BUILD_FOLDER [CMAKE_ARGUMENT...]
# Builds outside/ against an installation of BUILD_FOLDER, or with the sources (as a shared library)
# in it, and compares what it prints with what the evaluation of the embedded model says.
set -euo pipefail
way=$1 source=$2 build=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

case $way in
  find_package)
    cmake --install "$build" --prefix "$folder/prefix" >/dev/null
    # Moved, so that nothing in it can depend on where it was first.
    mv "$folder/prefix" "$folder/moved"
    options=(-DCMAKE_PREFIX_PATH="$folder/moved")
    ;;
  add_subdirectory)
    options=(-DGRIFFIN_FOLDER="$source" -DBUILD_SHARED_LIBS=ON)
    ;;
esac
cmake -G Ninja -S "$source/tests/install/outside" -B "$folder/build" "${options[@]}" "$@" \
  --log-level=WARNING >/dev/null
cmake --build "$folder/build" --target outside -- --quiet

found=$("$folder/build/outside" "$source/examples/models/griffin" "1 The LORD is my shepherd;")
expected=" the LORD is my refuge."
if [[ $found != "$expected"* ]]; then
  echo "expected \"$expected...\", found \"$found\"" >&2
  exit 1
fi
echo "$way: ok"
