"""Pictures cut into columns, and columns added up to pictures: a pair of adjoints."""

from __future__ import annotations

import math

from ..checks import check_floating, per_axis
from ..tape import plain, primitive, quiet
from ..types import Array, Sizes
from .arguments import _check_fit, _output_sizes, _settings
from .windows import _gather, _scatter

__all__ = ["fold", "unfold"]


def unfold(x: Array, kernel_size: Sizes, dilation: Sizes = 1, padding: Sizes = 0,
           stride: Sizes = 1) -> Array:
    """Cut a picture into its windows, one a column (im2col).

        y_{n, (c, i, j), (h, w)} = x_{n, c, h stride + i dilation - padding, w ...}

    x (N, C, H, W)  ->  y (N, C Kh Kw, Ho Wo), rows and columns in C order
    Without the axis N too. Raises ValueError for shapes or settings that do
    not fit, TypeError for other kinds.
    Source: chapter 5, equation (unfold).
    """
    check_floating("unfold", x=plain(x))
    if x.ndim == 3:
        return unfold(x[None], kernel_size, dilation, padding, stride)[0]
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"unfold: x has shape {x.shape}, "
                         "expected (N, C, H, W) or (C, H, W), none of C, H, W zero")
    settings = _settings("unfold", kernel_size, stride, dilation, padding)
    kernel, stride, dilation, padding = settings
    _check_fit("unfold", x.shape[2:], kernel, dilation, padding)
    return _unfold(x, kernel, stride, dilation, padding)


@primitive
def _unfold(x, kernel, stride, dilation, padding):
    columns = _gather(x, kernel, stride, dilation, padding)
    N, C = x.shape[:2]
    return columns.reshape(N, C * math.prod(kernel), math.prod(columns.shape[4:]))

@_unfold.defvjp
def _unfold_vjp(dy, y, x, kernel, stride, dilation, padding):
    return _fold(dy, x.shape[2:], kernel, stride, dilation, padding)


def fold(x: Array, output_size: Sizes, kernel_size: Sizes, dilation: Sizes = 1,
         padding: Sizes = 0, stride: Sizes = 1) -> Array:
    """Add the windows up where they came from (col2im): the adjoint of unfold.

        y_{n, c, h stride + i dilation - padding, w ...} += x_{n, (c, i, j), (h, w)}

    x (N, C Kh Kw, Ho Wo)  ->  y (N, C, H, W), with output_size (H, W)
    Without the axis N too. Raises ValueError for shapes or settings that do
    not fit, TypeError for other kinds.
    Source: chapter 5, equation (fold).
    """
    check_floating("fold", x=plain(x))
    if x.ndim == 2:
        return fold(x[None], output_size, kernel_size, dilation, padding, stride)[0]
    if x.ndim != 3:
        raise ValueError(f"fold: x has shape {x.shape}, "
                         "expected (N, C Kh Kw, L) or (C Kh Kw, L)")
    spatial = per_axis("fold", "output_size", output_size, 2, 1)
    settings = _settings("fold", kernel_size, stride, dilation, padding)
    kernel, stride, dilation, padding = settings
    _check_fit("fold", spatial, kernel, dilation, padding)
    L = math.prod(_output_sizes(spatial, kernel, stride, dilation, padding))
    taps = math.prod(kernel)
    if x.shape[1] % taps or x.shape[1] == 0 or x.shape[2] != L:
        raise ValueError(f"fold: x has shape {x.shape}, "
                         f"expected (N, a multiple of {taps}, {L}) "
                         f"for output_size {spatial} and kernel_size {kernel}")
    return _fold(x, spatial, kernel, stride, dilation, padding)


@primitive
@quiet
def _fold(x, spatial, kernel, stride, dilation, padding):
    outputs = _output_sizes(spatial, kernel, stride, dilation, padding)
    columns = x.reshape(x.shape[0], x.shape[1] // math.prod(kernel), *kernel, *outputs)
    return _scatter(columns, spatial, stride, dilation, padding)

@_fold.defvjp
def _fold_vjp(dy, y, x, spatial, kernel, stride, dilation, padding):
    return _unfold(dy, kernel, stride, dilation, padding)
