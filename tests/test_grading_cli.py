"""The command `nnbook` from the shell: what it prints, and its exit status."""

import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys

import nbformat
import pytest

from nnbook.grading import Exercise, grade, jail, release
from nnbook.grading.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[1]
CLASS = ROOT / "tests" / "submissions"
STARTERS = ROOT / "exercises" / "starters"


def nnbook(*words, **more):
    """Run the command as a user does; returns the finished process."""
    command = pathlib.Path(sys.executable).with_name("nnbook")
    assert command.exists(), "pip install -e . installs the command"
    return subprocess.run([command, *map(str, words)], capture_output=True, text=True, timeout=120, **more)


def test_a_solved_set():
    done = nnbook("check", "exercises/convolution.ipynb", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "convolution: 24 of 24 points" in done.stdout and "\x1b" not in done.stdout
    assert done.stdout.count("✓") == 6 and "✗" not in done.stdout and not done.stderr


def test_mistakes_are_named_with_the_equation(tmp_path):
    shutil.copy(CLASS / "ben.ipynb", tmp_path / "my copy (2).ipynb")
    done = nnbook("check", tmp_path / "my copy (2).ipynb", cwd=ROOT)
    assert done.returncode == 1 and not done.stderr
    assert "convolution: 11 of 24 points" in done.stdout
    assert "kernel flipped" in done.stdout and "Look at equation conv1d in chapter 05_convolution." in done.stdout


def test_no_hidden_test_runs():
    source = ROOT / "exercises" / "convolution.ipynb"
    with jail.Keeper(unsafe=True) as warm:
        graded = grade(Exercise.read(source), source.read_bytes(), jail=warm)
    assert sum("hidden" in row.label for mark in graded.marks for row in mark.checks) >= 6, "the source has hidden rows"
    printed = nnbook("check", "--json", source, cwd=ROOT).stdout
    assert json.loads(printed)["passed"] and "hidden" not in printed


def test_json_for_tools():
    done = nnbook("check", "--json", CLASS / "ben.ipynb", cwd=ROOT)
    said = json.loads(done.stdout)
    assert done.returncode == 1 and said["passed"] is False
    marks = {mark["question"]: mark for mark in said["sets"][0]["marks"]}
    assert marks["output_size"]["status"] == "passed" and marks["conv1d"]["points"] == 0
    assert any("kernel flipped" in row["message"] for row in marks["conv1d"]["checks"])


def test_progress_over_all_sets(tmp_path):
    for name in ("convolution", "pooling"):
        shutil.copy(STARTERS / f"{name}.ipynb", tmp_path)
    shutil.copy(CLASS / "chen.ipynb", tmp_path / "convolution.ipynb")
    shutil.copy(CLASS / "finn.ipynb", tmp_path)
    done = nnbook("check", tmp_path, cwd=ROOT)
    assert done.returncode == 1
    lines = {line.split()[0]: line.split(maxsplit=1)[1] for line in done.stdout.splitlines() if " " in line}
    assert lines["set"].split() == ["solved", "points", "next"]
    assert lines["convolution"].split() == ["2", "of", "6", "5", "of", "24", "conv1d_vjp"]
    assert lines["pooling"].startswith("0 of 8") and lines["lstm"].endswith("not started")
    assert "2 of 14 questions solved" in done.stdout
    assert "passed over" in done.stdout and "finn.ipynb" in done.stdout


@pytest.mark.parametrize(("make", "said"), [
    (lambda p: p / "none.ipynb", "no such file or folder: "),
    (lambda p: p / "text.ipynb", "text.ipynb: the file is not JSON, so it is no notebook"),
    (lambda p: p / "empty.ipynb", "empty.ipynb: the file is empty"),
    (lambda p: p / "other.ipynb", "holds no question of a set; the sets are activations, "),
    (lambda p: p / "folder", "holds no notebook of a set"),
])
def test_what_cannot_run_is_said_in_one_sentence(tmp_path, make, said):
    (tmp_path / "text.ipynb").write_text("no notebook")
    (tmp_path / "empty.ipynb").write_text("")
    (tmp_path / "folder").mkdir()
    nbformat.write(nbformat.v4.new_notebook(), tmp_path / "other.ipynb")
    done = nnbook("check", make(tmp_path), cwd=ROOT)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr


def test_a_set_takes_less_than_a_second(tmp_path):
    """Of the processors' time, all processes together: the wall clock of a busy machine says nothing."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert nnbook("check", STARTERS / "convolution.ipynb", cwd=tmp_path).returncode == 1
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 1.0


def test_limits_hold_without_the_jail(monkeypatch, capsys):
    """On a machine without bubblewrap one's own work is checked with limits alone."""
    monkeypatch.setattr(jail, "available", lambda: "bubblewrap is not there")
    assert main(["check", str(CLASS / "ada.ipynb")]) == 0
    assert "24 of 24" in capsys.readouterr().out


@pytest.mark.parametrize("words", [
    ["grade", "x", "y", "-o", "z", "-j", "0"], ["grade", "x", "y", "-o", "z", "--seed", "-1"],
    ["grade", "x", "y", "-o", "z", "--timeout", "0"], ["grade", "x", "y"], ["push", "x", "--assignment", "a"], [],
    ["grade", "x", "y", "-o", "z", "--seed", "one"]])
def test_arguments_that_make_no_sense(words, capsys):
    with pytest.raises(SystemExit) as e:
        main(words)
    assert e.value.code == 2 and "usage: nnbook" in capsys.readouterr().err


def test_the_help_warns_of_an_open_dask_port_and_of_unsafe(capsys):
    with pytest.raises(SystemExit):
        main(["grade", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "runs whatever is sent to it" in said and "TLS" in said and "without the jail" in said


def test_the_same_as_a_module(tmp_path):
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run([sys.executable, "-m", "nnbook.grading", "release", ROOT / "exercises" / "pooling.ipynb",
                           tmp_path], capture_output=True, text=True, check=True, cwd=tmp_path, env=env)
    assert "wrote" in done.stdout
    expected = release(nbformat.read(ROOT / "exercises" / "pooling.ipynb", as_version=4))
    assert nbformat.read(tmp_path / "pooling.ipynb", as_version=4) == nbformat.reads(
        nbformat.writes(expected), as_version=4)


def test_the_commands_of_the_teaching_page(tmp_path):
    """What the page tells a learner and a teacher of a class on one computer, run as it stands there."""
    page = (ROOT / "book" / "teaching.md").read_text(encoding="utf-8")
    local = page.partition("## How a student")[2].partition("## A course with nbgrader")[0]
    commands = re.findall(r"^nnbook .*", "\n".join(re.findall(r"```bash\n(.*?)```", local, re.DOTALL)), re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["check", "check", "release", "grade", "check-source"]
    (tmp_path / "exercises").symlink_to(ROOT / "exercises")
    shutil.copytree(STARTERS, tmp_path / "work")
    (tmp_path / "submitted").mkdir()
    for name in ("ada.ipynb", "ben.ipynb"):
        shutil.copy(CLASS / name, tmp_path / "submitted")
    status = {command: nnbook(*command.split()[1:], cwd=tmp_path).returncode for command in commands}
    assert list(status.values()) == [1, 1, 0, 0, 0], status
    assert (tmp_path / "handout" / "convolution.ipynb").exists() and (tmp_path / "graded" / "ada.html").exists()
    assert "ben,graded,11,24" in (tmp_path / "graded" / "grades.csv").read_text()
