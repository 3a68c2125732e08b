"""Hold an exercise source against itself. The source's code runs in this process: check only what you trust.

A source holds the solutions (`### BEGIN SOLUTION` to `### END SOLUTION`) and the hidden tests. The
known-wrong solutions of a set stand beside it in `wrong/<set>.toml`.
"""

import contextlib
import io
import pathlib
import tomllib
from dataclasses import dataclass

from nnbook.grading.starters import read, release, role


@dataclass
class Result:
    """What one test cell gave: its grade_id, the points won, the points to win, and why some are missing."""

    grade_id: str
    points: float
    maximum: float
    message: str = ""


def run(notebook, answers=None):
    """Run the cells in order and score the test cells; `answers` maps a grade_id to code put in its place."""
    names, results, broken = {"__name__": "__main__"}, [], {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        grade_id = role(cell, "grade_id")
        message = _execute((answers or {}).get(grade_id, cell.source), grade_id, names)
        if role(cell, "grade"):
            points = role(cell, "points")
            results.append(Result(grade_id, 0 if message else points, points, message))
        elif message:
            broken[grade_id] = message
    for result in results:  # the cell that does not run is the better reason
        result.message = broken.get(result.grade_id.removesuffix("-test"), result.message)
    return results


def _execute(code, grade_id, names):
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(code, f"<{grade_id}>", "exec"), names)
    except Exception as e:
        return f"{type(e).__name__}: {e}"
    return ""


def wrong_solutions(path):
    """The known-wrong solutions beside the source at `path`: dicts with question, mistake, message, code."""
    path = pathlib.Path(path)
    return tomllib.loads((path.parent / "wrong" / f"{path.stem}.toml").read_text(encoding="utf-8"))["wrong"]


def check_source(path):
    """What is wrong with an exercise source, as sentences; an empty list where all is well.

    The solution earns all points, the starter none, each known-wrong solution loses its own question's
    points with a message that names the mistake, and nothing else changes.
    """
    source, wrong = read(path), wrong_solutions(path)
    questions = [role(c, "grade_id") for c in source.cells if role(c, "solution")]
    problems = [f"{len(questions)} questions, expected at least 5"] if len(questions) < 5 else []
    problems += [f"the solution of {r.grade_id} fails: {r.message}" for r in run(source) if r.points < r.maximum]
    problems += [f"the starter wins points in {r.grade_id}" for r in run(release(source)) if r.points]
    for question in questions:
        n = sum(w["question"] == question for w in wrong)
        problems += [f"{question} has {n} wrong solutions, expected at least 5"] if n < 5 else []
    for w in wrong:
        problems += _check_wrong(source, questions, w)
    return problems


def _check_wrong(source, questions, w):
    name = f"{w['question']} ({w['mistake']})"
    if w["question"] not in questions:
        return [f"wrong solution {name}: there is no such question"]
    results = {r.grade_id: r for r in run(source, {w["question"]: w["code"]})}
    own = results[f"{w['question']}-test"]
    if own.points:
        return [f"wrong solution {name} wins the points"]
    if w["message"] not in own.message:
        return [f"wrong solution {name}: the message is {own.message!r}, expected {w['message']!r} in it"]
    return []
