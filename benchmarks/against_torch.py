"""nnbook and torch side by side, in turns, in one process; the ratio of CPU times, medians of many repeats.

    make bench

Below 1 nnbook is faster. One thread, float32 and float64, values and gradients of all arguments, through the
tape. `moved` is how far the ratio moved between the first and the second half of the repeats. Large freed
blocks are kept (the allocator's default would flatter NumPy), so the program starts itself again with that set.
"""

import os
import statistics
import sys
import time

ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
               "MALLOC_TRIM_THRESHOLD_": "4000000000", "MALLOC_MMAP_THRESHOLD_": "2000000000"}
if any(os.environ.get(name) != value for name, value in ENVIRONMENT.items()):
    os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | ENVIRONMENT)

import numpy as np  # noqa: E402
import torch  # noqa: E402

import nnbook  # noqa: E402

F, REPEATS = torch.nn.functional, 15


def convolution(C, O, size, N, groups=1):
    """3 x 3, padding 1, forward and backward."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((N, C, size, size)), rng.standard_normal((O, C // groups, 3, 3))]
    return (arrays, lambda x, w: nnbook.conv2d(x, w, padding=1, groups=groups),
            lambda x, w: F.conv2d(x, w, padding=1, groups=groups))


def recurrence(kind, N=32, T=64, I=64, H=128):
    """One layer, forward and backward."""
    rng = np.random.default_rng(0)
    params = getattr(nnbook, f"init_{kind}")(I, H, rng)
    names = list(params)
    module = getattr(torch.nn, kind.upper())(I, H, batch_first=True)
    return ([rng.standard_normal((N, T, I)), *params.values()],
            lambda x, *w: getattr(nnbook, kind)(x, dict(zip(names, w, strict=True)))[0],
            lambda x, *w: torch.func.functional_call(module, dict(zip(names, w, strict=True)), (x,))[0])


def attention(causal, N=4, H=8, T=256, D=64):
    """Forward and backward."""
    rng = np.random.default_rng(0)
    return (list(rng.standard_normal((3, N, H, T, D))),
            lambda *a: nnbook.scaled_dot_product_attention(*a, is_causal=causal),
            lambda *a: F.scaled_dot_product_attention(*a, is_causal=causal))


def cross_entropy(N=2048, V=8192):
    """Forward and backward."""
    rng = np.random.default_rng(0)
    target = rng.integers(0, V, N)
    return ([rng.standard_normal((N, V))], lambda z: nnbook.cross_entropy(z, target),
            lambda z: F.cross_entropy(z, torch.tensor(target)))


WORKLOADS = {
    "conv 3->32, 32x32, N 32": lambda: convolution(3, 32, 32, 32),
    "conv 64->64, 28x28, N 16": lambda: convolution(64, 64, 28, 16),
    "depthwise 32, 32x32, N 16": lambda: convolution(32, 32, 32, 16, 32),
    "RNN N 32 T 64 I 64 H 128": lambda: recurrence("rnn"),
    "LSTM N 32 T 64 I 64 H 128": lambda: recurrence("lstm"),
    "GRU N 32 T 64 I 64 H 128": lambda: recurrence("gru"),
    "attention N 4 H 8 T 256 D 64": lambda: attention(False),
    "the same, causal": lambda: attention(True),
    "cross-entropy 2048 x 8192": cross_entropy,
    "softmax 2048 x 2048": lambda: ([np.random.default_rng(0).standard_normal((2048, 2048))], nnbook.softmax,
                                    lambda z: torch.softmax(z, -1)),
}


def ratios(arrays, ours, theirs, dtype):
    """CPU time of nnbook over that of torch, in turns."""
    arrays = [a.astype(dtype) for a in arrays]
    tensors = [torch.tensor(a, requires_grad=True) for a in arrays]
    dy = np.ones_like(ours(*arrays))

    def run_ours():
        nnbook.vjp(ours, *arrays)[1](dy)

    def run_theirs():
        torch.autograd.grad(theirs(*tensors), tensors, torch.tensor(dy))

    times = {run_ours: [], run_theirs: []}
    order = np.random.default_rng(1)
    for _ in range(REPEATS + 2):
        for f in order.permutation([run_ours, run_theirs]):
            start = time.process_time()
            f()
            times[f].append(time.process_time() - start)
    return [a / b for a, b in zip(times[run_ours][2:], times[run_theirs][2:], strict=True)]


def main():
    """Print a row for each workload."""
    torch.set_num_threads(1)
    print(f"{'forward and backward, one thread':34}  float32  moved  float64  moved")
    everything = {np.float32: [], np.float64: []}
    for name, make in WORKLOADS.items():
        row = f"{name:34}"
        for dtype, kept in everything.items():
            r = ratios(*make(), dtype)
            half = len(r) // 2
            moved = abs(statistics.median(r[:half]) / statistics.median(r[half:]) - 1)
            kept.append(statistics.median(r))
            row += f"  {kept[-1]:7.2f}  {moved:4.0%}"
        print(row, flush=True)
    means = [statistics.geometric_mean(kept) for kept in everything.values()]
    print(f"{'geometric mean':34}  {means[0]:7.2f}        {means[1]:7.2f}")


if __name__ == "__main__":
    main()
