"""Parameter and Buffer: Tensors that a Module registers when they are assigned to it."""

from __future__ import annotations

import copyreg
from collections.abc import Sequence
from typing import Any, Self

from ..compat import absent
from ..tensors.creation import empty
from ..tensors.tensor import DeviceLike, DTypeLike, Tensor


class Parameter(Tensor):
    """A Tensor that is trained: assigned to a Module, it is one of its parameters().

    It shares the memory of `data`, and requires grad by default.

    Raises:
        TypeError: data is not a Tensor.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Self:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Parameter: data must be a Tensor, got {type(data).__name__}; "
                            "write tensor(...) around it")
        self = object.__new__(cls)
        self._array, self._node = data._array, None
        self.requires_grad = requires_grad
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        """A Parameter with its own memory and without a gradient."""
        copy = type(self)(self.data.clone(), self.requires_grad)  # type: ignore[attr-defined]
        copy.__dict__.update(Tensor.__getstate__(self))
        memo[id(self)] = copy
        return copy

    def __repr__(self) -> str:
        return "Parameter containing:\n" + super().__repr__()


class UninitializedParameter(Parameter):
    """A Parameter without a shape: that of a lazy layer before its first call.

    It has a dtype and a device, which its module can change. Using its values raises RuntimeError.
    """

    _wanted: bool
    _blank: Tensor  # holds the dtype and the device; it has no elements

    def __new__(cls, requires_grad: bool = True, device: DeviceLike | None = None,
                dtype: DTypeLike | None = None) -> Self:
        self = object.__new__(cls)
        self._blank, self._node = empty(0, device=device, dtype=dtype), None
        self._wanted = requires_grad
        return self

    def materialize(self, shape: Sequence[int], device: DeviceLike | None = None,
                    dtype: DTypeLike | None = None) -> None:
        """Turns this object into an ordinary Parameter with uninitialised values."""
        blank, wanted = self._blank, self._wanted
        made = empty(shape, device=blank.device if device is None else device,
                     dtype=blank.dtype if dtype is None else dtype)
        del self._blank, self._wanted
        self.__class__ = Parameter  # type: ignore[assignment]
        self._array, self._node = made._array, None  # type: ignore[misc]
        self.requires_grad = wanted

    @property
    def _array(self) -> Any:
        raise RuntimeError("a parameter of a lazy layer has no shape yet: call the model on an "
                           "input first, or load a state_dict into it")

    @property
    def data(self) -> Tensor:
        return self._blank

    @data.setter
    def data(self, value: Tensor) -> None:
        self._blank = value

    @property
    def requires_grad(self) -> bool:
        return self._wanted

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self._wanted = wanted

    dtype = property(lambda self: self._blank.dtype)
    device = property(lambda self: self._blank.device)
    is_cuda = property(lambda self: self._blank.is_cuda)

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        copy = type(self)(self.requires_grad, self.device, self.dtype)
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> Any:
        return copyreg.__newobj__, (type(self),), self.__getstate__()  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return "<UninitializedParameter>"


def is_lazy(param: object) -> bool:
    """Whether it is the parameter of a lazy layer that has not been called yet."""
    return isinstance(param, UninitializedParameter)


class Buffer(Tensor):
    """A Tensor that belongs to a Module and is not trained, such as a running mean.

    It shares the memory of `data`. Only a persistent buffer is part of the state_dict.

    Raises:
        TypeError: data is not a Tensor.
    """

    persistent: bool = True  # also of a pickle of an earlier version, which does not name it

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Self:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"Buffer: data must be a Tensor, got {type(data).__name__}; "
                            "write tensor(...) around it")
        self = object.__new__(cls)
        self._array, self._node = data._array, None
        self.persistent = persistent
        return self


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.nn.parameter", name, lambda: globals())
