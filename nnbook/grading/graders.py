"""What runs in a worker process, here or on a Dask cluster: one submission in, one report out."""

import atexit
import contextlib
import multiprocessing
import os
import threading
import time

from nnbook.grading import engine, jail
from nnbook.grading.records import digest
from nnbook.grading.results import Mark, Report

_warm = threading.local()  # .keeper: the warm jail of this worker's thread
_open: list[jail.Keeper] = []  # the warm jails of all threads of this process
_watch: list[threading.Thread] = []


def grade_one(exercise, student, data, options):
    """Grade the bytes of one submission. Returns (their digest, the report as a dict).

    `exercise` is a notebooks.Exercise in a tuple; `options` holds seed, limits, fresh, unsafe, and coordinator:
    the process whose end is the end of this one too, or 0. Raises RuntimeError where this worker has no
    jail; whatever else goes wrong is the reason in the report.
    """
    (exercise,), unsafe = exercise, options["unsafe"]
    if not unsafe and jail.available():
        raise RuntimeError(jail.available())
    if options["coordinator"] not in (0, os.getpid()):
        _end_with_parent()
        _stay_on_one_core()
    try:
        return digest(data), _graded(exercise, student, data, options).as_dict()
    except Exception as e:
        return "", _failed(exercise, student, f"the grader failed: {type(e).__name__}: {e}").as_dict()


def _graded(exercise, student, data, options):
    with _jail(options["unsafe"], options["fresh"]) as keeper:
        return engine.grade(exercise, data, student=student, seed=options["seed"], limits=options["limits"],
                            jail=keeper)


@contextlib.contextmanager
def _jail(unsafe, fresh):
    """This thread's warm jail, or a fresh one; where grading failed it is not used again."""
    keeper = jail.Keeper(unsafe=unsafe) if fresh else _keeper(unsafe)
    good = False
    try:
        yield keeper
        good = True
    finally:
        if fresh or not good:
            keeper.close()
            _open[:] = [warm for warm in _open if warm is not keeper]


def _keeper(unsafe):
    """The warm jail of this thread."""
    keeper = getattr(_warm, "keeper", None)
    if keeper not in _open or _warm.unsafe != unsafe:
        keeper = _warm.keeper = jail.Keeper(unsafe=unsafe)
        _warm.unsafe = unsafe
        _open.append(keeper)
    return keeper


@atexit.register
def close():
    """End the warm jails of this process."""
    while _open:
        _open.pop().close()


def _failed(exercise, student, reason):
    marks = [Mark(question.grade_id, 0, question.points, "error", reason) for question in exercise.questions]
    return Report(exercise.name, student, "error", reason, marks)


def _stay_on_one_core():
    """A worker and its jail take turns, never both at once: on one core the turn passes without waking another."""
    number = multiprocessing.current_process().name.rpartition("-")[2]  # of LokyProcess-1, LokyProcess-2, ...
    if hasattr(os, "sched_setaffinity") and number.isdigit():
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) > 1:
            os.sched_setaffinity(0, {cores[int(number) % len(cores)]})


def _end_with_parent():
    """Where the command that started this worker is killed, the worker and its jail end too, within a second."""
    if not _watch:
        _watch.append(threading.Thread(target=_until_orphaned, args=(os.getppid(),), daemon=True))
        _watch[0].start()


def _until_orphaned(parent):
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
