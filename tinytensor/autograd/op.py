"""What an operation is, and the table of all of them.

An op is written once, in array language over `xp` (NumPy, CuPy, or the ops themselves on
Tensors, which is what makes the backward pass differentiable):

    @op(promotes="common", operator="__mul__", commutative=True, inplace=True, samples=binary())
    def mul(input: Array, other: Array):
        \"\"\"input * other. Shapes: (*), (*) -> the broadcast shape.\"\"\"
        return input * other

    mul.vjp(
        input=lambda g, other: g * other,
        other=lambda g, input: g * input,
    )

Arguments annotated as `Array`, `Array | None` or `Sequence[Array]` are Tensors outside and
arrays inside; the others are parameters. A forward that needs the array module names it first,
as `xp`.

A rule gives the gradient of one argument. Its signature is its save list: it may name `g` (the
incoming gradient), `out`, an input, `<input>_shape`, `<input>_dtype`, a parameter, a residual
of the forward, `xp`, and in a joint rule `needs` (which of its gradients are wanted). The node
keeps what the rules in use name, and nothing else. Rules neither undo broadcasting nor add
gradients up: the engine does.

What is a combination of other ops is a plain function under `@composed`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy

from ..arrays import devices, dtypes
from ..arrays.dispatch import Dispatch, parameter_names
from . import engine
from .compiler import (
    ALIASES,
    Constant,
    Deferred,
    Signature,
    compile_backward,
    compile_call,
    save_list,
)


@dataclass
class Entry:
    """A row of the table of operations: a function, and where it goes by which names."""

    name: str
    function: Callable[..., Any]
    op: Op | None = None
    home: str = ""  # "", "nn.functional", "linalg"; "internal" keeps names apart from theirs
    aliases: tuple[str, ...] = ()  # further names, in the same places
    method: bool = True  # also x.name(...)
    operator: str = ""  # "__add__": also x + y, y + x and x += y
    commutative: bool = False
    inplace: bool = False  # also x.name_(...)
    varargs: str = ""  # the parameter that x.name(2, 3) may give in pieces
    array_names: tuple[str, ...] = ()  # what NumPy calls it
    samples: Sequence[Any] = field(default_factory=list)
    reference: Any = None  # PyTorch's name where it differs, or a function of the module torch
    public: bool = False  # `function` is not the op's own
    internal: bool = False  # a part of others: no module offers it
    scalar: str = ""  # why the scalar engine cannot be its reference, if it cannot

    def __post_init__(self) -> None:
        self.internal = self.internal or self.home == "internal"

    @property
    def doc(self) -> str:
        return (self.op.forward if self.op else self.function).__doc__ or ""


TABLE: dict[str, Entry] = {}


def _enter(entry: Entry) -> None:
    key = f"{entry.home}.{entry.name}" if entry.home else entry.name
    if key in TABLE:
        raise ValueError(f"the operation {key} is defined twice")
    TABLE[key] = entry


class Op:
    """One operation with rules of its own. Calling it is what users do, on Tensors."""

    def __init__(self, forward: Callable[..., Any], promotes: str = "",
                 promoted: tuple[str, ...] = (), view: bool = False,
                 residuals: tuple[str, ...] = (), outputs: tuple[str, ...] = ()):
        self.forward = forward
        self.name = forward.__name__.rstrip("_")
        self.signature = Signature(forward)
        self.promotes = promotes
        self.promoted = promoted or self.signature.inputs
        self.view = view
        self.residuals = residuals
        self.outputs = outputs
        self.rules: dict[tuple[str, ...], Callable[..., Any]] = {}
        self.adders: dict[str, Callable[..., Any]] = {}
        # What stands in for the forward, under (), and for the rules, under their inputs.
        self.kernels: dict[tuple[str, ...], Dispatch] = {}
        self.entry: Entry | None = None
        self.watcher: Callable[..., Any] | None = None
        title = "".join(part.capitalize() for part in self.name.split("_"))
        self._call = Deferred(self.name, lambda: compile_call(self, prepare, recover))
        self._backward = Deferred("backward", lambda: compile_backward(self))
        self.function = self._call.function
        self.function.__doc__ = forward.__doc__
        self.function.__module__ = forward.__module__
        self.function.__signature__ = inspect.Signature(self.signature.all)
        self.node_type = engine.node_type(f"{title}Backward0", self, self._backward.function)
        self._compile()

    def vjp(self, *names: str, **rules: Callable[..., Any]) -> Any:
        """The derivative: `vjp(input=rule)`, or a decorator `@vjp("input")`.

        With several names it is a joint rule, which returns a gradient for each.

        Raises:
            TypeError: an argument that is not an input; a rule that names what it cannot have.
        """
        if names:
            def register(rule: Callable[..., Any]) -> Callable[..., Any]:
                self._add_rule(names, rule)
                return rule

            return register
        for name, rule in rules.items():
            self._add_rule((name,), rule)
        return self

    def _add_rule(self, names: tuple[str, ...], rule: Callable[..., Any]) -> None:
        for name in names:
            if name not in self.signature.inputs:
                raise TypeError(f"{self.name}: a rule for {name!r}, but the inputs are "
                                f"{', '.join(self.signature.inputs)}")
            if any(name in known for known in self.rules):
                raise TypeError(f"{self.name}: a second rule for {name!r}")
        known = self.signature.known_names((*(self.outputs or ("out",)), *self.residuals))
        if len(names) == 1 and not self.signature.variadic:
            known.discard("needs")  # of a single gradient it is known that it is needed
        self._check_names(f"the rule for {' and '.join(names)}", rule, known)
        self.rules[names] = rule
        self._compile()

    def _check_names(self, what: str, function: Callable[..., Any], known: set[str]) -> None:
        for name in parameter_names(function):
            if name not in known:
                raise TypeError(f"{self.name}: {what} names {name!r}; "
                                f"it may name {', '.join(sorted(known))}")

    def adder(self, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates what adds the gradient of an input to a `total` that may be written.

        For a rule whose result is an array of its own, and zero but for a few places: many such
        arrays, as of the pieces of a sequence, would take time in the square of their number.

        Raises:
            TypeError: it names what the rule for this input does not.
        """
        def register(add: Callable[..., Any]) -> Callable[..., Any]:
            self._check_names(f"what adds to the gradient of {name}", add,
                              {"total", *parameter_names(self.rules[name,])})
            self.adders[name] = add
            self._compile()
            return add

        return register

    def kernel(self, device: str, *names: str, work: Callable[..., int] | None = None,
               ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates a kernel: without names of the forward, else of the rule for these inputs.

        Or for the rules of several inputs: it takes all that these do, and `needs`, and returns a
        gradient for each, or None for one that is not needed.

        Calls whose `work(...)`, a function of arguments of the kernel, is below
        `KernelSettings.min_work` skip the CPU kernel.

        Raises:
            KeyError: there is no such rule.
            TypeError, ValueError: as `Dispatch.kernel`.
        """
        if names and names not in self.rules and not all((name,) in self.rules for name in names):
            raise KeyError(f"{self.name}: a kernel of the rule for {' and '.join(names)}; there "
                           f"are rules for {', '.join(' and '.join(n) for n in self.rules)}")
        def register(kernel: Callable[..., Any]) -> Callable[..., Any]:
            part = self.kernels.get(names)
            if part is None:
                title = f"{self.name}: the rule for {' and '.join(names)}" if names else self.name
                part = Dispatch(title, self._reference(names))
            part.kernel(device)(kernel)
            if device == "cpu":
                part.work = work
            self.kernels[names] = part
            self._compile()
            return kernel

        return register

    def _reference(self, names: tuple[str, ...]) -> Callable[..., Any]:
        """What a kernel stands in for."""
        if not names:
            return self.forward
        return self.rules[names] if names in self.rules \
            else all_of([self.rules[name,] for name in names])

    @property
    def source(self) -> str:
        """The text of the call and of the node's backward, as the compiler writes them."""
        return f"{self._call.write().source}\n\n{self._backward.write().source}"

    def _compile(self) -> None:
        """Takes note of the rules; the functions are written anew when they are next called."""
        self.__dict__.pop("save_list", None)
        for names, part in self.kernels.items():
            part.reference = self._reference(names)
        self._call.reset()
        self._backward.reset()

    @functools.cached_property
    def save_list(self) -> tuple[str, ...]:
        """What a node keeps, by name; `compile_call` asks before there is a node."""
        kept = save_list(self)
        arrays = {*self.signature.inputs, *(self.outputs or ("out",)), *self.residuals}
        self.node_type.keeps = not arrays.isdisjoint(kept)
        return kept

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def public(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Decorates the function that users call, where it takes more than the op does.

        Operators go on calling the op itself.
        """
        assert self.entry is not None
        self.entry.function, self.entry.public = function, True
        function.__name__ = function.__qualname__ = self.name
        return function

    @contextlib.contextmanager
    def watched(self, see: Callable[..., Any]) -> Iterator[None]:
        """Within, each call first gives `see` the arrays and parameters that it computes with."""
        self.watcher = see
        self._call.reset()
        try:
            yield
        finally:
            self.watcher = None
            self._call.reset()

    def run(self, xp: Any, *args: Any, **kwargs: Any) -> Any:
        """This op inside another op's forward or rule, in the language `xp`."""
        if xp is engine.tensors:
            return self.function(*args, **kwargs)
        if () in self.kernels:
            out = self.kernels[()](xp, *args, **kwargs)
        elif self.signature.takes_xp:
            out = self.forward(xp, *args, **kwargs)
        else:
            out = self.forward(*args, **kwargs)
        return out[0] if self.residuals else out

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def all_of(rules: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """Rules of single inputs as a joint one."""
    named = [parameter_names(rule) for rule in rules]
    order = sorted(dict.fromkeys(name for names in named for name in names), key="xp".__ne__)

    def joint(*values: Any) -> list[Any]:
        *values, needs = values  # type: ignore[assignment]
        given = dict(zip(order, values, strict=True))
        return [rule(**{name: given[name] for name in names}) if needed else None
                for rule, names, needed in zip(rules, named, needs, strict=True)]

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    joint.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(name, kind) for name in (*order, "needs")])
    return joint


def op(promotes: str = "", promoted: tuple[str, ...] = (), view: bool = False,
       residuals: tuple[str, ...] = (), outputs: tuple[str, ...] = (),
       **entry: Any) -> Callable[[Callable[..., Any]], Op]:
    """Defines an operation from its forward.

    Args:
        promotes: "common": inputs become of one dtype, as PyTorch's arithmetic does; "float":
            moreover integers become the default dtype; "floating": moreover integers are an
            error; "same": differing dtypes are an error;
            "": each stays what it is.
        promoted: the inputs that take part in that; all of them by default.
        view: the result may share memory with the first input.
        residuals: names of what the forward returns beside its result, for its rules. While
            the backward is recorded the rules are replaced by a walk back through the forward
            itself on Tensors, since a residual would count as a constant.
        outputs: names of the results, if the forward returns several: the call gives a named
            tuple, and `g` in a rule is a list with None for a result that has no gradient.
        entry: the fields of `Entry`.
    """
    def define(forward: Callable[..., Any]) -> Op:
        made = Op(forward, promotes, promoted, view, residuals, outputs)
        made.entry = Entry(name=made.name, function=made.function, op=made, **entry)
        _enter(made.entry)
        return made

    return define


def composed(keywords: dict[str, str] | None = None, **entry: Any,
             ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enters a function made of other ops into the table; `entry` as in `Entry`.

    `keywords` are further names of parameters, beside NumPy's, for those that users call by name.
    """
    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        known = parameter_names(function)
        names = {new: old for new, old in {**ALIASES, **(keywords or {})}.items()
                 if old in known and new not in known}
        _enter(Entry(name=function.__name__.rstrip("_"), function=_also_by(names, function)
                     if names else function, **entry))
        return function

    return define


def _also_by(names: dict[str, str], function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose parameters have further names."""
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if kwargs and not names.keys().isdisjoint(kwargs):
            for new, old in names.items():
                if new in kwargs and old not in kwargs:
                    kwargs[old] = kwargs.pop(new)
        return function(*args, **kwargs)

    return called


# ---------------------------------------------------------------- inputs


def constant(number: Any) -> Constant:
    made = Constant()
    made._array = number
    return made


def prepare(op: Op, *inputs: Any) -> list[Any]:
    """The inputs of a call as Tensors and Constants of the dtype in which the op computes."""
    if len(inputs) == 2 and op.promotes in ("common", "float"):
        ready = _with_number(*inputs)
        if ready is not None:
            return ready
    names = op.signature.inputs if not op.signature.variadic else op.signature.inputs * len(inputs)
    values = [_as_input(op, name, x) for name, x in zip(names, inputs, strict=True)]
    if not op.promotes:
        return values
    chosen = [i for i, name in enumerate(names) if name in op.promoted and values[i] is not None]
    arrays = [values[i]._array for i in chosen]
    if all(isinstance(v, Constant) for v in values if v is not None):
        raise TypeError(f"{op.name}: expected a Tensor, got "
                        + " and ".join(type(x).__name__ for x in inputs))
    if op.promotes == "same":
        kinds = list(dict.fromkeys(dtypes.of_array(a).name for a in arrays))
        if len(kinds) > 1:
            raise RuntimeError(f"{op.name}: the inputs must have one dtype, got "
                               f"{' and '.join(kinds)}; convert with .to(...)")
        return values
    together = dtypes.result_dtype(tuple(arrays))
    if op.promotes == "floating" and together.kind not in "fO":
        raise RuntimeError(f"{op.name}: needs floating point, got "
                           f"{dtypes.BY_NUMPY[together].name}; convert it with .float() first")
    if op.promotes == "float" and together.kind not in "fO":
        together = dtypes.get_default_dtype().numpy
    weak = any(devices.is_array(a) for a in arrays)
    for i in chosen:
        value = values[i]
        if isinstance(value, Constant):
            values[i] = constant(_number(value._array, together, weak))
        elif value._array.dtype is not together:
            values[i] = value.to(dtypes.BY_NUMPY[together])
    return values


def _with_number(a: Any, b: Any) -> list[Any] | None:
    """The inputs if they are a floating point Tensor and a Python number: by far the most calls."""
    for number, tensor in ((a, b), (b, a)):
        if number.__class__ in (float, int) and isinstance(tensor, engine.Tensor) \
                and tensor._array.dtype.kind == "f":
            ready = constant(float(number))
            return [ready, tensor] if number is a else [tensor, ready]
    return None


def _as_input(op: Op, name: str, x: Any) -> Any:
    if isinstance(x, engine.Tensor):
        return x
    if x is None and name in op.signature.optional:
        return None
    if isinstance(x, numpy.generic):
        x = numpy.asarray(x)
    if devices.is_array(x):
        dtypes.of_array(x)
        return engine.tensor_of(x, None)
    if isinstance(x, bool | int | float) and op.promotes in ("common", "float") \
            and name in op.promoted:
        return constant(x)
    hint = "; write tensor(...) around it" if isinstance(x, list | tuple | int | float) else ""
    raise TypeError(f"{op.name}: `{name}` must be a Tensor, got {type(x).__name__}{hint}")


def _number(number: Any, together: Any, weak: bool) -> Any:
    """A Python number that leaves the dtype of arrays beside it as it is."""
    if together.kind == "O":
        return number
    if together.kind in "iu":
        limits = numpy.iinfo(together)
        if not limits.min <= number <= limits.max:  # wraps around, as PyTorch's does
            return numpy.asarray(number).astype(together)[()]
    if not weak:  # NumPy's scalar of that dtype, which arrays of a GPU take too
        return numpy.asarray(number, dtype=together)[()]
    return {"f": float, "b": bool}.get(together.kind, int)(number)


# ---------------------------------------------------------------- errors


def recover(op: Op, error: Exception, inputs: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
    """What to do when a forward failed: an error that a user understands, or another try."""
    if op.signature.variadic:
        inputs = tuple(inputs[0])
    tensors = [x for x in inputs if x is not None and devices.is_array(x._array)]
    places = list(dict.fromkeys(devices.device_of(t._array) for t in tensors))
    if len(places) > 1:
        gpu = next(p for p in places if p.type == "cuda")
        if len(places) == 2 and all(
                t._array.ndim == 0 for t in tensors if devices.device_of(t._array) != gpu):
            moved = [x.to(gpu) if isinstance(x, engine.Tensor) else x for x in inputs]
            named = dict(zip(op.signature.inputs, moved, strict=True))
            return op.function(**{n: {**named, **parameters}[n] for n in op.signature.order})
        raise RuntimeError(f"{op.name}: the inputs are on different devices, "
                           f"{' and '.join(map(str, places))}; move them with .to(...)") from None
    shapes = [tuple(t._array.shape) for t in tensors]
    if isinstance(error, ValueError) and "broadcast" in str(error):
        raise RuntimeError(f"{op.name}: {broadcast_problem(shapes)}") from None
    if isinstance(error, TypeError) and re.search("not supported|Wrong type", str(error)):
        kinds = " and ".join(dict.fromkeys(t._array.dtype.name for t in tensors))
        raise RuntimeError(f"{op.name}: is not defined for {kinds}; convert with .to(...)"
                           ) from None  # as NumPy, and in other words CuPy, says it
    error.add_note(f"in {op.name}, on inputs of shape {', '.join(map(str, shapes))}")
    raise error


def broadcast_problem(shapes: Sequence[tuple[int, ...]]) -> str:
    """Why shapes do not broadcast: the sizes that differ, and where."""
    listed = " and ".join(map(str, shapes))
    for back in range(1, max(map(len, shapes)) + 1):
        sizes = {s[-back] for s in shapes if len(s) >= back} - {1}
        if len(sizes) > 1:
            met = " and ".join(map(str, sorted(sizes)))
            return (f"shapes {listed} do not broadcast: sizes {met} differ at dimension {-back}; "
                    "sizes must be equal, or one of them 1")
    return f"shapes {listed} do not fit"
