"""Hooks on Modules: handles that remove them, and the graph nodes that call backward hooks."""

from __future__ import annotations

import functools
import weakref
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..arrays.devices import as_array
from ..autograd import graph
from ..autograd.engine import Sums
from ..autograd.graph import CustomNode, pick, tensor_of
from ..autograd.modes import mode
from ..tensors.creation import zeros
from ..tensors.tensor import Tensor


class Options(NamedTuple):
    """How a Module calls a hook."""

    with_kwargs: bool = False
    always_call: bool = False


PLAIN = Options()


class RemovableHandle:
    """The result of registering a hook; `remove()` removes the hook.

    A class with hooks of its own makes a handle of its dict of hooks, an OrderedDict, and enters
    the hook under `handle.id`. `extra_dict` is a dict, or a list of dicts, of which `remove()`
    deletes the same key.
    """

    next_id = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None):
        self.id = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        extra = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.dicts = [weakref.ref(each) for each in (hooks_dict, *extra) if each is not None]

    def remove(self) -> None:
        for reference in self.dicts:
            hooks = reference()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[int, list[Any]]:  # copies have the copied dicts
        return self.id, [hooks for each in self.dicts if (hooks := each()) is not None]

    def __setstate__(self, state: tuple[int, list[Any]]) -> None:
        self.id, self.dicts = state[0], [weakref.ref(hooks) for hooks in state[1]]
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Hooks(OrderedDict[int, Callable[..., Any]]):
    """Functions by the id of their handle, in the order of their calls. Programs that look into
    `_forward_hooks` and its relatives find the functions there, as in PyTorch.
    """

    options: OrderedDict[int, Options] | None = None  # of the hooks that have some

    def add(self, hook: Callable[..., Any], prepend: bool = False,
            options: Options = PLAIN) -> RemovableHandle:
        if options != PLAIN and self.options is None:
            self.options = OrderedDict()
        handle = RemovableHandle(self, extra_dict=self.options)
        self[handle.id] = hook
        if self.options is not None:
            self.options[handle.id] = options
        if prepend:
            self.move_to_end(handle.id, last=False)
        return handle

    def with_options(self) -> list[tuple[Callable[..., Any], Options]]:
        if self.options is None:
            return [(hook, PLAIN) for hook in self.values()]
        return [(hook, self.options.get(key, PLAIN)) for key, hook in self.items()]

    def __repr__(self) -> str:
        return repr(OrderedDict(self))


def hooks_of(module: Any, name: str) -> Hooks:
    """The hooks of a Module. A dict that the program put in their place becomes `Hooks`."""
    hooks = vars(module)[name]
    if hooks.__class__ is not Hooks:
        hooks = vars(module)[name] = Hooks(hooks)
    return hooks  # type: ignore[no-any-return]


class Gate(CustomNode):
    """A node that passes several Tensors on unchanged and their gradients through `rule`.

    The rule takes and returns one gradient for each Tensor.
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
    """The same values, with those that require grad as outputs of one Gate.

    `rule` gets None for values without a gradient, or with `materialize` zeros for Tensors.
    """
    gated = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not gated or not mode.enabled:
        return values

    defaults = [functools.partial(zeros, v.shape, dtype=v.dtype, device=v.device)
              if materialize and isinstance(v, Tensor) else lambda: None for v in values]

    def gate_rule(gradients: tuple[Any, ...]) -> list[Any]:
        """Calls `rule` with a gradient for every value, not only for those that are gated."""
        known = dict(zip(gated, gradients, strict=True))
        replaced = rule(tuple(default() if known.get(i) is None else known[i]
                              for i, default in enumerate(defaults)))
        return [replaced[i] for i in gated]

    node = Gate("a backward hook", [values[i]._node for i in gated], outputs=gated)
    node.rule = gate_rule
    passed = list(values)
    for position, i in enumerate(gated):
        array = values[i]._array
        passed[i] = tensor_of(array, pick(node, position, array))
    return tuple(passed)


class BackwardHooks:
    """One call of a Module that has backward hooks: a gate on its inputs and one on its outputs.

    Backward reaches the output gate first, which runs the pre-hooks. The hooks run at the input
    gate, where the gradients of inputs and outputs are known.
    """

    def __init__(self, module: Any):
        self.module = module
        self.hooks = list(module._backward_hooks.values())
        self.pre_hooks = list(module._backward_pre_hooks.values())
        self.grad_output: tuple[Any, ...] | None = None

    def enter(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = args
        self.gated = through_gate(args, self._on_input, materialize=True)
        self.versions = [a._version for a in args if isinstance(a, Tensor)]
        return self.gated

    def leave(self, output: Any) -> Any:
        """The output, passed through the gate.

        Raises:
            RuntimeError: the module wrote into an input in place, which the gate does not see.
        """
        if [a._version for a in self.inputs if isinstance(a, Tensor)] != self.versions:
            raise RuntimeError(f"{type(self.module).__name__}: a module with backward hooks must "
                               "not write into its input in place; use inplace=False, or write "
                               "into input.clone()")
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
        if self.grad_output is None:  # a backward pass through a recorded backward pass
            return gradients
        for hook in self.hooks:
            gradients = _replaced(gradients, hook(self.module, gradients, self.grad_output),
                                  "grad_input")
        self.grad_output = None
        return gradients


def _replaced(gradients: tuple[Any, ...], result: Any, name: str) -> tuple[Any, ...]:
    """The gradients, replaced by the result of a hook unless that is None.

    Raises:
        RuntimeError: the hook returned a different number of gradients.
    """
    if result is None:
        return gradients
    result = result if isinstance(result, tuple) else (result,)
    if len(result) != len(gradients):
        raise RuntimeError(f"backward hook: the hook returned {len(result)} gradients, but {name} "
                           f"has {len(gradients)}; return None or one gradient for each")
    return result
