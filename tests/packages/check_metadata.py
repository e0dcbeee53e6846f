# SPDX-License-Identifier: Apache-2.0
"""check_metadata.py SOURCE_FOLDER

That what .packaging and .github say can be read, and speaks of the version, options and programs that
CMakeLists.txt has. Needs no vcpkg and no Conan. 77: no YAML reader (all else was looked at)."""
import ast
import json
import pathlib
import re
import sys

failures = []


def expect(what, expected, found):
    if expected != found:
        failures.append(f"{what}: expected {expected}, found {found}")


def literals_of(recipe):
    """The members of the recipe's class that are written out."""
    tree = ast.parse(recipe.read_text(), recipe)
    members = next(node for node in tree.body if isinstance(node, ast.ClassDef)).body
    return {m.targets[0].id: ast.literal_eval(m.value) for m in members if isinstance(m, ast.Assign)}


def check_options(path, known):
    """Options that are named are those there are; all but the ones for us are named."""
    named = set(re.findall(r"GRIFFIN_[A-Z_]+", path.read_text()))
    expect(f"{path.name}: options", known - {"GRIFFIN_WERROR"}, named)


def check_workflow(path, yaml):
    jobs = yaml.safe_load(path.read_text())["jobs"]
    for name, job in jobs.items():
        expect(f"{path.name}: {name} has a limit of time", True, "timeout-minutes" in job)
        for step in job["steps"]:
            action = step.get("uses", "")
            if action:
                pinned = re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", action) is not None
                expect(f"{path.name}: {action} is named by a commit", True, pinned)


def main(source):
    project = (source / "CMakeLists.txt").read_text()
    version, description = re.search(
        r'project\(griffin VERSION (\S+) LANGUAGES CXX\s+DESCRIPTION "([^"]+)"', project).groups()
    options = set(re.findall(r"option\((GRIFFIN_[A-Z_]+)", project))
    programs = re.search(r"foreach\(program (.+)\)",
                         (source / "examples/CMakeLists.txt").read_text()).group(1).split()
    installed = {"griffin-" + program.replace("_", "-") for program in programs}

    port = source / ".packaging/vcpkg/griffin"
    manifest = json.loads((port / "vcpkg.json").read_text())
    portfile = (port / "portfile.cmake").read_text()
    expect("vcpkg.json: version", version, manifest["version"])
    expect("vcpkg.json: description", description, manifest["description"])
    mapped = set(re.findall(r"^    (\w+) GRIFFIN_", portfile, re.MULTILINE))
    expect("portfile.cmake: features", set(manifest["features"]), mapped)
    expect("portfile.cmake: programs", installed, set(re.findall(r"griffin-[a-z-]+", portfile)))
    check_options(port / "portfile.cmake", options)

    conan = source / ".packaging/conan"
    recipe = literals_of(conan / "conanfile.py")
    literals_of(conan / "test_package/conanfile.py")
    expect("conanfile.py: version", version, recipe["version"])
    expect("conanfile.py: description", description, recipe["description"])
    expect("conanfile.py: features", set(manifest["features"]) | {"shared", "fPIC"},
           set(recipe["options"]))
    check_options(conan / "conanfile.py", options)

    json.loads((source / "CMakePresets.json").read_text())
    try:
        import yaml
    except ImportError:
        yaml = None
    if yaml:
        expect("dependabot.yml: version", 2,
               yaml.safe_load((source / ".github/dependabot.yml").read_text())["version"])
        for path in (source / ".github/workflows").glob("*.yml"):
            check_workflow(path, yaml)
    for failure in failures:
        print("FAIL:", failure)
    if not failures:
        print("ok" if yaml else "SKIP: no YAML reader; Debian has it in python3-yaml")
    return 1 if failures else 0 if yaml else 77


sys.exit(main(pathlib.Path(sys.argv[1])))
