#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what building needs on Debian 12, and the packages named as arguments; says and does
# nothing when all of it is there.
set -euo pipefail

wanted=(cmake ninja-build g++ pkg-config libsentencepiece-dev libpcre2-dev libutf8proc-dev
        nlohmann-json3-dev libcli11-dev libxxhash-dev libeigen3-dev libgtest-dev "$@")

command -v dpkg-query >/dev/null || {
  echo "not a Debian system; what has to be there: ${wanted[*]}" >&2
  exit 0
}

missing=()
for package in "${wanted[@]}"; do
  dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed ||
    missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || {
    echo "these packages are missing, and only root can install them: ${missing[*]}" >&2
    exit 1
  }
  root=(sudo)
fi
echo "installing ${missing[*]}" >&2
"${root[@]}" apt-get -qq update >/dev/null
"${root[@]}" env DEBIAN_FRONTEND=noninteractive \
  apt-get -qq install --yes --no-install-recommends "${missing[@]}" >/dev/null
