"""Where a token stands: added as waves, or turned into the queries and keys."""

from __future__ import annotations

import numpy as np

from ..arrays import unbroadcast
from ..checks import as_integer, check_floating
from ..tape import primitive, quiet
from ..types import Array

__all__ = ["rotary_embedding", "sinusoidal_positions"]


def _check_base(function, base):
    if not isinstance(base, int | float | np.number) or isinstance(base, np.complexfloating):
        raise TypeError(f"{function}: base is a {type(base).__name__}, expected a number")
    if not base > 0:
        raise ValueError(f"{function}: base is {base}, expected more than 0")


def _check_sizes(function, **sizes):
    for name, size in sizes.items():
        if as_integer(function, name, size) < 0:
            raise ValueError(f"{function}: {name} is {size}, expected at least 0")


def sinusoidal_positions(T: int, D: int, base: float = 10000.0,
                         dtype: type = np.float64) -> Array:
    """A row of waves for each position, fast to slow, to add to embeddings.

        y_{t,2i}   = sin(t / base^(2i / D))
        y_{t,2i+1} = cos(t / base^(2i / D))

    T, D  ->  y (T, D)
    An odd D ends with a sine that has no cosine. Raises TypeError unless T
    and D are integers and dtype is floating point, ValueError where one is
    negative or base is not above 0.
    Source: chapter 12, equation (sinusoidal_positions); Vaswani et al.
    (2017).
    """
    _check_sizes("sinusoidal_positions", T=T, D=D)
    _check_base("sinusoidal_positions", base)
    if np.dtype(dtype).kind != "f":
        raise TypeError(f"sinusoidal_positions: dtype is {np.dtype(dtype)}, "
                        "expected floating point")
    y: Array = np.empty((T, D), dtype)
    angles = np.arange(T)[:, None] * _frequencies(D, base)
    y[:, 0::2], y[:, 1::2] = np.sin(angles), np.cos(angles[:, : D // 2])
    return y


@primitive
@quiet
def rotary_embedding(x: Array, positions: Array | None = None,
                     base: float = 10000.0,
                     interleaved: bool = True) -> Array:
    """Turn each pair of features by an angle that grows with the position.

        y_{t,2i}   = x_{t,2i} cos a_ti - x_{t,2i+1} sin a_ti
        y_{t,2i+1} = x_{t,2i} sin a_ti + x_{t,2i+1} cos a_ti
        a_ti = positions_t base^(-2i / D)

    x (..., T, D)  ->  y (..., T, D)
    The product of a query and a key then depends on their distance alone.
    `positions`, 0 to T - 1 unless given, broadcasts to x without its last
    axis. `interleaved=False` pairs feature i with i + D / 2, as Llama's
    weights want it. Raises ValueError for an odd D, shapes that do not fit or
    base not above 0, TypeError for other kinds.
    Source: chapter 12, equation (rotary_embedding); Su et al. (2021).
    """
    cos, sin, i, j = _turns(x, positions, base, interleaved)
    y = np.empty_like(x)
    y[..., i] = x[..., i] * cos - x[..., j] * sin
    y[..., j] = x[..., i] * sin + x[..., j] * cos
    return y

@rotary_embedding.defvjp
def rotary_embedding_vjp(dy, y, x, positions, base, interleaved):
    """dx = dy turned back: a rotation's transpose is its inverse;
    da = dy_{2i+1} y_{2i} - dy_{2i} y_{2i+1}."""
    cos, sin, i, j = _turns(x, positions, base, interleaved)
    dx = np.empty_like(dy)
    dx[..., i] = dy[..., i] * cos + dy[..., j] * sin
    dx[..., j] = dy[..., j] * cos - dy[..., i] * sin
    if positions is None or positions.dtype.kind != "f":
        return dx, None
    dangle = dy[..., j] * y[..., i] - dy[..., i] * y[..., j]
    dpositions = np.sum(dangle * _frequencies(x.shape[-1], base), axis=-1)
    return dx, unbroadcast(dpositions, positions).astype(positions.dtype)


def _frequencies(D, base):
    return base ** (-np.arange(0, D, 2) / max(D, 1))


def _turns(x, positions, base, interleaved):
    """The cosine and the sine of every angle, and where the first and the second features of the pairs are."""
    function = "rotary_embedding"
    check_floating(function, x=x)
    _check_base(function, base)
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ValueError(f"{function}: x has shape {x.shape}, expected (..., T, D) with an even D")
    T, D = x.shape[-2:]
    positions = np.arange(T) if positions is None else positions
    if not isinstance(positions, np.ndarray) or positions.dtype.kind not in "iuf":
        kind = positions.dtype if isinstance(positions, np.ndarray) else type(positions).__name__
        raise TypeError(f"{function}: positions is {kind}, expected an ndarray of real numbers")
    try:
        fits = np.broadcast_shapes(positions.shape, x.shape[:-1]) == x.shape[:-1]
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: positions has shape {positions.shape}, expected one that broadcasts "
                         f"to {x.shape[:-1]}, x without its last axis")
    angles = positions[..., None] * _frequencies(D, base)  # float64: far positions keep their angle
    halves = slice(0, D // 2), slice(D // 2, D)
    i, j = (slice(0, D, 2), slice(1, D, 2)) if interleaved else halves
    return np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype), i, j
