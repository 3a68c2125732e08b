"""Many entries into one; the gradient is spread back over them."""

from __future__ import annotations

import numpy as np

from ..tape import primitive
from ..types import Array, Axes

__all__ = ["max", "mean", "min", "sum", "var"]


def _axes(axis):
    """NumPy takes several axes as a tuple only."""
    return tuple(axis) if isinstance(axis, list) else axis


def _spread(dy, x, axis, keepdims):
    """Put the axes back that a reduction took away, so that `dy` broadcasts against `x`."""
    axis = _axes(axis)
    if axis is None or keepdims:
        return np.reshape(dy, (1,) * x.ndim) if axis is None else dy
    axis = axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(dy, tuple(a % x.ndim for a in axis))


@primitive
def sum(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """y = sum of x over `axis` (an int, a tuple, or None for all)."""
    return np.sum(x, axis=_axes(axis), keepdims=bool(keepdims))

@sum.defvjp
def sum_vjp(dy, y, x, axis, keepdims):
    """Each summand has weight one, so dy is broadcast back."""
    return np.broadcast_to(_spread(dy, x, axis, keepdims), x.shape)


@primitive
def mean(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """y = mean of x over `axis` (an int, a tuple, or None for all)."""
    return np.mean(x, axis=_axes(axis), keepdims=bool(keepdims))

@mean.defvjp
def mean_vjp(dy, y, x, axis, keepdims):
    return sum_vjp(dy, y, x, axis, keepdims) * np.asarray(np.size(y) / np.maximum(x.size, 1)).astype(x.dtype)


@primitive
def var(x: Array, axis: Axes | None = None, keepdims: bool = False,
        correction: float = 0) -> Array:
    """y = sum (x - mean)^2 / (count - correction) over `axis`."""
    return np.var(x, axis=_axes(axis), keepdims=bool(keepdims), ddof=correction)

@var.defvjp
def var_vjp(dy, y, x, axis, keepdims, correction):
    """dx = 2 (x - mean) dy / (count - correction); the mean's own path sums to zero."""
    centred = x - np.mean(x, axis=_axes(axis), keepdims=True)
    return _spread(dy, x, axis, keepdims) * centred * (2 / (x.size / np.size(y) - correction))


@primitive
def max(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """y = the largest entry of x along `axis`; equal maxima share the gradient evenly, as torch.amax does."""
    return np.max(x, axis=_axes(axis), keepdims=bool(keepdims))

@max.defvjp
def max_vjp(dy, y, x, axis, keepdims):
    hit = np.equal(x, _spread(y, x, axis, keepdims)).astype(x.dtype)
    return _spread(dy, x, axis, keepdims) * hit / np.sum(hit, axis=_axes(axis), keepdims=True)


@primitive
def min(x: Array, axis: Axes | None = None, keepdims: bool = False) -> Array:
    """y = the smallest entry of x along `axis`; equal minima share the gradient evenly, as torch.amin does."""
    return np.min(x, axis=_axes(axis), keepdims=bool(keepdims))

@min.defvjp
def min_vjp(dy, y, x, axis, keepdims):
    return max_vjp(dy, y, x, axis, keepdims)
