"""What crosses between the jail and the grader: frames of JSON and raw numeric arrays, decoded strictly. Never pickle.

A frame is two lengths, a JSON text and the bytes of its arrays. In the text a plain number, string, True,
False or None stands for itself; all else is a list that begins with a tag. Values cross as data: an object
that claims to equal everything arrives as the number, list or array it is made of, or not at all.

Standard library and NumPy only: the jail reads this file without the package around it.
"""

from __future__ import annotations

import json
import math
import re
import socket
import struct
import time
from typing import ClassVar

import numpy as np

HEADER = struct.Struct("!II")
TICK = 0.05
DEEPEST = 50
LONGEST_TEXT = 4 * 2**20
MOST_BITS = 2**17
MOST_KEYS = 4000
KINDS = re.compile(r"[<>|][biufc](?:1|2|4|8|16|32)")


_asarray = np.asarray  # an answer may put something else in its place


class Refused(TypeError):
    """A value that does not cross; the message says which and why."""


class Garbled(ValueError):
    """What came is not what `encode` makes."""


# --- values to trees ---------------------------------------------------------------------------------------


def encode(value):
    """A JSON tree and the list of buffers of its arrays. Raises Refused where a value is not plain data."""
    buffers = []
    return _tree(value, buffers, 0), buffers


def _tree(value, buffers, depth):
    if depth > DEEPEST:
        raise Refused(f"it is nested more than {DEEPEST} deep")
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    tree = _EXACT.get(kind) or next((tree for kinds, tree in _TREES if isinstance(value, kinds)), None)
    if tree:
        return tree(value, buffers, depth + 1)
    raise Refused(f"it is of type {type(value).__name__}, expected numbers, strings, lists, tuples, dicts or arrays")


def _of_int(value, buffers, depth):
    value = int(value)
    if value.bit_length() > MOST_BITS:
        raise Refused(f"it is an integer of {value.bit_length()} bits, at most {MOST_BITS} cross")
    return value if value.bit_length() < 64 else ["i", hex(value)]


def _of_float(value, buffers, depth):
    value = float(value)
    return value if math.isfinite(value) else ["f", repr(value)]


def _of_complex(value, buffers, depth):
    return ["c", _of_float(value.real, buffers, depth), _of_float(value.imag, buffers, depth)]


def _of_many(tag):
    def tree(value, buffers, depth):
        if len(value) > LONGEST_TEXT // 2:
            raise Refused(f"it has {len(value)} items: too much, where an array would do")
        return [tag, [_tree(item, buffers, depth) for item in value]]

    return tree


def _of_dict(value, buffers, depth):
    return ["d", [[_tree(k, buffers, depth), _tree(v, buffers, depth)] for k, v in value.items()]]


def _of_array(value, buffers, depth):
    array = _asarray(value)
    if array.dtype.kind == "U":
        return ["u", list(array.shape), array.ravel().tolist()]
    if array.dtype.kind not in "biufc":
        raise Refused(f"it is an array of dtype {array.dtype}, expected numbers")
    buffers.append(array.tobytes())
    return ["a", array.dtype.str, list(array.shape)]


def _of_scalar(value, buffers, depth):
    if isinstance(value, np.str_):
        return str(value)
    return ["s", _of_array(value, buffers, depth)]


_TREES = [  # in this order: a NumPy float64 is a float, too, and stays a NumPy scalar
    (np.ndarray, _of_array),
    (np.generic, _of_scalar),
    (int, _of_int),
    (float, _of_float),
    (complex, _of_complex),
    (str, lambda value, buffers, depth: str.__str__(value)),
    (tuple, _of_many("t")),
    (list, _of_many("l")),
    (dict, _of_dict),
    (set | frozenset, _of_many("e")),
    (range, lambda value, *at: ["r", *(_of_int(n, *at) for n in (value.start, value.stop, value.step))]),
]
_EXACT = {kind: tree for kind, tree in _TREES if isinstance(kind, type) and kind is not np.generic}


# --- trees to values ---------------------------------------------------------------------------------------


def decode(tree, raw):
    """The value of a tree and the bytes of its arrays. Raises Garbled where they are not what `encode` makes.

    What comes out costs no more memory than about what came in, even after `np.asarray` made it an array.
    """
    try:
        return _Decoder(raw).whole(tree)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError, RecursionError, MemoryError) as e:
        raise Garbled(f"no value: {str(e)[:100]}") from None


class _Decoder:
    def __init__(self, raw):
        self.raw, self.at, self.items, self.keys, self.longest = memoryview(raw), 0, 0, 0, 0

    def whole(self, tree):
        value = self.value(tree, 0)
        if self.at != len(self.raw):
            raise Garbled(f"{len(self.raw)} bytes of arrays, {self.at} are used")
        if self.items * self.longest > LONGEST_TEXT:  # an array of strings pads all to the longest
            raise Garbled(f"{self.items} items and a string of {self.longest} characters are too much together")
        return value

    def value(self, tree, depth):
        self.items += 1
        if depth > DEEPEST:
            raise Garbled(f"nested more than {DEEPEST} deep")
        if tree is None or type(tree) in (bool, int, float):
            return tree
        if type(tree) is str:
            self.longest = max(self.longest, len(tree))
            return tree
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            raise Garbled("neither a plain value nor a list with a tag")
        if tree[0] not in self.TAGS:
            raise Garbled("an unknown tag")
        return self.TAGS[tree[0]](self, depth + 1, *tree[1:])

    def many(self, trees, depth):
        if type(trees) is not list:
            raise Garbled("a list is expected after its tag")
        return [self.value(tree, depth) for tree in trees]

    def of_l(self, depth, trees):
        return self.many(trees, depth)

    def of_t(self, depth, trees):
        return tuple(self.many(trees, depth))

    def key(self, tree, depth):
        key = self.value(tree, depth)
        self.keys += type(key) is not str
        if self.keys > MOST_KEYS:  # numbers can be chosen so that all fall into one place of the table
            raise Garbled(f"more than {MOST_KEYS} keys that are no strings")
        return key

    def of_e(self, depth, trees):
        return {self.key(tree, depth) for tree in trees}

    def of_d(self, depth, pairs):
        return {self.key(key, depth): self.value(value, depth) for key, value in pairs}

    def of_i(self, depth, digits):
        if len(digits) > MOST_BITS // 4 + 3:
            raise Garbled("an integer too long")
        return int(digits, 16)

    def of_f(self, depth, text):
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}[text]

    def of_c(self, depth, real, imag):
        return complex(*(float(self.value(part, depth)) for part in (real, imag)))

    def of_r(self, depth, start, stop, step):
        ends = [self.value(n, depth) for n in (start, stop, step)]
        if not all(type(n) is int for n in ends):
            raise Garbled("a range of what is no integer")
        value = range(*ends)
        self.items += len(value)
        if self.items > LONGEST_TEXT:
            raise Garbled(f"a range of {len(value)} numbers")
        return value

    def of_u(self, depth, shape, strings):
        if not all(type(s) is str for s in strings):
            raise Garbled("an array of strings holds something else")
        return np.array(self.many(strings, depth), str).reshape(_sizes(shape))

    def of_s(self, depth, tree):
        array = self.value(tree, depth)
        if not isinstance(array, np.ndarray) or array.ndim:
            raise Garbled("a scalar is an array without sizes")
        return array[()]

    def of_a(self, depth, dtype, shape):
        if not KINDS.fullmatch(dtype):
            raise Garbled("an array of a dtype that does not cross")
        dtype, shape = np.dtype(dtype), _sizes(shape)
        size = math.prod(shape) * dtype.itemsize
        part = self.raw[self.at:self.at + size]
        if len(part) != size:
            raise Garbled(f"an array of {size} bytes, {len(part)} are there")
        self.at += size
        if dtype.kind == "b" and size and np.frombuffer(part, np.uint8).max() > 1:
            raise Garbled("truth values other than 0 and 1")
        return np.ndarray(shape, dtype, part).copy()

    TAGS: ClassVar = {"l": of_l, "t": of_t, "e": of_e, "d": of_d, "i": of_i, "f": of_f, "c": of_c, "r": of_r, "u": of_u,
                      "s": of_s, "a": of_a}


def _sizes(shape):
    if len(shape) > 32 or not all(type(n) is int and n >= 0 for n in shape):
        raise Garbled("sizes that no array has")
    if math.prod(max(n, 1) for n in shape) > 2**31:
        raise Garbled("an array of more than 2**31 entries")
    return tuple(shape)


# --- frames ------------------------------------------------------------------------------------------------


_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_DECODER = json.JSONDecoder(parse_constant=dict[str, float]().__getitem__)  # NaN is no JSON: a KeyError


def pack(value):
    """The frame of a value, as bytes. Raises Refused where it is not plain data."""
    tree, buffers = encode(value)
    text = _ENCODER.encode(tree).encode()
    size = sum(map(len, buffers))
    if max(len(text), size) >= 2**32 or len(text) > LONGEST_TEXT:
        raise Refused(f"it has {len(text) / 2**20:.1f} MB of text and {size / 2**20:.0f} MB of arrays: too much")
    return b"".join([HEADER.pack(len(text), size), text, *buffers])


def unpack(text, raw):
    """The value of a frame's two parts. Raises Garbled."""
    try:
        tree = _DECODER.decode(text.decode("ascii"))
    except (ValueError, KeyError, RecursionError) as e:
        raise Garbled(f"no JSON: {str(e)[:100]}") from None
    return decode(tree, raw)


class Channel:
    """Frames over a connected socket. deadlines=True looks up every TICK seconds: a poll for each frame costs more."""

    def __init__(self, sock, deadlines=False):
        self.sock, self.buffer, self.received = sock, bytearray(), 0
        sock.settimeout(None)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO) if deadlines else ():
            sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", 0, int(TICK * 1e6)))

    def send(self, frame, deadline=math.inf):
        """Send a packed frame. Raises TimeoutError, OSError where the other side is gone."""
        view = memoryview(frame)
        while view:
            try:
                view = view[self.sock.send(view):]
            except BlockingIOError:
                _look(deadline)

    def receive(self, deadline=math.inf, limit=2**32):
        """The next value. Raises TimeoutError, EOFError at the end, Garbled (also above `limit` bytes)."""
        text, raw = HEADER.unpack(self._take(HEADER.size, deadline))
        self.received += text + raw
        if text > LONGEST_TEXT or raw > limit:
            raise Garbled(f"a frame of {text} and {raw} bytes")
        return unpack(self._take(text, deadline), self._take(raw, deadline))

    def _take(self, size, deadline):
        while len(self.buffer) < size:
            try:
                part = self.sock.recv(65536 if size < 65536 else 2**20)
            except BlockingIOError:
                part = None
            if part == b"":
                raise EOFError("the other side is gone")
            self.buffer += part or b""
            if part is None or len(self.buffer) < size:
                _look(deadline)
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken


def _look(deadline):
    if time.monotonic() > deadline:
        raise TimeoutError("the time is up")
