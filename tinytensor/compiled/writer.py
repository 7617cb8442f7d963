"""Writes the text of an op's call and of its node's backward, from its signature and its rules."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable
from heapq import heappush
from types import CodeType
from typing import Any

import numpy

from ..arrays import dtypes
from ..arrays.devices import array_module, result_array
from ..arrays.dispatch import KernelSettings, NotCompiledError, parameter_names
from ..arrays.numbers import Size, argument
from ..autograd import graph
from ..autograd.casting import Asked, call_cast, casting
from ..autograd.engine import unbroadcast
from ..autograd.errors import recover
from ..autograd.frames import OWN, passes_on
from ..autograd.halves import half_among
from ..autograd.inputs import ALIASES, Constant, Signature, prepare, take_sequence
from ..autograd.modes import everywhere, mode, observe
from ..autograd.op import mark_view
from ..autograd.out import into
from ..autograd.versions import clock
from .expressions import written_out


def _definition_line(op: Any) -> int:
    """The line of `def`, after the decorators; the first line if there is no source."""
    first = op.line
    return next((number for number in range(first, max(first, _body_line(op.forward.__code__)))
                 if linecache.getline(op.file, number).lstrip().startswith("def ")), first)


def _body_line(code: CodeType) -> int:
    """The first line of the body of a function, or the line of a lambda."""
    first = code.co_firstlineno
    return min((line for _, _, line in code.co_lines() if line and line > first), default=first)


class _Source:
    """Lines of Python, the line of the definition that each is for, and the objects they name."""

    def __init__(self, op: Any) -> None:
        self.op = op
        self.definition = _definition_line(op)
        self.lines: list[str] = []
        self.places: list[int] = []
        self.namespace: dict[str, Any] = {}

    def add(self, indent: int, *lines: str, of: Callable[..., Any] | None = None) -> None:
        """Adds lines at the place of the op's definition, or of the function `of`."""
        place = self.definition
        code = getattr(of, "__code__", None)
        if code is not None and code.co_filename == self.op.file:
            place = _body_line(code)
        self.lines += ["    " * indent + line for line in lines]
        self.places += [place] * sum(line.count("\n") + 1 for line in lines)

    def build(self, name: str) -> Any:
        """The function. Its code is placed where the op is defined, so that a traceback, a
        profiler and an editor show that, rather than this text.
        """
        text = "\n".join(self.lines) + "\n"
        tree = ast.parse(text)
        node: Any
        for node in ast.walk(tree):
            if hasattr(node, "lineno"):
                node.lineno = node.end_lineno = self.places[node.lineno - 1]
                node.col_offset = node.end_col_offset = -1  # unknown
        # Warnings that are filtered for the op's module are filtered here too.
        self.namespace |= {"__name__": self.op.forward.__module__, OWN: True}
        tree.body[0].lineno = self.op.line  # type: ignore[attr-defined]
        exec(compile(tree, self.op.file, "exec"), self.namespace)
        function = self.namespace[name]
        function.source = text
        return function


def _tuple(items: Any) -> str:
    return "(" + "".join(f"{item}, " for item in items).strip() + ")"


# ---------------------------------------------------------------- the call


def write_call(op: Any) -> Any:
    """`Op.call` for one op: arrays out of Tensors, the forward, and a node if one is wanted."""
    signature: Signature = op.signature
    source = _Source(op)
    takes_xp = signature.takes_xp or () in op.kernels
    source.namespace |= {
        "op": op, "forward": op.forward, "settings": KernelSettings,
        "NodeType": op.node_type, "Tensor": graph.Tensor,
        "argument": argument, "Size": Size,
        "prepare": prepare, "recover": recover, "Constant": Constant, "renamed": renamed,
        "numpy": numpy, "ndarray": numpy.ndarray, "array": numpy.array,
        "float32": numpy.dtype("float32"), "float64": numpy.dtype("float64"),
        "halves": dtypes.HALVES, "floats": dtypes.FLOATING, "half_among": half_among,
        "numbers": frozenset((float, int)),
        "array_module": array_module,
        "graph_mode": mode, "everywhere": everywhere,
        "as_array": result_array, "new": object.__new__, "clock": clock,
        "getframe": sys._getframe, "mark_view": mark_view, "observe": observe,
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
    aliased = tuple(signature.aliases.values())
    header += [*["*"] * (not keyword_only), "out=None", *["**aliases"] * bool(aliased)]
    source.add(0, f"def {op.name}({', '.join(header)}):")
    whole = [f"{p.name}={p.name}" for p in signature.all] + ["**aliases"] * bool(aliased)
    source.namespace["into"] = into
    source.add(1, "if out is not None:", f"    return into(out, op.function, {', '.join(whole)})")
    if aliased:
        given = ", ".join(f"{p}={p}" for p in aliased)
        source.add(1, "if aliases:",
                   f"    {', '.join(aliased)}, = renamed({op.name!r}, aliases, {given})")
    if op.autocast and Asked.asked:
        named = ", ".join(f"{name}={name}" for name in signature.order)
        source.namespace |= {"casting": casting, "call_cast": call_cast}
        source.add(1, "if casting.targets:",
                   f"    return call_cast(op.function, {op.autocast!r}, (), dict({named}))")
    for name, usual in signature.numbers.items():
        tests = [f"{name} is not None" if kind == "None" else f"{name}.__class__ is not {kind}"
                 for kind in usual]
        source.add(1, f"if {' and '.join(tests)}:", f"    {name} = argument({name})")
    plain = None if keyword_only or signature.variadic else written_out(
        op.forward, {"xp": "xp", **dict(zip(signature.order, arguments, strict=True))},
        source.namespace)
    source.add(1, "try:")
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
        call = _kernel_or(source, 2, op.kernels[()], "kernel", ", ".join(arguments[1:]), names,
                          call)
    source.add(2, f"{', '.join([*(op.outputs or ['out']), *op.residuals])} = {call}",
               of=op.forward if plain else None)
    source.add(
        1,
        "except Exception as error:",
        f"    outcome = recover(op, error, {_tuple(signature.inputs)}, dict({parameters}))",
        "    if not isinstance(outcome, Exception):",
        "        return outcome",
        "    try:",
        "        if outcome is error:",
        "            raise",
        "        raise outcome from None",
        "    finally:",
        "        del outcome  # or this frame and the error would keep each other alive",
    )
    if op.outputs:
        source.namespace["Results"] = op.results
        source.namespace["pick"] = graph.pick
        if op.contiguous:
            for name in op.outputs:
                source.add(1, f"if not {name}.flags.c_contiguous:", f"    {name} = {name}.copy()")
        source.add(1, f"result = [tensor_of(as_array(out), None) for out in {_tuple(op.outputs)}]",
                   "shape = ()")
        source.namespace["tensor_of"] = graph.tensor_of
    else:
        source.add(1, "try:", "    shape = out.shape",
                   "except AttributeError:  # a single Value, out of an array of them",
                   "    shape = ()",
                   "if not shape:", "    out = as_array(out)",
                   *["elif len(shape) > 1 and not out.flags.c_contiguous:",
                     "    out = out.copy()"] * op.contiguous,
                   "result = new(Tensor)", "result._array = out", "result._node = None")
    if op.view:
        source.add(1, f"mark_view(result, {signature.inputs[0]})")
    if op.rules:
        _leave_node(source, op)
    source.add(1, "return Results(*result)" if op.outputs else "return result")
    return source.build(op.name)


def _take_inputs(source: _Source, op: Any, takes_xp: bool, plain: bool) -> None:
    """Lines that take the arrays of a fixed number of inputs, of one dtype if need be.

    `plain`: whether the forward is one expression, which treats numbers and arrays alike.
    """
    inputs, optional = op.signature.inputs, op.signature.optional
    promoted = [i for i in inputs if i in op.promoted] if op.promotes else []
    arrays = {i: f"None if {i} is None else {i}._array" if i in optional else f"{i}._array"
              for i in inputs}
    floating = "{0}.dtype is float32 or {0}.dtype is float64" if op.widens \
        else "{0}.dtype is float32 or {0}.dtype in floats"
    checks = []
    for i in inputs:
        unless = f"{i}_ is None or " * (i in optional)
        if i in promoted[1:]:
            checks.append(f"({unless}{i}_.dtype is {promoted[0]}_.dtype)")
        elif i in promoted and op.promotes in ("float", "floating"):
            checks.append(f"({unless}{floating.format(f'{i}_')})")
        elif op.widens:
            checks.append(f"({unless}{i}_.dtype is float32 or {i}_.dtype not in halves)")
    indent = 2
    if len(inputs) == 2 and op.promotes in ("common", "float"):  # tensor * 2.0 is frequent
        indent = 3
        # An operator converts a number at every use: once will do, for the rules too.
        number = f"array(number, {inputs[0]}_.dtype) if {inputs[0]}_.__class__ is ndarray " \
                 "else number" if plain else "number"
        a, b = inputs
        source.add(2, f"if {b}.__class__ in numbers and isinstance({a}, Tensor) "
                      f"and ({floating.format(f'{a}._array')}):",
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
    source.add(2, "if not ready:")
    given = ", ".join(f"{name}={name}" for name in op.signature.order)
    widens = [f"    return op.call({given})"] if op.widens else []
    source.add(3, *[f"if half_among({_tuple(inputs)}):", *widens] * bool(widens),
               f"prepared = prepare(op, {', '.join(inputs)})",
               # Integers become float16 or bfloat16 where that is the default dtype.
               *["if half_among(prepared):", *widens] * bool(widens),
               f"{', '.join(inputs)}, = prepared",
               *[f"{i}_ = {array}" for i, array in arrays.items()])
    if takes_xp:
        given = ", ".join(f"{i}_" for i in inputs)
        source.add(2, f"xp = numpy if {inputs[0]}_.__class__ is ndarray "
                      f"else array_module({given})")


def _take_sequence(source: _Source, op: Any, takes_xp: bool) -> None:
    """The same for one argument that is a sequence of Tensors."""
    name = op.signature.inputs[0]
    source.namespace["take_sequence"] = take_sequence
    source.add(2, f"{name} = take_sequence(op, {name})",
               f"{name}_ = [t._array for t in {name}]")
    if op.widens:
        given = ", ".join(f"{name}={name}" for name in op.signature.order)
        source.add(2, f"if half_among({name}_):", f"    return op.call({given})")
    if takes_xp:
        source.add(2, f"xp = array_module(*{name}_)")


def _leave_node(source: _Source, op: Any) -> None:
    """Lines that record the call when some input wants a gradient."""
    inputs, optional = op.signature.inputs, op.signature.optional
    arguments = [f"{name}_" if name in inputs else name for name in op.signature.order]
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
        "caller = getframe(1)",
        f"while {OWN!r} in caller.f_globals and caller.f_back:",
        "    caller = caller.f_back",
        "node.code = caller.f_code",
        "node.offset = caller.f_lasti",
        "node.hooks = ()",
        "if recording is not True:",
        f"    observe(node, {_tuple(op.outputs or ['out'])}, {_tuple(arguments)})",
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
    value = f"{name}_" if name in signature.inputs and name not in op.residuals else name
    if name in op.positions:
        value += ".copy()"
    users = dict.fromkeys(i for names, rule in op.rules.items() for i in names
                          if op.residuals or name in parameter_names(rule))
    if set(users) >= set(ruled):
        return value
    return f"{value} if {' or '.join(f'{u}_node is not None' for u in users)} else None"


# ---------------------------------------------------------------- the node's backward


def write_backward(op: Any) -> Any:
    """`Op.backward` for one op: each rule whose parent wants a gradient, and `Sums.add`."""
    inputs = op.signature.inputs
    source = _Source(op)
    source.namespace |= {"unbroadcast": unbroadcast, "heappush": heappush}
    source.add(0, "def backward(node, xp, g, sums, parents):")
    if not op.rules:
        source.add(1, "pass")
        return source.build("backward")
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
        nodes = [f"{n}_node" for n in names]
        if op.signature.variadic:
            source.add(1, "needs = [p is not None for p in parents]")
        elif len(names) > 1:
            source.add(1, f"needs = {_tuple(f'{n} is not None' for n in nodes)}", "if any(needs):")
        else:
            source.add(1, f"if {nodes[0]} is not None:", of=rule)
        indent = 1 if op.signature.variadic else 2
        by_joint = any(names[0] in several for several in joint)
        if names in op.kernels:
            call = _rule_kernel_or(source, indent, op.kernels[names], f"kernel_{k}", call,
                                   f"d_{names[0]} is None" if by_joint else "")
        if by_joint:
            call = f"d_{names[0]} if d_{names[0]} is not None else {call}"
        if op.signature.variadic or len(names) > 1:
            several = "parents" if op.signature.variadic else _tuple(nodes)
            source.add(indent, f"for parent, d in zip({several}, {call}, strict=True):",
                       "    if parent is not None and d is not None:",
                       "        sums.add(parent, d)", of=rule)
        else:
            _one_gradient(source, nodes[0], call, len(inputs) > 1, rule)
    return source.build("backward")


def _joint_kernel(source: _Source, op: Any, names: tuple[str, ...]) -> None:
    """Lines that ask a kernel for the gradients of several rules at once."""
    gradients = ", ".join(f"d_{name}" for name in names)
    source.add(1, f"{gradients.replace(',', ' =')} = None",
               f"needs = {_tuple(f'{name}_node is not None' for name in names)}")
    computed = _rule_kernel_or(source, 1, op.kernels[names], "joint_kernel", "None")
    source.add(1, f"joint = {computed}",
               "if joint is not None:",
               f"    {gradients} = joint")


def _rule_kernel_or(source: _Source, indent: int, part: Any, kernel: str, call: str,
                    condition: str = "") -> str:
    """`_kernel_or` in a node's backward, where every value has the name that rules use."""
    names = part.parameters
    return _kernel_or(source, indent, part, kernel, ", ".join(names), {n: n for n in names}, call,
                      condition)


def _kernel_or(source: _Source, indent: int, part: Any, kernel: str, arguments: str,
               names: dict[str, str], call: str, condition: str = "") -> str:
    """An expression: the result of the kernel, or `call` if there is no kernel or it declines.

    This is `Dispatch.__call__`, written out for the CPU: lines that call the kernel, if the
    `condition` holds. Calls whose work is below `KernelSettings.min_work` skip the kernel.
    """
    if "cuda" in part.kernels:
        source.namespace |= {f"with_{kernel}": part, "numpy": numpy}
        call = f"with_{kernel}(xp, {arguments}) if xp is not numpy else {call}"
    if "cpu" in part.kernels:
        source.namespace |= {kernel: part.kernels["cpu"], "settings": KernelSettings,
                             "numpy": numpy, "NotCompiledError": NotCompiledError}
        conditions = [*[condition] * bool(condition), "xp is numpy", "settings.enabled"]
        if part.work is not None:
            work = written_out(part.work, names, source.namespace)
            if work is None:  # not one expression, or without its source
                source.namespace[f"work_of_{kernel}"] = part.work
                given = ", ".join(names[name] for name in parameter_names(part.work))
                work = f"work_of_{kernel}({given})"
            conditions.append(f"{work} >= settings.min_work")
        source.add(indent, "computed = None",
                   f"if {' and '.join(conditions)}:",
                   "    try:",
                   f"        computed = {kernel}({arguments})",
                   "    except NotCompiledError:",
                   "        pass")
        call = f"computed if computed is not None else {call}"
    return call


def _one_gradient(source: _Source, node: str, call: str, broadcasts: bool, rule: Any) -> None:
    """The gradient and `Sums.add`, written out: this is where a small network spends its time."""
    source.add(2, f"d = {call}", of=rule)
    if broadcasts:  # if the shapes agree, as they mostly do, `d.shape` need not be read
        source.add(2, f"if {node}.shape != shape and d.shape != {node}.shape:",
                   f"    d = unbroadcast(d, {node}.shape)")
    source.add(
        2,
        f"sum_so_far = grads.get({node})",
        "if sum_so_far is None:",
        f"    grads[{node}] = d",
        f"    if {node}.time:",
        f"        heappush(sums.reached, (-{node}.time, {node}))",
        f"elif {node} in sums.owned:",
        "    sum_so_far += d",
        f"    grads[{node}] = sum_so_far",
        "else:",
        f"    grads[{node}] = sum_so_far + d",
        f"    sums.owned.add({node})",
    )


# ---------------------------------------------------------------- what the written code calls


@passes_on
def renamed(name: str, aliases: dict[str, Any], **given: Any) -> tuple[Any, ...]:
    """The parameters `given`, some of which came under NumPy's name for them."""
    for alias, value in aliases.items():
        if ALIASES.get(alias) not in given:
            raise TypeError(f"{name}() got an unexpected keyword argument {alias!r}")
        given[ALIASES[alias]] = value
    return tuple(given.values())
