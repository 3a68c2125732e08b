"""Array operations with their vector-Jacobian products: what models are composed of.

Three pairs of adjoints carry nearly all of them: summing and broadcasting, gathering and scatter-adding,
and a product with a matrix and a product with its transpose. Derived in chapters 1 and 2.
"""

import builtins
import operator

import numpy as np

from .tape import Tensor, plain, primitive

__all__ = [
    "abs", "add", "broadcast_to", "clip", "concatenate", "cos", "div", "einsum", "exp", "expand_dims", "flip",
    "getitem", "log", "matmul", "max", "maximum", "mean", "min", "minimum", "moveaxis", "mul", "neg", "power",
    "repeat", "reshape", "sin", "split", "sqrt", "squeeze", "stack", "sub", "sum", "swapaxes", "transpose", "var",
    "where",
]


def unbroadcast(g, like):
    """Sum `g` down to the shape of `like`: the adjoint of broadcasting `like` up to the shape of `g`."""
    shape = np.shape(like)
    if np.shape(g) == shape:
        return g
    g = np.sum(g, axis=tuple(range(np.ndim(g) - len(shape))))
    return np.sum(g, axis=tuple(i for i, n in enumerate(shape) if n == 1), keepdims=True).reshape(shape)


@primitive
def add(a, b):
    """y = a + b, broadcast as NumPy does."""
    return np.add(a, b)

@add.defvjp
def add_vjp(dy, y, a, b):
    return unbroadcast(dy, a), unbroadcast(dy, b)


@primitive
def sub(a, b):
    """y = a - b, broadcast as NumPy does."""
    return np.subtract(a, b)

@sub.defvjp
def sub_vjp(dy, y, a, b):
    return unbroadcast(dy, a), unbroadcast(-dy, b)


@primitive
def mul(a, b):
    """y = a * b elementwise, broadcast as NumPy does."""
    return np.multiply(a, b)

@mul.defvjp
def mul_vjp(dy, y, a, b):
    return unbroadcast(dy * b, a), unbroadcast(dy * a, b)


@primitive
def div(a, b):
    """y = a / b elementwise, broadcast as NumPy does."""
    return np.divide(a, b)

@div.defvjp
def div_vjp(dy, y, a, b):
    return unbroadcast(dy / b, a), unbroadcast(-dy * y / b, b)


@primitive
def neg(x):
    """y = -x."""
    return np.negative(x)

@neg.defvjp
def neg_vjp(dy, y, x):
    return -dy


@primitive
def power(x, exponent):
    """y = x ** exponent for a number `exponent`. Raises TypeError for an array: write exp(exponent * log(x))."""
    if np.ndim(exponent) or isinstance(exponent, np.ndarray):
        raise TypeError(f"power: exponent is a {type(exponent).__name__}, expected a number")
    return np.power(x, exponent)

@power.defvjp
def power_vjp(dy, y, x, exponent):
    return dy * (x.dtype.type(exponent) * x ** x.dtype.type(exponent - 1)) if exponent else np.zeros_like(x)


@primitive
def matmul(a, b):
    """y = a @ b with NumPy's rules: leading axes broadcast, 1-D arguments are row or column."""
    return np.matmul(a, b)

@matmul.defvjp
def matmul_vjp(dy, y, a, b):
    """da = dy b^T, db = a^T dy; a 1-D argument is a matrix with one row (a) or one column (b)."""
    a2 = a[None, :] if a.ndim == 1 else a
    b2 = b[:, None] if b.ndim == 1 else b
    dy = np.expand_dims(dy, -1) if b.ndim == 1 else dy
    dy = np.expand_dims(dy, -2) if a.ndim == 1 else dy
    da = unbroadcast(dy @ np.swapaxes(b2, -1, -2), a2)
    db = unbroadcast(np.swapaxes(a2, -1, -2) @ dy, b2)
    return da.reshape(a.shape), db.reshape(b.shape)


@primitive
def exp(x):
    """y = e ** x."""
    return np.exp(x)

@exp.defvjp
def exp_vjp(dy, y, x):
    return dy * y


@primitive
def log(x):
    """y = ln x."""
    return np.log(x)

@log.defvjp
def log_vjp(dy, y, x):
    return dy / x


@primitive
def sqrt(x):
    """y = x ** (1/2)."""
    return np.sqrt(x)

@sqrt.defvjp
def sqrt_vjp(dy, y, x):
    return dy / (2 * y)


@primitive
def sin(x):
    """y = sin x, x in radians."""
    return np.sin(x)

@sin.defvjp
def sin_vjp(dy, y, x):
    return dy * np.cos(x)


@primitive
def cos(x):
    """y = cos x, x in radians."""
    return np.cos(x)

@cos.defvjp
def cos_vjp(dy, y, x):
    return -dy * np.sin(x)


@primitive
def abs(x):
    """y = |x|, with derivative 0 at 0."""
    return np.abs(x)

@abs.defvjp
def abs_vjp(dy, y, x):
    return dy * np.sign(x)


@primitive
def clip(x, lower=None, upper=None):
    """y = min(max(x, lower), upper); the gradient passes where lower <= x <= upper, as in torch."""
    return np.clip(x, lower, upper)

@clip.defvjp
def clip_vjp(dy, y, x, lower, upper):
    return dy * (np.equal(x, y))


@primitive
def maximum(a, b):
    """y = max(a, b) elementwise; where they are equal each receives half of the gradient, as in torch."""
    return np.maximum(a, b)

@maximum.defvjp
def maximum_vjp(dy, y, a, b):
    half = np.equal(a, b) / dy.dtype.type(2)
    return unbroadcast(dy * (np.greater(a, b) + half), a), unbroadcast(dy * (np.less(a, b) + half), b)


@primitive
def minimum(a, b):
    """y = min(a, b) elementwise; where they are equal each receives half of the gradient, as in torch."""
    return np.minimum(a, b)

@minimum.defvjp
def minimum_vjp(dy, y, a, b):
    half = np.equal(a, b) / dy.dtype.type(2)
    return unbroadcast(dy * (np.less(a, b) + half), a), unbroadcast(dy * (np.greater(a, b) + half), b)


@primitive
def where(condition, a, b):
    """y = a where `condition` holds, else b."""
    return np.where(condition, a, b)

@where.defvjp
def where_vjp(dy, y, condition, a, b):
    zero = dy.dtype.type(0)
    return None, unbroadcast(np.where(condition, dy, zero), a), unbroadcast(np.where(condition, zero, dy), b)


def _spread(dy, x, axis, keepdims):
    """Put the axes back that a reduction took away, so that `dy` broadcasts against `x`."""
    if axis is None or keepdims:
        return np.reshape(dy, (1,) * x.ndim) if axis is None else dy
    axis = axis if isinstance(axis, tuple) else (axis,)
    return np.expand_dims(dy, tuple(a % x.ndim for a in axis))


@primitive
def sum(x, axis=None, keepdims=False):
    """y = sum of x over `axis` (an int, a tuple, or None for all)."""
    return np.sum(x, axis=axis, keepdims=keepdims)

@sum.defvjp
def sum_vjp(dy, y, x, axis, keepdims):
    """Each summand has weight one, so dy is broadcast back."""
    return np.broadcast_to(_spread(dy, x, axis, keepdims), x.shape)


@primitive
def mean(x, axis=None, keepdims=False):
    """y = mean of x over `axis` (an int, a tuple, or None for all)."""
    return np.mean(x, axis=axis, keepdims=keepdims)

@mean.defvjp
def mean_vjp(dy, y, x, axis, keepdims):
    return sum_vjp(dy, y, x, axis, keepdims) * np.asarray(np.size(y) / np.maximum(x.size, 1)).astype(x.dtype)


@primitive
def var(x, axis=None, keepdims=False, correction=0):
    """y = sum (x - mean)^2 / (count - correction) over `axis`."""
    return np.var(x, axis=axis, keepdims=keepdims, ddof=correction)

@var.defvjp
def var_vjp(dy, y, x, axis, keepdims, correction):
    """dx = 2 (x - mean) dy / (count - correction); the mean's own path sums to zero."""
    centred = x - np.mean(x, axis=axis, keepdims=True)
    return _spread(dy, x, axis, keepdims) * centred * (2 / (x.size / np.size(y) - correction))


@primitive
def max(x, axis=None, keepdims=False):
    """y = the largest entry of x along `axis`; equal maxima share the gradient evenly, as torch.amax does."""
    return np.max(x, axis=axis, keepdims=keepdims)

@max.defvjp
def max_vjp(dy, y, x, axis, keepdims):
    hit = np.equal(x, _spread(y, x, axis, keepdims)).astype(x.dtype)
    return _spread(dy, x, axis, keepdims) * hit / np.sum(hit, axis=axis, keepdims=True)


@primitive
def min(x, axis=None, keepdims=False):
    """y = the smallest entry of x along `axis`; equal minima share the gradient evenly, as torch.amin does."""
    return np.min(x, axis=axis, keepdims=keepdims)

@min.defvjp
def min_vjp(dy, y, x, axis, keepdims):
    return max_vjp(dy, y, x, axis, keepdims)


@primitive
def reshape(x, shape):
    """The same numbers in the same order under another shape."""
    return np.reshape(x, shape)

@reshape.defvjp
def reshape_vjp(dy, y, x, shape):
    return np.reshape(dy, x.shape)


@primitive
def transpose(x, axes=None):
    """Permute the axes: axis i of y is axis axes[i] of x; None reverses them all."""
    return np.transpose(x, axes)

@transpose.defvjp
def transpose_vjp(dy, y, x, axes):
    return np.transpose(dy, None if axes is None else np.argsort([a % x.ndim for a in axes]))


@primitive
def swapaxes(x, axis1, axis2):
    """Exchange two axes."""
    return np.swapaxes(x, axis1, axis2)

@swapaxes.defvjp
def swapaxes_vjp(dy, y, x, axis1, axis2):
    return np.swapaxes(dy, axis1, axis2)


@primitive
def moveaxis(x, source, destination):
    """Move axis `source` to the place `destination`; the others keep their order."""
    return np.moveaxis(x, source, destination)

@moveaxis.defvjp
def moveaxis_vjp(dy, y, x, source, destination):
    return np.moveaxis(dy, destination, source)


@primitive
def expand_dims(x, axis):
    """Insert an axis of length one."""
    return np.expand_dims(x, axis)

@expand_dims.defvjp
def expand_dims_vjp(dy, y, x, axis):
    return np.reshape(dy, x.shape)


@primitive
def squeeze(x, axis=None):
    """Take away axes of length one."""
    return np.squeeze(x, axis)

@squeeze.defvjp
def squeeze_vjp(dy, y, x, axis):
    return np.reshape(dy, x.shape)


@primitive
def broadcast_to(x, shape):
    """Repeat x without copying until it has `shape`."""
    return np.broadcast_to(x, shape)

@broadcast_to.defvjp
def broadcast_to_vjp(dy, y, x, shape):
    return unbroadcast(dy, x)


@primitive
def flip(x, axis=None):
    """Reverse the order along `axis` (None: along all axes)."""
    return np.flip(x, axis)

@flip.defvjp
def flip_vjp(dy, y, x, axis):
    return np.flip(dy, axis)


@primitive
def repeat(x, repeats, axis):
    """Repeat each slice along `axis` `repeats` times, copies side by side."""
    return np.repeat(x, repeats, axis)

@repeat.defvjp
def repeat_vjp(dy, y, x, repeats, axis):
    """The copies of a slice stand side by side; sum each run of them."""
    axis = axis % x.ndim
    return np.sum(np.reshape(dy, (*x.shape[: axis + 1], repeats, *x.shape[axis + 1 :])), axis=axis + 1)


@primitive
def concatenate(arrays, axis=0):
    """Join arrays along an axis that they have."""
    return np.concatenate(arrays, axis)

@concatenate.defvjp
def concatenate_vjp(dy, y, arrays, axis):
    return (np.split(dy, np.cumsum([a.shape[axis] for a in arrays])[:-1], axis),)


@primitive
def stack(arrays, axis=0):
    """Join arrays of one shape along a new axis."""
    return np.stack(arrays, axis)

@stack.defvjp
def stack_vjp(dy, y, arrays, axis):
    return (list(np.moveaxis(dy, axis, 0)),)


@primitive
def split(x, sections, axis=0):
    """Cut x along `axis` into `sections` equal parts, or at the indices of a list."""
    return tuple(np.split(x, sections, axis))

@split.defvjp
def split_vjp(dy, y, x, sections, axis):
    return np.concatenate([np.zeros_like(p) if d is None else d for d, p in zip(dy, y, strict=True)], axis)


@primitive
def getitem(x, index):
    """y = x[index], for slices, integers, integer arrays and masks."""
    return x[index]

@getitem.defvjp
def getitem_vjp(dy, y, x, index):
    """Gathering's adjoint is scatter-add: an entry that was taken twice receives two gradients."""
    dx = np.zeros_like(x)
    parts = index if isinstance(index, tuple) else (index,)
    if builtins.all(isinstance(p, slice | int) or p is None or p is Ellipsis for p in parts):
        dx[index] = dy  # each entry was taken at most once
    else:
        np.add.at(dx, index, dy)
    return dx


def _check_einsum(subscripts, operands):
    if "->" not in subscripts or "." in subscripts:
        raise ValueError(f"einsum: subscripts is {subscripts!r}, expected a form like 'ij,jk->ik' without '...'")
    inputs, output = subscripts.replace(" ", "").split("->")
    inputs = inputs.split(",")
    if len(inputs) != len(operands):
        raise ValueError(f"einsum: {subscripts!r} names {len(inputs)} operands, got {len(operands)}")
    for term in [*inputs, output]:
        if len(set(term)) != len(term):
            raise ValueError(f"einsum: a letter is repeated in {term!r}; take the diagonal first")
    return inputs, output


def einsum(subscripts, *operands):
    """The sum that `subscripts` spells out, for example 'nij,jk->nik'. Letters repeat only between operands.

    Raises ValueError for an implicit output, '...', or a letter twice in one operand.
    """
    return _einsum(subscripts, operands)


@primitive
def _einsum(subscripts, operands):
    _check_einsum(subscripts, operands)
    return np.einsum(subscripts, *operands, optimize=True)

@_einsum.defvjp
def _einsum_vjp(dy, y, subscripts, operands):
    """The same sum with dy in the place of the operand; letters that only it has are broadcast."""
    inputs, output = _check_einsum(subscripts, operands)
    grads = []
    for i, (term, x) in enumerate(zip(inputs, operands, strict=True)):
        others = [(t, a) for k, (t, a) in enumerate(zip(inputs, operands, strict=True)) if k != i] + [(output, dy)]
        kept = [c for c in term if any(c in t for t, _ in others)]
        g = np.einsum(",".join(t for t, _ in others) + "->" + "".join(kept), *(a for _, a in others), optimize=True)
        g = np.expand_dims(g, tuple(k for k, c in enumerate(term) if c not in kept))
        grads.append(np.broadcast_to(g, x.shape))
    return None, grads


# --- operators of a Tensor --------------------------------------------------------------------------


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
