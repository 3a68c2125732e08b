"""The operators and methods of a Tensor: +, @, [], .sum() ..., each one of the primitives."""

import operator

from ..tape import Tensor, plain
from .elementwise import add, div, matmul, mul, neg, power, sub
from .indexing import getitem
from .reductions import max, mean, min, sum
from .shapes import reshape, swapaxes, transpose


def _flipped(f):
    return lambda self, other: f(other, self)


for _name, _f in {"add": add, "sub": sub, "mul": mul, "truediv": div, "matmul": matmul}.items():
    setattr(Tensor, f"__{_name}__", _f)
    setattr(Tensor, f"__r{_name}__", _flipped(_f))
for _f in (operator.lt, operator.le, operator.gt, operator.ge):  # no gradient: a plain array of booleans
    setattr(Tensor, f"__{_f.__name__}__", lambda a, b, f=_f: f(a.value, plain(b)))
Tensor.__neg__, Tensor.__pow__, Tensor.__getitem__ = neg, power, getitem
Tensor.sum, Tensor.mean, Tensor.max, Tensor.min = sum, mean, max, min
Tensor.swapaxes, Tensor.T = swapaxes, property(transpose)
Tensor.reshape = lambda self, *shape: reshape(self, shape[0] if len(shape) == 1 else shape)
Tensor.transpose = lambda self, *axes: transpose(self, axes[0] if len(axes) == 1 else axes or None)
