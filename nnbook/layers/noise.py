"""Dropout: noise that is there in training alone."""

from __future__ import annotations

import numpy as np

from ..checks import as_number, check_floating
from ..tape import plain, quiet
from ..types import Array

__all__ = ["dropout"]


@quiet
def dropout(x: Array, p: float = 0.5,
            rng: np.random.Generator | None = None) -> Array:
    """Set entries to zero with probability p; scale the rest to keep the mean.

        y_i = x_i m_i / (1 - p),  m_i ~ Bernoulli(1 - p)

    x (...)  ->  y (...)
    `rng` is a NumPy Generator that draws the mask; without one nothing is
    dropped, as in evaluation. Raises ValueError unless 0 <= p <= 1, TypeError
    unless x is floating point or rng is a Generator.
    Source: chapter 3, equation (dropout); Srivastava et al. (2014).
    """
    check_floating("dropout", x=plain(x))
    check_dropout("dropout", "p", p, rng)
    return x if rng is None else x * dropout_mask(p, rng, x.shape, x.dtype)


def dropout_mask(p, rng, shape, dtype):
    """0 with probability p, else 1 / (1 - p)."""
    kept = (rng.random(shape) >= p).astype(dtype)
    return kept if p == 1 else kept / dtype.type(1 - p)


def check_dropout(function, name, p, rng):
    """Raise unless p is a probability and rng a Generator or None."""
    if not 0 <= as_number(function, name, p) <= 1:
        raise ValueError(f"{function}: {name} is {p}, expected a probability from 0 to 1")
    if rng is not None and not isinstance(rng, np.random.Generator):
        raise TypeError(f"{function}: rng is a {type(rng).__name__}, expected a numpy.random.Generator")
