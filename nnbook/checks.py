"""Checks of arguments, shared by all modules: each error names the argument, what it was, what was expected."""

import numbers
import operator

import numpy as np

OPTIONAL = {"bias", "bias_ih", "bias_hh"}  # arguments that may be None
ARRAY = (np.ndarray, np.generic)


def check_floating(function, **arrays):
    """Raise TypeError unless all arrays are ndarrays of one floating-point dtype; only some may be None.

    Complex numbers pass beside real ones: the complex-step oracle needs them.
    """
    _check_kinds(function, "fc", "floating point", arrays)


def check_real(function, **arrays):
    """As check_floating, for functions that compare numbers: complex ones have no order."""
    _check_kinds(function, "f", "real floating point", arrays)


def check_real_or_integers(function, **arrays):
    """As check_real, for functions that take integers too, as torch's do."""
    _check_kinds(function, "fiu", "real numbers", arrays)


def check_numbers(function, **arrays):
    """As check_floating, for functions that take integers too, as torch's do."""
    _check_kinds(function, "fciu", "floating point or integers", arrays)


def as_floating(function, x):
    """x, with integers and booleans as float32, torch's default dtype. Raises TypeError for anything else."""
    _check_kinds(function, "fciub", "numbers", {"x": x})
    return x if x.dtype.kind in "fc" else x.astype(np.float32)


def _check_kinds(function, kinds, expected, arrays):
    for name, a in arrays.items():
        if a is None and name in OPTIONAL:
            continue
        if not isinstance(a, ARRAY):
            raise TypeError(f"{function}: {name} is a {type(a).__name__}, expected an ndarray")
        if a.dtype.kind not in kinds:
            raise TypeError(f"{function}: {name} has dtype {a.dtype}, expected {expected}")
    if len(arrays) > 1:
        _check_one_dtype(function, {name: a.dtype.newbyteorder("=") for name, a in arrays.items() if a is not None})


def _check_one_dtype(function, dtypes):
    if len(set(dtypes.values())) > 1 and not any(d.kind == "c" for d in dtypes.values()):
        given = ", ".join(f"{name} {d}" for name, d in dtypes.items())
        raise TypeError(f"{function}: the dtypes differ: {given} (expected one for all)")


def check_integers(function, **arrays):
    """Raise TypeError unless every array is an ndarray of integers."""
    for name, a in arrays.items():
        if not isinstance(a, ARRAY):
            raise TypeError(f"{function}: {name} is a {type(a).__name__}, expected an ndarray of integers")
        if a.dtype.kind not in "iu":
            raise TypeError(f"{function}: {name} has dtype {a.dtype}, expected integers")


def check_shape(function, name, a, expected, meaning=""):
    """Raise ValueError unless `a` has the shape `expected`, in which None stands for any size."""
    if len(a.shape) != len(expected) or any(e is not None and e != n for n, e in zip(a.shape, expected, strict=True)):
        sizes = ", ".join("any" if e is None else str(e) for e in expected)
        wanted = f"({sizes}{',' if len(expected) == 1 else ''})"
        raise ValueError(f"{function}: {name} has shape {tuple(a.shape)}, expected {wanted}{meaning and f' {meaning}'}")


def as_number(function, name, value):
    """A setting as a Python float, which widens no float32. Raises TypeError unless it is one real number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"{function}: {name} is {value!r}, expected a number")
    return float(value)


def as_integer(function, name, value):
    """A setting as a Python int. Raises TypeError for another kind."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{function}: {name} is {value!r}, expected an integer") from None
    if isinstance(value, bool):
        raise TypeError(f"{function}: {name} is {value!r}, expected an integer")
    return number


def check_boolean(function, **flags):
    """Raise TypeError unless every flag is True or False: 'False' and 1 are not."""
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise TypeError(f"{function}: {name} is {value!r}, expected True or False")


def widened(x):
    """float16 as float32, in which its sums are taken, as in torch."""
    return x.astype(np.float32) if x.dtype == np.float16 else x


def check_axis(function, axis, ndim):
    """`axis` as a number from 0 to ndim - 1. Raises TypeError for another kind, ValueError outside the range."""
    number = as_integer(function, "axis", axis)
    size = max(ndim, 1)  # torch lets a 0-d array have the axes 0 and -1
    if not -size <= number < size:
        raise ValueError(f"{function}: axis is {axis}, expected -{size} to {size - 1} for {ndim} dimensions")
    return number % size


def per_axis(function, name, value, n, least=0):
    """An int, or a sequence of one or `n` ints, as a tuple of `n`. Raises TypeError or ValueError below `least`."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,)
    wanted = "an integer" if n == 1 else f"an integer or a tuple of {n}"
    try:
        values = tuple(operator.index(v) for v in values)
    except TypeError:
        raise TypeError(f"{function}: {name} is {value!r}, expected {wanted}") from None
    if any(isinstance(v, bool) for v in (value if isinstance(value, tuple | list) else (value,))):
        raise TypeError(f"{function}: {name} is {value!r}, expected {wanted}")
    if len(values) not in (1, n):
        raise ValueError(f"{function}: {name} is {value!r}, expected {wanted}")
    if min(values) < least:
        raise ValueError(f"{function}: {name} is {value!r}, expected at least {least}")
    return values * n if len(values) == 1 else values
