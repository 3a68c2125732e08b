"""Docstrings are executed: every shape line, with a prime of its own for each letter."""

import inspect
import re

import numpy as np
import pytest
from examples import example, results
from shapes import arrays, check_result, shape, shape_line, sizes_of

import nnbook

MODULES = ("activations", "losses", "layers", "optimizers", "normalization", "convolution", "pooling", "recurrent",
           "attention", "transformer", "bert", "interchange")
FUNCTIONS = [f for name, f in sorted(vars(nnbook).items()) if inspect.isfunction(f) and not name.startswith("_")
             and f.__module__.split(".")[1] in MODULES]
WITH_SHAPES = [f for f in FUNCTIONS if shape_line(f)]
# Files and tokenizers have no equation.
FILES = {"bert_inputs", "from_torch", "load_checkpoint", "load_safetensors", "save_safetensors", "to_torch"}


@pytest.mark.parametrize("f", WITH_SHAPES, ids=lambda f: f.__name__)
def test_shape_line(f):
    given, expected, sizes = example(f)
    parts = results(f, given)
    assert len(parts) == len(expected) and expected
    for part, (name, letters) in zip(parts, expected, strict=True):
        check_result(f"{f.__name__}: {name}", part, letters, sizes)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("f", WITH_SHAPES, ids=lambda f: f.__name__)
def test_the_dtype_stays(f, dtype):
    """float32 and float16 come out as they went in, values and gradients: nothing is float64 in secret."""
    def cast(leaf):
        return leaf.astype(dtype) if isinstance(leaf, np.ndarray) and leaf.dtype.kind == "f" else leaf

    given, _, _ = example(f)
    if "step" in given or f.__name__ in ("sinusoidal_positions", "mask_tokens", "one_hot"):
        return  # no array of numbers goes in
    given = nnbook.tree_map(cast, given)
    trees = {k: v for k, v in given.items() if isinstance(v, np.ndarray | dict | tuple) and k != "cache"}
    fixed = {k: v for k, v in given.items() if k not in trees}
    y, pullback = nnbook.vjp(lambda trees: results(f, trees | fixed), trees)
    for part in y:
        assert np.asarray(part).dtype == dtype
    grads, = pullback(tuple(np.ones_like(part) for part in y))
    nnbook.tree_map(lambda g: _has_dtype(g, dtype), grads)


def _has_dtype(g, dtype):
    assert g is None or np.asarray(g).dtype == dtype, f"a gradient is {np.asarray(g).dtype}"


EXTREMES = {"1e4": lambda a, rng: 1e4 * rng.choice([-1, 1], a.shape), "1e200": lambda a, rng: 1e200 * a,
            "zero": lambda a, rng: 0 * a, **{str(v): lambda a, rng, v=v: np.where(rng.random(a.shape) < 0.1, v, a)
                                             for v in (np.inf, -np.inf, np.nan)}}


@pytest.mark.parametrize("extreme", EXTREMES)
@pytest.mark.parametrize("f", WITH_SHAPES, ids=lambda f: f.__name__)
def test_extreme_numbers_give_results_and_no_warning(f, extreme):
    """Overflow, inf and nan are results, forward and backward; pytest turns NumPy's warnings into errors."""
    given, _, _ = example(f)
    if "step" in given or f.__name__ in ("mask_tokens", "one_hot", "sinusoidal_positions", "binary_cross_entropy"):
        return  # no array of numbers goes in, or only probabilities
    rng = np.random.default_rng(0)
    trees = {k: v for k, v in given.items() if isinstance(v, np.ndarray | dict | tuple) and k != "cache"}
    fixed = {k: v for k, v in given.items() if k not in trees}
    trees = nnbook.tree_map(lambda a: EXTREMES[extreme](a, rng) if np.asarray(a).dtype.kind == "f" else a, trees)
    bare = results(f, trees | fixed)
    y, pullback = nnbook.vjp(lambda trees: results(f, trees | fixed), trees)
    for part, tracked in zip(bare, y, strict=True):
        if "rng" not in given:  # what is drawn differs from call to call
            np.testing.assert_array_equal(part, tracked)
    pullback(tuple(np.ones_like(part) for part in y))


def test_a_wrong_shape_line_is_caught():
    def wrong(x):
        """x (N, C)  ->  y (C, N)"""
        return x

    left, right = shape_line(wrong)
    sizes = sizes_of(left)
    (name, letters), = arrays(right)
    with pytest.raises(AssertionError, match="the docstring says"):
        check_result(name, wrong(np.ones(shape(arrays(left)[0][1], sizes))), letters, sizes)


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_docstring_is_complete(f):
    """A sentence, an equation, shapes, errors and a source, for everything that is not a helper to begin with."""
    doc = inspect.getdoc(f)
    assert doc
    assert re.match(r"[A-Za-z].*[.:,;)]$", doc.splitlines()[0]), doc.splitlines()[0]
    if f.__name__.startswith("init_") or f.__module__.split(".")[1] == "optimizers":
        return
    assert "Raises" in doc or "errors are those of" in doc, "what does it raise?"
    if f.__name__ in FILES:
        return
    assert shape_line(f), "no shape line"
    assert "Source: chapter" in doc
    assert f"equation ({f.__name__})" in doc
    assert re.search(r"^    \S", doc, re.MULTILINE), "no indented equation"


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_arguments_have_torchs_names_and_defaults(f):
    import torch

    F = torch.nn.functional
    theirs = getattr(F, f"{f.__name__}_with_indices", None) or getattr(F, f.__name__, None)
    if theirs is None or f.__name__ in ("embedding", "linear", "sigmoid", "tanh", "one_hot", "dropout",
                                        "multi_head_attention", "softmax", "log_softmax", "softmin"):
        return  # written in C, or another argument list by contract
    try:
        signature = inspect.signature(theirs)
    except ValueError:
        return
    dropped = {"inplace", "size_average", "reduce", "_stacklevel", "dtype", "out"}
    wanted = [(("axis" if n == "dim" else n), p.default) for n, p in signature.parameters.items() if n not in dropped]
    got = [(n, p.default) for n, p in inspect.signature(f).parameters.items()]
    for i, ((name, default), (ours, our_default)) in enumerate(zip(wanted, got, strict=False)):
        assert ours == name or (i == 0 and ours == "x") or ours in ("x1", "x2"), f"{i}: {ours}, torch has {name}"
        assert our_default == default, name
    assert len(got) >= len(wanted)
