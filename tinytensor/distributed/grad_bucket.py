"""GradBucket: what a communication hook of DistributedDataParallel gets."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensors.tensor import Tensor


class GradBucket:
    """The gradients of some parameters, which are reduced together.

    They are those of this rank, not divided by the number of ranks. DistributedDataParallel makes
    the buckets.
    """

    def __init__(self, index: int, buffer: Tensor, gradients: Sequence[Tensor],
                 parameters: Sequence[Tensor], is_last: bool):
        self._index, self._buffer, self._is_last = index, buffer, is_last
        self._gradients, self._parameters = list(gradients), list(parameters)

    def index(self) -> int:
        """The number of the bucket. Buckets are sent in this order; 0 has the last layers."""
        return self._index

    def is_last(self) -> bool:
        """Whether it is the last bucket of the backward."""
        return self._is_last

    def buffer(self) -> Tensor:
        """All gradients, one after the other: shape (N,). Those of float16 and bfloat16 are in
        float32."""
        return self._buffer

    def set_buffer(self, buffer: Tensor) -> None:
        """Replaces the values of the buffer, and so of the gradients.

        Raises:
            ValueError: it has another number of elements.
        """
        if buffer.numel() != self._buffer.numel():  # type: ignore[attr-defined]
            raise ValueError(f"GradBucket.set_buffer: the bucket has {self._buffer.numel()} "
                             f"elements, the new buffer {buffer.numel()}")
        self._buffer.copy_(buffer.reshape(-1))

    def gradients(self) -> list[Tensor]:
        """The gradient of each parameter: views of the buffer."""
        return self._gradients

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of their gradients."""
        return self._parameters

    def _with(self, buffer: Tensor) -> GradBucket:
        """The same bucket with another buffer, perhaps of another dtype."""
        gradients, start = [], 0
        for gradient in self._gradients:
            stop = start + gradient.numel()  # type: ignore[attr-defined]
            gradients.append(buffer[start:stop].view(gradient.shape))
            start = stop
        return GradBucket(self._index, buffer, gradients, self._parameters, self._is_last)
