"""Layers against torch; initialisations against their distributions."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)


@given(seed=SEEDS, lead=st.sampled_from([(), (1,), (4,), (2, 4), (0,), (2, 0, 3)]), biased=st.booleans(),
       sizes=st.sampled_from([(5, 3), (1, 7), (3, 1)]))
@settings(max_examples=30, deadline=None)
def test_linear(seed, lead, biased, sizes):
    rng, (I, O) = np.random.default_rng(seed), sizes
    arrays = (rng.standard_normal((*lead, I)), rng.standard_normal((O, I)), rng.standard_normal(O))
    against_torch(nnbook.linear, F.linear, arrays[: 2 + biased], rng)
    against_complex_step(nnbook.linear, arrays[: 2 + biased], rng)


@pytest.mark.parametrize(("I", "O"), [(0, 3), (3, 0)])
def test_linear_without_inputs_or_outputs(I, O):
    rng = np.random.default_rng(0)
    against_torch(nnbook.linear, F.linear, (np.ones((2, I)), np.ones((O, I)), rng.standard_normal(O)), rng)


def test_linear_with_one_output_and_with_integers():
    rng = np.random.default_rng(0)
    arrays = rng.standard_normal((2, 4, 3)), rng.standard_normal(3), np.asarray(rng.standard_normal())
    against_torch(nnbook.linear, F.linear, arrays[:2], rng)
    against_torch(nnbook.linear, F.linear, arrays, rng)
    x, w = rng.integers(-5, 5, (2, 3)), rng.integers(-5, 5, (7, 3))
    y = nnbook.linear(x, w)
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, F.linear(torch.tensor(x), torch.tensor(w)).numpy())


@given(seed=SEEDS, max_norm=st.sampled_from([None, 0.5, 1.5]), norm_type=st.sampled_from([1.0, 2.0, float("inf")]),
       by_frequency=st.booleans(), padding_idx=st.sampled_from([None, 2]))
@settings(max_examples=30, deadline=None)
def test_embedding_of_short_rows_and_by_frequency(seed, max_norm, norm_type, by_frequency, padding_idx):
    rng = np.random.default_rng(seed)
    ids, weight = rng.integers(0, 5, (4, 3)), rng.standard_normal((5, 7))
    kept = weight.copy()

    def theirs(w):
        if max_norm is not None:  # torch shrinks the rows of the table itself, outside the graph
            with torch.no_grad():
                torch.embedding_renorm_(w.detach(), torch.tensor(ids), max_norm, norm_type)
        return F.embedding(torch.tensor(ids), w, padding_idx, scale_grad_by_freq=by_frequency)

    against_torch(lambda w: nnbook.embedding(ids, w, padding_idx, max_norm, norm_type, by_frequency), theirs, (weight,),
                  rng)
    np.testing.assert_array_equal(weight, kept)


@given(seed=SEEDS, shape=st.sampled_from([(), (4,), (2, 5), (0,)]), padding_idx=st.sampled_from([None, 0, 3, -1]))
@settings(max_examples=30, deadline=None)
def test_embedding(seed, shape, padding_idx):
    rng = np.random.default_rng(seed)
    ids = np.asarray(rng.integers(0, 7, shape))
    against_torch(lambda w: nnbook.embedding(ids, w, padding_idx),
                  lambda w: F.embedding(torch.tensor(ids), w, padding_idx), (rng.standard_normal((7, 3)),), rng)


def test_one_hot():
    labels = np.array([[2, 0], [1, 1]])
    for classes in (-1, 3, 5):
        np.testing.assert_array_equal(nnbook.one_hot(labels, classes), F.one_hot(torch.tensor(labels), classes).numpy())
    assert nnbook.one_hot(labels).dtype == np.int64


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 1.0])
def test_dropout_keeps_the_mean_and_scales_what_it_keeps(p):
    x = np.random.default_rng(1).uniform(1, 2, (200, 300)).astype(np.float32)
    y, pullback = nnbook.vjp(lambda x: nnbook.dropout(x, p, np.random.default_rng(2)), x)
    kept = y != 0
    assert y.dtype == np.float32
    assert abs(kept.mean() - (1 - p)) < 0.01
    if p < 1:
        assert_close(y[kept], x[kept] / np.float32(1 - p), 1e-6)
        assert abs(y.mean() - x.mean()) < 0.02
    np.testing.assert_allclose(pullback(np.ones_like(x))[0], kept / (1 - p) if p < 1 else 0 * x, rtol=1e-6)
    np.testing.assert_array_equal(nnbook.dropout(x, p), x)


def test_initial_weights_have_the_stated_spread():
    rng, shape = np.random.default_rng(3), (400, 50, 3)
    fan_in, fan_out = 150, 1200
    for got, variance, bound in [
        (nnbook.init_xavier_uniform(shape, rng, 2.0), 4 * 2 / (fan_in + fan_out), 2 * (6 / (fan_in + fan_out)) ** 0.5),
        (nnbook.init_xavier_normal(shape, rng), 2 / (fan_in + fan_out), None),
        (nnbook.init_kaiming_uniform(shape, rng), 2 / fan_in, (6 / fan_in) ** 0.5),
        (nnbook.init_kaiming_normal(shape, rng, a=0.5), 2 / (1.25 * fan_in), None),
    ]:
        assert got.shape == shape
        assert abs(got.var() / variance - 1) < 0.02
        assert abs(got.mean()) < 0.05 * variance**0.5
        assert bound is None or 0.99 * bound < np.abs(got).max() <= bound
    assert torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape)) == (fan_in, fan_out)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3)])
def test_orthogonal(shape):
    w = nnbook.init_orthogonal(shape, np.random.default_rng(4), gain=2.0).reshape(shape[0], -1)
    assert_close(np.linalg.svd(w, compute_uv=False), np.full(min(w.shape), 2.0), 1e-13)


def test_parameters_of_linear_and_embedding():
    rng = np.random.default_rng(5)
    p = nnbook.init_linear(100, 300, rng, dtype=np.float32)
    assert p["weight"].shape == (300, 100) and p["bias"].shape == (300,)
    assert p["weight"].dtype == p["bias"].dtype == np.float32
    assert 0.099 < np.abs(p["weight"]).max() <= 0.1
    assert "bias" not in nnbook.init_linear(3, 2, rng, bias=False)
    assert nnbook.linear(np.ones((2, 100), np.float32), **p).shape == (2, 300)
    e = nnbook.init_embedding(50, 40, rng)["weight"]
    assert e.shape == (50, 40)
    assert abs(e.std() - 1) < 0.05


X, W = np.ones((2, 3)), np.ones((5, 3))
BAD = [
    (nnbook.linear, (X, np.ones((3, 5))), ValueError, r"linear: x has shape \(2, 3\), expected \(..., 5\)"),
    (nnbook.linear, (X, W, np.ones(3)), ValueError, r"linear: bias has shape \(3,\), expected \(5,\)"),
    (nnbook.linear, (X, W[None]), ValueError, r"linear: weight has shape \(1, 5, 3\), expected \(O, I\) or \(I,\)"),
    (nnbook.linear, (X, np.ones(3), np.ones(1)), ValueError, r"linear: bias has shape \(1,\), expected \(\)"),
    (nnbook.linear, (np.float64(2), W), ValueError, r"linear: x has shape \(\)"),
    (nnbook.linear, (X.astype(np.float32), W), TypeError, "linear: the dtypes differ: x float32, weight float64"),
    (nnbook.linear, (np.ones((2, 3), int), W), TypeError, "linear: the dtypes differ: x int64, weight float64"),
    (nnbook.linear, (np.ones((2, 3), bool), W), TypeError, "linear: x has dtype bool, expected floating point or int"),
    (nnbook.linear, (X, None), TypeError, "weight is a NoneType, expected an ndarray"),
    (nnbook.embedding, (None, W), TypeError, "token_ids is a NoneType, expected an ndarray of integers"),
    (nnbook.embedding, (np.array([5]), W), ValueError, "token_ids holds 5 to 5, expected 0 to 4"),
    (nnbook.embedding, (np.array([-1]), W), ValueError, "token_ids holds -1"),
    (nnbook.embedding, (np.array([1.0]), W), TypeError, "token_ids has dtype float64, expected integers"),
    (nnbook.embedding, (np.array([1]), W, 5), ValueError, "padding_idx is 5, expected -5 to 4"),
    (nnbook.embedding, (np.array([1]), np.ones(3)), ValueError, r"weight has shape \(3,\), expected \(V, D\)"),
    (nnbook.one_hot, (np.array([3]), 3), ValueError, "labels holds 3 to 3, expected 0 to 2"),
    (nnbook.one_hot, (np.array([], int),), ValueError, "labels is empty"),
    (nnbook.dropout, (X, 1.5), ValueError, "dropout: p is 1.5, expected a probability"),
    (nnbook.dropout, (X, 0.5, 7), TypeError, "rng is a int, expected a numpy.random.Generator"),
    (nnbook.init_xavier_uniform, ((3,), None), ValueError, r"shape is \(3,\), expected at least two axes"),
]


@pytest.mark.parametrize(("f", "args", "error", "message"), BAD)
def test_wrong_input(f, args, error, message):
    with pytest.raises(error, match=message):
        f(*args)
