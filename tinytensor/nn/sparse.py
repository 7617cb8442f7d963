"""Embedding: a table of vectors, looked up by position."""

from __future__ import annotations

from typing import Any

from ..tensors.creation import empty
from ..tensors.tensor import Tensor
from . import functional, init
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """Rows of a weight (num_embeddings, embedding_dim). Shapes: (*) integers -> (*, D).

    The weight begins normally distributed. The row at padding_idx begins at 0 and is not trained.
    Rows that are used are scaled down to the norm max_norm, if that is given.

    Raises:
        ValueError: a padding_idx that is no row; sparse=True, there are no sparse gradients.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, sparse: bool = False,
                 _weight: Tensor | None = None, _freeze: bool = False, device: Any = None,
                 dtype: Any = None):
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"Embedding: padding_idx {padding_idx} is out of range for "
                                 f"{num_embeddings} rows")
            padding_idx %= num_embeddings
        if sparse:
            raise ValueError("Embedding: sparse=True is not supported; gradients are dense")
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse
        shape = (num_embeddings, embedding_dim)
        if _weight is None:
            self.weight = Parameter(empty(shape, device=device, dtype=dtype), not _freeze)
            self.reset_parameters()
        elif tuple(_weight.shape) != shape:
            raise ValueError(f"Embedding: a weight of shape {tuple(_weight.shape)} does not fit "
                             f"{shape}")
        else:
            self.weight = Parameter(_weight, not _freeze)

    def reset_parameters(self) -> None:
        """Draws a new weight; the row at padding_idx is 0."""
        draw_rows(self)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        padding_idx: int | None = None, max_norm: float | None = None,
                        norm_type: float = 2.0, scale_grad_by_freq: bool = False,
                        sparse: bool = False) -> Embedding:
        """An Embedding with a given weight (V, D), in its memory; not trained if `freeze`.

        Raises:
            ValueError: the weight is not a matrix.
        """
        rows, columns = matrix_shape("Embedding", embeddings)
        return cls(rows, columns, padding_idx=padding_idx, max_norm=max_norm,
                   norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse,
                   _weight=embeddings, _freeze=freeze)

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(input, self.weight, self.padding_idx, self.max_norm,
                                    self.norm_type, self.scale_grad_by_freq)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        for name, default in (("padding_idx", None), ("max_norm", None), ("norm_type", 2),
                              ("scale_grad_by_freq", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


class EmbeddingBag(Module):
    """The sum, mean or max of the rows of a weight (num_embeddings, embedding_dim) that bags name.

    Shapes: (B, N) integers, or (M) with the offset of each of B bags -> (B, D). The weight begins
    normally distributed. Positions equal to padding_idx do not count. Rows that are used are
    scaled down to the norm max_norm, if that is given.

    Raises:
        ValueError: a padding_idx that is no row; sparse=True, there are no sparse gradients.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                 sparse: bool = False, _weight: Tensor | None = None,
                 include_last_offset: bool = False, padding_idx: int | None = None,
                 device: Any = None, dtype: Any = None):
        super().__init__()
        table = Embedding(num_embeddings, embedding_dim, padding_idx, max_norm, norm_type,
                          scale_grad_by_freq, sparse, _weight, device=device, dtype=dtype)
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset
        self.padding_idx = table.padding_idx
        self.weight = table.weight

    def reset_parameters(self) -> None:
        """Draws a new weight; the row at padding_idx is 0."""
        draw_rows(self)

    @classmethod
    def from_pretrained(cls, embeddings: Tensor, freeze: bool = True,
                        max_norm: float | None = None, norm_type: float = 2.0,
                        scale_grad_by_freq: bool = False, mode: str = "mean",
                        sparse: bool = False, include_last_offset: bool = False,
                        padding_idx: int | None = None) -> EmbeddingBag:
        """An EmbeddingBag with a given weight (V, D), in its memory; not trained if `freeze`.

        Raises:
            ValueError: the weight is not a matrix.
        """
        rows, columns = matrix_shape("EmbeddingBag", embeddings)
        made = cls(rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                   embeddings, include_last_offset, padding_idx)
        made.weight.requires_grad = not freeze
        return made

    def forward(self, input: Tensor, offsets: Tensor | None = None,
                per_sample_weights: Tensor | None = None) -> Tensor:
        return functional.embedding_bag(
            input, self.weight, offsets, self.max_norm, self.norm_type, self.scale_grad_by_freq,
            self.mode, self.sparse, per_sample_weights, self.include_last_offset,
            self.padding_idx)

    def extra_repr(self) -> str:
        text = f"{self.num_embeddings}, {self.embedding_dim}"
        if self.max_norm is not None:
            text += f", max_norm={self.max_norm}"
        if self.norm_type != 2:
            text += f", norm_type={self.norm_type}"
        if self.scale_grad_by_freq:
            text += f", scale_grad_by_freq={self.scale_grad_by_freq}"
        text += f", mode={self.mode!r}"
        return text if self.padding_idx is None else text + f", padding_idx={self.padding_idx}"


def draw_rows(table: Any) -> None:
    """Draws the weight of a table anew; the row at padding_idx is 0."""
    init.normal_(table.weight)
    if table.padding_idx is not None:
        init.zeros_(table.weight.data[table.padding_idx])


def matrix_shape(name: str, weight: Tensor) -> tuple[int, int]:
    """Rows and columns. Raises ValueError unless the weight is a matrix."""
    if weight.ndim != 2:
        raise ValueError(f"{name}: the weight must be a matrix, got shape {tuple(weight.shape)}")
    rows, columns = weight.shape
    return rows, columns
