#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_new_isa.sh source_dir build_dir compiler
#
# An instruction set takes one file, one row and one line: adds three to a copy of kernels/, builds
# it, and asks for them.
set -euo pipefail
source=$1 build=$2 compiler=$3

mkdir -p "$build"
rm -rf "$build/kernels" "$build/include"
cp -r "$source/kernels" "$source/include" "$build/"
sets=(dummy dummy_of_dummy dummy_of_scalar)
for set in "${sets[@]}" dummy_elsewhere; do
  cat >"$build/kernels/$set.cpp" <<EOF
#include "impl/table.h"
namespace griffin::kernels {
void fill_$set(Table& table) noexcept { table.argmax = argmax; }
}  // namespace griffin::kernels
EOF
  echo "griffin_isa($set VEC scalar)" >>"$build/kernels/isa.cmake"
done
cat >>"$build/kernels/isas.inc" <<'EOF'
GRIFFIN_ISA(dummy, scalar, true)
GRIFFIN_ISA(dummy_of_dummy, dummy, true)
GRIFFIN_ISA(dummy_of_scalar, scalar, true)
GRIFFIN_ISA(dummy_elsewhere, dummy, false)
EOF
cat >"$build/main.cpp" <<'EOF'
#include <cstdio>
#include <cstring>

#include "griffin/kernels.h"

using namespace griffin::kernels;

int failures = 0;
void expect(bool condition, const char* what) {
  if (!condition) std::printf("FAIL: %s\n", what);
  failures += condition ? 0 : 1;
}

int main() {
  for (int i = 0; i < table_count(); ++i) std::printf("%s\n", table_at(i).name);
  const Table* dummy = find_table("dummy");
  const Table* extended = find_table("dummy_of_dummy");
  const Table& last = table_at(0);
  const Table& scalar = table_at(table_count() - 1);
  expect(dummy != nullptr && extended != nullptr, "find the new sets");
  if (dummy == nullptr || extended == nullptr) return 1;
  expect(std::strcmp(last.name, "dummy_of_scalar") == 0, "the last row is the best");
  expect(std::strcmp(scalar.name, "scalar") == 0 && scalar.level == 0, "the first row is the last");
  expect(scalar.level < dummy->level && dummy->level < extended->level, "levels rise");
  expect(dummy->argmax != scalar.argmax, "its own kernel");
  expect(dummy->rope == scalar.rope, "the kernels of its base");
  expect(std::strcmp(extended->arithmetic[0], "scalar") == 0, "the arithmetic of its base");
  expect(find_table("dummy_elsewhere") == nullptr, "not where it does not run");
  const float x[] = {1, 3, 2};
  expect(last.argmax({.x = x, .count = 3}) == 1, "a call");
  return failures;
}
EOF
cat >"$build/CMakeLists.txt" <<'EOF'
cmake_minimum_required(VERSION 3.25)
project(new_isa LANGUAGES CXX)
add_library(griffin_build_options INTERFACE)
add_subdirectory(kernels)
add_executable(new_isa main.cpp)
target_link_libraries(new_isa griffin_kernels)
EOF
# Unoptimised, and a Release so that kernels/ does not ask for more: only what links and is found is looked at.
cmake -G Ninja -S "$build" -B "$build/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE=-O0 \
  "-DCMAKE_CXX_COMPILER=$compiler" --log-level=WARNING >/dev/null
cmake --build "$build/build" -- --quiet
"$build/build/new_isa"
