"""Smooth steps from one level to another, and the smooth rectifiers that are their integrals."""

from __future__ import annotations

import numpy as np

from ..checks import as_floating, as_number, check_real
from ..tape import plain, primitive, quiet
from ..types import Array

__all__ = ["celu", "elu", "logsigmoid", "selu", "sigmoid", "softplus", "softsign", "tanh"]


def _sigmoid(x):
    """1 / (1 + exp(-x)) without overflow: half of a tanh of half the argument."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@primitive
def sigmoid(x: Array) -> Array:
    """The logistic function: a score as a probability.

        y = 1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2

    x (...)  ->  y (...)
    Integers become float32, as in torch. Raises TypeError unless x is an
    array of numbers.
    Source: chapter 3, equation (sigmoid).
    """
    return _sigmoid(as_floating("sigmoid", x))

@sigmoid.defvjp
def sigmoid_vjp(dy, y, x):
    return dy * y * (1 - y)


@primitive
def tanh(x: Array) -> Array:
    """The hyperbolic tangent.

        y = (exp(x) - exp(-x)) / (exp(x) + exp(-x))

    x (...)  ->  y (...)
    Integers become float32, as in torch. Raises TypeError unless x is an
    array of numbers.
    Source: chapter 3, equation (tanh).
    """
    return np.tanh(as_floating("tanh", x))

@tanh.defvjp
def tanh_vjp(dy, y, x):
    return dy * (1 - y * y)


@primitive
@quiet
def softsign(x: Array) -> Array:
    """A sigmoid with polynomial tails.

        y = x / (1 + |x|)

    x (...)  ->  y (...)
    Integers become float32, as in torch. Raises TypeError unless x is an
    array of numbers.
    Source: chapter 3, equation (softsign).
    """
    x = as_floating("softsign", x)
    return x / (1 + np.abs(x))

@softsign.defvjp
def softsign_vjp(dy, y, x):
    return dy / (1 + np.abs(x)) ** 2


def _log1p_exp(x):
    """ln(1 + exp(x)) without overflow."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


@primitive
@quiet
def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """A smooth ReLU, the integral of the sigmoid.

        y = ln(1 + exp(beta x)) / beta,  and y = x where beta x > threshold

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (softplus).
    """
    check_real("softplus", x=x)
    beta = as_number("softplus", "beta", beta)
    threshold = as_number("softplus", "threshold", threshold)
    return np.where(x * beta > threshold, x, _log1p_exp(beta * x) / beta)

@softplus.defvjp
def softplus_vjp(dy, y, x, beta, threshold):
    linear = x * float(beta) > float(threshold)
    return np.where(linear, dy, dy * _sigmoid(float(beta) * x))


@primitive
def logsigmoid(x: Array) -> Array:
    """The logarithm of the sigmoid, exact where the sigmoid is 0 to rounding.

        y = -ln(1 + exp(-x))

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (logsigmoid).
    """
    check_real("logsigmoid", x=x)
    return -_log1p_exp(-x)

@logsigmoid.defvjp
def logsigmoid_vjp(dy, y, x):
    return dy * _sigmoid(-x)


@primitive
def elu(x: Array, alpha: float = 1.0) -> Array:
    """Exponential linear unit: a straight line that bends to -alpha.

        y = x where x > 0, alpha (exp(x) - 1) elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (elu); Clevert et al. (2016).
    """
    check_real("elu", x=x)
    alpha = as_number("elu", "alpha", alpha)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0)))

@elu.defvjp
def elu_vjp(dy, y, x, alpha):
    return np.where(x > 0, dy, dy * float(alpha) * np.exp(np.minimum(x, 0)))


@primitive
@quiet
def celu(x: Array, alpha: float = 1.0) -> Array:
    """ELU whose two halves meet with one slope for every alpha.

        y = x where x > 0, alpha (exp(x / alpha) - 1) elsewhere

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError where alpha is 0.
    Source: chapter 3, equation (celu); Barron (2017).
    """
    check_real("celu", x=x)
    alpha = as_number("celu", "alpha", alpha)
    if alpha == 0:
        raise ValueError("celu: alpha is 0, expected another number")
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha))

@celu.defvjp
def celu_vjp(dy, y, x, alpha):
    return np.where(x > 0, dy, dy * np.exp(np.minimum(x, 0) / float(alpha)))


def selu(x: Array) -> Array:
    """Scaled ELU: mean 0 and variance 1 are a fixed point of a wide layer.

        y = 1.0507 elu(x, 1.6733)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (selu); Klambauer et al. (2017).
    """
    check_real("selu", x=plain(x))
    return elu(x, 1.6732632423543772848) * 1.0507009873554804934
