"""`torch.overrides`: classes with `__torch_function__`. Operations do not ask them.

What asks whether an argument overrides an operation is told that none does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ...tensors.tensor import Tensor


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a Tensor."""
    return isinstance(inp, Tensor)


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """False."""
    return False


def has_torch_function_unary(obj: Any) -> bool:
    """False."""
    return False


def has_torch_function_variadic(*args: Any) -> bool:
    """False."""
    return False


def handle_torch_function(public_api: Any, relevant_args: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls the function."""
    return public_api(*args, **kwargs)


class TorchFunctionMode(contextlib.ContextDecorator):
    """A context of PyTorch that sees every operation. Here it would see none.

    Raises:
        RuntimeError: when it is entered.
    """

    def __enter__(self) -> TorchFunctionMode:
        raise RuntimeError(f"{type(self).__name__}: operations do not call __torch_function__; "
                           "hooks of modules and of Tensors are there")

    def __exit__(self, *exception: object) -> None:
        pass
