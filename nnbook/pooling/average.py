"""Average pooling: the mean of each window, one axis after the other."""

from __future__ import annotations

import functools

import numpy as np

from ..checks import as_integer, check_boolean, check_floating, check_numbers
from ..convolution.taps import take_taps
from ..tape import plain
from ..types import Array, Sizes
from .windows import (
    _adaptive,
    _adaptive_sizes,
    _check_spatial,
    _sliding,
    _sliding_settings,
)

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "avg_pool1d", "avg_pool2d"]


def avg_pool1d(x: Array, kernel_size: Sizes, stride: Sizes | None = None,
               padding: Sizes = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Array:
    """Replace each window by its mean.

        y_ncl = sum_k x_{n, c, l stride + k - padding} / K

    x (N, C, W)  ->  y (N, C, Wo)
    Arguments and errors are those of avg_pool2d, with one axis.
    Source: chapter 6, equation (avg_pool1d).
    """
    settings = stride, padding, ceil_mode, count_include_pad
    return _avg_pool("avg_pool1d", 1, x, kernel_size, *settings)


def avg_pool2d(x: Array, kernel_size: Sizes, stride: Sizes | None = None,
               padding: Sizes = 0, ceil_mode: bool = False,
               count_include_pad: bool = True,
               divisor_override: int | None = None) -> Array:
    """Replace each window by its mean.

        y_nchw = sum_{i, j} x_{n, c, h stride + i - padding, w ...} / (Kh Kw)

    x (N, C, H, W)  ->  y (N, C, Ho, Wo)
    Without the axis N too. `stride` None means kernel_size. The padding,
    zeros, is at most half of the kernel; without `count_include_pad` the
    divisor counts entries of x only, and never what `ceil_mode` lets hang
    over. `divisor_override` replaces it. Raises ValueError for shapes or
    settings that do not fit, TypeError for other kinds; of integers only
    int64, whose mean loses its fraction, as in torch.
    Source: chapter 6, equation (avg_pool2d).
    """
    settings = stride, padding, ceil_mode, count_include_pad, divisor_override
    return _avg_pool("avg_pool2d", 2, x, kernel_size, *settings)


def _avg_pool(function, n, x, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override=None):
    check_numbers(function, x=plain(x))
    if x.dtype.kind in "iu" and x.dtype != np.int64:
        raise TypeError(f"{function}: x has dtype {x.dtype}, expected floating point or int64")
    settings = _sliding_settings(function, n, x, kernel_size, stride, padding, 1, ceil_mode)
    check_boolean(function, count_include_pad=count_include_pad)
    windows = [(s[-1], *_sliding(*s)) for s in settings]
    if divisor_override is None:
        divisor = _counts([_lengths(*s) for s in settings] if count_include_pad else
                          [np.bincount(o, minlength=size) for size, o, _ in windows])
    else:
        as_integer(function, "divisor_override", divisor_override)
        if divisor_override == 0:
            raise ValueError(f"{function}: divisor_override is 0, expected another integer")
        divisor = divisor_override
    return _mean(x, windows, divisor)


def _lengths(size, kernel, stride, padding, dilation, outputs):
    """How much of each window is in x or its padding."""
    start = np.arange(outputs) * stride - padding
    return np.minimum(start + kernel, size + padding) - start


def _counts(lengths):
    """The entries of each window: the product of its lengths on all axes."""
    return functools.reduce(np.multiply.outer, lengths)


def _mean(x, windows, divisor):
    """The sums over the windows of the last axes, divided."""
    maps = [(axis, *window, None)
            for axis, window in enumerate(windows, x.ndim - len(windows))]
    return take_taps(x, maps, 0, divisor)


def adaptive_avg_pool1d(x: Array, output_size: Sizes) -> Array:
    """Take the mean of each of `output_size` windows that cover x.

        y_ncl = mean_i x_nci,  floor(l W / Wo) <= i < ceil((l + 1) W / Wo)

    x (N, C, W)  ->  y (N, C, Wo), with output_size Wo
    Arguments and errors are those of adaptive_avg_pool2d, with one axis.
    Source: chapter 6, equation (adaptive_avg_pool1d).
    """
    return _adaptive_avg_pool("adaptive_avg_pool1d", 1, x, output_size)


def adaptive_avg_pool2d(
        x: Array, output_size: int | tuple[int | None, int | None]) -> Array:
    """Take the mean of each window, as many windows as the output needs.

        y_nchw = mean_{i, j} x_ncij,
        floor(h H / Ho) <= i < ceil((h + 1) H / Ho),  j ...

    x (N, C, H, W)  ->  y (N, C, Ho, Wo), with output_size (Ho, Wo)
    Without the axis N too. An entry None keeps the size of x; output_size 1
    is the mean of each channel. Raises ValueError for shapes or sizes that do
    not fit, TypeError for other kinds.
    Source: chapter 6, equation (adaptive_avg_pool2d); Lin et al. (2014).
    """
    return _adaptive_avg_pool("adaptive_avg_pool2d", 2, x, output_size)


def _adaptive_avg_pool(function, n, x, output_size):
    check_floating(function, x=plain(x))
    _check_spatial(function, n, x, x.ndim - n)
    return _adaptive_mean(x, _adaptive_sizes(function, n, x, output_size))


def _adaptive_mean(x, sizes):
    spatial = x.shape[x.ndim - len(sizes) :]
    windows = [(out, *_adaptive(n, out)) for n, out in zip(spatial, sizes, strict=True)]
    return _mean(x, windows, _counts([np.bincount(o, minlength=out) for out, o, _ in windows]))
