"""`check("conv2d")` in a notebook: the visible checks of a question, on the learner's own function, at once."""

import os
import pathlib
import sys
from dataclasses import dataclass, field

import numpy as np

from nnbook.grading import report, sets
from nnbook.grading.asserts import test_cell
from nnbook.grading.results import Check
from nnbook.grading.sheet import rows_of_checks

STYLE = "border-bottom: 1px solid; text-align: left; padding: .2em .8em"


@dataclass
class Checked:
    """What `check` found: shown as a table in a notebook, as text elsewhere; true where all checks passed."""

    question: str
    title: str
    status: str
    message: str = ""
    checks: list[Check] = field(default_factory=list)
    look_at: str = ""
    link: str = ""

    def __bool__(self):
        return self.status == "passed"

    def __repr__(self):
        return "\n".join([f"{self.question}: {self._said()}", *rows_of_checks(self.checks), *self._clue()])

    def _clue(self):
        return [f"Look at {self.look_at}."] if self.look_at and not self else []

    def _said(self):
        """The verdict in a line; the reason too where no row tells it."""
        if self.status == "missing":
            return self.message
        told = any(check.message == self.message for check in self.checks)
        return report.WORDS[self.status] + (f": {self.message}" if self.message and not told else "")

    def _repr_html_(self):
        clue = "".join(f"<p>{self._linked(line)}</p>" for line in self._clue())
        rows = report.check_rows([vars(check) for check in self.checks], f"{self.title}: {self._said()}", STYLE)
        return (rows or f"<p>{report.escape(self.title)}: {report.escape(self._said())}</p>") + clue

    def _linked(self, line):
        text = report.escape(line)
        return f'<a href="{report.escape(self.link)}">{text}</a>' if self.link else text


def check(question, names=None):
    """Run the visible checks of a question on what the calling notebook defines.

    `question` is its id, the name of the function it asks for, over all sets; `names` is the namespace that
    holds the answer (default: the caller's). Nothing is kept, and no points are given: that is for `nnbook
    check` and for the teacher. Returns a Checked.

    Raises ValueError where no set has the question, FileNotFoundError where the sets are not here.
    """
    names = sys._getframe(1).f_globals if names is None else names
    path, exercise, found = sets.of_question(question)
    status, message, checks = _run(exercise, found, names)
    chapter = sets.chapters(path).get(question, "")
    return Checked(question, found.title, status, message, checks, sets.look_at(path, exercise).get(question, ""),
                   _link(path, chapter, found.equation))


def _run(exercise, question, names):
    """(status, message, checks) of the visible checks, in a namespace of their own."""
    missing = [name for name in question.names if name not in names]
    if missing:
        return "missing", f"{', '.join(missing)} is not defined here: run the cell that defines it", []
    own = {"__name__": "__main__"}
    exec(compile(exercise.setup, "<setup>", "exec"), own)
    exec(compile(question.given, "<given>", "exec"), own)
    own |= {name: names[name] for q in exercise.questions for name in q.names if name in names}
    cell = test_cell(question.visible, question.test_id)
    with np.errstate(all="ignore"):
        outcome = cell.run(cell.visible, own)
    return outcome.status, outcome.message, outcome.checks


def _link(path, chapter, equation):
    """From the notebook's folder to the equation on the built page, or to the chapter's notebook; or ""."""
    root = path.parents[2]
    page = root / "book" / "_build" / "html" / "chapters" / f"{chapter}.html"
    notebook = root / "chapters" / f"{chapter}.ipynb"
    for target, anchor in [(page, f"#equation-{equation}"), (notebook, "")]:
        if chapter and target.is_file():
            return pathlib.PurePath(os.path.relpath(target)).as_posix() + anchor
    return ""
