"""`export`: a model as a file that other runtimes execute."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from .. import random
from ..arrays import dtypes
from ..autograd.modes import no_grad
from ..func.mapping import Refusing
from ..func.trees import flatten, unflatten
from ..nn.module import Module
from ..tensors.creation import tensor
from ..tensors.replacing import destination
from ..tensors.tensor import Tensor
from . import elementwise, indexing, layers, recurrent, shapes  # each registers forms
from .program import ONNXProgram, onnx_package
from .recording import OnnxExporterError, Recorder, Recording, Source
from .sizes import Formula
from .writing import Writer

OPSETS = range(18, 24)  # what the forms are written for
FORMS_FROM = (elementwise, indexing, layers, recurrent, shapes)
# Options of PyTorch's exporter that have no effect here.
IGNORED = frozenset((
    "artifacts_dir", "autograd_inlining", "custom_opsets", "custom_translation_table",
    "dump_exported_program", "export_modules_as_functions", "fallback",
    "keep_initializers_as_inputs", "operator_export_type", "optimize", "profile", "report"))


class DrawsNumbersError(OnnxExporterError):
    """The model draws random numbers."""


def export(model: Module, args: Any = (), f: Any = None, *, kwargs: Mapping[str, Any] | None = None,
           input_names: Sequence[str] | None = None, output_names: Sequence[str] | None = None,
           opset_version: int | None = None, dynamic_axes: Any = None, dynamic_shapes: Any = None,
           do_constant_folding: bool = True, export_params: bool = True, verbose: Any = None,
           training: Any = None, dynamo: bool = True, external_data: bool = False,
           verify: bool = False, **ignored: Any) -> ONNXProgram:
    """Writes a model in the format ONNX, which onnxruntime and other programs execute.

        tinytensor.onnx.export(model, (images,), "model.onnx", input_names=["images"],
                               output_names=["scores"], dynamic_axes={"images": {0: "batch"}})

    The model runs on the example arguments, in eval mode, and its operations are recorded. So the
    file has what these arguments led to: branches of Python (`if x.sum() > 0`) and loops are fixed
    as they ran, and numbers taken out of Tensors (`item()`) are an error. The model is left as it
    was. Weights have their names in `state_dict`; one that layers share is there once.

    Sizes are fixed too, except those of dynamic dims. For these the model runs at several sizes:
    below the example's, or at its multiples where the model takes no others. A number that changes
    with them, such as `x.shape[0]` in a reshape, becomes a computation in the file. One that
    cannot, is an error with its line.

    Needs the package onnx: pip install onnx.

    Args:
        args: a Tensor or a tuple of arguments; Tensors in tuples, lists and dicts are inputs too.
        f: the path to write to, or a binary file; None for none.
        kwargs: arguments by name.
        input_names: by default the names of the parameters of `forward`.
        output_names: by default output, or output_0, output_1, ...
        opset_version: the version of ONNX's operators, 18 to 23; 20 by default.
        dynamic_axes: for names of inputs, {dim: name} or a list of dims. Dims of equal names
            are of equal size.
        dynamic_shapes: the same by the names of the parameters of `forward`, or as a tuple in the
            form of `args`, as in torch.export; a name, or an object with one, for each dim.
        do_constant_folding: whether what depends on constants only is computed now. Weights stay
            as they are.
        verify: compares the results with onnxruntime's, on the example.

    `dynamo`, `external_data` and further options of PyTorch's have no effect: there is one
    exporter, and weights are in the file.

    Raises:
        OnnxExporterError: an operation has no form in ONNX, with its layer, its line and what to
            do; a size or a constant that would be fixed wrongly; random numbers; names that do
            not fit.
        ImportError: the package onnx is not installed.
        TypeError: not a Module; results that are no Tensors; an unknown option.
    """
    onnx = onnx_package("onnx.export")
    if not isinstance(model, Module):
        raise TypeError(f"onnx.export: expected a Module, got {type(model).__name__}")
    unknown = sorted(ignored.keys() - IGNORED)
    if unknown:
        raise TypeError(f"onnx.export: unknown option {unknown[0]!r}")
    if training is not None and str(getattr(training, "name", training)) not in ("EVAL", "0"):
        raise OnnxExporterError("onnx.export: only eval mode is exported; batch norm and dropout "
                                "of training would change with every call")
    if not export_params:
        raise OnnxExporterError("onnx.export: weights are always in the file")
    opset = 20 if opset_version is None else opset_version
    if opset not in OPSETS:
        raise ValueError(f"onnx.export: opset_version must be {OPSETS[0]} to {OPSETS[-1]}, got "
                         f"{opset}")
    example = Example(model, args, dict(kwargs or {}), input_names)
    symbols = example.symbols(dynamic_axes, dynamic_shapes)
    _check_axes(dynamic_axes, example, output_names)
    sizes, recordings = _recordings(example, symbols)
    for recording, at in zip(recordings[1:], sizes[1:], strict=True):
        _compare(recordings[0], recording, sizes[0], at)
    writer = Writer(recordings, sizes, {
        name: (example.names[i], dim) for name, ((i, dim), *_) in symbols.items()},
        example.names, example.weights, opset, do_constant_folding)
    writer.examples = example.leaves
    writer.write()
    made = _model(onnx, writer, example, symbols, output_names, opset)
    program = ONNXProgram(made, example.leaves, recordings[0])
    if verify:
        program.verify()
    if f is not None:
        _save(program, f)
    return program


def _save(program: ONNXProgram, f: Any) -> None:
    data = program.model_proto.SerializeToString()
    if hasattr(f, "write"):
        f.write(data)
        return
    with destination(os.fspath(f)) as file:
        file.write(data)


# ---------------------------------------------------------------- the example and its recordings


class Example:
    """The arguments to run a model with, as a list of Tensors and what is around them."""

    def __init__(self, model: Module, args: Any, kwargs: dict[str, Any],
                 input_names: Sequence[str] | None):
        self.model = model
        args = (args,) if isinstance(args, Tensor) or not isinstance(args, tuple | list) \
            else tuple(args)
        self.args, self.kwargs = args, kwargs
        self.all, self.structure = flatten((args, kwargs))
        self.places = [i for i, x in enumerate(self.all) if isinstance(x, Tensor)]
        self.leaves: list[Tensor] = [self.all[i].detach() for i in self.places]
        for leaf in self.leaves:
            if leaf.is_cuda:
                raise OnnxExporterError("onnx.export: move the model and its arguments to the CPU "
                                        "first, with .cpu()")
        self.parameters = self._parameters()
        names = [name for name, leaves in self.parameters for _ in leaves]
        self.names = self._named(names, input_names)
        self.weights: dict[str, Tensor] = {}
        for name, weight in (*model.named_parameters(), *model.named_buffers()):
            if id(weight) not in map(id, self.weights.values()):
                self.weights[name] = weight

    def _parameters(self) -> list[tuple[str, list[int]]]:
        """(parameter of `forward`, the numbers of its Tensors), in the order of the arguments."""
        try:
            bound = inspect.signature(self.model.forward).bind(*self.args, **self.kwargs)
            given = [*bound.arguments.items()]
        except (TypeError, ValueError):
            given = [(f"input_{i}", x) for i, x in enumerate(self.args)] + [*self.kwargs.items()]
        kinds: dict[str, Any] = {}
        for name, value in given:
            parameter = inspect.signature(self.model.forward).parameters.get(name)
            several = parameter is not None and parameter.kind in (
                parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
            if several:
                parts = value.items() if isinstance(value, dict) else enumerate(value)
                kinds.update({str(part) if isinstance(value, dict) else f"{name}_{part}": x
                              for part, x in parts})
            else:
                kinds[name] = value
        found, at = [], 0
        for name, value in kinds.items():
            count = sum(isinstance(x, Tensor) for x in flatten(value)[0])
            found.append((name, list(range(at, at + count))))
            at += count
        return found

    def _named(self, names: list[str], wanted: Sequence[str] | None) -> list[str]:
        counts = {name: names.count(name) for name in names}
        made: list[str] = []
        seen = dict.fromkeys(names, 0)
        for name in names:
            made.append(name if counts[name] == 1 else f"{name}_{seen[name]}")
            seen[name] += 1
        if wanted is not None:
            if len(wanted) > len(made) or len(set(wanted)) < len(wanted):
                raise OnnxExporterError(f"onnx.export: input_names {list(wanted)} for "
                                        f"{len(made)} inputs, {', '.join(made)}; give each a "
                                        "name of its own")
            made[:len(wanted)] = wanted
        return made

    # ------------------------------------------------------------ dynamic dims

    def symbols(self, axes: Any, shapes: Any) -> dict[str, list[tuple[int, int]]]:
        """The dynamic dims: for each name, the inputs and dims of that size."""
        found: dict[str, list[tuple[int, int]]] = {}
        if shapes is not None:
            for name, value in self._by_parameter(shapes).items():
                leaves = dict(self.parameters).get(name)
                if leaves is None:
                    raise OnnxExporterError(f"onnx.export: dynamic_shapes names {name!r}; the "
                                            f"arguments are {self._listed()}")
                dims = [value] if _is_dims(value) and len(leaves) == 1 else flatten_dims(value)
                if len(dims) != len(leaves):
                    raise OnnxExporterError(
                        f"onnx.export: dynamic_shapes has {len(dims)} entries for {name!r}, which "
                        f"has {len(leaves)} Tensors")
                for i, given in zip(leaves, dims, strict=True):
                    self._add_dims(found, i, given)
        for name, value in (axes or {}).items():
            if name in self.names:
                self._add_dims(found, self.names.index(name), value)
        for name, places in found.items():
            sizes = {self.leaves[i].shape[dim] for i, dim in places}
            if len(sizes) > 1:
                raise OnnxExporterError(f"onnx.export: the dims named {name!r} must be of one "
                                        f"size, the example has {sorted(sizes)}")
        return found

    def _listed(self) -> str:
        return ", ".join(name for name, _ in self.parameters)

    def _by_parameter(self, shapes: Any) -> dict[str, Any]:
        if isinstance(shapes, Mapping):
            return dict(shapes)
        return dict(zip((name for name, _ in self.parameters), shapes, strict=False))

    def _add_dims(self, found: dict[str, list[tuple[int, int]]], i: int, dims: Any) -> None:
        if dims is None:
            return
        pairs = dims.items() if isinstance(dims, Mapping) else enumerate(dims) \
            if any(d is None or not isinstance(d, int) for d in dims) else ((d, True) for d in dims)
        for dim, label in pairs:
            if label is None or type(label) is int:
                continue
            rank = self.leaves[i].ndim
            if not isinstance(dim, int) or not -rank <= dim < rank:
                raise OnnxExporterError(f"onnx.export: the input {self.names[i]!r} of shape "
                                        f"{tuple(self.leaves[i].shape)} has no dim {dim}")
            name = label if isinstance(label, str) else getattr(label, "__name__", None)
            dim %= rank
            found.setdefault(name or f"{self.names[i]}_dim_{dim}", []).append((i, dim))

    # ------------------------------------------------------------ recording

    def record(self, sizes: dict[str, int], symbols: dict[str, list[tuple[int, int]]],
               other_values: bool = False) -> Recording:
        """The operations of a call, with the dynamic dims at these sizes."""
        leaves = [_changed(x) if other_values else tensor(x._array.copy()) for x in self.leaves]
        for name, places in symbols.items():
            for i, dim in places:
                at = numpy.arange(sizes[name]) % max(leaves[i].shape[dim], 1)
                leaves[i] = tensor(numpy.take(leaves[i]._array, at, axis=dim))
        given = list(self.all)
        for i, leaf in zip(self.places, leaves, strict=True):
            given[i] = leaf
        args, kwargs = unflatten(given, self.structure)
        modes = {module: module.training for module in self.model.modules()}
        self.model.eval()
        try:
            with no_grad(), random.using(Refusing(DrawsNumbersError, (
                    "onnx.export: the model draws random numbers in eval mode, which would be "
                    "fixed in the file; draw them outside, and pass them as an input"))), \
                    Recorder(self.model, leaves, self.weights) as recorder:
                results = self.model(*args, **kwargs)
                found, recorder.recording.structure = flatten(results)
                for x in found:
                    if isinstance(x, Tensor):
                        source = recorder.source(x._array)
                        assert source is not None
                        recorder.recording.results.append(source)
                        recorder.recording.result_arrays.append(x._array.copy())
                    elif x is not None:
                        raise TypeError("onnx.export: the results of a model must be Tensors, got "
                                        f"{type(x).__name__}")
                if not recorder.recording.results:
                    raise TypeError("onnx.export: the model returns no Tensor")
                return recorder.recording
        finally:
            for module, mode in modes.items():
                module.training = mode


def _is_dims(value: Any) -> bool:
    """Whether a value of dynamic_shapes is for one Tensor."""
    if value is None or isinstance(value, Mapping) and all(isinstance(k, int) for k in value):
        return True
    return isinstance(value, tuple | list) and not any(
        isinstance(v, Mapping | tuple | list) for v in value)


def flatten_dims(value: Any) -> list[Any]:
    if _is_dims(value):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    return [dims for part in parts for dims in flatten_dims(part)]


def _changed(x: Tensor) -> Tensor:
    """Other values of the same kind: what stays equal in a recording does not depend on them."""
    array = x._array
    if dtypes.is_floating(array.dtype):
        return tensor((array * 0.75 + 0.125).astype(array.dtype))
    return tensor(numpy.flip(array).copy())


def _recordings(example: Example, symbols: dict[str, list[tuple[int, int]]],
                ) -> tuple[list[dict[str, int]], list[Recording]]:
    """The sizes of the dynamic dims that were recorded, and the recordings: at those of the
    example, there with other values, and at other sizes.

    Smaller sizes are tried first, since models have a largest one; 1 is avoided, which broadcasts.
    A model may take multiples of a number only, so multiples of the example's size are tried next.
    """
    first = {name: example.leaves[i].shape[dim] for name, ((i, dim), *_) in symbols.items()}
    sizes = [first, first]
    recordings = [example.record(first, symbols), example.record(first, symbols, True)]
    nearest: dict[str, int] = {}
    for name, size in first.items():
        pairs = [(2, 3)] if size == 1 else [(size - 1, size - 2)] if size > 3 else \
            [(size + 1, size + 2)]
        pairs.append((2 * size, 3 * size))
        failure: Exception | None = None
        for pair in pairs:
            tried = [{**first, name: n} for n in pair]
            try:
                recordings += [example.record(s, symbols, True) for s in tried]
            except OnnxExporterError:
                raise
            except Exception as error:
                failure = failure or error
                continue
            sizes += tried
            nearest[name] = pair[0]
            break
        else:
            assert failure is not None
            failure.add_note(f"in onnx.export, which ran the model with {name!r} of size "
                             f"{pairs[0][0]} rather than {size}, since that dim is dynamic")
            raise failure
    if len(first) > 1:
        sizes.append(nearest)
        recordings.append(example.record(nearest, symbols, True))
    return sizes, recordings


def _check_axes(axes: Any, example: Example, output_names: Sequence[str] | None) -> None:
    """Raises if dynamic_axes has a name that neither an input nor an output has."""
    for name in axes or ():
        if name not in example.names and name not in (output_names or ()) \
                and not name.startswith("output"):
            raise OnnxExporterError(f"onnx.export: dynamic_axes names {name!r}; the inputs are "
                                    f"{', '.join(example.names)}")


def _compare(base: Recording, other: Recording, sizes: dict[str, int],
             at: dict[str, int]) -> None:
    """Raises if two recordings differ in more than sizes and values."""
    change = "other values of the inputs" if sizes == at else "sizes " + ", ".join(
        f"{name}={n} rather than {sizes[name]}" for name, n in at.items() if n != sizes[name])
    for a, b in zip(base.calls, other.calls, strict=False):
        same = a.key == b.key and a.inputs.keys() == b.inputs.keys() and all(
            _alike(a.inputs[name], b.inputs[name]) for name in a.inputs)
        if not same:
            raise OnnxExporterError(
                f"onnx.export: the model runs other operations for {change}: {a.key} at {a.place}"
                f"{Writer.where(a)}, then {b.key} at {b.place}. A branch or a loop of Python "
                "depends on them; write the choice with where(), or leave that dim fixed")
    if len(base.calls) != len(other.calls) or len(base.results) != len(other.results):
        longer = max(base.calls, other.calls, key=len)
        extra = longer[min(len(base.calls), len(other.calls))] \
            if len(base.calls) != len(other.calls) else longer[-1]
        raise OnnxExporterError(
            f"onnx.export: the model runs {len(base.calls)} operations, and {len(other.calls)} "
            f"for {change}: the first that is not in both is {extra.key} at {extra.place}"
            f"{Writer.where(extra)}. A loop or a branch of Python depends on them; leave that "
            "dim fixed")


def _alike(a: Source | None, b: Source | None) -> bool:
    if a is None or b is None:
        return a is b
    return a.kind == b.kind and (a.kind == "number" or a == b)


# ---------------------------------------------------------------- the model of ONNX


def _model(onnx: Any, writer: Writer, example: Example,
           symbols: dict[str, list[tuple[int, int]]], output_names: Sequence[str] | None,
           opset: int) -> Any:
    helper, results = onnx.helper, writer.base.results
    names = ["output"] if len(results) == 1 else [f"output_{i}" for i in range(len(results))]
    if output_names is not None:
        if len(output_names) > len(names):
            raise OnnxExporterError(f"onnx.export: {len(output_names)} output_names for "
                                    f"{len(names)} results")
        names[:len(output_names)] = output_names
    names = [name if name not in example.names else f"{name}_out" for name in names]
    writer.path = ""
    values = [writer.name(source) for source in results]
    _rename(writer, values, names, helper)
    dynamic = {place: name for name, places in symbols.items() for place in places}
    inputs = [helper.make_tensor_value_info(
        name, writer.element_type(x._array.dtype),
        [dynamic.get((i, dim), n) for dim, n in enumerate(x.shape)])
        for i, (name, x) in enumerate(zip(example.names, example.leaves, strict=True))]
    outputs = []
    for k, (name, array) in enumerate(zip(names, writer.base.result_arrays, strict=True)):
        shape = [writer.fit([r.result_arrays[k].shape[d] for r in writer.recordings])
                 for d in range(array.ndim)]
        outputs.append(helper.make_tensor_value_info(
            name, writer.element_type(array.dtype),
            [n.symbol if isinstance(n, Formula) else n for n in shape]))
    graph = helper.make_graph(writer.nodes, type(example.model).__name__, inputs, outputs,
                              list(writer.initializers.values()))
    opsets = [helper.make_opsetid("", opset)]
    made = helper.make_model(graph, opset_imports=opsets, producer_name="tinytensor",
                             ir_version=helper.find_min_ir_version_for(opsets))
    onnx.checker.check_model(made, full_check=True)
    return made


def _rename(writer: Writer, values: list[str], names: list[str], helper: Any) -> None:
    """Gives results their names: a node's output is renamed, other values are copied."""
    made = {output: node for node in writer.nodes for output in node.output}
    done: dict[str, str] = {}
    for value, name in zip(values, names, strict=True):
        if value not in made or value in done or name in writer.taken:
            writer.nodes.append(helper.make_node("Identity", [done.get(value, value)], [name],
                                                 name=f"Identity_{name}"))
            continue
        done[value] = name
        for node in writer.nodes:
            for part in (node.input, node.output):
                for i, x in enumerate(part):
                    if x == value:
                        part[i] = name
    unused = set(writer.initializers) - {x for node in writer.nodes for x in node.input}
    for name in unused:
        del writer.initializers[name]
