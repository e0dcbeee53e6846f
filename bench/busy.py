#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What other programs on the cores cost: one thread and all, in turns, with a busy loop on every core.

usage: bench/busy.py [--rounds N] [--busy N] [--program FILE] [ARGUMENTS OF GRIFFIN_BENCH]
Prints medians over the rounds."""
import argparse
import csv
import os
import statistics
import subprocess
import sys


def measure(program, arguments, threads):
    """Rows of one run: (batch, test) -> (tokens a second, threads)."""
    command = [program, "-t", str(threads), "-o", "csv", "--probe-mib", "64", "-r", "1", *arguments]
    out = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    rows = csv.DictReader(out.splitlines())
    return {(row["batch"], row["test"]): float(row["median_ts"]) for row in rows}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--busy", type=int, default=len(os.sched_getaffinity(0)), help="busy loops")
    parser.add_argument("--program", default="build/release/bench/griffin_bench")
    known, arguments = parser.parse_known_args()
    loops = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(known.busy)]
    found = {}
    try:
        for _ in range(known.rounds):
            for threads in (1, 0):
                for row, speed in measure(known.program, arguments, threads).items():
                    found.setdefault(row, {}).setdefault(threads, []).append(speed)
    finally:
        for loop in loops:
            loop.kill()
    print(f"{known.busy} busy loops, medians of {known.rounds}, tokens/s")
    print("| batch | test | 1 thread | all threads | ratio |\n|---|---|---|---|---|")
    for (batch, test), speeds in found.items():
        one, all_threads = (statistics.median(speeds[threads]) for threads in (1, 0))
        print(f"| {batch} | {test} | {one:.1f} | {all_threads:.1f} | {all_threads / one:.2f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
