# SPDX-License-Identifier: Apache-2.0
"""The library itself: found, refusing what has no meaning, closed."""
import copy
import gc
import os
import pathlib
import pickle
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

from support import EMBEDDED, PROMPT, SOURCE, griffin, refused

import griffin_c


class Library(unittest.TestCase):
    def imported(self, file, **environment):
        """What a process says that imports a griffin.py from elsewhere and loads the library."""
        code = "import griffin; print(griffin.load_library()._name)"
        kept = {name: value for name, value in os.environ.items() if name != "GRIFFIN_LIBRARY"}
        return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True,
                              env={**kept, "PYTHONPATH": os.path.dirname(file), **environment})

    def test_is_found(self):
        library = os.path.realpath(griffin.load_library()._name)
        with tempfile.TemporaryDirectory() as there:
            file = [shutil.copy(one.__file__, there) for one in (griffin, griffin_c)][-1]
            self.assertIn("libgriffin_c.so.0: cannot open", self.imported(file).stderr)
            self.assertEqual(self.imported(file, GRIFFIN_LIBRARY=library).stdout.strip(), library)
            by_loader = self.imported(file, LD_LIBRARY_PATH=os.path.dirname(library))
            self.assertEqual(by_loader.stdout, "libgriffin_c.so.0\n")
            beside = os.path.join(there, "libgriffin_c.so.0")
            os.symlink(library, beside)
            self.assertEqual(self.imported(file).stdout.strip(), beside)

    def test_is_refused_when_structs_have_shrunk(self):
        with tempfile.TemporaryDirectory() as there:
            file = [shutil.copy(one.__file__, there) for one in (griffin, griffin_c)][-1]
            with open(file, encoding="utf-8") as original:
                text = original.read()
            with open(file, "w", encoding="utf-8") as changed:
                changed.write(text.replace("i keep_snapshots", "q keep_snapshots"))
            said = self.imported(file, GRIFFIN_LIBRARY=griffin.load_library()._name).stderr
            self.assertIn("griffin_request has", said)

    def test_is_loaded_once(self):
        library = griffin.load_library()
        self.assertIs(griffin.load_library(library._name), library)
        self.assertIs(griffin.load_library(pathlib.Path(library._name)), library)
        self.assertRaises(RuntimeError, griffin.load_library, "/another")


class Refusals(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = griffin.Model(EMBEDDED)

    def check(self, code, part, call, *arguments, **options):
        error = refused(call, *arguments, **options)
        self.assertIs(error.code, code)
        self.assertIn(part, error.message)
        self.assertEqual(str(error), error.message)

    def test_name_what_is_wrong(self):
        bad, model = griffin.Status.INVALID_ARGUMENT, self.model
        self.check(griffin.Status.IO, "/nowhere", griffin.Model, "/nowhere")
        self.check(griffin.Status.IO, "/nowhere", griffin.Tokenizer, "/nowhere")
        self.check(griffin.Status.IO, "/nowhere", model.sequence().restore, "/nowhere/state")
        self.check(bad, "int3", griffin.Model, EMBEDDED, "int3")
        self.check(bad, "hawk-1k", griffin.Model.random, "hawk-1k")
        self.check(bad, "9999", model.generate, [2, 9999])
        self.check(bad, "9999", model.logits, [2, 9999])
        self.check(bad, "-1", model.logprobs, [2, -1, 3])
        self.check(bad, "empty", model.generate, [])
        self.check(bad, "top_p", model.generate, PROMPT, do_sample=True, top_p=2.0)
        self.check(bad, "temperature", model.generate, PROMPT, do_sample=True, temperature=-1)
        self.check(bad, "seed", model.generate, PROMPT, seed=-1)
        self.check(bad, "seed", griffin.Model.random, "griffin-100m", seed=-1)
        self.check(bad, "seed", griffin.Model.random, "griffin-100m", seed=1 << 64)
        self.check(bad, "without", griffin.Tokenizer(EMBEDDED).chat_stop_ids)
        self.check(bad, "top_k", model.generate, PROMPT, do_sample=True, top_k=1 << 40)
        self.check(griffin.Status.CAPACITY, "17", model.generate, PROMPT, num_return_sequences=17)
        self.check(griffin.Status.UNSUPPORTED, "start_of_turn", model.tokenizer.chat,
                   [{"role": "user", "content": "Hello"}])

    def test_are_pythons_own_for_the_wrong_kind(self):
        self.assertRaises(TypeError, self.model.generate, PROMPT, temperatur=1)
        self.assertRaises(TypeError, self.model.generate, [2, 3.5])
        self.assertRaises(TypeError, next, self.model.stream(PROMPT, num_return_sequences=2))
        self.assertRaises(OverflowError, self.model.logits, [1 << 40])

    def test_of_bytes_which_are_no_ids(self):
        model, sequence = self.model, self.model.sequence()
        for given in b"\2\0\0\0", bytearray(4), {2: 3}:
            for call in (model.generate, model.logits, model.logprobs, model.tokenizer.decode,
                         sequence.feed, lambda ids: next(model.stream(ids)),
                         lambda ids: model.generate([ids]), lambda ids: sequence.save("no", ids),
                         lambda ids: model.generate([2], eos_token_id=ids)):
                with self.assertRaisesRegex(TypeError, "expected ids"):
                    call(given)

    def test_of_handles_of_another_kind(self):
        model, sequence = self.model, self.model.sequence()
        for wrong in sequence, model.tokenizer, 7:
            for call in (lambda: model.generate([2], start=wrong),
                         lambda: sequence.rollback(wrong),
                         lambda: griffin.Scheduler(model, draft=wrong),
                         lambda: griffin.Model(EMBEDDED, draft=wrong),
                         lambda: griffin.Tokenizer(EMBEDDED, wrong)):
                with self.assertRaisesRegex(TypeError, "expected a (Snapshot|Model), found"):
                    call()
        self.assertRaisesRegex(ValueError, "is closed", sequence.rollback, griffin.Snapshot())

    def test_of_values_without_a_meaning(self):
        model, sequence = self.model, self.model.sequence()
        for call, found in ((lambda: model.generate([2], max_new_tokens=-1), "max_new_tokens.*-1"),
                            (lambda: model.generate([2], logprobs=-1), "logprobs.*-1"),
                            (lambda: model.generate([2], num_return_sequences=0), "num_return.*0"),
                            (lambda: model.generate([2], top_p=0.0), "top_p: .*than 0, found 0"),
                            (lambda: model.generate([2], repetition_penalty=0), "repetition_.*0"),
                            (lambda: model.generate([2], do_sample=True, temperature=0),
                             "temperature: .*found 0"),
                            (lambda: sequence.feed([2], "some"), "none, last, all, found some"),
                            (lambda: sequence.save("state\0evil"), "no zero byte"),
                            (lambda: griffin.Model("nowhere\0x"), "no zero byte")):
            self.assertRaisesRegex(griffin.GriffinError, found, call)

    def test_prompts_may_come_one_by_one(self):
        expected = self.model.generate([[2, 300], [2, 301]], max_new_tokens=3)
        found = self.model.generate(iter([[2, 300], [2, 301]]), max_new_tokens=3)
        self.assertEqual([one.tokens for one in found], [one.tokens for one in expected])

    def test_leave_the_scheduler_as_it_was(self):
        scheduler = griffin.Scheduler(self.model)
        refused(scheduler.generate, [PROMPT, [9999]])
        self.assertEqual(scheduler.statistics().waiting, 0)
        self.assertEqual(len(scheduler.generate([PROMPT, [2]], max_new_tokens=3)), 2)

    def test_run_nothing_of_what_was_submitted_before(self):
        scheduler = griffin.Scheduler(self.model)
        refused(scheduler.generate, [[2] * 600] * 20 + [[9999]])
        self.assertLessEqual(scheduler.statistics().passes, 1)
        self.assertEqual(scheduler._pieces, {})

    def test_out_of_memory_is_a_memory_error(self):
        share = griffin.load_library().griffin_model_share
        failing = mock.Mock(return_value=griffin.Status.OUT_OF_MEMORY, argtypes=share.argtypes)
        with mock.patch.object(griffin.load_library(), "griffin_model_share", failing):
            error = refused(griffin.Tokenizer, EMBEDDED, self.model)
        self.assertIsInstance(error, MemoryError)
        self.assertIs(error.code, griffin.Status.OUT_OF_MEMORY)

    def test_can_be_sent_to_another_process(self):
        error = pickle.loads(pickle.dumps(refused(griffin.Model, "/nowhere")))
        self.assertEqual((error.code, error.message),
                         (griffin.Status.IO, "/nowhere: no such model folder"))


class Tokenizers(unittest.TestCase):
    def test_a_text_is_encoded_once(self):
        tokenizer, library = griffin.Tokenizer(EMBEDDED), griffin.load_library()
        real = library.griffin_tokenizer_encode
        counting = mock.Mock(side_effect=real, argtypes=real.argtypes)
        with mock.patch.object(library, "griffin_tokenizer_encode", counting):
            tokenizer.encode(PROMPT * 100)
        self.assertEqual(counting.call_count, 1)

    def test_are_not_looked_for_beside_random_weights(self):
        with tempfile.TemporaryDirectory() as there:
            os.mkdir(os.path.join(there, "griffin-100m"))
            with open(os.path.join(there, "griffin-100m/tokenizer.model"), "wb") as junk:
                junk.write(b"junk")
            here = os.getcwd()
            os.chdir(there)
            try:
                self.assertIsNone(griffin.Model.random("griffin-100m", "int4").tokenizer)
            finally:
                os.chdir(here)

    def test_of_a_folder_named_in_bytes(self):
        self.assertIsNotNone(griffin.Model(os.fsencode(EMBEDDED)).tokenizer)

    def test_there_and_back(self):
        tokenizer = griffin.Model(EMBEDDED).tokenizer
        for text in "", PROMPT, "a\0b", "\u00e9\u4e16 \U0001f600", "x" * 5000:
            with self.subTest(text=text[:20]):
                ids = tokenizer.encode(text)
                self.assertEqual(ids[0], tokenizer.bos)
                self.assertEqual(tokenizer.encode(text, bos=False), ids[1:])
                self.assertEqual(tokenizer.decode(ids), text)

    def test_turns(self):
        folder = os.path.join(SOURCE, "tests/goldens/tokenizers/gemma")
        tokenizer = griffin.Tokenizer(folder, griffin.Model(EMBEDDED))
        ids = tokenizer.chat([{"role": "user", "content": "Hi"},
                              {"role": "assistant", "content": "Ho\0!"},
                              {"role": "user", "content": "<end_of_turn>"}])
        pieces = [tokenizer.decode([id]) for id in ids]
        self.assertEqual("".join(pieces),
                         "<bos><start_of_turn>user\nHi<end_of_turn>\n"
                         "<start_of_turn>model\nHo\0!<end_of_turn>\n"
                         "<start_of_turn>user\n<end_of_turn><end_of_turn>\n<start_of_turn>model\n")
        self.assertEqual(pieces.count("<end_of_turn>"), 3)
        self.assertIn(ids[pieces.index("<end_of_turn>")], tokenizer.chat_stop_ids())
        with self.assertRaisesRegex(griffin.GriffinError, "user, assistant.*found system"):
            tokenizer.chat([{"role": "system", "content": "Hi"}])


class Copies(unittest.TestCase):
    def test_of_a_sequence_are_forks(self):
        sequence = griffin.Model(EMBEDDED).sequence()
        sequence.feed([2, 300], "none")
        for other in copy.copy(sequence), copy.deepcopy(sequence):
            other.feed([301], "none")
            self.assertEqual((other.position, sequence.position), (3, 2))

    def test_of_what_is_shared_are_refused(self):
        model = griffin.Model(EMBEDDED)
        for handle in model, model.tokenizer, griffin.Scheduler(model), model.sequence().snapshot():
            for way in copy.copy, copy.deepcopy, pickle.dumps:
                self.assertRaisesRegex(TypeError, "neither copied nor pickled", way, handle)
        self.assertRaises(TypeError, pickle.dumps, model.sequence())


class Closing(unittest.TestCase):
    def test_what_is_closed_is_refused(self):
        with griffin.Model(EMBEDDED) as model:
            sequence, scheduler = model.sequence(), griffin.Scheduler(model)
            tokenizer, stream = model.tokenizer, model.stream(PROMPT)
            next(stream)
            with scheduler, sequence:
                pass
        for call in (lambda: sequence.position, scheduler.statistics, model.sequence,
                     lambda: model.generate(PROMPT), lambda: tokenizer.encode(PROMPT)):
            self.assertRaisesRegex(ValueError, "is closed", call)
        self.assertIsInstance(next(stream), str)  # it keeps what it needs
        stream.close()
        model.close()  # once more is no error

    def test_a_stream_whose_scheduler_is_closed_ends_with_an_error(self):
        scheduler = griffin.Scheduler(griffin.Model(EMBEDDED))
        stream = scheduler.stream(PROMPT)
        next(stream)
        scheduler.close()
        self.assertRaisesRegex(ValueError, "is closed", list, stream)

    def test_the_last_reference_frees(self):
        gc.disable()  # without a cycle to be found
        try:
            model = griffin.Model(EMBEDDED)
            model.generate(PROMPT, max_new_tokens=2)
            model.logits([2])
            finalizers = [one._finalizer for one in (
                model, model.tokenizer, *sum(model._idle.values(), []))]
            self.assertEqual(len(finalizers), 4)
            del model
            self.assertFalse(any(finalizer.alive for finalizer in finalizers))
        finally:
            gc.enable()


if __name__ == "__main__":
    unittest.main()
