"""Several small attentions side by side, each on projections of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import broadcast_to, concatenate, expand_dims, mean, reshape, squeeze, transpose
from ..checks import as_integer, check_boolean, check_floating, check_shape
from ..layers import init_xavier_uniform, linear
from ..tape import plain, quiet
from ..types import Array, DType, Params
from .masks import _check_mask, _check_one_mask, causal_mask
from .scaled import _attend

__all__ = ["init_multi_head_attention", "multi_head_attention"]


def init_multi_head_attention(embed_dim: int, num_heads: int,
                              rng: np.random.Generator, bias: bool = True,
                              dtype: DType = np.float64) -> Params:
    """Parameters for `multi_head_attention`, drawn as torch.nn.MultiheadAttention draws them.

    in_proj_weight (3 D, D) is Glorot-uniform, out_proj.weight (D, D) uniform
    in 1 / sqrt(D), biases are 0.
    """
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"init_multi_head_attention: embed_dim is {embed_dim}, expected a multiple of {num_heads}")
    D, bound = embed_dim, embed_dim**-0.5
    params: Params = {"in_proj_weight": init_xavier_uniform((3 * D, D), rng, dtype=dtype),
                      "out_proj": {"weight": rng.uniform(-bound, bound, (D, D)).astype(dtype)}}
    if bias:
        params["in_proj_bias"], params["out_proj"]["bias"] = np.zeros(3 * D, dtype), np.zeros(D, dtype)
    return params


@quiet
def multi_head_attention(query: Array, key: Array, value: Array,
                         params: Params, num_heads: int,
                         attn_mask: Array | None = None,
                         is_causal: bool = False,
                         need_weights: bool = False) -> Any:
    """Several small attentions on projections of their own, joined by one more.

        y = [head_1, ..., head_H] W_O^T + b_O
        head_h = attention(query W_Qh^T, key W_Kh^T, value W_Vh^T)

    query (N, T, D), key (N, S, D), value (N, S, D)  ->  y (N, T, D)
    Without the axis N too. `params` holds in_proj_weight (3 D, D),
    in_proj_bias (3 D,) and out_proj {weight (D, D), bias (D,)} as
    torch.nn.MultiheadAttention names them; keys and values of other widths
    have q_proj_weight, k_proj_weight, v_proj_weight instead; biases may be
    absent; bias_k and bias_v (1, 1, D), if present, are one more key and
    value. `attn_mask` is (T, S), (N, T, S), (N H, T, S) or broadcasts to (N,
    H, T, S); True = attend. With `need_weights` the result is (y, P), P
    averaged over heads (N, T, S). Raises ValueError for shapes that do not
    fit, TypeError for other kinds.
    Source: chapter 11, equation (multi_head_attention); Vaswani et al.
    (2017).
    """
    _check_sequences(query, key, value)
    check_boolean(NAME, is_causal=is_causal, need_weights=need_weights)
    if query.ndim == 2:
        query, key, value = (expand_dims(a, 0) for a in (query, key, value))
        out = multi_head_attention(query, key, value, params, num_heads, attn_mask,
                                   is_causal, need_weights)
        return tuple(squeeze(a, 0) for a in out) if need_weights else squeeze(out, 0)
    _check_params(params, num_heads, query, key, value)
    q, k, v = _project(query, key, value, params)
    mask = _mask_of_heads(attn_mask, is_causal, num_heads, q, k)
    if "bias_k" in params:
        k, v, mask = _one_more_key(k, v, mask, params)
    q, k, v = (_split_heads(a, num_heads) for a in (q, k, v))
    y, probs = _attend(q, k, v, mask, None, q.shape[-1] ** -0.5)
    y = linear(_join_heads(y), **params["out_proj"])
    return (y, mean(probs, 1)) if need_weights else y


def _split_heads(x, num_heads):
    """x (N, T, D)  ->  (N, H, T, D / H): head h owns the h-th run of features."""
    N, T, D = x.shape
    return transpose(reshape(x, (N, T, num_heads, D // num_heads)), (0, 2, 1, 3))


def _join_heads(x):
    """The way back: x (N, H, T, D / H)  ->  (N, T, D)."""
    N, H, T, d = x.shape
    return reshape(transpose(x, (0, 2, 1, 3)), (N, T, H * d))


def _project(query, key, value, params):
    """The three input projections, packed or apart."""
    D, bias = params["out_proj"]["weight"].shape[0], params.get("in_proj_bias")
    projected = []
    for i, (name, a) in enumerate((("q", query), ("k", key), ("v", value))):
        rows = slice(i * D, (i + 1) * D)
        weight = params["in_proj_weight"][rows] if "in_proj_weight" in params else params[f"{name}_proj_weight"]
        projected.append(linear(a, weight, None if bias is None else bias[rows]))
    return projected


def _one_more_key(k, v, mask, params):
    """A learned key and value after those of the sequence; everybody may attend to it."""
    k, v = (concatenate([a, broadcast_to(params[name], (len(a), 1, a.shape[2]))], 1)
            for a, name in ((k, "bias_k"), (v, "bias_v")))
    if mask is not None:
        rows = mask.shape[:-1]
        last = np.full((*rows, 1), mask.dtype == bool, mask.dtype)  # True, or 0 added
        mask = concatenate([broadcast_to(mask, (*rows, k.shape[1] - 1)), last], -1)
    return k, v, mask


# --- checks of arguments ----------------------------------------------------------------------------


NAME = "multi_head_attention"
APART = ["q_proj_weight", "k_proj_weight", "v_proj_weight"]


def _mask_of_heads(attn_mask, is_causal, H, q, k):
    (N, T, _), S = q.shape, k.shape[1]
    _check_one_mask(NAME, attn_mask, is_causal)
    mask = causal_mask(T, S) if is_causal else _mask_per_head(NAME, attn_mask, N, H, T, S)
    _check_mask(NAME, plain(mask), plain(q), (N, H, T, S))
    return mask


def _mask_per_head(function, attn_mask, N, H, T, S, name="attn_mask"):
    """(N, T, S) serves all heads of its item; (N H, T, S) is torch's layout, one mask a head."""
    if getattr(attn_mask, "ndim", 0) != 3:
        return attn_mask
    if attn_mask.shape[0] not in (1, N, N * H):
        raise ValueError(f"{function}: {name} has shape {tuple(attn_mask.shape)}, expected ({N}, {T}, {S}) "
                         f"or ({N * H}, {T}, {S})")
    if attn_mask.shape[0] == N * H and H > 1:
        return reshape(attn_mask, (N, H, *attn_mask.shape[1:]))
    return expand_dims(attn_mask, 1)


def _check_sequences(query, key, value):
    arrays = {"query": query, "key": key, "value": value}
    check_floating(NAME, **{name: plain(a) for name, a in arrays.items()})
    shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in arrays.items())
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(f"{NAME}: the shapes are {shapes}, expected (N, T, D) or (T, D) for all three")
    if key.shape[:-1] != value.shape[:-1] or query.shape[:-2] != key.shape[:-2]:
        raise ValueError(f"{NAME}: the shapes are {shapes}, expected one N, and one length of key and value")


def _check_params(params, num_heads, query, key, value):
    """The names, then the shape of each array, then the width against the number of heads."""
    _check_names(params)
    out, packed = params["out_proj"], "in_proj_weight" in params
    flat = {name: a for name, a in params.items() if name != "out_proj"} | {f"out_proj_{k}": a for k, a in out.items()}
    check_floating(NAME, query=plain(query), **{name: plain(a) for name, a in flat.items()})
    D = out["weight"].shape[0] if out["weight"].ndim else 0
    widths = [(D, a.shape[-1]) for a in (query, key, value)]
    shapes = {"in_proj_weight": (3 * D, D)} if packed else dict(zip(APART, widths, strict=True))
    shapes |= {"out_proj_weight": (D, D), "out_proj_bias": (D,), "in_proj_bias": (3 * D,)}
    shapes |= dict.fromkeys(("bias_k", "bias_v"), (1, 1, D))
    for name, a in flat.items():
        check_shape(NAME, name.replace("out_proj_", "out_proj."), a, shapes[name])
    for name, a in {"query": query, "key": key, "value": value}.items() if packed else ():
        if a.shape[-1] != D:
            raise ValueError(f"{NAME}: {name} has {a.shape[-1]} features, expected {D}")
    as_integer(NAME, "num_heads", num_heads)
    if num_heads < 1 or D % num_heads:
        raise ValueError(f"{NAME}: num_heads is {num_heads}, expected a divisor of the model's width {D}")


def _check_names(params):
    if not isinstance(params, dict):
        raise TypeError(f"{NAME}: params is a {type(params).__name__}, expected a dict of arrays")
    known = {"in_proj_weight", "in_proj_bias", *APART, "out_proj", "bias_k", "bias_v"}
    if unknown := sorted(params.keys() - known):
        raise ValueError(f"{NAME}: params has the unknown keys {unknown}, expected {sorted(known)}")
    apart, biases = (sum(name in params for name in names) for names in (APART, ("bias_k", "bias_v")))
    if "out_proj" not in params or ("in_proj_weight" in params, apart) not in ((True, 0), (False, 3)) or biases == 1:
        raise ValueError(f"{NAME}: params has the keys {sorted(params)}, expected in_proj_weight and out_proj, "
                         f"or {APART} and out_proj; bias_k and bias_v together")
    out = params["out_proj"]
    if not isinstance(out, dict) or "weight" not in out or not out.keys() <= {"weight", "bias"}:
        raise ValueError(f"{NAME}: out_proj is {sorted(out) if isinstance(out, dict) else type(out).__name__}, "
                         "expected a dict of weight and, perhaps, bias")
