# SPDX-License-Identifier: Apache-2.0
"""griffin_c.py says what griffin_c.h says, member by member and parameter by parameter."""
import ctypes
import glob
import os
import re
import unittest

from support import SOURCE, griffin

import griffin_c

PLAIN = {"size_t": "z", "int64_t": "q", "uint64_t": "Q", "float": "f", "double": "d", "void": "-"}


def declarations():
    """All that the headers declare, without comments and preprocessor lines, on one line."""
    text = ""
    for header in sorted(glob.glob(os.path.join(SOURCE, "include/griffin/c/*.h"))):
        with open(header, encoding="utf-8") as file:
            text += file.read()
    text = re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.DOTALL)
    text = re.sub(r"^#(?:.*\\\n)*.*$", " ", text, flags=re.MULTILINE)
    return " ".join(text.split())


def code(c_type):
    """The letter of a type; what is left are the enumerations."""
    c_type = c_type.replace("const ", "").strip()
    return "p" if "*" in c_type or c_type in CALLBACKS else PLAIN.get(c_type, "i")


HEADERS = declarations()
CALLBACKS = re.findall(r"typedef \w+ \(\*(\w+)\)", HEADERS)


class Header(unittest.TestCase):
    def test_structs(self):
        found = dict(re.findall(r"typedef struct griffin_(\w+) \{(.*?)\}", HEADERS))
        for name, struct in griffin_c.structs.items():
            expected = []
            for c_type, member in re.findall(r"\s*(.*?)(\w+(?:\[1024\])?);", found[name]):
                if member == "message[1024]":
                    expected.append(("message", "m"))
                elif c_type.strip() == "griffin_text":
                    expected += [("data", "p"), ("size", "z")]
                else:
                    expected.append((member, code(c_type)))
            with self.subTest(struct=name):
                types = [(member, griffin_c._TYPES[letter]) for member, letter in expected]
                self.assertEqual(struct._fields_, types)

    def test_functions(self):
        found = re.findall(r"GRIFFIN_C_API ([^;()]*?)griffin_(\w+)\(([^;]*?)\);", HEADERS)
        signatures = {}
        for result, name, parameters in found:
            is_terminated = result.strip() == "const char*" and "size_t*" not in parameters
            letters = "s" if is_terminated else code(result)
            if parameters != "void":
                letters += "".join(code(one.rsplit(" ", 1)[0]) for one in parameters.split(","))
            signatures[name] = letters
        self.assertGreater(len(signatures), 70)
        functions = griffin_c._FUNCTIONS
        for name, letters in zip(functions[::2], functions[1::2]):
            with self.subTest(function=name):
                self.assertEqual(letters, signatures[name])

    def test_sizes(self):
        library = griffin.load_library()
        for name, struct in griffin_c.structs.items():
            with self.subTest(struct=name):
                size = library.griffin_sizeof(f"griffin_{name}".encode())
                self.assertEqual(ctypes.sizeof(struct), size)

    def test_statuses(self):
        (values,) = re.findall(r"griffin_status; enum \{(.*?)\}", HEADERS)
        found = {name: int(value) for name, value in re.findall(r"GRIFFIN_(\w+) = (\d+)", values)}
        self.assertEqual({status.name: status.value for status in griffin.Status}, found)


if __name__ == "__main__":
    unittest.main()
