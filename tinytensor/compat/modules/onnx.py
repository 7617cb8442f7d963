"""`torch.onnx`: whether a model is being exported, and registrations for PyTorch's exporter."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

symbolic_opset11 = operators = SimpleNamespace()


class ONNXProgram:
    """PyTorch's exported programs, of which there are none."""


def is_in_onnx_export() -> bool:
    """False: nothing is exported."""
    return False


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int,
                                custom_opsets: Any = None) -> None:
    """Has no effect: PyTorch's exporter is not there."""


def unregister_custom_op_symbolic(symbolic_name: str, opset_version: int) -> None:
    """Has no effect."""
