"""Windows over any number of spatial axes, and the adjoint that adds them up again.

Everything rests on one view: windows[n, c, k, o] = x[n, c, o stride + k dilation].
A setting is four tuples, one entry a spatial axis: kernel, stride, dilation, and padding as pairs
(before, after).
"""

import numpy as np

__all__ = ["output_size"]


def output_size(size, kernel, stride=1, padding=(0, 0), dilation=1):
    """How many windows fit.

        O = floor((size + before + after - dilation (kernel - 1) - 1) / stride) + 1
    """
    return (size + sum(padding) - dilation * (kernel - 1) - 1) // stride + 1


def _pad(x, padding):
    """x between zeros on its spatial axes."""
    if not any(map(any, padding)):
        return x
    shape = [n + b + a for n, (b, a) in zip(x.shape[2:], padding, strict=True)]
    padded = np.zeros((*x.shape[:2], *shape), x.dtype)
    padded[_inside(x.shape[2:], padding)] = x
    return padded


def _inside(spatial, padding):
    """The index that takes the unpadded part."""
    return (..., *(slice(b, b + n) for n, (b, _) in zip(spatial, padding, strict=True)))


def _windows(x, kernel, stride, dilation, outputs=None):
    """A view (N, C, *kernel, *outputs) of the padded x: nothing is copied."""
    n = len(kernel)
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    axes = tuple(range(2, 2 + n))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, axes)
    view = view[(..., *(slice(None, None, d) for d in dilation))]
    view = view[(slice(None), slice(None), *(slice(None, None, s) for s in stride))]
    if outputs is not None:
        view = view[(slice(None), slice(None), *map(slice, outputs))]
    return view.transpose(0, 1, *range(2 + n, 2 + 2 * n), *axes)


def _gather(x, kernel, stride, dilation, padding, outputs=None):
    """Columns (N, C, *kernel, *outputs): window o holds x[o stride + k dilation - before]."""
    return _windows(_pad(x, padding), kernel, stride, dilation, outputs)


def _scatter(columns, spatial, stride, dilation, padding):
    """The adjoint of `_gather`: each entry is added back to where it was taken from."""
    n = len(spatial)
    kernel, outputs = columns.shape[2 : 2 + n], columns.shape[2 + n :]
    padded = [size + b + a for size, (b, a) in zip(spatial, padding, strict=True)]
    x = np.zeros((*columns.shape[:2], *padded), columns.dtype)
    for k in np.ndindex(*kernel):
        place = tuple(slice(i * d, i * d + s * (o - 1) + 1, s)
                      for i, d, s, o in zip(k, dilation, stride, outputs, strict=True))
        x[(..., *place)] += columns[(slice(None), slice(None), *k)]
    return x[_inside(spatial, padding)]
