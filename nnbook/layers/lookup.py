"""Integers as vectors: rows of a table, rows of the identity."""

from __future__ import annotations

import numpy as np

from ..checks import as_integer, as_number, check_boolean, check_floating, check_integers
from ..tape import primitive
from ..types import Array, DType, Params

__all__ = ["embedding", "init_embedding", "one_hot"]


def init_embedding(num_embeddings: int, embedding_dim: int,
                   rng: np.random.Generator,
                   dtype: DType = np.float64) -> Params:
    """Parameters for `embedding` as torch.nn.Embedding draws them: weight ~ N(0, 1)."""
    return {"weight": rng.standard_normal((num_embeddings, embedding_dim)).astype(dtype)}


@primitive
def embedding(token_ids: Array, weight: Array,
              padding_idx: int | None = None, max_norm: float | None = None,
              norm_type: float = 2.0,
              scale_grad_by_freq: bool = False) -> Array:
    """Look up a row of a table for each integer: a product with one-hot rows.

        y_td = weight_{token_t, d}

    token_ids (N, T) of integers below V, weight (V, D)  ->  y (N, T, D)
    The row `padding_idx` receives no gradient. Rows whose `norm_type`-norm is
    above `max_norm` are looked up shrunk to it, the table itself is not
    changed. `scale_grad_by_freq` divides a row's gradient by the number of
    times that it was looked up. Raises TypeError unless token_ids holds
    integers and weight floating point, ValueError for a token outside 0 to V
    - 1.
    Source: chapter 3, equation (embedding).
    """
    check_integers("embedding", token_ids=token_ids)
    check_floating("embedding", weight=weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight has shape {weight.shape}, expected (V, D)")
    V = weight.shape[0]
    if token_ids.size and not (token_ids.min() >= 0 and token_ids.max() < V):
        raise ValueError(f"embedding: token_ids holds {token_ids.min()} to {token_ids.max()}, expected 0 to {V - 1}")
    check_boolean("embedding", scale_grad_by_freq=scale_grad_by_freq)
    if max_norm is not None:
        as_number("embedding", "max_norm", max_norm)
    if padding_idx is not None and not -V <= as_integer("embedding", "padding_idx", padding_idx) < V:
        raise ValueError(f"embedding: padding_idx is {padding_idx}, expected -{V} to {V - 1}")
    y = weight[token_ids]
    return y if max_norm is None else _shrunk(y, max_norm, norm_type)

@embedding.defvjp
def embedding_vjp(dy, y, token_ids, weight, padding_idx, max_norm, norm_type,
                  scale_grad_by_freq):
    """Gathering's adjoint: scatter and add, for a token may occur many times."""
    dweight = np.zeros_like(weight)
    np.add.at(dweight, token_ids, dy)
    if scale_grad_by_freq:
        times = np.bincount(token_ids.ravel(), minlength=len(weight))
        dweight /= np.maximum(times, 1).astype(weight.dtype)[:, None]
    if padding_idx is not None:
        dweight[padding_idx] = 0
    return None, dweight


def _shrunk(y, max_norm, norm_type):
    """Rows no longer than max_norm. The factor counts as a constant in the gradient, as in torch."""
    norm = np.linalg.norm(y, norm_type, axis=-1, keepdims=True)
    return np.where(norm > max_norm, y * (max_norm / (norm + 1e-7)), y).astype(y.dtype)


def one_hot(labels: Array, num_classes: int = -1) -> Array:
    """A row of zeros with a one at the label.

        y_nv = 1 where v = labels_n, 0 elsewhere

    labels (N) of integers  ->  y (N, V) of integers
    `num_classes` -1 means one more than the largest label. Raises TypeError
    unless labels holds integers, ValueError for a label outside 0 to
    num_classes - 1.
    Source: chapter 3, equation (one_hot).
    """
    check_integers("one_hot", labels=labels)
    num_classes = as_integer("one_hot", "num_classes", num_classes)
    if num_classes < 1 and num_classes != -1:
        raise ValueError(f"one_hot: num_classes is {num_classes}, expected at least 1, or -1 for what labels holds")
    if num_classes == -1 and labels.size == 0:
        raise ValueError("one_hot: labels is empty, expected num_classes to be given")
    V = int(labels.max()) + 1 if num_classes == -1 else num_classes
    if labels.size and not (labels.min() >= 0 and labels.max() < V):
        raise ValueError(f"one_hot: labels holds {labels.min()} to {labels.max()}, expected 0 to {V - 1}")
    return np.asarray(labels[..., None] == np.arange(V)).astype(np.int64)
