"""Parameters that are computed from others at every access.

    register_parametrization(layer, "weight", Symmetric())

makes `layer.weight` the result of `Symmetric()(original)`. The original is trained and saved; it is
layer.parametrizations.weight.original.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterable, Iterator
from typing import Any

from ...autograd.modes import enable_grad, no_grad
from ...tensors.tensor import Tensor
from ..containers import ModuleDict, ModuleList
from ..module import Module
from ..parameter import Parameter

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization",
           "remove_parametrizations", "transfer_parametrizations_and_params",
           "type_before_parametrizations"]

_cache: dict[tuple[int, str], Tensor] | None = None  # a dict within a block of `cached`


class ParametrizationList(ModuleList):
    """The parametrizations of one Tensor, in the order of their application.

    original                   the input of the first parametrization
    original0, original1 ...   its inputs, if its right_inverse returns several Tensors
    """

    def __init__(self, modules: Iterable[Module], original: Tensor):
        super().__init__(modules)
        self.is_tensor = True
        value: Any = original
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                with no_grad(), contextlib.suppress(NotImplementedError):
                    value = module.right_inverse(value)
        trained = isinstance(original, Parameter)
        if isinstance(value, Tensor):
            self._keep("original", value, original, trained)
            return
        self.is_tensor = False
        values = tuple(value)
        self.ntensors = len(values)
        for i, tensor in enumerate(values):
            if not isinstance(tensor, Tensor):
                raise ValueError("right_inverse: it must return a Tensor or several, got a "
                                 f"{type(tensor).__name__}")
            self._keep(f"original{i}", tensor, original, trained)

    def _keep(self, name: str, tensor: Tensor, original: Tensor, trained: bool) -> None:
        if trained:
            kept = original if tensor is original else Parameter(
                tensor.detach(), original.requires_grad)
            self.register_parameter(name, kept)  # type: ignore[arg-type]
        else:
            self.register_buffer(name, tensor)

    def originals(self) -> list[Tensor]:
        """The Tensors that the parametrized one is computed from."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Sets the originals so that the Tensor becomes `value`."""
        inverse: Any = value
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(f"{type(module).__name__} has no right_inverse, so the "
                                       "Tensor that it computes cannot be assigned; define "
                                       "right_inverse(value)")
                inverse = module.right_inverse(inverse)
            inverses = [inverse] if isinstance(inverse, Tensor) else list(inverse)
            originals = self.originals()
            if len(inverses) != len(originals):
                raise ValueError(f"right_inverse: it returned {len(inverses)} Tensors for "
                                 f"{len(originals)} originals")
            for original, values in zip(originals, inverses, strict=True):
                original.data = values.detach().clone()  # type: ignore[attr-defined]

    def forward(self) -> Any:
        first, *others = self
        result = first(*self.originals())
        for module in others:
            result = module(result)
        return result


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:
    """Makes a parameter or buffer of a module the result of `parametrization(original)`.

    Later parametrizations are applied to the result of earlier ones. If the first has a method
    right_inverse(value), the original is its result for the current value. If all have one, the
    Tensor can be assigned. Returns the module.

    Args:
        unsafe: do not check that the shape and dtype stay the same.

    Raises:
        ValueError: the module has no such parameter or buffer, or the result has another shape or
            dtype. The module has not changed.
    """
    parametrization.train(module.training)
    registered = is_parametrized(module, tensor_name)
    if not registered and module._parameters.get(tensor_name) is None \
            and module._buffers.get(tensor_name) is None:
        raise ValueError(f"register_parametrization: the {type(module).__name__} has no parameter "
                         f"or buffer {tensor_name!r}")
    value = getattr(module, tensor_name)
    if registered:
        if not unsafe:
            with no_grad():
                _check(tensor_name, value, parametrization(value))
        module.parametrizations[tensor_name].append(parametrization)
        return module
    parametrizations = ParametrizationList([parametrization], value)
    if not unsafe:
        with no_grad():
            _check(tensor_name, value, parametrizations())
    if not is_parametrized(module):
        _change_class(module)
    module._parameters.pop(tensor_name, None)
    module._buffers.pop(tensor_name, None)
    module.parametrizations[tensor_name] = parametrizations
    setattr(type(module), tensor_name, _property(tensor_name))
    return module


def _check(name: str, before: Tensor, after: object) -> None:
    if not isinstance(after, Tensor):
        raise ValueError(f"register_parametrization: the parametrization of {name!r} must return a "
                         f"Tensor, got a {type(after).__name__}")
    if after.shape != before.shape or after.dtype is not before.dtype:
        raise ValueError(f"register_parametrization: the parametrization of {name!r} turns shape "
                         f"{tuple(before.shape)} and {before.dtype} into {tuple(after.shape)} and "
                         f"{after.dtype}; if this is intended, pass unsafe=True")


def _change_class(module: Module) -> None:
    """Gives the module a class of its own, which can have computed properties."""
    base = type(module)

    def copied(self: Any, memo: dict[int, Any]) -> Any:
        """The copy needs its own class too: its properties can be removed independently."""
        new: Any = object.__new__(type(self).__bases__[0])
        memo[id(self)] = new
        vars(new).update(copy.deepcopy(vars(self), memo))
        _change_class(new)
        for name in new.parametrizations:
            setattr(type(new), name, _property(name))
        return new

    def refused(self: Any) -> Any:
        raise RuntimeError(f"pickle: a parametrized {base.__name__} has a class that exists only "
                           "in this process; save its state_dict() instead")

    def name_of_type(self: Any) -> str:
        return f"Parametrized{base.__name__}"

    parametrized = type(name_of_type(module), (base,), {
        "__deepcopy__": copied, "__reduce_ex__": lambda self, protocol: refused(self),
        "_get_name": name_of_type})
    module.__class__ = parametrized
    if "parametrizations" not in module._modules:
        module.parametrizations = ModuleDict()


def _property(name: str) -> property:
    def computed(self: Any) -> Any:
        if _cache is None:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def assigned(self: Any, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    return property(computed, assigned)


@contextlib.contextmanager
def cached() -> Iterator[None]:
    """Within the block each parametrized Tensor is computed once, at its first access."""
    global _cache
    previous = _cache
    _cache = {} if _cache is None else _cache
    try:
        yield
    finally:
        _cache = previous


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a module has parametrizations, of any Tensor or of the given one."""
    parametrizations = module._modules.get("parametrizations")
    if not isinstance(parametrizations, ModuleDict):
        return False
    return bool(len(parametrizations)) if tensor_name is None else tensor_name in parametrizations


def remove_parametrizations(module: Module, tensor_name: str,
                            leave_parametrized: bool = True) -> Module:
    """Removes all parametrizations of a Tensor and returns the module.

    Args:
        leave_parametrized: keep the computed value; False restores the original.

    Raises:
        ValueError: the Tensor has no parametrizations, or leave_parametrized is False and it is
            computed from several Tensors.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"remove_parametrizations: {tensor_name!r} of the "
                         f"{type(module).__name__} has no parametrization")
    parametrizations: Any = module.parametrizations[tensor_name]
    if not leave_parametrized and not parametrizations.is_tensor:
        raise ValueError("remove_parametrizations: leave_parametrized=False needs one original, "
                         f"but {tensor_name!r} is computed from several; pass "
                         "leave_parametrized=True")
    first = parametrizations.originals()[0]
    result: Any = first
    if leave_parametrized:
        with enable_grad():
            value = getattr(module, tensor_name)
        trained = isinstance(first, Parameter)
        if parametrizations.is_tensor and trained:  # optimizers hold this object
            first.data = value.detach().clone()
        else:
            result = Parameter(value.detach(), value.requires_grad) if trained else value.detach()
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if isinstance(result, Parameter):
        module.register_parameter(tensor_name, result)
    else:
        module.register_buffer(tensor_name, result)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def transfer_parametrizations_and_params(from_module: Module, to_module: Module,
                                         tensor_name: str | None = None) -> Module:
    """Gives a module the parametrizations of another, with the parameters that they read.

    A parameter that `to_module` lacks is made. Both modules then share the parametrizations and
    their parameters. Without any in `from_module` nothing changes. Returns `to_module`.

    Args:
        tensor_name: the parameter whose parametrizations are meant; by default all are.
    """
    if not is_parametrized(from_module):
        return to_module
    names = list(from_module.parametrizations) if tensor_name is None else [tensor_name]
    for name in names:
        chain = from_module.parametrizations[name]
        if not hasattr(to_module, name):
            to_module.register_parameter(name, Parameter(getattr(from_module, name).detach()))
        for parametrization in chain:
            register_parametrization(to_module, name, parametrization)
        for original in ["original"] if chain.is_tensor else [
                f"original{i}" for i in range(chain.ntensors)]:
            setattr(to_module.parametrizations[name], original, getattr(chain, original))
    return to_module


def type_before_parametrizations(module: Module) -> type:
    """The class that a module had before its parametrizations were registered."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)
