"""One call of every public function, with sizes that are different primes wherever the mathematics lets them be.

`example(f)` reads the shape line of f's docstring, makes the arrays that it names, and adds what a line cannot say.
"""

import inspect
import re

import numpy as np
from shapes import arrays, shape, shape_line, sizes_of

import nnbook

HEADS, SEED = 2, 0
MODELS = ("encoder_layer", "decoder_layer", "transformer_encoder", "transformer_decoder", "transformer", "decoder_step",
          "bert", "bert_embeddings", "bert_layer", "bert_pooler", "mlm_head")
# Sizes that obey a rule.
SIZES = {
    "conv2d": {"H": 11, "W": 13}, "conv_transpose2d": {"H": 7, "W": 13}, "glu": {"C": 5},
    "unfold": {"Kh": 3, "Kw": 2, "H": 11, "W": 13, "C": 19, "CK": 114},
    "fold": {"H": 7, "W": 5, "Kh": 3, "Kw": 2, "Ho": 5, "Wo": 4, "C": 19, "CK": 114, "L": 20},
    "multi_head_attention": {"D": 8}, "scaled_dot_product_attention": {"Dv": 17}, "tiled_attention": {"Dv": 17},
    "pad": {"W": 7, "Wo": 10}, "group_norm": {"C": 6}, "sinusoidal_positions": {"T": 5, "D": 7},
    "rotary_embedding": {"D": 8}, "greedy_search": {"L": 5}, "beam_search": {"L": 5, "B": 3},
    "max_pool2d": {"H": 11, "W": 13}, "avg_pool2d": {"H": 11, "W": 13},
    **{f"adaptive_{kind}_pool1d": {"W": 11, "Wo": 7} for kind in ("avg", "max")},
    **{f: {"H": 11, "W": 13, "Ho": 7, "Wo": 5} for f in ("adaptive_avg_pool2d", "adaptive_max_pool2d", "interpolate")},
    **{name: {"D": 8, "F": 11, "V": 23} for name in MODELS},
}
INTEGERS = ("token_ids", "labels", "start_ids")


def _recurrent(kind, sizes, rng):
    gates, I, H = {"rnn": 1, "lstm": 4, "gru": 3}[kind.split("_")[0]], sizes["I"], sizes.setdefault("H", 7)
    if kind.endswith("_cell"):
        state = rng.standard_normal((2, sizes["N"], H))
        more = {"state": tuple(state)} if kind == "lstm_cell" else {"h": state[0]}
        return more | {"weight_ih": np.ones((gates * H, I)), "weight_hh": np.ones((gates * H, H))}
    return {"params": getattr(nnbook, f"init_{kind}")(I, H, rng)}


def _model(name, sizes, rng):
    """Parameters for the layers of chapters 12 and 13."""
    D, F, V = (sizes.get(letter, 0) for letter in "DFV")
    whole = nnbook.init_transformer(8, HEADS, 2, 2, 11, rng)
    pretrained = nnbook.init_bert(23, 8, 2, HEADS, 11, rng)
    params = {
        "encoder_layer": lambda: nnbook.init_encoder_layer(D, HEADS, F, rng),
        "decoder_layer": lambda: nnbook.init_decoder_layer(D, HEADS, F, rng),
        "transformer_encoder": lambda: whole["encoder"], "transformer_decoder": lambda: whole["decoder"],
        "transformer": lambda: whole, "decoder_step": lambda: whole["decoder"],
        "bert": lambda: pretrained, "bert_embeddings": lambda: pretrained["embeddings"],
        "bert_layer": lambda: pretrained["encoder"]["layer"]["0"], "bert_pooler": lambda: pretrained["pooler"],
        "mlm_head": lambda: nnbook.init_mlm_head(V, D, rng),
    }[name]()
    given = {"params": params}
    if name not in ("bert_embeddings", "bert_pooler", "mlm_head"):
        given["num_heads"] = HEADS
    if name == "decoder_step":
        given["cache"] = nnbook.init_cache(rng.standard_normal((sizes["N"], 7, D)), params, HEADS)
    return given


def _search(name, sizes, rng):
    table = rng.standard_normal((13, 13))
    given = {"step": lambda ids, state: (table[ids], state), "state": {}, "max_length": sizes["L"], "eos_id": None}
    return given | ({"num_beams": sizes["B"]} if name == "beam_search" else {})


def _more(name, sizes, rng):
    """What the shape line does not say."""
    if name in ("rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell"):
        return _recurrent(name, sizes, rng)
    if name in MODELS:
        return _model(name, sizes, rng)
    if name.endswith("_search"):
        return _search(name, sizes, rng)
    pair, one = (3, 2), 3
    return {
        "unfold": {"kernel_size": pair}, "fold": {"kernel_size": pair, "output_size": (7, 5)},
        "logsumexp": {"axis": -1}, "one_hot": {"num_classes": 13}, "pad": {"pad": (2, 1)},
        "layer_norm": {"normalized_shape": sizes.get("D")}, "rms_norm": {"normalized_shape": sizes.get("D")},
        "group_norm": {"num_groups": 3}, "max_pool1d": {"kernel_size": one}, "avg_pool1d": {"kernel_size": one},
        "max_pool2d": {"kernel_size": pair}, "avg_pool2d": {"kernel_size": pair},
        "adaptive_avg_pool1d": {"output_size": 7}, "adaptive_max_pool1d": {"output_size": 7},
        "adaptive_avg_pool2d": {"output_size": (7, 5)}, "adaptive_max_pool2d": {"output_size": (7, 5)},
        "interpolate": {"size": (7, 5)}, "sinusoidal_positions": {"T": 5, "D": 7},
        "dropout": {"p": 0.3, "rng": rng}, "mask_tokens": {"rng": rng, "mask_id": 1, "vocab_size": 29},
        "multi_head_attention": {"params": nnbook.init_multi_head_attention(8, HEADS, rng), "num_heads": HEADS},
        "additive_attention": {"weight_query": np.ones((31, sizes.get("D", 1))), "weight_score": np.ones(31),
                               "weight_key": np.ones((31, sizes.get("E", 1)))},
    }.get(name, {})


def example(f):
    """(arguments by name, [(name of a result, its letters)], sizes of the letters)."""
    name, rng = f.__name__, np.random.default_rng(SEED)
    left, right = shape_line(f)
    left, right = (re.sub(r"(\d) ([A-Z])", r"\1*\2", side.split(", with")[0]) for side in (left, right))
    left, right = (side.replace("C Kh Kw", "CK").replace("Ho Wo", "L") for side in (left, right))
    sizes, given = sizes_of(left, SIZES.get(name)), {}
    for argument, letters in arrays(left):
        if argument in inspect.signature(f).parameters:
            dims = shape(letters, sizes)
            integers = argument in INTEGERS or f"target {letters}" == "target ['N']"
            given[argument] = rng.integers(0, 2, dims) if integers else rng.random(dims)
    given |= _more(name, sizes, rng)
    expected = arrays(right)
    state = [("h", ["1", "N", "H"]), ("c", ["1", "N", "H"])]
    if name == "lstm_cell":
        expected = [(part, letters[1:]) for part, letters in state]
    return given, expected[:1] + state if name == "lstm" else expected, sizes


def results(f, given):
    """The results of a call as a flat tuple of arrays, in the order of the shape line."""
    out = f(**given)
    out = out if isinstance(out, tuple) else (out,)
    if f.__name__ == "lstm":
        return (out[0], *out[1])
    return out[:1] if f.__name__ == "decoder_step" else out
