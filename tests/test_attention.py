"""Attention against torch over masks, heads and scales; against plain loops; tile by tile."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
sdpa, torch_sdpa = nnbook.scaled_dot_product_attention, F.scaled_dot_product_attention


def randn(rng, *shape):
    return rng.standard_normal(shape)


def boolean_mask(rng, *shape):
    """True with probability 0.6, and True somewhere in every row."""
    mask = rng.random(shape) < 0.6
    mask[..., 0] |= ~mask.any(axis=-1)
    return mask


@given(seed=SEEDS, batch=st.sampled_from([(), (2,), (2, 3), (1, 4)]), T=st.integers(1, 5), S=st.integers(1, 6),
       D=st.sampled_from([1, 3, 8]), Dv=st.sampled_from([1, 7]), scale=st.sampled_from([None, 0.3, 2]),
       mask=st.sampled_from([None, "bool", "bool 2d", "float", "float 2d", "causal"]))
@settings(max_examples=80, deadline=None)
def test_equals_torch(seed, batch, T, S, D, Dv, scale, mask):
    rng = np.random.default_rng(seed)
    arrays = [randn(rng, *batch, T, D), randn(rng, *batch, S, D), randn(rng, *batch, S, Dv)]
    shape = (T, S) if mask and "2d" in mask else (*batch, T, S)
    if mask and mask.startswith("float"):
        arrays.append(2 * randn(rng, *shape))
        against_torch(lambda q, k, v, m: sdpa(q, k, v, m, scale=scale),
                      lambda q, k, v, m: torch_sdpa(q, k, v, m, scale=scale), tuple(arrays), rng)
        return
    m = boolean_mask(rng, *shape) if mask and mask.startswith("bool") else None
    causal = mask == "causal"
    against_torch(lambda q, k, v: sdpa(q, k, v, m, is_causal=causal, scale=scale),
                  lambda q, k, v: torch_sdpa(q, k, v, None if m is None else torch.tensor(m), is_causal=causal,
                                             scale=scale), tuple(arrays), rng)


@given(seed=SEEDS, heads=st.sampled_from([(6, 2), (4, 1), (3, 3)]), causal=st.booleans())
@settings(max_examples=20, deadline=None)
def test_grouped_queries(seed, heads, causal):
    rng, (H, G) = np.random.default_rng(seed), heads
    arrays = (randn(rng, 2, H, 5, 3), randn(rng, 2, G, 4, 3), randn(rng, 2, G, 4, 7))
    against_torch(lambda *a: sdpa(*a, is_causal=causal, enable_gqa=True),
                  lambda *a: torch_sdpa(*a, is_causal=causal, enable_gqa=True), arrays, rng)


def test_leading_axes_broadcast():
    rng = np.random.default_rng(0)
    q, k, v = randn(rng, 2, 1, 5, 3), randn(rng, 4, 6, 3), randn(rng, 2, 4, 6, 7)
    full = [np.broadcast_to(a, (2, 4, *a.shape[-2:])).copy() for a in (q, k, v)]
    assert_close(sdpa(q, k, v), sdpa(*full), 1e-14)
    nnbook.check_vjp(sdpa, q, k, v)


def loop(q, k, v, mask, scale):
    """The equation, one query at a time."""
    y = np.zeros((len(q), v.shape[-1]))
    for t in range(len(q)):
        e = [np.exp(scale * sum(q[t, d] * k[s, d] for d in range(q.shape[1]))) if mask[t, s] else 0.0
             for s in range(len(k))]
        for s in range(len(k)):
            y[t] += e[s] / (sum(e) or 1) * v[s]
    return y


@given(seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_is_the_loop(seed):
    rng = np.random.default_rng(seed)
    q, k, v, mask = randn(rng, 3, 2), randn(rng, 5, 2), randn(rng, 5, 7), rng.random((3, 5)) < 0.5
    assert_close(sdpa(q, k, v, mask), loop(q, k, v, mask, 2**-0.5), 1e-13)


@pytest.mark.parametrize("f", [sdpa, nnbook.tiled_attention])
def test_complex_step(f):
    rng = np.random.default_rng(1)
    against_complex_step(f, (randn(rng, 2, 3, 5), randn(rng, 2, 4, 5), randn(rng, 2, 4, 7)), rng)


@given(seed=SEEDS, tile=st.integers(1, 8), mask=st.sampled_from([None, "bool", "empty rows", "float", "causal"]),
       T=st.integers(1, 5), S=st.integers(1, 7), dtype=st.sampled_from([np.float64, np.float32]))
@settings(max_examples=60, deadline=None)
def test_tile_by_tile_is_the_same(seed, tile, mask, T, S, dtype):
    rng = np.random.default_rng(seed)
    q, k, v = (3 * randn(rng, 2, 3, n, d).astype(dtype) for n, d in ((T, 5), (S, 5), (S, 7)))
    m = {"bool": lambda: boolean_mask(rng, 2, 1, T, S), "empty rows": lambda: rng.random((T, S)) < 0.3,
         "float": lambda: randn(rng, 3, T, S).astype(dtype)}.get(mask, lambda: None)()
    more = {"attn_mask": m, "is_causal": mask == "causal"}
    y, pullback = nnbook.vjp(lambda *a: sdpa(*a, **more), q, k, v)
    y2, pullback2 = nnbook.vjp(lambda *a: nnbook.tiled_attention(*a, tile=tile, **more), q, k, v)
    dy = randn(rng, *y.shape).astype(dtype)
    tol = 1e-13 if dtype == np.float64 else 5e-5
    assert y2.dtype == dtype
    assert_close(y2, y, tol)
    for a, b in zip(pullback2(dy), pullback(dy), strict=True):
        assert_close(a, b, tol)
        assert a.dtype == dtype


def test_fully_masked_rows_give_zeros_and_no_gradient_as_torch():
    rng = np.random.default_rng(2)
    q, k, v, mask = randn(rng, 2, 3, 5), randn(rng, 2, 4, 5), randn(rng, 2, 4, 7), np.ones((3, 4), bool)
    mask[1] = False
    against_torch(lambda *a: sdpa(*a, mask), lambda *a: torch_sdpa(*a, torch.tensor(mask)), (q, k, v), rng)
    y, pullback = nnbook.vjp(lambda *a: sdpa(*a, mask), q, k, v)
    assert np.all(y[:, 1] == 0)
    assert np.all(pullback(randn(rng, *y.shape))[0][:, 1] == 0)
    additive = np.where(mask, 0, -np.inf)
    assert_close(sdpa(q, k, v, additive), y, 1e-15)


def test_infinite_queries_give_torchs_nan_without_a_warning():
    q = randn(np.random.default_rng(5), 2, 3, 4)
    q[0, 0, 0] = np.inf
    expected = torch_sdpa(*[torch.tensor(q)] * 3).numpy()
    np.testing.assert_array_equal(np.isnan(sdpa(q, q, q)), np.isnan(expected))


def test_half_precision_stays_half():
    q = randn(np.random.default_rng(6), 2, 3, 4).astype(np.float16)
    y, pullback = nnbook.vjp(lambda q: sdpa(q, q, q), q)
    assert y.dtype == np.float16 and pullback(y)[0].dtype == np.float16
    assert_close(y, torch_sdpa(*[torch.tensor(q)] * 3).numpy(), 2e-3)


def test_extremes():
    q, k, v = np.full((2, 3), 1e4), np.array([[1e4] * 3, [-1e4] * 3, [0.0] * 3]), np.eye(3)
    assert_close(sdpa(q, k, v), [[1, 0, 0]] * 2, 1e-15)
    assert_close(nnbook.tiled_attention(q, k, v, tile=1), [[1, 0, 0]] * 2, 1e-15)


@pytest.mark.parametrize("sizes", [(0, 4), (3, 0), (0, 0)])
def test_empty(sizes):
    (T, S), rng = sizes, np.random.default_rng(3)
    arrays = (randn(rng, 2, T, 5), randn(rng, 2, S, 5), randn(rng, 2, S, 7))
    for f in (sdpa, nnbook.tiled_attention):
        y, pullback = nnbook.vjp(f, *arrays)
        assert_close(y, np.zeros((2, T, 7)), 0)
        assert [g.shape for g in pullback(y)] == [a.shape for a in arrays]


def test_dropout_of_probabilities():
    rng = np.random.default_rng(4)
    q, k, v = randn(rng, 500, 3), randn(rng, 40, 3), randn(rng, 40, 2)
    y = sdpa(q, k, v, dropout_p=0.3, rng=np.random.default_rng(5))
    assert abs((y - sdpa(q, k, v)).mean()) < 0.02
    nnbook.check_vjp(lambda *a: sdpa(*a, dropout_p=0.3, rng=np.random.default_rng(5)), q[:4], k, v)
    assert_close(sdpa(q, k, v, dropout_p=1.0, rng=rng), np.zeros((500, 2)), 0)


# --- several heads -----------------------------------------------------------------------------------


@given(seed=SEEDS, H=st.sampled_from([1, 2, 4]), bias=st.booleans(), widths=st.booleans(), extra=st.booleans(),
       dtype=st.sampled_from([np.float64, np.float32]),
       mask=st.sampled_from([None, "2d", "per item", "per head", "float", "causal"]))
@settings(max_examples=60, deadline=None)
def test_multi_head_equals_torch(seed, H, bias, widths, extra, dtype, mask):
    rng, (N, T, S, D) = np.random.default_rng(seed), (3, 5, 5 if mask == "causal" else 7, 8)
    kdim, vdim = (6, 10) if widths else (D, D)
    module = torch.nn.MultiheadAttention(D, H, bias=bias, add_bias_kv=extra, kdim=kdim, vdim=vdim, batch_first=True,
                                         dtype=torch.float64 if dtype == np.float64 else torch.float32)
    params, names = {}, []
    with torch.no_grad():
        for name, p in module.named_parameters():
            p.copy_(torch.tensor(randn(rng, *p.shape) * 0.4))
            *path, last = name.split(".")
            (params if not path else params.setdefault(path[0], {}))[last] = p.detach().numpy().copy()
            names.append((path, last))
    arrays = [randn(rng, N, n, d).astype(dtype) for n, d in ((T, D), (S, kdim), (S, vdim))]
    shape = {"per item": (N, T, S), "per head": (N * H, T, S)}.get(mask, (T, S))
    m = None if mask in (None, "causal") else boolean_mask(rng, *shape)
    if mask == "float":
        m = randn(rng, T, S).astype(dtype)
    theirs = None if m is None else torch.tensor(~m if m.dtype == bool else m)
    if mask == "per item":
        theirs = theirs.repeat_interleave(H, 0)
    if mask == "causal":
        theirs = ~torch.tril(torch.ones(T, S, dtype=torch.bool))
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    expected, weights = module(*tensors, attn_mask=theirs)

    def run(params, *qkv):
        return nnbook.multi_head_attention(*qkv, params, H, m, mask == "causal", need_weights=True)

    (y, P), pullback = nnbook.vjp(run, params, *arrays)
    tol = 1e-10 if dtype == np.float64 else 1e-4
    assert y.dtype == dtype
    assert_close(y, expected.detach().numpy(), tol)
    assert_close(P, weights.detach().numpy(), tol)
    dy, dP = randn(rng, *y.shape).astype(dtype), randn(rng, *P.shape).astype(dtype)
    torch.autograd.backward((expected, weights), (torch.tensor(dy), torch.tensor(dP)))
    dparams, *dqkv = pullback((dy, dP))
    for got, t in zip(dqkv, tensors, strict=True):
        assert_close(got, t.grad.numpy(), tol)
    for (path, last), (_, p) in zip(names, module.named_parameters(), strict=True):
        assert_close((dparams[path[0]] if path else dparams)[last], p.grad.numpy(), tol, last)


def test_multi_head_without_a_batch_and_its_start():
    rng = np.random.default_rng(6)
    params = nnbook.init_multi_head_attention(8, 2, rng, dtype=np.float32)
    x = randn(rng, 5, 8).astype(np.float32)
    y, P = nnbook.multi_head_attention(x, x, x, params, 2, need_weights=True)
    assert y.shape == (5, 8) and P.shape == (5, 5) and y.dtype == np.float32
    assert_close(y, nnbook.multi_head_attention(x[None], x[None], x[None], params, 2)[0], 1e-6)
    assert_close(P.sum(axis=-1), np.ones(5), 1e-6)
    bound = (6 / (4 * 8)) ** 0.5
    assert 0.9 * bound < np.abs(params["in_proj_weight"]).max() <= bound + 1e-6
    assert np.all(params["in_proj_bias"] == 0)


# --- additive attention ------------------------------------------------------------------------------


@given(seed=SEEDS, mask=st.sampled_from([None, "bool", "float"]), batch=st.sampled_from([(), (2,)]))
@settings(max_examples=25, deadline=None)
def test_additive_equals_torch(seed, mask, batch):
    rng = np.random.default_rng(seed)
    arrays = (randn(rng, *batch, 3, 2), randn(rng, *batch, 5, 4), randn(rng, *batch, 5, 6),
              randn(rng, 7, 2), randn(rng, 7, 4), randn(rng, 7))
    m = boolean_mask(rng, 3, 5) if mask == "bool" else randn(rng, 3, 5) if mask == "float" else None

    def theirs(q, k, v, U, W, w):
        e = torch.tanh((q @ U.T)[..., :, None, :] + (k @ W.T)[..., None, :, :]) @ w
        if mask == "bool":
            e = e.masked_fill(~torch.tensor(m), -torch.inf)
        return torch.softmax(e if mask != "float" else e + torch.tensor(m, dtype=e.dtype), -1) @ v

    def ours(*a):
        return nnbook.additive_attention(*a, m.astype(a[0].dtype) if mask == "float" else m)

    against_torch(ours, theirs, arrays, rng)
    if mask is None:
        against_complex_step(nnbook.additive_attention, arrays, rng)


Q, K, V = np.ones((2, 3, 4)), np.ones((2, 5, 4)), np.ones((2, 5, 6))
MHA = nnbook.init_multi_head_attention(4, 2, np.random.default_rng(0))
W = (np.ones((7, 4)), np.ones((7, 4)), np.ones(7))
mha, additive, tiled = nnbook.multi_head_attention, nnbook.additive_attention, nnbook.tiled_attention
BAD = [
    (sdpa, (Q, K[..., :3], V), {}, "key has 3 features, expected 4, those of query"),
    (sdpa, (Q, K, V[:, :4]), {}, "value has length 4, expected 5, the length of key"),
    (sdpa, (Q, K[:1].repeat(3, 0), V), {}, "the leading axes .* do not broadcast"),
    (sdpa, (Q[0, 0], K, V), {}, r"query has shape \(4,\), expected at least two axes"),
    (sdpa, (Q.astype(np.float32), K, V), {}, "the dtypes differ: query float32"),
    (sdpa, (Q.astype(int), K, V), {}, "query has dtype int64, expected floating point"),
    (sdpa, (Q.tolist(), K, V), {}, "query is a list"),
    (sdpa, (Q, K, V, np.ones((3, 5), int)), {}, "attn_mask has dtype int64, expected bool or floating point"),
    (sdpa, (Q, K, V, np.ones((3, 4), bool)), {}, r"attn_mask has shape \(3, 4\), expected .* \(2, 3, 5\)"),
    (sdpa, (Q, K, V, np.ones((7, 2, 3, 5), bool)), {}, "attn_mask has shape"),
    (sdpa, (Q, K, V, np.ones((3, 5), np.float32)), {}, "the dtypes differ: query float64, attn_mask float32"),
    (sdpa, (Q, K, V, [[True]]), {}, "attn_mask is a list, expected an ndarray"),
    (sdpa, (Q, K, V, np.ones((3, 5), bool)), {"is_causal": True}, "attn_mask and is_causal are both given"),
    (sdpa, (Q, K, V), {"dropout_p": 0.5}, "expected rng, a numpy.random.Generator"),
    (sdpa, (Q, K, V), {"dropout_p": -0.1}, "dropout_p is -0.1, expected a probability"),
    (sdpa, (np.ones((1, 5, 3, 4)), *[np.ones((1, 2, 5, 4))] * 2), {"enable_gqa": True}, "key has shape"),
    (tiled, (Q, K, V), {"tile": 0}, "tile is 0, expected at least 1"),
    (tiled, (Q, K, V), {"tile": 2.5}, "tile is 2.5, expected an integer"),
    (sdpa, (None, K, V), {}, "query is a NoneType, expected an ndarray"),
    (mha, (Q, K, K, None, 2), {}, "params is a NoneType, expected a dict"),
    (mha, (Q, K, K, MHA, 2.0), {}, "num_heads is 2.0, expected an integer"),
    (mha, (Q, K, K, MHA | {"bias_q": np.ones((1, 1, 4))}, 2), {}, r"unknown keys \['bias_q'\]"),
    (mha, (Q, K, K, MHA | {"bias_k": np.ones((1, 1, 4))}, 2), {}, "bias_k and bias_v together"),
    (mha, (Q, K, K, MHA | {"bias_k": np.ones((1, 4)), "bias_v": np.ones((1, 1, 4))}, 2), {},
     r"bias_k has shape \(1, 4\), expected \(1, 1, 4\)"),
    (tiled, (Q, K[..., :3], V), {}, "tiled_attention: key has 3 features"),
    (tiled, (Q, K, V), {"is_causal": True, "attn_mask": np.ones((3, 5), bool)}, "both given"),
    (mha, (Q, K, K, MHA, 3), {}, "num_heads is 3, expected a divisor of the model's width 4"),
    (mha, (Q, K, K, MHA, 0), {}, "num_heads is 0"),
    (mha, (Q[..., :3], K, K, MHA, 2), {}, "query has 3 features, expected 4"),
    (mha, (Q, K, V, MHA, 2), {}, "value has 6 features, expected 4"),
    (mha, (Q, K[0], K[0], MHA, 2), {}, "the shapes are"),
    (mha, (Q, K, K[:, :4], MHA, 2), {}, "one length of key and value"),
    (mha, (Q, K, K, {}, 2), {}, r"params has the keys \[\], expected in_proj_weight and out_proj"),
    (mha, (Q, K, K, MHA | {"in_proj_bias": np.ones(4)}, 2), {}, r"in_proj_bias has shape \(4,\), expected \(12,\)"),
    (mha, (Q, K, K, MHA | {"in_proj_weight": np.ones((4, 12))}, 2), {}, r"in_proj_weight has shape \(4, 12\)"),
    (mha, (Q, K, K, MHA, 2, np.ones((3, 3, 5), bool)), {}, r"attn_mask has shape \(3, 3, 5\), expected \(2, 3, 5\)"),
    (mha, (Q, K, K, MHA, 2, np.ones((3, 4), bool)), {}, "attn_mask has shape"),
    (additive, (Q, K, V, *W[:2], np.ones(6)), {}, "weight_query .* expected"),
    (additive, (Q, K, V[:, :4], *W), {}, "do not fit"),
    (additive, (Q, K, V, *W, np.ones((3, 4), bool)), {}, "attn_mask has shape"),
]


@pytest.mark.parametrize(("f", "args", "kwargs", "message"), BAD)
def test_wrong_input(f, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        f(*args, **kwargs)


def test_a_head_count_that_does_not_divide():
    with pytest.raises(ValueError, match="embed_dim is 5, expected a multiple of 2"):
        nnbook.init_multi_head_attention(5, 2, np.random.default_rng(0))


# --- added after the review ---------------------------------------------------------------------------


@pytest.mark.parametrize("f", [sdpa, nnbook.tiled_attention])
def test_gradients_of_broadcast_axes_have_the_shapes_of_their_arrays(f):
    rng = np.random.default_rng(7)
    arrays = (randn(rng, 2, 1, 5, 3), randn(rng, 4, 6, 3), randn(rng, 2, 4, 6, 7))
    against_torch(f, lambda q, k, v: torch_sdpa(q, k.expand(2, 4, 6, 3), v), arrays, rng)


def test_additive_attention_has_a_gradient_of_its_mask():
    rng = np.random.default_rng(8)
    arrays = (randn(rng, 2, 3, 2), randn(rng, 2, 5, 4), randn(rng, 2, 5, 6), randn(rng, 7, 2), randn(rng, 7, 4),
              randn(rng, 7), randn(rng, 3, 5))
    against_complex_step(nnbook.additive_attention, arrays, rng)


def test_initial_output_projection():
    params = nnbook.init_multi_head_attention(32, 2, np.random.default_rng(9))
    weight = np.abs(params["out_proj"]["weight"])
    assert 0.95 * 32**-0.5 < weight.max() <= 32**-0.5
    assert np.all(params["out_proj"]["bias"] == 0)
    assert "in_proj_bias" not in nnbook.init_multi_head_attention(4, 2, np.random.default_rng(9), bias=False)


@pytest.mark.parametrize("f", [sdpa, nnbook.tiled_attention])
@pytest.mark.parametrize("where", ["scores overflow", "infinite value", "infinite query"])
def test_what_is_not_finite_gives_torchs_result_without_a_warning(f, where):
    rng = np.random.default_rng(10)
    q, k, v = randn(rng, 2, 3, 4), randn(rng, 2, 5, 4), randn(rng, 2, 5, 7)
    if where == "scores overflow":
        q, k = 1e200 * q, 1e200 * k
    else:
        (v if where == "infinite value" else q)[0, 1, 2] = np.inf
    y, pullback = nnbook.vjp(f, q, k, v)
    finite = np.isfinite(torch_sdpa(*map(torch.tensor, (q, k, v))).numpy())
    np.testing.assert_array_equal(np.isfinite(y), finite)
    pullback(np.ones_like(y))


def test_half_precision_scores_overflow_without_a_warning():
    q = np.full((3, 4), 300, np.float16)
    assert sdpa(q, q, q).dtype == np.float16


APART = {"out_proj": MHA["out_proj"], "q_proj_weight": np.ones((4, 4)), "k_proj_weight": np.ones((4, 4)),
         "v_proj_weight": np.ones((4, 4))}
BAD_PARAMS = [
    (MHA | {"out_proj": None}, "out_proj is NoneType, expected a dict"),
    (MHA | {"out_proj": {"bias": np.ones(4)}}, r"out_proj is \['bias'\], expected a dict of weight"),
    (MHA | {"out_proj": {"weight": np.ones((4, 3))}}, r"out_proj.weight has shape \(4, 3\), expected \(4, 4\)"),
    (MHA | {"in_proj_weight": None}, "in_proj_weight is a NoneType"),
    (MHA | {"in_proj_bias": [0.0] * 12}, "bias is a list"),
    (MHA | {"q_proj_weight": np.ones((4, 4))}, "params has the keys"),
    ({k: v for k, v in APART.items() if k != "k_proj_weight"}, "params has the keys"),
    (APART | {"v_proj_weight": np.ones((3, 4))}, r"v_proj_weight has shape \(3, 4\), expected \(4, 4\)"),
    (APART | {"k_proj_weight": np.ones(4)}, r"k_proj_weight has shape \(4,\), expected \(4, 4\)"),
]


@pytest.mark.parametrize(("params", "message"), BAD_PARAMS)
def test_wrong_parameters(params, message):
    with pytest.raises((ValueError, TypeError), match=f"multi_head_attention: .*{message}"):
        mha(Q, K, K, params, 2)


def test_more_wrong_input():
    with pytest.raises(TypeError, match="rng is a int"):
        sdpa(Q, K, V, dropout_p=0.5, rng=3)
    with pytest.raises(TypeError, match="attn_mask is a list"):
        mha(Q, K, K, MHA, 2, [[True]])
    with pytest.raises(ValueError, match="key has shape"):
        sdpa(np.ones((4, 3, 4)), np.ones((0, 5, 4)), np.ones((0, 5, 4)), enable_gqa=True)
    with pytest.raises(ValueError, match="embed_dim is 4, expected a multiple of 0"):
        nnbook.init_multi_head_attention(4, 0, np.random.default_rng(0))
