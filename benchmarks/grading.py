"""Grade the same copies with nbgrader and with nnbook, in turns, in one run; print times and ratios.

    python benchmarks/grading.py            20 and 200 copies: nbgrader takes about six minutes for them
    python benchmarks/grading.py 20         20 copies

Both are run as commands from the shell, so start-up is counted; nbgrader's `generate_assignment` is not. Both
must give the same points. nbgrader works in one process; nnbook is measured with one process too.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import nbformat

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = pathlib.Path(sys.executable).parent
SOURCE = ROOT / "exercises" / "convolution.ipynb"
ANSWERS = ["ada.ipynb", "ben.ipynb", "chen.ipynb", "gita/ps1/convolution.ipynb"]
AIMS = {"nnbook": {20: 15, 200: 50}, "nnbook --fresh": {20: 5, 200: 5}}


def main(sizes):
    """Measure and print a row for each number of copies and each way of grading them."""
    print(f"{'copies':>6}  {'graded by':<16} {'seconds':>8} {'a minute':>9} {'x nbgrader':>11}  aim")
    for copies in sizes:
        with tempfile.TemporaryDirectory() as folder:
            measure(pathlib.Path(folder), copies)


def measure(course, copies):
    """The rows of one number of copies: nnbook before and after nbgrader, the mean of both."""
    make_course(course, copies)
    ways = {"nnbook": [], "nnbook -j 1": ["-j", "1"], "nnbook --fresh": ["--fresh"]}
    before = {name: ours(course, name, words) for name, words in ways.items()}
    theirs = run("nbgrader", "autograde", "ps1", cwd=course)
    after = {name: ours(course, name, words) for name, words in ways.items()}
    compare(course)
    print(f"{copies:>6}  {'nbgrader':<16} {theirs:8.1f} {60 * copies / theirs:9.0f}")
    for name in ways:
        seconds = (before[name] + after[name]) / 2
        aim = AIMS.get(name, {}).get(copies)
        print(f"{copies:>6}  {name:<16} {seconds:8.1f} {60 * copies / seconds:9.0f} {theirs / seconds:11.1f}"
              + (f"  {aim}" if aim else ""), flush=True)


def make_course(course, copies):
    """nbgrader's course folder with honest submissions, good and bad, taken in turns."""
    (course / "nbgrader_config.py").write_text("c = get_config()\n")
    (course / "source" / "ps1").mkdir(parents=True)
    shutil.copy(SOURCE, course / "source" / "ps1")
    books = [copy_of_today(ROOT / "tests" / "submissions" / name) for name in ANSWERS]
    for number in range(copies):
        path = course / "submitted" / f"s{number:03}" / "ps1" / SOURCE.name
        path.parent.mkdir(parents=True)
        nbformat.write(books[number % len(books)], path)
    run("nbgrader", "generate_assignment", "ps1", cwd=course)


def copy_of_today(path):
    """The answers of a submission in today's starter."""
    def solutions(book):
        return {c.metadata.nbgrader.grade_id: c for c in book.cells if c.metadata.get("nbgrader", {}).get("solution")}

    starter = nbformat.read(ROOT / "exercises" / "starters" / SOURCE.name, as_version=4)
    given = solutions(nbformat.read(path, as_version=4))
    for name, cell in solutions(starter).items():
        cell.source = given[name].source
    return starter


def ours(course, name, words):
    """Seconds that nnbook takes for the class."""
    return run("nnbook", "grade", SOURCE, "submitted", "-o", f"graded {name}", "--restart", *words, cwd=course)


def run(command, *words, cwd):
    """Run a command of this environment to its end; returns the seconds."""
    env = os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    done = subprocess.run([BIN / command, *words], cwd=cwd, env=env, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command} {words[0]} failed: {done.stderr[-2000:]}")
    return time.perf_counter() - start


def compare(course):
    """Raise where a student has other points in nbgrader's gradebook than in nnbook's results."""
    from nbgrader.api import Gradebook

    from nnbook.grading import records

    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        theirs = {one.student.id: one.score for one in book.assignment_submissions("ps1")}
    for folder in course.glob("graded *"):
        points = {one["student"]: one["points"] for one in records.read(folder)}
        if points != theirs:
            raise RuntimeError(f"not the same points: {points} by nnbook, {theirs} by nbgrader")


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [20, 200])
