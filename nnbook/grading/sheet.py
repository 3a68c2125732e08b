"""Reports as plain text for a terminal: readable without colour, a line a check."""

from nnbook.grading import report, selfcheck, sets


def of_file(path, warm):
    """Check one notebook: (text, [its Report])."""
    starter, exercise, found = selfcheck.check_file(path, warm)
    return text(found, sets.look_at(starter, exercise)), [found]


def of_folder(folder, warm):
    """Check the notebooks in a folder: (the progress over all sets as text, their Reports)."""
    reports, passed_over = selfcheck.check_folder(folder, warm)
    notes = [f"passed over: {reason}" for reason in passed_over.values()]
    return "\n".join([progress(reports, sets.files(folder)), *notes]), list(reports.values())


def rows_of_checks(checks):
    """A line for each check: what became of it, what was checked, and the author's message."""
    lines = []
    for check in checks:
        word = "passed" if check.passed else "failed"
        lines.append(f"    {report.SIGNS[word]} {word}  {_short(check.label)}")
        lines += ["              " + line for line in check.message.splitlines()]
    return lines


def text(found, look_at):
    """One set: a line a question, the checks of those that are not solved, and the sum.

    `found` is a Report; `look_at` maps a question to the words that name its equation.
    """
    lines = [f"{found.exercise}: {found.points:g} of {found.maximum:g} points"]
    if found.status != "graded":
        return f"{found.exercise}: not checked. {found.reason}"
    for mark in found.marks:
        sign, word = report.SIGNS["passed" if mark.status == "passed" else "failed"], report.WORDS[mark.status]
        lines.append(f"  {sign} {mark.question:<22} {word:<20} {mark.points:g} of {mark.maximum:g}")
        if mark.status not in ("passed", "not answered"):
            lines += _why(mark) + _look(look_at.get(mark.question))
    return "\n".join([*lines, *(f"  note: {note}" for note in found.notes)])


def _why(mark):
    told = any(check.message == mark.message for check in mark.checks)
    return rows_of_checks(mark.checks) + ([] if told else ["    " + line for line in mark.message.splitlines()])


def _look(words):
    return [f"    Look at {words}."] if words else []


def progress(reports, names):
    """A table over all sets: questions solved, points, and what is next; `reports` maps a set to its Report."""
    rows = [("set", "solved", "points", "next")] + [_row(name, reports.get(name)) for name in names]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]).rstrip()
             for row in rows]
    return "\n".join([*lines, "", _sum(reports.values())])


def _row(name, found):
    if found is None:
        return name, "-", "-", "not started"
    if found.status != "graded":
        return name, "-", "-", f"not checked: {found.reason}"
    open_ = [mark.question for mark in found.marks if mark.status != "passed"]
    solved = f"{len(found.marks) - len(open_)} of {len(found.marks)}"
    return name, solved, f"{found.points:g} of {found.maximum:g}", open_[0] if open_ else "all solved"


def _sum(reports):
    marks = [mark for found in reports for mark in found.marks]
    solved = sum(mark.status == "passed" for mark in marks)
    points, most = sum(mark.points for mark in marks), sum(mark.maximum for mark in marks)
    return f"{solved} of {len(marks)} questions solved, {points:g} of {most:g} points"


def _short(label, most=70):
    return label if len(label) <= most else label[:most - 1] + "…"
