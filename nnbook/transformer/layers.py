"""The two kinds of layer. A residual stream x runs through; each sublayer reads it and adds to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..attention import init_multi_head_attention
from ..layers import init_linear
from ..tape import quiet
from ..types import Array, Params
from .blocks import attention, feed_forward, init_norm, residual
from .checks import (
    DECODER_LAYER,
    ENCODER_LAYER,
    check_heads,
    check_params,
    check_sequences,
    check_settings,
    prepare_mask,
)

__all__ = ["decoder_layer", "encoder_layer", "init_decoder_layer", "init_encoder_layer"]


def init_encoder_layer(d_model: int, num_heads: int, dim_feedforward: int,
                       rng: np.random.Generator, bias: bool = True,
                       dtype: type = np.float64) -> Params:
    """Parameters for `encoder_layer`, drawn as torch draws them.

    Their names are those of torch.nn.TransformerEncoderLayer. Raises
    ValueError unless num_heads divides d_model.
    """
    check_heads("init_encoder_layer", num_heads, d_model)
    D, F, how = d_model, dim_feedforward, (rng, bias, dtype)
    return {"self_attn": init_multi_head_attention(D, num_heads, *how),
            "linear1": init_linear(D, F, *how),
            "linear2": init_linear(F, D, *how),
            "norm1": init_norm(D, bias, dtype),
            "norm2": init_norm(D, bias, dtype)}


@quiet
def encoder_layer(x: Array, params: Params, num_heads: int,
                  norm_first: bool = False,
                  activation: str | Callable[[Array], Array] = "relu",
                  mask: Array | None = None, is_causal: bool = False,
                  dropout_p: float = 0.0,
                  rng: np.random.Generator | None = None,
                  eps: float = 1e-5) -> Array:
    """Positions look at each other, then each thinks by itself.

        x = norm1(x + attention(x, x)),  y = norm2(x + feed_forward(x))
        feed_forward(x) = activation(x W_1^T + b_1) W_2^T + b_2
        with norm_first each is  x + f(norm(x))  instead of  norm(x + f(x))

    x (N, T, D)  ->  y (N, T, D)
    Without the axis N too. `params` is the state_dict of
    torch.nn.TransformerEncoderLayer in nested dicts; biases may be absent.
    `mask` is what multi_head_attention takes, True = attend; a padding mask
    is valid[:, None, None, :]. `is_causal` lets t see s <= t and may stand
    beside a mask. A row that may attend to nothing gets zeros from the heads.
    `rng` drops as torch's layer does in training; without one nothing is
    dropped. Raises ValueError for shapes, keys and ranges, TypeError for
    kinds that do not fit.
    Source: chapter 12, equation (encoder_layer); Vaswani et al. (2017), Xiong
    et al. (2020).
    """
    name = "encoder_layer"
    check_sequences(name, x=x)
    check_settings(name, num_heads, activation, dropout_p, rng, x.shape[-1])
    check_params(name, ENCODER_LAYER, params, x)
    mask = prepare_mask(name, "mask", mask, is_causal, num_heads, x, x)
    add = residual(params, norm_first, eps, dropout_p, rng)
    x = add(x, "norm1", lambda h: attention(
        h, h, params["self_attn"], num_heads, mask, dropout_p, rng))
    return add(x, "norm2", lambda h: feed_forward(
        h, params, activation, dropout_p, rng))


def init_decoder_layer(d_model: int, num_heads: int, dim_feedforward: int,
                       rng: np.random.Generator, bias: bool = True,
                       dtype: type = np.float64) -> Params:
    """Parameters for `decoder_layer`, drawn as torch draws them.

    Their names are those of torch.nn.TransformerDecoderLayer. Raises
    ValueError unless num_heads divides d_model.
    """
    check_heads("init_decoder_layer", num_heads, d_model)
    D, how = d_model, (rng, bias, dtype)
    return init_encoder_layer(D, num_heads, dim_feedforward, *how) | {
        "multihead_attn": init_multi_head_attention(D, num_heads, *how),
        "norm3": init_norm(D, bias, dtype)}


@quiet
def decoder_layer(x: Array, memory: Array, params: Params, num_heads: int,
                  norm_first: bool = False,
                  activation: str | Callable[[Array], Array] = "relu",
                  mask: Array | None = None, memory_mask: Array | None = None,
                  is_causal: bool = False, dropout_p: float = 0.0,
                  rng: np.random.Generator | None = None,
                  eps: float = 1e-5) -> Array:
    """Positions look at each other, then at the encoder's memory, then think.

        x = norm1(x + attention(x, x)),  x = norm2(x + attention(x, memory)),
        y = norm3(x + feed_forward(x));  with norm_first each  x + f(norm(x))

    x (N, T, D), memory (N, S, D)  ->  y (N, T, D)
    Without the axis N too. `params` is the state_dict of
    torch.nn.TransformerDecoderLayer in nested dicts; biases may be absent.
    `memory_mask` broadcasts to (N, H, T, S). All other arguments and the
    errors are those of encoder_layer.
    Source: chapter 12, equation (decoder_layer); Vaswani et al. (2017).
    """
    name = "decoder_layer"
    check_sequences(name, x=x, memory=memory)
    check_settings(name, num_heads, activation, dropout_p, rng, x.shape[-1])
    check_params(name, DECODER_LAYER, params, x)
    mask = prepare_mask(name, "mask", mask, is_causal, num_heads, x, x)
    memory_mask = prepare_mask(name, "memory_mask", memory_mask, False,
                               num_heads, x, memory)
    add = residual(params, norm_first, eps, dropout_p, rng)
    x = add(x, "norm1", lambda h: attention(
        h, h, params["self_attn"], num_heads, mask, dropout_p, rng))
    x = add(x, "norm2", lambda h: attention(
        h, memory, params["multihead_attn"], num_heads, memory_mask,
        dropout_p, rng))
    return add(x, "norm3", lambda h: feed_forward(
        h, params, activation, dropout_p, rng))
