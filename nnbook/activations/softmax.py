"""Softmax and its kin: scores become probabilities, or their logarithms, without overflow."""

from __future__ import annotations

import numpy as np

from ..arrays import neg
from ..checks import as_floating, check_axis, check_floating, widened
from ..tape import plain, primitive, quiet
from ..types import Array, Axes

__all__ = ["log_softmax", "logsumexp", "softmax", "softmin"]


@primitive
@quiet
def softmax(x: Array, axis: int = -1) -> Array:
    """Turn scores into probabilities.

        y_i = exp(x_i) / sum_j exp(x_j)

    x (..., V)  ->  y (..., V)
    The maximum is subtracted first, so nothing overflows; where all scores
    are -inf the result is nan, as in torch. Raises TypeError unless x is
    floating point, ValueError where x has no such axis.
    Source: chapter 3, equation (softmax).
    """
    check_floating("softmax", x=x)
    axis = check_axis("softmax", axis, x.ndim)
    if x.ndim == 0:
        return softmax(x[None], 0)[0]
    e = np.exp(widened(_shifted(x, axis)))
    e /= np.sum(e, axis=axis, keepdims=True)
    return e.astype(x.dtype, copy=False)

@softmax.defvjp
def softmax_vjp(dy, y, x, axis):
    """dx = y * (dy - <y, dy>): the Jacobian diag(y) - y y^T is never formed."""
    axis = axis if np.ndim(x) else None
    dx = dy - np.sum(y * dy, axis=axis, keepdims=True)
    dx *= y
    return dx


def softmin(x: Array, axis: int = -1) -> Array:
    """Softmax of the negated scores: the smallest score wins.

        y_i = exp(-x_i) / sum_j exp(-x_j)

    x (..., V)  ->  y (..., V)
    Raises TypeError unless x is floating point, ValueError where x has no
    such axis.
    Source: chapter 3, equation (softmin).
    """
    check_floating("softmin", x=plain(x))
    return softmax(neg(x), axis)


@primitive
@quiet
def log_softmax(x: Array, axis: int = -1) -> Array:
    """The logarithm of softmax, exact where a probability is 0 to rounding.

        y_i = x_i - ln sum_j exp(x_j)

    x (..., V)  ->  y (..., V)
    Raises TypeError unless x is floating point, ValueError where x has no
    such axis.
    Source: chapter 3, equation (log_softmax).
    """
    check_floating("log_softmax", x=x)
    axis = check_axis("log_softmax", axis, x.ndim)
    if x.ndim == 0:
        return log_softmax(x[None], 0)[0]
    y = widened(_shifted(x, axis))
    y -= np.log(np.sum(np.exp(y), axis=axis, keepdims=True))
    return y.astype(x.dtype, copy=False)

@log_softmax.defvjp
def log_softmax_vjp(dy, y, x, axis):
    """dx = dy - softmax(x) * sum_j dy_j."""
    axis = axis if np.ndim(x) else None
    dx = np.exp(y)
    dx *= -np.sum(dy, axis=axis, keepdims=True)
    dx += dy
    return dx


@primitive
@quiet
def logsumexp(x: Array, axis: Axes, keepdims: bool = False) -> Array:
    """A smooth maximum: the logarithm of a sum of exponentials.

        y = ln sum_j exp(x_j)

    x (..., V)  ->  y (...)
    `axis` is an integer or a tuple of them. Integers become float32, as in
    torch. Raises TypeError unless x is an array of numbers, ValueError where
    x has no such axis.
    Source: chapter 3, equation (logsumexp).
    """
    x = as_floating("logsumexp", x)
    axis = _axes("logsumexp", axis, x.ndim)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    e = np.exp(widened(x - largest))
    y = np.log(np.sum(e, axis=axis, keepdims=True)) + largest
    y = y.astype(x.dtype, copy=False)
    return y if keepdims else np.squeeze(y, axis)

@logsumexp.defvjp
def logsumexp_vjp(dy, y, x, axis, keepdims):
    """dx = dy softmax(x)."""
    axis = _axes("logsumexp", axis, x.ndim)
    dy, y = (a if keepdims else np.expand_dims(a, axis) for a in (dy, y))
    return dy * np.exp(x - np.where(np.isfinite(y), y, 0))


def _axes(function, axis, ndim):
    """One axis or a tuple of them as a tuple of numbers from 0; none at all means every axis."""
    axes = tuple(check_axis(function, a, ndim) for a in (axis if isinstance(axis, tuple | list) else (axis,)))
    if len(set(axes)) < len(axes):
        raise ValueError(f"{function}: axis is {axis}, expected each axis once")
    return (axes or tuple(range(ndim))) if ndim else ()


def _shifted(x, axis):
    """x minus its maximum along `axis`, which changes no probability; a maximum of -inf shifts nothing."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - largest
