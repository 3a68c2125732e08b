"""Padding: more places around the edges, or fewer."""

from __future__ import annotations

import operator
from collections.abc import Sequence

import numpy as np

from ..checks import _check_kinds
from ..tape import plain
from ..types import Array
from .taps import take_taps

__all__ = ["pad"]


def pad(x: Array, pad: Sequence[int], mode: str = "constant",
        value: float | None = None) -> Array:
    """Put places before and after what there is; a negative number cuts.

        y_i = x_j,  j = i - before  where 0 <= j < W; outside
        constant: y_i = value,  replicate: j = the nearer end,
        reflect: j -> -j or 2 (W - 1) - j,  circular: j -> j mod W

    x (N, C, W)  ->  y (N, C, Wo), with pad (before, after)
    `pad` begins with the last axis: (left, right, top, bottom, ...). The mode
    constant takes any number of axes; the others the last 1, 2 or 3, of an x
    with one axis more or two, at most W - 1 places (reflect) or W (circular).
    `value` None means 0. Raises ValueError for lengths, shapes or a mode that
    do not fit, TypeError for other kinds.
    Source: chapter 5, equation (pad).
    """
    value = plain(value)
    pairs = _check_pad(plain(x), pad, mode, value)
    fill = _fill(value, x.dtype) if pairs else 0
    maps = []
    for axis, (before, after) in enumerate(pairs, x.ndim - len(pairs)):
        o, i = _sources(x.shape[axis], before, after, mode)
        maps.append((axis, before + x.shape[axis] + after, o, i, None))
    return take_taps(x, maps, fill)


def _sources(n, before, after, mode):
    """Which outputs o copy which inputs i, of an axis with n places."""
    o = np.arange(before + n + after)
    j = o - before
    if mode == "constant":
        inside = (j >= 0) & (j < n)
        return o[inside], j[inside]
    if mode == "reflect":
        return o, n - 1 - np.abs(n - 1 - np.abs(j))
    if mode == "replicate":
        return o, np.clip(j, 0, n - 1)
    # circular: what is cut does not come back
    first, last = max(-before, 0), n - max(-after, 0)
    return o, first + (j - first) % max(last - first, 1)


# --- checks of arguments ----------------------------------------------------------------------------

COPIES = ("reflect", "replicate", "circular")


def _check_pad(x, pad, mode, value):
    """(before, after) for each padded axis, in the order of the axes."""
    _check_kinds("pad", "fciub", "numbers or booleans", {"x": x})
    if not isinstance(pad, tuple | list) or any(isinstance(p, bool) for p in pad):
        raise TypeError(f"pad: pad is {pad!r}, expected a tuple of integers")
    try:
        pad = [operator.index(p) for p in pad]
    except TypeError:
        raise TypeError(f"pad: pad is {pad!r}, expected a tuple of integers") from None
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: pad has {len(pad)} entries, expected an even number, at most {2 * x.ndim}")
    pairs = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    if mode not in ("constant", *COPIES):
        raise ValueError(f"pad: mode is {mode!r}, expected 'constant', 'reflect', 'replicate' or 'circular'")
    if mode in COPIES:
        _check_copies(x, pairs, mode, value)
    for n, pair in zip(x.shape[x.ndim - len(pairs) :], pairs, strict=True):
        kept = n + sum(min(p, 0) for p in pair) if mode in ("constant", "circular") else n + sum(pair)
        most = {"reflect": n - 1, "circular": kept}.get(mode, max(pair))
        if kept < 0 or max(pair) > max(most, 0):
            raise ValueError(f"pad: pad is {pair} for an axis of size {n} in the mode {mode}, "
                             f"expected at most {max(most, 0)}, and no more cut than there is")
    return pairs


def _check_copies(x, pairs, mode, value):
    if x.dtype.kind == "b" and mode != "circular":
        raise TypeError(f"pad: x has dtype bool in the mode {mode}, expected numbers")
    if value not in (None, 0):
        raise ValueError(f"pad: value is {value!r} in the mode {mode}, expected None")
    if not 1 <= len(pairs) <= 3 or x.ndim - len(pairs) not in (1, 2):
        raise ValueError(f"pad: pad has {2 * len(pairs)} entries and x has {x.ndim} axes in the mode {mode}, "
                         "expected 2, 4 or 6 entries and one axis or two that stay")
    spatial = x.shape[x.ndim - len(pairs) :]
    padded = tuple(n + b + a for n, (b, a) in zip(spatial, pairs, strict=True))
    if mode != "circular" and (0 in x.shape[x.ndim - len(pairs) - 1 :] or max(padded) < 1):
        raise ValueError(f"pad: x has shape {x.shape} and would have {padded} after it in the mode {mode}, "
                         "expected no empty axis but the batch")


def _fill(value, dtype):
    """The constant as x's dtype holds it. Raises ValueError where it does not fit."""
    value = 0 if value is None else value
    kind = np.asarray(value).dtype.kind
    if np.ndim(value) or (kind not in "fiub" and not kind == dtype.kind == "c"):
        raise TypeError(f"pad: value is {value!r}, expected a number as in x, {dtype}")
    try:
        with np.errstate(over="raise", invalid="raise"):
            number = np.trunc(value) if dtype.kind in "iu" else np.asarray(value)
            fill = number.astype(dtype)
        fits = dtype.kind not in "iu" or number == fill
    except (FloatingPointError, OverflowError):
        fits = False
    if not fits:
        raise ValueError(f"pad: value is {value!r}, expected what {dtype} can hold")
    return fill
