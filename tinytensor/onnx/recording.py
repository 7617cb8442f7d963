"""Records the operations that a call of a model runs, and which result each of them uses.

While a Recorder is active, every operation of the table runs as `Op.call`, and what it computes on
arrays is noted here. A `Source` says where an array comes from. Arrays that no operation has made
are constants. What the program does beside operations, such as a branch of Python, leaves no trace.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..arrays.devices import is_array
from ..autograd.frames import caller
from ..autograd.modes import mode
from ..autograd.op import Op
from ..autograd.table import TABLE
from ..autograd.versions import owner
from ..nn.module import Module
from ..ops.strided import place_of
from ..tensors.memory import address
from ..tensors.tensor import Tensor


class OnnxExporterError(RuntimeError):
    """A model that cannot be exported, with the reason."""


class Source(NamedTuple):
    """Where a value comes from.

    kind    "input", "weight", "constant", "call" or "number"
    key     the number of the input, constant or call; the name of the weight; the number itself
    output  which of the outputs of a call
    """

    kind: str
    key: Any
    output: int = 0


@dataclass
class Call:
    """One call of an operation, or of a layer that is exported as a whole.

    key         of the table of operations, or the name of the layer's form
    inputs      the Source of each input by its name, None for one that is not given
    shapes      of the inputs, and
    dtypes      of those that are arrays
    parameters  by name; arrays in them are Sources
    outputs     the arrays that it returned
    path        of the layer in the model, and
    place       the line of the program
    """

    key: str
    inputs: dict[str, Source | None]
    shapes: dict[str, tuple[int, ...]]
    dtypes: dict[str, Any]
    parameters: dict[str, Any]
    outputs: list[Any]
    path: str
    place: str

    def sources(self) -> Iterator[Source]:
        """Every value that the call uses."""
        yield from (s for s in self.inputs.values() if s is not None)
        stack = list(self.parameters.values())
        while stack:
            value = stack.pop()
            if isinstance(value, Source):
                yield value
            elif isinstance(value, tuple | list):
                stack.extend(value)


@dataclass
class Recording:
    """All calls in order; the constants, with the place of their first use; the ids of arrays that
    were written in place; and the results.
    """

    calls: list[Call] = field(default_factory=list)
    constants: list[Any] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    written: set[int] = field(default_factory=set)
    results: list[Source] = field(default_factory=list)
    result_arrays: list[Any] = field(default_factory=list)
    structure: Any = None


_one_at_a_time = threading.Lock()  # the functions of operations are shared by all threads
active = threading.local()


class Recorder:
    """A context in which the operations of this thread are recorded."""

    def __init__(self, model: Module, inputs: list[Tensor], weights: dict[str, Tensor]):
        self.model, self.recording = model, Recording()
        self.thread = threading.get_ident()
        self.keys = {entry.op: key for key, entry in TABLE.items() if entry.op is not None}
        self.sources: dict[int, Source] = {}  # by the id of an array
        self.by_memory: dict[tuple[Any, ...], Any] = {}  # arrays in C order, by their memory
        self.alive: list[Any] = []  # so that no id is used twice
        self.path: list[str] = [""]  # of the layers that run, the innermost last
        self.starts: list[int] = []  # and how many calls there were before each
        for name, weight in weights.items():
            self.know(weight._array, Source("weight", name))
        for i, tensor in enumerate(inputs):
            self.know(tensor._array, Source("input", i))

    # ------------------------------------------------------------ the context

    def __enter__(self) -> Recorder:
        _one_at_a_time.acquire()
        self.codes: list[Any] = []
        try:
            for op in self.keys:
                function = op.function
                self.codes.append((function, function.__code__, function.__defaults__,
                                   function.__kwdefaults__))
                function.__code__ = op.plain
                function.__defaults__ = function.__kwdefaults__ = None
                vars(op)["_compute"] = functools.partial(self.compute, op)
            self.handles = [handle for name, module in self.model.named_modules() for handle in (
                module.register_forward_pre_hook(functools.partial(self.enter, name), prepend=True),
                module.register_forward_hook(self.leave))]
        except BaseException:
            self.__exit__()
            raise
        self.before, mode.writes = mode.writes, self.written
        active.recorder = self
        return self

    def __exit__(self, *exception: object) -> None:
        active.recorder = None
        mode.writes = getattr(self, "before", None)
        for handle in getattr(self, "handles", ()):
            handle.remove()
        for function, code, defaults, keywords in self.codes:
            function.__code__ = code
            function.__defaults__, function.__kwdefaults__ = defaults, keywords
        for op in self.keys:
            vars(op).pop("_compute", None)
        _one_at_a_time.release()

    def enter(self, name: str, module: Module, args: Any) -> None:
        self.path.append(name)
        self.starts.append(len(self.recording.calls))

    def leave(self, module: Module, args: Any, output: Any) -> None:
        first, unit = self.starts.pop(), _unit_of(module)
        if unit is not None:
            unit(self, module, args, output, first)
        self.path.pop()

    # ------------------------------------------------------------ arrays and their sources

    def know(self, array: Any, source: Source) -> None:
        self.alive.append(array)
        self.sources[id(array)] = source
        if array.flags.c_contiguous and array.size:
            self.by_memory[_memory(array)] = array

    def source(self, x: Any) -> Source | None:
        """Where an array or a number comes from; a new constant if nothing has made it."""
        if x is None:
            return None
        if not is_array(x):
            return Source("number", x)
        known = self.sources.get(id(x))
        if known is not None:
            return known
        same = self.by_memory.get(_memory(x)) if x.flags.c_contiguous and x.size else None
        if same is not None:  # another view of the same elements, which no operation has made
            self.add("reshape", {"input": same}, {"shape": tuple(x.shape)}, [x])
            return self.sources[id(x)]
        recording = self.recording
        recording.constants.append(x.copy())  # a later write is none of this use
        recording.places.append(caller())
        made = Source("constant", len(recording.constants) - 1)
        self.know(x, made)
        return made

    def add(self, key: str, inputs: dict[str, Any], parameters: dict[str, Any],
            outputs: list[Any]) -> None:
        """Adds a call to the recording."""
        sources = {name: self.source(x) for name, x in inputs.items()}
        kept = {name: self._with_sources(value) for name, value in parameters.items()}
        arrays = {name: x for name, x in inputs.items() if is_array(x)}
        self.recording.calls.append(Call(
            key, sources, {name: tuple(x.shape) for name, x in arrays.items()},
            {name: x.dtype for name, x in arrays.items()}, kept, outputs, self.path[-1], caller()))
        for i, out in enumerate(outputs):
            self.know(out, Source("call", len(self.recording.calls) - 1, i))

    def _with_sources(self, value: Any) -> Any:
        """A parameter with the Source in place of each array."""
        if is_array(value):
            return self.source(value)
        if type(value) in (tuple, list):
            return type(value)(map(self._with_sources, value))
        return value

    # ------------------------------------------------------------ what happens

    def compute(self, op: Op, values: dict[str, Any], half: bool) -> list[Any]:
        """`Op._compute`, recorded."""
        given = {name: values[name] for name in op.signature.order}
        outs = Op._compute(op, values, half)
        if threading.get_ident() != self.thread:
            return outs
        if op.view and not outs[0].flags.c_contiguous and op.name == "getitem" \
                and any(map(is_array, given["index"])):
            outs = [outs[0].copy()]  # or `index.select_at` would, after the operation
        inputs = {name: given.pop(name) for name in op.signature.inputs}
        if op.signature.variadic:
            (pieces,) = inputs.values()
            inputs = {str(i): x for i, x in enumerate(pieces)}
        if not any(out is x for out in outs for x in inputs.values()):
            self.add(self.keys[op], inputs, given, outs)
        return outs

    def written(self, tensor: Tensor, name: str, value: Any, index: tuple[Any, ...]) -> None:
        """Called after each write to the memory of a Tensor."""
        base = tensor if tensor._base is None else tensor._base
        tensors = [base, *(view for reference in tuple(base._views or ())
                           if (view := reference()) is not None)]
        tracked = [t for t in tensors if id(t._array) in self.sources]
        if not tracked and id(tensor._array) not in self.sources \
                and (value is None or id(value) not in self.sources):
            return  # a constant that is not in use yet
        if value is None:
            raise OnnxExporterError(f"onnx.export: {name}, called at {caller()}, writes in place, "
                                    "and export cannot see what; use its out-of-place form")
        previous = tensor._array if id(tensor._array) in self.sources or tensor is base \
            else base._array
        if id(previous) not in self.sources:
            self._constant_before(previous, tensor._array, index)
        self.recording.written.update(id(t._array) for t in tensors)
        if len(index) == 1 and index[0] is Ellipsis and value.shape == tensor._array.shape:
            new = self.source(value)
        else:
            self.add("setitem", {"input": tensor._array, "value": value}, {"index": index},
                     [tensor._array])
            new = self.sources[id(tensor._array)]
        assert new is not None
        self._forget_memory(tensor._array)
        self.sources[id(tensor._array)] = new
        if tensor is not base:
            self.add("overwrite", {"input": base._array, "value": tensor._array},
                     {"place": place_of(base._array, tensor._array)}, [base._array])
            self.sources[id(base._array)] = Source("call", len(self.recording.calls) - 1)
        for view in tensors[1:]:
            if view is not tensor and owner(view._array) is owner(base._array):
                self.add("strided", {"input": base._array},
                         {"place": place_of(base._array, view._array)}, [view._array])

    def _constant_before(self, array: Any, written: Any, index: tuple[Any, ...]) -> None:
        """Makes a constant of an array, with 0 where it was written, whatever that was: what is
        written follows from the inputs.
        """
        values = written[index].copy()
        written[index] = 0
        self.source(array)
        written[index] = values

    def _forget_memory(self, array: Any) -> None:
        for key in [k for k, known in self.by_memory.items() if owner(known) is owner(array)]:
            del self.by_memory[key]

    def replace(self, first: int, key: str, inputs: dict[str, Any], parameters: dict[str, Any],
                outputs: list[Any]) -> None:
        """One call in place of those from `first` on."""
        del self.recording.calls[first:]
        self.sources = {i: s for i, s in self.sources.items()
                        if s.kind != "call" or s.key < first}
        self.add(key, inputs, parameters, outputs)


def _memory(array: Any) -> tuple[Any, ...]:
    return address(array), array.size, array.dtype.str


# ---------------------------------------------------------------- layers that are one call

Unit = Any  # a function (recorder, module, args, output, the number of its first call)
UNITS: dict[type, Unit] = {}


def unit(*kinds: type) -> Any:
    """Registers how a layer is recorded as one call."""
    def register(function: Unit) -> Unit:
        UNITS.update(dict.fromkeys(kinds, function))
        return function

    return register


def _unit_of(module: Module) -> Unit | None:
    return next((UNITS[kind] for kind in type(module).__mro__ if kind in UNITS), None)
