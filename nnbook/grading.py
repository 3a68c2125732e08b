"""Exercise notebooks in nbgrader's source format: make the starters, and hold a source against itself.

Not part of the core: needs nbformat. A source holds the solutions (`### BEGIN SOLUTION` to `### END
SOLUTION`) and the hidden tests; a starter has neither. The known-wrong solutions of a set stand beside it
in `wrong/<set>.toml`. The code of a source runs in this process, so check only what you trust.

    python -m nnbook.grading release exercises/convolution.ipynb exercises/starters
    python -m nnbook.grading check-source exercises/convolution.ipynb
"""

import argparse
import contextlib
import copy
import io
import pathlib
import re
import sys
import tomllib
from dataclasses import dataclass

STUB = "# YOUR CODE HERE\nraise NotImplementedError()"  # nbgrader's own
SOLUTION = re.compile(r"^([ \t]*)### BEGIN SOLUTION\n.*?### END SOLUTION", re.DOTALL | re.MULTILINE)
HIDDEN = re.compile(r"^[ \t]*### BEGIN HIDDEN TESTS\n.*?### END HIDDEN TESTS(?:\n|$)", re.DOTALL | re.MULTILINE)


@dataclass
class Result:
    """What one test cell gave: its grade_id, the points won, the points to win, and why some are missing."""

    grade_id: str
    points: float
    maximum: float
    message: str = ""


def read(path):
    """Read a notebook file."""
    import nbformat

    return nbformat.read(path, as_version=4)


def _role(cell, key):
    return cell.metadata.get("nbgrader", {}).get(key)


def release(source):
    """The starter of a source notebook: solutions become a stub, hidden tests and outputs go.

    Raises ValueError where a delimiter is left over, so that no solution can leak.
    """
    starter = copy.deepcopy(source)
    for cell in starter.cells:
        if cell.cell_type != "code":
            continue
        cell.outputs, cell.execution_count = [], None
        if _role(cell, "solution"):
            cell.source, found = SOLUTION.subn(lambda m: re.sub("^", m[1], STUB, flags=re.MULTILINE), cell.source)
            if not found:
                raise ValueError(f"release: the solution cell {_role(cell, 'grade_id')!r} has no ### BEGIN SOLUTION")
        cell.source = HIDDEN.sub("", cell.source).rstrip("\n")
        left = re.search(r"### (BEGIN|END) \w+", cell.source)
        if left:
            raise ValueError(f"release: {left[0]!r} is left over in the cell {_role(cell, 'grade_id')!r}")
    return starter


def run(notebook, answers=None):
    """Run the cells in order and score the test cells; `answers` maps a grade_id to code put in its place."""
    names, results, broken = {"__name__": "__main__"}, [], {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        grade_id = _role(cell, "grade_id")
        message = ""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile((answers or {}).get(grade_id, cell.source), f"<{grade_id}>", "exec"), names)
        except Exception as e:
            message = f"{type(e).__name__}: {e}"
        if _role(cell, "grade"):
            points = _role(cell, "points")
            results.append(Result(grade_id, 0 if message else points, points, message))
        elif message:
            broken[grade_id] = message
    for result in results:  # the cell that does not run is the better reason
        result.message = broken.get(result.grade_id.removesuffix("-test"), result.message)
    return results


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
    questions = [_role(c, "grade_id") for c in source.cells if _role(c, "solution")]
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


def main(argv=None):
    """The command line: `release` writes starters, `check-source` exits with 1 where a source has a problem."""
    parser = argparse.ArgumentParser(prog="python -m nnbook.grading", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    make = commands.add_parser("release", help="write the starters of sources into a folder")
    make.add_argument("sources", nargs="+", type=pathlib.Path)
    make.add_argument("folder", type=pathlib.Path)
    check = commands.add_parser("check-source", help="solution = full, starter = 0, every wrong solution caught")
    check.add_argument("sources", nargs="+", type=pathlib.Path)
    args = parser.parse_args(argv)
    if args.command == "release":
        return _release(args.sources, args.folder)
    found = {path: check_source(path) for path in args.sources}
    for path, problems in found.items():
        print(f"{path}: " + ("; ".join(problems) or f"well: {len(wrong_solutions(path))} wrong solutions caught"))
    return int(any(found.values()))


def _release(sources, folder):
    import nbformat

    folder.mkdir(parents=True, exist_ok=True)
    for path in sources:
        nbformat.write(release(read(path)), folder / path.name)
        print(f"wrote {folder / path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
