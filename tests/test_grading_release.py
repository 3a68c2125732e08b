"""Starters: nothing of a solution, of a hidden test, of an output or of the author's own notes is left in them."""

import pathlib

import nbformat
import pytest

from nnbook import grading
from nnbook.grading.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "exercises").glob("*.ipynb"))
SOLUTION = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x  # the secret\n    ### END SOLUTION"
TEST = "assert double(3) == 6\n### BEGIN HIDDEN TESTS\nassert double(-1) == -2  # the trap\n### END HIDDEN TESTS"


def cell(source, grade_id="", kind="code", **roles):
    new = nbformat.v4.new_code_cell if kind == "code" else nbformat.v4.new_markdown_cell
    base = {"grade": False, "locked": False, "schema_version": 3, "solution": False, "task": False}
    return new(source, metadata={"nbgrader": base | {"grade_id": grade_id} | roles} if grade_id else {})


def notebook(*cells, **metadata):
    return nbformat.v4.new_notebook(cells=list(cells), metadata=metadata)


def toy(solution=SOLUTION, test=TEST):
    return notebook(cell(solution, "double", solution=True),
                    cell(test, "double-test", grade=True, points=1, locked=True))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_line_of_a_solution_or_of_a_hidden_test_is_left(path):
    """Every secret line, whatever its length, unless the same line is given to the learner elsewhere in the source."""
    source = grading.read(path)
    shown, secret, inside = set(), set(), False
    for each in source.cells:
        for line in each.source.splitlines():
            inside = inside or "### BEGIN" in line
            (secret if inside else shown).add(line.strip())
            inside = inside and "### END" not in line
    starter = {line.strip() for each in grading.release(source).cells for line in each.source.splitlines()}
    assert len(secret) > 20
    assert starter & (secret - shown) == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_the_same_starter_as_nbgraders(path):
    preprocessors = pytest.importorskip("nbgrader.preprocessors")
    theirs = grading.read(path)
    for make in (preprocessors.ClearSolutions, preprocessors.ClearHiddenTests):
        theirs, _ = make().preprocess(theirs, {})
    ours = grading.release(grading.read(path))
    assert [c.source.rstrip() for c in ours.cells] == [c.source.rstrip() for c in theirs.cells]


def test_outputs_and_metadata_of_ones_own_go():
    source = toy()
    source.metadata = nbformat.from_dict({"kernelspec": {"name": "python3", "display_name": "x"}, "answers": "secret"})
    source.cells[0].outputs = [nbformat.v4.new_output("stream", text="the secret is 2 x")]
    source.cells[0].execution_count = 7
    source.cells[0].metadata["hint"] = "the secret"
    source.cells[0].metadata["nnbook"] = {"equation": "eq-double", "chapter": "05_convolution", "note": "the secret"}
    source.cells[0].metadata["nbgrader"]["reference"] = "the secret"
    starter = grading.release(source)
    assert "secret" not in nbformat.writes(starter)
    assert starter.cells[0].metadata["nnbook"] == {"equation": "eq-double", "chapter": "05_convolution"}
    assert starter.metadata == {"kernelspec": {"name": "python3", "display_name": "x"}}
    assert source.cells[0].outputs, "the source itself is not touched"


def test_every_region_becomes_a_stub_in_its_own_indentation():
    twice = ("### BEGIN SOLUTION\na = 1\n### END SOLUTION\n"
             "if a:\n    ### BEGIN SOLUTION\n    b = 2\n    ### END SOLUTION")
    assert grading.release(toy(twice)).cells[0].source == (
        "# YOUR CODE HERE\nraise NotImplementedError()\nif a:\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    written = notebook(cell("### BEGIN SOLUTION\nthe secret\n### END SOLUTION", "why", "markdown", solution=True))
    assert grading.release(written).cells[0].source == "YOUR ANSWER HERE"


@pytest.mark.parametrize(("solution", "test", "said"), [
    ("def double(x):\n    return 2 * x  # the secret", TEST, "has no ### BEGIN SOLUTION"),
    ("### BEGIN SOLUTION\nreturn 2", TEST, "left over"),
    ("a\n### END SOLUTION", TEST, "has no ### BEGIN SOLUTION"),
    ("### BEGIN SOLUTION\na\n### BEGIN SOLUTION\nb\n### END SOLUTION", TEST, "left over"),
    (SOLUTION, "### BEGIN HIDDEN TESTS\nassert double(1) == 2", "left over"),
    (SOLUTION, "a\n### END HIDDEN TESTS", "left over"),
    (SOLUTION, "# begin hidden tests\nassert 1\n# end hidden tests", "left over"),
    (SOLUTION, TEST + "\n### BEGIN MARK SCHEME", "left over"),
    (SOLUTION.replace("2 * x", "np.multiply(2, x, dtype=float)"),
     "right = 1\n    return np.multiply(2, x, dtype=float)  # the secret", "stands in the starter too"),
])
def test_what_could_leak_is_refused(solution, test, said):
    with pytest.raises(ValueError, match=said):
        grading.release(toy(solution, test))


def test_looser_delimiters_that_nbgrader_takes_are_taken_too():
    starter = grading.release(toy(SOLUTION.replace("### ", "#"), TEST.replace("### ", "# -- ")))
    assert "secret" not in str(starter) and "trap" not in str(starter)


def test_a_starter_never_overwrites_a_source(tmp_path, capsys):
    path = tmp_path / "toy.ipynb"
    nbformat.write(toy(), path)
    (tmp_path / "link").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "link"):
        assert main(["release", str(path), str(folder)]) == 2
        assert "would overwrite its source" in capsys.readouterr().err
    assert "the secret" in path.read_text()
    assert main(["release", str(path), str(tmp_path / "new" / "folder")]) == 0
    assert "the secret" not in (tmp_path / "new" / "folder" / "toy.ipynb").read_text()


def test_nothing_is_written_where_one_source_is_wrong(tmp_path, capsys):
    nbformat.write(toy(), tmp_path / "good.ipynb")
    (tmp_path / "bad.ipynb").write_text("{}")
    assert main(["release", str(tmp_path / "good.ipynb"), str(tmp_path / "bad.ipynb"), str(tmp_path / "out")]) == 2
    assert "bad.ipynb is not a notebook" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main(["release", str(tmp_path / "none.ipynb"), str(tmp_path / "out")]) == 2
    assert "none.ipynb" in capsys.readouterr().err
