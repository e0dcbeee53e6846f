#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# lint.sh format SOURCE_FOLDER             clang-format changes nothing
# lint.sh tidy SOURCE_FOLDER BUILD_FOLDER  clang-tidy finds nothing of what .clang-tidy lists
set -euo pipefail
part=$1 source=$2
cd "$source"
mapfile -t files < <(find bench examples include kernels src tests -name '*.h' -o -name '*.cpp' | sort)

case $part in
  format)
    command -v clang-format >/dev/null || { echo "SKIP: clang-format is not there" && exit 77; }
    # Others wrap lines in other places.
    [[ $(clang-format --version) == *" 14."* ]] || { echo "SKIP: not clang-format 14" && exit 77; }
    printf '%s\0' "${files[@]}" | xargs -0 clang-format --dry-run -Werror
    ;;
  tidy)
    build=$3
    # Of what is compiled here; headers are looked at where they are included.
    printf '%s\n' "${files[@]}" | grep -E '^(src|examples|bench|kernels)/.*\.cpp$' | while read -r file; do
      if grep -qF "/$file\"" "$build/compile_commands.json"; then printf '%s\0' "$file"; fi
    done | xargs -0 -n 4 -P "$(nproc)" clang-tidy -p "$build" --quiet
    ;;
esac
echo "$part: ok"
