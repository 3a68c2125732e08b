"""A small exercise and a class that solved it, for the tests of grading."""

import nbformat

from nnbook.grading import Limits

LIMITS = Limits(seconds=2, total=10)  # enough for what is honest, and a loop ends soon
SETUP = """import numpy as np

seed = 0


def same(got, expected):
    return np.shape(got) == np.shape(expected) and bool(np.all(np.equal(got, expected)))"""
TEST = """assert same({name}(3), {times} * 3), "not multiplied"
assert same({name}(np.ones(2)), [{times}, {times}]), "not for arrays"
### BEGIN HIDDEN TESTS
x = np.random.default_rng([seed, 1]).integers(2, 10**6, 5)
assert same({name}(-x), -{times} * x), f"sign lost: wrong for {{x}}"
### END HIDDEN TESTS"""
RIGHT = "def {name}(x):\n    return {times} * np.asarray(x)"
QUESTIONS = {"double": 2, "triple": 3}


def cell(source, grade_id, **roles):
    base = {"grade": False, "locked": True, "schema_version": 3, "solution": False, "task": False}
    return nbformat.v4.new_code_cell(source, id=grade_id, metadata={"nbgrader": base | {"grade_id": grade_id} | roles})


def source():
    """The teacher's notebook: two questions of 2 and 3 points."""
    cells = [cell(SETUP, "setup")]
    for name, times in QUESTIONS.items():
        head, body = RIGHT.format(name=name, times=times).split("\n")
        answer = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        cells += [cell(answer, name, solution=True, locked=False),
                  cell(TEST.format(name=name, times=times), f"{name}-test", grade=True, points=times)]
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": {
        "name": "python3", "display_name": "Python 3", "language": "python"}})


def answers(**code):
    """A submission: right where nothing else is given for a question."""
    book = source()
    for each in book.cells:
        name = each.metadata.nbgrader.grade_id
        if name in QUESTIONS:
            each.source = code.get(name, RIGHT.format(name=name, times=QUESTIONS[name]))
    return book


def slow(seconds):
    """A submission that takes its time."""
    return answers(double="def double(x):\n    import time\n"
                          f"    time.sleep({seconds} / 3)\n    return 2 * np.asarray(x)")


def write(path, book):
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)
    return path
