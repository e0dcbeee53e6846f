#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh python library argument...
#
# Runs Python with griffin.py and a library. 77: it cannot be done here.
set -euo pipefail
python=$1 library=$2
shift 2

if ! "$python" -c 'import ctypes, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
  echo "SKIP: no Python 3.11 with ctypes"
  exit 77
fi
symbols=$(nm -D "$library")
if grep -qE ' U __((asan|tsan|msan)_init|ubsan_handle)' <<<"$symbols"; then
  echo "SKIP: a sanitizer has to be there before Python is"
  exit 77
fi
export GRIFFIN_LIBRARY=$library PYTHONDONTWRITEBYTECODE=1
exec "$python" -W error "$@"
