"""state_dict and load_state_dict: the parameters and buffers of a Module by name."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..autograd.modes import no_grad
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor
from .hooks import Hook, Hooks, RemovableHandle
from .parameter import Parameter
from .registry import Registry

EXTRA = "_extra_state"  # the name of the result of get_extra_state


class IncompatibleKeys(NamedTuple):
    """The names that load_state_dict(strict=False) did not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (f"IncompatibleKeys(missing_keys={self.missing_keys}, "
                f"unexpected_keys={self.unexpected_keys})")


class Stateful:
    """The part of Module that saves and loads parameters and buffers."""

    _registered: dict[str, dict[str, None]]  # the names in each registry
    _non_persistent_buffers_set: set[str]
    _state_hooks: dict[str, Hooks]
    named_modules: Callable[..., Iterator[tuple[str, Any]]]

    @property
    def _parameters(self) -> Registry:
        return Registry(self.__dict__, self._registered["_parameters"])

    @property
    def _buffers(self) -> Registry:
        return Registry(self.__dict__, self._registered["_buffers"])

    @property
    def _modules(self) -> Registry:
        return Registry(self.__dict__, self._registered["_modules"])

    def state_dict(self, *, destination: dict[str, Any] | None = None, prefix: str = "",
                   keep_vars: bool = False) -> Any:
        """The parameters and persistent buffers by name. They share memory with the module.

        Args:
            destination: a dict to add them to.
            keep_vars: do not detach them.
        """
        destination = OrderedDict() if destination is None else destination
        for hook in self._hooks("state_dict_pre"):
            hook(self, prefix, keep_vars)
        for name, values in self._own_state():
            value = values[name]
            destination[prefix + name] = value if keep_vars else value.detach()
        if self._has_extra_state():
            destination[prefix + EXTRA] = self.get_extra_state()
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                                  keep_vars=keep_vars)
        for hook in self._hooks("state_dict_post"):
            hook(self, destination, prefix, {})
        return destination

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True,
                        assign: bool = False) -> IncompatibleKeys:
        """Copies values into the parameters and buffers of the same names.

        The values are Tensors, arrays or nested lists, such as those of a scalar model.

        Args:
            strict: the names must match exactly.
            assign: replace the module's Tensors by those of the state, and take over their dtype.

        Raises:
            TypeError: `state_dict` is not a mapping.
            RuntimeError: names are missing or unexpected, or shapes differ. The message lists all
                of them, and no value has changed; lazy layers may have taken their size. A module
                with a post hook, which may remove names from the lists, checks the names after
                loading.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError("load_state_dict: expected a dict of values by name, got "
                            f"{type(state_dict).__name__}")
        state = OrderedDict(state_dict)
        modules = list(self.named_modules(remove_duplicate=False))
        keys = IncompatibleKeys([], [])
        problems: list[str] = []
        for path, module in modules:
            for hook in module._hooks("load_state_dict_pre"):
                hook(module, state, joined(path, ""), {}, strict, keys.missing_keys,
                     keys.unexpected_keys, problems)
        for path, module in modules:
            module._before_loading(state, joined(path, ""))
            keys.missing_keys.extend(joined(path, name) for name in module._uninitialized_names())
        targets = {joined(path, name): (values, name)
                   for path, module in modules for name, values in module._own_state()}
        extras = {joined(path, EXTRA): module for path, module in modules
                  if module._has_extra_state()}
        known = targets | extras
        keys.missing_keys.extend(name for name in known if name not in state)
        keys.unexpected_keys.extend(name for name in state if name not in known)
        loaded = {}
        for name, (values, own) in targets.items():
            if name in state:
                loaded[name] = _as_tensor(state[name], values[own])
                if loaded[name].shape != values[own].shape:
                    problems.append(
                        f"size mismatch for {name}: copying a param with shape "
                        f"{loaded[name].shape} from checkpoint, the shape in current model is "
                        f"{values[own].shape}.")
        post_hooks = [(hook, module) for _, module in reversed(modules)
                      for hook in module._hooks("load_state_dict_post")]
        self._check_loading(keys, problems, strict and not post_hooks)
        with no_grad():
            for name, value in loaded.items():
                values, own = targets[name]
                if not assign:
                    values[own].copy_(value)
                elif isinstance(values[own], Parameter):
                    values[own] = Parameter(value, values[own].requires_grad)
                else:
                    values[own] = value
        for name, module in extras.items():
            if name in state:
                module.set_extra_state(state[name])
        for hook, module in post_hooks:
            hook(module, keys)
        self._check_loading(keys, [], strict)
        return keys

    def _check_loading(self, keys: IncompatibleKeys, problems: list[str], strict: bool) -> None:
        """Raises RuntimeError if there are problems or, with strict, names that do not match."""
        if strict and keys.unexpected_keys:
            problems.insert(0, "Unexpected key(s) in state_dict: "
                               f"{_quoted(keys.unexpected_keys)}. ")
        if strict and keys.missing_keys:
            problems.insert(0, f"Missing key(s) in state_dict: {_quoted(keys.missing_keys)}. ")
        if problems:
            raise RuntimeError("\n\t".join([
                f"Error(s) in loading state_dict for {type(self).__name__}:", *problems]))

    def _before_loading(self, state: Mapping[str, Any], prefix: str) -> None:
        """Called before loading the values whose names begin with this prefix."""

    def _uninitialized_names(self) -> list[str]:
        """The names of parameters and buffers that have no shape yet."""
        return []

    def _own_state(self) -> Iterator[tuple[str, Registry]]:
        """(name, its registry) for the state of this module, without its submodules."""
        for values, left_out in ((self._parameters, set()),
                                 (self._buffers, self._non_persistent_buffers_set)):
            for name, value in values.items():
                if value is not None and name not in left_out:
                    yield name, values

    # ------------------------------------------------------------ extra state

    def get_extra_state(self) -> Any:
        """Plain data for the state_dict, defined by subclasses together with `set_extra_state`."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_extra_state")

    def set_extra_state(self, state: Any) -> None:
        """Restores the result of `get_extra_state`."""
        raise NotImplementedError(f"{type(self).__name__} defines no set_extra_state, but the "
                                  "state_dict holds the result of its get_extra_state")

    def _has_extra_state(self) -> bool:
        return type(self).get_extra_state is not Stateful.get_extra_state

    # ------------------------------------------------------------ hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, prefix, keep_vars) before state_dict reads this module."""
        return self._add_state_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, local_metadata) after state_dict is complete.

        The hook may change the dict. local_metadata, which PyTorch fills, is empty.
        """
        return self._add_state_hook("state_dict_post", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs) before anything is loaded.

        The hook may change the dict, which is a copy, for example to rename old keys.
        """
        return self._add_state_hook("load_state_dict_pre", hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, incompatible_keys) after loading. The hook may remove names."""
        return self._add_state_hook("load_state_dict_post", hook)

    def _add_state_hook(self, when: str, hook: Callable[..., Any]) -> RemovableHandle:
        return RemovableHandle(self._state_hooks.setdefault(when, Hooks()), Hook(hook), False)

    def _hooks(self, when: str) -> Iterable[Callable[..., Any]]:
        return [hook.function for hook in self._state_hooks.get(when, {}).values()]


def joined(path: str, name: str) -> str:
    """The dotted name of an attribute of the module at a path."""
    return f"{path}.{name}" if path else name


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _as_tensor(value: Any, like: Tensor) -> Tensor:
    return value.detach() if isinstance(value, Tensor) else tensor(value, dtype=like.dtype)
