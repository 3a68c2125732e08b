"""Where a training run stands, and how it is written to a safetensors file and read back."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib

import numpy as np

from ..autodiff import tree_map
from ..interchange import load_safetensors, save_safetensors
from ..types import Array, Params

Path = str | os.PathLike[str]


@dataclasses.dataclass
class Run:
    """Where a run stands between two epochs: all that is needed to go on."""

    params: Params
    best: Params
    state: Params | None = None  # the optimizer's
    epoch: int = 0
    best_epoch: int = 0
    best_score: float = -math.inf  # more is better
    loss: list[float] = dataclasses.field(default_factory=list)  # of each step
    valid: list[float] = dataclasses.field(default_factory=list)  # of each epoch


def save_run(run: Run, path: Path | None, settings: Array) -> None:
    """Write the run beside `path`, then put it there: an interrupted write leaves the old file whole."""
    if path is None:
        return
    tree = {k: v for k, v in vars(run).items() if v is not None} | {"settings": settings}
    tree |= {k: np.array(tree[k], float) for k in ("loss", "valid")}
    part = pathlib.Path(path).with_name("part-" + pathlib.Path(path).name)
    save_safetensors(tree_map(np.asarray, tree), part)
    os.replace(part, path)


def load_run(path: Path, params: Params, settings: Array) -> Run:
    """The run in a file. Raises ValueError where it is one of other parameters or settings."""
    saved = load_safetensors(path)
    found = saved.pop("settings", None)
    if not np.array_equal(found, settings):
        raise ValueError(f"fit: resume: {os.fspath(path)} has seed, batch_size and number of examples {found}, "
                         f"this call has {settings}")
    for name in ("params", "best"):
        saved[name] = tree_map(_same, params, saved[name])  # in the order of `params`: sums depend on it
    saved |= {k: saved[k].tolist() for k in ("epoch", "best_epoch", "best_score", "loss", "valid")}
    return Run(**saved | {"state": tree_map(_count, saved.get("state"))})


def _same(given, saved):
    """`saved`, if it is such an array as `given`."""
    kinds = [f"{a.dtype} {a.shape}" for a in map(np.asarray, (given, saved))]
    if kinds[0] != kinds[1]:
        raise ValueError(f"fit: resume: params has an array {kinds[0]}, the file has {kinds[1]} in its place")
    return saved


def _count(leaf):
    """A number of steps as an int again: an array would widen float32, and be raised to powers differently."""
    return int(leaf) if leaf is not None and leaf.shape == () and leaf.dtype.kind == "i" else leaf
