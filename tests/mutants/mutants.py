# SPDX-License-Identifier: Apache-2.0
"""Measures which small faults the tests notice. README.md says how."""
import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from faults import ListError, changed_files, read_lists, write_tree
from watched import limits, run_tests

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLACE = ROOT / "build" / "mutants"
BUILD = PLACE / "build"

PROGRAMS = {name: BUILD / "tests" / f"test_{name}"
            for name in ("kernels", "formats", "state", "engine", "generate")}
PROGRAMS |= {name: BUILD / "tests" / name / f"test_{name}" for name in ("c", "cli", "bench")}

# Programs in C, which end with 0 where all is well: what test_c does not look at.
IN_C = {name: BUILD / "tests" / "c" / f"c_{name}"
        for name in ("models", "texts", "schedules", "threads")}

# Whose tests may notice a fault of a module, its own first.
NOTICED_BY = {
    "core": ("engine", "state"),
    "formats": ("formats", "state", "engine"),
    "state": ("state", "engine", "generate"),
    "weights": ("engine", "state"),
    "engine": ("engine", "formats", "state", "cli"),
    "generate": ("generate", "cli"),
    "layers": ("engine", "state"),
    "kernels": ("kernels", "engine"),
    "programs": ("cli", "bench"),
    "bench": ("bench", "cli"),
    "c": ("c",),
}

def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", nargs="*", metavar="MODULE|NUMBER", help="default: all faults")
    parser.add_argument("--check", action="store_true",
                        help="only: is every original text where the list says?")
    parser.add_argument("--list", action="store_true", help="only: say what the faults are")
    parser.add_argument("--quick", action="store_true", help="without slow tests, most with one instruction set")
    parser.add_argument("--slow", type=float, default=0.3,
                        help="seconds from which a test is slow, and runs last (0.3)")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--jobs", type=int, default=2, help="test programs at a time (2)")
    parser.add_argument("--limit", type=float, default=60,
                        help="seconds that any test may take, 15 times its own at least (60)")
    return parser.parse_args()


def chosen(faults, which):
    for word in which:
        if not any(word in (fault.module, str(fault.number)) for fault in faults):
            raise ListError(f"expected a module or the number of a fault, found '{word}'")
    return [f for f in faults if not which or f.module in which or str(f.number) in which]


def build(faults, names):
    """All faults, but only these test programs."""
    write_tree(ROOT, PLACE / "source", faults)
    command = ["cmake", "-S", PLACE / "source", "-B", BUILD, "-G", "Ninja", "--log-level=WARNING",
               "-DCMAKE_BUILD_TYPE=Release"]
    if shutil.which("ccache"):
        command.append("-DCMAKE_CXX_COMPILER_LAUNCHER=ccache")
    subprocess.run(command, check=True)
    subprocess.run(["cmake", "--build", BUILD, "-j", str(os.cpu_count()), "--target",
                    *(f"test_{name}" for name in names),
                    *(f"c_{name}" for name in IN_C if "c" in names)], check=True)


def read_json(path):
    return json.loads(path.read_text()) if path.exists() else {}


def write_json(path, value):
    other = path.with_suffix(".new")
    other.write_text(json.dumps(value, indent=1, sort_keys=True))
    other.rename(path)


def stamp(program):
    """Another after each build of the program, or of those that tests of cli start."""
    parts = [program, *(BUILD / "examples").glob("*"), *(BUILD / "bench").glob("*")]
    if program.name != "test_cli":
        parts = [program]
    return [[p.stat().st_mtime_ns, p.stat().st_size] for p in sorted(parts) if p.is_file()]


def listed(program):
    """The names of all tests of a program."""
    lines = subprocess.run([program, "--gtest_list_tests"], check=True, capture_output=True,
                           text=True, cwd=program.parent).stdout.splitlines()
    tests = []
    suite = ""
    for line in lines:
        name = line.split("#")[0].rstrip()
        if name.endswith(".") and not line.startswith(" "):
            suite = name
        elif suite and line.startswith("  "):
            tests.append(suite + name.strip())
    return tests


def once_each(tests):
    """Of tests that differ in the instruction set only, the first."""
    isas = re.findall(r"^GRIFFIN_ISA\((\w+)", (ROOT / "kernels/isas.inc").read_text(), re.MULTILINE)
    isa = re.compile(rf"(?:{'|'.join(sorted(isas, key=len, reverse=True))})$")
    first = {}
    for test in tests:
        first.setdefault(isa.sub("", test), test)
    return list(first.values())


def control(name, options):
    """Seconds of every test of a program without a fault; they must all pass.

    In a quick run a test that takes much longer than the others is ended, and is slow.
    """
    path = PLACE / f"control-{name}.json"
    known = read_json(path)
    now = stamp(PROGRAMS[name])
    if known.get("stamp") == now and (options.quick or not known["quick"]):
        return known["seconds"]
    print(f"control: test_{name}", flush=True)
    limit = 5 * options.slow if options.quick else 10 * options.limit
    tests = listed(PROGRAMS[name])
    if options.quick and name != "kernels":
        tests = once_each(tests)
    seconds = {}
    while rest := [test for test in tests if test not in seconds]:
        outcome = run_tests(PROGRAMS[name], ":".join(rest), 0, {}, limit)
        seconds |= outcome.seconds
        if outcome.noticed and not (options.quick and outcome.hung):
            raise ListError(f"without a fault {name}.{outcome.noticed} fails")
        if not outcome.noticed:
            break
        seconds[outcome.hung] = limit
    write_json(path, {"stamp": now, "quick": options.quick, "seconds": seconds})
    return seconds


def near(fault, name, tests):
    """The tests whose file is named as the file with the fault is."""
    suites = set()
    for path in (ROOT / "tests" / name).glob(f"{Path(fault.path).stem}*_test.cpp"):
        suites |= set(re.findall(r"^TEST(?:_[FP])?\((\w+),", path.read_text(), re.MULTILINE))
    return [test for test in tests if suites & set(re.split("[./]", test))]


def stages(fault, seconds, options):
    """Pairs of a program and its tests, the likeliest to notice first."""
    names = NOTICED_BY[fault.module]
    fast = {name: [t for t in seconds[name] if seconds[name][t] < options.slow] for name in names}
    first = {name: near(fault, name, fast[name]) for name in names}
    yield from first.items()
    for name in names:
        yield name, [test for test in fast[name] if test not in set(first[name])]
    if not options.quick:
        for name in names:
            yield name, [test for test in seconds[name] if seconds[name][test] >= options.slow]


def passes(name, number, options):
    """Whether a program in C is content, with a fault switched on (0: none)."""
    with tempfile.TemporaryDirectory(prefix="griffin-mutant-") as folder:
        try:
            return subprocess.run([IN_C[name], ROOT / "examples/models/griffin", folder],
                                  env=dict(os.environ, GRIFFIN_MUTANT=str(number)), check=False,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, preexec_fn=limits,
                                  timeout=5 * options.limit).returncode == 0
        except subprocess.TimeoutExpired:
            return False


def who_notices(fault, seconds, options):
    for name, tests in stages(fault, seconds, options):
        if not tests:
            continue
        found = run_tests(PROGRAMS[name], ":".join(tests), fault.number, seconds[name],
                          options.limit).noticed
        if found:
            return f"{name}.{found}"
    if fault.module == "c":
        return next((f"c_{name}" for name in IN_C if not passes(name, fault.number, options)), "")
    return ""


class Results:
    """What is known of each fault; on disk, so that a run that was stopped goes on."""

    def __init__(self, fresh):
        self.path = PLACE / "results.json"
        self.lock = threading.Lock()
        if fresh:
            self.path.unlink(missing_ok=True)
        self.known = read_json(self.path)

    @staticmethod
    def key(fault):
        return hashlib.sha256(fault.text().encode()).hexdigest()[:16]

    def by(self, fault):
        """By which test; "" where none noticed it, None where that is not known."""
        return self.known.get(self.key(fault), {}).get("by")

    def is_settled(self, fault, tests):
        """A survivor has another chance once there are other tests."""
        known = self.known.get(self.key(fault))
        return known is not None and (known["by"] != "" or known["tests"] == tests)

    def add(self, fault, by, tests):
        with self.lock:
            self.known = self.known | read_json(self.path)  # another run may be under way
            self.known[self.key(fault)] = {"fault": str(fault), "by": by, "tests": tests}
            write_json(self.path, self.known)


def measure(faults, names, results, options):
    seconds = {name: control(name, options) for name in names}
    for name in IN_C if "c" in names else ():
        if not passes(name, 0, options):
            raise ListError(f"without a fault c_{name} fails")

    def tests_of(fault):
        programs = [PROGRAMS[name] for name in NOTICED_BY[fault.module]]
        programs += IN_C.values() if fault.module == "c" else ()
        return [options.quick, *(stamp(program) for program in programs)]

    def one(fault):
        tests = tests_of(fault)
        if results.is_settled(fault, tests):
            return
        by = who_notices(fault, seconds, options)
        results.add(fault, by, tests)
        print(f"{'noticed ' if by else 'SURVIVED'} {fault}{' <- ' + by if by else ''}", flush=True)

    with ThreadPoolExecutor(options.jobs) as pool:
        for _ in pool.map(one, faults):
            pass


def report(faults, results):
    print("\n| module | noticed | of |\n|---|--:|--:|")
    modules = list(dict.fromkeys(fault.module for fault in faults))
    for module in modules + ["all"]:
        some = [f for f in faults if module in (f.module, "all")]
        print(f"| {module} | {sum(bool(results.by(f)) for f in some)} | {len(some)} |")
    survivors = [fault for fault in faults if results.by(fault) == ""]
    print("\nNot noticed:" if survivors else "\nEvery one is noticed.")
    for fault in survivors:
        print(f"  {fault.module} {fault}")


def main():
    options = parse_arguments()
    faults = read_lists(HERE / "faults")
    some = chosen(faults, options.which)
    if options.list:
        print("\n".join(f"{fault.module} {fault}" for fault in some))
        return
    changed_files(ROOT, faults)
    if options.check:
        print(f"{len(faults)} faults, each where its list says")
        return
    wanted = {name for fault in some for name in NOTICED_BY[fault.module]}
    names = [name for name in PROGRAMS if name in wanted]
    build(faults, names)
    results = Results(options.fresh)
    measure(some, names, results, options)
    report(some, results)


if __name__ == "__main__":
    try:
        main()
    except (ListError, subprocess.CalledProcessError) as problem:
        sys.exit(str(problem))
    except KeyboardInterrupt:
        sys.exit("stopped; the next run goes on from here")
