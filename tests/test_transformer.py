"""The Transformer against torch's layers, its decoding against recomputation, its searches against all sequences."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook
from nnbook.interchange import flatten, nest, to_torch
from nnbook.normalization import layer_norm
from nnbook.transformer import (
    beam_search,
    decoder_layer,
    decoder_step,
    encoder_layer,
    greedy_search,
    init_cache,
    init_decoder_layer,
    init_encoder_layer,
    init_transformer,
    rotary_embedding,
    sinusoidal_positions,
    transformer,
    transformer_decoder,
    transformer_encoder,
)

pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
SEEDS = st.integers(0, 2**32 - 1)


def randn(rng, *shape):
    return rng.standard_normal(shape)


def jiggled(params, rng):
    """Parameters none of which is 0 or 1, so that no bias and no norm can be forgotten."""
    return nnbook.tree_map(lambda a: a + 0.3 * randn(rng, *a.shape), params)


# --- positions --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("T", "D", "base"), [(7, 6, 10000.0), (5, 3, 10000.0), (4, 1, 100), (0, 4, 7.0), (3, 0, 7.0)])
def test_sinusoids_are_the_loop(T, D, base):
    expected = np.zeros((T, D))
    for t, d in np.ndindex(T, D):
        angle = t / base ** ((d - d % 2) / D)
        expected[t, d] = math.cos(angle) if d % 2 else math.sin(angle)
    assert_close(sinusoidal_positions(T, D, base), expected, 1e-13)
    assert sinusoidal_positions(T, D, base, np.float32).dtype == np.float32


def test_a_shift_turns_the_waves():
    """What makes them positions: y_{t+k} is the rotation of y_t by an angle that depends on k alone."""
    y = sinusoidal_positions(30, 8)
    cosines = y[:, 1::2] + 1j * y[:, 0::2]  # e^{i angle}
    turn = np.exp(11j * 10000.0 ** (-np.arange(4) / 4))
    assert_close(np.abs(cosines[11:] - cosines[:-11] * turn), np.zeros((19, 4)), 1e-12)


def torch_rotary(x, positions, base, interleaved):
    """The rotation as a product of complex numbers, as Llama's first code had it."""
    D = x.shape[-1]
    angles = positions[..., None] * base ** (-torch.arange(0, D, 2, dtype=torch.float64) / D)
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., : D // 2], x[..., D // 2 :])
    turned = torch.complex(a, b) * torch.polar(torch.ones_like(angles), angles).to(torch.complex(a, b).dtype)
    parts = turned.real, turned.imag
    return torch.stack(parts, -1).flatten(-2) if interleaved else torch.cat(parts, -1)


@given(seed=SEEDS, lead=st.sampled_from([(), (3,), (2, 3)]), T=st.integers(0, 5), D=st.sampled_from([0, 2, 6]),
       base=st.sampled_from([10000.0, 50]), interleaved=st.booleans(), shape=st.sampled_from(["", "T", "1", "lead"]))
@settings(max_examples=60, deadline=None)
def test_rotary_equals_torch(seed, lead, T, D, base, interleaved, shape):
    rng = np.random.default_rng(seed)
    x = randn(rng, *lead, T, D)
    positions = {"": None, "T": rng.integers(0, 90, T), "1": rng.integers(0, 90, (1,)).astype(np.uint8),
                 "lead": rng.integers(-9, 90, (*lead, T))}[shape]
    used = torch.arange(T) if positions is None else torch.tensor(positions.astype(int))
    against_torch(lambda x: rotary_embedding(x, positions, base, interleaved),
                  lambda x: torch_rotary(x, used, base, interleaved), (x,), rng)


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_gradient_of_real_positions(interleaved):
    rng = np.random.default_rng(0)
    arrays = randn(rng, 2, 3, 5, 6), 9 * randn(rng, 3, 1)
    against_torch(lambda x, p: rotary_embedding(x, p, 30.0, interleaved),
                  lambda x, p: torch_rotary(x, p, 30.0, interleaved), arrays, rng, dtypes=(np.float64,))
    x, p = (a.astype(np.float32) for a in arrays)
    y, pullback = nnbook.vjp(rotary_embedding, x, p)
    assert y.dtype == np.float32 and all(g.dtype == np.float32 for g in pullback(y))
    against_complex_step(lambda x: rotary_embedding(x, arrays[1], 30.0, interleaved), arrays[:1], rng)


def test_rotary_equals_llama_and_gptj():
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as gptj
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb as llama
    rng, (N, H, T, D) = np.random.default_rng(1), (2, 3, 5, 6)
    x, positions = randn(rng, N, H, T, D), rng.integers(0, 50, (N, T))
    angles = positions[..., None] * 10000.0 ** (-np.arange(0, D, 2) / D)
    cos, sin = np.cos(angles), np.sin(angles)
    halves = [torch.tensor(np.concatenate([a, a], -1)) for a in (cos, sin)]
    y = rotary_embedding(x, positions[:, None], interleaved=False)
    assert_close(y, llama(torch.tensor(x), torch.tensor(x), *halves)[0].numpy(), 1e-14)
    y = rotary_embedding(x, positions[:, None])
    assert_close(y, gptj(torch.tensor(x).transpose(1, 2), torch.tensor(sin), torch.tensor(cos)).transpose(1, 2), 1e-14)


@pytest.mark.parametrize("interleaved", [True, False])
def test_rotary_products_depend_on_the_distance(interleaved):
    rng = np.random.default_rng(2)
    q, k = randn(rng, 1, 8), randn(rng, 1, 8)

    def product(t, s):
        q_t, k_s = (rotary_embedding(a, np.array([p]), 100.0, interleaved) for a, p in ((q, t), (k, s)))
        return (q_t @ k_s.T).item()

    assert_close(product(17, 12), product(5, 0), 1e-13)
    assert abs(product(17, 12) - product(17, 13)) > 1e-2


# --- layers and stacks ------------------------------------------------------------------------------


def against_module(f, module, params, arrays, rng, torch_more=None, **more):
    """Values and gradients of all arrays and all parameters equal those of torch's module in training mode."""
    flat, k = flatten(params), len(arrays)
    assert flat.keys() == dict(module.named_parameters()).keys()
    torch_more = torch_more or (lambda dtype: {})

    def theirs(*a):
        named = dict(zip(flat, a[k:], strict=True))
        return torch.func.functional_call(module, named, a[:k], torch_more(a[0].dtype))

    against_torch(lambda *a: f(*a[:k], nest(dict(zip(flat, a[k:], strict=True))), **more), theirs,
                  (*arrays, *flat.values()), rng)


def torch_layer(kind, D, H, F, norm_first, activation, bias=True, eps=1e-5):
    layer = getattr(torch.nn, f"Transformer{kind}Layer")
    return layer(D, H, F, dropout=0.0, activation=activation, norm_first=norm_first, bias=bias, batch_first=True,
                 layer_norm_eps=eps)


def masks(kind, rng, N, H, T, S):
    """Our mask and torch's keyword arguments of MultiheadAttention's kind, prefix apart."""
    seen = rng.random((N, 1, 1, S)) < 0.7
    seen[..., 0] = True
    pairs = rng.random((T, S)) < 0.6
    pairs[:, 0] = True
    per_head = rng.random((N * H, T, S)) < 0.6
    numbers = randn(rng, T, S)
    both = seen & pairs
    return {"none": (None, {}), "padding": (seen, {"key_padding_mask": ~seen[:, 0, 0]}),
            "bool": (pairs, {"mask": ~pairs}), "additive": (numbers, {"mask": numbers}),
            "padding and bool": (both, {"key_padding_mask": ~seen[:, 0, 0], "mask": ~pairs}),
            "per head": (per_head, {"mask": ~per_head}),
            "fully masked": (pairs & (np.arange(T) > 0)[:, None], {"mask": ~(pairs & (np.arange(T) > 0)[:, None])}),
            }[kind]


def tensors(prefix, arrays, dtype):
    """torch's keyword arguments; numbers in the dtype of the case."""
    return {prefix + name: torch.tensor(a).to(dtype if a.dtype.kind == "f" else torch.bool)
            for name, a in arrays.items()}


MASKS = st.sampled_from(["none", "padding", "bool", "additive", "padding and bool", "per head", "fully masked"])
SIZES = {"D": 6, "F": 7}
CASES = {"seed": SEEDS, "N": st.integers(1, 3), "T": st.integers(1, 4), "H": st.sampled_from([1, 2, 3]),
         "norm_first": st.booleans(), "activation": st.sampled_from(["relu", "gelu"]), "bias": st.booleans()}


def cast_mask(mask, x):
    return mask if mask is None or mask.dtype == bool else mask.astype(x.dtype)


@given(**CASES, mask=MASKS, causal=st.booleans(), eps=st.sampled_from([1e-5, 1e-2]))
@settings(max_examples=40, deadline=None)
def test_encoder_layer_equals_torch(seed, N, T, H, norm_first, activation, bias, mask, causal, eps):
    rng = np.random.default_rng(seed)
    params = jiggled(init_encoder_layer(6, H, 7, rng, bias), rng)
    module = torch_layer("Encoder", 6, H, 7, norm_first, activation, bias, eps)
    ours, theirs = masks(mask, rng, N, H, T, T)
    if causal:
        upper = ~np.tri(T, dtype=bool)
        given = theirs.get("mask", np.zeros((T, T), dtype=bool))
        theirs = theirs | {"mask": given | upper if given.dtype == bool else np.where(upper, -np.inf, given)}
    names = {"mask": "src_mask", "key_padding_mask": "src_key_padding_mask"}
    theirs = {names[k]: v for k, v in theirs.items()}
    against_module(lambda x, p: encoder_layer(x, p, H, norm_first, activation, cast_mask(ours, x), causal, eps=eps),
                   module, params, (randn(rng, N, T, 6),), rng, lambda dtype: tensors("", theirs, dtype))


@given(**CASES, S=st.integers(1, 5), mask=MASKS, memory_mask=MASKS)
@settings(max_examples=40, deadline=None)
def test_decoder_layer_equals_torch(seed, N, T, S, H, norm_first, activation, bias, mask, memory_mask):
    rng = np.random.default_rng(seed)
    params = jiggled(init_decoder_layer(6, H, 7, rng, bias), rng)
    module = torch_layer("Decoder", 6, H, 7, norm_first, activation, bias, 0.03)
    ours, theirs = masks(mask, rng, N, H, T, T)
    ours_memory, theirs_memory = masks(memory_mask, rng, N, H, T, S)
    against_module(lambda x, memory, p: decoder_layer(x, memory, p, H, norm_first, activation, cast_mask(ours, x),
                                                      cast_mask(ours_memory, x), eps=0.03),
                   module, params, (randn(rng, N, T, 6), randn(rng, N, S, 6)), rng,
                   lambda dtype: tensors("tgt_", theirs, dtype) | tensors("memory_", theirs_memory, dtype))


@given(**CASES, S=st.integers(1, 5), depth=st.sampled_from([(1, 1), (2, 3)]), causal=st.booleans(),
       unbatched=st.booleans())
@settings(max_examples=30, deadline=None)
def test_transformer_equals_torch(seed, N, T, S, H, norm_first, activation, bias, depth, causal, unbatched):
    rng = np.random.default_rng(seed)
    params = jiggled(init_transformer(6, H, *depth, 7, rng, bias), rng)
    module = torch.nn.Transformer(6, H, *depth, 7, 0.0, activation, norm_first=norm_first, bias=bias,
                                  batch_first=True, layer_norm_eps=0.02)
    x, seen = [randn(rng, N, S, 6), randn(rng, N, T, 6)], rng.random((N, S)) < 0.7
    seen[:, 0] = True
    theirs = {"memory_mask": torch.tensor(rng.random((T, S)) < 0.3)}
    theirs["memory_mask"][:, 0] = False
    ours = {"memory_mask": ~theirs["memory_mask"].numpy(), "tgt_is_causal": causal, "eps": 0.02}
    if causal:
        theirs["tgt_mask"] = torch.tensor(~np.tri(T, dtype=bool))
    if unbatched:
        x = [a[0] for a in x]
    else:
        ours["src_mask"] = seen[:, None, None, :]
        theirs["src_key_padding_mask"] = torch.tensor(~seen)
    against_module(lambda s, t, p, **more: transformer(s, t, p, H, norm_first, activation, **more), module, params, x,
                   rng, lambda dtype: theirs, **ours)


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("unbatched", [True, False])
def test_stacks_equal_torch(norm, unbatched):
    rng, H = np.random.default_rng(3), 2
    both = jiggled(init_transformer(6, H, 3, 2, 7, rng), rng)
    x, memory, final = randn(rng, 3, 4, 6), randn(rng, 3, 5, 6), torch.nn.LayerNorm(6) if norm else None
    x, memory = (x[0], memory[0]) if unbatched else (x, memory)
    if not norm:
        both = {k: {"layers": v["layers"]} for k, v in both.items()}
    encoder = torch.nn.TransformerEncoder(torch_layer("Encoder", 6, H, 7, True, "gelu"), 3, final, False)
    decoder = torch.nn.TransformerDecoder(torch_layer("Decoder", 6, H, 7, False, "relu"), 2, final)
    mask = np.tri(4, dtype=bool)
    against_module(lambda x, p: transformer_encoder(x, p, H, True, "gelu", is_causal=True), encoder, both["encoder"],
                   (x,), rng, lambda dtype: {"mask": torch.tensor(~mask)})
    against_module(lambda x, m, p: transformer_decoder(x, m, p, H, mask=mask), decoder, both["decoder"], (x, memory),
                   rng, lambda dtype: {"tgt_mask": torch.tensor(~mask)})


@pytest.mark.parametrize(("N", "T", "S"), [(0, 3, 4), (2, 0, 4), (2, 3, 0), (1, 1, 1)])
@pytest.mark.parametrize("norm_first", [True, False])
def test_empty_and_single(N, T, S, norm_first):
    rng = np.random.default_rng(4)
    params = jiggled(init_decoder_layer(6, 2, 7, rng), rng)
    module = torch_layer("Decoder", 6, 2, 7, norm_first, F.relu)
    against_module(lambda x, m, p: decoder_layer(x, m, p, 2, norm_first), module, params,
                   (randn(rng, N, T, 6), randn(rng, N, S, 6)), rng)
    assert encoder_layer(randn(rng, N, T, 6), init_encoder_layer(6, 2, 7, rng), 2, is_causal=True).shape == (N, T, 6)


@pytest.mark.parametrize("mask", ["per head", "padding"])
def test_masks_of_a_sequence_without_batch(mask):
    rng, H, T = np.random.default_rng(19), 2, 4
    ours, theirs = masks(mask, rng, 1, H, T, T)
    theirs = {"src_mask": theirs["mask"]} if mask == "per head" else {"src_key_padding_mask": ~ours[0, 0, 0]}
    against_module(lambda x, p: encoder_layer(x, p, H, mask=ours), torch_layer("Encoder", 6, H, 7, False, "relu"),
                   jiggled(init_encoder_layer(6, H, 7, rng), rng), (randn(rng, T, 6),), rng,
                   lambda dtype: tensors("", theirs, dtype))


def test_a_row_that_may_attend_to_nothing_gets_the_bias_alone():
    rng = np.random.default_rng(5)
    params = jiggled(init_encoder_layer(6, 2, 7, rng), rng)
    x, mask = randn(rng, 2, 4, 6), np.ones((4, 4), dtype=bool)
    mask[1] = False
    y = encoder_layer(x, params, 2, True, mask=mask)
    h = x[:, 1] + params["self_attn"]["out_proj"]["bias"]
    hidden = nnbook.relu(nnbook.linear(layer_norm(h, 6, **params["norm2"]), **params["linear1"]))
    h = h + nnbook.linear(hidden, **params["linear2"])
    assert_close(y[:, 1], h, 1e-14)


def test_gradient_of_an_additive_mask():
    rng, H = np.random.default_rng(6), 2
    params = jiggled(init_decoder_layer(6, H, 7, rng), rng)
    module = torch_layer("Decoder", 6, H, 7, True, "gelu").double()
    module.load_state_dict(to_torch(params))
    against_torch(lambda x, m, a, b: decoder_layer(x, m, params, H, True, "gelu", a, b, is_causal=True),
                  lambda x, m, a, b: module(x, m, a + torch.full((4, 4), -torch.inf).triu(1), b),
                  (randn(rng, 3, 4, 6), randn(rng, 3, 5, 6), randn(rng, 4, 4), randn(rng, 4, 5)), rng,
                  dtypes=(np.float64,))


@pytest.mark.parametrize("norm_first", [True, False])
def test_complex_step_through_a_layer(norm_first):
    rng = np.random.default_rng(7)
    flat = flatten(jiggled(init_decoder_layer(6, 3, 7, rng), rng))

    def f(x, m, *p):
        params = nest(dict(zip(flat, p, strict=True)))
        return decoder_layer(x, m, params, 3, norm_first, nnbook.tanh, is_causal=True)

    against_complex_step(f, (randn(rng, 2, 4, 6), randn(rng, 2, 5, 6), *flat.values()), rng)


def test_a_layer_used_twice_and_tied_embeddings():
    """One layer at two depths, and one table that reads and writes: each gets the sum of its gradients."""
    rng, H = np.random.default_rng(8), 2
    layer, table, ids = jiggled(init_encoder_layer(6, H, 7, rng), rng), randn(rng, 9, 6), rng.integers(0, 9, (3, 4))
    flat = flatten(layer)
    module = torch_layer("Encoder", 6, H, 7, True, "gelu").double()

    def ours(table, *p):
        layer = nest(dict(zip(flat, p, strict=True)))
        h = transformer_encoder(nnbook.embedding(ids, table), {"layers": {"0": layer, "1": layer}}, H, True, "gelu")
        return nnbook.cross_entropy(nnbook.linear(h, table).reshape(12, 9), ids.ravel())

    def theirs(table, *p):
        h = F.embedding(torch.tensor(ids), table)
        for _ in range(2):
            h = torch.func.functional_call(module, dict(zip(flat, p, strict=True)), h)
        return F.cross_entropy(F.linear(h, table).reshape(12, 9), torch.tensor(ids.ravel()))

    against_torch(ours, theirs, (table, *flat.values()), rng, dtypes=(np.float64,))


def test_half_precision_stays_half():
    rng = np.random.default_rng(9)
    params = nnbook.tree_map(lambda a: a.astype(np.float16), init_encoder_layer(6, 2, 7, rng))
    y, pullback = nnbook.vjp(lambda x, p: encoder_layer(x, p, 2), randn(rng, 2, 3, 6).astype(np.float16), params)
    assert y.dtype == np.float16
    dx, dparams = pullback(y)
    assert dx.dtype == np.float16 and {a.dtype for a in flatten(dparams).values()} == {np.dtype(np.float16)}


def test_fifty_losses_of_training_equal_torchs():
    rng, H, V = np.random.default_rng(10), 2, 7
    params = {"table": randn(rng, V, 6)} | init_transformer(6, H, 1, 2, 8, rng)
    module, table = torch.nn.Transformer(6, H, 1, 2, 8, 0.0, "gelu", batch_first=True).double(), params["table"].copy()
    module.load_state_dict(to_torch({k: v for k, v in params.items() if k != "table"}))
    table = torch.tensor(table, requires_grad=True)
    optimizer = torch.optim.AdamW([*module.parameters(), table], lr=0.01)
    src, tgt = rng.integers(0, V, (4, 5)), rng.integers(0, V, (4, 7))
    mask = torch.tensor(~np.tri(6, dtype=bool))

    def loss_fn(params):
        table = params["table"]
        both = {k: v for k, v in params.items() if k != "table"}
        h = transformer(nnbook.embedding(src, table), nnbook.embedding(tgt[:, :-1], table), both, H,
                        activation="gelu", tgt_is_causal=True)
        return nnbook.cross_entropy(nnbook.linear(h, table).reshape(24, V), tgt[:, 1:].ravel())

    state = None
    for _ in range(50):
        loss, grads = nnbook.value_and_grad(loss_fn)(params)
        params, state = nnbook.adamw(params, grads, state, lr=0.01)
        h = module(table[torch.tensor(src)], table[torch.tensor(tgt[:, :-1])], tgt_mask=mask)
        theirs = F.cross_entropy(F.linear(h, table).reshape(24, V), torch.tensor(tgt[:, 1:].ravel()))
        optimizer.zero_grad()
        theirs.backward()
        optimizer.step()
        assert_close(loss, theirs.item(), 1e-9)
    assert loss < 1.0


# --- dropout ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm_first", [True, False])
def test_dropout_is_where_torchs_layer_has_it(norm_first, monkeypatch):
    """torch's layers with their random numbers drawn from the same generator, in the same order."""
    rng, p = np.random.default_rng(11), 0.4
    params = jiggled(init_transformer(6, 2, 2, 2, 7, rng), rng)
    src, tgt = randn(rng, 3, 5, 6), randn(rng, 3, 4, 6)
    module = torch.nn.Transformer(6, 2, 2, 2, 7, p, "gelu", norm_first=norm_first, batch_first=True).double()
    module.load_state_dict(to_torch(params))
    theirs = np.random.default_rng(12)

    def dropout(x, p=0.5, training=True, inplace=False):
        assert p == 0.4 and training
        return x * torch.tensor(theirs.random(tuple(x.shape)) >= p) / (1 - p)

    def attend(q, k, v, attn_mask=None, dropout_p=0.0, is_causal=False):
        return dropout(torch.softmax(q @ k.mT * q.shape[-1] ** -0.5, -1), dropout_p) @ v

    monkeypatch.setattr(F, "dropout", dropout)
    monkeypatch.setattr(F, "scaled_dot_product_attention", attend)
    y = transformer(src, tgt, params, 2, norm_first, "gelu", dropout_p=p, rng=np.random.default_rng(12))
    assert_close(y, module(torch.tensor(src), torch.tensor(tgt)).detach().numpy(), 1e-12)
    kept = transformer(src, tgt, params, 2, norm_first, "gelu")
    assert_close(transformer(src, tgt, params, 2, norm_first, "gelu", dropout_p=p), kept, 0)
    assert np.abs(kept - y).max() > 0.1


def test_everything_dropped_leaves_the_stream():
    rng = np.random.default_rng(13)
    x = randn(rng, 2, 3, 6)
    y = encoder_layer(x, jiggled(init_encoder_layer(6, 2, 7, rng), rng), 2, True, dropout_p=1.0, rng=rng)
    assert_close(y, x, 0)


# --- initial parameters -----------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
def test_initial_parameters_are_distributed_as_torchs(bias):
    """The same names, shapes and bounds, parameter by parameter: uniform ones nearly reach their bound."""
    D, H, F = 64, 4, 96
    rng = np.random.default_rng(14)
    pairs = [(init_encoder_layer(D, H, F, rng, bias, np.float32), torch_layer("Encoder", D, H, F, True, "relu", bias)),
             (init_decoder_layer(D, H, F, rng, bias, np.float32), torch_layer("Decoder", D, H, F, True, "relu", bias)),
             (init_transformer(D, H, 2, 1, F, rng, bias, np.float32),
              torch.nn.Transformer(D, H, 2, 1, F, bias=bias, batch_first=True))]
    for params, module in pairs:
        ours, theirs = flatten(params), {k: v.numpy() for k, v in module.state_dict().items()}
        assert ours.keys() == theirs.keys()
        for name, a in ours.items():
            b = theirs[name]
            assert a.shape == b.shape and a.dtype == np.float32
            if b.std() == 0:
                np.testing.assert_array_equal(a, b, name)
            else:
                slack = 0.02 if a.ndim == 2 else 0.15
                assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=slack), name
                assert a.std() == pytest.approx(b.std(), rel=2 * slack), name
    layers = pairs[2][0]["encoder"]["layers"]
    assert np.abs(layers["0"]["linear1"]["weight"] - layers["1"]["linear1"]["weight"]).max() > 0.01


# --- decoding with a cache --------------------------------------------------------------------------


def steps(x, cache, params, sizes, **more):
    """The outputs of decoder_step, positions in pieces of `sizes`."""
    y, t = [], 0
    for size in sizes:
        part, cache = decoder_step(x[:, t : t + size], cache, params, **more)
        y.append(part)
        t += size
    return nnbook.concatenate(y, axis=1)


@given(seed=SEEDS, N=st.integers(1, 3), S=st.integers(1, 4), H=st.sampled_from([1, 2, 3]), norm_first=st.booleans(),
       activation=st.sampled_from(["relu", "gelu"]), bias=st.booleans(), memory=st.booleans(),
       sizes=st.sampled_from([(1, 1, 1, 1, 1), (3, 1, 1), (1, 4), (5,)]),
       mask=st.sampled_from(["none", "padding", "additive"]))
@settings(max_examples=40, deadline=None)
def test_steps_equal_recomputation(seed, N, S, H, norm_first, activation, bias, memory, sizes, mask):
    rng = np.random.default_rng(seed)
    params = jiggled(init_transformer(6, H, 2, 2, 7, rng, bias), rng)
    x, source, dy = randn(rng, N, 5, 6), randn(rng, N, S, 6), randn(rng, N, 5, 6)
    ours, _ = masks(mask, rng, N, H, 1, S)
    more = {"num_heads": H, "norm_first": norm_first, "activation": activation, "eps": 0.04}

    def whole(x, source, params):
        if not memory:
            return transformer_encoder(x, params["encoder"], is_causal=True, **more)
        return transformer_decoder(x, source, params["decoder"], memory_mask=ours, is_causal=True, **more)

    def stepwise(x, source, params):
        part = params["decoder" if memory else "encoder"]
        cache = init_cache(source, part, H, ours) if memory else init_cache(None, part, H)
        return steps(x, cache, part, sizes, **more)

    (y, back), (expected, expected_back) = (nnbook.vjp(f, x, source, params) for f in (stepwise, whole))
    assert_close(y, expected, 1e-12)
    for got, e in zip(back(dy), expected_back(dy), strict=True):
        nnbook.tree_map(lambda a, b: assert_close(a, b, 1e-11), got, e)


def test_a_cache_can_be_reordered_and_stays_as_it_was():
    rng, H = np.random.default_rng(15), 2
    params = jiggled(init_transformer(6, H, 1, 2, 7, rng), rng)["decoder"]
    memory, x, rows = randn(rng, 3, 4, 6), randn(rng, 3, 3, 6), np.array([2, 0, 2, 1])
    seen = np.array([[True, True, False, False], [True] * 4, [False, True, True, False]])[:, None, None]
    cache = init_cache(memory, params, H, seen)
    before = {k: v.copy() for k, v in flatten(cache).items()}
    assert all(len(a) == 3 for a in before.values())
    _, after = decoder_step(x[:, :2], cache, params, H)
    nnbook.tree_map(np.testing.assert_array_equal, flatten(cache), before)
    y, _ = decoder_step(x[rows, 2:], nnbook.tree_map(lambda a: a[rows], after), params, H)
    whole = transformer_decoder(x[rows], memory[rows], params, H, memory_mask=seen[rows], is_causal=True)
    assert_close(y, whole[:, 2:], 1e-12)


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 4), (1, 2, 1, 4)])
def test_a_mask_for_all_sequences_is_repeated_for_each(shape):
    rng, H, rows = np.random.default_rng(20), 2, np.array([2, 0, 1, 1])
    params = jiggled(init_transformer(6, H, 1, 1, 7, rng), rng)["decoder"]
    memory, x, mask = randn(rng, 3, 4, 6), randn(rng, 4, 1, 6), randn(rng, *shape)
    cache = nnbook.tree_map(lambda a: a[rows], init_cache(memory, params, H, mask))
    y, _ = decoder_step(x, cache, params, H)
    assert_close(y, transformer_decoder(x, memory[rows], params, H, memory_mask=mask), 1e-12)


def test_a_step_keeps_float32():
    rng = np.random.default_rng(16)
    params = init_transformer(6, 2, 1, 1, 7, rng, dtype=np.float32)["decoder"]
    x = randn(rng, 2, 1, 6).astype(np.float32)
    y, cache = decoder_step(x, init_cache(x, params, 2), params, 2)
    assert {y.dtype} | {a.dtype for a in flatten(cache).values()} == {np.dtype(np.float32)}


# --- searches ---------------------------------------------------------------------------------------


def language(rng, N, V, spread=2.0):
    """A model whose probabilities depend on everything written so far: state (item, hash) of each sequence."""
    def step(tokens, state):
        item, past = state["item"], state["past"] * 31 + tokens + 1
        seeds = [np.random.default_rng([int(i), int(p) % 2**31, V]) for i, p in zip(item, past, strict=True)]
        return spread * np.stack([s.standard_normal(V) for s in seeds]), {"item": item, "past": past}

    return step, {"item": np.arange(N) + rng.integers(1000), "past": np.zeros(N, dtype=int)}


def every_sequence(step, state, start, n, L, eos):
    """All sequences of item n that end at eos or at length L, and their log-probabilities."""
    one = {k: v[n : n + 1] for k, v in state.items()}
    first, one = step(start[n : n + 1], one)
    todo, found = [((), 0.0, first, one)], {}
    while todo:
        ids, total, logits, state = todo.pop()
        log_probs = nnbook.log_softmax(logits)[0]
        for v in range(len(log_probs)):
            longer, score = (*ids, v), total + log_probs[v]
            if v == eos or len(longer) == L:
                found[longer] = score
            else:
                todo.append((longer, score, *step(np.array([v]), state)))
    return found


@given(seed=SEEDS, V=st.integers(2, 3), L=st.integers(1, 3), penalty=st.sampled_from([0.0, 1.0, 0.6, 2.0]))
@settings(max_examples=30, deadline=None)
def test_a_beam_as_wide_as_everything_finds_the_best(seed, V, L, penalty):
    rng = np.random.default_rng(seed)
    step, state = language(rng, 2, V)
    start, B = np.array([1, 0]), V**L
    ids, scores = beam_search(step, state, start, B, L, eos_id=0, length_penalty=penalty, pad_id=-7)
    assert ids.shape == (2, B, L) and scores.shape == (2, B)
    for n in range(2):
        found = every_sequence(step, state, start, n, L, 0)
        ranked = sorted(((s / len(w) ** penalty, w) for w, s in found.items()), reverse=True)
        assert_close(scores[n, : len(ranked)], [s for s, _ in ranked], 1e-12)
        assert np.all(scores[n, len(ranked):] == -np.inf) and np.all(ids[n, len(ranked):] == -7)
        for row, (_, w) in zip(ids[n], ranked, strict=False):
            assert tuple(row) == w + (-7,) * (L - len(w))


@given(seed=SEEDS, N=st.integers(1, 4), V=st.integers(2, 6), L=st.integers(1, 6), penalty=st.sampled_from([0.0, 1.0]),
       eos=st.sampled_from([0, 1, None]))
@settings(max_examples=40, deadline=None)
def test_one_beam_is_greedy_and_greedy_is_the_loop(seed, N, V, L, penalty, eos):
    rng = np.random.default_rng(seed)
    step, state = language(rng, N, V)
    start = rng.integers(0, V, N)
    ids = greedy_search(step, state, start, L, eos, pad_id=9)
    beam, scores = beam_search(step, state, start, 1, L, eos, penalty, pad_id=9)
    np.testing.assert_array_equal(beam[:, 0], ids)
    for n in range(N):
        one, token, written, total = {k: v[n : n + 1] for k, v in state.items()}, start[n : n + 1], [], 0.0
        while len(written) < L and (not written or written[-1] != eos):
            logits, one = step(token, one)
            token = logits.argmax(-1)
            total += nnbook.log_softmax(logits)[0, token[0]]
            written.append(token[0])
        assert list(ids[n]) == written + [9] * (L - len(written))
        assert_close(scores[n, 0], total / len(written) ** penalty, 1e-12)


@pytest.fixture(scope="module")
def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=12, n_positions=32, n_embd=8, n_layer=1, n_head=2, initializer_range=0.9,
                        bos_token_id=None, eos_token_id=None)
    return GPT2LMHeadModel(config).eval()


@pytest.mark.parametrize("num_beams", [1, 2, 4, 7])
@pytest.mark.parametrize("penalty", [1.0, 0.0, 2.5, -1.0])
def test_searches_equal_hugging_faces_generate(gpt2, num_beams, penalty):
    def step(tokens, state):
        ids = tokens[:, None] if state is None else np.concatenate([state, tokens[:, None]], 1)
        with torch.no_grad():
            return gpt2(torch.tensor(ids)).logits[:, -1].numpy(), ids

    prompt = np.random.default_rng(17).integers(1, 11, (6, 3))
    kinds = set()
    for eos in range(1, 8):
        theirs = gpt2.generate(
            torch.tensor(prompt), attention_mask=torch.ones(6, 3, dtype=torch.long), num_beams=num_beams,
            max_new_tokens=7, eos_token_id=eos, pad_token_id=11, do_sample=False,
            length_penalty=penalty if num_beams > 1 else None,
            num_return_sequences=num_beams, return_dict_in_generate=True, output_scores=True)
        expected = theirs.sequences.numpy()[:, 3:]
        expected = np.pad(expected, ((0, 0), (0, 7 - expected.shape[1])), constant_values=11)
        if num_beams == 1:
            np.testing.assert_array_equal(greedy_search(step, None, prompt, 7, eos, 11), expected)
            ids, _ = beam_search(step, None, prompt, 1, 7, eos, penalty, 11)
            np.testing.assert_array_equal(ids[:, 0], expected)
            continue
        ids, scores = beam_search(step, None, prompt, num_beams, 7, eos, penalty, 11)
        np.testing.assert_array_equal(ids.reshape(-1, 7), expected)
        assert_close(scores.ravel(), theirs.sequences_scores.numpy(), 1e-5)
        kinds |= set(np.sum(ids != 11, -1).ravel())
    assert num_beams == 1 or len(kinds) > 1  # the test saw early ends


@pytest.mark.parametrize("num_beams", [None, 3])
def test_a_model_with_a_cache_writes_what_recomputation_writes(num_beams):
    """Translation with decoder_step: the beam reorders keys, values and the padding mask."""
    rng, H, V, L = np.random.default_rng(18), 2, 6, 5
    params = jiggled(init_transformer(8, H, 1, 2, 9, rng), rng)["decoder"]
    table, memory, seen = 2 * randn(rng, V, 8), randn(rng, 3, 4, 8), rng.random((3, 1, 1, 4)) < 0.6
    seen[..., 0] = True
    waves = sinusoidal_positions(L, 8)

    def cached(tokens, state):
        cache, t = state
        y, cache = decoder_step(table[tokens][:, None] + waves[t], cache, params, H)
        return y[:, 0] @ table.T, (cache, t + 1)

    def recomputed(tokens, state):
        ids = np.concatenate([state["ids"], tokens[:, None]], 1)
        y = transformer_decoder(table[ids] + waves[: ids.shape[1]], state["memory"], params, H,
                                memory_mask=state["seen"], is_causal=True)
        return y[:, -1] @ table.T, state | {"ids": ids}

    start, none = np.ones(3, dtype=int), np.zeros((3, 0), dtype=int)
    states = (init_cache(memory, params, H, seen), 0), {"memory": memory, "seen": seen, "ids": none}
    if num_beams is None:
        np.testing.assert_array_equal(*(greedy_search(f, s, start, L, 0)
                                        for f, s in zip((cached, recomputed), states, strict=True)))
        return
    (ids, scores), (expected, expected_scores) = (beam_search(f, s, start, num_beams, L, 0)
                                                  for f, s in zip((cached, recomputed), states, strict=True))
    np.testing.assert_array_equal(ids, expected)
    assert_close(scores, expected_scores, 1e-12)
    assert len(np.unique(ids.reshape(-1, L), axis=0)) > 3


def test_searches_of_nothing_and_of_impossible_tokens():
    def step(tokens, state):
        return np.full((len(tokens), 3), [0.0, -np.inf, -np.inf], np.float32), state

    none = np.zeros(0, dtype=int)
    assert greedy_search(step, (), none, 4, 1).shape == (0, 4)
    ids, scores = beam_search(step, (), none, 2, 4, 1)
    assert ids.shape == (0, 2, 4) and scores.shape == (0, 2) and scores.dtype == np.float32
    ids, scores = beam_search(step, (), np.array([0]), 2, 4, 1, pad_id=5)
    assert ids.tolist() == [[[0] * 4, [5] * 4]] and scores.tolist() == [[0, -np.inf]]


# --- wrong input ------------------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X, M = np.ones((2, 5, 6)), np.ones((2, 3, 6))
ENC, DEC = init_encoder_layer(6, 2, 7, RNG), init_decoder_layer(6, 2, 7, RNG)
BOTH = init_transformer(6, 2, 1, 1, 7, RNG)
CACHE = init_cache(M, BOTH["decoder"], 2)
IDS = np.array([1, 2])


def put(params, path, value):
    """A copy of nested dicts in which the array, or the dict, at `path` is another; None takes it away."""
    key, _, rest = path.partition(".")
    if rest:
        return params | {key: put(params[key], rest, value)}
    return {k: v for k, v in params.items() if k != key} if value is None else params | {key: value}


def three(tokens, state):
    return np.zeros((len(tokens), 3)), state


BAD = [
    (sinusoidal_positions, (2.0, 4), {}, "T is 2.0, expected an integer"),
    (sinusoidal_positions, (2, "4"), {}, "D is '4', expected an integer"),
    (sinusoidal_positions, (-1, 4), {}, "T is -1, expected at least 0"),
    (sinusoidal_positions, (2, 4), {"base": 0}, "base is 0, expected more than 0"),
    (sinusoidal_positions, (2, 4), {"base": "10"}, "base is a str, expected a number"),
    (sinusoidal_positions, (2, 4), {"dtype": int}, "dtype is int64, expected floating point"),
    (rotary_embedding, (X[..., :5],), {}, r"x has shape \(2, 5, 5\), expected \(..., T, D\) with an even D"),
    (rotary_embedding, (np.ones(6),), {}, r"x has shape \(6,\), expected"),
    (rotary_embedding, (X.tolist(),), {}, "x is a list, expected an ndarray"),
    (rotary_embedding, (X.astype(int),), {}, "x has dtype int64, expected floating point"),
    (rotary_embedding, (X, np.arange(4)), {}, r"positions has shape \(4,\), expected one that broadcasts to \(2, 5\)"),
    (rotary_embedding, (X, np.zeros((3, 2, 5))), {}, r"positions has shape \(3, 2, 5\)"),
    (rotary_embedding, (X, [0, 1, 2, 3, 4]), {}, "positions is list, expected an ndarray of real numbers"),
    (rotary_embedding, (X, np.ones(5, dtype=bool)), {}, "positions is bool, expected an ndarray of real numbers"),
    (rotary_embedding, (X,), {"base": -1.0}, "base is -1.0, expected more than 0"),
    (encoder_layer, (X[..., :4], ENC, 2), {}, r"self_attn.in_proj_weight has shape \(18, 6\), expected \(12, 4\) "
     "for x with 4 features"),
    (encoder_layer, (X[0, 0], ENC, 2), {}, r"x has shape \(6,\), expected \(N, T, D\) or \(T, D\)$"),
    (encoder_layer, (X[None], ENC, 2), {}, r"x has shape \(1, 2, 5, 6\), expected"),
    (encoder_layer, (X.tolist(), ENC, 2), {}, "x is a list, expected an ndarray"),
    (encoder_layer, (X.astype(int), ENC, 2), {}, "x has dtype int64, expected floating point"),
    (encoder_layer, (X.astype(np.float32), ENC, 2), {}, "dtypes differ: x float32, self_attn.in_proj_weight float64"),
    (encoder_layer, (X, ENC, 4), {}, "num_heads is 4, expected a divisor of the model's width 6"),
    (encoder_layer, (X, ENC, 0), {}, "num_heads is 0, expected a divisor"),
    (encoder_layer, (X, ENC, 2.0), {}, "num_heads is 2.0, expected an integer"),
    (encoder_layer, (X[..., :0], ENC, 2), {}, "expected a divisor of the model's width 0"),
    (encoder_layer, (X, list(ENC), 2), {}, "params is a list, expected a dict"),
    (encoder_layer, (X, put(ENC, "linear1.weight", None), 2), {}, "linear1 lacks the key 'weight', expected"),
    (encoder_layer, (X, put(ENC, "norm2", None), 2), {}, "params lacks the key 'norm2', expected"),
    (encoder_layer, (X, DEC, 2), {}, "params has the unknown key 'multihead_attn', expected"),
    (encoder_layer, (X, put(ENC, "self_attn.q_proj_weight", np.ones((6, 6))), 2), {},
     "self_attn has the unknown key 'q_proj_weight'"),
    (encoder_layer, (X, put(ENC, "self_attn.out_proj", np.ones((6, 6))), 2), {},
     "self_attn.out_proj is a ndarray, expected a dict"),
    (encoder_layer, (X, put(ENC, "linear1.weight", np.ones((7, 5))), 2), {},
     r"linear1.weight has shape \(7, 5\), expected \(7, 6\)"),
    (encoder_layer, (X, put(ENC, "linear1.bias", np.ones(6)), 2), {}, r"linear1.bias has shape \(6,\), expected \(7,"),
    (encoder_layer, (X, put(ENC, "linear2.weight", np.ones((7, 6))), 2), {},
     r"linear2.weight has shape \(7, 6\), expected \(6, 7\)"),
    (encoder_layer, (X, put(ENC, "norm1.weight", np.ones(())), 2), {}, r"norm1.weight has shape \(\), expected \(6,\)"),
    (encoder_layer, (X, put(ENC, "norm1.weight", [1.0] * 6), 2), {}, "norm1.weight is a list, expected an ndarray"),
    (encoder_layer, (X, put(ENC, "self_attn.in_proj_bias", np.ones(6)), 2), {},
     r"self_attn.in_proj_bias has shape \(6,\), expected \(18,\)"),
    (encoder_layer, (X, ENC, 2), {"activation": "tanh"}, "activation is 'tanh', expected 'relu', 'gelu' or a function"),
    (encoder_layer, (X, ENC, 2), {"activation": 3}, "activation is a int, expected a name or a function"),
    (encoder_layer, (X, ENC, 2), {"mask": np.ones((5, 4), dtype=bool)},
     r"encoder_layer: mask has shape \(5, 4\), expected one that broadcasts to the scores' \(2, 2, 5, 5\)"),
    (encoder_layer, (X, ENC, 2), {"mask": np.ones((3, 5, 5), dtype=bool)}, r"mask has shape \(3, 5, 5\), expected "
     r"\(2, 5, 5\) or \(4, 5, 5\)"),
    (encoder_layer, (X, ENC, 2), {"mask": np.ones((5, 5), dtype=int)}, "mask has dtype int64, expected bool or"),
    (encoder_layer, (X, ENC, 2), {"mask": [[True]]}, "mask is a list, expected an ndarray"),
    (encoder_layer, (X, ENC, 2), {"mask": np.ones((5, 5), np.float32)}, "dtypes differ: query float64, mask float32"),
    (encoder_layer, (X, ENC, 2), {"dropout_p": 1.5}, "dropout_p is 1.5, expected a probability from 0 to 1"),
    (encoder_layer, (X, ENC, 2), {"dropout_p": "0.5"}, "dropout_p is '0.5', expected a number"),
    (encoder_layer, (X, ENC, 2), {"dropout_p": 0.5, "rng": 3}, "rng is a int, expected a numpy.random.Generator"),
    (decoder_layer, (X, M[..., :4], DEC, 2), {}, r"x has shape \(2, 5, 6\), memory has shape \(2, 3, 4\), expected "
     r"\(N, T, D\) or \(T, D\) with one N and one D"),
    (decoder_layer, (X, M[0], DEC, 2), {}, r"memory has shape \(3, 6\), expected"),
    (decoder_layer, (X, M[:1], DEC, 2), {}, r"memory has shape \(1, 3, 6\), expected"),
    (decoder_layer, (X, None, DEC, 2), {}, "memory is a NoneType, expected an ndarray"),
    (decoder_layer, (X, M.astype(np.float32), DEC, 2), {}, "the dtypes differ: x float64, memory float32"),
    (decoder_layer, (X, M, ENC, 2), {}, "params lacks the key 'multihead_attn'"),
    (decoder_layer, (X, M, DEC, 2), {"memory_mask": np.ones((5, 5), dtype=bool)},
     r"memory_mask has shape \(5, 5\), expected one that broadcasts to the scores' \(2, 2, 5, 3\)"),
    (decoder_layer, (X, M, put(DEC, "norm3.bias", np.ones(7)), 2), {}, r"norm3.bias has shape \(7,\), expected \(6,\)"),
    (transformer_encoder, (X, ENC, 2), {}, "params lacks the key 'layers'"),
    (transformer_encoder, (X, {"layers": [ENC]}, 2), {}, "layers is a list, expected a dict"),
    (transformer_encoder, (X, {"layers": {"0": ENC, "2": ENC}}, 2), {}, r"layers has the keys \['0', '2'\], expected"),
    (transformer_encoder, (X, {"layers": {0: ENC}}, 2), {}, r"layers has the keys \[0\], expected \['0'\]"),
    (transformer_encoder, (X, {"layers": {"0": ENC, "1": put(ENC, "linear1.weight", np.ones((7, 5)))}}, 2), {},
     r"transformer_encoder: layers.1.linear1.weight has shape \(7, 5\), expected \(7, 6\)"),
    (transformer_encoder, (X, put(BOTH["encoder"], "norm.weight", np.ones(5)), 2), {}, r"norm.weight has shape \(5,\)"),
    (transformer_encoder, (X, put(BOTH["encoder"], "norm", {}), 2), {}, "norm lacks the key 'weight'"),
    (transformer_decoder, (X, M, BOTH["encoder"], 2), {}, "layers.0 lacks the key 'multihead_attn'"),
    (transformer, (M, X, {"encoder": BOTH["encoder"]}, 2), {}, "params lacks the key 'decoder'"),
    (transformer, (M[0], X, BOTH, 2), {}, r"src has shape \(3, 6\), tgt has shape \(2, 5, 6\), expected"),
    (transformer, (M[:1], X, BOTH, 2), {}, r"src has shape \(1, 3, 6\), tgt has shape \(2, 5, 6\), expected"),
    (transformer, (M, X, BOTH, 2), {"src_mask": np.ones((5, 5), dtype=bool)}, r"src_mask has shape \(5, 5\), expected"),
    (transformer, (M, X, BOTH, 2), {"tgt_mask": np.ones((3, 3), dtype=bool)}, r"tgt_mask has shape \(3, 3\), expected"),
    (transformer, (M, X, BOTH, 2), {"memory_mask": np.ones((3, 5), dtype=bool)}, r"memory_mask has shape \(3, 5\)"),
    (transformer, (M, X, BOTH, 5), {}, "transformer: num_heads is 5, expected a divisor"),
    (init_encoder_layer, (6, 4, 7, RNG), {}, "num_heads is 4, expected a divisor of the model's width 6"),
    (init_decoder_layer, (6, 0, 7, RNG), {}, "num_heads is 0, expected a divisor"),
    (init_transformer, (6, 5, 1, 1, 7, RNG), {}, "num_heads is 5, expected a divisor"),
    (init_cache, (M[0], BOTH["decoder"], 2), {}, r"memory has shape \(3, 6\), expected"),
    (init_cache, (M, BOTH["encoder"], 2), {}, "layers.0 lacks the key 'multihead_attn'"),
    (init_cache, (M, BOTH["decoder"], 4), {}, "num_heads is 4, expected a divisor"),
    (init_cache, (M, BOTH["decoder"], 2, np.ones((5, 3), dtype=bool)), {}, r"memory_mask has shape \(5, 3\), expected"),
    (init_cache, (None, BOTH["encoder"], 2, np.ones((1, 3), dtype=bool)), {}, "memory_mask is given without memory"),
    (init_cache, (None, ENC, 2), {}, "params lacks the key 'layers'"),
    (decoder_step, (X[0], CACHE, BOTH["decoder"], 2), {}, r"x has shape \(5, 6\), expected \(any, any, any\)"),
    (decoder_step, (X[:1], CACHE, BOTH["decoder"], 2), {}, r"cache.layers.0.memory_key has shape \(2, 2, 3, 3\), "
     r"expected \(1, 2, any, 3\) for 1 sequences and 2 heads"),
    (decoder_step, (X, CACHE, BOTH["decoder"], 3), {}, r"cache.layers.0.memory_key has shape \(2, 2, 3, 3\), expected"),
    (decoder_step, (X, M, BOTH["decoder"], 2), {}, "cache is a ndarray, expected what init_cache returns"),
    (decoder_step, (X, {"layers": {"0": []}}, BOTH["encoder"], 2), {}, "cache.layers.0 is a list, expected a dict"),
    (decoder_step, (X, {"layers": {}}, BOTH["decoder"], 2), {}, "cache.layers lacks the key '0'"),
    (decoder_step, (X, {"layers": {"0": {}}}, BOTH["decoder"], 2), {}, "layers.0 has the unknown key 'multihead_attn'"),
    (decoder_step, (X, CACHE, BOTH["encoder"], 2), {}, "layers.0 lacks the key 'multihead_attn'"),
    (greedy_search, (None, (), IDS, 3, 0), {}, "step is a NoneType, expected a function"),
    (greedy_search, (three, (), [1], 3, 0), {}, "start_ids is a list, expected an ndarray of integers"),
    (greedy_search, (three, (), IDS / 2, 3, 0), {}, "start_ids has dtype float64, expected integers"),
    (greedy_search, (three, (), IDS[:, None, None], 3, 0), {}, r"start_ids has shape \(2, 1, 1\), expected \(N,\) or"),
    (greedy_search, (three, (), IDS[:, None][:, :0], 3, 0), {}, r"start_ids has shape \(2, 0\), expected"),
    (greedy_search, (three, (), IDS, 0, 0), {}, "max_length is 0, expected at least 1"),
    (greedy_search, (three, (), IDS, 3, 0.0), {}, "eos_id is 0.0, expected an integer"),
    (greedy_search, (three, (), IDS, 3, 0, None), {}, "pad_id is None, expected an integer"),
    (greedy_search, (lambda t, s: t, (), IDS, 3, 0), {}, r"step returned a ndarray, expected \(logits, state\)"),
    (greedy_search, (lambda t, s: (t, s), (), IDS, 3, 0), {}, "the logits of step has dtype int64"),
    (greedy_search, (lambda t, s: (np.ones(3), s), (), IDS, 3, 0), {}, r"the logits of step has shape \(3,\), expected "
     r"\(2, any\) \(N, V\)"),
    (beam_search, (three, (), IDS, 0, 3, 0), {}, "num_beams is 0, expected at least 1"),
    (beam_search, (three, (), IDS, 2.0, 3, 0), {}, "num_beams is 2.0, expected an integer"),
    (beam_search, (three, (), IDS, 2, 3, 0, "1"), {}, "length_penalty is '1', expected a number"),
    (beam_search, (three, (), IDS, 2, -1, 0), {}, "max_length is -1, expected at least 1"),
]


@pytest.mark.parametrize(("f", "args", "kwargs", "message"), BAD,
                         ids=[f"{i}-{case[0].__name__}" for i, case in enumerate(BAD)])
def test_wrong_input_is_rejected(f, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        f(*args, **kwargs)
    assert str(caught.value).startswith(f"{f.__name__}: ")
