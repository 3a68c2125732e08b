"""Convolution over any number of spatial axes, as products with columns, and its adjoints."""

import math

import numpy as np

from ..tape import primitive, quiet
from .windows import _gather, _scatter

__all__ = ["convolve", "convolve_transpose"]

BLOCK = 1 << 19  # bytes of columns at a time, so that they stay in cache


def _blocks(N, bytes_each):
    """Slices over the batch, each with about BLOCK bytes of columns."""
    step = max(1, BLOCK // max(bytes_each, 1))
    return [slice(i, min(i + step, N)) for i in range(0, N, step)]


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
    """dx by whichever of its two forms copies less."""
    O, C = len(weight), groups * weight.shape[1]
    around = _around(dy, weight, spatial, padding, dilation)
    fits = max(stride) == 1 and min(map(min, around)) >= 0
    if fits and 0 < O <= 2 * C and min(spatial) > 0:
        w = _flipped(weight, groups)
        return _convolve(dy, w, stride, around, dilation, groups)
    settings = spatial, stride, padding, dilation, groups
    return _scattered_dx(dy, weight, *settings)


def _scattered_dx(dy, weight, spatial, stride, padding, dilation, groups):
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


def _flipped(weight, groups):
    """With stride 1 dx is a convolution of dy: taps reversed, channels exchanged."""
    (O, Cg, *kernel) = weight.shape
    w = np.swapaxes(weight.reshape(groups, O // groups, Cg, *kernel), 1, 2)
    w = np.flip(w, tuple(range(3, w.ndim)))
    return np.ascontiguousarray(w).reshape(groups * Cg, O // groups, *kernel)


def _around(dy, weight, spatial, padding, dilation):
    """The padding of dy with which that convolution has the size of x, as pairs."""
    pads = []
    for size, L, K, d, (before, _) in zip(spatial, dy.shape[2:], weight.shape[2:], dilation, padding, strict=True):
        reach = d * (K - 1)
        pads.append((reach - before, size - L + before))
    return pads


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
@quiet
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
@quiet
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
