"""An operation: a forward, and a vector-Jacobian rule for each input.

An op is written once, in array language over `xp` (NumPy, CuPy, or the operations themselves on
Tensors, which is what makes the backward pass differentiable):

    @op(promotes="common", operator="__mul__", commutative=True, inplace=True, samples=binary())
    def mul(input: Array, other: Array):
        \"\"\"input * other. Shapes: (*), (*) -> the broadcast shape.\"\"\"
        return input * other

    mul.vjp(
        input=lambda g, other: g * other,
        other=lambda g, input: g * input,
    )

Arguments annotated as `Array`, `Array | None` or `Sequence[Array]` are the inputs: Tensors for
the caller, arrays in the forward. The other arguments are parameters. A forward that needs the
array module takes it as its first argument, `xp`.

A rule gives the gradient of one input. Its signature is its save list: it may name `g` (the
gradient of the output), `out`, an input, `<input>_shape`, `<input>_dtype`, a parameter, a residual
of the forward, `xp`, and in a joint rule `needs` (which of its gradients are wanted). A node keeps
what the rules in use name, and nothing else. Rules neither undo broadcasting nor add gradients
up: the engine does.

`Op.call` and `Op.backward` below are all that an operation does. The package `compiled` writes
both out for each op, for speed; without it these run.
"""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Sequence
from types import CodeType, FunctionType
from typing import Any, ClassVar

from ..arrays.devices import array_module, result_array
from ..arrays.dispatch import Dispatch, parameter_names
from ..arrays.return_types import return_type
from . import graph
from .casting import call_cast, casting
from .engine import unbroadcast
from .errors import recover
from .frames import OWN, passes_on
from .graph import pick, tensor_of
from .halves import half_among, half_of, narrowed, widened
from .inputs import Signature, array_of, prepare, take_sequence
from .modes import OBSERVED, mode, observe
from .out import into
from .versions import owner

PACKAGE = __name__.partition(".")[0]


# ---------------------------------------------------------------- an operation: forward and rules


class Op:
    """One operation. `function` is what users call, on Tensors."""

    compiler: ClassVar[Any] = None  # the package `compiled`, which sets this

    def __init__(self, forward: Callable[..., Any], *, promotes: str = "",
                 promoted: tuple[str, ...] = (), view: bool = False,
                 residuals: tuple[str, ...] = (), outputs: tuple[str, ...] = (),
                 widens: bool = True, contiguous: bool = False, refuses_bool: bool = False,
                 positions: tuple[str, ...] = (), autocast: str = "",
                 mixes: bool = False, compares: bool = False,
                 place: tuple[str, int] | None = None):
        self.forward = forward
        self.name = forward.__name__.rstrip("_")
        code = forward.__code__
        self.file, self.line = place or (code.co_filename, code.co_firstlineno)
        self.signature = Signature(forward)
        self.promotes = promotes
        self.promoted = promoted or self.signature.inputs
        self.view = view
        self.widens = widens and not view
        self.contiguous = contiguous
        self.refuses_bool = refuses_bool
        self.positions = positions
        self.autocast, self.mixes, self.compares = autocast, mixes, compares
        # A notebook's cell that is run again replaces its rules and kernels.
        self.replaceable = not forward.__module__.startswith(f"{PACKAGE}.")
        self.residuals = residuals
        self.outputs = outputs
        self.results: Any = return_type(self.name, *outputs) if outputs else None
        self.rules: dict[tuple[str, ...], Callable[..., Any]] = {}
        # The forward's kernels, under (), and those of the rules, under the names of their inputs.
        self.kernels: dict[tuple[str, ...], Dispatch] = {}
        self.plain = self.placed(_call)
        self.function = _function(self)
        title = "".join(part.capitalize() for part in self.name.split("_"))
        self.node_type = graph.node_type(f"{title}Backward0", self)
        self.half_node_types: dict[Any, Any] = {}
        self.changed()

    # ------------------------------------------------------------ forward

    @passes_on
    def call(self, *args: Any, **kwargs: Any) -> Any:
        """What users call: arrays out of Tensors, the forward, and a node if one is wanted."""
        if self.autocast and casting.targets:
            return call_cast(self.call, self.autocast, args, kwargs)
        values = self.signature.bind(self.name, args, kwargs)
        inputs = tuple(values[name] for name in self.signature.inputs)
        parameters = {name: values[name] for name in self.signature.parameters}
        try:
            inputs = self._take_inputs(inputs, values)
            half = half_among(inputs) if self.widens else None
            outs = self._compute(values, half)
        except Exception as error:
            outcome = recover(self, error, inputs, parameters)
            if not isinstance(outcome, Exception):
                return outcome
            try:
                if outcome is error:
                    raise
                raise outcome from None
            finally:
                del outcome  # or this frame and the error would keep each other alive
        tensors = [tensor_of(out, None) for out in outs]
        if self.view:
            mark_view(tensors[0], inputs[0])
        self._record(tensors, inputs, values, half)
        return self.results(*tensors) if self.outputs else tensors[0]

    @passes_on
    def call_into(self, *args: Any, out: Any, **kwargs: Any) -> Any:
        """What users call with `out=`."""
        return self.call(*args, **kwargs) if out is None \
            else into(out, self.function, *args, **kwargs)

    def _take_inputs(self, inputs: tuple[Any, ...], values: dict[str, Any]) -> tuple[Any, ...]:
        """The inputs as Tensors of one dtype and Constants; their arrays go into `values`."""
        names = self.signature.inputs
        if self.signature.variadic:
            inputs = take_sequence(self, inputs[0])
            values[names[0]] = [array_of(x) for x in inputs]
        else:
            inputs = tuple(prepare(self, *inputs))
            values.update(zip(names, map(array_of, inputs), strict=True))
        return inputs

    def _compute(self, values: dict[str, Any], half: Any) -> list[Any]:
        """The results of the forward; they and the residuals go into `values` too."""
        arrays = [values[name] for name in self.signature.inputs]
        xp = array_module(*arrays[0]) if self.signature.variadic else array_module(*arrays)
        given = {name: widened(x) for name, x in values.items()} if half else values
        results = self.forward_on(xp, **given)
        results = results if self.outputs or self.residuals else (results,)
        count = len(self.outputs) or 1
        outs, residuals = [result_array(out) for out in results[:count]], results[count:]
        if self.contiguous:
            outs = [out if out.flags.c_contiguous else out.copy() for out in outs]
        values |= dict(zip(self.outputs or ("out",), outs, strict=True))
        values |= dict(zip(self.residuals, residuals, strict=True))
        return [narrowed(out, half) for out in outs] if half else outs

    def _record(self, tensors: list[Any], inputs: tuple[Any, ...], values: dict[str, Any],
                half: Any) -> None:
        """Makes the node of the call and gives it to the results, if some gradient is wanted."""
        parents = [None if x is None else x._node for x in inputs]
        wanted = self._wanted(parents)
        if not mode.enabled or not any(wanted.values()):
            return
        kind = self.node_type_for(half)
        shape = () if self.outputs else tensors[0]._array.shape
        node = kind(parents, self._saved(wanted, values), shape)
        for i, tensor in enumerate(tensors):
            tensor._node = pick(node, i, tensor._array) if self.outputs else node
        if mode.enabled is OBSERVED:
            observe(node, tuple(tensors), tuple(values[n] for n in self.signature.order))

    def forward_on(self, xp: Any, *args: Any, **kwargs: Any) -> Any:
        """The forward on arrays of the module `xp`, or a kernel of it."""
        if () in self.kernels:
            return self.kernels[()](xp, *args, **kwargs)
        return self.forward(xp, *args, **kwargs) if self.signature.takes_xp \
            else self.forward(*args, **kwargs)

    def run(self, xp: Any, *args: Any, **kwargs: Any) -> Any:
        """This op inside another op's forward or rule, in the array language `xp`."""
        if xp is graph.tensors:
            return self.function(*args, **kwargs)
        half = half_of(args[0]) if self.widens else None
        if half:  # the gradient of a view, whose rule does not widen
            return narrowed(self.run(xp, *map(widened, args), **kwargs), half)
        out = self.forward_on(xp, *args, **kwargs)
        return out[0] if self.residuals else out

    def leave_node(self, parents: Sequence[Any], like: Any, **saved: Any) -> graph.Node:
        """The node of a call whose result, of the shape and dtype of the Tensor `like`, is in
        memory already: no forward runs. `saved` are the values of the save list."""
        kind = self.node_type_for(half_of(like) if self.widens else None)
        node: graph.Node = kind(parents, [saved[name] for name in self.save_list],
                                tuple(like._array.shape))
        return node

    def node_type_for(self, half: Any) -> Any:
        """The class of the nodes of calls on float32 and float64, or on that narrower dtype."""
        if half is None:
            return self.node_type
        if half not in self.half_node_types:
            self.half_node_types[half] = graph.half_node_type(self.node_type, half)
        return self.half_node_types[half]

    def _wanted(self, parents: Sequence[Any]) -> dict[str, bool]:
        """For each input that has a rule, whether its gradient is wanted."""
        if self.signature.variadic:
            return {name: any(p is not None for p in parents) for (name,) in self.rules}
        ruled = {name for names in self.rules for name in names}
        return {name: parent is not None
                for name, parent in zip(self.signature.inputs, parents, strict=True)
                if name in ruled}

    def _saved(self, wanted: dict[str, bool], values: dict[str, Any]) -> tuple[Any, ...]:
        """The values that the rules in use name; None for those that no such rule names."""
        used = {name for names, rule in self.rules.items() if any(wanted[n] for n in names)
                for name in (self.save_list if self.residuals else parameter_names(rule))}
        return tuple(self._value(name, values) if name in used else None
                     for name in self.save_list)

    def _value(self, name: str, values: dict[str, Any]) -> Any:
        if name in values:
            return values[name].copy() if name in self.positions else values[name]
        source, _, attribute = name.rpartition("_")  # input_shape, input_dtype
        if self.signature.variadic:
            return [getattr(array, attribute) for array in values[source]]
        return getattr(values[source], attribute)

    # ------------------------------------------------------------ backward

    def backward(self, node: graph.Node, xp: Any, g: Any, sums: Any, parents: Any = None) -> None:
        """The chain rule: the rules turn the gradient `g` of the output into those of the inputs.

        `parents` as in `Node.backward`.
        """
        parents = parents or node.parents
        values = {**dict(zip(self.save_list, node.take(sums), strict=True)), "g": g}
        if node.half:
            values = {name: widened(value) for name, value in values.items()}
        values["xp"] = xp
        for names, rule in self.derivatives.items():
            receivers = parents if self.signature.variadic \
                else [parents[self.signature.inputs.index(name)] for name in names]
            needs = [receiver is not None for receiver in receivers]
            if not any(needs):
                continue
            values["needs"] = needs
            gradients = rule(xp, **{name: values[name] for name in rule.parameters})
            several = len(names) > 1 or self.signature.variadic
            for receiver, d in zip(receivers, gradients if several else (gradients,), strict=True):
                if receiver is None or d is None:
                    continue
                if node.half:  # rounded after the sum over what was broadcast
                    d = narrowed(d if d.shape == receiver.shape
                                 else unbroadcast(d, receiver.shape), node.half)
                sums.add(receiver, d)

    @functools.cached_property
    def derivatives(self) -> dict[tuple[str, ...], Dispatch]:
        """The rules, with their kernels: a kernel of several rules in place of these."""
        joint = [names for names in self.kernels if names and names not in self.rules]
        alone = [names for names in self.rules if not any(names[0] in many for many in joint)]
        return {names: self.kernels.get(names) or Dispatch(self.name, self.rules[names])
                for names in (*joint, *alone)}

    @functools.cached_property
    def save_list(self) -> tuple[str, ...]:
        """Every name that some rule asks its node to keep."""
        names = [n for rule in self.rules.values() for n in parameter_names(rule)]
        if self.residuals:  # a recorded backward runs the forward again
            names += self.signature.order
        kept = tuple(dict.fromkeys(n for n in names if n not in ("xp", "g", "needs")))
        arrays = {*self.signature.inputs, *(self.outputs or ("out",)), *self.residuals}
        self.node_type.keeps = not arrays.isdisjoint(kept)
        return kept

    # ------------------------------------------------------------ definition

    def vjp(self, *names: str, **rules: Callable[..., Any]) -> Any:
        """The derivative: `vjp(input=rule)`, or a decorator `@vjp("input")`.

        With several names it is a joint rule, which returns a gradient for each.

        Raises:
            TypeError: a name that is not an input; a rule that names what it cannot have.
        """
        if names:
            def register(rule: Callable[..., Any]) -> Callable[..., Any]:
                self._add_rule(names, rule)
                return rule

            return register
        for name, rule in rules.items():
            self._add_rule((name,), rule)
        return self.function

    def _add_rule(self, names: tuple[str, ...], rule: Callable[..., Any]) -> None:
        for name in names:
            if name not in self.signature.inputs:
                raise TypeError(f"{self.name}: a rule for {name!r}, but the inputs are "
                                f"{', '.join(self.signature.inputs)}")
            if any(name in known for known in self.rules if known != names or not self.replaceable):
                raise TypeError(f"{self.name}: a second rule for {name!r}")
        known = self.signature.known_names((*(self.outputs or ("out",)), *self.residuals))
        if len(names) == 1 and not self.signature.variadic:
            known.discard("needs")  # a rule for one input runs only if its gradient is needed
        for name in parameter_names(rule):
            if name not in known:
                raise TypeError(f"{self.name}: the rule for {' and '.join(names)} names {name!r}; "
                                f"it may name {', '.join(sorted(known))}")
        self.rules[names] = rule
        self.changed()

    def kernel(self, device: str, *names: str, work: Callable[..., int] | None = None,
               ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Decorates a kernel: without names of the forward, else of the rule for these inputs.

        A kernel of the rules for several inputs takes all that these take, and `needs`, and
        returns a gradient for each, or None for one that is not needed.

        Compiled calls whose `work(...)`, a function of arguments of the kernel, is below
        `KernelSettings.min_work` skip a CPU kernel.

        Raises:
            KeyError: there is no such rule.
            TypeError, ValueError: as `Dispatch.kernel`.
        """
        if names and names not in self.rules and not all((name,) in self.rules for name in names):
            raise KeyError(f"{self.name}: a kernel of the rule for {' and '.join(names)}; there "
                           f"are rules for {', '.join(' and '.join(n) for n in self.rules)}")

        def register(kernel: Callable[..., Any]) -> Callable[..., Any]:
            part = self.kernels.get(names)
            if part is not None and self.replaceable:
                part.kernels.pop(device, None)
            if part is None:
                title = f"{self.name}: the rule for {' and '.join(names)}" if names else self.name
                part = Dispatch(title, self._reference(names))
            part.kernel(device)(kernel)
            if device == "cpu":
                part.work = work
            self.kernels[names] = part
            self.changed()
            return kernel

        return register

    def _reference(self, names: tuple[str, ...]) -> Callable[..., Any]:
        """The function that the kernels under `names` replace."""
        if not names:
            return self.forward
        return self.rules[names] if names in self.rules \
            else _joint([self.rules[name,] for name in names])

    def changed(self) -> None:
        """To be called after a change of the forward, the rules or the kernels."""
        self.__dict__.pop("save_list", None)
        self.__dict__.pop("derivatives", None)
        for names, part in self.kernels.items():
            part.reference = self._reference(names)
        if Op.compiler is not None:
            Op.compiler.install(self)
        elif self.function.__code__ is not self.plain:
            self.function.__code__ = self.plain
            self.function.__defaults__ = self.function.__kwdefaults__ = None
            if "backward" in vars(self.node_type):
                del self.node_type.backward

    def placed(self, function: Callable[..., Any]) -> CodeType:
        """The code of `function` as if it stood where the op is defined, for whoever asks for the
        source: a traceback, `inspect.getsource`, a debugger.
        """
        return function.__code__.replace(co_filename=self.file, co_firstlineno=self.line,
                                         co_name=self.name)

    @property
    def source(self) -> str:
        """The text of the written call and backward, or that of the forward and the rules if the
        package `compiled` is not there.
        """
        if Op.compiler is not None:
            return Op.compiler.source(self)
        return "\n".join(map(inspect.getsource, (self.forward, *self.rules.values())))

    def __repr__(self) -> str:
        return f"<op {self.name}>"


def _function(op: Op) -> Any:
    """The function that users call: named, documented and placed as the definition of the op.

    It has globals of its own, so that the package `compiled` can give it other code.
    """
    function: Any = FunctionType(op.plain, {"op": op, OWN: True}, op.name)
    function.__module__, function.__qualname__ = op.forward.__module__, op.forward.__qualname__
    function.__doc__, function.__signature__ = op.forward.__doc__, op.signature.shown
    function.op, function.vjp, function.kernel, function.run = op, op.vjp, op.kernel, op.run
    return function


def _call(*args: Any, **kwargs: Any) -> Any:
    try:
        if "out" in kwargs:
            return op.call_into(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821
        return op.call(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821
    except BaseException as error:  # the traceback shows the forward only
        error.__traceback__ = error.__traceback__.tb_next  # type: ignore[union-attr]
        raise


def _joint(rules: Sequence[Callable[..., Any]]) -> Callable[..., Any]:
    """Rules for one input each as a joint rule."""
    named = [parameter_names(rule) for rule in rules]
    order = sorted(dict.fromkeys(name for names in named for name in names), key="xp".__ne__)
    order.append("needs")

    def joint(*args: Any, **kwargs: Any) -> list[Any]:
        given = dict(zip(order, args, strict=False)) | kwargs
        return [rule(**{name: given[name] for name in names}) if needed else None
                for rule, names, needed in zip(rules, named, given["needs"], strict=True)]

    joint.__signature__ = Signature.of_names(order)  # type: ignore[attr-defined]
    return joint


def mark_view(result: Any, source: Any) -> None:
    """If `result` shares the memory of `source`, notes that it is a view of it, or of its base."""
    if owner(result._array) is owner(source._array):
        result._base = base = source if source._base is None else source._base
        views = base._views
        if views is None:
            views = base._views = set()
        views.add(weakref.ref(result, views.discard))
