"""The namespace of one submission in the jail, and what may be asked of it. Standard library and NumPy only.

Whatever learner's code does to this process it does to its own submission: the grader believes no word of it.
"""

import contextlib
import re
import signal
import sys
import types

import numpy as np


class Printed:
    """Stands in for sys.stdout: keeps the first `room` characters until they are taken, drops the rest."""

    encoding = "utf-8"

    def __init__(self, room):
        self.room, self.text = room, ""

    def write(self, text):
        self.text += text[:max(self.room - len(self.text), 0)]
        return len(text)

    def take(self):
        text, self.text = self.text, ""
        return text

    def flush(self):
        pass

    def isatty(self):
        return False


class Answer:
    """The namespace of one submission, and what may be asked of it."""

    def __init__(self, channel, limits, wire):
        self.channel, self.limits, self.wire = channel, limits, wire
        self.printed = sys.stdout = sys.stderr = Printed(limits["output"])
        sys.modules.update(dict.fromkeys(("nnbook", "torch"), None))
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        self.names = vars(main)
        self.names["display"] = print
        np.random.seed(0)  # noqa: NPY002 (the same draws for all)

    def serve(self):
        self.channel.send(self.wire.pack("ready"))
        while True:
            verb, number, *rest = self.channel.receive()
            reply = getattr(self, verb)(*rest)
            self.channel.send(self.frame(number, reply))

    def frame(self, number, reply):
        try:
            frame = self.wire.pack([number, *reply])
            if len(frame) <= self.limits["reply"]:
                return frame
            reason = f"it has {len(frame) / 2**20:.1f} MB, at most {self.limits['reply'] / 2**20:.1f} MB cross"
        except self.wire.Refused as e:
            reason = str(e)
        except Exception as e:
            reason = f"reading it raises {type(e).__name__}"
        return self.wire.pack([number, "refused", reason])

    def run(self, code, name):
        """Run a cell: "done" or "raised" with type and message; and what it printed."""
        self.printed.take()
        outcome = self.caught(lambda: exec(self.compiled(code, name), self.names) or ["done", "", ""])
        return [*outcome, self.printed.take()]

    def compiled(self, code, name):
        try:
            return compile(code, f"<{name}>", "exec")
        except SyntaxError:
            plain = without_magics(code)
            if plain == code:
                raise
        return compile(plain, f"<{name}>", "exec")

    def kinds(self, names):
        """For each name "function", "missing" or "value"."""
        here = [self.names.get(name, self) for name in names]
        return ["done", ["missing" if x is self else "function" if callable(x) else "value" for x in here]]

    def settle(self):
        """Nothing that a cell or a call set going goes off in another question."""
        self.printed.take()
        signal.alarm(0)
        for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
            signal.setitimer(timer, 0)
        return ["done", ""]

    def value(self, name):
        return ["done", self.names[name]]

    def call(self, name, arguments, keywords, errors):
        """Call a function: "done" with the result, or "raised" with type and message."""
        with np.errstate(**errors) if errors else contextlib.nullcontext():
            outcome = self.caught(lambda: ["done", self.names[name](*arguments, **keywords)])
        self.printed.take()
        return outcome

    def caught(self, job):
        try:
            return job()
        except BaseException as e:
            return ["raised", type(e).__name__[:80], described(e)]


def described(error):
    """An exception's message, short; whatever its own __str__ does."""
    try:
        return str(error)[:500]
    except BaseException:
        return ""


def without_magics(code):
    """A cell without IPython's lines: `%matplotlib inline`, `!ls`; all of a cell in another language."""
    first, _, rest = code.lstrip().partition("\n")
    if first.startswith("%%"):
        return without_magics(rest) if re.match(r"%%(time|timeit|capture|prun)\b", first) else ""
    return re.sub(r"^([ \t]*)[%!].*$", r"\1pass", code, flags=re.MULTILINE)
