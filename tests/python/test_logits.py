# SPDX-License-Identifier: Apache-2.0
"""Numbers: to the bit those of the C++ programs."""
import ast
import os
import tempfile
import unittest

from support import EMBEDDED, MQA, PROMPT, griffin, run

import griffin_c


def scored(option, text, folder=EMBEDDED, *more):
    """Shape and bytes of a file that score writes."""
    with tempfile.TemporaryDirectory() as there:
        text_file, out = os.path.join(there, "text"), os.path.join(there, "out.npy")
        with open(text_file, "w", encoding="utf-8") as file:
            file.write(text)
        run("GRIFFIN_SCORE", "-m", folder, "-f", text_file, option, out, *more)
        with open(out, "rb") as file:
            file.seek(8)
            header = ast.literal_eval(file.read(int.from_bytes(file.read(2), "little")).decode())
            return header["shape"], file.read()


def heldout(size):
    with open(os.path.join(EMBEDDED, "../heldout.txt"), encoding="utf-8") as file:
        return file.read()[:size]


class Logits(unittest.TestCase):
    def check(self, folder, dtype, text):
        model = griffin.Model(folder, dtype)
        ids = model.tokenizer.encode(text)
        logits, logprobs = model.logits(ids), model.logprobs(ids)
        with self.subTest(folder=folder, dtype=dtype):
            shape, data = scored("--logits", text, folder, "--dtype", dtype)
            self.assertEqual(logits.shape, shape)
            self.assertTrue(logits.tobytes() == data)
            shape, data = scored("--logprobs", text, folder, "--dtype", dtype)
            self.assertEqual(logprobs.shape, shape)
            for found, expected in zip(logprobs.tolist(), memoryview(data).cast("f")):
                self.assertAlmostEqual(found, expected, 5)  # score adds up in float64

    def test_are_those_of_score(self):
        self.check(EMBEDDED, "auto", heldout(1500))  # some passes, more than a window
        self.check(EMBEDDED, "f32", PROMPT)
        self.check(EMBEDDED, "int4", PROMPT)

    def test_of_attention_alone(self):
        self.check(MQA, "auto", heldout(400))

    def test_do_not_depend_on_threads(self):
        one, two = (griffin.Model(EMBEDDED, threads=threads) for threads in (1, 2))
        ids = one.tokenizer.encode(PROMPT)
        self.assertEqual(one.logits(ids).tobytes(), two.logits(ids).tobytes())

    def test_of_one_token(self):
        model = griffin.Model(EMBEDDED)
        self.assertEqual(model.logits([2]).shape, (1, model.info.vocab))
        self.assertEqual(model.logprobs([2]).shape, (0,))

    @unittest.skipUnless(griffin_c.numpy, "needs numpy")
    def test_are_numpys(self):
        model = griffin.Model(EMBEDDED)
        ids = griffin_c.numpy.array(model.tokenizer.encode(PROMPT))
        logits = model.logits(ids)
        self.assertEqual(logits.dtype, griffin_c.numpy.float32)
        exact = logits.astype("float64")
        expected = exact - griffin_c.numpy.log(griffin_c.numpy.exp(exact).sum(1, keepdims=True))
        found = model.logprobs(ids)
        self.assertLess(abs(expected[range(len(ids) - 1), ids[1:]] - found).max(), 1e-5)

    @unittest.skipIf(griffin_c.numpy, "is for those without numpy")
    def test_are_memoryviews(self):
        logits = griffin.Model(EMBEDDED).logits([2, 3])
        self.assertIsInstance(logits, memoryview)
        self.assertEqual(logits[1, 5], logits.tolist()[1][5])


class Sequences(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = griffin.Model(EMBEDDED)
        cls.ids = cls.model.tokenizer.encode(heldout(800))
        cls.expected = cls.model.logits(cls.ids)

    def row(self, at):
        return memoryview(self.expected)[at:at + 1].tobytes()

    def fed(self, begin, end):
        """A sequence that has read up to `begin`, and what it says when it was fed up to `end`."""
        sequence = self.model.sequence()
        self.assertIsNone(sequence.feed(self.ids[:begin], "none"))
        return sequence, sequence.feed(self.ids[begin:end]).tobytes()

    def test_feed_in_parts(self):
        sequence, last = self.fed(70, 100)
        self.assertEqual(last, self.row(99))
        self.assertEqual(sequence.position, 100)
        rows = sequence.feed(self.ids[100:], "all")
        self.assertEqual(rows.tobytes(), memoryview(self.expected)[100:].tobytes())

    def test_forks_go_their_own_ways(self):
        sequence, _ = self.fed(20, 30)
        fork = sequence.fork()
        fork.feed([5, 6, 7])
        self.assertEqual((sequence.position, fork.position), (30, 33))
        sequence.feed(self.ids[30:40], "none")
        self.assertEqual(sequence.feed([self.ids[40]]).tobytes(), self.row(40))

    def test_roll_back(self):
        sequence, _ = self.fed(20, 30)
        snapshot = sequence.snapshot()
        sequence.feed([5, 6, 7])
        sequence.rollback(snapshot)
        self.assertEqual(sequence.position, 30)
        self.assertEqual(sequence.feed([self.ids[30]]).tobytes(), self.row(30))

    def test_save_and_restore(self):
        sequence, _ = self.fed(60, 90)
        with tempfile.TemporaryDirectory() as there:
            file = os.path.join(there, "state")
            sequence.save(file, self.ids[90:92])
            other = self.model.sequence()
            self.assertEqual(other.restore(file), self.ids[90:92])
        self.assertEqual(other.position, 90)
        self.assertEqual(other.feed(self.ids[90:95]).tobytes(), self.row(94))

    def test_outlive_their_model(self):
        model = griffin.Model(EMBEDDED)
        sequence = model.sequence()
        sequence.feed([2], "none")
        model.close()
        self.assertEqual(sequence.fork().position, 1)


if __name__ == "__main__":
    unittest.main()
