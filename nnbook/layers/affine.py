"""A row of neurons: each a weighted sum and a bias."""

from __future__ import annotations

import math

import numpy as np

from ..checks import check_numbers
from ..tape import primitive, quiet
from ..types import Array, DType, Params

__all__ = ["init_linear", "linear"]


def init_linear(in_features: int, out_features: int,
                rng: np.random.Generator, bias: bool = True,
                dtype: DType = np.float64) -> Params:
    """Parameters for `linear` as torch.nn.Linear draws them: all ~ U(-1 / sqrt(I), 1 / sqrt(I))."""
    bound = max(in_features, 1) ** -0.5
    params = {"weight": rng.uniform(-bound, bound, (out_features, in_features)).astype(dtype)}
    if bias:
        params["bias"] = rng.uniform(-bound, bound, out_features).astype(dtype)
    return params


@primitive
@quiet
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """An affine map of the last axis.

        y_no = sum_i x_ni weight_oi + bias_o

    x (..., I), weight (O, I), bias (O)  ->  y (..., O)
    A weight (I) is a single output: y (...) with a bias (). Integers stay
    integers. Raises ValueError for shapes that do not fit, TypeError unless
    all are numbers of one dtype.
    Source: chapter 3, equation (linear).
    """
    check_numbers("linear", x=x, weight=weight, bias=bias)
    if weight.ndim not in (1, 2):
        raise ValueError(f"linear: weight has shape {weight.shape}, expected (O, I) or (I,)")
    *O, I = weight.shape
    if x.ndim == 0 or x.shape[-1] != I:
        raise ValueError(f"linear: x has shape {x.shape}, expected (..., {I}) for weight {weight.shape}")
    if bias is not None and bias.shape != tuple(O):
        raise ValueError(f"linear: bias has shape {bias.shape}, expected {tuple(O)}")
    y = (_rows(x) @ _rows(weight).T).reshape(*x.shape[:-1], *O)
    return y if bias is None else y + bias

@linear.defvjp
def linear_vjp(dy, y, x, weight, bias):
    """dx = dy W, dW = dy^T x summed over all leading axes, db = the sum of dy."""
    dy = dy.reshape(len(_rows(x)), len(_rows(weight)))
    dbias = None if bias is None else dy.sum(axis=0).reshape(bias.shape)
    dx, dweight = dy @ _rows(weight), dy.T @ _rows(x)
    return dx.reshape(x.shape), dweight.reshape(weight.shape), dbias


def _rows(x):
    """All leading axes as one: a matrix whose rows are vectors."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])
