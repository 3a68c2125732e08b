"""Picking entries by index, and sums over named indices."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..tape import primitive
from ..types import Array

__all__ = ["einsum", "getitem"]


@primitive
def getitem(x: Array, index: Any) -> Array:
    """y = x[index], for slices, integers, integer arrays and masks."""
    return x[index]

@getitem.defvjp
def getitem_vjp(dy, y, x, index):
    """Gathering's adjoint is scatter-add: an entry that was taken twice receives two gradients."""
    dx = np.zeros_like(x)
    parts = index if isinstance(index, tuple) else (index,)
    if builtins.all(isinstance(p, slice | int) or p is None or p is Ellipsis for p in parts):
        dx[index] = dy  # each entry was taken at most once
    else:
        np.add.at(dx, index, dy)
    return dx


def einsum(subscripts: str, *operands: Array) -> Array:
    """The sum that `subscripts` spells out, for example 'nij,jk->nik'. Letters repeat only between operands.

    Raises ValueError for an implicit output, '...', or a letter twice in one
    operand.
    """
    return _einsum(subscripts, operands)


@primitive
def _einsum(subscripts, operands):
    _check_einsum(subscripts, operands)
    return np.einsum(subscripts, *operands, optimize=True)

@_einsum.defvjp
def _einsum_vjp(dy, y, subscripts, operands):
    """The same sum with dy in the place of the operand; letters that only it has are broadcast."""
    inputs, output = _check_einsum(subscripts, operands)
    grads = []
    for i, (term, x) in enumerate(zip(inputs, operands, strict=True)):
        others = [(t, a) for k, (t, a) in enumerate(zip(inputs, operands, strict=True)) if k != i] + [(output, dy)]
        kept = [c for c in term if any(c in t for t, _ in others)]
        g = np.einsum(",".join(t for t, _ in others) + "->" + "".join(kept), *(a for _, a in others), optimize=True)
        g = np.expand_dims(g, tuple(k for k, c in enumerate(term) if c not in kept))
        grads.append(np.broadcast_to(g, x.shape))
    return None, grads


def _check_einsum(subscripts, operands):
    if "->" not in subscripts or "." in subscripts:
        raise ValueError(f"einsum: subscripts is {subscripts!r}, expected a form like 'ij,jk->ik' without '...'")
    inputs, output = subscripts.replace(" ", "").split("->")
    inputs = inputs.split(",")
    if len(inputs) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(operands)}")
    sizes = {}
    for term, a in zip(inputs, operands, strict=True):
        for letter, n in zip(term, np.shape(a), strict=False):
            if sizes.setdefault(letter, n) != n:
                raise ValueError(f"einsum: {letter} has the sizes {sizes[letter]} and {n}, expected one")
    for term in [*inputs, output]:
        if len(set(term)) != len(term):
            raise ValueError(f"einsum: a letter is repeated in {term!r}; take the diagonal first")
    return inputs, output
