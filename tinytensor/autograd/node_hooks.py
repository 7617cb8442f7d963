"""Hooks on nodes: `y.grad_fn.register_hook(hook)` and `register_prehook(hook)`.

A prehook is one of the node's `hooks`, which see the gradient of its output. A hook that is to see
the gradients of the inputs too changes the class of the node: its backward adds to sums of its own,
calls the hook, and hands on what that returns.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..arrays.devices import as_array
from . import graph
from .engine import Sums, recompute
from .graph import Leaf, Node, Pick, tensor_of


class _After:
    """A hook to call after the node's backward. As a hook of the output it changes nothing."""

    def __init__(self, hook: Callable[..., Any]):
        self.hook = hook

    def __call__(self, g: Any) -> None:
        pass


class Handle:
    """What registering a hook on a node returns; `remove()` takes it off again."""

    def __init__(self, node: Any, hook: Any):
        self.node, self.hook = node, hook

    def remove(self) -> None:
        self.node.hooks = tuple(h for h in self.node.hooks if h is not self.hook)

    def __enter__(self) -> Handle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def register_prehook(node: Any, hook: Callable[..., Any]) -> Handle:
    """Calls hook(grad_outputs) before the node's backward: a tuple of the gradient of its output.

    A tuple that it returns replaces it.
    """
    def of_output(g: Any) -> Any:
        replaced = hook((g,))
        return None if replaced is None else _checked(node, "gradient", [g], replaced)[0]

    last = tuple(h for h in node.hooks if getattr(h, "last", False))
    node.hooks = (*(h for h in node.hooks if h not in last), of_output, *last)
    return Handle(node, of_output)


def register_hook(node: Any, hook: Callable[..., Any]) -> Handle:
    """Calls hook(grad_inputs, grad_outputs) after the node's backward: tuples, with None where
    there is no gradient. A tuple that it returns replaces grad_inputs.
    """
    if isinstance(node, Pick):  # one of several outputs: the hook is that of the operation
        return register_hook(node.parents[0], hook)
    after = _After(hook)
    node.hooks += (after,)
    if not node.hooked:
        node.__class__ = _hooked_type(node.__class__)
    return Handle(node, after)


@functools.cache
def _hooked_type(kind: Any) -> Any:
    """The class of nodes of a kind that have hooks for the gradients of the inputs."""
    def backward(node: Any, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        inner = Sums({}, sums.recorded, sums.retained)
        if sums.recorded and node.op.residuals:
            recompute(node, xp, g, inner, parents)
        else:
            kind.backward(node, xp, g, inner, parents)
        receivers = parents or node.parents
        gradients = [_shown(inner.grads.pop(p, None)) for p in receivers]
        outputs = tuple(map(_shown, g)) if isinstance(g, list) else (_shown(g),)
        for after in node.hooks:
            if isinstance(after, _After):
                replaced = after.hook(tuple(gradients), outputs)
                if replaced is not None:
                    gradients = _checked(node, "input", gradients, replaced)
        for parent, d in zip(receivers, gradients, strict=True):
            if parent is not None and d is not None:
                sums.add(parent, d if sums.recorded else d._array)

    return type(kind.__name__, (kind,), {"__slots__": (), "hooked": True, "backward": backward})


def _shown(d: Any) -> Any:
    """A gradient as a Tensor."""
    return d if d is None or isinstance(d, graph.Tensor) else tensor_of(as_array(d), None)


def _checked(node: Any, what: str, gradients: list[Any], replaced: Any) -> list[Any]:
    """What a hook returned in place of the gradients.

    Raises:
        TypeError: no tuple of Tensors and None.
        RuntimeError: not as many as there are.
    """
    if isinstance(replaced, graph.Tensor):
        replaced = (replaced,)
    if not isinstance(replaced, tuple | list) or not all(
            d is None or isinstance(d, graph.Tensor) for d in replaced):
        raise TypeError(f"hook of {node.name()}: must return None or a tuple of Tensors, got "
                        f"{type(replaced).__name__}")
    if len(replaced) != len(gradients):
        raise RuntimeError(f"hook of {node.name()}: returned {len(replaced)} gradients for "
                           f"{len(gradients)} {what}s; return None or one for each")
    return list(replaced)


# ---------------------------------------------------------------- leaves


class _Arrived:
    """A hook that keeps the gradient, as other hooks have made it, until `take`."""

    last = True

    def __init__(self) -> None:
        self.gradient: Any = None

    def __call__(self, g: Any) -> None:
        self.gradient = g

    def take(self) -> Any:
        gradient, self.gradient = self.gradient, None
        return gradient


class _LeafHandle(Handle):
    """What registering a hook on a leaf returns."""

    def __init__(self, leaf: Any, hook: Any, after: Any):
        super().__init__(leaf, hook)
        self.after = after

    def remove(self) -> None:
        super().remove()
        self.after.remove()


def register_leaf_hook(leaf: Any, hook: Callable[..., Any]) -> Handle:
    """Calls hook((), grad_outputs) after a backward has added the gradient to the leaf's `grad`.

    It is the hook of PyTorch's AccumulateGrad, which programs reach by
    `p.expand_as(p).grad_fn.next_functions[0][0]`. `p.register_post_accumulate_grad_hook` is
    simpler.
    """
    arrived = _Arrived()

    def after(tensor: Any) -> None:
        gradient = arrived.take()
        if gradient is not None:
            hook((), (gradient,))

    leaf.hooks += (arrived,)
    return _LeafHandle(leaf, arrived, leaf.tensor().register_post_accumulate_grad_hook(after))


Node.register_hook, Node.register_prehook = (  # type: ignore[attr-defined]
    register_hook, register_prehook)
Leaf.register_hook, Leaf.register_prehook = (  # type: ignore[attr-defined]
    register_leaf_hook, register_prehook)
