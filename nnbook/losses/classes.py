"""Losses for one class among many: the surprise of the right one."""

from __future__ import annotations

import numpy as np

from ..activations import log_softmax
from ..arrays import sum, where
from ..checks import as_integer, as_number, check_floating, check_integers
from ..tape import plain, quiet
from ..types import Array
from .reductions import _check_reduction, _given, _reduce

__all__ = ["cross_entropy", "nll_loss"]


@quiet
def cross_entropy(input: Array, target: Array, weight: Array | None = None,
                  ignore_index: int = -100, reduction: str = "mean",
                  label_smoothing: float = 0.0) -> Array:
    """The surprise of the right class under softmax(input).

        l_n = - weight_{t_n} ln softmax(input_n)_{t_n}
        L = sum_n l_n / sum_n weight_{t_n}

    input (N, V), target (N) of integers  ->  loss ()
    `input` holds scores, also (V,) or (N, V, d1, ...); `target` holds
    classes, without the axis V, or probabilities, of the shape of `input`:
    then l_n = - sum_v weight_v target_nv ln softmax(input_n)_v and the mean
    is over all places. Targets equal to `ignore_index` count nowhere.
    `label_smoothing` in [0, 1] replaces a target by that share of the uniform
    distribution. Raises ValueError for shapes that do not fit, classes out of
    range, an unknown reduction; TypeError for other kinds.
    Source: chapter 3, equation (cross_entropy).
    """
    check_floating("cross_entropy", input=plain(input), **_given(weight=weight))
    _check_reduction("cross_entropy", reduction)
    label_smoothing = as_number("cross_entropy", "label_smoothing", label_smoothing)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, expected 0 to 1")
    if input.ndim == 0:
        raise ValueError("cross_entropy: input has shape (), expected (V,), (N, V) or (N, V, d1, ...)")
    axis, V = _class_axis("cross_entropy", input, weight)
    logp = log_softmax(input, axis)
    if isinstance(plain(target), np.ndarray) and target.shape == input.shape and target.dtype.kind == "f":
        check_floating("cross_entropy", input=plain(input), target=plain(target))
        if ignore_index >= 0:
            raise ValueError(f"cross_entropy: ignore_index is {ignore_index} and target holds probabilities, expected "
                             "classes beside it")
        soft = target * (1 - label_smoothing) + label_smoothing / max(V, 1)
        loss = -sum(soft * _along(weight, logp, axis) * logp, axis)
        return _reduce(loss, reduction)
    _check_classes("cross_entropy", input, target, axis, V, ignore_index)
    hard = nll_loss(logp, target, weight, ignore_index, "none")
    if label_smoothing:
        smooth = -sum(_along(weight, logp, axis) * logp, axis) / V
        smooth = where(target != ignore_index, smooth, np.zeros((), input.dtype))
        hard = hard * (1 - label_smoothing) + smooth * label_smoothing
    return _weighted(hard, target, weight, ignore_index, reduction)


@quiet
def nll_loss(input: Array, target: Array, weight: Array | None = None,
             ignore_index: int = -100, reduction: str = "mean") -> Array:
    """The negative log-likelihood: cross-entropy of log-probabilities.

        l_n = - weight_{t_n} input_{n, t_n},  L = sum_n l_n / sum_n weight_{t_n}

    input (N, V), target (N) of integers  ->  loss ()
    Shapes, `weight` and `ignore_index` are those of `cross_entropy`. Raises
    ValueError for shapes that do not fit, classes out of range, an unknown
    reduction; TypeError for other kinds.
    Source: chapter 3, equation (nll_loss).
    """
    check_floating("nll_loss", input=plain(input), **_given(weight=weight))
    _check_reduction("nll_loss", reduction)
    axis, V = _class_axis("nll_loss", input, weight)
    _check_classes("nll_loss", input, target, axis, V, ignore_index)
    kept = target != ignore_index
    rows = np.where(kept, target, 0)
    grid = np.indices(target.shape, sparse=True)
    picked = input[(*grid[:axis], rows, *grid[axis:])] if V else sum(input, axis)
    w = 1 if weight is None or not V else weight[rows]
    loss = where(kept, -picked * w, np.zeros((), input.dtype))
    return _weighted(loss, target, weight, ignore_index, reduction)


def _along(weight, like, axis):
    """Class weights, laid along the class axis."""
    return 1 if weight is None else weight.reshape((-1,) + (1,) * (like.ndim - 1 - axis))


def _weighted(loss, target, weight, ignore_index, reduction):
    """The mean over classes divides by the weight of the targets that count; 0 / 0 is nan, as in torch."""
    if reduction != "mean":
        return _reduce(loss, reduction)
    kept = target[target != ignore_index]
    total = kept.size if weight is None or not kept.size else weight[kept].sum()
    return sum(loss) / total if total else sum(loss) * loss.dtype.type(np.nan)


# --- checks of arguments ----------------------------------------------------------------------------


def _class_axis(function, input, weight):
    """The axis of the classes and their number."""
    if input.ndim == 0:
        raise ValueError(f"{function}: input has shape (), expected (V,), (N, V) or (N, V, d1, ...)")
    axis = 0 if input.ndim == 1 else 1
    if weight is not None and weight.shape != (input.shape[axis],):
        raise ValueError(f"{function}: weight has shape {weight.shape}, expected ({input.shape[axis]},), one a class")
    return axis, input.shape[axis]


def _check_classes(function, input, target, axis, V, ignore_index):
    check_integers(function, target=target)
    as_integer(function, "ignore_index", ignore_index)
    expected = input.shape[:axis] + input.shape[axis + 1 :]
    if target.shape != expected:
        raise ValueError(f"{function}: target has shape {target.shape}, expected {expected} for input {input.shape}")
    wrong = (target != ignore_index) & ((target < 0) | (target >= V))
    if np.any(wrong):
        raise ValueError(f"{function}: target holds {target[wrong].flat[0]}, expected 0 to {V - 1} or {ignore_index}")
