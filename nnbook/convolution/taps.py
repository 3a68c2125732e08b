"""Linear maps along one axis, written as taps: output o takes w times input i.

A tap is a triple (o, i, w); a list of taps is a matrix with few entries that are not
zero, and the transposed matrix is the same list with o and i exchanged. Padding,
average pooling and interpolation are such maps, one axis after the other.
"""

import numpy as np

from ..checks import widened as _widened
from ..tape import primitive, quiet

__all__ = ["take_taps"]


@primitive
@quiet
def take_taps(x, maps, fill=0, divisor=None):
    """y_o = sum w x_i over the taps (o, i, w), one axis after the other.

    `maps` has a tuple (axis, size of y there, o, i, w) for each axis; w None
    means ones. Where an output has no tap it is `fill`. At last y is divided by
    `divisor`.
    """
    y = _widened(x)
    for axis, size, o, i, w in maps:
        y = _along(y, axis, size, o, i, w, fill)
    y = y if divisor is None else _divide(y, divisor)
    return y.astype(x.dtype, copy=False)

@take_taps.defvjp
def take_taps_vjp(dy, y, x, maps, fill, divisor):
    """dx_i = sum w dy_o: the maps transposed, o and i exchanged, in reverse."""
    dx = _widened(dy)
    dx = dx if divisor is None else _divide(dx, divisor)
    for axis, _, o, i, w in reversed(maps):
        dx = _along(dx, axis, x.shape[axis], i, o, w)
    return dx.astype(x.dtype, copy=False)


def _along(x, axis, size, o, i, w, fill=0):
    """The map along one axis. In each pass no output comes twice."""
    y = np.full((*x.shape[:axis], size, *x.shape[axis + 1 :]), fill, x.dtype)
    column = (-1, *(1,) * (x.ndim - axis - 1))
    for k, tap in enumerate(_passes(o)):
        seen, term = _at(axis, o[tap]), _read(x, axis, i[tap])
        if w is not None:
            term = term * w[tap].astype(x.real.dtype).reshape(column)
        y[seen] = term if k == 0 else y[seen] + term
    return y


def _passes(o):
    """The taps in groups: the k-th group has the k-th tap of every output."""
    order = np.argsort(o, kind="stable")
    rank = np.arange(len(o)) - np.searchsorted(o[order], o[order])
    return [order[rank == k] for k in range(rank.max(initial=-1) + 1)]


def _at(axis, places):
    """The index of `places` on an axis: a slice, if evenly spaced."""
    steps = np.diff(places) if len(places) != 1 else np.ones(1, int)
    if len(steps) and steps[0] > 0 and np.all(steps == steps[0]):
        places = slice(int(places[0]), int(places[-1]) + 1, int(steps[0]))
    return (*(slice(None),) * axis, places)


def _read(x, axis, places):
    """The entries at `places`: a view, if evenly spaced."""
    index = _at(axis, places)
    evenly = isinstance(index[-1], slice)
    return x[index] if evenly else np.take(x, places, axis)


def _divide(y, divisor):
    """y / divisor; of integers without the fraction, as in torch."""
    if y.dtype.kind in "iu":
        return (y - np.fmod(y, divisor)) // divisor
    return y / np.asarray(divisor, y.real.dtype)
