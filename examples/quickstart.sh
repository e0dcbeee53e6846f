#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh Debian 12 to text from the small model that comes with the project.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

echo "Building griffin (Release)." >&2
examples/support/install_packages.sh
cmake --preset release --log-level=WARNING >/dev/null
cmake --build --preset release --target greedy_decode score -- --quiet

prompt="1 Give ear, O my people"
echo "Continuing the text with the model in examples/models/griffin: 3 million parameters, 6 MB." >&2
echo
printf '%s' "$prompt"
build/release/examples/greedy_decode --prompt "$prompt" --n-predict 85 --stats
