"""Draw the figure of the front page, from the package itself.

    python book/make_figures.py     writes book/_static/front.svg
"""

import pathlib

import numpy as np

import nnbook
from nnbook import data
from nnbook.book import COLORS

FRONT = pathlib.Path(__file__).parent / "_static" / "front.svg"


def edges(axis):
    """A photograph, left, becomes its edges, right."""
    china = data.photographs()["china"].mean(axis=2)[150:250, 205:365]
    sobel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    response = nnbook.conv2d(china[None], np.stack([sobel, sobel.T])[:, None], padding=1)
    strength = 1 - np.clip(np.hypot(*response) / 2, 0, 1)
    axis.pcolormesh(np.where(np.arange(160) < 80, china, strength)[::-1].round(2), cmap="gray", rasterized=True)
    axis.axvline(80, color=COLORS["gradient"], lw=1.5)
    axis.set(aspect=1, title="convolution")
    axis.axis("off")


def memory(axis):
    """The influence of each past year on the state of 1957, through a recurrence with a rotation."""
    years, spots = data.sunspots()
    part = (years > 1900) & (years < 1990)
    rotation = 0.98 * np.array([[np.cos(0.57), -np.sin(0.57)], [np.sin(0.57), np.cos(0.57)]])
    params = {"weight_ih_l0": np.array([[1.0], [0]]), "weight_hh_l0": rotation}
    x = ((spots[part] - 60) / 600)[None, :, None]
    influence = nnbook.grad(lambda x: nnbook.rnn(x, params)[0][0, 56, 0])(x)[0, :, 0]
    axis.plot(years[part], spots[part], color=COLORS["input"], lw=1.6)
    axis.bar(years[part], (90 * influence).round(2), bottom=-110, color=COLORS["gradient"], width=0.7)
    axis.text(1900, 150, "sunspots", color=COLORS["input"])
    axis.text(1900, -35, "gradient through time", color=COLORS["gradient"])
    axis.set(title="recurrence")
    axis.axis("off")


def lookup(axis):
    """Each letter asks for letters that are alike: attention of a word to itself, on one-hot letters."""
    text = "abracadabra"
    x = nnbook.one_hot(np.array([ord(c) - 97 for c in text]), 26).astype(float)
    x = x + 0.35 * np.roll(x, 1, axis=0)  # a letter also remembers the one before
    weights = nnbook.scaled_dot_product_attention(x, x, np.eye(len(text)), scale=3.0)
    axis.pcolormesh(weights.round(3), cmap="Greens", edgecolor="#cccccc", linewidth=0.4)
    places = np.arange(len(text)) + 0.5
    axis.set_xticks(places, list(text))
    axis.set_yticks(places, list(text))
    axis.tick_params(length=0)
    axis.invert_yaxis()
    axis.set(aspect=1, title="attention")
    axis.grid(False)


def draw(path):
    """Write the figure; two runs give the same bytes."""
    import matplotlib.pyplot as plt

    from nnbook.book import use_book_style

    use_book_style()
    with plt.rc_context({"svg.hashsalt": "front"}):
        fig, axes = plt.subplots(1, 3, figsize=(11, 3), width_ratios=[1.5, 1.4, 1])
        for axis, panel in zip(axes, (edges, memory, lookup), strict=True):
            panel(axis)
        fig.savefig(path, metadata={"Date": None, "Creator": None}, bbox_inches="tight", dpi=130)
        plt.close(fig)


if __name__ == "__main__":
    import matplotlib

    matplotlib.use("Agg")
    draw(FRONT)
