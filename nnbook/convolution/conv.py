"""Convolution (as deep learning says it: correlation), and how its weights begin."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..checks import per_axis
from ..tape import quiet
from ..types import Array, DType, Params, Sizes
from .arguments import _check_arrays, _check_bias, _check_fit, _check_groups, _check_small_integers, _padding_pairs
from .engine import convolve

__all__ = ["conv1d", "conv2d", "init_conv"]


def init_conv(in_channels: int, out_channels: int, kernel_size: Sequence[int],
              rng: np.random.Generator, groups: int = 1, bias: bool = True,
              dtype: DType = np.float64) -> Params:
    """Parameters for conv1d or conv2d as torch draws them: all ~ U(-b, b), b = 1 / sqrt(C / groups * taps).

    `kernel_size` is a tuple, one entry a spatial axis: (3,) for conv1d, (3,
    3) for conv2d.
    """
    shape = (out_channels, in_channels // groups, *kernel_size)
    bound = max(math.prod(shape[1:]), 1) ** -0.5
    params = {"weight": rng.uniform(-bound, bound, shape).astype(dtype)}
    if bias:
        params["bias"] = rng.uniform(-bound, bound, out_channels).astype(dtype)
    return params


def conv1d(x: Array, weight: Array, bias: Array | None = None, stride: Sizes = 1,
           padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1) -> Array:
    """Slide a small pattern along a sequence; the output says how well it fits where.

        y_nol = bias_o + sum_{c, k} weight_ock x_{n, c, l stride + k dilation - padding}

    x (N, C, W), weight (O, C, Kw), bias (O)  ->  y (N, O, Wo)
    Without the axis N too. `padding` is an integer, "valid" (0) or "same"
    (stride 1: as long as x). Raises ValueError for shapes or settings that do
    not fit, TypeError for other kinds.
    Source: chapter 5, equation (conv1d).
    """
    return _conv("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x: Array, weight: Array, bias: Array | None = None, stride: Sizes = 1,
           padding: Sizes | str = 0, dilation: Sizes = 1, groups: int = 1) -> Array:
    """Slide small patterns over a picture; each channel says how well its own fits.

        y_nohw = bias_o + sum_{c, i, j} weight_ocij
                 x_{n, c, h stride + i dilation - padding, w ...}

    x (N, C, H, W), weight (O, C, Kh, Kw), bias (O)  ->  y (N, O, Ho, Wo)
    Without the axis N too. With `groups`, weight is (O, C / groups, Kh, Kw)
    and each group of O / groups outputs sees its own C / groups channels.
    `stride`, `padding`, `dilation` are integers or pairs; padding also
    "valid" (0) or "same" (stride 1: as large as x). Ho = floor((H + 2 padding
    - dilation (Kh - 1) - 1) / stride) + 1. Raises ValueError for shapes or
    settings that do not fit, TypeError for other kinds.
    Source: chapter 5, equation (conv2d); LeCun et al. (1989).
    """
    return _conv("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


@quiet
def _conv(function, n, x, weight, bias, stride, padding, dilation, groups):
    _check_arrays(function, n, x, weight, bias)
    if x.ndim == n + 1:
        return _conv(function, n, x[None], weight, bias, stride, padding, dilation, groups)[0]
    stride = per_axis(function, "stride", stride, n, 1)
    dilation = per_axis(function, "dilation", dilation, n, 1)
    if max(dilation) > 1:
        _check_small_integers(function, x)
    _check_groups(function, groups, weight.shape[0], "weight has {} output channels")
    if x.shape[1] % groups or weight.shape[1] != x.shape[1] // groups:
        expected = x.shape[1] // groups if x.shape[1] % groups == 0 else f"a multiple of {groups} channels in x"
        raise ValueError(f"{function}: weight has {weight.shape[1]} input channels per group, x has {x.shape[1]} "
                         f"channels in {groups} groups (expected {expected})")
    _check_bias(function, bias, weight.shape[0])
    padding = _padding_pairs(function, padding, n, weight.shape[2:], stride, dilation)
    _check_fit(function, x.shape[2:], weight.shape[2:], dilation, padding)
    y = convolve(x, weight, bias, stride, padding, dilation, groups)
    return y if x.shape[1] else y[:, :0]  # without input channels torch gives no output channels
