"""Starters from sources: solutions become a stub; hidden tests, outputs and metadata of one's own go.

The delimiters are nbgrader's: a line that holds BEGIN SOLUTION, END SOLUTION, BEGIN HIDDEN TESTS or END
HIDDEN TESTS. Whatever is not understood is refused, so that nothing leaks.
"""

import copy
import pathlib
import re

STUB = {"code": "# YOUR CODE HERE\nraise NotImplementedError()", "markdown": "YOUR ANSWER HERE"}  # nbgrader's own
LEFT_OVER = re.compile(r".*\b(?:BEGIN|END)\s+(?:SOLUTION|HIDDEN\s+TESTS?|MARK\s+SCHEME).*", re.IGNORECASE)
OF_A_NOTEBOOK = {"kernelspec", "language_info"}
OF_A_CELL = {"nbgrader": {"grade", "grade_id", "locked", "points", "schema_version", "solution", "task", "cell_type"},
             "nnbook": {"equation", "chapter"}}  # all else in a cell's metadata is the author's own


def role(cell, key):
    """One entry of a cell's nbgrader metadata (`grade_id`, `solution`, `grade`, `points`), or None."""
    return cell.metadata.get("nbgrader", {}).get(key)


def read(path):
    """Read a notebook file. Raises ValueError where it is none."""
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeDecodeError, AttributeError, KeyError) as e:
        raise ValueError(f"{path} is not a notebook: {str(e)[:80]}") from e


def release(source):
    """The starter of a source notebook: solutions become a stub, hidden tests and outputs go.

    Raises ValueError where a delimiter is left over or a line of a solution still stands elsewhere, so
    that no solution can leak.
    """
    starter, solutions = copy.deepcopy(source), []
    starter.metadata = _only(source.metadata, OF_A_NOTEBOOK)
    for cell in starter.cells:
        cell.metadata = type(cell)({part: _only(cell.metadata[part], keep)
                                    for part, keep in OF_A_CELL.items() if part in cell.metadata})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        solutions += _cut_solutions(cell)
    _refuse_leaks(starter, solutions)
    return starter


def _only(metadata, keep):
    return type(metadata)({key: value for key, value in metadata.items() if key in keep})


def _cut_solutions(cell):
    """Put the stub for the solution and nothing for hidden tests; returns the lines of the solution."""
    code, solution = _cut(cell.source, "SOLUTION", STUB.get(cell.cell_type, ""))
    code, _ = _cut(code, "HIDDEN TESTS", "")
    cell.source, name = code.rstrip("\n"), role(cell, "grade_id")
    if role(cell, "solution") and not solution:
        raise ValueError(f"release: the solution cell {name!r} has no ### BEGIN SOLUTION with an ### END SOLUTION")
    left = LEFT_OVER.search(cell.source)
    if left:
        raise ValueError(f"release: {left[0].strip()!r} is left over in the cell {name!r}")
    return solution


def _cut(code, name, stub):
    """(the code with every region from BEGIN name to END name replaced, the lines of those regions)"""
    kept, cut, inside = [], [], False
    for line in code.splitlines():
        if f"BEGIN {name}" in line:
            if inside:
                raise ValueError(f"release: BEGIN {name} is left over, within another: {line.strip()[:60]!r}")
            inside = True
            kept += [re.match(r"\s*", line)[0] + put for put in stub.splitlines()]
        elif f"END {name}" in line and inside:
            inside = False
        else:
            (cut if inside else kept).append(line)
    if inside:
        raise ValueError(f"release: BEGIN {name} is left over, it has no END {name}: {code[:60]!r}")
    return "\n".join(kept), cut


def _refuse_leaks(starter, solutions):
    """No line of a solution that is long enough to be told from any other stands anywhere else."""
    shown = {line.strip() for cell in starter.cells for line in cell.source.splitlines()}
    for line in map(str.strip, solutions):
        if len(line) > 25 and line in shown:
            raise ValueError(f"release: this line of a solution stands in the starter too: {line!r}")


def write_starters(sources, folder):
    """Write the starter of each source file into `folder`; returns the paths written.

    Raises ValueError where a source is no notebook, leaks, or would be overwritten by its own starter.
    """
    import nbformat

    folder = pathlib.Path(folder)
    sources = [pathlib.Path(path) for path in sources]
    for path in sources:
        if (folder / path.name).resolve() in [source.resolve() for source in sources]:
            raise ValueError(f"release: the starter would overwrite its source {path}: name another folder")
    starters = [(release(read(path)), folder / path.name) for path in sources]
    folder.mkdir(parents=True, exist_ok=True)
    for starter, path in starters:
        nbformat.write(starter, path)
    return [path for _, path in starters]
