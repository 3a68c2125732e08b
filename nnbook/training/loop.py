"""The training loop: mini-batches, a score after each epoch, early stopping. Copy it, change it."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from tqdm import tqdm

from ..autodiff import value_and_grad
from ..optimizers import adam, clip_grad_norm
from ..types import Array, Params
from .runs import Path, Run, load_run, save_run

__all__ = ["batches", "by_length", "fit"]

Batching = Callable[[int, int, np.random.Generator], Iterator[Array]]


def batches(n: int, batch_size: int,
            rng: np.random.Generator) -> Iterator[Array]:
    """The numbers 0 to n - 1 in random order, `batch_size` at a time.

    The last batch may be smaller. In epoch e = 0, 1, ... `fit` takes them
    from np.random.default_rng([seed, e]).
    """
    order = rng.permutation(n)
    for i in range(0, n, batch_size):
        yield order[i:i + batch_size]


def by_length(lengths: Array, pool: int = 16) -> Batching:
    """Batches of texts that are about equally long, so that little is padded.

        fit(..., batching=by_length(lengths))

    Random texts for `pool` batches are sorted by length and cut into batches, which come in random order.
    """

    def batching(n, batch_size, rng):
        pools = batches(n, pool * batch_size, rng)
        ordered = (texts[np.argsort(lengths[texts], kind="stable")] for texts in pools)
        cut = [texts[i:i + batch_size] for texts in ordered for i in range(0, len(texts), batch_size)]
        return (cut[i] for i in rng.permutation(len(cut)))

    return batching


def fit(loss_fn: Callable[..., Any], params: Params, train: Sequence[Array],
        valid: Sequence[Array] | None = None,
        metric: Callable[..., Any] | None = None, *,
        epochs: int = 5, batch_size: int = 32,
        optimizer: Callable[..., tuple[Params, Params]] = adam,
        lr: float = 1e-3, schedule: Callable[[int], float] | None = None,
        max_norm: float | None = None, patience: int | None = None,
        has_aux: bool = False, seed: int = 0, batching: Batching = batches,
        save: Path | None = None,
        resume: Path | None = None) -> tuple[Params, dict[str, Any]]:
    """Train by mini-batches; return the best parameters and the history.

        params <- optimizer(params, d loss_fn(params, *batch) / d params),
        batch = [a[i] for a in train]

    `train` and `valid` are tuples of arrays with an entry for each example.
    If loss_fn has an argument `rng`, it is a Generator in training (for
    dropout) and None in validation. With `has_aux`, loss_fn returns (loss,
    updates), and `updates` replace leaves of the parameters after the step:
    batch norm's statistics.

    After each epoch comes `metric(params, *valid)`, of which more is better;
    without a metric the loss on `valid`, of which less is better. The
    parameters of the best epoch are returned, or the last ones if nothing is
    validated. Training stops after `patience` epochs without a better one.
    A loss with batch norm takes its statistics as in training, so judge such
    a model by a metric.

    Step t = 0, 1, ... has the rate `lr * schedule(t)`. Gradients are clipped
    to the norm `max_norm`. More settings go into the optimizer:
    `optimizer=functools.partial(adamw, weight_decay=0.1)`.

    One `seed`, one result. `save` names a safetensors file that is written
    after each epoch, `resume` one to go on from: the result is that of a
    single run, to the bit. Ctrl-C ends the training, not the program, and
    returns what was learned. TQDM_DISABLE=1 in the environment hides the bar.

    history: "loss" of each step, "valid" of each epoch, "best_epoch" counted
    from 1, "ended" by "epochs", "patience" or "interrupt". Raises ValueError
    for data, settings or a file that do not fit.
    """
    _check(train, valid, metric, epochs, batch_size, patience)
    step = _step(loss_fn, optimizer, lr, schedule, max_norm, has_aux)
    score = _score(loss_fn, valid, metric, has_aux)
    settings = np.array([seed, batch_size, len(train[0])])
    run = load_run(resume, params, settings) if resume else Run(params, params)
    steps = math.ceil(len(train[0]) / batch_size)
    with tqdm(total=epochs * steps, initial=run.epoch * steps) as bar:
        try:
            save_run(run, save, settings)  # what cannot be saved is found now, not after an hour
            while run.epoch < epochs and not _stalled(run, patience):
                _epoch(run, step, train, batching, batch_size, seed, bar)
                _judge(run, score, sign=-1 if metric is None else 1)
                save_run(run, save, settings)
            ended = "patience" if run.epoch < epochs else "epochs"
        except KeyboardInterrupt:
            ended = "interrupt"
    best = run.best if score and run.best_epoch else run.params
    return best, {"loss": run.loss, "valid": run.valid, "best_epoch": run.best_epoch, "ended": ended}


def _epoch(run, step, train, batching, batch_size, seed, bar):
    rng = np.random.default_rng([seed, run.epoch])
    for i in batching(len(train[0]), batch_size, rng):
        step(run, [a[i] for a in train], rng)
        bar.update()
        bar.set_postfix({"loss": run.loss[-1]} | ({"valid": run.valid[-1]} if run.valid else {}), refresh=False)
    run.epoch += 1


def _step(loss_fn, optimizer, lr, schedule, max_norm, has_aux):
    """The function (run, batch, rng) that takes one step."""
    derive = value_and_grad(loss_fn, has_aux=has_aux)

    def step(run, batch, rng):
        value, grads = derive(run.params, *batch, **_noise(loss_fn, rng))
        loss, updates = value if has_aux else (value, None)
        if max_norm is not None:
            grads, _ = clip_grad_norm(grads, max_norm)
        rate = float(lr * schedule(len(run.loss)) if schedule else lr)  # np.float64 would widen float32
        params, run.state = optimizer(run.params, grads, run.state, lr=rate)
        run.params = _replace(params, updates) if has_aux else params
        run.loss.append(float(loss))

    return step


def _noise(loss_fn, rng):
    return {"rng": rng} if "rng" in inspect.signature(loss_fn).parameters else {}


def _replace(params, updates):
    """`params` with the leaves of `updates` in place of its own."""
    if new := updates.keys() - params.keys():
        raise ValueError(f"fit: the updates have the keys {sorted(new)}, which the parameters do not have")
    return params | {k: _replace(params[k], v) if isinstance(v, dict) else v for k, v in updates.items()}


def _score(loss_fn, valid, metric, has_aux):
    """The function of the parameters that judges an epoch, None where nothing is validated."""

    def loss(params):
        value = loss_fn(params, *valid, **_noise(loss_fn, None))
        return value[0] if has_aux else value

    if metric is not None:
        return lambda params: metric(params, *(valid or ()))
    return None if valid is None else loss


def _judge(run, score, sign):
    """Note the score of this epoch, and keep its parameters if they are the best so far."""
    value = float(score(run.params)) if score else math.nan
    run.valid += [value] if score else []
    if not score or not run.best_epoch or sign * value > run.best_score:
        run.best, run.best_epoch = run.params, run.epoch
        run.best_score = -math.inf if math.isnan(value) else sign * value


def _stalled(run, patience):
    return patience is not None and run.epoch - run.best_epoch >= patience


def _check(train, valid, metric, epochs, batch_size, patience):
    for name, data in ({"train": train} | ({} if valid is None else {"valid": valid})).items():
        listed = isinstance(data, tuple | list)
        sizes = {np.shape(a)[:1] for a in data} if listed else set()
        if len(sizes) != 1 or sizes & {(), (0,)}:
            given = f"has the shapes {[np.shape(a) for a in data]}" if listed else f"is a {type(data).__name__}"
            raise ValueError(f"fit: {name} {given}, expected a tuple of arrays with an entry for each example")
    least = {"epochs": 0, "batch_size": 1, "patience": 1}
    for name, number in {"epochs": epochs, "batch_size": batch_size, "patience": patience}.items():
        if number is not None and number < least[name]:
            raise ValueError(f"fit: {name} is {number}, expected at least {least[name]}")
    if patience is not None and valid is None and metric is None:
        raise ValueError(f"fit: patience is {patience}, but there is neither valid nor metric to judge an epoch by")
