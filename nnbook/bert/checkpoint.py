"""Checkpoints of Hugging Face's BERT: a folder with config.json, safetensors files and a tokenizer.

Never a pickle: loading one runs whatever program is in it.
"""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np

from ..autodiff import tree_map
from ..interchange import import_package, nest, read_safetensors
from ..transformer.checks import check_heads
from ..types import Array, DType, Params
from .arguments import activation_function
from .parameters import BUFFERS, EMBEDDINGS, LAYER, POOLER, check_bert, check_params
from .tokens import read_json, read_tokenizer

__all__ = ["load_checkpoint"]

FILES = ["config.json", "model*.safetensors", "model.safetensors.index.json", "tokenizer.json",
         "tokenizer_config.json", "vocab.txt"]


class Settings(dict):
    """What `bert` takes beside the parameters, as keyword arguments; `raw` is all of config.json."""

    def __init__(self, raw: dict[str, Any]):
        super().__init__(num_heads=raw.get("num_attention_heads", 12), activation=raw.get("hidden_act", "gelu"),
                         eps=raw.get("layer_norm_eps", 1e-12), padding_idx=raw.get("pad_token_id", 0))
        self.raw = raw


def load_checkpoint(name_or_path: str | os.PathLike[str],
                    dtype: DType | None = None, download: bool = False,
                    revision: str | None = None
                    ) -> tuple[Params, Settings, Any]:
    """A pretrained BERT: its parameters, its settings, its tokenizer.

        params, config, tokenizer = load_checkpoint("all-MiniLM-L6-v2")
        batch = bert_inputs(tokenizer, ["A sentence.", "Another one."])
        hidden, pooled = bert(**batch, params=params, **config)

    `name_or_path` is a folder that holds config.json, model.safetensors (or
    its shards and their index) and tokenizer.json or vocab.txt; with
    `download`, a name on the Hugging Face hub, of which `revision` may be
    chosen. `dtype` converts the parameters; without it they keep the file's
    (bfloat16 becomes float32). `config` is the dict of settings that `bert`
    takes; `config.raw` is config.json. `tokenizer` is one of the library
    tokenizers, which pads a batch to its longest text, or None where the
    folder holds none. Heads keep their names: the masked-LM head is
    `params["cls"]["predictions"]`. Raises ValueError for a model that is no
    BERT encoder, an activation that nnbook lacks, or weights that do not fit
    config.json; FileNotFoundError where files are missing, as where the
    weights are a pickle.
    Source: chapter 13; Devlin et al. (2019).
    """
    folder = _folder(name_or_path, download, revision)
    config = _settings(folder / "config.json")
    flat = _renamed(_weights(folder))
    params = _cast(_tied(nest(flat, "load_checkpoint")), dtype)
    _check_fit(params, config.raw)
    return params, config, read_tokenizer(folder)


# --- where it is ------------------------------------------------------------------------------------


def _folder(name_or_path: str | os.PathLike[str], download: bool, revision: str | None) -> pathlib.Path:
    folder = pathlib.Path(name_or_path)
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ValueError(f"load_checkpoint: name_or_path is the file {folder}, expected the folder that holds it")
    if not download:
        raise FileNotFoundError(f"load_checkpoint: there is no folder {folder}; if it is a name on the Hugging Face "
                                "hub, say download=True")
    hub = import_package("huggingface_hub", "load_checkpoint")
    return pathlib.Path(hub.snapshot_download(str(name_or_path), revision=revision, allow_patterns=FILES))


def _weights(folder: pathlib.Path) -> dict[str, Array]:
    """All arrays of model.safetensors, or of the shards that model.safetensors.index.json lists."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file():
        return read_safetensors(folder / "model.safetensors", "load_checkpoint")
    if index.is_file():
        shards = sorted(set(read_json(index)["weight_map"].values()))
        flat: dict[str, Array] = {}
        for shard in shards:
            flat |= read_safetensors(folder / pathlib.Path(shard).name, "load_checkpoint")
        return flat
    pickles = sorted(p.name for p in folder.glob("*.bin"))
    reason = (f"{pickles[0]} is a pickle, and to load a pickle is to run it: save the model anew with "
              "save_pretrained(folder, safe_serialization=True)") if pickles else "nothing else is read"
    raise FileNotFoundError(f"load_checkpoint: {folder} has no model.safetensors; {reason}")


# --- what it says -----------------------------------------------------------------------------------


def _settings(path: pathlib.Path) -> Settings:
    raw = read_json(path)
    only = {"model_type": "bert", "position_embedding_type": "absolute", "is_decoder": False}
    for key, expected in only.items():
        if raw.get(key, expected) != expected:
            raise ValueError(f"load_checkpoint: config.json has {key} {raw[key]!r}, expected {expected!r}")
    config = Settings(raw)
    activation_function("load_checkpoint: config.json", config["activation"])
    check_heads("load_checkpoint: config.json", config["num_heads"], raw.get("hidden_size", 0))
    return config


def _renamed(flat: dict[str, Array]) -> dict[str, Array]:
    """BertModel's names: without the prefix bert., TensorFlow's gamma and beta, and buffers."""
    old = {"gamma": "weight", "beta": "bias"}
    renamed = {}
    for name, a in flat.items():
        *path, last = name.removeprefix("bert.").split(".")
        last = old.get(last, last) if path[-1:] == ["LayerNorm"] else last
        if last not in BUFFERS:
            renamed[".".join([*path, last])] = a
    return renamed


def _tied(params: Params) -> Params:
    """Drop the decoder of a masked-LM head where it is but a second copy of the word embeddings and of the bias."""
    head = params.get("cls", {}).get("predictions", {})
    decoder = head.get("decoder", {})
    if "bias" in decoder:
        head.setdefault("bias", decoder["bias"])
    word = params.get("embeddings", {}).get("word_embeddings", {}).get("weight")
    copies = [np.array_equal(decoder[k], a) for k, a in (("weight", word), ("bias", head.get("bias"))) if k in decoder]
    if decoder and all(copies):
        del head["decoder"]
    return params


def _cast(params: Params, dtype: DType | None) -> Params:
    if dtype is None:
        return params
    if np.dtype(dtype).kind != "f":
        raise ValueError(f"load_checkpoint: dtype is {np.dtype(dtype)}, expected a floating-point dtype")
    return tree_map(lambda a: a.astype(dtype) if a.dtype.kind == "f" else a, params)


def _check_fit(params: Params, raw: dict[str, Any]) -> None:
    """Every part is there, with the sizes that config.json says."""
    keys = {"V": "vocab_size", "D": "hidden_size", "F": "intermediate_size", "P": "max_position_embeddings",
            "S": "type_vocab_size"}
    sizes = {letter: raw[key] for letter, key in keys.items() if key in raw}
    layers = check_bert("load_checkpoint", params)
    if len(layers) != raw.get("num_hidden_layers", len(layers)):
        raise ValueError(f"load_checkpoint: the weights have {len(layers)} layers, config.json says "
                         f"{raw['num_hidden_layers']}")
    parts = [(params["embeddings"], EMBEDDINGS), *((layer, LAYER) for layer in layers.values())]
    parts += [(params["pooler"], POOLER)] if "pooler" in params else []
    for part, letters in parts:
        check_params("load_checkpoint", part, letters, sizes)
