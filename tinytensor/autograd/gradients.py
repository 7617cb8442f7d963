"""backward and grad: where a walk begins, and what becomes of the gradients it finds."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from numpy import ndarray

from ..arrays.devices import as_array, ones_like
from . import engine
from .engine import new, tensor_of, walk
from .versions import note_write

if TYPE_CHECKING:
    from ..tensors.tensor import Tensor


def _alone() -> int:
    g = object()
    return sys.getrefcount(g)


ALONE = _alone()  # what `getrefcount` tells of an object that only one local variable holds


def _seed(name: str, outputs: Sequence[Any], gradients: Sequence[Any] | None,
          create_graph: bool) -> dict[Any, Any]:
    """The gradients to start from: as given, or 1 for an output of one element."""
    gradients = [None] * len(outputs) if gradients is None else list(gradients)
    if len(gradients) != len(outputs):
        raise RuntimeError(f"{name}: {len(outputs)} outputs, but {len(gradients)} gradients")
    roots: dict[Any, Any] = {}
    for output, gradient in zip(outputs, gradients, strict=True):
        if not isinstance(output, engine.Tensor):
            raise TypeError(f"{name}: expected Tensors, got {type(output).__name__}")
        shape = tuple(output._array.shape)
        if output._node is None:
            raise RuntimeError(
                f"{name}: the output of shape {shape} does not require grad and has no grad_fn; "
                "were its inputs made with requires_grad=True, outside of no_grad()?")
        if gradient is None:
            if output._array.size != 1:
                raise RuntimeError(
                    f"{name}: the output has shape {shape}; grad can be created implicitly only "
                    "for one element: reduce it with .sum() or .mean() first, or give a "
                    "gradient of that shape")
            gradient = new(engine.Tensor)
            gradient._array, gradient._node = ones_like(output._array), None
        elif not isinstance(gradient, engine.Tensor):
            raise TypeError(f"{name}: the gradient must be a Tensor, got "
                            f"{type(gradient).__name__}")
        elif gradient._array.shape != shape:
            raise RuntimeError(f"{name}: the gradient has shape {tuple(gradient._array.shape)}, "
                               f"the output {shape}")
        if gradient._array.dtype != output._array.dtype:
            gradient = gradient.to(output.dtype)
        g = gradient if create_graph else gradient._array
        roots[output._node] = roots[output._node] + g if output._node in roots else g
    return roots


def _as_sequence(tensors: Any) -> Sequence[Any]:
    if isinstance(tensors, engine.Tensor) or not isinstance(tensors, Iterable):
        return (tensors,)
    return tuple(tensors)


def backward(tensors: Tensor | Sequence[Tensor],
             grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
             retain_graph: bool | None = None, create_graph: bool = False,
             inputs: Tensor | Iterable[Tensor] | None = None) -> None:
    """Adds d(sum of tensors * grad_tensors)/d(leaf) to the `grad` of every leaf.

    With `inputs` only to theirs, which need not be leaves. The values that the graph saved are
    released unless `retain_graph` (by default `create_graph`) says otherwise.

    Raises:
        RuntimeError: an output of several elements without a gradient, or one that was not
            recorded; a graph that was released; a saved value that was overwritten. No `grad`
            has changed then; what the walk had passed before it met the value is released.
    """
    outputs = _as_sequence(tensors)
    roots = _seed("backward", outputs,
                  None if grad_tensors is None else _as_sequence(grad_tensors), create_graph)
    receivers: dict[Any, Any] = {}
    if inputs is not None:
        receivers = {_node_of(t, "backward"): t for t in _as_sequence(inputs)}
        if not receivers:
            raise RuntimeError("backward: `inputs` is empty; leave it out to reach every leaf")
    retain = create_graph if retain_graph is None else retain_graph
    results = walk(roots, receivers or None, retain, create_graph)
    roots.clear()
    for node, g in _taken(results, create_graph):
        tensor = receivers[node] if receivers else node.tensor()
        if tensor is None:
            continue
        if tensor._grad is None and g.__class__ is ndarray:  # nearly always
            tensor._grad = gradient = new(engine.Tensor)
            gradient._array, gradient._node = g, None
        else:
            _add_to_grad(tensor, g)


def _taken(results: dict[Any, Any], create_graph: bool) -> Iterator[tuple[Any, Any]]:
    """Empties `results`; the gradients as arrays that nobody else can write, or as Tensors."""
    while results:
        node, g = results.popitem()
        if not create_graph:
            if g.base is not None or sys.getrefcount(g) > ALONE:
                g = g.copy()
            if g.__class__ is not ndarray:
                g = as_array(g)
        yield node, g


def _add_to_grad(tensor: Any, g: Any) -> None:
    if isinstance(g, engine.Tensor):
        if tensor._grad is None:  # no view, whatever the rule has made it of
            tensor._grad = tensor_of(g._array, g._node)
        else:
            tensor._grad = tensor._grad + g
    elif tensor._grad is None:
        tensor._grad = tensor_of(g, None)
    elif tensor._grad._node is not None:  # an earlier backward with create_graph
        tensor._grad = tensor._grad + tensor_of(g, None)
    else:
        tensor._grad._array += g
        note_write(tensor._grad._array, "backward")


def grad(outputs: Tensor | Sequence[Tensor], inputs: Tensor | Iterable[Tensor],
         grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
         retain_graph: bool | None = None, create_graph: bool = False, only_inputs: bool = True,
         allow_unused: bool | None = None, is_grads_batched: bool = False,
         materialize_grads: bool = False) -> tuple[Tensor, ...]:
    """d(sum of outputs * grad_outputs)/d(input) for each input; no `grad` changes.

    `only_inputs` is there for old programs and has to be True.

    Raises:
        RuntimeError: as `backward`; also if an input was not used and neither `allow_unused`
            (gives None for it) nor `materialize_grads` (gives zeros) is set.
    """
    if not only_inputs or is_grads_batched:
        raise ValueError("grad: only_inputs=False and is_grads_batched=True are not supported; "
                         "backward() reaches all leaves, and a loop several gradients")
    outputs, inputs = _as_sequence(outputs), _as_sequence(inputs)
    roots = _seed("grad", outputs,
                  None if grad_outputs is None else _as_sequence(grad_outputs), create_graph)
    nodes = [_node_of(t, "grad") for t in inputs]
    retain = create_graph if retain_graph is None else retain_graph
    results = walk(roots, nodes, retain, create_graph)
    roots.clear()
    found = {node: g if create_graph else tensor_of(g, None)
             for node, g in _taken(results, create_graph)}
    for i, (node, tensor) in enumerate(zip(nodes, inputs, strict=True)):
        if node in found:
            continue
        if materialize_grads:
            found[node] = tensor.new_zeros(tensor.shape)
        elif allow_unused:
            found[node] = None
        else:
            raise RuntimeError(
                f"grad: input {i} of shape {tuple(tensor.shape)} was not used to compute the "
                "outputs; allow_unused=True gives None for it, materialize_grads=True zeros")
    return tuple(found[node] for node in nodes)


def _node_of(tensor: Any, name: str) -> Any:
    if not isinstance(tensor, engine.Tensor):
        raise TypeError(f"{name}: an input must be a Tensor, got {type(tensor).__name__}")
    if tensor._node is None:
        raise RuntimeError(f"{name}: an input of shape {tuple(tensor.shape)} does not require "
                           "grad; call requires_grad_() on it before the forward")
    return tensor._node
