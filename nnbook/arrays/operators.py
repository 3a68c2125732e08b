"""The operators and methods of a Tensor: +, @, [], .sum() ..., each one of the primitives."""

import operator

from ..tape import Tensor, plain
from .elementwise import add, div, matmul, mul, neg, power, sub
from .indexing import getitem
from .reductions import max, mean, min, sum
from .shapes import reshape, swapaxes, transpose


def _flipped(f):
    return lambda self, other: f(other, self)


def _compared(f):
    """A comparison has no gradient: a plain array of booleans."""
    return lambda self, other: f(self.value, plain(other))


def _with_numbers(f):
    """x.reshape(2, 3) as well as x.reshape((2, 3)); x.transpose() reverses the axes."""
    return lambda self, *numbers: f(self, numbers[0] if len(numbers) == 1 else numbers or None)


BINARY = {"add": add, "sub": sub, "mul": mul, "truediv": div, "matmul": matmul}
METHODS = {
    **{f"__{name}__": f for name, f in BINARY.items()},
    **{f"__r{name}__": _flipped(f) for name, f in BINARY.items()},
    **{f"__{name}__": _compared(getattr(operator, name)) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    "__neg__": neg, "__pow__": power, "__getitem__": getitem,
    "sum": sum, "mean": mean, "max": max, "min": min, "swapaxes": swapaxes,
    "T": property(transpose), "reshape": _with_numbers(reshape), "transpose": _with_numbers(transpose),
}
for _name, _method in METHODS.items():
    setattr(Tensor, _name, _method)
Tensor.__hash__ = object.__hash__  # type: ignore[method-assign]  # == compares entries, not identities
