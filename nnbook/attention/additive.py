"""Attention whose scores come from a small network."""

from __future__ import annotations

import numpy as np

from ..activations import tanh
from ..arrays import expand_dims, matmul
from ..checks import check_floating
from ..layers import linear
from ..tape import plain, primitive, quiet
from ..types import Array
from .masks import _check_mask, _mask_gradient, _masked, _probabilities

__all__ = ["additive_attention"]


@quiet
def additive_attention(query: Array, key: Array, value: Array,
                       weight_query: Array, weight_key: Array,
                       weight_score: Array,
                       attn_mask: Array | None = None) -> Array:
    """Attention by a small network: query and key may differ in width.

        y_t = sum_s P_ts value_s
        P_ts = softmax_s(sum_a weight_score_a tanh(U query_t + W key_s)_a)

    query (N, T, D), key (N, S, E), value (N, S, F)  ->  y (N, T, F)
    U is weight_query (A, D), W weight_key (A, E), weight_score (A,).
    `attn_mask` broadcasts to (N, T, S); True = attend. Raises ValueError for
    shapes that do not fit, TypeError for other kinds.
    Source: chapter 11, equation (additive_attention); Bahdanau et al. (2015).
    """
    _check_additive(query, key, value, weight_query, weight_key, weight_score)
    q, k = linear(query, weight_query), linear(key, weight_key)
    scores = matmul(tanh(expand_dims(q, -2) + expand_dims(k, -3)), weight_score)
    _check_mask("additive_attention", plain(attn_mask), plain(query), scores.shape)
    return matmul(_masked_softmax(scores, attn_mask), value)


def _check_additive(query, key, value, weight_query, weight_key, weight_score):
    name = "additive_attention"
    check_floating(name, query=plain(query), key=plain(key), value=plain(value), weight_query=plain(weight_query),
                   weight_key=plain(weight_key), weight_score=plain(weight_score))
    for argument, a in (("query", query), ("key", key), ("value", value)):
        if a.ndim < 2:
            raise ValueError(f"{name}: {argument} has shape {a.shape}, expected at least two axes (length, features)")
    A = weight_score.shape[0] if weight_score.ndim == 1 else None
    if A is None or weight_query.shape != (A, query.shape[-1]) or weight_key.shape != (A, key.shape[-1]):
        raise ValueError(f"{name}: weight_query {weight_query.shape}, weight_key {weight_key.shape}, weight_score "
                         f"{weight_score.shape}, expected (A, {query.shape[-1]}), (A, {key.shape[-1]}) and (A,)")
    if key.shape[:-1] != value.shape[:-1] or query.shape[:-2] != key.shape[:-2]:
        raise ValueError(f"{name}: query {query.shape}, key {key.shape} and value {value.shape} do not fit")


@primitive
@quiet
def _masked_softmax(scores, attn_mask):
    return _probabilities(_masked(scores, attn_mask))

@_masked_softmax.defvjp
def _masked_softmax_vjp(dy, y, scores, attn_mask):
    dscores = y * (dy - np.sum(y * dy, axis=-1, keepdims=True))
    return dscores, _mask_gradient(dscores, attn_mask)
