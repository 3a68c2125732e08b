"""Real data that installed packages bring along: nothing is downloaded. Not part of the core.

Every loader says its source, licence, size and order, is deterministic, and names the package to install
where that is missing. Pictures are floats from 0 to 1.
"""

import datetime
import importlib.util
import pathlib

import numpy as np


def _need(package, install):
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        raise ImportError(f"nnbook.data needs the package {install}, which is not installed: pip install {install}")
    return pathlib.Path(spec.origin).parent


def digits():
    """Handwritten digits.

    images (1797, 8, 8) in [0, 1], labels (1797,) from 0 to 9, in the order of the source.
    Source: UCI Machine Learning Repository, Optical Recognition of Handwritten Digits (test part), Alpaydin
    and Kaynak (1998), CC BY 4.0; bundled with scikit-learn.
    """
    _need("sklearn", "scikit-learn")
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return bunch.images / 16, bunch.target


def photographs():
    """Two colour photographs, each (427, 640, 3) in [0, 1]: {"china": a temple, "flower": a dahlia}.

    Source: scikit-learn's sample images, bundled. china.jpg by danielbuechele, flower.jpg by vultilion
    (both on Flickr); CC BY 2.0.
    """
    _need("sklearn", "scikit-learn")
    from sklearn.datasets import load_sample_image

    return {name: load_sample_image(f"{name}.jpg") / 255 for name in ("china", "flower")}


def sunspots():
    """The yearly mean sunspot number, 1700 to 2008: years (309,), numbers (309,).

    Source: National Geophysical Data Center, public domain; bundled with statsmodels, whose file is read
    without importing the package.
    """
    table = np.loadtxt(_need("statsmodels", "statsmodels") / "datasets" / "sunspots" / "sunspots.csv",
                       delimiter=",", skiprows=1)
    return table[:, 0].astype(int), table[:, 1]


DATE_LOCALES = ("en", "de", "fr", "es", "it", "nl", "pt", "sv", "pl", "tr", "fi", "da", "cs", "hu")


def dates(locales=DATE_LOCALES, n=1000, rng=None, years=(1950, 2049)):
    """Dates as people write them, with what they mean: n pairs such as ("mercredi 4 mars 1987", "1987-03-04").

    Each pair draws a day uniformly from the first to the last of `years`, a locale, and one of CLDR's formats
    medium, long and full (the short format leaves the century open). `rng` is a NumPy Generator, seeded
    with 0 unless given. Raises ValueError for a locale that CLDR does not know.
    Source: Unicode CLDR, Unicode licence v3; bundled with Babel.
    """
    _need("babel", "babel")
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_date

    rng = np.random.default_rng(0) if rng is None else rng
    try:
        locales = [Locale.parse(name) for name in locales]
    except UnknownLocaleError as e:
        raise ValueError(f"dates: locales holds {e.identifier!r}, expected CLDR names such as 'fr' or 'zh_Hant'") from e
    first, last = datetime.date(years[0], 1, 1).toordinal(), datetime.date(years[1], 12, 31).toordinal()
    pairs = []
    for _ in range(n):
        day = datetime.date.fromordinal(int(rng.integers(first, last + 1)))
        form = ("medium", "long", "full")[rng.integers(3)]
        pairs.append((format_date(day, form, locale=locales[rng.integers(len(locales))]), day.isoformat()))
    return pairs
