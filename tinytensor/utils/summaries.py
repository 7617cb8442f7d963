"""The summary of a model: what each layer gives, and what it costs in memory and work."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from .. import random
from ..arrays import dtypes as dtype_names
from ..arrays.devices import array_module
from ..arrays.dispatch import Dispatch
from ..arrays.numbers import is_integer
from ..autograd.modes import no_grad
from ..autograd.op import Op
from ..nn.module import Module
from ..ops.attention import attention
from ..ops.convolution import convolution, convolution_input
from ..ops.linalg import linear, matmul
from ..ops.recurrent import (
    gru_sequence,
    lstm_sequence,
    projected_lstm_sequence,
    rnn_sequence,
)
from ..ops.shape import broadcast_shapes
from ..tensors.creation import zeros
from ..tensors.tensor import Tensor


@dataclass
class Row:
    """One module: what belongs to it alone, and not to a module inside of it.

    shape       of its output, or of each of them; None if its forward was not called
    output      bytes of its outputs, 0 where they lie in memory that another row counts
    parameters  how many numbers; those that modules share count for the first one
    work        multiply-adds of its products, in all its calls together
    """

    name: str
    depth: int
    module: Module
    calls: int = 0
    shape: Any = None
    output: int = 0
    parameters: int = 0
    work: int = 0


@dataclass
class Summary:
    """A row for each module, and the sums. As a string it is a table."""

    rows: list[Row]
    inputs: list[Any]  # shapes
    parameters: int = 0
    trainable: int = 0
    work: int = 0
    parameter_bytes: int = 0  # of parameters and buffers
    output_bytes: int = 0
    depth: int | None = field(default=None, repr=False)

    def __str__(self) -> str:
        head = ["layer", "output shape", "parameters", "output memory", "multiply-adds"]
        lines = [[_label(row), _shape(row), _count(row.parameters), _memory(row.output),
                  _count(row.work)] for row in self._shown()]
        widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
        rule = "-" * (sum(widths) + 2 * len(widths) - 2)
        table = ["  ".join(_aligned(line, widths)).rstrip() for line in (head, *lines)]
        return "\n".join([
            table[0], rule, *table[1:], rule,
            f"input {', '.join(map(str, self.inputs))}",
            f"parameters {self.parameters:,}, of which trainable {self.trainable:,}; with buffers "
            f"{_memory(self.parameter_bytes)}",
            f"outputs {_memory(self.output_bytes)}; multiply-adds {self.work:,}"])

    __repr__ = __str__

    def _shown(self) -> list[Row]:
        """The rows down to the depth, each of the deepest with what is below it."""
        if self.depth is None:
            return self.rows
        shown: list[Row] = []
        for row in self.rows:
            if row.depth <= self.depth:
                shown.append(Row(**vars(row)))
            else:
                for name in ("output", "parameters", "work"):
                    setattr(shown[-1], name, getattr(shown[-1], name) + getattr(row, name))
        return shown


def summary(model: Module, input_size: Any = None, *, input_data: Any = None,
            dtypes: Sequence[Any] | None = None, depth: int | None = None,
            device: Any = None) -> Summary:
    """What each layer of a model gives and costs: `print(summary(model, (1, 3, 32, 32)))`.

    The model is run once, in eval mode and without gradients, and is left as it was. Products are
    counted where they are computed (in linear layers, convolutions, recurrent layers, matrix
    products of any kind, attention), so products outside of layers count too. A multiply-add is
    one multiplication and one addition; sums, activations, norms and biases are not counted. A row
    leaves out the modules inside of its module, so a column adds up to the sum below it.

    Args:
        input_size: the shape of the input with its batch dim, or a list of shapes, of several.
        input_data: the inputs themselves in place of sizes: a Tensor, or a tuple or list of
            arguments, or a dict of arguments by name.
        dtypes: of the inputs, for `input_size`; int64 for an embedding. They are zeros.
        depth: how deep the table goes; deeper modules count for the one they are in.
        device: of the inputs; that of the model's first parameter if not given.

    Raises:
        TypeError: not a Module, neither or both of input_size and input_data, sizes that are none.
        ValueError: as many dtypes as inputs are needed.
    """
    if not isinstance(model, Module):
        raise TypeError(f"summary: expected a Module, got {type(model).__name__}")
    args, kwargs = _inputs(model, input_size, input_data, dtypes, device)
    rows = {module: Row(name, name.count(".") + 1 if name else 0, module)
            for name, module in model.named_modules()}
    _count_parameters(rows)
    given = _shapes((*args, *kwargs.values()))
    with _quiet(model), _measured(rows):
        try:
            model(*args, **kwargs)
        except Exception as error:
            error.add_note(f"in summary, with inputs of shape {', '.join(map(str, given))}"
                           + ("" if input_data is not None else
                              "; embeddings need dtypes=[int64], and sizes begin with the batch"))
            raise
    parameters, listed = list(model.parameters()), list(rows.values())
    return Summary(
        listed, given,
        parameters=sum(p.numel() for p in parameters),
        trainable=sum(p.numel() for p in parameters if p.requires_grad),
        work=sum(row.work for row in listed),
        parameter_bytes=sum(_bytes(t) for t in (*parameters, *model.buffers())),
        output_bytes=sum(row.output for row in listed), depth=depth)


def _inputs(model: Module, size: Any, data: Any, dtypes: Sequence[Any] | None,
            device: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The positional and named arguments to run the model with."""
    if (size is None) == (data is None):
        raise TypeError("summary: give either input_size, such as (1, 3, 32, 32), or input_data")
    if isinstance(data, dict):
        return (), data
    if data is not None:
        return tuple(data) if isinstance(data, tuple | list) else (data,), {}
    sizes = [size] if not size or is_integer(size[0]) else list(size)
    if not all(is_integer(n) and n >= 0 for one in sizes for n in one):
        raise TypeError(f"summary: input_size must be a shape or a list of shapes, got {size!r}")
    dtypes = [dtype_names.get_default_dtype()] * len(sizes) if dtypes is None else dtypes
    if len(dtypes) != len(sizes):
        raise ValueError(f"summary: {len(sizes)} inputs and {len(dtypes)} dtypes; give one dtype "
                         "for each input")
    if device is None:
        first: Any = next(model.parameters(), None)
        device = None if first is None else first.device
    return tuple(zeros(*one, dtype=d, device=device)
                 for one, d in zip(sizes, dtypes, strict=True)), {}


def _count_parameters(rows: dict[Module, Row]) -> None:
    seen: set[Tensor] = set()
    for row in rows.values():
        own = set(row.module.parameters(recurse=False)) - seen
        row.parameters = sum(p.numel() for p in own)
        seen |= own


@contextlib.contextmanager
def _quiet(model: Module) -> Iterator[None]:
    """Runs the model without traces: in eval mode, no gradients, no random numbers used up."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with no_grad(), random.fork_rng():
            yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextlib.contextmanager
def _measured(rows: dict[Module, Row]) -> Iterator[None]:
    """Fills in what is seen while the modules run."""
    running: list[Module] = []  # the innermost one last
    outputs: dict[Any, Tensor] = {}  # by their memory; held, so that none takes another's place

    def enter(module: Module, _: Any) -> None:
        running.append(module)

    def leave(module: Module, _: Any, output: Any) -> None:
        running.pop()
        row = rows[module]
        row.calls += 1
        found = _tensors(output)
        row.shape = _shapes(found)
        for tensor in found:
            if tensor.data_ptr() not in outputs:
                outputs[tensor.data_ptr()] = tensor
                row.output += _bytes(tensor)

    def watcher(count: Callable[..., int]) -> Callable[..., None]:
        def see(*arrays: Any) -> None:
            if running:  # what other threads compute is none of the model's
                rows[running[-1]].work += count(*arrays)

        return see

    computing: list[Op] = []  # an op inside another one is part of its work
    with contextlib.ExitStack() as stack:
        for module in rows:
            stack.enter_context(_hooked(module, enter, leave))
        for operation, count in WORK.items():
            stack.enter_context(observed(operation.op, watcher(count), computing))
        yield


@contextlib.contextmanager
def observed(op: Op, see: Callable[..., None], computing: list[Op]) -> Iterator[None]:
    """Within, each forward of `op` first gives `see` the arrays and parameters it computes with,
    unless it is called by the forward of one of the ops that are `computing`.
    """
    forward, kernels = op.forward, op.kernels
    compute = kernels.get(()) or Dispatch(op.name, forward)

    @functools.wraps(forward)
    def seen(*args: Any, **kwargs: Any) -> Any:
        given = [*args, *kwargs.values()]
        xp = given.pop(0) if op.signature.takes_xp else array_module(*given)
        if not computing:
            see(*given)
        computing.append(op)
        try:
            return compute(xp, *given)
        finally:
            computing.pop()

    op.forward, op.kernels = seen, {names: k for names, k in kernels.items() if names}
    op.changed()
    try:
        yield
    finally:
        op.forward, op.kernels = forward, kernels
        op.changed()


@contextlib.contextmanager
def _hooked(module: Module, enter: Any, leave: Any) -> Iterator[None]:
    handles = (module.register_forward_pre_hook(enter, prepend=True),
               module.register_forward_hook(leave))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


# ---------------------------------------------------------------- multiply-adds


def _product_work(a: Any, b: Any) -> int:
    """(*, M, K) @ (*, K, N): each element of the result takes K."""
    batch = math.prod(broadcast_shapes(a.shape[:-2], b.shape[:-2]))
    rows = a.shape[-2] if a.ndim > 1 else 1
    return batch * rows * a.shape[-1] * (b.shape[-1] if b.ndim > 1 else 1)


def _attention_work(query: Any, key: Any, value: Any, *_: Any) -> int:
    """Every query with every key, those that a mask hides too, and then with every value."""
    batch = math.prod(broadcast_shapes(*(x.shape[:-2] for x in (query, key, value))))
    return batch * query.shape[-2] * key.shape[-2] * (query.shape[-1] + value.shape[-1])


# How many multiply-adds a call takes, from the arrays it is given.
WORK: dict[Any, Callable[..., int]] = {
    matmul: _product_work,
    attention: _attention_work,
    linear: lambda input, weight, *_: input.size * weight.shape[0] if weight.ndim > 1
    else input.size,
    # Every window times the weight; transposed, every input position times the weight.
    convolution: lambda input, weight, bias, frame: (
        input.shape[0] * math.prod(frame.out) * weight.size),
    convolution_input: lambda input, weight, frame: (
        input.shape[0] * math.prod(input.shape[2:]) * weight.size),
    # The product of the input with its weight is a call of `linear`.
    rnn_sequence: lambda input, weight, *_: len(input) * weight.size,
    lstm_sequence: lambda input, weight, *_: len(input) * weight.size,
    projected_lstm_sequence: lambda input, weight, projection, *_: (
        len(input) * (weight.size + projection.size)),
    gru_sequence: lambda input, weight, *_: len(input) * weight.size,
}


# ---------------------------------------------------------------- shapes and text


def _tensors(value: Any) -> list[Tensor]:
    """The Tensors in an output, however it is built."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [t for item in value for t in _tensors(item)] if isinstance(value, list | tuple) else []


def _shapes(values: Sequence[Any]) -> list[Any]:
    return [tuple(t.shape) for t in _tensors(list(values))]


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _label(row: Row) -> str:
    name = row.name.rpartition(".")[2]
    kind = type(row.module).__name__
    times = f" x{row.calls}" if row.calls > 1 else ""
    return "  " * row.depth + (f"{name}: {kind}" if name else kind) + times


def _shape(row: Row) -> str:
    if row.shape is None:
        has_forward = type(row.module).forward is not Module.forward
        return "not called" if has_forward else "-"
    return ", ".join(map(str, row.shape)) or "-"


def _count(number: int) -> str:
    return f"{number:,}" if number else "-"


def _memory(size: float) -> str:
    """Bytes in words: "1.5 MiB"."""
    if not size:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Names and shapes to the left, numbers to the right."""
    return [text.ljust(width) if i < 2 else text.rjust(width)
            for i, (text, width) in enumerate(zip(line, widths, strict=True))]
