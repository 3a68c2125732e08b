"""Linear maps along one axis, written as taps: output o takes w times input i.

A tap is a triple (o, i, w); a list of taps is a matrix with few entries that are not
zero, and the transposed matrix is the same list with o and i exchanged. Padding,
average pooling and interpolation are such maps, one axis after the other.
"""

import numpy as np

from ..tape import primitive

__all__ = ["take_taps"]


@primitive
def take_taps(x, maps, fill=0, divisor=None):
    """y_o = sum w x_i over the taps (o, i, w) of an axis, one axis after the other.

    `maps` has a tuple (axis, size of y there, o, i, w) for each axis; w None means
    ones. Where an output has no tap it is `fill`. At last y is divided by `divisor`.
    """
    y = _widened(x)
    for axis, size, o, i, w in maps:
        y = _along(y, axis, size, o, i, w, fill)
    return (y if divisor is None else _divide(y, divisor)).astype(x.dtype, copy=False)

@take_taps.defvjp
def take_taps_vjp(dy, y, x, maps, fill, divisor):
    """dx_i = sum w dy_o: the transposed maps in reverse, o and i exchanged."""
    dx = _widened(dy) if divisor is None else _divide(_widened(dy), divisor)
    for axis, _, o, i, w in reversed(maps):
        dx = _along(dx, axis, x.shape[axis], i, o, w)
    return dx.astype(x.dtype, copy=False)


def _widened(x):
    """Sums of float16 are added up in float32."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _along(x, axis, size, o, i, w, fill=0):
    """The map along one axis. In each pass no output comes twice."""
    y = np.full((*x.shape[:axis], size, *x.shape[axis + 1 :]), fill, x.dtype)
    column = (-1, *(1,) * (x.ndim - axis - 1))
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is nan, as in torch
        for k, tap in enumerate(_passes(o)):
            seen, term = _at(axis, o[tap]), _read(x, axis, i[tap])
            if w is not None:
                term = term * w[tap].astype(x.real.dtype).reshape(column)
            y[seen] = term if k == 0 else y[seen] + term
    return y


def _passes(o):
    """Indices of taps in groups: the k-th has the k-th tap of every output."""
    order = np.argsort(o, kind="stable")
    rank = np.arange(len(o)) - np.searchsorted(o[order], o[order])
    return [order[rank == k] for k in range(rank.max(initial=-1) + 1)]


def _at(axis, places):
    """The index of `places` on an axis: a slice, if they are evenly spaced."""
    steps = np.diff(places)
    if len(places) == 1 or (len(places) and steps[0] > 0 and np.all(steps == steps[0])):
        step = int(steps[0]) if len(steps) else 1
        places = slice(int(places[0]), int(places[-1]) + 1, step)
    return (*(slice(None),) * axis, places)


def _read(x, axis, places):
    """The entries at `places`; a view, if they are evenly spaced."""
    index = _at(axis, places)
    return x[index] if isinstance(index[-1], slice) else np.take(x, places, axis)


def _divide(y, divisor):
    """y / divisor; of integers without the fraction, as in torch."""
    if y.dtype.kind in "iu":
        return (y - np.fmod(y, divisor)) // divisor
    return y / np.asarray(divisor, y.real.dtype)
