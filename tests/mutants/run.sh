#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Which small faults do the tests notice? tests/mutants/run.sh [--quick] [MODULE|NUMBER...]; README.md says more.
exec python3 "$(dirname "${BASH_SOURCE[0]}")/mutants.py" "$@"
