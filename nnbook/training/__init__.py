"""Training: `fit`, a short loop over mini-batches, and runs that can be taken up again.

    params, history = fit(loss_fn, params, (x, y), (x_valid, y_valid), accuracy, epochs=5)

Not part of the core: it shows a progress bar (tqdm) and keeps runs in safetensors files.
"""

from .loop import *
