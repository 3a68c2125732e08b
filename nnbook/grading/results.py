"""What grading says: a row a check, a report a submission. Plain data, so that it travels and is stored as JSON."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class Limits:
    """What one submission may use; times in seconds, sizes in bytes."""

    seconds: float = 10.0  # wall clock for one call or one cell
    total: float = 60.0  # wall clock for the whole submission
    memory: int = 2 * 2**30  # address space
    file: int = 16 * 2**20  # one file, and all files together
    output: int = 4096  # of what is printed, the rest is cut
    reply: int = 64 * 2**20  # one result on the wire


@dataclass
class Check:
    """One check of a question: what is checked, whether it passed, and the author's message where it did not."""

    label: str
    passed: bool
    message: str = ""


@dataclass
class Mark:
    """What one question earned, and why some points are missing.

    status: "passed", "failed", "not answered", "missing", "error", "timeout", "crash"
    """

    question: str
    points: float
    maximum: float
    status: str = "passed"
    message: str = ""
    checks: list[Check] = field(default_factory=list)


@dataclass
class Report:
    """One submission: a mark a question; `status` is "graded", or "unreadable" with the reason."""

    exercise: str
    student: str = ""
    status: str = "graded"
    reason: str = ""
    marks: list[Mark] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def points(self) -> float:
        return sum(mark.points for mark in self.marks)

    @property
    def maximum(self) -> float:
        return sum(mark.maximum for mark in self.marks)

    def as_dict(self) -> dict:
        """Nested dicts and lists, ready for json.dumps."""
        return asdict(self) | {"points": self.points, "maximum": self.maximum}
