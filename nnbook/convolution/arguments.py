"""Checks of the arguments of convolutions: each error names the argument, what it was, what was expected."""

from ..checks import check_numbers, per_axis
from ..tape import plain
from .windows import output_size

__all__ = []


def _check_arrays(function, n, x, weight, bias):
    check_numbers(function, x=plain(x), weight=plain(weight), bias=plain(bias))
    if x.ndim not in (n + 1, n + 2):
        raise ValueError(f"{function}: x has {x.ndim} axes, expected {n + 2}, or {n + 1} without a batch")
    if 0 in x.shape[-n:] and 0 not in x.shape[:-n]:
        raise ValueError(f"{function}: x has shape {x.shape}, expected at least one place on each spatial axis")
    if weight.ndim != n + 2 or 0 in (weight.shape[0], *weight.shape[2:]):
        raise ValueError(f"{function}: weight has shape {weight.shape}, expected {n + 2} axes with at least one tap")


def _check_small_integers(function, x):
    """torch has dilated and transposed convolutions of int64, and of no other integers."""
    if x.dtype.kind in "iu" and x.dtype.itemsize < 8:
        raise TypeError(f"{function}: x has dtype {x.dtype}, expected floating point or int64")


def _check_groups(function, groups, channels, text):
    if isinstance(groups, tuple | list):
        raise TypeError(f"{function}: groups is {groups!r}, expected an integer")
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


def _settings(function, kernel_size, stride, dilation, padding):
    """The settings of unfold and fold; unlike a convolution's, a tuple has exactly one entry an axis."""
    given = {"kernel_size": kernel_size, "stride": stride, "dilation": dilation, "padding": padding}
    for name, value in given.items():
        if isinstance(value, tuple | list) and len(value) != 2:
            raise ValueError(f"{function}: {name} is {value!r}, expected an integer or a tuple of 2")
    kernel, stride, dilation, pads = (per_axis(function, name, value, 2, int(name != "padding"))
                                      for name, value in given.items())
    return kernel, stride, dilation, tuple((p, p) for p in pads)


def _output_sizes(spatial, kernel, stride, dilation, padding):
    return tuple(output_size(*a) for a in zip(spatial, kernel, stride, padding, dilation, strict=True))
