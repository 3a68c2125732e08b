"""The loaders: sizes, ranges, order, determinism, no leaks, files of all kinds, and clear errors."""

import datetime
import difflib
import gzip
import importlib.util
import itertools
import pathlib
import re
import struct
import subprocess
import sys
import unicodedata
from collections import Counter, defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnbook import data

CARDS = (pathlib.Path(__file__).resolve().parents[1] / "book" / "datasets.md").read_text(encoding="utf-8")


def card(title):
    """The card under a heading of the book's page on data."""
    return re.split(r"^## ", CARDS, flags=re.MULTILINE)[1 + re.findall(r"^## (.*)$", CARDS, re.MULTILINE).index(title)]


def sizes(parts):
    return [len(part[0]) if isinstance(part, tuple) else len(part) for part in parts]


def test_the_core_does_not_load_the_data():
    program = "import sys, nnbook; print([m for m in sys.modules if m.startswith(('nnbook.data', 'nnbook.training'))])"
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


# --- pictures and series ----------------------------------------------------------------------------


def test_digits():
    images, labels = data.digits()
    assert images.shape == (1797, 8, 8)
    assert (images.min(), images.max()) == (0, 1)
    assert sorted(set(labels.tolist())) == list(range(10))
    assert labels[:5].tolist() == [0, 1, 2, 3, 4]


def test_each_sheet_of_digits_holds_the_same_digits():
    labels = "".join(map(str, data.digits()[1]))
    sheets = [labels[a:b] for a, b in itertools.pairwise([*data.SHEETS, 1797])]
    assert len(sheets) == 14 and all(len(sheet) <= 130 for sheet in sheets)
    whole = sheets[0]
    for sheet in sheets:  # a sheet is the first one with some digits lost; a cut elsewhere would shift it
        blocks = difflib.SequenceMatcher(None, whole, sheet, autojunk=False).get_matching_blocks()
        assert sum(block.size for block in blocks) >= len(sheet) - 2
        assert blocks[0].b == 0 and blocks[0].a <= 1
        assert blocks[-2].a + blocks[-2].size >= 128


def test_digit_splits():
    images, labels = data.digits()
    parts = data.digit_splits()
    assert sizes(parts) == [1157, 258, 382]
    assert "training 1,157, validation 258, test 382" in card("Handwritten digits")
    assert np.array_equal(np.concatenate([x for x, _ in parts]), images[:, None])
    assert np.array_equal(np.concatenate([y for _, y in parts]), labels)
    ends = np.cumsum(sizes(parts))[:-1]
    assert set(ends.tolist()) <= set(data.SHEETS)  # no writer is on both sides
    for x, y in parts:
        assert x.shape == (len(y), 1, 8, 8) and x.dtype == np.float64
        assert np.all(np.abs(np.bincount(y) / len(y) - 0.1) < 0.01)  # all classes equally frequent
    assert data.digit_splits(np.float32)[0][0].dtype == np.float32


def test_a_cut_at_random_flatters_the_model():
    """The card says: logistic regression 90 % by sheets, about 97 % at random."""
    from sklearn.linear_model import LogisticRegression

    def accuracy(x, y, x_test, y_test):
        model = LogisticRegression(max_iter=500).fit(x.reshape(len(x), -1), y)
        return model.score(x_test.reshape(len(x_test), -1), y_test)

    train, _, test = data.digit_splits()
    assert abs(accuracy(*train, *test) - 0.90) < 0.01
    images, labels = data.digits()
    at_random = []
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(1797)
        a, b = order[:1157], order[-382:]
        at_random.append(accuracy(images[a], labels[a], images[b], labels[b]))
    assert abs(np.mean(at_random) - 0.97) < 0.01
    assert "from 90 to about 97 %" in card("Handwritten digits")


def test_photographs():
    pictures = data.photographs()
    assert sorted(pictures) == ["china", "flower"]
    for picture in pictures.values():
        assert picture.shape == (427, 640, 3)
        assert picture.dtype == np.float64
        assert 0 <= picture.min() < 0.1 and 0.9 < picture.max() <= 1
    assert pictures["china"][100, :, 2].mean() > pictures["china"][100, :, 0].mean()  # its sky is blue
    assert "2 pictures of 427 by 640 pixels, 3 colours" in card("Two photographs")


def test_sunspots():
    years, numbers = data.sunspots()
    assert years.tolist() == list(range(1700, 2009))
    assert numbers[0] == 5
    assert years[numbers.argmax()] == 1957  # the strongest cycle on record
    spectrum = np.abs(np.fft.rfft(numbers - numbers.mean()))
    assert 10 < len(numbers) / spectrum.argmax() < 12  # the eleven-year cycle
    assert "309 years, 1700 to 2008" in card("Sunspots")


# --- files of images --------------------------------------------------------------------------------


CODES = {0x08: ("B", np.uint8), 0x09: ("b", np.int8), 0x0B: (">h", np.int16), 0x0C: (">i", np.int32),
         0x0D: (">f", np.float32), 0x0E: (">d", np.float64)}


def idx(numbers, shape, code=0x08):
    """An IDX file, written number by number from the format's description."""
    letter = CODES[code][0]
    head = bytes([0, 0, code, len(shape)]) + b"".join(struct.pack(">I", n) for n in shape)
    return head + b"".join(struct.pack(letter, v) for v in numbers)


@given(code=st.sampled_from(sorted(CODES)), shape=st.lists(st.integers(0, 3), min_size=1, max_size=4),
       zipped=st.booleans(), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_idx_files_of_every_kind(tmp_path_factory, code, shape, zipped, seed):
    low = 0 if code == 0x08 else -100
    numbers = np.random.default_rng(seed).integers(low, 100, int(np.prod(shape))).tolist()
    path = tmp_path_factory.getbasetemp() / "file.idx"
    content = idx(numbers, shape, code)
    path.write_bytes(gzip.compress(content) if zipped else content)
    array = data.read_idx(path)
    assert array.shape == tuple(shape) and array.dtype == CODES[code][1] and array.dtype.isnative
    assert array.ravel().tolist() == numbers
    array += 1  # it may be written to


PIXELS = [[0, 255, 51, 102, 153, 204], [1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("zipped", [False, True])
def test_mnist_files(tmp_path, zipped):
    pack = gzip.compress if zipped else bytes
    (tmp_path / "images").write_bytes(pack(idx(PIXELS[0] + PIXELS[1], (2, 3, 2))))
    (tmp_path / "labels").write_bytes(pack(idx([7, 3], (2,))))
    images, labels = data.read_images(tmp_path / "images", tmp_path / "labels")
    assert images.shape == (2, 1, 3, 2) and images.dtype == np.float64
    np.testing.assert_allclose(images[0, 0], [[0, 1], [0.2, 0.4], [0.6, 0.8]], rtol=1e-15)
    assert labels.tolist() == [7, 3] and labels.dtype == np.int64
    images, labels = data.read_images(str(tmp_path / "images"), dtype=np.float32)
    assert images.dtype == np.float32 and labels is None


def csv(rows, side=28, label=True, quote=""):
    names = ([f"{quote}label{quote}"] if label else []) + [f"{quote}pixel{i}{quote}" for i in range(side * side)]
    return "\n".join([",".join(names), *(",".join(map(str, row)) for row in rows)]) + "\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("label", [True, False])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_kaggle_files(tmp_path, newline, label, start):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 784))
    rows = [[*([9 - i] if label else []), *row] for i, row in enumerate(pixels.tolist())]
    text = start + csv(rows, label=label, quote='"' if label else "")
    path = tmp_path / "train.csv"
    path.write_bytes(text.replace("\n", newline).encode())
    images, labels = data.read_images(path)
    assert images.shape == (3, 1, 28, 28)
    assert np.array_equal(np.round(images.reshape(3, -1) * 255), pixels)
    assert images[1, 0, 2, 5] == pixels[1, 2 * 28 + 5] / 255
    assert labels.tolist() == [9, 8, 7] if label else labels is None
    path.write_bytes(gzip.compress(path.read_bytes()))
    assert np.array_equal(data.read_images(path)[0], images)


def test_a_csv_file_without_rows(tmp_path):
    (tmp_path / "none.csv").write_text(csv([]))
    images, labels = data.read_images(tmp_path / "none.csv")
    assert images.shape == (0, 1, 28, 28) and labels.shape == (0,)


def test_submission(tmp_path):
    data.write_submission(tmp_path / "submission.csv", np.array([2, 0, 9]))
    assert (tmp_path / "submission.csv").read_bytes() == b"ImageId,Label\n1,2\n2,0\n3,9\n"
    with pytest.raises(TypeError, match="write_submission: labels has dtype float64, expected integers"):
        data.write_submission(tmp_path / "x.csv", np.ones(3))
    with pytest.raises(ValueError, match=r"write_submission: labels has shape \(3, 1\), expected \(N,\)"):
        data.write_submission(tmp_path / "x.csv", np.ones((3, 1), int))


GOOD = idx(range(12), (2, 3, 2))
BROKEN = {
    "empty": (b"", None, "file: begins with '', expected the bytes of an IDX file, or a CSV file"),
    "two bytes": (b"\0\0", None, "begins with the bytes 00 00, expected 00 00, a dtype code from 08 to 0e"),
    "code": (b"\0\0\x07\x01" + GOOD[4:], None, "begins with the bytes 00 00 07 01, expected .*no IDX file"),
    "header": (GOOD[:9], None, "breaks off in its header, after 9 of 16 bytes"),
    "short": (GOOD[:-1], None, r"has 27 bytes, expected 28 for uint8 of shape \(2, 3, 2\)"),
    "long": (GOOD + b"x", None, r"has 29 bytes, expected 28 for uint8 of shape \(2, 3, 2\)"),
    "gzip cut": (gzip.compress(GOOD)[:-9], None, "file: the gzip file is broken"),
    "gzip changed": (gzip.compress(GOOD)[:-8] + bytes(8), None, "file: the gzip file is broken"),
    "labels as images": (idx([1, 2], (2,)), None, r"file: holds uint8 of shape \(2,\), expected images: uint8 \(N, H,"),
    "wide images": (idx(range(12), (2, 3, 2), 0x0B), None, r"file: holds int16 of shape \(2, 3, 2\), expected images"),
    "fewer labels": (GOOD, idx([1], (1,)), "labels: has 1 labels, expected one for each of the 2 images"),
    "images as labels": (GOOD, GOOD, r"labels: holds uint8 of shape \(2, 3, 2\), expected labels: integers \(N,\)"),
    "float labels": (GOOD, idx([1, 2], (2,), 0x0D), "labels: holds float32 of shape .2,., expected labels"),
    "csv as labels": (GOOD, b"label\n1\n2\n", "labels: begins with the bytes 6c 61 62 65, expected .*no IDX file"),
    "csv and labels": (csv([], 2).encode(), GOOD, "labels is .*labels', but .*file is a CSV file, which holds its own"),
    "text": (b"some text\n1,2\n", None, "begins with 'some text', expected the bytes of an IDX file, or a CSV file"),
    "not square": (b"label,pixel0,pixel1,pixel2\n1,2,3,4\n", None, "begins with 'label,pixel0,pixel1,pixel2', expect"),
    "only labels": (b"label\n1\n", None, "begins with 'label', expected"),
    "other order": (b"label,pixel0,pixel2,pixel1,pixel3\n1,2,3,4,5\n", None, "begins with 'label,pixel0,pixel2,"),
    "label last": (b"pixel0,label\n1,2\n", None, "begins with 'pixel0,label', expected"),
    "ragged": (csv([[1, 2, 3, 4, 5], [1, 2, 3]], 2).encode(), None, "file: below the line of names, .*columns changed"),
    "narrow": (csv([[1, 2, 3, 4]], 2).encode(), None, "file: names 5 columns, but its lines have 4"),
    "words": (csv([["one", 2, 3, 4, 5]], 2).encode(), None, "file: below the line of names, could not convert .*'one'"),
    "fractions": (csv([[1, 2.5, 3, 4, 5]], 2).encode(), None, "file: below the line of names, could not convert"),
    "bright": (csv([[1, 2, 3, 4, 256]], 2).encode(), None, "file: holds the numbers 1 to 256, expected pixels from 0"),
    "negative": (csv([[1, 2, 3, 4, -1]], 2).encode(), None, "file: holds the numbers -1 to 4, expected pixels from 0"),
    "negative label": (csv([[-1, 2, 3, 4, 5]], 2).encode(), None, "holds the numbers -1 to 5, exp.* labels from 0"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files(tmp_path, case):
    content, labels, message = BROKEN[case]
    (tmp_path / "file").write_bytes(content)
    if labels is not None:
        (tmp_path / "labels").write_bytes(labels)
    with pytest.raises(ValueError, match=message):
        data.read_images(tmp_path / "file", None if labels is None else tmp_path / "labels")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        data.read_images(tmp_path / "nothing.csv")


# --- names ------------------------------------------------------------------------------------------


SCRIPTS = {"Arabic": ("ARABIC",), "Cyrillic": ("CYRILLIC",), "Latin": ("LATIN",), "Greek": ("GREEK",),
           "Hebrew": ("HEBREW",), "Devanagari": ("DEVANAGARI",), "Hangul": ("HANGUL",), "Tamil": ("TAMIL",),
           "Japanese": ("HIRAGANA", "KATAKANA", "CJK"), "Han": ("CJK",)}


@pytest.fixture(scope="module")
def names():
    return data.language_names()


def test_language_names(names):
    assert names == data.language_names()
    assert len(data.LANGUAGES) == 32 == len({english for english, _ in data.LANGUAGES.values()})
    assert ("Allemagne", "fr", "territory DE") in names and ("ドイツ語", "ja", "language de") in names
    assert len({(name, code) for name, code, _ in names}) == len(names) == 28372
    assert [code for code, _ in itertools.groupby(code for _, code, _ in names)] == list(data.LANGUAGES)
    assert all(name and unicodedata.is_normalized("NFC", name) for name, _, _ in names)


def test_languages_say_their_english_name_and_their_script(names):
    from babel import Locale

    for code, (english, script) in data.LANGUAGES.items():
        assert Locale.parse(code).english_name == english
        letters = [c for name, language, _ in names if language == code for c in name if c.isalpha()]
        kinds = Counter(unicodedata.name(c).split()[0] for c in letters)
        assert sum(kinds[kind] for kind in SCRIPTS[script]) > 0.95 * len(letters), code
    assert list(data.LANGUAGES) == sorted(data.LANGUAGES)


def test_the_card_counts_the_names(names):
    times = Counter(name for name, _, _ in names)
    single = [(name, code) for name, code, _ in names if times[name] == 1]
    text = card("Names of territories and languages")
    assert f"{len(names):,} names in 32 languages and 10 scripts; {len(single):,} of them" in text
    ceiling = len(times) / len(names)  # one language of those that share a name can be right
    assert f"{100 * ceiling:.1f} %" == "76.8 %" and "76.8 %" in text
    assert sum(n for n in times.values() if n > 1) == 9007
    for script in SCRIPTS:
        codes = [c for c, (_, s) in data.LANGUAGES.items() if s == script]
        whole, left = sum(c in codes for _, c, _ in names), sum(c in codes for _, c in single)
        assert f"| {script} | {len(codes)} | {whole:,} | {left:,} |" in text
    for code, english in (("en", "English keeps 349 of 951 names"), ("ko", "Korean all 876")):
        whole, left = (sum(c == code for _, c, *_ in rows) for rows in (names, single))
        assert english in text and str(left) in english and str(whole) in english


def test_language_name_splits_leak_nothing(names):
    parts = data.language_name_splits()
    assert sizes(parts) == [15393, 1921, 2051]
    assert "training 15,393, validation 1,921, test 2,051" in card("Names of territories and languages")
    everything = [name for part in parts for name in part[0]]
    assert len(set(everything)) == len(everything)  # a name is in one part, once
    codes = list(data.LANGUAGES)
    written = defaultdict(set)
    entity = {}
    for name, code, what in names:
        written[name].add(code)
        entity[name, code] = what
    found = []
    for texts, labels in parts:
        assert labels.shape == (len(texts),) and labels.dtype.kind == "i"
        assert np.all(np.bincount(labels, minlength=32) >= 25)
        assert all(written[name] == {codes[label]} for name, label in zip(texts, labels, strict=True))
        found.append({entity[name, codes[label]] for name, label in zip(texts, labels, strict=True)})
    assert not found[0] & found[1] and not found[0] & found[2] and not found[1] & found[2]
    assert set(everything) == {name for name, c in written.items() if len(c) == 1}  # nothing else is missing
    assert not any("_" in what for what in entity.values())  # British English is English


# --- dates ------------------------------------------------------------------------------------------


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


def test_date_splits():
    parts = train, valid, test, new = data.date_splits()
    assert parts == data.date_splits()
    assert sizes(parts) == [8006, 949, 1001, 965]
    assert ("training 8,006, validation 949, test 1,001 pairs in 11 locales; 965 pairs in the 3 locales held out"
            in card("Dates"))
    days = [{iso for _, iso in part} for part in parts]
    assert not days[0] & days[1] and not days[0] & days[2] and not days[1] & days[2]
    assert not days[3] & (days[0] | days[1])
    everything = [pair for part in parts for pair in part]
    assert len(dict(everything)) == len(set(everything))  # no text has two meanings
    assert all(len(set(part)) == len(part) for part in parts)
    for part, there in ((train, True), (valid, True), (test, True), (new, False)):
        assert any("mercredi" in text for text, _ in part) == there
        assert any("quarta-feira" in text for text, _ in part) != there
    assert all(str(datetime.date.fromisoformat(iso).year) in text for text, iso in everything)


def test_date_splits_with_other_locales_and_seeds():
    assert set(data.HELD_OUT_LOCALES) < set(data.DATE_LOCALES)
    train, _, _, new = data.date_splits(200, locales=("zh", "ko"), held_out=("ko",), seed=1)
    assert train and all("年" in text for text, _ in train)
    assert new and not any("年" in text for text, _ in new)
    assert data.date_splits(200, seed=1) != data.date_splits(200, seed=2)


# --- characters -------------------------------------------------------------------------------------


def test_vocabulary():
    letters = data.Vocabulary(["cab", "ba"])
    assert (data.PAD, data.BOS, data.EOS, data.UNK) == (0, 1, 2, 3)
    assert len(letters) == 7 and letters.letters == ["a", "b", "c"]
    assert letters.encode(["cab", "", "bz"]).tolist() == [[6, 4, 5], [0, 0, 0], [5, 3, 0]]
    assert letters.encode(["cab", "b"], ends=True).tolist() == [[1, 6, 4, 5, 2], [1, 5, 2, 0, 0]]
    assert letters.encode(["b"], ends=True, length=4).tolist() == [[1, 5, 2, 0]]
    assert letters.encode(["b"], ends=True, length=3).tolist() == [[1, 5, 2]]
    assert letters.encode([]).shape == (0, 0)
    assert letters.decode([[1, 5, 3, 2, 6, 6], [0, 4, 0, 6, 0, 0]]) == ["b\ufffd", "ac"]
    assert data.Vocabulary(["aab", "bc"], min_count=2).letters == ["a", "b"]
    words = data.Vocabulary([["to", "be"], ["be"]])
    assert words.decode(words.encode([["be", "to"]]), " ") == ["be to"]


@given(st.lists(st.text(max_size=6), max_size=5), st.booleans())
@settings(max_examples=60, deadline=None)
def test_texts_come_back(texts, ends):
    letters = data.Vocabulary(texts)
    token_ids = letters.encode(texts, ends)
    assert token_ids.dtype.kind == "i" and token_ids.shape == (len(texts), max(map(len, texts), default=-2 * ends)
                                                              + 2 * ends)
    assert letters.decode(token_ids) == texts
    assert np.all((token_ids != data.PAD).sum(axis=1) == [len(text) + 2 * ends for text in texts])


@pytest.mark.parametrize(("call", "kind", "message"), [
    (lambda v: data.Vocabulary("abc"), TypeError, "Vocabulary: texts is one str, expected a list"),
    (lambda v: v.encode("abc"), TypeError, "encode: texts is one str, expected a list"),
    (lambda v: v.encode(["abc"], length=2), ValueError, "encode: the longest text takes 3 places, expected at most 2"),
    (lambda v: v.encode(["a"], ends=True, length=2), ValueError, "encode: the longest text takes 3 places"),
    (lambda v: v.decode([1, 4]), ValueError, r"decode: token_ids has shape \(2,\), expected \(N, T\)"),
    (lambda v: v.decode([[4, 7]]), ValueError, "decode: token_ids holds 4 to 7, expected 0 to 6"),
    (lambda v: v.decode([[-1, 4]]), ValueError, "decode: token_ids holds -1 to 4, expected 0 to 6"),
])
def test_vocabulary_errors(call, kind, message):
    with pytest.raises(kind, match=message):
        call(data.Vocabulary(["abc"]))


# --- texts ------------------------------------------------------------------------------------------


def test_scipy_summaries():
    entries = data.scipy_summaries()
    assert entries == data.scipy_summaries()
    assert len(entries) == len({summary for summary, _, _ in entries}) == 1115
    known = {name: (summary, label) for summary, label, name in entries}
    assert known["linalg.det"] == ("Compute the determinant of a matrix", "linalg")
    assert known["special.itairy"] == ("Integrals of Airy functions", "special")  # not its signature
    assert known["cluster.vq.kmeans2"][1] == "cluster" and known["sparse.csgraph.dijkstra"][1] == "sparse"
    assert not any(name.endswith((".norm", ".csr_array", ".beta_gen")) for name in known if name.startswith("stats"))
    for summary, label, name in entries:
        assert label in data.SUBPACKAGES and name.startswith(label)
        assert not re.search(r"[`\n]|:\w+:|\w+\(x, out=None\)", summary) and summary == summary.strip() and summary
    labels = [label for _, label, _ in entries]
    assert [label for label, _ in itertools.groupby(labels)] == list(data.SUBPACKAGES)


def test_summaries_that_are_shared(monkeypatch):
    """Twice in a subpackage: once. In two subpackages: not at all."""
    from nnbook.data import texts

    monkeypatch.setattr(texts, "_summaries", lambda: iter([
        ("fft", "fft.a", "one"), ("fft", "fft.b", "one"), ("fft", "fft.c", "two"), ("stats", "stats.c", "two")]))
    assert texts.scipy_summaries() == [("one", "fft", "fft.a")]


def test_scipy_summary_splits():
    parts = data.scipy_summary_splits()
    assert sizes(parts) == [781, 167, 167]
    text = card("Summaries of SciPy's functions")
    assert "1,115 one-line summaries in 12 subpackages" in text
    assert "training 781, validation 167, test 167" in text
    assert sorted(s for part in parts for s in part[0]) == sorted(s for s, _, _ in data.scipy_summaries())
    of = {summary: list(data.SUBPACKAGES).index(label) for summary, label, _ in data.scipy_summaries()}
    counts = np.array([np.bincount(labels, minlength=12) for _, labels in parts])
    for texts, labels in parts:
        assert [of[summary] for summary in texts] == labels.tolist()
    assert np.all(np.abs(counts - counts.sum(axis=0) * [[0.70], [0.15], [0.15]]) <= 1)  # stratified
    most, least = (list(data.SUBPACKAGES).index(label) for label in ("special", "integrate"))
    whole = counts.sum(axis=0)
    assert whole.max() == whole[most] and whole.min() == whole[least]
    assert f"`special` has {whole[most]} summaries, `integrate` {whole[least]}, of which {counts[2, least]} are" in text
    assert f"{100 * counts[2].max() / 167:.0f} %" == "30 %" and "right in 30 % of the test" in text


def test_docstring_text():
    documents = data.docstring_text()
    assert documents == data.docstring_text()
    lines = [line for text in documents.values() for line in text.splitlines()]
    parts = data.text_splits(documents)
    text = card("SciPy's documentation as running text")
    total = sum(map(len, documents.values()))
    assert f"{total:,} characters in {len(lines):,} paragraphs of {len(documents)} files" in text
    assert "training {:,}, validation {:,}, test {:,} characters".format(*map(len, parts)) in text
    assert len(set(lines)) == len(lines)
    assert not {summary for summary, _, _ in data.scipy_summaries()} & set(lines)
    assert list(documents) == sorted(documents) and not any("/tests/" in name for name in documents)
    for line in lines:
        assert line.isascii() and line[0].isupper() and line[-1] in ".:!?" and line == " ".join(line.split())
        assert not re.search(r">>>|::|\\|`|https?:|\]_|----", line), line


def test_docstrings_are_those_that_python_finds():
    """Read by a regular expression, for speed: on SciPy's files nearly all that the parser finds, and nothing else."""
    import ast

    from nnbook.data import texts

    root = pathlib.Path(importlib.util.find_spec("scipy").origin).parent
    for name in ("linalg", "signal"):
        mine, parsed = set(), set()
        for source in (f.read_text("utf-8") for f in sorted((root / name).glob("*.py"))):
            mine |= set(texts._docstrings(source))
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                    parsed |= set(texts._prose((ast.get_docstring(node) or "").partition("\n\n")[2]))
        assert mine <= parsed and len(mine) > 0.98 * len(parsed)


def test_prose():
    from nnbook.data.texts import _prose

    text = """Notes
-----
The `rank` of a matrix, see :func:`numpy.linalg.svd`, is *always* whole
and ``k`` is not.

    An indented paragraph of a function that is described at length.

x : array
    A description that begins on a line of its own, as parameters do.

Too short.

It ends without a full stop, although it is quite long enough to count

A formula :math:`x^2` is nothing that a reader of letters can learn.

A reference to a book [1]_ is nothing that a reader of letters can learn.

>>> The code of an example in which there is a sentence, or nearly one.

* A list whose item is a sentence that is quite long enough to count.
"""
    assert _prose(text) == ["The rank of a matrix, see numpy.linalg.svd, is always whole and k is not.",
                            "An indented paragraph of a function that is described at length."]


def test_python_help():
    documents = data.python_help()
    assert list(documents) == sorted(documents)
    assert 100_000 < sum(map(len, documents.values())) < 300_000
    assert "The if statement is used for conditional execution" in "".join(documents.values()).replace('"', "")
    lines = [line for text in documents.values() for line in text.splitlines()]
    assert len(set(lines)) == len(lines) and all(line[0].isupper() for line in lines)
    train, valid, test = map(len, data.text_splits(documents))
    assert train > 4 * valid > 0 and train > 4 * test > 0


def test_text_splits_keep_passages_whole():
    documents = {name: "".join(f"{name}{i}.\n" for i in range(25)) for name in "abcdefghijklmnopqrst"}
    parts = data.text_splits(documents)
    assert sorted("".join(parts).split()) == sorted("".join(documents.values()).split())
    where = [{(line[0], int(line[1:-1]) // 10) for line in part.split()} for part in parts]
    assert sum(map(len, where)) == 60 == len(set.union(*where))
    assert all(where)


# --- errors -----------------------------------------------------------------------------------------


def test_errors():
    with pytest.raises(ValueError, match="locales holds 'xx', expected CLDR names"):
        data.dates(["xx"], 1)


@pytest.mark.parametrize(("load", "package"), [
    (data.digits, "scikit-learn"), (data.digit_splits, "scikit-learn"), (data.photographs, "scikit-learn"),
    (data.sunspots, "statsmodels"), (data.dates, "babel"), (data.date_splits, "babel"),
    (data.language_names, "babel"), (data.language_name_splits, "babel"), (data.scipy_summaries, "scipy"),
    (data.scipy_summary_splits, "scipy"), (data.docstring_text, "scipy")])
def test_a_missing_package_is_named(monkeypatch, load, package):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=f"needs the package {package}, which is not .*: pip install {package}"):
        load()


def test_a_python_without_help(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ImportError, match="python_help needs pydoc_data, a part of the standard library"):
        data.python_help()


def test_every_loader_has_a_card():
    loads = re.findall(r"^\| load \| (.*) \|$", CARDS, re.MULTILINE)
    assert len(loads) == len(re.findall(r"^## ", CARDS, re.MULTILINE))
    called = set(re.findall(r"nnbook\.data\.(\w+)", " ".join(loads)))
    assert called >= {"digit_splits", "read_images", "write_submission", "photographs", "sunspots", "date_splits",
                      "language_name_splits", "scipy_summary_splits", "docstring_text", "text_splits", "python_help"}
    assert all(callable(getattr(data, name)) for name in called)
    for row in ("source", "licence", "size", "splits", "used for"):
        assert len(re.findall(rf"^\| {row} \| .+ \|$", CARDS, re.MULTILINE)) == len(loads)
    assert CARDS.count("*Limits.*") == len(loads)
