"""Activations against torch, complex step, and their extremes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
ELEMENTWISE = {
    "relu": [{}], "relu6": [{}], "leaky_relu": [{}, {"negative_slope": 0.3}], "elu": [{}, {"alpha": 0.7}],
    "celu": [{}, {"alpha": 0.7}], "selu": [{}], "gelu": [{}, {"approximate": "tanh"}], "silu": [{}], "sigmoid": [{}],
    "tanh": [{}], "softplus": [{}, {"beta": 3.0, "threshold": 4.0}], "logsigmoid": [{}], "hardsigmoid": [{}],
    "hardswish": [{}], "hardtanh": [{}, {"min_val": -0.5, "max_val": 2.0}], "mish": [{}], "softsign": [{}],
}
CASES = [(name, kwargs) for name, many in ELEMENTWISE.items() for kwargs in many]
ROUNDED = {"celu", "hardsigmoid"}  # torch's backward rounds alpha and 1/6 to float32
ANALYTIC = ["sigmoid", "tanh", "silu"]


def torch_of(name):
    return {"sigmoid": torch.sigmoid, "tanh": torch.tanh}.get(name) or getattr(F, name)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
@given(seed=SEEDS, shape=st.sampled_from([(), (1,), (0,), (7,), (3, 5), (2, 0, 3)]), size=st.sampled_from([1.0, 8.0]))
@settings(max_examples=12, deadline=None)
def test_elementwise(name, kwargs, seed, shape, size):
    rng = np.random.default_rng(seed)
    x = np.asarray(size * rng.standard_normal(shape))
    def ours(x):
        return getattr(nnbook, name)(x, **kwargs)
    if name in ROUNDED:
        nnbook.check_vjp(ours, np.where(np.abs(np.abs(x) - 3) < 1e-3, 0.5, x))
    rtol = 1e-6 if name in ROUNDED else None
    against_torch(ours, lambda x: torch_of(name)(x, **kwargs), (x,), rng, rtol)


@pytest.mark.parametrize(("name", "kwargs"), CASES)
def test_extremes_and_corners_are_torchs(name, kwargs):
    corners = np.array([0.0, 1.0, -1.0, 3.0, -3.0, 6.0, 0.5, -0.5, 1e4, -1e4, 20.0, -20.0, 50.0, -50.0, 700.0, -800.0])
    for x in (corners, np.array([np.inf, -np.inf, np.nan])):
        got = getattr(nnbook, name)(x, **kwargs)
        expected = torch_of(name)(torch.tensor(x), **kwargs).numpy()
        np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-300 if name == "logsigmoid" else 1e-15)
    t = torch.tensor(corners, requires_grad=True)
    torch_of(name)(t, **kwargs).sum().backward()
    grad = nnbook.vjp(lambda x: getattr(nnbook, name)(x, **kwargs), corners)[1](np.ones(len(corners)))[0]
    np.testing.assert_allclose(grad, t.grad.numpy(), rtol=1e-6 if name in ROUNDED else 1e-11, atol=1e-14)


@pytest.mark.parametrize("name", [*ANALYTIC, "softmax", "log_softmax"])
def test_complex_step(name):
    rng = np.random.default_rng(1)
    against_complex_step(getattr(nnbook, name), (rng.standard_normal((3, 5)),), rng)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@given(seed=SEEDS, case=st.sampled_from([((5,), 0), ((5,), -1), ((3, 5), 0), ((3, 5), 1), ((2, 3, 5), 1),
                                         ((2, 3, 5), -2), ((), 0), ((0, 3), 1), ((3, 0), 1), ((3, 1), -1)]))
@settings(max_examples=15, deadline=None)
def test_softmax_family(name, seed, case):
    (shape, axis), rng = case, np.random.default_rng(seed)
    x = np.asarray(3 * rng.standard_normal(shape))
    against_torch(lambda x: getattr(nnbook, name)(x, axis), lambda x: getattr(F, name)(x, dim=axis), (x,), rng)


@given(seed=SEEDS, axis=st.sampled_from([0, 1, -1, -3]), keepdims=st.booleans())
@settings(max_examples=15, deadline=None)
def test_logsumexp(seed, axis, keepdims):
    rng = np.random.default_rng(seed)
    against_torch(lambda x: nnbook.logsumexp(x, axis, keepdims), lambda x: torch.logsumexp(x, axis, keepdims),
                  (4 * rng.standard_normal((2, 3, 5)),), rng)


def test_softmax_defaults_to_the_last_axis_and_sums_to_one():
    y = nnbook.softmax(np.random.default_rng(2).standard_normal((3, 5)))
    assert_close(y.sum(axis=-1), np.ones(3), 1e-15)
    assert np.all(y > 0)


@pytest.mark.parametrize("row", [[1e4, -1e4, 0], [-np.inf, 0, 1], [-np.inf] * 3, [np.inf, 0, 1], [1e308, -1e308, 0]])
@pytest.mark.parametrize("name", ["softmax", "log_softmax", "logsumexp"])
def test_softmax_extremes(name, row):
    x = np.array([row, [1.0, 2, 3]])
    got, expected = getattr(nnbook, name)(x, 1), getattr(torch, name)(torch.tensor(x), 1).numpy()
    np.testing.assert_allclose(got, expected, rtol=1e-14)


@given(seed=SEEDS, shape=st.sampled_from([(4,), (2, 6), (3, 4, 5)]))
@settings(max_examples=12, deadline=None)
def test_glu_normalize_cosine_prelu(seed, shape):
    rng = np.random.default_rng(seed)
    x, x2 = rng.standard_normal((2, *shape))
    axis = 0 if len(shape) == 1 else 1
    against_torch(lambda x: nnbook.glu(x, axis), lambda x: F.glu(x, axis), (x,), rng)
    for p in (1.0, 2.0, 3.0, 0.5, -1.0, 0, float("inf"), float("-inf")):
        against_torch(lambda x, p=p: nnbook.normalize(x, p, axis), lambda x, p=p: F.normalize(x, p, axis), (x,), rng)
    against_torch(lambda a, b: nnbook.cosine_similarity(a, b, axis), lambda a, b: F.cosine_similarity(a, b, axis),
                  (x, x2), rng)
    for slopes in (1, shape[1] if len(shape) > 1 else 1):
        against_torch(nnbook.prelu, F.prelu, (x, rng.standard_normal(slopes)), rng)


def test_normalize_of_zero_is_zero():
    x = np.zeros((2, 3))
    x[1] = [3, 0, 4]
    y, pullback = nnbook.vjp(nnbook.normalize, x)
    assert_close(y, [[0, 0, 0], [0.6, 0, 0.8]], 1e-15)
    assert np.isfinite(pullback(np.ones((2, 3)))[0]).all()


BAD = [
    ("relu", ([1.0, 2.0],), {}, TypeError, "relu: x is a list, expected an ndarray"),
    ("silu", (np.arange(3),), {}, TypeError, "silu: x has dtype int64, expected floating point"),
    ("relu", (np.ones(3, bool),), {}, TypeError, "relu: x has dtype bool, expected real numbers"),
    ("relu", (np.ones(3, complex),), {}, TypeError, "relu: x has dtype complex128, expected real numbers"),
    ("elu", (np.ones(3, complex),), {}, TypeError, "elu: x has dtype complex128, expected real floating point"),
    ("softplus", (np.arange(3),), {}, TypeError, "softplus: x has dtype int64, expected real floating point"),
    ("logsumexp", (np.ones((2, 3)), (0, -2)), {}, ValueError, r"axis is \(0, -2\), expected each axis once"),
    ("softmax", (np.arange(3),), {}, TypeError, "softmax: x has dtype int64"),
    ("softmax", (np.ones(3), 1), {}, ValueError, "softmax: axis is 1, expected -1 to 0"),
    ("softmax", (np.ones(3), "0"), {}, TypeError, "softmax: axis is '0', expected an integer"),
    ("log_softmax", (np.ones((2, 3)), -3), {}, ValueError, "axis is -3, expected -2 to 1"),
    ("gelu", (np.ones(3),), {"approximate": "erf"}, ValueError, "gelu: approximate is 'erf', expected 'none' or"),
    ("glu", (np.ones(3),), {}, ValueError, r"glu: x has shape \(3,\), expected an even length"),
    ("celu", (np.ones(3), 0), {}, ValueError, "celu: alpha is 0"),
    ("hardtanh", (np.ones(3), 1.0, -1.0), {}, ValueError, "hardtanh: min_val is 1.0 and max_val is -1.0"),
    ("prelu", (np.ones((2, 3)), np.ones(2)), {}, ValueError, r"prelu: weight has shape \(2,\), expected 1 entry or 3"),
    ("cosine_similarity", (np.ones((2, 3)), np.ones((2, 4))), {}, ValueError, r"x2 has shape \(2, 4\)"),
    ("normalize", (np.ones((2, 3)), "2"), {}, TypeError, "normalize: p is '2', expected a number"),
    ("sigmoid", (np.array(["a"]),), {}, TypeError, "sigmoid: x has dtype <U1, expected numbers"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "error", "message"), BAD)
def test_wrong_input(name, args, kwargs, error, message):
    with pytest.raises(error, match=message):
        getattr(nnbook, name)(*args, **kwargs)
