"""What crosses between jail and grader: exactly the value, or a reason. What no encoder makes is refused."""

import enum
import json
import math
import socket
import struct
import time
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnbook.grading import wire
from nnbook.grading.wire import Garbled, Refused

Pair = namedtuple("Pair", "a b")


class Colour(enum.IntEnum):
    RED = 3


def across(value):
    frame = wire.pack(value)
    text, raw = wire.HEADER.unpack(frame[:8])
    assert len(frame) == 8 + text + raw
    return wire.unpack(frame[8:8 + text], frame[8 + text:])


def kind(value):
    return type(value).__name__ if not isinstance(value, str) or len(value) < 2 else value


def alike(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray | np.generic):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(alike, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(alike, a.values(), b.values()))
    return a == b or (a != a and b != b)


KINDS = st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(endianness="?"), hnp.unsigned_integer_dtypes(endianness="?"),
                  hnp.floating_dtypes(endianness="?"), hnp.complex_number_dtypes(endianness="?"))
ARRAYS = hnp.arrays(KINDS, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.integers(-2**300, 2**300), st.floats(),
                  st.complex_numbers(), st.text(), ARRAYS)
KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.none())
VALUES = st.recursive(PLAIN, lambda inner: st.one_of(
    st.lists(inner, max_size=4), st.lists(inner, max_size=4).map(tuple),
    st.dictionaries(KEYS, inner, max_size=4)), max_leaves=12)


@given(VALUES)
def test_plain_data_arrives_as_it_was(value):
    assert alike(across(value), value)


@pytest.mark.parametrize("value", [
    np.float32(1.5), np.int8(-3), np.bool_(True), np.complex64(1 - 2j), np.longdouble(1) / 3, np.array(5),
    np.array([], "f4"),
    np.zeros((0, 3)), -0.0, math.inf, -math.inf, math.nan, complex(math.nan, -math.inf), 2**63, -(2**63) - 1, 2**10000,
    "\ud800", "\0", (), [], {}, ((),), [()], {(1, 2): [3]}, range(5, 0, -2)], ids=kind)
def test_corners_arrive_as_they_were(value):
    assert alike(across(value), value)


def test_minus_zero_and_sets_and_strings_of_arrays():
    assert math.copysign(1, across(-0.0)) == -1
    assert across({1, 2, "a"}) == {1, 2, "a"} and across(frozenset({1})) == {1}
    words = across(np.array([["a", "bcd"]]))
    assert words.dtype.kind == "U" and words.tolist() == [["a", "bcd"]]
    assert across(np.str_("a")) == "a"


def test_subclasses_arrive_as_what_they_are_made_of():
    for value, base in [(Pair(1, 2), (1, 2)), (Colour.RED, 3), (OrderedDict(a=1), {"a": 1}), (True, True)]:
        assert alike(across(value), base)
    matrix = across(np.ma.masked_array([1.0, 2.0], [True, False]))
    assert type(matrix) is np.ndarray and matrix.tolist() == [1.0, 2.0]


def test_an_array_that_crossed_is_ones_own_and_can_be_written():
    x = np.arange(6.0).reshape(2, 3)
    for view in (x.T, x[:, ::2], x[::-1]):
        y = across(view)
        assert np.array_equal(y, view) and y.flags.writeable and not np.shares_memory(x, y)


def deep(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


@pytest.mark.parametrize(("value", "reason"), [
    (object(), "of type object"), (print, "builtin_function"), ((x for x in ()), "generator"), (b"x", "bytes"),
    (np.array([object()]), "dtype object"), (np.array(["2020"], "M8[Y]"), "dtype datetime64"), (int, "of type type"),
    (np.zeros(2, "i4,f4"), "dtype"), (deep(60), "more than 50 deep"), (1 << 10**6, "1000001 bits"), ({1: b""}, "bytes"),
    ([0.5] * 10**7, "too much")], ids=kind)
def test_what_does_not_cross_is_refused_with_a_reason(value, reason):
    with pytest.raises(Refused, match=reason):
        wire.pack(value)


@pytest.mark.parametrize("tree", [
    {}, {"a": 1}, [], [1], [None], ["x"], ["__class__"], ["whole", 1], ["l"], ["l", 1], ["l", [1], 2], ["t", "ab"],
    ["d", [1]], ["d", [[1, 2, 3]]], ["d", [[["l", []], 1]]], ["e", [["l", []]]], ["i", "zz"], ["i", 5],
    ["i", "0x" + "f" * 40_000], ["f", "1"], ["f", []], ["c", 1], ["c", "a", "b"], ["r", 0, 10**9, 1],
    ["r", 0, 10, 0], ["r", 0.5, 1, 1], ["s", 1], ["s", ["l", []]], ["s", ["a", "<f8", [1]]], ["u", [2], ["a"]],
    ["u", [1], [1]], ["u", [-1], ["a"]], ["a", "O", [1]], ["a", "<M8", [1]], ["a", "<f8", [1]], ["a", "<f8", [-1]],
    ["a", "<f8", [1.0]], ["a", "<f8", [True]], ["a", "<f8", 3], ["a", "<f3", [1]], ["a", 8, [1]],
    ["a", "<f8", [0, 2**62]], ["a", "<f8", [1] * 40], ["a", "V8", [1]], ["a", "<b4", [1]], ["a", "|S8", [1]]])
def test_trees_that_no_encoder_makes_are_garbled(tree):
    with pytest.raises(Garbled):
        wire.decode(tree, b"")


@pytest.mark.parametrize(("tree", "raw"), [
    (1, b"x"), (["a", "<f8", [1]], b"x" * 16), (["a", "|b1", [2]], b"\0\2"), (["s", ["a", "|b1", []]], b"\xff"),
    (["l", [["a", "<f8", [1]], ["a", "<f8", [1]]]], b"x" * 8)])
def test_bytes_that_do_not_fit_are_garbled(tree, raw):
    with pytest.raises(Garbled):
        wire.decode(tree, raw)


@pytest.mark.parametrize("text", [b"", b"{", b"NaN", b"[Infinity]", b"\xff", b"[" * 100_000, b"9" * 10_000, b"1 2"])
def test_text_that_is_no_json_is_garbled(text):
    with pytest.raises(Garbled):
        wire.unpack(text, b"")


def test_what_comes_out_is_not_much_larger_than_what_came_in():
    for tree in [["l", ["x" * 10**6, *["y"] * 10**4]], ["d", [[["i", hex(n * (2**61 - 1))], 0] for n in range(10**4)]],
                 json.loads("[" * 900 + "]" * 900)]:
        started = time.monotonic()
        with pytest.raises(Garbled):
            wire.decode(tree, b"")
        assert time.monotonic() - started < 2


# --- channels ------------------------------------------------------------------------------------------------


@pytest.fixture
def pair():
    a, b = socket.socketpair()
    with a, b:
        yield wire.Channel(a, deadlines=True), b


def soon(seconds=0.2):
    return time.monotonic() + seconds


def test_frames_arrive_one_by_one_however_they_are_cut(pair):
    channel, other = pair
    data = wire.pack([1, "a"]) + wire.pack(np.arange(3))
    for byte in data:
        other.send(bytes([byte]))
    assert channel.receive(soon(1)) == [1, "a"]
    assert channel.receive(soon(1)).tolist() == [0, 1, 2]


def test_silence_a_trickle_and_the_end_are_noticed(pair):
    channel, other = pair
    with pytest.raises(TimeoutError):
        channel.receive(soon())
    other.send(struct.pack("!II", 10, 0) + b"123")
    with pytest.raises(TimeoutError):
        channel.receive(soon())
    other.close()
    with pytest.raises(EOFError):
        channel.receive(soon())


def test_who_does_not_read_does_not_hold_us_up(pair):
    channel, _ = pair
    with pytest.raises(TimeoutError):
        channel.send(b"x" * 2**24, soon())


def test_a_frame_above_the_limit_is_not_even_read(pair):
    channel, other = pair
    other.send(struct.pack("!II", 10, 2000))
    with pytest.raises(Garbled, match="2000 bytes"):
        channel.receive(soon(), limit=1000)
    other.close()
