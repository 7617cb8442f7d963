"""Views as copies: `transpose_copy(x, 0, 1)` is `transpose(x, 0, 1)` in memory of its own.

PyTorch has them for programs that must not share memory. The `unsafe_` functions are here those
without the word, because writes into views are followed in the graph.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..arrays import dtypes
from ..autograd.table import composed
from ..tensors.tensor import Tensor
from .arrange import narrow, select, unfold
from .diagonals import as_strided_in_memory, diagonal
from .dims import Dim
from .index import split, unbind
from .numerical import sliced
from .samples import S, t
from .shape import (
    clone,
    contiguous,
    expand,
    permute,
    reshape,
    squeeze,
    t_,
    transpose,
    unsqueeze,
    view,
)


def copied(x: Tensor) -> Tensor:
    """A copy of a view, in C order."""
    return clone(x) if x.is_contiguous() else contiguous(x)


@composed(samples=[S(t(2, 3))], method=False)
def alias_copy(input: Tensor) -> Tensor:
    """The elements in new memory. Shapes: (*) -> (*)."""
    return copied(input)


@composed(samples=[S(t(3, 4), (2, 2), (1, 3)), S(t(6), (2, 2), (1, 2), 1)], method=False)
def as_strided_copy(input: Tensor, size: Sequence[int], stride: Sequence[int],
                    storage_offset: int | None = None) -> Tensor:
    """`as_strided` in new memory. Shapes: (*) -> size."""
    return copied(as_strided_in_memory(input, size, stride, storage_offset))


@composed(samples=[S(t(2, 3, grad=False))], method=False)
def detach_copy(input: Tensor) -> Tensor:
    """The elements, outside of the graph, in new memory. Shapes: (*) -> (*)."""
    return copied(input.detach())


@composed(samples=[S(t(3, 4)), S(t(2, 3, 4), 1, 1, 2)], method=False)
def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`diagonal` in new memory. Shapes: (*, n, m) -> (*, k)."""
    return copied(diagonal(input, offset, dim1, dim2))


@composed(samples=[S(t(3, 1), (2, 3, 4))], method=False)
def expand_copy(input: Tensor, size: Sequence[int], *, implicit: bool = False) -> Tensor:
    """`expand` in new memory. Shapes: (*) -> size."""
    return copied(expand(input, size))


@composed(samples=[S(t(3, 4), 1, 1, 2)])
def narrow_copy(input: Tensor, dim: int, start: int, length: int) -> Tensor:
    """`narrow` in new memory. Shapes: (*, n, *) -> (*, length, *)."""
    return copied(narrow(input, dim, start, length))


@composed(samples=[S(t(2, 3, 4), (2, 0, 1))], method=False)
def permute_copy(input: Tensor, dims: Sequence[int]) -> Tensor:
    """`permute` in new memory. Shapes: (*) -> (*)."""
    return copied(permute(input, dims))


@composed(samples=[S(t(3, 4), 1, -2)], method=False)
def select_copy(input: Tensor, dim: int, index: int) -> Tensor:
    """`select` in new memory. Shapes: (*, n, *) -> (*, *)."""
    return copied(select(input, dim, index))


@composed(samples=[S(t(5, 3), 0, 1, 4, 2), S(t(3, 4), -1, -2), S(t(4))], method=False)
def slice_copy(input: Tensor, dim: int = 0, start: int | None = None,
               end: int | None = None, step: int = 1) -> Tensor:
    """`slice` in new memory. Shapes: (*, n, *) -> (*, k, *)."""
    return copied(sliced("slice_copy", input, dim, start, end, step))


@composed(samples=[S(t(5, 2), 2), S(t(2, 6), 3, dim=1)], method=False)
def split_copy(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """`split` in new memory. Shapes: (n, *) -> (n1, *), (n2, *), ...."""
    return tuple(copied(x) for x in split(input, split_size, dim))


@composed(samples=[S(t(5, 2), (2, 3))], method=False)
def split_with_sizes_copy(input: Tensor, split_sizes: Sequence[int],
                          dim: int = 0) -> tuple[Tensor, ...]:
    """`split_with_sizes` in new memory. Shapes: (n, *) -> (n1, *), (n2, *), ...."""
    return tuple(copied(x) for x in split(input, split_sizes, dim))


@composed(samples=[S(t(2, 1, 3)), S(t(1, 3, 1), 2), S(t(1, 3, 1), (0, 2))], method=False)
def squeeze_copy(input: Tensor, dim: Dim = None) -> Tensor:
    """`squeeze` in new memory. Shapes: (*, 1, *) -> (*, *)."""
    return copied(squeeze(input, dim))


@composed(samples=[S(t(2, 3)), S(t(3))], method=False)
def t_copy(input: Tensor) -> Tensor:
    """`t` in new memory. Shapes: (n, m) -> (m, n)."""
    return copied(t_(input))


@composed(samples=[S(t(2, 3, 4), 0, -1)], method=False)
def transpose_copy(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`transpose` in new memory. Shapes: (*, n, *, m, *) -> (*, m, *, n, *)."""
    return copied(transpose(input, dim0, dim1))


@composed(samples=[S(t(3, 2)), S(t(3, 2), 1)], method=False)
def unbind_copy(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """`unbind` in new memory. Shapes: (n, *) -> (*), n times."""
    return tuple(copied(x) for x in unbind(input, dim))


@composed(samples=[S(t(2, 7), 1, 3, 2)], method=False)
def unfold_copy(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """`unfold` in new memory. Shapes: (*, n, *) -> (*, k, *, size)."""
    return copied(unfold(input, dimension, size, step))


@composed(samples=[S(t(2, 3), 1)], method=False)
def unsqueeze_copy(input: Tensor, dim: int) -> Tensor:
    """`unsqueeze` in new memory. Shapes: (*, *) -> (*, 1, *)."""
    return copied(unsqueeze(input, dim))


@composed(keywords={"dtype": "size"}, samples=[S(t(2, 6), (3, -1))], method=False)
def view_copy(input: Tensor, size: Sequence[int] | dtypes.dtype) -> Tensor:
    """`view` in new memory, for input of any strides. Shapes: (*) -> size."""
    return copied(view(input, size) if isinstance(size, dtypes.dtype) else reshape(input, size))
