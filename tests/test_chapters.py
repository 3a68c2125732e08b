"""What nbval does not see: clean files, cells that ran, alt text, structure, sources shown, and nbval itself."""

import json
import pathlib
import re
import subprocess
import sys

import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
TOOLS = sorted((ROOT / "book").glob("*.ipynb"))  # pages that run, but are no chapters
SOURCES = sorted((ROOT / "exercises").glob("*.ipynb"))
STARTERS = sorted((ROOT / "exercises" / "starters").glob("*.ipynb"))
SECTIONS = ["Why", "Notation and shapes", "Forward", "Backward", "Checks", "At work", "Real mistakes", "Cost",
            "Exercises", "Summary and reading"]

sys.path.insert(0, str(ROOT / "book"))
from make_index import chapter_files, functions_of_chapters  # noqa: E402


def by_stem(path):
    return path.stem


def read(path):
    return nbformat.read(path, as_version=4)


def code(nb):
    return [c for c in nb.cells if c.cell_type == "code"]


def test_the_book_holds_every_chapter_and_every_exercise_set():
    """What lies in the folders is in the table of contents, in order, and the other way round."""
    toc = re.findall(r"file: (\S+)", (ROOT / "book" / "_toc.yml").read_text())
    assert [p for p in toc if p.startswith("chapters/")] == [f"chapters/{p.stem}" for p in CHAPTERS]
    assert sorted(p for p in toc if p.startswith("exercises/")) == [f"exercises/starters/{p.stem}" for p in STARTERS]
    assert [p.stem for p in SOURCES] == [p.stem for p in STARTERS]
    assert {"05_convolution", "08_recurrence", "11_attention"} <= {p.stem for p in CHAPTERS}


@pytest.mark.parametrize("path", CHAPTERS + TOOLS + SOURCES, ids=by_stem)
def test_every_cell_ran_once_from_top_to_bottom(path):
    assert [c.execution_count for c in code(read(path))] == list(range(1, len(code(read(path))) + 1)), "make run"


@pytest.mark.parametrize("path", CHAPTERS + TOOLS + SOURCES + STARTERS, ids=by_stem)
def test_the_file_is_clean(path):
    """The normaliser has nothing to do: no execution times, no machine's details; a python3 kernel; stable ids."""
    text = path.read_text(encoding="utf-8")
    nb = read(path)
    assert nb.metadata.kernelspec.name == "python3"
    assert set(nb.metadata) <= {"kernelspec", "jupytext"}
    assert all("execution" not in c.metadata for c in nb.cells)
    ids = [c.id for c in nb.cells]
    assert len(set(ids)) == len(ids)
    assert not re.search(r"/home/|/ro" r"ot/|/work/|/Users/|/tmp/|[A-Z]:\\\\", text)
    assert not any(c.get("attachments") for c in nb.cells)
    nbformat.validate(nb)


@pytest.mark.parametrize("path", CHAPTERS + TOOLS + SOURCES, ids=by_stem)
def test_the_normaliser_changes_nothing(path, tmp_path):
    flags = re.search(r"^NORMALISE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    subprocess.run(f"{sys.executable} -m nbstripout {flags} {copy}", shell=True, check=True)
    assert json.loads(copy.read_text()) == json.loads(path.read_text()), f"make run NB={path.name}"


def test_the_normaliser_removes_times_and_keeps_outputs(tmp_path):
    nb = read(CHAPTERS[0])
    cell = next(c for c in code(nb) if c.outputs)
    cell.metadata["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
    nb.metadata["language_info"] = {"version": "3.11.7"}
    copy = tmp_path / "copy.ipynb"
    nbformat.write(nb, copy)
    flags = re.search(r"^NORMALISE := (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1]
    subprocess.run(f"{sys.executable} -m nbstripout {flags} {copy}", shell=True, check=True)
    assert json.loads(copy.read_text()) == json.loads(CHAPTERS[0].read_text())


@pytest.mark.parametrize("path", CHAPTERS + TOOLS, ids=by_stem)
def test_figures_are_svg_with_a_caption_and_alt_text(path):
    for i, cell in enumerate(code(read(path)), 1):
        kinds = {kind for out in cell.outputs for kind in out.get("data", {}) if kind.startswith("image/")}
        assert kinds <= {"image/svg+xml"}, f"cell {i}: nbval does not compare {kinds}"
        if kinds:
            meta = cell.metadata.get("mystnb", {})
            alt, caption = meta.get("image", {}).get("alt", ""), meta.get("figure", {}).get("caption", "")
            assert len(alt) > 40, f"cell {i}: the alt text must say what the figure shows"
            assert len(caption) > 40, f"cell {i}: the caption must say what to see"
            assert alt != caption
            assert sum("data" in out for out in cell.outputs) == 1, f"cell {i}: each output would be that figure"
        assert not cell.source.rstrip().endswith(";"), f"cell {i}: nbval does not heed a trailing ;"


@pytest.mark.parametrize("path", CHAPTERS + TOOLS + STARTERS, ids=by_stem)
def test_every_column_of_a_table_has_a_head(path):
    """A reader who hears the page is told the head with each entry."""
    texts = [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]
    texts += [out.get("data", {}).get("text/markdown", "") for cell in code(read(path)) for out in cell.outputs]
    heads = [head for text in texts for head in re.findall(r"^\|(.*)\|\n\| *-{3}", text, re.MULTILINE)]
    assert not [head for head in heads if "" in map(str.strip, head.split("|"))]


@pytest.mark.parametrize("path", CHAPTERS + TOOLS, ids=by_stem)
def test_what_is_not_compared_says_why_and_asserts_something(path):
    ignored = [c for c in code(read(path)) if "nbval-ignore-output" in c.metadata.get("tags", [])]
    assert len(ignored) <= 2
    for cell in ignored:
        assert len(cell.metadata.get("nnbook", {}).get("unchecked", "")) > 20
        assert "assert " in cell.source
    other = {t for c in code(read(path)) for t in c.metadata.get("tags", [])} - {"nbval-ignore-output"}
    assert not other, f"tags that nbval or the book may act on: {other}"


@pytest.mark.parametrize("path", CHAPTERS, ids=by_stem)
def test_the_ten_parts_of_the_arc(path):
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    number = int(path.stem[:2])
    assert re.match(rf"# Chapter {number}\. ", text)
    assert re.search(r"Reading takes about \d+ minutes", text)


@pytest.mark.parametrize("path", CHAPTERS + TOOLS, ids=by_stem)
def test_cells_are_short(path):
    for i, cell in enumerate(code(read(path)), 1):
        lines = cell.source.splitlines()
        assert len(lines) <= 30, f"cell {i} has {len(lines)} lines"
        assert max(map(len, lines)) <= 78, f"cell {i} is wider than a page: {max(lines, key=len)}"


@pytest.mark.parametrize("path", CHAPTERS, ids=by_stem)
def test_references_inside_the_chapter_exist(path):
    text = "\n".join(c.source for c in read(path).cells if c.cell_type == "markdown")
    labels = set(re.findall(r"^\$\$ \((eq-[\w-]+)\)$", text, re.MULTILINE))
    assert set(re.findall(r"\{eq\}`([^`]+)`", text)) <= labels
    keys = set(re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text()))
    cited = {k.strip() for group in re.findall(r"\{cite(?::t)?\}`([^`]+)`", text) for k in group.split(",")}
    assert cited <= keys, f"not in references.bib: {cited - keys}"
    assert len(cited) >= 5


def test_all_references_are_cited():
    text = "".join(p.read_text() for p in [*CHAPTERS, *TOOLS, *(ROOT / "book").glob("*.md")])
    keys = re.findall(r"@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text())
    assert len(set(keys)) == len(keys)
    assert all(key in text for key in keys)


@pytest.mark.parametrize(("name", "chapter", "differentiable"), functions_of_chapters(), ids=str)
def test_every_function_is_derived_in_its_chapter(name, chapter, differentiable):
    """A forward equation, a backward equation where there is a gradient, and the source on the page."""
    nb = read(chapter_files()[chapter])
    text = "\n".join(c.source for c in nb.cells if c.cell_type == "markdown")
    assert f"$$ (eq-{name})" in text
    assert f"$$ (eq-{name}-vjp)" in text or not differentiable
    shown = "\n".join(o["data"].get("text/markdown", "") for c in code(nb) for o in c.outputs if "data" in o)
    assert f"def {name}(" in shown


# --- nbval itself ------------------------------------------------------------------------------------

NBVAL = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", "--rootdir", ".",
         "--nbval", "--nbval-current-env", "--nbval-sanitize-with", str(ROOT / "tests" / "nbval_sanitize.cfg")]


def notebook(tmp_path, cells, name):
    """A notebook with stored outputs: (source, kind, text) for each cell."""
    plain = {"text/plain": "<IPython.core.display.X object>"}
    nb = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    for i, (source, kind, text) in enumerate(cells, 1):
        out = nbformat.v4.new_output("stream", name="stdout", text=text) if kind == "stream" else \
            nbformat.v4.new_output("display_data", data={kind: text} | plain)
        nb.cells.append(nbformat.v4.new_code_cell(source, outputs=[out], execution_count=i))
    nbformat.write(nb, tmp_path / name)
    return name


def outcome(tmp_path, *names):
    run = subprocess.run([*NBVAL, *names], cwd=tmp_path, capture_output=True, text=True)
    return run.returncode, run.stdout


def test_a_changed_number_in_a_stored_output_is_caught(tmp_path):
    """In printed text, in a Markdown table and in a figure: each honest notebook passes, each altered one fails."""
    markdown = "from IPython.display import Markdown, SVG, display\n"
    kinds = {"text": ("print('loss 0.123')", "stream", "loss 0.123\n"),
             "table": (markdown + "display(Markdown('| 1.5 |'))", "text/markdown", "| 1.5 |"),
             "figure": (markdown + "display({'image/svg+xml': '<svg>M 1.25 2</svg>'}, raw=True)", "image/svg+xml",
                        "<svg>M 1.25 2</svg>")}
    honest, altered = [], []
    for name, (source, kind, text) in kinds.items():
        honest.append(notebook(tmp_path, [(source, kind, text)], f"{name}_honest.ipynb"))
        digit = re.sub(r"(\d)(\D*)$", lambda m: str((int(m[1]) + 1) % 10) + m[2], text)
        assert digit != text
        altered.append(notebook(tmp_path, [(source, kind, digit)], f"{name}_altered.ipynb"))
    status, out = outcome(tmp_path, "text_honest.ipynb")
    assert status == 0, out
    status, out = outcome(tmp_path, *altered)
    assert status == 1, out
    assert "3 failed" in out, out


def test_make_test_verifies_every_notebook_strictly():
    """The command of the Makefile names all chapters and sources, and no lax option."""
    make = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True).stdout
    command = next(line for line in make.splitlines() if "--nbval" in line)
    assert "--nbval-lax" not in command
    for path in CHAPTERS + TOOLS + SOURCES:
        assert str(path.relative_to(ROOT)) in command
