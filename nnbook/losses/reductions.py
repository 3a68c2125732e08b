"""What all losses share: the reduction to one number, and the checks of their arguments."""

import numpy as np

from ..arrays import mean, sum
from ..checks import check_floating
from ..tape import plain


def _reduce(loss, reduction):
    """One number from one loss an entry; the mean of nothing is nan, as in torch."""
    if reduction == "none":
        return loss
    if reduction == "mean" and loss.size == 0:
        return sum(loss) * loss.dtype.type(np.nan)
    return mean(loss) if reduction == "mean" else sum(loss)


def _check(function, input, target, reduction, check=check_floating, **more):
    """Both floating point and of one shape, and a reduction that exists."""
    check(function, input=plain(input), target=plain(target), **{k: plain(a) for k, a in more.items()})
    if input.shape != target.shape:
        raise ValueError(f"{function}: target has shape {target.shape}, expected the shape of input, {input.shape}")
    _check_reduction(function, reduction)


def _given(**arrays):
    """The arguments that are not None."""
    return {name: plain(a) for name, a in arrays.items() if a is not None}


def _check_reduction(function, reduction, allowed=("none", "mean", "sum")):
    if reduction not in allowed:
        raise ValueError(f"{function}: reduction is {reduction!r}, expected one of {', '.join(map(repr, allowed))}")


def _check_broadcast(function, name, a, input):
    try:
        fits = a is None or np.broadcast_shapes(a.shape, input.shape) == input.shape
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"{function}: {name} has shape {a.shape}, expected one that broadcasts to {input.shape}")
