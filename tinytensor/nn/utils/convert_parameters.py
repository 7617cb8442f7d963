"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ... import ops
from ...tensors.tensor import Tensor


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all Tensors, concatenated. The operation is differentiable."""
    flat: list[Any] = [p.reshape(-1) for p in parameters]  # type: ignore[attr-defined]
    return ops.shape.cat(flat)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Makes the Tensors views of consecutive parts of `vec`.

    Raises:
        TypeError: `vec` is not a Tensor.
        RuntimeError: `vec` has too few elements. No parameter has changed.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"vector_to_parameters: expected a Tensor, got {type(vec).__name__}")
    parameters = list(parameters)
    needed = sum(p.numel() for p in parameters)
    if vec.numel() < needed:
        raise RuntimeError("vector_to_parameters: vec must have at least as many elements as the "
                           f"parameters, {needed}, got {vec.numel()}")
    values: Any = vec.detach()
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = values[start:end].view(tuple(parameter.shape))
        start = end
