"""What hooks on Modules need: handles to remove them, and gates that show them gradients."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..arrays.devices import as_array
from ..autograd import graph
from ..autograd.engine import Sums
from ..autograd.graph import CustomNode, pick, tensor_of
from ..autograd.modes import mode
from ..tensors.creation import zeros
from ..tensors.tensor import Tensor


class Hook(NamedTuple):
    """A function that a Module calls, and how."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class RemovableHandle:
    """What registering a hook on a Module returns; `remove()` takes it off again."""

    count = 0

    def __init__(self, hooks: Hooks, hook: Hook, prepend: bool):
        RemovableHandle.count += 1
        self.id = RemovableHandle.count
        self.hooks = weakref.ref(hooks)
        later = dict(hooks) if prepend else {}
        for key in later:
            del hooks[key]
        hooks[self.id] = hook
        hooks.update(later)

    def remove(self) -> None:
        hooks = self.hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks(dict[int, Hook]):
    """Hooks by the id of their handle, in the order in which they run."""


class Gate(CustomNode):
    """A node that hands several Tensors through, and their gradients to one function.

    Its rule is that function: gradients in, one for each Tensor, and out.
    """

    rule: Callable[[tuple[Any, ...]], Sequence[Any]]

    def backward(self, xp: Any, g: Any, sums: Sums, parents: Any) -> None:
        recorded = xp is graph.tensors
        shown = tuple(d if recorded or d is None else tensor_of(as_array(d), None) for d in g)
        for parent, d in zip(parents or self.parents, self.rule(shown), strict=True):
            if parent is not None and d is not None:
                sums.add(parent, d if recorded else d._array)


def through_gate(values: tuple[Any, ...], rule: Callable[[tuple[Any, ...]], Sequence[Any]],
                 materialize: bool) -> tuple[Any, ...]:
    """The same values, those that require grad behind a Gate.

    `rule` sees None for what has no gradient; `materialize` asks for zeros, if it is a Tensor.
    """
    places = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not places or not mode.enabled:
        return values

    blanks = [functools.partial(zeros, v.shape, dtype=v.dtype, device=v.device)
              if materialize and isinstance(v, Tensor) else lambda: None for v in values]

    def among_all(gradients: tuple[Any, ...]) -> list[Any]:
        known = dict(zip(places, gradients, strict=True))
        spread = [blank() if known.get(i) is None else known[i] for i, blank in enumerate(blanks)]
        replaced = rule(tuple(spread))
        return [replaced[i] for i in places]

    node = Gate("a backward hook", [values[i]._node for i in places], outputs=places)
    node.rule = among_all
    passed = list(values)
    for position, i in enumerate(places):
        array = values[i]._array
        passed[i] = tensor_of(array, pick(node, position, array))
    return tuple(passed)


class BackwardHooks:
    """One call of a Module that has backward hooks: a gate before it and a gate behind it.

    The gradients of the outputs are known first; the hooks run when those of the inputs are.
    """

    def __init__(self, module: Any):
        self.module = module
        self.hooks = [hook.function for hook in module._backward_hooks.values()]
        self.pre_hooks = [hook.function for hook in module._backward_pre_hooks.values()]
        self.grad_output: tuple[Any, ...] | None = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = args
        self.gated = through_gate(args, self._on_input, materialize=True)
        self.versions = [a._version for a in args if isinstance(a, Tensor)]
        return self.gated

    def leave(self, output: Any) -> Any:
        """The output, behind the gate.

        Raises:
            RuntimeError: the module has written into an input in place, past the gate.
        """
        if [a._version for a in self.inputs if isinstance(a, Tensor)] != self.versions:
            raise RuntimeError(f"{type(self.module).__name__}: a module with backward hooks must "
                               "not change its input in place; use inplace=False")
        outputs = output if isinstance(output, tuple) else (output,)
        passed = through_gate(outputs, self._on_output, materialize=False)
        return passed if isinstance(output, tuple) else passed[0]

    def _on_output(self, gradients: tuple[Any, ...]) -> Sequence[Any]:
        for hook in self.pre_hooks:
            gradients = _replaced(gradients, hook(self.module, gradients), "grad_output")
        self.grad_output = gradients
        if self.gated is self.inputs:  # no input requires grad
            self._on_input((None,) * len(self.inputs))
        return gradients

    def _on_input(self, gradients: tuple[Any, ...]) -> Sequence[Any]:
        if self.grad_output is None:  # on the way back through a recorded backward
            return gradients
        for hook in self.hooks:
            gradients = _replaced(gradients, hook(self.module, gradients, self.grad_output),
                                  "grad_input")
        self.grad_output = None
        return gradients


def _replaced(gradients: tuple[Any, ...], result: Any, name: str) -> tuple[Any, ...]:
    """The gradients after a hook returned `result`.

    Raises:
        RuntimeError: it returned another number of them.
    """
    if result is None:
        return gradients
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(gradients):
        raise RuntimeError(f"backward hook: it returned {len(result)} gradients, {name} has "
                           f"{len(gradients)}")
    return result
