"""A small exercise with three questions, and submissions to it, as the bytes of notebooks."""

import json

from nnbook.grading import notebooks

SECRET = "hidden-gem-7391"  # stands in the hidden tests and in the solutions only

SETUP = '''import numpy as np

seed = 7


def same(got, expected, tol=1e-6):
    """Equal shapes and numbers; tuples are compared part by part."""
    if isinstance(expected, tuple):
        return isinstance(got, tuple | list) and len(got) == len(expected) and all(map(same, got, expected))
    got, expected = np.asarray(got), np.asarray(expected)
    return got.shape == expected.shape and bool(np.all(np.abs(got - expected) <= tol))'''
SOLUTIONS = {
    "double": "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION",
    "total": f"def total(x):\n    ### BEGIN SOLUTION\n    return x.sum()  # {SECRET}\n    ### END SOLUTION",
    "shift": "def shift(x, by):\n    ### BEGIN SOLUTION\n    return x + by\n    ### END SOLUTION",
}
TESTS = {
    "double": """answer = double(np.array([1.0, 2.0]))
known_mistakes = {"squared: twice is asked for": [1.0, 4.0]}
for mistake, result in known_mistakes.items():
    assert not same(answer, result), mistake
assert same(answer, [2.0, 4.0]), "not doubled"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([seed, 1])
for n in (3, 5):
    x = rng.standard_normal(n)
    assert same(double(x), 2 * x), f"not doubled for n = {n}, {x}"
### END HIDDEN TESTS""",
    "total": f"""assert same(total(np.array([1.0, 2.0])), 3.0), "not the sum"
### BEGIN HIDDEN TESTS
rng = np.random.default_rng([seed, 2])
x = rng.standard_normal((3, 4))  # {SECRET}
assert same(total(x), sum(x.ravel().tolist())), "not the sum of all"
### END HIDDEN TESTS""",
    "shift": """answer = shift(np.array([1.0, 2.0]), 3)
assert same(answer, [4.0, 5.0]), f"not shifted: {answer}"
### BEGIN HIDDEN TESTS
assert same(shift(np.arange(4.0), -1), np.arange(4.0) - 1), "not shifted back"
### END HIDDEN TESTS""",
}
POINTS = {"double": 2, "total": 3, "shift": 4}
RIGHT = {"double": "def double(x):\n    return x + x", "total": "def total(x):\n    return np.sum(x)",
         "shift": "def shift(x, by):\n    return by + x"}


def cell(source, grade_id=None, kind="code", **role):
    """A cell of a notebook; `role` goes over nbgrader's metadata."""
    made = {"cell_type": kind, "source": source, "metadata": {}}
    if kind == "code":
        made |= {"outputs": [], "execution_count": None}
    if grade_id:
        base = {"grade": False, "grade_id": grade_id, "locked": True, "schema_version": 3, "solution": False,
                "task": False}
        made["metadata"]["nbgrader"] = base | role
    return made


def notebook(cells):
    """The bytes of a notebook."""
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def cells(answers, tests=TESTS, before=()):
    """The cells of the source (answers=SOLUTIONS) or of a submission; `before` are cells that a learner added."""
    made = [cell("# Toy", kind="markdown"), cell(SETUP), *map(cell, before)]
    for n, name in enumerate(SOLUTIONS, 1):
        text = f"## Question {n}. Make it {name} ({POINTS[name]} points)\n\n$y=x$"
        made.append(cell(text, f"{name}-text", "markdown"))
        if name in answers:
            made.append(cell(answers[name], name, solution=True, locked=False))
        made.append(cell(tests[name], f"{name}-test", grade=True, points=POINTS[name]))
    return made


def exercise():
    """The notebooks.Exercise of the toy."""
    return notebooks.Exercise.of_cells("toy", notebooks.parse(notebook(cells(SOLUTIONS))))


def submission(before=(), **answers):
    """A submission with right answers, but for those given."""
    return notebook(cells(RIGHT | answers, dict.fromkeys(TESTS, "pass"), before))
