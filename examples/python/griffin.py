# SPDX-License-Identifier: Apache-2.0
"""griffin.cpp from Python: this one file, and libgriffin_c.so.0.

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
import enum
import os
import weakref
from array import array
from collections import abc, defaultdict, deque
from ctypes import byref
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Literal, Union

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]

Path = Union[str, os.PathLike]
Ids = abc.Sequence[int]
Prompt = Union[str, Ids]  # a text, which BOS is put before, or ids as they are
Status = enum.IntEnum("Status", "OK INVALID_ARGUMENT IO FORMAT MISMATCH UNSUPPORTED CAPACITY"
                      " CANCELLED OUT_OF_MEMORY CALLBACK INTERNAL NO_EVENT", start=0)


class GriffinError(Exception):
    """What the library refused or could not do: `code`, a Status, and a `message` for people."""

    def __init__(self, code: int, message: str):
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


class GriffinMemoryError(GriffinError, MemoryError):
    """The library ran out of memory."""


class _Handle:
    """A handle of the library, which keeps alive what it needs of other ones. Nothing is freed at
    exit, when threads may still be at work with it: the system takes it back."""

    def _own(self, free: str, maker: str, *arguments: Any) -> Any:
        handle = ctypes.c_void_p()
        _call(maker, *arguments, byref(handle))
        self._address = handle.value
        self._finalizer = weakref.finalize(self, _call, free, handle)
        self._finalizer.atexit = False
        return self

    @property
    def address(self) -> int | None:
        if not self._finalizer.alive:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._address

    def close(self) -> None:
        self._finalizer()

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Model(_Handle):
    """An immutable model. What it says of a token depends on the tokens before and nothing else."""

    def __init__(self, folder: Path, dtype: str = "auto", threads: int = 0, *, capacity: int = 0,
                 draft: Model | None = None, seed: int | None = None):
        """A Hugging Face folder; dtype: auto (as stored), f32, bf16, int8, int4; threads: 0 for all
        cores; capacity: tokens that sequences have room for, 0 for no end; draft: see Scheduler.
        With a seed, `folder` is the name of a preset, whose weights are random."""
        if dtype not in _DTYPES:
            raise GriffinError(Status.INVALID_ARGUMENT,
                               f"dtype: expected one of {', '.join(_DTYPES)}, found {dtype!r}")
        name, weights = os.fsencode(folder), _DTYPES[dtype]
        if seed is None:
            self._own("model_free", "model_load", name, _new("load_options", weights=weights))
        else:
            self._own("model_free", "model_random", name, weights, seed)
        self.info = _filled("model_info", "model_get_info", self)
        self.threads, self.capacity, self.draft = threads, capacity, draft
        self._idle: dict[type, list[Any]] = {Scheduler: [], _Pass: []}
        names = (os.path.join(folder, f"tokenizer.{kind}") for kind in ("model", "json"))
        self.tokenizer = Tokenizer(folder, self) if any(map(os.path.exists, names)) else None

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
            return (yield from scheduler.stream(prompt, **options))

    def sequence(self) -> Sequence:
        """A new text, to be fed token by token."""
        return Sequence(self, self.capacity)

    def logits(self, ids: Ids) -> Any:
        """What the model says after every token: float32 [n, vocab]."""
        with Sequence(self, len(ids)) as sequence:
            return sequence.feed(ids, "all")

    def logprobs(self, ids: Ids) -> Any:
        """The log-probability of every token but the first: float32 [n - 1], natural logarithms."""
        given, rows, out = array("i", ids), 64, array("f")
        logits, part = array("f", [0]) * (rows * self.info.vocab), array("f", [0]) * rows
        with Sequence(self, len(given)) as sequence, self._borrowed(_Pass) as runner:
            for at in range(0, len(given) - 1, rows):
                said = given[at + 1:at + 1 + rows]
                _call("pass_run", runner, sequence, given[at:at + rows], len(said), 2, logits, rows,
                      None)
                _call("pass_logprobs", runner, logits, len(said), said, part)
                out += part[:len(said)]
        return _floats(out, len(out))

    @contextlib.contextmanager
    def _borrowed(self, kind: Any) -> abc.Iterator[Any]:
        """A Scheduler or a pass for one thread, kept for the next."""
        try:
            one = self._idle[kind].pop()
        except IndexError:
            one = kind(self)
        try:
            yield one
        finally:
            self._idle[kind].append(one)

    def close(self) -> None:
        """Lets go of the weights and the tokenizer. Sequences that there are keep the weights."""
        for one in (*self._idle[Scheduler], *self._idle[_Pass], self.tokenizer, super()):
            if one is not None:
                one.close()


class Tokenizer(_Handle):
    """Text to ids and back: of a model folder, or of a tokenizer.model or tokenizer.json."""

    def __init__(self, folder_or_file: Path, model: Model | None = None):
        self._own("tokenizer_free", "tokenizer_load", os.fsencode(folder_or_file), model)
        self._model = model and _Handle()._own("model_free", "model_share", model)
        bos = ctypes.c_int32()
        _call("tokenizer_bos", self, model, byref(bos))
        self.bos = bos.value if bos.value >= 0 else None

    def encode(self, text: str, bos: bool = True) -> list[int]:
        """The ids of a text, after that which begins texts, if there is one."""
        data = text.encode()
        ids = _copied("i", "tokenizer_encode", self, data, len(data)).tolist()
        return [self.bos, *ids] if bos and self.bos is not None else ids

    def decode(self, ids: Ids) -> str:
        given = array("i", ids)
        text = _copied("b", "tokenizer_decode", self, given, len(given)).tobytes()
        return text.decode("utf-8", "replace")

    def chat(self, messages: abc.Sequence[abc.Mapping[str, str]]) -> list[int]:
        """The ids of a conversation, [{"role": "user", "content": "Hello"}, ...], up to where the
        assistant's turn begins, which ends at chat_stop_ids()."""
        roles = {"user": 0, "assistant": 1, "model": 1}
        turns = _texts("turn", [message["content"] for message in messages],
                       [roles.get(message["role"], -1) for message in messages])
        return _copied("i", "chat_encode", self, self._model, turns, len(turns)).tolist()

    def chat_stop_ids(self) -> list[int]:
        return _copied("i", "chat_stop_ids", self, self._model).tolist()


class _Pass(_Handle):
    def __init__(self, model: Model):
        options = _new("pass_options", threads=model.threads, max_logits=64)
        self._own("pass_free", "pass_new", model, options)


class Snapshot(_Handle):
    """What a sequence, or a text at its end, remembered. Immutable."""


class Sequence(_Handle):
    """What a model remembers of one text: a fixed number of bytes, but for global attention."""

    def __init__(self, model: Model, capacity: int = 0):
        self.model = model
        options = _new("sequence_options", capacity=capacity)
        self._own("sequence_free", "sequence_new", model, options)

    @property
    def position(self) -> int:
        """Tokens read so far."""
        return _call("sequence_position", self)

    def feed(self, ids: Ids, logits: Literal["none", "last", "all"] = "last") -> Any:
        """Reads tokens. Returns the logits after the last, float32 [vocab], or all, [n, vocab]."""
        given, vocab = array("i", ids), self.model.info.vocab
        rows = {"none": 0, "last": 1, "all": len(given)}[logits]
        wanted, out = ("none", "last", "all").index(logits), array("f", [0]) * (rows * vocab)
        with self.model._borrowed(_Pass) as runner:
            _call("pass_run", runner, self, given, len(given), wanted, out, rows, None)
        return _floats(out, *[rows] * (logits == "all"), vocab) if rows > 0 else None

    def fork(self) -> Sequence:
        """An independent copy that goes on from the same point."""
        copy = Sequence.__new__(Sequence)
        copy.model = self.model
        return copy._own("sequence_free", "sequence_fork", self)

    def snapshot(self) -> Snapshot:
        """What to come back to by rollback(), or to have texts start from."""
        return Snapshot()._own("snapshot_free", "sequence_snapshot", self)

    def rollback(self, snapshot: Snapshot) -> None:
        """Back, or on, to where a snapshot was taken, of this sequence or another of its model."""
        _call("sequence_rollback", self, snapshot)

    def save(self, file: Path, unread: Ids = ()) -> None:
        """Writes the state to a file, with tokens that were chosen but not fed yet."""
        given = array("i", unread)
        _call("sequence_save", self, os.fsencode(file), given, len(given))

    def restore(self, file: Path) -> list[int]:
        """Takes on a saved state, to the bit. Returns its unread tokens."""
        _call("sequence_restore", self, os.fsencode(file))
        return _lent(ctypes.c_int32, "sequence_unread", self)


@dataclass(frozen=True)
class Completion:
    """A text that is over. The prompt is no part of it."""
    text: str
    tokens: list[int]
    reason: str  # "length", "stop id", "stop string", "capacity" or "cancelled"
    stop: int | str | None  # the id or string that ended it, which is no part of it
    logprobs: list[float]  # of every token, where they were asked for
    top_logprobs: list[list[tuple[int, float]]]  # of every token, the most likely first
    state: Snapshot | None  # for `start` of a text that goes on with `unread` and what then comes
    unread: list[int]
    info: SimpleNamespace  # counts and seconds: griffin_result_info


class Scheduler(_Handle):
    """Generates many texts at once; what becomes of one does not depend on the others, to the bit.
    `draft`, a smaller or coarser model, and `lookup` guess tokens, which changes no text either.

    Options have Hugging Face's names and defaults; do_sample=False takes the most likely tokens,
    max_new_tokens=None ends where the model does, eos_token_id replaces the model's own, logprobs=k
    is of each token and the k most likely, candidate i of num_return_sequences draws with seed + i.
    """

    def __init__(self, model: Model, max_sequences: int = 16, *, prefix_cache_bytes: int = 0,
                 lookup: int = 0, draft: Model | None = None):
        self.tokenizer = model.tokenizer
        self._pieces: dict[int, deque[Any]] = defaultdict(deque)  # of streams; None: that was all
        self._own("scheduler_free", "scheduler_new", model, _new(
            "scheduler_options", threads=model.threads, max_sequences=max_sequences,
            sequence=_new("sequence_options", capacity=model.capacity), lookup=lookup,
            draft=draft or model.draft, prefix_cache_bytes=prefix_cache_bytes))

    def generate(self, prompt: Any, **options: Any) -> Any:
        """The Completion of a text or of ids. A list of them for a list of prompts, and where
        num_return_sequences is given: first those of the first prompt."""
        is_many = not isinstance(prompt, str) and any(hasattr(one, "__len__") for one in prompt)
        candidates = range(options.get("num_return_sequences", 1))
        with contextlib.ExitStack() as stack:
            requests = [stack.enter_context(self._request(one, _NO_EVENTS, **options))
                        for one in (prompt if is_many else [prompt])]
            while self._step():
                pass
            texts = [self._take(*request, i) for request in requests for i in candidates]
        return texts if is_many or "num_return_sequences" in options else texts[0]

    def stream(self, prompt: Prompt, **options: Any) -> abc.Generator[Any, None, Completion]:
        """The pieces of a text as they come (its ids, without a tokenizer). Closing the generator
        ends the text. What it returns in the end is the Completion."""
        events = _TEXTS if self.tokenizer else _TOKENS
        with self._request(prompt, events, num_return_sequences=1, **options) as request:
            pieces = self._pieces[request[0]]
            while True:
                while not pieces:
                    self._step()
                piece = pieces.popleft()
                if piece is None:
                    return self._take(*request, 0)
                yield piece

    def statistics(self) -> SimpleNamespace:
        """What waits, what runs, what was done: griffin_statistics."""
        return _filled("statistics", "scheduler_get_statistics", self)

    @contextlib.contextmanager
    def _request(self, prompt: Prompt, events: int, *, max_new_tokens: int | None = 128,
                 do_sample: bool = False, temperature: float = 1.0, top_k: int = 50,
                 top_p: float = 1.0, min_p: float = 0.0, repetition_penalty: float = 1.0,
                 seed: int = 0, eos_token_id: int | Ids | None = None,
                 stop_strings: str | abc.Sequence[str] = (), num_return_sequences: int = 1,
                 logprobs: int | None = None, start: Snapshot | None = None,
                 keep_state: bool = False) -> abc.Iterator[tuple[int, bool]]:
        """Submits a text, and ends it if it is not over when it is left."""
        if isinstance(prompt, str):
            if self.tokenizer is None:
                raise GriffinError(Status.INVALID_ARGUMENT, "prompt: expected ids, no text")
            prompt = self.tokenizer.encode(prompt, bos=start is None)
        eos = [eos_token_id] if isinstance(eos_token_id, int) else eos_token_id or ()
        stops = [stop_strings] if isinstance(stop_strings, str) else stop_strings
        most = -1 if max_new_tokens is None else max_new_tokens or -2  # 0 stands for a default
        options = _new(
            "generate_options", max_new_tokens=most,
            temperature=temperature if do_sample else 0.0, top_k=top_k, top_p=top_p, min_p=min_p,
            repeat_penalty=repetition_penalty, penalty_last_n=1 << 20, seed=seed,
            stop_ids=array("i", eos), stop_id_count=len(eos), tokenizer=self.tokenizer,
            no_model_stop_ids=int(eos_token_id is not None), stop_strings=_texts("text", stops),
            stop_string_count=len(stops), logprobs=0 if logprobs is None else 1 + logprobs)
        ids, number, is_left = array("i", prompt), ctypes.c_uint64(), ctypes.c_int32()
        _call("scheduler_submit", self, _new(
            "request", prompt=ids, prompt_count=len(ids), options=options, start=start,
            candidates=num_return_sequences, events=events, keep_snapshots=int(keep_state)),
            byref(number))
        try:
            yield number.value, keep_state
        finally:
            if self._finalizer.alive:
                _call("scheduler_cancel", self, number, byref(is_left))
                _call("scheduler_forget", self, number)
                self._pieces.pop(number.value, None)
                if is_left:
                    self._step()  # which ends it

    def _step(self) -> bool:
        """One pass, of all texts. Returns whether there is more to do."""
        more, event = ctypes.c_int32(), _new("event")
        _call("scheduler_step", self, byref(more))
        while _call("scheduler_next_event", self, event) == Status.OK:
            piece = {1: event.id, 2: _string(event), 3: None}[event.kind]
            self._pieces[event.request].append(piece)
        return more.value != 0

    def _take(self, request: int, keep_state: bool, candidate: int) -> Completion:
        which = self, request, candidate
        state = None
        if keep_state:
            state = Snapshot()._own("snapshot_free", "scheduler_take_snapshot", *which)
        with _Handle()._own("result_free", "scheduler_take_result", *which) as result:
            _call("result_error", result)
            info = _filled("result_info", "result_get_info", result)
            tokens = _lent(ctypes.c_int32, "result_tokens", result)
            top = [(one.id, one.logprob)
                   for one in _lent(_structs["token_logprob"], "result_top_logprobs", result)]
            most = len(top) // max(1, len(tokens))
            return Completion(
                text=_string(_call("result_text", result)), tokens=tokens, state=state, info=info,
                reason=_call("stop_reason_name", info.reason).decode(),
                stop=_string(_call("result_stop_string", result)) or
                     (info.stop_id if info.stop_id >= 0 else None),
                logprobs=_lent(ctypes.c_float, "result_logprobs", result),
                top_logprobs=[top[i * most:(i + 1) * most] for i in range(len(tokens))],
                unread=tokens[info.fed_back:])


# The C API over again: members of structs, then results and parameters of functions, by type.
_TYPES: dict[str, Any] = {
    "p": ctypes.c_void_p, "z": ctypes.c_size_t, "i": ctypes.c_int32, "q": ctypes.c_int64,
    "Q": ctypes.c_uint64, "f": ctypes.c_float, "d": ctypes.c_double, "s": ctypes.c_char_p,
    "m": ctypes.c_char * 1024, "-": None}
_STRUCTS = """\
error: z struct_size, i status, m message
text: p data, z size
token_logprob: i id, f logprob
turn: i role, p data, z size
load_options: z struct_size, i weights, i activations, q window, p progress, p progress_user, \
 p notice, p notice_user, i access, i greedy_head
model_info: z struct_size, q vocab, q width, q depth, q window, q parameters, Q weight_bytes, \
 Q fingerprint, d load_seconds, i dtype, i bos, i needs_capacity, i greedy_head
sequence_options: z struct_size, q capacity, i kv, i reserved
pass_options: z struct_size, q threads, q max_rows, q max_logits
generate_options: z struct_size, q max_new_tokens, f temperature, f top_p, f min_p, \
 f repeat_penalty, f presence_penalty, f frequency_penalty, i top_k, i penalty_last_n, Q seed, \
 Q first_draw, p logit_bias, z logit_bias_count, p stop_ids, z stop_id_count, p stop_strings, \
 z stop_string_count, p seen, z seen_count, i logprobs, i prompt_logprobs, i no_model_stop_ids, \
 i prompt_not_seen, p tokenizer, p on_logits, p on_logits_user
scheduler_options: z struct_size, q threads, q max_sequences, q max_tokens_per_pass, p sequence, \
 Q prefix_cache_bytes, q lookup, p draft, q draft_most, i always_guess, i reserved, q max_logits
request: z struct_size, p prompt, z prompt_count, p options, p start, q candidates, Q cache_key, \
 i events, i keep_snapshots
event: z struct_size, Q request, q candidate, i kind, i id, f logprob, i reserved, p data, z size, \
 q done, q total
statistics: z struct_size, q waiting, q running, Q passes, Q rows, q most_rows, Q draft_passes, \
 Q draft_rows, q cache_entries, Q cache_bytes, Q cache_hits, Q cache_misses, Q cache_evictions
result_info: z struct_size, i reason, i stop_id, f stop_logprob, i reserved, q candidate, \
 q prompt_tokens, q reused_tokens, q decode_passes, q fed_back, q guessed, q accepted, \
 q draft_passes, d mean_logprob, d queued_seconds, d prefill_seconds, d decode_seconds, \
 d first_token_seconds"""
_FUNCTIONS = """abi i  sizeof zs  stop_reason_name si
    model_load ipppp  model_random ipiQpp  model_share ippp  model_get_info ippp  model_free -p
    tokenizer_load ipppp  tokenizer_bos ipppp  tokenizer_encode ippzpzpp
    tokenizer_decode ippzpzpp  tokenizer_free -p  chat_encode ipppzpzpp  chat_stop_ids ipppzpp
    sequence_new ipppp  sequence_fork ippp  sequence_snapshot ippp  sequence_rollback ippp
    sequence_save ipppzp  sequence_restore ippp  sequence_unread ppp  sequence_position qp
    sequence_free -p  snapshot_free -p
    pass_new ipppp  pass_run ipppzipzpp  pass_logprobs ippzppp  pass_free -p
    scheduler_new ipppp  scheduler_submit ipppp  scheduler_cancel ipQpp  scheduler_step ippp
    scheduler_next_event ippp  scheduler_take_result ipQqpp  scheduler_take_snapshot ipQqpp
    scheduler_get_statistics ippp  scheduler_forget -pQ  scheduler_free -p
    result_get_info ippp  result_error ipp  result_tokens ppp  result_logprobs ppp
    result_top_logprobs ppp  result_text tp  result_stop_string tp  result_free -p""".split()
_DTYPES = {"auto": 0, "f32": 1, "bf16": 2, "f16": 3, "int8": 4, "int4": 5,
           "float32": 1, "bfloat16": 2, "float16": 3}
_TOKENS, _TEXTS, _NO_EVENTS = 2, 4, 8  # what a request reports, beside its end


def _declare(members: str) -> Any:
    fields = [(member.split()[1], _TYPES[member.split()[0]]) for member in members.split(", ")]
    return type("Struct", (ctypes.Structure,), {"_fields_": fields})


_structs = {name: _declare(members)
            for name, members in (line.split(": ") for line in _STRUCTS.splitlines())}
_TYPES["t"] = _structs["text"]
_library: ctypes.CDLL | None = None


def load_library(path: Path | None = None) -> ctypes.CDLL:
    """Loads the C library, once: from `path`, else where GRIFFIN_LIBRARY in the environment says,
    else beside this file, else where the system's loader finds it. Done at the first use of it."""
    global _library
    if _library is not None and path in (None, _library._name):
        return _library
    if _library is not None:
        raise RuntimeError(f"{path}: {_library._name} is loaded already")
    soname = "libgriffin_c.so.0"
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), soname)
    found = path or os.environ.get("GRIFFIN_LIBRARY")
    library = ctypes.CDLL(os.fspath(found or (beside if os.path.exists(beside) else soname)))
    for name, types in zip(_FUNCTIONS[::2], _FUNCTIONS[1::2]):
        function = getattr(library, f"griffin_{name}")
        function.restype, *function.argtypes = (_TYPES[code] for code in types)
    for name, struct in _structs.items():  # those of a newer library may be longer
        size, known = library.griffin_sizeof(f"griffin_{name}".encode()), ctypes.sizeof(struct)
        if library.griffin_abi() != 0 or size < known:
            raise ImportError(f"{library._name} does not go with {__file__}: griffin_{name} has "
                              f"{size} bytes, expected {known}")
    _library = library
    return library


def _call(name: str, *arguments: Any) -> Any:
    """Calls a function of the library. If it gives a status, raises what that says."""
    function = getattr(load_library(), f"griffin_{name}")
    plain = tuple(map(_plain, arguments))
    if len(function.argtypes) == len(plain):
        return function(*plain)
    error = _new("error")
    status = function(*plain, byref(error))
    if status in (Status.OK, Status.NO_EVENT):
        return status
    kind = GriffinMemoryError if status == Status.OUT_OF_MEMORY else GriffinError
    raise kind(Status(status), error.message.decode("utf-8", "replace"))


def _plain(value: Any) -> Any:
    """A number, or the address of what a pointer is to point to."""
    if isinstance(value, _Handle):
        return value.address
    if isinstance(value, array):
        return value.buffer_info()[0]
    return ctypes.addressof(value) if isinstance(value, (ctypes.Structure, ctypes.Array)) else value


def _new(name: str, **members: Any) -> Any:
    """A struct. What its pointers point to lives as long as it does."""
    struct = _structs[name](ctypes.sizeof(_structs[name]))
    struct.kept = members
    for member, value in members.items():
        setattr(struct, member, _plain(value))
        if isinstance(value, int) and getattr(struct, member) != value:
            raise GriffinError(Status.INVALID_ARGUMENT, f"{member}: {value} is out of range")
    return struct


def _filled(name: str, function: str, handle: _Handle) -> SimpleNamespace:
    """A struct that a function fills in."""
    struct = _new(name)
    _call(function, handle, struct)
    return SimpleNamespace(**{member: getattr(struct, member) for member, _ in struct._fields_[1:]})


def _copied(code: str, name: str, *arguments: Any) -> array[Any]:
    """What a function copies to a buffer."""
    needed = ctypes.c_size_t()
    with contextlib.suppress(GriffinError):  # for want of room; what else there is comes again
        _call(name, *arguments, None, 0, byref(needed))
    buffer = array(code, [0]) * needed.value
    _call(name, *arguments, buffer, len(buffer), byref(needed))
    return buffer


def _lent(element: Any, name: str, handle: _Handle) -> list[Any]:
    """What a function shows of an array of its own."""
    count = ctypes.c_size_t()
    data = _call(name, handle, byref(count))
    return list((element * count.value).from_address(data)) if count.value else []


def _texts(name: str, texts: abc.Iterable[str], *columns: abc.Iterable[Any]) -> Any:
    """An array of structs that end in a text."""
    buffers = [ctypes.create_string_buffer(text.encode()) for text in texts]
    rows = zip(*columns, map(ctypes.addressof, buffers), (len(buffer) - 1 for buffer in buffers))
    structs = (_structs[name] * len(buffers))(*rows)
    structs.kept = buffers
    return structs


def _string(text: Any) -> str:
    return ctypes.string_at(text.data, text.size).decode("utf-8", "replace")


def _floats(numbers: array[float], *shape: int) -> Any:
    if numpy is not None:
        return numpy.frombuffer(numbers, numpy.float32).reshape(shape)
    return memoryview(numbers).cast("B").cast("f", shape) if len(shape) > 1 else memoryview(numbers)
