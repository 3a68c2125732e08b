"""Array operations with their vector-Jacobian products: what models are composed of.

Three pairs of adjoints carry nearly all of them: summing and broadcasting, gathering and scatter-adding,
and a product with a matrix and a product with its transpose. Derived in chapters 1 and 2.
"""

from . import operators
from .elementwise import *
from .elementwise import __all__ as _elementwise
from .elementwise import unbroadcast
from .indexing import *
from .indexing import __all__ as _indexing
from .reductions import *
from .reductions import __all__ as _reductions
from .shapes import *
from .shapes import __all__ as _shapes

__all__ = [*_elementwise, *_indexing, *_reductions, *_shapes]
