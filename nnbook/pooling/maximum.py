"""Max pooling: the strongest answer in each window, and the gradient goes to who gave it.

The largest entry of a window is the largest of its rows' largest: one axis after the other.
"""

from __future__ import annotations

import numpy as np

from ..checks import check_real, check_real_or_integers
from ..convolution.taps import _at, _passes, _read
from ..tape import plain, primitive
from ..types import Array, Sizes
from .windows import _adaptive, _adaptive_sizes, _check_spatial, _sliding, _sliding_settings

__all__ = ["adaptive_max_pool1d", "adaptive_max_pool2d", "max_pool1d", "max_pool2d"]


@primitive
def max_along(x, axis, size, o, i):
    """y_o = the largest x_i that o sees; nan, if one of them is."""
    least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    y = np.full((*x.shape[:axis], size, *x.shape[axis + 1 :]), least, x.dtype)
    for k, tap in enumerate(_passes(o)):
        seen, term = _at(axis, o[tap]), _read(x, axis, i[tap])
        y[seen] = term if k == 0 else np.maximum(y[seen], term)
    return y

@max_along.defvjp
def max_along_vjp(dy, y, x, axis, size, o, i):
    """dx_i = the sum of dy_o over the windows o that x_i won."""
    won, dx = _winners(x, y, axis, o, i), np.zeros_like(x)
    for k, tap in enumerate(_passes(o)):
        for part in _passes(i[tap]):  # so that no input comes twice
            seen, inputs = _at(axis, o[tap][part]), _at(axis, i[tap][part])
            dx[inputs] += np.where(won[seen] == k, dy[seen], dy.dtype.type(0))
    return dx


def _winners(x, y, axis, o, i):
    """Which tap k won window o: the first that is y_o, or the last nan."""
    passes = list(enumerate(_passes(o)))
    won = np.zeros(y.shape, np.min_scalar_type(len(passes)))
    for k, tap in reversed(passes):
        seen = _at(axis, o[tap])
        hit = _read(x, axis, i[tap]) == y[seen]
        won[seen] = np.where(hit, won.dtype.type(k), won[seen])
    for k, tap in passes if np.any(y != y) else ():
        seen = _at(axis, o[tap])
        won[seen] = np.where(np.isnan(_read(x, axis, i[tap])), k, won[seen])
    return won


def _places(won, axis, size, o, i):
    """The place i of the tap k that won, for each window."""
    table = np.zeros((len(_passes(o)) or 1, size), int)
    for k, tap in enumerate(_passes(o)):
        table[k, o[tap]] = i[tap]
    windows = np.arange(size).reshape(-1, *(1,) * (won.ndim - axis - 1))
    return table[won, windows]


def _maximum(x, windows, return_indices):
    """The maximum over the last axes, and its place in them, row by row."""
    spatial, first = x.shape[x.ndim - len(windows) :], x.ndim - len(windows)
    indices, stride = 0, 1
    for axis, window in reversed(list(enumerate(windows, first))):
        y = max_along(x, axis, *window)
        if return_indices:
            won = _winners(plain(x), plain(y), axis, *window[1:])
            place = _places(won, axis, *window)
            if axis < x.ndim - 1:
                indices = np.take_along_axis(indices, place, axis)
            indices, stride = place * stride + indices, stride * spatial[axis - first]
        x = y
    return (x, indices) if return_indices else x


def max_pool1d(x: Array, kernel_size: Sizes, stride: Sizes | None = None,
               padding: Sizes = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False
               ) -> Array | tuple[Array, Array]:
    """Keep the largest entry of each window.

        y_ncl = max_k x_{n, c, l stride + k dilation - padding}

    x (N, C, W)  ->  y (N, C, Wo)
    Arguments and errors are those of max_pool2d, with one axis; no integers,
    as in torch.
    Source: chapter 6, equation (max_pool1d).
    """
    check_real("max_pool1d", x=plain(x))
    settings = stride, padding, dilation, ceil_mode, return_indices
    return _max_pool("max_pool1d", 1, x, kernel_size, *settings)


def max_pool2d(x: Array, kernel_size: Sizes, stride: Sizes | None = None,
               padding: Sizes = 0, dilation: Sizes = 1,
               ceil_mode: bool = False, return_indices: bool = False
               ) -> Array | tuple[Array, Array]:
    """Keep the largest entry of each window, and forget where exactly it was.

        y_nchw = max_{i, j} x_{n, c, h stride + i dilation - padding, w ...}

    x (N, C, H, W)  ->  y (N, C, Ho, Wo)
    Without the axis N too. Only entries of x count, none of the padding,
    which is at most half of the kernel. `stride` None means kernel_size. Of
    equal entries the first wins and gets the whole gradient. `ceil_mode` adds
    a window that begins in x and hangs over its end. `return_indices` gives
    (y, where): the place of each maximum in its picture, h W + w. Raises
    ValueError for shapes or settings that do not fit, TypeError for other
    kinds.
    Source: chapter 6, equation (max_pool2d).
    """
    check_real_or_integers("max_pool2d", x=plain(x))
    settings = stride, padding, dilation, ceil_mode, return_indices
    return _max_pool("max_pool2d", 2, x, kernel_size, *settings)


def _max_pool(function, n, x, kernel_size, stride, padding, dilation, ceil_mode, return_indices):
    settings = _sliding_settings(function, n, x, kernel_size, stride, padding, dilation, ceil_mode)
    return _maximum(x, [(s[-1], *_sliding(*s)) for s in settings], bool(return_indices))


def adaptive_max_pool1d(
        x: Array, output_size: Sizes,
        return_indices: bool = False) -> Array | tuple[Array, Array]:
    """Keep the largest entry of each of `output_size` windows that cover x.

        y_ncl = max_i x_nci,  floor(l W / Wo) <= i < ceil((l + 1) W / Wo)

    x (N, C, W)  ->  y (N, C, Wo), with output_size Wo
    Arguments and errors are those of adaptive_max_pool2d, with one axis.
    Source: chapter 6, equation (adaptive_max_pool1d).
    """
    function = "adaptive_max_pool1d"
    return _adaptive_max_pool(function, 1, x, output_size, return_indices)


def adaptive_max_pool2d(
        x: Array, output_size: int | tuple[int | None, int | None],
        return_indices: bool = False) -> Array | tuple[Array, Array]:
    """Keep the largest entry of each window, of which the output says the number.

        y_nchw = max_{i, j} x_ncij,
        floor(h H / Ho) <= i < ceil((h + 1) H / Ho),  j ...

    x (N, C, H, W)  ->  y (N, C, Ho, Wo), with output_size (Ho, Wo)
    Without the axis N too. An entry None keeps the size of x.
    `return_indices` as in max_pool2d. Raises ValueError for shapes or sizes
    that do not fit, TypeError for other kinds.
    Source: chapter 6, equation (adaptive_max_pool2d).
    """
    function = "adaptive_max_pool2d"
    return _adaptive_max_pool(function, 2, x, output_size, return_indices)


def _adaptive_max_pool(function, n, x, output_size, return_indices):
    check_real(function, x=plain(x))
    _check_spatial(function, n, x, 1)
    sizes = _adaptive_sizes(function, n, x, output_size)
    windows = [(out, *_adaptive(size, out)) for size, out in zip(x.shape[-n:], sizes, strict=True)]
    return _maximum(x, windows, bool(return_indices))
