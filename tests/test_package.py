"""The package as a whole: what it imports, in which order, and that nothing of a machine is left in the repository."""

import ast
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
ORDER = ["types", "checks", "tape", "arrays", "autodiff", "gradients", "activations", "losses", "layers", "optimizers",
         "normalization", "convolution", "pooling", "recurrent", "attention", "interchange", "transformer", "bert"]
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()


def test_import_needs_numpy_alone():
    program = ("import sys; import numpy; before = set(sys.modules); import nnbook; "
               "new = {m.split('.')[0] for m in set(sys.modules) - before}; "
               "print(sorted(new - set(sys.stdlib_module_names) - {'nnbook', 'numpy'}))")
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def files_of(subject):
    """A subject is one file, or a folder of files."""
    one = ROOT / "nnbook" / f"{subject}.py"
    return [one] if one.exists() else sorted((ROOT / "nnbook" / subject).glob("*.py"))


@pytest.mark.parametrize("subject", ORDER)
def test_imports_point_backward(subject):
    """Only earlier subjects are imported at the top of a module."""
    assert files_of(subject)
    for path in files_of(subject):
        inside = path.parent.name == subject
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ImportFrom) and node.level == 1 + inside:
                assert ORDER.index(node.module.split(".")[0]) < ORDER.index(subject), f"{path.name}: {node.module}"


def test_the_order_names_every_module():
    outside = {"__init__", "book", "data", "grading", "tools", "training"}  # not part of the core
    folders = {p.parent.name for p in (ROOT / "nnbook").glob("*/__init__.py")}
    assert {p.stem for p in (ROOT / "nnbook").glob("*.py")} | folders == set(ORDER) | outside


def test_module_test_and_name_go_together():
    for module in ORDER:
        if module in ("types", "checks", "tape", "arrays"):  # tested through test_autodiff and all others
            continue
        assert (ROOT / "tests" / f"test_{module}.py").exists()


@pytest.mark.skipif(not TRACKED, reason="not a git checkout: there is no list of tracked files to look through")
def test_the_repository_is_clean():
    """No build output, no path of a machine, no registry's host, nothing huge, nothing unfinished."""
    host = re.compile(r"pypi\.org|files\.pythonhosted|registry\.npmjs|registry\.yarn|deb\.debian\.org|mirror", re.I)
    unfinished = re.compile(r"\b(TO" r"DO|FIX" r"ME|X" r"XX)\b")
    for name in TRACKED:
        path = ROOT / name
        if not path.is_file():
            continue
        assert not re.search(r"(^|/)(_build|\.venv|__pycache__|\.ipynb_checkpoints|work)/", name), name
        assert path.stat().st_size < 3_000_000, name
        if "/vendor/" in name or "/mathjax/" in name or name == "tests/test_package.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not host.search(text), f"{name}: {host.search(text)}"
        assert not unfinished.search(text), f"{name}: {unfinished.search(text)}"
        assert not re.search(r"/(root|home/\w+)/", text), name


def test_requirements_pin_everything_that_the_list_asks_for():
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    direct = re.findall(r"^([\w.-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    assert {d.lower() for d in direct} <= {p.lower() for p in pinned}
    assert pinned["torch"] == "2.13.0"
    lines = [x for x in (ROOT / "requirements.txt").read_text().splitlines() if x.strip() and not x.startswith("#")]
    assert all(re.match(r"[\w.-]+==\S+", line) for line in lines)
    for line in (ROOT / "requirements.in").read_text().splitlines():
        assert line.startswith("#") or re.search(r"#\s+\w+.{7}", line), f"no reason given: {line}"
