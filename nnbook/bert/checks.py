"""Checks that the encoder and its head share."""

from __future__ import annotations

from typing import Any

from ..checks import check_floating, check_integers
from ..tape import plain
from ..types import Array


def check_ids(function: str, name: str, ids: Any, rows: int,
              shapes: list[tuple[int, ...]] | None = None) -> None:
    """Integers from 0 to rows - 1, of shape (N, T) or of one of `shapes`."""
    check_integers(function, **{name: ids})
    if shapes is None and ids.ndim != 2:
        raise ValueError(f"{function}: {name} has shape {ids.shape}, expected (N, T)")
    if shapes is not None and ids.shape not in shapes:
        wanted = " or ".join(str(s) for s in dict.fromkeys(shapes))
        raise ValueError(f"{function}: {name} has shape {ids.shape}, expected {wanted}")
    if ids.size and not (ids.min() >= 0 and ids.max() < rows):
        raise ValueError(f"{function}: {name} holds {ids.min()} to {ids.max()}, expected 0 to {rows - 1}")


def check_hidden(function: str, name: str, x: Array, letters: str = "(N, T, D)") -> None:
    """Floating point with three axes."""
    check_floating(function, **{name: plain(x)})
    if x.ndim != 3:
        raise ValueError(f"{function}: {name} has shape {tuple(x.shape)}, expected {letters}")
