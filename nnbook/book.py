"""What the book's pages share: figure style, colours, source listings, tables. Not part of the core.

Needs matplotlib and IPython, imported only when called.
"""

import inspect

from . import autodiff, gradients

# One colour code through the whole book (Okabe and Ito's palette, told apart in colour blindness too).
COLORS = {"input": "#0072B2", "weights": "#B8568F", "output": "#00805E", "gradient": "#D55E00", "neutral": "#555555"}


def use_book_style():
    """Deterministic SVG figures, transparent, with the book's colours; call it once at the top of a notebook."""
    import matplotlib as mpl
    from cycler import cycler
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    set_matplotlib_formats("svg", metadata={"Date": None, "Creator": None}, bbox_inches="tight")
    mpl.rcParams.update({
        "svg.hashsalt": "nnbook", "svg.fonttype": "path", "figure.figsize": (7.2, 3.4), "font.size": 11,
        "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
        "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25,
        "axes.axisbelow": True, "axes.titlesize": 11, "legend.frameon": False, "lines.linewidth": 1.8,
        "axes.prop_cycle": cycler(color=list(COLORS.values())), "figure.constrained_layout.use": True,
        "image.cmap": "gray", "image.interpolation": "nearest",
    })


def show_source(*functions):
    """The source of package functions, as the page shows it. Verified like every other stored output."""
    from IPython.display import Markdown

    return Markdown("\n\n".join(f"```python\n{inspect.getsource(inspect.unwrap(f)).rstrip()}\n```" for f in functions))


def table(header, rows):
    """A Markdown table; floats are shown with three digits."""
    from IPython.display import Markdown

    def cells(row):
        return "| " + " | ".join(f"{c:.3g}" if isinstance(c, float) else str(c) for c in row) + " |"

    return Markdown("\n".join([cells(header), "|" + " --- |" * len(header), *map(cells, rows)]))


def oracle_table(f, arrays, torch_f=None, analytic=True, rng=None):
    """Hold the gradients of `f` against three oracles; a row for each array of the dict `arrays`.

    `f` and `torch_f` take the arrays by position; `torch_f` gets torch tensors of the same values. The
    upstream gradient is random. Each entry is the relative error, rounded up to the next of 1e-13, 1e-7,
    1e-4, so that another machine prints the same.
    Raises AssertionError where an oracle disagrees: above 1e-10 (torch), 1e-12 (complex step), 1e-6
    (central difference).
    """
    import numpy as np

    rng = np.random.default_rng(0) if rng is None else rng
    names, values = list(arrays), [np.asarray(a, np.float64) for a in arrays.values()]
    y, pullback = autodiff.vjp(f, *values)
    dy = rng.standard_normal(y.shape)
    grads = pullback(dy)
    columns = {}
    if torch_f is not None:
        columns["torch float64"] = 1e-10, torch_gradients(torch_f, values, dy)
    for title, bound, oracle in (("complex step", 1e-12, gradients.complex_step_gradient),
                                 ("central difference", 1e-6, gradients.numerical_gradient)):
        if analytic or oracle is gradients.numerical_gradient:
            columns[title] = bound, [oracle(lambda x, i=i: f(*values[:i], x, *values[i + 1:]), values[i], dy)
                                     for i in range(len(values))]
    rows = []
    for i, name in enumerate(names):
        row = [f"`d{name}`"]
        for title, (bound, expected) in columns.items():
            error = gradients.relative_error(grads[i], expected[i])
            assert error <= bound, f"d{name} differs from {title}: relative error {error:.1e} > {bound:.0e}"
            row.append(f"< {min(b for b in (1e-13, 1e-7, 1e-4) if error < b / 2):.0e}")
        rows.append(row)
    return table(["gradient", *columns], rows)


def torch_gradients(torch_f, arrays, dy):
    """torch's own gradients of <dy, torch_f(arrays)>, as a list of float64 arrays."""
    import torch

    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    grads = torch.autograd.grad(torch_f(*tensors), tensors, torch.tensor(dy), materialize_grads=True)
    return [g.numpy() for g in grads]
