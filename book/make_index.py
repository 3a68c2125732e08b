"""The equation index: equation -> function -> vjp -> test -> exercise, read off the package itself.

    python book/make_index.py     writes book/equations.md and the index table of README.md
"""

import inspect
import itertools
import pathlib
import re
import sys

import numpy as np

import nnbook
from nnbook.autodiff import _track
from nnbook.tape import Tensor, _nodes_youngest_first

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- index: begin (made by book/make_index.py) -->", "<!-- index: end -->"
SETS = {("recurrent", 9): "lstm"}  # one module, two chapters, two sets

sys.path.insert(0, str(ROOT / "tests"))
from examples import example, results  # noqa: E402
from shapes import shape_line  # noqa: E402


def chapter_files():
    """{chapter number: its notebook}"""
    return {int(p.stem[:2]): p for p in sorted((ROOT / "chapters").glob("*.ipynb"))}


def functions():
    """[(name, module, chapter)] of every public function whose docstring names its chapter."""
    found = []
    for name, f in vars(nnbook).items():
        source = re.search(r"Source: .*?chapter\s+(\d+), equation", inspect.getdoc(f) or "", re.DOTALL) \
            if inspect.isfunction(f) else None
        if source and not name.startswith("_"):
            found.append((name, f.__module__.split(".")[1], int(source[1])))
    return sorted(found, key=lambda row: (row[2], row[1], row[0]))


def functions_of_chapters():
    """[(name, chapter, has a gradient)] for the functions whose chapter is written."""
    return [(name, chapter, not rules_of(name).startswith("none"))
            for name, _, chapter in functions() if chapter in chapter_files()]


def rules_of(name):
    """The names of the rules that compute the gradient, read off the tape of a call."""
    f = getattr(nnbook, name)
    if getattr(f, "vjp", None) is not None:
        return f.vjp.__name__
    if shape_line(f) is None or f.__module__ == "nnbook.gradients":
        return "none: not a layer"
    given, _, _ = example(f)
    settings = {k: v for k, v in given.items() if not isinstance(v, np.ndarray | dict | tuple)}
    tracked = settings | _track({k: v for k, v in given.items() if k not in settings}, [])
    ends = [out.node for out in results(f, tracked) if isinstance(out, Tensor) and out.node is not None]
    nodes = sorted({node for end in ends for node in _nodes_youngest_first(end)}, key=lambda node: node.age)
    rules = list(dict.fromkeys(n.rule.__name__ for n in nodes if ".arrays." not in n.rule.__module__))
    return ", ".join(rules) if rules else "array primitives" if nodes else "none: integers"


def exercise_of(module, chapter):
    """The exercise set that asks for a module's functions, as a link; empty where it is to come."""
    name = SETS.get((module, chapter), module)
    exists = (ROOT / "exercises" / "starters" / f"{name}.ipynb").exists()
    return f"[{name}](exercises/starters/{name}.ipynb)" if exists else ""


def _equation(name):
    """The first line of the equation in the docstring."""
    doc = inspect.getdoc(getattr(nnbook, name))
    return re.search(r"^    (\S.*?),?$", doc, re.MULTILINE)[1].replace("|", "\\|")


def _section(module, chapter, names):
    """The table of one module in one chapter; equations are links where the chapter is written, else text."""
    written = chapter in chapter_files()
    exercise = exercise_of(module, chapter).replace("(exercises", "(../exercises")
    lines = ["", f"## Chapter {chapter}: {module}", "",
             f"Held by `tests/test_{module}.py`" + (f"; asked for in the exercises {exercise}." if exercise else "."),
             "", f"| function | {'forward | backward' if written else 'equation'} | gradient rule |",
             "|" + " --- |" * (4 if written else 3)]
    for name in names:
        rules = rules_of(name)
        backward = "" if rules.startswith("none") else f"{{eq}}`eq-{name}-vjp`"
        middle = f"{{eq}}`eq-{name}` | {backward}" if written else f"`{_equation(name)}`"
        lines.append(f"| `{name}` | {middle} | {rules} |")
    return lines


def equations():
    """The text of book/equations.md."""
    lines = ["# Equation index", "",
             "Every public function, from its equation to the rule that computes its gradient, the tests that hold",
             "it, and the exercises that ask for it. The rules are read off the tape of a call; a test keeps the",
             "tables so. Where a chapter is not written yet, its functions stand here with the equation of their",
             "docstring."]
    for (chapter, module), rows in itertools.groupby(functions(), key=lambda row: (row[2], row[1])):
        lines += _section(module, chapter, [name for name, _, _ in rows])
    return "\n".join(lines) + "\n"


def _source(module):
    """A link to a module: a file, or a folder of files."""
    folder = (ROOT / "nnbook" / module).is_dir()
    return f"[nnbook.{module}](nnbook/{module}{'/' if folder else '.py'})"


def index_table():
    """The table of the README: chapter -> modules -> tests -> exercises."""
    lines = ["| chapter | derives | tests | exercises |", "| --- | --- | --- | --- |"]
    for number, path in chapter_files().items():
        modules = sorted({module for _, module, chapter in functions()
                          if chapter == number and module not in ("optimizers",)})
        tests = ", ".join(f"[test_{m}.py](tests/test_{m}.py)" for m in modules)
        sets = ", ".join(filter(None, (exercise_of(m, number) for m in modules)))
        lines.append(f"| [{path.stem}](chapters/{path.name}) | "
                     f"{', '.join(map(_source, modules))} | {tests} | {sets} |")
    return "\n".join(lines)


def readme(text):
    """The README with its index table made anew."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{index_table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    (ROOT / "book" / "equations.md").write_text(equations(), encoding="utf-8")
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
