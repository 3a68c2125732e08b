"""Numbers that follow each other in time."""

from __future__ import annotations

import numpy as np

from ..types import Array
from .sources import need

__all__ = ["sunspots"]


def sunspots() -> tuple[Array, Array]:
    """The yearly mean sunspot number, 1700 to 2008: years (309,), numbers (309,).

    Source: National Geophysical Data Center, public domain; bundled with statsmodels, whose file is read
    without importing the package.
    """
    table = np.loadtxt(need("statsmodels", "statsmodels") / "datasets" / "sunspots" / "sunspots.csv",
                       delimiter=",", skiprows=1)
    return table[:, 0].astype(int), table[:, 1]
