"""The same attention, tile by tile: the scores are never all in memory."""

from __future__ import annotations

import numpy as np

from ..arrays import unbroadcast
from ..checks import per_axis
from ..tape import plain, primitive, quiet
from ..types import Array
from .masks import _check_mask, _check_one_mask, _masked, causal_mask
from .scaled import _batch_shape, _check_qkv

__all__ = ["tiled_attention"]


@quiet
def tiled_attention(query: Array, key: Array, value: Array, tile: int = 64,
                    is_causal: bool = False, scale: float | None = None,
                    attn_mask: Array | None = None) -> Array:
    """scaled_dot_product_attention that never holds more than `tile` columns of scores.

        m' = max(m, max_s S_ts),  l' = l exp(m - m') + sum_s exp(S_ts - m'),
        o' = o exp(m - m') + sum_s exp(S_ts - m') value_s,   y = o / l  at the end

    query (..., T, D), key (..., S, D), value (..., S, Dv)  ->  y (..., T, Dv)
    Arguments and errors are those of scaled_dot_product_attention; the mask
    gets no gradient here.
    Source: chapter 11, equation (tiled_attention); Milakov and Gimelshein
    (2018), Dao et al. (2022).
    """
    name = "tiled_attention"
    _check_qkv(name, plain(query), plain(key), plain(value))
    batch = _batch_shape(name, query, key, value)
    T, S = query.shape[-2], key.shape[-2]
    (tile,) = per_axis(name, "tile", tile, 1, 1)
    _check_one_mask(name, attn_mask, is_causal)
    attn_mask = causal_mask(T, S) if is_causal else attn_mask
    attn_mask = plain(attn_mask)
    _check_mask(name, attn_mask, plain(query), (*batch, T, S))
    scale = max(query.shape[-1], 1) ** -0.5 if scale is None else scale
    return _attend_tiled(query, key, value, tile, attn_mask, float(scale))[0]


def _tiles(query, key, value, tile, attn_mask, scale):
    """For each tile of columns: its slice, its keys, its values, its masked scores."""
    S = key.shape[-2]
    if attn_mask is not None:
        attn_mask = np.broadcast_to(attn_mask, (*attn_mask.shape[:-1], S))
    for s in range(0, S, tile):
        part = slice(s, s + tile)
        k, v = key[..., part, :], value[..., part, :]
        mask = attn_mask if attn_mask is None else attn_mask[..., part]
        yield part, k, v, _masked((query * scale) @ np.swapaxes(k, -1, -2), mask)


@primitive
@quiet
def _attend_tiled(query, key, value, tile, attn_mask, scale):
    """y, and each row's log-sum-exp: with the inputs, all that the vjp needs."""
    batch = np.broadcast_shapes(query.shape[:-2], key.shape[:-2], value.shape[:-2])
    T, dtype = query.shape[-2], np.result_type(query, key, value)
    m = np.full((*batch, T, 1), -np.inf, dtype)
    l = np.zeros((*batch, T, 1), dtype)
    o = np.zeros((*batch, T, value.shape[-1]), dtype)
    for _, _, v, scores in _tiles(query, key, value, tile, attn_mask, scale):
        m_new = np.maximum(m, np.max(scores, axis=-1, keepdims=True))
        shift = np.where(np.isneginf(m_new.real), 0, m_new)
        p, keep = np.exp(scores - shift), np.exp(m - shift)
        l, o, m = l * keep + np.sum(p, axis=-1, keepdims=True), o * keep + p @ v, m_new
    empty = l == 0
    lse = np.where(empty, 0, m) + np.log(np.where(empty, 1, l))
    return o / np.where(empty, 1, l), lse

@_attend_tiled.defvjp
def _attend_tiled_vjp(dy, y, query, key, value, tile, attn_mask, scale):
    """P = exp(S - lse), a tile at a time; rowsum(P * dP) = rowsum(dO * O)."""
    (dout, _), (out, lse) = dy, y
    dquery, dkey, dvalue = (np.zeros(dout.shape[:-2] + a.shape[-2:], out.dtype)
                            for a in (query, key, value))
    delta = np.sum(dout * out, axis=-1, keepdims=True)
    for part, k, v, scores in _tiles(query, key, value, tile, attn_mask, scale):
        probs = np.exp(scores - lse)
        dscores = probs * (dout @ np.swapaxes(v, -1, -2) - delta)
        dquery += scale * (dscores @ k)
        dkey[..., part, :] = scale * (np.swapaxes(dscores, -1, -2) @ query)
        dvalue[..., part, :] = np.swapaxes(probs, -1, -2) @ dout
    grads = zip((dquery, dkey, dvalue), (query, key, value), strict=True)
    return tuple(unbroadcast(g, a) for g, a in grads)
