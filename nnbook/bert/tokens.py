"""From texts to the integers that the encoder reads: the checkpoint's own WordPiece tokenizer."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..interchange import import_package
from ..types import Array

__all__ = ["bert_inputs"]


def bert_inputs(tokenizer: Any, texts: Sequence[Any]) -> dict[str, Array]:
    """Texts, or pairs of texts, as the arrays that `bert` takes.

        batch = bert_inputs(tokenizer, ["A sentence.", "Another one."])
        hidden, pooled = bert(**batch, params=params, **config)

    The keys are token_ids, token_type_ids (1 in the second text of a pair)
    and attention_mask, each (N, T). Raises TypeError unless `texts` is a
    list, ValueError where it is empty or the tokenizer does not pad.
    Source: chapter 13.
    """
    if not isinstance(texts, list | tuple):
        raise TypeError(f"bert_inputs: texts is a {type(texts).__name__}, "
                        "expected a list of texts or of pairs")
    if not texts:
        raise ValueError("bert_inputs: texts is empty, expected at least one")
    batch = tokenizer.encode_batch(list(texts))
    if len({len(e.ids) for e in batch}) > 1:
        raise ValueError("bert_inputs: the texts differ in length, expected "
                         "a tokenizer that pads (tokenizer.enable_padding())")
    mask = [e.attention_mask for e in batch]
    return {"token_ids": np.array([e.ids for e in batch]),
            "token_type_ids": np.array([e.type_ids for e in batch]),
            "attention_mask": np.array(mask, bool)}


def read_tokenizer(folder: pathlib.Path) -> Any:
    """tokenizer.json, or vocab.txt and what tokenizer_config.json says: pads a batch to its longest, never cuts."""
    whole, vocabulary, settings = (folder / n for n in ("tokenizer.json", "vocab.txt", "tokenizer_config.json"))
    if not whole.is_file() and not vocabulary.is_file():
        return None
    tokenizers = import_package("tokenizers", "load_checkpoint")
    raw = read_json(settings) if settings.is_file() else {}
    special = {f"{t}_token": _token(raw, t) for t in ("unk", "sep", "cls", "pad", "mask")}
    if whole.is_file():
        tokenizer = tokenizers.Tokenizer.from_file(str(whole))
        tokenizer.no_truncation()
    else:
        tokenizer = tokenizers.BertWordPieceTokenizer(
            str(vocabulary), **special, lowercase=raw.get("do_lower_case", True),
            handle_chinese_chars=raw.get("tokenize_chinese_chars", True), strip_accents=raw.get("strip_accents"))
    pad = special["pad_token"]
    tokenizer.enable_padding(pad_id=tokenizer.token_to_id(pad) or 0, pad_token=pad)
    return tokenizer


def _token(raw: dict[str, Any], kind: str) -> str:
    """A special token's text: a string in tokenizer_config.json, or a dict that holds it."""
    token = raw.get(f"{kind}_token") or f"[{kind.upper()}]"
    return token["content"] if isinstance(token, dict) else token


def read_json(path: pathlib.Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"load_checkpoint: {path.parent} has no {path.name}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        raise ValueError(f"load_checkpoint: {path} is no JSON file ({e})") from None
    if not isinstance(content, dict):
        raise ValueError(f"load_checkpoint: {path} holds a {type(content).__name__}, expected a dict")
    return content
