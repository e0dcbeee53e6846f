#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The example that the README shows is the one that is compiled.
set -euo pipefail
cd "$1"
diff <(awk '/^```cpp$/ {inside = 1; next} /^```$/ && inside {exit} inside' README.md) \
     <(tail -n +2 examples/generate.cpp)
