#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check_format.sh SOURCE_FOLDER
# clang-format changes nothing. 77: it is not there, or not the one whose way of wrapping lines is ours.
set -euo pipefail
cd "$1"
command -v clang-format >/dev/null || { echo "SKIP: clang-format is not there" && exit 77; }
[[ $(clang-format --version) == *" 14."* ]] || { echo "SKIP: not clang-format 14" && exit 77; }
find bench examples include kernels src tests \( -name '*.h' -o -name '*.cpp' \) -print0 |
  xargs -0 clang-format --dry-run -Werror
echo "ok"
