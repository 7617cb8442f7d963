"""`torch._dynamo`: the compiler behind `torch.compile`, which does not run here."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

from ...nn.module import Module
from .compiler import (
    allow_in_graph as allow_in_graph,
)
from .compiler import (
    assume_constant_result as assume_constant_result,
)
from .compiler import (
    disable as disable,
)
from .compiler import (
    is_compiling as is_compiling,
)
from .compiler import (
    list_backends as list_backends,
)
from .compiler import (
    reset as reset,
)

config = SimpleNamespace()  # options, which have no effect


class OptimizedModule(Module):
    """The type of compiled modules, of which there are none."""


eval_frame = SimpleNamespace(OptimizedModule=OptimizedModule)


def mark_dynamic(tensor: Any, index: Any, **options: Any) -> None:
    """Has no effect."""


mark_static = maybe_mark_dynamic = mark_static_address = mark_dynamic


class TransformGetItemToIndex(contextlib.nullcontext[None]):
    """A context without effect."""


def graph_break(msg: str = "") -> None:
    """Has no effect."""


def is_compile_supported(device_type: str) -> bool:
    """False: nothing is compiled."""
    return False


def is_dynamo_supported() -> bool:
    """False: nothing is compiled."""
    return False
