"""English text that is already on the machine: SciPy's docstrings and Python's help topics."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from ..types import Array
from .sources import checksum, in_parts, need

__all__ = ["SUBPACKAGES", "docstring_text", "python_help", "scipy_summaries", "scipy_summary_splits", "text_splits"]

# Subpackage: the modules whose functions count as its own. A label is a place in this order.
SUBPACKAGES = {
    "cluster": ("cluster.hierarchy", "cluster.vq"), "fft": ("fft",), "integrate": ("integrate",),
    "interpolate": ("interpolate",), "linalg": ("linalg",), "ndimage": ("ndimage",), "optimize": ("optimize",),
    "signal": ("signal", "signal.windows"), "sparse": ("sparse", "sparse.linalg", "sparse.csgraph"),
    "spatial": ("spatial", "spatial.distance"), "special": ("special",), "stats": ("stats", "stats.contingency"),
}
MARKUP = ((r":[\w:]+:`~?([^`<]+?)(?: <[^`]*>)?`", r"\1"), (r"`+([^`]*)`+_?", r"\1"), (r" ?\[[\w, ]+\]_", ""),
          (r"\*+(\w[^*]*)\*+", r"\1"), (r"`", ""), (r"\s+", " "))


def _plain(text: str) -> str:
    """Text on one line, without the marks of reStructuredText."""
    for pattern, plain in MARKUP:
        text = re.sub(pattern, plain, text)
    return text.strip()


# --- one-line summaries of SciPy's functions --------------------------------------------------------


def scipy_summaries() -> list[tuple[str, str, str]]:
    """What SciPy's public functions do, in a line: ("Solve the linear matrix equation ...", "linalg", "linalg.solve").

    Each summary comes with its subpackage, one of 12, and the function's name; ordered by subpackage and
    name. Functions only: classes, distributions and masked-array variants are left out. A summary that two
    functions of a subpackage share is there once; one that two subpackages share has no single answer and is
    left out.
    Source: SciPy's docstrings, BSD 3-clause licence.
    """
    need("scipy", "scipy")
    labels: dict[str, set[str]] = defaultdict(set)
    first: dict[str, tuple[str, str, str]] = {}
    for label, name, summary in _summaries():
        labels[summary].add(label)
        first.setdefault(summary, (summary, label, name))
    return [entry for summary, entry in first.items() if len(labels[summary]) == 1]


def _summaries() -> Iterator[tuple[str, str, str]]:
    for label, modules in SUBPACKAGES.items():
        for path in modules:
            module = importlib.import_module(f"scipy.{path}")
            for name in sorted(module.__all__):
                f = getattr(module, name)
                if callable(f) and not inspect.isclass(f) and not hasattr(f, "rvs") and _summary(f):
                    yield label, f"{path}.{name}", _summary(f)


def _summary(f: object) -> str:
    """The first paragraph of a docstring that is not a signature."""
    paragraphs = re.split(r"\n\s*\n", inspect.getdoc(f) or "")
    return next((_plain(p) for p in paragraphs if not re.fullmatch(r"\s*|\w+\(.*\)\s*", p, re.DOTALL)), "")


def scipy_summary_splits() -> tuple[tuple[list[str], Array], ...]:
    """Summaries and their subpackage for training, validation and test, each (list of N texts, labels (N,)).

        train, valid, test = scipy_summary_splits()

    Labels are places in `SUBPACKAGES`. Stratified: 70, 15 and 15 % of each subpackage, chosen by a checksum
    of the summary. Functions that are nearly alike ("Inverse of ...") may be on two sides.
    Source: see `scipy_summaries`.
    """
    parts: list[list[tuple[str, int]]] = [[], [], []]
    entries = scipy_summaries()
    for place, label in enumerate(SUBPACKAGES):
        texts = sorted((text for text, subpackage, _ in entries if subpackage == label), key=checksum)
        a, b = round(0.70 * len(texts)), round(0.85 * len(texts))
        for part, chosen in zip(parts, (texts[:a], texts[a:b], texts[b:]), strict=True):
            part += [(text, place) for text in chosen]
    return tuple(([text for text, _ in part], np.array([place for _, place in part])) for part in parts)


# --- running text -----------------------------------------------------------------------------------


DOCSTRING = re.compile(r'(?:\A(?:#[^\n]*\n|\s)*|:\n\s*)[rRuU]?"""(.*?)"""', re.DOTALL)
HEADING = re.compile(r"\A.+\n([-=*~])\1{2,}\n")
SENTENCES = re.compile(r"[A-Z][^\\|]{38,}[.:!?]")
NOT_PROSE = re.compile(r"\n\s|>>>|::|\.\. |\]_|:math:|https?:|[^\x20-\x7e\n]")


def _prose(text: str) -> list[str]:
    """The paragraphs of `text` that are sentences: not code, tables, lists, headings or mathematics."""
    paragraphs = (HEADING.sub("", textwrap.dedent(p)).strip() for p in re.split(r"\n\s*\n", text))
    return [_plain(p) for p in paragraphs if SENTENCES.fullmatch(p) and not NOT_PROSE.search(p)]


def python_help() -> dict[str, str]:
    """Python's own help topics, cleaned: {topic: paragraphs, a line each}, in alphabetical order.

    What help("if") prints, without code, grammar and lists; a paragraph that two topics share is kept in the
    first. How much it is depends on Python's version; for numbers that are the same everywhere use
    `docstring_text`.
    Source: the Python documentation, PSF licence; part of the standard library.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise ImportError("python_help needs pydoc_data, a part of the standard library, which this Python "
                          "lacks") from None
    return _documents((topic, _prose(topics[topic])) for topic in sorted(topics))


def docstring_text() -> dict[str, str]:
    """The prose of SciPy's docstrings: {file: paragraphs, a line each}, ordered by file.

    What the functions and classes of the 12 `SUBPACKAGES` say below their summary, without code, tables and
    mathematics; a paragraph that occurs twice is kept once. The source files are read, not imported: the
    text depends on SciPy's version alone, not on the machine or on Python's. No paragraph is one of the
    `scipy_summaries`, but those of the functions tested there are in it, without their label.
    Source: SciPy's docstrings, BSD 3-clause licence.
    """
    root = need("scipy", "scipy")
    files = sorted(f.relative_to(root).as_posix() for name in SUBPACKAGES for f in (root / name).rglob("*.py"))
    return _documents((file, _docstrings((root / file).read_text("utf-8"))) for file in files if "/tests/" not in file)


def _docstrings(source: str) -> list[str]:
    bodies = (inspect.cleandoc(d).partition("\n\n")[2] for d in DOCSTRING.findall(source))
    return [p for body in bodies for p in _prose(body)]


def _documents(named: Iterator[tuple[str, list[str]]]) -> dict[str, str]:
    """Documents without the paragraphs that came before, and without those documents that are then empty."""
    known: dict[str, None] = {}
    documents = {}
    for name, paragraphs in named:
        new = [p for p in dict.fromkeys(paragraphs) if p not in known]
        known |= dict.fromkeys(new)
        documents[name] = "".join(p + "\n" for p in new)
    return {name: text for name, text in documents.items() if text}


def text_splits(documents: dict[str, str]) -> tuple[str, str, str]:
    """One text each for training, validation and test: about 80, 10 and 10 % of passages of ten paragraphs.

        train, valid, test = text_splits(docstring_text())

    A passage stays whole. Which part it is in depends on its document's name and its place there.
    """
    passages = [(f"{name} {i}", "".join(lines[i:i + 10])) for name, text in documents.items()
                for lines in [text.splitlines(keepends=True)] for i in range(0, len(lines), 10)]
    train, valid, test = in_parts(passages, key=lambda passage: passage[0])
    return "".join(t for _, t in train), "".join(t for _, t in valid), "".join(t for _, t in test)
