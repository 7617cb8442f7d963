"""FunctionModule: a module made from a function of `nn.functional` and its options."""

from __future__ import annotations

import inspect
from typing import Any, ClassVar, dataclass_transform

from ..tensors.tensor import Tensor
from . import functional
from .module import Module


@dataclass_transform()
class FunctionModule(Module):
    """A module without parameters whose `forward` calls one function of `nn.functional`.

    A subclass names the function and lists its options as annotated fields, in the order of the
    arguments of `__init__`. The signature, the call and the repr follow from them. Fields of base
    classes come first:

        class LeakyReLU(FunctionModule, function="leaky_relu"):
            negative_slope: float = 0.01

    A field annotated as `Tensor | None` is registered as a buffer. Fields after `_: KW_ONLY` are
    keyword arguments only.

    Args:
        function: the name of the function.
        shown: the fields in the repr, all by default. "dim" is shown as "dim=2", "=dim" as "2",
            "?dim" only if it is true.
        not_passed: the fields that are not arguments of the function.
        keyword_only: whether `__init__` takes keyword arguments only.
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
        fields: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            if issubclass(base, FunctionModule) and base is not FunctionModule:
                fields |= {name: kind for name, kind in inspect.get_annotations(base).items()
                           if "ClassVar" not in str(kind)}
        names = list(fields)
        by_name = names[names.index("_"):] if fields.pop("_", None) else []
        # Programs evaluate the annotations of a loss, where KW_ONLY is not known.
        vars(cls).get("__annotations__", {}).pop("_", None)
        cls.passed = tuple(name for name in fields if name not in cls.not_passed)
        cls.shown = tuple(fields) if cls.shown is None else cls.shown
        parameter = inspect.Parameter
        cls.__signature__ = inspect.Signature([
            parameter(name, parameter.KEYWORD_ONLY if keyword_only or name in by_name
                      else parameter.POSITIONAL_OR_KEYWORD,
                      default=getattr(cls, name, parameter.empty), annotation=kind)
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
        """Calls the function on the inputs, with the module's options."""
        return self._call(*inputs, **named)

    def _call(self, *inputs: Any, **named: Any) -> Any:
        function = getattr(functional, self.function)
        options = {name: getattr(self, name) for name in self.passed}
        return function(*inputs, **options, **named)

    def extra_repr(self) -> str:
        texts = []
        for name in self.shown or ():
            mark, name = (name[0], name[1:]) if name[0] in "=?" else ("", name)
            value = getattr(self, name)
            if mark != "?" or value:
                texts.append(str(value) if mark == "=" else f"{name}={value!r}")
        return ", ".join(texts)
