#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# check.sh SOURCE_FOLDER BUILD_FOLDER ROOT
# Makes packages of BUILD_FOLDER (install.shared_build), installs them in a copy of ROOT (make_root.sh), uses
# them there as others would, removes them and looks for what is left. 77: no such root can be made here.
set -euo pipefail
source=$1 build=$2 root=$3
"$(dirname "$0")/make_root.sh" "$root"

cd "$build"
rm -rf griffin/packages
cpack --config CPackConfig.cmake >packages.log || { cat packages.log && exit 1; }
packages=(griffin/packages/*.deb)
expected="griffin-tools libgriffin-c0 libgriffin-dev libgriffin0.1"
found=$(for package in "${packages[@]}"; do dpkg-deb -f "$package" Package; done | xargs)
[[ $found == "$expected" ]] || { echo "FAIL: expected $expected, found $found" && exit 1; }

rm -rf "$root/test"
mkdir "$root/test"
cp -- "${packages[@]}" "$source/tests/packages/use.sh" "$root/test/"
cp -r -- "$source/tests/install" "$root/test/install"
cp -r -- "$source/examples/models/griffin" "$root/test/model"  # for programs that are told where it is
# Mounted for the one who runs there alone: /proc tells programs their own place.
unshare --mount --fork --pid bash -c '
  mount -t proc proc "$1/proc"
  exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 ${http_proxy:+http_proxy="$http_proxy"} \
    chroot "$1" bash /test/use.sh' bash "$root"
