"""Defects that hostile readers found once, each held against torch: they shall not come back."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from oracles import assert_close

import nnbook

A = np.array
X = np.array([[1.0, -2, 3], [0.5, 0, -1]])
HALF = np.float16


def test_equality_of_tensors_is_entry_by_entry():
    x = A([0.0, 1, 2])
    got = nnbook.grad(lambda x: nnbook.sum(nnbook.where(x == 0, x * 2.0, x)))(x)
    np.testing.assert_array_equal(got, [2, 1, 1])
    got = nnbook.grad(lambda x: nnbook.sum(nnbook.where(x != 0, x * 2.0, x)))(x)
    np.testing.assert_array_equal(got, [1, 2, 2])


@pytest.mark.parametrize("f", [
    lambda a: nnbook.leaky_relu(X, a), lambda a: nnbook.elu(X, a), lambda a: nnbook.celu(X, a),
    lambda a: nnbook.softplus(X, a), lambda a: nnbook.hardtanh(X, -1.0, a),
    lambda a: nnbook.embedding(A([0, 1]), X, None, a)])
def test_a_setting_cannot_be_learned_in_silence(f):
    with pytest.raises(TypeError):
        nnbook.grad(lambda a: nnbook.sum(f(a)))(np.array(0.7))


@pytest.mark.parametrize(("ours", "theirs", "settings"), [
    (nnbook.adam, torch.optim.Adam, {"lr": 0.1}), (nnbook.adamw, torch.optim.AdamW, {"lr": 0.1}),
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9, "dampening": 0.5})])
def test_a_parameter_that_joins_late_counts_its_own_steps(ours, theirs, settings):
    params, state = {"a": A([1.0]), "b": A([2.0])}, None
    tensors = [torch.nn.Parameter(torch.tensor(params[k])) for k in "ab"]
    optimizer = theirs(tensors, **settings)
    for step in range(5):
        grads = {"a": None if step < 2 else A([1.0 + step]), "b": A([0.5 - step])}
        params, state = ours(params, grads, state, **settings)
        for t, k in zip(tensors, "ab", strict=True):
            t.grad = None if grads[k] is None else torch.tensor(grads[k])
        optimizer.step()
    for t, k in zip(tensors, "ab", strict=True):
        assert_close(params[k], t.detach().numpy(), 1e-13)


def test_clipping_hides_no_nan_and_survives_half_precision():
    clipped, norm = nnbook.clip_grad_norm({"a": A([np.nan, 1.0])}, 1.0)
    assert np.isnan(clipped["a"]).all() and np.isnan(norm)
    clipped, norm = nnbook.clip_grad_norm({"a": np.full(4, 300, HALF)}, 1.0)
    assert norm == 600 and clipped["a"].dtype == HALF
    assert_close(clipped["a"], np.full(4, 0.5), 1e-3)


def test_the_state_of_an_optimizer_must_fit():
    _, state = nnbook.adam({"a": np.ones(1)}, {"a": np.ones(1)})
    with pytest.raises(ValueError, match=r"the state has an array of shape \(1,\), expected \(3,\)"):
        nnbook.adam({"a": np.ones(3)}, {"a": np.ones(3)}, state)
    with pytest.raises(ValueError, match="sgd: state has the keys"):
        nnbook.sgd({"a": np.ones(1)}, {"a": np.ones(1)}, state)
    with pytest.raises(TypeError, match="a gradient has dtype float64, expected that of its parameter, float32"):
        nnbook.sgd({"a": np.ones(1, np.float32)}, {"a": np.ones(1)})


def test_half_precision_adds_up_in_single():
    row = np.full((1, 3), 300, HALF)
    assert_close(nnbook.normalize(row), F.normalize(torch.tensor(row)).numpy(), 2e-3)
    assert_close(nnbook.cosine_similarity(row, row), np.ones(1), 2e-3)
    zeros = np.zeros((1, 70000), HALF)
    assert_close(nnbook.softmax(zeros), torch.softmax(torch.tensor(zeros), -1).numpy(), 1e-3)
    assert nnbook.softmax(zeros).dtype == nnbook.log_softmax(zeros).dtype == HALF
    assert_close(nnbook.log_softmax(zeros)[:, 0], -np.log([70000.0]), 1e-3)
    assert_close(nnbook.logsumexp(zeros, 1), np.log([70000.0]), 1e-2)
    key = np.zeros((70000, 2), HALF)
    assert_close(nnbook.scaled_dot_product_attention(key[:1], key, np.ones((70000, 1), HALF)), np.ones((1, 1)), 3e-3)


@pytest.mark.parametrize("f", [
    lambda x, s: nnbook.leaky_relu(x, s), lambda x, s: nnbook.elu(x, s), lambda x, s: nnbook.celu(x, s),
    lambda x, s: nnbook.softplus(x, s), lambda x, s: nnbook.huber_loss(x, x * 2, delta=s),
    lambda x, s: nnbook.smooth_l1_loss(x, x * 2, beta=s), lambda x, s: nnbook.normalize(x, s),
    lambda x, s: nnbook.cross_entropy(x, A([0, 1]), label_smoothing=s), lambda x, s: nnbook.power(x * x, s),
    lambda x, s: nnbook.clip(x, -s, s)])
def test_numpy_numbers_as_settings_widen_nothing(f):
    x = X.astype(np.float32)
    y, pullback = nnbook.vjp(lambda x: f(x, np.float64(0.5)), x)
    assert y.dtype == np.float32
    assert pullback(np.ones_like(y))[0].dtype == np.float32
    assert f(x, np.float64(0.5)).dtype == np.float32


def test_gradients_keep_the_dtype_and_are_arrays_of_their_own():
    x = X.astype(np.float32)
    assert nnbook.grad(lambda x: nnbook.sum(np.ones((2, 3)) * x))(x).dtype == np.float32
    for optimizer in (nnbook.sgd, nnbook.adam):
        assert optimizer({"x": x}, {"x": x}, lr=np.float64(0.1))[0]["x"].dtype == np.float32
    assert type(nnbook.cosine_schedule(np.int64(3), np.int64(10), np.int64(5))) is float
    dx = nnbook.grad(nnbook.sum)(x)
    dx += 1  # not a read-only view of one number
    da, db = nnbook.vjp(nnbook.add, X, X)[1](X)
    da += 1
    np.testing.assert_array_equal(db, X)


def test_edges_of_losses_are_torchs():
    t = torch.tensor
    expected = F.kl_div(t(0.5), t(0.5), reduction="batchmean").numpy()
    assert_close(nnbook.kl_div(A(0.5), A(0.5), "batchmean"), expected, 1e-6)
    x = torch.tensor([np.inf, -np.inf, 0.5], dtype=torch.float64, requires_grad=True)
    for name in ("huber_loss", "smooth_l1_loss"):
        expected, = torch.autograd.grad(getattr(F, name)(x, torch.zeros_like(x), reduction="sum"), x)
        got = nnbook.grad(lambda x, name=name: getattr(nnbook, name)(x, np.zeros(3), "sum"))(x.detach().numpy())
        np.testing.assert_array_equal(got, expected.numpy())
    nan = A([np.nan, 1.0])
    np.testing.assert_array_equal(nnbook.vjp(nnbook.relu, nan)[1](A([2.0, 3.0]))[0], [2, 3])
    y, pullback = nnbook.vjp(lambda x: nnbook.gelu(x, "tanh"), A([1e4, -1e4], HALF))
    np.testing.assert_array_equal(pullback(np.ones_like(y))[0], [1, 0])
    assert np.isnan(nnbook.nll_loss(np.zeros((3, 0)), np.full(3, -100), np.zeros(0)))


def test_what_torch_takes_is_taken():
    assert_close(nnbook.normalize(X, np.int64(2)), nnbook.normalize(X), 0)
    assert nnbook.sum(X, [0, 1], np.bool_(True)).shape == (1, 1)
    assert_close(nnbook.logsumexp(X, ()), torch.logsumexp(torch.tensor(X), (0, 1)).numpy(), 1e-14)
    params = nnbook.init_lstm(3, 5, np.random.default_rng(0))
    assert nnbook.lstm(np.zeros((0, 4, 3)), params, lengths=[])[0].shape == (0, 4, 5)
    big = X.astype(">f8")
    assert_close(nnbook.linear(big, np.ones((2, 3))), X @ np.ones((3, 2)), 1e-15)
    parts = nnbook.vjp(nnbook.stack, X)[1](X)
    assert isinstance(parts[0], np.ndarray)


R = np.random.default_rng(0)
MHA = nnbook.init_multi_head_attention(4, 2, R)
Q = np.ones((1, 3, 4))
BAD = [
    (lambda: nnbook.cross_entropy(X, np.full((2, 3), 1 / 3), ignore_index=1), ValueError, "target holds probabilities"),
    (lambda: nnbook.cross_entropy(X, A([0, 1]), ignore_index="x"),
     TypeError, "ignore_index is 'x', expected an integer"),
    (lambda: nnbook.binary_cross_entropy(A([np.nan]), A([0.5])), ValueError, r"numbers outside \[0, 1\]"),
    (lambda: nnbook.split(X, 0), ValueError, "split: sections is 0, expected at least 1"),
    (lambda: nnbook.split(X, 2, 7), ValueError, "split: axis is 7"),
    (lambda: nnbook.hardtanh(np.ones(3, np.uint8)), TypeError, "hardtanh: x has dtype uint8"),
    (lambda: nnbook.relu6(np.ones(3, complex)), TypeError, "relu6: x has dtype complex128"),
    (lambda: nnbook.selu(np.ones(3, int)), TypeError, "selu: x has dtype int64"),
    (lambda: nnbook.embedding(A([0]), X, 1.0), TypeError, "padding_idx is 1.0, expected an integer"),
    (lambda: nnbook.embedding(A([0]), X, scale_grad_by_freq="yes"), TypeError, "expected True or False"),
    (lambda: nnbook.one_hot(A([0]), 2.5), TypeError, "num_classes is 2.5, expected an integer"),
    (lambda: nnbook.one_hot(np.zeros(0, int), 0), ValueError, "num_classes is 0, expected at least 1"),
    (lambda: nnbook.leaky_relu(X, A([1.0, 2, 3])), TypeError, "negative_slope is array"),
    (lambda: nnbook.elu(X, [1.0]), TypeError, r"elu: alpha is \[1.0\], expected a number"),
    (lambda: nnbook.softplus(X, threshold="20"), TypeError, "threshold is '20', expected a number"),
    (lambda: nnbook.cosine_similarity(X, X, eps=-1.0), ValueError, "eps is -1.0, expected at least 0"),
    (lambda: nnbook.scaled_dot_product_attention(Q, Q, Q, scale="2"), TypeError, "scale is '2', expected a number"),
    (lambda: nnbook.scaled_dot_product_attention(Q, Q, Q, dropout_p=True, rng=R), TypeError, "dropout_p is True"),
    (lambda: nnbook.scaled_dot_product_attention(Q, Q, Q, is_causal="no"), TypeError, "is_causal is 'no'"),
    (lambda: nnbook.multi_head_attention(Q, Q, Q, MHA, True), TypeError, "num_heads is True, expected an integer"),
    (lambda: nnbook.multi_head_attention(Q, Q, Q, MHA, 2, need_weights=1),
     TypeError, "need_weights is 1, expected True"),
    (lambda: nnbook.batch_norm(X, None, None, training="False"),
     TypeError, "training is 'False', expected True or False"),
    (lambda: nnbook.kl_div(X, X, log_target="no"), TypeError, "log_target is 'no', expected True or False"),
    (lambda: nnbook.softmax(X, True), TypeError, "softmax: axis is True, expected an integer"),
    (lambda: nnbook.sgd({"a": X}, {"a": X}, lr="fast"), TypeError, "sgd: lr is 'fast', expected a number"),
    (lambda: nnbook.einsum("ij,jk->ik", np.ones((2, 1)), np.ones((3, 4))),
     ValueError, "einsum: j has the sizes 1 and 3"),
    (lambda: nnbook.vjp(nnbook.relu, X)[1](X + 1j), TypeError, "dy has dtype complex128"),
]


@pytest.mark.parametrize(("call", "error", "message"), BAD)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
