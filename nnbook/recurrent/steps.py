"""One step of each kind of recurrent network, forward and backward.

a (N, gates H) is the projected input, b (N, gates H) the projected state; both hold their biases. `step`
returns the new state and what the backward step needs; `back` returns da, db and the gradient that reaches
the old state without passing through b.
"""

import numpy as np

from ..activations import _sigmoid

GATES = {"rnn_tanh": 1, "rnn_relu": 1, "lstm": 4, "gru": 3}


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
