"""The results of a class on disk: one JSON line a submission as they come, then grades.csv."""

import csv
import hashlib
import importlib
import io
import json
import os
import pathlib
import re

fcntl = importlib.import_module("fcntl") if os.name == "posix" else None  # Windows has no such lock
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run what begins so


def digest(data):
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


class Records:
    """results.jsonl in a folder: read what an earlier run left, append what this one finds.

    `source` is the bytes of the exercise's source; `tests` maps its questions to their test cells. Raises
    ValueError where the folder holds the results of another source or seed, BlockingIOError where another
    process writes there.
    """

    def __init__(self, folder, source, seed, tests, restart=False):
        self.key, self.tests = {"source": digest(source), "seed": seed}, tests
        self.path = pathlib.Path(folder) / "results.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(self.path, "a+b")  # noqa: SIM115  closed by __exit__
        try:
            self._lock()
            if restart:
                self.file.truncate(0)
            self.latest = {line["student"]: line for line in self._earlier()}
        except BaseException:
            self.file.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def _lock(self):
        if fcntl is None:
            return
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BlockingIOError(f"another nnbook grade is writing to {self.path.parent}") from None

    def _earlier(self):
        """The lines of an earlier run; a half-written one is dropped."""
        self.file.seek(0)
        whole = self.file.read()
        self.file.truncate(whole.rfind(b"\n") + 1)
        lines = _lines(whole)
        for line in lines:
            for name, value in self.key.items():
                if line[name] != value:
                    raise ValueError(f"{self.path.parent} holds results for another {name}: name another folder "
                                     "with -o, or forget them with --restart")
        return lines

    def has(self, student, sha256):
        """Whether this very submission of the student is graded already."""
        return self.latest.get(student, {}).get("sha256") == sha256

    def add(self, report, file, sha256):
        """Append a report (a dict) as one line, at once; an equal one is not written again."""
        line = {"student": report["student"], "file": file, "sha256": sha256, **self.key, **report, "tests": self.tests}
        before = self.latest.get(line["student"], {})
        if {**before, "seconds": 0} != {**line, "seconds": 0}:
            self.file.write((json.dumps(line) + "\n").encode())
            self.file.flush()
        self.latest[line["student"]] = line

    def reports(self):
        """The latest report of each student, by name."""
        return [self.latest[student] for student in sorted(self.latest)]


def read(folder):
    """The latest report of each student that `nnbook grade` left in a folder, by name.

    Raises FileNotFoundError where there are none.
    """
    path = pathlib.Path(folder) / "results.jsonl"
    if not path.is_file():
        raise FileNotFoundError(f"no results.jsonl in {folder}: give the folder that nnbook grade wrote (its -o)")
    latest = {line["student"]: line for line in _lines(path.read_bytes())}
    return [latest[student] for student in sorted(latest)]


def _lines(whole):
    return [line for line in map(_parsed, whole.splitlines()) if line]


def _parsed(line):
    try:
        record = json.loads(line)
        return record if {"student", "sha256", "source", "seed", "marks", "tests"} <= set(record) else None
    except (ValueError, TypeError, RecursionError):
        return None


def write_csv(path, reports, questions):
    """grades.csv: a row a student, a column a question; replaced in one step. Quoted; no cell is a formula."""
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(["student", "status", "points", "maximum", *questions, "reason"])
    for report in reports:
        points = {mark["question"]: f"{mark['points']:g}" for mark in report["marks"]}
        table.writerow([_plain(report["student"]), report["status"], f"{report['points']:g}",
                        f"{report['maximum']:g}", *(points.get(q, "0") for q in questions), _plain(reason(report))])
    write_whole(path, text.getvalue())


def reason(report):
    """In one line, why a submission has the points it has."""
    if report["status"] != "graded":
        return report["reason"]
    open_ = [mark for mark in report["marks"] if mark["points"] < mark["maximum"]]
    told = "; ".join(f"{mark['question']}: {mark['message'] or mark['status']}" for mark in open_)
    return " ".join(told.split()) or "all passed"


def _plain(text):
    return "'" + text if text.startswith(FORMULA) else text


def write_whole(path, text):
    """Write a text file in one step, so that nobody ever sees half of it."""
    path = pathlib.Path(path)
    part = path.with_name(f".{digest(path.name.encode())[:16]}.part")
    part.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    os.replace(part, path)


def page_names(students):
    """{student: the name of the page's file}: plain names as they are, others made safe and told apart by a digest."""
    names, taken = {}, set()
    for student in students:
        safe = re.sub(r"[^\w .@+-]", "_", student)[:80]
        if safe != student or safe[:1] in (".", "") or safe.casefold() in taken:
            safe = f"{safe.lstrip('.')}-{digest(student.encode('utf-8', 'surrogatepass'))[:12]}"
        taken.add(safe.casefold())
        names[student] = f"{safe}.html"
    return names
