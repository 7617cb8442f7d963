"""The mistakes that a backward pass written by hand may have, each made in the right one.

A Mistake changes the derivatives of some edges of a Tape, drops or exchanges contributions, or
ignores the gradient from above. `gradients` walks back with many mistakes at once, one in each
column of an array, so that hundreds are tried in a few milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy

from .tape import Group, Tape

# The names of mistakes. If two give the same numbers the earlier one is named.
KINDS = {
    "upstream": "the gradient from above, `g`, is not used",
    "path": "nothing comes back through an operand: forgotten, treated as a constant, or "
            "overwritten",
    "factor": "a local derivative is missing, and the gradient is handed on as it came; the "
              "mask of a ReLU",
    "power": "in the derivative of a power the exponent is not a factor, or not reduced by one",
    "quotient": "in the derivative of a quotient the divisor is not squared, or multiplies",
    "not added up": "a number is used several times, and one contribution alone arrives; not "
                    "summed over the broadcast axis",
    "mean": "contributions are averaged where they should be added up",
    "sign": "a sign is wrong",
    "x for y": "a rule in terms of the result was given the operand, or the other way round",
    "diagonal": "only the diagonal of a Jacobian is there",
    "transposed": "a matrix is transposed and should not be, or is not and should be",
    "other value": "a local derivative was computed with another variable",
    "twice": "something is counted twice",
    "factor too many": "all elements are wrong by one constant",
    "shape": "the numbers have another shape than the input",
    "not finite": "NaN or infinity",
}
MOST_NUMBERS = 20_000_000  # in an array of gradients
CHOICES = {"max", "min", "where", "ReLU"}  # operations that choose an operand
BRANCHED = {"path", "factor", "power", "quotient", "sign", "x for y"}  # see on_one_branch
ORDER = {kind: i for i, kind in enumerate(KINDS)}

# The derivative of a function that was given the wrong one of operand x and result y.
EXCHANGED: dict[str, Callable[[float, float], float]] = {
    "tanh": lambda x, y: 1 - x * x,
    "sigmoid": lambda x, y: x * (1 - x),
    "exp": lambda x, y: x,
    "sqrt": lambda x, y: 0.5 / x,
    "log": lambda x, y: 1 / y,
    "sin": lambda x, y: math.cos(y),
    "cos": lambda x, y: -math.sin(y),
    "tan": lambda x, y: 1 + x * x,
    "log1p": lambda x, y: 1 / (1 + y),
    "expm1": lambda x, y: x + 1,
}
ELEMENTARY: dict[str, Callable[[Any], Any]] = {
    name: getattr(numpy, name) for name in EXCHANGED if name != "sigmoid"}
ELEMENTARY["sigmoid"] = lambda x: 1 / (1 + numpy.exp(-x))
# The same, where the rule in x is the usual one too: it was given y.
GIVEN_RESULT: dict[str, Callable[[float], float]] = {
    "tanh": lambda y: 1 - math.tanh(y) ** 2,
    "sigmoid": lambda y: 1 / (2 + math.exp(y) + math.exp(-y)),
    "exp": math.exp,
}


@dataclass
class Mistake:
    """One mistake, made in the right backward pass.

    changed      edges with another local derivative
    constant     edges that ignore the gradient from above
    added        what is added to the gradient of a number before the walk passes it
    branch       the operand on the way to which alone it is made
    detail       the size, variable or case that the description names
    """

    kind: str
    group: Group | None = None
    changed: dict[int, float] = field(default_factory=dict)
    constant: list[int] = field(default_factory=list)
    added: dict[int, float] = field(default_factory=dict)
    detail: Any = None
    branch: Group | None = None

    @property
    def time(self) -> int:
        """Rises along the forward: that of the last number that the mistake concerns."""
        if self.branch is not None and self.group is not None:
            return max(self.group.edges)
        return max([*self.changed, *self.constant, -1])


# ---------------------------------------------------------------- backward, with mistakes


class Backward:
    """The backward pass of a tape from the gradient g of its output.

    right    the gradient of every number
    sizes    the sum of the absolute values of what is added up in each, which rounding is part of
    """

    def __init__(self, tape: Tape, g: Any):
        self.tape, self.g = tape, numpy.asarray(g, dtype=float)
        self.useful = self._useful()
        self.right = self.gradients([Mistake("")])[:, 0]
        self.sizes = numpy.zeros(len(tape.values))
        for node, size in zip(tape.output.ravel().tolist(), numpy.abs(self.g).ravel(), strict=True):
            if node >= 0:
                self.sizes[node] += size
        for e in self.useful:
            edge = tape.edges[e]
            self.sizes[edge.parent] += abs(edge.derivative) * self.sizes[edge.child]

    def _useful(self) -> list[int]:
        """The edges on a path from an input to the output, from the last to the first."""
        leads, edges = set(), []
        for x in self.tape.inputs.values():
            leads |= set(x.ravel().tolist()) if x is not None else set()
        for i, edge in enumerate(self.tape.edges):
            if edge.parent in leads:
                leads.add(edge.child)
                edges.append(i)
        reaches = set(self.tape.output.ravel().tolist())
        kept = []
        for i in reversed(edges):
            if self.tape.edges[i].child in reaches:
                reaches.add(self.tape.edges[i].parent)
                kept.append(i)
        return kept

    def gradients(self, mistakes: Sequence[Mistake], from_output: bool = True) -> Any:
        """The gradient of every number in a row, with each of the mistakes in a column."""
        grads = numpy.zeros((len(self.tape.values), len(mistakes)))
        if from_output:
            for node, g in zip(self.tape.output.ravel().tolist(), self.g.ravel(), strict=True):
                if node >= 0:
                    grads[node] += g
        changes: dict[int, list[tuple[int, float]]] = {}
        constants: dict[int, list[int]] = {}
        for column, mistake in enumerate(mistakes):
            for node, amount in mistake.added.items():
                grads[node, column] += amount
            for e, derivative in mistake.changed.items():
                difference = derivative - self.tape.edges[e].derivative
                changes.setdefault(e, []).append((column, difference))
            for e in mistake.constant:
                constants.setdefault(e, []).append(column)
        for e in self.useful:
            edge = self.tape.edges[e]
            above = grads[edge.child]
            grads[edge.parent] += edge.derivative * above
            if e in changes:
                columns, differences = map(list, zip(*changes[e], strict=True))
                grads[edge.parent, columns] += numpy.array(differences) * above[columns]
            if e in constants:
                chosen = constants[e]
                grads[edge.parent, chosen] += edge.derivative * (1 - above[chosen])
        return grads

    def jacobian(self, result: Any) -> Any:
        """d result / d every number: a row for each number, a column for each result."""
        columns = [Mistake("", added={int(node): 1.0}) for node in result.ravel()]
        return self.gradients(columns, from_output=False)


# ---------------------------------------------------------------- all mistakes of a tape


def all_mistakes(backward: Backward) -> list[Mistake]:
    """Every mistake that can be made in a backward pass."""
    tape, useful = backward.tape, set(backward.useful)
    places = _places_of_numbers(tape)
    mistakes = [_without_upstream(backward)]
    for group in tape.groups:
        kept = [e for e in group.edges if e in useful]
        if not kept or group.op == "+" and group.is_inner:  # the sums of a matrix product
            continue
        part = replace(group, edges=kept, executions=[
            x for e, x in zip(group.edges, group.executions, strict=True) if e in useful])
        mistakes += _of_group(tape, part)
        mistakes += _not_added_up(tape, part)
        mistakes += _other_values(tape, part, places)
        mistakes += _of_product(backward, part)
    mistakes += _transposed(backward)
    mistakes += _constants(backward)
    mistakes += _between_variables(backward)
    mistakes += _only_use(backward)
    mistakes = [m for m in mistakes if m.changed or m.constant or m.added]
    return mistakes + _without_silent_paths(backward, mistakes)


def _without_silent_paths(backward: Backward, mistakes: list[Mistake]) -> list[Mistake]:
    """The same mistakes where paths are left out that add up to nothing in the right backward.

    The maximum that softmax subtracts is such a path: a backward by hand does not have it.
    """
    cuts = [m for m in mistakes if m.kind == "path" and m.group is not None]
    if not cuts:
        return []
    inputs = numpy.concatenate([x.ravel() for x in backward.tape.inputs.values() if x is not None])
    grads = backward.gradients(cuts)[inputs]
    right = backward.right[inputs][:, None]
    scale = backward.sizes[inputs].max(initial=1e-300)
    silent = [m for m, same in zip(cuts, numpy.isclose(grads, right, 0, 1e-11 * scale).all(0),
                                   strict=True) if same]
    left_out = {e: 0.0 for m in silent for e in m.changed}
    if not left_out:
        return []
    together = backward.gradients([Mistake("", changed=left_out)])[inputs]
    if not numpy.allclose(together, right, 0, 1e-11 * scale):
        return []
    return [replace(m, changed=left_out | m.changed) for m in mistakes
            if not m.added and not left_out.keys() & {*m.changed, *m.constant}]


def _without_upstream(backward: Backward) -> Mistake:
    nodes = backward.tape.output.ravel().tolist()
    added: dict[int, float] = {}
    for node, g in zip(nodes, backward.g.ravel().tolist(), strict=True):
        if node >= 0 and g != 1:
            added[node] = added.get(node, 0.0) + 1 - g
    return Mistake("upstream", added=added)


def _of_group(tape: Tape, group: Group) -> Iterator[Mistake]:
    """Mistakes in the local derivative of one operand."""
    edges = {e: tape.edges[e] for e in group.edges}
    right = {e: edge.derivative for e, edge in edges.items()}
    x = {e: tape.values[edge.parent].data for e, edge in edges.items()}
    y = {e: tape.values[edge.child].data for e, edge in edges.items()}

    def with_derivative(kind: str, wrong: Callable[[int], float], detail: Any = None) -> Mistake:
        changed = {}
        for e, d in right.items():
            try:
                new = wrong(e)
            except (ArithmeticError, ValueError):
                continue
            if new != d:
                changed[e] = new
        return Mistake(kind, group, changed, detail=detail)

    yield with_derivative("path", lambda e: 0.0)
    yield with_derivative("sign", lambda e: -right[e])
    yield with_derivative("twice", lambda e: 2 * right[e])
    if group.op != "result":
        yield Mistake("upstream", group, constant=list(group.edges))
    if group.op not in ("+", "-", "neg", "pos", "result"):
        yield with_derivative("factor", lambda e: 1.0)
    if group.op in CHOICES and group.is_sum:
        yield Mistake("factor", group, {e: 1.0 for e in (*group.edges, *group.chain)
                                        if tape.edges[e].derivative != 1})
    elif group.op in CHOICES:
        yield with_derivative("other value", lambda e: 1 - right[e], "choice")
    if group.op.startswith("**") and group.op != "**":
        exponent = float(group.op[2:])
        yield with_derivative("power", lambda e: right[e] / exponent, "factor")
        yield with_derivative("power", lambda e: right[e] * x[e], "exponent")
    if group.op == "/" and group.slot == 0:
        yield with_derivative("quotient", lambda e: 1 / right[e], "inverse")
    if group.op == "/" and group.slot == 1:
        yield with_derivative("quotient", lambda e: right[e] * x[e], "square")
    if group.op in EXCHANGED:
        yield with_derivative("x for y", lambda e: EXCHANGED[group.op](x[e], y[e]), "x")
    if group.op in GIVEN_RESULT:
        yield with_derivative("x for y", lambda e: GIVEN_RESULT[group.op](y[e]), "y")
    counts = group.counts(tape.edges)
    most = max(counts.values())
    if most == 1:
        return
    yield with_derivative("mean", lambda e: right[e] / counts[edges[e].parent], most)
    for n in _divisors(tape, most):
        yield with_derivative("mean", lambda e, n=n: right[e] / n, n)  # type: ignore[misc]


def _divisors(tape: Tape, count: int) -> list[int]:
    """The sizes of inputs and output that divide a number of contributions."""
    shapes = [x.shape for x in (*tape.inputs.values(), tape.output) if x is not None]
    return sorted({n for shape in shapes for n in shape if 1 < n < count and count % n == 0})


def _not_added_up(tape: Tape, group: Group) -> Iterator[Mistake]:
    """Of several contributions to one number, only the first or the last arrives."""
    counts = group.counts(tape.edges)
    if max(counts.values()) == 1:
        return
    executions = sorted(set(group.executions))
    if len(executions) > 1:
        for only in (executions[0], executions[-1]):
            yield Mistake("not added up", group, {
                e: 0.0 for e, x in zip(group.edges, group.executions, strict=True) if x != only},
                detail="loop")
    of: dict[int, list[int]] = {}
    for e in group.edges:
        of.setdefault(tape.edges[e].parent, []).append(e)
    parts: list[Callable[[list[int]], list[int]]] = [lambda es: es[-1:], lambda es: es[:1]]
    if len(set(counts.values())) == 1:  # of a batch of sequences: of one sample, or of one step
        count = next(iter(counts.values()))
        for n in _divisors(tape, count):
            parts += [lambda es, n=n: es[-(len(es) // n):],  # type: ignore[misc]
                      lambda es, n=n: es[:len(es) // n],  # type: ignore[misc]
                      lambda es, n=n: es[n - 1::n],  # type: ignore[misc]
                      lambda es, n=n: es[::n]]  # type: ignore[misc]
    for i, part in enumerate(parts):
        arriving = {e for edges in of.values() for e in part(edges)}
        yield Mistake("not added up", group, {e: 0.0 for e in group.edges if e not in arriving},
                      detail="part" if i > 1 else None)


def _only_use(backward: Backward) -> Iterator[Mistake]:
    """A variable that is used in three places or more gets the gradient of one of them."""
    tape, useful = backward.tape, set(backward.useful)
    for name, numbers in {**tape.inputs, **tape.variables}.items():
        own = set(numbers.ravel().tolist()) if numbers is not None else set()
        uses = []
        for group in tape.groups:
            edges = [e for e in group.edges if e in useful and tape.edges[e].parent in own]
            if edges and not group.is_inner:
                uses.append((group, edges))
        if len(uses) >= 3:
            for group, _ in uses:
                yield Mistake("not added up", group, {
                    e: 0.0 for other, edges in uses if other is not group for e in edges},
                    detail=name)


def on_one_branch(backward: Backward, mistakes: list[Mistake]) -> Iterator[Mistake]:
    """The mistakes, each on the way back to one operand of a later operation, and not to the other.

    A learner may have the right gradient of a product, and use a wrong one for one of its factors.
    """
    tape, useful = backward.tape, set(backward.useful)
    chosen = [m for m in mistakes if m.kind in BRANCHED and m.group is not None]
    chosen = chosen[:MOST_NUMBERS // len(tape.values)]
    apart = backward.gradients(chosen) - backward.right[:, None]
    places = [(g.place, g.op) for g in tape.groups if not useful.isdisjoint(g.edges)]
    for group in tape.groups:
        edges = [tape.edges[e] for e in group.edges if e in useful]
        if not edges or group.is_sum or places.count((group.place, group.op)) < 2:
            continue
        differences = apart[[edge.child for edge in edges]] \
            * numpy.array([edge.derivative for edge in edges])[:, None]
        for k in numpy.flatnonzero(differences.any(axis=0)).tolist():
            added: dict[int, float] = {}
            for edge, difference in zip(edges, differences[:, k].tolist(), strict=True):
                added[edge.parent] = added.get(edge.parent, 0.0) + difference
            yield replace(chosen[k], changed={}, constant=[], added=added, branch=group)


# ---------------------------------------------------------------- mistakes with arrays


def _places_of_numbers(tape: Tape) -> dict[int, tuple[str, tuple[int, ...]]]:
    """The variable and the index of each number that is an element of one."""
    places: dict[int, tuple[str, tuple[int, ...]]] = {}
    for name, numbers in (*tape.variables.items(), *tape.inputs.items()):
        if numbers is not None:
            for index, node in numpy.ndenumerate(numbers):
                places[int(node)] = name, index
    return places


def _variables(tape: Tape) -> dict[str, Any]:
    return {name: x for name, x in (*tape.inputs.items(), *tape.variables.items())
            if x is not None}


def _other_values(tape: Tape, group: Group, places: dict[int, tuple[str, tuple[int, ...]]]
                  ) -> Iterator[Mistake]:
    """The other factor of a product is taken from another variable of its shape."""
    if group.op != "*":
        return
    products = [tape.values[tape.edges[e].child] for e in group.edges]
    others = [tape.numbers.get(v._b if group.slot == 0 else v._a, -1)  # type: ignore[arg-type]
              for v in products]
    variables = _variables(tape)
    known = [places.get(node) for node in others]
    names = {place[0] for place in known if place}
    if len(names) == 1 and None not in known:
        (name,) = names
        shape = variables[name].shape
        index: list[Any] = [place[1] for place in known if place]
    elif len(set(others)) == len(others) and -1 not in others:  # no name, elements in C order
        name, shape, index = group.place.operand(1 - group.slot), None, list(range(len(others)))
    else:
        return
    for candidate, numbers in variables.items():
        if shape is None and numbers.size == len(others):
            chosen = numbers.ravel()
        elif numbers.shape == shape:
            chosen = numbers
        else:
            continue
        if candidate != name:
            yield Mistake("other value", group, {
                e: tape.values[int(chosen[i])].data
                for e, i in zip(group.edges, index, strict=True)}, detail=(candidate, name))


def _of_product(backward: Backward, group: Group) -> Iterator[Mistake]:
    """In the backward of a matrix product, a factor or the gradient from above is transposed."""
    tape = backward.tape
    if group.op != "*" or group.is_sum or not any(
            g.op == "+" and g.is_inner and g.place == group.place for g in tape.groups):
        return
    blocks = _blocks(tape, group)
    for kind in ("transposed", "factor"):
        changed: dict[int, float] = {}
        for block in blocks:
            wrong = _wrong_factor(tape, group.slot, block, kind)
            if wrong is None:
                break
            changed |= dict(zip(block.ravel().tolist(), wrong.ravel().tolist(), strict=True))
        else:
            yield Mistake(kind, group, changed, detail="product")
    is_square = all(len(block) == block.shape[1] > 1 for block in blocks)
    if is_square and len(set(group.executions)) == 1:
        added: dict[int, float] = {}
        for block in blocks:
            above = backward.right[_children(tape, block)]
            wrong = above.swapaxes(0, 1) - above
            for e, difference in zip(block.ravel().tolist(), wrong.ravel().tolist(), strict=True):
                edge = tape.edges[e]
                added[edge.parent] = added.get(edge.parent, 0.0) + edge.derivative * difference
        yield Mistake("transposed", group, added=added, detail="gradient")


def _wrong_factor(tape: Tape, slot: int, block: Any, kind: str) -> Any:
    """The derivatives of a matrix product with the other factor transposed, or without it.

    The derivative by first[i, k] is second[k, j], that by second[k, j] is first[i, k]. None if the
    shapes do not allow it.
    """
    rows, columns, inner = block.shape
    if inner == 1 or inner != (columns if slot == 0 else rows):
        return None
    one = numpy.eye(inner) if slot == 0 else numpy.eye(inner)[:, None]
    if kind == "factor":
        return numpy.broadcast_to(one, block.shape)
    right = numpy.array([tape.edges[e].derivative for e in block.ravel()]).reshape(block.shape)
    return right.swapaxes(1, 2) if slot == 0 else right.swapaxes(0, 2)


def _children(tape: Tape, block: Any) -> Any:
    return numpy.array([tape.edges[e].child for e in block.ravel()]).reshape(block.shape)


def _blocks(tape: Tape, group: Group) -> list[Any]:
    """The edges of each product of two matrices, as arrays (rows, columns, inner size).

    An empty list if the group has something else.
    """
    blocks: list[Any] = []
    for execution in dict.fromkeys(group.executions):
        found = _products(tape, group.slot, [e for e, x in zip(
            group.edges, group.executions, strict=True) if x == execution])
        if not found:
            return []
        blocks += found
    return blocks


def _products(tape: Tape, slot: int, edges: list[int]) -> list[Any]:
    """The same for one execution, which may be a batch of products."""
    own = [tape.edges[e].parent for e in edges]
    products = [tape.values[tape.edges[e].child] for e in edges]
    other = [tape.numbers.get(v._b if slot == 0 else v._a, -1)  # type: ignore[arg-type]
             for v in products]
    first, second = (own, other) if slot == 0 else (other, own)
    # Row by row: the factors of one row repeat for every column, those of the columns for every
    # row.
    inner = next((k for k in range(1, len(first)) if first[k] == first[0]), len(first))
    columns = 1
    while first[columns * inner:(columns + 1) * inner] == first[:inner]:
        columns += 1
    size = columns * inner
    if len(first) % size:
        return []
    blocks, start = [], 0
    for row in range(size, len(first) + size, size):
        if second[row:row + size] != second[start:start + size]:
            blocks.append(numpy.array(edges[start:row]).reshape(-1, columns, inner))
            start = row
    return blocks


def _transposed(backward: Backward) -> Iterator[Mistake]:
    """The gradient of a square variable is transposed."""
    for name, numbers in {**_variables(backward.tape), "": backward.tape.output}.items():
        if numbers.ndim < 2 or numbers.shape[-1] != numbers.shape[-2] or numbers.shape[-1] == 1:
            continue
        right = backward.right[numbers]
        wrong = right.swapaxes(-1, -2) - right
        yield Mistake("transposed", added=dict(zip(
            numbers.ravel().tolist(), wrong.ravel().tolist(), strict=True)), detail=name)


def _constants(backward: Backward) -> Iterator[Mistake]:
    """A variable is treated as a constant."""
    tape = backward.tape
    for name, numbers in tape.variables.items():
        own = set(numbers.ravel().tolist())
        yield Mistake("path", changed={e: 0.0 for e in backward.useful
                                       if tape.edges[e].child in own}, detail=name)


def _between_variables(backward: Backward) -> Iterator[Mistake]:
    """Between two arrays of one size: the derivative is missing, is that of another function, or
    each element counts for the one at its place only.
    """
    tape = backward.tape
    variables = {**_variables(tape), "": tape.output}
    sizes = [x.size for x in variables.values()]
    if sum(sizes) > 2000 or max(sizes) * len(tape.values) > MOST_NUMBERS:
        return
    arrays = {tuple(x.ravel().tolist()): name for name, x in variables.items() if name}
    for group in tape.groups:  # operands that have no name
        nodes = tuple(tape.edges[e].parent for e in group.edges)
        if len(set(nodes)) == len(nodes) and group.operand:
            arrays.setdefault(nodes, group.operand)
    data = numpy.array([value.data for value in tape.values])
    for result_name, numbers in variables.items():
        results = numbers.ravel()
        sources = [nodes for nodes in arrays if len(nodes) == results.size
                   and max(nodes) < results.max() and nodes != tuple(results.tolist())]
        if not sources or results.min() < 0:
            continue
        jacobian, above = backward.jacobian(results), backward.right[results]
        for nodes in sources:
            local = jacobian[list(nodes)]
            diagonal = numpy.diagonal(local)
            is_elementwise = numpy.allclose(local, numpy.diag(diagonal))
            named = variables.get(arrays[nodes])
            if not local.any() or not is_elementwise and (
                    named is None or named.shape != numbers.shape):
                continue

            def instead(kind: str, wrong: Any, detail: Any, local: Any = local,
                        above: Any = above, nodes: Any = nodes) -> Mistake:
                return Mistake(kind, added=dict(zip(nodes, (wrong - local @ above).tolist(),
                                                    strict=True)), detail=detail)

            pair = arrays[nodes], result_name
            if not numpy.allclose(numpy.abs(diagonal), 1):
                yield instead("factor", above, pair)
            if not is_elementwise:
                yield instead("diagonal", diagonal * above, pair)
                continue
            x, y = data[list(nodes)], data[results]
            for function, wrong in EXCHANGED.items():
                with numpy.errstate(all="ignore"):
                    same = numpy.allclose(ELEMENTARY[function](x), y, 1e-9, 1e-12)
                if same:
                    yield instead("x for y", above * numpy.array(
                        [wrong(*xy) for xy in zip(x, y, strict=True)]), pair)
