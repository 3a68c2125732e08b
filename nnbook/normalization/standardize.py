"""The primitive under all norms, and what they share: half precision, views, checks. Derived in chapter 6."""

import math
import numbers

import numpy as np

from ..arrays import reshape
from ..checks import check_floating, check_shape
from ..tape import plain, primitive, quiet

__all__ = ["check_norm", "standardize", "standardize_as", "wide"]

BLOCK = 1 << 20  # bytes of x at a time, so that what is computed from them stays in cache


# --- means ------------------------------------------------------------------------------------------


def _sum(axes, *factors):
    """The sum of the factors' product over `axes`, which stay with length one; no product is stored."""
    sizes = factors[0].shape
    letters = range(len(sizes))
    operands = [part for a in factors for part in (a, letters)]
    total = np.einsum(*operands, [i for i in letters if i not in axes])
    return total.reshape([1 if i in axes else n for i, n in enumerate(sizes)])


def _mean(axes, *factors):
    """The mean of the factors' product over `axes`."""
    return _sum(axes, *factors) / math.prod(factors[0].shape[i] for i in axes)


def _centred(x, axes, mean=None):
    """x minus its mean, twice: the second time takes what rounding left, so a constant row is exactly 0."""
    if mean is not None:
        return x - mean, mean
    mean = _mean(axes, x)
    centred = x - mean
    rest = _mean(axes, centred)
    centred -= rest
    return centred, np.where(np.isnan(rest), mean, mean + rest)  # an infinite mean stays


def _shared(a):
    """The axes along which one entry of `a` serves all."""
    return tuple(i for i, n in enumerate(a.shape) if n == 1)


def _blocks(x, axes):
    """Slices of the leading axis with about BLOCK bytes each; the whole of it where it is averaged over."""
    N = max(len(x), 1)
    step = N if 0 in axes else max(1, BLOCK * N // max(x.nbytes, 1))
    return [slice(i, i + step) for i in range(0, N, step)]


# --- the primitive ----------------------------------------------------------------------------------


@primitive
@quiet
def standardize(x, weight, bias, mean, var, axes, eps):
    """The primitive under all norms: standardize, then scale and shift.

        y = weight xhat + bias,  xhat = (x - mean) / sqrt(var + eps)

    A mean or var of None is that of x over `axes`; what is given broadcasts
    against x. Returns (y, mean, var).
    """
    y = np.empty(x.shape, np.result_type(x, weight, bias))
    means, variances = [], []
    for rows in _blocks(x, axes):
        xhat, m = _centred(x[rows], axes, mean)
        v = _mean(axes, xhat, xhat) if var is None else var
        xhat *= 1 / np.sqrt(v + eps)
        np.multiply(xhat, weight, out=y[rows])
        y[rows] += bias
        means.append(m)
        variances.append(v)
    return (y, np.concatenate(means) if mean is None else mean,
            np.concatenate(variances) if var is None else var)

@standardize.defvjp
@quiet
def standardize_vjp(dy, y, x, weight, bias, mean, var, axes, eps):
    """dx = (dxhat - mean(dxhat) - xhat mean(dxhat xhat)) / sqrt(var + eps)

    with dxhat = weight dy: a mean that comes from x removes what lies along
    1, a variance that comes from x removes what lies along xhat.
    """
    dy, dx = dy[0], np.empty_like(x)
    dweight, dbias = np.zeros_like(weight), np.zeros_like(bias)
    for rows in _blocks(x, axes):
        m, v = (a if len(a) == 1 else a[rows] for a in y[1:])
        xhat, scale = x[rows] - m, 1 / np.sqrt(v + eps)
        xhat *= scale
        dweight += _sum(_shared(weight), dy[rows], xhat)
        dbias += _sum(_shared(bias), dy[rows])
        dxhat = np.multiply(dy[rows], weight, out=dx[rows])
        if mean is None:
            dxhat -= _mean(axes, dxhat)
        if var is None:  # 1 and xhat are orthogonal: one after the other
            dxhat -= np.multiply(xhat, _mean(axes, dxhat, xhat), out=xhat)
        dxhat *= scale
    return dx, dweight, dbias


# --- how the norms call it --------------------------------------------------------------------------


@primitive
@quiet
def _cast(x, dtype):
    return x.astype(dtype, copy=False)

@_cast.defvjp
@quiet
def _cast_vjp(dy, y, x, dtype):
    return dy.astype(x.dtype, copy=False)


def wide(a):
    """Half precision is computed in single precision, as in torch, and rounded once, at the end."""
    return _cast(a, np.float32) if a.dtype == np.float16 else a


def standardize_as(x, view, weight, bias, per, axes, eps, mean=None, var=None):
    """`standardize` x in the shape `view`, with weight and bias in the shape `per`, y in the shape of x.

    A weight of None is 1, a bias of None is 0. The mean and the variance leave the tape: they pass no gradient.
    """
    xw, one = wide(x), (1,) * len(view)
    weight = np.ones(one, xw.dtype) if weight is None else reshape(wide(weight), per)
    bias = np.zeros(one, xw.dtype) if bias is None else reshape(wide(bias), per)
    y, mean, var = standardize(reshape(xw, view), weight, bias, mean, var, axes, float(eps))
    y = reshape(y, x.shape)
    return y if x.dtype == xw.dtype else _cast(y, x.dtype), plain(mean), plain(var)


def check_norm(function, x, shape, settings, **arrays):
    """The settings are numbers; the arrays have `shape` and the dtype of x (or float32 beside float16)."""
    for name, value in settings.items():
        if not isinstance(value, numbers.Real):
            raise TypeError(f"{function}: {name} is {value!r}, expected a number")
    given = {name: plain(a) for name, a in arrays.items() if a is not None}
    check_floating(function, **given)
    if x.dtype != np.float16 or any(a.dtype != np.float32 for a in given.values()):
        check_floating(function, x=plain(x), **given)
    for name, a in given.items():
        check_shape(function, name, a, shape, f"for x {x.shape}")
