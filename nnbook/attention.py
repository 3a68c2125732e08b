"""Attention: look something up by likeness, and learn what is alike.

Everywhere in nnbook a boolean mask says who may attend: True = attend, as in torch's
scaled_dot_product_attention (torch.nn.MultiheadAttention has it the other way round). A
row that may attend to nothing gives zeros. Derived in chapter 11.
"""

import numpy as np

from .activations import tanh
from .arrays import expand_dims, matmul, mean, reshape, squeeze, transpose, unbroadcast
from .checks import check_floating, check_shape, per_axis
from .layers import init_xavier_uniform, linear
from .tape import plain, primitive

__all__ = [
    "additive_attention", "init_multi_head_attention", "multi_head_attention", "scaled_dot_product_attention",
    "tiled_attention",
]


# --- masks ------------------------------------------------------------------------------------------


def _check_mask(function, attn_mask, like, scores_shape):
    """A mask is boolean or of the dtype of the query, and broadcasts to the scores."""
    if attn_mask is None:
        return
    if not isinstance(attn_mask, np.ndarray):
        raise TypeError(f"{function}: attn_mask is a {type(attn_mask).__name__}, expected an ndarray")
    if attn_mask.dtype != bool and attn_mask.dtype.kind not in "fc":
        raise TypeError(f"{function}: attn_mask has dtype {attn_mask.dtype}, expected bool or floating point")
    if attn_mask.dtype != bool:
        check_floating(function, query=like, attn_mask=attn_mask)
    try:
        fits = np.broadcast_shapes(attn_mask.shape, scores_shape) == tuple(scores_shape)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: attn_mask has shape {attn_mask.shape}, expected one that broadcasts "
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
    total = np.sum(e, axis=-1, keepdims=True)
    return e / np.where(total == 0, 1, total)


# --- scaled dot-product attention -------------------------------------------------------------------


def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0,
                                 is_causal=False, scale=None, enable_gqa=False,
                                 rng=None):
    """For each query, the mean of the values, weighted by how well their keys match it.

        y_td = sum_s P_ts value_sd
        P_ts = softmax_s(scale sum_j query_tj key_sj + mask_ts)

    query (..., T, D), key (..., S, D), value (..., S, Dv)  ->  y (..., T, Dv)
    `attn_mask` broadcasts to (..., T, S): booleans, True = attend, or numbers that are
    added to the scores. `is_causal` lets t see s <= t. `scale` is 1 / sqrt(D) unless
    given. `enable_gqa` repeats fewer key and value heads (axis -3) for all query heads.
    `dropout_p` drops probabilities and needs `rng`, a NumPy Generator. A row that may
    attend to nothing gives zeros. Raises ValueError for shapes that do not fit or a
    mask beside is_causal, TypeError for other kinds.
    Source: chapter 11, equation (scaled_dot_product_attention); Vaswani et al. (2017).
    """
    name = "scaled_dot_product_attention"
    _check_qkv(name, plain(query), plain(key), plain(value))
    if enable_gqa:
        key, value = _repeat_heads(name, query, key, value)
    batch = _batch_shape(name, query, key, value)
    T, S = query.shape[-2], key.shape[-2]
    _check_one_mask(name, attn_mask, is_causal)
    attn_mask = causal_mask(T, S) if is_causal else attn_mask
    _check_mask(name, plain(attn_mask), plain(query), (*batch, T, S))
    drop = _dropout_mask(name, dropout_p, rng, (*batch, T, S), query.dtype)
    scale = max(query.shape[-1], 1) ** -0.5 if scale is None else scale
    return _attend(query, key, value, attn_mask, drop, float(scale))[0]


@primitive
@np.errstate(invalid="ignore", over="ignore")  # scores of +inf give nan, as in torch
def _attend(query, key, value, attn_mask, drop, scale):
    """y = P value, and P for the backward pass; `drop` is dropout's scaled mask."""
    scores = (query * scale) @ np.swapaxes(key, -1, -2)
    probs = _probabilities(_masked(scores, attn_mask))
    return (probs if drop is None else probs * drop) @ value, probs

@_attend.defvjp
@np.errstate(invalid="ignore", over="ignore")
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


def _mask_gradient(dscores, attn_mask):
    """An additive mask is one more summand of the scores; a boolean one has no gradient."""
    if attn_mask is None or attn_mask.dtype == bool:
        return None
    return unbroadcast(dscores, attn_mask)


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
    if not 0 <= p <= 1:
        raise ValueError(f"{function}: dropout_p is {p}, expected a probability from 0 to 1")
    if p == 0:
        return None
    if rng is None:
        raise ValueError(f"{function}: dropout_p is {p}, expected rng, a numpy.random.Generator, beside it")
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{function}: rng is a {type(rng).__name__}, expected a numpy.random.Generator")
    kept = (rng.random(shape) >= p).astype(dtype)
    return kept if p == 1 else kept / dtype.type(1 - p)


# --- the same, tile by tile -------------------------------------------------------------------------


def tiled_attention(query, key, value, tile=64, is_causal=False, scale=None,
                    attn_mask=None):
    """scaled_dot_product_attention that never holds more than `tile` columns of scores.

        m' = max(m, max_s S_ts),  l' = l exp(m - m') + sum_s exp(S_ts - m'),
        o' = o exp(m - m') + sum_s exp(S_ts - m') value_s,   y = o / l  at the end

    query (..., T, D), key (..., S, D), value (..., S, Dv)  ->  y (..., T, Dv)
    Arguments and errors are those of scaled_dot_product_attention; the mask gets no
    gradient here.
    Source: chapter 11, equation (tiled_attention); Milakov and Gimelshein (2018), Dao
    et al. (2022).
    """
    name = "tiled_attention"
    _check_qkv(name, plain(query), plain(key), plain(value))
    batch = _batch_shape(name, query, key, value)
    T, S = query.shape[-2], key.shape[-2]
    (tile,) = per_axis(name, "tile", tile, 1, 1)
    _check_one_mask(name, attn_mask, is_causal)
    attn_mask = causal_mask(T, S) if is_causal else attn_mask
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
@np.errstate(invalid="ignore", over="ignore")
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
@np.errstate(invalid="ignore", over="ignore")
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


# --- several heads ----------------------------------------------------------------------------------


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


# --- additive attention -----------------------------------------------------------------------------


def additive_attention(query, key, value, weight_query, weight_key, weight_score,
                       attn_mask=None):
    """Attention by a small network: query and key may differ in width.

        y_t = sum_s P_ts value_s
        P_ts = softmax_s(sum_a weight_score_a tanh(U query_t + W key_s)_a)

    query (N, T, D), key (N, S, E), value (N, S, F)  ->  y (N, T, F)
    U is weight_query (A, D), W weight_key (A, E), weight_score (A,). `attn_mask`
    broadcasts to (N, T, S); True = attend. Raises ValueError for shapes that do not
    fit, TypeError for other kinds.
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
@np.errstate(invalid="ignore")
def _masked_softmax(scores, attn_mask):
    return _probabilities(_masked(scores, attn_mask))

@_masked_softmax.defvjp
@np.errstate(invalid="ignore", over="ignore")
def _masked_softmax_vjp(dy, y, scores, attn_mask):
    dscores = y * (dy - np.sum(y * dy, axis=-1, keepdims=True))
    return dscores, _mask_gradient(dscores, attn_mask)
