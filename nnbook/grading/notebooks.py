"""Notebooks as graders see them: read from bytes that nobody vouches for, and the teacher's source as questions.

Reading needs neither nbformat nor IPython, so a check starts at once. Cells are matched by the `grade_id` of
nbgrader's metadata, whatever a learner did to their order.
"""

from __future__ import annotations

import json
import pathlib
import re
import symtable
from dataclasses import dataclass, field
from itertools import pairwise

MOST_BYTES = 16 * 2**20
MOST_CELLS = 1000
HIDDEN = re.compile(r"^[^\n]*BEGIN HIDDEN TESTS[^\n]*(?:\n.*?(?:END HIDDEN TESTS[^\n]*(?:\n|$)|\Z)|\Z)",
                    re.DOTALL | re.MULTILINE)


class Unreadable(ValueError):
    """The bytes are no notebook; the message says why."""


@dataclass(frozen=True)
class Cell:
    """A cell and its role: `solution` cells hold answers, `grade` cells tests; other `locked` ones are given."""

    kind: str
    source: str
    grade_id: str = ""
    solution: bool = False
    grade: bool = False
    locked: bool = False
    points: float = 0.0
    equation: str = ""


def parse(data):
    """The cells of a notebook given as bytes. Raises Unreadable, with a reason, where it is none."""
    book = _json(data)
    if not isinstance(book, dict) or not isinstance(book.get("cells", book.get("worksheets")), list):
        raise Unreadable("this is no notebook: there is no list of cells")
    if "cells" not in book or book.get("nbformat") != 4:
        raise Unreadable(f"a notebook of format {str(book.get('nbformat'))[:9]}, expected 4: save it anew with Jupyter")
    if len(book["cells"]) > MOST_CELLS:
        raise Unreadable(f"the notebook has {len(book['cells'])} cells, at most {MOST_CELLS} are read")
    return [_cell(cell, place) for place, cell in enumerate(book["cells"], 1)]


def _json(data):
    if len(data) > MOST_BYTES:
        raise Unreadable(f"the file has {len(data) / 2**20:.0f} MB, at most {MOST_BYTES / 2**20:.0f} MB are read: "
                         "clear the outputs and save it again")
    if not data.strip():
        raise Unreadable("the file is empty")
    try:
        return json.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Unreadable("the file is not UTF-8 text, so it is no notebook") from None
    except RecursionError:
        raise Unreadable("the file is nested too deeply to be a notebook") from None
    except ValueError as e:
        raise Unreadable(f"the file is not JSON, so it is no notebook: {str(e)[:100]}") from None


def _cell(cell, place):
    source = cell.get("source") if isinstance(cell, dict) else None
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str) or not isinstance(cell.get("cell_type"), str):
        raise Unreadable(f"cell {place} of the notebook has no source text or no type")
    metadata = _dict(cell.get("metadata"))
    role, own = _dict(metadata.get("nbgrader")), _dict(metadata.get("nnbook"))
    grade_id, points, equation = role.get("grade_id"), role.get("points"), own.get("equation")
    return Cell(cell["cell_type"], source, grade_id if isinstance(grade_id, str) else "",
                role.get("solution") is True, role.get("grade") is True, role.get("locked") is True,
                points if isinstance(points, int | float) else 0.0, equation if isinstance(equation, str) else "")


def _dict(value):
    return value if isinstance(value, dict) else {}


# --- the teacher's source ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Question:
    """A test cell, and the solution cells between it and the test cell before.

    `grade_id` is the test cell's (`test_id`) without "-test"; `answers` are the grade_ids of the solution
    cells; `names` is what these define, so what a test may use of an answer; `given` is code of the teacher
    that stands before the answer (not of the first question: that is the exercise's setup); `visible` is the
    test without its hidden part.
    """

    grade_id: str
    test_id: str
    title: str
    points: float
    text: str
    solution: str
    test: str
    visible: str
    equation: str = ""
    given: str = ""
    answers: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exercise:
    """A teacher's source: the code before the first question, and the questions. Plain data, can be pickled."""

    name: str
    setup: str
    questions: tuple[Question, ...]

    @classmethod
    def read(cls, path):
        """Read a source notebook. Raises OSError where there is none, ValueError where it has no question."""
        path = pathlib.Path(path)
        try:
            return cls.of_cells(path.stem, parse(path.read_bytes()))
        except ValueError as e:
            raise ValueError(f"{path}: {e}") from None

    @classmethod
    def of_cells(cls, name, cells):
        """The exercise that these cells are the source of."""
        tests = [i for i, cell in enumerate(cells) if cell.kind == "code" and cell.grade and not cell.solution]
        if not tests:
            raise ValueError("the notebook has no test cell (nbgrader metadata with grade: true), so no question")
        groups = [cells[a + 1:b + 1] for a, b in pairwise([-1, *tests])]
        setup = _given(groups[0])
        return cls(name, setup, tuple(_question(group, i) for i, group in enumerate(groups)))


def _given(cells):
    return "\n\n".join(c.source for c in cells if c.kind == "code" and not c.solution and not c.grade)


def _question(cells, place):
    test = cells[-1]
    solutions = [c for c in cells if c.kind == "code" and c.solution and not c.grade]
    text = "\n\n".join(c.source for c in cells if c.kind == "markdown" and c.grade_id)
    code = "\n\n".join(c.source for c in solutions)
    return Question(
        test.grade_id.removesuffix("-test"), test.grade_id, _title(text) or test.grade_id, test.points, text, code,
        test.source, HIDDEN.sub("", test.source), next((c.equation for c in cells if c.equation), ""),
        _given(cells) if place else "", tuple(c.grade_id for c in solutions), _names(code, test.grade_id))


def _title(text):
    heading = re.search(r"^#+\s*(?:Question \d+\.\s*)?(.*?)(?:\s*\(\d+ points?\))?\s*$", text, re.MULTILINE)
    return heading[1] if heading else ""


def _names(code, test_id):
    """What a solution defines at its top level: functions and variables, not what it imports."""
    try:
        symbols = symtable.symtable(code, test_id, "exec").get_symbols()
    except SyntaxError as e:
        raise ValueError(f"the solution before {test_id!r} is no Python: {e}") from None
    return tuple(s.get_name() for s in symbols if s.is_assigned() and not s.is_imported())


# --- a submission against it ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """Code to run in the jail: an answer (`grade_id` says which), or "" for what the teacher or learner added."""

    code: str
    grade_id: str = ""
    given: bool = False


@dataclass
class Submission:
    """What of a submission is run, in its own order, and what was noticed. Tests and locked cells never are."""

    steps: list[Step]
    found: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def match(exercise, cells):
    """The steps of a submission's cells; of a grade_id used twice the last counts, as in nbgrader."""
    answers = {name: q for q in exercise.questions for name in q.answers}
    last = {c.grade_id: i for i, c in enumerate(cells) if c.kind == "code" and c.grade_id in answers}
    reserved = {q.test_id for q in exercise.questions}
    theirs = {exercise.setup.strip(), ""}
    steps, waiting = [Step(exercise.setup, given=True)], {q.grade_id: q.given for q in exercise.questions if q.given}
    for i, cell in enumerate(cells):
        if cell.kind != "code":
            continue
        if last.get(cell.grade_id) == i:
            given = waiting.pop(answers[cell.grade_id].grade_id, None)
            steps += [Step(given, given=True)] if given else []
            steps.append(Step(cell.source, cell.grade_id))
        elif not cell.locked and not cell.grade and cell.grade_id not in reserved and cell.source.strip() not in theirs:
            steps.append(Step(cell.source))
    steps += [Step(given, given=True) for given in waiting.values()]
    return Submission(steps, set(last), _notes(cells, last, answers))


def _notes(cells, last, answers):
    count = dict.fromkeys(last, 0)
    for cell in cells:
        if cell.kind == "code" and cell.grade_id in count:
            count[cell.grade_id] += 1
    notes = [f"the cell {name} is there {n} times: the last one counts" for name, n in count.items() if n > 1]
    expected = [name for name in answers if name in last]
    if sorted(last, key=last.get) != expected:
        notes.append("the cells of the answers stand in another order: they ran in the submission's")
    return notes
