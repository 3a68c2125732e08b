"""Dates as people write them in many languages, with what they mean."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

import numpy as np

from .sources import in_parts, need

__all__ = ["DATE_LOCALES", "HELD_OUT_LOCALES", "date_splits", "dates"]

DATE_LOCALES = ("en", "de", "fr", "es", "it", "nl", "pt", "sv", "pl", "tr", "fi", "da", "cs", "hu")
# Portuguese is near to Spanish, Danish to Swedish and German; the Czech months are like no other's here.
HELD_OUT_LOCALES = ("pt", "da", "cs")

Pair = tuple[str, str]


def dates(locales: Sequence[str] = DATE_LOCALES, n: int = 1000, rng: np.random.Generator | None = None,
          years: tuple[int, int] = (1950, 2049)) -> list[Pair]:
    """Dates as people write them, with what they mean: n pairs such as ("mercredi 4 mars 1987", "1987-03-04").

    Each pair draws a day uniformly from the first to the last of `years`, a locale, and one of CLDR's formats
    medium, long and full (the short format leaves the century open). `rng` is a NumPy Generator, seeded
    with 0 unless given. Raises ValueError for a locale that CLDR does not know.
    Source: Unicode CLDR, Unicode licence v3; bundled with Babel.
    """
    need("babel", "babel")
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_date

    rng = np.random.default_rng(0) if rng is None else rng
    try:
        known = [Locale.parse(name) for name in locales]
    except UnknownLocaleError as e:
        raise ValueError(f"dates: locales holds {e.identifier!r}, expected CLDR names such as 'fr' or 'zh_Hant'") from e
    first, last = datetime.date(years[0], 1, 1).toordinal(), datetime.date(years[1], 12, 31).toordinal()
    pairs = []
    for _ in range(n):
        day = datetime.date.fromordinal(int(rng.integers(first, last + 1)))
        form = ("medium", "long", "full")[rng.integers(3)]
        pairs.append((format_date(day, form, locale=known[rng.integers(len(known))]), day.isoformat()))
    return pairs


def date_splits(n: int = 10_000, locales: Sequence[str] = DATE_LOCALES, held_out: Sequence[str] = HELD_OUT_LOCALES,
                seed: int = 0) -> tuple[list[Pair], list[Pair], list[Pair], list[Pair]]:
    """Dates for training, validation, a test on new days, and a test on new days in new languages.

        train, valid, test, new = date_splits()

    Lists of pairs as in `dates`, none of them twice: 8,006, 949, 1,001 and 965 pairs. A day is in one
    part only, in whatever way it is written. The first three are drawn from `locales` without those
    `held_out`, together n before repetitions go; the fourth from the locales held out, on days of the test.
    Source: see `dates`.
    """
    rng = np.random.default_rng(seed)
    seen = dates([name for name in locales if name not in held_out], n, rng)
    train, valid, test = in_parts(dict.fromkeys(seen), key=lambda pair: pair[1])
    new = in_parts(dict.fromkeys(dates(held_out, n, rng)), key=lambda pair: pair[1])[2]
    return train, valid, test, new
