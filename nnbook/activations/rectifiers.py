"""Rectifiers made of straight lines: what is negative is cut or flattened."""

from __future__ import annotations

import numpy as np

from ..checks import as_number, check_real, check_real_or_integers
from ..tape import plain, primitive, quiet
from ..types import Array

__all__ = ["hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu", "relu6"]


@primitive
def relu(x: Array) -> Array:
    """Rectified linear unit: pass what is positive.

        y = max(x, 0)

    x (...)  ->  y (...)
    The derivative at 0 is 0, as in torch. Raises TypeError unless x is
    floating point.
    Source: chapter 3, equation (relu).
    """
    check_real_or_integers("relu", x=x)
    return np.maximum(x, 0)

@relu.defvjp
def relu_vjp(dy, y, x):
    return np.where(x <= 0, 0, dy).astype(dy.dtype)  # nan passes


@primitive
def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """ReLU with a small slope where x is negative, so that no unit is ever dead.

        y = x where x > 0, negative_slope x elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (leaky_relu); Maas et al. (2013).
    """
    check_real("leaky_relu", x=x)
    return np.where(x > 0, x, x * as_number("leaky_relu", "negative_slope", negative_slope))

@leaky_relu.defvjp
def leaky_relu_vjp(dy, y, x, negative_slope):
    return np.where(x > 0, dy, dy * float(negative_slope))


@primitive
@quiet
def prelu(x: Array, weight: Array) -> Array:
    """Leaky ReLU whose slopes are learned: one for all, or one a channel (axis 1).

        y = x where x > 0, weight_c x elsewhere

    x (N, C, H, W), weight (C)  ->  y (N, C, H, W)
    Raises ValueError unless weight has one entry or as many as x has
    channels, TypeError for other kinds.
    Source: chapter 3, equation (prelu); He et al. (2015).
    """
    check_real("prelu", x=x, weight=weight)
    return np.where(x > 0, x, _slopes(x, weight) * x)

@prelu.defvjp
def prelu_vjp(dy, y, x, weight):
    share = np.where(x > 0, 0, dy * x)
    others = tuple(i for i in range(x.ndim) if i != 1)
    axes = others if weight.size > 1 else None
    dweight = np.sum(share, axis=axes).reshape(weight.shape)
    return np.where(x > 0, dy, dy * _slopes(x, weight)), dweight


def _slopes(x, weight):
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ValueError(f"prelu: weight has shape {weight.shape}, expected 1 entry or {channels}, the channels of x")
    return weight.reshape((1, -1) + (1,) * (x.ndim - 2)) if weight.size > 1 else weight.reshape(())


@primitive
def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """The straight-line stand-in for tanh.

        y = min(max(x, min_val), max_val)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError unless min_val <
    max_val.
    Source: chapter 3, equation (hardtanh).
    """
    check_real_or_integers("hardtanh", x=x)
    if x.dtype.kind == "u":
        raise TypeError(f"hardtanh: x has dtype {x.dtype}, expected floating point or signed integers")
    min_val = as_number("hardtanh", "min_val", min_val)
    max_val = as_number("hardtanh", "max_val", max_val)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val} and max_val is {max_val}, expected min_val <= max_val")
    return np.clip(x, x.dtype.type(min_val), x.dtype.type(max_val))

@hardtanh.defvjp
def hardtanh_vjp(dy, y, x, min_val, max_val):
    return dy * ((x > min_val) & (x < max_val))


def relu6(x: Array) -> Array:
    """ReLU that stops at 6.

        y = min(max(x, 0), 6)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (relu6).
    """
    check_real_or_integers("relu6", x=plain(x))
    return hardtanh(x, 0.0, 6.0)


@primitive
def hardsigmoid(x: Array) -> Array:
    """The straight-line stand-in for the sigmoid.

        y = min(max(x / 6 + 1/2, 0), 1)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (hardsigmoid).
    """
    check_real("hardsigmoid", x=x)
    return np.clip(x + 3, 0, 6) / 6

@hardsigmoid.defvjp
def hardsigmoid_vjp(dy, y, x):
    return dy * ((x > -3) & (x < 3)) / 6


@primitive
@quiet
def hardswish(x: Array) -> Array:
    """x times its hard sigmoid.

        y = x min(max(x / 6 + 1/2, 0), 1)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (hardswish); Howard et al. (2019).
    """
    check_real("hardswish", x=x)
    return x * np.clip(x + 3, 0, 6) / 6

@hardswish.defvjp
def hardswish_vjp(dy, y, x):
    slope = np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5))
    return dy * slope.astype(x.dtype)
