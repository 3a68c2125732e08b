"""Convolution (as deep learning says it: correlation), its adjoint, and the columns between them.

Everything rests on one view: windows[n, c, k, o] = x[n, c, o stride + k dilation], over
any number of spatial axes. `_gather` copies that view into columns, `_scatter` is its
adjoint; a convolution is a matrix product with the columns, and a transposed
convolution is the adjoint of a convolution. One and two spatial axes share all of it.
Derived in chapter 5.
"""

import math

import numpy as np

from .checks import check_floating, per_axis
from .tape import plain, primitive

__all__ = [
    "conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d", "fold", "init_conv", "unfold",
]

BLOCK = 1 << 19  # bytes of columns at a time, so that they stay in cache


# --- windows and their adjoint ----------------------------------------------------------------------
# An n-dimensional setting is four tuples, one entry a spatial axis: kernel, stride, dilation, and padding
# as pairs (before, after).


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


def _blocks(N, bytes_each):
    """Slices over the batch, each with about BLOCK bytes of columns."""
    step = max(1, BLOCK // max(bytes_each, 1))
    return [slice(i, min(i + step, N)) for i in range(0, N, step)]


# --- convolution over any number of axes ------------------------------------------------------------


def _convolve(x, weight, stride, padding, dilation, groups, outputs=None):
    """y_g = weight_g @ columns_g for each group g, a block of images at a time."""
    (N, C), (O, _, *kernel) = x.shape[:2], weight.shape
    windows = _gather(x, kernel, stride, dilation, padding, outputs)
    outputs = windows.shape[2 + len(kernel) :]
    L, K = math.prod(outputs), C // groups * math.prod(kernel)
    w = weight.reshape(groups, O // groups, K)
    y = np.empty((N, groups, O // groups, L), np.result_type(x, weight))
    for n in _blocks(N, C * math.prod(kernel) * L * x.itemsize):
        np.matmul(w, windows[n].reshape(len(y[n]), groups, K, L), out=y[n])
    return y.reshape(N, O, *outputs)


def _convolve_dx(dy, weight, spatial, stride, padding, dilation, groups):
    """dx = scatter(weight_g^T @ dy_g): an input collects from all that used it."""
    (N, O), (_, Cg, *kernel) = dy.shape[:2], weight.shape
    outputs, K = dy.shape[2:], Cg * math.prod(kernel)
    L = math.prod(outputs)
    wt = np.swapaxes(weight.reshape(groups, O // groups, K), 1, 2)
    dx = np.empty((N, groups * Cg, *spatial), np.result_type(dy, weight))
    for n in _blocks(N, groups * K * L * dy.itemsize):
        columns = wt @ dy[n].reshape(len(dy[n]), groups, O // groups, L)
        columns = columns.reshape(len(dy[n]), groups * Cg, *kernel, *outputs)
        dx[n] = _scatter(columns, spatial, stride, dilation, padding)
    return dx


def _convolve_dweight(dy, x, weight, stride, padding, dilation, groups):
    """dweight_g = dy_g @ columns_g^T, summed over the batch."""
    (N, C), (O, _, *kernel) = x.shape[:2], weight.shape
    windows = _gather(x, kernel, stride, dilation, padding, dy.shape[2:])
    L, K = math.prod(dy.shape[2:]), C // groups * math.prod(kernel)
    dweight = np.zeros((groups, O // groups, K), np.result_type(dy, x))
    for n in _blocks(N, C * math.prod(kernel) * L * x.itemsize):
        columns = windows[n].reshape(len(dy[n]), groups, K, L)
        rows = dy[n].reshape(len(dy[n]), groups, O // groups, L)
        dweight += np.sum(rows @ np.swapaxes(columns, 2, 3), axis=0)
    return dweight.reshape(weight.shape)


def _add_bias(y, bias):
    return y if bias is None else y + bias.reshape(-1, *(1,) * (y.ndim - 2))


def _sum_bias(dy, bias):
    """Every output position used the bias of its channel."""
    return None if bias is None else np.sum(dy, axis=(0, *range(2, dy.ndim)))


@primitive
def convolve(x, weight, bias, stride, padding, dilation, groups):
    """The primitive under conv1d and conv2d: x (N, C, *spatial), settings as tuples."""
    return _add_bias(_convolve(x, weight, stride, padding, dilation, groups), bias)

@convolve.defvjp
def convolve_vjp(dy, y, x, weight, bias, stride, padding, dilation, groups):
    """dx scatters, dweight correlates x with dy, dbias sums."""
    dx = _convolve_dx(dy, weight, x.shape[2:], stride, padding, dilation, groups)
    dweight = _convolve_dweight(dy, x, weight, stride, padding, dilation, groups)
    return dx, dweight, _sum_bias(dy, bias)


@primitive
def convolve_transpose(x, weight, bias, spatial, stride, padding, dilation, groups):
    """The primitive under conv_transpose1d and 2d: a convolution's dx, of size `spatial`."""
    y = _convolve_dx(x, weight, spatial, stride, padding, dilation, groups)
    return _add_bias(y, bias)

@convolve_transpose.defvjp
def convolve_transpose_vjp(dy, y, x, weight, bias, spatial, stride, padding, dilation,
                           groups):
    """The adjoint's adjoint is the convolution; in dweight, x and dy change places."""
    dx = _convolve(dy, weight, stride, padding, dilation, groups, x.shape[2:])
    dweight = _convolve_dweight(x, dy, weight, stride, padding, dilation, groups)
    return dx, dweight, _sum_bias(dy, bias)


# --- the public functions ---------------------------------------------------------------------------


def init_conv(in_channels, out_channels, kernel_size, rng, groups=1, bias=True, dtype=np.float64):
    """Parameters for conv1d or conv2d as torch draws them: all ~ U(-b, b), b = 1 / sqrt(C / groups * taps).

    `kernel_size` is a tuple, one entry a spatial axis: (3,) for conv1d, (3, 3) for
    conv2d.
    """
    shape = (out_channels, in_channels // groups, *kernel_size)
    bound = max(math.prod(shape[1:]), 1) ** -0.5
    params = {"weight": rng.uniform(-bound, bound, shape).astype(dtype)}
    if bias:
        params["bias"] = rng.uniform(-bound, bound, out_channels).astype(dtype)
    return params


def conv1d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide a small pattern along a sequence; the output says how well it fits where.

        y_nol = bias_o + sum_{c, k} weight_ock x_{n, c, l stride + k dilation - padding}

    x (N, C, W), weight (O, C, Kw), bias (O)  ->  y (N, O, Wo)
    Without the axis N too. `padding` is an integer, "valid" (0) or "same" (stride 1: as
    long as x). Raises ValueError for shapes or settings that do not fit, TypeError for
    other kinds.
    Source: chapter 5, equation (conv1d).
    """
    return _conv("conv1d", 1, x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Slide small patterns over a picture; each channel says how well its own fits.

        y_nohw = bias_o + sum_{c, i, j} weight_ocij
                 x_{n, c, h stride + i dilation - padding, w ...}

    x (N, C, H, W), weight (O, C, Kh, Kw), bias (O)  ->  y (N, O, Ho, Wo)
    Without the axis N too. With `groups`, weight is (O, C / groups, Kh, Kw) and each
    group of O / groups outputs sees its own C / groups channels. `stride`, `padding`,
    `dilation` are integers or pairs; padding also "valid" (0) or "same" (stride 1: as
    large as x). Ho = floor((H + 2 padding - dilation (Kh - 1) - 1) / stride) + 1.
    Raises ValueError for shapes or settings that do not fit, TypeError for other kinds.
    Source: chapter 5, equation (conv2d); LeCun et al. (1989).
    """
    return _conv("conv2d", 2, x, weight, bias, stride, padding, dilation, groups)


def _conv(function, n, x, weight, bias, stride, padding, dilation, groups):
    _check_arrays(function, n, x, weight, bias)
    if x.ndim == n + 1:
        return _conv(function, n, x[None], weight, bias, stride, padding, dilation, groups)[0]
    stride = per_axis(function, "stride", stride, n, 1)
    dilation = per_axis(function, "dilation", dilation, n, 1)
    _check_groups(function, groups, weight.shape[0], "weight has {} output channels")
    if x.shape[1] % groups or weight.shape[1] != x.shape[1] // groups:
        expected = x.shape[1] // groups if x.shape[1] % groups == 0 else f"a multiple of {groups} channels in x"
        raise ValueError(f"{function}: weight has {weight.shape[1]} input channels per group, x has {x.shape[1]} "
                         f"channels in {groups} groups (expected {expected})")
    _check_bias(function, bias, weight.shape[0])
    padding = _padding_pairs(function, padding, n, weight.shape[2:], stride, dilation)
    _check_fit(function, x.shape[2:], weight.shape[2:], dilation, padding)
    return convolve(x, weight, bias, stride, padding, dilation, groups)


def conv_transpose1d(x, weight, bias=None, stride=1, padding=0, output_padding=0,
                     groups=1, dilation=1):
    """The adjoint of conv1d: every input stamps the pattern onto the output.

        y_{n, o, l stride + k dilation - padding} += sum_c x_ncl weight_cok
        beginning with y_noj = bias_o

    x (N, C, W), weight (C, O, Kw), bias (O)  ->  y (N, O, Wo)
    Arguments and errors are those of conv_transpose2d, with one axis.
    Source: chapter 5, equation (conv_transpose1d).
    """
    settings = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose1d", 1, x, weight, bias, *settings)


def conv_transpose2d(x, weight, bias=None, stride=1, padding=0, output_padding=0,
                     groups=1, dilation=1):
    """The adjoint of conv2d: every input stamps the pattern onto the output.

        y_{n, o, h stride + i dilation - padding, w ...} += sum_c x_nchw weight_coij
        beginning with y_norq = bias_o

    x (N, C, H, W), weight (C, O, Kh, Kw), bias (O)  ->  y (N, O, Ho, Wo)
    Without the axis N too. With `groups`, weight is (C, O / groups, Kh, Kw). Ho = (H -
    1) stride - 2 padding + dilation (Kh - 1) + output_padding + 1: `output_padding`,
    smaller than stride or dilation, picks one of the sizes that a strided convolution
    maps to H. Raises ValueError for shapes or settings that do not fit, TypeError for
    other kinds.
    Source: chapter 5, equation (conv_transpose2d); Dumoulin and Visin (2016).
    """
    settings = stride, padding, output_padding, groups, dilation
    return _conv_transpose("conv_transpose2d", 2, x, weight, bias, *settings)


def _conv_transpose(function, n, x, weight, bias, stride, padding, output_padding, groups, dilation):
    _check_arrays(function, n, x, weight, bias)
    if x.ndim == n + 1:
        return _conv_transpose(function, n, x[None], weight, bias, stride, padding, output_padding, groups, dilation)[0]
    stride = per_axis(function, "stride", stride, n, 1)
    dilation = per_axis(function, "dilation", dilation, n, 1)
    pads = per_axis(function, "padding", padding, n)
    extra = per_axis(function, "output_padding", output_padding, n)
    _check_groups(function, groups, x.shape[1], "x has {} channels")
    if weight.shape[0] != x.shape[1]:
        raise ValueError(f"{function}: weight has {weight.shape[0]} input channels, expected {x.shape[1]}, those of x")
    _check_bias(function, bias, weight.shape[1] * groups)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{function}: output_padding is {output_padding!r}, expected less than stride or dilation")
    spatial = tuple((size - 1) * s - 2 * p + d * (k - 1) + e + 1 for size, s, p, d, k, e in
                    zip(x.shape[2:], stride, pads, dilation, weight.shape[2:], extra, strict=True))
    if min(spatial) < 1:
        raise ValueError(f"{function}: the output would have size {spatial}, expected at least 1 on each axis")
    pairs = tuple((p, p) for p in pads)
    return convolve_transpose(x, weight, bias, spatial, stride, pairs, dilation, groups)


def unfold(x, kernel_size, dilation=1, padding=0, stride=1):
    """Cut a picture into its windows, one a column (im2col).

        y_{n, (c, i, j), (h, w)} = x_{n, c, h stride + i dilation - padding, w ...}

    x (N, C, H, W)  ->  y (N, C Kh Kw, Ho Wo), rows and columns in C order
    Without the axis N too. Raises ValueError for shapes or settings that do not fit,
    TypeError for other kinds.
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


def fold(x, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Add the windows up where they came from (col2im): the adjoint of unfold.

        y_{n, c, h stride + i dilation - padding, w ...} += x_{n, (c, i, j), (h, w)}

    x (N, C Kh Kw, Ho Wo)  ->  y (N, C, H, W), with output_size (H, W)
    Without the axis N too. Raises ValueError for shapes or settings that do not fit,
    TypeError for other kinds.
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
def _fold(x, spatial, kernel, stride, dilation, padding):
    outputs = _output_sizes(spatial, kernel, stride, dilation, padding)
    columns = x.reshape(x.shape[0], x.shape[1] // math.prod(kernel), *kernel, *outputs)
    return _scatter(columns, spatial, stride, dilation, padding)

@_fold.defvjp
def _fold_vjp(dy, y, x, spatial, kernel, stride, dilation, padding):
    return _unfold(dy, kernel, stride, dilation, padding)


# --- checks of arguments ----------------------------------------------------------------------------


def _settings(function, kernel_size, stride, dilation, padding):
    kernel, stride, dilation = (per_axis(function, name, value, 2, 1) for name, value in
                                (("kernel_size", kernel_size), ("stride", stride), ("dilation", dilation)))
    return kernel, stride, dilation, tuple((p, p) for p in per_axis(function, "padding", padding, 2))


def _output_sizes(spatial, kernel, stride, dilation, padding):
    return tuple(output_size(*a) for a in zip(spatial, kernel, stride, padding, dilation, strict=True))


def _padding_pairs(function, padding, n, kernel, stride, dilation):
    """(before, after) for each axis; where 'same' needs an odd number of zeros, the extra one goes after."""
    if padding == "valid":
        return ((0, 0),) * n
    if padding == "same":
        if any(s != 1 for s in stride):
            raise ValueError(f"{function}: padding is 'same' and stride is {stride}, expected stride 1")
        total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in total)
    if isinstance(padding, str):
        raise ValueError(f"{function}: padding is {padding!r}, expected an integer, 'same' or 'valid'")
    return tuple((p, p) for p in per_axis(function, "padding", padding, n))


def _check_arrays(function, n, x, weight, bias):
    check_floating(function, x=plain(x), weight=plain(weight), bias=plain(bias))
    if x.ndim not in (n + 1, n + 2):
        raise ValueError(f"{function}: x has {x.ndim} axes, expected {n + 2}, or {n + 1} without a batch")
    if 0 in x.shape[-n:]:
        raise ValueError(f"{function}: x has shape {x.shape}, expected at least one place on each spatial axis")
    if weight.ndim != n + 2 or 0 in (weight.shape[0], *weight.shape[2:]):
        raise ValueError(f"{function}: weight has shape {weight.shape}, expected {n + 2} axes with at least one tap")


def _check_groups(function, groups, channels, text):
    (groups,) = per_axis(function, "groups", groups, 1)
    if groups < 1 or channels % groups:
        raise ValueError(f"{function}: groups is {groups!r}, expected a divisor: {text.format(channels)}")


def _check_bias(function, bias, O):
    if bias is not None and bias.shape != (O,):
        raise ValueError(f"{function}: bias has shape {bias.shape}, expected ({O},)")


def _check_fit(function, spatial, kernel, dilation, padding):
    padded = tuple(size + b + a for size, (b, a) in zip(spatial, padding, strict=True))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(r > p for r, p in zip(reach, padded, strict=True)):
        raise ValueError(f"{function}: the kernel spans {reach}, more than the padded input {padded}")
