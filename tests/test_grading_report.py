"""The page of a student: nothing hidden on it, every text escaped, nothing fetched, readable by everyone."""

import pathlib
import re
import shutil

import grading_class
import pytest

from nnbook.grading import Exercise, Keeper, grade, report

ROOT = pathlib.Path(__file__).resolve().parents[1]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
HOSTILE = "<script>alert('&')</script>\x00\x1b[31m\ud800\u202e"
AXE = "async () => (await axe.run(document)).violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))"


def a_report(**more):
    marks = [{"question": "double", "points": 0, "maximum": 2, "status": "failed", "message": HOSTILE,
              "checks": [{"label": HOSTILE, "passed": False, "message": HOSTILE}]},
             {"question": "triple", "points": 3, "maximum": 3, "status": "passed", "message": "",
              "checks": [{"label": "a == b", "passed": True, "message": ""}]},
             {"question": HOSTILE, "points": 0, "maximum": 1, "status": "timeout", "message": "no answer",
              "checks": []}]
    return {"exercise": "toy", "student": HOSTILE, "status": "graded", "reason": "", "points": 3, "maximum": 6,
            "notes": [HOSTILE], "marks": marks} | more


def test_every_text_is_escaped_and_no_script_can_run():
    page = report.page(a_report(), {"double": HOSTILE}, {"double": HOSTILE})
    assert "<script" not in page and "alert(" in page
    assert "\x00" not in page and "\x1b" not in page and "\u202e" not in page
    page.encode("utf-8")
    assert "default-src 'none'" in page
    assert "src=" not in page and not re.search('href=(?!"#)', page), "nothing is fetched"
    unreadable = report.page(a_report(status="unreadable", reason=HOSTILE))
    assert "<script" not in unreadable and "Not graded." in unreadable


def test_it_says_the_points_the_mistakes_and_where_to_look():
    page = report.page(a_report(student="Ada", marks=a_report()["marks"][1:]), {"triple": "Three times"},
                       {HOSTILE: "equation triple in chapter 01", "triple": "not shown where it passed"})
    assert "<h1>Ada: toy</h1>" in page and "3 of 6 points" in page and "1 of 2 questions solved" in page
    assert "Three times" in page and "took too long" in page and "To look at: equation triple" in page
    assert "not shown" not in page


def test_nothing_of_the_hidden_tests_is_told(tmp_path):
    """An answer that prints, returns and raises what it was given learns nothing of it by its page."""
    spies = ["raise ValueError(f'given {x}')", "print(x); return x", "return f'given {x}'",
             "raise type(str(x), (Exception,), {})"]
    exercise = Exercise.read(grading_class.write(tmp_path / "toy.ipynb", grading_class.source()))
    with Keeper(unsafe=True) as warm:
        for spy in spies:
            answer = ("def double(x):\n    if np.ndim(x) == 0 or len(x) == 2:\n        return 2 * np.asarray(x)\n    "
                      + spy)
            book = grading_class.answers(double=answer)
            path = grading_class.write(tmp_path / "spy.ipynb", book)
            found = grade(exercise, path.read_bytes(), student="spy", jail=warm).as_dict()
            page = report.page(found, {})
            assert found["marks"][0]["points"] == 0
            for secret in ("default_rng", "given", "same(double(-x)", "10**6", *drawn()):
                assert secret not in page, spy


def drawn():
    """The hidden inputs of the toy, as text."""
    import numpy as np

    return [str(n) for n in np.random.default_rng([0, 1]).integers(2, 10**6, 5)]


@pytest.mark.page
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_nothing(tmp_path, scheme, width):
    if BROWSER is None:
        pytest.skip("THE PAGE TESTS DID NOT RUN: install your system's package chromium")
    from playwright.sync_api import sync_playwright

    (tmp_path / "page.html").write_text(report.page(a_report(), {}, {"double": "equation a"}), encoding="utf-8")
    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(bypass_csp=True, color_scheme=scheme, viewport={"width": width, "height": 800})
        page, log = context.new_page(), []
        page.on("console", lambda m: log.append(m.text))
        page.goto((tmp_path / "page.html").as_uri())
        page.add_script_tag(path=str(ROOT / "tests" / "vendor" / "axe.min.js"))
        assert page.evaluate(AXE) == [] and not log
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        browser.close()
