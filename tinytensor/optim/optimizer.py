"""Optimizer, the base class: parameter groups with options, and a state for each parameter."""

from __future__ import annotations

import copy
import functools
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, overload

from ..arrays.devices import (
    array_module,
    by_device,
    device_of,
    is_array,
    is_capturing,
    is_on_cpu,
    on,
)
from ..arrays.dispatch import Dispatch
from ..arrays.numbers import python_number
from ..autograd import versions
from ..autograd.frames import warn
from ..autograd.graph import tensor_of
from ..autograd.halves import half_of, widened
from ..autograd.modes import enable_grad
from ..nn.containers import ParameterList
from ..nn.hooks import Hooks, RemovableHandle
from ..nn.module import clear_grad
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor

Step = TypeVar("Step", bound=Callable[..., Any])
Loss = TypeVar("Loss")


def _hooked(step: Step) -> Step:
    """`step` with a count of its calls and with its hooks."""
    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._count_step()
        if not self.hooks:
            return step(self, *args, **kwargs)
        for hook in self._hooks("step_pre"):
            changed = hook(self, (self, *args), kwargs)
            if changed is not None:
                if not isinstance(changed, tuple) or len(changed) != 2:
                    raise RuntimeError("step pre hook: it must return None or (args, kwargs), got "
                                       f"{changed!r}")
                (_, *args), kwargs = changed
        result = step(self, *args, **kwargs)
        for hook in self._hooks("step_post"):
            hook(self, (self, *args), kwargs)
        return result
    return hooked  # type: ignore[return-value]


def _is_zero(rate: Any) -> bool:
    """Whether a learning rate is 0. That of a Tensor on a GPU is not read: it would be to wait."""
    if isinstance(rate, Tensor) and not is_on_cpu(rate._array):
        return False
    return rate is not None and float(rate) == 0


required = object()  # the default of an option that every group must give
BLOCK = 1 << 15  # elements updated at a time: they and their state fit into the cache


def _without_scalars(option: Any) -> Any:
    """An option, or a tuple of them, with Python numbers for NumPy scalars."""
    return tuple(map(python_number, option)) if type(option) is tuple else python_number(option)


class Optimizer:
    """The base class of all optimisers. A subclass defines `_prepare` and `update`.

    The options `foreach`, `fused` and `differentiable` of its subclasses select among PyTorch's
    implementations. Here there is one, and they have no effect. `capturable` has one in Adam and
    AdamW.

    Args:
        params: Tensors, (name, Tensor) pairs, or dicts of "params" with their own options.
        defaults: the options of groups that do not give their own.

    param_groups    the groups, each a dict of parameters and options
    state           a dict for each parameter, such as its running means
    """

    steps_taken = 0  # the number of calls of `step`; schedulers check that it is not 0
    hooks: Mapping[str, Hooks] = MappingProxyType({})  # for subclasses that skip __init__

    def __init_subclass__(cls, **options: Any):
        super().__init_subclass__(**options)
        if "step" in vars(cls):
            cls.step = _hooked(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]):
        if isinstance(params, Tensor):
            raise TypeError(f"{type(self).__name__}: the parameters must be a list or another "
                            "iterable of Tensors or dicts, got one Tensor; write [parameter]")
        if callable(getattr(params, "parameters", None)) and not isinstance(params, ParameterList):
            raise TypeError(f"{type(self).__name__}: expected parameters, got a "
                            f"{type(params).__name__}; pass model.parameters()")
        self.defaults = defaults
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list; either the model has no "
                             "parameters, or the iterator parameters() was already consumed")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Adds a group of parameters with their own options.

        Raises:
            TypeError: the group is not a dict, or the parameters are a set or not Tensors.
            ValueError: a Tensor is not a leaf or is in a group already, an option is missing, or
                the learning rate is negative.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"a parameter group must be a dict, got {type(param_group).__name__}")
        group = dict(param_group)
        params = group["params"]
        if isinstance(params, set):
            raise TypeError("the parameters of a group must be a list, not a set, which has no "
                            "fixed order")
        params = [params] if isinstance(params, Tensor) else list(params)
        named = [p for p in params if isinstance(p, tuple)]
        if named and len(named) < len(params):
            raise ValueError("either all parameters of a group have names, or none; pass only "
                             "Tensors or only (name, Tensor) pairs")
        if any(("param_names" in g) != bool(named) for g in self.param_groups):
            raise ValueError("either the parameters of all groups have names, or none; pass "
                             "(name, Tensor) pairs in all groups or in none")
        if named:
            group["param_names"] = [name for name, _ in named]
            params = [parameter for _, parameter in named]
        for parameter in params:
            if not isinstance(parameter, Tensor):
                raise TypeError("the parameters of an optimizer must be Tensors, got "
                                f"{type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ValueError(
                    "the parameters of an optimizer must be leaves; this Tensor was computed by "
                    f"{parameter.grad_fn.name()}, "  # type: ignore[union-attr]
                    "use x.detach().requires_grad_()")
        for name, default in self.defaults.items():
            if default is required and name not in group:
                raise ValueError(f"a parameter group has no value for the option {name!r}, "
                                 "which has no default")
            group.setdefault(name, default)
        group = {name: _without_scalars(option) for name, option in group.items()}
        if isinstance(group.get("lr"), float | int | Tensor):
            check_at_least_zero(**{"learning rate": float(group["lr"])})
        if len(set(params)) != len(params):
            warnings.warn("a parameter group contains a parameter twice, and is updated twice",
                          stacklevel=3)
        present = {p for g in self.param_groups for p in g["params"]}
        if not present.isdisjoint(params):
            raise ValueError("some parameters appear in more than one parameter group; remove them "
                             "from all but one")
        group["params"] = params
        self.param_groups.append(group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets the gradients of all parameters to None, or to zero."""
        for group in self.param_groups:
            for parameter in group["params"]:
                clear_grad(parameter, set_to_none)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], Loss]) -> Loss: ...
    @_hooked
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Updates every parameter that has a gradient.

        Args:
            closure: computes the loss, calls backward on it and returns it; `step` returns it.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            ready = [p for p in group["params"] if p._grad is not None]
            versions.note_writes([p._array for p in ready], f"{type(self).__name__}.step")
            for where, parameters in by_device(ready):
                if where.type == "cuda" and is_capturing() and not self._can_be_captured(group):
                    raise RuntimeError(
                        f"{type(self).__name__}.step: it cannot be captured into a CUDA graph, "
                        "because the host counts its steps; Adam and AdamW with capturable=True, "
                        "SGD and RMSprop can be captured")
                on(where, self._update, parameters, group)
        return loss

    def _can_be_captured(self, group: dict[str, Any]) -> bool:
        """Whether a step needs no number that changes on the host."""
        return False

    def _count_step(self) -> None:
        """Counts a step. The second step warns of a rate of 0 that no scheduler raises; programs
        that set the rates themselves may begin with 0."""
        self.steps_taken += 1
        if self.steps_taken == 2:
            idle = [i for i, group in enumerate(self.param_groups)
                    if _is_zero(group.get("lr")) and _is_zero(group.get("initial_lr", 0))]
            if idle:
                warn(f"{type(self).__name__}.step: the learning rate of parameter group "
                     f"{', '.join(map(str, idle))} is 0, so nothing is learned there; to freeze "
                     "parameters, leave them out or set requires_grad_(False)")

    def _update(self, xp: Any, parameters: list[Any], group: dict[str, Any]) -> None:
        rows = [self._prepare(p._array, p._grad._array, self.state[p], group) for p in parameters]
        if not any(map(half_of, parameters)):
            self.update(xp, rows, group)
            return
        wide = [widened(row) for row in rows]  # narrow parameters are updated in float32
        self.update(xp, wide, group)
        for (array, _, *state), (new_array, _, *new_state) in zip(rows, wide, strict=True):
            for old, new in zip((array, *state), (new_array, *new_state), strict=True):
                if old is not new:
                    old[...] = new

    def _prepare(self, array: Any, grad: Any, state: dict[str, Any],
                 group: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments of `update` for one parameter: its array, its gradient, and its state.

        It creates missing state and counts the step.
        """
        raise NotImplementedError

    # update(xp, prepared, group) updates parameters, given a list of the results of `_prepare`.
    update: Dispatch

    # ------------------------------------------------------------ state

    def state_dict(self) -> dict[str, Any]:
        """Options and state, with parameters numbered in the order of the groups.

        Its Tensors share memory with the optimizer.
        """
        for hook in self._hooks("state_dict_pre"):
            hook(self)
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers.setdefault(parameter, len(numbers))
            groups.append({**{k: v for k, v in group.items() if k != "params"},
                           "params": [numbers[p] for p in group["params"]]})
        state = {"state": {numbers[p]: dict(s) for p, s in self.state.items()},
                 "param_groups": groups}
        for hook in self._hooks("state_dict_post"):
            changed = hook(self, state)
            state = state if changed is None else changed
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Loads options and a copy of the state, converted to the dtypes of the parameters.

        Raises:
            ValueError: the groups differ in number or size. The optimizer has not changed.
        """
        state_dict = dict(state_dict)
        for hook in self._hooks("load_state_dict_pre"):
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = state_dict["param_groups"]
        if len(saved) != len(self.param_groups):
            raise ValueError(f"load_state_dict: the state has {len(saved)} parameter groups, the "
                             f"optimizer has {len(self.param_groups)}")
        sizes = [(len(s["params"]), len(g["params"]))
                 for s, g in zip(saved, self.param_groups, strict=True)]
        if any(theirs != ours for theirs, ours in sizes):
            raise ValueError("load_state_dict: a parameter group of the state has another size "
                             f"than in the optimizer; the sizes (state, optimizer) are {sizes}")
        parameters = {number: parameter for s, g in zip(saved, self.param_groups, strict=True)
                      for number, parameter in zip(s["params"], g["params"], strict=True)}
        state = {parameters[number]: {name: _loaded(name, value, parameters[number])
                                      for name, value in values.items()}
                 for number, values in state_dict["state"].items()}
        # An older file may lack options. One deepcopy: values shared by groups stay shared.
        groups = [{**{name: g[name] for name in self.defaults if name in g}, **s,
                   "params": g["params"]}
                  for s, g in zip(copy.deepcopy(saved), self.param_groups, strict=True)]
        self.state = defaultdict(dict, state)
        self.param_groups = groups
        for hook in self._hooks("load_state_dict_post"):
            hook(self)

    # ------------------------------------------------------------ hooks

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(optimizer, args, kwargs) before every step. A result (args, kwargs) replaces
        them. args begins with the optimizer."""
        return self._add_hook("step_pre", hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(optimizer, args, kwargs) after every step."""
        return self._add_hook("step_post", hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any],
                                     prepend: bool = False) -> RemovableHandle:
        """Calls hook(optimizer) before state_dict reads the state."""
        return self._add_hook("state_dict_pre", hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any],
                                      prepend: bool = False) -> RemovableHandle:
        """Calls hook(optimizer, state_dict) on the result. A result other than None replaces it."""
        return self._add_hook("state_dict_post", hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any],
                                          prepend: bool = False) -> RemovableHandle:
        """Calls hook(optimizer, state_dict) before loading. A result replaces the state."""
        return self._add_hook("load_state_dict_pre", hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any],
                                           prepend: bool = False) -> RemovableHandle:
        """Calls hook(optimizer) after loading."""
        return self._add_hook("load_state_dict_post", hook, prepend)

    def _add_hook(self, when: str, hook: Callable[..., Any],
                  prepend: bool = False) -> RemovableHandle:
        hooks = self.hooks.get(when, Hooks())
        self.hooks = {**self.hooks, when: hooks}
        return hooks.add(hook, prepend)

    def _hooks(self, when: str) -> list[Callable[..., Any]]:
        return list(self.hooks.get(when, {}).values())

    def __repr__(self) -> str:
        lines = []
        for i, group in enumerate(self.param_groups):
            lines += [*[""] * (i > 0), f"Parameter Group {i}", *(
                f"    {name}: {group[name]}" for name in sorted(group) if name != "params")]
        return f"{type(self).__name__} (\n" + "\n".join(lines) + "\n)"


def _loaded(name: str, value: Any, parameter: Tensor) -> Any:
    """A copy of a state value with the device and dtype of its parameter; "step" keeps its own."""
    if isinstance(value, list):
        return [_loaded(name, item, parameter) for item in value]
    if not isinstance(value, Tensor):
        return copy.deepcopy(value)
    copied: Any = value.detach().clone()
    return copied if name == "step" else copied.to(parameter)


def for_each(name: str, formulas: Callable[..., None]) -> Dispatch:
    """An `update` that calls formulas(xp, group, *prepared) for each parameter."""
    def update(xp: Any, prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> None:
        check_shapes(name, prepared)
        for arguments in prepared:
            formulas(xp, group, *arguments)

    return Dispatch(name, update)


def check_shapes(name: str, prepared: list[tuple[Any, ...]]) -> None:
    """
    Raises:
        RuntimeError: a gradient or a state does not have the shape of its parameter.
    """
    for parameter, *others in prepared:
        shape = parameter.shape
        for other in others:
            if getattr(other, "shape", shape) != shape and is_array(other):
                raise RuntimeError(
                    f"{name}.step: a parameter of shape {tuple(parameter.shape)} has a gradient or "
                    f"a state of shape {tuple(other.shape)}; was the state of another model "
                    "loaded, or was the parameter replaced? make a new optimizer")


def count_step(state: dict[str, Any]) -> int:
    """Adds 1 to the step count of a state and returns it."""
    if "step" not in state:
        state["step"] = tensor(0.0, device="cpu")
    array = state["step"]._array
    step = int(array.item()) + 1
    array[...] = step
    return step


def step_on_gpu(state: dict[str, Any], like: Any) -> Tensor:
    """The step count of a state, on the GPU of an array. It is not changed here."""
    if "step" not in state:
        state["step"] = tensor(0.0, device=device_of(like))
    step: Tensor = state["step"].to(device_of(like))
    state["step"] = step
    return step


def state_arrays(state: dict[str, Any], array: Any, *names: str) -> list[Any]:
    """The arrays of a state with these names. Missing ones are created as zeros."""
    for name in names:
        if name not in state:
            state[name] = tensor_of(array_module(array).zeros_like(array), None)
    return [state[name]._array for name in names]


def direction(p: Any, g: Any, group: dict[str, Any]) -> Any:
    """The gradient to descend along, with weight decay, and negated with maximize.

    Decoupled weight decay does not change the gradient: it is applied to p here.
    """
    decay = group["weight_decay"]
    if group["maximize"]:
        g = -g
    if decay and group.get("decoupled_weight_decay"):
        p *= 1 - float(group["lr"]) * decay
    elif decay:
        g = g + decay * p
    return g


def average(mean: Any, g: Any, decay: float, work: Any) -> None:
    """mean ← decay mean + (1 - decay) g, in place; work is a temporary array."""
    array_module(g).subtract(g, mean, out=work)
    work *= 1 - decay
    mean += work


def average_square(mean: Any, g: Any, decay: float, work: Any) -> None:
    """mean ← decay mean + (1 - decay) g², in place; work is a temporary array."""
    array_module(g).multiply(g, g, out=work)
    work *= 1 - decay
    mean *= decay
    mean += work


def blocks(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Flat views of the arrays in blocks that fit the cache, so that temporaries stay small.

    Arrays on a GPU, where each block costs a launch, and non-contiguous arrays are not split.
    """
    if not all(a.flags.c_contiguous for a in arrays):
        yield arrays
        return
    flat = [a.reshape(-1) for a in arrays]
    block = BLOCK if is_on_cpu(flat[0]) else flat[0].size
    for start in range(0, flat[0].size, max(block, 1)):
        yield tuple([a[start:start + block] for a in flat])


def check_at_least_zero(**options: float) -> None:
    """Raises ValueError for an option that is negative or NaN."""
    for name, value in options.items():
        if not value >= 0.0:
            raise ValueError(f"Invalid {name}: {value}; it must be at least 0")


def check_betas(betas: tuple[float, float]) -> None:
    """Raises ValueError unless both betas are in [0, 1)."""
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}; it must be in [0, 1)")
