"""Vectors of length one, and the angle between two."""

from __future__ import annotations

import numpy as np

from ..arrays import broadcast_to, maximum, sum
from ..checks import as_number, check_axis, check_floating, widened
from ..tape import plain, primitive, quiet
from ..types import Array

__all__ = ["cosine_similarity", "normalize"]


@quiet
def normalize(x: Array, p: float = 2.0, axis: int = 1,
              eps: float = 1e-12) -> Array:
    """Scale vectors to length one.

        y = x / max(||x||_p, eps)

    x (N, D)  ->  y (N, D)
    Raises ValueError where x has no such axis, TypeError unless x is floating
    point and p a number.
    Source: chapter 3, equation (normalize).
    """
    check_floating("normalize", x=plain(x))
    p, eps = as_number("normalize", "p", p), as_number("normalize", "eps", eps)
    axis = check_axis("normalize", axis, x.ndim)
    norm = _norm(x, p, axis if x.ndim else None)
    return x / maximum(norm, np.asarray(eps, x.dtype))


@primitive
@quiet
def _norm(x, p, axis):
    """||x||_p = (sum_i |x_i|^p)^(1/p); its limits at p = 0 and p = +-inf count, and take the extreme."""
    x_wide = widened(x)
    if p == 0:
        return np.sum(x != 0, axis=axis, keepdims=True, dtype=x.dtype)
    if abs(p) == np.inf:
        return (np.max if p > 0 else np.min)(np.abs(x), axis=axis, keepdims=True)
    if p == 2:
        norm = np.sqrt(np.sum(x_wide * x_wide, axis=axis, keepdims=True))
    else:
        norm = np.sum(np.abs(x_wide) ** p, axis=axis, keepdims=True) ** (1 / p)
    return norm.astype(x.dtype, copy=False)

@_norm.defvjp
def _norm_vjp(dy, y, x, p, axis):
    """dx = dy sign(x) (|x| / y)^(p - 1), and 0 where that has no value, as in torch."""
    if p == 0:
        return np.zeros_like(x)
    if abs(p) == np.inf:
        hit = np.equal(np.abs(x), y)
        share = hit / np.sum(hit, axis=axis, keepdims=True, dtype=x.dtype)
        return dy * np.sign(x) * share
    dx = x / y if p == 2 else np.sign(x) * (np.abs(x) / y) ** (p - 1)
    return dy * np.where((y == 0) | (x == 0), 0, dx).astype(x.dtype)


@quiet
def cosine_similarity(x1: Array, x2: Array, axis: int = 1,
                      eps: float = 1e-08) -> Array:
    """The cosine of the angle between two vectors.

        y = <x1, x2> / (max(||x1||, eps) max(||x2||, eps))

    x1 (N, D), x2 (N, D)  ->  y (N)
    The two are broadcast to one shape first, in which `axis` counts. Raises
    ValueError where they do not broadcast or there is no such axis, TypeError
    for other kinds.
    Source: chapter 3, equation (cosine_similarity).
    """
    check_floating("cosine_similarity", x1=plain(x1), x2=plain(x2))
    if as_number("cosine_similarity", "eps", eps) < 0:
        raise ValueError(f"cosine_similarity: eps is {eps}, expected at least 0")
    try:
        shape = np.broadcast_shapes(x1.shape, x2.shape)
    except ValueError:
        raise ValueError(f"cosine_similarity: x2 has shape {x2.shape}, expected one that broadcasts with x1, "
                         f"{x1.shape}") from None
    axis = check_axis("cosine_similarity", axis, len(shape))
    x1, x2 = (broadcast_to(x, shape or (1,)) for x in (x1, x2))  # numbers are vectors of length one
    x1, x2 = (normalize(x, 2.0, axis, eps) for x in (x1, x2))
    return sum(x1 * x2, axis)
