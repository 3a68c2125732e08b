"""Normalization: mean 0 and variance 1, over axes that each method chooses.

One primitive, `standardize`, carries them all. Layer, group and instance norm take their statistics from each
example, batch norm from the whole batch. RMS norm sets the mean to 0, and batch norm in evaluation sets both
statistics to what training remembered. Derived in chapter 6.
"""

from .channels import *
from .channels import __all__ as _channels
from .features import *
from .features import __all__ as _features

__all__ = [*_channels, *_features]
