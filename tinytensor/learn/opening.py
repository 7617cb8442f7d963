"""open: any number of a model, a result or a gradient, with the single numbers it came from.

The model runs on arrays whose elements are `scalar.Value`. NumPy computes on them by calling the
operators of the Values, so the program of the tensor engine builds the graph of the scalar engine,
and its backward pass builds the graph of every gradient.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import math
import re
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import numpy

import scalar
from scalar import Value

from .. import random
from ..arrays import dtypes
from ..arrays.devices import CPU, to_numpy
from ..arrays.dispatch import use_kernels
from ..autograd import engine, graph
from ..autograd.frames import OWN, place_of
from ..autograd.graph import Node
from ..autograd.modes import watched
from ..autograd.table import TABLE, Entry
from ..nn.module import Module
from ..tensors.tensor import Tensor
from .sizes import Counting, counting

LIMIT = 200_000
SHOWN = 40  # names in an error
BRACKETS = r"(?:\[[^\[\]]*\])*"


def open(model: Callable[..., Any], *inputs: Any, loss: Callable[[Any], Any] | None = None,
         at: str = "loss", limit: int = LIMIT, **options: Any) -> Value:
    """The number that `at` names, as the last Value of the graph that computed it.

    `model(*inputs, **options)` runs on Values that start from the numbers of the parameters and
    inputs, in double precision. For a gradient, the backward pass from the loss runs on Values too:
    what returns is the gradient, and its graph shows how backward computed it.

        loss_of = lambda output: nn.functional.cross_entropy(output, targets)
        learn.open(model, x, loss=loss_of)                                  the loss
        learn.open(model, x, at="output[0, 1]")                             an output
        learn.open(model, x, at="layers.0[0, 3]")                           a result of a module
        learn.open(model, x, at="tanh#2[0, 3]")                             ... of the second tanh
        learn.open(model, x, loss=loss_of, at="layers.0.weight.grad[2, 1]") a gradient

    Values carry labels: `layers.0.weight[2, 1]`, `x[0, 1]` after the parameter of `forward`, the
    paths of modules for their results, and each of these with `.grad`. Draw the result with
    `scalar.draw_dot`. Its `backward()` gives the derivatives by all numbers it depends on; for a
    gradient these are second derivatives.

    Args:
        model: a Module or another function of Tensors. It runs twice, and is unchanged afterwards:
            so are its buffers, the gradients of its parameters and the random generator.
        inputs: Tensors, also in tuples, lists and dicts. Those of integers stay as they are.
        loss: a function of what the model returns; without it, that is the loss if it is one
            number.
        at: the name of a number, then its index: that of a parameter, of an input, of a module for
            its result, of an operation for its result, "output" or "loss". If a name stands for
            several Tensors, `#2` means the second. If a module returns a tuple, an index chooses
            from it: "lstm[0][2, 1]". `.grad` before the index means the derivative of the loss.
        limit: the largest number of Values that are made. A thousand take a millisecond and half
            a megabyte.
        options: keyword arguments of the model.

    Raises:
        ValueError: the name is unknown, the index does not fit, or the graph would be too large;
            the message has the predicted number of Values.
        TypeError: an operation cannot run on Values; the message says why.
        RuntimeError: a gradient is asked for, and the loss is missing or does not depend on it.
    """
    if isinstance(model, scalar.nn.Module):
        raise TypeError("open: a model of `scalar` computes with Values already: its parameters "
                        "and results have their graphs")
    address = _Address(at)
    state = random.get_rng_state()
    numbers, values = _Run(model, counting), _Run(model, _values)
    try:
        with use_kernels(False):
            Counting.made = 0
            expected = numbers.element(inputs, options, loss, address)
            size = Counting.made + numbers.leaves
            if size > limit:
                raise ValueError(f"open: {at!r} would take about {size:,} Values, and the limit is "
                                 f"{limit:,}: open a smaller model, fewer samples or a shorter "
                                 f"sequence, or give limit={_rounded_up(size):_}")
            random.set_rng_state(state)
            try:
                value = values.element(inputs, options, loss, address)
            except Exception as error:  # the same program has run on numbers
                raise TypeError(_refusal(error)) from error
    finally:
        random.set_rng_state(state)
    if not isinstance(value, Value):  # a gradient that is 0, as behind a ReLU
        value = Value(value)
    if not math.isclose(value.data, expected, rel_tol=1e-6, abs_tol=1e-9) \
            and not math.isnan(expected):
        raise TypeError(_difference(numbers, values, at, value.data, expected))
    value.label = value.label or at
    return value


def _rounded_up(size: int) -> int:
    digit: int = 10 ** (len(str(size)) - 1)
    return (size * 5 // 4 // digit + 1) * digit


def _values(array: Any) -> Any:
    """An array of objects with a Value for each number."""
    objects = numpy.empty(array.shape, dtype=object)
    for index, number in numpy.ndenumerate(array):
        objects[index] = Value(float(number))
    return objects


# ---------------------------------------------------------------- the name of a number


class _Address:
    """The parts of `at`: name, item of a tuple, whether the gradient is meant, index."""

    def __init__(self, at: str):
        parts = re.fullmatch(rf"\s*([^\[\]]+?)({BRACKETS})(\.grad)?({BRACKETS})\s*", at)
        if parts is None:
            raise ValueError(f"open: cannot read at={at!r}; write a name and an index, such as "
                             "'output[0, 1]' or 'layers.0.weight.grad[2, 1]'")
        name, before, grad, after = parts.groups()
        self.text, self.name, self.of_gradient = at, name, bool(grad)
        self.steps, self.index = (self._numbers(before), self._numbers(after)) if grad \
            else ([], self._numbers(before))

    def _numbers(self, brackets: str) -> list[tuple[int, ...]]:
        inner = re.findall(r"\[([^\[\]]*)\]", brackets)
        try:
            return [tuple(int(n) for n in part.split(",")) for part in inner]
        except ValueError:
            raise ValueError(f"open: cannot read the index of at={self.text!r}; write whole "
                             "numbers, such as [2, 1]") from None

    def tensor(self, result: Any) -> tuple[Any, tuple[int, ...]]:
        """The Tensor in `result`, which may be a tuple, and the index of the element."""
        pending = [*self.steps, *([] if self.steps else self.index)]
        while isinstance(result, tuple | list):
            if not pending or len(pending[0]) != 1 or not -len(result) <= pending[0][0] < len(
                    result):
                raise ValueError(f"open: {self.name!r} is a tuple of {len(result)}: at="
                                 f"{self.text!r} should choose one by an index of its own, such as "
                                 f"'{self.name}[0][2, 1]'")
            result = result[pending.pop(0)[0]]
        if not isinstance(result, Tensor):
            raise ValueError(f"open: {self.name!r} is a {type(result).__name__}, not a Tensor")
        if self.steps and pending:
            raise ValueError(f"open: in at={self.text!r}, write the index after .grad")
        index = tuple(n for part in (self.index if self.steps else pending) for n in part)
        self._check(index, tuple(result.shape))
        return result, index

    def _check(self, index: tuple[int, ...], shape: tuple[int, ...]) -> None:
        fits = len(index) == len(shape) and all(
            -n <= i < n for i, n in zip(index, shape, strict=True))
        if fits or (not index and math.prod(shape) == 1):
            return
        name = self.name + ".grad" * self.of_gradient
        last = [n - 1 for n in shape]
        raise ValueError(f"open: {name!r} has shape {shape}: at={self.text!r} should have an index "
                         f"between {[0] * len(shape)} and {last}" if math.prod(shape) else
                         f"open: {name!r} has shape {shape}, and so no elements")


# ---------------------------------------------------------------- one run of the model


class _Run:
    """A run of a model on arrays that `convert` makes of those of its parameters and inputs.

    named     Tensors, and tuples of them, by the names under which they can be opened
    leaves    how many numbers of parameters and inputs were converted
    """

    def __init__(self, model: Callable[..., Any], convert: Callable[[Any], Any]):
        self.model, self.convert = model, convert
        self.modules = dict(model.named_modules()) if isinstance(model, Module) else {}
        self.named: dict[str, Any] = {}
        self.calls: list[tuple[str, Any]] = []  # results of modules and of operations, in order
        self.operations: list[tuple[str, Any]] = []
        self.leaves = 0

    def element(self, inputs: Any, options: Any, loss: Any, address: _Address) -> Any:
        """The Value or number at an address."""
        tensor, index = self.tensor(inputs, options, loss, address)
        return tensor._array[index] if index else tensor._array.item()

    def tensor(self, inputs: Any, options: Any, loss: Any, address: _Address
               ) -> tuple[Any, tuple[int, ...]]:
        """The Tensor at an address, or its gradient, and the index of the element."""
        with CPU, self._converted_state(), self._labelled_results(), watched(self._see):
            given = _named_arguments(self.model, inputs, options)
            given = {name: _replaced(x, name, self._leaf) for name, x in given.items()}
            self.named |= {name: x for name, x in given.items()
                           if _is_float(x) or isinstance(x, tuple | list)}
            count = len(inputs)
            args, kwargs = list(given.values())[:count], dict(list(given.items())[count:])
            output = self.model(*args, **kwargs)
            if loss is not None:  # without one, a single number is the loss
                self._label(output, "output")
            total = output if loss is None else loss(output)
            if loss is not None or _is_one_number(total):
                self._label(total, "loss")
                self.named["loss"] = total
            self._label(output, "output")
            self.named["output"] = output
            self._number_the_calls()
            tensor, index = address.tensor(self._find(address))
            if not address.of_gradient:
                return tensor, index
            return self._gradient(tensor, address), index

    def _find(self, address: _Address) -> Any:
        if address.name in self.named:
            return self.named[address.name]
        if address.name == "loss":
            raise RuntimeError("open: the model returns more than one number; give loss=, a "
                               "function of what it returns, or name a number with at=, such as "
                               "at='output[0, 1]'")
        near = difflib.get_close_matches(address.name, self.named, 5, 0.6)
        names = [name for name in self.named if not name.endswith("#1")]
        listed = ", ".join(names[:SHOWN]) + f" and {len(names) - SHOWN} more" * (
            len(names) > SHOWN)
        raise ValueError(f"open: there is no {address.name!r}; "
                         + (f"near names: {', '.join(near)}; " if near else "")
                         + f"this call has {listed}")

    def _gradient(self, tensor: Any, address: _Address) -> Any:
        """The derivative of the loss by a Tensor."""
        loss: Any = self.named.get("loss")
        if not _is_one_number(loss):
            raise RuntimeError(f"open: {address.text!r} needs a loss of one number: give loss=, a "
                               "function of what the model returns")
        seed = graph.tensor_of(self.convert(numpy.ones(tuple(loss.shape))), None)
        self._label(seed, "loss.grad")
        if tensor is loss:
            return seed
        if tensor._node is None or loss._node is None:
            raise RuntimeError(f"open: the loss does not depend on {address.name!r}, or the "
                               "program ran without recording it: look for detach() and no_grad()")
        (gradient,) = engine.grad([loss], [tensor], [seed], retain_graph=True, allow_unused=True)
        if gradient is None:
            raise RuntimeError(f"open: the loss does not depend on {address.name!r}")
        self._label(gradient, address.name + ".grad")
        return gradient

    # ------------------------------------------------------------ parameters, buffers, inputs

    @contextlib.contextmanager
    def _converted_state(self) -> Iterator[None]:
        """Parameters and buffers on converted arrays; afterwards as they were."""
        kept = [(registry, name, tensor) for module in self.modules.values()
                for registry in (module._parameters, module._buffers)
                for name, tensor in registry.items()]
        tensors = {id(tensor): tensor for _, _, tensor in kept if tensor is not None}
        states = [(t, t._array, t._node) for t in tensors.values()]
        try:
            if isinstance(self.model, Module):
                for name, tensor in (*self.model.named_parameters(),
                                     *self.model.named_buffers()):
                    self._take(tensor, name, tensor)
                    self.named[name] = tensor
            yield
        finally:
            for registry, name, tensor in kept:
                registry[name] = tensor
            for tensor, array, node in states:
                tensor._array, tensor._node = array, node

    def _take(self, tensor: Any, name: str, like: Any) -> None:
        """Gives a Tensor the numbers of another one, converted, and makes it a leaf."""
        if not _is_float(like):
            tensor._array = like._array.copy()
            return
        is_buffer = tensor is like and like._node is None
        self.leaves += like.numel()
        tensor._array = self.convert(to_numpy(like._array))
        tensor._node = None if is_buffer else graph.Leaf(tensor)
        self._label(tensor, name)
        self._label_gradient(tensor, name)

    def _leaf(self, tensor: Any, name: str) -> Any:
        """An input as a Tensor of its own, of which the gradient is wanted."""
        if not _is_float(tensor):
            return tensor
        leaf = graph.tensor_of(numpy.empty(()), None)
        leaf._node = tensor  # not None: an input is no buffer
        self._take(leaf, name, tensor)
        return leaf

    # ------------------------------------------------------------ results of modules and operations

    @contextlib.contextmanager
    def _labelled_results(self) -> Iterator[None]:
        """Forward hooks on all modules that label their results."""
        handles = []
        for path, module in self.modules.items():
            if path:
                def hook(module: Any, args: Any, output: Any, path: str = path) -> None:
                    self.calls.append((path, output))
                    self._label(output, path)
                handles.append(module.register_forward_hook(hook))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _see(self, node: Node, results: tuple[Any, ...], arguments: tuple[Any, ...]) -> None:
        """Looks at the results of an operation: what holds Values must have held them before."""
        arrays = [getattr(r, "_array", r) for r in results]
        name = node.op.name
        if self.convert is counting:
            node.hooks += () if node.op.outputs else (_count_on,)
        elif any(dtypes.is_floating(a.dtype) for a in arrays if isinstance(a, numpy.ndarray)):
            raise TypeError(_cannot(name, _reason(name), place_of(node)))
        tensors = [graph.tensor_of(a, node) for a in arrays]
        self.operations.append((name, tensors[0] if len(tensors) == 1 else tuple(tensors)))

    def _number_the_calls(self) -> None:
        """Names the results: the first of a name by the name alone too, the second with #2."""
        for kind in (self.calls, self.operations):
            counts: dict[str, int] = {}
            taken = set(self.named)
            for name, result in kind:
                counts[name] = counts.get(name, 0) + 1
                if name not in taken:
                    self.named.setdefault(name, result)
                self.named.setdefault(f"{name}#{counts[name]}", result)

    # ------------------------------------------------------------ labels

    def _label(self, result: Any, name: str) -> None:
        """Labels the Values in Tensors that have no label yet, and their gradients."""
        if isinstance(result, tuple | list):
            for i, item in enumerate(result):
                self._label(item, f"{name}[{i}]")
        elif isinstance(result, Tensor) and result._array.dtype == object:
            _label_array(result._array, name)
            if isinstance(result._node, Node):
                self._label_gradient(result, name)

    def _label_gradient(self, tensor: Any, name: str) -> None:
        if tensor._node is not None and self.convert is _values:
            tensor._node.hooks += (lambda g: _label_array(g._array, name + ".grad"),)


def _label_array(array: Any, name: str) -> None:
    for index, value in numpy.ndenumerate(array):
        if isinstance(value, Value) and not value.label:
            value.label = f"{name}{list(index)}" if index else name


def _count_on(gradient: Any) -> Any:
    """The gradient as an array that counts, also where NumPy gave a plain one."""
    return graph.tensor_of(gradient._array.view(Counting), None)


def _is_float(x: Any) -> bool:
    return isinstance(x, Tensor) and dtypes.is_differentiable(x._array.dtype)


def _is_one_number(x: Any) -> bool:
    return _is_float(x) and x.numel() == 1


def _named_arguments(model: Callable[..., Any], inputs: tuple[Any, ...],
                     options: dict[str, Any]) -> dict[str, Any]:
    """The arguments by the names of the model's parameters."""
    function = model.forward if isinstance(model, Module) else model
    try:
        known = [p for p in inspect.signature(function).parameters.values()
                 if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    except (TypeError, ValueError):  # a built-in function
        known = []
    names = [known[i].name if i < len(known) else f"inputs[{i}]" for i in range(len(inputs))]
    return dict(zip(names, inputs, strict=True)) | options


def _replaced(x: Any, name: str, by: Callable[[Any, str], Any]) -> Any:
    """The same nested tuples, lists and dicts with other Tensors."""
    if isinstance(x, Tensor):
        return by(x, name)
    if isinstance(x, dict):
        return {key: _replaced(v, f"{name}[{key!r}]", by) for key, v in x.items()}
    if type(x) in (tuple, list):
        return type(x)(_replaced(v, f"{name}[{i}]", by) for i, v in enumerate(x))
    return x


# ---------------------------------------------------------------- what Values cannot compute


def _refusal(error: Exception) -> str:
    """Why a program that runs on numbers fails on Values."""
    text = str(error)
    if text.startswith("open: "):
        return text
    known: dict[CodeType, Entry] = {}
    for entry in TABLE.values():
        functions: list[Any] = [entry.function]
        if entry.op is not None:
            functions += [entry.op.function, entry.op.forward]
        if entry.scalar:
            known |= {f.__code__: entry for f in functions if hasattr(f, "__code__")}
    tb, place = error.__traceback__, ""
    while tb is not None:
        operation = known.get(tb.tb_frame.f_code)
        if operation is not None:
            return _cannot(operation.name, operation.scalar, place)
        if OWN not in tb.tb_frame.f_globals:
            place = f"{tb.tb_frame.f_code.co_filename}:{tb.tb_lineno}"
        tb = tb.tb_next
    name = text.partition(": ")[0]
    if name in TABLE and TABLE[name].scalar:
        return _cannot(name, TABLE[name].scalar, place)
    return f"open: {place} cannot run on Values: {type(error).__name__}: {text}"


def _difference(numbers: _Run, values: _Run, at: str, value: float, expected: float) -> str:
    """What to say where the Values do not give what the numbers give."""
    for (name, mine), (_, right) in zip(values.operations, numbers.operations, strict=False):
        pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (mine, right)), strict=True)
        for a, b in pairs:
            if a._array.dtype == object and not numpy.allclose(
                    _data(a._array), b._array, equal_nan=True):
                return _cannot(name, _reason(name), place_of(a._node))
    return (f"open: {at!r} is {value:.8g} on Values and {expected:.8g} on numbers: an operation of "
            "the program does not compute on Values what it does on numbers")


def _data(array: Any) -> Any:
    return numpy.array([getattr(v, "data", v) for v in array.ravel()], float).reshape(array.shape)


def _reason(name: str) -> str:
    """Why the operation is no operation on Values."""
    return next((e.scalar for e in TABLE.values() if e.name == name and e.scalar),
                "its result holds numbers where its inputs hold Values")


def _cannot(name: str, reason: str, place: str) -> str:
    return f"open: {name}, called at {place}, cannot run on Values: {reason}"
