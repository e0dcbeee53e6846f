#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_c.sh SOURCE_FOLDER BUILD_FOLDER C_COMPILER [FLAG...]
# A C program of somebody else's, built against an installation by CMake and by pkg-config, where neither
# finds anything that the library is made with.
set -euo pipefail
source=$1 build=$2 compiler=$3
shift 3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cmake --install "$build" --prefix "$folder/first" >/dev/null
mv "$folder/first" "$folder/prefix"  # nothing in it depends on where it was first
libraries=$(dirname "$(find "$folder/prefix" -name libgriffin_c.so)")
export PKG_CONFIG_LIBDIR=$libraries/pkgconfig

works() {
  local found
  found=$("$1" "$source/examples/models/griffin" "1 The LORD is my shepherd;")
  if [[ $found != " the LORD is my refuge."* ]]; then
    echo "FAIL: $1 says \"$found\"" >&2
    exit 1
  fi
}

# A project in C asks for no OpenMP of C++, not even where the library has it inside.
sed -i -E 's/if\((OFF|FALSE|0)\)$/if(ON)/' "$libraries/cmake/griffin/griffinConfig.cmake"
grep -q 'if(ON)$' "$libraries/cmake/griffin/griffinConfig.cmake"
cmake -G Ninja -S "$source/tests/install/outside_c" -B "$folder/build" -DCMAKE_C_COMPILER="$compiler" \
  -DCMAKE_C_FLAGS="$*" -DCMAKE_PREFIX_PATH="$folder/prefix" --log-level=WARNING >/dev/null
cmake --build "$folder/build" -- --quiet
works "$folder/build/outside_c"
# shellcheck disable=SC2046
"$compiler" "$@" -std=c99 "$source/tests/install/outside_c/main.c" -o "$folder/outside_c" \
  $(pkg-config --cflags --libs griffin_c) -Wl,-rpath,"$libraries"
works "$folder/outside_c"
echo "by CMake and by pkg-config: ok"
