"""The tools page and what it stands on: weights to and from Keras 3, PyTorch and Transformers, in both directions."""

import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import assert_close

import nnbook
from nnbook.tools import (
    bert_from_transformer,
    channels_first,
    channels_last,
    from_keras,
    to_keras,
    transformer_from_bert,
)

os.environ["KERAS_BACKEND"] = "torch"
keras = pytest.importorskip("keras")

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
layers = keras.layers
ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "book" / "tools.ipynb"
FEW = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 2**32 - 1)


@pytest.fixture(autouse=True, scope="module")
def _float64():
    """Keras in float64, in fact too: its rule for torch computes some float64 operations in float32 (issue 23704)."""
    from keras.src.backend.common import dtypes

    before, rule = keras.config.floatx(), dtypes.BIT64_TO_BIT32_DTYPE["float64"]
    set_dtype("float64")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
    yield
    set_dtype(before)
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = rule


def set_dtype(dtype):
    """floatx alone has no effect on layers once the first of them was made."""
    keras.config.set_floatx(dtype)
    keras.config.set_dtype_policy(dtype)


def randomized(layer, *inputs, rng, **more):
    """The layer, built and with random weights, and its answer as an array; variances stay positive."""
    layer(*inputs, **more)
    layer.set_weights([rng.standard_normal(v.shape) if "variance" not in v.name else rng.uniform(0.5, 2, v.shape)
                       for v in layer.weights])
    y = layer(*inputs, **more)
    return [a.detach().numpy() for a in y] if isinstance(y, list | tuple) else y.detach().numpy()


def first(a):
    """Channels second, as torch has them."""
    return np.moveaxis(a, -1, 1)


def assert_round_trip(layer, **number):
    """Keras -> nnbook -> Keras is exact, and the same again once it has gone through a file's bytes."""
    params = from_keras(layer, **number)
    for a, b in zip(to_keras(params, layer, **number), layer.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype
    return params


def assert_trees(got, expected, rtol=0.0):
    got, expected = (nnbook.interchange.flatten(t) for t in (got, expected))
    assert got.keys() == expected.keys()
    for name, a in expected.items():
        assert_close(got[name], a, rtol, name)


# --- convolutions and dense layers -------------------------------------------------------------------


@given(rank=st.sampled_from([1, 2]), stride=st.integers(1, 3), dilation=st.integers(1, 2), groups=st.integers(1, 3),
       bias=st.booleans(), padding=st.sampled_from(["valid", "same"]), seed=SEEDS)
@FEW
def test_convolutions(rank, stride, dilation, groups, bias, padding, seed):
    rng = np.random.default_rng(seed)
    stride = 1 if dilation > 1 or padding == "same" else stride  # Keras has no more; "same" differs with a stride
    kind, f = (layers.Conv1D, nnbook.conv1d) if rank == 1 else (layers.Conv2D, nnbook.conv2d)
    layer = kind(5 * groups, (3, 2)[:rank], strides=stride, padding=padding, dilation_rate=dilation, groups=groups,
                 use_bias=bias)
    x = rng.standard_normal((2, 11, 13, 2 * groups)[:1 + rank] + (2 * groups,))
    y = randomized(layer, x, rng=rng)
    params = assert_round_trip(layer)
    assert ("bias" in params) == bias
    ours = f(first(x), **params, stride=stride, padding=0 if padding == "valid" else "same", dilation=dilation,
             groups=groups)
    assert_close(ours, first(y), 1e-12)


@given(rank=st.sampled_from([1, 2]), stride=st.integers(1, 3), bias=st.booleans(), seed=SEEDS)
@FEW
def test_transposed_convolutions(rank, stride, bias, seed):
    rng = np.random.default_rng(seed)
    kind, f = ((layers.Conv1DTranspose, nnbook.conv_transpose1d) if rank == 1 else
               (layers.Conv2DTranspose, nnbook.conv_transpose2d))
    layer = kind(5, (4, 3)[:rank], strides=stride, use_bias=bias)
    x = rng.standard_normal((2, 5, 7)[:1 + rank] + (3,))
    y = randomized(layer, x, rng=rng)
    assert_close(f(first(x), **assert_round_trip(layer), stride=stride), first(y), 1e-12)


@given(rank=st.sampled_from([1, 2]), stride=st.integers(1, 2), multiplier=st.integers(1, 3), bias=st.booleans(),
       seed=SEEDS)
@FEW
def test_depthwise_convolutions(rank, stride, multiplier, bias, seed):
    rng = np.random.default_rng(seed)
    kind, f = (layers.DepthwiseConv1D, nnbook.conv1d) if rank == 1 else (layers.DepthwiseConv2D, nnbook.conv2d)
    layer = kind((3, 3)[:rank], strides=stride, depth_multiplier=multiplier, use_bias=bias)
    x = rng.standard_normal((2, 11, 13)[:1 + rank] + (5,))
    y = randomized(layer, x, rng=rng)
    assert_close(f(first(x), **assert_round_trip(layer), stride=stride, groups=5), first(y), 1e-12)


def test_volumes():
    rng = np.random.default_rng(0)
    layer = layers.Conv3D(5, (2, 3, 4))
    x = rng.standard_normal((2, 5, 6, 7, 3))
    y = randomized(layer, x, rng=rng)
    theirs = torch.nn.functional.conv3d(*map(torch.tensor, (first(x), *assert_round_trip(layer).values())))
    assert_close(theirs.numpy(), first(y), 1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_dense_and_embedding(bias):
    rng = np.random.default_rng(0)
    dense, table = layers.Dense(5, use_bias=bias), layers.Embedding(7, 3)
    x, ids = rng.standard_normal((2, 4, 3)), rng.integers(0, 7, (2, 4))
    y = randomized(dense, x, rng=rng)
    assert_close(nnbook.linear(x, **assert_round_trip(dense)), y, 1e-13)
    y = randomized(table, ids, rng=rng)
    np.testing.assert_array_equal(nnbook.embedding(ids, **assert_round_trip(table)), y)


@pytest.mark.parametrize("shape", [(3, 5, 7), (3, 5), (2, 3, 5, 7)])
def test_flattened_pictures(shape):
    """A dense layer behind Keras's Flatten, for pictures, sequences and volumes; there and back."""
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((4, *shape)), rng.standard_normal((6, np.prod(shape)))
    model = keras.Sequential([keras.Input((*shape[1:], shape[0])), layers.Flatten(), layers.Dense(6, name="out")])
    params = {"out": {"weight": channels_last(weight, shape), "bias": rng.standard_normal(6)}}
    model.set_weights(to_keras(params, model))
    y = model(np.moveaxis(x, 1, -1)).detach().numpy()
    assert_close(nnbook.linear(x.reshape(4, -1), weight, params["out"]["bias"]), y, 1e-12)
    np.testing.assert_array_equal(channels_first(from_keras(model)["out"]["weight"], shape), weight)
    for f in (channels_first, channels_last):
        with pytest.raises(ValueError, match=f"{f.__name__}: weight has shape"):
            f(weight[:, 1:], shape)


# --- norms -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [layers.BatchNormalization, layers.LayerNormalization, layers.GroupNormalization,
                                  layers.RMSNormalization])
def test_norms(kind):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, 5, 7, 6))
    layer = kind(epsilon=1e-2, **({"groups": 3} if kind is layers.GroupNormalization else {}))
    y = randomized(layer, x, rng=rng)
    p = assert_round_trip(layer)
    ours = {"BatchNormalization": lambda: nnbook.batch_norm(first(x), **p, eps=1e-2)[0],
            "LayerNormalization": lambda: first(nnbook.layer_norm(x, 6, **p, eps=1e-2)),
            "GroupNormalization": lambda: nnbook.group_norm(first(x), 3, **p, eps=1e-2),
            "RMSNormalization": lambda: first(nnbook.rms_norm(x, 6, **p, eps=1e-2))}[kind.__name__]()
    assert_close(ours, first(y), 1e-12)


def test_norms_without_weight_or_bias():
    layer = layers.BatchNormalization(center=False, scale=False)
    layer.build((None, 5))
    assert sorted(assert_round_trip(layer)) == ["running_mean", "running_var"]


# --- recurrent networks ------------------------------------------------------------------------------


KINDS = {"rnn": layers.SimpleRNN, "lstm": layers.LSTM, "gru": layers.GRU}


@given(kind=st.sampled_from(list(KINDS)), bias=st.booleans(), both=st.booleans(), masked=st.booleans(), seed=SEEDS)
@FEW
def test_recurrent_networks(kind, bias, both, masked, seed):
    """One direction or both, with a bias or without, all of a sequence or as much as the mask says."""
    rng = np.random.default_rng(seed)
    layer = KINDS[kind](7, use_bias=bias, return_sequences=True)
    layer = layers.Bidirectional(layer) if both else layer
    x, lengths = rng.standard_normal((3, 5, 4)), np.array([5, 2, 3]) if masked else None
    mask = {"mask": np.arange(5) < lengths[:, None]} if masked else {}
    y = randomized(layer, x, rng=rng, **mask)
    params = assert_round_trip(layer)
    assert len(params) == (4 if bias else 2) * (2 if both else 1)
    ours, _ = getattr(nnbook, kind)(x, params, lengths=lengths)
    for n, length in enumerate(lengths if masked else [5, 5, 5]):  # Keras repeats the last output on padding
        assert_close(ours[n, :length], y[n, :length], 1e-12, f"{kind} {n}")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("both", [False, True])
def test_stacks_of_layers(kind, both):
    """Keras's layers one by one are the numbered layers of one network here, and back."""
    rng = np.random.default_rng(0)
    x = y = rng.standard_normal((3, 5, 4))
    params, stack = {}, []
    for number in range(3):
        layer = KINDS[kind](7, return_sequences=True)
        stack.append(layers.Bidirectional(layer) if both else layer)
        y = randomized(stack[-1], y, rng=rng)
        params |= from_keras(stack[-1], number=number)
    assert_close(getattr(nnbook, kind)(x, params)[0], y, 1e-12)
    for number, layer in enumerate(stack):
        for a, b in zip(to_keras(params, layer, number), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_from_here_to_keras(kind):
    """Drawn here, carried to Keras: the same outputs; of two biases Keras keeps the sum, a GRU keeps both."""
    rng = np.random.default_rng(0)
    params = {name: rng.standard_normal(a.shape) for name, a in getattr(nnbook, f"init_{kind}")(4, 7, rng).items()}
    layer = KINDS[kind](7, return_sequences=True)
    x = rng.standard_normal((3, 5, 4))
    layer(x)
    layer.set_weights(to_keras(params, layer))
    assert_close(layer(x).detach().numpy(), getattr(nnbook, kind)(x, params)[0], 1e-12)
    back = from_keras(layer)
    if kind == "gru":
        assert_trees(back, params)
    else:
        np.testing.assert_array_equal(back["bias_ih_l0"], params["bias_ih_l0"] + params["bias_hh_l0"])
        assert not back["bias_hh_l0"].any()


def test_two_biases_learn_twice_as_fast():
    """What the page says: by sgd the sum of torch's two biases moves twice as far as Keras's one."""
    rng = np.random.default_rng(0)
    p = nnbook.init_lstm(4, 7, rng)
    grads = nnbook.grad(lambda p, x: nnbook.sum(nnbook.lstm(x, p)[0]))(p, rng.standard_normal((3, 5, 4)))
    np.testing.assert_array_equal(grads["bias_ih_l0"], grads["bias_hh_l0"])
    new, _ = nnbook.sgd(p, grads, lr=0.1)
    moved = sum(new[k] - p[k] for k in ("bias_ih_l0", "bias_hh_l0"))
    assert_close(moved, -0.2 * grads["bias_ih_l0"], 1e-13)


# --- attention and BERT ------------------------------------------------------------------------------


@given(heads=st.sampled_from([1, 2, 4]), bias=st.booleans(), widths=st.sampled_from([(8, 8), (8, 5), (6, 6), (6, 5)]),
       mask=st.sampled_from(["none", "padding", "causal"]), seed=SEEDS)
@FEW
def test_attention(heads, bias, widths, mask, seed):
    """Heads, masks, biases, keys and values of other widths."""
    rng = np.random.default_rng(seed)
    D, query, (key, value), T = 8, rng.standard_normal((3, 5, 8)), widths, 7
    k, v = rng.standard_normal((3, T, key)), rng.standard_normal((3, T, value))
    if mask == "causal":
        k, v, T = k[:, :5], v[:, :5], 5
    seen = {"none": None, "padding": np.arange(T) < np.array([7, 2, 4])[:, None, None],
            "causal": np.tri(5, dtype=bool)[None]}[mask]
    layer = layers.MultiHeadAttention(heads, D // heads, use_bias=bias)
    y = randomized(layer, query, v, k, rng=rng, attention_mask=seen)
    params = assert_round_trip(layer)
    assert ("in_proj_weight" in params) == (widths == (8, 8))
    ours = nnbook.multi_head_attention(query, k, v, params, heads, None if seen is None else seen[:, None])
    assert_close(ours, y, 1e-12)
    theirs = torch.nn.MultiheadAttention(D, heads, bias=bias, batch_first=True, kdim=key, vdim=value,
                                         dtype=torch.float64)
    theirs.load_state_dict(nnbook.to_torch(params))
    not_seen = None if seen is None else torch.tensor(~np.broadcast_to(seen, (3, 5, T))).repeat_interleave(heads, 0)
    assert_close(theirs(*map(torch.tensor, (query, k, v)), attn_mask=not_seen)[0].detach().numpy(), y, 1e-12)


@given(num_layers=st.integers(1, 3), heads=st.sampled_from([1, 2, 4]), masked=st.booleans(), seed=SEEDS)
@FEW
def test_bert_is_torchs_encoder(num_layers, heads, masked, seed):
    rng = np.random.default_rng(seed)
    params = nnbook.init_bert(11, 8, num_layers, heads, 13, rng, max_positions=7, std=0.5)
    stack = transformer_from_bert(params["encoder"])
    assert_trees(bert_from_transformer(stack), params["encoder"])
    ids, seen = rng.integers(1, 11, (3, 5)), np.arange(5) < np.array([5, 2, 4])[:, None]
    hidden, _ = nnbook.bert(ids, params, heads, attention_mask=seen if masked else None)
    x = nnbook.bert_embeddings(ids, params["embeddings"])
    layer = torch.nn.TransformerEncoderLayer(8, heads, 13, 0.0, "gelu", 1e-12, batch_first=True, dtype=torch.float64)
    encoder = torch.nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
    encoder.load_state_dict(nnbook.to_torch(stack))
    y = encoder(torch.tensor(x), src_key_padding_mask=torch.tensor(~seen) if masked else None).detach().numpy()
    real = seen if masked else np.ones_like(seen)
    assert_close(hidden[real], y[real], 1e-12)
    ours = nnbook.transformer_encoder(x, stack, heads, activation="gelu", eps=1e-12,
                                      mask=seen[:, None, None] if masked else None)
    assert_close(hidden[real], ours[real], 1e-12)


def test_the_arrays_of_the_other_encoder_are_copies():
    params = nnbook.init_bert(11, 8, 1, 2, 13, np.random.default_rng(0))["encoder"]
    back = bert_from_transformer(transformer_from_bert(params))
    query = back["layer"]["0"]["attention"]["self"]["query"]["weight"]
    query += 1
    assert not np.array_equal(query, params["layer"]["0"]["attention"]["self"]["query"]["weight"])


# --- models, gradients, files ------------------------------------------------------------------------


def small_model():
    pictures = keras.Input((6, 7, 2))
    x = layers.Conv2D(3, 3, activation="relu", name="conv")(pictures)
    x = layers.BatchNormalization(name="norm")(x)
    inner = keras.Sequential([keras.Input((4, 5, 3)), layers.Flatten(), layers.Dense(4, name="dense")], name="inner")
    return keras.Model(pictures, layers.Dropout(0.5)(inner(x)))


def test_models_in_models():
    """The keys are the layers' names; the list is in the model's own order, statistics among the rest."""
    rng, model = np.random.default_rng(0), small_model()
    x = rng.standard_normal((5, 6, 7, 2))
    y = randomized(model, x, rng=rng)
    p = assert_round_trip(model)
    assert {k: sorted(v) for k, v in p.items()} == {"conv": ["bias", "weight"], "inner": ["dense"], "norm": [
        "bias", "running_mean", "running_var", "weight"]}
    h = nnbook.relu(nnbook.conv2d(first(x), **p["conv"]))
    h = nnbook.batch_norm(h, **p["norm"], eps=1e-3)[0]
    weight = channels_first(p["inner"]["dense"]["weight"], (3, 4, 5))
    assert_close(nnbook.linear(h.reshape(5, -1), weight, p["inner"]["dense"]["bias"]), y, 1e-12)


def test_a_subclassed_model():
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.second, self.first = layers.Dense(3, name="second"), layers.Dense(4, name="first")

        def call(self, x):
            return self.second(self.first(x))

    rng, net = np.random.default_rng(0), Net()
    x = rng.standard_normal((5, 2))
    y = randomized(net, x, rng=rng)
    p = assert_round_trip(net)
    assert_close(nnbook.linear(nnbook.linear(x, **p["first"]), **p["second"]), y, 1e-12)


def test_gradients_are_carried_too():
    rng, model = np.random.default_rng(0), keras.Sequential([
        keras.Input((5, 4)), layers.LSTM(6, name="lstm"), layers.Dense(3, name="out")])
    x, labels = rng.standard_normal((7, 5, 4)), rng.integers(0, 3, 7)
    params = from_keras(model)

    def loss_of(p):
        (_, (h, _)) = nnbook.lstm(x, p["lstm"])
        return nnbook.cross_entropy(nnbook.linear(h[0], **p["out"]), labels)

    torch.nn.functional.cross_entropy(model(x), torch.tensor(labels)).backward()
    theirs = from_keras(model, [v.value.grad for v in model.weights])
    ours = nnbook.grad(loss_of)(params)
    ours["lstm"]["bias_hh_l0"] = 0 * ours["lstm"]["bias_hh_l0"]  # the one that Keras lacks
    assert_trees(theirs, ours, 1e-12)


def test_through_a_file(tmp_path):
    """Keras -> nnbook -> safetensors -> nnbook -> Keras, to the bit, in float32 too."""
    set_dtype("float32")
    try:
        model = small_model()
    finally:
        set_dtype("float64")
    nnbook.save_safetensors(from_keras(model), tmp_path / "model.safetensors")
    back = to_keras(nnbook.load_safetensors(tmp_path / "model.safetensors"), model)
    assert all(a.dtype == np.float32 for a in back)
    assert all(map(np.array_equal, back, model.get_weights()))


def test_the_lists_share_nothing_with_the_parameters():
    dense = layers.Dense(4)
    dense.build((None, 4))
    params = from_keras(dense)
    for a in to_keras(params, dense):
        a += 1
    assert all(map(np.array_equal, to_keras(params, dense), dense.get_weights()))


def test_adams_epsilon_stands_elsewhere_in_keras():
    """One weight, tiny gradients: Keras's eps is ours divided by sqrt(1 - beta2^t)."""
    rng = np.random.default_rng(0)
    variable, optimizer = keras.Variable(np.ones(5)), keras.optimizers.Adam(0.1, epsilon=1e-7)
    optimizer.build([variable])
    p, state, plain = np.ones(5), None, (np.ones(5), None)
    for t in range(1, 6):
        g = 1e-7 * rng.standard_normal(5)
        optimizer.apply([torch.tensor(g)], [variable])
        p, state = nnbook.adam(p, g, state, lr=0.1, eps=1e-7 / (1 - 0.999**t) ** 0.5)
        plain = nnbook.adam(plain[0], g, plain[1], lr=0.1, eps=1e-7)
        assert_close(p, variable.numpy(), 1e-12)
        assert np.abs(plain[0] - p).max() > 1e-3


# --- what does not fit -------------------------------------------------------------------------------


def built(layer, *shape):
    layer.build(shape)
    return layer


def attention(*args, **more):
    layer = layers.MultiHeadAttention(*args, **more)
    layer.build((None, 5, 8), (None, 5, 8))
    return layer


@pytest.mark.parametrize(("layer", "message"), [
    (lambda: layers.Dense(3), "'d' is not built"),
    (lambda: built(layers.GRU(3, reset_after=False), None, 5, 4), "reset_after=False"),
    (lambda: built(layers.SeparableConv2D(3, 3), None, 5, 5, 2), "is a SeparableConv2D, expected a model made of"),
    (lambda: built(layers.PReLU(), None, 3), "is a PReLU, expected a model made of layers, or one of Dense"),
    (lambda: attention(2, 3), "heads of key_dim 3"),
    (lambda: attention(2, 4, value_dim=3), "value_dim 3"),
    (lambda: attention(2, 4, output_shape=5), "on 8 features"),
])
def test_layers_that_torch_lacks(layer, message):
    layer = layer()
    layer.name = "d"
    for f in (from_keras, lambda m: to_keras({}, m)):
        with pytest.raises(ValueError, match=message):
            f(layer)


def test_wrong_parameters_are_named():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="one"), layers.Dense(2, name="two")])
    good = from_keras(model)
    with pytest.raises(ValueError, match=r"keys \['one'\], .* has the layers \['one', 'two'\]"):
        to_keras({"one": good["one"]}, model)
    with pytest.raises(ValueError, match=r"'two' was given .*\(3, 2\).*, expected .*\(2, 3\)"):
        to_keras(good | {"two": {"weight": good["two"]["weight"].T, "bias": good["two"]["bias"]}}, model)
    with pytest.raises(ValueError, match="'one' was given"):
        to_keras(good | {"one": {"weight": good["one"]["weight"]}}, model)
    with pytest.raises(ValueError, match="weights has the shapes"):
        from_keras(model, model.get_weights()[::-1])
    for wrong in (np.ones(3), torch.nn.Linear(2, 3), "model"):
        for f in (from_keras, lambda m: to_keras({}, m)):
            with pytest.raises(TypeError, match=r"model is a \w+, expected a Keras 3 layer or model"):
                f(wrong)
    one_way = built(layers.LSTM(3), None, 5, 4)
    two_ways = nnbook.init_lstm(4, 3, np.random.default_rng(0), bidirectional=True)
    with pytest.raises(ValueError, match="weight_ih_reverse"):
        to_keras(two_ways, one_way)


@pytest.mark.parametrize(("f", "params", "message"), [
    (transformer_from_bert, {}, "layer is missing"),
    (transformer_from_bert, {"layer": {"0": {"attention": {"self": {}}}}}, "layer 0: attention.self.query is missing"),
    (bert_from_transformer, {"layers": {"0": {}}}, "layer 0: self_attn.in_proj_weight is missing"),
    (bert_from_transformer, {"layers": {}, "norm": {}}, "norm at its end"),
])
def test_encoders_that_do_not_fit(f, params, message):
    with pytest.raises(ValueError, match=f"{f.__name__}.*{message}"):
        f(params)


def test_importing_needs_numpy_alone_and_a_missing_package_is_named():
    program = ("import sys; sys.modules['keras'] = None; import nnbook.tools as t; "
               "print(sorted({'torch', 'keras', 'transformers'} & {m for m in sys.modules if sys.modules[m]}))\n"
               "try: t.from_keras(0)\nexcept ImportError as e: print(e)")
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    nothing, message = run.stdout.splitlines()
    assert nothing == "[]"
    assert re.match("from_keras needs the packages keras and torch .*pip install keras torch, and set KERAS", message)


# --- the page ----------------------------------------------------------------------------------------


def test_the_page_compares_everything_and_prints_no_warning():
    nb = json.loads(PAGE.read_text())
    outputs = [o for c in nb["cells"] if c["cell_type"] == "code" for o in c["outputs"]]
    assert not any(o.get("name") == "stderr" or o["output_type"] == "error" for o in outputs)
    assert not any(c["metadata"].get("tags") for c in nb["cells"]), "no cell is exempt"
    text = "".join("".join(o.get("data", {}).get("text/markdown", "")) for o in outputs)
    assert text.count("< 1e-12") > 20


def test_every_citation_of_the_page_is_in_the_list():
    text = "".join("".join(c["source"]) for c in json.loads(PAGE.read_text())["cells"] if c["cell_type"] == "markdown")
    cited = {k.strip() for group in re.findall(r"\{cite(?::t)?\}`([^`]+)`", text) for k in group.split(",")}
    keys = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    assert cited <= keys, f"not in references.bib: {cited - keys}"
