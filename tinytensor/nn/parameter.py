"""Parameter and Buffer: Tensors that a Module takes notice of when they are assigned to it."""

from __future__ import annotations

from typing import Any

from ..creation import empty
from ..tensor import Tensor


class Parameter(Tensor):
    """A Tensor that is to be trained: assigned to a Module, it is among its parameters().

    Shares the memory of `data`. It requires grad unless told otherwise.
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; "
                            "write tensor(...) around it")
        self._array, self._node = data._array, None
        self.requires_grad = requires_grad

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A Parameter with its own memory, and without the gradient."""
        copy = type(self)(self.data.clone(), self.requires_grad)  # type: ignore[attr-defined]
        copy.__dict__.update({k: v for k, v in vars(self).items() if k[0] != "_"})
        memo[id(self)] = copy
        return copy

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class Buffer(Tensor):
    """A Tensor that belongs to a Module and is not trained, such as a running mean.

    Shares the memory of `data`. Only a persistent one is part of the state_dict.
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True):
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer: data must be a Tensor, got {type(data).__name__}; "
                            "write tensor(...) around it")
        self._array, self._node = data._array, None
        self.persistent = persistent
