"""Fifty steps beside torch.optim, on nested parameters."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from oracles import assert_close

import nnbook

SETTINGS = [
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1}),
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.9}),
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.8, "dampening": 0.3, "weight_decay": 0.05}),
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.8, "nesterov": True}),
    (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.8, "weight_decay": 0.05, "maximize": True}),
    (nnbook.adam, torch.optim.Adam, {"lr": 0.03}),
    (nnbook.adam, torch.optim.Adam, {"lr": 0.03, "betas": (0.5, 0.6), "amsgrad": True}),
    (nnbook.adam, torch.optim.Adam, {"lr": 0.03, "weight_decay": 0.1, "maximize": True}),
    (nnbook.adamw, torch.optim.AdamW, {"lr": 0.03, "betas": (0.5, 0.6), "amsgrad": True, "maximize": True}),
    (nnbook.adam, torch.optim.Adam, {"lr": 0.03, "betas": (0.7, 0.9), "eps": 1e-4, "weight_decay": 0.1}),
    (nnbook.adamw, torch.optim.AdamW, {"lr": 0.03}),
    (nnbook.adamw, torch.optim.AdamW, {"lr": 0.03, "weight_decay": 0.3}),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("ours", "theirs", "settings"), SETTINGS)
def test_fifty_steps_equal_torchs(ours, theirs, settings, dtype):
    rng = np.random.default_rng(0)
    params = {"a": {"w": rng.standard_normal((3, 4)).astype(dtype)}, "b": rng.standard_normal(5).astype(dtype)}
    tensors = [torch.nn.Parameter(torch.tensor(a)) for a in (params["a"]["w"], params["b"])]
    optimizer, state = theirs(tensors, **settings), None
    for _ in range(50):
        grads = {"a": {"w": rng.standard_normal((3, 4)).astype(dtype)}, "b": rng.standard_normal(5).astype(dtype)}
        before = copy.deepcopy((params, grads, state))
        new, new_state = ours(params, grads, state, **settings)
        nnbook.tree_map(np.testing.assert_array_equal, before[0], params)
        nnbook.tree_map(np.testing.assert_array_equal, before[1], grads)
        params, state = new, new_state
        for t, g in zip(tensors, (grads["a"]["w"], grads["b"]), strict=True):
            t.grad = torch.tensor(g)
        optimizer.step()
    assert params["b"].dtype == dtype
    tol = 1e-12 if dtype == np.float64 else 1e-5
    assert_close(params["a"]["w"], tensors[0].detach().numpy(), tol)
    assert_close(params["b"], tensors[1].detach().numpy(), tol)


def test_a_parameter_without_gradient_stays():
    params = {"w": np.ones(2), "n": 3}
    new, _ = nnbook.adam(params, {"w": np.ones(2), "n": None}, lr=0.5)
    assert new["n"] == 3
    assert_close(new["w"], [0.5, 0.5], 1e-7)


@pytest.mark.parametrize("norm_type", [1.0, 2.0, 3.0, math.inf])
@pytest.mark.parametrize("max_norm", [0.0, 0.5, 100.0])
def test_clipping_equals_torchs(norm_type, max_norm):
    rng = np.random.default_rng(1)
    grads = {"a": rng.standard_normal((2, 3)), "b": [rng.standard_normal(4), None]}
    tensors = [torch.nn.Parameter(torch.zeros(2, 3).double()), torch.nn.Parameter(torch.zeros(4).double())]
    tensors[0].grad, tensors[1].grad = torch.tensor(grads["a"]), torch.tensor(grads["b"][0])
    total = torch.nn.utils.clip_grad_norm_(tensors, max_norm, norm_type)
    clipped, norm = nnbook.clip_grad_norm(grads, max_norm, norm_type)
    assert_close(norm, total.item(), 1e-14)
    assert_close(clipped["a"], tensors[0].grad.numpy(), 1e-12)
    assert_close(clipped["b"][0], tensors[1].grad.numpy(), 1e-12)
    assert clipped["b"][1] is None


def test_clipping_defaults_to_the_euclidean_norm_and_takes_nothing():
    clipped, norm = nnbook.clip_grad_norm({"a": np.array([3.0, 4.0])}, 1.0)
    assert_close(norm, 5.0, 1e-15)
    assert_close(clipped["a"], [0.6, 0.8], 1e-6)
    assert nnbook.clip_grad_norm({"a": None}, 1.0) == ({"a": None}, 0.0)


def test_schedules():
    assert [nnbook.warmup_schedule(s, 4) for s in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    factors = [nnbook.cosine_schedule(s, 104, 4, 0.1) for s in range(105)]
    assert factors[:4] == [0.25, 0.5, 0.75, 1]
    assert factors[4] == 1
    assert_close(factors[54], 0.55, 1e-12)
    assert_close(factors[104], 0.1, 1e-12)
    assert all(a >= b for a, b in itertools.pairwise(factors[4:]))
    torch_optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    torch_schedule = torch.optim.lr_scheduler.CosineAnnealingLR(torch_optimizer, 10, eta_min=0.0)
    for step in range(10):  # without warm-up it is torch's annealing
        assert_close(nnbook.cosine_schedule(step, 10), torch_schedule.get_last_lr()[0], 1e-12)
        torch_optimizer.step()
        torch_schedule.step()
    assert nnbook.cosine_schedule(0, 0) == nnbook.cosine_schedule(3, 3, 3) == 1
    assert nnbook.cosine_schedule(3, 4, 3) == 1
    assert nnbook.warmup_schedule(0, 0) == 1


P = {"w": np.ones(2)}
BAD = [
    (nnbook.sgd, {"lr": -1.0}, "sgd: lr is -1.0, expected at least 0"),
    (nnbook.sgd, {"nesterov": True}, "nesterov needs momentum > 0"),
    (nnbook.adam, {"betas": (0.9, 1.0)}, r"adam: betas is \(0.9, 1.0\)"),
    (nnbook.adam, {"betas": (1.0, 0.9)}, r"adam: betas is \(1.0, 0.9\)"),
    (nnbook.adam, {"betas": (-0.1, 0.9)}, r"adam: betas is \(-0.1, 0.9\)"),
    (nnbook.adamw, {"betas": (0.9, -0.1)}, r"adamw: betas is \(0.9, -0.1\)"),
    (nnbook.adam, {"eps": -1e-8}, "adam: eps is -1e-08, expected at least 0"),
    (nnbook.sgd, {"momentum": 0.9, "dampening": 0.1, "nesterov": True}, "nesterov needs momentum > 0 and dampening 0"),
    (nnbook.adamw, {"weight_decay": -0.1}, "adamw: weight_decay is -0.1"),
]


@pytest.mark.parametrize(("f", "settings", "message"), BAD)
def test_wrong_settings(f, settings, message):
    with pytest.raises(ValueError, match=message):
        f(P, P, **settings)


def test_other_wrong_input():
    with pytest.raises(ValueError, match="differ in form"):
        nnbook.sgd(P, {"v": np.ones(2)})
    with pytest.raises(ValueError, match=r"a gradient has shape \(3,\), expected that of its parameter, \(2,\)"):
        nnbook.adam(P, {"w": np.ones(3)})
    with pytest.raises(ValueError, match="max_norm is -1"):
        nnbook.clip_grad_norm(P, -1)
