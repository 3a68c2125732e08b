"""Parameters to and from torch, and to and from safetensors files. Never through a pickle.

nnbook keeps parameters in nested dicts: `params["encoder"]["weight"]`. torch and safetensors keep one flat
dict with dots in the names: `state_dict["encoder.weight"]`. Joining and splitting at the dots is all that lies
between. torch and safetensors are imported where they are needed, not before.
"""

from __future__ import annotations

import importlib
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .tape import Tensor
from .types import Array, Params

__all__ = ["from_torch", "load_safetensors", "save_safetensors", "to_torch"]

PICKLES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}


# --- nested dicts and dotted names ------------------------------------------------------------------


def flatten(params: Params, function: str = "flatten", path: str = "") -> dict[str, Any]:
    """{"a": {"b": x}}  ->  {"a.b": x}. Raises where a key is no name, or two arrays meet under one name."""
    if not isinstance(params, Mapping):
        raise TypeError(f"{function}: params is a {type(params).__name__}, expected nested dicts of arrays")
    flat: dict[str, Any] = {}
    for key, value in params.items():
        if not isinstance(key, str):
            raise TypeError(f"{function}: params has the key {key!r}, a {type(key).__name__}, expected strings")
        inner = isinstance(value, Mapping)
        part = flatten(value, function, f"{path}{key}.") if inner else {path + key: value}
        if twice := sorted(flat.keys() & part.keys()):
            raise ValueError(f"{function}: params holds {twice[0]!r} twice, expected one array for a name")
        flat |= part
    if not path:
        nest(flat, function)  # a key may hold dots itself: "a" and "a.b" cannot both be arrays
    return flat


def nest(flat: Mapping[str, Any], function: str = "nest") -> Params:
    """{"a.b": x}  ->  {"a": {"b": x}}. Raises ValueError where a name is an array and a dict of arrays at once."""
    params: Params = {}
    for name, array in flat.items():
        *path, last = name.split(".")
        if not all(path) or not last:
            raise ValueError(f"{function}: the name {name!r} has an empty part, expected names joined by dots")
        here = params
        for key in path:
            here = here.setdefault(key, {})
            if not isinstance(here, dict):
                raise ValueError(f"{function}: {name!r} is given, but {key!r} on its path is an array itself")
        if last in here:
            raise ValueError(f"{function}: {name!r} is an array, but other names begin with {name + '.'!r}")
        here[last] = array
    return params


def _arrays(function: str, params: Params) -> dict[str, Array]:
    """The flat dict of `params`, every leaf an ndarray in memory order that shares nothing with `params`."""
    flat = flatten(params, function)
    for name, a in flat.items():
        if isinstance(a, Tensor):
            raise TypeError(f"{function}: {name} is a Tensor on the tape, expected an ndarray (its .value)")
        if not isinstance(a, np.ndarray | np.generic):
            raise TypeError(f"{function}: {name} is a {type(a).__name__}, expected an ndarray")
    return {name: np.array(a, a.dtype.newbyteorder("="), order="C") for name, a in flat.items()}


# --- torch ------------------------------------------------------------------------------------------


def to_torch(params: Params) -> dict[str, Any]:
    """Nested dicts of arrays as a state_dict of torch tensors, dotted names.

        module.load_state_dict(to_torch(params))

    The tensors are copies; shapes and dtypes stay. An empty dict inside
    `params` has no arrays and leaves no name. Raises TypeError for leaves
    that are no ndarrays or of a dtype that torch lacks, ValueError where two
    arrays meet under one name.
    """
    arrays = _arrays("to_torch", params)
    torch = import_package("torch", "to_torch")
    try:
        return {name: torch.from_numpy(a) for name, a in arrays.items()}
    except TypeError:
        kinds = ", ".join(sorted({str(a.dtype) for a in arrays.values()}))
        raise TypeError(f"to_torch: params has the dtypes {kinds}, "
                        "expected only dtypes that torch has") from None


def from_torch(state_dict: Any) -> Params:
    """A torch module, or its state_dict, as nested dicts of arrays.

        params = from_torch(torch.nn.TransformerEncoderLayer(8, 2))

    Names are split at the dots. The arrays are copies; shapes and dtypes
    stay, except that bfloat16, which NumPy lacks, becomes float32, which
    holds it exactly. Raises TypeError for what is no tensor, ValueError for a
    name that is a tensor and a group of tensors at once.
    """
    if callable(getattr(state_dict, "state_dict", None)):
        state_dict = state_dict.state_dict()
    if not isinstance(state_dict, Mapping):
        raise TypeError("from_torch: state_dict is a "
                        f"{type(state_dict).__name__}, expected a torch "
                        "module or its state_dict")
    torch = import_package("torch", "from_torch")
    arrays = {k: _from_tensor(torch, k, t) for k, t in state_dict.items()}
    return nest(arrays, "from_torch")


def _from_tensor(torch: Any, name: str, t: Any) -> Array:
    if not isinstance(t, torch.Tensor):
        raise TypeError(f"from_torch: {name} is a {type(t).__name__}, expected a torch tensor")
    t = t.detach().float() if t.dtype == torch.bfloat16 else t.detach()
    try:
        return np.array(t.cpu().resolve_conj().resolve_neg().numpy())
    except (TypeError, RuntimeError) as e:  # float8, quantized, sparse, without data
        raise TypeError(f"from_torch: {name} of {t.dtype} has no ndarray ({e}), expected a dense tensor of a "
                        "dtype that NumPy has") from None


# --- safetensors ------------------------------------------------------------------------------------


def save_safetensors(params: Params, path: str | os.PathLike[str]) -> None:
    """Write nested dicts of arrays to a safetensors file, with dotted names.

    torch, Hugging Face and every other reader of safetensors can load it.
    Raises TypeError for leaves that are no ndarrays or of a dtype that the
    format lacks, ValueError for a path that names a pickle.
    """
    file = _safe_path("save_safetensors", path)
    arrays = _arrays("save_safetensors", params)
    safetensors = import_package("safetensors.numpy", "save_safetensors")
    try:  # Hugging Face loads no file whose format is not one that it knows
        safetensors.save_file(arrays, file, metadata={"format": "pt"})
    except import_package("safetensors", "").SafetensorError as e:
        raise TypeError(f"save_safetensors: {e}") from None


def load_safetensors(path: str | os.PathLike[str],
                     prefix: str = "") -> Params:
    """Read a safetensors file into nested dicts of arrays, split at the dots.

        params = load_safetensors("model.safetensors", prefix="bert")

    With `prefix` only the names below it are read, and the prefix is taken
    off. bfloat16, which NumPy lacks, becomes float32, which holds it exactly.
    Raises ValueError for a path that names a pickle, a file of another kind,
    or a prefix that no name has; TypeError for a dtype that NumPy lacks
    (float8).
    """
    flat = read_safetensors(path, "load_safetensors")
    begin = prefix.rstrip(".") + "." if prefix else ""
    below = {name: a for name, a in flat.items() if name.startswith(begin)}
    if flat and not below:
        first = ", ".join(sorted({name.split(".")[0] for name in flat}))
        raise ValueError(f"load_safetensors: no name begins with {begin!r}, "
                         f"the names begin with {first}")
    return nest({name.removeprefix(begin): a for name, a in below.items()},
                "load_safetensors")


def read_safetensors(path: str | os.PathLike[str], function: str) -> dict[str, Array]:
    """The file's arrays under the names that they have there."""
    file = _safe_path(function, path)
    safetensors = import_package("safetensors", function)
    if not file.is_file():
        raise FileNotFoundError(f"{function}: there is no file {file}")
    try:
        with safetensors.safe_open(file, framework="numpy") as f:
            kinds = {name: f.get_slice(name).get_dtype() for name in f.keys()}  # noqa: SIM118 (f is no dict)
            if lacking := [f"{name} ({kind})" for name, kind in kinds.items() if kind.startswith(("F8_", "F6_", "F4"))]:
                raise TypeError(f"{function}: NumPy has no dtype for {', '.join(lacking)}; convert the file to float32")
            arrays = {name: f.get_tensor(name) for name, kind in kinds.items() if kind != "BF16"}
        if "BF16" in kinds.values():
            entries = safetensors.deserialize(file.read_bytes())
            arrays |= {name: _widen(e["data"], e["shape"]) for name, e in entries if e["dtype"] == "BF16"}
    except safetensors.SafetensorError as e:
        raise ValueError(f"{function}: {file} is no safetensors file ({e})") from None
    return {name: arrays[name] for name in kinds}


def _widen(data: bytes, shape: list[int]) -> Array:
    """bfloat16 is the upper half of a float32: put sixteen zero bits below."""
    return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32).reshape(shape)


def _safe_path(function: str, path: Any) -> pathlib.Path:
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{function}: path is a {type(path).__name__}, expected a path to a .safetensors file")
    if pathlib.Path(path).suffix.lower() in PICKLES:
        raise ValueError(f"{function}: path is {str(path)!r}, a pickle by its name, and to load a pickle is to run it; "
                         "expected a .safetensors file")
    return pathlib.Path(path)


def import_package(name: str, function: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".")[0]
        raise ImportError(f"{function} needs the package {package}: pip install {package}") from None
