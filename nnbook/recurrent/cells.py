"""One step as a function of its own: an unrolling of length one."""

from __future__ import annotations

from ..arrays import expand_dims
from ..checks import check_floating
from ..tape import plain
from ..types import Array
from .steps import GATES
from .unrolling import unroll

__all__ = ["gru_cell", "lstm_cell", "rnn_cell"]


def rnn_cell(x: Array, h: Array, weight_ih: Array, weight_hh: Array,
             bias_ih: Array | None = None, bias_hh: Array | None = None,
             nonlinearity: str = "tanh") -> Array:
    """One step of a plain recurrent network.

        h'_nk = tanh(sum_i weight_ih_ki x_ni + bias_ih_k
                     + sum_j weight_hh_kj h_nj + bias_hh_k)

    x (N, I), h (N, H), weight_ih (H, I), weight_hh (H, H)  ->  h_new (N, H)
    Without the axis N too. `nonlinearity` is "tanh" or "relu". Raises
    ValueError for shapes that do not fit, TypeError unless all are floating
    point of one dtype.
    Source: chapter 8, equation (rnn_cell); Elman (1990).
    """
    kind = _rnn_kind("rnn_cell", nonlinearity)
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return _cell("rnn_cell", kind, x, {"h": h}, *weights)[0]


def lstm_cell(x: Array, state: tuple[Array, Array], weight_ih: Array,
              weight_hh: Array, bias_ih: Array | None = None,
              bias_hh: Array | None = None) -> tuple[Array, Array]:
    """One step of a long short-term memory; the rows of the weights are the gates i, f, g, o.

        c' = f c + i g,   h' = o tanh(c'),   i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh), g its tanh

    x (N, I), state ((N, H), (N, H)), weight_ih (4 H, I), weight_hh (4 H, H)  ->  (h', c')
    Without the axis N too. Raises ValueError for shapes that do not fit,
    TypeError for other kinds.
    Source: chapter 9, equation (lstm_cell); Hochreiter and Schmidhuber
    (1997), Gers et al. (2000).
    """
    h, c = _two("lstm_cell", state)
    return _cell("lstm_cell", "lstm", x, {"h": h, "c": c}, weight_ih, weight_hh, bias_ih, bias_hh)


def gru_cell(x: Array, h: Array, weight_ih: Array, weight_hh: Array,
             bias_ih: Array | None = None,
             bias_hh: Array | None = None) -> Array:
    """One step of a gated recurrent unit, torch's variant; the rows of the weights are r, z, n.

        h' = (1 - z) n + z h,   n = tanh(W_in x + b_in + r (W_hn h + b_hn)),   r, z sigmoids

    x (N, I), h (N, H), weight_ih (3 H, I), weight_hh (3 H, H)  ->  h (N, H)
    Without the axis N too. Raises ValueError for shapes that do not fit,
    TypeError for other kinds.
    Source: chapter 9, equation (gru_cell); Cho et al. (2014).
    """
    return _cell("gru_cell", "gru", x, {"h": h}, weight_ih, weight_hh, bias_ih, bias_hh)[0]


def _cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh):
    """One step is an unrolling with T = 1; without a batch axis it is a batch of one."""
    _check_cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh)
    if x.ndim not in (1, 2):
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, I) or (I,)")
    lead = (0, 1) if x.ndim == 1 else 1
    parts = tuple(expand_dims(s, 0) if x.ndim == 1 else s for s in state.values())
    out = unroll(kind, expand_dims(x, lead), parts, weight_ih, weight_hh, bias_ih, bias_hh, None)[:-1]
    return tuple(s[1, 0] if x.ndim == 1 else s[1] for s in out)


# --- checks of arguments ----------------------------------------------------------------------------


def _check_cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr=None):
    """All shapes of one step against each other; x and state have a batch axis or neither has."""
    arrays = {"x": x, **state, "weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    arrays |= {} if weight_hr is None else {"weight_hr": weight_hr}
    check_floating(function, **{name: plain(a) for name, a in arrays.items()})
    if weight_hh.ndim != 2 or (weight_hr is None and weight_hh.shape[0] != GATES[kind] * weight_hh.shape[1]):
        raise ValueError(f"{function}: weight_hh has shape {weight_hh.shape}, expected ({GATES[kind]} H, H)")
    rows, width = weight_hh.shape
    widths = (width, rows // GATES[kind])  # of h, and of c: they differ where h is projected
    expected = {"weight_ih": (rows, x.shape[-1] if x.ndim else 0), "bias_ih": (rows,), "bias_hh": (rows,)}
    expected |= {name: (*x.shape[:-1], w) for name, w in zip(state, widths, strict=False)}
    expected |= {} if weight_hr is None else {"weight_hr": widths}
    for name, shape in expected.items():
        if arrays[name] is not None and arrays[name].shape != shape:
            raise ValueError(f"{function}: {name} has shape {arrays[name].shape}, expected {shape}")


def _two(function, state):
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise TypeError(f"{function}: state is a {type(state).__name__}, expected a tuple (h, c)")
    return state


def _rnn_kind(function, nonlinearity):
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{function}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return f"rnn_{nonlinearity}"
