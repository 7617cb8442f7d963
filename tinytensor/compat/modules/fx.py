"""`torch.fx`: graphs of programs. Nothing is traced: `wrap` returns its argument, the types of
traced programs have no instances, and `symbolic_trace` raises.
"""

from __future__ import annotations

import sys
from typing import Any, TypeVar

from ...nn.module import Module

T = TypeVar("T")
Target = Argument = Any  # of a node, for annotations
node = proxy = graph_module = sys.modules[__name__]  # PyTorch has a module for each type


def wrap(fn_or_name: T) -> T:
    """The function, or its name, itself: it marks what a trace would not enter."""
    return fn_or_name


def symbolic_trace(root: Any, *args: Any, **kwargs: Any) -> Any:
    """Not supported.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("fx.symbolic_trace: programs are run as they are written, and not traced; "
                       "named_modules() and forward hooks show the parts of a model")


class _Traced:
    """A type of traced programs, of which there are none."""

    def __init__(self, *args: Any, **kwargs: Any):
        symbolic_trace(None)


class Proxy(_Traced):
    """A value in a trace."""


class Node(_Traced):
    """A call in a traced program."""


class Graph(_Traced):
    """A traced program."""


class Tracer(_Traced):
    """What traces a program."""


class Interpreter(_Traced):
    """What runs a traced program."""


Transformer = Interpreter


class GraphModule(Module):
    """A module that runs a traced program."""

    def __init__(self, *args: Any, **kwargs: Any):
        symbolic_trace(None)


def get_proxy_mode() -> None:
    """None: nothing is traced."""
