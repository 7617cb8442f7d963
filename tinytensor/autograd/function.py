"""Function: an operation with a forward and a backward of the user's own.

    class Cube(Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 3

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 3 * x ** 2

    y = Cube.apply(x)

The forward is not recorded; one node represents all of it. The backward computes on Tensors. While
it is recorded (`create_graph=True`) its operations make nodes of their own, so a backward that is
written in operations of this package can be differentiated again.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

from ..arrays.devices import as_array, on
from . import graph
from .engine import Sums
from .graph import CustomNode, Node, Pick, tensor_of
from .modes import OBSERVED, is_grad_enabled, mode, no_grad, observe
from .versions import note_write, owner


class Context:
    """What forward passes to backward. Plain values go into attributes of any name.

    needs_input_grad    for each argument of apply, whether its gradient is needed
    """

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _given: tuple[Any, ...] = ()  # to save_for_backward
    _dirty: tuple[Any, ...] = ()
    _fixed: tuple[Any, ...] = ()  # marked as not differentiable
    _node: Node | None = None  # while backward runs, and only then: a cycle otherwise

    def save_for_backward(self, *tensors: Any) -> None:
        """Saves Tensors (or None) for backward, which raises if they were overwritten."""
        for x in tensors:
            if x is not None and not isinstance(x, graph.Tensor):
                raise TypeError(f"save_for_backward: only Tensors and None, got "
                                f"{type(x).__name__}; keep others as attributes of ctx")
        self._given = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The Tensors given to save_for_backward.

        Raises:
            RuntimeError: outside of backward, where a saved Tensor would keep its own graph alive.
        """
        if self._node is None:
            raise RuntimeError("saved_tensors: there are none outside of backward()")
        return tuple(self._node.saved_values())

    def mark_dirty(self, *tensors: Any) -> None:
        """Marks inputs that forward changed in place; it must return them."""
        self._dirty = tensors
        for x in tensors:
            note_write(x._array, "mark_dirty")

    def mark_non_differentiable(self, *tensors: Any) -> None:
        """Marks results that have no gradient."""
        self._fixed = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (the default) or None for a result that is not used."""
        self.materialize_grads = value


class FunctionNode(CustomNode):
    """The node of one `apply`.

    inputs     shape and dtype of each Tensor among the arguments, None for the others
    results    shape, dtype and device of each Tensor among the results, None for the others
    tied       for each saved array its node, or the number of the result that it is
    """

    function: type[Function]
    context: Context
    inputs: tuple[Any, ...]
    results: tuple[Any, ...]
    tied: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        """The attributes that forward set on the context."""
        if name != "context" and hasattr(self.context, name):
            return getattr(self.context, name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The Tensors given to save_for_backward.

        Raises:
            RuntimeError: it was released by a backward.
        """
        if self.saved is None:
            self.take(Sums({}, False, True))  # raises
        return tuple(self.saved_values())

    def saved_values(self) -> list[Any]:
        assert self.saved is not None
        return [tensor_of(array, self._place(tie))
                for array, tie in zip(self.saved, self.tied, strict=True)]

    def _place(self, tie: Any) -> Any:
        if not isinstance(tie, int):
            return tie
        shape, dtype, _ = self.results[tie]
        return self if not self.op.outputs else Pick(self, tie, SimpleNamespace(
            shape=shape, dtype=dtype.numpy))

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        if self.saved is None:
            self.take(sums)  # raises
        parents = parents or self.parents
        given = [self._as_gradient(d, i) for i, d in enumerate(g if self.op.outputs else [g])]
        recorded = xp is graph.tensors
        for i, (parent, d) in enumerate(zip(parents, self._call(parents, given), strict=True)):
            if d is not None and parent is not None:
                d = self._checked(i, d)
                sums.add(parent, d if recorded else d._array)
        self.take(sums)  # releases what the user's backward has read from the context

    def _as_gradient(self, g: Any, i: int) -> Any:
        """The gradient of result `i` for backward: a Tensor, or None."""
        if isinstance(g, graph.Tensor):
            return g
        if g is not None:
            return tensor_of(as_array(g), None)
        if not self.context.materialize_grads or self.results[i] is None:
            return None
        shape, dtype, where = self.results[i]
        return tensor_of(on(where, lambda xp: xp.zeros(shape, dtype=dtype.numpy)), None)

    def _call(self, parents: Any, gradients: list[Any]) -> tuple[Any, ...]:
        """The gradients that the user's backward returns, one for each argument of apply."""
        context, name = self.context, self.function.__name__
        context._node, context.needs_input_grad = self, tuple(p is not None for p in parents)
        try:
            returned = self.function.backward(context, *gradients)
        finally:
            context._node = None
        returned = tuple(returned) if isinstance(returned, tuple | list) else (returned,)
        while len(returned) > len(parents) and returned[-1] is None:
            returned = returned[:-1]
        if len(returned) != len(parents):
            raise RuntimeError(f"{name}: backward returned {len(returned)} gradients for the "
                               f"{len(parents)} arguments of forward; return one for each, None "
                               "where there is no gradient")
        return returned

    def _checked(self, i: int, d: Any) -> Any:
        """A gradient that fits argument `i`, up to broadcasting, which the engine undoes."""
        name = self.function.__name__
        if not isinstance(d, graph.Tensor):
            raise TypeError(f"{name}: backward returned {type(d).__name__} as gradient {i}; "
                            "it must be a Tensor or None")
        shape, dtype = self.inputs[i]
        got = tuple(d.shape)
        fits = len(got) >= len(shape) and all(
            n in (1, m) for n, m in zip(shape[::-1], got[::-1], strict=False))
        if not fits:
            raise RuntimeError(f"{name}: backward returned a gradient of shape {got} for argument "
                               f"{i} of shape {shape}; a gradient has the shape of its input")
        return d.to(dtype)


class Function:
    """The base class of operations whose backward the user writes; `apply` calls them.

    forward(ctx, *args) gives a Tensor or a tuple, and backward(ctx, *grads), which gets a gradient
    for each result, returns one for each argument of forward, None where there is none. Instead
    of taking ctx, forward(*args) may leave saving to setup_context(ctx, inputs, output).
    """

    node_type: type[FunctionNode] = FunctionNode

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        cls.node_type = type(f"{cls.__name__}Backward", (FunctionNode,), {"function": cls})

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("a Function needs a static method forward(ctx, *args)")

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        raise NotImplementedError("setup_context(ctx, inputs, output) is not defined")

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        raise NotImplementedError("a Function needs a static method backward(ctx, *grads)")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Calls forward on `args` and records the call.

        Raises:
            RuntimeError: a Tensor marked dirty that is a leaf or a view, or was not returned.
        """
        context = Context()
        nodes = tuple(x._node if isinstance(x, graph.Tensor) else None for x in args)
        context.needs_input_grad = tuple(n is not None for n in nodes)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                output = cls.forward(context, *args)
            else:
                output = cls.forward(*args)
                cls.setup_context(context, args, output)
        several = isinstance(output, tuple | list)
        results = list(output) if several else [output]
        _check_dirty(cls, context, results, recording=any(nodes) and bool(mode.enabled))
        results = [_result(x, args, context) for x in results]
        if any(nodes) and mode.enabled:
            _record(cls, context, args, nodes, results, output, several)
        return tuple(results) if several else results[0]


def _is_among(x: Any, those: Any) -> bool:
    return any(x is y for y in those)


def _check_dirty(cls: type[Function], context: Context, results: list[Any],
                 recording: bool) -> None:
    for x in context._dirty:
        if not _is_among(x, results):
            raise RuntimeError(f"{cls.__name__}: a Tensor of shape {tuple(x.shape)} was marked "
                               "dirty but not returned; forward must return what it changed")
        if recording:
            x._check_write(cls.__name__)
            if x._base is not None:
                raise RuntimeError(f"{cls.__name__}: a view was marked dirty, whose base would not "
                                   "learn of it; clone() it before, or change it by operations")


def _result(x: Any, args: tuple[Any, ...], context: Context) -> Any:
    """A result as a new Tensor, except for an input marked dirty, which is returned itself.

    A result that shares the memory of an input is copied, since the graph would not notice a write.
    """
    if not isinstance(x, graph.Tensor) or _is_among(x, context._dirty):
        return x
    memory = owner(x._array)
    shared = any(isinstance(y, graph.Tensor) and owner(y._array) is memory for y in args)
    return tensor_of(x._array.copy() if shared else x._array, None)


def _record(cls: type[Function], context: Context, args: tuple[Any, ...], nodes: tuple[Any, ...],
            results: list[Any], output: Any, several: bool) -> None:
    """Makes the node of one call, and gives it to the results."""
    originals = list(output) if several else [output]
    fixed = [_is_among(x, context._fixed) or not isinstance(x, graph.Tensor)
             or not x.dtype.is_floating_point for x in originals]
    saved, names, ties = [], [], []
    for i, x in enumerate(context._given):
        name, tie, x = _tie(cls, i, x, args, nodes, originals, results, fixed)
        names.append(name)
        ties.append(tie)
        saved.append(None if x is None else x._array)
    node = cls.node_type(
        cls.__name__, nodes, saved=tuple(saved), save_list=tuple(names),
        outputs=tuple(f"result {i}" for i in range(len(results))) if several else (),
        shape=() if several else results[0]._array.shape)
    node.context, node.tied, node.keeps = context, tuple(ties), bool(names)
    node.inputs = tuple((tuple(x.shape), x.dtype) if isinstance(x, graph.Tensor) else None
                        for x in args)
    node.results = tuple((tuple(x.shape), x.dtype, x.device) if isinstance(x, graph.Tensor)
                         else None for x in results)
    context._given = context._dirty = context._fixed = ()
    for i, tensor in enumerate(results):
        if not fixed[i]:
            tensor._node = Pick(node, i, tensor._array) if several else node
    if mode.enabled is OBSERVED:
        observe(node, tuple(results), tuple(args))


def _tie(cls: type[Function], i: int, x: Any, args: tuple[Any, ...], nodes: tuple[Any, ...],
         originals: list[Any], results: list[Any], fixed: list[bool]) -> tuple[str, Any, Any]:
    """For a saved Tensor: its name in errors, its place in the graph, and itself.

    Its place is the node of an argument, the number of a result, or None for a constant.
    """
    if x is not None:
        for number, original in enumerate(originals):
            if x is original:
                return "out", None if fixed[number] else number, results[number]
        for number, argument in enumerate(args):
            if x is argument:
                skipped = cls.setup_context is Function.setup_context
                names = list(inspect.signature(cls.forward).parameters)[skipped:]
                name = names[number] if number < len(names) else f"argument {number}"
                return name, nodes[number], x
    return f"saved_tensors[{i}]", None, x


# ---------------------------------------------------------------- once_differentiable


class _Refusal(CustomNode):
    """The node of a gradient that must not be differentiated again."""

    def backward(self, *args: Any) -> NoReturn:
        raise RuntimeError(f"{self.op.name}: its backward is marked @once_differentiable and "
                           "cannot be differentiated again; write it in operations on Tensors "
                           "and take the mark off")


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a Function's backward that computes outside of the graph (in NumPy, say).

    Differentiating its gradients again raises an error, instead of giving zero.
    """
    @functools.wraps(backward)
    def once(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            returned = backward(ctx, *gradients)
        if not is_grad_enabled():
            return returned
        nodes = (*ctx._node.parents, *(g._node for g in gradients if g is not None))
        parents = tuple(n for n in nodes if n is not None)
        refused = [_refused(d, ctx, parents)
                   for d in (returned if isinstance(returned, tuple | list) else (returned,))]
        return tuple(refused) if isinstance(returned, tuple | list) else refused[0]

    return once


def _refused(d: Any, ctx: Context, parents: tuple[Any, ...]) -> Any:
    if d is None or not parents:
        return d
    name = ctx._node.function.__name__  # type: ignore[union-attr]
    return tensor_of(d._array, _Refusal(name, parents, shape=tuple(d._array.shape)))
