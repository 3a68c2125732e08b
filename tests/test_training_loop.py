"""`fit`: the steps that a plain loop takes, one seed one result, stopping, resuming to the bit, Ctrl-C."""

import functools
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import nnbook
from nnbook import data
from nnbook.interchange import load_safetensors, save_safetensors, to_torch
from nnbook.training import batches, by_length, fit, runs


def problem(n=23, dtype=np.float64, seed=0):
    """A small classification: parameters, training and validation data."""
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal((n + 7, 5)).astype(dtype), rng.integers(0, 3, n + 7)
    params = {"first": nnbook.init_linear(5, 11, rng, dtype=dtype), "last": nnbook.init_linear(11, 3, rng, dtype=dtype)}
    return params, (x[:n], y[:n]), (x[n:], y[n:])


def logits(p, x, rng=None):
    return nnbook.linear(nnbook.dropout(nnbook.tanh(nnbook.linear(x, **p["first"])), 0.3, rng), **p["last"])


def loss_fn(p, x, y):
    return nnbook.cross_entropy(logits(p, x), y)


def noisy_loss(p, x, y, rng):
    return nnbook.cross_entropy(logits(p, x, rng), y)


def accuracy(p, x, y):
    return np.mean(logits(p, x).argmax(axis=1) == y)


def leaves(tree):
    found = []
    nnbook.tree_map(found.append, tree)
    return found


def assert_same(a, b):
    """Equal to the bit, and of one form."""
    assert nnbook.tree_map(lambda u, v: u.dtype == v.dtype and u.tobytes() == v.tobytes(), a, b)
    for u, v in zip(leaves(a), leaves(b), strict=True):
        assert u.dtype == v.dtype and u.shape == v.shape and u.tobytes() == v.tobytes()


# --- batches ----------------------------------------------------------------------------------------


@given(n=st.integers(1, 40), size=st.integers(1, 45), pool=st.integers(1, 4), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_batches_hold_each_example_once(n, size, pool, seed):
    lengths = np.random.default_rng(seed).integers(1, 30, n)
    for batching in (batches, by_length(lengths, pool)):
        cut = list(batching(n, size, np.random.default_rng(seed)))
        again = list(batching(n, size, np.random.default_rng(seed)))
        assert sorted(np.concatenate(cut).tolist()) == list(range(n))
        assert len(cut) == math.ceil(n / size) and sum(len(i) == size for i in cut) >= n // size
        assert all(np.array_equal(a, b) for a, b in zip(cut, again, strict=True))


def test_batches_are_random_and_the_last_may_be_smaller():
    cut = list(batches(103, 10, np.random.default_rng(0)))
    assert [len(i) for i in cut] == [10] * 10 + [3]
    first, other = (np.concatenate(list(batches(103, 10, np.random.default_rng(s)))) for s in (0, 1))
    assert not np.array_equal(first, other) and not np.array_equal(first, np.arange(103))


def test_batches_by_length_pad_little_and_come_in_random_order():
    lengths = np.random.default_rng(0).integers(1, 50, 1000)
    longest = [[lengths[i].max() for i in f(1000, 8, np.random.default_rng(1))] for f in (batches, by_length(lengths))]
    assert np.mean(longest[1]) < 0.7 * np.mean(longest[0])
    assert abs(np.corrcoef(longest[1][:-1], longest[1][1:])[0, 1]) < 0.3
    one, two = (next(iter(by_length(lengths)(1000, 8, np.random.default_rng(s)))) for s in (0, 1))
    assert not np.array_equal(one, two)


# --- what a step does -------------------------------------------------------------------------------


def test_full_batch_descent_is_the_closed_form():
    """Least squares: after t steps, p = p* + (1 - 2 lr A^T A / N)^t (p_0 - p*)."""
    rng = np.random.default_rng(0)
    A, b, start = rng.standard_normal((13, 4)), rng.standard_normal(13), rng.standard_normal(4)
    params, history = fit(lambda p, A, b: nnbook.mse_loss(A @ p["x"], b), {"x": start}, (A, b),
                          epochs=20, batch_size=13, optimizer=nnbook.sgd, lr=0.1)
    best = np.linalg.lstsq(A, b)[0]
    shrink = np.linalg.matrix_power(np.eye(4) - 0.2 * A.T @ A / 13, 20)
    np.testing.assert_allclose(params["x"], best + shrink @ (start - best), rtol=1e-12)
    np.testing.assert_allclose(history["loss"][0], np.mean((A @ start - b) ** 2), rtol=1e-12)
    assert history["ended"] == "epochs" and len(history["loss"]) == 20


@pytest.mark.parametrize("batching", [batches, by_length(np.arange(23) % 5, 2)])
def test_losses_are_those_of_torch(batching):
    """The same weights and the documented batches, with a schedule and clipping."""
    params, train, _ = problem()
    weights = torch.nn.ParameterDict({k.replace(".", "_"): t.clone() for k, t in to_torch(params).items()})
    optimizer = torch.optim.AdamW(weights.values(), lr=0.02, weight_decay=0.1)
    expected, x, y = [], *map(torch.from_numpy, train)
    for epoch in range(3):
        for i in batching(23, 4, np.random.default_rng([5, epoch])):
            for group in optimizer.param_groups:
                group["lr"] = 0.02 * nnbook.cosine_schedule(len(expected), 18, 4)
            h = torch.tanh(x[i] @ weights["first_weight"].T + weights["first_bias"])
            loss = torch.nn.functional.cross_entropy(h @ weights["last_weight"].T + weights["last_bias"], y[i])
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights.values(), 0.3)
            optimizer.step()
            expected.append(loss.item())
    last, history = fit(loss_fn, params, train, epochs=3, batch_size=4, batching=batching, seed=5, max_norm=0.3,
                        optimizer=functools.partial(nnbook.adamw, weight_decay=0.1), lr=0.02,
                        schedule=lambda step: nnbook.cosine_schedule(step, 18, 4))
    np.testing.assert_allclose(history["loss"], expected, rtol=1e-10)
    np.testing.assert_allclose(last["first"]["weight"], weights["first_weight"].detach().numpy(), rtol=1e-9)
    assert history["valid"] == [] and history["best_epoch"] == 3


def test_nothing_given_is_changed():
    params, train, valid = problem()
    before = nnbook.tree_map(np.copy, params), [a.copy() for a in train + valid]
    fit(loss_fn, params, train, valid, accuracy)
    assert_same(params, before[0])
    assert_same(list(train + valid), before[1])


def test_one_seed_one_result():
    params, train, valid = problem()
    runs_ = [fit(noisy_loss, params, train, valid, accuracy, batch_size=4, seed=s) for s in (3, 3, 4)]
    assert_same(runs_[0][0], runs_[1][0])
    assert runs_[0][1] == runs_[1][1]
    assert runs_[0][1]["loss"] != runs_[2][1]["loss"]


def test_float32_stays_float32():
    params, train, valid = problem(dtype=np.float32)
    params, _ = fit(noisy_loss, params, train, valid, accuracy, max_norm=1.0, schedule=lambda t: np.float64(0.5))
    assert all(a.dtype == np.float32 for a in leaves(params))


def test_a_generator_in_training_none_in_validation():
    seen = []

    def watching(p, x, y, rng):
        seen.append((rng, len(x)))
        return noisy_loss(p, x, y, rng)

    params, train, valid = problem()
    _, history = fit(watching, params, train, valid, epochs=2, batch_size=10)
    assert [n for _, n in seen] == [10, 10, 3, 7] * 2
    assert all(isinstance(rng, np.random.Generator) == (n != 7) for rng, n in seen) and seen[3][0] is None
    assert seen[0][0] is seen[2][0] and seen[0][0] is not seen[4][0]
    assert history["valid"] == [history["valid"][0], history["valid"][1]]


def test_the_loss_on_valid_is_the_score_without_a_metric():
    params, train, valid = problem()
    last, history = fit(noisy_loss, params, train, valid, epochs=1)
    assert history["valid"] == [loss_fn(last, *valid)]


def test_batch_norm_keeps_its_statistics():
    """The running mean after the run is that of a plain loop over the same batches, and the metric sees it."""
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((20, 3)) * 2 + 5, rng.standard_normal((20, 1))
    params = {"norm": nnbook.init_batch_norm(3), "last": nnbook.init_linear(3, 1, rng)}

    def loss_fn(p, x, y):
        h, mean, var = nnbook.batch_norm(x, **p["norm"], training=True)
        loss = nnbook.mse_loss(nnbook.linear(h, **p["last"]), y)
        return loss, {"norm": {"running_mean": mean, "running_var": var}}

    seen = []
    last, history = fit(loss_fn, params, (x, y), metric=lambda p: seen.append(p) or len(seen), epochs=2, batch_size=5,
                        has_aux=True, optimizer=functools.partial(nnbook.adamw, weight_decay=0.5))
    mean, var = np.zeros(3), np.ones(3)
    for epoch in range(2):
        for i in batches(20, 5, np.random.default_rng([0, epoch])):
            mean, var = 0.9 * mean + 0.1 * x[i].mean(axis=0), 0.9 * var + 0.1 * x[i].var(axis=0, ddof=1)
    np.testing.assert_allclose(last["norm"]["running_mean"], mean, rtol=1e-12)
    np.testing.assert_allclose(last["norm"]["running_var"], var, rtol=1e-12)
    assert seen[-1] is last and last.keys() == params.keys() and last["norm"].keys() == params["norm"].keys()
    assert np.all(last["norm"]["weight"] != 1) and len(history["loss"]) == 8
    _, history = fit(loss_fn, params, (x, y), (x, y), epochs=1, has_aux=True)
    assert len(history["valid"]) == 1


# --- validation and stopping ------------------------------------------------------------------------


def count_up(params, grads, state=None, lr=1.0):
    """An "optimizer" after which the parameter is the number of steps taken, so that epochs can be told apart."""
    return {"steps": params["steps"] + 1}, {"lr": np.array(lr)}


def run_scores(scores, **settings):
    """Train while the metric says what `scores` says; a step an epoch, so params hold the epoch."""
    told = iter(scores)
    return fit(lambda p, x: nnbook.sum(p["steps"] * x), {"steps": np.zeros(1)}, (np.ones((2, 1)),),
               metric=lambda p: next(told), epochs=len(scores), batch_size=2, optimizer=count_up, **settings)


@pytest.mark.parametrize(("scores", "patience", "epochs", "best", "ended"), [
    ([1, 3, 2, 2.5, 4], None, 5, 5, "epochs"),
    ([1, 3, 2, 2.5, 4], 1, 3, 2, "patience"),
    ([1, 3, 2, 2.5, 4], 2, 4, 2, "patience"),
    ([1, 3, 2, 2.5, 4], 3, 5, 5, "epochs"),
    ([3, 3, 3, 3], 2, 3, 1, "patience"),  # as good is not better
    ([-5, -4, -6], None, 3, 2, "epochs"),
    ([math.nan, 1, math.nan, 2, math.nan], None, 5, 4, "epochs"),
    ([math.nan, math.nan, math.nan], 2, 3, 1, "patience"),
    ([2, math.nan, math.nan], 2, 3, 1, "epochs"),
    ([-math.inf, -7], None, 2, 2, "epochs"),
])
def test_the_best_epoch_is_kept(scores, patience, epochs, best, ended):
    params, history = run_scores(scores, patience=patience)
    assert params["steps"] == best == history["best_epoch"]
    assert len(history["loss"]) == len(history["valid"]) == epochs
    np.testing.assert_array_equal(history["valid"], scores[:epochs])
    assert history["ended"] == (ended if epochs < len(scores) else "epochs")


def test_less_loss_is_better():
    params, train, _ = problem()
    valid = train[0], (train[1] + 1) % 3  # what training makes worse
    last, history = fit(loss_fn, params, train, valid, epochs=6, lr=0.05, patience=2)
    assert history["best_epoch"] == 1 + np.argmin(history["valid"]) and history["ended"] == "patience"
    assert loss_fn(last, *valid) == min(history["valid"])


def test_the_rate_follows_the_schedule():
    rates = []

    def optimizer(params, grads, state=None, lr=1.0):
        rates.append(lr)
        return count_up(params, grads)

    fit(lambda p, x: nnbook.sum(p["steps"] * x), {"steps": np.zeros(1)}, (np.ones((5, 1)),), epochs=2, batch_size=2,
        optimizer=optimizer, lr=0.5, schedule=lambda step: 1 / (1 + step))
    assert rates == [0.5 / (1 + t) for t in range(6)]


def test_no_epochs_no_change():
    params, train, valid = problem()
    same, history = fit(loss_fn, params, train, valid, epochs=0)
    assert_same(same, params)
    assert history == {"loss": [], "valid": [], "best_epoch": 0, "ended": "epochs"}


# --- taking a run up again --------------------------------------------------------------------------


OPTIMIZERS = {"sgd": nnbook.sgd, "momentum": functools.partial(nnbook.sgd, momentum=0.9), "adam": nnbook.adam,
              "amsgrad": functools.partial(nnbook.adam, amsgrad=True), "adamw": nnbook.adamw}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_resuming_is_exact(tmp_path, optimizer, dtype):
    """Dropout, clipping, a schedule, an optimizer's memory: after any epoch the run goes on to the bit."""
    params, train, valid = problem(dtype=dtype)
    backwards = {k: dict(reversed(params[k].items())) for k in reversed(params)}  # an order that no file keeps
    again = functools.partial(fit, noisy_loss, backwards, train, valid, accuracy, batch_size=6, seed=2, max_norm=0.5,
                              optimizer=OPTIMIZERS[optimizer], lr=0.03, schedule=lambda step: 1 / (1 + step))
    whole = again(epochs=5)
    for stop in range(5):
        path = tmp_path / f"{stop}.safetensors"
        again(epochs=stop, save=path)
        best, history = again(epochs=5, resume=path, save=tmp_path / "end.safetensors")
        assert_same(best, whole[0])
        assert history == whole[1]
    assert_same(again(epochs=5, resume=tmp_path / "end.safetensors")[0], whole[0])  # nothing is left to do
    assert_same(load_safetensors(tmp_path / "end.safetensors", prefix="best"),
                {k: dict(sorted(v.items())) for k, v in sorted(whole[0].items())})


def test_a_stopped_run_stays_stopped(tmp_path):
    path = tmp_path / "run.safetensors"
    run_scores([1, 3, 2, 2.5, 4], patience=2, save=path)
    params, history = run_scores([9, 9, 9, 9, 9], patience=2, resume=path)
    assert params["steps"] == 2 and history["ended"] == "patience" and history["valid"] == [1, 3, 2, 2.5]
    params, history = run_scores([9, 9, 9, 9, 9], patience=3, resume=path)  # more patience: it goes on
    assert params["steps"] == 5 == history["best_epoch"] and history["valid"] == [1, 3, 2, 2.5, 9]


def test_validation_may_begin_later(tmp_path):
    params, train, valid = problem()
    fit(loss_fn, params, train, epochs=2, save=tmp_path / "run.safetensors")
    best, history = fit(loss_fn, params, train, valid, accuracy, epochs=3, resume=tmp_path / "run.safetensors")
    assert history["best_epoch"] == 3 and history["valid"] == [accuracy(best, *valid)]


def at_step(stop, loss_fn=loss_fn):
    """`loss_fn`, but Ctrl-C is pressed in call number `stop`, counted from 1."""
    calls = iter(range(1, 10**9))

    def interrupted(p, x, y):
        if next(calls) == stop:
            raise KeyboardInterrupt
        return loss_fn(p, x, y)

    return interrupted


def test_ctrl_c_keeps_what_was_learned(tmp_path):
    params, train, valid = problem()
    path = tmp_path / "run.safetensors"
    learn = functools.partial(fit, params=params, train=train, valid=valid, metric=accuracy, batch_size=8)  # 3 an epoch
    last, history = learn(at_step(3))  # in the first epoch: two steps were taken
    by_hand, state = params, None
    for i in list(batches(23, 8, np.random.default_rng([0, 0])))[:2]:
        _, grads = nnbook.value_and_grad(loss_fn)(by_hand, *(a[i] for a in train))
        by_hand, state = nnbook.adam(by_hand, grads, state)
    assert_same(last, by_hand)
    assert history["ended"] == "interrupt" and len(history["loss"]) == 2 and history["best_epoch"] == 0

    last, history = learn(at_step(8), save=path)  # in the third epoch: the best of two
    assert_same(last, learn(loss_fn, epochs=2)[0])
    assert history["ended"] == "interrupt" and len(history["loss"]) == 7 and len(history["valid"]) == 2
    best, history = learn(loss_fn, resume=path)  # as if nobody had pressed anything
    assert_same(best, learn(loss_fn)[0])
    assert history == learn(loss_fn)[1]

    last, history = fit(at_step(4), params, train, batch_size=8)  # nothing is validated: the last ones
    assert_same(last, fit(loss_fn, params, train, batch_size=8, epochs=1)[0])
    last, history = fit(at_step(5), params, train, batch_size=8)
    assert not np.array_equal(last["last"]["bias"], fit(at_step(4), params, train, batch_size=8)[0]["last"]["bias"])
    assert len(history["loss"]) == 4


def test_ctrl_c_while_validating():
    params, train, valid = problem()

    def metric(p, x, y):
        raise KeyboardInterrupt

    last, history = fit(loss_fn, params, train, valid, metric, epochs=2)
    assert_same(last, fit(loss_fn, params, train, epochs=1)[0])
    assert history["ended"] == "interrupt"


def test_ctrl_c_while_saving_leaves_the_old_file(tmp_path, monkeypatch):
    params, train, valid = problem()
    path, writes = tmp_path / "run.safetensors", iter(range(1, 100))

    def slow(tree, file):
        if next(writes) == 3:  # the start, the first epoch, and now the second
            file.write_bytes(b"half")
            raise KeyboardInterrupt
        save_safetensors(tree, file)

    monkeypatch.setattr(runs, "save_safetensors", slow)
    _, history = fit(loss_fn, params, train, valid, accuracy, save=path)
    assert history["ended"] == "interrupt"
    assert load_safetensors(path)["epoch"] == 1
    again = functools.partial(fit, loss_fn, params, train, valid, accuracy)
    assert again(resume=path)[1] == again()[1]


def test_a_real_signal(tmp_path):
    """A process that is told to stop, as by Ctrl-C, goes on behind `fit`."""
    program = """
import os, signal, numpy as np, nnbook
from nnbook.training import fit
def loss_fn(p, x):
    if len(seen) == 5: os.kill(os.getpid(), signal.SIGINT)
    seen.append(1)
    return nnbook.sum(p["w"] * x)
seen = []
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a run in the background does not have
params, history = fit(loss_fn, {"w": np.ones(1)}, (np.ones((4, 1)),), batch_size=1, epochs=10)
print(history["ended"], len(history["loss"]) < 10)
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["interrupt", "True"]


# --- what does not fit ------------------------------------------------------------------------------


P, (X, Y), (XV, YV) = problem()
BAD = [
    (lambda: fit(loss_fn, P, X), "fit: train is a ndarray, expected a tuple of arrays with an entry for each example"),
    (lambda: fit(loss_fn, P, None), "fit: train is a NoneType, expected a tuple of arrays"),
    (lambda: fit(loss_fn, P, ()), r"fit: train has the shapes \[\], expected a tuple of arrays"),
    (lambda: fit(loss_fn, P, (X, Y[:5])), r"fit: train has the shapes \[\(23, 5\), \(5,\)\], expected"),
    (lambda: fit(loss_fn, P, (X, 3)), r"fit: train has the shapes \[\(23, 5\), \(\)\], expected"),
    (lambda: fit(loss_fn, P, (3, 4)), r"fit: train has the shapes \[\(\), \(\)\], expected"),
    (lambda: fit(loss_fn, P, (X[:0], Y[:0])), r"fit: train has the shapes \[\(0, 5\), \(0,\)\], expected"),
    (lambda: fit(loss_fn, P, (X, Y), XV), "fit: valid is a ndarray, expected a tuple of arrays"),
    (lambda: fit(loss_fn, P, (X, Y), (XV, Y)), r"fit: valid has the shapes \[\(7, 5\), \(23,\)\], expected"),
    (lambda: fit(loss_fn, P, (X, Y), epochs=-1), "fit: epochs is -1, expected at least 0"),
    (lambda: fit(loss_fn, P, (X, Y), batch_size=0), "fit: batch_size is 0, expected at least 1"),
    (lambda: fit(loss_fn, P, (X, Y), (XV, YV), patience=0), "fit: patience is 0, expected at least 1"),
    (lambda: fit(loss_fn, P, (X, Y), patience=2), "fit: patience is 2, but there is neither valid nor metric"),
    (lambda: fit(lambda p, x, y: (loss_fn(p, x, y), {"third": {}}), P, (X, Y), has_aux=True),
     r"fit: the updates have the keys \['third'\], which the parameters do not have"),
    (lambda: fit(lambda p, x, y: (loss_fn(p, x, y), {"first": {"mean": X}}), P, (X, Y), has_aux=True),
     r"fit: the updates have the keys \['mean'\], which the parameters do not have"),
    (lambda: fit(lambda p, x, y: nnbook.linear(x, **p["first"]), P, (X, Y)), "expected a scalar"),
    (lambda: fit(loss_fn, P, (X, Y), save="run.pt"), "a pickle by its name"),
]


@pytest.mark.parametrize(("call", "message"), BAD)
def test_bad_calls(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_files_that_do_not_fit(tmp_path):
    path = tmp_path / "run.safetensors"
    fit(loss_fn, P, (X, Y), epochs=1, save=path)
    for settings_ in ({"seed": 1}, {"batch_size": 31}):
        with pytest.raises(ValueError, match=r"fit: resume: .*run.safetensors has seed, batch_size and number of "
                                             r"examples \[ 0 32 23\], this call has \[ ?\d"):
            fit(loss_fn, P, (X, Y), resume=path, **settings_)
    with pytest.raises(ValueError, match=r"this call has \[ 0 32 22\]"):
        fit(loss_fn, P, (X[1:], Y[1:]), resume=path)
    narrow = {**P, "last": {"weight": np.ones((2, 11)), "bias": np.ones(2)}}
    with pytest.raises(ValueError, match=r"params has an array float64 \(2, 11\), the file has float64 \(3, 11\) in"):
        fit(loss_fn, narrow, (X, Y), resume=path)
    with pytest.raises(ValueError, match=r"params has an array float32 \(11, 5\), the file has float64 \(11, 5\) in"):
        fit(loss_fn, problem(dtype=np.float32)[0], (X, Y), resume=path)
    with pytest.raises(ValueError, match="the trees differ in form"):
        fit(loss_fn, {"first": P["first"]}, (X, Y), resume=path)
    save_safetensors(P, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"weights.safetensors has seed, batch_size and number of examples None, this"):
        fit(loss_fn, P, (X, Y), resume=tmp_path / "weights.safetensors")
    with pytest.raises(FileNotFoundError, match=r"none\.safetensors"):
        fit(loss_fn, P, (X, Y), resume=tmp_path / "none.safetensors")


def test_what_cannot_be_saved_is_found_before_the_first_step(tmp_path):
    def never(p, x):
        raise AssertionError("a step was taken")

    with pytest.raises(TypeError, match="params is a list"):
        fit(never, [{"w": np.ones(3)}], (X,), save=tmp_path / "run.safetensors")


# --- at work ----------------------------------------------------------------------------------------


def test_a_network_learns_the_digits():
    train, valid, test = data.digit_splits()
    rng = np.random.default_rng(0)
    params = {"first": nnbook.init_linear(64, 32, rng), "last": nnbook.init_linear(32, 10, rng)}

    def logits(p, x):
        return nnbook.linear(nnbook.relu(nnbook.linear(nnbook.reshape(x, (len(x), 64)), **p["first"])), **p["last"])

    def accuracy(p, x, y):
        return np.mean(logits(p, x).argmax(axis=1) == y)

    params, history = fit(lambda p, x, y: nnbook.cross_entropy(logits(p, x), y), params, train, valid, accuracy,
                          epochs=10, lr=5e-3)
    assert accuracy(params, *valid) == max(history["valid"]) > 0.92
    assert accuracy(params, *test) > 0.85
    assert np.mean(history["loss"][-37:]) < 0.1 * np.mean(history["loss"][:10])


def test_the_bar_shows_the_loss(monkeypatch):
    program = """
import numpy as np, nnbook
from nnbook.training import fit
fit(lambda p, x: nnbook.sum(p["w"] * x), {"w": np.ones(1)}, (np.ones((4, 1)),), (np.ones((4, 1)),), epochs=3)
"""
    run = functools.partial(subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, check=True)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    shown = run().stderr
    assert "3/3" in shown and "loss=" in shown and "valid=" in shown
    monkeypatch.setenv("TQDM_DISABLE", "1")
    assert not run().stderr
