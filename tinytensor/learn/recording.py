"""Records where each number and each array of a program comes from.

    with learn.record():
        loss = f(model(x), y)
    learn.debug(loss, "page.html")

The recording is a profile function (`sys.setprofile`) of the block's thread. Python calls it when
functions begin and end. No code of either engine changes, and outside of such blocks nothing is
recorded. The records go with the Values and graphs that they belong to.
"""

from __future__ import annotations

import functools
import itertools
import weakref
from collections import Counter
from typing import Any, NamedTuple

import scalar
import scalar.nn

from .. import nn
from ..autograd.frames import OWN
from ..tensors.retaining import Retained, retain_all

ENGINE = ("scalar.engine", "scalar.number", "scalar.ieee", "tinytensor.arrays",
          "tinytensor.autograd", "tinytensor.compiled", "tinytensor.kernels", "tinytensor.tensors")
VALUE = scalar.Value.__init__.__code__
AS_VALUE = scalar.functional.as_value.__code__


class Place(NamedTuple):
    """Where an operation was called.

    line       (file, line) of the program, the innermost outside of both engines
    inner      the same of the layer or function of the package that the program called, or None
    root       the number and the type of the outermost module, or None outside of modules
    path       the path of the innermost module in it: "layers.0"; "" is the root itself
    sample     the position in the batch, if a scalar model was called with one
    call       how many calls of this module came before, in one call of the root
    function   the function of the package that the program or a module called: "hinge_loss"
    """

    line: tuple[str, int] | None
    inner: tuple[str, int] | None
    root: tuple[int, str] | None
    path: str
    sample: int | None
    call: int
    function: str


class Origin(NamedTuple):
    """Where a Value comes from.

    place      of the operation, or of what made a leaf
    number     in the order of creation
    name       of a number of a sample that a module was called with: "x[0]"
    is_given   whether it is a plain number that the program gave to a module or a function
    """

    place: Place
    number: int
    name: str
    is_given: bool


_origins: dict[int, tuple[Any, Origin]] = {}  # by the id of a Value, which may not be compared
_count = itertools.count()


def origin_of(value: scalar.Value) -> Origin | None:
    """The origin of a Value, if it was recorded."""
    entry = _origins.get(id(value))
    return entry[1] if entry is not None and entry[0]() is value else None


class record(retain_all):  # noqa: N801 - a context manager, as no_grad
    """Records the lines, modules and samples of what is computed in the block, for `debug`.

    Of Tensors it keeps the data and the gradient of every result too, as `retain_all` does.
    Other threads are not recorded.
    """

    def __enter__(self) -> record:
        self._calls: list[_Call] = []
        super().__enter__()
        return self

    def _see(self, frame: Any, event: str, result: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code is VALUE:
                self._value(frame)
            elif code.co_name in ("__call__", "forward") and code.co_argcount:
                self._enter(frame, frame.f_locals.get(code.co_varnames[0]))
        elif event == "return":
            if self._calls and self._calls[-1].frame is frame:
                self._calls.pop()
            if result is not None and OWN in frame.f_globals:
                self._returned(frame, result)

    def _enter(self, frame: Any, module: Any) -> None:
        if not isinstance(module, scalar.nn.Module | nn.Module):
            return
        outer = self._calls[-1] if self._calls else None
        if outer is None or outer.module is not module or outer.frame.f_code is frame.f_code:
            self._calls.append(_Call(frame, module, outer))  # otherwise `forward` in `__call__`

    def _value(self, frame: Any) -> None:
        given, caller = frame.f_locals, frame.f_back
        value, place, name = given["self"], self._place(caller), ""
        is_given = caller.f_code is AS_VALUE
        if is_given and self._calls and not place.function:
            call = self._calls[-1]  # a number of a sample
            name, call.inputs = f"x[{call.inputs}]", call.inputs + 1
        key = id(value)
        _origins[key] = (weakref.ref(value, functools.partial(_origins.pop, key)),
                         Origin(place, next(_count), name, is_given))

    def _new(self, frame: Any, kept: Retained) -> None:
        kept.place = self._place(frame.f_back)

    def _place(self, frame: Any) -> Place:
        """The place of an operation, given the frame that called it."""
        inner, function, in_layer = None, "", False
        while _is_ours(frame) and frame.f_back is not None:
            code, module = frame.f_code, frame.f_globals.get("__name__", "")
            if not module.startswith(ENGINE) and code is not AS_VALUE:
                inner = inner or (code.co_filename, frame.f_lineno)
                in_layer = in_layer or module.startswith(("scalar.nn", "tinytensor.nn.")) \
                    and not module.startswith("tinytensor.nn.functional")
                if not in_layer and code.co_name.isidentifier() and code.co_name[0] != "_":
                    function = code.co_name
            frame = frame.f_back
        line = (frame.f_code.co_filename, frame.f_lineno)
        if not self._calls:
            return Place(line, inner, None, "", None, 0, function)
        call = self._calls[-1]
        return Place(line, inner, call.root, call.path, call.sample, call.call, function)


class _Call:
    """One active call of a module."""

    def __init__(self, frame: Any, module: Any, outer: _Call | None):
        self.frame, self.module, self.samples, self.inputs = frame, module, 0, 0
        self.calls: Counter[str] = Counter()  # by path, in one call of the root
        self.sample: int | None = None
        if outer is None:
            self.root, self.names = (_number_of(module), type(module).__name__), _paths(module)
            self.path, self.call = "", 0
        elif outer.module is module:  # a batch: each sample is a call of its own
            self.root, self.names = outer.root, outer.names
            self.path, self.sample, self.call = outer.path, outer.samples, outer.call
            outer.samples += 1
        else:
            self.root, self.names, self.calls = outer.root, outer.names, outer.calls
            inside = f"{outer.path}.{type(module).__name__}".strip(".")
            self.path, self.sample = self.names.get(module, inside), outer.sample
            self.call = self.calls[self.path]
            self.calls[self.path] += 1


_roots: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
_root_count = itertools.count(1)


def _number_of(module: Any) -> int:
    """A number for an outermost module, the same in all its calls."""
    return _roots.setdefault(module, _roots.get(module) or next(_root_count))


def _paths(root: Any) -> dict[Any, str]:
    """The path of every module in `root`."""
    return {module: path for path, module in root.named_modules()}


def _is_ours(frame: Any) -> bool:
    return OWN in frame.f_globals \
        or frame.f_globals.get("__name__", "").partition(".")[0] == "scalar"
