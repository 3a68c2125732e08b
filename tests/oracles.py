"""What every test of a gradient uses: the three oracles, on any tree of arguments."""

import numpy as np
import torch

import nnbook
from nnbook.gradients import relative_error


def assert_close(got, expected, rtol, what=""):
    """Same shape, and max |got - expected| <= rtol * max(1, max |expected|), where not finite: the same."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, f"{what}: shape {got.shape}, expected {expected.shape}"
    odd = ~np.isfinite(expected)
    np.testing.assert_array_equal(got[odd], expected[odd], err_msg=f"{what}: where not finite")
    error = relative_error(got[~odd].astype(np.float64), expected[~odd].astype(np.float64))
    assert error <= rtol, f"{what}: relative error {error:.2e} > {rtol:.0e}"


def against_torch(f, torch_f, arrays, rng, rtol=None, dtypes=(np.float64, np.float32)):
    """Values and all gradients of `f` equal those of `torch_f`, in each dtype, and keep the dtype.

    `arrays` is a tuple of arrays (or None, or integers) that both take by position; floating-point ones get
    gradients. `torch_f` receives torch tensors. The upstream gradient is random. Tuples of results are
    compared part by part.
    """
    for dtype in dtypes:
        tol = rtol or {np.float64: 1e-10, np.float32: 2e-4}[dtype]
        cast = [a.astype(dtype) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a for a in arrays]
        tensors = [torch.tensor(a, requires_grad=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a for a in cast]
        expected = torch_f(*tensors)
        y, pullback = nnbook.vjp(f, *cast)
        bare = f(*cast)
        parts, several = (y, True) if isinstance(y, tuple) else ((y,), False)
        expected = tuple(expected) if several else (expected,)
        assert len(parts) == len(expected)
        for k, (part, e) in enumerate(zip(parts, expected, strict=True)):
            assert np.asarray(part).dtype == dtype, f"result {k} is {np.asarray(part).dtype}, not {np.dtype(dtype)}"
            assert_close(part, e.detach().numpy(), tol, f"result {k}")
            np.testing.assert_array_equal(part, bare[k] if several else bare)
        dy = [np.asarray(rng.standard_normal(np.shape(p)), dtype) for p in parts]
        wanted = [t for t in tensors if isinstance(t, torch.Tensor) and t.requires_grad]
        if not any(e.requires_grad for e in expected):
            continue
        outs = [(e, torch.tensor(g)) for e, g in zip(expected, dy, strict=True) if e.requires_grad]
        grads = torch.autograd.grad([o for o, _ in outs], wanted, [g for _, g in outs], materialize_grads=True)
        ours = pullback(tuple(dy) if several else dy[0])
        again = pullback(tuple(dy) if several else dy[0])
        ours, again = ([g for g, a in zip(gs, cast, strict=True) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
                       for gs in (ours, again))
        for k, (g, g2, e) in enumerate(zip(ours, again, grads, strict=True)):
            assert g.dtype == dtype, f"gradient {k} is {g.dtype}, expected {np.dtype(dtype)}"
            assert_close(g, e.numpy(), tol, f"gradient of array {k}")
            np.testing.assert_array_equal(g, g2, err_msg="the second use of the pullback differs")


def against_complex_step(f, arrays, rng, rtol=1e-12):
    """The vjp of every floating-point array equals the complex step (for analytic functions)."""
    y, pullback = nnbook.vjp(f, *arrays)
    dy = rng.standard_normal(np.shape(y))
    grads = pullback(dy)
    for i, a in enumerate(arrays):
        if isinstance(a, np.ndarray) and a.dtype.kind == "f":
            expected = nnbook.complex_step_gradient(
                lambda x, i=i: f(*arrays[:i], x, *arrays[i + 1:]), a.astype(np.float64), dy)
            assert_close(grads[i], expected, rtol, f"complex step, array {i}")
