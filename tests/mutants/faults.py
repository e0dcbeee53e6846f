# SPDX-License-Identifier: Apache-2.0
"""The lists of faults, and the tree in which each is behind a switch."""
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SWITCH = "griffin_mutant"

SWITCH_SOURCE = """\
// Which fault is on: the number in GRIFFIN_MUTANT, read before anything else runs.
#include <cstdlib>
extern "C" int griffin_mutant;
int griffin_mutant = 0;
__attribute__((constructor(101))) static void read_griffin_mutant() {
  if (const char* number = std::getenv("GRIFFIN_MUTANT")) griffin_mutant = std::atoi(number);
}
"""

# What is added to the build of the copy. Tests are compiled once for all faults: soon, not well.
COMMON_HEADERS = "<gtest/gtest.h> <algorithm> <functional> <map> <string> <vector>"
ADDED_TO_BUILD = {
    "kernels/CMakeLists.txt": "target_sources(griffin_kernels PRIVATE mutant.cpp)\n",
    "tests/CMakeLists.txt": "foreach(folder formats state engine generate)\n"
                            "  target_compile_options(test_${folder} PRIVATE -O0)\n"
                            "endforeach()\n"
                            "target_compile_options(test_kernels PRIVATE -O1)\n"
                            "foreach(folder kernels formats state engine generate)\n"
                            "  target_precompile_headers(test_${folder} PRIVATE "
                            f"{COMMON_HEADERS})\n"
                            "endforeach()\n",
    "tests/cli/CMakeLists.txt": "target_compile_options(test_cli PRIVATE -O0)\n"
                                f"target_precompile_headers(test_cli PRIVATE {COMMON_HEADERS})\n",
}


class ListError(Exception):
    """A list that does not fit the tree."""


@dataclass
class Fault:
    number: int
    module: str  # the name of the list
    path: str
    what: str
    original: str = ""
    faulty: str = ""
    within: str = ""  # a longer text that holds the original, where that alone is not unique

    def __str__(self):
        return f"{self.number} {self.path}: {self.what}"

    def text(self):
        """What a result holds for, as long as it stays the same."""
        return "\n".join((self.path, self.within, self.original, self.faulty))


HEAD = re.compile(r"(\d+) (\S+): (.+)")
FIELDS = {"in": "within", "for": "original", "put": "faulty"}


def read_list(path):
    """The faults of a file: a line `number path: what`, then `in`, `for` and `put`."""
    faults = []
    field = None
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        head = HEAD.fullmatch(line)
        word, _, rest = line.partition(" ")
        if head:
            faults.append(Fault(int(head[1]), path.stem, head[2], head[3]))
            field = None
        elif word in FIELDS and faults:
            field = FIELDS[word]
            setattr(faults[-1], field, rest.strip())
        elif line[0] == " " and field:
            setattr(faults[-1], field, getattr(faults[-1], field) + " " + line.strip())
        else:
            raise ListError(f"{path}: expected a fault, found '{line}'")
    return faults


def read_lists(folder):
    faults = [fault for path in sorted(folder.glob("*.txt")) for fault in read_list(path)]
    seen = {}
    for fault in faults:
        if fault.number in seen:
            raise ListError(f"two faults are called {fault.number}: {fault}; {seen[fault.number]}")
        if not fault.original or not fault.faulty or fault.number < 1:
            raise ListError(f"expected a number from 1 on, 'for' and 'put', found {fault}")
        seen[fault.number] = fault
    return faults


def find_once(text, begin, end, wanted):
    """Where `wanted` is, whatever white space is between its words."""
    pattern = re.compile(r"\s+".join(re.escape(word) for word in wanted.split()))
    found = list(pattern.finditer(text, begin, end))
    if len(found) != 1:
        raise ListError(f"expected once, found {len(found)} times: {wanted}")
    return found[0].span()


def choice(fault, original):
    """Statements end in ; or }, all else is an expression."""
    on = f"::{SWITCH} == {fault.number}"
    if original[-1] in ";}":
        return f"if ({on}) {{ {fault.faulty} }} else {{ {original} }}"
    return f"({on} ? ({fault.faulty}) : ({original}))"


def with_choices(text, faults):
    places = []
    for fault in faults:
        try:
            span = (0, len(text))
            if fault.within:
                span = find_once(text, *span, fault.within)
            places.append((find_once(text, *span, fault.original), fault))
        except ListError as error:
            raise ListError(f"{fault}: {error}") from None
    places.sort(key=lambda place: place[0])
    parts = [f'extern "C" int {SWITCH};\n#line 1\n']
    at = 0
    for (begin, end), fault in places:
        if begin < at:
            raise ListError(f"{fault}: overlaps another fault")
        parts += [text[at:begin], choice(fault, text[begin:end])]
        at = end
    return "".join(parts) + text[at:]


def changed_files(root, faults):
    """The text with choices of every file that has a fault."""
    by_path = {}
    for fault in faults:
        by_path.setdefault(fault.path, []).append(fault)
    errors = []
    texts = {}
    for path, of_file in by_path.items():
        try:
            texts[path] = with_choices((root / path).read_text(), of_file)
        except (ListError, OSError) as error:
            errors.append(str(error))
    if errors:
        raise ListError("\n".join(errors))
    return texts


def write_if_other(path, content):
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_tree(root, copy, faults):
    """The files of `root` that git knows or would add; what is the same is not written again."""
    texts = changed_files(root, faults)
    listed = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], cwd=root,
                            check=True, capture_output=True, text=True).stdout
    names = {name for name in listed.split("\0") if name and (root / name).is_file()}
    for name in names:
        content = (root / name).read_bytes()
        if name in texts:
            content = texts[name].encode()
        content += ADDED_TO_BUILD.get(name, "").encode()
        write_if_other(copy / name, content)
        shutil.copymode(root / name, copy / name)
    write_if_other(copy / "kernels/mutant.cpp", SWITCH_SOURCE.encode())
    names.add("kernels/mutant.cpp")
    for path in copy.rglob("*"):
        if path.is_file() and str(path.relative_to(copy)) not in names:
            path.unlink()
