"""The exercise sets that a learner can check against: the starters in the repository's exercises/starters."""

import json
import pathlib

from nnbook.grading.notebooks import Exercise, parse

HOME = pathlib.Path(__file__).resolve().parents[2]
MISSING = ("the exercise sets are not here: looked for exercises/starters in {looked}. They are part of the book's "
           "repository; run this inside a checkout of it")


def folder(near="."):
    """The folder of the starters: above `near`, else beside the package.

    Raises FileNotFoundError, which says what is missing, where there is none.
    """
    near = pathlib.Path(near).resolve()
    places = [*(above / "exercises" / "starters" for above in [near, *near.parents]),
              HOME / "exercises" / "starters"]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise FileNotFoundError(MISSING.format(looked=f"{near}, the folders above it, and {HOME}"))
    return found


def files(near="."):
    """{name of a set: its starter}, in the order of names."""
    return {path.stem: path for path in sorted(folder(near).glob("*.ipynb"))}


def of_question(question, near="."):
    """(path of the starter, its Exercise, the Question) for the id of a question, over all sets.

    Raises ValueError, which names the nearest ids, where no set has it.
    """
    ids = []
    for path in files(near).values():
        exercise = Exercise.read(path)
        for found in exercise.questions:
            if found.grade_id == question:
                return path, exercise, found
        ids += [found.grade_id for found in exercise.questions]
    import difflib

    near_ids = difflib.get_close_matches(str(question), ids, 3)
    raise ValueError(f"no question {question!r} in the exercise sets"
                     + (f"; did you mean {' or '.join(map(repr, near_ids))}?" if near_ids else ""))


def of_notebook(path):
    """(path of the starter, the notebook's bytes) for a notebook that holds answers of a set.

    The set is told by the ids of the cells, so a copy may have any name. Raises OSError where the file
    cannot be read, ValueError where it is no notebook or holds cells of no set.
    """
    path = pathlib.Path(path)
    data = path.read_bytes()
    try:
        ids = {cell.grade_id for cell in parse(data)} - {""}
    except ValueError as e:
        raise ValueError(f"{path}: {e}") from None
    starters = files(path.parent)
    shared = {name: len(ids & _ids(starter)) for name, starter in starters.items()} if ids else {}
    name = max(shared, key=lambda name: (shared[name], name == path.stem), default=None)
    if not name or not shared[name]:
        raise ValueError(f"{path} holds no question of a set; the sets are {', '.join(starters)}")
    return starters[name], data


def _ids(path):
    return {cell.grade_id for cell in parse(path.read_bytes())} - {""}


def chapters(path):
    """{question: the chapter that its equation stands in}, of a starter or a source."""
    found = {}
    for cell in json.loads(pathlib.Path(path).read_bytes())["cells"]:
        about = cell["metadata"].get("nnbook", {})
        if "chapter" in about and "nbgrader" in cell["metadata"]:
            found[cell["metadata"]["nbgrader"]["grade_id"].removesuffix("-test")] = about["chapter"]
    return found


def look_at(path, exercise):
    """{question: the words that name its equation}, "equation conv2d in chapter 05_convolution"; of one set."""
    of = chapters(path)
    return {q.grade_id: f"equation {q.equation.removeprefix('eq-')}"
            + (f" in chapter {of[q.grade_id]}" if q.grade_id in of else "")
            for q in exercise.questions if q.equation}
