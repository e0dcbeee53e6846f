#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds a preset (default: release) and runs its tests: tests/run.sh [release|dev|clang|tsan]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
preset=${1:-release}

case $preset in
  clang | tsan) packages=(clang libclang-rt-dev) ;;
  *) packages=() ;;
esac
# For checks.docs and bench.run_paper, which are left out where they are not.
packages+=(doxygen gnuplot-nox)
# For aarch64.*, which are skipped where they are not.
[ "$(uname -m)" != x86_64 ] || packages+=(g++-aarch64-linux-gnu qemu-user)
examples/support/install_packages.sh "${packages[@]}"

cmake --preset "$preset" --log-level=WARNING
cmake --build --preset "$preset"
ctest --preset "$preset"
