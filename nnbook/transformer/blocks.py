"""What both kinds of layer share: attention between projected heads, the small network, the residual stream."""

import numpy as np

from ..activations import gelu, relu
from ..arrays import expand_dims, split, squeeze
from ..attention.multi_head import _join_heads, _split_heads
from ..attention.scaled import _attend, _dropout_mask
from ..layers import dropout, linear
from ..normalization import init_layer_norm, layer_norm

__all__ = ["ACTIVATIONS", "attend", "attention", "feed_forward", "init_norm", "keys_values", "residual"]

ACTIVATIONS = {"relu": relu, "gelu": gelu}


def _in_proj(x, params, rows):
    bias = params.get("in_proj_bias")
    return linear(x, params["in_proj_weight"][rows], None if bias is None else bias[rows])


def keys_values(source, params, num_heads):
    """What positions offer to those who look: source (N, S, D)  ->  keys, values (N, H, S, D / H)."""
    both = _in_proj(source, params, slice(source.shape[-1], None))
    keys, values = split(both, 2, axis=-1)
    return _split_heads(keys, num_heads), _split_heads(values, num_heads)


def attend(x, keys, values, params, mask=None, dropout_p=0.0, rng=None):
    """Every position of x (N, T, D) looks at `keys` and takes from `values`, head by head."""
    (N, T, D), (_, H, S, _) = x.shape, keys.shape
    query = _split_heads(_in_proj(x, params, slice(D)), H)
    drop = None if rng is None else _dropout_mask("attention", dropout_p, rng, (N, H, T, S), x.dtype)
    y, _ = _attend(query, keys, values, mask, drop, (D // H) ** -0.5)
    return linear(_join_heads(y), **params["out_proj"])


def attention(x, source, params, num_heads, mask, dropout_p, rng):
    """multi_head_attention(x, source, source) with dropout of the probabilities; (T, D) is one sequence."""
    if x.ndim == 2:
        x, source = expand_dims(x, 0), expand_dims(source, 0)
        return squeeze(attention(x, source, params, num_heads, mask, dropout_p, rng), 0)
    return attend(x, *keys_values(source, params, num_heads), params, mask, dropout_p, rng)


def feed_forward(x, params, activation, dropout_p, rng):
    """W2 dropout(activation(W1 x)), at each position by itself."""
    hidden = ACTIVATIONS.get(activation, activation)(linear(x, **params["linear1"]))
    return linear(dropout(hidden, dropout_p, rng), **params["linear2"])


def init_norm(d_model, bias=True, dtype=np.float64):
    """Parameters of a layer norm that changes nothing yet, with or without the bias."""
    params = init_layer_norm(d_model, dtype=dtype)
    return params if bias else {"weight": params["weight"]}


def residual(params, norm_first, eps, dropout_p=0.0, rng=None):
    """The way around a sublayer f: `add(x, norm, f)` is x + f(norm(x)), or norm(x + f(x))."""
    def normed(x, norm):
        return layer_norm(x, x.shape[-1:], **params[norm], eps=eps)

    def add(x, norm, f):
        if norm_first:
            return x + dropout(f(normed(x, norm)), dropout_p, rng)
        return normed(x + dropout(f(x), dropout_p, rng), norm)

    return add
