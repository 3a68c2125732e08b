"""Checks of calls: parameter trees against the shapes that torch's layers have, sequences, heads, masks."""

import numpy as np

from ..arrays import where
from ..attention.masks import _check_mask, causal_mask
from ..attention.multi_head import _mask_per_head
from ..checks import as_integer, check_floating, check_shape
from ..layers.noise import check_dropout
from ..tape import plain
from .blocks import ACTIVATIONS

__all__ = [
    "DECODER_LAYER", "ENCODER_LAYER", "check_heads", "check_keys", "check_params", "check_sequences",
    "check_settings", "check_stack", "layer_names", "prepare_mask",
]

# The form of the parameters: D is the width of the model, F that of the hidden layer.
NORM = {"weight": ("D",), "bias": ("D",)}
ATTENTION = {"in_proj_weight": ("3 D", "D"), "in_proj_bias": ("3 D",),
             "out_proj": {"weight": ("D", "D"), "bias": ("D",)}}
ENCODER_LAYER = {"self_attn": ATTENTION, "linear1": {"weight": ("F", "D"), "bias": ("F",)},
                 "linear2": {"weight": ("D", "F"), "bias": ("D",)}, "norm1": NORM, "norm2": NORM}
DECODER_LAYER = ENCODER_LAYER | {"multihead_attn": ATTENTION, "norm3": NORM}
OPTIONAL = {"bias", "in_proj_bias", "norm"}


def check_keys(function, form, params, place=""):
    """Raise unless `params` is a dict with the keys of `form`; only biases and a last norm may be absent."""
    if not isinstance(params, dict):
        raise TypeError(f"{function}: {place or 'params'} is a {type(params).__name__}, expected a dict")
    for key in [*form, *params]:
        if key not in form or (key not in params and key not in OPTIONAL):
            has = "lacks the key" if key in form else "has the unknown key"
            raise ValueError(f"{function}: {place or 'params'} {has} {key!r}, expected {list(form)}")


def check_params(function, form, params, x, place="", sizes=None):
    """Raise unless `params` has the keys and shapes of `form`; a form None takes anything."""
    sizes = {"D": x.shape[-1], "3 D": 3 * x.shape[-1]} if sizes is None else sizes
    check_keys(function, form, params, place)
    for key, part in form.items():
        path = f"{place}.{key}" if place else key
        if isinstance(part, dict) and key in params:
            check_params(function, part, params[key], x, path, sizes)
        elif part is not None and key in params:
            _check_leaf(function, path, plain(params[key]), part, plain(x), sizes)


def _check_leaf(function, path, a, letters, x, sizes):
    if not isinstance(a, np.ndarray) or a.dtype != x.dtype:  # x is floating point: this was checked
        check_floating(function, x=x, **{path: a})
    if a.ndim == len(letters):
        for letter, size in zip(letters, a.shape, strict=True):
            sizes.setdefault(letter, size)  # F is what linear1.weight says
    check_shape(function, path, a, [sizes.get(letter) for letter in letters], f"for x with {x.shape[-1]} features")


def layer_names(function, params):
    """["0", "1", ...]: as many as there are layers."""
    check_keys(function, {"layers": None, "norm": None}, params)
    layers = params["layers"]
    if not isinstance(layers, dict):
        raise TypeError(f"{function}: layers is a {type(layers).__name__}, expected a dict")
    names = [str(i) for i in range(len(layers))]
    if layers.keys() != set(names):
        raise ValueError(f"{function}: layers has the keys {list(layers)}, expected {names}")
    return names


def check_stack(function, form, params, x):
    """The layers in their order, each checked."""
    names = layer_names(function, params)
    check_params(function, {"layers": None, "norm": NORM}, params, x)
    for i in names:
        check_params(function, form, params["layers"][i], x, f"layers.{i}")
    return [params["layers"][i] for i in names]


def check_sequences(function, **arrays):
    """Raise unless all are (N, T, D), or all (T, D), with one N and one D."""
    check_floating(function, **{name: plain(a) for name, a in arrays.items()})
    shapes = {name: tuple(a.shape) for name, a in arrays.items()}
    N, D = next(iter(shapes.values()))[:-2], next(iter(shapes.values()))[-1:]
    if any(len(s) not in (2, 3) or s[:-2] != N or s[-1:] != D for s in shapes.values()):
        given = ", ".join(f"{name} has shape {s}" for name, s in shapes.items())
        same = " with one N and one D" if len(shapes) > 1 else ""
        raise ValueError(f"{function}: {given}, expected (N, T, D) or (T, D){same}")


def check_heads(function, num_heads, D):
    as_integer(function, "num_heads", num_heads)
    if num_heads < 1 or D < 1 or D % num_heads:
        raise ValueError(f"{function}: num_heads is {num_heads}, expected a divisor of the model's width {D}")


def check_settings(function, num_heads, activation, dropout_p, rng, D):
    """Raise for what no layer takes: heads, the activation, dropout."""
    check_heads(function, num_heads, D)
    if not callable(activation) and not isinstance(activation, str):
        raise TypeError(f"{function}: activation is a {type(activation).__name__}, expected a name or a function")
    if isinstance(activation, str) and activation not in ACTIVATIONS:
        raise ValueError(f"{function}: activation is {activation!r}, expected 'relu', 'gelu' or a function")
    if not isinstance(dropout_p, int | float | np.number):
        raise TypeError(f"{function}: dropout_p is {dropout_p!r}, expected a number")
    check_dropout(function, "dropout_p", dropout_p, rng)


def prepare_mask(function, name, mask, is_causal, num_heads, x, source):
    """One mask that broadcasts to (N, H, T, S): what is given, and the causal one where asked for."""
    N, T, S = x.shape[0] if x.ndim == 3 else 1, x.shape[-2], source.shape[-2]
    mask = _mask_per_head(function, mask, N, num_heads, T, S, name)
    _check_mask(function, plain(mask), plain(x), (N, num_heads, T, S), name)
    if mask is None or not is_causal:
        return causal_mask(T, S) if is_causal else mask
    return where(causal_mask(T, S), mask, False if mask.dtype == bool else float("-inf"))
