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
from nnbook import convolution

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


# --- integers, complex numbers, empty arrays ---------------------------------------------------------


def integers(rng, dtype, *shape):
    return rng.integers(0, 5, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64])
@pytest.mark.parametrize(("name", "spatial"), [("conv1d", (7,)), ("conv2d", (7, 5))])
def test_convolution_of_integers(name, spatial, dtype):
    """Sums wrap around as in torch; small integers cannot be dilated, and only int64 transposed."""
    rng, n = np.random.default_rng(9), len(spatial)
    x, w, b = integers(rng, dtype, 2, 4, *spatial), integers(rng, dtype, 6, 2, *(2,) * n), integers(rng, dtype, 6)
    tensors = [torch.tensor(a) for a in (x, w, b)]
    y = getattr(nnbook, name)(x, w, b, padding=1, stride=2, groups=2)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, getattr(F, name)(*tensors, padding=1, stride=2, groups=2).numpy())
    transposed = name.replace("conv", "conv_transpose")
    args = x, integers(rng, dtype, 4, 3, *(2,) * n)
    if dtype == np.int64:
        np.testing.assert_array_equal(getattr(nnbook, name)(x, w, b, groups=2, dilation=2),
                                      getattr(F, name)(*map(torch.tensor, (x, w, b)), groups=2, dilation=2).numpy())
        np.testing.assert_array_equal(getattr(nnbook, transposed)(*args),
                                      getattr(F, transposed)(*map(torch.tensor, args)).numpy())
    else:
        with pytest.raises(TypeError, match="expected floating point or int64"):
            getattr(nnbook, transposed)(*args)
        with pytest.raises(TypeError, match="expected floating point or int64"):
            getattr(nnbook, name)(x, w, b, groups=2, dilation=2)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_numbers(dtype):
    rng = np.random.default_rng(10)
    x, w = ((randn(rng, *s) + 1j * randn(rng, *s)).astype(dtype) for s in ((2, 3, 5, 6), (3, 3, 2, 3)))
    rtol = 1e-5 if dtype == np.complex64 else 1e-12
    pairs = [(nnbook.conv2d(x, w, padding=1), F.conv2d(torch.tensor(x), torch.tensor(w), padding=1)),
             (nnbook.conv_transpose2d(x, w), F.conv_transpose2d(torch.tensor(x), torch.tensor(w))),
             (nnbook.unfold(x, 2), F.unfold(torch.tensor(x), 2))]
    for y, expected in pairs:
        assert y.dtype == dtype
        for part in (np.real, np.imag):
            assert_close(part(y), part(expected.numpy()), rtol)


@pytest.mark.parametrize(("x", "w", "more"), [
    ((0, 3, 5, 7), (4, 3, 2, 3), {}), ((0, 3, 0, 7), (4, 3, 2, 3), {"padding": 1}), ((2, 0, 5, 7), (4, 0, 2, 3), {}),
    ((2, 0, 0, 7), (4, 0, 2, 3), {"padding": 1}), ((0, 5, 7), (4, 0, 2, 3), {}), ((2, 0, 5, 7), (4, 0, 3, 3), {
        "groups": 2, "padding": "same"})])
def test_empty_batches_and_channels(x, w, more):
    """torch gives no output channels where there are no input channels."""
    rng = np.random.default_rng(11)
    against_torch(lambda *a: nnbook.conv2d(*a, **more), lambda *a: F.conv2d(*a, **more),
                  (randn(rng, *x), randn(rng, *w), randn(rng, 4)), rng)


@pytest.mark.parametrize(("x", "more"), [((0, 3, 5, 7), {}), ((0, 3, 1, 1), {"padding": 1}), ((0, 3, 0, 2), {})])
def test_empty_batches_transposed(x, more):
    rng = np.random.default_rng(12)
    against_torch(lambda *a: nnbook.conv_transpose2d(*a, **more), lambda *a: F.conv_transpose2d(*a, **more),
                  (randn(rng, *x), randn(rng, 3, 4, 2, 2), randn(rng, 4)), rng)


@pytest.mark.parametrize(("kernel", "dilation"), [((2, 4), 1), ((2, 4), (3, 1)), ((7, 6), 1), ((1, 2), (5, 3))])
def test_same_padding_of_even_kernels(kernel, dilation):
    rng = np.random.default_rng(13)
    against_torch(lambda x, w: nnbook.conv2d(x, w, padding="same", dilation=dilation),
                  lambda x, w: F.conv2d(x, w, padding="same", dilation=dilation),
                  (randn(rng, 2, 3, 4, 5), randn(rng, 2, 3, *kernel)), rng)


# --- padding -----------------------------------------------------------------------------------------


@st.composite
def paddings(draw):
    """(shape, pad, mode) that torch takes."""
    mode = draw(st.sampled_from(["constant", "reflect", "replicate", "circular"]))
    n = draw(st.integers(1, 3))
    leading = draw(st.integers(0, 2)) if mode == "constant" else draw(st.integers(1, 2))
    shape = tuple(draw(st.lists(st.integers(1, 6), min_size=n + leading, max_size=n + leading)))
    pad = []
    for size in reversed(shape[leading:]):
        if mode == "circular":
            before, after = -draw(st.integers(0, size - 1)), 0
            after = -draw(st.integers(0, size - 1 + before))
            left = size + before + after
            before, after = (p if draw(st.booleans()) else draw(st.integers(0, left)) for p in (before, after))
        else:
            most = size - 1 if mode == "reflect" else 4
            before = draw(st.integers(1 - size, most))
            after = draw(st.integers(max(1 - size - min(before, 0), 1 - size), most))
        pad += [before, after]
    return shape, pad, mode


@given(case=paddings(), seed=SEEDS, value=st.sampled_from([None, 0, 1.5, -2, float("inf")]))
@settings(max_examples=100, deadline=None)
def test_pad(case, seed, value):
    shape, pad, mode = case
    rng = np.random.default_rng(seed)
    value = value if mode == "constant" else None
    against_torch(lambda x: nnbook.pad(x, pad, mode, value), lambda x: F.pad(x, pad, mode, value),
                  (randn(rng, *shape),), rng)


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint8, np.float16, np.complex64, bool])
def test_pad_keeps_every_dtype(mode, dtype):
    x = np.array([[[1, 0, 3, 0]]]).astype(dtype)
    if dtype is bool and mode in ("reflect", "replicate"):
        with pytest.raises(TypeError, match=f"x has dtype bool in the mode {mode}"):
            nnbook.pad(x, (1, 2), mode)
        return
    y = nnbook.pad(x, (1, 2), mode, 1 if mode == "constant" else None)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, F.pad(torch.tensor(x), (1, 2), mode, 1 if mode == "constant" else None).numpy())


def test_pad_by_hand():
    x = np.arange(1.0, 6)[None]
    assert nnbook.pad(x, (2, 3), "reflect").tolist() == [[3, 2, 1, 2, 3, 4, 5, 4, 3, 2]]
    assert nnbook.pad(x, (2, 3), "replicate").tolist() == [[1, 1, 1, 2, 3, 4, 5, 5, 5, 5]]
    assert nnbook.pad(x, (2, 3), "circular").tolist() == [[4, 5, 1, 2, 3, 4, 5, 1, 2, 3]]
    assert nnbook.pad(x, (-1, 2), "circular").tolist() == [[2, 3, 4, 5, 2, 3]]  # what is cut does not come back
    with pytest.raises(ValueError, match=r"pad is \(-2, 4\) .* expected at most 3"):  # torch reads what it never wrote
        nnbook.pad(x, (-2, 4), "circular")
    assert nnbook.pad(x, (-2, 1)).tolist() == [[3, 4, 5, 0]]
    assert nnbook.pad(x, (0, 0, 1, 0), value=7).tolist() == [[7] * 5, [1, 2, 3, 4, 5]]
    assert nnbook.pad(x, ()).tolist() == x.tolist()
    assert nnbook.pad(np.zeros((0, 2)), (0, 0, 1, 0), value=2.5).tolist() == [[2.5, 2.5]]
    dx = nnbook.grad(lambda x: (nnbook.pad(x, (2, 1), "reflect") * np.arange(1.0, 9)).sum())(x)
    assert dx.tolist() == [[3, 2 + 4, 1 + 5, 6 + 8, 7]]


def test_pad_is_linear_and_its_complex_step():
    rng = np.random.default_rng(14)
    for mode in ("constant", "reflect", "replicate", "circular"):
        against_complex_step(lambda x, mode=mode: nnbook.pad(x, (2, -1, 1, 3), mode), (randn(rng, 2, 4, 5),), rng)


def test_infinity_and_overflow_warn_of_nothing():
    """inf - inf, 0 inf and what float16 cannot hold: torch's result, without a warning."""
    x = np.ones((1, 2, 4, 5))
    x[0, 0, 0, 0], x[0, 1, 1, 1], x[0, 1, 0, 0] = np.inf, -np.inf, -np.inf
    w = np.ones((2, 2, 2, 2))
    np.testing.assert_array_equal(nnbook.conv2d(x, w), F.conv2d(torch.tensor(x), torch.tensor(w)))
    np.testing.assert_array_equal(nnbook.conv_transpose2d(x, w), F.conv_transpose2d(torch.tensor(x), torch.tensor(w)))
    for f in (lambda x: nnbook.conv2d(x, w), lambda x: nnbook.fold(nnbook.unfold(x, 2), (4, 5), 2)):
        y, pullback = nnbook.vjp(f, x)
        pullback(np.where(np.arange(y.size).reshape(y.shape) % 2, np.inf, -np.inf))
    large = np.full((1, 2, 4, 5), 60000, np.float16)
    assert np.all(nnbook.conv2d(large, w.astype(np.float16)) == np.inf)
    assert np.all(nnbook.fold(nnbook.unfold(large, 2), (4, 5), 2)[..., 1:-1, 1:-1] == np.inf)


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
    ("conv2d", (X, W), {"stride": True}, "stride is True, expected an integer"),
    ("conv2d", (X, W), {"dilation": (1, False)}, r"dilation is \(1, False\), expected an integer"),
    ("conv2d", (X, W), {"stride": 0}, "stride is 0, expected at least 1"),
    ("conv2d", (X, W), {"stride": (1, 2, 3)}, r"stride is \(1, 2, 3\), expected an integer or a tuple of 2"),
    ("conv2d", (X, W), {"dilation": -1}, "dilation is -1, expected at least 1"),
    ("conv2d", (X, W), {"padding": -1}, "padding is -1, expected at least 0"),
    ("conv2d", (X, W), {"padding": "full"}, "padding is 'full', expected an integer, 'same' or 'valid'"),
    ("conv2d", (X, W), {"padding": "same", "stride": 2}, r"padding is 'same' and stride is \(2, 2\)"),
    ("conv2d", (X, W), {"dilation": 5}, r"the kernel spans \(11, 11\), more than the padded input \(8, 9\)"),
    ("conv2d", (X, W), {"stride": 1.5}, "stride is 1.5, expected an integer"),
    ("conv2d", (X.astype(np.float32), W), {}, "the dtypes differ: x float32, weight float64"),
    ("conv2d", (X.astype(int), W), {}, "the dtypes differ: x int64, weight float64"),
    ("conv2d", (X.astype(int), W.astype(np.int32)), {}, "the dtypes differ: x int64, weight int32"),
    ("conv2d", (X > 0, W > 0), {}, "x has dtype bool, expected floating point or integers"),
    ("conv2d", (X, W), {"groups": (2,)}, r"groups is \(2,\), expected an integer"),
    ("conv2d", (X, W), {"padding": (1, 1, 1)}, r"padding is \(1, 1, 1\), expected an integer or a tuple of 2"),
    ("conv2d", (X, W), {"stride": ()}, r"stride is \(\)"),
    ("conv2d", (X, W, np.ones(())), {}, r"bias has shape \(\), expected \(4,\)"),
    ("conv1d", (X[0, 0, 0], np.ones((4, 9, 1))), {}, "x has 1 axes, expected 3"),
    ("conv1d", (X[:, :, 0], np.ones((4, 6, 3))), {"padding": "same", "stride": 3}, r"stride is \(3,\), expected"),
    ("conv2d", (X.tolist(), W), {}, "x is a list, expected an ndarray"),
    ("conv1d", (X, np.ones((4, 6, 3))), {}, "x has 4 axes, expected 3, or 2 without a batch"),
    ("conv1d", (X[:, :, 0], np.ones((4, 6, 10))), {}, r"the kernel spans \(10,\), more than the padded input \(9,\)"),
    ("conv_transpose2d", (X, W), {}, "weight has 4 input channels, expected 6, those of x"),
    ("conv_transpose2d", (X, WT, np.ones(6)), {}, r"bias has shape \(6,\), expected \(4,\)"),
    ("conv_transpose2d", (X, WT), {"output_padding": 1}, "output_padding is 1, expected less than stride or dilation"),
    ("conv_transpose2d", (X, WT), {"padding": 9}, "the output would have size"),
    ("conv_transpose2d", (X, WT), {"padding": "same"}, "padding is 'same', expected an integer"),
    ("conv_transpose2d", (X, WT), {"groups": 4}, "groups is 4, expected a divisor: x has 6 channels"),
    ("conv_transpose2d", (X, WT[:, :0]), {}, r"weight has shape \(6, 0, 3, 3\), expected at least one output channel"),
    ("conv_transpose2d", (X, WT), {"output_padding": -1}, "output_padding is -1, expected at least 0"),
    ("conv_transpose2d", (X, WT), {"output_padding": (0, 3), "stride": (4, 3)}, r"output_padding is \(0, 3\)"),
    ("conv_transpose2d", (X[:, :, :0], WT), {}, "expected at least one place on each spatial axis"),
    ("conv_transpose2d", (X, WT), {"dilation": 0}, "dilation is 0, expected at least 1"),
    ("conv_transpose1d", (X[:, :, 0], np.ones((6, 4, 3))), {"padding": 6}, r"the output would have size \(-1,\)"),
    ("unfold", (X[0, 0], 3), {}, r"x has shape \(8, 9\), expected \(N, C, H, W\)"),
    ("unfold", (X, 10), {}, r"the kernel spans \(10, 10\)"),
    ("unfold", (X, (3, 3, 3)), {}, "kernel_size is"),
    ("unfold", (X, (3,)), {}, r"kernel_size is \(3,\), expected an integer or a tuple of 2"),
    ("unfold", (X, 3, (2,)), {}, r"dilation is \(2,\)"),
    ("unfold", (X, 3), {"padding": -1}, "padding is -1, expected at least 0"),
    ("unfold", (X, 0), {}, "kernel_size is 0, expected at least 1"),
    ("unfold", (X.astype(int), 3), {}, "x has dtype int64, expected floating point"),
    ("unfold", (X[:, :0], 3), {}, "none of C, H, W zero"),
    ("fold", (np.ones((2, 18, 42)), (8,), 3), {}, r"expected|fit"),
    ("fold", (np.ones((2, 0, 42)), (8, 9), 3), {}, "expected"),
    ("fold", (np.ones((2, 18, 43)), (8, 9), 3), {}, r"expected \(N, a multiple of 9, 42\)"),
    ("fold", (np.ones((2, 17, 42)), (8, 9), 3), {}, r"expected \(N, a multiple of 9, 42\)"),
    ("fold", (np.ones(3), (8, 9), 3), {}, r"x has shape \(3,\)"),
    ("pad", (X, 1), {}, "pad is 1, expected a tuple of integers"),
    ("pad", (X, (1.0, 1)), {}, r"pad is \(1.0, 1\), expected a tuple of integers"),
    ("pad", (X, (True, 1)), {}, r"pad is \(True, 1\), expected a tuple of integers"),
    ("pad", (X, None), {}, "pad is None"),
    ("pad", (X, (1, 1, 1)), {}, "pad has 3 entries, expected an even number, at most 8"),
    ("pad", (X[0, 0], (1,) * 6), {}, "pad has 6 entries, expected an even number, at most 4"),
    ("pad", (X, (1, 1), "edge"), {}, "mode is 'edge', expected 'constant', 'reflect', 'replicate' or 'circular'"),
    ("pad", (X, (-5, -5)), {}, r"pad is \(-5, -5\) for an axis of size 9"),
    ("pad", (X, (-10, 12)), {}, r"pad is \(-10, 12\) for an axis of size 9"),
    ("pad", (X, (1, 1), "constant", "a"), {}, "value is 'a', expected a number"),
    ("pad", (X, (1, 1), "constant", 1j), {}, "value is 1j, expected a number as in x, float64"),
    ("pad", (X.astype(np.float32), (1, 1), "constant", 1e300), {}, "value is 1e.300, expected what float32 can hold"),
    ("pad", (X.astype(np.int8), (1, 1), "constant", 300), {}, "value is 300, expected what int8 can hold"),
    ("pad", (X.astype(np.uint8), (1, 1), "constant", -1), {}, "value is -1, expected what uint8 can hold"),
    ("pad", (X.astype(int), (1, 1), "constant", float("nan")), {}, "value is nan, expected what int64 can hold"),
    ("pad", (X[0], (1, 1), "reflect", 2.0), {}, "value is 2.0 in the mode reflect, expected None"),
    ("pad", (X, (1, 1), "reflect"), {}, "pad has 2 entries and x has 4 axes in the mode reflect"),
    ("pad", (X[0, 0, 0], (1, 1), "circular"), {}, "pad has 2 entries and x has 1 axes in the mode circular"),
    ("pad", (X[0], (), "replicate"), {}, "pad has 0 entries"),
    ("pad", (X[0], (9, 0), "reflect"), {}, r"pad is \(9, 0\) for an axis of size 9 .* expected at most 8"),
    ("pad", (X[0], (10, 0), "circular"), {}, r"pad is \(10, 0\) for an axis of size 9 .* expected at most 9"),
    ("pad", (X[0], (-5, -4), "replicate"), {}, r"would have \(0,\) after it in the mode replicate"),
    ("pad", (X[:, :0], (1, 1, 1, 1), "reflect"), {}, "expected no empty axis but the batch"),
    ("pad", (X[:, :, :0], (1, 1, 1, 1), "replicate"), {}, "expected no empty axis but the batch"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD)
def test_wrong_input_is_rejected_here_as_in_torch(name, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message):
        getattr(nnbook, name)(*args, **kwargs)
    tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError)):
        getattr(F, name)(*tensors, **kwargs)


@pytest.mark.parametrize("n", [1, 2])
@given(data=st.data(), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_both_forms_of_dx_are_equal(n, data, seed):
    """Adding columns up, and at stride 1 convolving dy with the flipped kernel."""
    spatial, kernel, _, dilation, padding, groups, per_group, O, _ = data.draw(geometry(n))
    rng, ones = np.random.default_rng(seed), (1,) * n
    pads = tuple((p, p) for p in padding)
    outputs = [size + 2 * p - d * (k - 1) for size, k, d, p in zip(spatial, kernel, dilation, padding, strict=True)]
    weight, dy = randn(rng, O, per_group, *kernel), randn(rng, 2, O, *outputs)
    setting = (spatial, ones, pads, dilation, groups)
    got = convolution._convolve_dx(dy, weight, *setting)
    assert_close(got, convolution._scattered_dx(dy, weight, *setting), 1e-12)
