"""Picking tokens: the likeliest at each position, or the sequence that is likeliest as a whole.

Both searches take any model as `step(token_ids (N), state) -> (logits (N, V), state)`. The state is a tree; its
arrays have the batch as their first axis, its numbers (a position, say) belong to all sequences.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..activations import log_softmax
from ..autodiff import tree_map
from ..checks import check_floating, check_integers, check_shape, per_axis
from ..types import Array

__all__ = ["beam_search", "greedy_search"]


def greedy_search(step: Callable[[Array, Any], tuple[Array, Any]], state: Any,
                  start_ids: Array, max_length: int, eos_id: int | None,
                  pad_id: int = 0) -> Array:
    """Write the likeliest token, read it, write the next.

        y_t = argmax_v logits_v(y_{<t}),  until y_t = eos_id or t = max_length

    start_ids (N) of integers  ->  token_ids (N, L), with L = max_length
    `step(token_ids, state)` returns logits or log-probabilities (N, V) and
    the next state. `start_ids` are the tokens to begin with, one for each
    sequence or a prompt (N, P); the result is what comes after them: eos_id
    at the end, then pad_id. With eos_id None no sequence ends early. Raises
    ValueError for ranges and shapes, TypeError for other kinds.
    Source: chapter 12, equation (greedy_search).
    """
    name = "greedy_search"
    tokens, state, L = _begin(name, step, state, start_ids, max_length,
                              eos_id, pad_id)
    ids = np.full((len(tokens), L), pad_id)
    done = np.zeros(len(tokens), dtype=bool)
    for t in range(L):
        logits, state = _step(name, step, tokens, state)
        tokens = np.argmax(logits, axis=-1)
        ids[:, t] = np.where(done, pad_id, tokens)
        done = done | (tokens == eos_id)
        if done.all():
            break
    return ids


def beam_search(step: Callable[[Array, Any], tuple[Array, Any]], state: Any,
                start_ids: Array, num_beams: int, max_length: int,
                eos_id: int | None, length_penalty: float = 1.0,
                pad_id: int = 0) -> tuple[Array, Array]:
    """Keep the `num_beams` likeliest beginnings; return the best that ended.

        score(y) = sum_t log p(y_t | y_{<t}) / length(y)^length_penalty

    start_ids (N) of integers  ->  token_ids (N, B, L), scores (N, B)
    B is num_beams. The best come first; the length counts eos_id. Other
    arguments and padding are those of greedy_search. A sequence is done when
    B have ended and the likeliest beginning, at its present length, scores no
    better than the worst of them, as in Hugging Face's generate. Where fewer
    than B sequences exist the rest score -inf. Raises as greedy_search does.
    Source: chapter 12, equation (beam_search); Wu et al. (2016).
    """
    name = "beam_search"
    tokens, state, L = _begin(name, step, state, start_ids, max_length,
                              eos_id, pad_id)
    N, B = len(tokens), _check_beams(name, num_beams, length_penalty)
    # float16 becomes the dtype of the logits when the first are added
    totals, ids = np.zeros((N, 1), np.float16), np.full((N, 1, L), pad_id)
    ended, ended_ids = np.full((N, B), -np.inf, np.float16), ids.repeat(B, 1)
    done = np.zeros(N, dtype=bool)
    for t in range(L):
        logits, state = _step(name, step, tokens, state)
        log_probs = log_softmax(logits)
        totals, ids, rows = _continue(totals, ids, log_probs, t, 2 * B)
        ends = (ids[..., t] == eos_id) | (t == L - 1)
        counts = ends & (np.arange(ends.shape[1]) < B) & ~done[:, None]
        length = float(t + 1) ** length_penalty
        scores = np.where(counts, totals / length, -np.inf)
        ended, ended_ids = _best(B, np.concatenate([ended, scores], axis=1),
                                 np.concatenate([ended_ids, ids], axis=1))
        totals = np.where(ends, -np.inf, totals)
        totals, ids, rows = _best(B, totals, ids, rows)
        done = done | (totals[:, 0] / length <= ended[:, -1])
        if done.all():
            break
        tokens, state = np.ravel(ids[..., t]), _reorder(state, np.ravel(rows))
    return ended_ids, ended


def _continue(totals, ids, log_probs, t, most):
    """The likeliest ways on: their totals, their tokens up to t, and the rows of the state that they continue."""
    (N, width, L), V = ids.shape, log_probs.shape[-1]
    candidates = np.reshape(totals[..., None] + np.reshape(log_probs, (N, width, V)), (N, width * V))
    totals, places = _best(most, candidates, np.broadcast_to(np.arange(width * V), candidates.shape))
    rows = np.arange(N)[:, None] * width + places // V
    ids = np.reshape(ids, (N * width, L))[rows]
    ids[..., t] = places % V
    return totals, ids, rows


def _best(count, scores, *others):
    """The `count` highest scores of each row, in falling order, and what belongs to them."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :count]
    return tuple(a[np.arange(len(a))[:, None], order] for a in (scores, *others))


def _reorder(state, rows):
    return tree_map(lambda a: a[rows] if np.ndim(a) else a, state)


# --- the model's side -------------------------------------------------------------------------------


def _begin(function, step, state, start_ids, max_length, eos_id, pad_id):
    """Read all start tokens but the last, which the first step of the search reads."""
    if not callable(step):
        raise TypeError(f"{function}: step is a {type(step).__name__}, expected a function")
    check_integers(function, start_ids=start_ids)
    if start_ids.ndim not in (1, 2) or start_ids.shape[1:] == (0,):
        raise ValueError(f"{function}: start_ids has shape {start_ids.shape}, expected (N,) or (N, P) with P > 0")
    (L,) = per_axis(function, "max_length", max_length, 1, 1)
    for name, token in (("eos_id", eos_id), ("pad_id", pad_id)):
        if not hasattr(token, "__index__") and not (name == "eos_id" and token is None):
            raise TypeError(f"{function}: {name} is {token!r}, expected an integer")
    *prompt, last = [start_ids] if start_ids.ndim == 1 else start_ids.T
    for tokens in prompt:
        _, state = _step(function, step, tokens, state)
    return last, state, L


def _check_beams(function, num_beams, length_penalty):
    if not isinstance(length_penalty, int | float | np.number):
        raise TypeError(f"{function}: length_penalty is {length_penalty!r}, expected a number")
    return per_axis(function, "num_beams", num_beams, 1, 1)[0]


def _step(function, step, tokens, state):
    result = step(tokens, state)
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(f"{function}: step returned a {type(result).__name__}, expected (logits, state)")
    logits, state = result
    check_floating(function, **{"the logits of step": logits})
    check_shape(function, "the logits of step", logits, (len(tokens), None), "(N, V)")
    return logits, state
