"""Group, batch and instance norm: over the places of each channel. Derived in chapter 6."""

from __future__ import annotations

import math
import numbers
from typing import Any

import numpy as np

from ..checks import check_boolean, check_floating
from ..tape import plain, quiet
from ..types import Array, DType, Params
from .features import init_layer_norm
from .standardize import check_norm, standardize_as, wide

__all__ = ["batch_norm", "group_norm", "init_batch_norm", "init_group_norm", "init_instance_norm", "instance_norm"]


def _channels(function, x):
    """(N, C, L): examples, channels, and places of each channel."""
    check_floating(function, x=plain(x))
    if x.ndim < 2 and (function, x.shape) != ("batch_norm", (0,)):  # which torch takes
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, C, ...)")
    return *(*x.shape, 0)[:2], math.prod(x.shape[2:])


def _check_several(function, x, count):
    if count == 1:
        raise ValueError(f"{function}: x has shape {x.shape}, one value for each mean, expected more than one")


# --- group norm -------------------------------------------------------------------------------------


def init_group_norm(num_channels: int, dtype: DType = np.float64) -> Params:
    """Parameters for `group_norm`: weight 1, bias 0."""
    return init_layer_norm(num_channels, dtype)


def group_norm(x: Array, num_groups: int, weight: Array | None = None,
               bias: Array | None = None, eps: float = 1e-5) -> Array:
    """Standardize each group of channels of each example.

        y_nchw = weight_c (x_nchw - mean_ng) / sqrt(var_ng + eps) + bias_c
        g = floor(c G / C),  mean and var over C / G channels, all places

    x (N, C, H, W), weight (C), bias (C)  ->  y (N, C, H, W)
    With any number of spatial axes. Raises ValueError unless num_groups G
    divides C, for a single value, for shapes that do not fit; TypeError for
    other kinds.
    Source: chapter 6, equation (group_norm); Wu and He (2018).
    """
    N, C, L = _channels("group_norm", x)
    check_norm("group_norm", x, (C,), {"eps": eps}, weight=weight, bias=bias)
    G = _divisor(num_groups, C)
    _check_several("group_norm", x, N * C // G * L)
    view, per = (N, G, C // G, L), (1, G, C // G, 1)
    return standardize_as(x, view, weight, bias, per, (2, 3), eps)[0]


def _divisor(num_groups, C):
    if not isinstance(num_groups, numbers.Integral):
        raise TypeError(f"group_norm: num_groups is {num_groups!r}, expected an integer")
    if num_groups < 1 or C % num_groups:
        raise ValueError(f"group_norm: num_groups is {num_groups}, expected a divisor of {C}, the channels of x")
    return int(num_groups)


# --- with running statistics ------------------------------------------------------------------------


def _with_memory(function, x, axes, running, weight, bias, training, momentum, eps):
    """y of x (N, C, L) over `axes`, or with the `running` mean and variance; and these as they are afterwards."""
    N, C, L = view = _channels(function, x)
    check_boolean(function, **{"training" if function == "batch_norm" else "use_input_stats": training})
    named = dict(zip(("running_mean", "running_var"), map(plain, running), strict=True))
    check_norm(function, x, (C,), {"momentum": momentum, "eps": eps}, **named, weight=weight, bias=bias)
    absent = [name for name, a in named.items() if a is None]
    if absent and (len(absent) == 1 or not training):
        raise ValueError(f"{function}: {absent[0]} is None, expected an array"
                         f"{'' if training else ' where the statistics of x are not used'}")
    running, per = tuple(named.values()), (1, C, 1)
    if not training:
        mean, var = (wide(a).reshape(per) for a in running)
        return standardize_as(x, view, weight, bias, per, (), eps, mean, var)[0], *running
    count = math.prod(view[i] for i in axes)
    _check_several(function, x, count)
    y, mean, var = standardize_as(x, view, weight, bias, per, axes, eps)
    if absent or (count == 0 and len(mean)):  # examples without places teach nothing
        return y, *running
    unbiased = var * (count / (count - 1))
    return y, *(_blend(*pair, momentum) for pair in zip(running, (mean, unbiased), strict=True))


@quiet
def _blend(old, new, momentum):
    """(1 - momentum) old + momentum new, averaged over examples; over none it is nan, as in torch."""
    blend = (1 - momentum) * old + momentum * new[..., 0]
    return (np.sum(blend, axis=0) / len(new)).astype(old.dtype)


def init_batch_norm(num_features: int, dtype: DType = np.float64) -> Params:
    """Parameters for `batch_norm`: weight 1, bias 0; and its statistics: running_mean 0, running_var 1."""
    p = init_layer_norm(num_features, dtype)
    return p | {"running_mean": np.zeros(num_features, dtype), "running_var": np.ones(num_features, dtype)}


def batch_norm(x: Array, running_mean: Array | None,
               running_var: Array | None, weight: Array | None = None,
               bias: Array | None = None, training: bool = False,
               momentum: float = 0.1, eps: float = 1e-5) -> Any:
    """Standardize each channel over all examples and places.

        y_nchw = weight_c (x_nchw - mean_c) / sqrt(var_c + eps) + bias_c
        running <- (1 - momentum) running + momentum (mean, unbiased var)

    x (N, C, H, W), running_mean (C), running_var (C)  ->  y (N, C, H, W), m (C), v (C)
    With any number of spatial axes; weight and bias are (C). Training takes
    mean and var from x and returns the running statistics moved towards them;
    else the running statistics are used, and returned as they are. They pass
    no gradient, as in torch. Raises ValueError for one value in a channel
    when training, for statistics missing when not, for eps < 0, for shapes
    that do not fit; TypeError for other kinds.
    Source: chapter 6, equation (batch_norm); Ioffe and Szegedy (2015).
    """
    if isinstance(eps, numbers.Real) and (eps < 0 or (training and eps == 0)):
        raise ValueError(f"batch_norm: eps is {eps}, expected a positive number")
    return _with_memory("batch_norm", x, (0, 2), (running_mean, running_var),
                        weight, bias, training, momentum, eps)


def init_instance_norm(num_features: int, dtype: DType = np.float64) -> Params:
    """Parameters for `instance_norm`: weight 1, bias 0."""
    return init_layer_norm(num_features, dtype)


def instance_norm(x: Array, running_mean: Array | None = None,
                  running_var: Array | None = None,
                  weight: Array | None = None, bias: Array | None = None,
                  use_input_stats: bool = True, momentum: float = 0.1,
                  eps: float = 1e-5) -> Any:
    """Standardize each channel of each example over its places.

        y_nchw = weight_c (x_nchw - mean_nc) / sqrt(var_nc + eps) + bias_c

    x (N, C, H, W), weight (C), bias (C)  ->  y (N, C, H, W)
    With running statistics (C) it returns (y, running_mean, running_var) as
    `batch_norm` does, the update averaged over the examples; use_input_stats
    False uses them. Raises ValueError for one place when not, and as
    `batch_norm`; TypeError for other kinds.
    Source: chapter 6, equation (instance_norm); Ulyanov et al. (2016).
    """
    y, *running = _with_memory("instance_norm", x, (2,), (running_mean, running_var),
                               weight, bias, use_input_stats, momentum, eps)
    return y if running_mean is None else (y, *running)
