"""Interpolation: pictures of another size."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from ..checks import check_boolean, check_floating
from ..convolution.taps import _along, take_taps
from ..tape import plain
from ..types import Array, Sizes
from .average import _adaptive_mean
from .filters import _antialiased, _cubic, _cubic_curve, _linear, _linear_curve, _nearest

__all__ = ["interpolate"]

AXES = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}  # modes for one number of spatial axes
MODES = ["nearest", "nearest-exact", "area", *AXES]


def interpolate(x: Array, size: Sizes | None = None,
                scale_factor: float | Sequence[float] | None = None,
                mode: str = "nearest", align_corners: bool | None = None,
                recompute_scale_factor: bool | None = None,
                antialias: bool = False) -> Array:
    """Give a picture another size: read it at places between its pixels.

        y_nchw = sum_{i, j} r_hi r_wj x_ncij,  r as the mode says

    x (N, C, H, W)  ->  y (N, C, Ho, Wo), with size (Ho, Wo)
    Sequences (N, C, W) and volumes too. Either `size` or `scale_factor`, then
    Ho = floor(H scale_factor). Output h looks at s = (h + 1/2) H / Ho - 1/2,
    with `align_corners` at s = h (H - 1) / (Ho - 1). The mode "nearest" takes
    the pixel floor(h H / Ho), "nearest-exact" the nearest to s; "linear",
    "bilinear" and "trilinear" mix the 2 neighbours on each axis, "bicubic" 4;
    "area" takes means as adaptive_avg_pool2d does. Places follow from a given
    scale_factor, or, with `recompute_scale_factor`, from the sizes.
    `antialias` averages where "bilinear" and "bicubic" shrink. Raises
    ValueError for shapes, sizes or a mode that do not fit, TypeError for
    other kinds.
    Source: chapter 7, equation (interpolate); Keys (1981).
    """
    _check_mode(plain(x), mode, align_corners, antialias)
    settings = size, scale_factor, recompute_scale_factor
    sizes, factors = _sizes_and_factors(x, *settings)
    _check_sizes(x, sizes, mode)
    if mode == "area":
        return _adaptive_mean(x, sizes)
    dtype, factors = _places_as_in_torch(x, mode, sizes, factors)
    more = bool(align_corners), dtype, antialias
    axes = zip(x.shape[2:], sizes, factors, strict=True)
    maps = [(axis, setting[1], *_taps(mode, *setting, *more))
            for axis, setting in enumerate(axes, 2)]
    if _is_bytes(x) and mode in AXES:
        return _take_taps_of_bytes(x, maps)
    return take_taps(x, maps)


def _taps(mode, inputs, outputs, factor, align_corners, dtype, antialias):
    """The taps (o, i, w) of one axis."""
    if mode.startswith("nearest"):
        return _nearest(inputs, outputs, factor, dtype, mode == "nearest-exact")
    setting = inputs, outputs, factor, align_corners, dtype
    if antialias and mode == "bilinear":
        return _antialiased(*setting, _linear_curve, 1)
    if antialias:
        return _antialiased(*setting, functools.partial(_cubic_curve, a=-0.5), 2)
    return (_cubic if mode == "bicubic" else _linear)(*setting)


def _places_as_in_torch(x, mode, sizes, factors):
    """The dtype in which places are computed, and the factors: rounding decides which pixel is nearest."""
    double = x.dtype in (np.float64, np.complex128) or (_is_bytes(x) and mode in AXES)
    if mode.startswith("nearest") and x.ndim == 4 and sum(sizes) <= 128:  # torch has a kernel for small pictures
        double = False
        factors = [None if mode == "nearest" and out in (n, 2 * n) else factor
                   for n, out, factor in zip(x.shape[2:], sizes, factors, strict=True)]
    return np.dtype(np.float64 if double else np.float32), factors


def _is_bytes(x):
    return x.dtype == np.uint8


def _take_taps_of_bytes(x, maps):
    """8-bit pictures, as torch has them: weights of 16 bits, and whole numbers from 0 to 255 after each axis."""
    y = x.astype(np.int64)
    for axis, size, o, i, w in reversed(maps):
        n = y.shape[axis]
        if size == n:
            continue
        taps, places = np.unique(o * n + i, return_inverse=True)  # beyond an edge one input is taken twice
        w = np.bincount(places, w)
        bits = next(b for b in range(22) if int(0.5 + w.max() * 2 ** (b + 1)) >= 2**15)
        weights = np.trunc(w * 2**bits + np.copysign(0.5, w)).astype(np.int64)
        sums = _along(y, axis, size, taps // n, taps % n, weights)
        y = np.clip((sums + 2 ** (bits - 1)) >> bits, 0, 255)
    return y.astype(np.uint8)


# --- checks of arguments ----------------------------------------------------------------------------


def _check_mode(x, mode, align_corners, antialias):
    if mode not in MODES:
        raise ValueError(f"interpolate: mode is {mode!r}, expected one of {MODES}")
    if not (isinstance(x, np.ndarray) and _is_bytes(x) and mode.startswith(("nearest", "b"))):
        check_floating("interpolate", x=x)
    if x.ndim not in (3, 4, 5) or (mode in AXES and x.ndim != AXES[mode] + 2):
        wanted = f"{AXES[mode] + 2} axes for the mode {mode}" if mode in AXES else "(N, C, W), (N, C, H, W) or 5 axes"
        raise ValueError(f"interpolate: x has shape {x.shape}, expected {wanted}")
    if align_corners is not None:
        check_boolean("interpolate", align_corners=align_corners)
        if mode not in AXES:
            raise ValueError(f"interpolate: align_corners is {align_corners} for the mode {mode}, expected None")
    if antialias and x.dtype == np.float16:
        raise TypeError("interpolate: x has dtype float16, expected float32 or float64 with antialias")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(f"interpolate: antialias is {antialias} for the mode {mode}, expected bilinear or bicubic")


def _sizes_and_factors(x, size, scale_factor, recompute_scale_factor):
    """The size of each spatial axis of y, and the scale factor that its places follow, or None."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"interpolate: size is {size!r} and scale_factor is {scale_factor!r}, expected one of them")
    spatial = x.shape[2:]
    if scale_factor is None:
        if recompute_scale_factor:
            raise ValueError("interpolate: recompute_scale_factor is True and size is given, expected scale_factor")
        return _numbers("size", size, len(spatial), int | np.integer), [None] * len(spatial)
    factors = _numbers("scale_factor", scale_factor, len(spatial), int | float | np.integer | np.floating)
    if not all(map(math.isfinite, factors)):
        raise ValueError(f"interpolate: scale_factor is {scale_factor!r}, expected finite numbers")
    sizes = tuple(int(n * factor) for n, factor in zip(spatial, factors, strict=True))
    return sizes, [None] * len(spatial) if recompute_scale_factor else factors


def _numbers(name, value, n, kinds):
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * n
    if not all(isinstance(v, kinds) and (name != "size" or not isinstance(v, bool)) for v in values):
        raise TypeError(f"interpolate: {name} is {value!r}, expected a number, or one for each spatial axis")
    if len(values) != n:
        raise ValueError(f"interpolate: {name} is {value!r}, expected a number or {n}, one for each spatial axis of x")
    return values


def _check_sizes(x, sizes, mode):
    first, least = (2, 0) if mode == "area" else (1, 1)
    if 0 in x.shape[first:] or min(sizes) < least:
        raise ValueError(f"interpolate: x has shape {x.shape} and y would have {sizes}, expected at least {least} on "
                         f"each axis of y in the mode {mode}, and no empty axis of x but the batch")
