"""Sequences of different lengths as one Tensor: padded to one length, or packed without gaps.

Packed, the rows of all sequences at time 0 come first, then those at time 1, of which there may
be fewer, and so on; so the sequences stand from the longest to the shortest. That is what the
recurrent layers compute on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any, NamedTuple

from ... import ops
from ...arrays.dtypes import float32, float64, int64
from ...tensors.creation import arange, full, tensor
from ...tensors.tensor import Tensor


class _Fields(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Fields):
    """Sequences without gaps between them: made by pack_padded_sequence and pack_sequence.

    data              (rows, *): all that stands at time 0, then at time 1, ...
    batch_sizes       how many sequences reach each time, on the CPU
    sorted_indices    where each packed sequence stood before they were sorted by length, or None
    unsorted_indices  where each given sequence stands now, or None
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Any = None, sorted_indices: Any = None,
                unsorted_indices: Any = None) -> PackedSequence:
        if batch_sizes is None:  # PackedSequence((data, batch_sizes))
            data, batch_sizes = data
        if batch_sizes.is_cuda:
            raise ValueError("PackedSequence: batch_sizes must be on the CPU; make packed "
                             "sequences with pack_sequence or pack_padded_sequence")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data as another dtype or on another device, as `Tensor.to`; itself if unchanged."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        order = [None if i is None else i.to(data.device)
                 for i in (self.sorted_indices, self.unsorted_indices)]
        return type(self)(data, self.batch_sizes, *order)

    def float(self) -> PackedSequence:
        """to(float32)."""
        return self.to(float32)

    def double(self) -> PackedSequence:
        """to(float64)."""
        return self.to(float64)

    def cpu(self) -> PackedSequence:
        """to("cpu")."""
        return self.to("cpu")

    def cuda(self) -> PackedSequence:
        """to("cuda")."""
        return self.to("cuda")

    @property
    def is_cuda(self) -> bool:
        return bool(self.data.is_cuda)


def invert_permutation(permutation: Any) -> Any:
    """The permutation that undoes one: where each number stands in it. None stays None."""
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(input: Any, lengths: Any, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """The sequences in a padded Tensor without their padding.

    Shapes: (T, N, *), or (N, T, *) with batch_first; N lengths -> rows (sum of the lengths, *).
    Sequences must come from the longest to the shortest unless enforce_sorted is False: then they
    are sorted here, and unsorted in what comes out at the end.

    Raises:
        RuntimeError: lengths that do not fit the input, are not positive or not sorted.
    """
    lengths = _as_lengths(lengths)
    padded = input.transpose(0, 1) if batch_first else input
    if len(lengths) != padded.shape[1]:
        raise RuntimeError(f"pack_padded_sequence: {len(lengths)} lengths for a batch of "
                           f"{padded.shape[1]}, of shape {tuple(input.shape)}")
    found = lengths.tolist()
    if min(found, default=0) <= 0 or max(found) > padded.shape[0]:
        raise RuntimeError(f"pack_padded_sequence: lengths must be between 1 and "
                           f"{padded.shape[0]}, the size of the input {tuple(input.shape)}, got "
                           f"{found}")
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        order = order.to(input.device)
        padded = padded.index_select(1, order)
    elif any(a < b for a, b in itertools.pairwise(found)):
        raise RuntimeError(f"pack_padded_sequence: lengths {found} do not fall; sort the "
                           "sequences from the longest to the shortest, or pass "
                           "enforce_sorted=False")
    kept = _within(lengths, max(found))
    return PackedSequence(padded[:max(found)][kept], kept.sum(1), order)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Any, Any]:
    """The padded Tensor that a PackedSequence stands for, in the order in which it was given.

    Shapes: rows -> (T, N, *), or (N, T, *) with batch_first; and the N lengths. T is the longest
    length, or total_length.

    Raises:
        ValueError: a total_length that is less than the longest.
    """
    sizes = sequence.batch_sizes
    longest, count = len(sizes), int(sizes[0])
    if total_length is not None and total_length < longest:
        raise ValueError(f"pad_packed_sequence: total_length {total_length} is less than "
                         f"{longest}, the length of the longest sequence")
    lengths = (sizes.unsqueeze(0) > arange(count, device="cpu").unsqueeze(1)).sum(1)
    padded = _spread(sequence.data, _within(lengths, total_length or longest), padding_value)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.cpu()]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pad_sequence(sequences: Any, batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Any:
    """Sequences side by side, filled up to the length of the longest.

    Shapes: N times (T_i, *) -> (T, N, *), or (N, T, *) with batch_first.

    Raises:
        RuntimeError: no sequences, shapes that differ in more than the length, another
            padding_side than "left" or "right".
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError("pad_sequence: expected several Tensors, got "
                           f"{type(sequences).__name__}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: expected at least one sequence, got an empty list")
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"pad_sequence: padding_side {padding_side!r} is neither 'left' nor "
                           "'right'")
    shapes = [tuple(s.shape) for s in sequences]
    if len({shape[1:] for shape in shapes}) > 1:
        raise RuntimeError("pad_sequence: shapes may differ in the first dim only, got "
                           + ", ".join(map(str, shapes)))
    lengths = tensor([shape[0] for shape in shapes], device="cpu")
    longest = max(shape[0] for shape in shapes)
    kept = _within(lengths, longest).T
    if padding_side == "left":
        kept = kept.flip(1)
    padded = _spread(ops.shape.cat(sequences), kept, padding_value)
    return padded if batch_first else padded.transpose(0, 1)


def unpad_sequence(padded_sequences: Any, lengths: Any, batch_first: bool = False) -> list[Any]:
    """The sequences in a padded Tensor, each of its own length; undoes pad_sequence.

    Shapes: (T, N, *), or (N, T, *) with batch_first; N lengths -> N times (T_i, *).

    Raises:
        ValueError: a number of lengths other than N.
    """
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    lengths = _as_lengths(lengths).tolist()
    if len(lengths) != padded.shape[0]:
        raise ValueError(f"unpad_sequence: {len(lengths)} lengths for a batch of "
                         f"{padded.shape[0]}, of shape {tuple(padded_sequences.shape)}")
    return [padded[i, :length] for i, length in enumerate(lengths)]


def pack_sequence(sequences: Any, enforce_sorted: bool = True) -> PackedSequence:
    """Sequences of different lengths, packed. Shapes: N times (T_i, *) -> rows (sum of T_i, *).

    Raises:
        RuntimeError: see pad_sequence and pack_padded_sequence.
    """
    sequences = list(sequences)
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Any]:
    """The sequences that were packed; undoes pack_sequence."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def _as_lengths(lengths: Any) -> Any:
    if isinstance(lengths, Tensor):
        return lengths.cpu().to(int64)
    return tensor(lengths, dtype=int64, device="cpu")


def _within(lengths: Any, longest: int) -> Any:
    """Whether a sequence reaches a time. Shapes: (N) -> (longest, N)."""
    return arange(longest, device="cpu").unsqueeze(1) < lengths


def _spread(rows: Any, kept: Any, padding_value: float) -> Any:
    """The rows where `kept` holds, in order, and the padding everywhere else."""
    padded = full((*kept.shape, *rows.shape[1:]), padding_value, dtype=rows.dtype,
                  device=rows.device)
    padded[kept] = rows
    return padded
