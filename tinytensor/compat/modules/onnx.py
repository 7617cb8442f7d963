"""`torch.onnx`: whether a model is being exported, and registrations for PyTorch's exporter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, NoReturn

symbolic_opset11 = operators = SimpleNamespace()


class ONNXProgram:
    """PyTorch's exported programs, of which there are none."""


def export(*args: Any, **kwargs: Any) -> NoReturn:
    """Refuses: a file of ONNX holds a traced program.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("onnx.export: programs are not traced, so there is no graph to write; "
                       "export from PyTorch, which loads the weights that "
                       "`python -m tinytensor convert` writes")


def is_in_onnx_export() -> bool:
    """False: nothing is exported."""
    return False


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int,
                                custom_opsets: Any = None) -> None:
    """Has no effect: PyTorch's exporter is not there."""


def unregister_custom_op_symbolic(symbolic_name: str, opset_version: int) -> None:
    """Has no effect."""
