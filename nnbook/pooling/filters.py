"""The weights of interpolation: which inputs an output takes along an axis, how much of each.

Output o looks at the place s(o) between the inputs. With corners aligned, the first and
the last places of x and y coincide, s = o (W - 1) / (Wo - 1); otherwise their edges do,
s = (o + 1/2) W / Wo - 1/2. Each function gives the taps (o, i, w) of an axis.
"""

import numpy as np

__all__ = []


def _step(inputs, outputs, scale_factor, align_corners=False):
    """How far s moves from output to output; a given scale_factor is obeyed."""
    if align_corners:
        return (inputs - 1) / (outputs - 1) if outputs > 1 else 0.0
    return inputs / outputs if scale_factor is None else 1 / scale_factor


def _places(inputs, outputs, scale_factor, align_corners, dtype):
    """s(o), computed in `dtype` as torch does."""
    o, half = np.arange(outputs).astype(dtype), dtype.type(0.5)
    step = dtype.type(_step(inputs, outputs, scale_factor, align_corners))
    return step * o if align_corners else step * (o + half) - half


def _nearest(inputs, outputs, scale_factor, dtype, exact):
    """One input: floor(o W / Wo), or, `exact`, the one nearest to s."""
    if exact:
        s = _places(inputs, outputs, scale_factor, False, dtype)
        s = np.maximum(s, 0) + dtype.type(0.5)
    else:
        step = dtype.type(_step(inputs, outputs, scale_factor))
        s = step * np.arange(outputs).astype(dtype)
    i = np.floor(s.astype(np.float32)).astype(int)  # rounded as torch does
    return np.arange(outputs), np.minimum(i, inputs - 1), None


def _linear(inputs, outputs, scale_factor, align_corners, dtype):
    """The two neighbours of s, each with one minus its distance."""
    s = _places(inputs, outputs, scale_factor, align_corners, dtype)
    if inputs == outputs:  # whatever scale_factor says
        s = np.arange(outputs).astype(dtype)
    s = np.maximum(s, 0)
    i = np.minimum(np.floor(s).astype(int), inputs - 1)
    t = np.clip(s - i, 0, 1)
    j = np.minimum(i + (inputs != outputs), inputs - 1)
    o = np.tile(np.arange(outputs), 2)
    return o, np.concatenate([i, j]), np.concatenate([1 - t, t])


def _cubic(inputs, outputs, scale_factor, align_corners, dtype):
    """The four neighbours of s; beyond an edge the nearest input counts."""
    s = _places(inputs, outputs, scale_factor, align_corners, dtype)
    left = np.minimum(np.floor(s).astype(int), inputs - 1)
    neighbours = np.arange(-1, 3)[:, None]
    i = np.clip(left + neighbours, 0, inputs - 1)
    w = _cubic_curve(np.clip(s - left, 0, 1) - neighbours, -0.75)
    return np.tile(np.arange(outputs), 4), i.ravel(), w.ravel()


def _linear_curve(t):
    """A tent: 1 at 0, zero from 1 on."""
    return np.maximum(1 - np.abs(t), 0)


def _cubic_curve(t, a):
    """Keys' curve: 1 at 0, zero at all other integers, of slope `a` at 1."""
    t = np.abs(t)
    inner = ((a + 2) * t - (a + 3)) * t * t + 1
    outer = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, inner, np.where(t < 2, outer, 0))


def _antialiased(inputs, outputs, scale_factor, align_corners, dtype, curve,
                 radius):
    """A curve stretched over all that an output stands for."""
    if inputs == outputs:
        return np.arange(outputs), np.arange(outputs), None
    step = dtype.type(_step(inputs, outputs, scale_factor, align_corners))
    stretch, half = max(step, 1), dtype.type(0.5)
    centre = step * (np.arange(outputs).astype(dtype) + half)
    start = np.maximum((centre - radius * stretch + half).astype(int), 0)
    stop = np.minimum((centre + radius * stretch + half).astype(int), inputs)
    o, i = _ranges(start, stop)
    w = curve((i - centre[o] + half) / stretch)
    return o, i, w / np.bincount(o, w, minlength=outputs)[o]


def _ranges(start, stop):
    """Output o takes the inputs from start_o to before stop_o."""
    o = np.repeat(np.arange(len(start)), stop - start)
    first = np.cumsum(stop - start) - (stop - start)  # taps before those of o
    return o, start[o] + np.arange(len(o)) - first[o]
