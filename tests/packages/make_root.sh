#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# make_root.sh FOLDER
# A Debian 12 in a folder, from the mirror that this machine's apt has, with a compiler, CMake, pkg-config
# and Python, and nothing of ours or that ours needs. What is there already stays as it is, so that
# tests/run.sh can begin with it while the compiler runs: most of it is waiting for network and disk.
# 77: it cannot be made here.
set -euo pipefail
root=$1

skip() {
  echo "SKIP: $1"
  exit "${GRIFFIN_SKIPPED:-77}"  # 1, where it has to work
}
[[ $(. /etc/os-release && echo "$ID $VERSION_ID") == "debian 12" ]] || skip "this is not Debian 12"
command -v debootstrap >/dev/null || skip "debootstrap is not there; Debian has it in debootstrap"
((EUID == 0)) || skip "only root can make a root"
unshare --mount true 2>/dev/null || skip "mounting is not allowed here (container without --privileged?)"

mkdir -p "$root"
exec 9>"$root.lock"
flock 9  # one makes it, the other waits
[[ ! -e $root/made ]] || exit 0
rm -rf "$root"

# Not a list of mirrors (mirror+file:), which debootstrap does not read.
mapfile -t mirrors < <(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' \
  'Created-By: Packages' | grep -E '^(https?|file):')
mirror=${mirrors[0]:-http://deb.debian.org/debian}
# What is unpacked need not outlive a failure of power.
mkdir -p "$root/etc/dpkg/dpkg.cfg.d"
echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/unsafe-io"
unshare --mount debootstrap --variant=minbase --include=g++,cmake,make,pkg-config,python3 \
  bookworm "$root" "$mirror" >"$root.log" 2>&1 || {
  tail -n 20 "$root.log"
  skip "debootstrap failed: is there a network?"
}
unshare --mount chroot "$root" apt-get -qq update
touch "$root/made"
