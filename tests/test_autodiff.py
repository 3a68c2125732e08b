"""The tape and the array primitives, held against torch."""

import gc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import against_complex_step, against_torch, assert_close

import nnbook
from nnbook import Tensor, grad, primitive, tree_map, value_and_grad, vjp

SEEDS = st.integers(0, 2**32 - 1)
quick = settings(max_examples=40, deadline=None)


def randn(rng, *shape):
    return np.asarray(rng.standard_normal(shape))


# --- elementwise, with broadcasting ------------------------------------------------------------------

SHAPES = [((), ()), ((3,), ()), ((2, 3), (3,)), ((2, 1), (1, 5)), ((4, 1, 3), (2, 1)), ((0, 3), (3,)), ((1,), (7, 1))]
BINARY = {"add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div,
          "maximum": torch.maximum, "minimum": torch.minimum}
UNARY = {"neg": torch.neg, "exp": torch.exp, "sin": torch.sin, "cos": torch.cos, "abs": torch.abs}


@given(seed=SEEDS, name=st.sampled_from(sorted(BINARY)), shapes=st.sampled_from(SHAPES), swap=st.booleans())
@quick
def test_binary(seed, name, shapes, swap):
    rng = np.random.default_rng(seed)
    a, b = (randn(rng, *s) for s in (shapes[::-1] if swap else shapes))
    b = np.where(np.abs(b) < 0.1, 1.0, b)
    against_torch(getattr(nnbook, name), BINARY[name], (a, b), rng)
    if name in ("add", "sub", "mul", "div"):
        against_complex_step(getattr(nnbook, name), (a, b), rng)


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_entries_share_the_gradient(name):
    a = np.array([1.0, 2.0, 3.0])
    against_torch(getattr(nnbook, name), BINARY[name], (a, np.array([1.0, 5.0, 0.0])), np.random.default_rng(0))


@given(seed=SEEDS, name=st.sampled_from(sorted(UNARY)), shape=st.sampled_from([(), (0,), (3,), (2, 5)]))
@quick
def test_unary(seed, name, shape):
    rng = np.random.default_rng(seed)
    against_torch(getattr(nnbook, name), UNARY[name], (randn(rng, *shape),), rng)


@given(seed=SEEDS, exponent=st.sampled_from([-2, -0.5, 0, 0.5, 1, 2, 3]))
@quick
def test_positive_arguments(seed, exponent):
    rng = np.random.default_rng(seed)
    x = 0.2 + np.abs(randn(rng, 2, 3))
    against_torch(nnbook.log, torch.log, (x,), rng)
    against_torch(nnbook.sqrt, torch.sqrt, (x,), rng)
    against_torch(lambda x: nnbook.power(x, exponent), lambda x: torch.pow(x, exponent), (x,), rng)


def test_zero_to_a_power():
    x = np.array([0.0, 1.0])
    assert_close(vjp(lambda x: x**0, x)[1](np.ones(2))[0], [0, 0], 0)
    assert_close(vjp(lambda x: x**1, x)[1](np.ones(2))[0], [1, 1], 0)


def test_clip_and_where():
    rng = np.random.default_rng(3)
    x, y = randn(rng, 4, 5), randn(rng, 5)
    against_torch(lambda x: nnbook.clip(x, -0.5, 0.7), lambda x: torch.clip(x, -0.5, 0.7), (x,), rng)
    mask = randn(rng, 4, 1) > 0
    against_torch(lambda a, b: nnbook.where(mask, a, b),
                  lambda a, b: torch.where(torch.tensor(mask), a, b), (x, y), rng)


# --- products ----------------------------------------------------------------------------------------

PRODUCTS = [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 5)), ((2, 3), (3, 5)), ((2, 3), (7, 3, 5)), ((7, 2, 3), (3, 5)),
            ((7, 1, 2, 3), (4, 3, 5)), ((3,), (7, 3, 5)), ((7, 2, 3), (3,)), ((0, 2, 3), (3, 5)), ((2, 0), (0, 3))]


@given(seed=SEEDS, shapes=st.sampled_from(PRODUCTS))
@quick
def test_matmul(seed, shapes):
    rng = np.random.default_rng(seed)
    a, b = (randn(rng, *s) for s in shapes)
    against_torch(nnbook.matmul, torch.matmul, (a, b), rng)
    against_complex_step(nnbook.matmul, (a, b), rng)


@pytest.mark.parametrize(("subscripts", "shapes"), [
    ("ij,jk->ik", [(2, 3), (3, 5)]), ("nij,jk->nki", [(7, 2, 3), (3, 5)]), ("ij->i", [(2, 3)]), ("ij->", [(2, 3)]),
    ("i,j->ij", [(2,), (3,)]), ("ij,j,ik->k", [(2, 3), (3,), (2, 5)]), ("ij,k->i", [(2, 3), (5,)]),
    ("ij->ji", [(2, 3)]),
])
def test_einsum(subscripts, shapes):
    rng = np.random.default_rng(4)
    against_torch(lambda *xs: nnbook.einsum(subscripts, *xs), lambda *xs: torch.einsum(subscripts, *xs),
                  tuple(randn(rng, *s) for s in shapes), rng)


# --- reductions and shapes ---------------------------------------------------------------------------


@given(seed=SEEDS, axis=st.sampled_from([None, 0, 1, -1, (0, 2), (1,), (-1, 0), (0, 1, 2)]), keepdims=st.booleans(),
       name=st.sampled_from(["sum", "mean", "var", "max", "min"]))
@quick
def test_reductions(seed, axis, keepdims, name):
    rng = np.random.default_rng(seed)
    x = randn(rng, 2, 3, 5)
    if name in ("max", "min"):
        x = np.round(x)  # ties
    dim = (0, 1, 2) if axis is None else axis
    oracle = {"sum": torch.sum, "mean": torch.mean, "max": torch.amax, "min": torch.amin,
              "var": lambda x, dim, keepdim: torch.var(x, dim, correction=0, keepdim=keepdim)}[name]
    against_torch(lambda x: getattr(nnbook, name)(x, axis=axis, keepdims=keepdims),
                  lambda x: oracle(x, dim, keepdim=keepdims), (x,), rng)
    if name == "var":
        against_torch(lambda x: nnbook.var(x, axis, keepdims, correction=1),
                      lambda x: torch.var(x, dim, correction=1, keepdim=keepdims), (x,), rng)


RESHAPES = {
    "reshape": (lambda x: nnbook.reshape(x, (5, -1)), lambda x: x.reshape(5, -1)),
    "reshape method": (lambda x: x.reshape(3, 10), lambda x: x.reshape(3, 10)),
    "transpose": (lambda x: nnbook.transpose(x), lambda x: x.permute(2, 1, 0)),
    "transpose negative": (lambda x: nnbook.transpose(x, (-1, 0, -2)), lambda x: x.permute(-1, 0, -2)),
    "T": (lambda x: x.T, lambda x: x.permute(2, 1, 0)),
    "swapaxes": (lambda x: nnbook.swapaxes(x, -1, 0), lambda x: x.swapaxes(-1, 0)),
    "moveaxis": (lambda x: nnbook.moveaxis(x, 0, -1), lambda x: x.moveaxis(0, -1)),
    "expand_dims": (lambda x: nnbook.expand_dims(x, -2), lambda x: x.unsqueeze(-2)),
    "squeeze": (lambda x: nnbook.squeeze(x[:1], 0), lambda x: x[:1].squeeze(0)),
    "broadcast_to": (lambda x: nnbook.broadcast_to(x[:, :1], (7, 2, 4, 5)),
                     lambda x: x[:, :1].broadcast_to(7, 2, 4, 5)),
    "flip": (lambda x: nnbook.flip(x, 1), lambda x: x.flip(1)),
    "repeat": (lambda x: nnbook.repeat(x, 2, -2), lambda x: x.repeat_interleave(2, -2)),
    "concatenate": (lambda x: nnbook.concatenate([x, x[:, :1]], 1), lambda x: torch.cat([x, x[:, :1]], 1)),
    "stack": (lambda x: nnbook.stack((x, x * 2.0), -1), lambda x: torch.stack((x, x * 2.0), -1)),
    "split": (lambda x: nnbook.split(x, [1, 4], -1)[1], lambda x: x[..., 1:4]),
    "split all": (lambda x: sum(nnbook.split(x, 2, 0)), lambda x: x[:1] + x[1:]),
}


@pytest.mark.parametrize("name", RESHAPES)
def test_reshaping(name):
    rng = np.random.default_rng(5)
    against_torch(*RESHAPES[name], (randn(rng, 2, 3, 5),), rng)


INDICES = [0, -1, slice(None, None, 2), (slice(1, 3), 2), (..., 0), (None, 1), np.array([3, 0, 3]), [1, 1],
           (np.array([0, 1, 0]), np.array([2, 2, 2])), (slice(None), np.array([4, 4])), "mask"]


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_getitem_gathers_and_its_vjp_scatters_and_adds(index):
    rng = np.random.default_rng(6)
    x = randn(rng, 4, 5)
    if isinstance(index, str):
        index = x > 0
    torch_index = torch.tensor(index) if isinstance(index, np.ndarray) else index
    against_torch(lambda x: x[index], lambda x: x[torch_index], (x,), rng)


# --- the tape ----------------------------------------------------------------------------------------


def test_operators_of_a_tensor():
    rng = np.random.default_rng(7)
    against_torch(lambda a, b: (2.0 - a) * b / 3.0 + (-a) ** 2 - 1.0 / (b * b + 1.0) + a.sum() - b.mean(axis=0) @ b[0],
                  lambda a, b: (2.0 - a) * b / 3.0 + (-a) ** 2 - 1.0 / (b * b + 1.0) + a.sum() - b.mean(0) @ b[0],
                  (randn(rng, 3, 4), randn(rng, 3, 4)), rng)


def test_an_array_beside_a_tensor_asks_the_tensor():
    a = np.arange(3.0)
    assert_close(grad(lambda x: (a * x + a @ x - a / x).sum())(np.array([1.0, 2.0, 4.0])),
                 a + 3 * a + a / np.array([1.0, 4.0, 16.0]), 1e-14)
    assert_close(grad(lambda x: (np.float64(3) * x).sum())(a), [3, 3, 3], 0)


def test_reuse_adds_and_never_in_place():
    x = np.array([1.0, 2.0])
    y, pullback = vjp(lambda x: x * x + x, x)
    dy = np.array([1.0, 10.0])
    first = pullback(dy)[0]
    assert_close(first, dy * (2 * x + 1), 1e-15)
    np.testing.assert_array_equal(pullback(dy)[0], first)
    np.testing.assert_array_equal(dy, [1.0, 10.0])
    np.testing.assert_array_equal(x, [1.0, 2.0])


def test_keyword_tensors_do_not_bypass_the_tape():
    b = np.array([3.0, 4.0])
    assert_close(grad(lambda x: nnbook.sum(x=nnbook.mul(b=x, a=b)))(np.ones(2)), b, 0)


def test_a_chain_of_20000_steps():
    def f(x):
        for _ in range(20_000):
            x = x * 1.0001
        return x

    assert_close(grad(f)(np.float64(2.0)), 1.0001**20_000, 1e-10)
    gc.collect()


def test_a_diamond_calls_each_rule_once():
    calls = []

    @primitive
    def double(x):
        return 2 * x

    @double.defvjp
    def double_vjp(dy, y, x):
        calls.append(float(dy))
        return 2 * dy

    def f(x):
        y = double(x)
        return y * 3.0 + y * 4.0

    assert grad(f)(np.float64(1.0)) == 14
    assert calls == [7.0]


def test_several_results_with_an_unused_one():
    @primitive
    def both(x):
        return x**2, x**3

    @both.defvjp
    def both_vjp(dy, y, x):
        d2, d3 = dy
        return (0 if d2 is None else 2 * x * d2) + (0 if d3 is None else 3 * x**2 * d3)

    x = np.array([2.0, 3.0])
    assert_close(grad(lambda x: both(x)[1].sum())(x), 3 * x**2, 0)
    assert_close(grad(lambda x: (both(x)[0] * both(x)[1]).sum())(x), 5 * x**4, 1e-14)
    (y2, y3), pullback = vjp(both, x)
    assert_close(pullback((np.ones(2), np.zeros(2)))[0], 2 * x, 0)
    assert_close(pullback((np.ones(2), np.ones(2)))[0], 2 * x + 3 * x**2, 0)


def test_value_and_grad_on_nested_parameters():
    rng = np.random.default_rng(8)
    params = {"layer": {"w": randn(rng, 3, 2), "b": randn(rng, 2)}, "list": [randn(rng, 2), 7], "none": None}

    def loss(p, x):
        return ((x @ p["layer"]["w"] + p["layer"]["b"]) * p["list"][0]).sum() * float(p["list"][1])

    x = randn(rng, 5, 3)
    value, grads = value_and_grad(loss)(params, x)
    t = tree_map(lambda a: torch.tensor(a, requires_grad=True) if isinstance(a, np.ndarray) else a, params)
    expected = loss(t, torch.tensor(x))
    expected.backward()
    assert_close(value, expected.item(), 1e-14)
    assert np.ndim(value) == 0
    assert grads["list"][1] is None
    assert grads["none"] is None
    for g, p in ((grads["layer"]["w"], t["layer"]["w"]), (grads["layer"]["b"], t["layer"]["b"]),
                 (grads["list"][0], t["list"][0])):
        assert_close(g, p.grad.numpy(), 1e-13)


def test_argnums_and_has_aux():
    def f(a, b, scale=1.0):
        return (a * b).sum() * scale, {"a": a, "n": 3}

    a, b = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    (value, aux), (da, db) = value_and_grad(f, argnums=(0, 1), has_aux=True)(a, b, scale=2.0)
    assert value == 26
    assert isinstance(aux["a"], np.ndarray)
    assert_close(da, 2 * b, 0)
    assert_close(db, 2 * a, 0)
    assert_close(grad(lambda a, b: (a * b).sum(), argnums=1)(a, b), a, 0)


def test_what_the_function_does_not_use_gets_zeros():
    da, db = vjp(lambda a, b: a * 2.0, np.ones(2), np.ones((3, 4)))[1](np.ones(2))
    assert_close(da, [2, 2], 0)
    np.testing.assert_array_equal(db, np.zeros((3, 4)))
    assert vjp(lambda a: np.float64(3.0), np.ones(2))[0] == 3


def test_integers_pass_through_and_have_no_gradient():
    rows = np.array([0, 0])
    y, pullback = vjp(lambda w, i: w[i], np.eye(2), rows)
    dw, di = pullback(np.ones((2, 2)))
    assert_close(dw, [[2, 2], [0, 0]], 0)
    assert di is None


def test_comparisons_give_plain_booleans():
    assert_close(grad(lambda x: nnbook.where(x > 0, x, 0.0 * x).sum())(np.array([-1.0, 2.0])), [0, 1], 0)


@pytest.mark.parametrize("call", [
    lambda x: np.where(x.value > 0, x, x), lambda x: np.stack([x, x]), lambda x: np.sum(x), lambda x: np.asarray(x),
    lambda x: np.array([x, x]), lambda x: np.concatenate([x, x]), lambda x: np.exp(x), lambda x: np.linalg.norm(x),
], ids=["where", "stack", "sum", "asarray", "array", "concatenate", "exp", "norm"])
def test_numpy_refuses_a_tensor(call):
    with pytest.raises(TypeError):
        grad(lambda x: call(x))(np.ones(3))


def test_errors():
    with pytest.raises(ValueError, match=r"returned shape \(2,\), expected a scalar"):
        grad(lambda x: x)(np.ones(2))
    with pytest.raises(ValueError, match=r"dy has shape \(3,\), expected the shape of y, \(2,\)"):
        vjp(lambda x: x * 2.0, np.ones(2))[1](np.ones(3))
    with pytest.raises(TypeError, match="derivatives of derivatives"):
        grad(lambda x: grad(lambda z: z * z)(x))(np.float64(2.0))
    with pytest.raises(ValueError, match="argnums is 1, but there are 1"):
        grad(lambda x: x, argnums=1)(np.float64(2.0))
    with pytest.raises(TypeError, match="ruleless has no gradient"):
        grad(primitive(ruleless))(np.float64(2.0))
    with pytest.raises(TypeError, match="clip: lower or upper is an ndarray, expected numbers"):
        vjp(lambda x, low: nnbook.clip(x, low, 1.0), np.ones(2), np.zeros(2))
    with pytest.raises(ValueError, match="clip: lower and upper are None"):
        nnbook.clip(np.ones(2))
    with pytest.raises(TypeError, match="power: exponent is a ndarray, expected a number"):
        grad(lambda x: nnbook.power(np.ones(3), x).sum())(np.float64(2.0))
    with pytest.raises(ValueError, match="expected a form like"):
        nnbook.einsum("ij,jk", np.ones((2, 3)), np.ones((3, 2)))
    with pytest.raises(ValueError, match="names 2 operands, got 1"):
        nnbook.einsum("ij,jk->ik", np.ones((2, 3)))
    with pytest.raises(ValueError, match="repeated in 'ii'"):
        nnbook.einsum("ii->i", np.ones((2, 2)))


def ruleless(x):
    return x


@pytest.mark.parametrize("other", [{"a": 1, "c": 2}, {"a": 1}, [1, 2]])
def test_tree_map_refuses_trees_of_another_form(other):
    with pytest.raises(ValueError, match="differ in form"):
        tree_map(lambda a, b: a, {"a": 1, "b": 2}, other)


def test_tree_map_keeps_the_form():
    tree = {"a": (1, [2, 3]), "b": {}}
    assert tree_map(lambda a, b: a + b, tree, tree) == {"a": (2, [4, 6]), "b": {}}


def test_a_tensor_shows_itself():
    t = Tensor(np.ones((2, 3), np.float32))
    assert (t.shape, t.ndim, t.size, len(t), t.dtype) == ((2, 3), 2, 6, 2, np.float32)
    assert "Tensor(array" in repr(t)
    assert [row.shape for row in t] == [(3,), (3,)]
