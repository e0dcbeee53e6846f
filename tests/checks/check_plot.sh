#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: check_plot.sh plot.py
#
# Rows of one batch, rows that compare batches, and both make a picture; no rows make an error.
set -euo pipefail
plot=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

row() {
  printf '{"dtype": "bf16", "threads": 1, "batch": %s, "test": "tg16", "median_ts": %s, "share": 0.9}' "$@"
}
echo "[$(row 1 10)]" >"$folder/single.json"
echo "[$(row 1 8), $(row 4 8)]" >"$folder/many.json"
echo "[]" >"$folder/empty.json"
cd "$folder"

expect() {  # how many bars and how many points, of which files
  local bars=$1 points=$2
  shift 2
  python3 "$plot" "$@" >picture.svg
  local found
  found="$(grep -c 'height="16"' picture.svg || true) $(grep -c '<circle' picture.svg || true)"
  if [[ $found != "$bars $points" || $(tail -n 1 picture.svg) != "</svg>" ]]; then
    echo "FAIL: $*: expected $bars bars and $points points, found $found"
    exit 1
  fi
}

expect 1 0 single.json
expect 0 2 many.json
expect 1 2 single.json many.json
if python3 "$plot" empty.json 2>message || ! grep -q 'no rows' message; then
  echo "FAIL: a picture of nothing"
  exit 1
fi
echo "ok"
