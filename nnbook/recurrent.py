"""Recurrent networks: one step applied over and over, its gradients sent back through time.

All three kinds share one unrolling. A kind says how large its state is, how one step
goes (`step`) and how the gradient of one step goes back (`back`); everything else, the
projection of all inputs at once, masks, layers, directions, is written once. Derived in
chapter 8 (rnn) and chapter 9 (lstm, gru).
"""

import numpy as np

from .activations import _sigmoid
from .arrays import concatenate, expand_dims, flip, squeeze, stack, transpose, where
from .checks import check_floating, check_integers
from .tape import plain, primitive

__all__ = ["gru", "gru_cell", "init_gru", "init_lstm", "init_rnn", "lstm", "lstm_cell", "rnn", "rnn_cell"]

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


# --- one step, forward and backward -----------------------------------------------------------------
# a (N, gates H) is the projected input, b (N, gates H) the projected state; both hold their biases.
# `step` returns the new state and what the backward step needs; `back` returns da, db and the gradient
# that reaches the old state without passing through b.


def _rnn_tanh_step(a, b, state):
    h = np.tanh(a + b)
    return (h,), h

def _rnn_tanh_back(dstate, h, state):
    """da = dh (1 - h^2)"""
    da = dstate[0] * (1 - h * h)
    return da, da, (0,)


def _rnn_relu_step(a, b, state):
    h = np.maximum(a + b, 0)
    return (h,), h

def _rnn_relu_back(dstate, h, state):
    """da = dh where h > 0"""
    da = dstate[0] * (h > 0)
    return da, da, (0,)


def _lstm_step(a, b, state):
    """c' = f c + i g,  h' = o tanh(c')"""
    i, f, g, o = np.split(a + b, 4, axis=-1)
    i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
    c = f * state[1] + i * g
    tanh_c = np.tanh(c)
    return (o * tanh_c, c), (i, f, g, o, tanh_c)

def _lstm_back(dstate, saved, state):
    """dc' += dh' o (1 - tanh(c')^2); then each gate's share, and dc = dc' f"""
    (dh, dc), (i, f, g, o, tanh_c) = dstate, saved
    dc = dc + dh * o * (1 - tanh_c * tanh_c)
    da = np.concatenate([dc * g * i * (1 - i), dc * state[1] * f * (1 - f),
                         dc * i * (1 - g * g), dh * tanh_c * o * (1 - o)], axis=-1)
    return da, da, (0, dc * f)


def _gru_step(a, b, state):
    """n = tanh(a_n + r b_n),  h' = (1 - z) n + z h"""
    (a_r, a_z, a_n), (b_r, b_z, b_n) = np.split(a, 3, axis=-1), np.split(b, 3, axis=-1)
    r, z = _sigmoid(a_r + b_r), _sigmoid(a_z + b_z)
    n = np.tanh(a_n + r * b_n)
    return ((1 - z) * n + z * state[0],), (r, z, n, b_n)

def _gru_back(dstate, saved, state):
    """The candidate's share passes r on its way to b; dh = dh' z reaches the old state directly"""
    (dh,), (r, z, n, b_n) = dstate, saved
    da_n = dh * (1 - z) * (1 - n * n)
    da_r, da_z = da_n * b_n * r * (1 - r), dh * (state[0] - n) * z * (1 - z)
    return (np.concatenate([da_r, da_z, da_n], axis=-1), np.concatenate([da_r, da_z, da_n * r], axis=-1), (dh * z,))


STEP = {"rnn_tanh": (_rnn_tanh_step, _rnn_tanh_back), "rnn_relu": (_rnn_relu_step, _rnn_relu_back),
        "lstm": (_lstm_step, _lstm_back), "gru": (_gru_step, _gru_back)}


# --- all steps of one layer in one direction --------------------------------------------------------


def _choose(alive, new, old):
    """The new state where a sequence still lasts, the old one where it has ended."""
    return tuple(np.where(alive, n, o) for n, o in zip(new, old, strict=True))


@primitive
def unroll(kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh, alive):
    """Apply one step T times; the primitive under rnn, lstm, gru and their cells.

        state_t = step(W_ih x_t + b_ih, W_hh h_{t-1} + b_hh, state_{t-1}),  t = 1 ... T

    x (N, T, I), `state` a tuple of arrays (N, H), alive (N, T, 1) of booleans or None:
    where it is False the state stays as it was. Returns the states at all times 0 ...
    T, one array (T + 1, N, H) for each part of the state, and the list of what the
    steps saved.
    """
    step, _ = STEP[kind]
    N, T, _ = x.shape
    a = x.reshape(N * T, x.shape[-1]) @ weight_ih.T  # all time steps at once
    a = (a if bias_ih is None else a + bias_ih).reshape(N, T, weight_ih.shape[0])
    w, states, saved = np.ascontiguousarray(weight_hh.T), [tuple(state)], []
    for t in range(T):
        old = states[-1]
        b = old[0] @ w if bias_hh is None else old[0] @ w + bias_hh
        new, kept = step(a[:, t], b, old)
        if alive is not None:
            new = _choose(alive[:, t], new, old)
        states.append(new)
        saved.append(kept)
    return (*(np.stack(part) for part in zip(*states, strict=True)), saved)

@unroll.defvjp
def unroll_vjp(dy, y, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh, alive):
    """dh_t = (what the loss sends to t) + W_hh^T db_{t+1}: the delta recurrence."""
    _, back = STEP[kind]
    (*states, saved), T = y, x.shape[1]
    direct = [np.zeros_like(s) if d is None else d
              for d, s in zip(dy[:-1], states, strict=True)]
    dstate = tuple(d[T] for d in direct)
    da, db = ([None] * T for _ in "ab")
    for t in reversed(range(T)):
        old = tuple(s[t] for s in states)
        zero = (0,) * len(dstate)
        live = dstate if alive is None else _choose(alive[:, t], dstate, zero)
        da[t], db[t], through = back(live, saved[t], old)
        through = (through[0] + db[t] @ weight_hh, *through[1:])
        if alive is not None:  # a frozen state hands its gradient straight on
            frozen = _choose(alive[:, t], zero, dstate)
            through = tuple(p + d for p, d in zip(through, frozen, strict=True))
        dstate = tuple(d[t] + p for d, p in zip(direct, through, strict=True))
    grads = _collect(da, db, x, states[0], weight_ih, weight_hh, bias_ih, bias_hh)
    return None, grads[0], dstate, *grads[1:]


def _collect(da, db, x, h, weight_ih, weight_hh, bias_ih, bias_hh):
    """dx_t = W_ih^T da_t,  dW_ih = sum_t da_t x_t^T,  dW_hh = sum_t db_t h_{t-1}^T."""
    (N, T, I), (rows, H) = x.shape, weight_hh.shape
    da, db = (np.stack(d).reshape(T * N, rows) for d in (da, db))
    dx = np.swapaxes((da @ weight_ih).reshape(T, N, I), 0, 1)
    dweight_ih = da.T @ np.swapaxes(x, 0, 1).reshape(T * N, I)
    dweight_hh = db.T @ h[:T].reshape(T * N, H)
    dbias_ih = None if bias_ih is None else da.sum(axis=0)
    dbias_hh = None if bias_hh is None else db.sum(axis=0)
    return dx, dweight_ih, dweight_hh, dbias_ih, dbias_hh


# --- cells ------------------------------------------------------------------------------------------


def _check_cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh):
    """All shapes of one step against each other; x and state have a batch axis or neither has."""
    arrays = {"x": x, **state, "weight_ih": weight_ih, "weight_hh": weight_hh, "bias_ih": bias_ih, "bias_hh": bias_hh}
    check_floating(function, **{name: plain(a) for name, a in arrays.items()})
    if weight_hh.ndim != 2 or weight_hh.shape[0] != GATES[kind] * weight_hh.shape[1]:
        raise ValueError(f"{function}: weight_hh has shape {weight_hh.shape}, expected ({GATES[kind]} H, H)")
    rows, H = weight_hh.shape
    expected = {"weight_ih": (rows, x.shape[-1] if x.ndim else 0), "bias_ih": (rows,), "bias_hh": (rows,)}
    expected |= dict.fromkeys(state, (*x.shape[:-1], H))
    for name, shape in expected.items():
        if arrays[name] is not None and arrays[name].shape != shape:
            raise ValueError(f"{function}: {name} has shape {arrays[name].shape}, expected {shape}")


def _cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh):
    """One step is an unrolling with T = 1; without a batch axis it is a batch of one."""
    _check_cell(function, kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh)
    if x.ndim not in (1, 2):
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, I) or (I,)")
    lead = (0, 1) if x.ndim == 1 else 1
    parts = tuple(expand_dims(s, 0) if x.ndim == 1 else s for s in state.values())
    out = unroll(kind, expand_dims(x, lead), parts, weight_ih, weight_hh, bias_ih, bias_hh, None)[:-1]
    return tuple(s[1, 0] if x.ndim == 1 else s[1] for s in out)


def rnn_cell(x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None,
             nonlinearity="tanh"):
    """One step of a plain recurrent network.

        h'_nk = tanh(sum_i weight_ih_ki x_ni + bias_ih_k
                     + sum_j weight_hh_kj h_nj + bias_hh_k)

    x (N, I), h (N, H), weight_ih (H, I), weight_hh (H, H)  ->  h_new (N, H)
    Without the axis N too. `nonlinearity` is "tanh" or "relu". Raises ValueError for
    shapes that do not fit, TypeError unless all are floating point of one dtype.
    Source: chapter 8, equation (rnn_cell); Elman (1990).
    """
    kind = _rnn_kind("rnn_cell", nonlinearity)
    weights = weight_ih, weight_hh, bias_ih, bias_hh
    return _cell("rnn_cell", kind, x, {"h": h}, *weights)[0]


def lstm_cell(x, state, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """One step of a long short-term memory; the rows of the weights are the gates i, f, g, o.

        c' = f c + i g,   h' = o tanh(c'),   i, f, o = sigmoid(W_ih x + b_ih + W_hh h + b_hh), g its tanh

    x (N, I), state ((N, H), (N, H)), weight_ih (4 H, I), weight_hh (4 H, H)  ->  (h', c')
    Without the axis N too. Raises ValueError for shapes that do not fit, TypeError for
    other kinds.
    Source: chapter 9, equation (lstm_cell); Hochreiter and Schmidhuber (1997), Gers et
    al. (2000).
    """
    h, c = _two("lstm_cell", state)
    return _cell("lstm_cell", "lstm", x, {"h": h, "c": c}, weight_ih, weight_hh, bias_ih, bias_hh)


def gru_cell(x, h, weight_ih, weight_hh, bias_ih=None, bias_hh=None):
    """One step of a gated recurrent unit, torch's variant; the rows of the weights are r, z, n.

        h' = (1 - z) n + z h,   n = tanh(W_in x + b_in + r (W_hn h + b_hn)),   r, z sigmoids

    x (N, I), h (N, H), weight_ih (3 H, I), weight_hh (3 H, H)  ->  h (N, H)
    Without the axis N too. Raises ValueError for shapes that do not fit, TypeError for
    other kinds.
    Source: chapter 9, equation (gru_cell); Cho et al. (2014).
    """
    return _cell("gru_cell", "gru", x, {"h": h}, weight_ih, weight_hh, bias_ih, bias_hh)[0]


def _two(function, state):
    if not isinstance(state, tuple | list) or len(state) != 2:
        raise TypeError(f"{function}: state is a {type(state).__name__}, expected a tuple (h, c)")
    return state


def _rnn_kind(function, nonlinearity):
    if nonlinearity not in ("tanh", "relu"):
        raise ValueError(f"{function}: nonlinearity is {nonlinearity!r}, expected 'tanh' or 'relu'")
    return f"rnn_{nonlinearity}"


# --- sequences --------------------------------------------------------------------------------------


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


def init_rnn(input_size, hidden_size, rng, num_layers=1, bidirectional=False, bias=True, dtype=np.float64):
    """Parameters for `rnn`, drawn as torch.nn.RNN draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(1, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


def rnn(x, params, state=None, lengths=None, nonlinearity="tanh"):
    """A plain recurrent network over a whole sequence, with the layers of params.

        h_t = tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state (1, N, H)
    Without the axis N too. `params` holds torch's names weight_ih_l0 (H, I),
    weight_hh_l0 (H, H), bias_ih_l0 (H,), bias_hh_l0 (H,), then _l0_reverse, _l1 ...;
    biases may be absent. `state` (layers * directions, N, H) is zero unless given.
    `lengths` (N,) of integers: outputs beyond a sequence's end are zero, and its last
    state is that at its end. Raises ValueError for shapes or names that do not fit,
    TypeError for other kinds.
    Source: chapter 8, equation (rnn); Elman (1990), Werbos (1990).
    """
    kind = _rnn_kind("rnn", nonlinearity)
    state = None if state is None else (state,)
    outputs, state = _sequence("rnn", kind, x, params, state, lengths)
    return outputs, state[0]


def init_lstm(input_size, hidden_size, rng, num_layers=1, bidirectional=False, bias=True, dtype=np.float64):
    """Parameters for `lstm`, drawn as torch.nn.LSTM draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(4, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


def lstm(x, params, state=None, lengths=None):
    """A long short-term memory over a whole sequence; the rows of the weights are the gates i, f, g, o.

        (h_t, c_t) = lstm_cell(x_t, (h_{t-1}, c_{t-1})),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state ((1, N, H), (1, N, H))
    Arguments and errors are those of `rnn`; the state is a tuple (h, c).
    Source: chapter 9, equation (lstm); Hochreiter and Schmidhuber (1997).
    """
    return _sequence("lstm", "lstm", x, params, None if state is None else tuple(_two("lstm", state)), lengths)


def init_gru(input_size, hidden_size, rng, num_layers=1, bidirectional=False, bias=True, dtype=np.float64):
    """Parameters for `gru`, drawn as torch.nn.GRU draws them: all ~ U(-1 / sqrt(H), 1 / sqrt(H))."""
    return _init(3, input_size, hidden_size, rng, num_layers, bidirectional, bias, dtype)


def gru(x, params, state=None, lengths=None):
    """A gated recurrent unit over a whole sequence; the rows of the weights are r, z, n.

        h_t = gru_cell(x_t, h_{t-1}),  t = 1 ... T

    x (N, T, I)  ->  outputs (N, T, H), state (1, N, H)
    Arguments and errors are those of `rnn`.
    Source: chapter 9, equation (gru); Cho et al. (2014).
    """
    outputs, state = _sequence("gru", "gru", x, params, None if state is None else (state,), lengths)
    return outputs, state[0]


def _form(function, params):
    """(layers, directions, H) as the names in params tell; every other name is an error."""
    if not isinstance(params, dict):
        raise TypeError(f"{function}: params is a {type(params).__name__}, expected a dict of arrays")
    for name, a in params.items():
        check_floating(function, **{f"params[{name!r}]": plain(a)})
    layers = 0
    while f"weight_ih_l{layers}" in params:
        layers += 1
    directions = 2 if "weight_ih_l0_reverse" in params else 1
    known = {f"{kind}_{suffix}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
             for layer in range(layers) for suffix in _suffixes(layer, directions)}
    needed = {name for name in known if name.startswith("weight")}
    if not layers or not needed <= params.keys() <= known:
        raise ValueError(f"{function}: params has the keys {sorted(params)}, expected weight_ih_l0, weight_hh_l0 and, "
                         f"if wanted, bias_*, *_reverse, *_l1 ... (missing {sorted(needed - params.keys())}, "
                         f"unknown {sorted(params.keys() - known)})")
    return layers, directions, params["weight_hh_l0"].shape[-1]


def _sequence(function, kind, x, params, state, lengths):
    """Layers on layers; the directions of one layer side by side."""
    check_floating(function, x=plain(x))
    layers, directions, H = _form(function, params)
    if x.ndim == 2:
        return _unbatched(function, kind, x, params, state, lengths)
    if x.ndim != 3 or x.shape[1] == 0:
        raise ValueError(f"{function}: x has shape {x.shape}, expected (N, T, I) or (T, I) with T at least 1")
    alive = _alive(function, x, lengths)
    state = _initial(function, x, state, kind, (layers * directions, x.shape[0], H))
    last = []
    for layer in range(layers):
        outputs = []
        for d, suffix in enumerate(_suffixes(layer, directions)):
            weights = [params.get(f"{name}_{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
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
    states = unroll(kind, x, begin, *weights, alive)[:-1]
    out = transpose(states[0][1:], (1, 0, 2))
    if alive is not None:
        out = where(alive, out, np.zeros((), out.dtype))
    return flip(out, 1) if reverse else out, tuple(s[-1] for s in states)


def _check_layer(function, kind, suffix, x, begin, weights):
    try:
        _check_cell(function, kind, x[:, 0], {f"h_{i}": s for i, s in enumerate(begin)}, *weights)
    except ValueError as e:
        raise ValueError(f"{e} (in layer {suffix})") from None


def _alive(function, x, lengths):
    """(N, T, 1): True where a sequence has not ended; None where all are of full length."""
    if lengths is None:
        return None
    lengths = np.asarray(lengths)
    check_integers(function, lengths=lengths)
    N, T, _ = x.shape
    if lengths.shape != (N,) or (N and not (lengths.min() >= 1 and lengths.max() <= T)):
        raise ValueError(f"{function}: lengths is {lengths.tolist()}, expected {N} integers from 1 to {T}")
    return (np.arange(T) < lengths[:, None])[..., None]


def _initial(function, x, state, kind, shape):
    parts = 2 if kind == "lstm" else 1
    if state is None:
        return (np.zeros(shape, x.dtype),) * parts
    for part in state:
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
