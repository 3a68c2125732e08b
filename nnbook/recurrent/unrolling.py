"""All steps of one layer in one direction, and their gradients sent back through time."""

import numpy as np

from ..tape import primitive, quiet
from .steps import STEP


def _choose(alive, new, old):
    """The new state where a sequence still lasts, the old one where it has ended."""
    return tuple(np.where(alive, n, o) for n, o in zip(new, old, strict=True))


@primitive
@quiet
def unroll(kind, x, state, weight_ih, weight_hh, bias_ih, bias_hh, alive):
    """Apply one step T times; the primitive under rnn, lstm, gru and their cells.

        state_t = step(W_ih x_t + b_ih, W_hh h_{t-1} + b_hh, state_{t-1}),  t = 1 ... T

    x (N, T, I), `state` a tuple of arrays (N, H), alive (N, T, 1) of booleans
    or None: where it is False the state stays as it was. Returns the states
    at all times 0 ... T, one array (T + 1, N, H) for each part of the state,
    and the list of what the steps saved.
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
