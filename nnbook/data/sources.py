"""Where a package's files are, and which part of a data set an item belongs to."""

from __future__ import annotations

import importlib.util
import pathlib
import zlib
from collections.abc import Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")


def need(package: str, install: str) -> pathlib.Path:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ImportError(f"nnbook.data needs the package {install}, which is not installed: pip install {install}")
    return pathlib.Path(spec.origin).parent


def checksum(key: str) -> int:
    """A number that looks random and is the same on every machine and in every version."""
    return zlib.crc32(key.encode())


def part_of(key: str) -> int:
    """0 training, 1 validation, 2 test: eight, one and one tenth of all keys. A key keeps its part for good."""
    return (0, 0, 0, 0, 0, 0, 0, 0, 1, 2)[checksum(key) % 10]


def in_parts(items: Iterable[Item], key: Callable[[Item], str]) -> tuple[list[Item], list[Item], list[Item]]:
    """The items for training, validation and test; those with one key stay together."""
    parts: tuple[list[Item], list[Item], list[Item]] = ([], [], [])
    for item in items:
        parts[part_of(key(item))].append(item)
    return parts
