"""Pretraining: hide some tokens, predict them from both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import reshape
from ..checks import check_floating, check_integers, check_shape, per_axis
from ..layers import linear
from ..losses import cross_entropy
from ..normalization import layer_norm
from ..tape import plain, quiet
from ..types import Array, DType, Params
from .arguments import Activation, activation_function
from .checks import check_hidden, check_ids
from .parameters import MLM_HEAD, check_params, draw

__all__ = ["init_mlm_head", "mask_tokens", "masked_lm_loss", "mlm_head"]

IGNORED = -100  # the label of a token that the loss does not look at, in torch and Hugging Face


def init_mlm_head(vocab_size: int, d_model: int, rng: np.random.Generator,
                  std: float = 0.02, dtype: DType = np.float64) -> Params:
    """Parameters for `mlm_head`, drawn as Hugging Face draws them.

        w ~ N(0, std^2);  biases 0, LayerNorm 1 and 0

    Raises ValueError for sizes below 1.
    """
    for name, size in {"vocab_size": vocab_size, "d_model": d_model}.items():
        per_axis("init_mlm_head", name, size, 1, least=1)
    return draw(MLM_HEAD, {"V": vocab_size, "D": d_model}, rng, std, dtype)


@quiet
def mlm_head(hidden: Array, params: Params, word_embeddings: Array,
             activation: Activation = "gelu", eps: float = 1e-12) -> Array:
    """Scores for every word: how alike its embedding and this vector are.

        y_ntv = sum_d z_ntd word_embeddings_vd + bias_v
        z = LayerNorm(gelu(W hidden + b))

    hidden (N, T, D), word_embeddings (V, D)  ->  y (N, T, V)
    `params` is cls.predictions of Hugging Face's BertForMaskedLM: transform
    {dense, LayerNorm} and bias (V,). The weight is the table of bert's word
    embeddings, which so gets gradients from both ends. A decoder inside
    `params` is Hugging Face's second name for that table and is not used; one
    of its own goes in as `word_embeddings`. Raises ValueError for names and
    shapes that do not fit, TypeError for kinds.
    Source: chapter 13, equation (mlm_head); Devlin et al. (2019).
    """
    D = _check_head(hidden, params, word_embeddings)
    act = activation_function("mlm_head", activation)
    z = act(linear(hidden, **params["transform"]["dense"]))
    z = layer_norm(z, (D,), **params["transform"]["LayerNorm"], eps=eps)
    return linear(z, word_embeddings, params["bias"])


def _check_head(hidden: Array, params: Params, word_embeddings: Array) -> int:
    """The width D of the model, if everything fits."""
    name = "mlm_head"
    check_hidden(name, "hidden", hidden)
    check_floating(name, hidden=plain(hidden), word_embeddings=plain(word_embeddings))
    D = hidden.shape[-1]
    check_shape(name, "word_embeddings", word_embeddings, (None, D), f"for hidden {tuple(hidden.shape)}")
    own = {k: p for k, p in params.items() if k != "decoder"} if isinstance(params, dict) else params
    check_params(name, own, MLM_HEAD, {"D": D, "V": word_embeddings.shape[0]}, hidden=hidden)
    return D


@quiet
def masked_lm_loss(logits: Array, labels: Array) -> Array:
    """The mean surprise of the hidden tokens, and of no others.

        L = - 1 / |M| sum_{(n, t) in M} ln softmax(logits_nt)_{labels_nt}

    logits (N, T, V), labels (N, T) of integers below V  ->  loss ()
    M is where labels is not -100. Without any hidden token the mean is nan,
    as in torch. Raises ValueError for shapes and labels that do not fit,
    TypeError for kinds.
    Source: chapter 13, equation (masked_lm_loss); Devlin et al. (2019).
    """
    _check_labels(logits, labels)
    N, T, V = logits.shape
    rows, asked = reshape(logits, (N * T, V)), reshape(labels, (N * T,))
    return cross_entropy(rows, asked, ignore_index=IGNORED)


def _check_labels(logits: Array, labels: Array) -> None:
    name = "masked_lm_loss"
    check_hidden(name, "logits", logits, "(N, T, V)")
    check_integers(name, labels=labels)
    check_shape(name, "labels", labels, logits.shape[:-1], f"for logits {tuple(logits.shape)}")
    V = logits.shape[-1]
    wrong = labels[(labels != IGNORED) & ((labels < 0) | (labels >= V))]
    if wrong.size:
        raise ValueError(f"{name}: labels holds {wrong[0]}, expected 0 to {V - 1}, or {IGNORED} for no question")


def mask_tokens(token_ids: Array, rng: np.random.Generator, mask_id: int,
                vocab_size: int, special_ids: Sequence[int] = (),
                p: float = 0.15) -> tuple[Array, Array]:
    """Hide some tokens: the model sees `inputs` and must say the `labels`.

        labels_nt = token_nt with probability p, else -100: no question
        inputs_nt = token_nt; if asked, mask_id (80 %) or a random word (10 %)

    token_ids (N, T) of integers below V  ->  inputs (N, T), labels (N, T)
    Tokens in `special_ids` ([CLS], [SEP], [PAD]) are never asked for. The
    random word is any of the vocabulary. Both results are int64. Raises
    ValueError for shapes and values out of range, TypeError for other kinds.
    Source: chapter 13, equation (mask_tokens); Devlin et al. (2019).
    """
    _check_masking(token_ids, rng, mask_id, vocab_size, p)
    token_ids = token_ids.astype(np.int64)  # -100 and any word must fit
    special = np.isin(token_ids, np.asarray(special_ids, int))
    asked = (rng.random(token_ids.shape) < p) & ~special
    fate = rng.random(token_ids.shape)
    words = rng.integers(0, vocab_size, token_ids.shape)
    hidden = np.where(fate < 0.9, words, token_ids)
    hidden = np.where(fate < 0.8, mask_id, hidden)
    inputs = np.where(asked, hidden, token_ids)
    return inputs, np.where(asked, token_ids, IGNORED)


def _check_masking(token_ids: Array, rng: Any, mask_id: int, vocab_size: int, p: float) -> None:
    name = "mask_tokens"
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{name}: rng is a {type(rng).__name__}, expected a numpy.random.Generator")
    per_axis(name, "vocab_size", vocab_size, 1, least=1)
    check_ids(name, "token_ids", token_ids, vocab_size)
    check_ids(name, "mask_id", np.asarray(mask_id), vocab_size, [()])
    if not 0 <= p <= 1:
        raise ValueError(f"{name}: p is {p}, expected a probability from 0 to 1")
