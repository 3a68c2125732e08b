"""Derivatives by evaluation alone: the oracles that every derived gradient is held against.

Derived in chapter 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .types import Array


def _perturbed(f, x, dy, quotient):
    """Fill in d<dy, f(x)>/dx entry by entry: `quotient(g, entry)` differentiates g at the number `entry`."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        raise TypeError(f"x has dtype {x.dtype}, expected floating point")

    def scalar(x):
        y = np.asarray(f(x))
        if dy is None and y.shape != ():
            raise ValueError(f"f returned shape {y.shape}; give dy of that shape to differentiate <dy, f(x)>")
        if dy is not None and y.shape != np.shape(dy):
            raise ValueError(f"dy has shape {np.shape(dy)}, expected the shape of f(x), {y.shape}")
        return np.sum(y if dy is None else y * dy)

    dx = np.zeros(x.shape, np.result_type(x.dtype, np.float64))
    for i in np.ndindex(x.shape):
        def along(entry, i=i):
            moved = x.astype(np.result_type(dx.dtype, type(entry)))
            moved[i] = entry
            return scalar(moved)

        dx[i] = quotient(along, dx.dtype.type(x[i]))
    return dx


def numerical_gradient(f: Callable[..., Any], x: Array, dy: Array | None = None,
                       h: float | None = None) -> Array:
    """The gradient of <dy, f(x)> by central differences.

        dx_i = (<dy, f(x + h e_i)> - <dy, f(x - h e_i)>) / (2 h)

    x (...), dy of the shape of f(x), or None where f(x) is a scalar  ->  dx (...), float64.
    The step `h` is eps^(1/3) max(1, |x_i|) unless given: there the truncation
    error, of order h^2, and the rounding error, of order eps / h, balance,
    and about ten digits are right. Raises TypeError where x is not floating
    point, ValueError where dy has not the shape of f(x).
    Source: chapter 1, equation (central difference).
    """

    def quotient(g, entry):
        step = np.float64(h or np.finfo(np.float64).eps ** (1 / 3) * max(1.0, abs(entry)))
        above, below = entry + step, entry - step
        return (g(above) - g(below)) / (above - below)  # the steps that the machine really took

    return _perturbed(f, x, dy, quotient)


def complex_step_gradient(f: Callable[..., Any], x: Array, dy: Array | None = None,
                          h: float = 1e-20) -> Array:
    """The gradient of <dy, f(x)> by the complex step: no difference is taken, so nothing cancels.

        dx_i = Im <dy, f(x + i h e_i)> / h

    x (...), dy of the shape of f(x), or None where f(x) is a scalar  ->  dx (...), float64.
    Exact to rounding where f is analytic; wrong without warning where f takes
    |x|, max(x, y) or a complex conjugate. Raises TypeError where x is not
    floating point or f drops the imaginary part, ValueError where dy has not
    the shape of f(x).
    Source: Squire and Trapp (1998), Using complex variables to estimate
    derivatives of real functions; chapter 1, equation (complex step).
    """

    def quotient(g, entry):
        y = g(complex(entry, h))
        if not np.iscomplexobj(y):
            raise TypeError("f returned real numbers for a complex x: it drops the imaginary part")
        return y.imag / h

    return _perturbed(f, x, dy, quotient)


def relative_error(a: Array, b: Array) -> float:
    """max |a - b| / max(1, max |b|): one number for how far two arrays are apart (0 where they are empty)."""
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"relative_error: the shapes differ: {a.shape} and {b.shape}")
    return float(np.max(np.abs(a - b), initial=0) / max(1, np.max(np.abs(b), initial=0)))


def _inner(gradient, direction):
    """<gradient, direction>; a gradient of another shape than its array would broadcast, and is wrong."""
    if direction is None:
        return 0.0
    if np.shape(gradient) != np.shape(direction):
        raise AssertionError(f"check_vjp: a gradient has shape {np.shape(gradient)}, "
                             f"expected that of its array, {np.shape(direction)}")
    return np.sum(gradient * direction)


def check_vjp(f: Callable[..., Any], *arrays: Any, rng: np.random.Generator | None = None,
              rtol: float = 1e-6) -> float:
    """Hold the vector-Jacobian product of `f` against central differences along random directions.

        <dy, f(x + h v) - f(x - h v)> / (2 h)  =  <pullback(dy), v>

    Two evaluations of `f` however many arguments there are; `dy` and `v` are
    drawn from `rng`, since an upstream gradient of ones hides mistakes
    (softmax sums to one, so there its true gradient is zero). Arrays that are
    not floating point are held fixed. Returns the relative error; raises
    AssertionError where it is above `rtol`.
    Source: chapter 1, equation (adjoint test).
    """
    from .autodiff import tree_map, vjp

    rng = np.random.default_rng(0) if rng is None else rng
    h = np.finfo(np.float64).eps ** (1 / 3)

    def floating(leaf):
        return leaf is not None and np.asarray(leaf).dtype.kind == "f"

    arrays = tree_map(lambda a: np.asarray(a, np.float64) if floating(a) else a, arrays)
    v = tree_map(lambda a: rng.standard_normal(np.shape(a)) if floating(a) else None, arrays)

    def moved(step):
        return f(*tree_map(lambda a, d: a if d is None else a + step * d, arrays, v))

    y, pullback = vjp(f, *arrays)
    dy = tree_map(lambda part: rng.standard_normal(np.shape(part)), y)
    expected, got = [], []
    tree_map(lambda g, p, m: expected.append(np.sum(g * (p - m)) / (2 * h)), dy, moved(h), moved(-h))
    tree_map(lambda g, d: got.append(_inner(g, d)), pullback(dy), v)
    error = relative_error(np.sum(got), np.sum(expected))
    if not error <= rtol:
        raise AssertionError(f"check_vjp: along a random direction the vjp gives {np.sum(got):.9g}, central "
                             f"differences give {np.sum(expected):.9g} (relative error {error:.1e} > {rtol:.1e})")
    return error
