"""Exercises: solution = all points, starter = none, every known-wrong solution caught by name; no leak; up to date."""

import ast
import copy
import pathlib
import re

import nbformat
import numpy as np
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


# --- seeds, equations, messages, what crosses ---------------------------------------------------------


def questions(path):
    """Of each question: its id, the setup of the set, the solution, and the test's visible and hidden part."""
    cells = {c.metadata.nbgrader.grade_id: c for c in grading.read(path).cells if "nbgrader" in c.metadata}
    setup = cells[f"{path.stem}-setup"].source
    for name in [name for name, c in cells.items() if c.metadata.nbgrader.solution]:
        visible, hidden = cells[f"{name}-test"].source.split("### BEGIN HIDDEN TESTS")
        yield name, setup, cells[name].source, visible, hidden.replace("### END HIDDEN TESTS", "")


def complaint(seed, setup, answer, *tests):
    """What the tests say of an answer, "" where they pass; the seed is the grader's."""
    names = {"__name__": "__main__"}
    try:
        exec(setup, names)
        names["seed"] = seed
        exec(answer, names)
        for test in tests:
            exec(test, names)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


@pytest.mark.parametrize("seed", [1, 2, 20261124])
@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_any_seed_gives_the_same_marks(path, seed):
    """The solution earns all, the starter none; a wrong answer is named, and caught by the hidden part alone."""
    wrong = grading.wrong_solutions(path)
    starter = {c.metadata.nbgrader.grade_id: c.source for c in grading.release(grading.read(path)).cells
               if "nbgrader" in c.metadata}
    for name, setup, solution, visible, hidden in questions(path):
        assert complaint(seed, setup, solution, visible, hidden) == "", name
        assert complaint(seed, setup, starter[name], visible, hidden).startswith("NotImplementedError"), name
        for w in [w for w in wrong if w["question"] == name]:
            assert w["message"] in complaint(seed, setup, w["code"], visible, hidden), (name, w["mistake"])
            assert complaint(seed, setup, w["code"], hidden_alone(visible, hidden)), (name, w["mistake"])


def hidden_alone(visible, hidden):
    """The hidden part with what it needs of the visible one, whose checks are left out."""
    tree = ast.parse(visible)
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.Assign)
                 and not any(isinstance(n, ast.Name) and n.id in ("answer", "parts") for n in ast.walk(node))]
    return ast.unparse(tree) + "\n" + hidden


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_hidden_inputs_are_drawn_from_the_seed(path):
    assert "\nseed = 0  # a teacher's own seed redraws the hidden inputs\n" in grading.read(path).cells[1].source
    for name, _, _, visible, hidden in questions(path):
        assert re.findall(r"default_rng\((.*?)\)", hidden) == [re.search(r"\[seed, \d+\]", hidden)[0]], name
        assert "rng" not in visible and "seed" not in visible, name


def test_all_sets_have_the_same_setup_and_say_alike_how_to_check():
    setups, intros = set(), set()
    for path in SOURCES:
        cells = grading.read(path).cells
        assert cells[1].metadata.nbgrader == {"grade": False, "grade_id": f"{path.stem}-setup", "locked": True,
                                              "schema_version": 3, "solution": False, "task": False}
        first = next(questions(path))[0]
        setups.add(cells[1].source)
        intros.add(cells[0].source.split("\n\n")[2].replace(f'check("{first}")', "").replace(path.stem, ""))
    assert len(setups) == len(intros) == 1
    assert "from nnbook.grading import check" in intros.pop()


@pytest.mark.parametrize("folder", ["exercises", "exercises/starters"])
@pytest.mark.parametrize("name", [path.name for path in SOURCES])
def test_every_question_names_an_equation_of_the_book(folder, name):
    for cell in grading.read(ROOT / folder / name).cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            told = cell.metadata.nnbook
            assert set(told) == {"equation", "chapter"}
            chapter = grading.read(ROOT / "chapters" / f"{told.chapter}.ipynb")
            assert any(f"$$ ({told.equation})" in c.source for c in chapter.cells if c.cell_type == "markdown"), told


def asserts(code):
    return [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Assert)]


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_every_check_says_what_is_wrong_without_the_values(path):
    """Of a hidden check a learner sees the constant text up to the first value; of a visible one all."""
    for name, _, _, visible, hidden in questions(path):
        assert all(node.msg is not None for node in asserts(visible)), name
        rows = [node for node in ast.parse(visible).body if any(isinstance(n, ast.Assert) for n in ast.walk(node))]
        assert len(rows) >= 2, name
        assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in rows), "a row that cannot fail"
        clues = []
        for node in asserts(hidden):
            text = node.msg.values[0] if isinstance(node.msg, ast.JoinedStr) else node.msg
            assert isinstance(text, ast.Constant), f"{name}: {ast.unparse(node)[:200]}"
            clues.append(text.value)
            assert len(text.value.split()) >= 4, f"{name}: {text.value!r} is no clue"
        assert len(set(clues)) >= 2, f"{name}: say which case fails"


def crosses(value):
    """Whether a value may go over the wire to the answer, or back."""
    if isinstance(value, np.ndarray | np.generic):
        return type(value) in (np.ndarray, value.dtype.type) and value.dtype.kind in "biufc"
    if isinstance(value, dict):
        return type(value) is dict and all(map(crosses, [*value, *value.values()]))
    if isinstance(value, list | tuple):
        return type(value) in (list, tuple) and all(map(crosses, value))
    return value is None or type(value) in (bool, int, float, complex, str)


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_only_plain_data_goes_to_an_answer_and_comes_back(path):
    """Arguments and results are copied on the way, so nothing may rest on changes in place or on identity."""
    for name, setup, solution, visible, hidden in questions(path):
        names = {"__name__": "__main__"}
        exec(setup, names)
        known = set(names)
        exec(solution, names)
        assert set(names) - known == {name}, "an answer is one function, named like its question"
        function, calls = names[name], []

        def proxy(*args, function=function, calls=calls):
            result = function(*copy.deepcopy(args))
            calls.append((args, result))
            return copy.deepcopy(result)

        names[name] = proxy
        exec(visible, names)
        exec(hidden, names)
        assert len(calls) >= 2, name
        for args, result in calls:
            assert crosses(args), f"{name} is called with {args!r:.300}"
            assert crosses(result), f"{name} returns {result!r:.300}"


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
