"""Linear layers, embeddings, dropout, and how their weights begin.

Initialisations take an explicit NumPy Generator `rng` and return float64 arrays unless told otherwise.
Derived in chapter 3.
"""

from .affine import *
from .affine import __all__ as _affine
from .initialisation import *
from .initialisation import __all__ as _initialisation
from .lookup import *
from .lookup import __all__ as _lookup
from .noise import *
from .noise import __all__ as _noise

__all__ = [*_affine, *_initialisation, *_lookup, *_noise]
