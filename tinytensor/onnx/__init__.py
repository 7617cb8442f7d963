"""Models for other runtimes, in the format ONNX, under the names of `torch.onnx`.

    tinytensor.onnx.export(model, (x,), "model.onnx", dynamic_axes={"x": {0: "batch"}})

recording.py    which operations a call of the model runs
sizes.py        which numbers follow from the sizes of the inputs
forms.py        the form of each operation in ONNX; elementwise.py, shapes.py, indexing.py,
                layers.py, recurrent.py
writing.py      the nodes of the graph
exporting.py    `export`
"""

from __future__ import annotations

import enum
from types import SimpleNamespace
from typing import Any

from ..autograd.frames import mark_own_modules
from ..compat import absent
from .exporting import export
from .forms import form
from .program import ONNXProgram
from .recording import OnnxExporterError, active

__all__ = ["ONNXProgram", "OnnxExporterError", "TrainingMode", "export", "form",
           "is_in_onnx_export"]

symbolic_opset11 = operators = SimpleNamespace()  # of PyTorch's exporter, for imports
errors = SimpleNamespace(OnnxExporterError=OnnxExporterError,
                         UnsupportedOperatorError=OnnxExporterError)


class TrainingMode(enum.IntEnum):
    """The mode of the model; only EVAL is exported."""

    EVAL = 0
    PRESERVE = 1
    TRAINING = 2


def is_in_onnx_export() -> bool:
    """Whether this thread runs a model for `export`."""
    return getattr(active, "recorder", None) is not None


def register_custom_op_symbolic(symbolic_name: str, symbolic_fn: Any, opset_version: int,
                                custom_opsets: Any = None) -> None:
    """Has no effect: it is for PyTorch's exporter. `form` registers the form of an operation."""


def unregister_custom_op_symbolic(symbolic_name: str, opset_version: int) -> None:
    """Has no effect."""


mark_own_modules(__name__)


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.onnx", name, lambda: globals())
