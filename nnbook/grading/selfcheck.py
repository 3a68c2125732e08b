"""Check one's own notebooks from the command line: visible checks only, in the jail or at least with limits."""

import contextlib
import os
import pathlib

from nnbook.grading import jail, sets
from nnbook.grading.notebooks import Exercise
from nnbook.grading.results import Limits


@contextlib.contextmanager
def keeper():
    """A jail where there is one, else limits alone: enough for one's own work."""
    with jail.Keeper(unsafe=bool(jail.available())) as warm:
        yield warm


def check_file(path, warm, limits=None):
    """(path of the set's starter, its Exercise, the Report) of one notebook.

    Raises OSError where there is no such file, ValueError where it is no notebook or belongs to no set.
    """
    from nnbook.grading import engine  # NumPy, while the jail starts

    starter, data = sets.of_notebook(path)
    exercise = Exercise.read(starter)
    return starter, exercise, engine.grade(exercise, data, hidden=False, limits=limits or Limits(), jail=warm)


def check_folder(folder, warm, limits=None):
    """({set: Report} for the notebooks in a folder, {file: why it was passed over}).

    Of two notebooks of one set, the one named like the set counts, else the newer. Raises ValueError where
    none of them belongs to a set.
    """
    reports, passed_over = {}, {}
    for path in _with_the_best_last(pathlib.Path(folder)):
        try:
            _, exercise, report = check_file(path, warm, limits)
        except (OSError, ValueError) as e:
            passed_over[path.name] = str(e)
        else:
            reports[exercise.name] = report
    if not reports:
        raise ValueError(f"{folder} holds no notebook of a set; the sets are {', '.join(sets.files(folder))}")
    return reports, passed_over


def _with_the_best_last(folder):
    names = set(sets.files(folder))
    notebooks = [p for p in folder.iterdir() if p.suffix == ".ipynb" and not p.name.startswith(".")]
    return sorted(notebooks, key=lambda p: (p.stem in names, os.stat(p).st_mtime, p.name))
