"""Sequences of different lengths in one Tensor: padded to equal length, or packed without gaps.

A packed Tensor has the rows of all sequences at step 0, then those at step 1, and so on. The
sequences are ordered from the longest to the shortest. Recurrent layers compute on this form.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ... import ops
from ...arrays.dtypes import float32, float64, int64
from ...tensors.creation import arange, full, tensor
from ...tensors.tensor import Tensor

Lengths = Tensor | Sequence[int]


class _Fields(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Fields):
    """Packed sequences, the result of pack_padded_sequence and pack_sequence.

    data              (rows, *): the rows of step 0, then of step 1, ...
    batch_sizes       the number of sequences at each step, on the CPU
    sorted_indices    the original index of each packed sequence, or None if they were sorted
    unsorted_indices  the packed index of each original sequence, or None

    Raises:
        ValueError: batch_sizes is not on the CPU.
    """

    __slots__ = ()

    def __new__(cls, data: Any, batch_sizes: Tensor | None = None,
                sorted_indices: Tensor | None = None,
                unsorted_indices: Tensor | None = None) -> PackedSequence:
        if batch_sizes is None:  # PackedSequence((data, batch_sizes))
            data, batch_sizes = data
        if batch_sizes.is_cuda:
            raise ValueError("PackedSequence: batch_sizes must be on the CPU; use pack_sequence "
                             "or pack_padded_sequence to create packed sequences")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The sequences with data.to(...), see `Tensor.to`; itself if nothing changes."""
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


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The inverse permutation: the position of each number. None stays None."""
    return None if permutation is None else permutation.argsort()


def pack_padded_sequence(input: Tensor, lengths: Lengths, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Packs the sequences of a padded Tensor, without their padding.

    Shapes: (T, N, *), or (N, T, *) with batch_first; N lengths -> rows (sum of the lengths, *).

    Args:
        enforce_sorted: require lengths in descending order. False sorts the sequences, and
            recurrent layers and pad_packed_sequence restore their order.

    Raises:
        RuntimeError: the lengths do not fit the input, are not positive, or are not sorted.
    """
    lengths = _as_lengths(lengths)
    padded = input.transpose(0, 1) if batch_first else input
    if len(lengths) != padded.shape[1]:
        raise RuntimeError(f"pack_padded_sequence: got {len(lengths)} lengths for an input of "
                           f"shape {tuple(input.shape)}, which has {padded.shape[1]} sequences; "
                           "see batch_first")
    sizes = lengths.tolist()
    if min(sizes, default=0) <= 0 or max(sizes) > padded.shape[0]:
        raise RuntimeError("pack_padded_sequence: lengths must be between 1 and "
                           f"{padded.shape[0]}, the length of the input {tuple(input.shape)}, got "
                           f"{sizes}; see batch_first")
    order = None
    if not enforce_sorted:
        lengths, order = lengths.sort(descending=True)
        order = order.to(input.device)
        padded = padded.index_select(1, order)
    elif any(a < b for a, b in itertools.pairwise(sizes)):
        raise RuntimeError(f"pack_padded_sequence: lengths must be in descending order, got "
                           f"{sizes}; sort the sequences from the longest to the shortest, or pass "
                           "enforce_sorted=False")
    kept = _within(lengths, max(sizes))
    return PackedSequence(padded[:max(sizes)][kept], kept.sum(1), order)


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False,
                        padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """The inverse of pack_padded_sequence: the padded Tensor, in the original order, and lengths.

    Shapes: rows -> (T, N, *), or (N, T, *) with batch_first; and lengths (N). T is total_length, or
    the longest length.

    Raises:
        ValueError: total_length is less than the longest length.
    """
    sizes = sequence.batch_sizes
    longest, count = len(sizes), int(sizes[0])
    if total_length is not None and total_length < longest:
        raise ValueError(f"pad_packed_sequence: total_length {total_length} must be at least "
                         f"{longest}, the length of the longest sequence")
    lengths = (sizes.unsqueeze(0) > arange(count, device="cpu").unsqueeze(1)).sum(1)
    padded = _spread(sequence.data, _within(lengths, total_length or longest), padding_value)
    if sequence.unsorted_indices is not None:
        padded = padded.index_select(1, sequence.unsorted_indices)
        lengths = lengths[sequence.unsorted_indices.cpu()]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pad_sequence(sequences: Iterable[Tensor], batch_first: bool = False,
                 padding_value: float = 0.0, padding_side: str = "right") -> Tensor:
    """Stacks sequences, padded to the length of the longest.

    Shapes: N times (T_i, *) -> (T, N, *), or (N, T, *) with batch_first.

    Raises:
        RuntimeError: there are no sequences, their shapes differ after the first dim, or
            padding_side is not "left" or "right".
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError("pad_sequence: expected a list of Tensors, got "
                           f"{type(sequences).__name__}")
    sequences = list(sequences)
    if not sequences:
        raise RuntimeError("pad_sequence: expected at least one sequence, got an empty list")
    if padding_side not in ("left", "right"):
        raise RuntimeError("pad_sequence: padding_side must be 'left' or 'right', got "
                           f"{padding_side!r}")
    shapes = [tuple(s.shape) for s in sequences]
    if len({shape[1:] for shape in shapes}) > 1:
        raise RuntimeError("pad_sequence: the shapes may differ only in the first dim, got "
                           + ", ".join(map(str, shapes)))
    lengths = tensor([shape[0] for shape in shapes], device="cpu")
    longest = max(shape[0] for shape in shapes)
    kept = _within(lengths, longest).T
    if padding_side == "left":
        kept = kept.flip(1)
    padded = _spread(ops.shape.cat(sequences), kept, padding_value)
    # contiguous, as PyTorch's: programs take view() of it
    return padded if batch_first else padded.transpose(0, 1).contiguous()


def unpad_sequence(padded_sequences: Tensor, lengths: Lengths,
                   batch_first: bool = False) -> list[Tensor]:
    """The inverse of pad_sequence: the sequences of a padded Tensor, without padding.

    Shapes: (T, N, *), or (N, T, *) with batch_first; N lengths -> N times (T_i, *).

    Raises:
        ValueError: the number of lengths is not N.
    """
    padded = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    sizes = _as_lengths(lengths).tolist()
    if len(sizes) != padded.shape[0]:
        raise ValueError(f"unpad_sequence: got {len(sizes)} lengths for an input of shape "
                         f"{tuple(padded_sequences.shape)}, which has {padded.shape[0]} sequences; "
                         "see batch_first")
    return [padded[i, :length] for i, length in enumerate(sizes)]


def pack_sequence(sequences: Iterable[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences of different lengths. Shapes: N times (T_i, *) -> rows (sum of T_i, *).

    Raises:
        RuntimeError: as for pad_sequence and pack_padded_sequence.
    """
    sequences = list(sequences)
    lengths = [len(s) for s in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The inverse of pack_sequence: the list of sequences."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)


def _as_lengths(lengths: Lengths) -> Tensor:
    if isinstance(lengths, Tensor):
        return lengths.cpu().to(int64)
    return tensor(lengths, dtype=int64, device="cpu")


def _within(lengths: Tensor, longest: int) -> Tensor:
    """Whether each step lies within each sequence. Shapes: (N) -> (longest, N)."""
    return arange(longest, device="cpu").unsqueeze(1) < lengths


def _spread(rows: Tensor, kept: Tensor, padding_value: float) -> Tensor:
    """A Tensor with the rows, in order, where `kept` is True and padding elsewhere."""
    padded = full((*kept.shape, *rows.shape[1:]), padding_value, dtype=rows.dtype,
                  device=rows.device)
    padded[kept] = rows
    return padded
