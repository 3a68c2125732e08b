"""Losses: one number that says how wrong a prediction is.

Names and argument order are those of torch.nn.functional (without its deprecated size_average and reduce).
`reduction` is "none" (one loss an entry), "mean" or "sum". Derived in chapter 3.
"""

import numpy as np

from .activations import _log1p_exp, _sigmoid, log_softmax
from .arrays import abs, clip, exp, log, mean, sum, where
from .checks import check_floating, check_integers, check_shape
from .tape import plain, primitive

__all__ = [
    "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "huber_loss", "kl_div", "l1_loss",
    "mse_loss", "nll_loss", "smooth_l1_loss",
]


def _check(function, input, target, reduction, **more):
    """Both floating point and of one shape, and a reduction that exists."""
    check_floating(function, input=plain(input), target=plain(target), **{k: plain(a) for k, a in more.items()})
    if input.shape != target.shape:
        raise ValueError(f"{function}: target has shape {target.shape}, expected the shape of input, {input.shape}")
    _check_reduction(function, reduction)


def _given(**arrays):
    """The arguments that are not None."""
    return {name: plain(a) for name, a in arrays.items() if a is not None}


def _check_reduction(function, reduction, allowed=("none", "mean", "sum")):
    if reduction not in allowed:
        raise ValueError(f"{function}: reduction is {reduction!r}, expected one of {', '.join(map(repr, allowed))}")


def _reduce(loss, reduction):
    """One number from one loss an entry; the mean of nothing is nan, as in torch."""
    if reduction == "none":
        return loss
    if reduction == "mean" and loss.size == 0:
        return sum(loss) * loss.dtype.type(np.nan)
    return mean(loss) if reduction == "mean" else sum(loss)


# --- distances --------------------------------------------------------------------------------------


def mse_loss(input, target, reduction="mean", weight=None):
    """Mean squared error.

        L = mean_i (input_i - target_i)^2

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, weighs each entry; the mean then divides by the sum of the weights. Raises
    ValueError where the shapes differ or for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (mse_loss).
    """
    _check("mse_loss", input, target, reduction, **_given(weight=weight))
    difference = input - target
    return _weighted_mean("mse_loss", difference * difference, weight, reduction)


def l1_loss(input, target, reduction="mean", weight=None):
    """Mean absolute error.

        L = mean_i |input_i - target_i|

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, weighs each entry; the mean then divides by the sum of the weights. Raises
    ValueError where the shapes differ or for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (l1_loss).
    """
    _check("l1_loss", input, target, reduction, **_given(weight=weight))
    return _weighted_mean("l1_loss", abs(input - target), weight, reduction)


def _weighted_mean(function, loss, weight, reduction):
    if weight is None:
        return _reduce(loss, reduction)
    check_shape(function, "weight", weight, loss.shape, "(the shape of input)")
    return sum(loss * weight) / sum(weight) if reduction == "mean" else _reduce(loss * weight, reduction)


def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """Squared near zero, linear far away, so that an outlier pulls no harder than `delta`.

        l_i = d^2 / 2 where |d| < delta, delta (|d| - delta / 2) elsewhere, with d = input_i - target_i

    input (N, D), target (N, D)  ->  loss ()
    `weight`, of the shape of input, multiplies each entry. Raises ValueError unless delta > 0, where the shapes
    differ or for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (huber_loss); Huber (1964).
    """
    _check("huber_loss", input, target, reduction, **_given(weight=weight))
    if not delta > 0:
        raise ValueError(f"huber_loss: delta is {delta}, expected a positive number")
    d = input - target
    near = clip(d, -delta, delta)  # d where it is small, +-delta beyond: both cases in one line
    loss = near * (d - 0.5 * near)
    if weight is not None:
        check_shape("huber_loss", "weight", weight, loss.shape, "(the shape of input)")
    return _reduce(loss if weight is None else loss * weight, reduction)


def smooth_l1_loss(input, target, reduction="mean", beta=1.0):
    """The Huber loss divided by its threshold: its slope beyond `beta` is 1.

        l_i = d^2 / (2 beta) where |d| < beta, |d| - beta / 2 elsewhere, with d = input_i - target_i

    input (N, D), target (N, D)  ->  loss ()
    With beta 0 it is l1_loss. Raises ValueError where beta < 0, the shapes differ or for an unknown
    reduction, TypeError for other kinds.
    Source: chapter 3, equation (smooth_l1_loss); Girshick (2015).
    """
    _check("smooth_l1_loss", input, target, reduction)
    if beta < 0:
        raise ValueError(f"smooth_l1_loss: beta is {beta}, expected at least 0")
    return huber_loss(input, target, reduction, beta) / beta if beta else l1_loss(input, target, reduction)


# --- probabilities ----------------------------------------------------------------------------------


def cross_entropy(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    """The surprise of the right class under softmax(input).

        l_n = - weight_{t_n} ln softmax(input_n)_{t_n},   L = sum_n l_n / sum_n weight_{t_n}

    input (N, V), target (N) of integers  ->  loss ()
    `input` holds scores, also (V,) or (N, V, d1, ...); `target` holds classes, without the axis V, or
    probabilities, of the shape of `input`: then l_n = - sum_v weight_v target_nv ln softmax(input_n)_v and the
    mean is over all places. Targets equal to `ignore_index` count nowhere. `label_smoothing` in [0, 1] replaces a
    target by that share of the uniform distribution. Raises ValueError for shapes that do not fit, classes
    out of range, an unknown reduction; TypeError for other kinds.
    Source: chapter 3, equation (cross_entropy).
    """
    check_floating("cross_entropy", input=plain(input), **_given(weight=weight))
    _check_reduction("cross_entropy", reduction)
    if not 0 <= label_smoothing <= 1:
        raise ValueError(f"cross_entropy: label_smoothing is {label_smoothing}, expected 0 to 1")
    if input.ndim == 0:
        raise ValueError("cross_entropy: input has shape (), expected (V,), (N, V) or (N, V, d1, ...)")
    axis, V = _class_axis("cross_entropy", input, weight)
    logp = log_softmax(input, axis)
    if isinstance(plain(target), np.ndarray) and target.shape == input.shape and target.dtype.kind == "f":
        check_floating("cross_entropy", input=plain(input), target=plain(target))
        soft = target * (1 - label_smoothing) + label_smoothing / V
        return _reduce(-sum(soft * _along(weight, logp, axis) * logp, axis), reduction)
    _check_classes("cross_entropy", input, target, axis, V, ignore_index)
    hard = nll_loss(logp, target, weight, ignore_index, "none")
    if label_smoothing:
        smooth = -sum(_along(weight, logp, axis) * logp, axis) / V
        smooth = where(target != ignore_index, smooth, np.zeros((), input.dtype))
        hard = hard * (1 - label_smoothing) + smooth * label_smoothing
    return _weighted(hard, target, weight, ignore_index, reduction)


def nll_loss(input, target, weight=None, ignore_index=-100, reduction="mean"):
    """The negative log-likelihood: cross-entropy for an input that holds log-probabilities already.

        l_n = - weight_{t_n} input_{n, t_n},   L = sum_n l_n / sum_n weight_{t_n}

    input (N, V), target (N) of integers  ->  loss ()
    Shapes, `weight` and `ignore_index` are those of `cross_entropy`. Raises ValueError for shapes that do not
    fit, classes out of range, an unknown reduction; TypeError for other kinds.
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
    w = 1 if weight is None else weight[rows]
    loss = where(kept, -picked * w, np.zeros((), input.dtype))
    return _weighted(loss, target, weight, ignore_index, reduction)


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
    expected = input.shape[:axis] + input.shape[axis + 1 :]
    if target.shape != expected:
        raise ValueError(f"{function}: target has shape {target.shape}, expected {expected} for input {input.shape}")
    wrong = (target != ignore_index) & ((target < 0) | (target >= V))
    if np.any(wrong):
        raise ValueError(f"{function}: target holds {target[wrong].flat[0]}, expected 0 to {V - 1} or {ignore_index}")


def _along(weight, like, axis):
    """Class weights, laid along the class axis."""
    return 1 if weight is None else weight.reshape((-1,) + (1,) * (like.ndim - 1 - axis))


def _weighted(loss, target, weight, ignore_index, reduction):
    """The mean over classes divides by the weight of the targets that count; 0 / 0 is nan, as in torch."""
    if reduction != "mean":
        return _reduce(loss, reduction)
    kept = target[target != ignore_index]
    total = kept.size if weight is None else weight[kept].sum()
    return sum(loss) / total if total else sum(loss) * loss.dtype.type(np.nan)


def binary_cross_entropy(input, target, weight=None, reduction="mean"):
    """The surprise of a yes or no under the probability `input`.

        l_i = - weight_i (target_i ln input_i + (1 - target_i) ln(1 - input_i))

    input (N, D), target (N, D)  ->  loss ()
    The logarithms stop at -100, as torch's do. Raises ValueError unless input lies in [0, 1], where the shapes
    differ, weight does not broadcast, or for an unknown reduction; TypeError for other kinds.
    Source: chapter 3, equation (binary_cross_entropy).
    """
    _check("binary_cross_entropy", input, target, reduction, **_given(weight=weight))
    _check_broadcast("binary_cross_entropy", "weight", weight, input)
    if np.any((plain(input) < 0) | (plain(input) > 1)):
        raise ValueError("binary_cross_entropy: input holds numbers outside [0, 1], expected probabilities")
    loss = _bernoulli(input, target)
    return _reduce(loss if weight is None else loss * weight, reduction)


@primitive
def _bernoulli(p, target):
    with np.errstate(divide="ignore"):
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log(1 - p), -100)
    return -(target * log_p + (1 - target) * log_q)

@_bernoulli.defvjp
def _bernoulli_vjp(dy, y, p, target):
    """dp = (p - target) / (p (1 - p)), with torch's floor of 1e-12 under the division."""
    with np.errstate(divide="ignore"):
        log_p, log_q = np.maximum(np.log(p), -100), np.maximum(np.log(1 - p), -100)
    return dy * (p - target) / np.maximum(p * (1 - p), p.dtype.type(1e-12)), dy * (log_q - log_p)


@primitive
def _bernoulli_logits(z, target, pos_weight):
    return (1 - target) * z + (1 + (pos_weight - 1) * target) * _log1p_exp(-z)

@_bernoulli_logits.defvjp
def _bernoulli_logits_vjp(dy, y, z, target, pos_weight):
    """dz = (1 - target) - (1 + (pos_weight - 1) target) sigmoid(-z); sigmoid(z) - target without pos_weight."""
    dz = dy * ((1 - target) - (1 + (pos_weight - 1) * target) * _sigmoid(-z))
    return dz, dy * ((pos_weight - 1) * _log1p_exp(-z) - z)


def binary_cross_entropy_with_logits(input, target, weight=None, reduction="mean", pos_weight=None):
    """The surprise of a yes or no under sigmoid(input), exact for scores of any size.

        l_i = weight_i ((1 - t_i) x_i + (1 + (pos_weight_i - 1) t_i) ln(1 + exp(-x_i)))

    input (N, D), target (N, D)  ->  loss ()
    `pos_weight` multiplies the loss of a yes. Raises ValueError where the shapes differ, weights do not
    broadcast, or for an unknown reduction; TypeError for other kinds.
    Source: chapter 3, equation (binary_cross_entropy_with_logits).
    """
    name = "binary_cross_entropy_with_logits"
    _check(name, input, target, reduction, **_given(weight=weight, pos_weight=pos_weight))
    _check_broadcast(name, "weight", weight, input)
    _check_broadcast(name, "pos_weight", pos_weight, input)
    loss = _bernoulli_logits(input, target, 1 if pos_weight is None else pos_weight)
    return _reduce(loss if weight is None else loss * weight, reduction)


def _check_broadcast(function, name, a, input):
    try:
        fits = a is None or np.broadcast_shapes(a.shape, input.shape) == input.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: {name} has shape {a.shape}, expected one that broadcasts to {input.shape}")


def kl_div(input, target, reduction="mean", log_target=False):
    """The Kullback-Leibler divergence; mind the order: `input` holds the model's log-probabilities.

        l_i = target_i (ln target_i - input_i);  log_target: l_i = exp(target_i) (target_i - input_i)

    input (N, V), target (N, V)  ->  loss ()
    "mean" divides by all entries; "batchmean", the divergence itself, by N. An entry with target 0 is 0.
    Raises ValueError where the shapes differ or for an unknown reduction, TypeError for other kinds.
    Source: chapter 3, equation (kl_div).
    """
    _check_reduction("kl_div", reduction, ("none", "mean", "sum", "batchmean"))
    _check("kl_div", input, target, "none")
    loss = exp(target) * (target - input) if log_target else _x_log_x(target) - target * input
    return sum(loss) / input.shape[0] if reduction == "batchmean" else _reduce(loss, reduction)


def _x_log_x(x):
    """x ln x, which is 0 at 0."""
    return x * log(where(plain(x) == 0, np.ones((), x.dtype), x))
