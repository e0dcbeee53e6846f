#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a preset (default: release) and runs its tests: tests/run.sh [release|dev|clang|tsan|integer]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}

case $preset in
  clang | tsan | integer) packages=(clang libclang-rt-dev) ;;
  # For packages.debian, c.abi, checks.format, packages.metadata and python.*, which are skipped where they are not; and to compile no file twice.
  release) packages=(debootstrap dpkg-dev file ccache abigail-tools clang-format python3 python3-numpy python3-yaml) ;;
  *) packages=() ;;
esac
# For checks.docs and bench.run_paper, which are left out where they are not.
packages+=(doxygen gnuplot-nox)
# For aarch64.*, which are skipped where they are not.
[ "$(uname -m)" != x86_64 ] || packages+=(g++-aarch64-linux-gnu qemu-user)
examples/support/install_packages.sh "${packages[@]}"

if [ "$preset" = release ]; then
  # The shared libraries of tests/install are of the same objects as what is tested: kept in the build tree.
  export CCACHE_DIR=${CCACHE_DIR:-$PWD/build/ccache} CCACHE_DEPEND=1
  ! command -v ccache >/dev/null || export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  # While the compiler runs, the Debian that packages are installed in is made; packages.debian waits for it.
  tests/packages/make_root.sh "$PWD/build/release/tests/packages/root" >/dev/null 2>&1 &
fi
cmake --preset "$preset" --log-level=WARNING
cmake --build --preset "$preset"
ctest --preset "$preset"
