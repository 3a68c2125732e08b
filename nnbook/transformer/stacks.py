"""Layers piled up: the encoder, the decoder, and both as one model that reads and writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..autodiff import tree_map
from ..layers import init_xavier_uniform
from ..normalization import layer_norm
from ..tape import quiet
from ..types import Array, Params
from .blocks import init_norm
from .checks import (
    DECODER_LAYER,
    ENCODER_LAYER,
    check_heads,
    check_params,
    check_sequences,
    check_settings,
    check_stack,
    prepare_mask,
)
from .layers import decoder_layer, encoder_layer, init_decoder_layer, init_encoder_layer

__all__ = ["init_transformer", "transformer", "transformer_decoder", "transformer_encoder"]


def final_norm(x, params, eps):
    """Pre-norm layers leave the stream without a norm at its end: `params` may hold one."""
    return layer_norm(x, x.shape[-1:], **params["norm"], eps=eps) if "norm" in params else x


@quiet
def transformer_encoder(x: Array, params: Params, num_heads: int,
                        norm_first: bool = False,
                        activation: str | Callable[[Array], Array] = "relu",
                        mask: Array | None = None, is_causal: bool = False,
                        dropout_p: float = 0.0,
                        rng: np.random.Generator | None = None,
                        eps: float = 1e-5) -> Array:
    """Encoder layers one after another, and a norm at the end if there is.

        x^0 = x,  x^l = encoder_layer_l(x^{l-1}),  y = norm(x^L)

    x (N, T, D)  ->  y (N, T, D)
    `params` is {"layers": {"0": ..., "1": ...}, "norm": ...} as
    torch.nn.TransformerEncoder names them; norm may be absent. `is_causal`
    makes it the body of a GPT. All other arguments and the errors are those
    of encoder_layer. Raises ValueError or TypeError that names the layer.
    Source: chapter 12, equation (transformer_encoder); Vaswani et al. (2017).
    """
    check_sequences("transformer_encoder", x=x)
    for layer in check_stack("transformer_encoder", ENCODER_LAYER, params, x):
        x = encoder_layer(x, layer, num_heads, norm_first, activation, mask,
                          is_causal, dropout_p, rng, eps)
    return final_norm(x, params, eps)


@quiet
def transformer_decoder(x: Array, memory: Array, params: Params,
                        num_heads: int, norm_first: bool = False,
                        activation: str | Callable[[Array], Array] = "relu",
                        mask: Array | None = None,
                        memory_mask: Array | None = None,
                        is_causal: bool = False, dropout_p: float = 0.0,
                        rng: np.random.Generator | None = None,
                        eps: float = 1e-5) -> Array:
    """Decoder layers one after another, all of which look at the same memory.

        x^0 = x,  x^l = decoder_layer_l(x^{l-1}, memory),  y = norm(x^L)

    x (N, T, D), memory (N, S, D)  ->  y (N, T, D)
    `params` is {"layers": {"0": ..., "1": ...}, "norm": ...} as
    torch.nn.TransformerDecoder names them; norm may be absent. All other
    arguments and the errors are those of decoder_layer.
    Source: chapter 12, equation (transformer_decoder); Vaswani et al. (2017).
    """
    check_sequences("transformer_decoder", x=x, memory=memory)
    for layer in check_stack("transformer_decoder", DECODER_LAYER, params, x):
        x = decoder_layer(x, memory, layer, num_heads, norm_first, activation,
                          mask, memory_mask, is_causal, dropout_p, rng, eps)
    return final_norm(x, params, eps)


def init_transformer(d_model: int, num_heads: int, num_encoder_layers: int,
                     num_decoder_layers: int, dim_feedforward: int,
                     rng: np.random.Generator, bias: bool = True,
                     dtype: type = np.float64) -> Params:
    """Parameters for `transformer`, drawn as torch.nn.Transformer draws them.

    Every matrix is Glorot-uniform, the other parameters are those of the
    layers. Raises ValueError unless num_heads divides d_model.
    """
    check_heads("init_transformer", num_heads, d_model)

    def stack(init, depth):
        layers = {str(i): init(d_model, num_heads, dim_feedforward, rng, bias,
                               dtype) for i in range(depth)}
        return {"layers": tree_map(glorot, layers),
                "norm": init_norm(d_model, bias, dtype)}

    def glorot(a):
        if a.ndim < 2:
            return a
        return init_xavier_uniform(a.shape, rng, dtype=dtype)

    return {"encoder": stack(init_encoder_layer, num_encoder_layers),
            "decoder": stack(init_decoder_layer, num_decoder_layers)}


@quiet
def transformer(src: Array, tgt: Array, params: Params, num_heads: int,
                norm_first: bool = False,
                activation: str | Callable[[Array], Array] = "relu",
                src_mask: Array | None = None, tgt_mask: Array | None = None,
                memory_mask: Array | None = None, tgt_is_causal: bool = False,
                dropout_p: float = 0.0,
                rng: np.random.Generator | None = None,
                eps: float = 1e-5) -> Array:
    """Read the source, then write the target with the source in view.

        y = decoder(tgt, encoder(src))

    src (N, S, D), tgt (N, T, D)  ->  y (N, T, D)
    Without the axis N too. `params` is {"encoder": ..., "decoder": ...} as
    torch.nn.Transformer names them. The masks are (S, S), (T, T) and (T, S),
    or broadcast to those with N and H in front; True = attend.
    `tgt_is_causal` lets t see s <= t of the target and may stand beside a
    mask. All other arguments and the errors are those of encoder_layer.
    Source: chapter 12, equation (transformer); Vaswani et al. (2017).
    """
    name = "transformer"
    check_sequences(name, src=src, tgt=tgt)
    check_params(name, {"encoder": None, "decoder": None}, params, src)
    check_settings(name, num_heads, activation, dropout_p, rng, src.shape[-1])
    src_mask = prepare_mask(name, "src_mask", src_mask, False, num_heads,
                            src, src)
    tgt_mask = prepare_mask(name, "tgt_mask", tgt_mask, tgt_is_causal,
                            num_heads, tgt, tgt)
    memory_mask = prepare_mask(name, "memory_mask", memory_mask, False,
                               num_heads, tgt, src)
    memory = transformer_encoder(
        src, params["encoder"], num_heads, norm_first, activation, src_mask,
        False, dropout_p, rng, eps)
    return transformer_decoder(
        tgt, memory, params["decoder"], num_heads, norm_first, activation,
        tgt_mask, memory_mask, False, dropout_p, rng, eps)
