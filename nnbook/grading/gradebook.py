"""Put the grades of a class into nbgrader's gradebook, through its own Gradebook API.

Automatic scores only: what a grader entered by hand stays.
"""

import os
import pathlib
import sys

from nnbook.grading import records


def of_course(course):
    """The address of the gradebook in nbgrader's course folder. Raises FileNotFoundError where there is none."""
    path = pathlib.Path(course).resolve() / "gradebook.db"
    if not path.is_file():
        raise FileNotFoundError(f"no gradebook.db in {course}: run nbgrader generate_assignment there first, "
                                "or give the address of the gradebook with --db")
    return f"sqlite:///{path}"


def push(out, url, assignment):
    """Put the results in `out` under an assignment of the gradebook at `url`; returns lines that say what was done.

    Students, assignment and cells that the gradebook does not know are made. Pushing again changes nothing.
    Where the grader itself failed, the student's scores stay as they are.
    Raises FileNotFoundError where `out` holds no results, ValueError where the gradebook was made of another
    source, ImportError where nbgrader is not installed.
    """
    reports = records.read(out)
    with _nbgrader().Gradebook(url) as book:
        for name, report in {report["exercise"]: report for report in reports}.items():
            _prepare(book, name, assignment, report)
        with book.db.no_autoflush:
            lines = [_push_one(book, report, assignment) for report in reports]
    return [*lines, f"{len(reports)} students in {assignment}: {url}"]


def _nbgrader():
    """nbgrader.api; it calls alembic by name, so the environment's commands must be found."""
    try:
        from nbgrader import api
    except ImportError:
        raise ImportError("nnbook push needs nbgrader: pip install 'nnbook[nbgrader]'") from None
    commands = os.path.dirname(sys.executable)
    if commands not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = commands + os.pathsep + os.environ.get("PATH", "")
    return api


def _prepare(book, name, assignment, report):
    """See to it that the assignment, its notebook and the test cells are there, with these points."""
    book.update_or_create_assignment(assignment)
    notebook = book.update_or_create_notebook(name, assignment)
    known = {cell.name: cell.max_score for cell in notebook.grade_cells}
    wanted = {report["tests"][mark["question"]]: mark["maximum"] for mark in report["marks"]}
    if known and known != wanted:
        raise ValueError(f"the gradebook's {name} in {assignment} was made of another source: "
                         f"cells and points there are {known}, in the results {wanted}")
    if not known:
        for cell, points in wanted.items():
            book.add_grade_cell(cell, name, assignment, max_score=points, cell_type="code")


def _push_one(book, report, assignment):
    """The scores of one student; returns a line that says what the gradebook holds now."""
    student = report["student"]
    if report["status"] == "error":
        return f"{student:<20} not pushed: {report['reason']}"
    book.update_or_create_student(student)
    notebook = _notebook(book, report, assignment)
    points = {report["tests"][mark["question"]]: mark["points"] for mark in report["marks"]}
    for grade in notebook.grades:
        grade.auto_score = points[grade.name]
        grade.needs_manual_grade = grade.manual_score is not None
    book.db.commit()
    book.db.refresh(notebook)
    return f"{student:<20} {notebook.score:g} of {notebook.max_score:g}"


def _notebook(book, report, assignment):
    """The student's notebook in the gradebook; made where the assignment had other notebooks when it was pushed."""
    student, name = report["student"], report["exercise"]
    api = _nbgrader()
    submission = book.update_or_create_submission(assignment, student, **_when(report))
    try:
        return book.find_submission_notebook(name, assignment, student)
    except api.MissingEntry:
        known = book.find_notebook(name, assignment)
        notebook = api.SubmittedNotebook(notebook_id=known.id, assignment_id=submission.id)
        notebook.grades = [api.Grade(cell_id=cell.id) for cell in known.grade_cells]
        notebook.comments = [api.Comment(cell_id=cell.id) for cell in known.solution_cells]
        book.db.add(notebook)
        book.db.commit()
        return notebook


def _when(report):
    """When the submission was handed in, where nbgrader's collect wrote it beside the notebook."""
    path = pathlib.Path(report["file"]).with_name("timestamp.txt")
    try:
        return {"timestamp": path.read_text(encoding="utf-8").strip()}
    except OSError:
        return {}
