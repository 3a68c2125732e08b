"""Recurrent networks against torch's modules with the same weights, against plain loops, and their errors."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
MODULES = {"rnn": torch.nn.RNN, "lstm": torch.nn.LSTM, "gru": torch.nn.GRU}
CELLS = {"rnn": torch.nn.RNNCell, "lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}


def tuple_of(state):
    return state if isinstance(state, tuple) else (state,)


def torch_run(kind, params, x, state, lengths, more, layers, both, bias):
    """(outputs, state) of torch.nn with these weights; the tensors that gradients are taken of come too."""
    (rows, P), I = params["weight_hh_l0"].shape, x.shape[-1]
    H = rows // 4 if kind == "lstm" else P
    more = more | ({"proj_size": P} if P != H else {})
    dtype = torch.tensor(x).dtype
    module = MODULES[kind](I, H, layers, batch_first=True, bidirectional=both, bias=bias, dtype=dtype, **more)
    module.load_state_dict({k: torch.tensor(v) for k, v in params.items()})
    tx = torch.tensor(x, requires_grad=True)
    ts = None if state is None else tuple(torch.tensor(s, requires_grad=True) for s in state)
    begin = None if ts is None else ts if kind == "lstm" else ts[0]
    if lengths is None:
        out, end = module(tx, begin)
    else:
        packed = torch.nn.utils.rnn.pack_padded_sequence(tx, torch.tensor(lengths), True, enforce_sorted=False)
        out, end = module(packed, begin)
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, True, total_length=x.shape[1])
    return out, tuple_of(end), tx, ts or (), module


def project(params, rng, layers, both, P, H):
    """Parameters in which h has width P: torch's proj_size."""
    params = dict(params)
    for name in list(params):
        if name.startswith("weight_hh"):
            params[name] = params[name][:, :P]
            params[name.replace("hh", "hr")] = rng.standard_normal((P, H)).astype(params[name].dtype)
        if name.startswith("weight_ih") and "_l0" not in name:
            params[name] = params[name][:, : P * (1 + both)]
    return params


@pytest.mark.parametrize("kind", sorted(MODULES))
@given(seed=SEEDS, layers=st.integers(1, 3), both=st.booleans(), bias=st.booleans(), given_state=st.booleans(),
       with_lengths=st.booleans(), projected=st.booleans(), T=st.integers(1, 6), N=st.integers(1, 4),
       relu=st.booleans(), dtype=st.sampled_from([np.float64, np.float32]))
@settings(max_examples=40, deadline=None)
def test_sequence_equals_torch(kind, seed, layers, both, bias, given_state, with_lengths, projected, T, N, relu, dtype):
    rng, I, H = np.random.default_rng(seed), 3, 5
    more = {"nonlinearity": "relu"} if kind == "rnn" and relu else {}
    params = getattr(nnbook, f"init_{kind}")(I, H, rng, layers, both, bias, dtype)
    x = rng.standard_normal((N, T, I)).astype(dtype)
    projected = kind == "lstm" and projected
    widths = (2 if projected else H, H)[: 2 if kind == "lstm" else 1]
    if projected:
        params = project(params, rng, layers, both, *widths)
    state = tuple(rng.standard_normal((layers * (1 + both), N, w)).astype(dtype) for w in widths)
    state = state if given_state else None
    lengths = rng.integers(1, T + 1, N) if with_lengths else None
    out, end, tx, ts, module = torch_run(kind, params, x, state, lengths, more, layers, both, bias)

    def run(params, x, *state):
        begin = None if not state else state if kind == "lstm" else state[0]
        outputs, last = getattr(nnbook, kind)(x, params, begin, lengths, **more)
        return (outputs, *tuple_of(last))

    y, pullback = nnbook.vjp(run, params, x, *(state or ()))
    tol = 1e-10 if dtype == np.float64 else 2e-5
    for got, expected in zip(y, (out, *end), strict=True):
        assert got.dtype == dtype
        assert_close(got, expected.detach().numpy(), tol)
    dy = tuple(rng.standard_normal(part.shape).astype(dtype) for part in y)
    torch.autograd.backward((out, *end), tuple(torch.tensor(d) for d in dy))
    for _ in range(2):  # the second use of a pullback gives the same
        dparams, dx, *dstate = pullback(dy)
        assert_close(dx, tx.grad.numpy(), tol, "dx")
        assert dx.dtype == dtype
        for name, p in module.named_parameters():
            assert_close(dparams[name], p.grad.numpy(), 10 * tol, name)
        for got, t in zip(dstate, ts, strict=True):
            assert_close(got, t.grad.numpy(), tol, "initial state")


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_without_a_batch(kind):
    rng = np.random.default_rng(0)
    params = getattr(nnbook, f"init_{kind}")(3, 5, rng, 2, True)
    x, parts = rng.standard_normal((4, 3)), 2 if kind == "lstm" else 1
    state = tuple(rng.standard_normal((parts, 4, 5)))
    out, end = getattr(nnbook, kind)(x, params, state if kind == "lstm" else state[0])
    expected, last, *_ = torch_run(kind, params, x, state, None, {}, 2, True, True)
    for got, e in zip((out, *tuple_of(end)), (expected, *last), strict=True):
        assert_close(got, e.detach().numpy(), 1e-13)


@pytest.mark.parametrize("kind", sorted(CELLS))
@given(seed=SEEDS, lead=st.sampled_from([(), (1,), (4,)]), bias=st.booleans(),
       dtype=st.sampled_from([np.float64, np.float32]))
@settings(max_examples=15, deadline=None)
def test_cell_equals_torch(kind, seed, lead, bias, dtype):
    rng, I, H = np.random.default_rng(seed), 3, 5
    params = getattr(nnbook, f"init_{kind}")(I, H, rng, bias=bias, dtype=dtype)
    params = {k.removesuffix("_l0"): v for k, v in params.items()}
    x, state = rng.standard_normal((*lead, I)).astype(dtype), rng.standard_normal((2, *lead, H)).astype(dtype)
    module = CELLS[kind](I, H, bias=bias, dtype=torch.tensor(x).dtype)
    module.load_state_dict({k: torch.tensor(v) for k, v in params.items()})
    tx, ts = torch.tensor(x, requires_grad=True), [torch.tensor(s, requires_grad=True) for s in state]
    expected = tuple_of(module(tx, tuple(ts) if kind == "lstm" else ts[0]))

    def run(params, x, h, c):
        return tuple_of(getattr(nnbook, f"{kind}_cell")(x, (h, c) if kind == "lstm" else h, **params))

    y, pullback = nnbook.vjp(run, params, x, *state)
    tol = 1e-11 if dtype == np.float64 else 1e-5
    dy = tuple(rng.standard_normal(part.shape).astype(dtype) for part in y)
    torch.autograd.backward(expected, tuple(map(torch.tensor, dy)))
    dparams, dx, dh, dc = pullback(dy)
    for got, e in zip(y, expected, strict=True):
        assert_close(got, e.detach().numpy(), tol)
        assert got.dtype == dtype
    assert_close(dx, tx.grad.numpy(), tol)
    assert_close(dh, ts[0].grad.numpy(), tol)
    if kind == "lstm":
        assert_close(dc, ts[1].grad.numpy(), tol)
    for name, p in module.named_parameters():
        assert_close(dparams[name], p.grad.numpy(), tol, name)


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_a_sequence_is_the_cell_in_a_loop(kind):
    rng = np.random.default_rng(1)
    params = getattr(nnbook, f"init_{kind}")(3, 5, rng)
    x, cell = rng.standard_normal((2, 7, 3)), {k.removesuffix("_l0"): v for k, v in params.items()}
    outputs, _ = getattr(nnbook, kind)(x, params)
    state = (np.zeros((2, 5)),) * 2 if kind == "lstm" else np.zeros((2, 5))
    for t in range(7):
        state = getattr(nnbook, f"{kind}_cell")(x[:, t], state, **cell)
        assert_close(outputs[:, t], tuple_of(state)[0], 1e-14)


@pytest.mark.parametrize("kind", sorted(MODULES))
def test_complex_step(kind):
    rng = np.random.default_rng(2)
    params = getattr(nnbook, f"init_{kind}")(3, 2, rng, 1, True)
    lengths, names = np.array([4, 2]), list(params)

    def run(x, *weights):
        return getattr(nnbook, kind)(x, dict(zip(names, weights, strict=True)), lengths=lengths)[0]

    against_complex_step(run, (rng.standard_normal((2, 4, 3)), *params.values()), rng)


def test_padding_changes_nothing():
    rng = np.random.default_rng(3)
    params, lengths = nnbook.init_lstm(3, 5, rng, 2, True), np.array([2, 6, 4])
    x = rng.standard_normal((3, 6, 3))
    other = x.copy()
    other[0, 2:], other[2, 4:] = 1e6, -1e6
    (y, s), (y2, s2) = nnbook.lstm(x, params, lengths=lengths), nnbook.lstm(other, params, lengths=lengths)
    np.testing.assert_array_equal(y, y2)
    np.testing.assert_array_equal(s[0], s2[0])
    assert np.all(y[0, 2:] == 0)
    alone, _ = nnbook.lstm(x[:1, :2], params)
    assert_close(y[0, :2], alone[0], 1e-14)


def test_two_thousand_steps():
    rng = np.random.default_rng(4)
    params, x = nnbook.init_gru(2, 3, rng), rng.standard_normal((1, 2000, 2))
    loss, grads = nnbook.value_and_grad(lambda p: (nnbook.gru(x, p)[0] * x[:, :, :1]).sum())(params)
    assert np.isfinite(loss)
    module = torch.nn.GRU(2, 3, batch_first=True, dtype=torch.float64)
    module.load_state_dict({k: torch.tensor(v) for k, v in params.items()})
    (module(torch.tensor(x))[0] * torch.tensor(x[:, :, :1])).sum().backward()
    for name, p in module.named_parameters():
        assert_close(grads[name], p.grad.numpy(), 1e-10)


def test_saturated_gates_do_not_overflow():
    params = {k: 1e4 * v for k, v in nnbook.init_lstm(3, 5, np.random.default_rng(5)).items()}
    y, _ = nnbook.lstm(np.full((1, 4, 3), 1e4), params)
    assert np.isfinite(y).all()


def test_an_empty_batch():
    params = nnbook.init_lstm(3, 5, np.random.default_rng(6), 2, True)
    y, (h, c) = nnbook.lstm(np.zeros((0, 4, 3)), params)
    assert y.shape == (0, 4, 10) and h.shape == c.shape == (4, 0, 5)


P = nnbook.init_rnn(3, 5, np.random.default_rng(0))
L = nnbook.init_lstm(3, 5, np.random.default_rng(0))
X = np.ones((2, 4, 3))
WI, WH = P["weight_ih_l0"], P["weight_hh_l0"]
BAD = [
    (nnbook.rnn, (X, {}), {}, r"params has the keys \[\], expected weight_ih_l0"),
    (nnbook.rnn, (X, [WI]), {}, "params is a list, expected a dict"),
    (nnbook.rnn, (X, {"weight_ih_l0": WI}), {}, r"missing \['weight_hh_l0'\]"),
    (nnbook.rnn, (X, P | {"bias_l0": WI}), {}, r"unknown \['bias_l0'\]"),
    (nnbook.rnn, (X, P | {"weight_ih_l0": WI.T}), {},
     r"weight_ih has shape \(3, 5\), expected \(5, 3\) \(in layer l0\)"),
    (nnbook.rnn, (X, P | {"weight_hh_l0": WH[:, :4]}), {}, r"weight_hh has shape \(5, 4\), expected \(1 H, H\)"),
    (nnbook.rnn, (X, P | {"bias_hh_l0": WI}), {}, r"bias_hh has shape \(5, 3\), expected \(5,\)"),
    (nnbook.rnn, (X[..., :2], P), {}, r"weight_ih has shape \(5, 3\), expected \(5, 2\)"),
    (nnbook.rnn, (X[0, 0], P), {}, r"x has shape \(3,\), expected \(N, T, I\) or \(T, I\)"),
    (nnbook.rnn, (X[:, :0], P), {}, "with T at least 1"),
    (nnbook.rnn, (X.astype(np.float32), P), {}, "the dtypes differ: x float32"),
    (nnbook.rnn, (X.astype(int), P), {}, "x has dtype int64"),
    (nnbook.rnn, (X, P, np.ones((2, 2, 5))), {}, r"state has shape \(2, 2, 5\), expected \(1, 2, 5\)"),
    (nnbook.rnn, (X, P), {"nonlinearity": "sigmoid"}, "nonlinearity is 'sigmoid', expected 'tanh' or 'relu'"),
    (nnbook.rnn, (X, P), {"lengths": np.array([0, 4])}, r"lengths is \[0, 4\], expected 2 integers from 1 to 4"),
    (nnbook.rnn, (X, P), {"lengths": np.array([5, 4])}, r"lengths is \[5, 4\]"),
    (nnbook.rnn, (X, P), {"lengths": np.array([4])}, r"lengths is \[4\], expected 2 integers"),
    (nnbook.rnn, (X, P), {"lengths": np.array([4.0, 4.0])}, "lengths has dtype float64, expected integers"),
    (nnbook.rnn, (X[0], P), {"lengths": np.array([4])}, "lengths is given for x"),
    (nnbook.rnn, (X[0], P, np.ones((1, 1, 5))), {},
     r"state has shape \(1, 1, 5\), expected \(layers \* directions, H\)"),
    (nnbook.rnn, (X.tolist(), P), {}, "x is a list, expected an ndarray"),
    (nnbook.rnn, (X, P | {"weight_ih_l0": WI.tolist()}), {}, r"params\['weight_ih_l0'\] is a list"),
    (nnbook.lstm, (X, L, (None, None)), {}, "state is a NoneType, expected an ndarray"),
    (nnbook.lstm, (X, L, np.ones((1, 2, 5))), {}, r"state is a ndarray, expected a tuple \(h, c\)"),
    (nnbook.lstm, (X, L, (np.ones((1, 2, 5)), np.ones((1, 2, 4)))), {}, r"state has shape \(1, 2, 4\)"),
    (nnbook.lstm, (X, P), {}, r"weight_hh has shape \(5, 5\), expected \(4 H, H\)"),
    (nnbook.gru, (X, L), {}, r"weight_hh has shape \(20, 5\), expected \(3 H, H\)"),
    (nnbook.rnn_cell, (X[0], np.ones((4, 4)), WI, WH), {}, r"rnn_cell: h has shape \(4, 4\), expected \(4, 5\)"),
    (nnbook.rnn_cell, (X, np.ones((2, 4, 5)), WI, WH), {}, r"x has shape \(2, 4, 3\), expected \(N, I\) or \(I,\)"),
    (nnbook.lstm_cell, (X[0], np.ones((4, 5)), WI, WH), {}, "expected a tuple"),
]


@pytest.mark.parametrize(("f", "args", "kwargs", "message"), BAD)
def test_wrong_input(f, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        f(*args, **kwargs)
