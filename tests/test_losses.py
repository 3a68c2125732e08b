"""Losses against torch over the whole argument grid."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
REDUCTIONS = st.sampled_from(["none", "mean", "sum"])
grid = settings(max_examples=25, deadline=None)


@pytest.mark.parametrize(("name", "more"), [("mse_loss", {}), ("l1_loss", {}), ("smooth_l1_loss", {}),
                         ("smooth_l1_loss", {"beta": 0.3}), ("smooth_l1_loss", {"beta": 0.0}),
                         ("huber_loss", {"delta": 0.4})])
@given(seed=SEEDS, reduction=REDUCTIONS, shape=st.sampled_from([(), (5,), (3, 4), (0, 3)]))
@grid
def test_distances(name, more, seed, reduction, shape):
    rng = np.random.default_rng(seed)
    a, b = (np.asarray(rng.standard_normal(shape)) for _ in "ab")
    against_torch(lambda a, b: getattr(nnbook, name)(a, b, reduction, **more),
                  lambda a, b: getattr(F, name)(a, b, reduction=reduction, **more), (a, b), rng)


@given(seed=SEEDS, reduction=REDUCTIONS, name=st.sampled_from(["mse_loss", "l1_loss", "huber_loss"]))
@grid
def test_weighted_distances(seed, reduction, name):
    rng = np.random.default_rng(seed)
    a, b, w = (*rng.standard_normal((2, 3, 4)), rng.uniform(0.5, 2, (3, 4)))
    against_torch(lambda a, b, w: getattr(nnbook, name)(a, b, reduction, weight=w),
                  lambda a, b, w: getattr(F, name)(a, b, reduction=reduction, weight=w), (a, b, w), rng)
    with pytest.raises(ValueError, match=r"weight has shape \(4,\), expected \(3, 4\)"):
        getattr(nnbook, name)(a, b, weight=w[0])


@given(seed=SEEDS, reduction=REDUCTIONS, shape=st.sampled_from([(7,), (5, 3), (5, 3, 2), (4, 3, 2, 6), (0, 3)]),
       weighted=st.booleans(), ignore=st.booleans(), smoothing=st.sampled_from([0.0, 0.1, 1.0]))
@settings(max_examples=60, deadline=None)
def test_cross_entropy_hard(seed, reduction, shape, weighted, ignore, smoothing):
    rng = np.random.default_rng(seed)
    axis = 0 if len(shape) == 1 else 1
    V, rest = shape[axis], shape[:axis] + shape[axis + 1:]
    weight = rng.uniform(0.5, 2, V) if weighted else None
    target = np.asarray(rng.integers(0, V, rest))
    if ignore and target.size > 1:
        target = np.where(rng.random(rest) < 0.4, 1, target)
    ignore_index = 1 if ignore else -100
    def ours(x):
        return nnbook.cross_entropy(x, target, None if weight is None else weight.astype(x.dtype), ignore_index,
                                    reduction, smoothing)
    def theirs(x):
        w = None if weight is None else torch.tensor(weight, dtype=x.dtype)
        return F.cross_entropy(x, torch.tensor(target), w, ignore_index=ignore_index, reduction=reduction,
                               label_smoothing=smoothing)
    against_torch(ours, theirs, (rng.standard_normal(shape),), rng)
    if smoothing == 0:
        against_torch(lambda x: nnbook.nll_loss(x, target, None, ignore_index, reduction),
                      lambda x: F.nll_loss(x, torch.tensor(target), ignore_index=ignore_index, reduction=reduction),
                      (rng.standard_normal(shape),), rng)


@given(seed=SEEDS, reduction=REDUCTIONS, shape=st.sampled_from([(7,), (5, 3), (5, 3, 2)]), weighted=st.booleans(),
       smoothing=st.sampled_from([0.0, 0.2]))
@grid
def test_cross_entropy_soft(seed, reduction, shape, weighted, smoothing):
    rng = np.random.default_rng(seed)
    axis = 0 if len(shape) == 1 else 1
    weight = rng.uniform(0.5, 2, shape[axis]) if weighted else None
    target = rng.dirichlet(np.ones(shape[axis]), [n for i, n in enumerate(shape) if i != axis])
    target = np.moveaxis(target, -1, axis)
    def ours(x, t):
        return nnbook.cross_entropy(x, t, None if weight is None else weight.astype(x.dtype), reduction=reduction,
                                    label_smoothing=smoothing)
    def theirs(x, t):
        w = None if weight is None else torch.tensor(weight, dtype=x.dtype)
        return F.cross_entropy(x, t, w, reduction=reduction, label_smoothing=smoothing)
    against_torch(ours, theirs, (rng.standard_normal(shape), target), rng)


def test_cross_entropy_gradient_is_p_minus_y_over_n():
    rng = np.random.default_rng(0)
    z, t = rng.standard_normal((5, 3)), np.array([0, 2, 1, 1, 0])
    dz = nnbook.grad(nnbook.cross_entropy)(z, t)
    assert_close(dz, (nnbook.softmax(z) - np.eye(3)[t]) / 5, 1e-15)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_extremes(reduction):
    z = np.array([[1e4, -1e4, 0.0], [-1e4, 0, 1e4], [0.0, 0.0, 0.0]])
    t = np.array([1, 2, -100])
    against_torch(lambda z: nnbook.cross_entropy(z, t, reduction=reduction),
                  lambda z: F.cross_entropy(z, torch.tensor(t), reduction=reduction), (z,), np.random.default_rng(1))
    everything_ignored = nnbook.cross_entropy(z, np.full(3, -100), reduction=reduction)
    np.testing.assert_array_equal(everything_ignored,
                                  F.cross_entropy(torch.tensor(z), torch.full((3,), -100), reduction=reduction).numpy())


@given(seed=SEEDS, reduction=REDUCTIONS, weighted=st.booleans(), pos=st.booleans(),
       shape=st.sampled_from([(5,), (3, 4)]))
@grid
def test_binary(seed, reduction, weighted, pos, shape):
    rng = np.random.default_rng(seed)
    z, t = 4 * rng.standard_normal(shape), rng.random(shape)
    w = rng.uniform(0.5, 2, shape[-1]) if weighted else None
    pw = rng.uniform(0.5, 2, shape[-1]) if pos else None
    def cast(a, x):
        return None if a is None else a.astype(x.dtype)
    def tcast(a, x):
        return None if a is None else torch.tensor(a, dtype=x.dtype)
    against_torch(
        lambda z, t: nnbook.binary_cross_entropy_with_logits(z, t, cast(w, z), reduction, cast(pw, z)),
        lambda z, t: F.binary_cross_entropy_with_logits(z, t, tcast(w, z), reduction=reduction,
                                                        pos_weight=tcast(pw, z)), (z, t), rng)
    p = np.clip(rng.random(shape), 0.01, 0.99)
    against_torch(lambda p, t: nnbook.binary_cross_entropy(p, t, cast(w, p), reduction),
                  lambda p, t: F.binary_cross_entropy(p, t, tcast(w, p), reduction=reduction), (p, t), rng)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, np.ones(3)])
def test_cross_entropy_of_nothing_is_nan_with_no_gradient(smoothing, weight):
    z, t = np.ones((2, 3)), np.full(2, 1)
    loss, dz = nnbook.value_and_grad(lambda z: nnbook.cross_entropy(z, t, weight, 1, "mean", smoothing))(z)
    assert np.isnan(loss)
    np.testing.assert_array_equal(dz, np.zeros((2, 3)))


def test_binary_extremes():
    z, t = np.array([1e4, -1e4, 1e4, -1e4]), np.array([0.0, 1.0, 1.0, 0.0])
    against_torch(nnbook.binary_cross_entropy_with_logits, F.binary_cross_entropy_with_logits, (z, t),
                  np.random.default_rng(2))
    p = np.array([0.0, 1.0, 0.0, 1.0])
    assert nnbook.binary_cross_entropy(p, t) == F.binary_cross_entropy(torch.tensor(p), torch.tensor(t)).item() == 50
    np.testing.assert_allclose(
        nnbook.grad(nnbook.binary_cross_entropy)(p, t),
        torch.func.grad(F.binary_cross_entropy)(torch.tensor(p), torch.tensor(t)).numpy())


@given(seed=SEEDS, reduction=st.sampled_from(["none", "mean", "sum", "batchmean"]), log_target=st.booleans())
@grid
def test_kl_div(seed, reduction, log_target):
    rng = np.random.default_rng(seed)
    x, t = nnbook.log_softmax(rng.standard_normal((3, 5))), rng.dirichlet(np.ones(5), 3)
    t = np.log(t) if log_target else t
    against_torch(lambda x, t: nnbook.kl_div(x, t, reduction, log_target),
                  lambda x, t: F.kl_div(x, t, reduction=reduction, log_target=log_target), (x, t), rng)


def test_kl_div_of_an_impossible_class_is_zero_there():
    x, t = nnbook.log_softmax(np.array([1.0, 2.0, 3.0])), np.array([0.0, 0.25, 0.75])
    expected = F.kl_div(torch.tensor(x), torch.tensor(t), reduction="none").numpy()
    assert_close(nnbook.kl_div(x, t, "none"), expected, 1e-15)
    assert nnbook.kl_div(x, t, "none")[0] == 0


X, T = np.ones((2, 3)), np.array([0, 2])
BAD = [
    ("mse_loss", (X, np.ones(3)), ValueError, r"target has shape \(3,\), expected the shape of input, \(2, 3\)"),
    ("mse_loss", (X, X, "avg"), ValueError, "reduction is 'avg', expected one of 'none', 'mean', 'sum'"),
    ("mse_loss", (X, X.astype(np.float32)), TypeError, "the dtypes differ: input float64, target float32"),
    ("l1_loss", (np.arange(3), np.arange(3)), TypeError, "input has dtype int64"),
    ("huber_loss", (X, X, "mean", 0.0), ValueError, "delta is 0.0, expected a positive number"),
    ("smooth_l1_loss", (X, X, "mean", -1.0), ValueError, "beta is -1.0, expected at least 0"),
    ("cross_entropy", (X, np.array([0, 3])), ValueError, "target holds 3, expected 0 to 2 or -100"),
    ("cross_entropy", (X, np.array([0, -1])), ValueError, "target holds -1, expected 0 to 2"),
    ("cross_entropy", (X, np.array([0])), ValueError, r"target has shape \(1,\), expected \(2,\)"),
    ("cross_entropy", (X, np.ones(2)), TypeError, "target has dtype float64, expected integers"),
    ("cross_entropy", (X, T, np.ones(2)), ValueError, r"weight has shape \(2,\), expected \(3,\), one a class"),
    ("cross_entropy", (X, T, None, -100, "mean", 1.5), ValueError, "label_smoothing is 1.5, expected 0 to 1"),
    ("cross_entropy", (np.float64(1.0), T), ValueError, r"input has shape \(\)"),
    ("nll_loss", (X, [0, 1]), TypeError, "target is a list, expected an ndarray of integers"),
    ("cross_entropy", (X, None), TypeError, "target is a NoneType, expected an ndarray of integers"),
    ("mse_loss", (X, None), TypeError, "target is a NoneType, expected an ndarray"),
    ("binary_cross_entropy", (2 * X, X), ValueError, r"input holds numbers outside \[0, 1\]"),
    ("binary_cross_entropy", (X, X, np.ones(2)), ValueError, r"weight has shape \(2,\), expected one that broadcasts"),
    ("kl_div", (X, X, "batch"), ValueError, "expected one of 'none', 'mean', 'sum', 'batchmean'"),
]


@pytest.mark.parametrize(("name", "args", "error", "message"), BAD)
def test_wrong_input(name, args, error, message):
    with pytest.raises(error, match=message):
        getattr(nnbook, name)(*args)
