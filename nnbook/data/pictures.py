"""Handwritten digits and two photographs, bundled with scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np

from ..types import Array, DType
from .sources import need

__all__ = ["SHEETS", "digit_splits", "digits", "photographs"]

# The first image of each of the 14 sheets that people filled in: the same 130 digits in the same order on
# each, some of them lost. Found by laying the labels side by side; the source itself does not mark them.
SHEETS = (0, 130, 256, 386, 516, 646, 776, 906, 1029, 1157, 1287, 1415, 1545, 1667)


def digits() -> tuple[Array, Array]:
    """Handwritten digits.

    images (1797, 8, 8) in [0, 1], labels (1797,) from 0 to 9, in the order of the source.
    Source: UCI Machine Learning Repository, Optical Recognition of Handwritten Digits (test part), Alpaydin
    and Kaynak (1998), CC BY 4.0; bundled with scikit-learn.
    """
    need("sklearn", "scikit-learn")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16, bunch.target


def digit_splits(dtype: DType = np.float64) -> tuple[tuple[Array, Array], ...]:
    """The digits for training, validation and test, each (images (N, 1, 8, 8), labels (N,)).

        train, valid, test = digit_splits()

    Cut between sheets, after the 9th and the 11th of 14 (`SHEETS`): 1157, 258 and 382 images. So the test
    asks for the digits of people whose hand the model has not seen; every sheet holds the same digits, so
    the classes are balanced. A cut at random would put each writer on both sides, and flatter the model.
    Source: see `digits`.
    """
    images, labels = digits()
    images = images[:, None].astype(dtype)
    cuts = [0, SHEETS[9], SHEETS[11], len(labels)]
    return tuple((images[a:b], labels[a:b]) for a, b in itertools.pairwise(cuts))


def photographs() -> dict[str, Array]:
    """Two colour photographs, each (427, 640, 3) in [0, 1]: {"china": a temple, "flower": a dahlia}.

    Source: scikit-learn's sample images, bundled. china.jpg by danielbuechele, flower.jpg by vultilion
    (both on Flickr); CC BY 2.0.
    """
    need("sklearn", "scikit-learn")
    from sklearn.datasets import load_sample_image

    return {name: load_sample_image(f"{name}.jpg") / 255 for name in ("china", "flower")}
