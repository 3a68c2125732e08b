"""Exercises that grade themselves, in nbgrader's format: for a learner, a teacher, a course.

`import nnbook` never loads this package. Names are looked up when they are first used, so that a check
in a notebook does not wait for what only a class needs.

    from nnbook.grading import check
    check("conv2d")                                                   # in a notebook

    nnbook check work/                                                # in a shell: one's own answers
    nnbook grade exercises/convolution.ipynb submitted/ -o graded     # a class
"""

import importlib

_HOME = {
    "results": ["Check", "Limits", "Mark", "Report"],
    "notebooks": ["Exercise", "Question", "Unreadable"],
    "starters": ["read", "release", "write_starters"],
    "source": ["Result", "check_source", "run", "wrong_solutions"],
    "learner": ["Checked", "check"],
    "engine": ["grade"],
    "jail": ["Keeper"],
    "batch": ["grade_class"],
    "gradebook": ["push"],
    "cli": ["main"],
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted(_MODULE)


def __getattr__(name):
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE[name]}"), name)
