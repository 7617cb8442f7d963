"""FunctionModule: a module that is a function of `nn.functional` with its options remembered."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, dataclass_transform

from ..tensors.tensor import Tensor
from . import functional
from .module import Module


@dataclass_transform()
class FunctionModule(Module):
    """A module without parameters of its own: `forward` calls the function of the same meaning.

    A subclass names the function and lists the options as annotated fields, in the order of the
    arguments of its `__init__`; from these follow the signature, the call and the repr:

        class LeakyReLU(FunctionModule, function="leaky_relu"):
            negative_slope: float = 0.01

    A field annotated as `Tensor | None` is a buffer. Those in `not_passed` are for the module
    alone. `shown` lists what the repr shows: a field as "dim=2", as "2" if "=" stands before its
    name, only if it is true if "?" stands there.
    """

    function: ClassVar[str]
    not_passed: ClassVar[tuple[str, ...]] = ()
    shown: ClassVar[tuple[str, ...] | None] = None
    passed: ClassVar[tuple[str, ...]]
    tensors: ClassVar[tuple[str, ...]]
    __signature__: ClassVar[inspect.Signature]

    def __init_subclass__(cls, function: str = "", shown: tuple[str, ...] | None = None,
                          not_passed: tuple[str, ...] = (), keyword_only: bool = False,
                          **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.not_passed = not_passed or cls.not_passed
        cls.shown = cls.shown if shown is None else shown
        if not function:
            return
        cls.function = function
        fields = inspect.get_annotations(cls)
        cls.passed = tuple(name for name in fields if name not in cls.not_passed)
        cls.shown = tuple(fields) if cls.shown is None else cls.shown
        parameter = inspect.Parameter
        cls.__signature__ = inspect.Signature([
            parameter(name, parameter.KEYWORD_ONLY if keyword_only
                      else parameter.POSITIONAL_OR_KEYWORD,
                      default=vars(cls).get(name, parameter.empty), annotation=kind)
            for name, kind in fields.items()])
        cls.tensors = tuple(name for name, kind in fields.items() if kind == "Tensor | None")
        for name in cls.tensors:  # or the default would hide the buffer
            delattr(cls, name)

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        try:
            given = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}: {error}") from None
        given.apply_defaults()
        for name, value in given.arguments.items():
            if name in self.tensors:
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)

    def forward(self, *inputs: Any, **named: Any) -> Tensor:
        """The function of the inputs, with the options."""
        return self._call(*inputs, **named)

    def _call(self, *inputs: Any, **named: Any) -> Any:
        function = getattr(functional, self.function)
        options = {name: getattr(self, name) for name in self.passed}
        return function(*inputs, **options, **named)

    def extra_repr(self) -> str:
        """The options that the repr shows."""
        texts = []
        for name in self.shown or ():
            mark, name = (name[0], name[1:]) if name[0] in "=?" else ("", name)
            value = getattr(self, name)
            if mark != "?" or value:
                texts.append(str(value) if mark == "=" else f"{name}={value!r}")
        return ", ".join(texts)

