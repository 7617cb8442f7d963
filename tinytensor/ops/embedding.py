"""Rows of a matrix by their positions: embeddings, bags of embeddings, and one-hot rows."""

from __future__ import annotations

import numpy

from ..arrays import Array, devices, dtypes
from ..arrays.devices import array_module
from ..arrays.numbers import integer
from ..autograd import graph
from ..autograd.deferred import check_range
from ..autograd.graph import tensor_of
from ..autograd.halves import in_single
from ..autograd.modes import no_grad
from ..autograd.table import composed, op
from ..tensors.creation import arange
from ..tensors.tensor import Tensor
from .checks import need_one_of
from .compare import eq
from .gather import index_add, scatter_reduce
from .index import check_labels, getitem, put_zeros, where
from .samples import S, ints, t
from .shape import broadcast_to, reshape


@op(home="nn.functional", method=False, positions=("input",), samples=[
    S(ints(2, 3, high=4), t(4, 5)), S(ints(3, high=4), t(4, 2, grad=False), padding_idx=1),
    S(ints(6, high=3), t(3, 2, grad=False), None, None, 2.0, True),
    S(ints(high=4), t(4, 2)), S(ints(0), t(4, 2)), S(ints(2, 2, high=4), t(4, 0))])
def embedding(input: Array, weight: Array, padding_idx: int | None = None,
              scale_grad_by_freq: bool = False):
    """The rows of `weight` at the positions in `input`; the one at padding_idx gets no gradient.

    Shapes: (*) integers, (V, D) -> (*, D). With max_norm, the selected rows are first scaled
    down, in place, to at most that norm. With scale_grad_by_freq, the gradient of a row is divided
    by its number of occurrences. `sparse` has no effect: gradients are dense.

    Raises:
        IndexError: a position outside of [0, V - 1].
        RuntimeError: positions that are not int64 or int32; a weight that is not a matrix.
        ValueError: a padding_idx outside of [-V, V - 1].
    """
    return weight[input]


@embedding.vjp("weight")
def _(xp, g, input, weight_shape, weight_dtype, padding_idx, scale_grad_by_freq):
    positions = input._array if isinstance(input, graph.Tensor) else input
    raw, factor = array_module(positions), None
    if padding_idx is not None:
        factor = (positions != padding_idx % weight_shape[0]).astype(weight_dtype)
    if scale_grad_by_freq:
        times = raw.bincount(raw.reshape(positions, (-1,)), minlength=weight_shape[0])[positions]
        factor = (1.0 if factor is None else factor) / times.astype(weight_dtype)
    if factor is not None:
        factor = raw.reshape(factor, (*positions.shape, 1))
        g = g * (tensor_of(factor, None) if xp is graph.tensors else factor)
    return put_zeros.run(xp, g, weight_shape, (positions,))


@embedding.public
def checked_embedding(input: Tensor, weight: Tensor, padding_idx: int | None = None,
                      max_norm: float | None = None, norm_type: float = 2.0,
                      scale_grad_by_freq: bool = False, sparse: bool = False) -> Tensor:
    if input.dtype not in (dtypes.int64, dtypes.int32):
        raise RuntimeError(f"embedding: positions must be int64 or int32, got {input.dtype}; "
                           "convert them with .long()")
    if weight.ndim != 2:
        raise RuntimeError("embedding: the weight must have shape (V, D), got "
                           f"{tuple(weight.shape)}")
    rows = weight.shape[0]
    check_labels("embedding", input, rows)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise ValueError(f"embedding: padding_idx {padding_idx} is out of range for {rows} rows")
    if max_norm is not None:
        _bound_rows(weight, input, max_norm, norm_type)
    return embedding(input, weight, padding_idx, scale_grad_by_freq)


checked_embedding.__doc__ = embedding.op.forward.__doc__


def _bound_rows(weight, positions, max_norm, norm_type):
    """Scales the rows at `positions` down to a norm of at most max_norm, in place."""
    with no_grad():
        used = array_module(positions._array).unique(positions._array)
        used = tensor_of(used, None)
        weight[used] = _bounded(weight[used], max_norm, norm_type)


@in_single
def _bounded(rows, max_norm, norm_type):
    norms = (rows.abs() ** norm_type).sum(1, keepdim=True) ** (1 / norm_type)
    return where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


@composed(home="nn.functional", method=False, samples=[
    S(ints(2, 3, high=5), t(5, 4)), S(ints(2, 3, high=5), t(5, 4), mode="sum",
                                      per_sample_weights=t(2, 3, grad=False)),
    S(ints(2, 3, high=5), t(5, 4, distinct=True), mode="max"),
    S(ints(2, 3, high=5), t(5, 4, grad=False), scale_grad_by_freq=True),
    S(ints(2, 4, high=5), t(5, 4), padding_idx=1),
    *(S(ints(6, high=5), t(5, 4, distinct=True), numpy.array([0, 2, 2]), mode=mode)
      for mode in ("sum", "mean", "max")),
    S(ints(6, high=5), t(5, 4), numpy.array([0, 2, 6]), mode="sum", include_last_offset=True)],
    reference=lambda torch: lambda input, weight, offsets=None, **options: (
        torch.nn.functional.embedding_bag(
            input, weight, None if offsets is None else torch.from_numpy(offsets), **options)))
def embedding_bag(input: Tensor, weight: Tensor, offsets: Tensor | None = None,
                  max_norm: float | None = None, norm_type: float = 2,
                  scale_grad_by_freq: bool = False, mode: str = "mean", sparse: bool = False,
                  per_sample_weights: Tensor | None = None, include_last_offset: bool = False,
                  padding_idx: int | None = None) -> Tensor:
    """The sum, mean or max of the rows of `weight` at the positions of each bag.

    A bag is a row of the input or, if that has one dim, the positions from one offset to the next.
    An empty bag gives zeros; positions equal to `padding_idx` are ignored. `max_norm`,
    `scale_grad_by_freq` and `sparse` are as in `embedding`.

    Shapes: (B, N) or (M) with offsets (B), (V, D) -> (B, D).

    Raises:
        ValueError: offsets with two dims, no offsets with one; another mode.
        NotImplementedError: per_sample_weights for another mode than "sum".
        IndexError: a position outside of [0, V - 1].
    """
    need_one_of("embedding_bag", "mode", mode, ("sum", "mean", "max"), ValueError)
    if input.ndim not in (1, 2) or (input.ndim == 1) != (offsets is not None):
        raise ValueError("embedding_bag: give bags as rows of two dims, or one dim and offsets; "
                         f"got shape {tuple(input.shape)} and offsets {offsets}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError("embedding_bag: per_sample_weights go with mode 'sum' only")
    check_labels("embedding_bag", input, weight.shape[0])
    if offsets is None:
        ends = numpy.arange(input.shape[0] + 1) * input.shape[1]
    else:
        starts = devices.to_numpy(getattr(offsets, "_array", offsets))
        ends = starts if include_last_offset else numpy.append(starts, input.numel())
    bags = numpy.repeat(numpy.arange(len(ends) - 1), numpy.diff(ends))
    array = input._array.reshape(-1)
    weights = None if per_sample_weights is None else reshape(per_sample_weights, (-1, 1))
    if padding_idx is not None:
        padding, count = integer("embedding_bag: padding_idx", padding_idx), weight.shape[0]
        if not -count <= padding < count:
            raise RuntimeError(f"embedding_bag: padding_idx {padding} is out of range for {count} "
                               "rows")
        kept = devices.to_numpy(array) != padding % count
        array, bags = array[kept], bags[kept]
        weights = None if weights is None else getitem(weights, (kept,))
    rows = checked_embedding(tensor_of(array, None), weight, None, max_norm, norm_type,
                             scale_grad_by_freq)
    return _reduced(rows, tensor_of(devices.to_device(bags, weight.device), None), len(ends) - 1,
                    weights, mode)


@in_single
def _reduced(rows, bags, count, weights, mode):
    """The sum, mean or max of the rows of each bag, given the bag of each row."""
    out = rows.new_zeros((count, rows.shape[1]))
    if mode == "max":
        index = broadcast_to(bags.unsqueeze(1), rows.shape)
        out = scatter_reduce(out, 0, index, rows, "amax", include_self=False)
        return out.clone() if out.requires_grad else out  # the rule saves the maxima themselves
    total = index_add(out, 0, bags, rows if weights is None else rows * weights)
    if mode == "sum":
        return total
    counts = index_add(out.new_zeros(count), 0, bags, rows.new_ones(bags.numel()))
    return total / counts.clamp(min=1).unsqueeze(1)


@composed(home="nn.functional", method=False, samples=[
    S(ints(2, 3, high=4)), S(ints(3), 6), S(ints(), 5), S(ints(0), 3)],
    scalar="gives positions")
def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Rows of zeros with a 1 at each position. Shapes: (*) integers -> (*, C), int64.

    Raises:
        RuntimeError: not int64; a position outside of [0, C - 1]; no positions and no num_classes.
    """
    if tensor.dtype is not dtypes.int64:
        raise RuntimeError(f"one_hot: positions must be int64, got {tensor.dtype}; convert them "
                           "with .long()")
    raw = tensor._array
    if num_classes == -1:
        if not raw.size:
            raise RuntimeError("one_hot: num_classes must be given for an empty Tensor")
        num_classes = int(raw.max()) + 1
    check_range(raw, 0, num_classes - 1, lambda position: RuntimeError(
        f"one_hot: position {position} is out of range for {num_classes} classes: it must be in "
        f"[0, {num_classes - 1}]"))
    hits = eq(tensor.unsqueeze(-1), arange(num_classes, device=tensor.device))
    return hits.long().contiguous()
