"""Compiled calls: `Op.call` and `Op.backward`, written out for each op, for speed.

A general call builds lists and dicts at every step, which would take longer than a small array
operation does (a third of a microsecond). So two functions are written for each op, as one would
write them by hand: the call, and the backward of its node. Each is written at its first use.
Without this package everything works, slower. `use_compiled(False)` turns compiled calls off, as
the environment variable TINYTENSOR_COMPILED=0 does for a whole program. To read them:

    >>> print(tinytensor.mul.op.source)

writer.py       the text of both functions
expressions.py  forwards and rules of one expression, which are copied into that text
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from ..arrays.devices import Gpus
from ..autograd.casting import Asked
from ..autograd.frames import OWN
from ..autograd.op import Op
from ..autograd.table import TABLE
from . import writer

__all__ = ["install", "source", "use_compiled"]


def _first_call(*args: Any, **kwargs: Any) -> Any:
    function = write()  # type: ignore[name-defined]  # noqa: F821
    try:
        return function(*args, **kwargs)
    except BaseException as error:  # the traceback shows the written function only
        error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
        raise


def install(op: Op) -> None:
    """Gives `op` written code for its call and its backward, from its present definition.

    The function that users call stays the same object, since many names refer to it.
    """
    function, first = op.function, op.placed(_first_call)

    def write_call() -> Any:
        written = writer.write_call(op)
        function.__globals__.update(written.__globals__)
        function.__defaults__ = written.__defaults__
        function.__kwdefaults__ = written.__kwdefaults__
        function.__code__ = written.__code__
        return function

    def write_backward() -> Any:
        op.node_type.backward = written = writer.write_backward(op)
        return written

    function.__globals__["write"] = write_call
    function.__code__ = first
    function.__defaults__ = function.__kwdefaults__ = None
    if type(op).backward is Op.backward:  # a subclass has a backward of its own
        op.node_type.backward = FunctionType(first, {"write": write_backward, OWN: True})


def source(op: Op) -> str:
    """The text of the written call and backward of an op."""
    return "\n\n".join(write(op).source for write in (writer.write_call, writer.write_backward))


def _use(on: bool) -> None:
    Op.compiler = sys.modules[__name__] if on else None
    for entry in TABLE.values():
        if entry.op is not None:
            entry.op.changed()


@contextlib.contextmanager
def use_compiled(on: bool) -> Iterator[None]:
    """Turns compiled calls on or off within the `with` block, in all threads.

    Without them a debugger steps through `Op.call` and `Op.backward`.
    """
    previous = Op.compiler is not None
    _use(on)
    try:
        yield
    finally:
        _use(previous)


def _ask() -> None:
    """Calls of operations that an autocast casts are written anew: with the question."""
    for entry in TABLE.values():
        if entry.op is not None and entry.op.autocast:
            entry.op.changed()


_wanted = os.environ.get("TINYTENSOR_COMPILED", "1") != "0"
_use(_wanted)
# Written code does not ask on which of several GPUs its arrays are.
Asked.hooks.append(_ask)
Gpus.hooks.append(lambda several: _use(_wanted and not several))
