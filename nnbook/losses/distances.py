"""Losses for numbers: how far a prediction is from its target."""

from __future__ import annotations

import numpy as np

from ..arrays import abs, sum
from ..checks import as_number, check_real, check_shape
from ..tape import primitive, quiet
from ..types import Array
from .reductions import _check, _given, _reduce

__all__ = ["huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss"]


@quiet
def mse_loss(input: Array, target: Array, reduction: str = "mean",
             weight: Array | None = None) -> Array:
    """Mean squared error.

        L = mean_i (input_i - target_i)^2

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, weighs each entry; the mean then divides
    by the sum of the weights. Raises ValueError where the shapes differ or
    for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (mse_loss).
    """
    _check("mse_loss", input, target, reduction, **_given(weight=weight))
    difference = input - target
    return _weighted_mean("mse_loss", difference * difference, weight, reduction)


@quiet
def l1_loss(input: Array, target: Array, reduction: str = "mean",
            weight: Array | None = None) -> Array:
    """Mean absolute error.

        L = mean_i |input_i - target_i|

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, weighs each entry; the mean then divides
    by the sum of the weights. Raises ValueError where the shapes differ or
    for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (l1_loss).
    """
    _check("l1_loss", input, target, reduction, **_given(weight=weight))
    return _weighted_mean("l1_loss", abs(input - target), weight, reduction)


def _weighted_mean(function, loss, weight, reduction):
    if weight is None:
        return _reduce(loss, reduction)
    check_shape(function, "weight", weight, loss.shape, "(the shape of input)")
    if reduction == "mean":
        return sum(loss * weight) / sum(weight)
    return _reduce(loss * weight, reduction)


@quiet
def huber_loss(input: Array, target: Array, reduction: str = "mean",
               delta: float = 1.0, weight: Array | None = None) -> Array:
    """Squared near zero, linear far away: no outlier pulls harder than delta.

        l_i = d^2 / 2 where |d| < delta, delta (|d| - delta / 2) elsewhere,
        d = input_i - target_i

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, multiplies each entry. Raises ValueError
    unless delta > 0, where the shapes differ or for an unknown reduction,
    TypeError for other kinds.
    Source: chapter 3, equation (huber_loss); Huber (1964).
    """
    _check("huber_loss", input, target, reduction, check_real, **_given(weight=weight))
    delta = as_number("huber_loss", "delta", delta)
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is {delta}, expected a positive number")
    loss = _huber(input - target, delta)
    if weight is not None:
        check_shape("huber_loss", "weight", weight, loss.shape, "(the shape of input)")
    return _reduce(loss if weight is None else loss * weight, reduction)


@primitive
@quiet
def _huber(d, delta):
    near = np.clip(d, -delta, delta)  # d where it is small, +-delta beyond
    return near * (d - 0.5 * near)

@_huber.defvjp
def _huber_vjp(dy, y, d, delta):
    return dy * np.clip(d, -delta, delta)


@quiet
def smooth_l1_loss(input: Array, target: Array, reduction: str = "mean",
                   beta: float = 1.0) -> Array:
    """The Huber loss divided by its threshold: its slope beyond `beta` is 1.

        l_i = d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere,
        d = input_i - target_i

    input (N, D), target (N, D)  ->  loss ()
    With beta 0 it is l1_loss. Raises ValueError where beta < 0, the shapes
    differ or for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (smooth_l1_loss); Girshick (2015).
    """
    _check("smooth_l1_loss", input, target, reduction, check_real)
    beta = as_number("smooth_l1_loss", "beta", beta)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is {beta}, expected at least 0")
    if beta == 0:
        return l1_loss(input, target, reduction)
    return huber_loss(input, target, reduction, beta) / beta
