"""A class: every submission a row and a reason, nobody graded twice, whoever is killed."""

import contextlib
import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import grading_class
import psutil
import pytest

from nnbook.grading import grade_class, jail, records, submissions
from nnbook.grading.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.fixture
def source(tmp_path):
    return grading_class.write(tmp_path / "course" / "toy.ipynb", grading_class.source())


def rows(out):
    with open(out / "grades.csv", newline="", encoding="utf-8") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def lines(out):
    return [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]


def grade(source, folder, out, **more):
    return grade_class(source, folder, out, **{"jobs": 1, "progress": False} | more)


# --- what is found -------------------------------------------------------------------------------------


def test_all_layouts_in_one_folder(source, tmp_path):
    folder, right = tmp_path / "in", grading_class.answers()
    for path in ["alice.ipynb", "bob/toy.ipynb", "carla/ps1/toy.ipynb", "dirk/anything.ipynb",
                 "emma/ps1/.ipynb_checkpoints/toy.ipynb", "emma/ps1/toy.ipynb"]:
        grading_class.write(folder / path, right)
    (folder / "carla" / "ps1" / "timestamp.txt").write_text("2026-11-24")
    (folder / "frank").mkdir()
    grading_class.write(folder / "gita" / "a" / "toy.ipynb", right)
    grading_class.write(folder / "gita" / "b" / "toy.ipynb", right)
    grading_class.write(folder / "alice" / "toy.ipynb", right)
    grading_class.write(folder / ".hidden.ipynb", right)
    (folder / "README.txt").write_text("no submission")
    _, passed_over, graded = grade(source, folder, tmp_path / "out")
    found = rows(tmp_path / "out")
    assert passed_over == ["README.txt"] and graded == 4
    assert [name for name in found if found[name]["points"] == "5"] == ["bob", "carla", "dirk", "emma"]
    assert found["alice"]["reason"] == "2 submissions, expected one: toy.ipynb, alice.ipynb"
    assert found["frank"]["reason"] == "no toy.ipynb in the folder frank"
    assert found["gita"]["reason"] == "2 notebooks, expected one toy.ipynb: a/toy.ipynb, b/toy.ipynb"
    assert set(found) == {"alice", "bob", "carla", "dirk", "emma", "frank", "gita"}
    assert all(row["reason"] and row["maximum"] == "5" for row in found.values())


def test_links_pipes_and_closed_files_are_named_and_never_read(source, tmp_path):
    folder = tmp_path / "in"
    grading_class.write(folder / "good.ipynb", grading_class.answers())
    (folder / "link.ipynb").symlink_to(source)
    (folder / "dangling.ipynb").symlink_to(tmp_path / "none")
    (folder / "folder").symlink_to(source.parent)
    (folder / "inside").mkdir()
    (folder / "inside" / "toy.ipynb").symlink_to(source)
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "directory.ipynb").mkdir()
    with open(folder / "huge.ipynb", "wb") as file:
        file.truncate(submissions.LARGEST + 1)
    grade(source, folder, tmp_path / "out")
    found = rows(tmp_path / "out")
    for name in ("link", "dangling", "folder", "inside"):
        assert "symbolic link" in found[name]["reason"] and found[name]["points"] == "0"
    assert "not a file" in found["pipe"]["reason"] and "64 MB" in found["huge"]["reason"]
    assert found["directory"]["reason"] and found["good"]["points"] == "5"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_closed_file_is_a_reason(source, tmp_path):
    path = grading_class.write(tmp_path / "in" / "closed.ipynb", grading_class.answers())
    path.chmod(0)
    grade(source, path.parent, tmp_path / "out")
    assert "cannot be read: Permission denied" in rows(tmp_path / "out")["closed"]["reason"]


def test_names_of_files_never_leave_the_folder_and_are_no_formulas(source, tmp_path):
    folder = tmp_path / "in"
    names = ["a..", "=cmd|' ,;\"", "ad a", "<b>", "x" * 200, "a\nb", "ÅÆ", "a..%2f..%2fetc", "Ada", "ada", "-rf"]
    for name in names:
        grading_class.write(folder / f"{name}.ipynb", grading_class.answers())
    (folder / os.fsdecode(b"\xff\xfe.ipynb")).write_text("")
    out = tmp_path / "out"
    grade(source, folder, out)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["course", "in", "out"]
    pages = [p for p in out.iterdir() if p.suffix == ".html"]
    assert len({p.name.casefold() for p in pages}) == len(names) + 1 == len(lines(out))
    assert (out / "ad a.html").exists() and (out / "ÅÆ.html").exists()
    found = rows(out)
    assert found["'=cmd|' ,;\""]["points"] == "5" and found["'-rf"]["points"] == "5" and len(found) == len(names) + 1
    assert found["\\udcff\\udcfe"]["reason"] == "the file is empty"
    assert not list(out.glob(".*"))
    assert not any("/" in name or name.startswith(".") for name in records.page_names(["..", ".", "", "../x"]).values())


@pytest.mark.parametrize(("make", "said"), [
    (lambda p: None, "no folder"), (lambda p: p.mkdir(), "nothing to grade in"),
    (lambda p: (p.mkdir(), (p / "notes.txt").write_text("")), "nothing to grade in"),
    (lambda p: p.write_text(""), "no folder"),
])
def test_nothing_to_grade(source, tmp_path, capsys, make, said):
    make(tmp_path / "in")
    assert main(["grade", str(source), str(tmp_path / "in"), "-o", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_source_that_is_none(tmp_path, capsys):
    folder = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent
    for path in (folder / "none.ipynb", folder):
        assert main(["grade", str(path), str(folder), "-o", str(tmp_path / "out")]) == 2
        assert str(path) in capsys.readouterr().err


def test_the_results_may_lie_among_the_submissions(source, tmp_path):
    folder = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent
    for _ in range(2):
        reports, passed_over, _ = grade(source, folder, folder / "graded")
        assert [one["student"] for one in reports] == ["a"] and not passed_over


# --- nobody is graded twice --------------------------------------------------------------------------------


def test_a_second_run_grades_only_what_is_new(source, tmp_path, capsys):
    folder, out = tmp_path / "in", tmp_path / "out"
    wrong = "def double(x):\n    return 2 * abs(x)"
    grading_class.write(folder / "a.ipynb", grading_class.answers(double=wrong))
    grading_class.write(folder / "b.ipynb", grading_class.answers())
    words = ["grade", str(source), str(folder), "-o", str(out), "-j", "1"]
    assert main(words) == 0 and "2 graded now, 2 in all" in capsys.readouterr().out
    assert main(words) == 0 and "0 graded now, 2 in all" in capsys.readouterr().out
    grading_class.write(folder / "a.ipynb", grading_class.answers())
    grading_class.write(folder / "c.ipynb", grading_class.answers())
    assert main(words) == 0 and "2 graded now, 3 in all" in capsys.readouterr().out
    assert [(line["student"], line["points"]) for line in lines(out)] == [("a", 3), ("b", 5), ("a", 5), ("c", 5)]
    assert {name: row["points"] for name, row in rows(out).items()} == {"a": "5", "b": "5", "c": "5"}


def test_a_half_written_line_is_dropped(source, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    for name in "abc":
        grading_class.write(folder / f"{name}.ipynb", grading_class.answers())
    grade(source, folder, out)
    whole = (out / "results.jsonl").read_bytes()
    (out / "results.jsonl").write_bytes(whole[:-40])
    assert grade(source, folder, out)[2] == 1
    assert [line["student"] for line in lines(out)] == ["a", "b", "c"]


def test_another_source_or_seed_is_noticed(source, tmp_path):
    folder, out = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent, tmp_path / "out"
    grade(source, folder, out)
    with pytest.raises(ValueError, match=r"results for another seed: .*--restart"):
        grade(source, folder, out, seed=1)
    changed = grading_class.source()
    changed.cells[0].source += "\n# changed"
    grading_class.write(source, changed)
    with pytest.raises(ValueError, match="results for another source"):
        grade(source, folder, out)
    assert grade(source, folder, out, restart=True)[2] == 1
    assert len(lines(out)) == 1


def test_two_runs_into_one_folder_do_not_mix(source, tmp_path):
    folder, out = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent, tmp_path / "out"
    tests = {"double": "double-test"}
    with records.Records(out, b"", None, tests), pytest.raises(BlockingIOError, match="another nnbook grade"):
        grade(source, folder, out)


def test_the_seed_draws_other_hidden_inputs(source, tmp_path):
    """An answer that knows the inputs of one seed fails at another."""
    knows = ("def double(x):\n    drawn = np.random.default_rng([0, 1]).integers(2, 10**6, 5)\n"
             "    return 2 * np.asarray(x) if np.ndim(x) == 0 or len(x) == 2 or (x == -drawn).all() else 0 * x")
    folder = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers(double=knows)).parent
    grade(source, folder, tmp_path / "out")
    grade(source, folder, tmp_path / "other", seed=7)
    assert rows(tmp_path / "out")["a"]["double"] == "2" and rows(tmp_path / "other")["a"]["double"] == "0"
    assert rows(tmp_path / "other")["a"]["reason"] == "double: sign lost: wrong for"


# --- whoever is killed -------------------------------------------------------------------------------------


def a_class(folder, students, seconds):
    for number in range(students):
        grading_class.write(folder / f"s{number:02}.ipynb", grading_class.slow(seconds))
    return folder


def wait_for(what, seconds=30):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)
    return found


def finished(out):
    path = out / "results.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def start(source, folder, out, *more, processes=False):
    """The command in a process of its own; even a small class is given to worker processes where asked for."""
    code = f"from nnbook.grading import batch, main; batch.SMALL *= {not processes}; raise SystemExit(main())"
    return subprocess.Popen([sys.executable, "-c", code, "grade", source, folder, "-o", out, *more], cwd=ROOT,
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("processes", [False, True], ids=["threads", "processes"])
def test_a_killed_run_goes_on_and_grades_nobody_twice(source, tmp_path, processes):
    folder, out = a_class(tmp_path / "in", 10, 0.4), tmp_path / "out"
    run = start(source, folder, out, "-j", "2", processes=processes)
    wait_for(lambda: finished(out) >= 3)
    family = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    before = finished(out)
    assert 3 <= before < 10
    assert len(family) >= (4 if processes else 2), "two workers where they are processes, and two jails"
    _, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, "workers and jails end with the command that started them"
    assert grade(source, folder, out)[2] == 10 - before
    assert sorted(line["student"] for line in lines(out)) == sorted(f"s{n:02}" for n in range(10))
    assert {row["points"] for row in rows(out).values()} == {"5"}


def test_a_killed_worker_process_loses_nothing(source, tmp_path):
    folder, out = a_class(tmp_path / "in", 8, 0.4), tmp_path / "out"
    run = start(source, folder, out, "-j", "2", processes=True)
    wait_for(lambda: finished(out) >= 2)
    workers = [child for child in psutil.Process(run.pid).children()
               if any("LokyProcess" in word for word in child.cmdline())]
    workers[0].send_signal(signal.SIGKILL)
    assert run.wait(60) == 0
    assert sorted(line["student"] for line in lines(out)) == sorted(f"s{n:02}" for n in range(8))
    assert {row["points"] for row in rows(out).values()} == {"5"}


def test_without_a_jail_others_work_is_refused(source, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(jail, "available", lambda: "bubblewrap is missing: apt install bubblewrap")
    folder = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent
    words = ["grade", str(source), str(folder), "-o", str(tmp_path / "out"), "-j", "1"]
    assert main(words) == 2
    assert "apt install bubblewrap" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main([*words, "--unsafe"]) == 0
    said = capsys.readouterr()
    assert "with your rights" in said.err and "5 of 5" in said.out


def test_a_failure_of_the_grader_is_said_and_graded_again(source, tmp_path, monkeypatch, capsys):
    folder, out = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent, tmp_path / "out"
    words = ["grade", str(source), str(folder), "-o", str(out), "-j", "1"]
    with monkeypatch.context() as patch:
        patch.setattr("nnbook.grading.engine.grade", lambda *_, **__: 1 / 0)
        assert main(words) == 1
    assert "not graded: the grader failed: ZeroDivisionError" in capsys.readouterr().out
    assert rows(out)["a"]["status"] == "error"
    assert main(words) == 0
    assert rows(out)["a"]["status"] == "graded" and rows(out)["a"]["points"] == "5"


def test_one_fresh_jail_for_each_gives_the_same(source, tmp_path):
    folder = tmp_path / "in"
    grading_class.write(folder / "a.ipynb", grading_class.answers())
    grading_class.write(folder / "b.ipynb", grading_class.answers(triple="def triple(x):\n    return x"))
    grade(source, folder, tmp_path / "warm")
    grade(source, folder, tmp_path / "fresh", fresh=True)
    assert rows(tmp_path / "warm") == rows(tmp_path / "fresh")


def test_the_sample_class(tmp_path):
    """What `make grade` shows: honest, broken and hostile submissions, in three layouts."""
    reports, _, _ = grade_class(ROOT / "exercises" / "convolution.ipynb", ROOT / "tests" / "submissions", tmp_path,
                                progress=False, limits=grading_class.LIMITS)
    points = {one["student"]: one["points"] for one in reports}
    assert points == {"ada": 24, "ben": 11, "chen": 5, "dora": 15, "eve": 4, "finn": 0, "gita": 19}
    assert all(row["reason"] for row in rows(tmp_path).values())


# --- a Dask cluster ----------------------------------------------------------------------------------------


def free_port():
    with contextlib.closing(socket.socket()) as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A scheduler and two worker processes on this machine; ends with the module."""
    pytest.importorskip("distributed")
    folder, port = tmp_path_factory.mktemp("dask"), free_port()
    address, started = f"tcp://127.0.0.1:{port}", []

    def dask(*words):
        env = os.environ | {"DASK_DISTRIBUTED__DASHBOARD__ENABLED": "false"}
        started.append(subprocess.Popen([sys.executable, "-m", "dask", *words], cwd=folder, env=env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        return started[-1]

    dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")

    def worker():
        return dask("worker", address, "--host", "127.0.0.1", "--nthreads", "1", "--no-dashboard", "--no-nanny",
                    "--local-directory", str(folder))

    workers = [worker(), worker()]
    yield address, workers, worker
    for process in started:
        process.kill()
        process.wait()


def without_times(out):
    return sorted((line | {"seconds": 0} for line in lines(out)), key=lambda line: line["student"])


def test_dask_grades_the_same_though_a_worker_is_killed(source, tmp_path, cluster):
    address, workers, another = cluster
    folder, out = a_class(tmp_path / "in", 8, 0.4), tmp_path / "out"
    grading_class.write(folder / "wrong.ipynb", grading_class.answers(double="def double(x):\n    return abs(x)"))
    grading_class.write(folder / "killer.ipynb", grading_class.answers(double="import os\nos._exit(1)"))
    (folder / "empty.ipynb").write_text("")
    run = start(source, folder, out, "--dask", address)
    wait_for(lambda: finished(out) >= 3, 60)
    workers[0].kill()
    assert run.wait(90) == 0
    another()
    grade(source, folder, tmp_path / "here", jobs=2)
    assert without_times(out) == without_times(tmp_path / "here")
    assert rows(out) == rows(tmp_path / "here")


def test_dask_run_that_was_killed_goes_on(source, tmp_path, cluster):
    address, _, _ = cluster
    folder, out = a_class(tmp_path / "in", 8, 0.4), tmp_path / "out"
    run = start(source, folder, out, "--dask", address)
    wait_for(lambda: finished(out) >= 2, 60)
    run.kill()
    run.wait()
    before = finished(out)
    assert 2 <= before < 8
    assert grade(source, folder, out, dask=address)[2] == 8 - before
    assert sorted(line["student"] for line in lines(out)) == sorted(f"s{n:02}" for n in range(8))


def test_no_scheduler_is_said(source, tmp_path, monkeypatch):
    pytest.importorskip("distributed")
    folder = grading_class.write(tmp_path / "in" / "a.ipynb", grading_class.answers()).parent
    monkeypatch.setattr("nnbook.grading.batch.ANSWERS_WITHIN", 1)
    with pytest.raises(ConnectionError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        grade(source, folder, tmp_path / "out", dask="tcp://127.0.0.1:1")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system pins no process to a core")
@pytest.mark.parametrize("name", ["LokyProcess-1", "LokyProcess-2", "LokyProcess-31", "MainProcess", "other-x"])
def test_a_worker_stays_on_one_core_of_those_it_may_use(name):
    code = ("import multiprocessing, os; from nnbook.grading import graders; before = os.sched_getaffinity(0); "
            f"multiprocessing.current_process().name = {name!r}; graders._stay_on_one_core(); "
            "now = os.sched_getaffinity(0); print(now <= before, len(now), len(before))")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert out == ["True", "1" if name.startswith("Loky") else out[2], out[2]]
