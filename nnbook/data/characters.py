"""Characters as numbers, for models that read and write texts letter by letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain

import numpy as np

from ..types import Array

__all__ = ["BOS", "EOS", "PAD", "UNK", "Vocabulary"]

PAD, BOS, EOS, UNK = range(4)  # padding, begin, end, a character that the vocabulary lacks


class Vocabulary:
    """The characters of some texts, each with a number from 4; PAD is 0, BOS 1, EOS 2, UNK 3.

        letters = Vocabulary(texts)
        token_ids = letters.encode(texts)
        assert letters.decode(token_ids) == texts

    Built from the training texts alone, so that a new character in another text is UNK, as it is in use;
    `min_count` makes rare characters UNK too. A text may also be a list of words.
    """

    def __init__(self, texts: Iterable[Sequence[str]], min_count: int = 1) -> None:
        counts = Counter(chain.from_iterable(_checked("Vocabulary", texts)))
        self.letters = sorted(letter for letter, count in counts.items() if count >= min_count)
        self.number = {letter: i for i, letter in enumerate(self.letters, start=4)}

    def __len__(self) -> int:
        return 4 + len(self.letters)

    def encode(self, texts: Iterable[Sequence[str]], ends: bool = False, length: int | None = None) -> Array:
        """token_ids (N, T) of N texts, padded at the right to the longest, or to `length`.

        With `ends` each text stands between BOS and EOS. Raises ValueError for a text longer than `length`.
        """
        rows = [[self.number.get(letter, UNK) for letter in text] for text in _checked("encode", texts)]
        rows = [[BOS, *row, EOS] for row in rows] if ends else rows
        longest = max(map(len, rows), default=0)
        if length is not None and longest > length:
            raise ValueError(f"encode: the longest text takes {longest} places, expected at most {length}")
        token_ids = np.full((len(rows), longest if length is None else length), PAD)
        for i, row in enumerate(rows):
            token_ids[i, :len(row)] = row
        return token_ids

    def decode(self, token_ids: Array, joint: str = "") -> list[str]:
        """The texts of token_ids (N, T), each up to its EOS; UNK is written as the character U+FFFD.

        Raises ValueError for other shapes and for numbers that the vocabulary does not have.
        """
        token_ids = np.asarray(token_ids)
        if token_ids.ndim != 2:
            raise ValueError(f"decode: token_ids has shape {token_ids.shape}, expected (N, T)")
        if token_ids.size and not 0 <= token_ids.min() <= token_ids.max() < len(self):
            raise ValueError(f"decode: token_ids holds {token_ids.min()} to {token_ids.max()}, "
                             f"expected 0 to {len(self) - 1}")
        written = ["", "", "", "\ufffd", *self.letters]
        ended = np.cumsum(token_ids == EOS, axis=1) > 0
        return [joint.join(written[i] for i in row[~end] if i > BOS)
                for row, end in zip(token_ids, ended, strict=True)]


def _checked(function: str, texts: Iterable[Sequence[str]]) -> Iterable[Sequence[str]]:
    if isinstance(texts, str):
        raise TypeError(f"{function}: texts is one str, expected a list of texts")
    return texts
