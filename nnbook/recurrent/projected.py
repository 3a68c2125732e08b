"""The long short-term memory whose output is projected to fewer numbers before it comes back (Sak et al., 2014)."""

from ..activations import sigmoid, tanh
from ..arrays import split, stack, where
from ..layers import linear


def unroll_projected(x, state, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, alive):
    """An LSTM with h' = W_hr (o tanh(c')), composed of primitives; the states at all times, as `unroll` gives them."""
    states, a = [state], linear(x, weight_ih, bias_ih)
    for t in range(x.shape[1]):
        h, c = states[-1]
        i, f, g, o = split(a[:, t] + linear(h, weight_hh, bias_hh), 4, -1)
        c_new = sigmoid(f) * c + sigmoid(i) * tanh(g)
        h_new = linear(sigmoid(o) * tanh(c_new), weight_hr)
        if alive is not None:
            h_new, c_new = where(alive[:, t], h_new, h), where(alive[:, t], c_new, c)
        states.append((h_new, c_new))
    return tuple(stack(list(part)) for part in zip(*states, strict=True))
