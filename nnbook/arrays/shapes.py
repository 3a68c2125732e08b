"""The same numbers in another shape or order, joined or cut."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..checks import as_integer, check_axis
from ..tape import primitive
from ..types import Array, Axes
from .elementwise import unbroadcast

__all__ = ["broadcast_to", "concatenate", "expand_dims", "flip", "moveaxis", "repeat", "reshape", "split", "squeeze",
           "stack", "swapaxes", "transpose"]


@primitive
def reshape(x: Array, shape: Sequence[int]) -> Array:
    """The same numbers in the same order under another shape."""
    return np.reshape(x, shape)

@reshape.defvjp
def reshape_vjp(dy, y, x, shape):
    return np.reshape(dy, x.shape)


@primitive
def transpose(x: Array, axes: Sequence[int] | None = None) -> Array:
    """Permute the axes: axis i of y is axis axes[i] of x; None reverses them all."""
    return np.transpose(x, axes)

@transpose.defvjp
def transpose_vjp(dy, y, x, axes):
    return np.transpose(dy, None if axes is None else np.argsort([a % x.ndim for a in axes]))


@primitive
def swapaxes(x: Array, axis1: int, axis2: int) -> Array:
    """Exchange two axes."""
    return np.swapaxes(x, axis1, axis2)

@swapaxes.defvjp
def swapaxes_vjp(dy, y, x, axis1, axis2):
    return np.swapaxes(dy, axis1, axis2)


@primitive
def moveaxis(x: Array, source: int, destination: int) -> Array:
    """Move axis `source` to the place `destination`; the others keep their order."""
    return np.moveaxis(x, source, destination)

@moveaxis.defvjp
def moveaxis_vjp(dy, y, x, source, destination):
    return np.moveaxis(dy, destination, source)


@primitive
def expand_dims(x: Array, axis: Axes) -> Array:
    """Insert an axis of length one."""
    return np.expand_dims(x, axis)

@expand_dims.defvjp
def expand_dims_vjp(dy, y, x, axis):
    return np.reshape(dy, x.shape)


@primitive
def squeeze(x: Array, axis: Axes | None = None) -> Array:
    """Take away axes of length one."""
    return np.squeeze(x, axis)

@squeeze.defvjp
def squeeze_vjp(dy, y, x, axis):
    return np.reshape(dy, x.shape)


@primitive
def broadcast_to(x: Array, shape: Sequence[int]) -> Array:
    """Repeat x without copying until it has `shape`."""
    return np.broadcast_to(x, shape)

@broadcast_to.defvjp
def broadcast_to_vjp(dy, y, x, shape):
    return unbroadcast(dy, x)


@primitive
def flip(x: Array, axis: Axes | None = None) -> Array:
    """Reverse the order along `axis` (None: along all axes)."""
    return np.flip(x, axis)

@flip.defvjp
def flip_vjp(dy, y, x, axis):
    return np.flip(dy, axis)


@primitive
def repeat(x: Array, repeats: int, axis: int) -> Array:
    """Repeat each slice along `axis` `repeats` times, copies side by side."""
    return np.repeat(x, repeats, axis)

@repeat.defvjp
def repeat_vjp(dy, y, x, repeats, axis):
    """The copies of a slice stand side by side; sum each run of them."""
    axis = axis % x.ndim
    return np.sum(np.reshape(dy, (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])), axis=axis + 1)


@primitive
def concatenate(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays along an axis that they have."""
    return np.concatenate(arrays, axis)

@concatenate.defvjp
def concatenate_vjp(dy, y, arrays, axis):
    return (_like(arrays, np.split(dy, np.cumsum([a.shape[axis] for a in arrays])[:-1], axis)),)


@primitive
def stack(arrays: Sequence[Array], axis: int = 0) -> Array:
    """Join arrays of one shape along a new axis."""
    return np.stack(arrays, axis)

@stack.defvjp
def stack_vjp(dy, y, arrays, axis):
    return (_like(arrays, list(np.moveaxis(dy, axis, 0))),)


def _like(arrays, parts):
    """A list of gradients, or one array where an array was given for its rows."""
    return np.stack(parts) if isinstance(arrays, np.ndarray) else parts


@primitive
def split(x: Array, sections: int | Sequence[int],
          axis: int = 0) -> tuple[Array, ...]:
    """Cut x along `axis` into `sections` equal parts, or at the indices of a list."""
    if not isinstance(sections, list | tuple | np.ndarray) and as_integer("split", "sections", sections) < 1:
        raise ValueError(f"split: sections is {sections}, expected at least 1")
    return tuple(np.split(x, sections, check_axis("split", axis, x.ndim)))

@split.defvjp
def split_vjp(dy, y, x, sections, axis):
    return np.concatenate([np.zeros_like(p) if d is None else d for d, p in zip(dy, y, strict=True)], axis)
