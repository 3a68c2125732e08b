"""The loaders: sizes, ranges, order, determinism, and a clear error where a package is missing."""

import datetime
import importlib.util

import numpy as np
import pytest

from nnbook import data


def test_digits():
    images, labels = data.digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert sorted(set(labels.tolist())) == list(range(10))
    assert labels[:5].tolist() == [0, 1, 2, 3, 4]


def test_photographs():
    pictures = data.photographs()
    assert sorted(pictures) == ["china", "flower"]
    for picture in pictures.values():
        assert picture.shape == (427, 640, 3)
        assert picture.dtype == np.float64
        assert 0 <= picture.min() < 0.1 and 0.9 < picture.max() <= 1
    assert pictures["china"][100, :, 2].mean() > pictures["china"][100, :, 0].mean()  # its sky is blue


def test_sunspots():
    years, numbers = data.sunspots()
    assert years.tolist() == list(range(1700, 2009))
    assert numbers[0] == 5
    assert years[numbers.argmax()] == 1957  # the strongest cycle on record
    spectrum = np.abs(np.fft.rfft(numbers - numbers.mean()))
    assert 10 < len(numbers) / spectrum.argmax() < 12  # the eleven-year cycle


def test_dates_mean_what_they_say():
    pairs = data.dates(["en", "de"], 200, np.random.default_rng(3))
    assert len(pairs) == 200
    for text, iso in pairs:
        day = datetime.date.fromisoformat(iso)
        assert 1950 <= day.year <= 2049
        assert str(day.year) in text
        assert str(day.day) in text


def test_dates_are_deterministic_and_follow_the_generator():
    assert data.dates(n=20) == data.dates(n=20)
    assert data.dates(n=20, rng=np.random.default_rng(1)) != data.dates(n=20)


def test_errors(monkeypatch):
    with pytest.raises(ValueError, match="locales holds 'xx', expected CLDR names"):
        data.dates(["xx"], 1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="needs the package statsmodels"):
        data.sunspots()
