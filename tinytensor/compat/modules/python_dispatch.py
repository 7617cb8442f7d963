"""`torch.utils._python_dispatch`: modes that see every operation, which are not there."""

from __future__ import annotations

from typing import Any, NoReturn


class TorchDispatchMode:
    """A base class that libraries derive modes from.

    Raises:
        RuntimeError: a mode is entered.
    """

    def __init__(self, *args: Any, **kwargs: Any):
        pass

    def __enter__(self) -> NoReturn:
        raise RuntimeError(f"{type(self).__name__}: operations do not pass through modes of "
                           "PyTorch's dispatcher; tinytensor.utils.summary counts multiplications")

    def __exit__(self, *exception: object) -> None:
        pass


def is_traceable_wrapper_subclass(t: object) -> bool:
    """False: nothing is traced."""
    return False
