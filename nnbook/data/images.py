"""Files of images that you bring along: MNIST's IDX files and the CSV files of Kaggle's digit recognizer."""

from __future__ import annotations

import gzip
import math
import os
import pathlib
import struct

import numpy as np

from ..types import Array, DType

__all__ = ["read_idx", "read_images", "write_submission"]

Path = str | os.PathLike[str]
DTYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def _bytes(path: Path) -> bytes:
    """The content of a file, unpacked where it is gzipped."""
    content = pathlib.Path(path).read_bytes()
    try:
        return gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except (EOFError, OSError) as e:
        raise ValueError(f"{path}: the gzip file is broken ({e})") from None


def read_idx(path: Path) -> Array:
    """The array in an IDX file, MNIST's format, plain or gzipped.

        0, 0, a code for the dtype, the number of axes; each size as 4 bytes; the entries; all big endian

    Raises ValueError where the file breaks off, goes on, or is of another kind.
    """
    return _parse_idx(_bytes(path), path)


def _parse_idx(content: bytes, path: Path) -> Array:
    if content[:2] != b"\0\0" or len(content) < 4 or content[2] not in DTYPES:
        raise ValueError(f"{path}: begins with the bytes {content[:4].hex(' ') or 'of an empty file'}, "
                         "expected 00 00, a dtype code from 08 to 0e and the number of axes: no IDX file")
    dtype, axes = np.dtype(DTYPES[content[2]]), content[3]
    start = 4 + 4 * axes
    if len(content) < start:
        raise ValueError(f"{path}: breaks off in its header, after {len(content)} of {start} bytes")
    shape = struct.unpack(f">{axes}I", content[4:start])
    expected = start + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise ValueError(f"{path}: has {len(content)} bytes, expected {expected} for {dtype.name} of shape {shape}")
    return np.frombuffer(content, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="))


def read_images(path: Path, labels: Path | None = None, dtype: DType = np.float64) -> tuple[Array, Array | None]:
    """Images and labels from MNIST's IDX files or from Kaggle's CSV files; the file says which it is.

        images, labels = read_images("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz")
        images, labels = read_images("train.csv")
        images, _ = read_images("test.csv")

    images (N, 1, H, W) in [0, 1], that is (N, 1, 28, 28) for MNIST and Kaggle; labels (N,), or None where
    none are given. In the order of the file. Raises ValueError, with the file's name, for a broken file.
    MNIST: LeCun, Cortes and Burges (1998). Kaggle's files are the same images in another order.
    """
    content = _bytes(path)
    if content[:2] != b"\0\0":
        if labels is not None:
            raise ValueError(f"read_images: labels is {str(labels)!r}, but {path} is a CSV file, which holds its own")
        pixels, classes = _parse_csv(content, path)
    else:
        pixels = _parse_idx(content, path)
        classes = None if labels is None else _labels(read_idx(labels), labels)
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        raise ValueError(f"{path}: holds {pixels.dtype} of shape {pixels.shape}, expected images: uint8 (N, H, W)")
    if classes is not None and len(classes) != len(pixels):
        raise ValueError(f"{labels}: has {len(classes)} labels, expected one for each of the {len(pixels)} images")
    return pixels[:, None].astype(dtype) / np.asarray(255, dtype), classes


def _labels(classes: Array, path: Path) -> Array:
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise ValueError(f"{path}: holds {classes.dtype} of shape {classes.shape}, expected labels: integers (N,)")
    return classes.astype(np.int64)


def _parse_csv(content: bytes, path: Path) -> tuple[Array, Array | None]:
    """Pixels (N, H, W) and labels of a table whose first line names its columns."""
    header, *lines = content.decode("utf-8-sig", errors="replace").splitlines() or [""]
    names = header.replace('"', "").split(",")
    labelled = names[0] == "label"
    side = math.isqrt(len(names) - labelled)
    if names[labelled:] != [f"pixel{i}" for i in range(side * side)] or not side:
        raise ValueError(f"{path}: begins with {header[:40]!r}, expected the bytes of an IDX file, or a CSV file whose "
                         "columns are label (or not), pixel0, pixel1, ... of a square image")
    table = _integers(lines, len(names), path)
    pixels, classes = table[:, labelled:], table[:, 0].copy() if labelled else None
    if table.size and (table.min() < 0 or pixels.max() > 255):
        raise ValueError(f"{path}: holds the numbers {table.min()} to {table.max()}, expected pixels from 0 to 255 and "
                         "labels from 0")
    return pixels.astype(np.uint8).reshape(-1, side, side), classes


def _integers(lines: list[str], columns: int, path: Path) -> Array:
    if not any(line.strip() for line in lines):
        return np.zeros((0, columns), np.int64)
    try:
        table = np.loadtxt(lines, dtype=np.int64, delimiter=",", ndmin=2)
    except ValueError as e:
        raise ValueError(f"{path}: below the line of names, {e}") from None
    if table.shape[1] != columns:
        raise ValueError(f"{path}: names {columns} columns, but its lines have {table.shape[1]}")
    return table


def write_submission(path: Path, labels: Array) -> None:
    """Write predicted labels (N,) as Kaggle's digit recognizer wants them: ImageId from 1, Label.

    Raises TypeError unless they are integers, ValueError unless they have one axis.
    """
    labels = np.asarray(labels)
    if labels.ndim != 1:
        raise ValueError(f"write_submission: labels has shape {labels.shape}, expected (N,), one for each image")
    if labels.dtype.kind not in "iu":
        raise TypeError(f"write_submission: labels has dtype {labels.dtype}, expected integers")
    lines = ["ImageId,Label", *(f"{i},{label}" for i, label in enumerate(labels, 1))]
    pathlib.Path(path).write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
