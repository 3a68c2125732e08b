"""The command `nnbook`: check, release, check-source, grade, push.

The exit status is 0, or 1 where a check failed, or 2 where the command could not run.
"""

import argparse
import json
import pathlib
import sys

DASK = ("grade on the workers of a Dask scheduler, such as tcp://127.0.0.1:8786. A Dask port runs whatever is sent to "
        "it: bind it to this machine or a closed network, or use TLS (tls://...)")
UNSAFE = ("grade without the jail: limits on time and memory only. Code of a submission can then read and change "
          "whatever you can, the tests and other submissions too. Only for what you trust")


def main(argv=None):
    """Run the command line; returns the exit status."""
    args = parser().parse_args(argv)
    try:
        return args.run(args)
    except (OSError, ValueError, RuntimeError, ImportError) as e:
        print(f"nnbook {args.command}: {e}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"nnbook {args.command}: stopped; what was done is kept", file=sys.stderr)
        return 130


def parser():
    """The parser of the command line."""
    top = argparse.ArgumentParser(prog="nnbook", description="Exercises that grade themselves.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (_add_check, _add_release, _add_check_source, _add_grade, _add_push):
        add(commands)
    return top


def _add_check(commands):
    command = commands.add_parser("check", help="check your own answers: the visible checks, at once",
                                  description="Run the visible checks. Exit status 0: all passed, 1: some failed, "
                                              "2: could not run.")
    command.add_argument("paths", nargs="+", type=pathlib.Path, metavar="PATH",
                         help="a notebook of a set, or a folder of them (prints the progress over all sets)")
    command.add_argument("--json", action="store_true", help="print JSON, for tools")
    command.set_defaults(run=_check)


def _add_release(commands):
    command = commands.add_parser("release", help="write the starters of sources into a folder")
    command.add_argument("sources", nargs="+", type=pathlib.Path, metavar="SOURCE")
    command.add_argument("folder", type=pathlib.Path, metavar="FOLDER")
    command.set_defaults(run=_release)


def _add_check_source(commands):
    command = commands.add_parser("check-source", help="a source: solution = all points, starter = 0, wrong = caught")
    command.add_argument("sources", nargs="+", type=pathlib.Path, metavar="SOURCE")
    command.set_defaults(run=_check_source)


def _add_grade(commands):
    command = commands.add_parser("grade", help="grade a class in the jail")
    command.add_argument("source", type=pathlib.Path, metavar="SOURCE", help="the set's source, with the hidden tests")
    command.add_argument("submissions", type=pathlib.Path, metavar="SUBMISSIONS",
                         help="a folder: alice.ipynb, alice/SET.ipynb or alice/ASSIGNMENT/SET.ipynb of each student")
    command.add_argument("-o", "--out", type=pathlib.Path, required=True, metavar="OUT",
                         help="gets results.jsonl, grades.csv, a page a student; a run that was stopped goes on here")
    command.add_argument("-j", "--jobs", type=_jobs, default=-1, metavar="N",
                         help="so many side by side (default: what the cores can take)")
    command.add_argument("--dask", default="", metavar="ADDRESS", help=DASK)
    command.add_argument("--seed", type=_seed, metavar="S", help="draw the hidden inputs anew from this whole number")
    command.add_argument("--timeout", type=_seconds, default=60.0, metavar="SECONDS",
                         help="for a whole submission (default 60); one call may take 10 of them")
    command.add_argument("--fresh", action="store_true", help="a new jail for each submission, not a warm one (slower)")
    command.add_argument("--restart", action="store_true", help="forget the results in OUT and grade all again")
    command.add_argument("--unsafe", action="store_true", help=UNSAFE)
    command.set_defaults(run=_grade)


def _add_push(commands):
    command = commands.add_parser("push", help="put the grades into nbgrader's gradebook")
    command.add_argument("out", type=pathlib.Path, metavar="OUT", help="the folder that nnbook grade wrote")
    where = command.add_mutually_exclusive_group(required=True)
    where.add_argument("--db", metavar="URL", help="such as sqlite:///gradebook.db")
    where.add_argument("--course", type=pathlib.Path, metavar="DIR",
                       help="nbgrader's course folder; its gradebook.db is taken")
    command.add_argument("--assignment", required=True, metavar="NAME")
    command.set_defaults(run=_push)


# --- what an argument may be ---------------------------------------------------------------------------------


def _jobs(text):
    number = int(text)
    if number == 0 or number < -1:
        raise argparse.ArgumentTypeError(f"{text}: expected a number of processes, or -1 for one a core")
    return number


def _seed(text):
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text}: expected a whole number from 0 on")
    return number


def _seconds(text):
    number = float(text)
    if not 0 < number < 1e6:
        raise argparse.ArgumentTypeError(f"{text}: expected seconds, more than 0")
    return number


# --- the commands --------------------------------------------------------------------------------------------


def _check(args):
    from nnbook.grading import selfcheck, sheet

    missing = [str(path) for path in args.paths if not path.exists()]
    if missing:
        raise FileNotFoundError(f"no such file or folder: {', '.join(missing)}")
    found = []
    with selfcheck.keeper() as warm:
        for path in args.paths:
            text, reports = sheet.of_folder(path, warm) if path.is_dir() else sheet.of_file(path, warm)
            found += reports
            if not args.json:
                print(text)
    passed = all(mark.status == "passed" for report in found for mark in report.marks)
    if args.json:
        print(json.dumps({"passed": passed, "sets": [report.as_dict() for report in found]}, indent=1))
    return 0 if passed else 1


def _release(args):
    from nnbook.grading.starters import write_starters

    for path in write_starters(args.sources, args.folder):
        print(f"wrote {path}")
    return 0


def _check_source(args):
    from nnbook.grading.source import check_source, wrong_solutions

    found = {path: check_source(path) for path in args.sources}
    for path, problems in found.items():
        print(f"{path}: " + ("; ".join(problems) or f"well: {len(wrong_solutions(path))} wrong solutions caught"))
    return int(any(found.values()))


def _grade(args):
    from nnbook.grading import batch
    from nnbook.grading.results import Limits

    limits = Limits(total=args.timeout, seconds=min(Limits.seconds, args.timeout))
    if args.unsafe:
        print("nnbook grade: --unsafe: submissions run with your rights", file=sys.stderr)
    reports, passed_over, graded = batch.grade_class(
        args.source, args.submissions, args.out, jobs=args.jobs, dask=args.dask, seed=args.seed, limits=limits,
        fresh=args.fresh, unsafe=args.unsafe, restart=args.restart)
    for name in passed_over:
        print(f"passed over: {name} is no notebook (.ipynb)", file=sys.stderr)
    for report in reports:
        print(f"{report['student']:<20} {report['points']:>6g} of {report['maximum']:g}"
              + ("" if report["status"] == "graded" else f"  not graded: {report['reason']}"))
    print(f"{graded} graded now, {len(reports)} in all: {args.out / 'grades.csv'}")
    return int(any(report["status"] == "error" for report in reports))


def _push(args):
    from nnbook.grading import gradebook

    url = args.db or gradebook.of_course(args.course)
    for line in gradebook.push(args.out, url, args.assignment):
        print(line)
    return 0
