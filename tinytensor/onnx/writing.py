"""Writes an ONNX graph, one node for each recorded call or several, by the forms of `forms.py`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..autograd.table import TABLE
from .forms import FORMS, NO_FORM
from .recording import Call, OnnxExporterError, Recording, Source
from .sizes import Formula, Number, SizeOf, formula

LARGE = numpy.iinfo(numpy.int64).max  # the end of a slice that has no end


class Writer:
    """The nodes and initializers of a graph.

    recordings  of the same model at differing sizes; the first is what the example gave
    sizes       the sizes of the dynamic dims in each of them
    symbols     where to read each of these sizes: the name of an input, and its dim
    """

    def __init__(self, recordings: Sequence[Recording], sizes: Sequence[dict[str, int]],
                 symbols: dict[str, tuple[str, int]], inputs: Sequence[str],
                 weights: dict[str, Any], opset: int, fold: bool):
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.recordings, self.sizes, self.symbols = recordings, sizes, symbols
        self.base = recordings[0]
        self.inputs, self.weights, self.opset, self.fold = list(inputs), weights, opset, fold
        self.nodes: list[Any] = []
        self.initializers: dict[str, Any] = {}
        self.taken = {*inputs, *weights}
        self.names: dict[Source, str] = {}  # of the values that are written
        self.shared: dict[Any, str] = {}  # small constants and sizes, by their value
        self.uses: dict[Source, list[int]] = {}
        self.ratios: dict[str, float] = {}  # of the products that `scaled` has made
        self.examples: list[Any] = []  # the inputs of the first recording
        self.path = ""
        self._live()

    # ------------------------------------------------------------ which calls, and what they are

    def _live(self) -> None:
        """Finds the calls that results need, and which values change with the inputs."""
        calls = self.base.calls
        self.live: set[int] = set()
        stack = [s for s in self.base.results if s.kind == "call"]
        while stack:
            source = stack.pop()
            if source.key not in self.live:
                self.live.add(source.key)
                stack += [s for s in calls[source.key].sources() if s.kind == "call"]
        self.from_inputs: set[int] = set()
        self.from_weights: set[int] = set()
        for i in sorted(self.live):
            for source in calls[i].sources():
                self.uses.setdefault(source, []).append(i)
                for kind, known in (("input", self.from_inputs), ("weight", self.from_weights)):
                    if source.kind == kind or source.kind == "call" and source.key in known:
                        known.add(i)

    def is_fixed(self, i: int) -> bool:
        """Whether the results of a call are the same for all inputs of all sizes."""
        if i in self.from_inputs:
            return False
        outputs = [recording.calls[i].outputs for recording in self.recordings]
        if any(id(x) in recording.written for recording in self.recordings
               for x in recording.calls[i].outputs):
            return False
        return all(a.shape == b.shape and numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f")
                   for others in outputs[1:] for a, b in zip(outputs[0], others, strict=True))

    def write(self) -> None:
        """Writes every call that the results need."""
        for i in sorted(self.live):
            call = self.base.calls[i]
            self.path = call.path
            form = FORMS.get(call.key)
            fold = self.fold and i not in self.from_weights or form is None
            if fold and self.is_fixed(i):
                for k, out in enumerate(call.outputs):
                    self.names[Source("call", i, k)] = self.constant(out)
                continue
            if form is None:
                raise OnnxExporterError(self._no_form(call))
            names = form(Form(self, i))
            names = names if isinstance(names, tuple) else (names,)
            self.names.update({Source("call", i, k): name for k, name in enumerate(names)
                               if name is not None})

    def _no_form(self, call: Call) -> str:
        entry = TABLE[call.key]
        why = NO_FORM.get(call.key, "it has no ONNX form; onnx.form registers one")
        return (f"onnx.export: {entry.op.name if entry.op else call.key}, called at {call.place}"
                f"{self.where(call)}, cannot be exported: {why}")

    @staticmethod
    def where(call: Call) -> str:
        return f" in the layer {call.path!r}" if call.path else ""

    # ------------------------------------------------------------ values

    def name(self, source: Source | None, dtype: Any = None) -> str:
        """The name of a value in the graph; "" for none."""
        if source is None:
            return ""
        if source.kind == "number":
            return self._number(source, dtype)
        if source.kind == "input":
            return self.inputs[source.key]
        if source.kind == "weight":
            if source.key not in self.initializers:
                self.initializers[source.key] = self.tensor(self.weights[source.key]._array,
                                                            source.key)
            return str(source.key)
        if source not in self.names:
            if source.kind == "call":
                call = self.base.calls[source.key]
                raise OnnxExporterError(
                    f"onnx.export: an output of {call.key}, called at {call.place}"
                    f"{self.where(call)}, is used that its ONNX form does not give")
            self.names[source] = self._constant_of_sizes(source.key)
        return self.names[source]

    def _number(self, source: Source, dtype: Any) -> str:
        return self.constant(numpy.asarray(source.key, dtype=dtype))

    def _constant_of_sizes(self, j: int) -> str:
        """A constant that the program made without operations, at each of the sizes."""
        arrays = [recording.constants[j] for recording in self.recordings]
        first = arrays[0]
        if all(a.shape == first.shape and numpy.array_equal(a, first, equal_nan=a.dtype.kind == "f")
               for a in arrays):
            return self.constant(first)
        if len({a.ndim for a in arrays}) == 1 and first.size:
            shape = [self.fit([a.shape[d] for a in arrays]) for d in range(first.ndim)]
            known = None not in shape
            value = first.flat[0]
            if known and all((a == value).all() for a in arrays):
                return self.node("Expand", [self.constant(value.reshape(())), self.dims(shape)])
            if known and first.ndim == 1 and first.dtype.kind in "iu":
                steps = {int(s) for a in arrays for s in numpy.diff(a)}
                start = self.fit([int(a[0]) for a in arrays])
                if len(steps) == 1 and start is not None:
                    return self._range(start, shape[0], steps.pop(), first.dtype)
            if first.ndim == 0 and first.dtype.kind in "iu":
                number = self.fit([int(a) for a in arrays])
                if number is not None:
                    return self.cast(self.scalar(number), first.dtype)
        raise OnnxExporterError(
            f"onnx.export: an array of shape {tuple(first.shape)}, first used at "
            f"{self.base.places[j]}, differs when the size or the values of an input differ, and "
            "no operation has made it: its values would be fixed in the file. Compute it with "
            "operations on the inputs rather than with NumPy, item() or random numbers, or pass "
            "it as an input; if only sizes change it, those dims may be left fixed")

    def _range(self, start: Number, count: Any, step: int, dtype: Any) -> str:
        length = self.node("Mul", [self.scalar(count), self.constant(numpy.int64(step))])
        first = self.scalar(start)
        end = self.node("Add", [first, length])
        return self.cast(self.node("Range", [first, end, self.constant(numpy.int64(step))]), dtype)

    def tensor(self, array: Any, name: str) -> Any:
        return self.numpy_helper.from_array(numpy.ascontiguousarray(array).reshape(array.shape),
                                            name)

    def constant(self, value: Any) -> str:
        """The name of an initializer with these values; equal small ones are one."""
        array = numpy.asarray(value)
        key = (array.dtype.str, array.shape, array.tobytes()) if array.nbytes <= 1024 else None
        if key is None or key not in self.shared:
            name = self.unique("constant")
            self.initializers[name] = self.tensor(array, name)
            if key is None:
                return name
            self.shared[key] = name
        return self.shared[key]

    def fit(self, values: Sequence[int]) -> int | Formula | None:
        return formula(values, self.sizes)

    def size_of(self, values: Sequence[int]) -> SizeOf | None:
        """A dim of a written value that has these sizes, of the youngest value that has one."""
        for source in reversed(list(self.names)):
            if source.kind != "call":
                continue
            shapes = [r.calls[source.key].outputs[source.output].shape for r in self.recordings]
            for dim, sizes in enumerate(zip(*shapes, strict=False)):
                if list(sizes) == list(values):
                    return SizeOf(self.names[source], dim)
        return None

    def dims(self, sizes: Sequence[Any]) -> str:
        """A list of numbers, some of which may follow from the sizes of inputs."""
        if not any(isinstance(n, Formula | SizeOf) for n in sizes):
            return self.constant(numpy.array(sizes, dtype=numpy.int64).reshape(-1))
        pieces, run = [], []
        for n in (*sizes, None):
            if isinstance(n, int | numpy.integer):
                run.append(n)
                continue
            if run:
                pieces.append(self.constant(numpy.array(run, dtype=numpy.int64)))
                run = []
            if n is not None:
                pieces.append(self._formula(n))
        return pieces[0] if len(pieces) == 1 else self.node("Concat", pieces, axis=0)

    def scalar(self, number: Number) -> str:
        """A number, which may follow from the sizes of inputs, without dims."""
        if isinstance(number, int):
            return self.constant(numpy.int64(number))
        return self.node("Reshape", [self._formula(number), self.dims([])])

    def _formula(self, number: Formula | SizeOf) -> str:
        """The value of a formula, as a list of one number."""
        if number in self.shared:
            return self.shared[number]
        if isinstance(number, SizeOf):
            self.shared[number] = self.node("Shape", [number.value], start=number.dim,
                                            end=number.dim + 1)
            return self.shared[number]
        total = ""
        for factor, names in number.terms:
            term = self._size(names[0])
            for name in names[1:]:
                term = self.node("Mul", [term, self._size(name)])
            if factor != 1:
                term = self.node("Mul", [term, self.constant([factor])])
            total = self.node("Add", [total, term]) if total else term
        if number.offset:
            total = self.node("Add", [total, self.constant([number.offset])])
        if number.divisor != 1:
            total = self.node("Div", [total, self.constant([number.divisor])])
        self.shared[number] = total
        return total

    def _size(self, symbol: str) -> str:
        if symbol not in self.shared:
            name, dim = self.symbols[symbol]
            self.shared[symbol] = self.node("Shape", [name], start=dim, end=dim + 1)
        return self.shared[symbol]

    def cast(self, name: str, dtype: Any) -> str:
        return self.node("Cast", [name], to=self.element_type(dtype))

    def element_type(self, dtype: Any) -> int:
        return int(self.helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)))

    # ------------------------------------------------------------ nodes

    def only_maker(self, form: Form, kind: str) -> Any:
        """The node of that kind that makes the input of a call, if nothing else uses it."""
        source = form.call.inputs["input"]
        if source is None or len(self.uses.get(source, ())) != 1 or source in self.base.results:
            return None
        name = self.name(source, form.dtype())
        node = next((n for n in self.nodes if name in n.output), None)
        return node if node is not None and node.op_type == kind else None

    def scaled(self, form: Form, name: str, ratio: float) -> str:
        """The value times a number. `take_scale` may take the product apart again."""
        if abs(ratio - 1) < 1e-9:
            return name
        made: str = self.node("Mul", [name, self.constant(numpy.asarray(ratio, form.dtype()))])
        self.ratios[made] = ratio
        return made

    def take_scale(self, form: Form) -> float:
        """The number by which `scaled` has multiplied the input of a call; the product is undone.
        """
        node = self.only_maker(form, "Mul")
        if node is None or node.output[0] not in self.ratios:
            return 1.0
        self.nodes.remove(node)
        source = form.call.inputs["input"]
        assert source is not None
        self.names[source] = node.input[0]
        return self.ratios[node.output[0]]

    def unique(self, name: str) -> str:
        number, made = 0, name
        while made in self.taken:
            number += 1
            made = f"{name}_{number}"
        self.taken.add(made)
        return made

    def node(self, kind: str, inputs: Sequence[str], outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; the name of its output, or a tuple of names."""
        prefix = f"{self.path}." if self.path else ""
        names = [self.unique(f"{prefix}{kind.lower()}") for _ in range(outputs)]
        given = list(inputs)
        while given and not given[-1]:  # inputs that are left out at the end
            given.pop()
        self.nodes.append(self.helper.make_node(
            kind, given, names, name=f"{prefix}{kind}_{len(self.nodes)}",
            **{k: v for k, v in attributes.items() if v is not None}))
        return names[0] if outputs == 1 else tuple(names)


class Form:
    """One recorded call, for the function that writes its nodes.

    `form["input"]` is the name of an input in the graph. What depends on sizes is asked for with
    `fixed`, which must be equal in all recordings, or with `vary`.
    """

    def __init__(self, writer: Writer, number: int):
        self.writer, self.number = writer, number
        self.calls = [recording.calls[number] for recording in writer.recordings]
        self.call = self.calls[0]
        self.node, self.constant, self.cast = writer.node, writer.constant, writer.cast
        self.dims, self.opset = writer.dims, writer.opset

    def __getitem__(self, name: str) -> str:
        source = self.call.inputs[name]
        if source is not None and source.kind == "number":
            values = [call.inputs[name].key for call in self.calls]  # type: ignore[union-attr]
            if len(set(values)) > 1:
                return self._number_of_sizes(values)
        return self.writer.name(source, self.dtype())

    def _number_of_sizes(self, values: Sequence[Any]) -> str:
        number = self.writer.fit([int(v) for v in values]) if all(
            int(v) == v for v in values) else None
        if number is None:
            raise self.error(
                f"the number {values[0]} differs when the size or the values of an input differ, "
                "and would be fixed in the file. If it was taken out of a Tensor, for example by "
                "item(), leave it a Tensor; if it was computed from a size, leave that dim fixed")
        return self.cast(self.writer.scalar(number), self.dtype())

    def names(self) -> list[str]:
        """The names of all inputs."""
        return [self[name] for name in self.call.inputs]

    def given(self, name: str) -> bool:
        return self.call.inputs[name] is not None

    def dtype(self, name: str = "") -> Any:
        """The dtype of an input, or of the first array in which the operation computes."""
        if name:
            return self.call.dtypes[name]
        op = TABLE[self.call.key].op if self.call.key in TABLE else None
        chosen = [n for n in self.call.dtypes
                  if op is None or op.signature.variadic or n in op.promoted]
        if chosen:
            return self.call.dtypes[chosen[0]]
        return numpy.dtype(type(next(s.key for s in self.call.inputs.values()
                                     if s is not None and s.kind == "number")))

    def rank(self, name: str = "input") -> int:
        return len(self.call.shapes.get(name, ()))

    def fixed(self, function: Callable[[Call], Any], what: str = "a parameter") -> Any:
        """function(call), which must be the same in all recordings."""
        values = [function(call) for call in self.calls]
        if any(not _equal(values[0], v) for v in values[1:]):
            other = next(v for v in values if not _equal(values[0], v))
            shown = "" if isinstance(other, numpy.ndarray) else f": it is {values[0]} and {other}"
            raise self.error(f"{what} differs when the size or the values of an input differ"
                             f"{shown}. Leave that dim fixed")
        return values[0]

    def param(self, name: str) -> Any:
        return self.fixed(lambda call: call.parameters[name], f"`{name}`")

    def vary(self, function: Callable[[Call], Sequence[int]]) -> list[Number]:
        """The numbers function(call), some of which may follow from the sizes of inputs."""
        found = self._varying(function)
        if None in found:
            at = found.index(None)
            numbers = [list(function(call))[at] for call in self.calls]
            shown = " and ".join(map(str, dict.fromkeys(numbers)))
            raise self.error(
                f"a size is {shown} for inputs of {_listed(self.writer.sizes)}, which is no simple "
                "function of these" if self.writer.sizes[0] else
                f"a size is {shown} for two inputs of the same sizes: it depends on their values")
        return found  # type: ignore[return-value]

    def _varying(self, function: Callable[[Call], Sequence[int]]) -> list[Number | None]:
        """As `vary`, with None for a number of which nothing is known."""
        rows = [list(function(call)) for call in self.calls]
        if len(set(map(len, rows))) > 1:
            raise self.error("the number of dims or steps differs when the size of an input "
                             "differs")
        columns = [list(column) for column in zip(*rows, strict=True)]
        return [number if (number := self.writer.fit(column)) is not None
                else self.writer.size_of(column) for column in columns]

    def shape(self, name: str = "input") -> list[Number]:
        return self.vary(lambda call: call.shapes[name])

    def result_shape(self, output: int = 0) -> list[Number]:
        return self.vary(lambda call: call.outputs[output].shape)

    def axis(self, name: str = "dim", of: str = "input") -> int:
        """A dim as a number from 0."""
        dim, rank = self.param(name), self.rank(of)
        return int(dim) % rank if rank else 0

    def reshape(self, name: str, sizes: Sequence[Number | None]) -> str:
        """The value in another shape; one size may be unknown until it runs."""
        unknown = [i for i, n in enumerate(sizes) if not isinstance(n, int)]
        if len(unknown) == 1 and 0 not in sizes or sizes.count(None) == 1:
            open_ = sizes.index(None) if None in sizes else unknown[0]
            sizes = [-1 if i == open_ else n for i, n in enumerate(sizes)]
        return str(self.node("Reshape", [name, self.dims(sizes)],
                             allowzero=1 if 0 in sizes and -1 not in sizes else None))

    def reshape_to_result(self, name: str) -> str:
        """The value in the shape of the result."""
        def shape(call: Call) -> Sequence[int]:
            return tuple(call.outputs[0].shape)

        sizes = self._varying(shape)
        return self.reshape(name, sizes if sizes.count(None) < 2 else self.vary(shape))

    def error(self, why: str) -> OnnxExporterError:
        call, key = self.call, self.call.key
        op = TABLE[key].op if key in TABLE else None
        return OnnxExporterError(f"onnx.export: {op.name if op else key}, called at {call.place}"
                                 f"{self.writer.where(call)}: {why}")


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, numpy.ndarray):
        return isinstance(b, numpy.ndarray) and numpy.array_equal(a, b)
    if type(a) in (tuple, list):
        return type(b) is type(a) and len(a) == len(b) and all(
            _equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _listed(sizes: Sequence[dict[str, int]]) -> str:
    texts = (", ".join(f"{name}={n}" for name, n in s.items()) for s in sizes)
    return "; ".join(dict.fromkeys(texts))
