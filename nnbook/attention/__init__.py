"""Attention: look something up by likeness, and learn what is alike.

Everywhere in nnbook a boolean mask says who may attend: True = attend, as in torch's
scaled_dot_product_attention (torch.nn.MultiheadAttention has it the other way round). A
row that may attend to nothing gives zeros. Derived in chapter 11.
"""

from .additive import *
from .additive import __all__ as _additive
from .additive import _masked_softmax
from .masks import _masked, _probabilities, causal_mask
from .multi_head import *
from .multi_head import __all__ as _multi_head
from .multi_head import _project, _split_heads
from .scaled import *
from .scaled import __all__ as _scaled
from .scaled import _attend
from .tiled import *
from .tiled import __all__ as _tiled
from .tiled import _attend_tiled, _tiles

__all__ = [*_additive, *_multi_head, *_scaled, *_tiled]
