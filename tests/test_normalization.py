"""Normalization against torch over the whole argument grid, against plain loops, and against what it promises."""

import importlib
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
EPS = st.sampled_from([1e-5, 0.3, np.float64(1e-3), np.float32(0.25), 1])
MOMENTUM = st.sampled_from([0.1, 0.0, 1.0, np.float64(0.7), -0.5])
PLACES = st.sampled_from([(), (1,), (4,), (3, 5), (2, 1, 3), (0,), (3, 0)])


def randn(rng, *shape):
    return 2 * rng.standard_normal(shape) + 1


def some(rng, shape, present):
    """A random array, or None."""
    return randn(rng, *shape) if present else None


def statistics(rng, C, present=True):
    return (randn(rng, C), rng.uniform(0.5, 3, C)) if present else (None, None)


def like(a, x):
    """A numpy array as a fresh tensor, or tensor's array, in the dtype of x."""
    if a is None:
        return None
    return torch.tensor(a, dtype=x.dtype) if isinstance(x, torch.Tensor) else a.astype(x.dtype)


def torch_with_memory(f, running, **more):
    """torch's function with fresh running statistics, which it updates in place: (y, mean, var)."""
    def run(x, weight, bias):
        mean, var = (like(a, x) for a in running)
        weight, bias = (weight, bias) if x.numel() else (None, None)  # torch crashes on no channels with a weight
        y = f(x, mean, var, weight=weight, bias=bias, **more)
        return y if mean is None else (y, mean, var)
    return run


def precisions(eps):
    """Single precision too, unless eps is so small that close values blow up the rounding of both sides."""
    return (np.float64, np.float32) if eps > 0.1 else (np.float64,)


def compare(ours, theirs, arrays, rng, eps):
    """Values and gradients as torch's. Where x is empty torch's backward crashes or divides by nothing: it is zero."""
    if arrays[0].size:
        against_torch(ours, theirs, arrays, rng, dtypes=precisions(eps))
        return
    expected = theirs(*(None if a is None else torch.tensor(a) for a in arrays)).numpy()
    y, pullback = nnbook.vjp(ours, *arrays)
    assert_close(y, expected, 0)
    for g, a in zip(pullback(np.ones_like(y)), arrays, strict=True):
        assert a is None or (g.shape == a.shape and not g.any())


# --- values and gradients ---------------------------------------------------------------------------


@given(seed=SEEDS, lead=st.sampled_from([(), (1,), (4,), (2, 3), (0,), (2, 0)]), eps=EPS,
       shape=st.sampled_from([(5,), (1,), (3, 2), (0,), (2, 1, 3), (64,)]), sequence=st.sampled_from([tuple, list]),
       has=st.tuples(*[st.booleans()] * 2))
@settings(max_examples=60, deadline=None)
def test_layer_norm(seed, lead, shape, eps, has, sequence):
    rng = np.random.default_rng(seed)
    arrays = (randn(rng, *lead, *shape), some(rng, shape, has[0]), some(rng, shape, has[1]))
    against_torch(lambda x, w, b: nnbook.layer_norm(x, sequence(shape), w, b, eps),
                  lambda x, w, b: F.layer_norm(x, shape, w, b, float(eps)), arrays, rng, dtypes=precisions(eps))


@given(seed=SEEDS, lead=st.sampled_from([(), (1,), (4,), (2, 3), (0,)]), eps=EPS | st.none(), weighted=st.booleans(),
       shape=st.sampled_from([(5,), (1,), (3, 2), (0,), (64,)]))
@settings(max_examples=60, deadline=None)
def test_rms_norm(seed, lead, shape, eps, weighted):
    rng = np.random.default_rng(seed)
    arrays = (randn(rng, *lead, *shape), some(rng, shape, weighted))
    against_torch(lambda x, w: nnbook.rms_norm(x, shape, w, eps),
                  lambda x, w: F.rms_norm(x, shape, w, None if eps is None else float(eps)), arrays, rng)


@given(seed=SEEDS, N=st.sampled_from([0, 2, 3]), places=PLACES, eps=EPS, has=st.tuples(*[st.booleans()] * 2),
       groups=st.sampled_from([(6, 1), (6, 2), (6, 6), (5, 5), (1, 1), (0, 2)]))
@settings(max_examples=60, deadline=None)
def test_group_norm(seed, N, places, groups, eps, has):
    rng, (C, G) = np.random.default_rng(seed), groups
    arrays = (randn(rng, N, C, *places), some(rng, (C,), has[0]), some(rng, (C,), has[1]))

    def theirs(x, w, b):
        w = x.new_ones(C) if w is None and b is not None else w  # torch's backward crashes on a bias alone
        return F.group_norm(x, G, w, b, float(eps))

    compare(lambda x, w, b: nnbook.group_norm(x, np.int64(G), w, b, eps), theirs, arrays, rng, eps)


@given(seed=SEEDS, N=st.sampled_from([0, 2, 5]), C=st.sampled_from([3, 1, 0]), places=PLACES, eps=EPS,
       momentum=MOMENTUM, has=st.tuples(*[st.booleans()] * 3), training=st.booleans())
@settings(max_examples=80, deadline=None)
def test_batch_norm(seed, N, C, places, eps, momentum, has, training):
    rng = np.random.default_rng(seed)
    running = statistics(rng, C, has[2] or not training)
    arrays = (randn(rng, N, C, *places), some(rng, (C,), has[0]), some(rng, (C,), has[1]))
    more = {"training": training, "momentum": float(momentum), "eps": float(eps)}

    def ours(x, w, b):
        out = nnbook.batch_norm(x, *(like(a, x) for a in running), w, b, training, momentum, eps)
        assert isinstance(out, tuple) and len(out) == 3 and (running[0] is not None or out[1:] == (None, None))
        return out if running[0] is not None else out[0]

    theirs = torch_with_memory(F.batch_norm, running, **more)
    if running[0] is None:
        compare(ours, theirs, arrays, rng, eps)
    else:
        compare(lambda *a: ours(*a)[0], lambda *a: theirs(*a)[0], arrays, rng, eps)
        compare_running(ours, theirs, arrays, eps)


@given(seed=SEEDS, N=st.sampled_from([0, 1, 4]), C=st.sampled_from([3, 1, 0]), eps=EPS, momentum=MOMENTUM,
       places=st.sampled_from([(4,), (3, 5), (2, 1, 3), (0,)]), has=st.tuples(*[st.booleans()] * 3), own=st.booleans())
@settings(max_examples=80, deadline=None)
def test_instance_norm(seed, N, C, places, eps, momentum, has, own):
    rng = np.random.default_rng(seed)
    running = statistics(rng, C, has[2] or not own)
    arrays = (randn(rng, N, C, *places), some(rng, (C,), has[0]), some(rng, (C,), has[1]))
    more = {"use_input_stats": own, "momentum": float(momentum), "eps": float(eps)}

    def ours(x, w, b):
        return nnbook.instance_norm(x, *(like(a, x) for a in running), w, b, own, momentum, eps)

    theirs = torch_with_memory(F.instance_norm, running, **more)
    if running[0] is None:
        compare(ours, theirs, arrays, rng, eps)
    else:
        compare(lambda *a: ours(*a)[0], lambda *a: theirs(*a)[0], arrays, rng, eps)
        compare_running(ours, theirs, arrays, eps)


def compare_running(ours, theirs, arrays, eps):
    """The statistics after the step."""
    for dtype in precisions(eps):
        tol = 1e-12 if dtype == np.float64 else 2e-5
        cast = [None if a is None else a.astype(dtype) for a in arrays]
        expected = theirs(*(None if a is None else torch.tensor(a) for a in cast))
        for got, e in zip(ours(*cast), expected, strict=True):
            assert got.dtype == dtype
            assert_close(got, e.numpy(), tol)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_places_on_one_example_or_none(training):
    """torch takes an empty vector as no channels, and one example when not training."""
    y, mean, var = nnbook.batch_norm(np.ones(0), np.ones(0), np.ones(0), training=training)
    assert y.shape == mean.shape == var.shape == (0,)
    rng = np.random.default_rng(0)
    x, running = randn(rng, 1, 3), statistics(rng, 3)
    against_torch(lambda x: nnbook.batch_norm(x, *(like(a, x) for a in running))[0],
                  lambda x: F.batch_norm(x, *(like(a, x) for a in running)), (x,), rng)


def loop(x, members, weight, bias, eps):
    """The equation, entry by entry; `members(i)` is where the entries are that share the statistics of entry i."""
    y = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        mine = [x[j] for j in np.ndindex(x.shape) if members(i, j)]
        mean = sum(mine) / len(mine)
        var = sum((a - mean) ** 2 for a in mine) / len(mine)
        y[i] = weight[i[1]] * (x[i] - mean) / math.sqrt(var + eps) + bias[i[1]]
    return y


def test_who_shares_statistics_with_whom():
    """Four methods, one equation: only the set of entries to average over differs."""
    rng, eps = np.random.default_rng(1), 0.1
    x, w, b = randn(rng, 2, 6, 3), randn(rng, 6), randn(rng, 6)
    for got, members in [
        (nnbook.batch_norm(x, None, None, w, b, True, eps=eps)[0], lambda i, j: i[1] == j[1]),
        (nnbook.instance_norm(x, weight=w, bias=b, eps=eps), lambda i, j: i[:2] == j[:2]),
        (nnbook.group_norm(x, 3, w, b, eps), lambda i, j: i[0] == j[0] and i[1] // 2 == j[1] // 2),
        (nnbook.group_norm(x, 1, w, b, eps), lambda i, j: i[0] == j[0]),
        (np.moveaxis(nnbook.layer_norm(np.moveaxis(x, 1, 2), 6, w, b, eps), 2, 1),
         lambda i, j: i[0] == j[0] and i[2] == j[2]),
    ]:
        assert_close(got, loop(x, members, w, b, eps), 1e-13)


def test_rms_norm_is_the_loop():
    rng, D = np.random.default_rng(2), 5
    x, w = randn(rng, 3, D), randn(rng, D)
    expected = [[w[d] * x[n, d] / math.sqrt(sum(a * a for a in x[n]) / D + 0.1) for d in range(D)] for n in range(3)]
    assert_close(nnbook.rms_norm(x, D, w, 0.1), np.array(expected), 1e-14)


@pytest.mark.parametrize("f", [
    lambda x, w, b: nnbook.layer_norm(x.swapaxes(1, 2), 6, w, b, 0.2),
    lambda x, w, b: nnbook.rms_norm(x.swapaxes(1, 2), 6, w) * b,
    lambda x, w, b: nnbook.group_norm(x, 3, w, b, 0.2),
    lambda x, w, b: nnbook.instance_norm(x, None, None, w, b, eps=0.2),
    lambda x, w, b: nnbook.batch_norm(x, None, None, w, b, training=True, eps=0.2)[0],
    lambda x, w, b: nnbook.batch_norm(x, np.arange(6.0), np.arange(6.0), w, b, eps=0.2)[0],
], ids=["layer", "rms", "group", "instance", "batch training", "batch evaluation"])
def test_complex_step(f):
    rng = np.random.default_rng(3)
    against_complex_step(f, (randn(rng, 4, 6, 3), randn(rng, 6), randn(rng, 6)), rng)


# --- what normalization promises --------------------------------------------------------------------


def test_the_gradient_is_orthogonal_to_ones_and_to_the_result():
    """No step along x -> x + c or x -> c x can change the result, so the gradient has no part there."""
    rng = np.random.default_rng(4)
    x, dy = randn(rng, 7, 5), randn(rng, 7, 5)
    y, pullback = nnbook.vjp(lambda x: nnbook.layer_norm(x, 5, eps=0.0), x)
    dx, = pullback(dy)
    assert_close(dx.sum(axis=1), np.zeros(7), 1e-14)
    assert_close((dx * y).sum(axis=1), np.zeros(7), 1e-14)
    y, pullback = nnbook.vjp(lambda x: nnbook.rms_norm(x, 5, eps=0.0), x)
    dx, = pullback(dy)
    assert np.abs(dx.sum(axis=1)).min() > 1e-3
    assert_close((dx * y).sum(axis=1), np.zeros(7), 1e-14)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("D", [1, 3, 7, 100, 513])
def test_constant_rows_are_exactly_zero(D, dtype):
    x = np.repeat(np.array([[0.1], [-1e4], [1 / 3], [0.0]], dtype), D, axis=1)
    y, pullback = nnbook.vjp(lambda x: nnbook.layer_norm(x, D), x)
    np.testing.assert_array_equal(y, 0)
    dx, = pullback(np.ones_like(x))
    assert_close(dx, np.zeros_like(x), 1e-3)
    np.testing.assert_array_equal(nnbook.instance_norm(np.stack([x, x])) if D > 1 else 0, 0)


def test_single_precision_with_a_large_mean_and_over_many_values():
    rng = np.random.default_rng(5)
    x = (1e3 + rng.standard_normal((5, 3000))).astype(np.float32)
    exact = F.layer_norm(torch.tensor(x).double(), (3000,)).numpy()
    assert_close(nnbook.layer_norm(x, 3000), exact, 2e-6)
    start = np.zeros(2, np.float32), np.ones(2, np.float32)
    for shape in [(30_000, 2), (60, 2, 5000)]:
        x = rng.uniform(0, 4, shape).astype(np.float32)
        running = [torch.tensor(a).double() for a in start]
        expected = F.batch_norm(torch.tensor(x).double(), *running, training=True, momentum=1.0)
        got = nnbook.batch_norm(x, *start, training=True, momentum=1.0)
        for a, e, tol in zip(got, (expected, *running), (5e-6, 2e-7, 5e-6), strict=True):
            assert a.dtype == np.float32
            assert_close(a, e.numpy(), tol)


def test_single_precision_is_within_2e_5_of_torchs():
    rng = np.random.default_rng(6)
    x, w, b = (randn(rng, *s).astype(np.float32) for s in ((37, 24, 11), (24,), (24,)))
    t = [torch.tensor(a) for a in (x, w, b)]
    zero, one = np.zeros(24, np.float32), np.ones(24, np.float32)
    for got, expected in [
        (nnbook.layer_norm(x.swapaxes(1, 2), 24, w, b), F.layer_norm(t[0].swapaxes(1, 2), (24,), *t[1:])),
        (nnbook.rms_norm(x.swapaxes(1, 2), 24, w), F.rms_norm(t[0].swapaxes(1, 2), (24,), t[1])),
        (nnbook.group_norm(x, 4, w, b), F.group_norm(t[0], 4, *t[1:])),
        (nnbook.instance_norm(x, weight=w, bias=b), F.instance_norm(t[0], weight=t[1], bias=t[2])),
        (nnbook.batch_norm(x, zero, one, w, b, True)[0], F.batch_norm(t[0], None, None, *t[1:], True)),
    ]:
        assert_close(got, expected.numpy(), 2e-5)


def test_many_blocks_of_rows():
    """Large inputs are worked on block by block; the seams are invisible."""
    block = importlib.import_module("nnbook.normalization.standardize").BLOCK
    rng = np.random.default_rng(7)
    x, w, b = randn(rng, 1037, 6, 50), randn(rng, 6), randn(rng, 6)
    assert x.nbytes > 2 * block
    v, c = randn(rng, 300), randn(rng, 300)
    running, double = statistics(rng, 6), (np.float64,)
    for ours, theirs, arrays in [
        (lambda x, w, b: nnbook.layer_norm(x, (6, 50), w, b), lambda x, w, b: F.layer_norm(x, (6, 50), w, b),
         (x, v.reshape(6, 50), c.reshape(6, 50))),
        (lambda x, w: nnbook.rms_norm(x, (300,), w), lambda x, w: F.rms_norm(x, (300,), w), (x.reshape(1037, 300), v)),
        (lambda x, w, b: nnbook.group_norm(x, 2, w, b), lambda x, w, b: F.group_norm(x, 2, w, b), (x, w, b)),
        (lambda x, w, b: nnbook.instance_norm(x, None, None, w, b),
         lambda x, w, b: F.instance_norm(x, None, None, w, b), (x, w, b)),
        (lambda x, w, b: nnbook.batch_norm(x, *running, w, b, True)[0],
         lambda x, w, b: F.batch_norm(x, None, None, w, b, True), (x, w, b)),
        (lambda x, w, b: nnbook.batch_norm(x, *running, w, b)[0],
         lambda x, w, b: F.batch_norm(x, *map(torch.tensor, running), w, b), (x, w, b)),
    ]:
        against_torch(ours, theirs, arrays, rng, dtypes=double)


# --- extremes ---------------------------------------------------------------------------------------


INF, NAN = math.inf, math.nan
ROWS = np.array([[1e4, -1e4, 0, 3], [INF, 1, 2, 3], [-INF, INF, 0, 1], [NAN, 1, 2, 3], [2, 2, 2, 2], [0, 0, 0, 0],
                 [1e30, -1e30, 5, 0], [1e-30, 2e-30, 0, 0]])


@pytest.mark.parametrize("eps", [1e-5, 0.0, -0.5, -1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("ours", "theirs", "instance"), [
    (lambda x, e: nnbook.layer_norm(x, 4, eps=e), lambda x, e: F.layer_norm(x, (4,), eps=e), False),
    (lambda x, e: nnbook.rms_norm(x, 4, eps=e), lambda x, e: F.rms_norm(x, (4,), eps=e), False),
    (lambda x, e: nnbook.group_norm(x[:, :, None], 1, eps=e)[:, :, 0], lambda x, e: F.group_norm(x, 1, eps=e), False),
    (lambda x, e: nnbook.instance_norm(x[None], eps=e)[0], lambda x, e: F.instance_norm(x[None], eps=e)[0], True),
], ids=["layer", "rms", "group", "instance"])
def test_extremes_are_torchs(ours, theirs, instance, dtype, eps):
    """Infinite, huge, tiny and constant rows, and an eps that leaves no root; without a warning."""
    x = ROWS.astype(dtype)
    y, pullback = nnbook.vjp(lambda x: ours(x, eps), x)
    expected = theirs(torch.tensor(x), eps).numpy()
    kept = slice(None) if eps or not instance else [0, 1, 2, 3, 6]  # 0 / 0 is nan, but 0 in torch's instance norm
    assert_close(y[kept], expected[kept], 1e-6)
    pullback(np.ones_like(x))  # warns of nothing


def test_extremes_of_running_statistics():
    x = np.array([[1.0, INF, 1e30, NAN], [2.0, 3.0, -1e30, 0.0]], np.float32)
    start = np.zeros(4, np.float32), np.ones(4, np.float32)
    running = [torch.tensor(a) for a in start]
    expected = F.batch_norm(torch.tensor(x), *running, training=True)
    for got, e in zip(nnbook.batch_norm(x, *start, training=True), (expected, *running), strict=True):
        assert_close(got, e.numpy(), 1e-5)
    unused = np.array([1e4, -1.0, INF, 1e-30], np.float32)  # a variance below zero, an infinite one
    ours, pullback = nnbook.vjp(lambda x: nnbook.batch_norm(x, unused, unused, eps=0.0)[0], x)
    assert_close(ours, F.batch_norm(torch.tensor(x), *[torch.tensor(unused)] * 2, eps=0.0).numpy(), 1e-5)
    pullback(x)


# --- half precision ---------------------------------------------------------------------------------


HALF = [
    (lambda x, m, v, w, b: nnbook.layer_norm(x, 40, w, b), lambda x, m, v, w, b: F.layer_norm(x, (40,), w, b)),
    (lambda x, m, v, w, b: nnbook.rms_norm(x, 40, w), lambda x, m, v, w, b: F.rms_norm(x, (40,), w)),
    (lambda x, m, v, w, b: nnbook.group_norm(x, 4, w, b), lambda x, m, v, w, b: F.group_norm(x, 4, w, b)),
    (lambda x, m, v, w, b: nnbook.instance_norm(x, None, None, w, b),
     lambda x, m, v, w, b: F.instance_norm(x, None, None, w, b)),
    (lambda x, m, v, w, b: nnbook.batch_norm(x, m, v, w, b)[0], lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b)),
    (lambda x, m, v, w, b: nnbook.batch_norm(x, m, v, w, b, True)[0],
     lambda x, m, v, w, b: F.batch_norm(x, m, v, w, b, True)),
]


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")
@pytest.mark.parametrize("wide", [np.float16, np.float32])
@pytest.mark.parametrize(("ours", "theirs"), HALF, ids=["layer", "rms", "group", "instance", "evaluation", "training"])
def test_half_precision_is_computed_in_single_and_rounded_once(ours, theirs, wide):
    """Parameters and statistics may be float32 beside x in float16, as in torch."""
    rng, half = np.random.default_rng(8), np.float16
    x = (300 * randn(rng, 50, 40, 40)).astype(half)  # its squares overflow half precision
    m, w, b = (randn(rng, 40).astype(wide) for _ in range(3))
    v = rng.uniform(1, 2, 40).astype(wide)
    y, pullback = nnbook.vjp(ours, x, m, v, w, b)
    assert y.dtype == half and np.isfinite(y).all()
    assert_close(y, theirs(*(torch.tensor(a) for a in (x, m, v, w, b))).numpy(), 1e-3)
    exact = ours(*(a.astype(np.float32) for a in (x, m, v, w, b)))
    np.testing.assert_array_equal(y, exact.astype(half))
    assert [g.dtype for g in pullback(np.ones_like(y))] == [half, wide, wide, wide, wide]


@pytest.mark.parametrize("wide", [np.float16, np.float32])
def test_running_statistics_beside_half_precision(wide):
    rng = np.random.default_rng(16)
    x, (m, v) = randn(rng, 5, 3, 4).astype(np.float16), (a.astype(wide) for a in statistics(rng, 3))
    for f, theirs in [(nnbook.batch_norm, F.batch_norm), (nnbook.instance_norm, F.instance_norm)]:
        stats = [torch.tensor(m), torch.tensor(v)]
        expected = theirs(torch.tensor(x), *stats, None, None, True)
        got = f(x, m, v, None, None, True)
        assert [a.dtype for a in got] == [np.float16, wide, wide]
        for a, e in zip(got, (expected, *stats), strict=True):
            assert_close(a, e.numpy(), 1e-3)


def test_the_gradient_in_half_precision():
    rng = np.random.default_rng(9)
    x, w, b, dy = (randn(rng, *s).astype(np.float16) for s in ((9, 20), (20,), (20,), (9, 20)))
    grads = nnbook.vjp(lambda *a: nnbook.layer_norm(a[0], 20, *a[1:]), x, w, b)[1](dy)
    tensors = [torch.tensor(a).double().requires_grad_() for a in (x, w, b)]
    exact = torch.autograd.grad(F.layer_norm(tensors[0], (20,), *tensors[1:]), tensors, torch.tensor(dy).double())
    for g, e in zip(grads, exact, strict=True):
        assert g.dtype == np.float16
        assert_close(g, e.numpy(), 1e-3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_rms_norms_own_eps(dtype):
    """Machine epsilon, of single precision for half; visible where x is small."""
    x = np.array([[1e-4, 2e-4, -3e-4, 0]]).astype(dtype) * (1 if dtype == np.float16 else dtype(1e-3))
    expected = F.rms_norm(torch.tensor(x), (4,)).numpy()
    assert_close(nnbook.rms_norm(x, 4) / expected.max(), expected / expected.max(), 1e-3)
    assert nnbook.rms_norm(x, 4, eps=0.0)[0, 1] > (1.001 if dtype != np.float64 else 1) * nnbook.rms_norm(x, 4)[0, 1]


# --- running statistics -----------------------------------------------------------------------------


def test_nothing_is_changed_in_place():
    rng = np.random.default_rng(10)
    x, w, b, (m, v) = randn(rng, 4, 3, 5), randn(rng, 3), randn(rng, 3), statistics(rng, 3)
    before = [a.copy() for a in (x, w, b, m, v)]
    for f in (nnbook.batch_norm, nnbook.instance_norm):
        for own in (True, False):
            (y, *_), pullback = nnbook.vjp(lambda x, w, b, f=f, own=own: f(x, m, v, w, b, own), x, w, b)
            dy = randn(rng, *y.shape)
            copy = dy.copy()
            pullback((dy, m, v))
            np.testing.assert_array_equal(dy, copy)
            for a, old in zip((x, w, b, m, v), before, strict=True):
                np.testing.assert_array_equal(a, old)


@pytest.mark.parametrize("training", [True, False])
def test_running_statistics_pass_no_gradient(training):
    """One dict may hold them beside weight and bias; torch, too, gives its buffers no gradient."""
    rng = np.random.default_rng(11)
    p, x = nnbook.init_batch_norm(3), randn(rng, 6, 3)

    def loss(p, x):
        y, *running = nnbook.batch_norm(x, **p, training=training)
        return (y * y * y).sum() + 1e3 * running[0].sum(), running

    (_, running), (grads, dx) = nnbook.value_and_grad(loss, argnums=(0, 1), has_aux=True)(p, x)
    assert all(type(a) is np.ndarray for a in running)
    np.testing.assert_array_equal(grads["running_mean"], 0)
    np.testing.assert_array_equal(grads["running_var"], 0)
    X, W = torch.tensor(x, requires_grad=True), torch.ones(3, dtype=torch.float64, requires_grad=True)
    y = F.batch_norm(X, *(torch.tensor(p[k]) for k in ("running_mean", "running_var")), W, None, training)
    expected = torch.autograd.grad((y ** 3).sum(), [X, W])
    assert_close(dx, expected[0].numpy(), 1e-12)
    assert_close(grads["weight"], expected[1].numpy(), 1e-12)


def test_training_then_evaluation_as_torchs_module():
    """Ten batches through BatchNorm2d and InstanceNorm2d, then evaluation with what they remember."""
    rng = np.random.default_rng(12)
    instance = torch.nn.InstanceNorm2d(3, momentum=0.3, affine=True, track_running_stats=True)
    for f, module, flag in [(nnbook.batch_norm, torch.nn.BatchNorm2d(3, momentum=0.3), "training"),
                            (nnbook.instance_norm, instance, "use_input_stats")]:
        module, p = module.double(), nnbook.init_batch_norm(3)
        for k in ("weight", "bias"):
            p[k] = randn(rng, 3)
            getattr(module, k).data = torch.tensor(p[k])
        for _ in range(10):
            x = randn(rng, 4, 3, 5, 2)
            y, mean, var = f(x, **p, momentum=0.3, **{flag: True})
            assert_close(y, module(torch.tensor(x)).detach().numpy(), 1e-12)
            p |= {"running_mean": mean, "running_var": var}
        assert_close(p["running_var"], module.running_var.numpy(), 1e-12)
        module.eval()
        x = randn(rng, 1, 3, 1, 1)
        assert_close(f(x, **p, **{flag: False})[0], module(torch.tensor(x)).detach().numpy(), 1e-12)


def test_parameters_begin_as_torchs_and_fit_their_function():
    x = np.random.default_rng(13).standard_normal((4, 6, 5)).astype(np.float32)
    for init, args, call, module in [
        (nnbook.init_layer_norm, (5,), lambda p: nnbook.layer_norm(x, 5, **p), torch.nn.LayerNorm(5)),
        (nnbook.init_layer_norm, ((6, 5),), lambda p: nnbook.layer_norm(x, (6, 5), **p), torch.nn.LayerNorm((6, 5))),
        (nnbook.init_rms_norm, (5,), lambda p: nnbook.rms_norm(x, 5, **p), torch.nn.RMSNorm(5)),
        (nnbook.init_group_norm, (6,), lambda p: nnbook.group_norm(x, 3, **p), torch.nn.GroupNorm(3, 6)),
        (nnbook.init_instance_norm, (6,), lambda p: nnbook.instance_norm(x, **p),
         torch.nn.InstanceNorm1d(6, affine=True)),
        (nnbook.init_batch_norm, (6,), lambda p: nnbook.batch_norm(x, **p, training=True)[0], torch.nn.BatchNorm1d(6)),
    ]:
        p, state = init(*args, dtype=np.float32), module.state_dict()
        assert p.keys() == state.keys() - {"num_batches_tracked"}
        for k in p:
            assert p[k].dtype == np.float32
            np.testing.assert_array_equal(p[k], state[k].numpy())
        y = call(p)
        assert y.dtype == np.float32
        assert_close(y, module(torch.tensor(x)).detach().numpy(), 2e-5)
        assert all(a.dtype == np.float64 for a in init(*args).values())


def test_tensors_by_keyword_and_a_layer_used_twice():
    rng = np.random.default_rng(14)
    x, w, b = randn(rng, 4, 5), randn(rng, 5), randn(rng, 5)
    against_torch(lambda x, w, b: nnbook.layer_norm(x=nnbook.layer_norm(x, 5, bias=b, weight=w), normalized_shape=[5],
                                                    weight=w, bias=b),
                  lambda x, w, b: F.layer_norm(F.layer_norm(x, (5,), w, b), (5,), w, b), (x, w, b), rng)


def test_arrays_that_are_not_contiguous():
    rng = np.random.default_rng(15)
    x = np.asfortranarray(randn(rng, 3, 4, 6)).transpose(2, 1, 0)[::2]
    w = randn(rng, 6)[::-2]
    against_torch(lambda x, w: nnbook.layer_norm(x, 3, w), lambda x, w: F.layer_norm(x, (3,), w), (x, w), rng)
    y = nnbook.batch_norm(x, None, None, training=True)[0]
    assert_close(y, nnbook.batch_norm(x.copy(), None, None, training=True)[0], 1e-14)


# --- wrong input ------------------------------------------------------------------------------------


X, M, O6 = np.arange(48.0).reshape(4, 6, 2), np.zeros(6), np.ones(6)
F32 = np.float32
BAD = [
    ("layer_norm", (X, 3), {}, r"normalized_shape is 3, expected the last sizes of x, which has shape \(4, 6, 2\)"),
    ("layer_norm", (X, (2, 6)), {}, r"normalized_shape is \(2, 6\), expected the last sizes"),
    ("layer_norm", (X, (1,)), {}, r"normalized_shape is \(1,\), expected the last sizes"),
    ("layer_norm", (X, (3, 4, 6, 2)), {}, r"normalized_shape is \(3, 4, 6, 2\)"),
    ("layer_norm", (X, ()), {}, r"normalized_shape is \(\), expected the last sizes"),
    ("layer_norm", (X, (-1,)), {}, r"normalized_shape is \(-1,\)"),
    ("layer_norm", (X, (2.0,)), {}, r"normalized_shape is \(2.0,\), expected integers"),
    ("layer_norm", (X, None), {}, "normalized_shape is None, expected integers"),
    ("layer_norm", (X, ("2",)), {}, r"normalized_shape is \('2',\), expected integers"),
    ("layer_norm", (np.float64(1), (1,)), {}, r"which has shape \(\)"),
    ("layer_norm", (X, (2,), np.ones(1)), {}, r"weight has shape \(1,\), expected \(2,\) for x \(4, 6, 2\)"),
    ("layer_norm", (X, (6, 2), np.ones(2)), {}, r"weight has shape \(2,\), expected \(6, 2\)"),
    ("layer_norm", (X, (2,), np.ones(2), np.ones((1, 2))), {}, r"bias has shape \(1, 2\), expected \(2,\)"),
    ("layer_norm", (X, (2,), np.ones(2, F32)), {}, "the dtypes differ: x float64, weight float32"),
    ("layer_norm", (X, (2,), np.ones(2), np.ones(2, F32)), {}, "the dtypes differ: weight float64, bias float32"),
    ("layer_norm", (X.astype(np.float16), (2,), np.ones(2)), {}, "the dtypes differ: x float16, weight float64"),
    ("layer_norm", (X.astype(F32), (2,), np.ones(2, np.float16)), {}, "the dtypes differ: x float32, weight float16"),
    ("layer_norm", (X.astype(int), (2,)), {}, "x has dtype int64, expected floating point"),
    ("layer_norm", (X > 3, (2,)), {}, "x has dtype bool"),
    ("layer_norm", (X.tolist(), (2,)), {}, "x is a list, expected an ndarray"),
    ("layer_norm", (None, (2,)), {}, "x is a NoneType, expected an ndarray"),
    ("layer_norm", (X, (2,), [1.0, 1.0]), {}, "weight is a list, expected an ndarray"),
    ("layer_norm", (X, (2,)), {"eps": None}, "eps is None, expected a number"),
    ("layer_norm", (X, (2,)), {"eps": "1e-5"}, "eps is '1e-5', expected a number"),
    ("rms_norm", (X, (6,)), {}, r"rms_norm: normalized_shape is \(6,\), expected the last sizes"),
    ("rms_norm", (X, ()), {}, r"normalized_shape is \(\)"),
    ("rms_norm", (np.float64(1), (1,)), {}, r"which has shape \(\)"),
    ("rms_norm", (X, (2,), np.ones(6)), {}, r"rms_norm: weight has shape \(6,\), expected \(2,\)"),
    ("rms_norm", (X, (2,)), {"eps": "a"}, "eps is 'a', expected a number"),
    ("rms_norm", (X.astype(int), (2,)), {}, "rms_norm: x has dtype int64"),
    ("group_norm", (X, 4), {}, "num_groups is 4, expected a divisor of 6, the channels of x"),
    ("group_norm", (X, 12), {}, "num_groups is 12, expected a divisor of 6"),
    ("group_norm", (X, 0), {}, "num_groups is 0, expected a divisor"),
    ("group_norm", (X, -2), {}, "num_groups is -2, expected a divisor"),
    ("group_norm", (X, 2.0), {}, "num_groups is 2.0, expected an integer"),
    ("group_norm", (X, None), {}, "num_groups is None, expected an integer"),
    ("group_norm", (X[0, :, 0], 2), {}, r"x has shape \(6,\), expected \(N, C, ...\)"),
    ("group_norm", (X[:1, :, 0], 6), {}, r"x has shape \(1, 6\), one value for each mean, expected more than one"),
    ("group_norm", (X[:1, :, :1], 6), {}, r"x has shape \(1, 6, 1\), one value for each mean"),
    ("group_norm", (X, 2, np.ones(2)), {}, r"weight has shape \(2,\), expected \(6,\) for x \(4, 6, 2\)"),
    ("group_norm", (X, 2, None, np.ones((6, 1))), {}, r"bias has shape \(6, 1\), expected \(6,\)"),
    ("group_norm", (X.astype(int), 2), {}, "group_norm: x has dtype int64"),
    ("group_norm", (X, 2), {"eps": None}, "eps is None"),
    ("batch_norm", (X, None, None), {}, "running_mean is None, expected an array where the statistics of x are not"),
    ("batch_norm", (X, M, None), {}, "running_var is None, expected an array"),
    ("batch_norm", (X, None, O6), {}, "running_mean is None, expected an array"),
    ("batch_norm", (X, M, None), {"training": True}, "running_var is None, expected an array"),
    ("batch_norm", (X, None, O6), {"training": True}, "running_mean is None, expected an array"),
    ("batch_norm", (X[:1, :, 0], M, O6), {"training": True}, r"x has shape \(1, 6\), one value for each mean"),
    ("batch_norm", (X[:1, :, :1], None, None), {"training": True}, r"x has shape \(1, 6, 1\), one value"),
    ("batch_norm", (X[0, :, 0], M, O6), {}, r"x has shape \(6,\), expected \(N, C, ...\)"),
    ("batch_norm", (np.float64(1), np.ones(1), np.ones(1)), {}, r"x has shape \(\)"),
    ("batch_norm", (X, np.zeros(5), O6), {}, r"running_mean has shape \(5,\), expected \(6,\) for x \(4, 6, 2\)"),
    ("batch_norm", (X, M, np.ones(1)), {"training": True}, r"running_var has shape \(1,\), expected \(6,\)"),
    ("batch_norm", (X, M[None], O6[None]), {}, r"running_mean has shape \(1, 6\), expected \(6,\)"),
    ("batch_norm", (X, M, O6, np.ones(2)), {}, r"weight has shape \(2,\), expected \(6,\)"),
    ("batch_norm", (X, M, O6, O6, np.ones(1)), {}, r"bias has shape \(1,\), expected \(6,\)"),
    ("batch_norm", (X, M, O6), {"eps": -1e-5}, "eps is -1e-05, expected a positive number"),
    ("batch_norm", (X, M, O6), {"eps": 0.0, "training": True}, "eps is 0.0, expected a positive number"),
    ("batch_norm", (X, M, O6), {"eps": None}, "eps is None, expected a number"),
    ("batch_norm", (X, M, O6), {"momentum": None}, "momentum is None, expected a number"),
    ("batch_norm", (X, M, O6), {"momentum": "0.1"}, "momentum is '0.1', expected a number"),
    ("batch_norm", (X, M.astype(F32), O6.astype(F32)), {}, "the dtypes differ: x float64, running_mean float32"),
    ("batch_norm", (X.astype(F32), M, O6), {"training": True}, "the dtypes differ: x float32, running_mean float64"),
    ("batch_norm", (X.astype(int), M, O6), {}, "batch_norm: x has dtype int64"),
    ("batch_norm", (X, M.astype(int), O6), {}, "running_mean has dtype int64, expected floating point"),
    ("instance_norm", (X[:, :, 0],), {}, r"x has shape \(4, 6\), one value for each mean"),
    ("instance_norm", (X[:, :, :1],), {}, r"x has shape \(4, 6, 1\), one value for each mean"),
    ("instance_norm", (X[0, :, 0],), {}, r"x has shape \(6,\), expected \(N, C, ...\)"),
    ("instance_norm", (X,), {"use_input_stats": False}, "running_mean is None, expected an array where the statistics"),
    ("instance_norm", (X, M), {"use_input_stats": False}, "running_var is None, expected an array"),
    ("instance_norm", (X, M), {}, "running_var is None, expected an array"),
    ("instance_norm", (X, None, O6), {}, "running_mean is None, expected an array"),
    ("instance_norm", (X, np.zeros(2), np.ones(2)), {}, r"running_mean has shape \(2,\), expected \(6,\)"),
    ("instance_norm", (X, None, None, np.ones(24)), {}, r"weight has shape \(24,\), expected \(6,\)"),
    ("instance_norm", (X, None, None, O6, np.ones(2)), {}, r"bias has shape \(2,\), expected \(6,\)"),
    ("instance_norm", (X,), {"momentum": None}, "momentum is None, expected a number"),
    ("instance_norm", (X,), {"eps": "a"}, "eps is 'a', expected a number"),
    ("instance_norm", (X.astype(int),), {}, "instance_norm: x has dtype int64"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD)
def test_wrong_input_is_rejected_here_as_in_torch(name, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=f"{name}: |{message}") as caught:
        getattr(nnbook, name)(*args, **kwargs)
    assert caught.match(message)
    tensors = [torch.tensor(a) if isinstance(a, np.ndarray | np.generic) else a for a in args]
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, ZeroDivisionError, AttributeError)):
        getattr(F, name)(*tensors, **kwargs)


def test_more_wrong_input():
    """What torch takes and would broadcast, or computes in other kinds, is refused."""
    with pytest.raises(ValueError, match=r"weight has shape \(6, 1\), expected \(6,\)"):
        nnbook.batch_norm(X, M, O6, O6[:, None])
    with pytest.raises(ValueError, match=r"instance_norm: weight has shape \(3,\), expected \(6,\)"):
        nnbook.grad(lambda w: nnbook.instance_norm(X, weight=w).sum())(np.ones(3))
    with pytest.raises(TypeError, match="rms_norm: the dtypes differ: x float32, weight float64"):
        nnbook.rms_norm(X.astype(F32), 2, np.ones(2))
