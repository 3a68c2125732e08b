"""A test cell as rows: its top-level statements, which of them are checks, and what may be told of a failure.

What a learner is told of a hidden check is a constant of the author's source or the name of a common
exception: neither holds a hidden input, whatever the answer returns or raises.
"""

from __future__ import annotations

import ast
import functools
from dataclasses import dataclass, field

from nnbook.grading.notebooks import HIDDEN
from nnbook.grading.proxies import KNOWN, AnswerError
from nnbook.grading.results import Check

COMMON = {*KNOWN, "SystemExit", "KeyboardInterrupt", "StopIteration"}
IN_WORDS = {  # what a row is called, where the book's own sets use these lines
    "not same(answer, known_mistake)": "none of the known mistakes",
    "same_shape(answer, expected)": "the shape",
    "same(answer, expected)": "the numbers",
    "np.all(np.isfinite(answer))": "no number overflows",
}
NOT_ANSWERED = "not answered yet: it still raises NotImplementedError"


@dataclass
class Outcome:
    """A row for each check that was reached, and what became of the whole: see results.Mark."""

    checks: list[Check] = field(default_factory=list)
    status: str = "passed"
    message: str = ""


@dataclass(frozen=True)
class Statement:
    """A top-level statement of a test cell; `label` is "" where it holds no assert."""

    code: object
    label: str
    hidden: bool


class TestCell:
    """The statements of a test cell: `visible` up to the first hidden one, `hidden` from there on.

    Raises SyntaxError where the code is no Python.
    """

    __test__ = False  # it is pytest's own name for tests

    def __init__(self, code, name):
        self.name, tree = name, ast.parse(code, f"<{name}>")
        self.asserts = [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
        self.strings = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
        ranges = _hidden_ranges(code)
        statements = [self._statement(node, ranges) for node in tree.body]
        first = next((i for i, s in enumerate(statements) if s.hidden), len(statements))
        self.visible, self.hidden = statements[:first], statements[first:]

    def _statement(self, node, ranges):
        hidden = any(a <= node.end_lineno and node.lineno <= b for a, b in ranges)
        code = compile(ast.Module([node], []), f"<{self.name}>", "exec")
        return Statement(code, _label(node), hidden)

    def run(self, statements, names, hidden=False):
        """Run statements in the namespace `names` up to the first that raises; hidden=True tells constants only."""
        outcome = Outcome()
        for statement in statements:
            secret = statement.hidden
            label = f"hidden check {len(outcome.checks) + 1}" if secret else statement.label
            try:
                exec(statement.code, names)
            except Exception as error:
                outcome.status, outcome.message = _status(error), self.told(error, hidden)
                outcome.checks.append(Check(label or "the answer runs", False, outcome.message))
                break
            if statement.label:
                outcome.checks.append(Check(label, True))
        return outcome

    def told(self, error, hidden):
        """What a learner is told of a failure."""
        if isinstance(error, NotImplementedError):
            return NOT_ANSWERED
        if type(error) is AssertionError:
            return self._constant(error) if hidden else _short(error) or "this does not hold"
        kind = getattr(error, "kind", type(error).__name__)
        if not hidden:
            return f"{kind}: {_short(error)}".rstrip(": ")
        return kind if not isinstance(error, AnswerError) or kind in COMMON else "an exception of its own"

    def _constant(self, error):
        """Of an assert's message what the author's source says itself, up to the first placeholder."""
        node = self._failed(error.__traceback__)
        if node is None or not error.args:
            return ""
        if isinstance(node.msg, ast.Name) and error.args[0] in self.strings and " " in error.args[0]:
            return error.args[0]
        return _constant_part(node.msg)

    def _failed(self, trace):
        found = None
        while trace:
            if trace.tb_frame.f_code.co_filename == f"<{self.name}>":
                lines = [n for n in self.asserts if n.lineno <= trace.tb_lineno <= n.end_lineno]
                found = lines[-1] if lines else None
            trace = trace.tb_next
        return found


def _hidden_ranges(code):
    """First and last line of each hidden part."""
    return [(code.count("\n", 0, part.start()) + 1, code.count("\n", 0, part.end() - 1) + 1)
            for part in HIDDEN.finditer(code)]


def _label(node):
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return ""  # a helper: it checks where it is called
    first = next((n for n in ast.walk(node) if isinstance(n, ast.Assert)), None)
    code = "" if first is None else ast.unparse(first.test)
    return IN_WORDS.get(code, code[:100])


def _status(error):
    if isinstance(error, NotImplementedError):
        return "not answered"
    return "error" if isinstance(error, AnswerError) else "failed"


def _constant_part(message):
    if isinstance(message, ast.JoinedStr):
        texts = [part.value if isinstance(part, ast.Constant) else None for part in message.values]
        text = texts[0] if texts and texts[0] else next(("…" + t for t in texts if t), "")
    elif isinstance(message, ast.Constant) and isinstance(message.value, str):
        text = message.value
    elif isinstance(message, ast.BinOp) and isinstance(message.left, ast.Constant):
        text = str(message.left.value).partition("%")[0]
    else:
        text = ""
    return text.strip().rstrip("=:,([{ ")


def _short(error):
    text = str(error)
    return text if len(text) <= 300 else text[:299] + "…"


@functools.lru_cache(maxsize=256)
def test_cell(code, name):
    """The TestCell of a code, made once in a process."""
    return TestCell(code, name)
