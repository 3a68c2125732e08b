"""Which inputs the windows of an axis see, and the checks of what says so.

The windows of an axis are pairs (o, i), an array of each: output o sees input i.
Places in the padding are no inputs, so they are in no window.
"""

import numpy as np

from ..checks import check_boolean, per_axis
from ..convolution.windows import output_size
from .filters import _ranges

__all__ = []


def _pooled_size(size, kernel, stride, padding, dilation, ceil_mode):
    """How many windows; with `ceil_mode` one may begin in x and hang over."""
    over = stride - 1 if ceil_mode else 0
    outputs = output_size(size, kernel, stride, (padding, padding + over), dilation)
    begins = (outputs - 1) * stride - padding
    return outputs - 1 if ceil_mode and begins >= size else outputs


def _sliding(size, kernel, stride, padding, dilation, outputs):
    """Output o sees the inputs o stride + k dilation - padding that exist."""
    o, k = (a.ravel() for a in np.indices((outputs, kernel)))
    i = o * stride + k * dilation - padding
    seen = (i >= 0) & (i < size)
    return o[seen], i[seen]


def _adaptive(size, outputs):
    """Output o sees the i from floor(o size / outputs) on, before that of o + 1, rounded up."""
    o = np.arange(outputs)
    return _ranges(o * size // outputs, -(-(o + 1) * size // outputs))


def _sliding_settings(function, n, x, kernel_size, stride, padding, dilation, ceil_mode):
    """A setting (size, kernel, stride, padding, dilation, outputs) for each of the last n axes."""
    _check_spatial(function, n, x, x.ndim - n - 1)
    kernel = per_axis(function, "kernel_size", kernel_size, n, 1)
    unset = stride is None or (isinstance(stride, tuple | list) and len(stride) == 0)
    stride = kernel if unset else per_axis(function, "stride", stride, n, 1)
    pads = per_axis(function, "padding", padding, n)
    dilation = per_axis(function, "dilation", dilation, n, 1)
    check_boolean(function, ceil_mode=ceil_mode)
    if any(p > k // 2 for p, k in zip(pads, kernel, strict=True)):
        raise ValueError(f"{function}: padding is {padding!r}, expected at most half of kernel_size {kernel_size!r}")
    settings = list(zip(x.shape[-n:], kernel, stride, pads, dilation, strict=True))
    outputs = tuple(_pooled_size(*setting, ceil_mode) for setting in settings)
    if min(outputs) < 1:
        raise ValueError(f"{function}: the output would have size {outputs} for x of size {x.shape[-n:]} and "
                         f"kernel_size {kernel_size!r}, expected at least 1 on each axis")
    return [(*setting, out) for setting, out in zip(settings, outputs, strict=True)]


def _adaptive_sizes(function, n, x, output_size):
    """The size of each of the last n axes of the output; None keeps that of x."""
    sizes = tuple(output_size) if isinstance(output_size, tuple | list) else (output_size,) * n
    if len(sizes) != n:
        raise ValueError(f"{function}: output_size is {output_size!r}, expected an integer or a tuple of {n}")
    if n == 1 or not isinstance(output_size, tuple | list):
        per_axis(function, "output_size", output_size, n)  # None stands for a size only within a tuple
    return tuple(size if out is None else per_axis(function, "output_size", out, 1)[0]
                 for size, out in zip(x.shape[-n:], sizes, strict=True))


def _check_spatial(function, n, x, first):
    """The axes from `first` on may not be empty."""
    if x.ndim not in (n + 1, n + 2) or 0 in x.shape[first:]:
        axes = "(N, C, H, W) or (C, H, W)" if n == 2 else "(N, C, W) or (C, W)"
        raise ValueError(f"{function}: x has shape {x.shape}, expected {axes} with no empty axis from axis {first} on")
