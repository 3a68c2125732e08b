"""Activations: the nonlinear functions between layers, and softmax, which turns scores into probabilities.

Derived in chapter 3.
"""

from .gated import *
from .gated import __all__ as _gated
from .lengths import *
from .lengths import __all__ as _lengths
from .rectifiers import *
from .rectifiers import __all__ as _rectifiers
from .sigmoids import *
from .sigmoids import __all__ as _sigmoids
from .sigmoids import _log1p_exp, _sigmoid
from .softmax import *
from .softmax import __all__ as _softmax

__all__ = [*_gated, *_lengths, *_rectifiers, *_sigmoids, *_softmax]
