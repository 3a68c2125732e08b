"""An answer's functions and exceptions, as the tests outside the jail see them: plain callables, plain errors."""

from __future__ import annotations

import builtins

import numpy as np

NEVER = (StopIteration, StopAsyncIteration, Warning, UnicodeError)  # the first would end a test's loop early


class AnswerError:
    """Mixed into what an answer raised; `kind` is the name of its type. A ValueError stays a ValueError."""

    kind = ""


class Foreign(AnswerError, Exception):
    """An answer raised what is no builtin exception."""


def _builtin():
    found = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type)}
    kinds = {name: kind for name, kind in found.items() if issubclass(kind, Exception) and not issubclass(kind, NEVER)}
    kinds.pop("ExceptionGroup", None)
    return kinds | {"LinAlgError": np.linalg.LinAlgError}


KNOWN = {name: type(name, (AnswerError, kind), {"kind": name}) for name, kind in _builtin().items()}


def raised(kind, message):
    """The exception that a test sees for what an answer raised, given as the name of its type and its message."""
    error = KNOWN.get(kind, Foreign)(message)
    error.kind = kind
    return error


def function(name, call):
    """A callable that stands for the answer's function: `call(name, arguments, keywords)` runs it in the jail."""
    def answer(*arguments, **keywords):
        return call(name, arguments, keywords)

    answer.__name__ = answer.__qualname__ = name
    return answer
