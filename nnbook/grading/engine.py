"""Grade one submission: its answers run in the jail, the tests run here, and only plain data crosses between.

All visible checks come before the first hidden one, in the same process, so that no answer has seen a hidden
input when its own words (what it raises, what it returns) may still be shown. Where an answer loops or takes its
process down, it is left out, a fresh process runs the others, and grading goes on.
"""

from __future__ import annotations

import contextlib
import functools
import time

import numpy as np

from nnbook.grading import proxies, wire
from nnbook.grading.asserts import NOT_ANSWERED, Outcome, test_cell
from nnbook.grading.jail import Keeper, Lost
from nnbook.grading.notebooks import Unreadable, match, parse
from nnbook.grading.process import Process
from nnbook.grading.results import Limits, Mark, Report

MOST_NOTES = 20
UNTOLD = {"crash": "its process ended, or what came back was no answer", "timeout": "no answer in time"}


def grade(exercise, submission, *, student="", hidden=True, seed=None, limits=None, jail=None):
    """Grade a submission, given as the bytes of a notebook, against a notebooks.Exercise.

    hidden=False runs the visible checks only; `seed` replaces the integer `seed` of the source's setup; `jail` is
    a jail.Keeper, without one a fresh jail is made. Returns a results.Report whatever the submission is.
    Raises RuntimeError where there is no jail, and where the source's own setup fails.
    """
    started = time.monotonic()
    report = Report(exercise.name, student)
    try:
        steps = match(exercise, parse(submission))
    except Unreadable as e:
        report.status, report.reason = "unreadable", clean(str(e))
        report.marks = [Mark(q.grade_id, 0, q.points, "missing", report.reason) for q in exercise.questions]
    else:
        with contextlib.nullcontext(jail) if jail else Keeper() as keeper:
            process = Process(exercise, steps, limits or Limits(), keeper)
            with contextlib.closing(process):
                report.marks = _Questions(exercise, steps, process, seed).marks(hidden)
        report.notes = [clean(note) for note in steps.notes[:MOST_NOTES]]
    report.seconds = round(time.monotonic() - started, 3)
    return report


def clean(text, most=500):
    """Text of unknown origin, fit for a terminal, a file and a page: printable, and not long."""
    text = "".join(c if c.isprintable() or c == "\n" else "\ufffd" for c in text[:most + 1])
    return text if len(text) <= most else text[:most - 1] + "…"


class _Questions:
    """The questions of one submission: what is known of each, and the namespace that their tests share."""

    def __init__(self, exercise, submission, process, seed):
        self.exercise, self.submission, self.process = exercise, submission, process
        self.names, self.done = _setup(exercise, seed), {}

    def marks(self, hidden):
        """A mark for each question: all visible checks first, then the hidden ones."""
        waiting = [rest for question in self.exercise.questions if (rest := self._visible(question, hidden))]
        for question, cell, names, outcome in waiting:
            self.done[question.grade_id] = self._hidden(question, cell, names, outcome)
        return [self._mark(question, self.done[question.grade_id]) for question in self.exercise.questions]

    def _visible(self, question, hidden):
        """The visible checks. Returns what the hidden ones need, or None where the question is decided."""
        cell = _test_cell(self.exercise, question, hidden)
        names = self.names = dict(self.names)
        outcome = self._guarded(question, lambda: self._start(question, cell, names))
        if outcome.status == "passed" and cell.hidden:
            return question, cell, names, outcome
        self.done[question.grade_id] = outcome
        return None

    def _start(self, question, cell, names):
        lost = [self.process.lost[name] for name in question.answers if name in self.process.lost]
        if lost:
            return Outcome([], lost[0].status, lost[0].reason)
        try:
            exec(_compiled(question.given, f"before {question.grade_id}"), names)
            missing = self._bind(question, names)
        except Exception as e:  # a value that does not cross, or given code that calls an answer
            return Outcome([], "error", f"{getattr(e, 'kind', type(e).__name__)}: {e}")
        if missing and len(missing) == len(question.names):
            return self._absent(question, missing)
        outcome = cell.run(cell.visible, names)
        if outcome.status == "failed" and missing and "NameError" in outcome.message:
            return self._absent(question, missing)
        return outcome

    def _hidden(self, question, cell, names, outcome):
        further = self._guarded(question, lambda: cell.run(cell.hidden, names, hidden=True))
        if further.status in UNTOLD:  # an exit code could say what an input was
            further.message = UNTOLD[further.status]
        return Outcome(outcome.checks + further.checks, further.status, further.message)

    def _guarded(self, question, job):
        """Run a part of a question within its share of the time; where its process is lost, go on without it."""
        try:
            self.process.ready(len(self.exercise.questions) - len(self.done))
            with np.errstate(all="ignore"):
                outcome = job()
            self.process.ask("settle")  # a process that ends or babbles now does so on this question's account
            return outcome
        except Lost as e:
            self.process.leave_out(question.answers)
            return Outcome([], e.status, e.reason)

    def _absent(self, question, missing):
        here = any(name in self.submission.found for name in question.answers)
        what = "the cell does not define" if here else "its cell is missing, and nothing defines"
        return Outcome([], "error" if here else "missing", f"{what} {', '.join(missing)}")

    def _mark(self, question, outcome):
        passed, status, message = outcome.status == "passed", outcome.status, outcome.message
        reasons = [self.process.broken[name] for name in question.answers if name in self.process.broken]
        if reasons and not passed:  # the cell that does not run is the better reason
            message = reasons[0]
            status = "error" if status in ("failed", "missing") else status
        if message.startswith("NotImplementedError"):
            status, message = "not answered", NOT_ANSWERED
        for check in outcome.checks:
            check.label, check.message = clean(check.label), clean(check.message)
        points = question.points if passed else 0
        return Mark(question.grade_id, points, question.points, status, clean(message), outcome.checks)

    # --- what crosses ---

    def _bind(self, question, names):
        """Put the answer's functions and values into a test's namespace; return the names that there are not."""
        missing = []
        for name in question.names:
            names.pop(name, None)  # no helper of an earlier test may stand in for an answer
            if self.process.kinds[name] == "function":
                names[name] = proxies.function(name, self.call)
            elif self.process.kinds[name] == "value":
                names[name] = _result(name, self.process.ask("value", name))
            else:
                missing.append(name)
        return missing

    def call(self, name, arguments, keywords):
        """Call the answer's function in the jail: its result, or its exception raised here."""
        errors = {kind: how for kind, how in np.geterr().items() if how == "raise"}
        try:
            reply = self.process.ask("call", name, arguments, keywords, errors)
        except wire.Refused as e:
            raise TypeError(f"an argument of {name} does not cross into the jail: {e}") from None
        return _result(name, reply)


def _result(name, reply):
    if reply[0] == "raised":
        raise proxies.raised(*reply[1:3])
    if reply[0] == "refused":
        raise proxies.raised("TypeError", f"what {name} gives cannot be graded: {reply[1]}")
    return reply[1]


def _setup(exercise, seed):
    names = {"__name__": "__main__", "print": lambda *_, **__: None}
    try:
        exec(_compiled(exercise.setup, "setup"), names)
    except Exception as e:
        raise RuntimeError(f"{exercise.name}: the setup of the source fails: {type(e).__name__}: {e}") from e
    if seed is not None and "seed" in names:
        names["seed"] = seed
    return names


def _test_cell(exercise, question, hidden):
    try:
        return test_cell(question.test if hidden else question.visible, question.test_id)
    except SyntaxError as e:
        raise RuntimeError(f"{exercise.name}: the test {question.test_id} is no Python: {e}") from e


@functools.lru_cache(maxsize=64)
def _compiled(code, name):
    return compile(code, f"<{name}>", "exec")
