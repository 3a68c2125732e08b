"""The engine on honest submissions: what running the cells in one process gives; jails with and without bubblewrap."""

import dataclasses
import json
import os
import pathlib
import pickle
import re
import time

import numpy as np
import psutil
import pytest
from hostile import toy

from nnbook.grading import asserts, bubblewrap, engine, jail, notebooks, source
from nnbook.grading.results import Limits
from nnbook.grading.starters import read

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "exercises").glob("*.ipynb"))
needs_jail = pytest.mark.skipif(bool(jail.available()), reason=jail.available())


def by_stem(path):
    return path.stem


@pytest.fixture(scope="module")
def keeper():
    with jail.Keeper(unsafe=bool(jail.available())) as warm:
        yield warm


@pytest.fixture(scope="module")
def exercise():
    return toy.exercise()


def grade(exercise, keeper, **answers):
    return engine.grade(exercise, toy.submission(**answers), jail=keeper)


# --- reading -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_a_source_is_read_as_questions(path):
    exercise = notebooks.Exercise.read(path)
    cells = read(path).cells
    tests = [c for c in cells if c.metadata.get("nbgrader", {}).get("grade")]
    assert [q.test_id for q in exercise.questions] == [c.metadata.nbgrader.grade_id for c in tests]
    assert [q.points for q in exercise.questions] == [c.metadata.nbgrader.points for c in tests]
    assert [q.grade_id for q in exercise.questions] == [q.answers[0] for q in exercise.questions]
    assert exercise.name == path.stem and "import numpy as np" in exercise.setup
    for q in exercise.questions:
        assert q.grade_id in q.names and "$" in q.text and "BEGIN SOLUTION" in q.solution
        assert "HIDDEN" in q.test and "HIDDEN" not in q.visible and q.test.startswith(q.visible.rstrip("\n"))
        assert q.title and not re.search(r"^#|points", q.title)
    assert pickle.loads(pickle.dumps(exercise)) == exercise


def test_what_is_no_source_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        notebooks.Exercise.read(tmp_path / "none.ipynb")
    for data, reason in [(b"", "empty"), (toy.notebook([toy.cell("x = 1")]), "no test cell"),
                         (toy.notebook(toy.cells({"total": "def total(x"})), "no Python")]:
        (tmp_path / "x.ipynb").write_bytes(data)
        with pytest.raises(ValueError, match=rf"x\.ipynb: .*{reason}"):
            notebooks.Exercise.read(tmp_path / "x.ipynb")


# --- the same as in one process ------------------------------------------------------------------------------


def rounds(path):
    """Submissions of honest students: the right one, the starter's, and the n-th wrong solution of every question."""
    wrong = {}
    for w in source.wrong_solutions(path):
        wrong.setdefault(w["question"], []).append(w["code"])
    most = max(map(len, wrong.values()))
    yield {}
    yield dict.fromkeys(wrong, "raise NotImplementedError()")
    for n in range(most):
        yield {name: codes[n] for name, codes in wrong.items() if n < len(codes)}


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_points_and_reasons_are_those_of_one_process(path, keeper):
    exercise, cells = notebooks.Exercise.read(path), json.loads(path.read_bytes())
    for answers in rounds(path):
        for cell in cells["cells"]:
            grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
            cell["source"] = answers.get(grade_id, cell["source"])
        report = engine.grade(exercise, json.dumps(cells).encode(), jail=keeper)
        cells = json.loads(path.read_bytes())
        alone = source.run(read(path), answers)
        assert [m.points for m in report.marks] == [r.points for r in alone], (report, alone)
        for mark, result in zip(report.marks, alone, strict=True):
            said = result.message.removeprefix("AssertionError: ")
            assert said.startswith(mark.message) or (mark.status == "not answered" and "NotImplemented" in said)
            assert bool(mark.message) == bool(result.message)


@pytest.mark.parametrize("path", SOURCES, ids=by_stem)
def test_the_starter_is_not_answered(path, keeper):
    starter = (path.parent / "starters" / path.name).read_bytes()
    report = engine.grade(notebooks.Exercise.read(path), starter, jail=keeper)
    assert report.points == 0 and report.maximum > 20 and report.notes == []
    assert {mark.status for mark in report.marks} == {"not answered"}


# --- what an answer may be -----------------------------------------------------------------------------------


def test_a_right_submission_and_its_rows(exercise, keeper):
    report = engine.grade(exercise, toy.submission(), student="ann", jail=keeper)
    assert (report.student, report.points, report.maximum, report.notes) == ("ann", 9, 9, [])
    assert [m.status for m in report.marks] == ["passed"] * 3
    labels = [check.label for check in report.marks[0].checks]
    assert labels == ["not same(answer, result)", "same(answer, [2.0, 4.0])", "hidden check 1"]
    json.dumps(report.as_dict())


def test_hidden_checks_only_where_asked_for(exercise, keeper):
    data = toy.submission(double="def double(x): return 2 * x if len(x) < 3 else 0")
    assert engine.grade(exercise, data, jail=keeper).marks[0].points == 0
    assert engine.grade(exercise, data, hidden=False, jail=keeper).marks[0].points == 2


def test_an_error_keeps_its_type_and_its_message_in_visible_checks(exercise, keeper):
    mark = grade(exercise, keeper, total="def total(x):\n    return x[7]").marks[1]
    assert mark.status == "error" and mark.message.startswith("IndexError: index 7 is out of bounds")
    mark = grade(exercise, keeper, total="def total(x): return x.sum() if x.ndim < 2 else x[7]").marks[1]
    assert mark.message == "IndexError"
    mark = grade(exercise, keeper, total="def total(x) return x").marks[1]
    assert mark.status == "error" and mark.message.startswith("SyntaxError")
    mark = grade(exercise, keeper, total="def totale(x): return x").marks[1]
    assert mark.status == "error" and mark.message == "the cell does not define total"
    mark = grade(exercise, keeper, total="def total(x): return map(float, x)").marks[1]
    assert "cannot be graded" in mark.message and "type map" in mark.message


def test_a_cell_that_fails_after_its_function_keeps_it(exercise, keeper):
    """As nbgrader has it: what a cell defined before it failed is there."""
    report = grade(exercise, keeper, total="def total(x):\n    return x.sum()\nimport matplotlib_that_is_not_there")
    assert report.points == 9


def test_answers_may_use_each_other_and_helpers_and_magics(exercise, keeper):
    answers = {"double": "%matplotlib inline\n!ls\ndef double(x):\n    %time\n    return helper(x) * 2",
               "total": "%%time\ndef total(x):\n    return double(np.asarray(x)).sum() / 2"}
    added = ["def helper(x): return x", "%%bash\nrm -rf /", "display(1)"]
    report = engine.grade(exercise, toy.submission(before=added, **answers), jail=keeper)
    assert (report.points, report.notes) == (9, [])


def test_state_of_an_answer_lasts_from_call_to_call_but_not_to_the_next_submission(exercise, keeper):
    counting = "calls = 0\ndef total(x):\n    global calls\n    calls += 1\n    return x.sum() if calls < 3 else -1.0"
    for _ in range(2):
        assert grade(exercise, keeper, total=counting).points == 9


SPECIAL = """assert f(1, b=[2, (3.5, None)]) == (1, [2, (3.5, None)], {"x": True}), "not as it was"
assert value == {"a": 3}, "no value"
try:
    f(-1)
except ValueError as e:
    assert str(e) == "negative", "another message"
else:
    assert False, "no error for -1"
with np.errstate(divide="raise"):
    try:
        f(0)
    except FloatingPointError:
        pass
    else:
        assert False, "errstate does not cross"
assert all(map(f, [1, 2])), "not all"
assert offset == 5, "the given code did not run"
"""
ANSWER = """value = dict(a=3)
def f(a, b=None):
    if a < 0: raise ValueError("negative")
    if a == 0: return np.float64(1) / a
    return a, b, {"x": offset == 5}"""


def special(test=SPECIAL, answer=ANSWER):
    given = "offset = 5"
    cells = [toy.cell("import numpy as np"), toy.cell("def g(): return 1", "g", solution=True, locked=False),
             toy.cell("assert g() == 1", "g-test", grade=True, points=1), toy.cell(given, "given"),
             toy.cell(answer, "f", solution=True, locked=False), toy.cell(test, "f-test", grade=True, points=2)]
    return notebooks.Exercise.of_cells("special", notebooks.parse(toy.notebook(cells))), toy.notebook(cells)


def test_values_keywords_errors_errstate_and_given_code_cross(keeper):
    report = engine.grade(*special(), jail=keeper)
    assert report.points == 3, report


def test_an_answer_cannot_end_a_tests_loop(keeper):
    exercise, _ = special("assert all(map(f, [1, 2])), 'not all'\nassert [f(i) for i in (1, 2)], 'none'")
    _, data = special(answer="value = 1\ndef f(a, b=None): raise StopIteration")
    mark = engine.grade(exercise, data, jail=keeper).marks[1]
    assert (mark.points, mark.status) == (0, "error") and "StopIteration" in mark.message


def test_a_helper_of_a_test_does_not_stand_in_for_an_answer(keeper):
    exercise, data = special()
    cells = json.loads(data)["cells"]
    cells[2]["source"] = "def f(a, b=None): return True\nassert g() == 1"
    cells[5]["source"] = "assert f(1)"
    exercise = notebooks.Exercise.of_cells("special", notebooks.parse(toy.notebook(cells)))
    without = toy.notebook([c for c in cells if c["metadata"].get("nbgrader", {}).get("grade_id") != "f"])
    assert engine.grade(exercise, without, jail=keeper).marks[1].status == "missing"


def test_a_broken_source_is_the_teachers_error(keeper):
    exercise, data = special()
    setup = "import numpy as np\nif 'display' in globals(): not_defined"  # fails inside only
    with pytest.raises(RuntimeError, match="special: the setup of the source does not run in the jail: NameError"):
        engine.grade(dataclasses.replace(exercise, setup=setup), data, jail=keeper)


def test_a_broken_test_or_setup_is_the_teachers_error(keeper):
    exercise, data = special(test="assert (")
    with pytest.raises(RuntimeError, match="the test f-test is no Python"):
        engine.grade(exercise, data, jail=keeper)
    with pytest.raises(RuntimeError, match="the setup of the source fails: ZeroDivisionError"):
        engine.grade(dataclasses.replace(exercise, setup="1 / 0"), data, jail=keeper)


@pytest.mark.parametrize("spoilt", ["np = offset = None", "value = object()\ndel f", "value = f = print", "g = 1"])
def test_a_submission_that_spoils_given_code_or_values_is_graded_all_the_same(keeper, spoilt):
    exercise, data = special()
    cells = json.loads(data)["cells"]
    cells[3]["source"] = "offset = np.arange(5).max() + 1"
    exercise = notebooks.Exercise.of_cells("special", notebooks.parse(toy.notebook(cells)))
    for place in (1, 4):
        changed = [c | {"source": f"{c['source']}\n{spoilt}"} if i == place else c for i, c in enumerate(cells)]
        report = engine.grade(exercise, toy.notebook(changed), jail=keeper)
        assert report.status == "graded" and len(report.marks) == 2
    assert engine.grade(exercise, data, jail=keeper).points == 3


def test_the_seed_draws_other_hidden_inputs(exercise, keeper):
    """An answer that knows the hidden inputs of the source's own seed by heart fails with another one."""
    known = np.random.default_rng([7, 2]).standard_normal((3, 4)).ravel().tolist()
    learnt = f"def total(x):\n    return sum(x.ravel().tolist()) if x.ndim == 1 else {sum(known)!r}"
    data = toy.submission(total=learnt)
    assert engine.grade(exercise, data, jail=keeper).points == 9
    assert engine.grade(exercise, data, seed=8, jail=keeper).points == 6
    assert engine.grade(exercise, toy.submission(), seed=8, jail=keeper).points == 9


# --- time ------------------------------------------------------------------------------------------------------


def test_each_question_has_its_share_of_the_time(exercise, keeper):
    """Two answers that loop do not use up the time of the third, though all have less than two calls may take."""
    started = time.monotonic()
    data = toy.submission(double="def double(x):\n    while True: pass", total="while True: pass")
    report = engine.grade(exercise, data, limits=Limits(seconds=10, total=3), jail=keeper)
    assert [m.status for m in report.marks] == ["timeout", "timeout", "passed"]
    assert time.monotonic() - started < 6


# --- test cells as rows --------------------------------------------------------------------------------------


def test_hidden_parts_anywhere_are_hidden():
    code = "assert 1\nif 1:\n    ### BEGIN HIDDEN TESTS\n    assert 2\n    ### END HIDDEN TESTS\nassert 3\ny = 1"
    cell = asserts.TestCell(code, "t")
    assert [s.hidden for s in cell.visible] == [False] and [s.hidden for s in cell.hidden] == [True, False, False]
    assert [s.label for s in cell.visible + cell.hidden] == ["1", "2", "3", ""]
    assert [s.hidden for s in asserts.TestCell("### BEGIN HIDDEN TESTS\nassert 1", "t").hidden] == [True]


@pytest.mark.parametrize(("message", "told"), [
    ("'all of it'", "all of it"), ("f'wrong for n = {n}'", "wrong for n"), ("f'{n} is wrong'", "… is wrong"),
    ("f'{n}'", ""), ("'wrong for %d' % n", "wrong for"), ("str(n)", ""),
    ("reason", "a whole phrase"), ("word", ""), ("n", "")])
def test_what_is_told_of_a_hidden_check_is_the_authors_constant(message, told):
    code = f"n, reason, word = 7391, 'a whole phrase', 'input'\nassert False, {message}"
    cell = asserts.TestCell(code, "t")
    assert cell.run(cell.visible, {}, hidden=True).message == told


# --- jails -------------------------------------------------------------------------------------------------------


@needs_jail
def test_a_fresh_jail_for_one_submission(exercise):
    assert engine.grade(exercise, toy.submission()).points == 9


@needs_jail
def test_where_namespaces_do_not_nest_each_submission_gets_a_jail(exercise, monkeypatch):
    whole = jail.command

    def without_proc(mode, packages):
        words = whole(mode, packages)
        return words[:words.index("--proc")] + words[words.index("--proc") + 2:] if "--proc" in words else words

    monkeypatch.setattr(jail, "command", without_proc)
    with jail.Keeper() as keeper:
        for _ in range(2):
            code = ("import os\nleft = os.listdir('/proc') + os.listdir('/tmp')\nopen('/tmp/x', 'w')\n"
                    "def total(x): return -1 if left else x.sum()")
            assert engine.grade(exercise, toy.submission(total=code), jail=keeper).points == 9
            assert keeper.mode == "single"
        lost = engine.grade(exercise, toy.submission(total="import os; os.kill(-1, 9); os._exit(1)"), jail=keeper)
        assert [m.points for m in lost.marks] == [2, 0, 4]


@needs_jail
def test_a_keeper_that_was_killed_is_made_anew(exercise):
    with jail.Keeper() as keeper:
        keeper._process.kill()
        keeper._process.wait()
        assert engine.grade(exercise, toy.submission(), jail=keeper).points == 9


def test_without_bubblewrap_grading_is_refused_with_an_instruction(exercise, monkeypatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)
    monkeypatch.setattr(jail, "available", jail.available.__wrapped__)
    assert "apt install bubblewrap" in jail.available()
    with pytest.raises(RuntimeError, match=r"apt install bubblewrap.*--unsafe"):
        engine.grade(exercise, toy.submission())


def test_unsafe_keeps_limits_and_cleans_up(exercise):
    with jail.Keeper(unsafe=True) as keeper:
        limits = Limits(seconds=1, total=6, memory=2**30)
        for code, status in [("while True: pass", "timeout"), ("import os; os._exit(1)", "crash"),
                             ("def total(x): return bytearray(6 * 2**30)", "error")]:
            report = engine.grade(exercise, toy.submission(total=code), limits=limits, jail=keeper)
            assert [m.points for m in report.marks] == [2, 0, 4] and report.marks[1].status == status
        session = keeper.session(limits)
        place = session.ask(5, 10_000, "run", "import os; print(os.getcwd()); open('left', 'w')", "x")[3].strip()
        assert (pathlib.Path(place) / "left").exists()
        session.close()
        assert not pathlib.Path(place).exists()


@needs_jail
def test_for_ones_own_work_limits_alone_will_do(exercise, monkeypatch):
    with jail.Keeper(lenient=True) as keeper:
        assert engine.grade(exercise, toy.submission(), jail=keeper).points == 9 and keeper.mode == "warm"
    monkeypatch.setattr(jail, "command", lambda mode, packages: ["false"])
    with jail.Keeper(lenient=True) as keeper:
        assert engine.grade(exercise, toy.submission(), jail=keeper).points == 9 and keeper.mode == "unsafe"
    with jail.Keeper() as keeper, pytest.raises(RuntimeError, match="the jail does not start"):
        engine.grade(exercise, toy.submission(), jail=keeper)
    monkeypatch.setattr(jail.shutil, "which", lambda name: None)
    with jail.Keeper(lenient=True) as keeper:
        assert keeper.mode == "unsafe"


def test_a_package_that_is_not_there_is_named():
    with pytest.raises(RuntimeError, match="'no_such_package'"), jail.Keeper(packages=["no_such_package"], unsafe=True):
        pass


def test_the_rows_of_the_books_own_sets_are_in_words():
    exercise = notebooks.Exercise.read(ROOT / "exercises" / "convolution.ipynb")
    labels = [s.label for s in asserts.test_cell(exercise.questions[1].visible, "conv1d-test").visible if s.label]
    assert labels == ["none of the known mistakes", "the shape", "the numbers"]


@pytest.mark.parametrize("line", ["### BEGIN HIDDEN TESTS", "# BEGIN HIDDEN TESTS", "  ## --- BEGIN HIDDEN TESTS ---"])
@pytest.mark.parametrize("end", ["### END HIDDEN TESTS\n", "# END HIDDEN TESTS", ""])
def test_hidden_parts_are_what_nbgrader_takes_for_them(line, end):
    """A looser line than the book's own hides as well, and what is not closed is hidden to the end."""
    code = f"assert True, 'seen'\n{line.strip()}\nassert True, 'secret'\n{end}"
    assert notebooks.HIDDEN.sub("", code) == "assert True, 'seen'\n"
    cell = asserts.TestCell(code, "t")
    assert len(cell.visible) == len(cell.hidden) == 1


def test_a_keeper_that_is_closed_at_once_leaves_nothing():
    """bwrap's second process is no child of its own yet, soon after the start."""
    def running():
        return {p.pid for p in psutil.process_iter(["name", "ppid"]) if p.info["name"] == "bwrap" and
                p.info["ppid"] == 1 and p.status() != psutil.STATUS_ZOMBIE}

    before = running()
    for i in range(60):
        keeper = jail.Keeper(lenient=True)
        time.sleep(i * 2e-4)
        keeper.close()
    time.sleep(0.5)
    assert running() <= before


def test_a_jail_is_there_in_ci():
    assert not jail.available() or not os.environ.get("CI"), "the jail's tests need bubblewrap: .ci/run installs it"
