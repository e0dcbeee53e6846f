# SPDX-License-Identifier: Apache-2.0
"""griffin.cpp from Python: this file, griffin_c.py and libgriffin_c.so.0.

    model = griffin.Model("path/to/recurrentgemma-2b")
    print(model.generate("The linear recurrence", max_new_tokens=32).text)

Arrays are numpy's where it is installed, else memoryviews of the same shape (logits[row, id]).
What the library refuses raises GriffinError. Things are closed by close(), at the end of a `with`
or with their last reference. Any number of threads may use a Model, a Tokenizer or a Snapshot at
once; a Sequence, a Scheduler or a stream is for one at a time.
"""
from __future__ import annotations

import contextlib
import ctypes
import os
from array import array
from collections import abc, defaultdict
from ctypes import byref
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal

import griffin_c as c
from griffin_c import GriffinError, GriffinMemoryError, Path, Status, load_library

__all__ = ["Completion", "GriffinError", "GriffinMemoryError", "Model", "Scheduler", "Sequence",
           "Snapshot", "Status", "Tokenizer", "load_library"]
Ids = abc.Sequence[int]
Prompt = str | Ids  # a text, which BOS is put before, or ids as they are
_TOKENS, _TEXTS, _NO_EVENTS = 2, 4, 8  # what a request reports, beside its end
_ALL = 2  # logits of all tokens


class Model(c.Handle):
    """An immutable model. What it says of a token depends on the tokens before and nothing else."""

    def __init__(self, folder: Path, dtype: str = "auto", threads: int = 0, *, capacity: int = 0,
                 draft: Model | None = None, seed: int | None = None):
        """A Hugging Face folder; dtype: auto (as stored), f32, bf16, int8, int4; threads: 0 for all
        cores; capacity: tokens that sequences have room for, 0 for no end; draft: see Scheduler.
        With a seed, `folder` is the name of a preset, whose weights are random."""
        name, weights = c.path(folder), c.dtype(dtype)
        if seed is None:
            self.own("model_free", "model_load", name, c.new("load_options", weights=weights))
        else:
            seed = c.new("generate_options", seed=seed).seed  # which it has room for
            self.own("model_free", "model_random", name, weights, seed)
        self.info = c.filled("model_info", "model_get_info", self)
        self.threads, self.capacity, self.draft = threads, capacity, c.expect("draft", draft, Model)
        self._idle: dict[type, list[Any]] = {Scheduler: [], _Pass: []}
        files = [os.path.join(name, b"tokenizer." + kind) for kind in (b"model", b"json")]
        has_one = seed is None and any(map(os.path.exists, files))
        self.tokenizer = Tokenizer(folder, self) if has_one else None

    @classmethod
    def random(cls, preset: str, dtype: str = "auto", seed: int = 0, **options: Any) -> Model:
        """Random weights in the shape of a preset, "griffin-100m": to measure with."""
        return cls(preset, dtype, seed=seed, **options)

    def generate(self, prompt: Any, **options: Any) -> Any:
        """Scheduler.generate(), of a scheduler that no other thread has."""
        with self._borrowed(Scheduler) as scheduler:
            return scheduler.generate(prompt, **options)

    def stream(self, prompt: Prompt, **options: Any) -> abc.Generator[Any, None, Completion]:
        """Scheduler.stream(), of a scheduler that no other stream has."""
        with self._borrowed(Scheduler) as scheduler:
            texts: abc.Generator[Any, None, Completion] = scheduler.stream(prompt, **options)
            return (yield from texts)

    def sequence(self) -> Sequence:
        """A new text, to be fed token by token."""
        return Sequence(self, self.capacity)

    def logits(self, ids: Ids) -> Any:
        """What the model says after every token: float32 [n, vocab]."""
        given = c.ids(ids)
        with Sequence(self, len(given)) as sequence:
            return sequence.feed(given, "all")

    def logprobs(self, ids: Ids) -> Any:
        """The log-probability of every token but the first: float32 [n - 1], natural logarithms."""
        given, rows, out = c.ids(ids), 64, array("f")
        logits, part = array("f", [0]) * (rows * self.info.vocab), array("f", [0]) * rows
        with Sequence(self, len(given)) as sequence, self._borrowed(_Pass) as runner:
            for at in range(0, len(given) - 1, rows):
                said = given[at + 1:at + 1 + rows]
                c.call("pass_run", runner, sequence, given[at:at + rows], len(said), _ALL, logits,
                       rows, None)
                c.call("pass_logprobs", runner, logits, len(said), said, part)
                out += part[:len(said)]
        return c.floats(out, len(out))

    @contextlib.contextmanager
    def _borrowed(self, kind: Any) -> abc.Iterator[Any]:
        """A Scheduler or a pass for one thread, kept for the next."""
        if not self.is_open:
            raise ValueError("the Model is closed")
        try:
            one = self._idle[kind].pop()
        except IndexError:
            one = kind(self)
        try:
            yield one
        finally:
            if self.is_open:
                self._idle[kind].append(one)
            else:
                one.close()

    def close(self) -> None:
        """Lets go of the weights and the tokenizer. Sequences of it may be saved, but not go on."""
        for one in (*self._idle[Scheduler], *self._idle[_Pass], self.tokenizer, super()):
            if one is not None:
                one.close()


class Tokenizer(c.Handle):
    """Text to ids and back: of a model folder, or of a tokenizer.model or tokenizer.json. What a
    turn of a conversation is, the model knows."""

    def __init__(self, folder_or_file: Path, model: Model | None = None):
        c.expect("model", model, Model)
        self.own("tokenizer_free", "tokenizer_load", c.path(folder_or_file), model)
        self._model = model and c.Handle().own("model_free", "model_share", model)
        bos = ctypes.c_int32()
        c.call("tokenizer_bos", self, model, byref(bos))
        self.bos = bos.value if bos.value >= 0 else None

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of a text, after that which begins texts, if there is one."""
        data = text.encode()
        room = len(data) + 16  # a token is a byte or more
        ids = c.copied("i", "tokenizer_encode", self, data, len(data), likely=room).tolist()
        return [self.bos, *ids] if bos and self.bos is not None else ids

    def decode(self, ids: Ids) -> str:
        given = c.ids(ids)
        room = 16 * len(given)
        text = c.copied("b", "tokenizer_decode", self, given, len(given), likely=room).tobytes()
        return text.decode("utf-8", "replace")

    def chat(self, messages: abc.Sequence[abc.Mapping[str, str]]) -> list[int]:
        """The ids of a conversation, [{"role": "user", "content": "Hello"}, ...], up to where the
        assistant's turn begins, which ends at chat_stop_ids()."""
        roles = {"user": 0, "assistant": 1, "model": 1}
        unknown = [message["role"] for message in messages if message["role"] not in roles]
        if unknown:
            raise c.refused(f"role: expected one of {', '.join(roles)}, found {unknown[0]}")
        turns = c.texts("turn", [message["content"] for message in messages],
                       [roles[message["role"]] for message in messages])
        return c.copied("i", "chat_encode", self, self._tuned(), turns, len(turns)).tolist()

    def chat_stop_ids(self) -> list[int]:
        return c.copied("i", "chat_stop_ids", self, self._tuned()).tolist()

    def _tuned(self) -> c.Handle:
        if self._model is None:
            raise c.refused("model: a Tokenizer without one knows no conversations")
        return self._model


class _Pass(c.Handle):
    """What runs tokens for those who want logits."""

    def __init__(self, model: Model):
        options = c.new("pass_options", threads=model.threads, max_logits=64)
        self.own("pass_free", "pass_new", model, options)


class Snapshot(c.Handle):
    """What a sequence, or a text at its end, remembered. Immutable."""


class Sequence(c.Handle):
    """What a model remembers of one text: a fixed number of bytes, but for global attention."""

    def __init__(self, model: Model, capacity: int = 0):
        self.model = model
        options = c.new("sequence_options", capacity=capacity)
        self.own("sequence_free", "sequence_new", model, options)

    @property
    def position(self) -> int:
        """Tokens read so far."""
        return int(c.call("sequence_position", self))

    def feed(self, ids: Ids, logits: Literal["none", "last", "all"] = "last") -> Any:
        """Reads tokens. Returns the logits after the last, float32 [vocab], or all, [n, vocab]."""
        given, vocab = c.ids(ids), self.model.info.vocab
        kinds = {"none": (0, 0), "last": (1, 1), "all": (_ALL, len(given))}
        if logits not in kinds:
            raise c.refused(f"logits: expected one of {', '.join(kinds)}, found {logits}")
        wanted, rows = kinds[logits]
        out = array("f", [0]) * (rows * vocab)
        with self.model._borrowed(_Pass) as runner:
            c.call("pass_run", runner, self, given, len(given), wanted, out, rows, None)
        return c.floats(out, *[rows] * (logits == "all"), vocab) if rows > 0 else None

    def fork(self) -> Sequence:
        """An independent copy that goes on from the same point."""
        copy = Sequence.__new__(Sequence)
        copy.model = self.model
        return copy.own("sequence_free", "sequence_fork", self)

    def __deepcopy__(self, _: Any = None) -> Sequence:
        return self.fork()

    __copy__ = __deepcopy__

    def snapshot(self) -> Snapshot:
        """What to come back to by rollback(), or to have texts start from."""
        return Snapshot().own("snapshot_free", "sequence_snapshot", self)

    def rollback(self, snapshot: Snapshot) -> None:
        """Back, or on, to where a snapshot was taken, of this sequence or another of its model."""
        c.call("sequence_rollback", self, c.expect("snapshot", snapshot, Snapshot))

    def save(self, file: Path, unread: Ids = ()) -> None:
        """Writes the state to a file, with tokens that were chosen but not fed yet."""
        given = c.ids(unread)
        c.call("sequence_save", self, c.path(file), given, len(given))

    def restore(self, file: Path) -> list[int]:
        """Takes on a saved state, to the bit. Returns its unread tokens."""
        c.call("sequence_restore", self, c.path(file))
        return c.lent(ctypes.c_int32, "sequence_unread", self)


@dataclass(frozen=True)
class Completion:
    """A text that is over. The prompt is no part of it."""
    text: str
    tokens: list[int]
    reason: str  # "length", "stop id", "stop string", "capacity" or "cancelled"
    stop: int | str | None  # the id or string that ended it, which is no part of it
    logprobs: list[float]  # of every token, where they were asked for
    top_logprobs: list[list[tuple[int, float]]]  # of every token, the most likely first
    state: Snapshot | None
    unread: list[int]  # of the tokens, which the state has not read: what goes on begins with them
    info: SimpleNamespace  # counts and seconds: griffin_result_info


class Scheduler(c.Handle):
    """Generates many texts at once; what becomes of one does not depend on the others, to the bit.
    `draft`, a smaller or coarser model, and `lookup` guess tokens, which changes no text either.

    Options have Hugging Face's names and defaults; do_sample=False takes the most likely tokens,
    max_new_tokens=None ends where the model does, eos_token_id replaces the model's own, logprobs=k
    is of each token and the k most likely, candidate i of num_return_sequences draws with seed + i.
    With keep_state, Completion.state is what another text may `start` from.
    """

    def __init__(self, model: Model, max_sequences: int = 16, *, prefix_cache_bytes: int = 0,
                 lookup: int = 0, draft: Model | None = None):
        self.tokenizer = model.tokenizer
        # By request, in the order they came; None: an end.
        self._pieces: dict[int, dict[int, Any]] = defaultdict(dict)
        self._event, self._fetched = c.new("event"), 0  # the last one: filed if its request is 0
        self.own("scheduler_free", "scheduler_new", model, c.new(
            "scheduler_options", threads=model.threads, max_sequences=max_sequences,
            sequence=c.new("sequence_options", capacity=model.capacity), lookup=lookup,
            draft=c.expect("draft", draft, Model) or model.draft,
            max_tokens_per_pass=max(512, max_sequences), prefix_cache_bytes=prefix_cache_bytes))

    def generate(self, prompt: Any, **options: Any) -> Any:
        """The Completion of a text or of ids. A list of them for a list of prompts, and where
        num_return_sequences is given: first those of the first prompt."""
        prompt = prompt if isinstance(prompt, str) else list(c.items(prompt))
        is_many = not isinstance(prompt, str) and any(hasattr(one, "__len__") for one in prompt)
        candidates = range(options.get("num_return_sequences", 1))
        prompts = prompt if is_many else [prompt]
        with self._under_way(prompts, _NO_EVENTS, **options) as requests:
            while any(len(self._pieces[one[0]]) < len(candidates) for one in requests):
                if not self._step():
                    break
            texts = [self._take(*request, i) for request in requests for i in candidates]
        return texts if is_many or "num_return_sequences" in options else texts[0]

    def stream(self, prompt: Prompt, **options: Any) -> abc.Generator[Any, None, Completion]:
        """The pieces of a text as they come (its ids, without a tokenizer); nothing is done before
        the first next(). Closing ends the text. What the generator returns is the Completion."""
        events = _TEXTS if self.tokenizer else _TOKENS
        with self._under_way([prompt], events, num_return_sequences=1, **options) as (request,):
            pieces = self._pieces[request[0]]
            while True:
                self._file()
                while not pieces:
                    self._step()
                piece = pieces.pop(next(iter(pieces)))
                if piece is None:
                    return self._take(*request, 0)
                yield piece

    def statistics(self) -> SimpleNamespace:
        """What waits, what runs, what was done: griffin_statistics."""
        return c.filled("statistics", "scheduler_get_statistics", self)

    @contextlib.contextmanager
    def _under_way(self, prompts: abc.Iterable[Prompt], events: int, *, keep_state: bool = False,
                   logprobs: int | None = None, **options: Any) -> abc.Iterator[Any]:
        """Submits texts, and ends those that are not over when they are left, all in one step.
        Gives what _take() wants to know of each."""
        numbers: list[ctypes.c_uint64] = []  # 0: not submitted yet
        try:
            for prompt in prompts:
                numbers.append(ctypes.c_uint64())
                self._submit(numbers[-1], prompt, events, logprobs, keep_state, **options)
            yield [(number.value, keep_state, logprobs is not None) for number in numbers]
        finally:
            if self.is_open:
                self._leave([number.value for number in numbers if number.value])

    def _leave(self, requests: list[int]) -> None:
        is_left, was_left = False, ctypes.c_int32()
        for request in requests:
            c.call("scheduler_cancel", self, request, byref(was_left))
            c.call("scheduler_forget", self, request)
            is_left |= was_left.value != 0
        self._file()
        for request in requests:
            self._pieces.pop(request, None)
        if is_left:
            self._step()  # which ends them

    def _submit(self, number: ctypes.c_uint64, prompt: Prompt, events: int, logprobs: int | None,
                keep_state: bool, *, max_new_tokens: int | None = 128, do_sample: bool = False,
                temperature: float = 1.0, top_k: int | None = 50, top_p: float = 1.0,
                min_p: float = 0.0, repetition_penalty: float = 1.0, seed: int = 0,
                eos_token_id: int | Ids | None = None,
                stop_strings: str | abc.Sequence[str] | None = None, num_return_sequences: int = 1,
                start: Snapshot | None = None) -> None:
        c.expect("start", start, Snapshot)
        if isinstance(prompt, str):
            if self.tokenizer is None:
                raise c.refused("prompt: expected ids, for there is no tokenizer, found text")
            prompt = self.tokenizer.encode(prompt, bos=start is None)
        eos = () if eos_token_id is None else eos_token_id
        eos = eos if isinstance(eos, abc.Sized) else [eos]
        stops = [stop_strings] if isinstance(stop_strings, str) else stop_strings or ()
        c.at_least(0, max_new_tokens=max_new_tokens, logprobs=logprobs)
        c.at_least(1, num_return_sequences=num_return_sequences)
        c.more_than_zero(temperature=temperature if do_sample else 1.0, top_p=top_p,
                         repetition_penalty=repetition_penalty)  # 0 stands for a default, in C
        most = -1 if max_new_tokens is None else max_new_tokens or -2  # 0 stands for a default
        options = c.new(
            "generate_options", max_new_tokens=most,
            temperature=temperature if do_sample else 0.0, top_k=top_k or 0, top_p=top_p,
            min_p=min_p, repeat_penalty=repetition_penalty, penalty_last_n=1 << 20, seed=seed,
            stop_ids=c.ids(eos), stop_id_count=len(eos), tokenizer=self.tokenizer,
            no_model_stop_ids=int(eos_token_id is not None), stop_strings=c.texts("text", stops),
            stop_string_count=len(stops), logprobs=0 if logprobs is None else 1 + logprobs)
        ids = c.ids(prompt)
        c.call("scheduler_submit", self, c.new(
            "request", prompt=ids, prompt_count=len(ids), options=options, start=start,
            candidates=num_return_sequences, events=events, keep_snapshots=int(keep_state)),
            byref(number))

    def _step(self) -> bool:
        """One pass, of all texts. Whether there is more to do."""
        more = ctypes.c_int32()
        self._file()
        c.call("scheduler_step", self, byref(more))
        while True:
            self._fetched += 1
            if c.call("scheduler_next_event", self, self._event) != Status.OK:
                return more.value != 0
            self._file()

    def _file(self) -> None:
        """Files the last event. May be interrupted anywhere, and is then done again: nothing is
        lost of other texts, and nothing comes twice."""
        event = self._event
        if event.request != 0:
            piece = {1: event.id, 2: c.string(event), 3: None}[event.kind]
            self._pieces[event.request][self._fetched] = piece
            event.request = 0

    def _take(self, request: int, keep_state: bool, is_scored: bool, candidate: int) -> Completion:
        which = self, request, candidate
        state = None
        if keep_state:
            state = Snapshot().own("snapshot_free", "scheduler_take_snapshot", *which)
        with c.Handle().own("result_free", "scheduler_take_result", *which) as result:
            c.call("result_error", result)
            info = c.filled("result_info", "result_get_info", result)
            tokens = c.lent(ctypes.c_int32, "result_tokens", result)
            top = [(one.id, one.logprob)
                   for one in c.lent(c.structs["token_logprob"], "result_top_logprobs", result)]
            most = len(top) // max(1, len(tokens))
            return Completion(
                text=c.lent_text("result_text", result), tokens=tokens, state=state, info=info,
                reason=c.call("stop_reason_name", info.reason).decode(),
                stop=c.lent_text("result_stop_string", result) or
                     (info.stop_id if info.stop_id >= 0 else None),
                logprobs=c.lent(ctypes.c_float, "result_logprobs", result) if is_scored else [],
                top_logprobs=[top[i * most:(i + 1) * most] for i in range(len(tokens))],
                unread=tokens[info.fed_back:])
