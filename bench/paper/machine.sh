# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What machine it is; part of run_paper.sh.

cpu_name() {
  local name
  name=$(sed -n 's/^model name[[:space:]]*: //p' "${CPUINFO:-/proc/cpuinfo}" | head -n 1)
  echo "${name:-$(uname -m)}"
}

# The kernels that the programs use here.
best_table() {
  local answer
  answer=$("$build/bench/griffin_bench" -p 0 -n 1 -r 1 --probe-mib 1 -o csv) ||
    fail "griffin_bench does not run"
  field isa <<<"$answer"
}

# As the name of a folder: amd-epyc-9r45-avx512_bf16-2.
machine_name() {
  local name
  name=$(cpu_name | tr '[:upper:]' '[:lower:]' |
    sed 's/([a-z]*)//g; s/[^a-z0-9]\{1,\}/-/g; s/^-//; s/-$//')
  echo "$name-$isa-$(nproc)"
}

compiler() {
  local path
  path=$(sed -n 's/^CMAKE_CXX_COMPILER:[A-Z]*=//p' "$build/CMakeCache.txt" 2>/dev/null) || true
  { [[ -n $path ]] && "$path" --version 2>/dev/null | head -n 1; } || echo unknown
}

describe_machine() {
  local commit
  commit=$(git -C "$sources" describe --always --dirty 2>/dev/null) || commit=unknown
  cat <<EOF
model name: $(cpu_name)
cores: $(nproc)
instruction set: $isa
memory: $(awk '/^MemTotal:/ {printf "%.1f GiB", $2 / 1048576}' "${MEMINFO:-/proc/meminfo}")
kernel: $(uname -sr)
compiler: $(compiler)
date: $(date -u '+%Y-%m-%d %H:%M UTC')
commit: $commit
mode: $mode
commands:
EOF
}
