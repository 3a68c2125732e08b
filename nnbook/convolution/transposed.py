"""Transposed convolution: the adjoint of a convolution, as a layer of its own."""

from __future__ import annotations

import numpy as np

from ..checks import per_axis
from ..tape import quiet
from ..types import Array, Sizes
from .arguments import _check_arrays, _check_bias, _check_groups, _check_small_integers
from .engine import convolve_transpose

__all__ = ["conv_transpose1d", "conv_transpose2d"]


def conv_transpose1d(
        x: Array, weight: Array, bias: Array | None = None, stride: Sizes = 1,
        padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1,
        dilation: Sizes = 1) -> Array:
    """The adjoint of conv1d: every input stamps the pattern onto the output.

        y_{n, o, l stride + k dilation - padding} += sum_c x_ncl weight_cok
        beginning with y_noj = bias_o

    x (N, C, W), weight (C, O, Kw), bias (O)  ->  y (N, O, Wo)
    Arguments and errors are those of conv_transpose2d, with one axis.
    Source: chapter 5, equation (conv_transpose1d).
    """
    settings = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose1d", 1, x, weight, bias, *settings)


def conv_transpose2d(
        x: Array, weight: Array, bias: Array | None = None, stride: Sizes = 1,
        padding: Sizes = 0, output_padding: Sizes = 0, groups: int = 1,
        dilation: Sizes = 1) -> Array:
    """The adjoint of conv2d: every input stamps the pattern onto the output.

        y_{n, o, h stride + i dilation - padding, w ...} += sum_c x_nchw weight_coij
        beginning with y_norq = bias_o

    x (N, C, H, W), weight (C, O, Kh, Kw), bias (O)  ->  y (N, O, Ho, Wo)
    Without the axis N too. With `groups`, weight is (C, O / groups, Kh, Kw).
    Ho = (H - 1) stride - 2 padding + dilation (Kh - 1) + output_padding + 1:
    `output_padding`, smaller than stride or dilation, picks one of the sizes
    that a strided convolution maps to H. Raises ValueError for shapes or
    settings that do not fit, TypeError for other kinds.
    Source: chapter 5, equation (conv_transpose2d); Dumoulin and Visin (2016).
    """
    settings = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose2d", 2, x, weight, bias, *settings)


@quiet
def _conv_transpose(function, n, x, weight, bias, stride, padding, output_padding, groups, dilation):
    _check_arrays(function, n, x, weight, bias)
    _check_small_integers(function, x)
    if x.ndim == n + 1:
        return _conv_transpose(function, n, x[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    stride = per_axis(function, "stride", stride, n, 1)
    dilation = per_axis(function, "dilation", dilation, n, 1)
    pads = per_axis(function, "padding", padding, n)
    extra = per_axis(function, "output_padding", output_padding, n)
    _check_groups(function, groups, x.shape[1], "x has {} channels")
    if weight.shape[0] != x.shape[1]:
        raise ValueError(f"{function}: weight has {weight.shape[0]} input channels, expected {x.shape[1]}, those of x")
    if weight.shape[1] == 0:
        raise ValueError(f"{function}: weight has shape {weight.shape}, expected at least one output channel")
    _check_bias(function, bias, weight.shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{function}: output_padding is {output_padding!r}, expected less than stride or dilation")
    spatial = tuple((size - 1) * s - 2 * p + d * (k - 1) + e + 1 for size, s, p, d, k, e in
                    zip(x.shape[2:], stride, pads, dilation, weight.shape[2:], extra, strict=True))
    least = min(1, x.shape[0])  # an empty batch of empty pictures is allowed, as in torch
    if min(spatial) < least:
        raise ValueError(f"{function}: the output would have size {spatial}, expected at least {least} on each axis")
    if least == 0:
        return np.zeros((0, weight.shape[1] * groups, *spatial), x.dtype)
    pairs = tuple((p, p) for p in pads)
    return convolve_transpose(x, weight, bias, spatial, stride, pairs, dilation, groups)
