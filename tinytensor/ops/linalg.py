"""Products of vectors and matrices: matmul, products of fixed rank, linear layers.

`matmul` and `linear` have rules of their own, for speed; the others are composed of them.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy

from ..arrays import Array, devices, dtypes
from ..arrays.dispatch import KernelSettings
from ..arrays.numbers import argument, integers
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .dims import axes
from .elementwise import relu
from .index import getitem
from .masking import masked
from .samples import S, ints, t
from .shape import permute, reshape


def _check_inner(name, a, b):
    if not a.ndim or not b.ndim:
        raise RuntimeError(f"{name}: 0-d Tensors have no matrix product; use *")
    inner, other = a.shape[-1], b.shape[-2 if b.ndim > 1 else -1]
    if inner != other:
        raise RuntimeError(f"{name}: {tuple(a.shape)} @ {tuple(b.shape)}: the inner sizes "
                           f"{inner} and {other} differ")
    if a.ndim > 2 < b.ndim:
        for i, (n, m) in enumerate(zip(a.shape[-3::-1], b.shape[-3::-1], strict=False)):
            if n != m and 1 not in (n, m):
                raise RuntimeError(f"{name}: {tuple(a.shape)} @ {tuple(b.shape)}: the batch sizes "
                                   f"{n} and {m} differ at dimension {-3 - i}")


def _check_features(input, weight):
    """
    Raises:
        RuntimeError: `linear` cannot multiply the input by the weight.
    """
    if len(weight.shape) == 2 and input.ndim and input.shape[-1] != weight.shape[1]:
        out, features = weight.shape
        raise RuntimeError(
            f"linear: the input of shape {tuple(input.shape)} has {input.shape[-1]} features (its "
            f"last dim), but this layer takes {features}; Linear({input.shape[-1]}, {out}) fits "
            "the input")
    _check_inner("linear", input, weight.T)


@op(autocast="lower", promotes="same", operator="__matmul__", array_names=("matmul",), samples=[
    S(t(3, 4), t(4, 2)), S(t(4), t(4)), S(t(4), t(4, 2)), S(t(3, 4), t(4)),
    S(t(2, 3, 4), t(4, 2)), S(t(3, 4), t(2, 4, 2)), S(t(2, 1, 3, 4), t(5, 4, 2)),
    S(t(2, 3, 4), t(4)), S(t(4), t(2, 4, 3)), S(t(0, 3), t(3, 2)), S(t(2, 0), t(0, 3)),
    S(t(2, 0, 3), t(3, 2)), S(t(2, 3, 0), t(0, 2)), S(ints(2, 3), ints(3, 2))])
def matmul(xp, input: Array, other: Array):
    """The matrix product; dims before the last two are a batch and broadcast.

    Shapes: (*, n, k), (*, k, m) -> (*, n, m); a vector (k) is a row on the left, a column on
    the right, and its dim is not in the result.

    Raises:
        RuntimeError: sizes that do not fit, 0-d inputs, differing dtypes.
    """
    _check_inner("matmul", input, other)
    return _product(xp, input, other)


def _product(xp, a, b):
    """a @ b; a batch times one shared matrix or vector is one large product.

    NumPy multiplies the matrices of a batch one after the other.
    """
    if len(a.shape) > 2 and len(b.shape) <= 2:
        flat = xp.matmul(xp.reshape(a, (math.prod(a.shape[:-1]), a.shape[-1])), b)
        return xp.reshape(flat, (*a.shape[:-1], *b.shape[1:]))
    return xp.matmul(a, b)


def _rows(xp, x):
    """A vector as a matrix of one row."""
    return xp.reshape(x, (1, -1)) if len(x.shape) == 1 else x


def _columns(xp, x):
    """A vector as a matrix of one column."""
    return xp.reshape(x, (-1, 1)) if len(x.shape) == 1 else x


def _as_product(xp, g, left, right):
    """The gradient of a product, with dims of size 1 in place of those that vectors removed."""
    if left == 1:
        g = xp.expand_dims(g, -2 if right > 1 else -1)
    return xp.expand_dims(g, -1) if right == 1 else g


def _to_vector(xp, d, shape):
    """The gradient of a vector: summed over the batch dims."""
    batch = tuple(range(len(d.shape) - 2))
    return xp.reshape(xp.sum(d, axis=batch) if batch else d, shape)


@matmul.vjp("input")
def _(xp, g, other, input_shape):
    g = _as_product(xp, g, len(input_shape), len(other.shape))
    d = _product(xp, g, xp.swapaxes(_columns(xp, other), -1, -2))
    return _to_vector(xp, d, input_shape) if len(input_shape) == 1 else d


@matmul.vjp("other")
def _(xp, g, input, other_shape):
    g = _as_product(xp, g, len(input.shape), len(other_shape))
    rows = _rows(xp, input)
    if len(other_shape) <= 2 < len(rows.shape):  # one large product, not a sum of small ones
        rows = xp.reshape(rows, (math.prod(rows.shape[:-1]), rows.shape[-1]))
        g = xp.reshape(g, (math.prod(g.shape[:-1]), g.shape[-1]))
    d = xp.matmul(xp.swapaxes(rows, -1, -2), g)
    return _to_vector(xp, d, other_shape) if len(other_shape) == 1 else d


# ---------------------------------------------------------------- products of fixed rank


def _check_ranks(name, ranks, *tensors):
    """
    Raises:
        RuntimeError: a Tensor with another number of dims.
    """
    if any(x.ndim != n for x, n in zip(tensors, ranks, strict=True)):
        shapes = " and ".join(str(tuple(x.shape)) for x in tensors)
        wanted = " and ".join(map(str, ranks))
        raise RuntimeError(f"{name}: expects Tensors of {wanted} dimensions, got shapes {shapes}; "
                           "matmul takes every rank")


@composed(aliases=("spmm",), samples=[S(t(3, 4), t(4, 2)), S(t(0, 4), t(4, 2))])
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, without broadcasting. Shapes: (n, k), (k, m) -> (n, m).

    Raises:
        RuntimeError: not two matrices, or sizes that do not fit.
    """
    _check_ranks("mm", (2, 2), input, mat2)
    return matmul(input, mat2)


@composed(samples=[S(t(2, 3, 4), t(2, 4, 2)), S(t(0, 3, 4), t(0, 4, 2))])
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices. Shapes: (b, n, k), (b, k, m) -> (b, n, m).

    Raises:
        RuntimeError: not two batches of one size, or matrices that do not fit.
    """
    _check_ranks("bmm", (3, 3), input, mat2)
    if input.shape[0] != mat2.shape[0]:
        raise RuntimeError(f"bmm: the batches of shapes {tuple(input.shape)} and "
                           f"{tuple(mat2.shape)} must be of one size; matmul broadcasts")
    return matmul(input, mat2)


@composed(autocast="lower on cuda", samples=[S(t(3, 4), t(4))])
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector. Shapes: (n, k), (k) -> (n).

    Raises:
        RuntimeError: not a matrix and a vector, or sizes that do not fit.
    """
    _check_ranks("mv", (2, 1), input, vec)
    return matmul(input, vec)


@composed(autocast="widest on cuda", aliases=("vdot",), keywords={"other": "tensor"}, samples=[
    S(t(4), t(4)), S(t(0), t(0)), S(ints(3), ints(3))])
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Σ input * tensor of two vectors. Shapes: (n), (n) -> ().

    Raises:
        RuntimeError: not two vectors of one size.
    """
    _check_ranks("dot", (1, 1), input, tensor)
    return matmul(input, tensor)


@composed(autocast="lower", widens=True, home="linalg", method=False, samples=[
    S(t(3, 4), t(3, 4)), S(t(3, 4), t(3, 1), dim=0), S(t(2, 1, 4), t(3, 4))])
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Σ x * y along a dim. Shapes: (*, n, *), (*, n, *) that broadcast -> (*)."""
    return (x * y).sum(dim)


@composed(widens=True, samples=[
    S(t(4), t(4)), S(t(2, 3, 4), t(5, 4)), S(t(), t(2, 3)), S(t(4), t(2, 4))])
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products over the last dims. Shapes: (*, n), (+, n) -> (*, +); a 0-d one scales.

    Raises:
        RuntimeError: the last sizes differ.
    """
    if not input.ndim or not other.ndim:
        return input * other
    return tensordot(input, other, ([-1], [-1]))


@composed(widens=True, aliases=("ger",), samples=[S(t(3), t(4)), S(t(0), t(4))])
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """The products of all pairs of elements of two vectors. Shapes: (n), (m) -> (n, m).

    Raises:
        RuntimeError: not two vectors.
    """
    _check_ranks("outer", (1, 1), input, vec2)
    return reshape(input, (input.numel(), 1)) * vec2


@composed(autocast="lower on cpu", widens=True, method=False, samples=[
    S(t(2, 3, 4), t(3, 4, 5)), S(t(2, 3), t(4, 5), 0), S(t(2, 3, 4), t(4, 3), ([1, 2], [1, 0])),
    S(t(2, 3), t(3), dims=1), S(t(2, 3), t(2, 3), 2),
    S(t(2, 1, 3), t(2, 4, 3), ([0, 1], [0, 1]))])
def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] = 2) -> Tensor:
    """Sums of products over `dims`: the last of `a` with the first of `b`, or two lists of dims.

    Shapes: (*, k), (k, +) -> (*, +). A size of 1 is broadcast to that of the other dim.

    Raises:
        RuntimeError: dims of different sizes.
    """
    dims = argument(dims)
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot: {dims} dims of shapes {tuple(a.shape)} and "
                               f"{tuple(b.shape)}")
        over_a, over_b = tuple(range(a.ndim - dims, a.ndim)), tuple(range(dims))
    else:
        given = [integers("tensordot: dims", d) for d in dims]
        over_a, over_b = (axes(d, x.ndim) if d else ()
                          for d, x in zip(given, (a, b), strict=True))
    if len(over_a) == len(over_b):  # a dim of size 1 is broadcast: its other side is summed alone
        alone_a = [i for i, j in zip(over_a, over_b, strict=True) if a.shape[i] != b.shape[j] == 1]
        alone_b = [j for i, j in zip(over_a, over_b, strict=True) if b.shape[j] != a.shape[i] == 1]
        a = a.sum(alone_a, True) if alone_a else a
        b = b.sum(alone_b, True) if alone_b else b
    sizes_a, sizes_b = [a.shape[i] for i in over_a], [b.shape[i] for i in over_b]
    if sizes_a != sizes_b:
        raise RuntimeError(f"tensordot: {tuple(a.shape)} and {tuple(b.shape)}: the sizes "
                           f"{sizes_a} and {sizes_b} of the summed dims differ")
    left = [i for i in range(a.ndim) if i not in over_a]
    right = [i for i in range(b.ndim) if i not in over_b]
    inner_size = math.prod(sizes_a)
    rows = reshape(permute(a, (*left, *over_a)),
                   (math.prod(a.shape[i] for i in left), inner_size))
    columns = reshape(permute(b, (*over_b, *right)),
                      (inner_size, math.prod(b.shape[i] for i in right)))
    return reshape(matmul(rows, columns),
                   (*(a.shape[i] for i in left), *(b.shape[i] for i in right)))


def _scaled_sum(input, product, beta, alpha):
    """beta * input + alpha * product; with beta = 0 the input is ignored, even NaN."""
    if input.ndim > product.ndim or any(
            n not in (1, m) for n, m in zip(input.shape[::-1], product.shape[::-1], strict=False)):
        raise RuntimeError(f"the input of shape {tuple(input.shape)} does not broadcast to the "
                           f"product's {tuple(product.shape)}")
    if not product.dtype.is_floating_point:  # PyTorch computes with the factors as integers
        beta, alpha = int(beta), int(alpha)
    product = product if alpha == 1 else product * alpha
    if beta == 0:
        return product
    return product + (input if beta == 1 else input * beta)


ADDED = {"beta": 0.5, "alpha": -2}


@composed(autocast="lower", widens=True, inplace=True, samples=[
    S(t(3, 2), t(3, 4), t(4, 2)), S(t(2), t(3, 4), t(4, 2), **ADDED),
                                 S(t(), t(3, 4), t(4, 2), beta=2)])
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1,
          alpha: float = 1) -> Tensor:
    """beta * input + alpha * mat1 @ mat2. With beta = 0 the input is ignored, even NaN.

    Shapes: (n, m) or broadcastable to it, (n, k), (k, m) -> (n, m).
    """
    return _scaled_sum(input, mm(mat1, mat2), beta, alpha)


@composed(widens=True, inplace=True, samples=[
    S(t(3), t(3, 4), t(4)), S(t(1), t(3, 4), t(4), **ADDED)])
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * mat @ vec. Shapes: (n) or broadcastable, (n, k), (k) -> (n)."""
    return _scaled_sum(input, mv(mat, vec), beta, alpha)


@composed(widens=True, inplace=True, samples=[S(t(3, 4), t(3), t(4)), S(t(4), t(3), t(4), **ADDED)])
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2). Shapes: (n, m), (n), (m) -> (n, m)."""
    return _scaled_sum(input, outer(vec1, vec2), beta, alpha)


@composed(autocast="lower",
          widens=True, inplace=True, samples=[S(t(2, 3, 2), t(2, 3, 4), t(2, 4, 2)),
                                 S(t(3, 2), t(2, 3, 4), t(2, 4, 2), **ADDED)])
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1,
            alpha: float = 1) -> Tensor:
    """beta * input + alpha * batch1 @ batch2.

    Shapes: (b, n, m) or broadcastable to it, (b, n, k), (b, k, m) -> (b, n, m).
    """
    return _scaled_sum(input, bmm(batch1, batch2), beta, alpha)


@composed(autocast="lower", widens=True, inplace=True, samples=[S(t(3, 2), t(2, 3, 4), t(2, 4, 2)),
                                 S(t(2), t(2, 3, 4), t(2, 4, 2), **ADDED)])
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1,
           alpha: float = 1) -> Tensor:
    """beta * input + alpha * Σ_b batch1[b] @ batch2[b].

    Shapes: (n, m), (b, n, k), (b, k, m) -> (n, m).
    """
    _check_ranks("addbmm", (3, 3), batch1, batch2)
    if batch1.shape[0] != batch2.shape[0] or batch1.shape[2] != batch2.shape[1]:
        raise RuntimeError(f"addbmm: batches of shapes {tuple(batch1.shape)} and "
                           f"{tuple(batch2.shape)} do not fit")
    return _scaled_sum(input, tensordot(batch1, batch2, ([0, 2], [0, 1])), beta, alpha)


# ---------------------------------------------------------------- chains and blocks


def _best_order(sizes):
    """Where to split each chain of products of (sizes[i], sizes[i + 1]) matrices, for the fewest
    multiplications.

    By dynamic programming over chains of growing length (Cormen et al., Introduction to
    Algorithms, section 15.2).
    """
    n = len(sizes) - 1
    cost, split = {(i, i): 0 for i in range(n)}, {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            choices = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                       for k in range(i, j)]
            cost[i, j], split[i, j] = min(choices)
    return split


@composed(autocast="lower", widens=True, home="linalg", method=False, samples=[
    S([t(2, 5), t(5, 3), t(3, 4), t(4, 2)]), S([t(4), t(4, 3), t(3)]), S([t(2, 3), t(3)])])
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of several matrices in the cheapest order; the first and last may be vectors.

    Shapes: (n, k), (k, l), ..., (p, m) -> (n, m), without the dim of a vector.

    Raises:
        RuntimeError: fewer than two, other ranks, sizes that do not fit.
    """
    tensors = list(tensors)
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot: expects at least 2 Tensors, got {len(tensors)}")
    row, column = tensors[0].ndim == 1, tensors[-1].ndim == 1
    if row:
        tensors[0] = reshape(tensors[0], (1, -1))
    if column:
        tensors[-1] = reshape(tensors[-1], (-1, 1))
    _check_ranks("multi_dot", [2] * len(tensors), *tensors)
    for a, b in itertools.pairwise(tensors):
        _check_inner("multi_dot", a, b)
    split = _best_order([x.shape[0] for x in tensors] + [tensors[-1].shape[1]])

    def product(i, j):
        return tensors[i] if i == j else \
            matmul(product(i, split[i, j]), product(split[i, j] + 1, j))

    out = product(0, len(tensors) - 1)
    return reshape(out, out.shape[row:2 - column])


@composed(autocast="lower", widens=True, method=False, samples=[S(t(2, 5), t(5, 3), t(3, 4))],
          reference=lambda torch: lambda *matrices: torch.linalg.multi_dot(matrices))
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of several matrices in the cheapest order. Shapes: (n, k), ..., (p, m) -> (n, m).

    Raises:
        RuntimeError: not all are matrices, or sizes that do not fit.
    """
    _check_ranks("chain_matmul", [2] * len(matrices), *matrices)
    return multi_dot(matrices) if len(matrices) > 1 else matrices[0]


@composed(widens=True, samples=[
    S(t(2, 3), t(3, 2)), S(t(2), t(3, 4)), S(t(2, 1, 3), t(2, 2)), S(t(), t(3))])
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product: the blocks input[i, j] * other. Shapes: (n, m), (k, l) -> (nk, ml)."""
    rank = max(input.ndim, other.ndim)
    a = (1,) * (rank - input.ndim) + tuple(input.shape)
    b = (1,) * (rank - other.ndim) + tuple(other.shape)
    apart = reshape(input, [n for pair in zip(a, [1] * rank, strict=True) for n in pair]) \
        * reshape(other, [n for pair in zip([1] * rank, b, strict=True) for n in pair])
    return reshape(apart, tuple(n * m for n, m in zip(a, b, strict=True)))


def _cross(name, input, other, axis):
    if input.ndim != other.ndim or input.shape[axis] != 3 or other.shape[axis] != 3:
        raise RuntimeError(f"{name}: vectors of 3 elements are needed at dimension {axis} of as "
                           f"many dims, got shapes {tuple(input.shape)} and {tuple(other.shape)}")
    before = (slice(None),) * axis
    one, two = ((*before, devices.to_device(numpy.array(places), input.device))
                for places in ([1, 2, 0], [2, 0, 1]))
    first = getitem(input, one) * getitem(other, two)
    return (first - getitem(input, two) * getitem(other, one)).contiguous()


@composed(autocast="widest on cuda", widens=True, home="linalg", method=False, samples=[
    S(t(2, 3), t(2, 3)), S(t(3, 4), t(3, 1), dim=0), S(t(1, 3), t(4, 3))])
def cross(input: Tensor, other: Tensor, *, dim: int | None = -1) -> Tensor:
    """The cross product of vectors of 3 elements. Shapes: (*, 3), (*, 3) -> (*, 3).

    Raises:
        RuntimeError: other than 3 elements along `dim`.
    """
    (axis,) = axes(dim, input.ndim)
    return _cross("linalg.cross", input, other, axis)


def _first_cross(input, other, dim=None):
    """As `linalg.cross`, along the first dim of 3 elements unless `dim` is given.

    Shapes: (*, 3, *), (*, 3, *) -> (*, 3, *).

    Raises:
        RuntimeError: other than 3 elements along `dim`.
    """
    (axis,) = axes(dim, input.ndim) if dim is not None else \
        [i for i, n in enumerate(input.shape) if n == 3][:1] or (0,)
    return _cross("cross", input, other, axis)


_first_cross.__name__ = "cross"
composed(widens=True, samples=[S(t(2, 3), t(2, 3), dim=1), S(t(3, 3), t(3, 3), 0)])(_first_cross)


@composed(autocast="float32 on cpu",
          widens=True, samples=[S(t(3, 3)), S(t(2, 4)), S(t(0, 3)), S(ints(3, 3))])
def trace(input: Tensor) -> Tensor:
    """The sum of the diagonal of a matrix. Shapes: (n, m) -> ().

    Raises:
        RuntimeError: not a matrix.
    """
    _check_ranks("trace", (2,), input)
    return input.diagonal().sum()


# ---------------------------------------------------------------- covariances


@composed(widens=True, samples=[
    S(t(3, 5)), S(t(5)), S(t(3, 5), correction=0), S(t(3, 5), fweights=ints(5, low=1, high=4)),
    S(t(3, 5), aweights=t(5, low=0.1, grad=False)), S(t(2, 4), correction=2, fweights=ints(
        4, low=1, high=4), aweights=t(4, low=0.1, grad=False))])
def cov(input: Tensor, *, correction: int = 1, fweights: Tensor | None = None,
        aweights: Tensor | None = None) -> Tensor:
    """The covariances of variables, one a row, over their observations, one a column.

    `fweights` are numbers of repetitions, `aweights` weights of importance, of each observation.

    Shapes: (n, m), weights (m) -> (n, n), or (m) -> ().

    Raises:
        RuntimeError: more than 2 dims; fweights that are not integers, aweights that are not
            floating point, or negative ones.
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov: needs at most 2 dimensions, got shape {tuple(input.shape)}")
    for name, w, floating in (("fweights", fweights, False), ("aweights", aweights, True)):
        if w is not None and (w.dtype.is_floating_point != floating or bool((w < 0).any())):
            kind = "floating point" if floating else "integers"
            raise RuntimeError(f"cov: {name} must be {kind} of at least 0, got {w.dtype}"
                               + " with negative ones" * (w.dtype.is_floating_point == floating))
    x = reshape(input, (1, -1)) if input.ndim < 2 else input
    x = x if x.dtype.is_floating_point else x.to(dtypes.get_default_dtype())
    given = [w for w in (fweights, aweights) if w is not None]
    weights = math.prod(given[1:], start=given[0]) if given else x.new_ones(x.shape[1])
    weights = weights if weights.dtype.is_floating_point else weights.to(x.dtype)
    total = weights.sum()
    importance = total if aweights is None else (weights * aweights).sum()
    left = (total - correction * importance / total).clamp(min=0)
    centred = x - ((x * weights).sum(1) / total).unsqueeze(1)
    return matmul(centred * weights, centred.t()).squeeze() / left


@composed(widens=True, samples=[S(t(3, 5)), S(t(2, 2))])
def corrcoef(input: Tensor) -> Tensor:
    """The correlation coefficients of variables, one a row: covariances over both deviations.

    Shapes: (n, m) -> (n, n), or (m) -> ().
    """
    covariances = cov(input)
    if not covariances.ndim:
        return covariances / covariances
    deviations = covariances.diagonal().sqrt()
    return (covariances / deviations.unsqueeze(1) / deviations).clamp(-1, 1)


# ---------------------------------------------------------------- linear layers


@op(autocast="lower", promotes="same", home="nn.functional", method=False, samples=[
    S(t(5, 3), t(4, 3)), S(t(5, 3), t(4, 3), t(4)), S(t(2, 5, 3), t(4, 3), t(4)),
    S(t(3), t(4, 3), t(4)), S(t(0, 3), t(4, 3), t(4))])
def linear(xp, input: Array, weight: Array, bias: Array | None = None):
    """input @ weight.T + bias. Shapes: (*, in), (out, in), (out) -> (*, out).

    One op instead of three, because it is the most frequent call.
    """
    if not input.ndim or len(weight.shape) != 2 or input.shape[-1] != weight.shape[1]:
        _check_features(input, weight)
    out = _product(xp, input, weight.T)
    if bias is None:
        return out
    if bias.shape != weight.shape[:1] and bias.shape not in ((), (1,)) and len(bias.shape) == 1:
        raise RuntimeError(f"linear: a bias of shape {tuple(bias.shape)} does not fit a weight of "
                           f"shape {tuple(weight.shape)}, which makes {weight.shape[0]} outputs")
    return out + bias


def _as_rows(x):
    """(*, n) as a matrix with n columns."""
    return x if len(x.shape) == 2 else x.reshape((math.prod(x.shape[:-1]), x.shape[-1]))


@linear.vjp("input")
def _of_input(xp, g, weight):
    return _product(xp, g, weight)


@linear.vjp("weight")
def _of_weight(xp, g, input):
    rows, columns = _as_rows(g), _as_rows(input)
    if rows.shape[0] == 1:  # an outer product: matmul takes four times as long
        return rows.T * columns
    return xp.matmul(rows.T, columns)


@linear.vjp("bias")
def _of_bias(xp, g):
    rows = _as_rows(g)
    if rows.shape[0] == 1:
        return rows.reshape(rows.shape[1:])
    if 0 in rows.shape:
        return xp.sum(rows, axis=0)
    # A product with ones sums columns faster and more accurately than sum(axis=0).
    return xp.matmul(xp.ones_like(rows[:, 0]), rows)


@op(autocast="lower", promotes="same", home="internal", method=False, samples=[
    S(t(5, 3), t(4, 3)), S(t(5, 3), t(4, 3), t(4)), S(t(2, 5, 3), t(4, 3), t(4)),
    S(t(3), t(4, 3), t(4)), S(t(0, 3), t(4, 3), t(4))],
    reference=lambda torch: lambda *given: torch.relu(torch.nn.functional.linear(*given)))
def linear_relu(xp, input: Array, weight: Array, bias: Array | None = None):
    """relu(linear(input, weight, bias)), without keeping the result of linear. Shapes: as linear.

    One op instead of two: large products evict the interpreter from the cache, so that a Python
    call between them takes twice as long.
    """
    return relu.run(xp, linear.run(xp, input, weight, bias))


@linear_relu.vjp("input", "weight", "bias")
def _(xp, g, out, weight, input, needs):
    g = masked(xp, g, out != 0)  # as relu's
    return [rule(xp, g, *saved) if needed else None for rule, saved, needed in zip(
        (_of_input, _of_weight, _of_bias), ((weight,), (input,), ()), needs, strict=True)]


def rectified_linear(input, weight, bias):
    """relu(linear(input, weight, bias)).

    Small inputs use the two ops, so that a drawn graph shows both.
    """
    if input._array.size + weight._array.size < KernelSettings.min_work:
        return relu(linear(input, weight, bias))
    return linear_relu(input, weight, bias)


@composed(autocast="widest on cuda", widens=True, method=False, samples=[
    S(t(5, 3), t(5, 4), t(2, 3, 4)), S(t(5, 3), t(5, 4), t(2, 3, 4), t(2)),
    S(t(2, 5, 3), t(2, 5, 4), t(6, 3, 4), t(6)), S(t(0, 3), t(0, 4), t(2, 3, 4), t(2))])
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input1ᵀ weight[k] input2 + bias[k], for each output k.

    Shapes: (*, n), (*, m), (K, n, m), (K) -> (*, K).

    Raises:
        RuntimeError: shapes that do not fit.
    """
    if (weight.ndim != 3 or input1.shape[:-1] != input2.shape[:-1]
            or (input1.shape[-1], input2.shape[-1]) != tuple(weight.shape[1:])):
        raise RuntimeError(
            f"bilinear: inputs {tuple(input1.shape)} and {tuple(input2.shape)} do not fit a "
            f"weight of shape {tuple(weight.shape)}; they must be (*, n), (*, m) and (K, n, m)")
    outputs, n, m = weight.shape
    products = matmul(input1, permute(weight, (1, 0, 2)).reshape(n, outputs * m))
    products = products.reshape(*input1.shape[:-1], outputs, m)
    out = (products * input2.unsqueeze(-2)).sum(-1)
    return out if bias is None else out + bias
