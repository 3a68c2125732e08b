"""What BERT's parameters are called, and which shapes they have: Hugging Face's names, letters for sizes.

D model, F feed-forward, V vocabulary, P positions, S segments (token types).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import check_floating, check_shape
from ..interchange import flatten, nest
from ..tape import plain
from ..types import Params

Letters = dict[str, str]

BUFFERS = ("position_ids", "token_type_ids")  # older Hugging Face versions store these beside the embeddings


def _dense(name: str, shape: str = "DD") -> Letters:
    return {f"{name}.weight": shape, f"{name}.bias": shape[0]}


def _norm(name: str) -> Letters:
    return {f"{name}.weight": "D", f"{name}.bias": "D"}


EMBEDDINGS = {"word_embeddings.weight": "VD", "position_embeddings.weight": "PD",
              "token_type_embeddings.weight": "SD", **_norm("LayerNorm")}
LAYER = {**_dense("attention.self.query"), **_dense("attention.self.key"), **_dense("attention.self.value"),
         **_dense("attention.output.dense"), **_norm("attention.output.LayerNorm"),
         **_dense("intermediate.dense", "FD"), **_dense("output.dense", "DF"), **_norm("output.LayerNorm")}
POOLER = _dense("dense")
MLM_HEAD = {**_dense("transform.dense"), **_norm("transform.LayerNorm"), "bias": "V"}


def draw(letters: Letters, sizes: dict[str, int], rng: np.random.Generator, std: float, dtype: Any) -> Params:
    """Matrices ~ N(0, std^2), LayerNorm weights 1, biases 0: nested under their names."""
    flat = {}
    for name, shape in letters.items():
        a = np.zeros([sizes[letter] for letter in shape], dtype)
        if a.ndim == 2:
            a[:] = std * rng.standard_normal(a.shape)
        flat[name] = a + 1 if name.endswith("LayerNorm.weight") else a
    return nest(flat)


def check_params(function: str, params: Params, letters: Letters, sizes: dict[str, int], **arrays: Any) -> None:
    """Raise unless `params` holds exactly the named arrays, of the shapes that the letters say and of one dtype.

    `sizes` says what is known of the letters; the others take the size that they meet first. `arrays` are
    further arguments, of the same dtype. Raises ValueError for names and shapes, TypeError for kinds.
    """
    flat = {name: plain(a) for name, a in flatten(params, function).items() if name not in BUFFERS}
    if lacking := [name for name in letters if name not in flat]:
        raise ValueError(f"{function}: params lacks {', '.join(lacking)}; it has the keys {sorted(params)}")
    if unknown := sorted(flat.keys() - letters.keys()):
        raise ValueError(f"{function}: params has the unknown names {', '.join(unknown)}, "
                         f"expected {', '.join(letters)}")
    check_floating(function, **{k: plain(a) for k, a in arrays.items()}, **{f"params {k}": a for k, a in flat.items()})
    sizes = dict(sizes)
    for name, shape in letters.items():
        a = flat[name]
        meaning = f"({', '.join(shape)})"
        check_shape(function, f"params {name}", a, tuple(sizes.get(letter) for letter in shape), meaning)
        sizes |= dict(zip(shape, a.shape, strict=True))


def check_bert(function: str, params: Params) -> dict[str, Params]:
    """The layers "0", "1", ... of `params`. Raises unless it has the parts of a BertModel; heads may be beside them."""
    if not isinstance(params, dict):
        raise TypeError(f"{function}: params is a {type(params).__name__}, expected nested dicts of arrays")
    if lacking := [part for part in ("embeddings", "encoder") if not isinstance(params.get(part), dict)]:
        hint = "; pass params['bert']" if "bert" in params else ""
        raise ValueError(f"{function}: params lacks {' and '.join(lacking)}, it has the keys {sorted(params)}{hint}")
    layers = params["encoder"].get("layer")
    if not isinstance(layers, dict) or set(layers) != {str(i) for i in range(len(layers))} or not layers:
        given = sorted(layers) if isinstance(layers, dict) else type(layers).__name__
        raise ValueError(f"{function}: params encoder.layer has the keys {given}, expected '0', '1', ... without a gap")
    return layers
