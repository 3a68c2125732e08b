"""Vectors of length one, and the angle between two."""

import numpy as np

from ..arrays import abs, maximum, sum
from ..checks import check_axis, check_floating
from ..tape import plain, primitive

__all__ = ["cosine_similarity", "normalize"]


def normalize(x, p=2.0, axis=1, eps=1e-12):
    """Scale vectors to length one.

        y = x / max(||x||_p, eps)

    x (N, D)  ->  y (N, D)
    Raises ValueError unless p is 1 or 2 or where x has no such axis, TypeError unless x is floating point.
    Source: chapter 3, equation (normalize).
    """
    return x / maximum(_norm("normalize", x, p, axis), np.asarray(eps, x.dtype))


def cosine_similarity(x1, x2, axis=1, eps=1e-8):
    """The cosine of the angle between two vectors.

        y = <x1, x2> / (max(||x1||, eps) max(||x2||, eps))

    x1 (N, D), x2 (N, D)  ->  y (N)
    Raises ValueError where the shapes differ or there is no such axis, TypeError for other kinds.
    Source: chapter 3, equation (cosine_similarity).
    """
    check_floating("cosine_similarity", x1=plain(x1), x2=plain(x2))
    if x1.shape != x2.shape:
        raise ValueError(f"cosine_similarity: x2 has shape {x2.shape}, expected the shape of x1, {x1.shape}")
    return sum(normalize(x1, 2.0, axis, eps) * normalize(x2, 2.0, axis, eps), axis)


def _norm(function, x, p, axis):
    check_floating(function, x=plain(x))
    axis = check_axis(function, axis, x.ndim)
    if p not in (1, 2):
        raise ValueError(f"{function}: p is {p}, expected 1 or 2")
    return sum(abs(x), axis, True) if p == 1 else _sqrt0(sum(x * x, axis, True))


@primitive
def _sqrt0(x):
    """The square root, with derivative 0 at 0, as torch's norms have."""
    return np.sqrt(x)

@_sqrt0.defvjp
def _sqrt0_vjp(dy, y, x):
    return np.where(y == 0, 0, dy / np.where(y == 0, 1, 2 * y))
