"""Several small attentions side by side, each on projections of its own."""

import numpy as np

from ..arrays import expand_dims, mean, reshape, squeeze, transpose
from ..checks import check_floating, check_shape
from ..layers import init_xavier_uniform, linear
from ..tape import plain
from .masks import _check_mask, _check_one_mask, causal_mask
from .scaled import _attend

__all__ = ["init_multi_head_attention", "multi_head_attention"]


def init_multi_head_attention(embed_dim, num_heads, rng, bias=True, dtype=np.float64):
    """Parameters for `multi_head_attention`, drawn as torch.nn.MultiheadAttention draws them.

    in_proj_weight (3 D, D) is Glorot-uniform, out_proj.weight (D, D) uniform in 1 /
    sqrt(D), biases are 0.
    """
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"init_multi_head_attention: embed_dim is {embed_dim}, expected a multiple of {num_heads}")
    D, bound = embed_dim, embed_dim**-0.5
    params = {"in_proj_weight": init_xavier_uniform((3 * D, D), rng, dtype=dtype),
              "out_proj": {"weight": rng.uniform(-bound, bound, (D, D)).astype(dtype)}}
    if bias:
        params["in_proj_bias"], params["out_proj"]["bias"] = np.zeros(3 * D, dtype), np.zeros(D, dtype)
    return params


def multi_head_attention(query, key, value, params, num_heads, attn_mask=None,
                         is_causal=False, need_weights=False):
    """Several small attentions on projections of their own, joined by one more.

        y = [head_1, ..., head_H] W_O^T + b_O
        head_h = attention(query W_Qh^T, key W_Kh^T, value W_Vh^T)

    query (N, T, D), key (N, S, D), value (N, S, D)  ->  y (N, T, D)
    Without the axis N too. `params` holds in_proj_weight (3 D, D), in_proj_bias (3 D,)
    and out_proj {weight (D, D), bias (D,)} as torch.nn.MultiheadAttention names them;
    keys and values of other widths have q_proj_weight, k_proj_weight, v_proj_weight
    instead; biases may be absent. `attn_mask` is (T, S), (N, T, S), (N H, T, S) or
    broadcasts to (N, H, T, S); True = attend. With `need_weights` the result is (y, P),
    P averaged over heads (N, T, S). Raises ValueError for shapes that do not fit,
    TypeError for other kinds.
    Source: chapter 11, equation (multi_head_attention); Vaswani et al. (2017).
    """
    name = "multi_head_attention"
    _check_qkv_sequences(name, query, key, value)
    if query.ndim == 2:
        batch = (expand_dims(a, 0) for a in (query, key, value))
        out = multi_head_attention(*batch, params, num_heads, attn_mask, is_causal,
                                   need_weights)
        return tuple(squeeze(a, 0) for a in out) if need_weights else squeeze(out, 0)
    q, k, v = _project(name, query, key, value, params)
    (N, T, D), S = q.shape, k.shape[1]
    if not isinstance(num_heads, int | np.integer):
        raise TypeError(f"{name}: num_heads is {num_heads!r}, expected an integer")
    if num_heads < 1 or D % num_heads:
        raise ValueError(f"{name}: num_heads is {num_heads}, "
                         f"expected a divisor of the model's width {D}")
    _check_one_mask(name, attn_mask, is_causal)
    mask = _mask_per_head(name, attn_mask, N, num_heads, T, S)
    mask = causal_mask(T, S) if is_causal else mask
    _check_mask(name, plain(mask), plain(q), (N, num_heads, T, S))
    heads = (_split_heads(a, num_heads) for a in (q, k, v))
    y, probs = _attend(*heads, mask, None, (D // num_heads) ** -0.5)
    y = linear(reshape(transpose(y, (0, 2, 1, 3)), (N, T, D)), **params["out_proj"])
    return (y, mean(probs, 1)) if need_weights else y


def _split_heads(x, num_heads):
    """x (N, T, D)  ->  (N, H, T, D / H): head h owns the h-th run of features."""
    N, T, D = x.shape
    return transpose(reshape(x, (N, T, num_heads, D // num_heads)), (0, 2, 1, 3))


def _project(function, query, key, value, params):
    """The three input projections, packed or apart."""
    known = {"in_proj_weight", "in_proj_bias", "q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj"}
    if not isinstance(params, dict):
        raise TypeError(f"{function}: params is a {type(params).__name__}, expected a dict of arrays")
    if not params.keys() <= known:
        unknown = sorted(params.keys() - known)
        raise ValueError(f"{function}: params has the unknown keys {unknown}, expected {sorted(known)}")
    apart = [f"{a}_proj_weight" for a in "qkv"]
    packed = "in_proj_weight" in params
    if "out_proj" not in params or (packed, sum(a in params for a in apart)) not in ((True, 0), (False, 3)):
        raise ValueError(f"{function}: params has the keys {sorted(params)}, expected in_proj_weight and out_proj, "
                         f"or {apart} and out_proj")
    out = params["out_proj"]
    if not isinstance(out, dict) or "weight" not in out or not out.keys() <= {"weight", "bias"}:
        raise ValueError(f"{function}: out_proj is {sorted(out) if isinstance(out, dict) else type(out).__name__}, "
                         "expected a dict of weight and, perhaps, bias")
    names = ["in_proj_weight"] if packed else apart
    bias = params.get("in_proj_bias")
    check_floating(function, query=plain(query), **{name: plain(params[name]) for name in names},
                   bias=plain(bias), out_proj_weight=plain(out["weight"]))
    D = out["weight"].shape[0] if out["weight"].ndim else 0
    check_shape(function, "out_proj.weight", out["weight"], (D, D))
    for name in names:
        check_shape(function, name, params[name], (3 * D, D) if packed else (D, None))
    if bias is not None:
        check_shape(function, "in_proj_bias", bias, (3 * D,))
    thirds = [slice(i * D, (i + 1) * D) for i in range(3)]
    weights = [params["in_proj_weight"][rows] for rows in thirds] if packed else [params[name] for name in apart]
    biases = [None if bias is None else bias[rows] for rows in thirds]
    for name, a, w in zip(("query", "key", "value"), (query, key, value), weights, strict=True):
        if a.shape[-1] != w.shape[1]:
            raise ValueError(f"{function}: {name} has {a.shape[-1]} features, expected {w.shape[1]}")
    return [linear(a, w, b) for a, w, b in zip((query, key, value), weights, biases, strict=True)]


# --- checks of arguments ----------------------------------------------------------------------------


def _mask_per_head(function, attn_mask, N, H, T, S):
    """(N, T, S) serves all heads of its item; (N H, T, S) is torch's layout, one mask a head."""
    if getattr(attn_mask, "ndim", 0) != 3:
        return attn_mask
    if attn_mask.shape[0] not in (1, N, N * H):
        raise ValueError(f"{function}: attn_mask has shape {tuple(attn_mask.shape)}, expected ({N}, {T}, {S}) "
                         f"or ({N * H}, {T}, {S})")
    if attn_mask.shape[0] == N * H and H > 1:
        return reshape(attn_mask, (N, H, *attn_mask.shape[1:]))
    return expand_dims(attn_mask, 1)


def _check_qkv_sequences(function, query, key, value):
    arrays = {"query": query, "key": key, "value": value}
    check_floating(function, **{name: plain(a) for name, a in arrays.items()})
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in arrays.items())
        raise ValueError(f"{function}: the shapes are {shapes}, expected (N, T, D) or (T, D) for all three")
    if key.shape[:-1] != value.shape[:-1] or query.shape[:-2] != key.shape[:-2]:
        shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in arrays.items())
        raise ValueError(f"{function}: the shapes are {shapes}, expected one N, and one length of key and value")
