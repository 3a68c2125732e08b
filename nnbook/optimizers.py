"""Optimizers on nested dicts of arrays: each step returns new parameters and its own state, changing nothing.

    params, state = adam(params, grads, state, lr=1e-3)

Derived in chapter 4.
"""

from __future__ import annotations

import math

import numpy as np

from .autodiff import tree_map
from .checks import as_number, widened
from .types import Params

__all__ = ["adam", "adamw", "clip_grad_norm", "cosine_schedule", "sgd", "warmup_schedule"]


def _pick(tree, i):
    """The i-th entry of every leaf tuple of a tree of results."""
    return tree_map(lambda leaf: leaf.parts[i], tree)


class _Leaf:
    """Several results for one parameter, kept together so that tree_map sees one leaf."""

    def __init__(self, *parts):
        self.parts = parts


def _map(f, params, grads, *trees):
    """Apply `f` to each parameter that has a gradient; the results come back as one tree each."""
    n = 1 + len(trees)

    def leaf(p, g, *more):
        _check_leaf(p, g, more)
        return _Leaf(*((p, *more) if g is None else f(p, g, *more)))

    out = tree_map(leaf, params, grads, *trees)
    return [_pick(out, i) for i in range(n)]


def _check_leaf(p, g, state):
    """A gradient, and what the state holds beside it, look like their parameter."""
    shape, dtype = np.shape(p), np.asarray(p).dtype
    if g is not None and np.shape(g) != shape:
        raise ValueError(f"a gradient has shape {np.shape(g)}, expected that of its parameter, {shape}")
    if g is not None and np.asarray(g).dtype != dtype:
        raise TypeError(f"a gradient has dtype {np.asarray(g).dtype}, expected that of its parameter, {dtype}")
    for s in state:
        if np.shape(s) not in ((), shape):
            raise ValueError(f"the state has an array of shape {np.shape(s)}, expected {shape}, that of its parameter")


def _begin(function, state, empty):
    """The state given, or an empty one. Raises ValueError where it is another optimizer's."""
    if state and state.keys() != empty.keys():
        raise ValueError(f"{function}: state has the keys {sorted(state)}, expected {sorted(empty)}")
    return state or empty


def _zeros(params):
    return tree_map(lambda p: None if p is None else np.zeros_like(p), params)


def _check_positive(function, **numbers):
    for name, number in numbers.items():
        if not as_number(function, name, number) >= 0:
            raise ValueError(f"{function}: {name} is {number}, expected at least 0")


def sgd(params: Params, grads: Params, state: Params | None = None,
        lr: float = 1e-3, momentum: float = 0.0, dampening: float = 0.0,
        weight_decay: float = 0.0, nesterov: bool = False,
        maximize: bool = False) -> tuple[Params, Params]:
    """Stochastic gradient descent with momentum.

        g += weight_decay p;   v = momentum v + (1 - dampening) g
        p -= lr (g + momentum v  if nesterov else v)

    Returns (params, state); the first v is g itself, as in torch. `maximize`
    climbs instead. Raises ValueError for negative settings or for nesterov
    without momentum.
    Source: chapter 4, equation (sgd); Polyak (1964), Nesterov (1983).
    """
    _check_positive("sgd", lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(f"sgd: nesterov needs momentum > 0 and dampening 0, got {momentum} and {dampening}")
    lr, state = float(lr), _begin("sgd", state, {"velocity": tree_map(lambda p: None, params)})

    def step(p, g, v):
        g = (-g if maximize else g) + weight_decay * p
        v = g if v is None else momentum * v + (1 - dampening) * g
        return p - lr * (g + momentum * v if nesterov else v if momentum else g), v

    params, velocity = _map(step, params, grads, state["velocity"])
    return params, {"velocity": velocity}


def adam(params: Params, grads: Params, state: Params | None = None,
         lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
         eps: float = 1e-8, weight_decay: float = 0.0, amsgrad: bool = False,
         maximize: bool = False) -> tuple[Params, Params]:
    """Adam: a step of about `lr` in every coordinate, large gradient or small.

        g += weight_decay p;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
        p -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + eps)

    Returns (params, state). `amsgrad` divides by the largest v so far;
    `maximize` climbs instead. Raises ValueError for settings out of range.
    Source: chapter 4, equation (adam); Kingma and Ba (2015), Reddi et al.
    (2018).
    """
    return _adam("adam", params, grads, state, lr, betas, eps, weight_decay, 0.0, amsgrad, maximize)


def adamw(params: Params, grads: Params, state: Params | None = None,
          lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999),
          eps: float = 1e-8, weight_decay: float = 1e-2,
          amsgrad: bool = False,
          maximize: bool = False) -> tuple[Params, Params]:
    """Adam with weight decay outside the moments.

        p *= 1 - lr weight_decay,  then Adam's step with the bare g

    Returns (params, state). `amsgrad` and `maximize` are those of `adam`.
    Raises ValueError for settings out of range.
    Source: chapter 4, equation (adamw); Loshchilov and Hutter (2019).
    """
    return _adam("adamw", params, grads, state, lr, betas, eps, 0.0, weight_decay, amsgrad, maximize)


def _adam(function, params, grads, state, lr, betas, eps, coupled, decoupled, amsgrad, maximize):
    _check_positive(function, lr=lr, eps=eps, weight_decay=coupled + decoupled)
    b1, b2 = betas
    if not (0 <= b1 < 1 and 0 <= b2 < 1):
        raise ValueError(f"{function}: betas is {betas}, expected two numbers from 0 to 1, 1 excluded")
    lr, zeros = float(lr), _zeros(params)
    counts = tree_map(lambda p: None if p is None else 0, params)
    state = _begin(function, state, {"step": counts, "m": zeros, "v": zeros, "v_max": zeros})

    def step(p, g, t, m, v, v_max):
        t = t + 1
        g = (-g if maximize else g) + coupled * p
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        v_max = np.maximum(v_max, v) if amsgrad else v
        direction = (m / (1 - b1**t)) / (np.sqrt(v_max / (1 - b2**t)) + eps)
        return p * (1 - lr * decoupled) - lr * direction, t, m, v, v_max

    names = ("step", "m", "v", "v_max")
    params, *new = _map(step, params, grads, *(state[name] for name in names))
    return params, dict(zip(names, new, strict=True))


def clip_grad_norm(grads: Params, max_norm: float,
                   norm_type: float = 2.0) -> tuple[Params, float]:
    """Shrink all gradients together until their common norm is at most `max_norm`.

        g <- g min(1, max_norm / (||g|| + 1e-6))

    Returns (grads, the norm before). norm_type may be math.inf. Raises
    ValueError for a negative max_norm.
    Source: chapter 8, equation (clip_grad_norm); Pascanu et al. (2013).
    """
    _check_positive("clip_grad_norm", max_norm=max_norm)
    found = []
    tree_map(lambda g: found.append(g) if g is not None else None, grads)
    sizes = [np.linalg.norm(widened(np.ravel(g)), norm_type) for g in found]
    norm = float(np.linalg.norm(sizes, norm_type)) if sizes else 0.0
    factor = float(np.minimum(1.0, max_norm / (norm + 1e-6)))  # nan stays nan
    return tree_map(lambda g: None if g is None else g * factor, grads), norm


def warmup_schedule(step: int, warmup_steps: int) -> float:
    """A factor for the learning rate that rises in a straight line to 1.

        f = min(1, (step + 1) / warmup_steps),  step = 0, 1, 2, ...

    Source: chapter 4, equation (warmup_schedule).
    """
    return float(min(1.0, (step + 1) / max(warmup_steps, 1)))


def cosine_schedule(step: int, total_steps: int, warmup_steps: int = 0,
                    minimum: float = 0.0) -> float:
    """Warm-up, then half a cosine wave down to `minimum`.

        f = minimum + (1 - minimum) (1 + cos(pi s)) / 2
        s = (step - warmup) / (total - warmup)

    Source: chapter 4, equation (cosine_schedule); Loshchilov and Hutter
    (2017).
    """
    if step < warmup_steps:
        return warmup_schedule(step, warmup_steps)
    s = min(1.0, (step - warmup_steps) / max(total_steps - warmup_steps, 1))
    return float(minimum + (1 - minimum) * 0.5 * (1 + math.cos(math.pi * s)))
