# SPDX-License-Identifier: Apache-2.0
"""What the tests share: the embedded model, the programs, and griffin.py with or without numpy."""
import os
import subprocess
import sys

if os.environ.get("GRIFFIN_WITHOUT_NUMPY"):
    sys.modules["numpy"] = None  # its import fails

import griffin  # noqa: E402

SOURCE = os.environ["GRIFFIN_SOURCE_DIR"]
EMBEDDED = os.path.join(SOURCE, "examples/models/griffin")
MQA = os.path.join(SOURCE, "examples/models/mqa")
PROMPT = "In the beginning"


def run(program, *arguments, **options):
    """The standard output of a C++ program."""
    command = [os.environ[program], *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def refused(call, *arguments, **options):
    """The GriffinError of a call, which has to raise one."""
    try:
        call(*arguments, **options)
    except griffin.GriffinError as error:
        return error
    raise AssertionError("nothing was refused")
