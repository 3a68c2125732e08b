"""Reverse-mode automatic differentiation: a tape of vector-Jacobian products.

A *primitive* is a NumPy function with its derived vector-Jacobian product (vjp) beside it. Called on
bare arrays it is only that function. Called on a `Tensor` it also writes a `Node` on the tape: which
rule, which arguments, which result. The backward pass walks the nodes from last to first and calls each
rule once with the sum of all gradients that arrived at its output.

Derived in chapter 2.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

import numpy as np

from .checks import ARRAY

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result", covariant=True)
# Overflow, inf and nan are results here, as in torch, and no reason to warn: a decorator, or a context.
quiet = np.errstate(all="ignore")
_clock = itertools.count()  # nodes are numbered as they are made, so every parent is older


class Node:
    """One call of a primitive: its rule, its plain arguments, its result, and where Tensors stood."""

    __slots__ = ("age", "args", "parents", "rule", "y")

    def __init__(self, rule, args, y, parents):
        self.rule, self.args, self.y, self.parents = rule, args, y, parents
        self.age = next(_clock)

    def pull(self, dy):
        """The gradients of the parents, in their order, from `dy`, the gradient of the result."""
        grads = self.rule(dy, self.y, *self.args)
        grads = grads if isinstance(grads, tuple) else (grads,)
        for tensor, i, j in self.parents:
            if i >= len(grads):
                raise TypeError(f"{self.rule.__name__} gives argument {i} no gradient, expected a plain number or "
                                "array there, not a Tensor")
            g = grads[i]
            yield tensor, g if j is None or g is None else g[j]


class Tensor:
    """An array whose history is written down. Made by `vjp`, `grad` and `value_and_grad`."""

    __slots__ = ("index", "node", "value")
    __array_ufunc__ = None  # so that ndarray + Tensor asks Tensor.__radd__

    def __init__(self, value, node=None, index=None):
        self.value, self.node, self.index = value, node, index

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: self.value.dtype)
    ndim = property(lambda self: self.value.ndim)
    size = property(lambda self: self.value.size)

    def __array__(self, dtype=None, copy=None):
        raise TypeError("a Tensor cannot become an ndarray: NumPy would lose its gradient "
                        "(call the nnbook function, or take tensor.value to leave the tape)")

    def __array_function__(self, func, types, args, kwargs):
        raise TypeError(f"np.{func.__name__} got a Tensor and would lose its gradient; "
                        f"call nnbook's own primitive, for example nnbook.{func.__name__}")

    def __bool__(self):
        return bool(self.value)

    def __len__(self):
        return len(self.value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __repr__(self):
        return f"Tensor({self.value!r})"


_MAY_BE_TRACKED = (Tensor, list, tuple)


def _find_tensors(args):
    """(tensor, i, j) for each Tensor: args[i] itself (j None) or args[i][j] in a list or tuple."""
    found = []
    for i, a in enumerate(args):
        if isinstance(a, Tensor):
            found.append((a, i, None))
        elif isinstance(a, list | tuple):
            found += [(b, i, j) for j, b in enumerate(a) if isinstance(b, Tensor)]
    return found


def plain(a: Any) -> Any:
    """The argument with its Tensors replaced by their arrays."""
    if isinstance(a, Tensor):
        return a.value
    if isinstance(a, list | tuple) and any(isinstance(b, Tensor) for b in a):
        return type(a)(plain(b) for b in a)
    return a


class Primitive(Protocol[Arguments, Result]):
    """A function with its rule beside it, as `primitive` makes it."""

    __name__: str
    vjp: Callable[..., Any] | None

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result: ...

    def defvjp(self, rule: Callable[..., Any]) -> Callable[..., Any]: ...


def primitive(f: Callable[Arguments, Result]) -> Primitive[Arguments, Result]:
    """Let the NumPy function `f` accept Tensors; give its rule with `@f.defvjp` right beneath it.

    The rule has the signature `rule(dy, y, *arguments of f)` and returns the gradients of the arguments
    in their order: one array, or a tuple with None for what has no gradient. Where `f` returns a tuple,
    `y` and `dy` are tuples too, with None in `dy` for a result that nobody used; a part that is not an array
    (a list of what the backward pass needs) is handed on as it is. The rule stays reachable
    as `f.vjp`.
    """
    quietly: Callable[..., Any] = quiet(f)
    signature = inspect.signature(f)  # f has no *args: each argument has one place in the rule
    defaults = tuple(p.default for p in signature.parameters.values())
    required = defaults.count(inspect.Parameter.empty)

    @functools.wraps(f)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        for a in args:  # a loop, not a call: on bare arrays the tape costs a fraction of a microsecond
            if isinstance(a, _MAY_BE_TRACKED):
                break
        else:
            if not kwargs:
                return f(*args, **kwargs)
        if not _find_tensors(args) and not _find_tensors(kwargs.values()):
            return f(*args, **kwargs)
        if kwargs or not required <= len(args) <= len(defaults):
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            args = tuple(bound.arguments.values())
        args += defaults[len(args):]
        parents, args = _find_tensors(args), tuple(map(plain, args))
        y = quietly(*args)
        if recorded.vjp is None:
            raise TypeError(f"{recorded.__name__} has no gradient (no rule was given with @{recorded.__name__}.defvjp)")
        node = Node(recorded.vjp, args, y, parents)
        if isinstance(y, tuple):
            return tuple(Tensor(part, node, k) if isinstance(part, ARRAY) else part
                         for k, part in enumerate(y))
        return Tensor(np.asarray(y), node)

    def defvjp(rule):
        recorded.vjp = rule
        return rule

    recorded: Any = wrapper
    recorded.vjp, recorded.defvjp = None, defvjp
    return recorded


def _nodes_youngest_first(node):
    seen, stack = {node}, [node]
    while stack:
        for tensor, _, _ in stack.pop().parents:
            if tensor.node is not None and tensor.node not in seen:
                seen.add(tensor.node)
                stack.append(tensor.node)
    return sorted(seen, key=lambda n: -n.age)


@quiet
def backward(y, dy, leaves):
    """The gradient of each leaf. Iterative: a chain of any length works. Nothing is added in place."""
    arrived = {}  # (node, index), or a leaf's id -> the sum of the gradients that reached it

    def arrive(tensor, g):
        key = id(tensor) if tensor.node is None else (tensor.node, tensor.index)
        arrived[key] = arrived[key] + g if key in arrived else g

    arrive(y, dy)
    for node in _nodes_youngest_first(y.node) if y.node is not None else ():
        if isinstance(node.y, tuple):
            dy = tuple(arrived.pop((node, k), None) for k in range(len(node.y)))
            reached = any(g is not None for g in dy)
        else:
            dy = arrived.pop((node, None), None)
            reached = dy is not None
        for tensor, g in node.pull(dy) if reached else ():
            if g is not None:
                arrive(tensor, g)
    return [_own(arrived.get(id(leaf)), leaf.value) for leaf in leaves]


def _own(g, value):
    """A gradient as an array of its own, in the dtype of what it is the gradient of."""
    return np.zeros_like(value) if g is None else np.array(g, value.dtype)
