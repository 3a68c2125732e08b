"""x times a gate between 0 and 1 that x itself, or its other half, opens."""

from __future__ import annotations

import functools

import numpy as np

from ..arrays import split
from ..checks import check_axis, check_floating, check_real, widened
from ..tape import plain, primitive, quiet
from ..types import Array
from .sigmoids import _log1p_exp, _sigmoid, sigmoid

__all__ = ["gelu", "glu", "mish", "silu"]


@primitive
@quiet
def silu(x: Array) -> Array:
    """x times its sigmoid, also called swish.

        y = x sigmoid(x)

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (silu); Elfwing et al. (2018).
    """
    check_floating("silu", x=x)
    return x * _sigmoid(x)

@silu.defvjp
def silu_vjp(dy, y, x):
    s = _sigmoid(x)
    return dy * s * (1 + x * (1 - s))


@primitive
@quiet
def mish(x: Array) -> Array:
    """x times the tanh of its softplus.

        y = x tanh(ln(1 + exp(x)))

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point.
    Source: chapter 3, equation (mish); Misra (2020).
    """
    check_real("mish", x=x)
    return x * np.tanh(_log1p_exp(x))

@mish.defvjp
def mish_vjp(dy, y, x):
    t = np.tanh(_log1p_exp(x))
    return dy * (t + x * (1 - t * t) * _sigmoid(x))


@primitive
@quiet
def gelu(x: Array, approximate: str = "none") -> Array:
    """Gaussian error linear unit: x times P(a standard normal is below x).

        y = x Phi(x);  approximate "tanh":
        y = x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2

    x (...)  ->  y (...)
    Raises TypeError unless x is floating point, ValueError unless approximate
    is "none" or "tanh".
    Source: chapter 3, equation (gelu); Hendrycks and Gimpel (2016).
    """
    check_floating("gelu", x=x)
    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate is {approximate!r}, expected 'none' or 'tanh'")
    if approximate == "none" and np.iscomplexobj(x):
        raise TypeError("gelu: x is complex, expected real numbers where approximate is 'none'")
    if approximate == "none":
        return x * _normal_cdf(x)
    return x * _sigmoid(2 * _gelu_argument(x))

@gelu.defvjp
def gelu_vjp(dy, y, x, approximate):
    """d(x Phi)/dx = Phi + x phi, with the normal density phi = Phi'."""
    x_given, x = x, widened(x)
    if approximate == "none":
        density = np.exp(-0.5 * x * x) * (2 * np.pi) ** -0.5
        slope = _normal_cdf(x) + x * density
        return (dy * slope).astype(x_given.dtype, copy=False)
    s = _sigmoid(2 * _gelu_argument(x))
    slope = (2 / np.pi) ** 0.5 * (1 + 3 * 0.044715 * x * x)
    slope = s + x * 2 * s * (1 - s) * slope
    return (dy * slope).astype(x_given.dtype, copy=False)


def _gelu_argument(x):
    return (2 / np.pi) ** 0.5 * (x + 0.044715 * x * x * x)


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
    """P(Z <= x) of a standard normal Z, to rounding, in blocks that stay in the cache: NumPy has no erf."""
    z = np.ravel(x).astype(np.promote_types(x.dtype, np.float32)) * 0.5**0.5
    blocks = [_normal_cdf_block(z[i:i + 16384]) for i in range(0, z.size, 16384)]
    return np.concatenate([z[:0], *blocks]).reshape(x.shape).astype(x.dtype)


def _normal_cdf_block(z):
    near, a = np.clip(z, -0.5, 0.5), np.minimum(np.abs(z), 30)
    erf = near * _polynomial(_ERF[0], near * near) / _polynomial(_ERF[1], near * near)
    tail = 0.5 * np.exp(-a * a) * _polynomial(_ERFC[0], a) / _polynomial(_ERFC[1], a)
    cdf = np.where(np.abs(z) < 0.46875, 0.5 + 0.5 * erf, np.where(z < 0, tail, 1 - tail))
    return np.where(np.isnan(z), z, cdf)


def _polynomial(coefficients, x):
    """Horner's rule with Python floats: float32 stays float32, which np.polyval widens."""
    return functools.reduce(lambda y, c: y * x + c, coefficients[1:], np.full_like(x, coefficients[0]))


@quiet
def glu(x: Array, axis: int = -1) -> Array:
    """Gated linear unit: one half of the entries gates the other.

        y = a sigmoid(b), with x = [a, b] along `axis`

    x (N, 2 C)  ->  y (N, C)
    Raises ValueError where the axis has odd length, TypeError unless x is
    floating point.
    Source: chapter 3, equation (glu); Dauphin et al. (2017).
    """
    check_floating("glu", x=plain(x))
    axis = check_axis("glu", axis, x.ndim)
    if x.ndim == 0 or x.shape[axis] % 2:
        raise ValueError(f"glu: x has shape {x.shape}, expected an even length on axis {axis}")
    a, b = split(x, 2, axis)
    return a * sigmoid(b)
