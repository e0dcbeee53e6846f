# SPDX-License-Identifier: Apache-2.0
"""A test program under watch: it ends with the first test that fails, crashes or hangs."""
import os
import re
import resource
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

BEGUN = re.compile(r"\[ RUN      \] (\S+)")
ENDED = re.compile(r"\[( {7}OK|  SKIPPED|  FAILED ) +\] (\S+?),?(?: .*)? \((\d+) ms\)")


@dataclass
class Outcome:
    noticed: str = ""  # by which test, and how where it did not just fail
    hung: str = ""  # the test that came to no end
    seconds: dict = field(default_factory=dict)  # of every test that passed


def limits():
    """A fault may ask for any memory, write without end, and dump its core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 30, 1 << 30))


class Watch:
    """Reads what a test program says, line by line."""

    def __init__(self, process, seconds_of, least_seconds):
        self.process = process
        self.seconds_of = seconds_of
        self.least_seconds = least_seconds
        self.test = "start"
        self.since = time.monotonic()
        self.outcome = Outcome()
        self.rest = b""

    def limit(self):
        return max(self.least_seconds, 15 * self.seconds_of.get(self.test, 0))

    def take(self, line):
        if begun := BEGUN.match(line):
            self.test = begun[1]
            self.since = time.monotonic()
        elif ended := ENDED.match(line):
            if ended[1].strip() == "FAILED":
                self.outcome.noticed = ended[2]
            else:
                self.outcome.seconds[ended[2]] = int(ended[3]) / 1000

    def follow(self):
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while not self.outcome.noticed:
                left = self.since + self.limit() - time.monotonic()
                if left <= 0 or not selector.select(left):
                    self.outcome.hung = self.test
                    self.outcome.noticed = f"{self.test} (no end after {self.limit():.0f} s)"
                    return
                read = os.read(self.process.stdout.fileno(), 1 << 16)
                if not read:
                    return
                *lines, self.rest = (self.rest + read).split(b"\n")
                for line in lines:
                    if not self.outcome.noticed:
                        self.take(line.decode(errors="replace"))


def end(process):
    """The program and what it has started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return process.wait()


def run_tests(program, pattern, number, seconds_of, least_seconds):
    """Runs the tests that the filter names, with a fault switched on (0: none)."""
    folder = tempfile.mkdtemp(prefix="griffin-mutant-")
    environment = dict(os.environ, GRIFFIN_MUTANT=str(number), TMPDIR=folder)
    try:
        # In a file: the names of all tests of a program are more than Linux takes in an argument.
        flags = Path(folder, "flags")
        flags.write_text(f"--gtest_filter={pattern}\n--gtest_color=no\n")
        process = subprocess.Popen([program, f"--gtest_flagfile={flags}"],
                                   env=environment, cwd=program.parent, start_new_session=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, preexec_fn=limits)
        watch = Watch(process, seconds_of, least_seconds)
        try:
            watch.follow()
            if not watch.outcome.noticed:
                process.wait()
        finally:
            code = end(process)
            process.stdout.close()
        if not watch.outcome.noticed and code != 0:
            watch.outcome.noticed = f"{watch.test} (ended with {code})"
        return watch.outcome
    finally:
        shutil.rmtree(folder, ignore_errors=True)
