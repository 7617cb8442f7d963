"""The table of operations, and the decorators `op` and `composed` that enter functions into it.

From one row follow the function of the package, the Tensor method, the operator and its
reflection, the in-place form, the generated tests and a line of the page of operations.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arrays.dispatch import parameter_names
from ..arrays.return_types import return_type
from .casting import casts
from .frames import passes_on, shorten
from .halves import in_single
from .inputs import ALIASES
from .op import PACKAGE, Op


@dataclass
class Entry:
    """A row of the table: a function, and the names and places where users find it."""

    name: str
    function: Callable[..., Any]  # what users call
    op: Op | None = None  # None for a composition of other operations
    home: str = ""  # "", "nn.functional", "linalg", "special"; "internal": offered nowhere
    aliases: tuple[str, ...] = ()  # further names, in the same places
    method: bool = True  # also x.name(...)
    operator: str = ""  # "__add__": also x + y, y + x and x += y
    commutative: bool = False
    inplace: bool = False  # also x.name_(...)
    varargs: str = ""  # the parameter that x.name(2, 3) may give in pieces
    array_names: tuple[str, ...] = ()  # NumPy's names for it
    samples: Sequence[Any] = field(default_factory=list)
    reference: Any = None  # PyTorch's name where it differs, or a function of the module torch
    public: bool = False  # `function` is not the op's own
    internal: bool = False  # a part of others: no module offers it
    scalar: str = ""  # why the scalar engine cannot be its reference, if it cannot
    module: str = ""  # where it is defined

    def __post_init__(self) -> None:
        self.internal = self.internal or self.home == "internal"
        self.module = self.function.__module__
        self._name(self.function)

    @property
    def key(self) -> str:
        return f"{self.home}.{self.name}" if self.home else self.name

    @property
    def doc(self) -> str:
        return (self.op.forward if self.op else self.function).__doc__ or ""

    def offer(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the function that users call, where it takes more than the op does.

        Operators go on calling the op itself.
        """
        self.function, self.public = function, True
        function.__name__ = self.name
        self._name(function)
        return function

    def _name(self, function: Callable[..., Any]) -> None:
        """Gives a function of the package its public name: errors show it, and pickle finds it."""
        if not self.internal and self.module.startswith(f"{PACKAGE}."):
            function.__module__ = f"{PACKAGE}.{self.home}" if self.home else PACKAGE
            function.__qualname__ = self.name


TABLE: dict[str, Entry] = {}

# Makes the methods and operators of an entry; set by `ops/__init__.py` once the package is loaded.
attach: list[Callable[[Entry], None]] = []


def _enter(entry: Entry) -> None:
    known = TABLE.get(entry.key)
    if known is not None and (known.module != entry.module
                              or entry.module.startswith(f"{PACKAGE}.")):
        raise ValueError(f"the operation {entry.key} is already defined, in {known.module}; "
                         "choose another name")
    TABLE[entry.key] = entry  # a notebook's cell, run again, defines its operation anew
    for make in attach:
        make(entry)


def op(promotes: str = "", promoted: tuple[str, ...] = (), view: bool = False,
       residuals: tuple[str, ...] = (), outputs: tuple[str, ...] = (), widens: bool = True,
       contiguous: bool = False, refuses_bool: bool = False, positions: tuple[str, ...] = (),
       autocast: str = "", mixes: bool = False, compares: bool = False, kind: type[Op] = Op,
       place: tuple[str, int] | None = None, **entry: Any) -> Callable[[Callable[..., Any]], Any]:
    """Defines an operation from its forward. The result is the function that users call.

    Its attributes `vjp` and `kernel` take rules and kernels, `run` calls it inside another op, and
    `op` is the `Op`.

    Args:
        promotes: "common": inputs become of one dtype, as PyTorch's arithmetic does; "float":
            moreover integers become the default dtype; "floating": moreover integers are an
            error; "same": differing dtypes are an error; "": each keeps its dtype.
        promoted: the inputs that take part in that; all of them by default.
        view: the result may share memory with the first input.
        residuals: names of what the forward returns after its result, for its rules. Under the
            name of an input it is kept in place of that, such as a copy of it. While the
            backward is recorded the rules are replaced by a walk back through the forward
            itself on Tensors, since a residual would count as a constant.
        outputs: names of the results, if the forward returns several: the call gives a named
            tuple, and `g` in a rule is a list with None for a result that has no gradient.
        widens: whether float16 inputs are computed with in float32, see halves.py; to be False if
            the dtype of the result is a parameter. Views never widen.
        contiguous: whether the result is in C order whatever the order of the inputs, as in
            PyTorch. NumPy keeps the order of a transposed input.
        refuses_bool: whether a bool operand is an error also beside another dtype.
        positions: inputs that hold positions or labels. A node saves a copy of them, because a
            program that reuses the buffer of its labels would get the gradient of other labels.
        autocast: what it does with its inputs inside `amp.autocast`, see casting.py.
        mixes: whether the first input may be float16 or bfloat16 beside others of float32; the
            result is of its dtype.
        compares: whether a Python number becomes float16 or bfloat16 beside a Tensor of that
            dtype, as in PyTorch's comparisons. In arithmetic it keeps its digits.
        kind: a subclass of Op, for an operation with a backward of its own.
        place: (file, line) of the definition, for an operation that a function makes.
        entry: the fields of `Entry`.
    """
    def define(forward: Callable[..., Any]) -> Any:
        made = kind(forward, promotes=promotes, promoted=promoted, view=view,
                    residuals=residuals, outputs=outputs, widens=widens, contiguous=contiguous,
                    refuses_bool=refuses_bool, positions=positions, autocast=autocast,
                    mixes=mixes, compares=compares, place=place)
        row = Entry(name=made.name, function=made.function, op=made, **entry)
        if outputs and row.home == "linalg":  # as PyTorch names them
            made.results = return_type(f"linalg_{made.name}", *outputs)
        made.function.public = row.offer
        _enter(row)
        return made.function

    return define


def composed(keywords: dict[str, str] | None = None, widens: bool = False, autocast: str = "",
             **entry: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters a function made of other operations into the table; `entry` as in `Entry`.

    `keywords` are further names of parameters, beside NumPy's. With `widens` float16 and bfloat16
    Tensors are computed with in float32, see halves.py. `autocast` as in `op`.
    """
    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        known = parameter_names(function)
        names = {new: old for new, old in {**ALIASES, **(keywords or {})}.items()
                 if old in known and new not in known}
        if "A" in known and "input" not in known:
            names["input"] = "A"  # torch.matrix_power(input, n) beside torch.linalg.matrix_power
        if widens:
            function = in_single(function)
        if autocast:
            function = casts(function, autocast)
        called = _with_other_names(names, function) if names else function
        _enter(Entry(name=function.__name__.rstrip("_"), function=called, **entry))
        return function

    return define


def _with_other_names(names: dict[str, str], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose parameters have further names."""
    @passes_on
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not names.keys().isdisjoint(kwargs):
            for new, old in names.items():
                if new in kwargs and old not in kwargs:
                    kwargs[old] = kwargs.pop(new)
        try:
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    called.other_names = names  # type: ignore[attr-defined]
    return called
