"""The encoder: three embeddings in one sum, layers of attention and feed-forward, a pooler on the first token."""

from __future__ import annotations

import numpy as np

from ..activations import tanh
from ..attention import scaled_dot_product_attention
from ..attention.multi_head import _join_heads, _split_heads
from ..checks import per_axis
from ..layers import dropout, embedding, linear
from ..layers.noise import check_dropout
from ..normalization import layer_norm
from ..tape import quiet
from ..transformer.checks import check_heads, prepare_mask
from ..types import Array, DType, Params
from .arguments import Activation, Rng, activation_function, padding_mask
from .checks import check_hidden, check_ids
from .parameters import EMBEDDINGS, LAYER, POOLER, check_bert, check_params, draw

__all__ = ["bert", "bert_embeddings", "bert_layer", "bert_pooler", "init_bert"]


# --- the whole --------------------------------------------------------------------------------------


def init_bert(vocab_size: int, d_model: int, num_layers: int, num_heads: int,
              dim_feedforward: int, rng: np.random.Generator,
              max_positions: int = 512, type_vocab_size: int = 2,
              padding_idx: int | None = 0, pooler: bool = True,
              std: float = 0.02, dtype: DType = np.float64) -> Params:
    """Parameters for `bert`, drawn as Hugging Face draws them.

        w ~ N(0, std^2);  biases 0, LayerNorm 1 and 0, word `padding_idx` 0

    Raises ValueError for sizes below 1, or unless num_heads divides d_model
    and padding_idx is a word.
    """
    sizes = {"V": vocab_size, "D": d_model, "F": dim_feedforward,
             "P": max_positions, "S": type_vocab_size}
    _check_init(sizes, num_layers, num_heads, padding_idx)
    embeddings = draw(EMBEDDINGS, sizes, rng, std, dtype)
    if padding_idx is not None:
        embeddings["word_embeddings"]["weight"][padding_idx] = 0
    layers = {str(i): draw(LAYER, sizes, rng, std, dtype)
              for i in range(num_layers)}
    top = {"pooler": draw(POOLER, sizes, rng, std, dtype)} if pooler else {}
    return {"embeddings": embeddings, "encoder": {"layer": layers}, **top}


def _check_init(sizes: dict[str, int], num_layers: int, num_heads: int, padding_idx: int | None) -> None:
    names = ("vocab_size", "d_model", "dim_feedforward", "max_positions", "type_vocab_size", "num_layers")
    for name, size in zip(names, (*sizes.values(), num_layers), strict=True):
        per_axis("init_bert", name, size, 1, least=1)
    check_heads("init_bert", num_heads, sizes["D"])
    if padding_idx is not None:
        check_ids("init_bert", "padding_idx", np.array(padding_idx), sizes["V"], [()])


@quiet
def bert(token_ids: Array, params: Params, num_heads: int,
         token_type_ids: Array | None = None,
         attention_mask: Array | None = None,
         position_ids: Array | None = None,
         activation: Activation = "gelu", eps: float = 1e-12,
         padding_idx: int | None = 0, dropout_p: float = 0.0,
         rng: Rng = None) -> tuple[Array, Array | None]:
    """Read a text in both directions: a vector for each token, one for all.

        h^0 = embeddings(token_ids),  h^l = layer_l(h^{l-1})
        hidden = h^L,  pooled = pooler(h^L)

    token_ids (N, T)  ->  hidden (N, T, D), pooled (N, D)
    `params` has the names of Hugging Face's BertModel: embeddings, encoder
    {layer {"0": ...}} and pooler; without a pooler, pooled is None. Heads
    beside them are left alone. `attention_mask` (N, T): True or 1 = a token,
    False or 0 = padding, to which nothing attends. `token_type_ids` (N, T)
    says which segment a token is of (0 unless given), `position_ids` (T,) or
    (N, T) where it stands. The word `padding_idx` gets no gradient from the
    lookup, as in Hugging Face. `rng`, a NumPy Generator, drops with
    probability `dropout_p`, as in training; without one nothing is dropped.
    Raises ValueError for names, shapes and values that do not fit, TypeError
    for kinds.
    Source: chapter 13, equation (bert); Devlin et al. (2019).
    """
    layers = check_bert("bert", params)
    x = bert_embeddings(token_ids, params["embeddings"], token_type_ids,
                        position_ids, eps, padding_idx, dropout_p, rng)
    attn_mask = padding_mask("bert", attention_mask, token_ids.shape)
    for i in range(len(layers)):
        x = bert_layer(x, layers[str(i)], num_heads, attn_mask, activation,
                       eps, dropout_p, rng)
    pooler = params.get("pooler")
    return x, None if pooler is None else bert_pooler(x, pooler)


# --- its parts --------------------------------------------------------------------------------------


@quiet
def bert_embeddings(token_ids: Array, params: Params,
                    token_type_ids: Array | None = None,
                    position_ids: Array | None = None, eps: float = 1e-12,
                    padding_idx: int | None = 0, dropout_p: float = 0.0,
                    rng: Rng = None) -> Array:
    """What the token is, which segment it is of, where it stands, in one sum.

        y_nt = LayerNorm(W_{token_nt} + S_{type_nt} + P_{place_nt})

    token_ids (N, T)  ->  y (N, T, D)
    `params` holds word_embeddings, token_type_embeddings, position_embeddings
    {weight} and LayerNorm {weight, bias}. Types are 0 and positions 0, 1, ...
    unless given. Raises ValueError for names, shapes and values that do not
    fit, TypeError for kinds.
    Source: chapter 13, equation (bert_embeddings); Devlin et al. (2019).
    """
    types, places = _check_embeddings(token_ids, params, token_type_ids,
                                      position_ids, dropout_p, rng)
    tables = {name: params[f"{name}_embeddings"]["weight"]
              for name in ("word", "token_type", "position")}
    x = embedding(token_ids, tables["word"], padding_idx)
    x = x + embedding(types, tables["token_type"])
    x = x + embedding(places, tables["position"])
    y = layer_norm(x, x.shape[-1:], **params["LayerNorm"], eps=eps)
    return dropout(y, dropout_p, rng)


def _check_embeddings(token_ids: Array, params: Params, token_type_ids: Array | None, position_ids: Array | None,
                      dropout_p: float, rng: Rng) -> tuple[Array, Array]:
    """Types and positions, given or not, if everything fits."""
    name = "bert_embeddings"
    check_params(name, params, EMBEDDINGS, {})
    V, S, P = (params[f"{part}_embeddings"]["weight"].shape[0] for part in ("word", "token_type", "position"))
    check_ids(name, "token_ids", token_ids, V)
    N, T = token_ids.shape
    if position_ids is None and T > P:
        raise ValueError(f"{name}: token_ids has {T} tokens in a row, expected at most {P}, the known positions")
    types = np.zeros_like(token_ids) if token_type_ids is None else token_type_ids
    places = np.arange(T) if position_ids is None else position_ids
    check_ids(name, "token_type_ids", types, S, [(N, T), (1, T)])
    check_ids(name, "position_ids", places, P, [(N, T), (1, T), (T,)])
    check_dropout(name, "dropout_p", dropout_p, rng)
    return types, places


@quiet
def bert_layer(x: Array, params: Params, num_heads: int,
               attn_mask: Array | None = None,
               activation: Activation = "gelu", eps: float = 1e-12,
               dropout_p: float = 0.0, rng: Rng = None) -> Array:
    """One layer: attention, then a small network, each added and normed.

        a = LayerNorm(x + W_a attention(x) + b_a)
        y = LayerNorm(a + W_o gelu(W_i a + b_i) + b_o)

    x (N, T, D)  ->  y (N, T, D)
    `params` holds attention {self {query, key, value}, output}, intermediate
    {dense} and output; an output is {dense, LayerNorm}. `attn_mask` is what
    multi_head_attention takes, True = attend. `activation` is a name that
    Hugging Face uses, or a function. Raises ValueError for names, shapes and
    values that do not fit, TypeError for kinds.
    Source: chapter 13, equation (bert_layer); Devlin et al. (2019).
    """
    name = "bert_layer"
    check_hidden(name, "x", x)
    check_params(name, params, LAYER, {"D": x.shape[-1]}, x=x)
    check_heads(name, num_heads, x.shape[-1])
    check_dropout(name, "dropout_p", dropout_p, rng)
    mask = prepare_mask(name, "attn_mask", attn_mask, False, num_heads, x, x)
    act = activation_function(name, activation)
    p = params["attention"]
    attended = _self_attention(x, p["self"], num_heads, mask, dropout_p, rng)
    a = _add_and_norm(x, attended, p["output"], eps, dropout_p, rng)
    inner = act(linear(a, **params["intermediate"]["dense"]))
    return _add_and_norm(a, inner, params["output"], eps, dropout_p, rng)


def _self_attention(x: Array, params: Params, num_heads: int, attn_mask: Array | None,
                    dropout_p: float, rng: Rng) -> Array:
    """Each head attends with its own run of D / H features; the runs are joined again."""
    query, key, value = (_split_heads(linear(x, **params[part]), num_heads) for part in ("query", "key", "value"))
    dropout_p = 0.0 if rng is None else dropout_p
    return _join_heads(scaled_dot_product_attention(query, key, value, attn_mask, dropout_p, rng=rng))


def _add_and_norm(x: Array, update: Array, params: Params, eps: float, dropout_p: float, rng: Rng) -> Array:
    """LayerNorm(x + dropout(W update + b)): what Hugging Face calls an output."""
    update = dropout(linear(update, **params["dense"]), dropout_p, rng)
    return layer_norm(x + update, x.shape[-1:], **params["LayerNorm"], eps=eps)


@quiet
def bert_pooler(hidden: Array, params: Params) -> Array:
    """One vector for a text: a layer on its first token, [CLS].

        y_no = tanh(sum_d hidden_n0d weight_od + bias_o)

    hidden (N, T, D)  ->  y (N, D)
    `params` holds dense {weight (D, D), bias (D,)}. Raises ValueError for
    names and shapes that do not fit, or where T is 0, TypeError for kinds.
    Source: chapter 13, equation (bert_pooler); Devlin et al. (2019).
    """
    check_hidden("bert_pooler", "hidden", hidden)
    check_params("bert_pooler", params, POOLER, {"D": hidden.shape[-1]},
                 hidden=hidden)
    if hidden.shape[1] == 0:
        raise ValueError("bert_pooler: hidden has shape "
                         f"{tuple(hidden.shape)}, expected a token or more")
    return tanh(linear(hidden[:, 0], **params["dense"]))
