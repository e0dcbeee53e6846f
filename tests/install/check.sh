#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check.sh find_package|components|pkg_config|programs|openmp|no_openmp|shared_build|add_subdirectory \
#   SOURCE_FOLDER BUILD_FOLDER SHARED_FOLDER [CMAKE_ARGUMENT...]
# Builds outside/ against an installation of BUILD_FOLDER, or with the sources (as a shared library, in
# SHARED_FOLDER) in it and then against an installation of that, and compares what it prints with what
# the evaluation of the embedded model says. With `components` only what needs no SentencePiece is built,
# where none can be found; `programs` runs those that are installed; with `openmp` and `no_openmp` a thread
# more is there when there is work for two, and none before.
set -euo pipefail
way=$1 source=$2 build=$3 shared=$4
shift 4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# Moved, so that nothing in it can depend on where it was first.
install_and_move() {
  cmake --install "$build" --prefix "$folder/prefix" >/dev/null
  mv "$folder/prefix" "$folder/moved"
}

build_outside() {
  local target=$1
  shift
  cmake -G Ninja -S "$source/tests/install/outside" -B "$folder/build" "$@" \
    --log-level=WARNING >/dev/null
  cmake --build "$folder/build" --target "$target" -- --quiet
}

expect() {
  if [[ $2 != "$1"* ]]; then
    echo "expected \"$1...\", found \"$2\"" >&2
    exit 1
  fi
}

layers_work() {
  expect "1 2 4" "$("${1:-$folder/build}/outside_layers")"
}

all_works() {
  local found
  found=$("${1:-$folder/build}/outside" "$source/examples/models/griffin" "1 The LORD is my shepherd;")
  expect " the LORD is my refuge." "$found"
}

# Installed programs find the model that is installed with them, and nothing names where it was built.
programs_work() {
  local program path found
  for program in "$folder"/moved/bin/griffin-*; do
    expect "$(basename "$program") " "$("$program" --version)"
  done
  found=$("$folder/moved/bin/griffin-greedy-decode" -p "1 The LORD is my shepherd;" -n 8 --stats 2>&1)
  grep -F " the LORD is my refuge." <<<"$found"
  grep -F "$folder/moved/share/griffin/models/griffin" <<<"$found"
  for path in "$source" "$build"; do
    path=$(sed 's|[^[:alnum:]_/-]|\\&|g' <<<"$path")
    if LC_ALL=C grep -rlaE "(^|[^[:alnum:]_./-])$path(/|[^[:alnum:]_./-]|\$)" "$folder/moved"; then
      echo "names $path" >&2
      exit 1
    fi
  done
}

# Every program and shared library that is installed.
all_is_hardened() {
  local files code=0
  mapfile -t files < <(find "$folder/moved" -type f \( -path '*/bin/*' -o -name '*.so.*' -o -name '*.a' \))
  "$source/tests/checks/check_hardening.sh" "${files[@]}" || code=$?
  ((code == 0 || code == 77)) || exit 1
}

# A shared library shows what the public headers name, and nothing of what it is made of or made with.
exports_are_ours() {
  local library libraries symbols all=0
  local inside='griffin::(Batcher|Checkpoint|SafetensorsFile|Job|Text|Generation|Quantizer|WeightSource|recurrent_gemma|[A-Za-z]+::(Parts|Impl|Core))(::|$)'
  mapfile -t libraries < <(find "$folder/moved" -name 'libgriffin*.so.*.*.*' -not -name 'libgriffin_c.*')
  for library in "${libraries[@]}"; do
    symbols=$(nm -D --defined-only "$library" | sed -E 's/^[0-9a-f]* . //')
    all=$((all + $(wc -l <<<"$symbols")))
    if grep -vE '^_Z(NK?|T[ISTV]N|GVN)7griffin' <<<"$symbols" | c++filt | grep . ||
      c++filt <<<"$symbols" | grep -E "$inside"; then
      echo "exported by $library and in no public header" >&2
      exit 1
    fi
  done
  echo "$all exported symbols"
  ((all > 100 && all < 500)) || exit 1
}

case $way in
  find_package)
    install_and_move
    build_outside all -DCMAKE_PREFIX_PATH="$folder/moved" "$@"
    layers_work
    all_works
    ;;
  components)
    install_and_move
    export PKG_CONFIG_LIBDIR=$folder
    build_outside outside_layers -DCMAKE_PREFIX_PATH="$folder/moved" -DGRIFFIN_COMPONENTS=layers "$@"
    layers_work
    ;;
  pkg_config)
    install_and_move
    pc=$(find "$folder/moved" -name griffin.pc -printf %h)
    export PKG_CONFIG_PATH=$pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
    if [[ " $* " != *" -DGRIFFIN_OPENMP=ON "* && $(pkg-config --cflags --libs griffin) == *openmp* ]]; then
      echo "FAIL: griffin.pc asks for OpenMP, which the library is built without"
      exit 1
    fi
    mkdir "$folder/build"
    # The flags that the library was built with, by their names in CMake.
    for argument in "$@"; do
      case $argument in
        -DCMAKE_CXX_COMPILER=*) compiler=${argument#*=} ;;
        -DCMAKE_CXX_FLAGS=*) flags=${argument#*=} ;;
      esac
    done
    # shellcheck disable=SC2046,SC2086
    "$compiler" $flags -std=c++20 "$source/tests/install/outside/main.cpp" -o "$folder/build/outside" \
      $(pkg-config --cflags --libs griffin)
    all_works
    ;;
  programs)
    [[ -x $build/examples/greedy_decode ]] || exit 77
    install_and_move
    programs_work
    ;;
  openmp | no_openmp)  # layers alone, which is where threads are
    build_outside outside_threads -DGRIFFIN_FOLDER="$source" "$@" \
      -DGRIFFIN_OPENMP="$([[ $way == openmp ]] && echo ON || echo OFF)"
    expect "1 2" "$("$folder/build/outside_threads")"
    needed=$(readelf -dW "$folder/build/outside_threads")
    if [[ $way == openmp ]]; then grep -E 'lib(gomp|omp|iomp)' <<<"$needed"; fi
    if [[ $way == no_openmp ]] && grep -E 'lib(gomp|omp|iomp)' <<<"$needed"; then exit 1; fi
    ;;
  shared_build)  # what tests/packages makes packages of, too
    cmake -G Ninja -S "$source/tests/install/outside" -B "$shared" -DGRIFFIN_FOLDER="$source" \
      -DCMAKE_INSTALL_PREFIX=/usr -DBUILD_SHARED_LIBS=ON -DGRIFFIN_INSTALL=ON \
      -DGRIFFIN_BUILD_EXAMPLES=ON -DGRIFFIN_PACKAGES=ON "$@" --log-level=WARNING >/dev/null
    cmake --build "$shared" --target outside outside_layers griffin_programs -- --quiet
    ;;
  add_subdirectory)
    layers_work "$shared"
    all_works "$shared"
    cmake --install "$shared" --prefix "$folder/moved" >/dev/null
    exports_are_ours
    programs_work
    all_is_hardened
    build_outside all -DCMAKE_PREFIX_PATH="$folder/moved" "$@"
    all_works
    ;;
esac
echo "$way: ok"
