#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# reproducible.sh [EMPTY_FOLDER]
# Makes the packages of the last commit twice, in folders with other names, and compares all that was built:
# the same bytes of programs, libraries and packages. No part of CI: it compiles everything twice.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
if (($# > 0)); then
  folder=$1
  mkdir -p "$folder"
else
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
fi
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH CCACHE_DISABLE=1
umask 022  # which CPack writes into a package

made() {  # FOLDER: checksums of what was made in it
  (cd "$1/build/package" && find packages/*.deb examples lib -type f \
    \( -name '*.deb' -o -name '*.so.*' -o -perm -u+x \) -print0 | sort -z | xargs -0 sha256sum)
}

for name in one another-place/below; do
  mkdir -p "$folder/$name"
  git archive HEAD | tar -x -C "$folder/$name"
  (
    cd "$folder/$name"
    cmake --preset package --log-level=WARNING
    cmake --build --preset package -- --quiet
    cpack --preset package
  ) >"$folder/log" 2>&1 || { tail -n 20 "$folder/log" && exit 1; }
  made "$folder/$name" >"$folder/$(basename "$name").sums"
done
cat "$folder/one.sums"
if ! diff "$folder/one.sums" "$folder/below.sums"; then
  echo "FAIL: two builds differ; diffoscope says how, in a folder named on the command line"
  exit 1
fi
echo "the same bytes"
