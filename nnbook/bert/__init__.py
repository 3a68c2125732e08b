"""BERT: a Transformer encoder that reads in both directions, pretrained to fill in blanks.

Parameters have the names of Hugging Face's BertModel, so its checkpoints load without a rename.
Derived in chapter 13.
"""

from .checkpoint import *
from .checkpoint import __all__ as _checkpoint
from .model import *
from .model import __all__ as _model
from .pretraining import *
from .pretraining import __all__ as _pretraining
from .tokens import *
from .tokens import __all__ as _tokens

__all__ = [*_checkpoint, *_model, *_pretraining, *_tokens]

# In nnbook the name bert is the function, which hides this folder: nnbook.bert.load_checkpoint works all the same.
for _name in __all__:
    setattr(bert, _name, globals()[_name])
