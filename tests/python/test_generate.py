# SPDX-License-Identifier: Apache-2.0
"""Texts: those of greedy_decode, whatever else is under way."""
import contextlib
import gc
import itertools
import threading
import unittest
from unittest import mock

from support import EMBEDDED, MQA, PROMPT, griffin, refused, run

import griffin_c

PROMPTS = [PROMPT, "And God said", "1 Give ear, O my people", "And it came to pass"] * 6


def decoded(prompt, *flags, folder=EMBEDDED):
    """What greedy_decode makes of a prompt."""
    return run("GRIFFIN_GREEDY_DECODE", "-m", folder, "-p", prompt, *flags).decode()


class Texts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = griffin.Model(EMBEDDED)
        cls.draft = griffin.Model(EMBEDDED, "int4")

    def test_greedy(self):
        text = self.model.generate(PROMPT, max_new_tokens=60)
        self.assertEqual(decoded(PROMPT, "-n", "60"), text.text + "\n")
        self.assertEqual(len(text.tokens), 60)
        self.assertEqual((text.reason, text.stop, text.logprobs), ("length", None, []))

    def test_drawn(self):
        how = dict(max_new_tokens=40, do_sample=True, temperature=0.8, top_k=40, top_p=0.9,
                   min_p=0.05, seed=7)
        text = self.model.generate(PROMPT, **how).text
        flags = "-n 40 --temp 0.8 --top-k 40 --top-p 0.9 --min-p 0.05 -s 7".split()
        self.assertEqual(decoded(PROMPT, *flags), text + "\n")
        self.assertNotEqual(text, self.model.generate(PROMPT, **{**how, "seed": 8}).text)

    def test_penalties_see_the_whole_text(self):
        text = self.model.generate(PROMPT, max_new_tokens=90, repetition_penalty=1.3)
        flags = "-n 90 --repeat-penalty 1.3 --repeat-last-n 1000".split()
        self.assertEqual(decoded(PROMPT, *flags), text.text + "\n")

    def test_a_capacity_ends_texts(self):
        model = griffin.Model(MQA, capacity=40)
        text = model.generate(PROMPT, max_new_tokens=20).text
        self.assertEqual(decoded(PROMPT, "-n", "20", folder=MQA), text + "\n")
        self.assertEqual(model.generate(PROMPT, max_new_tokens=None).reason, "capacity")

    def test_many_are_as_each_alone(self):
        alone = [self.model.generate(prompt, max_new_tokens=12).tokens for prompt in PROMPTS]
        many = self.model.generate(PROMPTS, max_new_tokens=12)
        self.assertEqual([text.tokens for text in many], alone)
        ids = [self.model.tokenizer.encode(prompt) for prompt in PROMPTS]
        many = self.model.generate(ids, max_new_tokens=12)
        self.assertEqual([text.tokens for text in many], alone)

    def test_candidates_draw_with_seeds_that_follow(self):
        how = dict(max_new_tokens=10, do_sample=True)
        texts = self.model.generate(PROMPTS[:2], seed=5, num_return_sequences=3, **how)
        alone = [self.model.generate(prompt, seed=seed, **how).tokens
                 for prompt in PROMPTS[:2] for seed in (5, 6, 7)]
        self.assertEqual([text.tokens for text in texts], alone)
        self.assertEqual(len(self.model.generate(PROMPT, num_return_sequences=1, **how)), 1)
        self.assertEqual([text.logprobs for text in texts], [[]] * 6)
        texts = self.model.generate(PROMPT, num_return_sequences=2, logprobs=0, **how)
        self.assertEqual([len(text.logprobs) for text in texts], [10, 10])

    def test_none_is_the_default_where_hugging_face_has_none(self):
        how = dict(max_new_tokens=20, do_sample=True, seed=3)
        self.assertEqual(self.model.generate(PROMPT, top_k=None, stop_strings=None, **how).tokens,
                         self.model.generate(PROMPT, top_k=0, **how).tokens)

    def test_more_texts_at_once_than_tokens_of_a_pass_by_default(self):
        scheduler = griffin.Scheduler(self.model, max_sequences=600)
        texts = scheduler.generate([[2, 300 + i] for i in range(600)], max_new_tokens=2)
        self.assertEqual(texts[599].tokens, self.model.generate([2, 899], max_new_tokens=2).tokens)
        self.assertGreater(scheduler.statistics().most_rows, 512)

    def test_ends(self):
        text = self.model.generate(PROMPT, stop_strings=[" sound", "never"])
        self.assertEqual((text.reason, text.stop), ("stop string", " sound"))
        self.assertTrue(text.text.endswith(" and the"))
        seen = self.model.generate(PROMPT, max_new_tokens=12).tokens
        text = self.model.generate(PROMPT, eos_token_id=[seen[4], seen[9]])
        self.assertEqual((text.reason, text.stop), ("stop id", seen[4]))
        self.assertEqual(text.tokens, seen[:4])
        self.assertEqual(self.model.generate(PROMPT, max_new_tokens=0).tokens, [])

    def test_logprobs_are_those_of_the_text_read(self):
        text = self.model.generate(PROMPT, max_new_tokens=20, logprobs=3)
        ids = self.model.tokenizer.encode(PROMPT)
        read = self.model.logprobs(ids + text.tokens)
        self.assertEqual(text.logprobs, read[len(ids) - 1:].tolist())
        for token, logprob, top in zip(text.tokens, text.logprobs, text.top_logprobs):
            self.assertEqual(len(top), 3)
            self.assertEqual(top[0], (token, logprob))

    def test_go_on_from_a_state(self):
        whole = self.model.generate(PROMPT, max_new_tokens=30)
        begin = self.model.generate(PROMPT, max_new_tokens=10, keep_state=True)
        self.assertEqual(len(begin.unread), 1)
        rest = self.model.generate(begin.unread, max_new_tokens=20, start=begin.state)
        self.assertEqual(begin.tokens + rest.tokens, whole.tokens)

        sequence = self.model.sequence()
        ids = self.model.tokenizer.encode(PROMPT)
        sequence.feed(ids[:3], "none")
        text = self.model.generate(ids[3:], max_new_tokens=30, start=sequence.snapshot())
        self.assertEqual(text.tokens, whole.tokens)

    def test_guesses_change_nothing(self):
        expected = self.model.generate(PROMPTS[:4], max_new_tokens=40, do_sample=True)
        guessing = griffin.Scheduler(self.model, draft=self.draft, lookup=4,
                                     prefix_cache_bytes=1 << 24)
        for _ in range(2):
            texts = guessing.generate(PROMPTS[:4], max_new_tokens=40, do_sample=True)
            self.assertEqual([text.tokens for text in texts], [text.tokens for text in expected])
        self.assertGreater(guessing.statistics().cache_hits, 0)


class Streams(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.model = griffin.Model(EMBEDDED)

    def test_pieces_are_the_text(self):
        expected = self.model.generate(PROMPT, max_new_tokens=30, logprobs=1)
        stream = self.model.stream(PROMPT, max_new_tokens=30, logprobs=1)
        pieces = []
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                self.assertEqual(end.value.tokens, expected.tokens)
                self.assertEqual(end.value.logprobs, expected.logprobs)
                break
        self.assertGreater(len(pieces), 20)
        self.assertEqual("".join(pieces), expected.text)

    def test_closing_cancels(self):
        scheduler = griffin.Scheduler(self.model)
        for end in "close", "del", "throw":
            with self.subTest(end=end):
                stream = scheduler.stream(PROMPT, max_new_tokens=None)
                next(stream)
                self.assertEqual(scheduler.statistics().running, 1)
                if end == "close":
                    stream.close()
                elif end == "throw":
                    self.assertRaises(KeyError, stream.throw, KeyError())
                else:
                    del stream
                    gc.collect()
                now = scheduler.statistics()
                self.assertEqual((now.waiting, now.running), (0, 0))
        self.assertEqual(scheduler._pieces, {})

    def test_a_loop_that_is_left_cancels(self):
        for _ in self.model.stream(PROMPT, max_new_tokens=None):
            break
        (scheduler,) = self.model._idle[griffin.Scheduler]
        self.assertEqual(scheduler.statistics().running, 0)

    def test_lose_nothing_when_another_text_is_interrupted(self):
        expected = self.model.generate(PROMPT, max_new_tokens=20).text
        real = griffin_c.string
        for last in range(1, 30):  # the interrupt comes when so many pieces were fetched
            scheduler, calls = griffin.Scheduler(self.model), itertools.count(1)

            def interrupted(event):
                if next(calls) == last:
                    raise KeyboardInterrupt
                return real(event)

            stream = scheduler.stream(PROMPT, max_new_tokens=20)
            text = next(stream)
            with mock.patch.object(griffin_c, "string", interrupted):
                with contextlib.suppress(KeyboardInterrupt):
                    scheduler.generate(PROMPTS[1:3], max_new_tokens=12)
            self.assertEqual(text + "".join(stream), expected)
            self.assertEqual(scheduler._pieces, {})

    def test_two_take_turns_on_one_scheduler(self):
        scheduler = griffin.Scheduler(self.model)
        streams = [scheduler.stream(prompt, max_new_tokens=30) for prompt in PROMPTS[:3]]
        texts = [""] * 3
        for pieces in itertools.zip_longest(*streams, fillvalue=""):
            texts = [text + piece for text, piece in zip(texts, pieces)]
        expected = [text.text for text in self.model.generate(PROMPTS[:3], max_new_tokens=30)]
        self.assertEqual(texts, expected)
        self.assertLess(scheduler.statistics().passes, 60)  # together, not one after the other

    def test_does_not_hold_up_others(self):
        scheduler = griffin.Scheduler(self.model)
        endless = scheduler.stream(PROMPT, max_new_tokens=None, eos_token_id=[])
        begin = next(endless)
        texts = scheduler.generate(PROMPTS[:2], max_new_tokens=8, num_return_sequences=2)
        self.assertEqual([len(text.tokens) for text in texts], [8] * 4)
        text = begin + "".join(itertools.islice(endless, 20))
        self.assertTrue(self.model.generate(PROMPT, max_new_tokens=40).text.startswith(text))

    def test_ids_where_there_is_no_tokenizer(self):
        model = griffin.Model.random("mqa-100m", "int4", seed=3, capacity=20)
        self.assertIsNone(model.tokenizer)
        self.assertIn("expected ids", str(refused(model.generate, PROMPT)))
        how = dict(max_new_tokens=3, eos_token_id=[])
        self.assertEqual(list(model.stream([1, 2, 3], **how)),
                         model.generate([1, 2, 3], **how).tokens)
        self.assertEqual(model.logits([1, 2]).shape, (2, model.info.vocab))
        model.capacity = 0  # which its attention, of all that came before, needs
        self.assertIn("capacity", str(refused(model.sequence)))

    def test_threads_have_one_model(self):
        expected = dict(zip(PROMPTS[:4], self.model.generate(PROMPTS[:4], max_new_tokens=40)))
        failures = []

        def work(prompt):
            for _ in range(3):
                ids = self.model.tokenizer.encode(prompt)
                found = ("".join(self.model.stream(prompt, max_new_tokens=40)),
                         self.model.generate([ids], max_new_tokens=40)[0].text)
                if found != (expected[prompt].text,) * 2 or len(self.model.logits(ids)) != len(ids):
                    failures.append(found)

        threads = [threading.Thread(target=work, args=(prompt,)) for prompt in expected]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertLessEqual(len(self.model._idle[griffin.Scheduler]), len(threads))


if __name__ == "__main__":
    unittest.main()
