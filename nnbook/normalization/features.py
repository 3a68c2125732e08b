"""Layer norm and RMS norm: over the features of each example. Derived in chapter 6."""

from __future__ import annotations

import math
import operator

import numpy as np

from ..checks import check_floating
from ..tape import plain
from ..types import Array, DType, Params, Sizes
from .standardize import check_norm, standardize_as, wide

__all__ = ["init_layer_norm", "init_rms_norm", "layer_norm", "rms_norm"]


def _features(function, x, normalized_shape):
    """normalized_shape as a tuple, and the shape of x as a matrix: (examples, features)."""
    check_floating(function, x=plain(x))
    sizes = normalized_shape if isinstance(normalized_shape, tuple | list) else (normalized_shape,)
    try:
        shape = tuple(operator.index(n) for n in sizes)
    except TypeError:
        raise TypeError(f"{function}: normalized_shape is {normalized_shape!r}, expected integers") from None
    if not shape or x.shape[-len(shape):] != shape:
        raise ValueError(f"{function}: normalized_shape is {normalized_shape!r}, expected the last sizes of x, "
                         f"which has shape {x.shape}")
    return shape, (math.prod(x.shape[:-len(shape)]), math.prod(shape))


def init_layer_norm(normalized_shape: Sizes, dtype: DType = np.float64) -> Params:
    """Parameters for `layer_norm`: weight 1, bias 0."""
    return {"weight": np.ones(normalized_shape, dtype), "bias": np.zeros(normalized_shape, dtype)}


def layer_norm(x: Array, normalized_shape: Sizes, weight: Array | None = None,
               bias: Array | None = None, eps: float = 1e-5) -> Array:
    """Standardize each example over its features.

        y_nd = weight_d (x_nd - mean_n) / sqrt(var_n + eps) + bias_d
        mean_n = sum_d x_nd / D,  var_n = sum_d (x_nd - mean_n)^2 / D

    x (..., D), weight (D), bias (D)  ->  y (..., D)
    `normalized_shape` is D, or a tuple: the last sizes of x, whose axes count
    as one. Raises ValueError for shapes that do not fit, TypeError for other
    kinds.
    Source: chapter 6, equation (layer_norm); Ba et al. (2016).
    """
    shape, view = _features("layer_norm", x, normalized_shape)
    check_norm("layer_norm", x, shape, {"eps": eps}, weight=weight, bias=bias)
    per = (1, view[1])
    return standardize_as(x, view, weight, bias, per, (1,), eps)[0]


def init_rms_norm(normalized_shape: Sizes, dtype: DType = np.float64) -> Params:
    """Parameters for `rms_norm`: weight 1."""
    return {"weight": np.ones(normalized_shape, dtype)}


def rms_norm(x: Array, normalized_shape: Sizes, weight: Array | None = None,
             eps: float | None = None) -> Array:
    """Divide each example by its root mean square: the mean is set to 0.

        y_nd = weight_d x_nd / sqrt(sum_e x_ne^2 / D + eps)

    x (..., D), weight (D)  ->  y (..., D)
    `normalized_shape` as in `layer_norm`. An `eps` of None is the machine
    epsilon of x, or that of float32 for float16. Raises ValueError for shapes
    that do not fit, TypeError for other kinds.
    Source: chapter 6, equation (rms_norm); Zhang and Sennrich (2019).
    """
    shape, view = _features("rms_norm", x, normalized_shape)
    zero = np.zeros((1, 1), wide(plain(x)).dtype)
    eps = np.finfo(zero.dtype).eps if eps is None else eps
    check_norm("rms_norm", x, shape, {"eps": eps}, weight=weight)
    per = (1, view[1])
    return standardize_as(x, view, weight, None, per, (1,), eps, zero)[0]
