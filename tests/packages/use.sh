#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Run by check.sh in a Debian where /test has our packages: all of them, then what they left.
set -euo pipefail
cd /test
export DEBIAN_FRONTEND=noninteractive
prompt="1 The LORD is my shepherd;"
answer=" the LORD is my refuge."

expect() {  # WHAT EXPECTED FOUND
  if [[ $3 != "$2"* ]]; then
    echo "FAIL: $1: expected \"$2...\", found \"$3\""
    exit 1
  fi
  echo "$1: ok"
}
# What a package may leave: its name in the books of dpkg and apt, and what is cached.
files() {
  find / -xdev \( -path /test -o -path /proc -o -path /tmp -o -path /var/lib/dpkg -o -path /var/lib/apt \
    -o -path /var/cache -o -path /var/log -o -path /etc/ld.so.cache \) -prune -o -print | sort
}

files >before
apt-get -qq install --yes --no-install-recommends ./*.deb >install.log 2>&1 || { cat install.log && exit 1; }
packages=(griffin-tools libgriffin-dev libgriffin-c0 libgriffin0.1)
dpkg --verify "${packages[@]}"

for program in /usr/bin/griffin-*; do
  expect "$program" "$(basename "$program") 0.1" "$("$program" --version)"
done
expect "a text" "$answer" "$(griffin-greedy-decode -p "$prompt" -n 8 2>&1 | sed "s/^$prompt//")"

cmake -S install/outside -B build --log-level=WARNING >/dev/null
cmake --build build >build.log 2>&1 || { cat build.log && exit 1; }
expect find_package "$answer" "$(build/outside model "$prompt")"
expect "find_package, layers" "1 2 4" "$(build/outside_layers)"
# shellcheck disable=SC2046
g++ -std=c++20 install/outside/layers.cpp -o layers $(pkg-config --cflags --libs griffin)
expect pkg-config "1 2 4" "$(./layers)"

# shellcheck disable=SC2046
gcc -std=c99 install/outside_c/*.c -o from_c $(pkg-config --cflags --libs griffin_c)
expect C "$answer" "$(./from_c model "$prompt")"
expect Python "$answer" "$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/usr/share/griffin/python python3 -c '
import griffin, sys
print(griffin.Model("model").generate(sys.argv[1], max_new_tokens=8).text)' "$prompt")"

apt-get -qq purge --yes --autoremove "${packages[@]}" >remove.log 2>&1
files >after
if ! diff before after; then
  echo "FAIL: left (>) or lost (<)"
  exit 1
fi
echo "nothing is left"
