"""Shared by the operations on matrices: checks, errors, helpers of rules, samples."""

# ruff: noqa: N803 - matrices have PyTorch's names, which are capitals

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy
from numpy.linalg import LinAlgError as NotSolvable  # CuPy raises it too

from ..arrays import devices, dtypes
from ..autograd.frames import passes_on
from ..autograd.graph import tensor_of
from .checks import need_dims
from .index import raw
from .samples import S, TensorSample

LAPACK = "LAPACK takes numbers only"


class LinAlgError(RuntimeError):
    """A singular or not positive definite matrix, or a factorisation that did not converge."""


# ---------------------------------------------------------------- checks


def check_matrices(name, A):
    if not dtypes.is_floating(A.dtype) or A.dtype.itemsize < 4:
        raise RuntimeError(f"{name}: needs a Tensor of float32 or float64, got {A.dtype}; convert "
                           "it with .float()")
    need_dims(name, A, 2)


def check_square(name, A, floating=True):
    if floating:
        check_matrices(name, A)
    need_dims(name, A, 2)
    if A.shape[-1] != A.shape[-2]:
        raise RuntimeError(f"{name}: the matrices must be square, got shape {tuple(A.shape)}")


@passes_on
def checked_for_failure(xp, name, problem, sick, function, A, *rest):
    """function(A, ...), or an error that names the first matrix of the batch that is `sick`.

    LAPACK also reports a matrix with NaN as singular; its result is NaN, as in PyTorch.
    """
    try:
        return function(A, *rest)
    except NotSolvable:
        nans = has_nan(xp, A)
        if sick is is_singular and bool(nans.any()):
            numbers = xp.where(nans, xp.eye(A.shape[-1], dtype=A.dtype), A)
            out = checked_for_failure(xp, name, problem, sick, function, numbers, *rest)
            return xp.where(nans, math.nan, out)
    where = ""
    if len(A.shape) > 2:
        failed = xp.flatnonzero(sick(xp, A))
        where = f"batch element {int(failed[0])}: " if failed.size else ""
    raise LinAlgError(f"{name}: {where}{problem} (the input has shape {tuple(A.shape)})")


def has_nan(xp, A):
    """Whether each matrix has a NaN. Shapes: (*, n, m) -> (*, 1, 1)."""
    return xp.isnan(A).any(axis=(-2, -1), keepdims=True)


def is_singular(xp, A):
    return xp.absolute(xp.linalg.slogdet(A)[0]) != 1  # CuPy's may be NaN


def is_not_definite(xp, A):
    finite = xp.isfinite(A).all(axis=(-2, -1))
    numbers = xp.where(finite[..., None, None], A, xp.eye(A.shape[-1], dtype=A.dtype))
    return ~((xp.linalg.eigvalsh(numbers)[..., 0] > 0) & finite)


def converged(name, xp, function, A, *rest, **options):
    """function(A, ...), or an error that names the op; LAPACK may iterate over inf for ever."""
    if not bool(xp.isfinite(A).all()):
        raise LinAlgError(f"{name}: the input of shape {tuple(A.shape)} contains NaN or inf")
    try:
        return function(A, *rest, **options)
    except NotSolvable as error:
        raise LinAlgError(f"{name}: {error}; the input has shape {tuple(A.shape)}") from None


# ---------------------------------------------------------------- helpers of the rules


def transposed(xp, x):
    """The matrices transposed."""
    return xp.swapaxes(x, -1, -2)


def triangle_mask(x, upper=False, strict=False):
    """The mask of a triangle of the matrices in `x`: an array, also if x is a Tensor."""
    array = raw(x)
    n, m = array.shape[-2:]
    lower = devices.array_module(array).tri(n, m, -1 if strict != upper else 0, dtype=bool)
    return ~lower if upper else lower


def diagonal_mask(x):
    array = raw(x)
    return devices.array_module(array).eye(array.shape[-1], dtype=bool)


def as_diagonal(xp, d, mask):
    """Diagonal matrices of the elements along the last dim."""
    return xp.expand_dims(d, -1) * mask


def identity(A):
    """The identity matrix of the size, dtype and device of square matrices."""
    array = A._array
    return tensor_of(devices.array_module(array).eye(array.shape[-1], dtype=array.dtype), None)


# ---------------------------------------------------------------- samples


@dataclass(frozen=True)
class Regular(TensorSample):
    """Square matrices that are far from singular."""

    def make(self, rng):
        return super().make(rng) + 5 * numpy.eye(self.shape[-1])


@dataclass(frozen=True)
class Definite(TensorSample):
    """Symmetric positive definite matrices."""

    def make(self, rng):
        x = super().make(rng)
        return x @ x.swapaxes(-1, -2) + numpy.eye(self.shape[-1])


REGULAR = [S(Regular(shape)) for shape in ((3, 3), (2, 3, 3), (1, 1), (0, 3, 3))]
DEFINITE = [S(Definite(shape)) for shape in ((3, 3), (2, 1, 3, 3), (1, 1), (0, 3, 3))]


def relative_signs(torch, mine, theirs, axis):
    """The relative signs of vectors that are unique only up to their sign."""
    return torch.sign((torch.from_numpy(mine) * theirs.detach()).sum(axis, keepdim=True))
