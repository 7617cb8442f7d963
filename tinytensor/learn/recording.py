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
import inspect
import itertools
import sys
import weakref
from collections import Counter
from collections.abc import Iterator
from types import CodeType
from typing import Any

import scalar
import scalar.nn

from .. import nn
from ..autograd.frames import OWN
from ..autograd.op import Op
from ..autograd.table import TABLE
from ..tensors.retaining import Retained, retain_all
from .origins import Origin, Place, Spot, _origins

ENGINES = ("scalar.engine", "scalar.number", "scalar.ieee", "tinytensor.arrays",
           "tinytensor.autograd", "tinytensor.compiled", "tinytensor.kernels",
           "tinytensor.tensors")
LONGEST = 64  # lists, of which the Values are named
VALUE = scalar.Value.__init__.__code__
AS_VALUE = scalar.functional.as_value.__code__
_spots: dict[tuple[int, int], tuple[CodeType, Spot]] = {}  # by the id of a code, and a position


def spot_of(code: CodeType, offset: int) -> Spot:
    """The expression that the instruction at `offset` of a code belongs to."""
    known = _spots.get((id(code), offset))
    if known is None or known[0] is not code:
        line, last, start, end = next(itertools.islice(code.co_positions(), offset // 2, None))
        is_whole = line is not None and last == line and start is not None and end is not None
        spot = Spot(code.co_filename, line or code.co_firstlineno,
                    *((start, end) if is_whole else (-1, -1)))  # type: ignore[arg-type]
        known = _spots[id(code), offset] = code, spot
    return known[1]


class record(retain_all):  # noqa: N801 - a context manager, as no_grad
    """Records the lines, modules and samples of what is computed in the block, for `debug`.

    Of Tensors it keeps the data and the gradient of every result too, as `retain_all` does.
    Other threads are not recorded.
    """

    def __enter__(self) -> record:
        self._calls: list[_Call] = []
        self._places: dict[Place, Place] = {}
        super().__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        _name_variables(sys._getframe(1))

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
            if _kind(frame) is PROGRAM:
                _name_variables(frame)
            elif result is not None and OWN in frame.f_globals:
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
        _origins[id(value)] = Origin(value, place, name, is_given)

    def _new(self, frame: Any, kept: Retained) -> None:
        kept.place = self._place(frame.f_back)

    def _place(self, frame: Any) -> Place:
        """The place of an operation, given the frame that called it."""
        inner, function, in_layer = None, "", False
        kind = _kind(frame)
        while kind is not PROGRAM and frame.f_back is not None:
            if kind is not ENGINE:
                inner = inner or spot_of(frame.f_code, frame.f_lasti)
                if kind is LAYER:
                    in_layer = True
                elif kind and not in_layer:
                    function = kind
            frame = frame.f_back
            kind = _kind(frame)
        line = spot_of(frame.f_code, frame.f_lasti)
        place = Place(line, inner, None, "", None, 0, function)
        if self._calls:
            call = self._calls[-1]
            place = Place(line, inner, call.root, call.path, call.sample, call.call, function)
        return self._places.setdefault(place, place)


def _name_variables(frame: Any) -> None:
    """Gives Values that are in variables of a function, alone or in lists, their names.

    The name in the function that has made a Value counts, then that in the outermost function.
    """
    code = frame.f_code
    if code.co_name[0] == "<" and code.co_name != "<module>":
        return  # the variables of a comprehension are those of its last round
    last = max((line for *_, line in code.co_lines() if line), default=0)
    for name, x in [entry for entry in frame.f_locals.items() if entry[0][:1] != "_"]:
        for path, value in _values(name, x):
            origin = _origins.get(id(value))
            if origin is None:
                origin = _origins[id(value)] = Origin(value)
            if not origin.is_named:
                origin.variable = path
                origin.is_named = origin.place is not None \
                    and origin.place.line.file == code.co_filename \
                    and code.co_firstlineno <= origin.place.line.line <= last


def _values(name: str, x: Any, depth: int = 2) -> Iterator[tuple[str, scalar.Value]]:
    """(name, Value) for each Value in a variable: itself, or in lists that nest `depth` deep."""
    if isinstance(x, scalar.Value):
        yield name, x
    elif depth and type(x) in (list, tuple) and len(x) <= LONGEST:
        for i, part in enumerate(x):
            yield from _values(f"{name}[{i}]", part, depth - 1)


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
            self.path, self.sample = self.names.get(id(module), inside), outer.sample
            self.call = self.calls[self.path]
            self.calls[self.path] += 1


_roots: dict[int, tuple[Any, int]] = {}  # by the id of a module, which need not have a hash


def _number_of(module: Any) -> int:
    """A number for an outermost module, the same in all its calls."""
    known = _roots.get(id(module))
    if known is None or known[0]() is not module:
        known = _roots[id(module)] = weakref.ref(module), len(_roots)
    return known[1]


def _paths(root: Any) -> dict[int, str]:
    """The path of every module in `root`, by its id."""
    return {id(module): path for path, module in root.named_modules()}


# ---------------------------------------------------------------- what a frame is

PROGRAM, ENGINE, LAYER = " program", " engine", " layer"
_kinds: dict[int, tuple[CodeType, str]] = {}  # by the id of the code: its hash is slow


def _kind(frame: Any) -> str:
    """PROGRAM, ENGINE or LAYER, or the name of a public function of the package, or ""."""
    code = frame.f_code
    known = _kinds.get(id(code))
    if known is None or known[0] is not code:
        known = _kinds[id(code)] = code, _kind_of(code, frame.f_globals)
    return known[1]


def _kind_of(code: CodeType, names: dict[str, Any]) -> str:
    module = names.get("__name__", "")
    if OWN not in names and module.partition(".")[0] != "scalar":
        return PROGRAM
    if module.startswith(ENGINES) or code is AS_VALUE or isinstance(names.get("op"), Op):
        return ENGINE
    if module.startswith(("scalar.nn", "tinytensor.nn.")):
        return LAYER
    return _functions().get(code, "")


@functools.cache
def _functions() -> dict[CodeType, str]:
    """The names of the functions of both engines that are composed of operations."""
    scalars = [getattr(scalar.functional, name) for name in vars(scalar.functional)
               if name[0] != "_" and name not in ("as_lists", "as_value", "is_batch")]
    names = {f.__code__: f.__name__ for f in scalars if inspect.isfunction(f)}
    for entry in TABLE.values():
        if entry.op is None:
            code = getattr(inspect.unwrap(entry.function), "__code__", None)
            if code is not None:
                names[code] = entry.name
    return names
