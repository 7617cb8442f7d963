"""Writes the plumbing of each op from its signature, once, when it is first called.

A general call would build lists at every step, and a small array operation, a third of a
microsecond, would be buried under them. So for each op two functions are written out as one
would write them by hand: the call that users make, and the node's `backward`. To read them:

    >>> print(tinytensor.ops.elementwise.mul.source)
"""

from __future__ import annotations

import collections
import inspect
import linecache
import sys
import weakref
from collections.abc import Callable
from heapq import heappush
from types import FunctionType
from typing import Any

import numpy

from ..arrays import devices
from ..arrays.dispatch import KernelSettings, parameter_names
from . import engine
from .expressions import written_out
from .modes import check_finite, everywhere, mode
from .versions import OWN, clock, owner

ARRAY, OPTIONAL, VARIADIC = "Array", "Array | None", "Sequence[Array]"
ALIASES = {"axis": "dim", "keepdims": "keepdim"}  # NumPy's words, which PyTorch accepts too


class Signature:
    """What the signature of a forward says: which names are arrays, which are parameters."""

    def __init__(self, forward: Callable[..., Any]):
        given = inspect.signature(forward).parameters
        self.takes_xp = next(iter(given), "") == "xp"
        self.all = [p for p in given.values() if p.name != "xp"]
        self.order = tuple(p.name for p in self.all)
        kinds = {p.name: p.annotation for p in self.all}
        self.inputs = tuple(n for n, k in kinds.items() if k in (ARRAY, OPTIONAL, VARIADIC))
        self.optional = tuple(n for n, k in kinds.items() if k == OPTIONAL)
        self.variadic = VARIADIC in kinds.values()
        self.parameters = tuple(n for n in kinds if n not in self.inputs)
        if not self.inputs or self.variadic and len(self.inputs) > 1:
            raise TypeError(f"{forward.__name__}: annotate the arrays as {ARRAY!r} or "
                            f"{OPTIONAL!r}, or one argument as {VARIADIC!r}")

    def known_names(self, results: tuple[str, ...]) -> set[str]:
        """What a rule may name."""
        about = {f"{n}_{what}" for n in self.inputs for what in ("shape", "dtype")}
        return {"xp", "g", "needs", *self.inputs, *self.parameters, *results, *about}


def save_list(op: Any) -> tuple[str, ...]:
    """Every name that some rule of `op` asks its node to keep."""
    names = [n for rule in op.rules.values() for n in parameter_names(rule)]
    if op.residuals:  # a recorded backward runs the forward again
        names += op.signature.order
    return tuple(dict.fromkeys(n for n in names if n not in ("xp", "g", "needs")))


class _Source:
    """Lines of Python, and the objects that they refer to."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.namespace: dict[str, Any] = {}

    def add(self, indent: int, *lines: str) -> None:
        self.lines += ["    " * indent + line for line in lines]

    def build(self, op: Any, name: str) -> Any:
        text = "\n".join(self.lines) + "\n"
        file = f"<tinytensor op {op.name}: {name}>"
        linecache.cache[file] = (len(text), None, text.splitlines(True), file)  # for tracebacks
        # Under the forward's module name, so that what holds for that module holds here.
        self.namespace["__name__"] = op.forward.__module__
        exec(compile(text, file, "exec"), self.namespace)
        function = self.namespace[name]
        function.source = text
        return function


def _placeholder(*args: Any, **kwargs: Any) -> Any:
    return become()(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


class Deferred:
    """A function that is written when it is first called: there are hundreds, and few are used.

    `function` is one object from the start, so that it can be handed out under many names; its
    first call gives it the code that `write` builds.
    """

    def __init__(self, name: str, write: Callable[[], Any]):
        self.write = write
        self.function: Any = FunctionType(_placeholder.__code__, {
            "become": self.become, OWN: True}, name)
        self.function.__qualname__ = name  # what Python's errors about arguments say

    def become(self) -> Any:
        """Writes the function, and returns it."""
        written, function = self.write(), self.function
        function.__globals__.update(written.__globals__)
        function.__code__ = written.__code__
        function.__defaults__, function.__kwdefaults__ = written.__defaults__, \
            written.__kwdefaults__
        return function

    def reset(self) -> None:
        """Forgets what was written, because what it was written from has changed."""
        self.function.__code__ = _placeholder.__code__
        self.function.__defaults__ = self.function.__kwdefaults__ = None


def _tuple(items: Any) -> str:
    return "(" + "".join(f"{item}, " for item in items).strip() + ")"


# ---------------------------------------------------------------- the call


class Constant:
    """A Python number among Tensors: it takes their dtype and has no gradient."""

    _array: Any
    _node = None


def compile_call(op: Any, prepare: Any, recover: Any) -> Callable[..., Any]:
    """What users call: arrays out of Tensors, the forward, and a node when one is wanted."""
    signature: Signature = op.signature
    source = _Source()
    takes_xp = signature.takes_xp or () in op.kernels
    source.namespace |= {
        "op": op, "forward": op.forward, "settings": KernelSettings,
        "NodeType": op.node_type, "Tensor": engine.Tensor,
        "prepare": prepare, "recover": recover, "Constant": Constant, "renamed": renamed,
        "numpy": numpy, "ndarray": numpy.ndarray, "generic": numpy.generic, "array": numpy.array,
        "float32": numpy.dtype("float32"), "numbers": frozenset((float, int)),
        "array_module": devices.array_module,
        "graph_mode": mode, "everywhere": everywhere,
        "as_array": devices.result_array, "new": object.__new__, "clock": clock,
        "getframe": sys._getframe, "mark_view": mark_view, "check_finite": check_finite,
    }
    header, arguments, keyword_only = [], [], False
    for p in signature.all:
        if p.kind is p.KEYWORD_ONLY and not keyword_only:
            header.append("*")
            keyword_only = True
        if p.default is not p.empty:
            source.namespace[f"default_{p.name}"] = p.default
        header.append(p.name if p.default is p.empty else f"{p.name}=default_{p.name}")
        value = f"{p.name}_" if p.name in signature.inputs else p.name
        arguments.append(f"{p.name}={value}" if keyword_only else value)
    aliased = [p for p in signature.parameters if p in ALIASES.values()]
    source.add(0, f"def {op.name}({', '.join(header + ['**aliases'] * bool(aliased))}):")
    if aliased:
        given = ", ".join(f"{p}={p}" for p in aliased)
        source.add(1, "if aliases:",
                   f"    {', '.join(aliased)}, = renamed({op.name!r}, aliases, {given})")
    for p in signature.all:
        if p.annotation in ("float", "float | None"):
            source.add(1, f"if isinstance({p.name}, generic):  # NumPy's would decide the dtype",
                       f"    {p.name} = {p.name}.item()")
    plain = None if keyword_only or signature.variadic else written_out(
        op.forward, {"xp": "xp", **dict(zip(signature.order, arguments, strict=True))},
        source.namespace)
    if signature.variadic:
        _take_sequence(source, op, takes_xp)
    else:
        _take_inputs(source, op, takes_xp, plain is not None)
    if takes_xp:
        arguments.insert(0, "xp")
    parameters = ", ".join(f"{p}={p}" for p in signature.parameters)
    call = plain or f"forward({', '.join(arguments[takes_xp and not signature.takes_xp:])})"
    if () in op.kernels:
        names = {name: f"{name}_" if name in signature.inputs else name for name in signature.order}
        call = _kernel_or(source, op.kernels[()], "kernel", ", ".join(arguments[1:]), names, call)
    if op.watcher is not None:
        source.namespace["see"] = op.watcher
        source.add(1, f"see({', '.join(arguments[takes_xp:])})")
    source.add(
        1,
        "try:",
        f"    {', '.join([*(op.outputs or ['out']), *op.residuals])} = "
        + call,
        "except Exception as error:",
        f"    return recover(op, error, {_tuple(signature.inputs)}, dict({parameters}))",
    )
    if op.outputs:
        source.namespace["Results"] = collections.namedtuple(op.name, op.outputs)
        source.namespace["pick"] = engine.pick
        source.add(1, f"result = [tensor_of(as_array(out), None) for out in {_tuple(op.outputs)}]",
                   "shape = None")
        source.namespace["tensor_of"] = engine.tensor_of
    else:
        source.add(1, "try:", "    shape = out.shape",
                   "except AttributeError:  # a single Value, out of an array of them",
                   "    shape = ()",
                   "if not shape:", "    out = as_array(out)",
                   "result = new(Tensor)", "result._array = out", "result._node = None")
    if op.view:
        source.add(1, f"mark_view(result, {signature.inputs[0]}, {op.name}, dict({parameters}))")
    if op.rules:
        _leave_node(source, op)
    source.add(1, "return Results(*result)" if op.outputs else "return result")
    return source.build(op, op.name)


def _take_inputs(source: _Source, op: Any, takes_xp: bool, plain: bool) -> None:
    """Lines that take the arrays of a fixed number of inputs, of one dtype if need be.

    `plain` says that the forward is one expression, which does not ask whether it has a number.
    """
    inputs, optional = op.signature.inputs, op.signature.optional
    promoted = [i for i in inputs if i in op.promoted] if op.promotes else []
    arrays = {i: f"None if {i} is None else {i}._array" if i in optional else f"{i}._array"
              for i in inputs}
    checks = []
    for i in promoted:
        unless = f"{i}_ is None or " * (i in optional)
        if i != promoted[0]:
            checks.append(f"({unless}{i}_.dtype is {promoted[0]}_.dtype)")
        elif op.promotes in ("float", "floating"):
            checks.append(f"({unless}{i}_.dtype is float32 or {i}_.dtype.kind == 'f')")
    prepared = f"{', '.join(inputs)}, = prepare(op, {', '.join(inputs)})"
    indent = 1
    if len(inputs) == 2 and op.promotes in ("common", "float"):  # tensor * 2.0 is frequent
        indent = 2
        # An operator converts a number at every use: once will do, for the rules too.
        number = f"array(number, {inputs[0]}_.dtype) if {inputs[0]}_.__class__ is ndarray " \
                 "else number" if plain else "number"
        a, b = inputs
        source.add(1, f"if {b}.__class__ in numbers and isinstance({a}, Tensor) "
                      f"and {a}._array.dtype.kind == 'f':",
                   f"    number, {b} = float({b}), new(Constant)",
                   f"    {b}._array = number",
                   f"    {a}_ = {a}._array",
                   f"    {b}_ = {number}",
                   "    ready = True",
                   "else:")
    source.add(indent, "try:",
               *[f"    {i}_ = {array}" for i, array in arrays.items()],
               f"    ready = {' and '.join(checks) or True}",
               "except AttributeError:",
               "    ready = False")
    source.add(1, "if not ready:", f"    {prepared}",
               *[f"    {i}_ = {array}" for i, array in arrays.items()])
    if takes_xp:
        given = ", ".join(f"{i}_" for i in inputs)
        source.add(1, f"xp = numpy if {inputs[0]}_.__class__ is ndarray "
                      f"else array_module({given})")


def _take_sequence(source: _Source, op: Any, takes_xp: bool) -> None:
    """The same for one argument that is a sequence of Tensors."""
    name = op.signature.inputs[0]
    source.add(
        1,
        f"if isinstance({name}, Tensor):",
        f"    raise TypeError('{op.name}: takes one sequence of Tensors: {op.name}([a, b])')",
        f"{name} = tuple({name})",
        f"if not {name}:",
        f"    raise RuntimeError('{op.name}: expected at least one Tensor, got an empty sequence')",
        f"{name} = prepare(op, *{name})",
        f"{name}_ = [t._array for t in {name}]",
    )
    if takes_xp:
        source.add(1, f"xp = array_module(*{name}_)")


def _leave_node(source: _Source, op: Any) -> None:
    """Lines that record the call when some input wants a gradient."""
    inputs, optional = op.signature.inputs, op.signature.optional
    ruled = [i for i in inputs if any(i in names for names in op.rules)]
    if op.signature.variadic:
        source.add(1, f"parents = tuple([t._node for t in {inputs[0]}])",
                   "if any(parents) and (recording := everywhere.recorded or graph_mode.enabled):")
    else:
        for i in inputs:
            node = f"{i}._node" if i not in optional else f"None if {i} is None else {i}._node"
            source.add(1, f"{i}_node = {node if i in ruled else None}")
        wanted = " or ".join(f"{i}_node is not None" for i in ruled)
        source.add(1, f"if ({wanted}) and "
                      "(recording := everywhere.recorded or graph_mode.enabled):")
    source.add(
        2,
        "node = new(NodeType)" if op.outputs else "node = result._node = new(NodeType)",
        *(["node.parents = parents"] if op.signature.variadic
          else [f"node.{i}_node = {i}_node" for i in inputs]),
        f"node.saved = {_tuple(_saved(op, name, ruled) for name in op.save_list)}",
        "node.shape = shape",
        "node.time = next(clock)",
        "frame = getframe(1)",
        f"while {OWN!r} in frame.f_globals and frame.f_back:",
        "    frame = frame.f_back",
        "node.code = frame.f_code",
        "node.offset = frame.f_lasti",
        "node.hooks = ()",
        "if recording is not True:",
        f"    check_finite(node, {_tuple(op.outputs or ['out'])}, 'forward')",
    )
    if op.outputs:
        source.add(2, "for i, tensor in enumerate(result):",
                   "    tensor._node = pick(node, i, tensor._array)")


def _saved(op: Any, name: str, ruled: list[str]) -> str:
    """The value to keep under `name`, or None while no rule that names it is in use."""
    signature = op.signature
    if name in signature.parameters:
        return name
    for i in signature.inputs:
        for what in ("shape", "dtype"):
            if name == f"{i}_{what}":
                return f"[a.{what} for a in {i}_]" if signature.variadic else f"{i}_.{what}"
    value = f"{name}_" if name in signature.inputs else name
    users = dict.fromkeys(i for names, rule in op.rules.items() for i in names
                          if op.residuals or name in parameter_names(rule))
    if set(users) >= set(ruled):
        return value
    return f"{value} if {' or '.join(f'{u}_node is not None' for u in users)} else None"


# ---------------------------------------------------------------- the node's backward


def compile_backward(op: Any) -> Callable[..., None]:
    """For every parent that wants a gradient: the rule, the sum over repeats, the adding up."""
    inputs = op.signature.inputs
    source = _Source()
    source.namespace |= {"unbroadcast": engine.unbroadcast, "heappush": heappush}
    source.add(0, "def backward(node, xp, g, sums, parents):")
    if op.node_type.keeps:  # `Node.take`, written out for the usual case
        source.add(1, "saved = node.saved",
                   "if saved is None or sums.kept:",
                   "    saved = node.take(sums)",
                   "else:",
                   "    node.saved = None",
                   f"{', '.join(op.save_list)}, = saved")
    elif op.save_list:
        source.add(1, f"{', '.join(op.save_list)}, = node.saved")
    if op.signature.variadic:
        source.add(1, "parents = parents or node.parents")
    else:
        source.add(1, "if parents is None:", *[f"    {i}_node = node.{i}_node" for i in inputs],
                   "else:", f"    {', '.join(f'{i}_node' for i in inputs)}, = parents")
        if any(len(names) == 1 for names in op.rules):
            source.add(1, "grads = sums.grads", *["shape = node.shape"] * (len(inputs) > 1))
    joint = [names for names in op.kernels if names and names not in op.rules]
    for names in joint:
        _joint_kernel(source, op, names)
    for k, (names, rule) in enumerate(op.rules.items()):
        needed = parameter_names(rule)
        call = written_out(rule, {name: name for name in needed}, source.namespace) \
            if len(names) == 1 else None
        if call is None:
            source.namespace[f"rule_{k}"] = rule
            call = f"rule_{k}({', '.join(needed)})"
        if names in op.kernels:
            call = _rule_kernel_or(source, op.kernels[names], f"kernel_{k}", call)
        if any(names[0] in several for several in joint):
            call = f"d_{names[0]} if d_{names[0]} is not None else {call}"
        if op.signature.variadic:
            source.add(1, "needs = [p is not None for p in parents]",
                       f"for parent, d in zip(parents, {call}, strict=True):",
                       "    if parent is not None and d is not None:",
                       "        sums.add(parent, d)")
        elif len(names) > 1:
            nodes = [f"{n}_node" for n in names]
            source.add(1, f"needs = {_tuple(f'{n} is not None' for n in nodes)}",
                       "if any(needs):",
                       f"    for parent, d in zip({_tuple(nodes)}, {call}, strict=True):",
                       "        if parent is not None and d is not None:",
                       "            sums.add(parent, d)")
        else:
            adder = op.adders.get(names[0])
            if adder is not None:
                source.namespace[f"add_{k}"] = adder
                node = f"{names[0]}_node"
                source.add(1, f"if {node} in grads and {node}.shape and not sums.recorded:",
                           f"    total = sums.own({node})",
                           f"    add_{k}({', '.join(parameter_names(adder))})",
                           f"    {node} = None")
            _one_gradient(source, f"{names[0]}_node", call, len(inputs) > 1, adder is not None)
    if not op.rules:
        source.add(1, "pass")
    return source.build(op, "backward")


def _joint_kernel(source: _Source, op: Any, names: tuple[str, ...]) -> None:
    """Lines that ask a kernel for the gradients of several rules at once."""
    gradients = ", ".join(f"d_{name}" for name in names)
    found = _rule_kernel_or(source, op.kernels[names], "joint_kernel", "None")
    source.add(1, f"{gradients.replace(',', ' =')} = None",
               f"needs = {_tuple(f'{name}_node is not None' for name in names)}",
               f"joint = {found}",
               "if joint is not None:",
               f"    {gradients} = joint")


def _rule_kernel_or(source: _Source, part: Any, kernel: str, call: str) -> str:
    """`_kernel_or` in a node's backward, where everything has its own name."""
    names = part.parameters
    return _kernel_or(source, part, kernel, ", ".join(names), {n: n for n in names}, call)


def _kernel_or(source: _Source, part: Any, kernel: str, arguments: str, names: dict[str, str],
               call: str) -> str:
    """What a kernel makes, if there is one for the device that takes what it is given, or `call`.

    This is `Dispatch.__call__`, written out for the CPU; what is too small for a kernel does not
    even meet it.
    """
    if "cuda" in part.kernels:
        source.namespace[f"with_{kernel}"] = part
        call = f"with_{kernel}(xp, {arguments}) if xp is not numpy else {call}"
    if "cpu" in part.kernels:
        source.namespace |= {kernel: part.kernels["cpu"], "settings": KernelSettings,
                             "numpy": numpy}
        conditions = ["xp is numpy", "settings.enabled"]
        if part.work is not None:
            work = written_out(part.work, names, source.namespace)
            assert work is not None, f"{part.name}: its work is not one expression"
            conditions.append(f"{work} >= settings.min_work")
        conditions.append(f"(found := {kernel}({arguments})) is not None")
        call = f"found if {' and '.join(conditions)} else {call}"
    return call


def _one_gradient(source: _Source, node: str, call: str, broadcasts: bool, fresh: bool) -> None:
    """`Sums.add`, written out: this is where a small network spends its time.

    `fresh` says that the rule makes an array that is nobody else's.
    """
    source.add(1, f"if {node} is not None:", f"    d = {call}")
    if broadcasts:  # where the shapes agree, as they mostly do, no array is asked for its own
        source.add(2, f"if {node}.shape != shape and d.shape != {node}.shape:",
                   f"    d = unbroadcast(d, {node}.shape)")
    source.add(
        2,
        f"held = grads.get({node})",
        "if held is None:",
        f"    grads[{node}] = d",
        *[f"    sums.owned.add({node})"] * fresh,
        f"    if {node}.time:",
        f"        heappush(sums.reached, (-{node}.time, {node}))",
        f"elif {node} in sums.owned:",
        "    held += d",
        f"    grads[{node}] = held",
        "else:",
        f"    grads[{node}] = held + d",
        f"    sums.owned.add({node})",
    )


# ---------------------------------------------------------------- what the written code calls


def renamed(name: str, aliases: dict[str, Any], **given: Any) -> tuple[Any, ...]:
    """The parameters `given`, some of which came under NumPy's name for them."""
    for alias, value in aliases.items():
        if ALIASES.get(alias) not in given:
            raise TypeError(f"{name}() got an unexpected keyword argument {alias!r}")
        given[ALIASES[alias]] = value
    return tuple(given.values())


def mark_view(result: Any, source: Any, function: Any, parameters: dict[str, Any]) -> None:
    """Notes that `result` is a view of `source`, and how to make it again, if memory is shared."""
    if owner(result._array) is owner(source._array):
        result._base = base = source if source._base is None else source._base
        result._recipe = (*source._recipe, (function, parameters))
        views = base._views
        if views is None:
            views = base._views = set()
        views.add(weakref.ref(result, views.discard))
