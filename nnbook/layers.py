"""Linear layers, embeddings, dropout, and how their weights begin.

Initialisations take an explicit NumPy Generator `rng` and return float64 arrays unless told otherwise.
Derived in chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .checks import check_floating, check_integers, check_numbers
from .tape import plain, primitive
from .types import Array, DType, Params

__all__ = [
    "dropout", "embedding", "init_embedding", "init_kaiming_normal", "init_kaiming_uniform", "init_linear",
    "init_orthogonal", "init_xavier_normal", "init_xavier_uniform", "linear", "one_hot",
]


# --- initialisation ---------------------------------------------------------------------------------


def _fans(shape):
    """How many inputs an output sees, and how many outputs an input feeds: (fan_in, fan_out)."""
    if len(shape) < 2:
        raise ValueError(f"init: shape is {tuple(shape)}, expected at least two axes: outputs, inputs, taps")
    taps = math.prod(shape[2:])
    return shape[1] * taps, shape[0] * taps


def init_xavier_uniform(shape: Sequence[int], rng: np.random.Generator,
                        gain: float = 1.0,
                        dtype: DType = np.float64) -> Array:
    """Glorot's uniform weights: the variance 2 / (fan_in + fan_out) keeps signals and gradients of one size.

        w ~ U(-a, a),  a = gain sqrt(6 / (fan_in + fan_out))

    Source: chapter 3, equation (init_xavier_uniform); Glorot and Bengio (2010).
    """
    a = gain * (6 / sum(_fans(shape))) ** 0.5
    return rng.uniform(-a, a, shape).astype(dtype)


def init_xavier_normal(shape: Sequence[int], rng: np.random.Generator,
                       gain: float = 1.0,
                       dtype: DType = np.float64) -> Array:
    """Glorot's normal weights.

        w ~ N(0, gain^2 2 / (fan_in + fan_out))

    Source: chapter 3, equation (init_xavier_normal); Glorot and Bengio (2010).
    """
    return (gain * (2 / sum(_fans(shape))) ** 0.5 * rng.standard_normal(shape)).astype(dtype)


def init_kaiming_uniform(shape: Sequence[int], rng: np.random.Generator,
                         a: float = 0.0,
                         dtype: DType = np.float64) -> Array:
    """He's uniform weights: ReLU halves the variance, so 2 / fan_in restores it; `a` is a leaky ReLU's slope.

        w ~ U(-b, b),  b = sqrt(6 / ((1 + a^2) fan_in))

    Source: chapter 3, equation (init_kaiming_uniform); He et al. (2015).
    """
    b = (6 / ((1 + a * a) * _fans(shape)[0])) ** 0.5
    return rng.uniform(-b, b, shape).astype(dtype)


def init_kaiming_normal(shape: Sequence[int], rng: np.random.Generator,
                        a: float = 0.0,
                        dtype: DType = np.float64) -> Array:
    """He's normal weights.

        w ~ N(0, 2 / ((1 + a^2) fan_in))

    Source: chapter 3, equation (init_kaiming_normal); He et al. (2015).
    """
    return ((2 / ((1 + a * a) * _fans(shape)[0])) ** 0.5 * rng.standard_normal(shape)).astype(dtype)


def init_orthogonal(shape: Sequence[int], rng: np.random.Generator,
                    gain: float = 1.0,
                    dtype: DType = np.float64) -> Array:
    """A random rotation: every singular value is `gain`; trailing axes are flattened into the columns.

        w w^T = gain^2 I  or  w^T w = gain^2 I, whichever is smaller

    Source: chapter 3, equation (init_orthogonal); Saxe et al. (2014).
    """
    _fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.sign(np.diag(r))  # so that every rotation is equally likely
    return (gain * (q if rows >= columns else q.T)).reshape(shape).astype(dtype)


def init_linear(in_features: int, out_features: int,
                rng: np.random.Generator, bias: bool = True,
                dtype: DType = np.float64) -> Params:
    """Parameters for `linear` as torch.nn.Linear draws them: all ~ U(-1 / sqrt(I), 1 / sqrt(I))."""
    bound = max(in_features, 1) ** -0.5
    params = {"weight": rng.uniform(-bound, bound, (out_features, in_features)).astype(dtype)}
    if bias:
        params["bias"] = rng.uniform(-bound, bound, out_features).astype(dtype)
    return params


@primitive
def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """An affine map of the last axis.

        y_no = sum_i x_ni weight_oi + bias_o

    x (..., I), weight (O, I), bias (O)  ->  y (..., O)
    A weight (I) is a single output: y (...) with a bias (). Integers stay integers. Raises ValueError for
    shapes that do not fit, TypeError unless all are numbers of one dtype.
    Source: chapter 3, equation (linear).
    """
    check_numbers("linear", x=x, weight=weight, bias=bias)
    if weight.ndim not in (1, 2):
        raise ValueError(f"linear: weight has shape {weight.shape}, expected (O, I) or (I,)")
    *O, I = weight.shape
    if x.ndim == 0 or x.shape[-1] != I:
        raise ValueError(f"linear: x has shape {x.shape}, expected (..., {I}) for weight {weight.shape}")
    if bias is not None and bias.shape != tuple(O):
        raise ValueError(f"linear: bias has shape {bias.shape}, expected {tuple(O)}")
    y = (_rows(x) @ _rows(weight).T).reshape(*x.shape[:-1], *O)
    return y if bias is None else y + bias

@linear.defvjp
def linear_vjp(dy, y, x, weight, bias):
    """dx = dy W, dW = dy^T x summed over all leading axes, db = the sum of dy."""
    dy = dy.reshape(len(_rows(x)), len(_rows(weight)))
    dbias = None if bias is None else dy.sum(axis=0).reshape(bias.shape)
    return (dy @ _rows(weight)).reshape(x.shape), (dy.T @ _rows(x)).reshape(weight.shape), dbias


def _rows(x):
    """All leading axes as one: a matrix whose rows are vectors."""
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


# --- embedding --------------------------------------------------------------------------------------


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
    """Look up a row of a table for each integer; a product with one-hot rows, without the zeros.

        y_td = weight_{token_t, d}

    token_ids (N, T) of integers below V, weight (V, D)  ->  y (N, T, D)
    The row `padding_idx` receives no gradient. Rows whose `norm_type`-norm is above `max_norm` are looked
    up shrunk to it, the table itself is not changed. `scale_grad_by_freq` divides a row's gradient by the
    number of times that it was looked up. Raises TypeError unless token_ids holds integers and weight
    floating point, ValueError for a token outside 0 to V - 1.
    Source: chapter 3, equation (embedding).
    """
    check_integers("embedding", token_ids=token_ids)
    check_floating("embedding", weight=weight)
    if weight.ndim != 2:
        raise ValueError(f"embedding: weight has shape {weight.shape}, expected (V, D)")
    V = weight.shape[0]
    if token_ids.size and not (token_ids.min() >= 0 and token_ids.max() < V):
        raise ValueError(f"embedding: token_ids holds {token_ids.min()} to {token_ids.max()}, expected 0 to {V - 1}")
    if padding_idx is not None and not -V <= padding_idx < V:
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
    `num_classes` -1 means one more than the largest label. Raises TypeError unless labels holds integers,
    ValueError for a label outside 0 to num_classes - 1.
    Source: chapter 3, equation (one_hot).
    """
    check_integers("one_hot", labels=labels)
    if num_classes == -1 and labels.size == 0:
        raise ValueError("one_hot: labels is empty, expected num_classes to be given")
    V = int(labels.max()) + 1 if num_classes == -1 else num_classes
    if labels.size and not (labels.min() >= 0 and labels.max() < V):
        raise ValueError(f"one_hot: labels holds {labels.min()} to {labels.max()}, expected 0 to {V - 1}")
    return np.asarray(labels[..., None] == np.arange(V)).astype(np.int64)


# --- dropout ----------------------------------------------------------------------------------------


def dropout(x: Array, p: float = 0.5,
            rng: np.random.Generator | None = None) -> Array:
    """Set each entry to zero with probability p and scale the rest, so that the mean stays.

        y_i = x_i m_i / (1 - p),  m_i ~ Bernoulli(1 - p)

    x (...)  ->  y (...)
    `rng` is a NumPy Generator that draws the mask; without one nothing is dropped, as in evaluation.
    Raises ValueError unless 0 <= p <= 1, TypeError unless x is floating point or rng is a Generator.
    Source: chapter 3, equation (dropout); Srivastava et al. (2014).
    """
    check_floating("dropout", x=plain(x))
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is {p}, expected a probability from 0 to 1")
    if rng is None:
        return x
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"dropout: rng is a {type(rng).__name__}, expected a numpy.random.Generator")
    mask = (rng.random(x.shape) >= p).astype(x.dtype)
    return x * (mask if p == 1 else mask / x.dtype.type(1 - p))
