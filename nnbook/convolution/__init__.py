"""Convolution (as deep learning says it: correlation), its adjoint, and the columns between them.

`windows` cuts an array into windows and adds them up again, over any number of spatial
axes; `engine` multiplies them with weights; one and two spatial axes share all of it.
`taps` are linear maps along one axis, for padding, pooling and interpolation.
Derived in chapter 5.
"""

from .columns import *
from .columns import __all__ as _columns
from .conv import *
from .conv import __all__ as _conv
from .engine import (
    _convolve,
    _convolve_dweight,
    _convolve_dx,
    _flipped,
    _scattered_dx,
    convolve,
    convolve_transpose,
)
from .padding import *
from .padding import __all__ as _padding
from .transposed import *
from .transposed import __all__ as _transposed
from .windows import _gather, _scatter, _windows, output_size

__all__ = [*_columns, *_conv, *_padding, *_transposed]
