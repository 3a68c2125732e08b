"""How weights begin: of a size that neither signals nor gradients outgrow."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..types import Array, DType

__all__ = [
    "init_kaiming_normal", "init_kaiming_uniform", "init_orthogonal", "init_xavier_normal", "init_xavier_uniform",
]


def _fans(shape):
    """How many inputs an output sees, and how many outputs an input feeds: (fan_in, fan_out)."""
    if len(shape) < 2:
        raise ValueError(f"init: shape is {tuple(shape)}, expected at least two axes: outputs, inputs, taps")
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def init_xavier_uniform(shape: Sequence[int], rng: np.random.Generator,
                        gain: float = 1.0,
                        dtype: DType = np.float64) -> Array:
    """Glorot's uniform weights: signals and gradients keep their size.

        w ~ U(-a, a),  a = gain sqrt(6 / (fan_in + fan_out))

    Source: chapter 3, equation (init_xavier_uniform); Glorot and Bengio
    (2010).
    """
    a = gain * (6 / sum(_fans(shape))) ** 0.5
    return rng.uniform(-a, a, shape).astype(dtype)


def init_xavier_normal(shape: Sequence[int], rng: np.random.Generator,
                       gain: float = 1.0,
                       dtype: DType = np.float64) -> Array:
    """Glorot's normal weights.

        w ~ N(0, gain^2 2 / (fan_in + fan_out))

    Source: chapter 3, equation (init_xavier_normal); Glorot and Bengio
    (2010).
    """
    std = gain * (2 / sum(_fans(shape))) ** 0.5
    return (std * rng.standard_normal(shape)).astype(dtype)


def init_kaiming_uniform(shape: Sequence[int], rng: np.random.Generator,
                         a: float = 0.0,
                         dtype: DType = np.float64) -> Array:
    """He's uniform weights: ReLU halves the variance, 2 / fan_in restores it.

        w ~ U(-b, b),  b = sqrt(6 / ((1 + a^2) fan_in))

    Source: chapter 3, equation (init_kaiming_uniform); He et al. (2015).
    """
    b = (6 / ((1 + a * a) * _fans(shape)[0])) ** 0.5
    return rng.uniform(-b, b, shape).astype(dtype)


def init_kaiming_normal(shape: Sequence[int], rng: np.random.Generator,
                        a: float = 0.0,
                        dtype: DType = np.float64) -> Array:
    """He's normal weights.

        w ~ N(0, 2 / ((1 + a^2) fan_in))

    Source: chapter 3, equation (init_kaiming_normal); He et al. (2015).
    """
    std = (2 / ((1 + a * a) * _fans(shape)[0])) ** 0.5
    return (std * rng.standard_normal(shape)).astype(dtype)


def init_orthogonal(shape: Sequence[int], rng: np.random.Generator,
                    gain: float = 1.0,
                    dtype: DType = np.float64) -> Array:
    """A random rotation: every singular value is `gain`.

        w w^T = gain^2 I  or  w^T w = gain^2 I, whichever is smaller

    Source: chapter 3, equation (init_orthogonal); Saxe et al. (2014).
    """
    _fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # so that every rotation is equally likely
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)
