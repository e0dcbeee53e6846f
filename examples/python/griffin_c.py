# SPDX-License-Identifier: Apache-2.0
"""griffin_c.h over again, on ctypes: what griffin.py stands on."""
from __future__ import annotations

import ctypes
import enum
import glob
import os
import weakref
from array import array
from collections import abc
from ctypes import byref
from types import SimpleNamespace
from typing import Any, Self

try:
    import numpy
except ImportError:
    numpy = None

Path = str | os.PathLike[str]
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


def refused(message: str) -> GriffinError:
    return GriffinError(Status.INVALID_ARGUMENT, message)


def at_least(least: int, **values: int | None) -> None:
    for name, value in values.items():
        if value is not None and value < least:
            raise refused(f"{name}: expected {least} or more, found {value}")


def more_than_zero(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise refused(f"{name}: expected more than 0, found {value}")


def dtype(name: str) -> int:
    known = {"auto": 0, "f32": 1, "bf16": 2, "f16": 3, "int8": 4, "int4": 5,
             "float32": 1, "bfloat16": 2, "float16": 3}
    if name not in known:
        raise refused(f"dtype: expected one of {', '.join(known)}, found {name!r}")
    return known[name]


def path(given: Path) -> bytes:
    name = os.fsencode(given)
    if b"\0" in name:  # which would end it
        raise refused(f"path: expected no zero byte, found {name!r}")
    return name


# Structs and their members; functions with their result and parameters, a letter each. Of a
# griffin_text in a struct there are its two members.
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
_FUNCTIONS = """abi i  sizeof zp  stop_reason_name si
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
    result_top_logprobs ppp  result_text ppp  result_stop_string ppp  result_free -p""".split()


def _declare(members: str) -> Any:
    fields = [(member.split()[1], _TYPES[member.split()[0]]) for member in members.split(", ")]
    return type("Struct", (ctypes.Structure,), {"_fields_": fields})


structs = {name: _declare(members)
           for name, members in (line.split(": ") for line in _STRUCTS.splitlines())}
_library: ctypes.CDLL | None = None


def load_library(path: Path | None = None) -> ctypes.CDLL:
    """Loads the C library, once: from `path`, else where GRIFFIN_LIBRARY in the environment says,
    else beside griffin.py, else in its installation, else where the system's loader finds it. Done
    at the first use of it."""
    global _library
    if _library is not None:
        if path is not None and os.fspath(path) != _library._name:
            raise RuntimeError(f"{path}: {_library._name} is loaded already")
        return _library
    soname = "libgriffin_c.so.0"
    here = os.path.dirname(os.path.abspath(__file__))
    places = [os.path.join(here, soname)]
    if here.endswith("/share/griffin/python"):  # of an installation
        places += sorted(glob.glob(os.path.join(here, "../../../lib*/**", soname), recursive=True))
    beside = next(filter(os.path.exists, places), soname)
    library = ctypes.CDLL(os.fspath(path or os.environ.get("GRIFFIN_LIBRARY") or beside))
    for name, types in zip(_FUNCTIONS[::2], _FUNCTIONS[1::2]):
        function = getattr(library, f"griffin_{name}")
        function.restype, *function.argtypes = (_TYPES[code] for code in types)
    for name, struct in structs.items():  # those of a newer library may be longer
        size, known = library.griffin_sizeof(f"griffin_{name}".encode()), ctypes.sizeof(struct)
        if library.griffin_abi() != 0 or size < known:
            raise ImportError(f"{library._name} does not go with {__file__}: griffin_{name} has "
                              f"{size} bytes, expected {known}")
    _library = library
    return library


class Handle:
    """A handle of the library, which keeps alive what it needs of other ones. Nothing is freed at
    exit, when threads may still be at work with it: the system takes it back."""

    _finalizer: Any = None

    def own(self, free: str, maker: str, *arguments: Any) -> Self:
        """Takes on what `maker` gives through its last parameter but the error."""
        handle = ctypes.c_void_p()
        call(maker, *arguments, byref(handle))
        self._address = handle.value
        self._finalizer = weakref.finalize(self, call, free, handle)
        self._finalizer.atexit = False
        return self

    @property
    def address(self) -> int | None:
        if not self.is_open:
            raise ValueError(f"the {type(self).__name__} is closed")
        return self._address

    @property
    def is_open(self) -> bool:
        return self._finalizer is not None and bool(self._finalizer.alive)

    def close(self) -> None:
        if self.is_open:
            self._finalizer()

    def __reduce__(self) -> Any:
        raise TypeError(f"a {type(self).__name__} can be neither copied nor pickled")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def call(name: str, *arguments: Any) -> Any:
    """Calls a function of the library. If it gives a status, raises what that says."""
    function = getattr(load_library(), f"griffin_{name}")
    plain = tuple(map(_plain, arguments))
    if len(function.argtypes) == len(plain):
        return function(*plain)
    error = new("error")
    status = function(*plain, byref(error))
    if status in (Status.OK, Status.NO_EVENT):
        return status
    kind = GriffinMemoryError if status == Status.OUT_OF_MEMORY else GriffinError
    raise kind(Status(status), error.message.decode("utf-8", "replace"))


def expect(name: str, value: Any, kind: type) -> Any:
    """None, or a handle of a kind: C would take any for any."""
    if value is not None and not isinstance(value, kind):
        raise TypeError(f"{name}: expected a {kind.__name__}, found {type(value).__name__}")
    return value


def items(given: Any) -> Any:
    """What iterates over ids or prompts. Bytes would do, as their own numbers or as memory."""
    if isinstance(given, (str, bytes, bytearray, abc.Mapping)):
        raise TypeError(f"expected ids, found {type(given).__name__}")
    return given


def ids(given: abc.Iterable[int]) -> array[int]:
    return array("i", items(given))


def _plain(value: Any) -> Any:
    """A number, or the address of what a pointer is to point to."""
    if isinstance(value, Handle):
        return value.address
    if isinstance(value, array):
        return value.buffer_info()[0]
    return ctypes.addressof(value) if isinstance(value, (ctypes.Structure, ctypes.Array)) else value


def new(name: str, **members: Any) -> Any:
    """A struct. What its pointers point to lives as long as it does."""
    struct = structs[name](ctypes.sizeof(structs[name]))
    struct.kept = members
    for member, value in members.items():
        setattr(struct, member, _plain(value))
        kept = getattr(struct, member)
        if isinstance(value, int) and isinstance(kept, int) and kept != value:
            raise GriffinError(Status.INVALID_ARGUMENT, f"{member}: {value} is out of range")
    return struct


def filled(name: str, function: str, handle: Handle) -> SimpleNamespace:
    """A struct that a function fills in."""
    struct = new(name)
    call(function, handle, struct)
    return SimpleNamespace(**{member: getattr(struct, member) for member, _ in struct._fields_[1:]})


def copied(code: str, name: str, *arguments: Any, likely: int = 64) -> array[Any]:
    """What a function copies to a buffer. It is called once where `likely` is room enough."""
    needed, buffer = ctypes.c_size_t(), array(code, [0]) * likely
    try:
        call(name, *arguments, buffer, len(buffer), byref(needed))
    except GriffinError as error:
        if error.code != Status.CAPACITY or needed.value <= likely:
            raise
        buffer = array(code, [0]) * needed.value
        call(name, *arguments, buffer, len(buffer), byref(needed))
    return buffer[:needed.value]


def lent(element: Any, name: str, handle: Handle) -> list[Any]:
    """What a function lends: for structs, valid while the handle is."""
    count = ctypes.c_size_t()
    data = call(name, handle, byref(count))
    return list((element * count.value).from_address(data)) if count.value else []


def lent_text(name: str, handle: Handle) -> str:
    size = ctypes.c_size_t()
    data = call(name, handle, byref(size))
    return ctypes.string_at(data, size.value).decode("utf-8", "replace")


def texts(name: str, texts: abc.Iterable[str], *columns: abc.Iterable[Any]) -> Any:
    """An array of structs that end in a text."""
    buffers = [ctypes.create_string_buffer(text.encode()) for text in texts]
    rows = zip(*columns, map(ctypes.addressof, buffers), (len(buffer) - 1 for buffer in buffers))
    filled_in = (structs[name] * len(buffers))(*rows)
    filled_in.kept = buffers
    return filled_in


def floats(numbers: array[float], *shape: int) -> Any:
    """numpy's array of that shape, or a memoryview."""
    if numpy is not None:
        return numpy.frombuffer(numbers, numpy.float32).reshape(shape)
    return memoryview(numbers).cast("B").cast("f", shape) if len(shape) > 1 else memoryview(numbers)


def string(text: Any) -> str:
    return ctypes.string_at(text.data, text.size).decode("utf-8", "replace")
