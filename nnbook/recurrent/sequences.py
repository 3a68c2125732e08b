"""Whole sequences: layers on layers, the directions of one layer side by side, sequences of different lengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import concatenate, expand_dims, flip, squeeze, stack, transpose, where
from ..checks import check_floating, check_integers
from ..tape import plain, quiet
from ..types import Array, DType, Params
from .cells import _check_cell, _rnn_kind, _two
from .projected import unroll_projected
from .steps import GATES
from .unrolling import unroll

__all__ = ["gru", "init_gru", "init_lstm", "init_rnn", "lstm", "rnn"]

WEIGHTS = ["weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr"]  # the last one projects h, if it is there


def init_rnn(input_size: int, hidden_size: int, rng: np.random.Generator,
             num_layers: int = 1, bidirectional: bool = False,
             bias: bool = True, dtype: DType = np.float64) -> Params:
    """Parameters for `rnn`, drawn as torch.nn.RNN draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(1, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


@quiet
def rnn(x: Array, params: Params, state: Array | None = None,
        lengths: Array | Sequence[int] | None = None,
        nonlinearity: str = "tanh") -> tuple[Array, Array]:
    """A plain recurrent network over a whole sequence, with the layers of params.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state (1, N, H)
    Without the axis N too. `params` holds torch's names weight_ih_l0 (H, I),
    weight_hh_l0 (H, H), bias_ih_l0 (H,), bias_hh_l0 (H,), then _l0_reverse,
    _l1 ...; biases may be absent. `state` (layers * directions, N, H) is zero
    unless given. `lengths` (N,) of integers: outputs beyond a sequence's end
    are zero, and its last state is that at its end. Raises ValueError for
    shapes or names that do not fit, TypeError for other kinds.
    Source: chapter 8, equation (rnn); Elman (1990), Werbos (1990).
    """
    kind = _rnn_kind("rnn", nonlinearity)
    begin = None if state is None else (state,)
    outputs, (last,) = _sequence("rnn", kind, x, params, begin, lengths)
    return outputs, last


def init_lstm(input_size: int, hidden_size: int, rng: np.random.Generator,
              num_layers: int = 1, bidirectional: bool = False,
              bias: bool = True, dtype: DType = np.float64) -> Params:
    """Parameters for `lstm`, drawn as torch.nn.LSTM draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(4, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


@quiet
def lstm(x: Array, params: Params, state: tuple[Array, Array] | None = None,
         lengths: Array | Sequence[int] | None = None) -> tuple[Array, tuple[Array, Array]]:
    """A long short-term memory over a whole sequence; the rows of the weights are the gates i, f, g, o.

        (h_t, c_t) = lstm_cell(x_t, (h_{t-1}, c_{t-1})),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state ((1, N, H), (1, N, H))
    Arguments and errors are those of `rnn`; the state is a tuple (h, c).
    Where `params` holds weight_hr_l0 (P, H) too, h is projected to P numbers:
    torch's proj_size.
    Source: chapter 9, equation (lstm); Hochreiter and Schmidhuber (1997).
    """
    return _sequence("lstm", "lstm", x, params, None if state is None else tuple(_two("lstm", state)), lengths)


def init_gru(input_size: int, hidden_size: int, rng: np.random.Generator,
             num_layers: int = 1, bidirectional: bool = False,
             bias: bool = True, dtype: DType = np.float64) -> Params:
    """Parameters for `gru`, drawn as torch.nn.GRU draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(3, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


@quiet
def gru(x: Array, params: Params, state: Array | None = None,
        lengths: Array | Sequence[int] | None = None) -> tuple[Array, Array]:
    """A gated recurrent unit over a whole sequence; the rows of the weights are r, z, n.

        h_t = gru_cell(x_t, h_{t-1}),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state (1, N, H)
    Arguments and errors are those of `rnn`.
    Source: chapter 9, equation (gru); Cho et al. (2014).
    """
    begin = None if state is None else (state,)
    outputs, (last,) = _sequence("gru", "gru", x, params, begin, lengths)
    return outputs, last


def _init(gates, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype):
    bound, params = hidden_size**-0.5, {}
    directions = 2 if bidirectional else 1
    for layer in range(num_layers):
        width = input_size if layer == 0 else directions * hidden_size
        for suffix in _suffixes(layer, directions):
            shapes = {"weight_ih": (gates * hidden_size, width), "weight_hh": (gates * hidden_size, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (gates * hidden_size,), "bias_hh": (gates * hidden_size,)}
            params |= {f"{k}_{suffix}": rng.uniform(-bound, bound, s).astype(dtype) for k, s in shapes.items()}
    return params


def _suffixes(layer, directions):
    return [f"l{layer}", f"l{layer}_reverse"][:directions]


def _sequence(function, kind, x, params, state, lengths):
    """Layers on layers; the directions of one layer side by side."""
    check_floating(function, x=plain(x))
    layers, directions = _form(function, kind, params)
    if x.ndim == 2:
        return _unbatched(function, kind, x, params, state, lengths)
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, T, I) or (T, I) with T at least 1")
    alive = _alive(function, x, lengths)
    state = _initial(function, x, state, kind, layers * directions, params)
    last = []
    for layer in range(layers):
        outputs = []
        for d, suffix in enumerate(_suffixes(layer, directions)):
            weights = [params.get(f"{name}_{suffix}") for name in WEIGHTS]
            begin = tuple(part[layer * directions + d] for part in state)
            _check_layer(function, kind, suffix, x, begin, weights)
            out, end = _one_direction(kind, x, begin, weights, alive, reverse=d == 1)
            outputs.append(out)
            last.append(end)
        x = concatenate(outputs, -1) if directions == 2 else outputs[0]
    return x, tuple(stack(part) for part in zip(*last, strict=True))


def _one_direction(kind, x, begin, weights, alive, reverse):
    """The outputs at all times and the last state; backward in time is forward over the flipped sequence."""
    if reverse:
        x, alive = flip(x, 1), None if alive is None else np.flip(alive, 1)
    *gates, projection = weights
    states = (unroll(kind, x, begin, *gates, alive)[:-1] if projection is None else
              unroll_projected(x, begin, *weights, alive))
    out = transpose(states[0][1:], (1, 0, 2))
    if alive is not None:
        out = where(alive, out, np.zeros((), out.dtype))
    return flip(out, 1) if reverse else out, tuple(s[-1] for s in states)


def _alive(function, x, lengths):
    """(N, T, 1): True where a sequence has not ended; None where all are of full length."""
    if lengths is None:
        return None
    lengths = np.asarray(lengths) if len(lengths) else np.zeros(0, int)
    check_integers(function, lengths=lengths)
    N, T, _ = x.shape
    if lengths.shape != (N,) or (N and not (lengths.min() >= 1 and lengths.max() <= T)):
        raise ValueError(f"{function}: lengths is {lengths.tolist()}, expected {N} integers from 1 to {T}")
    return (np.arange(T) < lengths[:, None])[..., None]


# --- checks of arguments ----------------------------------------------------------------------------


def _form(function, kind, params):
    """(layers, directions) as the names in params tell; every other name is an error."""
    if not isinstance(params, dict):
        raise TypeError(f"{function}: params is a {type(params).__name__}, expected a dict of arrays")
    for name, a in params.items():
        check_floating(function, **{f"params[{name!r}]": plain(a)})
    layers = 0
    while f"weight_ih_l{layers}" in params:
        layers += 1
    directions = 2 if "weight_ih_l0_reverse" in params else 1
    projected = kind == "lstm" and "weight_hr_l0" in params
    known = {f"{name}_{suffix}" for name in (WEIGHTS if projected else WEIGHTS[:-1])
             for layer in range(layers) for suffix in _suffixes(layer, directions)}
    needed = {name for name in known if name.startswith("weight")}
    if not layers or not needed <= params.keys() <= known:
        raise ValueError(f"{function}: params has the keys {sorted(params)}, expected weight_ih_l0, weight_hh_l0 and, "
                         f"if wanted, bias_*, *_reverse, *_l1 ... (missing {sorted(needed - params.keys())}, "
                         f"unknown {sorted(params.keys() - known)})")
    return layers, directions


def _check_layer(function, kind, suffix, x, begin, weights):
    try:
        _check_cell(function, kind, x[:, 0], {f"h_{i}": s for i, s in enumerate(begin)}, *weights)
    except ValueError as e:
        raise ValueError(f"{e} (in layer {suffix})") from None


def _initial(function, x, state, kind, layers, params):
    """The state to begin with, zero unless given; h and c differ in width where h is projected."""
    rows, width = params["weight_hh_l0"].shape if params["weight_hh_l0"].ndim == 2 else (0, 0)
    shapes = [(layers, x.shape[0], width), (layers, x.shape[0], rows // GATES[kind])][: 2 if kind == "lstm" else 1]
    if state is None:
        return tuple(np.zeros(shape, x.dtype) for shape in shapes)
    for part, shape in zip(state, shapes, strict=True):
        check_floating(function, x=plain(x), state=plain(part))
        if part.shape != shape:
            raise ValueError(f"{function}: state has shape {part.shape}, expected {shape}: (layers * directions, N, H)")
    return state


def _unbatched(function, kind, x, params, state, lengths):
    """(T, I) is a batch of one."""
    if lengths is not None:
        raise ValueError(f"{function}: lengths is given for x {x.shape} without a batch, expected x (N, T, I)")
    for part in state or ():
        check_floating(function, x=plain(x), state=plain(part))
        if part.ndim != 2:
            raise ValueError(f"{function}: state has shape {part.shape}, expected (layers * directions, H)")
    state = None if state is None else tuple(expand_dims(part, 1) for part in state)
    outputs, state = _sequence(function, kind, expand_dims(x, 0), params, state, None)
    return squeeze(outputs, 0), tuple(squeeze(part, 1) for part in state)
