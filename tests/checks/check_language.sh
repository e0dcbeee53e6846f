#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_language.sh source_dir compiler
#
# Whoever compiles a public header as C++17 is told what griffin needs, before anything else. Those of the
# C API are for any C++, and for C99.
set -euo pipefail
source=$1 compiler=$2
cd "$source/include"

failures=0
count=0
for header in griffin/*.h griffin/*/*.h; do
  [[ $header != griffin/core/eigen.h ]] || continue  # Eigen may be anywhere
  count=$((count + 1))
  if [[ $header == griffin/griffin_c.h || $header == griffin/c/* ]]; then
    for language in "c++ -std=c++98" "c++ -std=c++17" "c -std=c99"; do
      # shellcheck disable=SC2086
      echo "#include \"$header\"" | "$compiler" -x $language -fsyntax-only -Wall -Wextra -Werror -I. - ||
        failures=$((failures + 1))
    done
    continue
  fi
  first=$(echo "#include \"$header\"" |
    LC_ALL=C "$compiler" -std=c++17 -fsyntax-only -Wfatal-errors -x c++ -I. - 2>&1 | grep -m 1 'error:' || true)
  if [[ $first != *"griffin needs C++20"* ]]; then
    echo "FAIL: $header as C++17: $first"
    failures=$((failures + 1))
  fi
done
echo "$count headers, $failures failures"
((count > 40 && failures == 0))
