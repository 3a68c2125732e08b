"""Whole trainings beside torch: the same weights, the same mini-batches, the same optimizer, so the same losses."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import nnbook
from nnbook.interchange import from_torch, to_torch

STEPS, EXAMPLES, BATCH = 50, 24, 8
OPTIMIZERS = {
    "momentum": (nnbook.sgd, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9}),
    "nesterov": (nnbook.sgd, torch.optim.SGD, {"lr": 0.1, "momentum": 0.8, "nesterov": True, "weight_decay": 0.005}),
    "adam": (nnbook.adam, torch.optim.Adam, {"lr": 0.01}),
    "adamw": (nnbook.adamw, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
}


class Parts(nn.Module):
    """Named layers and what to do with them, so that a torch model takes as few lines as ours."""

    def __init__(self, run, **parts):
        super().__init__()
        self.parts, self.run = nn.ModuleDict(parts), run

    def forward(self, *batch):
        return self.run(self.parts, *batch)


def batches(data, rng):
    """Mini-batches of tuples of arrays: each epoch in an order of its own."""
    while True:
        for rows in np.split(rng.permutation(EXAMPLES), EXAMPLES // BATCH):
            yield tuple(a[rows] for a in data)


def train(loss, params, optimizer, batch, settings):
    """Our losses and final parameters."""
    losses, state, step = [], None, nnbook.value_and_grad(loss)
    for _ in range(STEPS):
        value, grads = step(params, *next(batch))
        params, state = optimizer(params, grads, state, **settings)
        losses.append(value)
    return np.array(losses), params


def train_torch(model, optimizer, batch, settings):
    """torch's losses; the model is trained in place."""
    losses, optimizer = [], optimizer(model.parameters(), **settings)
    for _ in range(STEPS):
        value = model(*(torch.tensor(a) for a in next(batch)))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        losses.append(value.item())
    return np.array(losses)


def parameters(model):
    """A model's parameters as nested dicts: each once, however many names it has; no buffers."""
    return from_torch(dict(model.named_parameters()))["parts"]


def same_training(model, loss, data, optimizer):
    """Both trainings from the weights of `model`: equal loss by loss, and at the end weight by weight."""
    ours, theirs, settings = OPTIMIZERS[optimizer]
    losses, params = train(loss, parameters(model), ours, batches(data, np.random.default_rng(1)), settings)
    expected = train_torch(model, theirs, batches(data, np.random.default_rng(1)), settings)
    assert expected[-6:].mean() < 0.95 * expected[:6].mean(), "nothing was learned: equal losses would say little"
    assert losses.dtype == np.float64
    np.testing.assert_allclose(losses, expected, rtol=1e-9, atol=0)
    nnbook.tree_map(lambda p, q: np.testing.assert_allclose(p, q, rtol=1e-6, atol=1e-8), params, parameters(model))


# --- the models: torch's, ours, and their data ------------------------------------------------------


def classified(rng, count, *shape):
    """Random arrays, each of the class that says which of its last `count` numbers is largest."""
    x = rng.standard_normal((EXAMPLES, *shape))
    return x, x.reshape(EXAMPLES, -1)[:, -count:].argmax(1)


def mlp(rng):
    data = classified(rng, 3, 6)
    params = {"hidden": nnbook.init_linear(6, 11, rng), "norm": nnbook.init_layer_norm(11),
              "last": nnbook.init_linear(11, 3, rng)}
    model = Parts(lambda m, x, t: F.cross_entropy(m["last"](m["norm"](torch.tanh(m["hidden"](x)))), t),
                  hidden=nn.Linear(6, 11), norm=nn.LayerNorm(11), last=nn.Linear(11, 3)).double()
    model.parts.load_state_dict(to_torch(params))

    def loss(p, x, t):
        h = nnbook.layer_norm(nnbook.tanh(nnbook.linear(x, **p["hidden"])), 11, **p["norm"])
        return nnbook.cross_entropy(nnbook.linear(h, **p["last"]), t)

    return model, loss, data


def cnn(rng):
    data = classified(rng, 3, 2, 7, 6)
    model = Parts(lambda m, x, t: F.cross_entropy(m["last"](F.max_pool2d(F.relu(m["conv"](x)), 2).flatten(1)), t),
                  conv=nn.Conv2d(2, 4, (3, 2), padding=1), last=nn.Linear(4 * 3 * 3, 3))

    def loss(p, x, t):
        h = nnbook.max_pool2d(nnbook.relu(nnbook.conv2d(x, **p["conv"], padding=1)), 2)
        return nnbook.cross_entropy(nnbook.linear(h.reshape(len(x), 36), **p["last"]), t)

    return model, loss, data


def normed_cnn(rng):
    """Batch, group and instance norm, in training."""
    data = classified(rng, 3, 2, 5, 6)

    def run(m, x, t):
        h = F.relu(F.batch_norm(m["conv1"](x), None, None, m["norm1"].weight, m["norm1"].bias, training=True))
        h = F.relu(m["norm3"](m["norm2"](m["conv2"](h))))
        return F.cross_entropy(m["last"](h.mean((2, 3))), t)

    model = Parts(run, conv1=nn.Conv2d(2, 4, 3, padding=1), norm1=nn.BatchNorm2d(4, track_running_stats=False),
                  conv2=nn.Conv2d(4, 6, 2), norm2=nn.GroupNorm(3, 6), norm3=nn.InstanceNorm2d(6, affine=True),
                  last=nn.Linear(6, 3))

    def loss(p, x, t):
        h = nnbook.conv2d(x, **p["conv1"], padding=1)
        h = nnbook.relu(nnbook.batch_norm(h, None, None, **p["norm1"], training=True)[0])
        h = nnbook.group_norm(nnbook.conv2d(h, **p["conv2"]), 3, **p["norm2"])
        h = nnbook.relu(nnbook.instance_norm(h, **p["norm3"]))
        return nnbook.cross_entropy(nnbook.linear(h.mean((2, 3)), **p["last"]), t)

    return model, loss, data


def lstm(rng):
    """Two layers, both directions; where they end says the class, through a softmax."""
    x, t = classified(rng, 3, 5, 3)

    def run(m, x, t):
        h = torch.cat(tuple(m["lstm"](x)[1][0][-2:]), -1)
        return F.nll_loss(F.softmax(m["last"](h), -1).log(), t)

    model = Parts(run, lstm=nn.LSTM(3, 5, 2, batch_first=True, bidirectional=True), last=nn.Linear(10, 3))

    def loss(p, x, t):
        h = nnbook.concatenate(list(nnbook.lstm(x, p["lstm"])[1][0][-2:]), -1)
        return nnbook.nll_loss(nnbook.log(nnbook.softmax(nnbook.linear(h, **p["last"]))), t)

    return model, loss, (2 * x, t)


def transformer(rng):
    """Translate: embeddings, encoder and decoder, the target shifted by one, padding ignored."""
    src, tgt = rng.integers(0, 7, (EXAMPLES, 5)), rng.integers(0, 6, (EXAMPLES, 4))

    def run(m, src, tgt):
        mask = nn.Transformer.generate_square_subsequent_mask(3, dtype=torch.float64)
        y = m["transformer"](m["src"](src), m["tgt"](tgt[:, :-1]), tgt_mask=mask)
        return F.cross_entropy(m["last"](y).flatten(0, 1), tgt[:, 1:].flatten(), ignore_index=0)

    model = Parts(run, src=nn.Embedding(7, 8), tgt=nn.Embedding(6, 8), last=nn.Linear(8, 6),
                  transformer=nn.Transformer(8, 2, 2, 2, 12, dropout=0.0, batch_first=True))

    def loss(p, src, tgt):
        x, y = (nnbook.embedding(ids, **p[k]) for k, ids in (("src", src), ("tgt", tgt[:, :-1])))
        y = nnbook.transformer(x, y, p["transformer"], 2, tgt_is_causal=True)
        logits = nnbook.linear(y, **p["last"]).reshape(-1, 6)
        return nnbook.cross_entropy(logits, tgt[:, 1:].reshape(-1), ignore_index=0)

    return model, loss, (src, tgt)


def bert(rng):
    """Fill in the blanks, with padding, two segments, and one table for words that are read and words that are said."""
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=17, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12,
        max_position_embeddings=9, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.3)
    tokens, mask = rng.integers(4, 17, (EXAMPLES, 6)), np.arange(6) < rng.integers(4, 7, (EXAMPLES, 1))
    inputs, labels = nnbook.mask_tokens(tokens * mask, rng, mask_id=1, vocab_size=17, special_ids=[0], p=0.4)
    types = (np.arange(6) > 2) * np.ones((EXAMPLES, 1), int)

    def run(m, ids, mask, types, labels):
        return m["lm"](input_ids=ids, attention_mask=mask.long(), token_type_ids=types, labels=labels).loss

    def loss(p, ids, mask, types, labels):
        encoder, head = p["lm"]["bert"], p["lm"]["cls"]["predictions"]
        hidden, _ = nnbook.bert(ids, encoder, 2, types, mask)
        words = encoder["embeddings"]["word_embeddings"]["weight"]
        return nnbook.masked_lm_loss(nnbook.mlm_head(hidden, head, words), labels)

    return Parts(run, lm=transformers.BertForMaskedLM(config)), loss, (inputs, mask, types, labels)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("make", [mlp, cnn, normed_cnn, lstm, transformer, bert], ids=lambda f: f.__name__)
def test_fifty_losses_are_torchs(make, optimizer):
    torch.manual_seed(0)
    model, loss, data = make(np.random.default_rng(0))
    same_training(model.double(), loss, data, optimizer)


# --- weights used twice -----------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_tied_weights_train_as_torchs(optimizer):
    """One table reads and writes the words, one hidden layer is applied twice: their gradients add up."""
    torch.manual_seed(2)
    rng = np.random.default_rng(3)
    ids = rng.integers(0, 9, (EXAMPLES, 2))
    data = ids, ids.max(axis=1)

    def run(m, ids, t):
        h = m["words"](ids).sum(1)
        h = torch.tanh(m["hidden"](torch.tanh(m["hidden"](h))))
        return F.cross_entropy(h @ m["words"].weight.T, t)

    def loss(p, ids, t):
        h = nnbook.embedding(ids, **p["words"]).sum(1)
        for _ in range(2):
            h = nnbook.tanh(nnbook.linear(h, **p["hidden"]))
        return nnbook.cross_entropy(nnbook.linear(h, p["words"]["weight"]), t)

    model = Parts(run, words=nn.Embedding(9, 6), hidden=nn.Linear(6, 6)).double()
    same_training(model, loss, data, optimizer)


def test_batch_norms_memory_through_a_training():
    """The running statistics are carried beside the parameters; fifty steps later they are torch's.

    The layer before has no bias: batch norm takes it away again, so its gradient is rounding alone, which Adam,
    dividing by its size, turns into steps.
    """
    torch.manual_seed(4)
    rng = np.random.default_rng(5)
    x, t = classified(rng, 3, 4)
    data = 3 * x + 1, t
    model = Parts(lambda m, x, t: F.cross_entropy(m["last"](m["norm"](m["first"](x))), t),
                  first=nn.Linear(4, 5, bias=False), norm=nn.BatchNorm1d(5), last=nn.Linear(5, 3)).double()
    params, memory = parameters(model), {"running_mean": np.zeros(5), "running_var": np.ones(5)}

    def loss(p, memory, x, t):
        h = nnbook.linear(x, **p["first"])
        h, mean, var = nnbook.batch_norm(h, **memory, **p["norm"], training=True)
        return nnbook.cross_entropy(nnbook.linear(h, **p["last"]), t), {"running_mean": mean, "running_var": var}

    expected = train_torch(model, torch.optim.Adam, batches(data, np.random.default_rng(6)), {"lr": 0.01})
    state, batch, step = None, batches(data, np.random.default_rng(6)), nnbook.value_and_grad(loss, has_aux=True)
    for e in expected:
        (value, memory), grads = step(params, memory, *next(batch))
        params, state = nnbook.adam(params, grads, state, lr=0.01)
        np.testing.assert_allclose(value, e, rtol=1e-9)
    for k, a in memory.items():
        np.testing.assert_allclose(a, getattr(model.parts["norm"], k).numpy(), rtol=1e-9)
