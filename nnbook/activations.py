"""Activations: the nonlinear functions between layers, and softmax, which turns scores into probabilities.

Derived in chapter 3.
"""

import numpy as np

from .arrays import abs, maximum, neg, split, sum
from .checks import check_axis, check_floating
from .tape import plain, primitive

__all__ = [
    "celu", "cosine_similarity", "elu", "gelu", "glu", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu",
    "log_softmax", "logsigmoid", "logsumexp", "mish", "normalize", "prelu", "relu", "relu6", "selu", "sigmoid",
    "silu", "softmax", "softmin", "softplus", "softsign", "tanh",
]


# --- piecewise linear -------------------------------------------------------------------------------


@primitive
def relu(x):
    """Rectified linear unit: pass what is positive.

        y = max(x, 0)

    x (...)  ->  y (...)
    The derivative at 0 is 0, as in torch. Raises TypeError unless x is floating point.
    Source: chapter 3, equation (relu).
    """
    check_floating("relu", x=x)
    return np.maximum(x, 0)

@relu.defvjp
def relu_vjp(dy, y, x):
    return dy * (x > 0)


@primitive
def leaky_relu(x, negative_slope=0.01):
    """ReLU with a small slope where x is negative, so that no unit is ever dead.

        y = x where x > 0, negative_slope x elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (leaky_relu); Maas et al. (2013).
    """
    check_floating("leaky_relu", x=x)
    return np.where(x > 0, x, x * negative_slope)

@leaky_relu.defvjp
def leaky_relu_vjp(dy, y, x, negative_slope):
    return np.where(x > 0, dy, dy * negative_slope)


@primitive
def prelu(x, weight):
    """Leaky ReLU whose slopes are learned: one for all, or one a channel (axis 1).

        y = x where x > 0, weight_c x elsewhere

    x (N, C, H, W), weight (C)  ->  y (N, C, H, W)
    Raises ValueError unless weight has one entry or as many as x has channels, TypeError for other kinds.
    Source: chapter 3, equation (prelu); He et al. (2015).
    """
    check_floating("prelu", x=x, weight=weight)
    return np.where(x > 0, x, _slopes(x, weight) * x)

@prelu.defvjp
def prelu_vjp(dy, y, x, weight):
    share = np.where(x > 0, 0, dy * x)
    axes = tuple(i for i in range(x.ndim) if i != 1) if weight.size > 1 else None
    dweight = np.sum(share, axis=axes).reshape(weight.shape)
    return np.where(x > 0, dy, dy * _slopes(x, weight)), dweight


def _slopes(x, weight):
    channels = x.shape[1] if x.ndim > 1 else 1
    if weight.ndim > 1 or weight.size not in (1, channels):
        raise ValueError(f"prelu: weight has shape {weight.shape}, expected 1 entry or {channels}, the channels of x")
    return weight.reshape((1, -1) + (1,) * (x.ndim - 2)) if weight.size > 1 else weight.reshape(())


@primitive
def hardtanh(x, min_val=-1.0, max_val=1.0):
    """The straight-line stand-in for tanh.

        y = min(max(x, min_val), max_val)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError unless min_val < max_val.
    Source: chapter 3, equation (hardtanh).
    """
    check_floating("hardtanh", x=x)
    if min_val > max_val:
        raise ValueError(f"hardtanh: min_val is {min_val} and max_val is {max_val}, expected min_val <= max_val")
    return np.clip(x, x.dtype.type(min_val), x.dtype.type(max_val))

@hardtanh.defvjp
def hardtanh_vjp(dy, y, x, min_val, max_val):
    return dy * ((x > min_val) & (x < max_val))


def relu6(x):
    """ReLU that stops at 6.

        y = min(max(x, 0), 6)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (relu6).
    """
    return hardtanh(x, 0.0, 6.0)


@primitive
def hardsigmoid(x):
    """The straight-line stand-in for the sigmoid.

        y = min(max(x / 6 + 1/2, 0), 1)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (hardsigmoid).
    """
    check_floating("hardsigmoid", x=x)
    return np.clip(x + 3, 0, 6) / 6

@hardsigmoid.defvjp
def hardsigmoid_vjp(dy, y, x):
    return dy * ((x > -3) & (x < 3)) / 6


@primitive
def hardswish(x):
    """x times its hard sigmoid.

        y = x min(max(x / 6 + 1/2, 0), 1)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (hardswish); Howard et al. (2019).
    """
    check_floating("hardswish", x=x)
    with np.errstate(invalid="ignore"):
        return x * np.clip(x + 3, 0, 6) / 6

@hardswish.defvjp
def hardswish_vjp(dy, y, x):
    return dy * np.where(x <= -3, 0, np.where(x >= 3, 1, x / 3 + 0.5)).astype(x.dtype)


# --- sigmoids ---------------------------------------------------------------------------------------


def _sigmoid(x):
    """1 / (1 + exp(-x)) without overflow: half of a tanh of half the argument."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@primitive
def sigmoid(x):
    """The logistic function: a score as a probability.

        y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (sigmoid).
    """
    check_floating("sigmoid", x=x)
    return _sigmoid(x)

@sigmoid.defvjp
def sigmoid_vjp(dy, y, x):
    return dy * y * (1 - y)


@primitive
def tanh(x):
    """The hyperbolic tangent.

        y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (tanh).
    """
    check_floating("tanh", x=x)
    return np.tanh(x)

@tanh.defvjp
def tanh_vjp(dy, y, x):
    return dy * (1 - y * y)


@primitive
def softsign(x):
    """A sigmoid with polynomial tails.

        y = x / (1 + |x|)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (softsign).
    """
    check_floating("softsign", x=x)
    with np.errstate(invalid="ignore"):
        return x / (1 + np.abs(x))

@softsign.defvjp
def softsign_vjp(dy, y, x):
    return dy / (1 + np.abs(x)) ** 2


# --- smooth rectifiers ------------------------------------------------------------------------------


@primitive
def elu(x, alpha=1.0):
    """Exponential linear unit: a straight line that bends to -alpha.

        y = x where x > 0, alpha (exp(x) - 1) elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (elu); Clevert et al. (2016).
    """
    check_floating("elu", x=x)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

@elu.defvjp
def elu_vjp(dy, y, x, alpha):
    return np.where(x > 0, dy, dy * alpha * np.exp(np.minimum(x, 0)))


@primitive
def celu(x, alpha=1.0):
    """ELU whose two halves meet with one slope for every alpha.

        y = x where x > 0, alpha (exp(x / alpha) - 1) elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError where alpha is 0.
    Source: chapter 3, equation (celu); Barron (2017).
    """
    check_floating("celu", x=x)
    if alpha == 0:
        raise ValueError("celu: alpha is 0, expected another number")
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))

@celu.defvjp
def celu_vjp(dy, y, x, alpha):
    return np.where(x > 0, dy, dy * np.exp(np.minimum(x, 0) / alpha))


def selu(x):
    """Scaled ELU: with these two constants mean 0 and variance 1 are a fixed point of a wide layer.

        y = 1.0507 elu(x, 1.6733)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (selu); Klambauer et al. (2017).
    """
    return elu(x, 1.6732632423543772848170429916717) * 1.0507009873554804934193349852946


def _log1p_exp(x):
    """ln(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@primitive
def softplus(x, beta=1.0, threshold=20.0):
    """A smooth ReLU, the integral of the sigmoid.

        y = ln(1 + exp(beta x)) / beta,  and y = x where beta x > threshold

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (softplus).
    """
    check_floating("softplus", x=x)
    return np.where(x * beta > threshold, x, _log1p_exp(beta * x) / beta)

@softplus.defvjp
def softplus_vjp(dy, y, x, beta, threshold):
    return np.where(x * beta > threshold, dy, dy * _sigmoid(beta * x))


@primitive
def logsigmoid(x):
    """The logarithm of the sigmoid, exact where the sigmoid is 0 to rounding.

        y = -ln(1 + exp(-x))

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (logsigmoid).
    """
    check_floating("logsigmoid", x=x)
    return -_log1p_exp(-x)

@logsigmoid.defvjp
def logsigmoid_vjp(dy, y, x):
    return dy * _sigmoid(-x)


@primitive
def silu(x):
    """x times its sigmoid, also called swish.

        y = x sigmoid(x)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (silu); Elfwing et al. (2018).
    """
    check_floating("silu", x=x)
    with np.errstate(invalid="ignore"):
        return x * _sigmoid(x)

@silu.defvjp
def silu_vjp(dy, y, x):
    s = _sigmoid(x)
    with np.errstate(invalid="ignore"):
        return dy * s * (1 + x * (1 - s))


@primitive
def mish(x):
    """x times the tanh of its softplus.

        y = x tanh(ln(1 + exp(x)))

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (mish); Misra (2020).
    """
    check_floating("mish", x=x)
    with np.errstate(invalid="ignore"):
        return x * np.tanh(_log1p_exp(x))

@mish.defvjp
def mish_vjp(dy, y, x):
    t = np.tanh(_log1p_exp(x))
    with np.errstate(invalid="ignore"):
        return dy * (t + x * (1 - t * t) * _sigmoid(x))


# Cody's rational approximations of erf near 0 and of exp(x^2) erfc(x) beyond, highest power first (1969).
_ERF = ([1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
         3.20937758913846947e3],
        [1, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3, 2.84423683343917062e3])
_ERFC = ([2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
          2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
          1.23033935479799725e3],
         [1, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
          3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3])


def _normal_cdf(x):
    """P(Z <= x) of a standard normal Z, to rounding: NumPy has no erf."""
    z = x * 0.5**0.5
    near, a = np.clip(z, -0.5, 0.5), np.minimum(np.abs(z), 30)
    erf = near * np.polyval(_ERF[0], near * near) / np.polyval(_ERF[1], near * near)
    tail = 0.5 * np.exp(-a * a) * np.polyval(_ERFC[0], a) / np.polyval(_ERFC[1], a)
    cdf = np.where(np.abs(z) < 0.46875, 0.5 + 0.5 * erf, np.where(z < 0, tail, 1 - tail))
    return np.where(np.isnan(x), x, cdf).astype(x.dtype)


@primitive
def gelu(x, approximate="none"):
    """Gaussian error linear unit: x times the probability that a standard normal is below x.

        y = x Phi(x);  approximate "tanh": y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError unless approximate is "none" or "tanh".
    Source: chapter 3, equation (gelu); Hendrycks and Gimpel (2016).
    """
    check_floating("gelu", x=x)
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is {approximate!r}, expected 'none' or 'tanh'")
    if approximate == "none" and np.iscomplexobj(x):
        raise TypeError("gelu: x is complex, expected real numbers where approximate is 'none'")
    with np.errstate(invalid="ignore"):
        return x * (_normal_cdf(x) if approximate == "none" else _sigmoid(2 * _gelu_argument(x)))

@gelu.defvjp
def gelu_vjp(dy, y, x, approximate):
    """d(x Phi)/dx = Phi + x phi, with the normal density phi = Phi'; by the chain rule for the tanh form."""
    if approximate == "none":
        return dy * (_normal_cdf(x) + x * np.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5)
    s = _sigmoid(2 * _gelu_argument(x))
    return dy * (s + x * 2 * s * (1 - s) * (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x))


def _gelu_argument(x):
    return (2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)


def glu(x, axis=-1):
    """Gated linear unit: one half of the entries gates the other.

        y = a sigmoid(b), with x = [a, b] along `axis`

    x (N, 2 C)  ->  y (N, C)
    Raises ValueError where the axis has odd length, TypeError unless x is floating point.
    Source: chapter 3, equation (glu); Dauphin et al. (2017).
    """
    axis = check_axis("glu", axis, x.ndim)
    if x.ndim == 0 or x.shape[axis] % 2:
        raise ValueError(f"glu: x has shape {x.shape}, expected an even length on axis {axis}")
    a, b = split(x, 2, axis)
    return a * sigmoid(b)


# --- softmax ----------------------------------------------------------------------------------------


def _shifted(x, axis):
    """x minus its maximum along `axis`, which changes no probability; a maximum of -inf shifts nothing."""
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    return x - largest


@primitive
def softmax(x, axis=-1):
    """Turn scores into probabilities.

        y_i = exp(x_i) / sum_j exp(x_j)

    x (..., V)  ->  y (..., V)
    The maximum is subtracted first, so nothing overflows; where all scores are -inf the result is nan, as
    in torch. Raises TypeError unless x is floating point, ValueError where x has no such axis.
    Source: chapter 3, equation (softmax).
    """
    check_floating("softmax", x=x)
    axis = check_axis("softmax", axis, x.ndim)
    if x.ndim == 0:
        return softmax(x[None], 0)[0]
    with np.errstate(invalid="ignore", over="ignore"):
        e = np.exp(_shifted(x, axis))
        return e / np.sum(e, axis=axis, keepdims=True)

@softmax.defvjp
def softmax_vjp(dy, y, x, axis):
    """dx = y * (dy - <y, dy>): the Jacobian diag(y) - y y^T is never formed."""
    return y * (dy - np.sum(y * dy, axis=axis if np.ndim(x) else None, keepdims=True))


def softmin(x, axis=-1):
    """Softmax of the negated scores: the smallest score wins.

        y_i = exp(-x_i) / sum_j exp(-x_j)

    x (..., V)  ->  y (..., V)
    Raises TypeError unless x is floating point, ValueError where x has no such axis.
    Source: chapter 3, equation (softmin).
    """
    check_floating("softmin", x=plain(x))
    return softmax(neg(x), axis)


@primitive
def log_softmax(x, axis=-1):
    """The logarithm of softmax, exact where a probability is 0 to rounding.

        y_i = x_i - ln sum_j exp(x_j)

    x (..., V)  ->  y (..., V)
    Raises TypeError unless x is floating point, ValueError where x has no such axis.
    Source: chapter 3, equation (log_softmax).
    """
    check_floating("log_softmax", x=x)
    axis = check_axis("log_softmax", axis, x.ndim)
    if x.ndim == 0:
        return log_softmax(x[None], 0)[0]
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        s = _shifted(x, axis)
        return s - np.log(np.sum(np.exp(s), axis=axis, keepdims=True))

@log_softmax.defvjp
def log_softmax_vjp(dy, y, x, axis):
    """dx = dy - softmax(x) * sum_j dy_j."""
    return dy - np.exp(y) * np.sum(dy, axis=axis if np.ndim(x) else None, keepdims=True)


@primitive
def logsumexp(x, axis, keepdims=False):
    """A smooth maximum: the logarithm of a sum of exponentials.

        y = ln sum_j exp(x_j)

    x (..., V)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError where x has no such axis.
    Source: chapter 3, equation (logsumexp).
    """
    check_floating("logsumexp", x=x)
    axis = check_axis("logsumexp", axis, x.ndim)
    largest = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, 0)
    with np.errstate(divide="ignore", over="ignore"):
        y = np.log(np.sum(np.exp(x - largest), axis=axis, keepdims=True)) + largest
    return y if keepdims else np.squeeze(y, axis)

@logsumexp.defvjp
def logsumexp_vjp(dy, y, x, axis, keepdims):
    """dx = dy softmax(x)."""
    dy, y = (a if keepdims else np.expand_dims(a, axis) for a in (dy, y))
    return dy * np.exp(x - np.where(np.isfinite(y), y, 0))


# --- lengths and angles -----------------------------------------------------------------------------


def normalize(x, p=2.0, axis=1, eps=1e-12):
    """Scale vectors to length one.

        y = x / max(||x||_p, eps)

    x (N, D)  ->  y (N, D)
    Raises ValueError unless p is 1 or 2 or where x has no such axis, TypeError unless x is floating point.
    Source: chapter 3, equation (normalize).
    """
    return x / maximum(_norm("normalize", x, p, axis), np.asarray(eps, x.dtype))


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
