"""Entry by entry, broadcast as NumPy does, and the product of matrices."""

from __future__ import annotations

import numpy as np

from ..tape import primitive, quiet
from ..types import Array

__all__ = ["abs", "add", "clip", "cos", "div", "exp", "log", "matmul", "maximum", "minimum", "mul", "neg", "power",
           "sin", "sqrt", "sub", "where"]


def unbroadcast(g, like):
    """Sum `g` down to the shape of `like`: the adjoint of broadcasting `like` up to the shape of `g`."""
    shape = np.shape(like)
    if np.shape(g) == shape:
        return g
    g = np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))
    return np.sum(g, axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


def _python(number):
    """A NumPy scalar as a Python number, which widens no float32."""
    return number.item() if isinstance(number, np.generic) else number


@primitive
def add(a: Array, b: Array) -> Array:
    """y = a + b, broadcast as NumPy does."""
    return np.add(a, b)

@add.defvjp
def add_vjp(dy, y, a, b):
    return unbroadcast(dy, a), unbroadcast(dy, b)


@primitive
def sub(a: Array, b: Array) -> Array:
    """y = a - b, broadcast as NumPy does."""
    return np.subtract(a, b)

@sub.defvjp
def sub_vjp(dy, y, a, b):
    return unbroadcast(dy, a), unbroadcast(-dy, b)


@primitive
def mul(a: Array, b: Array) -> Array:
    """y = a * b elementwise, broadcast as NumPy does."""
    return np.multiply(a, b)

@mul.defvjp
def mul_vjp(dy, y, a, b):
    return unbroadcast(dy * b, a), unbroadcast(dy * a, b)


@primitive
@quiet
def div(a: Array, b: Array) -> Array:
    """y = a / b elementwise, broadcast as NumPy does."""
    return np.divide(a, b)

@div.defvjp
def div_vjp(dy, y, a, b):
    return unbroadcast(dy / b, a), unbroadcast(-dy * y / b, b)


@primitive
def neg(x: Array) -> Array:
    """y = -x."""
    return np.negative(x)

@neg.defvjp
def neg_vjp(dy, y, x):
    return -dy


@primitive
@quiet
def power(x: Array, exponent: float) -> Array:
    """y = x ** exponent for a number `exponent`. Raises TypeError for an array: write exp(exponent * log(x))."""
    if np.ndim(exponent) or isinstance(exponent, np.ndarray):
        raise TypeError(f"power: exponent is a {type(exponent).__name__}, expected a number")
    return np.power(x, _python(exponent))

@power.defvjp
def power_vjp(dy, y, x, exponent):
    exponent = _python(exponent)
    return dy * (x.dtype.type(exponent) * x ** x.dtype.type(exponent - 1)) if exponent else np.zeros_like(x)


@primitive
@quiet
def exp(x: Array) -> Array:
    """y = e ** x."""
    return np.exp(x)

@exp.defvjp
def exp_vjp(dy, y, x):
    return dy * y


@primitive
@quiet
def log(x: Array) -> Array:
    """y = ln x."""
    return np.log(x)

@log.defvjp
def log_vjp(dy, y, x):
    return dy / x


@primitive
@quiet
def sqrt(x: Array) -> Array:
    """y = x ** (1/2)."""
    return np.sqrt(x)

@sqrt.defvjp
def sqrt_vjp(dy, y, x):
    return dy / (2 * y)


@primitive
@quiet
def sin(x: Array) -> Array:
    """y = sin x, x in radians."""
    return np.sin(x)

@sin.defvjp
def sin_vjp(dy, y, x):
    return dy * np.cos(x)


@primitive
@quiet
def cos(x: Array) -> Array:
    """y = cos x, x in radians."""
    return np.cos(x)

@cos.defvjp
def cos_vjp(dy, y, x):
    return -dy * np.sin(x)


@primitive
def abs(x: Array) -> Array:
    """y = |x|, with derivative 0 at 0."""
    return np.abs(x)

@abs.defvjp
def abs_vjp(dy, y, x):
    return dy * np.sign(x)


@primitive
def clip(x: Array, lower: float | None = None,
         upper: float | None = None) -> Array:
    """y = min(max(x, lower), upper) for numbers; the gradient passes where lower <= x <= upper, as in torch.

    Raises TypeError for an array: write minimum(maximum(x, lower), upper).
    Raises ValueError without bounds.
    """
    if isinstance(lower, np.ndarray) or isinstance(upper, np.ndarray):
        raise TypeError("clip: lower or upper is an ndarray, expected numbers (minimum and maximum take arrays)")
    if lower is None and upper is None:
        raise ValueError("clip: lower and upper are None, expected at least one number")
    return np.clip(x, _python(lower), _python(upper))

@clip.defvjp
def clip_vjp(dy, y, x, lower, upper):
    return dy * (np.equal(x, y))


@primitive
def maximum(a: Array, b: Array) -> Array:
    """y = max(a, b) elementwise; where they are equal each receives half of the gradient, as in torch."""
    return np.maximum(a, b)

@maximum.defvjp
def maximum_vjp(dy, y, a, b):
    half = np.equal(a, b) / dy.dtype.type(2)
    return unbroadcast(dy * (np.greater(a, b) + half), a), unbroadcast(dy * (np.less(a, b) + half), b)


@primitive
def minimum(a: Array, b: Array) -> Array:
    """y = min(a, b) elementwise; where they are equal each receives half of the gradient, as in torch."""
    return np.minimum(a, b)

@minimum.defvjp
def minimum_vjp(dy, y, a, b):
    half = np.equal(a, b) / dy.dtype.type(2)
    return unbroadcast(dy * (np.less(a, b) + half), a), unbroadcast(dy * (np.greater(a, b) + half), b)


@primitive
def where(condition: Array, a: Array, b: Array) -> Array:
    """y = a where `condition` holds, else b."""
    return np.where(condition, a, b)

@where.defvjp
def where_vjp(dy, y, condition, a, b):
    zero = dy.dtype.type(0)
    return None, unbroadcast(np.where(condition, dy, zero), a), unbroadcast(np.where(condition, zero, dy), b)


@primitive
def matmul(a: Array, b: Array) -> Array:
    """y = a @ b with NumPy's rules: leading axes broadcast, 1-D arguments are row or column."""
    return np.matmul(a, b)

@matmul.defvjp
def matmul_vjp(dy, y, a, b):
    """da = dy b^T, db = a^T dy; a 1-D argument is a matrix with one row (a) or one column (b)."""
    a2 = a[None, :] if a.ndim == 1 else a
    b2 = b[:, None] if b.ndim == 1 else b
    dy = np.expand_dims(dy, -1) if b.ndim == 1 else dy
    dy = np.expand_dims(dy, -2) if a.ndim == 1 else dy
    da = unbroadcast(dy @ np.swapaxes(b2, -1, -2), a2)
    db = unbroadcast(np.swapaxes(a2, -1, -2) @ dy, b2)
    return da.reshape(a.shape), db.reshape(b.shape)
