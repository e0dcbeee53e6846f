# SPDX-License-Identifier: Apache-2.0
"""The end of an interpreter, whatever is under way: exit code 0, and not a word on stderr."""
import subprocess
import sys
import textwrap
import unittest

from support import EMBEDDED

BEGIN = f"""
import gc, os, sys, threading, time
import griffin
model = griffin.Model({EMBEDDED!r})

def endless():
    return model.stream("In the beginning", max_new_tokens=None, do_sample=True, eos_token_id=[])
"""


class Exit(unittest.TestCase):
    def check(self, code, expected=""):
        done = subprocess.run([sys.executable, "-c", BEGIN + textwrap.dedent(code)], text=True,
                              capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, expected, ""))

    def test_with_handles(self):
        self.check("""
            sequence, scheduler = model.sequence(), griffin.Scheduler(model)
            sequence.feed([2, 3], "none")
            snapshot, fork = sequence.snapshot(), sequence.fork()
            logits = sequence.feed([4])
        """)

    def test_with_half_a_text(self):
        self.check("""
            stream, other = endless(), endless()
            next(stream), next(other), next(stream)
            never_begun = endless()
        """)

    def test_with_half_a_text_in_a_cycle(self):
        self.check("""
            gc.disable()
            class Holder: pass
            holder = Holder()
            holder.me, holder.stream = holder, endless()
            next(holder.stream)
            griffin.kept = holder
            sys.modules["elsewhere"] = holder
        """)

    def test_with_half_a_text_of_a_function_at_exit(self):
        self.check("""
            import atexit
            stream = endless()
            next(stream)
            atexit.register(stream.close)
            atexit.register(lambda: next(stream))
        """)

    def test_with_threads_at_work(self):
        self.check("""
            def work():
                for _ in endless(): pass
            def read():
                while True: model.logits([2, 3, 4, 5] * 50)
            def load():
                while True: griffin.Model(%r).close()
            for target in work, read, load:
                threading.Thread(target=target, daemon=True).start()
            time.sleep(0.3)
        """ % EMBEDDED)

    def test_while_a_thread_goes_on(self):
        self.check("""
            def work():
                time.sleep(0.1)
                print(len(model.generate([2, 3], max_new_tokens=20, eos_token_id=[]).tokens))
                for _ in endless(): sys.exit(1)  # ends the thread
            threading.Thread(target=work).start()
        """, "20\n")

    def test_from_within_a_text(self):
        self.check("""
            for _ in endless(): sys.exit(0)
        """)

    def test_without_a_clean_up(self):
        self.check("""
            stream = endless()
            next(stream)
            os._exit(0)
        """)

    def test_of_a_child_with_its_parents_model(self):
        self.check("""
            expected = model.generate([2, 3], max_new_tokens=5).tokens
            child = os.fork()
            if child == 0:
                same = model.generate([2, 3], max_new_tokens=5).tokens == expected
                sys.exit(0 if same else 1)
            print(os.waitpid(child, 0)[1])
        """, "0\n")


if __name__ == "__main__":
    unittest.main()
