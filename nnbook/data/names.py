"""Names of territories and languages, each written in 32 languages: which language is a name in?"""

from __future__ import annotations

from collections import Counter

import numpy as np

from ..types import Array
from .sources import in_parts, need

__all__ = ["LANGUAGES", "language_name_splits", "language_names"]

# CLDR's code: (English name, script). A label is a place in this order.
LANGUAGES = {
    "ar": ("Arabic", "Arabic"), "bg": ("Bulgarian", "Cyrillic"), "cs": ("Czech", "Latin"), "de": ("German", "Latin"),
    "el": ("Greek", "Greek"), "en": ("English", "Latin"), "es": ("Spanish", "Latin"), "fa": ("Persian", "Arabic"),
    "fi": ("Finnish", "Latin"), "fr": ("French", "Latin"), "he": ("Hebrew", "Hebrew"), "hi": ("Hindi", "Devanagari"),
    "hu": ("Hungarian", "Latin"), "id": ("Indonesian", "Latin"), "it": ("Italian", "Latin"),
    "ja": ("Japanese", "Japanese"), "ko": ("Korean", "Hangul"), "mr": ("Marathi", "Devanagari"),
    "ne": ("Nepali", "Devanagari"), "nl": ("Dutch", "Latin"), "pl": ("Polish", "Latin"),
    "pt": ("Portuguese", "Latin"), "ru": ("Russian", "Cyrillic"), "sr": ("Serbian", "Cyrillic"),
    "sv": ("Swedish", "Latin"), "sw": ("Swahili", "Latin"), "ta": ("Tamil", "Tamil"), "tr": ("Turkish", "Latin"),
    "uk": ("Ukrainian", "Cyrillic"), "ur": ("Urdu", "Arabic"), "vi": ("Vietnamese", "Latin"), "zh": ("Chinese", "Han"),
}


def language_names() -> list[tuple[str, str, str]]:
    """What territories and languages are called in 32 languages: ("Allemagne", "fr", "territory DE"), ...

    28,372 names, each with the code of its language and the entity that it names; ordered by language, then
    territories, then languages, in CLDR's order. A name that a language gives to two entities is there once.
    9,007 of them are written the same in two or more of the languages ("Angola"), so no reader could say
    which it is; the best possible accuracy on all of them is 76.8 %.
    Source: Unicode CLDR, Unicode licence v3; bundled with Babel.
    """
    need("babel", "babel")
    from babel import Locale

    found: dict[tuple[str, str], str] = {}
    for code in LANGUAGES:
        locale = Locale.parse(code)
        for kind, table in (("territory", locale.territories), ("language", locale.languages)):
            for entity, name in table.items():
                found.setdefault((name, code), f"{kind} {entity.split('_')[0]}")
    return [(name, code, entity) for (name, code), entity in found.items()]


def language_name_splits() -> tuple[tuple[list[str], Array], ...]:
    """Names and their language for training, validation and test, each (list of N names, labels (N,)).

        train, valid, test = language_name_splits()

    Labels are places in `LANGUAGES`. Two rules keep the question honest. A name that is written the same in
    several of the 32 languages has no single answer and is left out: 19,365 names stay, each of them once.
    And parts are made of entities: what France is called is in one part, in all 32 languages (British and
    American English count as English), so that no model can look a name up, or know it from its neighbour.
    Source: see `language_names`.
    """
    pairs = language_names()
    times = Counter(name for name, _, _ in pairs)
    place = {code: i for i, code in enumerate(LANGUAGES)}
    parts = in_parts([p for p in pairs if times[p[0]] == 1], key=lambda p: p[2])
    return tuple(([name for name, _, _ in part], np.array([place[code] for _, code, _ in part])) for part in parts)
