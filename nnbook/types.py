"""The types that signatures name. They help readers and type checkers; nothing is checked when a function runs."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

# An ndarray. Inside vjp, grad and value_and_grad a Tensor stands for it, and behaves as one.
Array: TypeAlias = np.ndarray
# Nested dicts of arrays, named as in torch's state_dict: {"linear1": {"weight": ..., "bias": ...}}.
Params: TypeAlias = dict[str, Any]
# One integer for all spatial axes, or one for each.
Sizes: TypeAlias = int | Sequence[int]
# One axis, or several.
Axes: TypeAlias = int | tuple[int, ...]
# What NumPy takes for a dtype: np.float32, "float32".
DType: TypeAlias = type | np.dtype | str
