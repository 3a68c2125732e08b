"""What each kind of Keras layer calls its arrays and how it lays them out, beside torch's way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..types import Array, Params

Arrays = dict[str, Array]
Shapes = dict[str, tuple[int, ...]]


class Kind(NamedTuple):
    """read: {Keras's name: array} -> params; write: params and {Keras's name: shape} -> {Keras's name: array}."""

    read: Callable[[Arrays], Params]
    write: Callable[[Params, Shapes], Arrays]
    recurrent: bool = False


def _read_kernel(a: Arrays) -> Params:
    """kernel (places, I, O)  ->  weight (O, I, places); a transposed one is (places, O, I) in Keras, (I, O, places)."""
    k = a["kernel"]
    return {"weight": k.transpose(k.ndim - 1, k.ndim - 2, *range(k.ndim - 2)).copy()} | _bias(a)


def _write_kernel(p: Params, shapes: Shapes) -> Arrays:
    w = p["weight"]
    return {"kernel": w.transpose(*range(2, w.ndim), 1, 0).copy()} | _bias(p)


def _bias(a: Arrays) -> Arrays:
    return {"bias": a["bias"].copy()} if "bias" in a else {}


def _read_depthwise(a: Arrays) -> Params:
    """kernel (places, C, M)  ->  weight (C M, 1, places): C groups of one channel, M outputs each."""
    *places, C, M = a["kernel"].shape
    k = np.moveaxis(a["kernel"], (-2, -1), (0, 1))
    return {"weight": k.reshape(C * M, 1, *places)} | _bias(a)


def _write_depthwise(p: Params, shapes: Shapes) -> Arrays:
    *places, C, M = shapes["kernel"]
    return {"kernel": np.moveaxis(p["weight"].reshape(C, M, *places), (0, 1), (-2, -1)).copy()} | _bias(p)


def _renamed(**names: str) -> Kind:
    """The same arrays under other names: Keras's = nnbook's."""
    return Kind(lambda a: {new: a[old].copy() for old, new in names.items() if old in a},
                lambda p, _: {old: p[new].copy() for old, new in names.items() if new in p})


def _swapped(a: Array) -> Array:
    """A GRU's gates: Keras has z r h, torch has r z n. The swap is its own inverse."""
    z, r, h = np.split(a, 3)
    return np.concatenate([r, z, h])


def _recurrent(gru: bool) -> Kind:
    """kernel (I, gates), recurrent_kernel (H, gates)  ->  weight_ih (gates, I), weight_hh (gates, H)."""
    order = _swapped if gru else np.array

    def read(a):
        p = {"weight_ih": order(a["kernel"].T), "weight_hh": order(a["recurrent_kernel"].T)}
        if "bias" in a:
            pair = a["bias"] if gru else (a["bias"], np.zeros_like(a["bias"]))
            p |= {"bias_ih": order(pair[0]), "bias_hh": order(pair[1])}
        return p

    def write(p, shapes):
        a = {"kernel": order(p["weight_ih"]).T.copy(), "recurrent_kernel": order(p["weight_hh"]).T.copy()}
        if "bias" in shapes:
            pair = order(p["bias_ih"]), order(p["bias_hh"])
            a["bias"] = np.stack(pair) if gru else pair[0] + pair[1]
        return a

    return Kind(read, write, recurrent=True)


PARTS = {"q": "query", "k": "key", "v": "value"}


def _read_heads(a: Arrays) -> Params:
    """query/kernel (D, H, Dh)  ->  rows (H Dh, D) of in_proj_weight; output (H, Dh, D)  ->  out_proj.weight."""
    rows = {q: a[f"{name}/kernel"].reshape(len(a[f"{name}/kernel"]), -1).T for q, name in PARTS.items()}
    packed = len({r.shape for r in rows.values()}) == 1
    p: Params = {"in_proj_weight": np.concatenate(list(rows.values()))} if packed else \
        {f"{q}_proj_weight": r.copy() for q, r in rows.items()}
    out = a["attention_output/kernel"]
    p["out_proj"] = {"weight": out.reshape(-1, out.shape[-1]).T.copy()}
    if "query/bias" in a:
        p["in_proj_bias"] = np.concatenate([a[f"{name}/bias"].ravel() for name in PARTS.values()])
        p["out_proj"]["bias"] = a["attention_output/bias"].copy()
    return p


def _write_heads(p: Params, shapes: Shapes) -> Arrays:
    stack = np.split(p["in_proj_weight"], 3) if "in_proj_weight" in p else [p[f"{q}_proj_weight"] for q in PARTS]
    a = {f"{name}/kernel": w.T for name, w in zip(PARTS.values(), stack, strict=True)}
    a["attention_output/kernel"] = p["out_proj"]["weight"].T
    if "in_proj_bias" in p:
        a |= {f"{name}/bias": b for name, b in zip(PARTS.values(), np.split(p["in_proj_bias"], 3), strict=True)}
        a["attention_output/bias"] = p["out_proj"]["bias"]
    return {name: array.reshape(shapes[name]).copy() for name, array in a.items()}


_norm = _renamed(gamma="weight", beta="bias", moving_mean="running_mean", moving_variance="running_var")
_turned = Kind(_read_kernel, _write_kernel)
KINDS = {
    "Dense": _turned, "Conv1D": _turned, "Conv2D": _turned, "Conv3D": _turned,
    "Conv1DTranspose": _turned, "Conv2DTranspose": _turned, "Conv3DTranspose": _turned,
    "DepthwiseConv1D": Kind(_read_depthwise, _write_depthwise),
    "DepthwiseConv2D": Kind(_read_depthwise, _write_depthwise),
    "Embedding": _renamed(embeddings="weight"), "BatchNormalization": _norm, "LayerNormalization": _norm,
    "GroupNormalization": _norm, "RMSNormalization": _renamed(scale="weight"),
    "SimpleRNN": _recurrent(gru=False), "LSTM": _recurrent(gru=False), "GRU": _recurrent(gru=True),
    "MultiHeadAttention": Kind(_read_heads, _write_heads),
}
