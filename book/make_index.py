"""The equation index: equation -> function -> vjp -> test -> exercise, read off the package itself.

    python book/make_index.py     writes book/equations.md and the index table of README.md
"""

import inspect
import pathlib
import re

import nnbook

ROOT = pathlib.Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- index: begin (made by book/make_index.py) -->", "<!-- index: end -->"


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
    """[(name, chapter)] for the layers whose chapter is written."""
    return [(name, chapter) for name, module, chapter in functions()
            if chapter in chapter_files() and module != "optimizers"]


def rule_of(name):
    """The name of the rule that computes the gradient, or 'composed'."""
    f = getattr(nnbook, name)
    if getattr(f, "vjp", None) is not None:
        return f.vjp.__name__
    return {"conv1d": "convolve_vjp", "conv2d": "convolve_vjp", "conv_transpose1d": "convolve_transpose_vjp",
            "conv_transpose2d": "convolve_transpose_vjp", "unfold": "_unfold_vjp", "fold": "_fold_vjp",
            "rnn": "unroll_vjp", "rnn_cell": "unroll_vjp", "scaled_dot_product_attention": "_attend_vjp",
            "tiled_attention": "_attend_tiled_vjp"}.get(name, "composed of primitives")


def equations():
    """The text of book/equations.md."""
    lines = ["# Equation index", "",
             "Every public function whose chapter is written, from its equation to the line that computes its",
             "gradient, the tests that hold it, and the exercises that ask for it. The table is made from the package;",
             "a test keeps it so.", "",
             "| function | chapter | forward | backward | gradient rule | tests | exercises |", "|" + " --- |" * 7]
    modules = {name: module for name, module, _ in functions()}
    for name, chapter in functions_of_chapters():
        module = modules[name]
        exercise = f"[{module}](../exercises/starters/{module}.ipynb)"
        lines.append(f"| `{name}` | {chapter} | {{eq}}`eq-{name}` | {{eq}}`eq-{name}-vjp` | {rule_of(name)} | "
                     f"test_{module} | {exercise} |")
    return "\n".join(lines) + "\n"


def index_table():
    """The table of the README: chapter -> modules -> tests -> exercises."""
    lines = ["| chapter | derives | tests | exercises |", "| --- | --- | --- | --- |"]
    for number, path in chapter_files().items():
        modules = sorted({module for _, module, chapter in functions()
                          if chapter == number and module not in ("optimizers",)})
        tests = ", ".join(f"[test_{m}.py](tests/test_{m}.py)" for m in modules)
        sets = ", ".join(f"[{m}](exercises/starters/{m}.ipynb)" for m in modules)
        lines.append(f"| [{path.stem}](chapters/{path.name}) | "
                     f"{', '.join(f'[nnbook.{m}](nnbook/{m}.py)' for m in modules)} | {tests} | {sets} |")
    return "\n".join(lines)


def readme(text):
    """The README with its index table made anew."""
    head, rest = text.split(BEGIN)
    return f"{head}{BEGIN}\n{index_table()}\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    (ROOT / "book" / "equations.md").write_text(equations(), encoding="utf-8")
    path = ROOT / "README.md"
    path.write_text(readme(path.read_text(encoding="utf-8")), encoding="utf-8")
