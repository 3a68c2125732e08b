"""BERT's encoder under the names of torch's own encoder layer, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..types import Params

__all__ = ["bert_from_transformer", "transformer_from_bert"]

# BERT's name: torch's name, beside the attention's three projections, which torch keeps in one.
NAMES = {("attention", "output", "dense"): ("self_attn", "out_proj"), ("intermediate", "dense"): ("linear1",),
         ("output", "dense"): ("linear2",), ("attention", "output", "LayerNorm"): ("norm1",),
         ("output", "LayerNorm"): ("norm2",)}
PARTS = ("query", "key", "value")


def transformer_from_bert(params: Params) -> Params:
    """BERT's encoder as torch.nn.TransformerEncoder names it: the same arrays, three of them stacked.

        in_proj = [query; key; value]

    `params` is {"layer": {"0": ...}}, the encoder of `bert`; the result is
    {"layers": {"0": ...}}, that of `transformer_encoder`, to be used with
    activation="gelu" and eps=1e-12. Raises ValueError where a part is
    missing.
    """
    return {"layers": {i: _transformer_layer(i, p) for i, p in _get("transformer_from_bert", params, "layer").items()}}


def bert_from_transformer(params: Params) -> Params:
    """The way back: {"layers": {"0": ...}} of a post-norm encoder as {"layer": {"0": ...}}.

    Raises ValueError where a part is missing, or for an encoder that ends in
    a norm, which BERT's does not.
    """
    if "norm" in params:
        raise ValueError("bert_from_transformer: params has a norm at its end, which BERT's encoder lacks")
    return {"layer": {i: _bert_layer(i, p) for i, p in _get("bert_from_transformer", params, "layers").items()}}


def _transformer_layer(i: str, p: Params) -> Params:
    f = f"transformer_from_bert: layer {i}"
    heads = [_get(f, p, "attention", "self", part) for part in PARTS]
    layer: Params = {"self_attn": {f"in_proj_{k}": np.concatenate([_get(f, head, k) for head in heads])
                                   for k in ("weight", "bias")}}
    for bert, torch in NAMES.items():
        _put(layer, torch, dict(_get(f, p, *bert)))
    return layer


def _bert_layer(i: str, p: Params) -> Params:
    f = f"bert_from_transformer: layer {i}"
    stacks = {k: np.split(_get(f, p, "self_attn", f"in_proj_{k}"), 3) for k in ("weight", "bias")}
    layer: Params = {"attention": {"self": {part: {k: stacks[k][n].copy() for k in stacks}
                                            for n, part in enumerate(PARTS)}}}
    for bert, torch in NAMES.items():
        _put(layer, bert, dict(_get(f, p, *torch)))
    return layer


def _get(function: str, params: Params, *path: str) -> Any:
    for key in path:
        if key not in params:
            raise ValueError(f"{function}: {'.'.join(path)} is missing: no {key!r} among {sorted(params)}")
        params = params[key]
    return params


def _put(params: Params, path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        params = params.setdefault(key, {})
    params[path[-1]] = value
