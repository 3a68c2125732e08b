"""Who may attend to whom, and the softmax that heeds it.

A boolean mask is True where attention may go; an additive one is a summand of the scores.
"""

import numpy as np

from ..arrays import unbroadcast
from ..checks import check_floating, widened


def _check_mask(function, attn_mask, like, scores_shape, name="attn_mask"):
    """A mask is boolean or of the dtype of the query, and broadcasts to the scores."""
    if attn_mask is None:
        return
    if not isinstance(attn_mask, np.ndarray):
        raise TypeError(f"{function}: {name} is a {type(attn_mask).__name__}, expected an ndarray")
    if attn_mask.dtype != bool and attn_mask.dtype.kind not in "fc":
        raise TypeError(f"{function}: {name} has dtype {attn_mask.dtype}, expected bool or floating point")
    if attn_mask.dtype != bool:
        check_floating(function, query=like, **{name: attn_mask})
    try:
        fits = np.broadcast_shapes(attn_mask.shape, scores_shape) == tuple(scores_shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: {name} has shape {attn_mask.shape}, expected one that broadcasts "
                         f"to the scores' {tuple(scores_shape)}")


def _check_one_mask(function, attn_mask, is_causal):
    if is_causal and attn_mask is not None:
        raise ValueError(f"{function}: attn_mask and is_causal are both given, expected one of them")


def causal_mask(T, S):
    """True where position t may see position s: s <= t.  ->  (T, S) of booleans"""
    return np.tri(T, S, dtype=bool)


def _masked(scores, attn_mask):
    """Scores with -inf, or with what an additive mask says, where attention may not go."""
    if attn_mask is None:
        return scores
    return np.where(attn_mask, scores, -np.inf) if attn_mask.dtype == bool else scores + attn_mask


def _probabilities(scores):
    """softmax over the last axis, with zeros in a row of which all scores are -inf."""
    largest = np.max(scores, axis=-1, keepdims=True, initial=-np.inf)
    e = np.exp(scores - np.where(np.isneginf(largest.real), 0, largest))
    total = np.sum(widened(e), axis=-1, keepdims=True)
    return (e / np.where(total == 0, 1, total)).astype(e.dtype, copy=False)


def _mask_gradient(dscores, attn_mask):
    """An additive mask is one more summand of the scores; a boolean one has no gradient."""
    if attn_mask is None or attn_mask.dtype == bool:
        return None
    return unbroadcast(dscores, attn_mask)
