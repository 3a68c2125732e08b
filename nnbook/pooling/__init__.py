"""Pooling and interpolation: fewer places, or more, channel by channel.

`windows` says which inputs an output sees. An average is a linear map along each axis,
and so is interpolation, with other weights (`filters`); a maximum goes axis by axis
too. Pooling is derived in chapter 6, interpolation in chapter 7.
"""

from .average import *
from .average import __all__ as _average
from .maximum import *
from .maximum import __all__ as _maximum
from .resizing import *
from .resizing import __all__ as _resizing

__all__ = [*_average, *_maximum, *_resizing]
