"""Losses: one number that says how wrong a prediction is.

Names and argument order are those of torch.nn.functional (without its deprecated size_average and reduce).
`reduction` is "none" (one loss an entry), "mean" or "sum". Derived in chapter 3.
"""

from .classes import *
from .classes import __all__ as _classes
from .distances import *
from .distances import __all__ as _distances
from .probabilities import *
from .probabilities import __all__ as _probabilities

__all__ = [*_classes, *_distances, *_probabilities]
