"""Scaled dot-product attention: all queries, keys and values at once."""

from __future__ import annotations

import numpy as np

from ..arrays import unbroadcast
from ..checks import as_number, check_boolean, check_floating
from ..layers.noise import check_dropout, dropout_mask
from ..tape import plain, primitive, quiet
from ..types import Array
from .masks import _check_mask, _check_one_mask, _mask_gradient, _masked, _probabilities, causal_mask

__all__ = ["scaled_dot_product_attention"]


@quiet
def scaled_dot_product_attention(query: Array, key: Array, value: Array,
                                 attn_mask: Array | None = None,
                                 dropout_p: float = 0.0,
                                 is_causal: bool = False,
                                 scale: float | None = None,
                                 enable_gqa: bool = False,
                                 rng: np.random.Generator | None = None) -> Array:
    """For each query, the mean of the values, weighted by how well their keys match it.

        y_td = sum_s P_ts value_sd
        P_ts = softmax_s(scale sum_j query_tj key_sj + mask_ts)

    query (..., T, D), key (..., S, D), value (..., S, Dv)  ->  y (..., T, Dv)
    `attn_mask` broadcasts to (..., T, S): booleans, True = attend, or numbers
    that are added to the scores. `is_causal` lets t see s <= t. `scale` is 1
    / sqrt(D) unless given. `enable_gqa` repeats fewer key and value heads
    (axis -3) for all query heads. `dropout_p` drops probabilities and needs
    `rng`, a NumPy Generator. A row that may attend to nothing gives zeros.
    Raises ValueError for shapes that do not fit or a mask beside is_causal,
    TypeError for other kinds.
    Source: chapter 11, equation (scaled_dot_product_attention); Vaswani et
    al. (2017).
    """
    name = "scaled_dot_product_attention"
    _check_qkv(name, plain(query), plain(key), plain(value))
    check_boolean(name, is_causal=is_causal, enable_gqa=enable_gqa)
    if enable_gqa:
        key, value = _repeat_heads(name, query, key, value)
    batch = _batch_shape(name, query, key, value)
    T, S = query.shape[-2], key.shape[-2]
    _check_one_mask(name, attn_mask, is_causal)
    attn_mask = causal_mask(T, S) if is_causal else attn_mask
    _check_mask(name, plain(attn_mask), plain(query), (*batch, T, S))
    drop = _dropout_mask(name, dropout_p, rng, (*batch, T, S), query.dtype)
    scale = max(query.shape[-1], 1) ** -0.5 if scale is None else scale
    scale = as_number(name, "scale", scale)
    return _attend(query, key, value, attn_mask, drop, scale)[0]


@primitive
@quiet
def _attend(query, key, value, attn_mask, drop, scale):
    """y = P value, and P for the backward pass; `drop` is dropout's scaled mask."""
    scores = (query * scale) @ np.swapaxes(key, -1, -2)
    probs = _probabilities(_masked(scores, attn_mask))
    return (probs if drop is None else probs * drop) @ value, probs

@_attend.defvjp
def _attend_vjp(dy, y, query, key, value, attn_mask, drop, scale):
    """dV = P^T dO,  dP = dO V^T,  dS = P * (dP - rowsum(P * dP)),
    dQ = scale dS K,  dK = scale dS^T Q."""
    (dout, dprobs_used), (out, probs) = dy, y
    dout = np.zeros_like(out) if dout is None else dout
    dprobs = dout @ np.swapaxes(value, -1, -2)
    dvalue = np.swapaxes(probs if drop is None else probs * drop, -1, -2) @ dout
    if drop is not None:
        dprobs = dprobs * drop
    if dprobs_used is not None:  # somebody used the probabilities too, not only y
        dprobs = dprobs + dprobs_used
    dscores = probs * (dprobs - np.sum(probs * dprobs, axis=-1, keepdims=True))
    dquery = scale * (dscores @ key)
    dkey = scale * (np.swapaxes(dscores, -1, -2) @ query)
    grads = zip((dquery, dkey, dvalue), (query, key, value), strict=True)
    return *(unbroadcast(g, a) for g, a in grads), _mask_gradient(dscores, attn_mask)


# --- checks of arguments ----------------------------------------------------------------------------


def _check_qkv(function, query, key, value):
    check_floating(function, query=query, key=key, value=value)
    for name, a in (("query", query), ("key", key), ("value", value)):
        if a.ndim < 2:
            raise ValueError(f"{function}: {name} has shape {a.shape}, expected at least two axes (length, features)")
    if query.shape[-1] != key.shape[-1]:
        raise ValueError(f"{function}: key has {key.shape[-1]} features, expected {query.shape[-1]}, those of query")
    if key.shape[-2] != value.shape[-2]:
        raise ValueError(f"{function}: value has length {value.shape[-2]}, expected {key.shape[-2]}, the length of key")


def _batch_shape(function, query, key, value):
    try:
        return np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    except ValueError:
        raise ValueError(f"{function}: the leading axes {query.shape[:-2]}, {key.shape[:-2]} and {value.shape[:-2]} "
                         "of query, key and value do not broadcast") from None


def _repeat_heads(function, query, key, value):
    """Grouped-query attention: each key and value head serves several query heads, in runs."""
    H = query.shape[-3] if query.ndim > 2 else 0
    for name, a in (("key", key), ("value", value)):
        if a.ndim < 3 or not H or not a.shape[-3] or H % a.shape[-3]:
            raise ValueError(f"{function}: {name} has shape {a.shape}, expected a number of heads that divides "
                             f"those of query, {query.shape}")
    return tuple(a.repeat(H // a.shape[-3], -3) if isinstance(a, np.ndarray) else _repeat(a, H // a.shape[-3])
                 for a in (key, value))


def _repeat(a, n):
    rows = np.repeat(np.arange(a.shape[-3]), n)
    return a[(..., rows, slice(None), slice(None))]


def _dropout_mask(function, p, rng, shape, dtype):
    check_dropout(function, "dropout_p", p, rng)
    if p == 0:
        return None
    if rng is None:
        raise ValueError(f"{function}: dropout_p is {p}, expected rng, a numpy.random.Generator, beside it")
    return dropout_mask(p, rng, shape, dtype)
