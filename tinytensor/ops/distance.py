"""Distances and similarities of vectors, and normalisation to norm 1."""

from __future__ import annotations

import math

import numpy

from ..arrays import Array, devices
from ..autograd.table import composed, op
from ..tensors.tensor import Tensor
from .dims import Dim
from .elementwise import div
from .index import getitem
from .norms import vector_norm
from .samples import S, t
from .shape import broadcast_tensors, unsqueeze


@composed(autocast="float32 on cuda", widens=True, samples=[
    S(t(2, 3), t(2, 3)), S(t(4), t(4), dim=0), S(t(2, 1, 3), t(4, 3), dim=-1),
                   S(t(2, 3), t(2, 3), 0, 0.5), S(t(1, 2, 3), t(2, 1, 3), -2)])
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 · x2 / (max(|x1|, eps) max(|x2|, eps)), after broadcasting.

    Shapes: (*, n, *), (*, n, *) -> (*).
    """
    x1, x2 = broadcast_tensors(x1, x2)
    sizes = [vector_norm(x, 2, dim, True).clamp(min=eps) for x in (x1, x2)]
    return (x1 / sizes[0] * (x2 / sizes[1])).sum(dim)


@composed(widens=True, samples=[
    S(t(2, 3), t(2, 3)), S(t(3), t(3)), S(t(4, 3), t(3), p=1, keepdim=True),
                   S(t(2, 3), t(2, 3), 3, 0.0)])
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6,
                      keepdim: bool = False) -> Tensor:
    """The p-norm of x1 - x2 + eps over the last dim. Shapes: (*, n), (*, n) -> (*)."""
    return vector_norm(x1 - x2 + eps, p, -1, keepdim)


@composed(autocast="float32 on cuda", widens=True, home="nn.functional", method=False, samples=[
    S(t(2, 3)), S(t(2, 3), 1), S(t(2, 3, 2), p=3, dim=-1), S(t(2, 3), 2, (0, 1)),
    S(t(2, 3, distinct=True), math.inf), S(t(2, 3), eps=5.0), S(t(4), dim=0)])
def normalize(input: Tensor, p: float = 2.0, dim: Dim = 1, eps: float = 1e-12,
              out: Tensor | None = None) -> Tensor:
    """input / max(|input|_p, eps), with the norm over `dim`. Shapes: (*, n, *) -> (*, n, *)."""
    size = vector_norm(input, p, dim, True).clamp(min=eps)
    return input / size if out is None else div(input, size, out=out)


# ---------------------------------------------------------------- all pairs


def _differences(torch):
    """cdist by its definition: PyTorch's own has no second derivative."""
    return lambda x1, x2, p=2.0: torch.linalg.vector_norm(
        x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)


# Up to this number of rows PyTorch, and cdist below, subtract instead of multiplying.
FEW = 25


@op(contiguous=True, promotes="same", method=False, internal=True, samples=[
    S(t(3, 2), t(4, 2)), S(t(2, 3, 2), t(4, 2)), S(t(30, 2), t(4, 2)), S(t(0, 2), t(4, 2))],
    reference=_differences)
def euclidean_distances(xp, x1: Array, x2: Array):
    """|x1 - x2| for all pairs of rows; the gradient at distance 0 is 0.

    An op with a rule: its derivative is two matrix products, where a composed one would keep the
    differences of all pairs. Many rows are compared by |x|² + |y|² - 2 x·y.

    Shapes: (*, n, k), (*, m, k) -> (*, n, m).
    """
    if max(x1.shape[-2], x2.shape[-2]) <= FEW:
        apart = xp.expand_dims(x1, -2) - xp.expand_dims(x2, -3)
        return xp.sqrt(xp.sum(apart * apart, axis=-1))
    squares = [xp.sum(x * x, axis=-1) for x in (x1, x2)]
    product = xp.matmul(x1, xp.swapaxes(x2, -1, -2))
    total = xp.expand_dims(squares[0], -1) + xp.expand_dims(squares[1], -2) - 2 * product
    return xp.sqrt(xp.maximum(total, 0))


@euclidean_distances.vjp("x1", "x2")
def _(xp, g, x1, x2, out, needs):
    zero = out == 0
    w = g * (zero == False) / (out + zero)  # noqa: E712 - an array
    d1 = xp.expand_dims(xp.sum(w, axis=-1), -1) * x1 - xp.matmul(w, x2) if needs[0] else None
    if not needs[1]:
        return d1, None
    return d1, xp.expand_dims(xp.sum(w, axis=-2), -1) * x2 \
        - xp.matmul(xp.swapaxes(w, -1, -2), x1)


@composed(autocast="float32", widens=True, method=False, reference=_differences, samples=[
    S(t(3, 2), t(4, 2)), S(t(2, 3, 2), t(1, 4, 2), 1.0), S(t(3, 2), t(4, 2), 3.0),
    S(t(3, 2, distinct=True), t(4, 2), math.inf), S(t(3, 2, grad=False), t(4, 2, grad=False), 0.0)])
def cdist(x1: Tensor, x2: Tensor, p: float = 2.0,
          compute_mode: str = "use_mm_for_euclid_dist_if_necessary") -> Tensor:
    """The p-norm distances of all pairs of rows; the gradient at distance 0 is 0.

    Shapes: (*, n, k), (*, m, k) -> (*, n, m).

    Raises:
        RuntimeError: rows of different lengths, a negative p.
    """
    if min(x1.ndim, x2.ndim) < 2 or x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"cdist: shapes {tuple(x1.shape)} and {tuple(x2.shape)} must have at "
                           "least 2 dimensions and the last one in common")
    if p < 0:
        raise RuntimeError(f"cdist: p must not be negative, got {p}")
    if p == 2:
        return euclidean_distances(x1, x2)
    return _lengths(unsqueeze(x1, -2) - unsqueeze(x2, -3), p).contiguous()


def _lengths(vectors, p):
    """The p-norms over the last dim; 0 for vectors without elements."""
    return vector_norm(vectors, p, -1) if vectors.shape[-1] else vectors.sum(-1)


@composed(autocast="float32 on cuda",
          widens=True, samples=[S(t(4, 3)), S(t(4, 3), 1.0), S(t(3, 3), 3.0), S(t(1, 3))],
          reference=lambda torch: lambda x, p=2.0: torch.stack(
              [torch.linalg.vector_norm(x[i] - x[j], p) for i in range(len(x))
               for j in range(i + 1, len(x))]) if len(x) > 1 else x.new_zeros(0) * x.sum())
def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """The p-norm distances of each pair of different rows, in the order (0, 1), (0, 2), ...

    Shapes: (n, k) -> (n (n - 1) / 2).

    Raises:
        RuntimeError: not two dims.
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist: expects 2 dimensions, got shape {tuple(input.shape)}")
    first, second = (devices.to_device(places, input.device)
                     for places in numpy.triu_indices(input.shape[0], 1))
    return _lengths(getitem(input, (first,)) - getitem(input, (second,)), p)
