"""Losses for probabilities: of a yes or no, and of a whole distribution."""

from __future__ import annotations

import numpy as np

from ..activations import _log1p_exp, _sigmoid
from ..arrays import exp, log, sum, where
from ..checks import check_boolean, check_real
from ..tape import plain, primitive, quiet
from ..types import Array
from .reductions import _check, _check_broadcast, _check_reduction, _given, _reduce

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "kl_div"]


@quiet
def binary_cross_entropy(input: Array, target: Array,
                         weight: Array | None = None,
                         reduction: str = "mean") -> Array:
    """The surprise of a yes or no under the probability `input`.

        l_i = - weight_i (target_i ln input_i + (1 - target_i) ln(1 - input_i))

    input (N, D), target (N, D)  ->  loss ()
    The logarithms stop at -100, as torch's do. Raises ValueError unless input
    lies in [0, 1], where the shapes differ, weight does not broadcast, or for
    an unknown reduction; TypeError for other kinds.
    Source: chapter 3, equation (binary_cross_entropy).
    """
    _check("binary_cross_entropy", input, target, reduction, check_real, **_given(weight=weight))
    _check_broadcast("binary_cross_entropy", "weight", weight, input)
    if not np.all((plain(input) >= 0) & (plain(input) <= 1)):
        raise ValueError("binary_cross_entropy: input holds numbers outside [0, 1], expected probabilities")
    loss = _bernoulli(input, target)
    return _reduce(loss if weight is None else loss * weight, reduction)


@primitive
def _bernoulli(p, target):
    log_p, log_q = (np.maximum(np.log(q), -100) for q in (p, 1 - p))
    return -(target * log_p + (1 - target) * log_q)

@_bernoulli.defvjp
def _bernoulli_vjp(dy, y, p, target):
    """dp = (p - target) / (p (1 - p)), with torch's floor of 1e-12 under the division."""
    log_p, log_q = (np.maximum(np.log(q), -100) for q in (p, 1 - p))
    dp = (p - target) / np.maximum(p * (1 - p), p.dtype.type(1e-12))
    return dy * dp, dy * (log_q - log_p)


@quiet
def binary_cross_entropy_with_logits(input: Array, target: Array,
                                     weight: Array | None = None,
                                     reduction: str = "mean",
                                     pos_weight: Array | None = None) -> Array:
    """The surprise of a yes or no under sigmoid(input), for any score.

        l_i = weight_i ((1 - t_i) x_i
                        + (1 + (pos_weight_i - 1) t_i) ln(1 + exp(-x_i)))

    input (N, D), target (N, D)  ->  loss ()
    `pos_weight` multiplies the loss of a yes. Raises ValueError where the
    shapes differ, weights do not broadcast, or for an unknown reduction;
    TypeError for other kinds.
    Source: chapter 3, equation (binary_cross_entropy_with_logits).
    """
    name = "binary_cross_entropy_with_logits"
    _check(name, input, target, reduction, check_real, **_given(weight=weight, pos_weight=pos_weight))
    _check_broadcast(name, "weight", weight, input)
    _check_broadcast(name, "pos_weight", pos_weight, input)
    loss = _bernoulli_logits(input, target, 1 if pos_weight is None else pos_weight)
    return _reduce(loss if weight is None else loss * weight, reduction)


@primitive
def _bernoulli_logits(z, target, pos_weight):
    return (1 - target) * z + (1 + (pos_weight - 1) * target) * _log1p_exp(-z)

@_bernoulli_logits.defvjp
def _bernoulli_logits_vjp(dy, y, z, target, pos_weight):
    """dz = (1 - target) - (1 + (pos_weight - 1) target) sigmoid(-z),
    which is sigmoid(z) - target where pos_weight is 1."""
    dz = dy * ((1 - target) - (1 + (pos_weight - 1) * target) * _sigmoid(-z))
    return dz, dy * ((pos_weight - 1) * _log1p_exp(-z) - z)


@quiet
def kl_div(input: Array, target: Array, reduction: str = "mean",
           log_target: bool = False) -> Array:
    """The Kullback-Leibler divergence; `input` holds log-probabilities.

        l_i = target_i (ln target_i - input_i)
        log_target: l_i = exp(target_i) (target_i - input_i)

    input (N, V), target (N, V)  ->  loss ()
    "mean" divides by all entries; "batchmean", the divergence itself, by N.
    An entry with target 0 is 0. Raises ValueError where the shapes differ or
    for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (kl_div).
    """
    check_boolean("kl_div", log_target=log_target)
    _check_reduction("kl_div", reduction, ("none", "mean", "sum", "batchmean"))
    _check("kl_div", input, target, "none")
    if log_target:
        loss = exp(target) * (target - input)
    else:
        loss = _x_log_x(target) - target * input
    if reduction == "batchmean":
        return sum(loss) / input.shape[0] if input.ndim else sum(loss)
    return _reduce(loss, reduction)


def _x_log_x(x):
    """x ln x, which is 0 at 0."""
    return x * log(where(plain(x) == 0, np.ones((), x.dtype), x))
