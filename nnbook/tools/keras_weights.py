"""Keras 3's weights as nnbook's parameters, and back: kernels turned, gates renamed, heads joined.

Keras is imported where it is needed, not before.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..interchange import flatten
from ..types import Array, Params
from .keras_kinds import KINDS, Arrays, Kind

__all__ = ["from_keras", "to_keras"]


def from_keras(model: Any, weights: Sequence[Array] | None = None, number: int = 0) -> Params:
    """A built Keras 3 layer or model as nested dicts of arrays in torch's layout.

        params = from_keras(keras_layer)            {"weight": ..., "bias": ...}
        params = from_keras(keras_model)            {name of a layer: its params}

    Kernels (places, I, O) become weights (O, I, places); gamma and beta
    become weight and bias; a GRU's z r h becomes r z n; an LSTM's or a plain
    network's one bias becomes bias_ih, and bias_hh is 0; the heads of an
    attention are joined. `weights` are arrays in the order of model.weights
    to convert in the place of the model's own, such as gradients (of one
    bias then; bias_hh is 0 there too). `number` is that of a recurrent layer
    in its stack. Raises TypeError for what is no Keras layer, ValueError for
    one that is not built, of a kind that torch lacks, or not known here.
    """
    variables = _variables("from_keras", model)
    given = model.get_weights() if weights is None else [np.asarray(w) for w in weights]
    if [w.shape for w in given] != [tuple(v.shape) for v in variables]:
        raise ValueError(f"from_keras: weights has the shapes {[w.shape for w in given]}, expected those of "
                         f"model.weights, {[tuple(v.shape) for v in variables]}")
    return _read(model, {id(v): w for v, w in zip(variables, given, strict=True)}, number)


def to_keras(params: Params, model: Any, number: int = 0) -> list[Array]:
    """nnbook's parameters as the list that a built Keras 3 layer or model takes.

        keras_model.set_weights(to_keras(params, keras_model))

    The way back of `from_keras`; the two biases of an LSTM or a plain network
    are added up, as Keras has one. A model's `params` are {name of a layer:
    its params}. Raises TypeError for what is no Keras layer, ValueError for
    names and shapes that do not fit it, each with the name of the layer.
    """
    variables = _variables("to_keras", model)
    placed: dict[int, Array] = {}
    _write(model, params, placed, number)
    return [placed[id(v)] for v in variables]


# --- layers and models ------------------------------------------------------------------------------


def _variables(function: str, model: Any) -> list[Any]:
    try:
        keras = importlib.import_module("keras")
    except ImportError as e:
        raise ImportError(f"{function} needs the packages keras and torch ({e}): pip install keras torch, and set "
                          "KERAS_BACKEND=torch in the environment") from None
    if not isinstance(model, keras.Layer):
        raise TypeError(f"{function}: model is a {type(model).__name__}, expected a Keras 3 layer or model")
    if not model.built:
        raise ValueError(f"{function}: {model.name!r} is not built and has no weights yet: call it on an input once")
    return list(model.weights)


def _kind(function: str, layer: Any) -> Kind | None:
    """How to convert a layer; None for a model, which holds layers."""
    names = [c.__name__ for c in type(layer).__mro__ if c.__module__.split(".")[0] == "keras"]
    kind = next((KINDS[name] for name in names if name in KINDS), None)
    inside = {id(v) for part in getattr(layer, "layers", ()) for v in part.weights}
    if kind is None and inside != {id(v) for v in layer.weights}:
        raise ValueError(f"{function}: {layer.name!r} is a {type(layer).__name__}, expected a model made of layers, or "
                         f"one of {', '.join(KINDS)}")
    return kind


def _parts(layer: Any) -> list[Any]:
    """The layers of a model that have weights. Raises ValueError where two have one name."""
    parts = [part for part in layer.layers if part.weights]
    names = [part.name for part in parts]
    if len(set(names)) < len(names):
        raise ValueError(f"from_keras, to_keras: {layer.name!r} has layers of one name: {names}")
    return parts


def _own(layer: Any, values: dict[int, Array] | None = None) -> Arrays:
    """{name: array} of one layer; without `values`, {name: shape} as empty arrays. An attention's are query/kernel."""
    depth = 2 if "num_heads" in layer.get_config() else 1
    return {"/".join(v.path.split("/")[-depth:]): np.broadcast_to(0.0, v.shape) if values is None else values[id(v)]
            for v in layer.weights}


def _read(layer: Any, values: dict[int, Array], number: int) -> Params:
    if type(layer).__name__ == "Bidirectional":
        back = _read(layer.backward_layer, values, number)
        return _read(layer.forward_layer, values, number) | {f"{name}_reverse": a for name, a in back.items()}
    kind = _kind("from_keras", layer)
    if kind is None:
        return {part.name: _read(part, values, number) for part in _parts(layer)}
    _check_layer("from_keras", layer)
    params = kind.read(_own(layer, values))
    return {f"{name}_l{number}": a for name, a in params.items()} if kind.recurrent else params


def _write(layer: Any, params: Params, placed: dict[int, Array], number: int) -> None:
    if type(layer).__name__ == "Bidirectional":
        back = {name.removesuffix("_reverse"): a for name, a in params.items() if name.endswith("_reverse")}
        front = {name: a for name, a in params.items() if not name.endswith("_reverse")}
        _write(layer.forward_layer, front, placed, number)
        _write(layer.backward_layer, back, placed, number)
        return
    kind = _kind("to_keras", layer)
    if kind is None:
        parts = {part.name: part for part in _parts(layer)}
        if parts.keys() != params.keys():
            raise ValueError(f"to_keras: params has the keys {sorted(params)}, {layer.name!r} has the layers "
                             f"{sorted(parts)}")
        for name, part in parts.items():
            _write(part, params[name], placed, number)
        return
    _check_layer("to_keras", layer)
    if kind.recurrent:  # of a stack, this layer's own
        end = f"_l{number}"
        params = {k.replace(end, "", 1): a for k, a in params.items() if k.removesuffix("_reverse").endswith(end)}
    shapes = _own(layer)
    _check_params(layer, params, kind.read(shapes))
    written = kind.write(params, {name: a.shape for name, a in shapes.items()})
    names = list(shapes)
    placed.update((id(v), written[name]) for name, v in zip(names, layer.weights, strict=True))


def _check_layer(function: str, layer: Any) -> None:
    """What torch's layer of that name cannot do."""
    c = layer.get_config()
    problem = ""
    if not c.get("reset_after", True):
        problem = "reset_after=False, the GRU of the paper; torch's is reset_after=True"
    if "num_heads" in c:
        width, inner = layer.weights[0].shape[0], c["num_heads"] * c["key_dim"]
        if not width == inner == c["num_heads"] * (c["value_dim"] or c["key_dim"]) or c["output_shape"] is not None:
            problem = (f"{c['num_heads']} heads of key_dim {c['key_dim']} and value_dim {c['value_dim']} on {width} "
                       "features; torch's heads share the features out among them")
    if problem:
        raise ValueError(f"{function}: {layer.name!r} has {problem}")


def _check_params(layer: Any, params: Params, expected: Params) -> None:
    """One array for each name, of the right shape."""
    flat = {k: tuple(np.shape(a)) for k, a in flatten(params, "to_keras").items()}
    want = {k: tuple(np.shape(a)) for k, a in flatten(expected, "to_keras").items()}
    if flat != want:
        raise ValueError(f"to_keras: {layer.name!r} was given {flat}, expected {want}")
