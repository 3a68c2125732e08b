"""Find the submissions of a class in a folder, and read them without trusting what lies there.

Three layouts, also mixed: a file a student (`alice.ipynb`), a folder a student (`alice/convolution.ipynb`),
and nbgrader's (`alice/ps1/convolution.ipynb`). Links are never followed.
"""

import os
import pathlib
import stat
from dataclasses import dataclass

LARGEST = 64 * 2**20  # of a file that is read at all; the engine refuses notebooks far smaller than this


@dataclass(frozen=True)
class Submission:
    """Whose it is, where it lies, and why it cannot be graded where that is known already."""

    student: str
    path: pathlib.Path
    reason: str = ""

    def read(self):
        """The bytes of the file. Raises ValueError with the reason where it cannot be read."""
        if self.reason:
            raise ValueError(self.reason)
        try:
            return _read(self.path)
        except OSError as e:
            raise ValueError(f"{self.path.name} cannot be read: {e.strerror}") from e


def _read(path):
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode):
            raise ValueError(f"{path.name} is not a file")
        if state.st_size > LARGEST:
            raise ValueError(f"{path.name} has {state.st_size / 2**20:.0f} MB, allowed are {LARGEST // 2**20} MB")
        return file.read(LARGEST)


def find(folder, name, skip=()):
    """The submissions of the set `name` in a folder, one a student, and the names that were passed over.

    `skip` holds paths that are no submissions, such as the folder of results. Raises FileNotFoundError where
    there is no such folder, ValueError where there is nothing to grade in it.
    """
    folder = pathlib.Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}: give the folder that holds the submissions")
    entries = [e for e in sorted(folder.iterdir()) if not e.name.startswith(".") and e.resolve() not in skip]
    found = [submission for submission in (_of_student(entry, name) for entry in entries) if submission]
    passed_over = sorted({e.name for e in entries} - {_entry(folder, s) for s in found})
    if not found:
        raise ValueError(f"nothing to grade in {folder}: expected alice.ipynb, alice/{name}.ipynb "
                         f"or alice/<assignment>/{name}.ipynb for each student")
    return _one_a_student(found), passed_over


def _entry(folder, submission):
    return submission.path.relative_to(folder).parts[0]


def _of_student(entry, name):
    if entry.suffix.lower() == ".ipynb":
        return Submission(_printable(entry.stem), entry, _link(entry))
    if entry.is_dir():
        student = _printable(entry.name)
        return Submission(student, entry, _link(entry)) if entry.is_symlink() else _in_folder(entry, student, name)
    return None


def _printable(name):
    """The name of a student; what is no UTF-8 in a file's name is spelt out."""
    return name.encode("utf-8", "backslashreplace").decode()


def _in_folder(folder, student, name):
    """The one notebook of the set in a student's folder, or else the one notebook that is there."""
    try:
        notebooks = [p for p in _two_levels(folder) if p.suffix.lower() == ".ipynb" and not p.name.startswith(".")]
    except OSError as e:
        return Submission(student, folder, f"{folder.name} cannot be read: {e.strerror}")
    of_set = [p for p in notebooks if p.stem == name] or notebooks
    if not of_set:
        return Submission(student, folder, f"no {name}.ipynb in the folder {folder.name}")
    if len(of_set) > 1:
        names = ", ".join(str(p.relative_to(folder)) for p in of_set[:4])
        return Submission(student, folder, f"{len(of_set)} notebooks, expected one {name}.ipynb: {names}")
    return Submission(student, of_set[0], _link(of_set[0]))


def _two_levels(folder):
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and not path.name.startswith("."):
            yield from sorted(path.iterdir())
        else:
            yield path


def _link(path):
    return f"{path.name} is a symbolic link: links are not followed" if path.is_symlink() else ""


def _one_a_student(found):
    """Where a student has a file and a folder, neither is chosen: the reason names both."""
    by_student = {}
    for submission in found:
        by_student.setdefault(submission.student, []).append(submission)
    return [same[0] if len(same) == 1 else
            Submission(student, same[0].path, f"{len(same)} submissions, expected one: "
                       + ", ".join(s.path.name for s in same)) for student, same in by_student.items()]
