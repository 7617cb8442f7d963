"""Embedding and EmbeddingBag: rows of a weight, looked up by index."""

from __future__ import annotations

from ..tensors.creation import empty
from ..tensors.tensor import Tensor
from . import functional, init
from .arguments import Device, DType
from .module import Module
from .parameter import Parameter


class Embedding(Module):
    """weight[input], for a weight (num_embeddings, embedding_dim). Shapes: (*) integers -> (*, D).

    The weight begins normally distributed. The row at padding_idx begins as 0 and is not trained.
    With max_norm, each row that is looked up and has a larger norm is first scaled to it, in
    place. scale_grad_by_freq divides gradients by how often an index occurs in the input.

    Raises:
        ValueError: padding_idx is out of range, or sparse is True (gradients are dense).
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, padding_idx: int | None = None,
                 max_norm: float | None = None, norm_type: float = 2.0,
                 scale_grad_by_freq: bool = False, sparse: bool = False,
                 _weight: Tensor | None = None, _freeze: bool = False, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"Embedding: padding_idx {padding_idx} is out of range for "
                                 f"{num_embeddings} embeddings")
            padding_idx %= num_embeddings
        if sparse:
            raise ValueError("Embedding: sparse=True is not supported; leave it out, gradients "
                             "are dense")
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
            raise ValueError(f"Embedding: the weight must have shape {shape}, got "
                             f"{tuple(_weight.shape)}")
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
        """An Embedding whose weight shares the memory of `embeddings` (V, D).

        Args:
            freeze: do not train the weight.

        Raises:
            ValueError: embeddings does not have 2 dims.
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
    """The sum, mean or maximum of weight[bag] for each bag of indices; see `Embedding`.

    Shapes: (B, N) integers, or (M) with the offset of each of B bags -> (B, D). Indices equal to
    padding_idx are left out. The weight, max_norm and errors are as for `Embedding`.
    """

    def __init__(self, num_embeddings: int, embedding_dim: int, max_norm: float | None = None,
                 norm_type: float = 2.0, scale_grad_by_freq: bool = False, mode: str = "mean",
                 sparse: bool = False, _weight: Tensor | None = None,
                 include_last_offset: bool = False, padding_idx: int | None = None,
                 device: Device = None, dtype: DType = None):
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
        """As `Embedding.from_pretrained`."""
        rows, columns = matrix_shape("EmbeddingBag", embeddings)
        bag = cls(rows, columns, max_norm, norm_type, scale_grad_by_freq, mode, sparse,
                  embeddings, include_last_offset, padding_idx)
        bag.weight.requires_grad = not freeze
        return bag

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


def draw_rows(table: Embedding | EmbeddingBag) -> None:
    """Draws the weight anew; the row at padding_idx is 0."""
    init.normal_(table.weight)
    if table.padding_idx is not None:
        init.zeros_(table.weight.data[table.padding_idx])


def matrix_shape(name: str, weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a weight. Raises ValueError unless it has 2 dims."""
    if weight.ndim != 2:
        raise ValueError(f"{name}: the weight must be a matrix, got shape {tuple(weight.shape)}")
    rows, columns = weight.shape
    return rows, columns
