"""The Transformer: attention and a small network, position by position, in a residual stream.

`positions` says where a token stands, `layers` are the two kinds of layer, `stacks` pile them up, `decoding`
runs them one position at a time with what was computed before kept, `search` picks the tokens. Parameters are
named as in torch.nn's layers. Derived in chapter 12.
"""

from .decoding import *
from .decoding import __all__ as _decoding
from .layers import *
from .layers import __all__ as _layers
from .positions import *
from .positions import __all__ as _positions
from .search import *
from .search import __all__ as _search
from .stacks import *
from .stacks import __all__ as _stacks

__all__ = [*_decoding, *_layers, *_positions, *_search, *_stacks]
