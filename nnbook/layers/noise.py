"""Dropout: noise that is there in training alone."""

from __future__ import annotations

import numpy as np

from ..checks import check_floating
from ..tape import plain
from ..types import Array

__all__ = ["dropout"]


def dropout(x: Array, p: float = 0.5,
            rng: np.random.Generator | None = None) -> Array:
    """Set each entry to zero with probability p and scale the rest, so that the mean stays.

        y_i = x_i m_i / (1 - p),  m_i ~ Bernoulli(1 - p)

    x (...)  ->  y (...)
    `rng` is a NumPy Generator that draws the mask; without one nothing is dropped, as in evaluation.
    Raises ValueError unless 0 <= p <= 1, TypeError unless x is floating point or rng is a Generator.
    Source: chapter 3, equation (dropout); Srivastava et al. (2014).
    """
    check_floating("dropout", x=plain(x))
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is {p}, expected a probability from 0 to 1")
    if rng is None:
        return x
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"dropout: rng is a {type(rng).__name__}, expected a numpy.random.Generator")
    mask = (rng.random(x.shape) >= p).astype(x.dtype)
    return x * (mask if p == 1 else mask / x.dtype.type(1 - p))
