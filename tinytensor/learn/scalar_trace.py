"""The trace of a scalar graph: every number, and every step of its forward and its backward."""

from __future__ import annotations

import math
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

from scalar import Value, topological_order
from scalar.draw import parameter_names

from .formulas import evaluate, formula_of
from .origins import origin_of
from .packing import Places, packed

OWN = ("dot", "max", "min")  # operations in whose formulas a is the operand itself
ROLES = ("result", "parameter", "input", "target", "constant")


def trace(root: Value) -> dict[str, Any]:
    """The numbers of root's graph, and the steps of `root.backward()`, as the engine makes them.

    The grads are those of root alone, from 0. Those that the Values have are not changed.
    """
    order = topological_order(root)
    number = {value: i for i, value in enumerate(order)}
    operands = [value._prev for value in order]
    given = [value.grad for value in order]
    try:
        grads = _engine(root, order)
        steps = list(_steps(root, order, operands, number))
        replayed = [value.grad for value in order]
    finally:
        for value, grad in zip(order, given, strict=True):
            value.grad = grad
    origins = [origin_of(value) for value in order]
    places = Places()
    names, roles = _names(order, operands, origins)
    operations = dict.fromkeys(value._op for value in order)
    ops = {op: i for i, op in enumerate(operations)}
    starts, parents = [0], []
    for own in operands:
        parents += [number[parent] for parent in own]
        starts.append(len(parents))
    forward = [i for i, own in enumerate(operands) if own]
    if all((o := origins[i]) is not None and o.place is not None for i in forward):
        forward.sort(key=lambda i: origins[i].number)  # type: ignore[union-attr]
    formulas: dict[str, int] = {}
    return {
        "mode": "scalar",
        "exact": all(map(_same, replayed, grads)),
        "recorded": any(o is not None and o.place is not None for o in origins),
        "root": number[root],
        "ops": list(ops), "op": packed([ops[value._op] for value in order], "i2"),
        "data": packed([value.data for value in order], "f8"),
        "grad": packed(grads, "f8"),
        "starts": packed(starts, "i4"), "parents": packed(parents, "i4"),
        "names": names, "roles": ROLES, "role": packed([ROLES.index(role) for role in roles], "u1"),
        "place": packed([-1 if o is None else places.add(o.place) for o in origins], "i4"),
        "forward": packed(forward, "i4"),
        "source": packed([step.source for step in steps], "i4"),
        "target": packed([step.target for step in steps], "i4"),
        "local": packed([step.local for step in steps], "f8"),
        "sends": packed([step.sends for step in steps], "u1"),
        "other": packed([step.other for step in steps], "i4"),
        "formula": packed([formulas.setdefault(step.formula, len(formulas)) for step in steps],
                          "i2"),
        "formulas": list(formulas),
        "after": {i: _text(step.after) for i, step in enumerate(steps) if step.after is not None},
        **places.written(),
    }


class Step:
    """One addition to a gradient: target.grad += local · source.grad.

    formula   of `local`, which it equals to the bit; "" if there is none, "changed" if the
              program has changed a number in it after the forward
    other     the number of the operand that b is in the formula; -1 if there is none
    sends     whether the engine adds it; a ReLU below 0 sends nothing
    after     the gradient of the target after it, where a rule of the program's own computed that
    """

    __slots__ = ("after", "formula", "local", "other", "sends", "source", "target")

    def __init__(self, source: int, target: int, local: float, sends: bool = True,
                 formula: str = "", other: int = -1, after: float | None = None):
        self.source, self.target, self.local = source, target, local
        self.sends, self.formula, self.other, self.after = sends, formula, other, after


def _engine(root: Value, order: list[Value]) -> list[float]:
    """The grads that the engine computes."""
    for value in order:
        value.grad = 0.0
    root.backward()
    return [value.grad for value in order]


def _steps(root: Value, order: list[Value], operands: list[tuple[Value, ...]],
           number: dict[Value, int]) -> Iterator[Step]:
    """The steps of the backward in the engine's order. The Values' grads go along."""
    for value in order:
        value.grad = 0.0
    root.grad += 1.0
    for source in range(len(order) - 1, -1, -1):
        value, parents = order[source], operands[source]
        if value._rule is not None or type(value)._chain_rule is not Value._chain_rule:
            value._backward()
            for parent in dict.fromkeys(parents):
                yield Step(source, number[parent], math.nan, after=parent.grad)
            continue
        derivatives = value._derivatives if value._children else (value._da, value._db)
        for slot, parent in enumerate(parents):
            sends = slot < len(derivatives)
            local = derivatives[slot] if sends else 0.0
            if sends:
                parent.grad += local * value.grad
            formula, other = formula_of(value, parents, slot)
            b = None if other is None else other.data
            a = parent if value._op in OWN else parents[0]
            if formula and not _same(evaluate(formula, a.data, b, value.data), local):
                formula = "changed"  # a number, after the forward
            yield Step(source, number[parent], local, sends, formula,
                       -1 if other is None else number[other])


def _names(order: list[Value], operands: list[tuple[Value, ...]], origins: list[Any]
           ) -> tuple[dict[int, str], list[str]]:
    """The names of those that have one, and what each Value is for the program."""
    parameters = parameter_names(order)
    names: dict[int, str] = {}
    roles: list[str] = []
    variables: Counter[str] = Counter()
    for i, (value, origin) in enumerate(zip(order, origins, strict=True)):
        name = value.label or parameters.get(id(value)) or (origin.name if origin else "")
        if not name and origin and origin.variable:
            variables[origin.variable] += 1
            count = variables[origin.variable]
            name = origin.variable + (f"#{count}" if count > 1 else "")
        if name:
            names[i] = name
        if operands[i]:
            roles.append("result")
        elif id(value) in parameters:
            roles.append("parameter")
        elif origin and origin.name:
            roles.append("input")
        elif origin and origin.is_given and origin.place \
                and origin.place.function.endswith(("loss", "entropy")):
            roles.append("target")
        else:
            roles.append("input" if name else "constant")
    return names, roles


def _same(a: float, b: float) -> bool:
    """Whether two floats are the same to the bit; every NaN is the same."""
    return struct.pack("<d", a) == struct.pack("<d", b) or a != a and b != b


def _text(x: float) -> float | str:
    """A float in JSON, which has no infinities and no NaN."""
    return x if math.isfinite(x) else str(x)
