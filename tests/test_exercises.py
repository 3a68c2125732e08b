"""Exercises: solution = all points, starter = none, every known-wrong solution caught by name; no leak; up to date."""

import pathlib
import re

import nbformat
import pytest

from nnbook import grading

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "exercises").glob("*.ipynb"))


def by_stem(path):
    return path.stem


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_source_is_sound(path):
    assert grading.check_source(path) == []


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_starter_is_up_to_date_and_leaks_nothing(path):
    starter = grading.read(path.parent / "starters" / path.name)
    fresh = nbformat.reads(nbformat.writes(grading.release(grading.read(path))), as_version=4)
    assert starter == fresh, "make exercises"
    text = nbformat.writes(starter)
    assert "BEGIN SOLUTION" not in text and "HIDDEN" not in text
    for cell in grading.read(path).cells:
        found = re.search(r"### BEGIN SOLUTION\n(.*?)### END", cell.source, re.DOTALL)
        if cell.cell_type == "code" and found:
            solution = [line.strip() for line in found[1].splitlines() if len(line.strip()) > 25]
            assert not [line for line in solution if line.replace('"', '\\"') in text]


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_questions_have_nbgraders_form(path):
    cells = grading.read(path).cells
    marked = [c for c in cells if "nbgrader" in c.metadata]
    ids = [c.metadata.nbgrader.grade_id for c in marked]
    assert len(set(ids)) == len(ids)
    for cell in marked:
        meta = cell.metadata.nbgrader
        assert meta.schema_version == 3
        assert {"grade", "grade_id", "locked", "solution", "task"} <= set(meta)
        assert ("points" in meta) == meta.grade
    for question in [c.metadata.nbgrader.grade_id for c in marked if c.metadata.nbgrader.solution]:
        i = next(i for i, c in enumerate(cells) if c.metadata.get("nbgrader", {}).get("grade_id") == question)
        before, after = cells[i - 1], cells[i + 1]
        assert before.metadata.nbgrader.grade_id == f"{question}-text" and "$" in before.source
        assert after.metadata.nbgrader.grade_id == f"{question}-test" and after.metadata.nbgrader.points > 0
        visible, hidden = after.source.split("### BEGIN HIDDEN TESTS")
        assert "assert" in visible and "assert" in hidden
        assert not re.search(r"nnbook|torch", cells[i].source + after.source)


# --- the tool itself ---------------------------------------------------------------------------------


def toy(solution="    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION", points=3):
    def meta(name, **more):
        base = {"grade": False, "grade_id": name, "locked": True, "schema_version": 3, "solution": False, "task": False}
        return {"nbgrader": base | more}

    new = nbformat.v4.new_code_cell
    return nbformat.v4.new_notebook(cells=[
        new("import math"),
        new(f"def double(x):\n{solution}", metadata=meta("double", solution=True, locked=False)),
        new("assert double(3) == 6, 'not doubled'\n### BEGIN HIDDEN TESTS\nassert double(-1) == -2, 'sign lost'\n"
            "### END HIDDEN TESTS", metadata=meta("double-test", grade=True, points=points)),
    ])


def test_run_scores_the_solution_the_starter_and_a_wrong_answer():
    (full,), (none,) = grading.run(toy()), grading.run(grading.release(toy()))
    assert (full.points, full.maximum, full.message) == (3, 3, "")
    assert none.points == 0 and "NotImplementedError" in none.message
    (wrong,) = grading.run(toy(), {"double": "def double(x): return abs(2 * x)"})
    assert wrong.points == 0 and wrong.message == "AssertionError: sign lost"
    (broken,) = grading.run(toy(), {"double": "def double(x) return"})
    assert broken.points == 0 and broken.message.startswith("SyntaxError")


def test_release_keeps_the_indentation_and_refuses_a_leak():
    starter = grading.release(toy())
    assert starter.cells[1].source == "def double(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
    assert starter.cells[2].source == "assert double(3) == 6, 'not doubled'"
    with pytest.raises(ValueError, match="has no ### BEGIN SOLUTION"):
        grading.release(toy("    return 2 * x"))
    with pytest.raises(ValueError, match="is left over"):
        grading.release(toy("    ### BEGIN SOLUTION\n    pass\n    ### END SOLUTION\n    ### BEGIN SOLUTION\n    y"))


def test_check_source_names_each_problem(tmp_path):
    (tmp_path / "wrong").mkdir()
    nbformat.write(toy(), tmp_path / "toy.ipynb")
    wrong = '''
[[wrong]]
question = "double"
mistake = "right after all"
message = "x"
code = "def double(x): return x + x"
[[wrong]]
question = "double"
mistake = "tripled"
message = "sign"
code = "def double(x): return 3 * x"
[[wrong]]
question = "halve"
mistake = "?"
message = "?"
code = ""
'''
    (tmp_path / "wrong" / "toy.toml").write_text(wrong)
    problems = "\n".join(grading.check_source(tmp_path / "toy.ipynb"))
    assert "1 questions, expected at least 5" in problems
    assert "double has 2 wrong solutions, expected at least 5" in problems
    assert "(right after all) wins the points" in problems
    assert "(tripled): the message is 'AssertionError: not doubled', expected 'sign'" in problems
    assert "halve (?): there is no such question" in problems
    assert grading.main(["check-source", str(tmp_path / "toy.ipynb")]) == 1


def test_the_command_line_writes_starters(tmp_path, capsys):
    nbformat.write(toy(), tmp_path / "toy.ipynb")
    assert grading.main(["release", str(tmp_path / "toy.ipynb"), str(tmp_path / "out")]) == 0
    assert "wrote" in capsys.readouterr().out
    assert "YOUR CODE HERE" in (tmp_path / "out" / "toy.ipynb").read_text()
