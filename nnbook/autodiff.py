"""Gradients of ordinary Python functions: `vjp`, `grad`, `value_and_grad` on nested dicts of arrays.

The tape is in `nnbook.tape`, the array primitives are in `nnbook.arrays`; both are part of this subject and
can be imported from here too. Derived in chapter 2.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import *
from .arrays import __all__ as _arrays
from .tape import Tensor, backward, plain, primitive

__all__ = ["Tensor", "grad", "primitive", "tree_map", "value_and_grad", "vjp", *_arrays]



def tree_map(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply `f` to every leaf of nested dicts, lists and tuples; further trees must have the same form.

    Raises ValueError where the trees differ in form.
    """
    for other in rest:
        if isinstance(tree, dict | list | tuple) and (type(other) is not type(tree) or len(other) != len(tree)):
            raise ValueError(f"tree_map: the trees differ in form: {_form(tree)} and {_form(other)}")
    if isinstance(tree, dict):
        for other in rest:
            if other.keys() != tree.keys():
                raise ValueError(f"tree_map: the trees differ in form: {_form(tree)} and {_form(other)}")
        return {k: tree_map(f, tree[k], *(other[k] for other in rest)) for k in tree}
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*(tree_map(f, *leaves) for leaves in zip(tree, *rest, strict=True)))
    if isinstance(tree, list | tuple):
        return type(tree)(tree_map(f, *leaves) for leaves in zip(tree, *rest, strict=True))
    return f(tree, *rest)


def _form(tree):
    if isinstance(tree, dict):
        return f"a dict with the keys {sorted(map(str, tree))}"
    return f"a {type(tree).__name__}" + (f" of {len(tree)}" if isinstance(tree, list | tuple) else "")


def _track(tree, leaves):
    """Wrap every floating-point leaf in a Tensor and note it in `leaves`; the rest passes through."""

    def wrap(leaf):
        if isinstance(leaf, Tensor):
            raise TypeError("derivatives of derivatives are not supported: vjp, grad and value_and_grad "
                            "take arrays, got a Tensor")
        if leaf is None or np.asarray(leaf).dtype.kind not in "fc":
            return leaf
        leaves.append(Tensor(np.asarray(leaf)))
        return leaves[-1]

    return tree_map(wrap, tree)


def vjp(f: Callable[..., Any], *arrays: Any) -> tuple[Any, Callable[[Any], tuple]]:
    """Evaluate `f` and return its vector-Jacobian product.

        y, pullback = vjp(f, a, b);   da, db = pullback(dy)   with  da_i = sum_j dy_j dy_j/da_i

    `arrays` may be nested dicts, lists and tuples; the gradients have the
    same form, with None for what is not floating point. `f` returns one array
    or a tree of arrays; `dy` has that form. `pullback` may be called again.
    Raises ValueError where `dy` has another shape than `y`.
    """
    leaves: list[Tensor] = []
    tracked = [_track(a, leaves) for a in arrays]
    out = f(*tracked)
    y = tree_map(plain, out)

    def pullback(dy):
        if isinstance(out, Tensor):
            grads = iter(backward(*_checked(out, dy), leaves))
        else:  # several results: add up what each of them sends back
            pairs = []
            tree_map(lambda o, g: pairs.append(_checked(o, g)) if isinstance(o, Tensor) else None, out, dy)
            parts = [backward(o, g, leaves) for o, g in pairs] or [[np.zeros_like(x.value) for x in leaves]]
            grads = iter([functools.reduce(np.add, part) for part in zip(*parts, strict=True)])
        return tuple(tree_map(lambda t: next(grads) if isinstance(t, Tensor) else None, t) for t in tracked)

    return y, pullback


def _checked(y, dy):
    if np.shape(dy) != y.shape:
        raise ValueError(f"pullback: dy has shape {np.shape(dy)}, expected the shape of y, {y.shape}")
    if np.iscomplexobj(dy) and y.dtype.kind != "c":
        raise TypeError(f"pullback: dy has dtype {np.asarray(dy).dtype}, expected that of y, {y.dtype}")
    return y, np.asarray(dy, dtype=y.dtype)


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0,
                   has_aux: bool = False) -> Callable[..., tuple[Any, Any]]:
    """A function that returns `f`'s value, a scalar, and its gradient.

        loss, grads = value_and_grad(loss_fn)(params, x, y)

    `argnums`, an int or a tuple of ints, says with respect to which
    positional arguments. With `has_aux`, `f` returns `(loss, aux)` and the
    result is `((loss, aux), grads)`. Raises ValueError where the value is not
    a scalar.
    """
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)

    def run(*args, **kwargs):
        leaves, args = [], list(args)
        for i in wanted:
            if not -len(args) <= i < len(args):
                raise ValueError(f"value_and_grad: argnums is {i}, but there are {len(args)} positional arguments")
            args[i] = _track(args[i], leaves)
        out = f(*args, **kwargs)
        y, aux = out if has_aux else (out, None)
        if np.shape(plain(y)) != ():
            raise ValueError(f"grad: the function returned shape {np.shape(plain(y))}, expected a scalar ()")
        y = y if isinstance(y, Tensor) else Tensor(np.asarray(y))
        grads = iter(backward(y, np.ones_like(y.value), leaves))
        trees = tuple(tree_map(lambda t: next(grads) if isinstance(t, Tensor) else None, args[i]) for i in wanted)
        value = (y.value[()], tree_map(plain, aux)) if has_aux else y.value[()]
        return value, trees if isinstance(argnums, tuple) else trees[0]

    return run


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """The gradient of the scalar function `f`: `grad(f)(x)` has the form and shapes of `x`."""
    return lambda *args, **kwargs: value_and_grad(f, argnums)(*args, **kwargs)[1]
