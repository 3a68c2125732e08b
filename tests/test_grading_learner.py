"""`check("conv2d")` in a notebook: a row a check, the author's word, the equation to look at; readable by everyone."""

import html.parser
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest

from nnbook.grading import Checked, check, sets
from nnbook.grading.notebooks import Exercise
from nnbook.grading.results import Check

ROOT = pathlib.Path(__file__).resolve().parents[1]


def right(x, K, s, p):
    padded = np.pad(x, ((0, 0), (p, p)), constant_values=-np.inf)
    return np.max([padded[:, o * s:o * s + K] for o in range((x.shape[1] + 2 * p - K) // s + 1)], axis=2).T


def zeros_win(x, K, s, p):
    padded = np.pad(x, ((0, 0), (p, p)))
    return np.max([padded[:, o * s:o * s + K] for o in range((x.shape[1] + 2 * p - K) // s + 1)], axis=2).T


def stub(x, K, s, p):
    raise NotImplementedError


class Cells(html.parser.HTMLParser):
    """The table as a screen reader gets it."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        self.open.append(dict(attributes).get("aria-hidden") == "true")

    def handle_endtag(self, tag):
        self.open.pop()

    def handle_data(self, data):
        if not any(self.open):
            self.words.append(data)


def test_a_right_answer_passes_every_row():
    found = check("max_pool1d", {"max_pool1d": right})
    assert found and found.status == "passed"
    assert len(found.checks) >= 2 and all(row.passed for row in found.checks)
    assert "Look at" not in repr(found) and "failed" not in found._repr_html_()


def test_a_mistake_is_named_with_the_equation_and_a_link(monkeypatch):
    monkeypatch.chdir(ROOT / "exercises" / "starters")
    found = check("max_pool1d", {"max_pool1d": zeros_win})
    assert not found and [row.message for row in found.checks if not row.passed] == ["zeros win: padding is no entry"]
    assert re.search(r"failed  .*\n +zeros win: padding is no entry\nLook at equation max_pool1d in chapter 06_cnn",
                     repr(found))
    assert "zeros win" in found._repr_html_()
    assert (pathlib.Path.cwd() / found.link.partition("#")[0]).is_file()
    assert f'<a href="{found.link}">Look at equation max_pool1d' in found._repr_html_()


def test_it_takes_what_the_caller_defines(tmp_path):
    code = ("from nnbook.grading import check\n"
            "def conv1d(*a, **k):\n    raise NotImplementedError\nprint(check('conv1d'))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert "conv1d: not answered" in done.stdout


@pytest.mark.parametrize(("names", "said"), [
    ({}, "max_pool1d is not defined here: run the cell"),
    ({"max_pool1d": stub}, "not answered"),
    ({"max_pool1d": lambda *_: 1 / 0}, "ZeroDivisionError: division by zero"),
    ({"max_pool1d": 3}, "TypeError"),
])
def test_what_cannot_be_checked_says_why(names, said):
    found = check("max_pool1d", names)
    assert not found and said in repr(found) and said in found._repr_html_()


def test_names_of_the_notebook_do_not_change_the_checks():
    """A learner's own `same` or `np` is not what compares."""
    names = {"max_pool1d": zeros_win, "same": lambda *_: True, "np": None}
    assert not check("max_pool1d", names)
    assert names["np"] is None, "and the notebook's names stay as they are"


def test_an_unknown_question_names_the_nearest():
    with pytest.raises(ValueError, match=r"no question 'conv_2d' .*did you mean .*'conv2d'"):
        check("conv_2d", {})


def test_without_the_sets_it_says_what_is_missing(monkeypatch, tmp_path):
    monkeypatch.setattr(sets, "HOME", tmp_path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"exercise sets are not here: looked for exercises/starters"):
        check("conv2d", {})


@pytest.mark.parametrize("path", sets.files(ROOT).values(), ids=lambda path: path.stem)
def test_every_question_is_found_by_its_name_alone(path):
    for question in Exercise.read(path).questions:
        assert sets.of_question(question.grade_id, ROOT)[0] == path


def test_the_table_is_accessible_and_escaped():
    hostile = "<script>alert(1)</script> & \x07 \ud800"
    found = Checked("q", hostile, "failed", hostile, [Check("a == b", True), Check(hostile, False, hostile)],
                    "equation <b>", 'x" onclick="alert(1)')
    text = found._repr_html_()
    seen = Cells(text)
    kinds = [tag for tag, _ in seen.tags]
    assert "script" not in kinds and "b" not in kinds
    assert [a for tag, a in seen.tags if tag == "a"] == [{"href": 'x" onclick="alert(1)'}]
    assert kinds.count("caption") == 1
    assert [a["scope"] for tag, a in seen.tags if tag == "th"] == ["col", "col", "col", "row", "row"]
    words = " ".join(seen.words)
    assert "passed" in words and "failed" in words and "✓" not in words, "words carry it, signs are decoration"
    assert not re.search(r"background|color:", text), "it takes the notebook's own colours, light and dark"
    text.encode()
