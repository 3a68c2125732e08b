"""Decoding with a memory of what was computed before: each new position costs one row, not the whole past."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..arrays import broadcast_to, concatenate, reshape
from ..checks import check_floating, check_shape
from ..tape import plain, quiet
from ..types import Array, Params
from .blocks import attend, feed_forward, keys_values, residual
from .checks import (
    DECODER_LAYER,
    ENCODER_LAYER,
    check_heads,
    check_keys,
    check_sequences,
    check_settings,
    check_stack,
    layer_names,
    prepare_mask,
)
from .stacks import final_norm

__all__ = ["decoder_step", "init_cache"]


def init_cache(memory: Array | None, params: Params, num_heads: int,
               memory_mask: Array | None = None) -> Params:
    """What `decoder_step` starts from: keys and values of the memory.

    memory (N, S, D), or None for layers that look at no memory, as those of a
    GPT. `memory_mask` broadcasts to (N, H, 1, S); True = attend. The cache is
    a tree of arrays whose first axis is N: `tree_map(lambda a: a[rows],
    cache)` picks and repeats sequences. Raises ValueError for shapes and
    keys, TypeError for kinds that do not fit.
    """
    name = "init_cache"
    if memory is None and memory_mask is not None:
        raise ValueError(f"{name}: memory_mask is given without memory, "
                         "expected None")
    if memory is None:
        return {"layers": {i: {} for i in layer_names(name, params)}}
    check_sequences(name, memory=memory)
    check_shape(name, "memory", memory, (None, None, None))
    check_heads(name, num_heads, memory.shape[-1])
    layers = check_stack(name, DECODER_LAYER, params, memory)
    cache: Params = {"layers": {}}
    for i, layer in enumerate(layers):
        key, value = keys_values(memory, layer["multihead_attn"], num_heads)
        cache["layers"][str(i)] = {"memory_key": key, "memory_value": value}
    mask = prepare_mask(name, "memory_mask", memory_mask, False, num_heads,
                        memory[:, :1], memory)
    if mask is not None:
        shape = (1,) * (4 - mask.ndim) + tuple(mask.shape)
        cache["memory_mask"] = broadcast_to(reshape(mask, shape),
                                            (memory.shape[0], *shape[1:]))
    return cache


@quiet
def decoder_step(x: Array, cache: Params, params: Params, num_heads: int,
                 norm_first: bool = False,
                 activation: str | Callable[[Array], Array] = "relu",
                 eps: float = 1e-5) -> tuple[Array, Params]:
    """Run new positions through layers that keep keys and values of old ones.

        keys_{<=t} = [keys_{<t}; x_t W_K^T]
        values_{<=t} = [values_{<t}; x_t W_V^T]
        y_t = row t of transformer_decoder(x_{<=t}, memory, is_causal=True)

    x (N, T, D)  ->  y (N, T, D), cache
    T is 1, or more to read a beginning at once. `cache` comes from init_cache
    or from the step before, which stays as it was. With a cache without
    memory the layers are encoder layers, as in a GPT. Dropout has no place
    here. Raises ValueError for shapes, keys and a cache of another batch,
    TypeError for kinds that do not fit.
    Source: chapter 12, equation (decoder_step); Vaswani et al. (2017).
    """
    name = "decoder_step"
    check_sequences(name, x=x)
    check_shape(name, "x", x, (None, None, None))
    check_settings(name, num_heads, activation, 0.0, None, x.shape[-1])
    check_cache(name, cache, params, x, num_heads)
    pasts = cache["layers"].values()
    with_memory = any("memory_key" in past for past in pasts)
    form = DECODER_LAYER if with_memory else ENCODER_LAYER
    kept: Params = {}
    for i, layer in enumerate(check_stack(name, form, params, x)):
        x, kept[str(i)] = _layer_step(
            x, cache["layers"][str(i)], cache.get("memory_mask"), layer,
            num_heads, activation, residual(layer, norm_first, eps))
    return final_norm(x, params, eps), cache | {"layers": kept}


def _layer_step(x, kept, memory_mask, params, num_heads, activation, add):
    """One layer, and what it keeps now."""
    kept = dict(kept)

    def look_back(h):
        for name, new in zip(("key", "value"), keys_values(h, params["self_attn"], num_heads), strict=True):
            kept[name] = concatenate([kept[name], new], axis=2) if name in kept else new
        T, S = h.shape[1], kept["key"].shape[2]
        mask = None if T == 1 else np.tri(T, S, S - T, dtype=bool)  # row t is position S - T + t
        return attend(h, kept["key"], kept["value"], params["self_attn"], mask)

    def look_up(h):
        return attend(h, kept["memory_key"], kept["memory_value"], params["multihead_attn"], memory_mask)

    x = add(x, "norm1", look_back)
    x = add(x, "norm2", look_up) if "memory_key" in kept else x
    return add(x, "norm3" if "memory_key" in kept else "norm2",
               lambda h: feed_forward(h, params, activation, 0.0, None)), kept


def check_cache(function, cache, params, x, num_heads):
    """Raise unless `cache` is one that init_cache makes for these layers, this batch and these heads."""
    if not isinstance(cache, dict) or "layers" not in cache:
        raise TypeError(f"{function}: cache is a {type(cache).__name__}, expected what init_cache returns")
    check_keys(function, dict.fromkeys(layer_names(function, params)), cache["layers"], "cache.layers")
    N, D = x.shape[0], x.shape[-1]
    for i, kept in cache["layers"].items():
        check_keys(function, dict.fromkeys(kept), kept, f"cache.layers.{i}")
        for name, a in kept.items():
            check_floating(function, x=plain(x), **{f"cache.layers.{i}.{name}": plain(a)})
            check_shape(function, f"cache.layers.{i}.{name}", a, (N, num_heads, None, D // num_heads),
                        f"for {N} sequences and {num_heads} heads")
