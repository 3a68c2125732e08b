"""Pooling and interpolation against torch over the whole argument grid, against plain loops, and at the edges."""

import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook
from nnbook import pooling

SEEDS = st.integers(0, 2**32 - 1)
INF, NAN = float("inf"), float("nan")


def randn(rng, *shape):
    return rng.standard_normal(shape)


def both(name, x, *args, dtypes=(np.float64, np.float32), rng=None, **kwargs):
    """nnbook's function and torch's agree on x, values and gradients."""
    ours, theirs = getattr(pooling, name), getattr(F, name)
    against_torch(lambda x: ours(x, *args, **kwargs), lambda x: theirs(x, *args, **kwargs), (x,),
                  rng or np.random.default_rng(0), dtypes=dtypes)


def same(name, x, *args, **kwargs):
    """The same values in the same dtype, nan where torch has nan, for inputs without gradients too."""
    expected = getattr(F, name)(torch.tensor(x), *args, **kwargs)
    y = getattr(pooling, name)(x, *args, **kwargs)
    for got, e in zip(*((r if isinstance(r, tuple) else (r,)) for r in (y, expected)), strict=True):
        assert got.dtype == e.numpy().dtype
        np.testing.assert_array_equal(got, e.numpy())


@st.composite
def sliding(draw, n, dilated):
    """(shape of x, settings) of a pooling that torch takes: windows fit, padding is at most half of them."""
    kernel, stride = (tuple(draw(st.integers(1, 4)) for _ in range(n)) for _ in range(2))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    dilation = (1,) * n
    if dilated and draw(st.booleans()):
        dilation, padding = tuple(draw(st.integers(1, 3)) for _ in range(n)), (0,) * n
    spatial = tuple(max(d * (k - 1) + 1 - 2 * p, 1) + draw(st.integers(0, 6))
                    for k, p, d in zip(kernel, padding, dilation, strict=True))
    more = {"kernel_size": simplest(kernel), "padding": simplest(padding), "ceil_mode": draw(st.booleans())}
    if draw(st.booleans()):
        more["stride"] = simplest(stride)
    if dilated:
        more["dilation"] = simplest(dilation)
    return (*draw(st.sampled_from([(), (1,), (2,), (0,)])), draw(st.integers(1, 3)), *spatial), more


def simplest(setting):
    """An int where all axes agree, so that both ways of saying it are tested."""
    return setting[0] if len(set(setting)) == 1 else setting


# --- max pooling -------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2])
@given(data=st.data(), seed=SEEDS, ties=st.booleans())
@settings(max_examples=60, deadline=None)
def test_max_pool(n, data, seed, ties):
    """With many equal entries too: the first of them gets the gradient, and its index is given."""
    shape, more = data.draw(sliding(n, dilated=True))
    rng = np.random.default_rng(seed)
    x = rng.integers(-2, 3, shape).astype(float) if ties else randn(rng, *shape)
    both(f"max_pool{n}d", x, rng=rng, **more)
    same(f"max_pool{n}d", x, return_indices=True, **more)


@given(data=st.data(), seed=SEEDS)
@settings(max_examples=15, deadline=None)
def test_max_pool2d_is_the_loop(data, seed):
    shape, more = data.draw(sliding(2, dilated=True))
    x = np.random.default_rng(seed).integers(-3, 4, shape).astype(float)
    y, where = pooling.max_pool2d(x, return_indices=True, **more)
    (Kh, Kw), (Ph, Pw), (Dh, Dw) = ((v, v) if isinstance(v, int) else v
                                    for v in (more["kernel_size"], more["padding"], more["dilation"]))
    Sh, Sw = (lambda v: (v, v) if isinstance(v, int) else v)(more.get("stride", (Kh, Kw)))
    H, W = shape[-2:]
    for at in np.ndindex(y.shape):
        *lead, h, w = at
        best = (-INF, None)
        for i, j in itertools.product(range(Kh), range(Kw)):
            row, col = h * Sh + i * Dh - Ph, w * Sw + j * Dw - Pw
            if 0 <= row < H and 0 <= col < W and x[(*lead, row, col)] > best[0]:
                best = x[(*lead, row, col)], row * W + col
        assert (y[at], where[at]) == best


def test_the_first_of_equal_entries_gets_the_whole_gradient():
    x = np.array([[[3.0, 3, 1, 3, 3, 3]]])
    assert nnbook.grad(lambda x: pooling.max_pool1d(x, 3).sum())(x).tolist() == [[[1, 0, 0, 1, 0, 0]]]
    assert nnbook.grad(lambda x: pooling.max_pool1d(x, 2, 1).sum())(x).tolist() == [[[1, 1, 0, 2, 1, 0]]]
    picture = np.array([[[0.0, 7, 0], [7, 7, 0], [7, 0, 0]]])
    dx = nnbook.grad(lambda x: pooling.max_pool2d(x, 3).sum())(picture)
    assert dx[0].tolist() == [[0, 1, 0], [0, 0, 0], [0, 0, 0]]  # row by row, not column by column


@pytest.mark.parametrize("x", [
    [1, NAN, 3, NAN, 2, 5, NAN, NAN], [-INF] * 5, [-INF, 1, -INF, -INF, -INF], [INF, INF, -INF, NAN, 0, 2], [NAN] * 4])
def test_max_pool_of_nan_and_infinity(x):
    """nan wins wherever it is, the last one; of only -inf the first wins, never the padding."""
    x = np.array([[x]], dtype=float)
    for more in ({}, {"stride": 1}, {"padding": 1}, {"ceil_mode": True, "padding": 1}):
        same("max_pool1d", x, 3, return_indices=True, **more)
        both("max_pool1d", np.nan_to_num(x, nan=9.0, posinf=8.0, neginf=-8.0), 3, **more)
    same("adaptive_max_pool1d", x, 3, return_indices=True)
    square = np.concatenate([x, x[..., ::-1], x], axis=1)[None, 0]
    same("max_pool2d", square, 2, stride=1, return_indices=True)
    same("max_pool2d", square, 2, padding=1, return_indices=True)
    picture = torch.tensor(square, requires_grad=True)
    dy = torch.randn(F.max_pool2d(picture, 2, 1).shape, dtype=torch.float64)
    (dx,) = torch.autograd.grad(F.max_pool2d(picture, 2, 1), picture, dy)
    got = nnbook.vjp(lambda x: pooling.max_pool2d(x, 2, 1), square)[1](dy.numpy())[0]
    assert_close(got, dx.numpy(), 1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.int16, np.int32, np.int64, np.float16])
def test_max_pool2d_of_other_numbers(dtype):
    x = np.random.default_rng(1).integers(0 if dtype == np.uint8 else -100, 100, (2, 3, 5, 7)).astype(dtype)
    same("max_pool2d", x, 3, stride=2, padding=1, return_indices=True)
    same("max_pool2d", x, (2, 3), ceil_mode=True)


def test_a_window_that_sees_nothing():
    """Dilation can step over a short x: the maximum of nothing is -inf, and no gradient flows."""
    y, pullback = nnbook.vjp(lambda x: pooling.max_pool1d(x, 2, 2, 1, 2), np.ones((1, 1, 1)))
    assert y.tolist() == [[[-INF]]] and pullback(np.ones((1, 1, 1)))[0].tolist() == [[[0]]]


def test_indices_under_the_tape_and_their_use():
    x = randn(np.random.default_rng(2), 2, 3, 6, 8)

    def f(x):
        y, where = pooling.max_pool2d(x, 2, return_indices=True)
        assert isinstance(where, np.ndarray) and where.dtype == np.int64
        return y

    y, where = pooling.max_pool2d(x, 2, return_indices=True)
    taken = np.take_along_axis(x.reshape(2, 3, -1), where.reshape(2, 3, -1), -1)
    np.testing.assert_array_equal(taken.reshape(y.shape), y)
    dx = nnbook.vjp(f, x)[1](y)[0]
    np.testing.assert_array_equal(np.where(dx != 0, x, 0), dx)


# --- average pooling ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2])
@given(data=st.data(), seed=SEEDS, count=st.booleans(), divisor=st.sampled_from([None, None, 1, 7, -3]))
@settings(max_examples=60, deadline=None)
def test_avg_pool(n, data, seed, count, divisor):
    shape, more = data.draw(sliding(n, dilated=False))
    more |= {"count_include_pad": count} | ({"divisor_override": divisor} if n == 2 else {})
    rng = np.random.default_rng(seed)
    both(f"avg_pool{n}d", randn(rng, *shape), rng=rng, **more)


def test_avg_pool2d_is_the_loop():
    """The divisor counts what lies in x or, if asked, in its padding, and never what hangs over."""
    x, (K, S, P) = randn(np.random.default_rng(3), 2, 3, 6, 7), ((3, 4), (2, 3), (1, 2))
    for count in (True, False):
        y = pooling.avg_pool2d(x, K, S, P, ceil_mode=True, count_include_pad=count)
        assert y.shape == (2, 3, 4, 4 - 1)
        for n, c, h, w in np.ndindex(y.shape):
            rows = [i for i in range(h * S[0] - P[0], h * S[0] - P[0] + K[0]) if i < 6 + P[0]]
            cols = [j for j in range(w * S[1] - P[1], w * S[1] - P[1] + K[1]) if j < 7 + P[1]]
            seen = [x[n, c, i, j] for i in rows for j in cols if 0 <= i < 6 and 0 <= j < 7]
            divisor = len(rows) * len(cols) if count else len(seen)
            assert y[n, c, h, w] == pytest.approx(sum(seen) / divisor, abs=1e-13)


def test_avg_pool_of_integers_loses_the_fraction():
    x = np.random.default_rng(4).integers(-9, 10, (2, 3, 6, 7))
    for more in ({}, {"padding": 1}, {"divisor_override": -3}, {"padding": 1, "count_include_pad": False}):
        same("avg_pool2d", x, 2, **more)
    same("avg_pool1d", x[0], 3, stride=2, ceil_mode=True)
    assert pooling.avg_pool1d(np.array([[-3, -4, 5, 2]]), 2).tolist() == [[-3, 3]]


def test_sums_of_half_precision_do_not_overflow():
    x = np.full((1, 1, 4, 4), 60000, np.float16)
    for y in (pooling.avg_pool2d(x, 4), pooling.adaptive_avg_pool2d(x, 1), pooling.interpolate(x, 2, mode="bilinear")):
        assert y.dtype == np.float16 and np.all(y == np.float16(60000))
    assert np.all(pooling.avg_pool2d(x, 4, divisor_override=1) == np.inf)  # and without a warning


@pytest.mark.parametrize("bad", [INF, -INF, NAN])
def test_averages_of_infinity_stay_where_they_are(bad):
    x = randn(np.random.default_rng(5), 2, 3, 6, 7)
    x[0, 0, 2, 3] = x[1, 1, 0, 0] = bad
    x[0, 0, 2, 4] = -bad
    for name, args in (("avg_pool2d", (3, 2, 1)), ("adaptive_avg_pool2d", ((4, 3),))):
        ours, theirs = getattr(pooling, name)(x, *args), getattr(F, name)(torch.tensor(x), *args).numpy()
        np.testing.assert_array_equal(np.isfinite(ours), np.isfinite(theirs))
        assert_close(ours, theirs, 1e-12)
    for mode in ("nearest", "nearest-exact", "bilinear", "bicubic", "area"):
        ours, theirs = pooling.interpolate(x, (9, 4), mode=mode), F.interpolate(torch.tensor(x), (9, 4), mode=mode)
        assert_close(ours, theirs.numpy(), 1e-12)


# --- adaptive pooling --------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("kind", ["avg", "max"])
@given(data=st.data(), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_adaptive_pool(kind, n, data, seed):
    rng = np.random.default_rng(seed)
    spatial = tuple(data.draw(st.integers(1, 9)) for _ in range(n))
    shape = (*data.draw(st.sampled_from([(), (1,), (2,), (0,)])), 3, *spatial)
    size = tuple(data.draw(st.integers(1, 11)) for _ in range(n))
    if n == 2 and data.draw(st.booleans()):
        size = (None, size[1]) if data.draw(st.booleans()) else [size[0], None]
    elif data.draw(st.booleans()):
        size = size[0]
    x = rng.integers(-3, 4, shape).astype(float)
    both(f"adaptive_{kind}_pool{n}d", x, size, rng=rng)
    if kind == "max":
        same(f"adaptive_max_pool{n}d", x, size, return_indices=True)


def test_adaptive_windows_cover_x():
    """floor and ceil: windows overlap where the sizes do not divide, and never leave a gap."""
    x = np.arange(7.0)[None]
    assert pooling.adaptive_avg_pool1d(x, 3).tolist() == [[1, 3, 5]]
    assert pooling.adaptive_max_pool1d(x, 3).tolist() == [[2, 4, 6]]
    assert pooling.adaptive_avg_pool1d(x[:, :2], 3).tolist() == [[0, 0.5, 1]]
    mean = pooling.adaptive_avg_pool2d(np.arange(35.0).reshape(1, 5, 7), 1)
    assert mean.shape == (1, 1, 1) and mean == 17


def test_empty_outputs_and_batches():
    assert pooling.adaptive_avg_pool2d(np.ones((2, 3, 5, 7)), (0, 4)).shape == (2, 3, 0, 4)
    assert pooling.adaptive_max_pool1d(np.ones((2, 3, 5)), 0).shape == (2, 3, 0)
    assert pooling.adaptive_avg_pool2d(np.ones((2, 0, 5, 7)), 3).shape == (2, 0, 3, 3)
    assert pooling.interpolate(np.ones((0, 3, 5)), 4, mode="linear").shape == (0, 3, 4)
    assert pooling.interpolate(np.ones((2, 0, 5, 7)), (0, 3), mode="area").shape == (2, 0, 0, 3)
    dx = nnbook.grad(lambda x: pooling.adaptive_avg_pool2d(x, (0, 4)).sum())(np.ones((2, 3, 5, 7)))
    assert dx.shape == (2, 3, 5, 7) and not dx.any()


# --- interpolation -----------------------------------------------------------------------------------

AXES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "area": (1, 2, 3), "linear": (1,), "bilinear": (2,),
        "bicubic": (2,), "trilinear": (3,)}
FACTORS = [0.3, 0.5, 0.7, 1, 1.5, 1.7, 2, 2.0, 3, 3.3, 1 / 3]


@pytest.mark.parametrize("mode", AXES)
@given(data=st.data(), seed=SEEDS)
@settings(max_examples=40, deadline=None)
def test_interpolate(mode, data, seed):
    n = data.draw(st.sampled_from(AXES[mode]))
    spatial = tuple(data.draw(st.integers(4, 9)) for _ in range(n))
    more = {"mode": mode}
    if data.draw(st.booleans()):
        size = tuple(data.draw(st.integers(1, 12)) for _ in range(n))
        more["size"] = data.draw(st.sampled_from([size, list(size), size[0]]))
    else:
        factors = tuple(data.draw(st.sampled_from(FACTORS)) for _ in range(n))
        more["scale_factor"] = data.draw(st.sampled_from([factors, factors[0]]))
        more["recompute_scale_factor"] = data.draw(st.sampled_from([None, True, False]))
    if "linear" in mode or mode == "bicubic":
        more["align_corners"] = data.draw(st.sampled_from([None, True, False]))
    rng = np.random.default_rng(seed)
    both("interpolate", randn(rng, data.draw(st.integers(0, 2)), 3, *spatial), rng=rng, **more)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@given(data=st.data(), seed=SEEDS, align_corners=st.booleans())
@settings(max_examples=40, deadline=None)
def test_interpolate_antialiased(mode, data, seed, align_corners):
    """(Not to width 1: torch then fills all rows with the first.)"""
    rng = np.random.default_rng(seed)
    spatial, size = ((data.draw(st.integers(1, 14)), data.draw(st.integers(2, 14))) for _ in range(2))
    more = {"mode": mode, "align_corners": align_corners, "antialias": True}
    both("interpolate", randn(rng, 2, 3, *spatial), size, rng=rng, **more)


def test_interpolate_antialiased_to_width_one():
    x = randn(np.random.default_rng(6), 2, 3, 8, 5)
    y = pooling.interpolate(x, (4, 1), mode="bicubic", antialias=True)
    turned = F.interpolate(torch.tensor(x.swapaxes(2, 3).copy()), (1, 4), mode="bicubic", antialias=True)
    assert_close(y, turned.numpy().swapaxes(2, 3), 1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_pixels_are_torchs_to_the_last_rounding(mode, dtype):
    """Every size up to 60 from every size up to 40, on one axis and on two."""
    for n in range(1, 41, 3):
        x = np.arange(n).astype(dtype)
        for out in range(1, 61):
            same("interpolate", np.broadcast_to(x, (1, 2, n)).copy(), out, mode=mode)
        for out in (1, n, 2 * n, 41, 47, 130):
            same("interpolate", np.broadcast_to(x, (1, 2, 3, n)).copy(), (2, out), mode=mode)
        for factor in (0.7, 1.1, 1.9, 2.1, 2.3, 3.6):
            if int(n * factor):
                same("interpolate", np.broadcast_to(x, (1, 2, n)).copy(), scale_factor=factor, mode=mode)


@given(data=st.data(), seed=SEEDS, mode=st.sampled_from(["bilinear", "bicubic"]), align_corners=st.booleans(),
       antialias=st.booleans())
@settings(max_examples=60, deadline=None)
def test_pictures_of_bytes(data, seed, mode, align_corners, antialias):
    """8 bits a pixel: rounded after each axis, to the bit as in torch."""
    spatial, size = ((data.draw(st.integers(2, 20)), data.draw(st.integers(2, 25))) for _ in range(2))
    x = np.random.default_rng(seed).integers(0, 256, (2, 3, *spatial)).astype(np.uint8)
    same("interpolate", x, size, mode=mode, align_corners=align_corners, antialias=antialias)


def test_a_given_scale_factor_is_taken_at_its_word():
    """5 * 1.5 = 7.5 gives 7 pixels, 1 / 1.5 apart; recomputed they are 5 / 7 apart."""
    x = np.arange(5.0)[None, None]
    y = pooling.interpolate(x, scale_factor=1.5, mode="linear")[0, 0]
    np.testing.assert_allclose(y, [max((o + 0.5) / 1.5 - 0.5, 0) for o in range(7)], atol=1e-12)
    y = pooling.interpolate(x, scale_factor=1.5, mode="linear", recompute_scale_factor=True)[0, 0]
    np.testing.assert_allclose(y, [min(max((o + 0.5) * 5 / 7 - 0.5, 0), 4) for o in range(7)], atol=1e-12)


@pytest.mark.parametrize(("mode", "shape"), [("linear", (2, 3, 5)), ("bilinear", (2, 3, 5, 4)),
                                              ("trilinear", (2, 3, 5, 4, 3))])
def test_a_factor_that_changes_no_size_changes_nothing(mode, shape):
    """5 * 1.1 gives 5 pixels: torch's linear modes leave the picture as it is."""
    x = randn(np.random.default_rng(6), *shape)
    both("interpolate", x, scale_factor=1.1, mode=mode)
    np.testing.assert_array_equal(pooling.interpolate(x, scale_factor=1.1, mode=mode), x)


def test_what_torch_does_with_factors_near_one_and_two():
    """Antialiased, an axis that keeps its size stays; small pictures see factors 1 and 2 in their sizes."""
    x = randn(np.random.default_rng(6), 2, 3, 5, 4)
    for mode in ("bilinear", "bicubic"):
        y = pooling.interpolate(x, scale_factor=(1.1, 1.6), mode=mode, antialias=True)
        expected = F.interpolate(torch.tensor(x), scale_factor=(1.1, 1.6), mode=mode, antialias=True)
        assert_close(y, expected.numpy(), 1e-12)
    for mode, factor in itertools.product(("nearest", "nearest-exact"), (1.1, 1.15, 2.1, 2.15)):
        same("interpolate", x, scale_factor=factor, mode=mode)


def test_antialiased_with_corners_aligned_to_one_row():
    x = randn(np.random.default_rng(6), 2, 3, 7, 5)
    both("interpolate", x, (1, 4), mode="bilinear", align_corners=True, antialias=True)


def test_bilinear_is_the_loop():
    x, (Ho, Wo) = randn(np.random.default_rng(7), 2, 3, 4, 5), (7, 3)
    for align in (True, False):
        y = pooling.interpolate(x, (Ho, Wo), mode="bilinear", align_corners=align)
        for h, w in itertools.product(range(Ho), range(Wo)):
            s, t = ((h * 3 / (Ho - 1), w * 4 / (Wo - 1)) if align else
                    (min(max((h + 0.5) * 4 / Ho - 0.5, 0), 3), min(max((w + 0.5) * 5 / Wo - 0.5, 0), 4)))
            expected = sum((1 - abs(s - i)) * (1 - abs(t - j)) * x[:, :, i, j]
                           for i in range(4) for j in range(5) if abs(s - i) < 1 and abs(t - j) < 1)
            np.testing.assert_allclose(y[:, :, h, w], expected, atol=1e-12)


def test_bicubic_is_keys_curve():
    """With a = -3/4; beyond an edge the nearest pixel is repeated."""
    x = randn(np.random.default_rng(7), 1, 1, 2, 6)
    y = pooling.interpolate(x, (2, 9), mode="bicubic")

    def curve(t, a=-0.75):
        t = abs(t)
        return (a + 2) * t**3 - (a + 3) * t**2 + 1 if t < 1 else a * (t**3 - 5 * t**2 + 8 * t - 4) if t < 2 else 0

    for w in range(9):
        s = (w + 0.5) * 6 / 9 - 0.5
        expected = sum(curve(s - j) * x[..., min(max(j, 0), 5)] for j in range(-3, 9))
        np.testing.assert_allclose(y[..., w], expected, atol=1e-12)


@pytest.mark.parametrize(("f", "shape"), [
    (lambda x: pooling.avg_pool2d(x, (3, 2), 2, 1, ceil_mode=True), (2, 3, 5, 6)),
    (lambda x: pooling.avg_pool1d(x, 3, 1, 1, count_include_pad=False), (2, 3, 6)),
    (lambda x: pooling.adaptive_avg_pool2d(x, (2, 7)), (2, 3, 5, 6)),
    *[(lambda x, m=m: pooling.interpolate(x, (7, 4), mode=m), (2, 3, 5, 6)) for m in ("bilinear", "bicubic", "area")],
    (lambda x: pooling.interpolate(x, 9), (2, 3, 5)),
    (lambda x: pooling.interpolate(x, (4, 3), mode="bicubic", antialias=True), (2, 3, 5, 6))])
def test_complex_step(f, shape):
    rng = np.random.default_rng(8)
    against_complex_step(f, (randn(rng, *shape),), rng)


def test_pooling_inside_a_network_and_by_keyword():
    rng = np.random.default_rng(9)

    def ours(x, w):
        y = pooling.max_pool2d(x=nnbook.conv2d(x, w, padding=1), kernel_size=2)
        y = pooling.interpolate(x=pooling.avg_pool2d(x=y, kernel_size=2), size=6, mode="bilinear")
        return pooling.adaptive_max_pool2d(pooling.adaptive_avg_pool2d(y, (5, None)), output_size=2)

    def theirs(x, w):
        y = F.max_pool2d(F.conv2d(x, w, padding=1), 2)
        y = F.interpolate(F.avg_pool2d(y, 2), 6, mode="bilinear")
        return F.adaptive_max_pool2d(F.adaptive_avg_pool2d(y, (5, None)), 2)

    against_torch(ours, theirs, (randn(rng, 2, 3, 12, 10), randn(rng, 4, 3, 3, 3)), rng)


def test_numpy_integers_and_lists_as_settings():
    x, i = randn(np.random.default_rng(10), 2, 3, 7, 6), np.int64
    assert_close(pooling.max_pool2d(x, [i(2), i(3)], i(2), [i(1)]), pooling.max_pool2d(x, (2, 3), 2, 1), 0)
    assert_close(pooling.avg_pool2d(x, i(2), []), pooling.avg_pool2d(x, 2), 0)
    assert_close(pooling.interpolate(x, i(4)), pooling.interpolate(x, 4), 0)
    assert_close(pooling.interpolate(x, scale_factor=np.float64(1.5)), pooling.interpolate(x, scale_factor=1.5), 0)


def test_huge_strides():
    x = randn(np.random.default_rng(11), 2, 3, 5, 6)
    for name in ("max_pool2d", "avg_pool2d"):
        both(name, x, 2, 2**31 - 1)
        both(name, x, 2, 2**20, ceil_mode=True)
    assert math.prod(pooling.max_pool1d(x[0], 2, 2**40).shape) == 3 * 5


# --- wrong input -------------------------------------------------------------------------------------

X1, X2 = np.ones((2, 3, 9)), np.ones((2, 3, 8, 9))
HALF = X2.astype(np.float16)
BAD = [
    ("max_pool2d", (X2, 0), {}, "kernel_size is 0, expected at least 1"),
    ("max_pool2d", (X2, -1), {}, "kernel_size is -1"),
    ("max_pool2d", (X2, 2.0), {}, "kernel_size is 2.0, expected an integer or a tuple of 2"),
    ("max_pool2d", (X2, None), {}, "kernel_size is None"),
    ("max_pool2d", (X2, (2, 2, 2)), {}, r"kernel_size is \(2, 2, 2\)"),
    ("max_pool2d", (X2, ()), {}, r"kernel_size is \(\)"),
    ("max_pool2d", (X2, 2, 0), {}, "stride is 0, expected at least 1"),
    ("max_pool2d", (X2, 2, (1, 2, 3)), {}, r"stride is \(1, 2, 3\)"),
    ("max_pool2d", (X2, 2, 1.5), {}, "stride is 1.5"),
    ("max_pool2d", (X2, 2), {"padding": -1}, "padding is -1, expected at least 0"),
    ("max_pool2d", (X2, 2), {"padding": ()}, r"padding is \(\)"),
    ("max_pool2d", (X2, 2), {"padding": 2}, "padding is 2, expected at most half of kernel_size 2"),
    ("max_pool2d", (X2, (1, 3)), {"padding": 1}, r"padding is 1, expected at most half of kernel_size \(1, 3\)"),
    ("max_pool2d", (X2, 3), {"padding": 2, "dilation": 2}, "padding is 2, expected at most half"),
    ("max_pool2d", (X2, 2), {"dilation": 0}, "dilation is 0, expected at least 1"),
    ("max_pool2d", (X2, 2), {"dilation": 9}, r"the output would have size \(0, 0\)"),
    ("max_pool2d", (X2, 9), {}, r"the output would have size \(0, 1\) for x of size \(8, 9\) and kernel_size 9"),
    ("max_pool2d", (X2, 2), {"ceil_mode": 1}, "ceil_mode is 1, expected True or False"),
    ("max_pool2d", (X2[0, 0], 2), {}, r"x has shape \(8, 9\), expected \(N, C, H, W\) or \(C, H, W\)"),
    ("max_pool2d", (X2[None], 2), {}, r"x has shape \(1, 2, 3, 8, 9\)"),
    ("max_pool2d", (X2[:, :0], 2), {}, r"x has shape \(2, 0, 8, 9\), .* no empty axis from axis 1 on"),
    ("max_pool2d", (X2[:, :, :0], 1), {}, "no empty axis"),
    ("max_pool2d", (X2[0, :0], 2), {}, "no empty axis from axis 0 on"),
    ("max_pool2d", (X2 + 0j, 2), {}, "x has dtype complex128, expected real numbers"),
    ("max_pool2d", (X2 > 0, 2), {}, "x has dtype bool"),
    ("max_pool2d", (X2.tolist(), 2), {}, "x is a list, expected an ndarray"),
    ("max_pool1d", (X1.astype(int), 2), {}, "x has dtype int64, expected real floating point"),
    ("max_pool1d", (X1, (2, 2)), {}, r"kernel_size is \(2, 2\), expected an integer"),
    ("max_pool1d", (X1[0, 0], 2), {}, r"x has shape \(9,\), expected \(N, C, W\) or \(C, W\)"),
    ("max_pool1d", (X2, 2), {}, r"x has shape \(2, 3, 8, 9\)"),
    ("avg_pool1d", (X1, 2), {"padding": 2}, "avg_pool1d: padding is 2, expected at most half"),
    ("avg_pool1d", (X1, 2, (1, 1)), {}, r"stride is \(1, 1\)"),
    ("avg_pool1d", (X1.astype(np.int32), 2), {}, "x has dtype int32, expected floating point or int64"),
    ("avg_pool1d", (X1[..., :0], 1), {}, "no empty axis"),
    ("avg_pool2d", (X2, 2), {"divisor_override": 0}, "divisor_override is 0, expected another integer"),
    ("avg_pool2d", (X2, 2), {"divisor_override": 2.5}, "divisor_override is 2.5, expected an integer"),
    ("avg_pool2d", (X2, 2), {"divisor_override": True}, "divisor_override is True, expected an integer"),
    ("avg_pool2d", (X2, 2), {"count_include_pad": 1}, "count_include_pad is 1, expected True or False"),
    ("avg_pool2d", (X2, 2), {"ceil_mode": None}, "ceil_mode is None, expected True or False"),
    ("avg_pool2d", (X2, 10), {}, r"the output would have size \(0, 0\)"),
    ("avg_pool2d", (X2 > 0, 2), {}, "x has dtype bool"),
    ("adaptive_avg_pool1d", (X1, (2, 2)), {}, r"output_size is \(2, 2\), expected an integer or a tuple of 1"),
    ("adaptive_avg_pool1d", (X1, None), {}, "output_size is None, expected an integer"),
    ("adaptive_avg_pool1d", (X1, (None,)), {}, r"output_size is \(None,\), expected an integer"),
    ("adaptive_avg_pool1d", (X1, -1), {}, "output_size is -1, expected at least 0"),
    ("adaptive_avg_pool1d", (X1.astype(int), 2), {}, "x has dtype int64, expected floating point"),
    ("adaptive_avg_pool1d", (X1[..., :0], 2), {}, "no empty axis from axis 2 on"),
    ("adaptive_avg_pool2d", (X2, None), {}, "output_size is None"),
    ("adaptive_avg_pool2d", (X2, (2,)), {}, r"output_size is \(2,\), expected an integer or a tuple of 2"),
    ("adaptive_avg_pool2d", (X2, (2, -1)), {}, "output_size is -1, expected at least 0"),
    ("adaptive_avg_pool2d", (X2, 2.0), {}, "output_size is 2.0"),
    ("adaptive_avg_pool2d", (X2[0, 0], 2), {}, r"x has shape \(8, 9\)"),
    ("adaptive_max_pool1d", (X1, ()), {}, r"output_size is \(\)"),
    ("adaptive_max_pool1d", (X1[:, :0], 2), {}, "no empty axis from axis 1 on"),
    ("adaptive_max_pool2d", (X2, (1, 2, 3)), {}, r"output_size is \(1, 2, 3\)"),
    ("adaptive_max_pool2d", (X2.astype(int), 2), {}, "x has dtype int64, expected real floating point"),
    ("adaptive_max_pool2d", (X2[:, :, :, :0], 2), {}, "no empty axis from axis 1 on"),
    ("interpolate", (X2,), {}, "size is None and scale_factor is None, expected one of them"),
    ("interpolate", (X2, 3), {"scale_factor": 2}, "size is 3 and scale_factor is 2, expected one of them"),
    ("interpolate", (X2, (3,)), {}, r"size is \(3,\), expected a number or 2"),
    ("interpolate", (X2, 3.0), {}, "size is 3.0, expected a number, or one for each spatial axis"),
    ("interpolate", (X2, True), {}, "size is True"),
    ("interpolate", (X2, (None, 3)), {}, r"size is \(None, 3\)"),
    ("interpolate", (X2, 0), {}, r"y would have \(0, 0\), expected at least 1 on each axis"),
    ("interpolate", (X2, (3, -1)), {}, r"y would have \(3, -1\)"),
    ("interpolate", (X2, None, 0.1), {}, r"y would have \(0, 0\)"),
    ("interpolate", (X2, None, -1.0), {}, r"y would have \(-8, -9\)"),
    ("interpolate", (X2, None, NAN), {}, "scale_factor is nan, expected finite numbers"),
    ("interpolate", (X2, None, "2"), {}, "scale_factor is '2'"),
    ("interpolate", (X2, None, (2, 2, 2)), {}, r"scale_factor is \(2, 2, 2\), expected a number or 2"),
    ("interpolate", (X2, 3), {"mode": "cubic"}, "mode is 'cubic', expected one of"),
    ("interpolate", (X2, 3), {"mode": "linear"}, r"x has shape \(2, 3, 8, 9\), expected 3 axes for the mode linear"),
    ("interpolate", (X1, 3), {"mode": "bilinear"}, "expected 4 axes for the mode bilinear"),
    ("interpolate", (X1, 3), {"mode": "bicubic"}, "expected 4 axes for the mode bicubic"),
    ("interpolate", (X2[0, 0], 3), {}, r"x has shape \(8, 9\), expected \(N, C, W\), \(N, C, H, W\) or 5 axes"),
    ("interpolate", (X2, 3), {"align_corners": False}, "align_corners is False for the mode nearest, expected None"),
    ("interpolate", (X2, 3), {"mode": "area", "align_corners": True}, "align_corners is True for the mode area"),
    ("interpolate", (X2, 3), {"mode": "bilinear", "align_corners": "yes"}, "align_corners is 'yes', expected True or"),
    ("interpolate", (X2, 3), {"recompute_scale_factor": True}, "recompute_scale_factor is True and size is given"),
    ("interpolate", (X2, 3), {"antialias": True}, "antialias is True for the mode nearest, expected bilinear or"),
    ("interpolate", (HALF, 3), {"mode": "bilinear", "antialias": True}, "x has dtype float16, expected float32 or"),
    ("interpolate", (X2.astype(int), 3), {}, "x has dtype int64, expected floating point"),
    ("interpolate", (X1.astype(np.uint8), 3), {"mode": "linear"}, "x has dtype uint8, expected floating point"),
    ("interpolate", (X2[:, :0], 3), {}, "no empty axis of x but the batch"),
    ("interpolate", (X2[:, :, :0], 3), {"mode": "area"}, "no empty axis of x but the batch"),
]


@pytest.mark.parametrize(("name", "args", "kwargs", "message"), BAD)
def test_wrong_input_is_rejected_here_as_in_torch(name, args, kwargs, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        getattr(pooling, name)(*args, **kwargs)
    assert str(caught.value).startswith(f"{name}: ")
    tensors = [torch.tensor(a) if isinstance(a, np.ndarray) else a for a in args]
    with pytest.raises((RuntimeError, TypeError, ValueError, IndexError, NotImplementedError)):
        getattr(F, name)(*tensors, **kwargs)
