"""A dense layer behind a flattened picture: which of its columns reads which number."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..types import Array

__all__ = ["channels_first", "channels_last"]


def channels_last(weight: Array, shape: Sequence[int]) -> Array:
    """The columns of a dense layer, for a picture that is flattened with its channels last.

        y_o,(h W + w) C + c = weight_o,(c H + h) W + w

    weight (O, C H W)  ->  y (O, H W C)
    `shape` is that of the picture with channels first, (C, H, W), as torch
    flattens it; (C, W) or (C, D, H, W) do as well. Raises ValueError where
    `weight` does not fit.
    """
    _check("channels_last", weight, shape)
    return np.ascontiguousarray(np.moveaxis(weight.reshape(-1, *shape), 1, -1)).reshape(weight.shape)


def channels_first(weight: Array, shape: Sequence[int]) -> Array:
    """The way back: from columns for channels last to columns for channels first.

    weight (O, H W C)  ->  y (O, C H W)
    `shape` is (C, H, W) here too. Raises ValueError where `weight` does not
    fit.
    """
    _check("channels_first", weight, shape)
    C, *places = shape
    return np.ascontiguousarray(np.moveaxis(weight.reshape(-1, *places, C), -1, 1)).reshape(weight.shape)


def _check(function: str, weight: Array, shape: Sequence[int]) -> None:
    if weight.ndim != 2 or weight.shape[1] != math.prod(shape):
        raise ValueError(f"{function}: weight has shape {tuple(weight.shape)}, expected (O, {math.prod(shape)}) "
                         f"for a picture {tuple(shape)}")
