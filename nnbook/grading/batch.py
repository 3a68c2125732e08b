"""Grade a class: joblib runs one function over the submissions, on all cores or on a Dask cluster.

Each result is on disk as soon as it is known. A run that was killed is finished by running it again.
"""

import contextlib
import os
import pathlib

from nnbook.grading import graders, jail, records, report, sets, submissions
from nnbook.grading.notebooks import Exercise
from nnbook.grading.results import Limits, Mark, Report

SMALL = 64  # so many submissions are graded by threads sooner than processes have started
POOLS = 3  # so many pools of processes may break before what is left is given up
ANSWERS_WITHIN = 10  # seconds, a Dask scheduler


def grade_class(source, folder, out, *, jobs=-1, dask="", seed=None, limits=None, fresh=False, unsafe=False,
                restart=False, progress=True):
    """Grade every submission in `folder` against the exercise at `source`, into the folder `out`.

    `out` gets results.jsonl, grades.csv and a page of HTML a student. `jobs` work side by side here (-1: as many as
    the cores can take), or the workers of the Dask scheduler at the address `dask`. `fresh` gives each submission
    a jail of its own. Returns (reports of all students as dicts, names passed over, how many were graded now).

    Raises OSError or ValueError where there is nothing to grade, or `out` holds results of another source
    or seed; RuntimeError where there is no jail and `unsafe` is not given; ConnectionError where no scheduler
    answers.
    """
    source, out = pathlib.Path(source), pathlib.Path(out)
    exercise = Exercise.read(source)
    found, passed_over = submissions.find(folder, source.stem, skip={out.resolve()})
    if not unsafe and not dask and jail.available():
        raise RuntimeError(jail.available())
    options = {"seed": seed, "limits": limits or Limits(), "fresh": fresh, "unsafe": unsafe,
               "coordinator": 0 if dask else os.getpid()}
    tests = {question.grade_id: question.test_id for question in exercise.questions}
    with records.Records(out, source.read_bytes(), seed, tests, restart) as kept:
        todo = _readable(exercise, found, kept)
        backend = _dask(dask) if dask else _here(jobs, len(todo))
        with contextlib.closing(graders), _bar(len(todo), progress) as bar, backend:
            _grade_all(exercise, todo, kept, options, bar)
        _write(source, exercise, kept.reports(), out)
    return kept.reports(), passed_over, len(todo)


def _readable(exercise, found, kept):
    """Record what cannot be read; return the submissions that are still to grade, by student."""
    todo = {}
    for submission in found:
        try:
            sha256 = records.digest(submission.read())
        except ValueError as e:
            kept.add(not_graded(exercise, submission.student, str(e)), str(submission.path), "")
            continue
        if not kept.has(submission.student, sha256):
            todo[submission.student] = submission
    return todo


def not_graded(exercise, student, reason):
    """The report of what could not be graded, as a dict: no points, and the reason."""
    marks = [Mark(question.grade_id, 0, question.points, "missing", reason) for question in exercise.questions]
    return Report(exercise.name, student, "unreadable", reason, marks).as_dict()


def _grade_all(exercise, todo, kept, options, bar):
    """Grade what is to do, and record each result as it comes; a pool that breaks is made anew for the rest."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    waiting = dict(todo)
    for _ in range(POOLS):
        try:
            for sha256, result in _results(exercise, waiting, options):
                kept.add(result, str(waiting.pop(result["student"]).path), sha256)
                bar.update()
            return
        except TerminatedWorkerError:
            continue
    for student, submission in waiting.items():
        kept.add(not_graded(exercise, student, "the process that graded it died, again and again"),
                 str(submission.path), "")


def _results(exercise, waiting, options):
    from joblib import Parallel, delayed

    # in a tuple, Dask sends the exercise with the task, and not to one worker that may die
    tasks = (delayed(graders.grade_one)((exercise,), s.student, s.read(), options) for s in list(waiting.values()))
    return Parallel(return_as="generator_unordered")(tasks)


def _bar(total, progress):
    from tqdm import tqdm

    return tqdm(total=total, unit=" submissions", disable=None if progress else True)


def _here(jobs, submissions):
    """joblib with threads, for more than a few submissions with processes; each has a jail of its own.

    A thread mostly waits for its jail, so there are two for each core.
    """
    import joblib

    if submissions > SMALL:
        return joblib.parallel_config(backend="loky", n_jobs=jobs)
    return joblib.parallel_config(backend="threading", n_jobs=2 * joblib.cpu_count() if jobs == -1 else jobs)


@contextlib.contextmanager
def _dask(address):
    """joblib on the workers of a Dask scheduler."""
    import joblib

    with _client(address) as client, joblib.parallel_config(backend="dask", client=client, n_jobs=-1):
        yield


def _client(address):
    try:
        from distributed import Client
    except ImportError:
        raise RuntimeError("--dask needs the package distributed: pip install 'nnbook[dask]'") from None
    try:
        return Client(address, timeout=ANSWERS_WITHIN, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as e:
        raise ConnectionError(f"no Dask scheduler answers at {address}: {e}") from e


def _write(source, exercise, reports, out):
    """grades.csv, and the pages of the students."""
    records.write_csv(out / "grades.csv", reports, [question.grade_id for question in exercise.questions])
    titles = {question.grade_id: question.title for question in exercise.questions}
    look_at = sets.look_at(source, exercise)
    names = records.page_names([one["student"] for one in reports])
    for one in reports:
        records.write_whole(out / names[one["student"]], report.page(one, titles, look_at))
