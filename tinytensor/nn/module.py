"""Module: the base class of all layers and models. It holds named parameters and submodules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

from ..arrays import dtypes
from ..arrays.devices import device as device_type
from ..autograd.frames import passes_on
from ..autograd.modes import no_grad
from ..compat import absent
from ..tensors.creation import empty_like
from ..tensors.tensor import DeviceLike, DTypeLike, Tensor
from .hooks import BackwardHooks, Hooks, Options, RemovableHandle, hooks_of
from .locating import locate
from .parameter import Buffer, Parameter
from .state import Stateful, joined

Self = TypeVar("Self", bound="Module")
P = ParamSpec("P")
R = TypeVar("R", covariant=True)


class Forward(Protocol[P, R]):
    """What a call of a Module takes and returns: as its `forward` does."""

    def forward(self, *args: P.args, **kwargs: P.kwargs) -> R: ...


def _ask_getattr(self: Module, name: str) -> Any:
    """How attributes of a class with a `__getattr__` of its own are read.

    Parameters, buffers and submodules are ordinary attributes here, which are faster to read. In
    PyTorch they are not, so `__getattr__` is called for them. Pyro's modules rely on that.
    """
    held = object.__getattribute__(self, "__dict__")
    if name in held and any(name in names for names in held.get("_registered", {}).values()) \
            and not hasattr(type(self), name):
        return type(self).__getattr__(self, name)
    return object.__getattribute__(self, name)


class Module(Stateful):
    """The base class of all layers and models.

    A subclass calls `super().__init__()` first, assigns Parameters, Buffers and other Modules as
    attributes, and defines `forward`. The assignment registers them under the attribute's name.
    Calling the module calls `forward` and the hooks.
    """

    training: bool
    _forward_hooks: Hooks
    _forward_pre_hooks: Hooks
    _backward_hooks: Hooks
    _backward_pre_hooks: Hooks

    def __init__(self) -> None:
        vars(self).update(
            training=True, _registered={registry: {} for registry in REGISTRIES},
            _non_persistent_buffers_set=set(), _forward_hooks=Hooks(), _forward_pre_hooks=Hooks(),
            _backward_hooks=Hooks(), _backward_pre_hooks=Hooks(), _state_hooks={})

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__getattr__" in vars(cls) and "__getattribute__" not in vars(cls):
            cls.__getattribute__ = _ask_getattr  # type: ignore[assignment,method-assign]

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """The computation of the module, defined by every subclass."""
        raise NotImplementedError(f"{type(self).__name__} is missing the required `forward` "
                                  "method; define forward(self, ...)")

    # ------------------------------------------------------------ registering

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Adds a parameter; None reserves the name.

        Raises:
            KeyError: the name is empty, has a dot, or is an attribute already.
            TypeError: the name is not a string, or the value is not a Parameter.
        """
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(f"register_parameter: {name!r} must be a Parameter or None, got "
                            f"{type(param).__name__}; write Parameter(...) around it")
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Adds a Tensor that moves with the module and, if persistent, is saved. It is not trained.

        Raises:
            KeyError, TypeError: as for `register_parameter`.
        """
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"register_buffer: {name!r} must be a Tensor or None, got "
                            f"{type(tensor).__name__}; write tensor(...) around it")
        self._register("_buffers", name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Adds a submodule.

        Raises:
            KeyError, TypeError: as for `register_parameter`.
        """
        if module is not None and not isinstance(module, Module):
            hint = f"; write {module.__name__}() to create one" if isinstance(module, type) else ""
            raise TypeError(f"add_module: {name!r} must be a Module or None, got "
                            f"{type(module).__name__}{hint}")
        self._register("_modules", name, module)

    register_module = add_module

    def _register(self, registry: str, name: str, value: Any) -> None:
        what = REGISTRIES[registry][1]
        if "_registered" not in vars(self):
            raise AttributeError(f"cannot assign the {what} {name!r} before Module.__init__() was "
                                 f"called: begin {type(self).__name__}.__init__ with "
                                 "super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"the name of a {what} must be a string, got {type(name).__name__}")
        if "." in name or not name:
            raise KeyError(f"the name of a {what} must not be empty or contain a dot, got {name!r}")
        registered = getattr(self, registry)
        if hasattr(self, name) and name not in registered:
            raise KeyError(f"{what} {name!r}: {type(self).__name__} already has an attribute of "
                           "that name; choose another")
        registered[name] = value

    def __setattr__(self, name: str, value: Any) -> None:
        for registry, (kind, _) in REGISTRIES.items():
            if isinstance(value, kind):
                self._forget(name, keep=registry)
                self._register(registry, name, value)
                if isinstance(value, Buffer) and not value.persistent:
                    self._non_persistent_buffers_set.add(name)
                return
        for registry, names in vars(self).get("_registered", {}).items():
            if name in names:
                what = REGISTRIES[registry][1]
                if value is not None and not (what == "buffer" and isinstance(value, Tensor)):
                    tensor = what == "parameter" and isinstance(value, Tensor)
                    hint = "; write Parameter(...) around it" if tensor else ""
                    raise TypeError(f"cannot assign a {type(value).__name__} as {what} {name!r} of "
                                    f"{type(self).__name__}; it takes a {what} or None{hint}")
                vars(self)[name] = value
                return
        super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        """Called for names that are not attributes, and by wrappers for registered names."""
        if any(name in names for names in self.__dict__.get("_registered", {}).values()):
            return self.__dict__[name]
        raise absent.AbsentName(f"the {type(self).__name__}", name, lambda: dir(self))

    def __delattr__(self, name: str) -> None:
        if any(name in names for names in self._registered.values()):
            self._forget(name)
        else:
            super().__delattr__(name)

    def _forget(self, name: str, keep: str = "") -> None:
        """Removes a name from the attributes and from all registries except `keep`."""
        registered = self.__dict__.get("_registered", {})
        if name not in registered.get(keep, ()):
            self.__dict__.pop(name, None)
        self.__dict__.get("_non_persistent_buffers_set", set()).discard(name)
        for registry, names in registered.items():
            if registry != keep:
                names.pop(name, None)

    def __copy__(self: Self) -> Self:
        """A new module with the same parameters, buffers and submodules."""
        made = object.__new__(type(self))
        vars(made).update(vars(self), _registered={r: dict(n) for r, n in self._registered.items()})
        return made

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._buffers, *self._modules}
        return sorted(name for name in names if not name[0].isdigit())

    # ------------------------------------------------------------ walking

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """(name, submodule) for the direct submodules, each once."""
        seen = set()
        for name, module in self._modules.items():
            if module is not None and module not in seen:
                seen.add(module)
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all its submodules, direct and nested, each once."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(self, memo: set[Module] | None = None, prefix: str = "",
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module, named `prefix`, and all its submodules."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                yield from module.named_modules(memo, joined(prefix, name), remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and, with recurse, of its submodules, each once."""
        for _, parameter in self.named_parameters(recurse=recurse):
            yield parameter

    def named_parameters(self, prefix: str = "", recurse: bool = True,
                         remove_duplicate: bool = True) -> Iterator[tuple[str, Parameter]]:
        """(dotted name, parameter); see `parameters`."""
        yield from self._named("_parameters", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and, with recurse, of its submodules, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(self, prefix: str = "", recurse: bool = True,
                      remove_duplicate: bool = True) -> Iterator[tuple[str, Tensor]]:
        """(dotted name, buffer); see `buffers`."""
        yield from self._named("_buffers", prefix, recurse, remove_duplicate)

    def _named(self, registry: str, prefix: str, recurse: bool,
               remove_duplicate: bool) -> Iterator[tuple[str, Any]]:
        seen: set[Any] = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse \
            else [(prefix, self)]
        for path, module in modules:
            for name, value in getattr(module, registry).items():
                if value is None or value in seen:
                    continue
                if remove_duplicate:
                    seen.add(value)
                yield joined(path, name), value

    def get_submodule(self, target: str) -> Module:
        """The submodule with a dotted name; "" is the module itself.

        Raises:
            AttributeError: there is no such submodule.
        """
        module: Any = self
        for name in target.split(".") if target else ():
            below = getattr(module, name, None)
            if not isinstance(below, Module):
                raise AttributeError(f"{target!r}: {type(module).__name__} has no submodule "
                                     f"{name!r}")
            module = below
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Sets the submodule with a dotted name; with `strict` it must exist already.

        Raises:
            ValueError: the name is empty, or `module` is not a Module.
            AttributeError: the parent does not exist, or with `strict` the submodule does not.
        """
        path, _, name = target.rpartition(".")
        if not name:
            raise ValueError("set_submodule: the name must not be empty")
        if not isinstance(module, Module):
            raise ValueError(f"set_submodule: {target!r} must be a Module, got "
                             f"{type(module).__name__}")
        if strict:
            self.get_submodule(target)
        setattr(self.get_submodule(path), name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter with a dotted name.

        Raises:
            AttributeError: there is no such parameter.
        """
        return self._get("_parameters", target)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer with a dotted name.

        Raises:
            AttributeError: there is no such buffer.
        """
        return self._get("_buffers", target)

    def _get(self, registry: str, target: str) -> Any:
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if getattr(module, registry).get(name) is None:
            raise AttributeError(f"{target!r}: {type(module).__name__} has no "
                                 f"{REGISTRIES[registry][1]} {name!r}")
        return getattr(module, registry)[name]

    # ------------------------------------------------------------ modes, dtypes, devices

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Calls `fn` on every submodule, then on this module, for example to initialise weights."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self: Self, mode: bool = True) -> Self:
        """Sets `training` here and in all submodules. Dropout and batch normalisation use it."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: the mode must be a bool, got {type(mode).__name__}")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: Self) -> Self:
        """Sets evaluation mode: train(False)."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Sets `requires_grad` of every parameter. False freezes them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Sets the gradients of all parameters to None, or to zero."""
        for parameter in self.parameters():
            clear_grad(parameter, set_to_none)

    def _apply(self: Self, convert: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Applies `convert` to the values of parameters and buffers; Parameter objects stay."""
        with no_grad():
            for module in self.modules() if recurse else (self,):
                for parameter in module._parameters.values():
                    if parameter is not None:
                        _convert_parameter(parameter, convert)
                for name, buffer in module._buffers.items():
                    if buffer is not None:
                        module._buffers[name] = convert(buffer)
        return self

    def to(self: Self, *args: Any, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
           non_blocking: bool = False, memory_format: dtypes.memory_format | None = None) -> Self:
        """Converts parameters and buffers: to(device), to(dtype), to(device, dtype), to(tensor).

        A dtype applies to floating point ones only. Parameter objects stay the same.
        memory_format has no effect.

        Raises:
            TypeError: the dtype is not a floating point dtype.
        """
        for arg in args:
            if isinstance(arg, Tensor):
                dtype, device = arg.dtype, arg.device
            elif isinstance(arg, str | int | device_type) and not isinstance(arg, bool):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                dtype = arg
        if dtype is not None and not dtypes.resolve(dtype).is_floating_point:
            raise TypeError(f"Module.to: the dtype must be a floating point dtype, got {dtype}")
        return self._apply(lambda t: t.to(  # type: ignore[attr-defined]
            device=device, dtype=dtype if t.is_floating_point() else None))

    def to_empty(self: Self, *, device: DeviceLike | None, recurse: bool = True) -> Self:
        """Gives parameters and buffers new, uninitialised memory on a device."""
        return self._apply(lambda t: empty_like(t, device=device), recurse)

    def type(self: Self, dst_type: DTypeLike) -> Self:
        """Converts all parameters and buffers, integer ones too, to a dtype or a type such as
        cuda.FloatTensor."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self: Self) -> Self:
        """to(float32)."""
        return self.to(dtypes.float32)

    def double(self: Self) -> Self:
        """to(float64)."""
        return self.to(dtypes.float64)

    def half(self: Self) -> Self:
        """to(float16)."""
        return self.to(dtypes.float16)

    def bfloat16(self: Self) -> Self:
        """to(bfloat16)."""
        return self.to(dtypes.bfloat16)

    def cpu(self: Self) -> Self:
        """to("cpu")."""
        return self.to("cpu")

    def cuda(self: Self, device: DeviceLike | None = None) -> Self:
        """to("cuda"): the current GPU, or the given one."""
        return self.to("cuda" if device is None else device_type(device))

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Has no effect; see `tinytensor.compile`."""

    # ------------------------------------------------------------ calling, and hooks

    @passes_on
    def __call__(self: Forward[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            if (self._forward_hooks or self._forward_pre_hooks  # type: ignore[attr-defined]
                    or self._backward_hooks  # type: ignore[attr-defined]
                    or self._backward_pre_hooks):  # type: ignore[attr-defined]
                return self._call_with_hooks(args, kwargs)  # type: ignore[attr-defined]
            return self.forward(*args, **kwargs)
        except Exception as error:
            locate(error, self)  # type: ignore[arg-type]
            raise

    def register_forward_pre_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                                  with_kwargs: bool = False) -> RemovableHandle:
        """Calls hook(module, args) before forward. A result other than None replaces args.

        With `with_kwargs`: hook(module, args, kwargs), which returns None or (args, kwargs).
        """
        return hooks_of(self, "_forward_pre_hooks").add(hook, prepend, Options(with_kwargs))

    def register_forward_hook(self, hook: Callable[..., Any], *, prepend: bool = False,
                              with_kwargs: bool = False,
                              always_call: bool = False) -> RemovableHandle:
        """Calls hook(module, args, output) after forward. A result other than None replaces output.

        With `with_kwargs`: hook(module, args, kwargs, output). With `always_call` the hook also
        runs if forward raised, with None as the output.
        """
        options = Options(with_kwargs, always_call)
        return hooks_of(self, "_forward_hooks").add(hook, prepend, options)

    def register_full_backward_pre_hook(self, hook: Callable[..., Any],
                                        prepend: bool = False) -> RemovableHandle:
        """Calls hook(module, grad_output) in backward. A result other than None replaces it."""
        return hooks_of(self, "_backward_pre_hooks").add(hook, prepend)

    def register_full_backward_hook(self, hook: Callable[..., Any],
                                    prepend: bool = False) -> RemovableHandle:
        """Calls hook(module, grad_input, grad_output) when the gradients of the inputs are known.

        Both are tuples, with None for values without a gradient. A result other than None replaces
        grad_input.
        """
        return hooks_of(self, "_backward_hooks").add(hook, prepend)

    @passes_on
    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        for hook, options in hooks_of(self, "_forward_pre_hooks").with_options():
            if options.with_kwargs:
                args, kwargs = hook(self, args, kwargs) or (args, kwargs)
            else:
                replaced = hook(self, args)
                if replaced is not None:
                    args = replaced if isinstance(replaced, tuple) else (replaced,)
        backward = BackwardHooks(self) if self._backward_hooks or self._backward_pre_hooks else None
        pending = hooks_of(self, "_forward_hooks").with_options()
        try:
            output = self.forward(*(backward.enter(args) if backward else args), **kwargs)
            while pending:
                replaced = _call_forward_hook(*pending.pop(0), self, args, kwargs, output)
                output = output if replaced is None else replaced
        except Exception:
            for hook, options in pending:
                if options.always_call:
                    _call_forward_hook(hook, options, self, args, kwargs, None)
            raise
        return backward.leave(output) if backward else output

    # ------------------------------------------------------------ printing

    def extra_repr(self) -> str:
        """The text between the brackets of the repr, defined by subclasses."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr().split("\n") if self.extra_repr() else []
        children = [f"({name}): " + indented(repr(module))
                    for name, module in self._modules.items()]
        if len(extra) == 1 and not children:
            return f"{self._get_name()}({extra[0]})"
        lines = [*extra, *children]
        body = "\n  " + "\n  ".join(lines) + "\n" if lines else ""
        return f"{self._get_name()}({body})"


# Each registry, with the type of its values and the word for them in messages.
REGISTRIES: dict[str, tuple[type, str]] = {
    "_parameters": (Parameter, "parameter"),
    "_buffers": (Buffer, "buffer"),
    "_modules": (Module, "module"),
}


def clear_grad(parameter: Tensor, set_to_none: bool) -> None:
    """Sets the gradient of a Tensor to None, or to zero."""
    if set_to_none:
        parameter.grad = None
    elif parameter.grad is not None:
        parameter.grad = parameter.grad.detach()
        parameter.grad.zero_()


def indented(text: str) -> str:
    """The text with all lines after the first indented by two spaces."""
    return text.replace("\n", "\n  ")


def _convert_parameter(parameter: Parameter, convert: Callable[[Tensor], Tensor]) -> None:
    data = convert(parameter.data)
    grad = None if parameter.grad is None else convert(parameter.grad.detach())
    parameter.grad = None
    parameter.data = data
    parameter.grad = grad


def _call_forward_hook(hook: Callable[..., Any], options: Options, module: Module, args: Any,
                       kwargs: Any, output: Any) -> Any:
    if options.with_kwargs:
        return hook(module, args, kwargs, output)
    return hook(module, args, output)
