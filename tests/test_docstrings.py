"""Docstrings are executed: every shape line, with a prime of its own for each letter."""

import inspect
import re

import numpy as np
import pytest
from shapes import arrays, check_result, shape, shape_line, sizes_of

import nnbook

MODULES = ("activations", "losses", "layers", "optimizers", "convolution", "recurrent", "attention")
FUNCTIONS = [f for name, f in sorted(vars(nnbook).items()) if inspect.isfunction(f) and not name.startswith("_")
             and f.__module__.split(".")[1] in MODULES]
# Where sizes obey a rule, or an argument is not an array: what the shape line cannot say.
SIZES = {"conv2d": {"H": 11, "W": 13}, "conv_transpose2d": {"H": 7, "W": 13}, "fold": {"H": 7, "W": 5, "Kh": 3, "Kw": 2,
         "Ho": 5, "Wo": 4}, "unfold": {"Kh": 3, "Kw": 2, "H": 11, "W": 13}, "multi_head_attention": {"D": 8},
         "scaled_dot_product_attention": {"Dv": 17}, "tiled_attention": {"Dv": 17}, "glu": {"C": 5}}
MORE = {"unfold": {"kernel_size": (3, 2)}, "fold": {"kernel_size": (3, 2), "output_size": (7, 5)},
        "logsumexp": {"axis": -1}, "one_hot": {"num_classes": 13}}
RNG = np.random.default_rng(0)


def recurrent_arguments(name, sizes):
    """Parameters in torch's layout for the recurrent functions."""
    gates = {"rnn": 1, "lstm": 4, "gru": 3}[name.split("_")[0]]
    I, H = sizes["I"], sizes.setdefault("H", 7)
    if name.endswith("_cell"):
        state = RNG.standard_normal((2, sizes["N"], H))
        more = {"state": tuple(state)} if name == "lstm_cell" else {"h": state[0]}
        return more | {"weight_ih": np.ones((gates * H, I)), "weight_hh": np.ones((gates * H, H))}
    return {"params": getattr(nnbook, f"init_{name}")(I, H, RNG)}


def arguments(f, left, sizes):
    given = {}
    for name, letters in arrays(left):
        if name not in inspect.signature(f).parameters:
            continue
        dims = shape([re.sub(r"^(\d) (\w+)$", r"\1*\2", letter) for letter in letters], sizes)
        integers = name in ("token_ids", "labels") or f"target {tuple(letters)}" == "target ('N',)"
        given[name] = RNG.integers(0, 2, dims) if integers else RNG.random(dims)
    if f.__module__.split(".")[1] == "recurrent":
        given |= recurrent_arguments(f.__name__, sizes)
    if f is nnbook.multi_head_attention:
        given |= {"params": nnbook.init_multi_head_attention(sizes["D"], 2, RNG), "num_heads": 2}
    if f is nnbook.additive_attention:
        A = 31
        given |= {"weight_query": np.ones((A, sizes["D"])), "weight_key": np.ones((A, sizes["E"])),
                  "weight_score": np.ones(A)}
    return given | MORE.get(f.__name__, {})


@pytest.mark.parametrize("f", [f for f in FUNCTIONS if shape_line(f)], ids=lambda f: f.__name__)
def test_shape_line(f):
    left, right = shape_line(f)
    left = re.sub(r"(\d) ([A-Z])", r"\1*\2", left).replace("C Kh Kw", "CK").replace("Ho Wo", "L")
    right = right.split(", with")[0].replace("C Kh Kw", "CK").replace("Ho Wo", "L")
    sizes = sizes_of(left, SIZES.get(f.__name__))
    if f.__name__ in ("fold", "unfold"):
        sizes["C"] = 19
        sizes |= {"CK": 19 * 6} | ({"L": 20} if f.__name__ == "fold" else {})
    result = f(**arguments(f, left, sizes))
    expected = arrays(right)
    if f.__name__ in ("lstm_cell",):
        expected = [("h'", ["N", "H"]), ("c'", ["N", "H"])]
    if f.__name__ == "lstm":
        result, expected = (result[0], *result[1]), [*expected[:1], ("h", ["1", "N", "H"]), ("c", ["1", "N", "H"])]
    parts = result if isinstance(result, tuple) else (result,)
    assert len(parts) == len(expected) and expected
    for part, (name, letters) in zip(parts, expected, strict=True):
        check_result(f"{f.__name__}: {name}", part, letters, sizes)


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
    assert shape_line(f), "no shape line"
    assert "Source: chapter" in doc
    assert f"equation ({f.__name__})" in doc
    assert re.search(r"^    \S", doc, re.MULTILINE), "no indented equation"
    assert "Raises" in doc or "errors are those of" in doc, "what does it raise?"


@pytest.mark.parametrize("f", FUNCTIONS, ids=lambda f: f.__name__)
def test_arguments_have_torchs_names_and_defaults(f):
    import torch

    theirs = getattr(torch.nn.functional, f.__name__, None)
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
