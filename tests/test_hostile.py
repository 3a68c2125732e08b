"""Hostile submissions: each is contained, all else is graded as if alone, and nothing is left."""

import ast
import glob
import json
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest
from hostile import attacks, toy

from nnbook.grading import asserts, engine, jail, notebooks
from nnbook.grading.results import Limits

pytestmark = pytest.mark.skipif(bool(jail.available()), reason=jail.available())
LIMITS = Limits(seconds=1, total=12, memory=2**30, reply=8 * 2**20)


@pytest.fixture(scope="module")
def exercise():
    return toy.exercise()


@pytest.fixture(scope="module")
def keeper():
    with jail.Keeper() as warm:
        warm.session(LIMITS).close()
        time.sleep(0.5)
        warm.alone = family(warm)
        yield warm


@pytest.fixture(autouse=True)
def nothing_is_left(keeper):
    open_before = len(os.listdir("/proc/self/fd"))
    yield
    until = time.monotonic() + 2  # the last process that goes is ours, after it said that the others are gone
    while family(keeper) != keeper.alone and time.monotonic() < until:
        time.sleep(0.01)
    assert family(keeper) == keeper.alone, "a process is left, or the keeper was taken down"
    assert len(os.listdir("/proc/self/fd")) == open_before, "a descriptor is left open"
    assert not [p for d in ("/", "/tmp", "/root", "/dev/shm", "/var/tmp") for p in glob.glob(f"{d}/{attacks.MARK}*")]


def family(keeper):
    return {keeper._process.pid} | {p.pid for p in psutil.Process(keeper._process.pid).children(recursive=True)}


def grade(exercise, keeper, submission, **more):
    return engine.grade(exercise, submission, limits=LIMITS, jail=keeper, **more)


def points(report):
    return [mark.points for mark in report.marks]


def only_total_lost(exercise, keeper, code, statuses):
    started = time.monotonic()
    report = grade(exercise, keeper, toy.submission(total=code))
    assert time.monotonic() - started < 8
    assert points(report) == [2, 0, 4], report
    assert report.marks[1].status in statuses and report.marks[1].message
    json.dumps(report.as_dict()).encode()
    assert all(c.isprintable() for mark in report.marks for c in mark.message)
    assert points(grade(exercise, keeper, toy.submission())) == [2, 3, 4]


@pytest.mark.parametrize("kind", attacks.kinds("timeout"))
def test_an_answer_without_an_end_costs_its_own_points(exercise, keeper, kind):
    only_total_lost(exercise, keeper, attacks.CODE[kind], {"timeout"})


@pytest.mark.parametrize("kind", attacks.kinds("crash"))
def test_an_answer_that_takes_its_process_down_costs_its_own_points(exercise, keeper, kind):
    only_total_lost(exercise, keeper, attacks.CODE[kind], {"crash"})


@pytest.mark.parametrize("kind", attacks.kinds("wrong"))
def test_an_answer_up_to_mischief_costs_its_own_points(exercise, keeper, kind):
    with socket.create_server(("127.0.0.1", 0)) as server:
        code = attacks.CODE[kind].replace("PORT", str(server.getsockname()[1]))
        only_total_lost(exercise, keeper, code, {"failed", "error", "timeout", "crash"})
        server.settimeout(0.05)
        with pytest.raises(TimeoutError):
            server.accept()


FORGED = [
    "None", "'x'", "[]", "[n]", "[n, 'done']", "[n, 'raised', 'x']", "[n, 'raised', 1, 2]", "[n, 'raised', '', '']",
    "[n, 'refused', 1]", "[n, 'refused', 'x']", "[n, 'done', None]", "[n, 'done', [1] * 3]",
    "[n, 'done', ['value'] * 3]", "[n, 'done', ['function'] * 3]", "[n, 'done', {}]", "[n + 1, 'done', '']",
    "[[n], 'done', '']", "[n, [], '']", "[n, 'raised', 'StopIteration', 'x']", "[n, 'raised', 'Lost', 'x']",
    "[n, 'raised', 'UnicodeDecodeError', 'x']", "[True, 'done', '']", "{n: 'done'}", "[float(n), 'done', '']",
]


@pytest.mark.parametrize("reply", FORGED)
@pytest.mark.parametrize("later", [False, True])
def test_replies_of_every_shape_end_in_a_row(exercise, keeper, reply, later):
    forge = f"""
import gc
me = [o for o in gc.get_objects() if type(o).__name__ == "Answer"][0]
def forge(n, reply): return me.wire.pack({reply})
"""
    total = f"{forge}def total(x): me.frame = forge" if later else f"{forge}me.frame = forge"
    report = grade(exercise, keeper, toy.submission(total=total))
    assert points(report)[1] == 0 and report.status == "graded"
    json.dumps(report.as_dict()).encode()


# --- files that are no submission --------------------------------------------------------------------------

NOT_NOTEBOOKS = {
    "empty": (b"", "is empty"),
    "white space": (b" \n\n", "is empty"),
    "not JSON": (b"def f(x):\n    return x", "not JSON"),
    "cut off": (toy.submission()[:-40], "not JSON"),
    "a list": (b"[]", "no list of cells"),
    "a number": (b"1", "no list of cells"),
    "cells that are none": (b'{"cells": [1, null], "nbformat": 4}', "cell 1"),
    "a source that is none": (b'{"cells": [{"cell_type": "code", "source": {"a": 1}}], "nbformat": 4}', "cell 1"),
    "format 3": (b'{"worksheets": [{"cells": []}], "nbformat": 3}', "format 3"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0\xff", "not UTF-8"),
    "UTF-16": (toy.submission().decode().encode("utf-16"), "not UTF-8"),
    "60 MB": (toy.submission(before=["#" * (60 * 2**20)]), "60 MB"),
    "100,000 deep": (b"[" * 100_000 + b"]" * 100_000, "nested"),
    "100,000 deep beside the cells": (
        toy.submission()[:-1] + b',"x":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested"),
    "10**5 cells": (toy.notebook([toy.cell("x = 1")] * 10**5), "cells"),
    "a number of 10**5 digits": (b'{"cells": ' + b"9" * 10**5 + b"}", "not JSON"),
}


@pytest.mark.parametrize("kind", NOT_NOTEBOOKS)
def test_a_file_that_is_no_notebook_gets_a_row_and_a_reason(exercise, keeper, kind):
    data, reason = NOT_NOTEBOOKS[kind]
    started = time.monotonic()
    report = grade(exercise, keeper, data)
    assert time.monotonic() - started < 5
    assert (report.status, report.points, report.maximum) == ("unreadable", 0, 9)
    assert reason in report.reason and len(report.marks) == 3


@pytest.mark.parametrize("metadata", [None, [], "x", {"nbgrader": 3}, {"nbgrader": {"grade_id": ["total"]}},
                                      {"nbgrader": {"grade_id": "total", "solution": "yes", "points": {}}}])
def test_metadata_out_of_shape_is_no_role(exercise, keeper, metadata):
    cells = json.loads(toy.submission())["cells"]
    cells.append({"cell_type": "code", "source": ["y = ", "1"], "metadata": metadata})
    assert grade(exercise, keeper, toy.notebook(cells)).status == "graded"


# --- cells that were tampered with ---------------------------------------------------------------------------


def test_tests_points_and_locks_of_a_submission_count_for_nothing(exercise, keeper):
    cells = json.loads(toy.submission(total="def total(x):\n    return -1.0"))["cells"]
    for cell in cells:
        role = cell["metadata"].get("nbgrader", {})
        role.update({"points": 1000, "locked": False, "solution": True} if role.get("grade") else {"locked": True})
        if role.get("grade"):
            cell["source"] = "def total(x): return x.sum()\ndef double(x): raise SystemExit"
    report = grade(exercise, keeper, toy.notebook(cells))
    assert points(report) == [2, 0, 4] and report.maximum == 9


def test_missing_duplicated_and_reordered_cells(exercise, keeper):
    cells = toy.cells(toy.RIGHT)
    roles = [c["metadata"].get("nbgrader", {}) for c in cells]
    answers = {role["grade_id"]: c for role, c in zip(roles, cells, strict=True) if role.get("solution")}
    without = [c for c in cells if c is not answers["total"]]
    report = grade(exercise, keeper, toy.notebook(without))
    assert points(report) == [2, 0, 4] and report.marks[1].status == "missing"
    assert "total" in report.marks[1].message
    wrong = answers["total"] | {"source": "def total(x): return -1.0"}
    twice = grade(exercise, keeper, toy.notebook([*cells, wrong]))
    assert points(twice) == [2, 0, 4] and any("total" in note and "2 times" in note for note in twice.notes)
    assert points(grade(exercise, keeper, toy.notebook([wrong, *cells]))) == [2, 3, 4]
    around = grade(exercise, keeper, toy.notebook(cells[::-1]))
    assert points(around) == [2, 3, 4] and any("order" in note for note in around.notes)
    assert points(grade(exercise, keeper, toy.notebook([]))) == [0, 0, 0]
    markdown = [c | {"cell_type": "markdown"} if c is answers["total"] else c for c in cells]
    assert grade(exercise, keeper, toy.notebook(markdown)).marks[1].status == "missing"


def test_cells_that_a_learner_added_cost_nothing_and_are_noted(exercise, keeper):
    added = ["from nnbook.grading import check\ncheck('total')", "import os; os._exit(1)", "while True: pass",
             "%matplotlib inline", "1 / 0"]
    report = grade(exercise, keeper, toy.submission(before=added))
    assert points(report) == [2, 3, 4]
    assert any("No module named 'nnbook'" in note or "nnbook" in note for note in report.notes)
    assert any("exit code 1" in note for note in report.notes)


def test_added_cells_that_dawdle_do_not_use_up_the_time(exercise, keeper):
    started = time.monotonic()
    report = grade(exercise, keeper, toy.submission(before=["import time; time.sleep(0.9)"] * 100))
    assert points(report) == [2, 3, 4] and time.monotonic() - started < LIMITS.total
    assert any("no answer within" in note for note in report.notes)


def test_results_that_pile_up_are_cut_off(keeper):
    """A test that keeps all it got would hold 60 times the largest result."""
    keeping = "kept = [total(n) for n in range(60)]\nassert kept == 0, 'no'"
    cells = toy.cells(toy.SOLUTIONS, toy.TESTS | {"total": keeping})
    exercise = notebooks.Exercise.of_cells("toy", notebooks.parse(toy.notebook(cells)))
    report = grade(exercise, keeper, toy.submission(total="def total(n): return np.zeros(7 * 2**17)"))
    assert points(report) == [2, 0, 4] and "together are too large" in report.marks[1].message


# --- secrets ---------------------------------------------------------------------------------------------------


def look(keeper, code):
    """What code prints in the jail."""
    session = keeper.session(LIMITS)
    try:
        verb, kind, message, printed = session.ask(8, 2**20, "run", code, "look")
        assert verb == "done", (kind, message)
        return printed
    finally:
        session.close()


def test_no_test_solution_or_project_on_the_disk(keeper):
    found = look(keeper, """
import os
names = [os.path.join(folder, f) for folder, _, files in os.walk("/") for f in files]
print(len(names))
for name in names:
    if name.endswith(".ipynb") or any(word in name for word in ("nnbook", "exercises", "-packages/", "torch")):
        print(name)
print(sorted(os.listdir("/packages")), os.listdir("/proc"), os.listdir("/tmp"), sorted(os.listdir("/dev")))
""")
    number, *rest = found.splitlines()
    assert int(number) > 1000
    assert rest == ["['numpy', 'numpy.libs'] [] [] ['null', 'random', 'urandom', 'zero']"]


def test_no_secret_in_memory_arguments_or_environment(exercise, keeper):
    hunt = """
import ctypes, gc, os, sys
secret = "hidden-gem" + "-7391"
frames, frame = [], sys._getframe()
while frame:
    frames.append({**frame.f_globals, **frame.f_locals}); frame = frame.f_back
texts = [repr(sys.argv), repr(os.environ), *(repr(f)[:10**5] for f in frames)]
texts += [o for o in gc.get_objects() if isinstance(o, str)]
found = any(secret in t.replace(repr(secret), "") for t in texts if t != secret)
"""
    report = grade(exercise, keeper, toy.submission(before=[hunt], total="def total(x):\n    return float(found)"))
    assert report.marks[1].status == "failed" and report.notes == []
    allowed = {"HOME", "LANG", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PWD", "PYTHONHASHSEED",
               "NPY_DISABLE_CPU_FEATURES", "OPENBLAS_CORETYPE"}  # the last two where the grader has them
    assert set(ast.literal_eval(look(keeper, "import os; print(sorted(os.environ))"))) <= allowed


RECORD = "seen = []\ndef double(x):\n    seen.append(x.copy())\n    return 2 * x"


@pytest.mark.parametrize("leak", [
    "print(seen)\n    return -1.0", "raise ValueError(str(seen))", "raise type(str(seen), (Exception,), {})()",
    "raise NotImplementedError(str(seen))", "raise AssertionError(str(seen))", "return str(seen)", "return seen",
    "import sys; sys.exit(str(seen))", "import os; os._exit(int(abs(seen[-1][0]) * 100) % 200 + 1)",
    "import os, struct; os.write(3, struct.pack('!II', 2**31, int(abs(seen[-1][0]) * 1e8)))"])
def test_hidden_inputs_do_not_come_back(exercise, keeper, leak):
    hidden = [f"{abs(n):.6f}"[:7] for n in __import__("numpy").random.default_rng([7, 1]).standard_normal(8)]
    code = RECORD.replace("return 2 * x", "return 2 * x if len(x) < 3 else leak()") + f"\ndef leak():\n    {leak}"
    late = f"def shift(x, by):\n    {leak}"
    report = grade(exercise, keeper, toy.submission(double=code, shift=late))
    assert points(report)[0] == 0 and points(report)[2] == 0
    assert report.marks[0].message in {*engine.UNTOLD.values(), *asserts.COMMON, "an exception of its own",
                                       asserts.NOT_ANSWERED, "not doubled for n"}
    text = json.dumps(report.as_dict())
    assert not [n for n in hidden if n in text], text
    assert toy.SECRET not in text


def test_a_hidden_message_keeps_only_the_authors_own_words(exercise, keeper):
    report = grade(exercise, keeper, toy.submission(double="def double(x):\n    return 2 * x if len(x) < 3 else x"))
    assert report.marks[0].message == "not doubled for n"
    assert report.marks[0].checks[-1].label.startswith("hidden check")
    visible = grade(exercise, keeper, toy.submission(double="def double(x):\n    return x * x"))
    assert visible.marks[0].message == "squared: twice is asked for"


# --- what is left for the next ------------------------------------------------------------------------------


def test_nothing_waits_for_the_next_student(exercise, keeper):
    leave = f"""
import builtins, sys
import numpy as np
open("/tmp/{attacks.MARK}", "w").write("answer")
np.left = builtins.left = sys.left = 1
sys.modules["left"] = sys
"""
    report = grade(exercise, keeper, toy.submission(before=[leave]))
    assert (points(report), report.notes) == ([2, 3, 4], [])
    assert look(keeper, """
import builtins, os, sys
import numpy as np
print(os.listdir("/tmp"), hasattr(np, "left"), hasattr(builtins, "left"), hasattr(sys, "left"), "left" in sys.modules)
""") == "[] False False False False\n"


def test_a_submission_cannot_see_or_reach_another_process(keeper):
    assert look(keeper, """
import os
found = []
for pid in range(1, 2000):
    try: os.kill(pid, 0); found.append(pid)
    except OSError: pass
print(os.getpid(), os.getppid(), found)
""") == "1 0 [1]\n"


def test_the_rights_are_gone(keeper):
    assert look(keeper, """
import ctypes, os, resource
libc = ctypes.CDLL(None, use_errno=True)
header, sets = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
libc.capget(header, sets)
print(list(sets), libc.prctl(39, 0, 0, 0, 0), os.getuid() != 0, os.getgroups())
print([resource.getrlimit(getattr(resource, "RLIMIT_" + n)) for n in ("AS", "NPROC", "FSIZE", "CORE", "NOFILE")])
""") == (f"[0, 0, 0, 0, 0, 0] 1 True {look(keeper, 'import os; print(os.getgroups())').strip()}\n"
         f"[({2**30}, {2**30}), (0, 0), ({2**24}, {2**24}), (0, 0), (64, 64)]\n")


def test_killing_the_grader_ends_everything(tmp_path):
    """The coordinator is killed in the middle of an endless loop: no process of the jail outlives it."""
    program = tmp_path / "coordinator.py"
    program.write_text(f"""
import sys
sys.path[:0] = [{os.path.dirname(__file__)!r}, {os.path.dirname(os.path.dirname(__file__))!r}]
from hostile import toy
from nnbook.grading import engine, jail
from nnbook.grading.results import Limits
with jail.Keeper() as keeper:
    print(keeper._process.pid, flush=True)
    limits = Limits(seconds=60, total=600)
    engine.grade(toy.exercise(), toy.submission(total="while True: pass"), limits=limits, jail=keeper)
""")
    coordinator = subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True)
    outer = psutil.Process(int(coordinator.stdout.readline()))
    until = time.monotonic() + 20
    while len(outer.children(recursive=True)) < 4 and time.monotonic() < until:
        time.sleep(0.05)
    family = [outer, *outer.children(recursive=True)]
    assert len(family) >= 5
    coordinator.kill()
    coordinator.communicate()
    gone, alive = psutil.wait_procs(family, timeout=10)
    assert not [p for p in alive if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
