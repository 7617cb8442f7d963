"""state_dict and load_state_dict: the parameters and buffers of a Module by name."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from ..autograd.frames import warn
from ..autograd.modes import no_grad
from ..tensors.creation import tensor
from ..tensors.tensor import Tensor
from .hooks import Hooks, RemovableHandle
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


def registry(name: str) -> Any:
    """The property of a registry. What is assigned to it replaces all that was registered."""
    def get(self: Stateful) -> Registry:
        return Registry(self.__dict__, self._registered[name])

    def replace(self: Stateful, values: Mapping[str, Any]) -> None:
        values, own = dict(values), get(self)
        own.clear()
        for key, value in values.items():
            own[key] = value

    return property(get, replace)


class Stateful:
    """The part of Module that saves and loads parameters and buffers."""

    _registered: dict[str, dict[str, None]]  # the names in each registry
    _non_persistent_buffers_set: set[str]
    _state_hooks: dict[str, Hooks]
    _version = 1  # of the names in the state_dict; `_metadata` holds it
    named_modules: Callable[..., Iterator[tuple[str, Any]]]

    _parameters = registry("_parameters")
    _buffers = registry("_buffers")
    _modules = registry("_modules")

    def state_dict(self, *, destination: dict[str, Any] | None = None, prefix: str = "",
                   keep_vars: bool = False) -> Any:
        """The parameters and persistent buffers by name. They share memory with the module.

        The attribute `_metadata` of the result holds the `_version` of every module by its path.

        Args:
            destination: a dict to add them to.
            keep_vars: do not detach them.
        """
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()  # type: ignore[attr-defined]
        local_metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = local_metadata
        for hook in self._hooks("state_dict_pre"):
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(destination=destination, prefix=f"{prefix}{name}.",
                                  keep_vars=keep_vars)
        for hook in self._hooks("state_dict"):
            replaced = hook(self, destination, prefix, local_metadata)
            destination = destination if replaced is None else replaced
        return destination

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str,
                            keep_vars: bool) -> None:
        """Adds the state of this module, without its submodules. Subclasses may extend it."""
        for name, values in self._own_state():
            value = values[name]
            destination[prefix + name] = value if keep_vars else value.detach()
        if type(self).get_extra_state is not Stateful.get_extra_state:
            destination[prefix + EXTRA] = self.get_extra_state()

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
                of them, and no value has changed, with two exceptions: lazy layers may have taken
                their size, and classes that override `_load_from_state_dict` may have loaded their
                own values. A module with a post hook, which may remove names from the lists,
                checks the names after loading.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError("load_state_dict: expected a dict of values by name, got "
                            f"{type(state_dict).__name__}")
        loading = Loading(getattr(state_dict, "_metadata", None) or {}, assign)
        state = OrderedDict(state_dict)
        if hasattr(state_dict, "_metadata"):
            state._metadata = state_dict._metadata  # type: ignore[attr-defined]
        loading.load(self, state, "")
        keys = IncompatibleKeys(loading.missing_keys, loading.unexpected_keys)
        self._check_loading(keys, loading.problems, strict and not loading.post_hooks)
        for write in loading.pending:
            write()
        for hook, module in loading.post_hooks:
            hook(module, keys)
        self._check_loading(keys, [], strict)
        return keys

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str,
                              local_metadata: dict[str, Any], strict: bool,
                              missing_keys: list[str], unexpected_keys: list[str],
                              error_msgs: list[str]) -> None:
        """Loads the state of this module, without its submodules. Subclasses may extend it, for
        example to rename old keys of `state_dict`, which is a copy.

        It adds to the three lists and does not raise.
        """
        for hook in self._hooks("load_state_dict_pre"):
            hook(state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys,
                 error_msgs)
        self._before_loading(state_dict, prefix, local_metadata)
        own, writes = dict(self._own_state()), []
        missing = [prefix + name for name in self._uninitialized_names()]
        for name, values in own.items():
            key = prefix + name
            if key not in state_dict:
                missing.append(key)
                continue
            value = _fitting(key, state_dict[key], values[name], error_msgs)
            if value is not None:
                assign = local_metadata.get("assign_to_params_buffers", False)
                writes.append(functools.partial(_set_value, values, name, value, assign))
        extra = prefix + EXTRA
        if self._has_extra_state():
            if extra in state_dict:
                writes.append(functools.partial(self.set_extra_state, state_dict[extra]))
            else:
                missing.append(extra)
            own[EXTRA] = self._parameters
        if strict:
            missing_keys.extend(missing)
            unexpected_keys.extend(
                key for key in state_dict if key.startswith(prefix)
                and self._is_unexpected(key.removeprefix(prefix), own))
        if isinstance(local_metadata, LocalMetadata):
            local_metadata.pending.extend(writes)
        else:
            for write in writes:
                write()

    def _is_unexpected(self, name: str, own: Mapping[str, Any]) -> bool:
        first, dot, _ = name.partition(".")
        return self._modules.get(first) is None if dot else name not in own

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

    def _before_loading(self, state: dict[str, Any], prefix: str,
                        local_metadata: dict[str, Any]) -> None:
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
        kind = type(self)
        return (kind.get_extra_state is not Stateful.get_extra_state
                or kind.set_extra_state is not Stateful.set_extra_state)

    # ------------------------------------------------------------ hooks

    def register_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, prefix, keep_vars) before state_dict reads this module."""
        return self._add_state_hook("state_dict_pre", hook)

    def register_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, local_metadata) after state_dict is complete.

        The hook may change the dict, and returns None. local_metadata["version"] is the module's
        `_version`.
        """
        return self._add_state_hook("state_dict", functools.partial(_without_result, hook))

    def _register_state_dict_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """As `register_state_dict_post_hook`. A result other than None replaces the state_dict, if
        `state_dict` was called on this module."""
        return self._add_state_hook("state_dict", hook)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, state_dict, prefix, local_metadata, strict, missing_keys,
        unexpected_keys, error_msgs) before this module is loaded.

        The hook may change the dict, which is a copy, for example to rename old keys.
        """
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(self, hook: Callable[..., Any],
                                           with_module: bool = False) -> RemovableHandle:
        """As `register_load_state_dict_pre_hook`. The hook gets the module only if asked for."""
        return self._add_state_hook(
            "load_state_dict_pre", functools.partial(hook, self) if with_module else hook)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Calls hook(module, incompatible_keys) after loading. The hook may remove names."""
        return self._add_state_hook("load_state_dict_post", hook)

    def _add_state_hook(self, when: str, hook: Callable[..., Any]) -> RemovableHandle:
        return self._state_hooks.setdefault(when, Hooks()).add(hook)

    def _hooks(self, when: str) -> Iterable[Callable[..., Any]]:
        return list(self._state_hooks.get(when, {}).values())


def joined(path: str, name: str) -> str:
    """The dotted name of an attribute of the module at a path."""
    return f"{path}.{name}" if path else name


def _quoted(names: list[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


class LocalMetadata(dict[str, Any]):
    """The metadata of one module, and the list of writes that wait for the checks of all."""

    pending: list[Callable[[], Any]]


class Loading:
    """One call of load_state_dict: a walk over all modules that collects writes and problems."""

    def __init__(self, metadata: Mapping[str, Any], assign: bool):
        self.metadata, self.assign = metadata, assign
        self.missing_keys: list[str] = []
        self.unexpected_keys: list[str] = []
        self.problems: list[str] = []
        self.pending: list[Callable[[], Any]] = []
        self.post_hooks: list[tuple[Callable[..., Any], Stateful]] = []

    def load(self, module: Stateful, state: dict[str, Any], prefix: str) -> None:
        """Loads a module and its submodules from the values whose names begin with the prefix."""
        module._load_from_state_dict(state, prefix, self.local_metadata(module, prefix), True,
                                     self.missing_keys, self.unexpected_keys, self.problems)
        states: dict[str, dict[str, Any]] = {}
        for key, value in state.items():
            name, dot, _ = key.removeprefix(prefix).partition(".")
            if dot and key.startswith(prefix):
                states.setdefault(name, {})[key] = value
        for name, child in module._modules.items():
            if child is not None:
                self.load(child, states.get(name, {}), f"{prefix}{name}.")
        self.post_hooks += [(hook, module) for hook in module._hooks("load_state_dict_post")]

    def local_metadata(self, module: Stateful, prefix: str) -> dict[str, Any]:
        """The metadata of a module. A class with its own `_load_from_state_dict` gets a plain dict,
        with which it loads at once: its code may go on with the loaded values."""
        given = dict(self.metadata.get(prefix[:-1], {}))
        if self.assign:
            given["assign_to_params_buffers"] = True
        if ("_load_from_state_dict" in vars(module)
                or type(module)._load_from_state_dict is not Stateful._load_from_state_dict):
            return given
        local = LocalMetadata(given)
        local.pending = self.pending
        return local


def _fitting(key: str, value: Any, like: Tensor, problems: list[str]) -> Tensor | None:
    """The value as a Tensor of the shape of `like`; None, and a problem, if it is none."""
    if not isinstance(value, Tensor):
        try:
            value = tensor(value, dtype=like.dtype)
        except (TypeError, ValueError, RuntimeError) as error:
            problems.append(f"{key}: expected a Tensor, an array or nested lists of numbers, got "
                            f"{type(value).__name__} ({error}).")
            return None
    if not like.ndim and value.shape == (1,):  # as PyTorch, whose first versions had no 0-d Tensors
        value = value[0]
    if value.shape != like.shape:
        problems.append(f"size mismatch for {key}: copying a param with shape {value.shape} from "
                        f"checkpoint, the shape in current model is {like.shape}.")
        return None
    return value  # type: ignore[no-any-return]


def _set_value(values: Registry, name: str, value: Tensor, assign: bool) -> None:
    """Copies a value into a parameter or buffer, or puts it in its place."""
    own = values[name]
    if not assign:
        if own.is_meta and not value.is_meta:
            warn(f"load_state_dict: {name} is on the device 'meta', so its values are lost; give "
                 "assign=True, or call to_empty(device='cpu') before")
        with no_grad():
            own.copy_(value.detach())
    elif not isinstance(own, Parameter):
        values[name] = value
    elif isinstance(value, Parameter):
        values[name] = value.requires_grad_(own.requires_grad)
    else:
        values[name] = Parameter(value, own.requires_grad)


def _without_result(hook: Callable[..., Any], *args: Any) -> None:
    """Calls a hook that must return None."""
    if hook(*args) is not None:
        raise RuntimeError("state_dict: a hook of register_state_dict_post_hook returned a value; "
                           "it may change the state_dict that it gets, and must return None")
