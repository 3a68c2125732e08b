"""torch's own test cases, run against nnbook: the samples and the wrong calls of its OpInfo tables.

They were written by others, for another library; each sample is a call that torch's developers thought worth
testing. Values and gradients must be torch's, for every floating-point dtype that torch takes; what torch
rejects, nnbook must reject; what torch accepts of integers, nnbook must accept.
"""

import inspect
import warnings

import numpy as np
import pytest
import torch
from oracles import assert_close
from torch.testing._internal.common_methods_invocations import op_db

import nnbook

SUBJECTS = ("activations", "losses", "layers", "normalization", "convolution", "pooling", "attention")
DTYPES = {"float64": torch.float64, "float32": torch.float32, "float16": torch.float16, "int64": torch.int64}
RTOL = {"float64": 1e-10, "float32": 2e-4, "float16": 2e-2, "int64": 1e-6}
ROUNDED = {"hardsigmoid": 1e-6}  # torch's backward holds 1/6 in float32
# What nnbook leaves out on purpose: (function, why, a test of the sample's positional and named arguments).
LEFT_OUT = [
    (None, "a dtype argument: convert the array first", lambda a, k: k.get("dtype") is not None),
    (None, "size_average and reduce are deprecated in torch", lambda a, k: "size_average" in k or "reduce" in k),
    ("embedding", "sparse gradients are a way to store them", lambda a, k: "sparse" in k),
    ("dropout", "torch draws the mask from a generator of its own", lambda a, k: True),
    ("scaled_dot_product_attention", "dropout is random", lambda a, k: k.get("dropout_p", 0) > 0),
]
BESIDE_COMPLEX = "a complex array beside real ones passes: the complex-step oracle needs it"


def cases():
    """[(id, op)] of the entries of torch's table that nnbook has a function for."""
    found = {}
    for op in op_db:
        name = op.name.split(".")[-1]
        f, home = getattr(nnbook, name, None), "nn.functional." if hasattr(torch.nn.functional, name) else ""
        if inspect.isfunction(f) and f.__module__.split(".")[1] in SUBJECTS and op.name in (name, home + name) and \
                {torch.float64, torch.int64} & op.dtypes and \
                (op.name.startswith("nn.") or name in ("softmax", "log_softmax", "logsumexp", "sigmoid", "tanh")):
            found[f"{name}-{op.variant_test_name}" if op.variant_test_name else name] = op
    return sorted(found.items())


CASES = cases()


def to_numpy(a):
    """Tensors to arrays, everywhere in the arguments; torch's `dim` is `axis`."""
    if isinstance(a, torch.Tensor):
        return a.detach().numpy().copy()
    if isinstance(a, list | tuple):
        return tuple(map(to_numpy, a))
    if isinstance(a, dict):
        return {("axis" if k == "dim" else k): to_numpy(v) for k, v in a.items()}
    return a


def arguments(op, sample):
    """(positional, named) arguments of a sample, in the order of the function."""
    args = (sample.input, *sample.args)
    return (args[1], args[0], *args[2:]) if op.name == "nn.functional.embedding" else args, sample.kwargs


def kept(op, samples):
    name = op.name.split(".")[-1]
    samples = [arguments(op, s) for s in samples]
    return [s for s in samples if not any(who in (None, name) and test(*s) for who, _, test in LEFT_OUT)]


def function(op):
    return getattr(nnbook, op.name.split(".")[-1])


def theirs(op):
    name = op.name.split(".")[-1]
    return getattr(torch.nn.functional, name) if op.name.startswith("nn.") else getattr(torch, name)


def first(result):
    """The value, where batch norm gives its statistics beside it."""
    return result[0] if isinstance(result, tuple) else result


def compare(op, args, kwargs, dtype):
    """One sample: the value, its dtype, and the gradients of the positional arguments."""
    arrays, more = to_numpy(args), to_numpy(kwargs)
    tensors = [t.detach().clone() if isinstance(t, torch.Tensor) else t for t in args]
    fixed = (1, 2) if op.name.endswith(("batch_norm", "instance_norm")) else ()  # running statistics
    wanted = [i for i, t in enumerate(tensors) if isinstance(t, torch.Tensor) and t.is_floating_point()]
    wanted = [i for i in wanted if i not in fixed]
    expected = first(theirs(op)(*tensors, **kwargs))
    y = np.asarray(first(function(op)(*arrays, **more)))
    rtol = ROUNDED.get(op.name.split(".")[-1], RTOL[dtype]) if dtype == "float64" else RTOL[dtype]
    assert y.dtype == expected.numpy().dtype
    assert_close(y.astype(np.float64), expected.double().numpy(), rtol, "value")
    if dtype in ("float16", "int64"):
        return
    for i in wanted:
        tensors[i].requires_grad_()
    expected = first(theirs(op)(*tensors, **kwargs))
    dy = torch.randn(expected.shape, dtype=expected.dtype)
    grads = torch.autograd.grad(expected, [tensors[i] for i in wanted], dy, materialize_grads=True)
    got = nnbook.vjp(lambda *a: first(function(op)(*a, **more)), *arrays)[1](dy.numpy())
    for i, g in zip(wanted, grads, strict=True):
        assert got[i].dtype == arrays[i].dtype
        assert_close(got[i], g.numpy(), rtol, f"gradient of argument {i}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("name", "op"), CASES, ids=[name for name, _ in CASES])
def test_samples(name, op, dtype):
    torch.manual_seed(0)
    if DTYPES[dtype] not in op.dtypes:
        refused = 0
        for args, kwargs in kept(op, op.sample_inputs("cpu", torch.float64)):
            cast = [a.astype(dtype) if getattr(a, "dtype", None) == np.float64 else a for a in to_numpy(args)]
            with pytest.raises((TypeError, ValueError)):
                function(op)(*cast, **to_numpy(kwargs))
            refused += 1
        assert refused or name == "dropout"
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)  # torch's own advice
        for args, kwargs in kept(op, op.sample_inputs("cpu", DTYPES[dtype])):
            compare(op, args, kwargs, dtype)


@pytest.mark.parametrize(("name", "op"), [c for c in CASES if c[1].error_inputs_func],
                         ids=[name for name, op in CASES if op.error_inputs_func])
def test_what_torch_rejects_is_rejected(name, op):
    for case in op.error_inputs("cpu"):
        for args, kwargs in kept(op, [case.sample_input]):
            if any(a.dtype.kind == "c" for a in to_numpy(args) if isinstance(a, np.ndarray)):
                continue  # BESIDE_COMPLEX
            with pytest.raises((ValueError, TypeError)):
                function(op)(*to_numpy(args), **to_numpy(kwargs))


def test_torchs_table_is_large():
    """The cases are there, and not all of them are left out."""
    assert len(CASES) >= 45
    samples = sum(len(kept(op, op.sample_inputs("cpu", torch.float64))) for _, op in CASES)
    assert samples >= 600
