"""One source, two graders: nbgrader takes it unchanged, agrees on honest work, and takes our grades."""

import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

import nbformat
import pytest

from nnbook.grading import grade_class, gradebook, push, read
from nnbook.grading.cli import main
from nnbook.grading.starters import role

api = pytest.importorskip("nbgrader.api")

ROOT = pathlib.Path(__file__).resolve().parents[1]
HONEST = {"ben": "ben.ipynb", "gita": "gita/ps1/convolution.ipynb"}
BIN = pathlib.Path(sys.executable).parent


def nbgrader(course, *words):
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "JUPYTER_PLATFORM_DIRS": "1"}
    done = subprocess.run([BIN / "nbgrader", *words], cwd=course, env=env, capture_output=True,
                          text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    return done


def copy_of_today(path):
    """The answers of a submission in today's starter: nbgrader needs the other cells as they are now."""
    answers = {c.metadata.nbgrader.grade_id: c.source for c in read(path).cells if role(c, "solution")}
    starter = read(ROOT / "exercises" / "starters" / "convolution.ipynb")
    for cell in starter.cells:
        if role(cell, "solution"):
            cell.source = answers[cell.metadata.nbgrader.grade_id]
    return starter


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A course of all sets; nbgrader generated, autograded, gave feedback on and exported honest submissions of one."""
    course = tmp_path_factory.mktemp("course")
    (course / "source" / "ps1").mkdir(parents=True)
    for path in (ROOT / "exercises").glob("*.ipynb"):
        shutil.copy(path, course / "source" / "ps1")
    for student, file in HONEST.items():
        path = course / "submitted" / student / "ps1" / "convolution.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(copy_of_today(ROOT / "tests" / "submissions" / file), path)
        path.with_name("timestamp.txt").write_text("2026-11-24 17:14:48.214256 UTC")
    for command in (["generate_assignment", "ps1"], ["autograde", "ps1"], ["generate_feedback", "ps1"], ["export"]):
        nbgrader(course, *command)
    return course


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    """A new gradebook, made where nbgrader's commands are not on the PATH."""
    path = tmp_path_factory.mktemp("empty") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/bin")
        gradebook._nbgrader().Gradebook(f"sqlite:///{path}").close()
    return path


def scores(path, name="convolution"):
    """{student: {test cell: points}} of one notebook in a gradebook."""
    with api.Gradebook(f"sqlite:///{path}") as book:
        return {one.student.id: {grade.name: grade.score for grade in one.grades}
                for one in book.notebook_submissions(name, "ps1")}


def exported(course):
    with open(course / "grades.csv", newline="") as file:
        return {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def graded(course):
    """The same class graded by nnbook, from nbgrader's own folder."""
    reports, passed_over, _ = grade_class(ROOT / "exercises" / "convolution.ipynb", course / "submitted",
                                          course / "graded", progress=False, jobs=1)
    assert not passed_over
    return {one["student"]: {one["tests"][m["question"]]: m["points"] for m in one["marks"]} for one in reports}


def test_nbgrader_takes_the_sources_unchanged(course):
    for path in (ROOT / "exercises").glob("*.ipynb"):
        made = (course / "release" / "ps1" / path.name).read_text()
        assert "YOUR CODE HERE" in made and "BEGIN SOLUTION" not in made and "HIDDEN" not in made
    assert {p.parent.parent.name for p in (course / "feedback").glob("*/ps1/convolution.html")} == set(HONEST)


def test_the_same_points_side_by_side(course, graded):
    assert scores(course / "gradebook.db") == graded
    assert {student: sum(points.values()) for student, points in graded.items()} == exported(course)
    assert exported(course) == {"ben": 11, "gita": 19}, "the class has good and bad answers"


def test_push_into_the_courses_gradebook(course, graded, tmp_path, capsys):
    """Wrong scores there become right; what a grader entered by hand stays; twice is the same as once."""
    shutil.copy(course / "gradebook.db", tmp_path)
    with api.Gradebook(f"sqlite:///{tmp_path}/gradebook.db") as book:
        for student in HONEST:
            for grade in book.find_submission_notebook("convolution", "ps1", student).grades:
                grade.auto_score = 1
        book.find_grade("conv1d-test", "convolution", "ps1", "gita").manual_score = 1.5
        book.db.commit()
    for _ in range(2):
        assert main(["push", str(course / "graded"), "--course", str(tmp_path), "--assignment", "ps1"]) == 0
        assert scores(tmp_path / "gradebook.db") == {**graded, "gita": graded["gita"] | {"conv1d-test": 1.5}}
    assert "ben                  11 of 24" in capsys.readouterr().out


def test_push_into_a_new_gradebook_and_a_second_set(course, graded, empty, tmp_path):
    path, folder = shutil.copy(empty, tmp_path), tmp_path / "in"
    push(course / "graded", f"sqlite:///{path}", "ps1")
    assert scores(path) == graded
    folder.mkdir()
    shutil.copy(ROOT / "exercises" / "pooling.ipynb", folder / "gita.ipynb")
    grade_class(ROOT / "exercises" / "pooling.ipynb", folder, tmp_path / "pooling", progress=False, jobs=1)
    push(tmp_path / "pooling", f"sqlite:///{path}", "ps1")
    assert scores(path) == graded
    with api.Gradebook(f"sqlite:///{path}") as book:
        assert {n.name: n.score for n in book.find_submission("ps1", "gita").notebooks} == {
            "convolution": 19, "pooling": 30}
        assert book.find_assignment("ps1").max_score == 54
        assert str(book.find_submission("ps1", "ben").timestamp).startswith("2026-11-24 17:14:48")
        assert not any(one.needs_manual_grade for one in book.assignment_submissions("ps1"))


def test_a_failure_of_the_grader_is_nobodys_zero(course, graded, tmp_path):
    shutil.copy(course / "gradebook.db", tmp_path)
    lines = [json.loads(line) for line in (course / "graded" / "results.jsonl").read_text().splitlines()]
    for line in lines:
        none = [mark | {"points": 0} for mark in line["marks"]]
        line.update(status="error", reason="the grader failed: OSError", marks=none)
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert "not pushed: the grader failed: OSError" in push(tmp_path, f"sqlite:///{tmp_path}/gradebook.db", "ps1")[0]
    assert scores(tmp_path / "gradebook.db") == graded


def test_what_cannot_be_pushed_is_said(course, graded, empty, tmp_path, capsys):
    assert main(["push", str(tmp_path), "--db", "sqlite:///x.db", "--assignment", "ps1"]) == 2
    assert "no results.jsonl" in capsys.readouterr().err
    assert main(["push", str(course / "graded"), "--course", str(tmp_path), "--assignment", "ps1"]) == 2
    assert "no gradebook.db" in capsys.readouterr().err
    url = f"sqlite:///{shutil.copy(empty, tmp_path / 'other.db')}"
    with api.Gradebook(url) as book:
        book.add_assignment("ps1")
        book.add_notebook("convolution", "ps1")
        book.add_grade_cell("conv1d-test", "convolution", "ps1", max_score=99, cell_type="code")
    assert main(["push", str(course / "graded"), "--db", url, "--assignment", "ps1"]) == 2
    assert "made of another source" in capsys.readouterr().err
