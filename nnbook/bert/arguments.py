"""What the encoder's arguments stand for: the name of an activation, a mask of padding."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from ..activations import gelu, hardswish, leaky_relu, mish, relu, relu6, sigmoid, silu, tanh
from ..types import Array

Activation: TypeAlias = str | Callable[[Array], Array]
Rng: TypeAlias = "np.random.Generator | None"  # not evaluated: NumPy loads numpy.random when it is first used

_tanh_gelu = partial(gelu, approximate="tanh")
# Hugging Face's names; several of them mean one function.
ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "gelu": gelu, "gelu_python": gelu, "gelu_new": _tanh_gelu, "gelu_pytorch_tanh": _tanh_gelu,
    "gelu_python_tanh": _tanh_gelu, "gelu_accurate": _tanh_gelu, "gelu_fast": _tanh_gelu,
    "hardswish": hardswish, "leaky_relu": leaky_relu, "mish": mish, "relu": relu, "relu6": relu6,
    "sigmoid": sigmoid, "silu": silu, "swish": silu, "tanh": tanh,
}


def activation_function(function: str, activation: Activation) -> Callable[[Array], Array]:
    """The function itself, or the one that has this name."""
    if callable(activation):
        return activation
    if not isinstance(activation, str):
        raise TypeError(f"{function}: activation is a {type(activation).__name__}, expected a name or a function")
    if activation not in ACTIVATIONS:
        raise ValueError(f"{function}: activation is {activation!r}, expected one of {', '.join(ACTIVATIONS)}, "
                         "or a function")
    return ACTIVATIONS[activation]


def padding_mask(function: str, attention_mask: Any, shape: tuple[int, int]) -> Array | None:
    """attention_mask (N, T)  ->  (N, 1, 1, T): every head and every query may attend to the tokens that are there."""
    if attention_mask is None:
        return None
    if not isinstance(attention_mask, np.ndarray):
        raise TypeError(f"{function}: attention_mask is a {type(attention_mask).__name__}, expected an ndarray")
    if attention_mask.dtype.kind not in "biu":
        raise TypeError(f"{function}: attention_mask has dtype {attention_mask.dtype}, expected booleans, or 1 and 0")
    if attention_mask.shape != shape:
        raise ValueError(f"{function}: attention_mask has shape {attention_mask.shape}, expected {shape}, "
                         "the shape of token_ids")
    if not np.isin(attention_mask, (0, 1)).all():
        raise ValueError(f"{function}: attention_mask holds {attention_mask.min()} to {attention_mask.max()}, "
                         "expected 1 (a token) and 0 (padding)")
    return attention_mask.astype(bool)[:, None, None, :]
