"""Keeps the data and the gradient of every intermediate result of a block.

    with tinytensor.retain_all():
        loss = f(model(x), y)
    loss.backward()
    draw_dot(loss)          shows data and gradient of every node

The graph itself keeps of a result only what derivative rules need, and no gradient.
"""

from __future__ import annotations

import contextlib
import sys
import weakref
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..autograd import graph
from ..autograd.frames import OWN
from ..autograd.graph import Leaf, Node
from ..autograd.versions import version
from .tensor import Tensor


class Retained:
    """What is kept of one node of the graph.

    data        a copy of the result, taken when the operation returned
    grad        a copy of its gradient, once a backward has computed it
    arguments   the arguments of the operation by name: a Given for a Tensor
    name        the variable of the program that the result was in when it was used
    saved       what the rules need, also after a backward has released it
    place       where the operation was called, if a recording of `tinytensor.learn` knows it
    """

    __slots__ = ("arguments", "data", "grad", "name", "place", "saved", "version")

    def __init__(self, data: Any):
        self.data = data
        self.grad: Any = None
        self.arguments: dict[str, Any] | None = None
        self.saved: Any = None
        self.name = ""
        self.place: Any = None
        self.version = 0

    def see(self, gradient: Tensor) -> None:
        """The hook of the node."""
        self.grad = gradient._array.copy()


class Given(NamedTuple):
    """A Tensor that an operation was given: its node, if it takes a gradient, its data, its name.

    The name is that of a variable in the function of the program that called the operation.
    """

    node: Any
    data: Any
    name: str


# No value refers to its key, so an entry goes with its node.
retained: weakref.WeakKeyDictionary[Any, Retained] = weakref.WeakKeyDictionary()


class retain_all:  # noqa: N801 - a context manager, as no_grad
    """Keeps data and gradient of every result that is computed in the block.

    `draw_dot` shows them, and `grad` of every result is kept as by `retain_grad`. The memory is
    that of all results twice, and is freed with the graph.

    The block has a profile function of its own (`sys.setprofile`) for its thread. Nothing of the
    engine changes, inside or outside of the block. Before Python 3.13, a profile function lets the
    function with the block hold on to what its variables were until it returns.
    """

    def __enter__(self) -> retain_all:
        self._previous = sys.getprofile()
        sys.setprofile(self._see)
        return self

    def __exit__(self, *exception: object) -> None:
        sys.setprofile(self._previous)

    def _see(self, frame: Any, event: str, result: Any) -> None:
        """Called by Python at the beginning and the end of every function of the block."""
        if event == "return" and result is not None and OWN in frame.f_globals:
            self._returned(frame, result)

    def _returned(self, frame: Any, result: Any) -> None:
        if isinstance(result, Tensor):
            self._keep(frame, result)
        elif isinstance(result, tuple):
            for part in result:
                if isinstance(part, Tensor):
                    self._keep(frame, part)

    def _keep(self, frame: Any, tensor: Tensor) -> None:
        node = tensor._node
        if not isinstance(node, Node):
            return
        kept = retained.get(node)
        if kept is None:
            kept = retained[node] = Retained(tensor._array.copy())
            kept.saved = node.saved
            node.hooks += (kept.see,)
            tensor.retain_grad()
            self._new(frame, kept)
        if kept.arguments is None:
            kept.arguments = _arguments(frame)
        if isinstance(node, graph.Pick):
            source = node.parents[0]
            if source is not None and source not in retained:
                made = retained[source] = Retained(None)
                made.saved, made.place = source.saved, kept.place
            if source is not None and retained[source].arguments is None:
                retained[source].arguments = kept.arguments

    def _new(self, frame: Any, kept: Retained) -> None:
        """For subclasses: the result that `frame` returns was seen for the first time."""


@contextlib.contextmanager
def unseen() -> Iterator[None]:
    """A block that `retain_all` does not see: a compiler calls a million functions of Python."""
    seen_by = sys.getprofile()
    if not isinstance(getattr(seen_by, "__self__", None), retain_all):
        yield
        return
    sys.setprofile(None)
    try:
        yield
    finally:
        sys.setprofile(seen_by)


def _arguments(frame: Any) -> dict[str, Any] | None:
    """The arguments of the operation whose call `frame` is; None for other functions."""
    op = frame.f_globals.get("op")
    function = getattr(op, "function", None)
    if function is None or frame.f_code is not function.__code__:
        return None
    given = frame.f_locals
    if frame.f_code is op.plain:
        given = op.signature.bind(op.name, given["args"], given["kwargs"])
    while OWN in frame.f_globals and frame.f_back is not None:
        frame = frame.f_back
    names = {id(value): name for name, value in frame.f_locals.items()
             if isinstance(value, Tensor) and name[0] != "_"}
    arguments: dict[str, Any] = {}
    for name in op.signature.order:
        value = given[name]
        if op.signature.variadic and name == op.signature.inputs[0]:
            arguments |= {f"{name}[{i}]": _given(x, names) for i, x in enumerate(value)}
        elif name in op.signature.inputs:
            arguments[name] = _given(value, names)
        else:
            arguments[name] = value
    return arguments


def _given(x: Any, names: dict[int, str]) -> Any:
    """An input of an operation. A leaf is copied once for each of its versions."""
    if not isinstance(x, Tensor):
        return getattr(x, "_array", x)  # a number that was made a Constant
    node, name = x._node, names.get(id(x), "")
    known = retained.get(node) if node is not None else None
    if isinstance(node, Leaf) and (known is None or known.version != version(x._array)):
        known = retained[node] = Retained(x._array.copy())
        known.version = version(x._array)
    if known is not None:
        known.name = known.name or name
    return Given(node, x._array.copy() if known is None or known.data is None else known.data, name)
