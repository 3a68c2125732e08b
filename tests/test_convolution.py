"""Convolutions against torch over the whole argument grid, against plain loops, and against their adjoints."""

import itertools
import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook

SEEDS = st.integers(0, 2**32 - 1)
warnings.filterwarnings("ignore", message="Using padding='same'")


def randn(rng, *shape):
    return rng.standard_normal(shape)


@st.composite
def geometry(draw, n):
    """Sizes of x and kernel, and settings that fit them, per axis."""
    def axes(low, high):
        return tuple(draw(st.integers(low, high)) for _ in range(n))
    kernel, stride, dilation, padding = axes(1, 4), axes(1, 4), axes(1, 3), axes(0, 3)
    spatial = tuple(max(d * (k - 1) + 1 - 2 * p, 1) + draw(st.integers(0, 6))
                    for k, d, p in zip(kernel, dilation, padding, strict=True))
    groups, per_group, outputs = draw(st.sampled_from(
        [(1, 3, 2), (1, 1, 5), (2, 3, 2), (3, 1, 1), (3, 1, 2), (2, 2, 1)]))
    batch = draw(st.sampled_from([(), (1,), (2,), (5,)]))
    if n == 2 and draw(st.booleans()):
        stride = (stride[0],) * 2
    return spatial, kernel, stride, dilation, padding, groups, per_group, outputs * groups, batch


def simplest(setting):
    """An int where all axes agree, so that both ways of saying it are tested."""
    return setting[0] if len(set(setting)) == 1 else setting


@pytest.mark.parametrize("n", [1, 2])
@given(data=st.data(), seed=SEEDS, biased=st.booleans(), pad=st.sampled_from(["number", "same", "valid"]))
@settings(max_examples=60, deadline=None)
def test_conv(n, data, seed, biased, pad):
    spatial, kernel, stride, dilation, padding, groups, per_group, O, batch = data.draw(geometry(n))
    rng = np.random.default_rng(seed)
    if pad != "number":
        spatial = tuple(s + d * (k - 1) for s, k, d in zip(spatial, kernel, dilation, strict=True))
        padding, stride = pad, stride if pad == "valid" else (1,) * n
    arrays = (randn(rng, *batch, groups * per_group, *spatial), randn(rng, O, per_group, *kernel), randn(rng, O))
    arrays = arrays[: 2 + biased]
    more = {"stride": simplest(stride), "padding": padding if isinstance(padding, str) else simplest(padding),
            "dilation": simplest(dilation), "groups": groups}
    ours, theirs = getattr(nnbook, f"conv{n}d"), getattr(F, f"conv{n}d")
    against_torch(lambda *a: ours(*a, **more), lambda *a: theirs(*a, **more), arrays, rng)


@pytest.mark.parametrize("n", [1, 2])
@given(data=st.data(), seed=SEEDS, biased=st.booleans())
@settings(max_examples=60, deadline=None)
def test_conv_transpose(n, data, seed, biased):
    spatial, kernel, stride, dilation, padding, groups, per_group, O, batch = data.draw(geometry(n))
    rng = np.random.default_rng(seed)
    extra = tuple(data.draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    padding = tuple(min(p, (d * (k - 1)) // 2) for p, k, d in zip(padding, kernel, dilation, strict=True))
    C = groups * per_group
    arrays = (randn(rng, *batch, C, *spatial), randn(rng, C, O // groups, *kernel), randn(rng, O))[: 2 + biased]
    more = {"stride": simplest(stride), "padding": simplest(padding), "output_padding": simplest(extra),
            "groups": groups, "dilation": simplest(dilation)}
    ours, theirs = getattr(nnbook, f"conv_transpose{n}d"), getattr(F, f"conv_transpose{n}d")
    against_torch(lambda *a: ours(*a, **more), lambda *a: theirs(*a, **more), arrays, rng)


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_unfold_and_fold(data, seed):
    spatial, kernel, stride, dilation, padding, _, _, C, batch = data.draw(geometry(2))
    rng = np.random.default_rng(seed)
    x = randn(rng, *batch, C, *spatial)
    more = {"kernel_size": kernel, "dilation": dilation, "padding": padding, "stride": stride}
    against_torch(lambda x: nnbook.unfold(x, **more), lambda x: F.unfold(x, **more), (x,), rng)
    columns = randn(rng, *nnbook.unfold(x, **more).shape)
    against_torch(lambda c: nnbook.fold(c, spatial, **more), lambda c: F.fold(c, spatial, **more), (columns,), rng)
    adjoint = np.sum(nnbook.unfold(x, **more) * columns), np.sum(x * nnbook.fold(columns, spatial, **more))
    assert_close(*adjoint, 1e-12)


def loop_conv2d(x, weight, bias, stride, padding, dilation, groups):
    """The equation, index by index."""
    (N, _, H, W), (O, Cg, Kh, Kw) = x.shape, weight.shape
    Ho = (H + 2 * padding[0] - dilation[0] * (Kh - 1) - 1) // stride[0] + 1
    Wo = (W + 2 * padding[1] - dilation[1] * (Kw - 1) - 1) // stride[1] + 1
    y = np.zeros((N, O, Ho, Wo))
    for n, o, h, w in np.ndindex(y.shape):
        y[n, o, h, w] = bias[o]
        for c, i, j in itertools.product(range(Cg), range(Kh), range(Kw)):
            row, col = h * stride[0] + i * dilation[0] - padding[0], w * stride[1] + j * dilation[1] - padding[1]
            if 0 <= row < H and 0 <= col < W:
                y[n, o, h, w] += weight[o, c, i, j] * x[n, o // (O // groups) * Cg + c, row, col]
    return y


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=10, deadline=None)
def test_conv2d_is_the_loop(data, seed):
    spatial, kernel, stride, dilation, padding, groups, per_group, O, _ = data.draw(geometry(2))
    rng = np.random.default_rng(seed)
    x, w, b = randn(rng, 2, groups * per_group, *spatial), randn(rng, O, per_group, *kernel), randn(rng, O)
    assert_close(nnbook.conv2d(x, w, b, stride, padding, dilation, groups),
                 loop_conv2d(x, w, b, stride, padding, dilation, groups), 1e-13)


@pytest.mark.parametrize("f", [nnbook.conv2d, nnbook.conv_transpose2d])
def test_complex_step(f):
    rng = np.random.default_rng(1)
    w = randn(rng, 4, 3, 2, 3) if f is nnbook.conv2d else randn(rng, 3, 4, 2, 3)
    against_complex_step(lambda x, w, b: f(x, w, b, stride=(2, 1), padding=(0, 2), dilation=(2, 1)),
                         (randn(rng, 2, 3, 5, 6), w, randn(rng, 4)), rng)


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=30, deadline=None)
def test_transposed_convolution_is_the_adjoint(data, seed):
    """<conv(x), dy> = <x, conv^T(dy)>, with output_padding for the rows that no window reached."""
    spatial, kernel, stride, dilation, padding, groups, per_group, O, _ = data.draw(geometry(2))
    rng = np.random.default_rng(seed)
    x, w = randn(rng, 2, groups * per_group, *spatial), randn(rng, O, per_group, *kernel)
    y = nnbook.conv2d(x, w, None, stride, padding, dilation, groups)
    dy = randn(rng, *y.shape)
    left_over = tuple((s + 2 * p - d * (k - 1) - 1) % t
                      for s, p, d, k, t in zip(spatial, padding, dilation, kernel, stride, strict=True))
    back = nnbook.conv_transpose2d(dy, w, None, stride, padding, left_over, groups, dilation)
    assert_close(np.sum(y * dy), np.sum(x * back), 1e-12)


def test_left_over_rows_get_zero_gradient():
    x, w = np.ones((1, 1, 8, 8)), np.ones((1, 1, 3, 3))
    dx = nnbook.grad(lambda x: nnbook.conv2d(x, w, stride=3).sum())(x)
    assert np.all(dx[..., 6:, :] == 0) and np.all(dx[..., 6:] == 0)
    assert np.all(dx[..., :6, :6] == 1)


@pytest.mark.parametrize("batch", [0, 1])
def test_empty_and_single(batch):
    rng = np.random.default_rng(2)
    x, w, b = randn(rng, batch, 3, 5, 7), randn(rng, 4, 3, 2, 3), randn(rng, 4)
    against_torch(nnbook.conv2d, F.conv2d, (x, w, b), rng)
    against_torch(nnbook.conv_transpose2d, F.conv_transpose2d, (x, randn(rng, 3, 4, 2, 3), b), rng)


def test_many_blocks_and_huge_strides():
    rng = np.random.default_rng(3)
    x, w = randn(rng, 9, 16, 40, 40), randn(rng, 3, 16, 5, 5)
    against_torch(lambda x, w: nnbook.conv2d(x, w, stride=2), lambda x, w: F.conv2d(x, w, stride=2), (x, w), rng)
    against_torch(lambda x, w: nnbook.conv2d(x, w, stride=1000), lambda x, w: F.conv2d(x, w, stride=1000), (x, w), rng)


def test_numpy_integers_and_lists_as_settings():
    rng, i = np.random.default_rng(7), np.int64
    x, w = randn(rng, 2, 3, 7, 6), randn(rng, 6, 1, 3, 2)
    assert_close(nnbook.conv2d(x, w, None, i(2), [i(1), i(2)], i(1), i(3)),
                 nnbook.conv2d(x, w, None, 2, (1, 2), 1, 3), 0)


@pytest.mark.parametrize("f", [nnbook.conv2d, nnbook.conv_transpose2d])
def test_half_precision_stays_half(f):
    rng = np.random.default_rng(8)
    x, w = (a.astype(np.float16) for a in (randn(rng, 2, 3, 5, 7), randn(rng, 3, 3, 2, 3)))
    y, pullback = nnbook.vjp(f, x, w)
    assert y.dtype == np.float16 and all(g.dtype == np.float16 for g in pullback(y))
    assert_close(y, f(x.astype(np.float64), w.astype(np.float64)), 2e-3)


def test_keyword_tensors_and_a_layer_used_twice():
    rng = np.random.default_rng(4)
    w, x = randn(rng, 3, 3, 3, 3), randn(rng, 2, 3, 6, 7)
    against_torch(lambda w: nnbook.conv2d(x=nnbook.conv2d(x, weight=w, padding=1), weight=w),
                  lambda w: F.conv2d(F.conv2d(torch.tensor(x, dtype=w.dtype), w, padding=1), w), (w,), rng,
                  dtypes=(np.float64,))


@pytest.mark.parametrize("n", [1, 2])
def test_initial_weights(n):
    p = nnbook.init_conv(6, 80, (5,) * n, np.random.default_rng(5), groups=2, dtype=np.float32)
    bound = (3 * 5**n) ** -0.5
    assert p["weight"].shape == (80, 3, *(5,) * n) and p["bias"].shape == (80,)
    assert p["weight"].dtype == np.float32
    assert 0.98 * bound < np.abs(p["weight"]).max() <= bound * (1 + 1e-6)
    assert "bias" not in nnbook.init_conv(6, 8, (5,), np.random.default_rng(5), bias=False)


X, W, B = np.ones((2, 6, 8, 9)), np.ones((4, 6, 3, 3)), np.ones(4)
WT = np.ones((6, 4, 3, 3))
BAD = [
    ("conv2d", (X, W), {"groups": 2},
     r"weight has 6 input channels per group, x has 6 channels in 2 groups \(expected 3\)"),
    ("conv2d", (X, np.ones((4, 5, 3, 3))), {}, r"weight has 5 input channels per group, .* \(expected 6\)"),
    ("conv2d", (X, W), {"groups": 3}, "groups is 3, expected a divisor: weight has 4 output channels"),
    ("conv2d", (X, W), {"groups": 0}, "groups is 0"),
    ("conv2d", (X, W, np.ones(3)), {}, r"bias has shape \(3,\), expected \(4,\)"),
    ("conv2d", (X, W, np.ones((4, 1))), {}, r"bias has shape \(4, 1\)"),
    ("conv2d", (X[0, 0], W), {}, "x has 2 axes, expected 4, or 3 without a batch"),
    ("conv2d", (X[None], W), {}, "x has 5 axes"),
    ("conv2d", (X, W[0]), {}, r"weight has shape \(6, 3, 3\), expected 4 axes"),
    ("conv2d", (X, W[..., :0]), {}, "expected 4 axes with at least one tap"),
    ("conv2d", (X, None), {}, "weight is a NoneType, expected an ndarray"),
    ("conv2d", (X, W[:0]), {}, "expected 4 axes"),
    ("conv2d", (X[:, :, :0], W), {"padding": 2}, "expected at least one place on each spatial axis"),
    ("conv2d", (X, W), {"groups": 1.0}, "groups is 1.0, expected an integer"),
    ("conv2d", (X, W), {"stride": 0}, "stride is 0, expected at least 1"),
    ("conv2d", (X, W), {"stride": (1, 2, 3)}, r"stride is \(1, 2, 3\), expected an integer or a tuple of 2"),
    ("conv2d", (X, W), {"dilation": -1}, "dilation is -1, expected at least 1"),
    ("conv2d", (X, W), {"padding": -1}, "padding is -1, expected at least 0"),
    ("conv2d", (X, W), {"padding": "full"}, "padding is 'full', expected an integer, 'same' or 'valid'"),
    ("conv2d", (X, W), {"padding": "same", "stride": 2}, r"padding is 'same' and stride is \(2, 2\)"),
    ("conv2d", (X, W), {"dilation": 5}, r"the kernel spans \(11, 11\), more than the padded input \(8, 9\)"),
    ("conv2d", (X, W), {"stride": 1.5}, "stride is 1.5, expected an integer"),
    ("conv2d", (X.astype(np.float32), W), {}, "the dtypes differ: x float32, weight float64"),
    ("conv2d", (X.astype(int), W), {}, "x has dtype int64, expected floating point"),
    ("conv2d", (X.tolist(), W), {}, "x is a list, expected an ndarray"),
    ("conv1d", (X, np.ones((4, 6, 3))), {}, "x has 4 axes, expected 3, or 2 without a batch"),
    ("conv1d", (X[:, :, 0], np.ones((4, 6, 10))), {}, r"the kernel spans \(10,\), more than the padded input \(9,\)"),
    ("conv_transpose2d", (X, W), {}, "weight has 4 input channels, expected 6, those of x"),
    ("conv_transpose2d", (X, WT, np.ones(6)), {}, r"bias has shape \(6,\), expected \(4,\)"),
    ("conv_transpose2d", (X, WT), {"output_padding": 1}, "output_padding is 1, expected less than stride or dilation"),
    ("conv_transpose2d", (X, WT), {"padding": 9}, "the output would have size"),
    ("conv_transpose2d", (X, WT), {"padding": "same"}, "padding is 'same', expected an integer"),
    ("conv_transpose2d", (X, WT), {"groups": 4}, "groups is 4, expected a divisor: x has 6 channels"),
    ("unfold", (X[0, 0], 3), {}, r"x has shape \(8, 9\), expected \(N, C, H, W\)"),
    ("unfold", (X, 10), {}, r"the kernel spans \(10, 10\)"),
    ("unfold", (X, (3, 3, 3)), {}, "kernel_size is"),
    ("fold", (np.ones((2, 18, 43)), (8, 9), 3), {}, r"expected \(N, a multiple of 9, 42\)"),
    ("fold", (np.ones((2, 17, 42)), (8, 9), 3), {}, r"expected \(N, a multiple of 9, 42\)"),
    ("fold", (np.ones(3), (8, 9), 3), {}, r"x has shape \(3,\)"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD)
def test_wrong_input_is_rejected_here_as_in_torch(name, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(nnbook, name)(*args, **kwargs)
    tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
        getattr(F, name)(*tensors, **kwargs)
