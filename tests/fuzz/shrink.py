"""Shrinks a program that shows a difference.

Every step tries slightly simpler programs, and keeps the first that still shows a difference of the
same kind: fewer lines, then smaller expressions, then smaller Tensors with simpler values.
"""

from __future__ import annotations

import ast
import copy
import itertools
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import torch

from .compare import difference
from .programs import Program, Seen, run, targets, variables


def shrink(program: Program, seconds: float = 20.0) -> Program:
    """The shortest program that steps from `program` reach without losing its difference."""
    wanted = difference(program)
    assert wanted is not None, "the program shows no difference"
    tried: set[Program] = set()
    end = time.monotonic() + seconds

    def fails(candidate: Program) -> bool:
        if candidate in tried:
            return False
        tried.add(candidate)
        found = difference(candidate)
        return found is not None and found.kind == wanted.kind

    shorter: Program | None = program[:wanted.line + 1]
    if shorter and fails(shorter):
        program = shorter
    shorter = program
    while shorter is not None and time.monotonic() < end:
        program = shorter
        shorter = next((c for c in simpler(program)
                        if time.monotonic() < end and size(c) < size(program) and fails(c)), None)
    return renamed(program)


def size(program: Program) -> tuple[int, ...]:
    """The size of a program. Every step must reduce it."""
    trees = [ast.parse(line) for line in program]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    literal = sum(isinstance(node, ast.Constant) for node in nodes)
    plain = sum(isinstance(node, ast.Constant) and node.value in (0, 1, 2) for node in nodes)
    return (len(program), len(nodes) - literal, literal, literal - plain, sum(map(len, program)))


def simpler(program: Program) -> Iterator[Program]:
    yield from without_lines(program)
    yield from without_names(program)
    yield from cut_off(program)
    yield from smaller_tensors(program)
    for i, line in enumerate(program):
        for text in simpler_lines(line):
            yield (*program[:i], text, *program[i + 1:])


def without_lines(program: Program) -> Iterator[Program]:
    length = len(program) // 2
    while length:
        for start in range(0, len(program) - length + 1):
            yield program[:start] + program[start + length:]
        length //= 2


def without_names(program: Program) -> Iterator[Program]:
    """Replaces a variable by one that it was computed from, or by an earlier one."""
    for i, line in enumerate(program):
        for name in targets(line):
            for other in sorted(variables(line) - {name}):
                yield tuple(re.sub(rf"\b{name}\b", other, later)
                            for later in program[:i] + program[i + 1:])
            for earlier in program[:i]:
                for other in targets(earlier):
                    yield (*program[:i], *(re.sub(rf"\b{name}\b", other, later)
                                           for later in program[i + 1:]))


def cut_off(program: Program) -> Iterator[Program]:
    """Replaces a computed value by a literal, and drops lines that are then not needed."""
    for i, line in enumerate(program):
        if len(targets(line)) != 1 or re.match(r"v\d+ = torch\.tensor\(", line):
            continue
        (name,) = targets(line)
        value = run(program[:i + 1], torch).state.get(name)
        if isinstance(value, Seen) and value.array.size < 50:
            grad = ", requires_grad=True" * value.requires_grad
            text = f"{name} = torch.tensor({value.array.tolist()}, dtype=torch.{value.dtype}{grad})"
            yield needed((*program[:i], text, *program[i + 1:]), i)


def needed(program: Program, i: int) -> Program:
    """Drops the lines before `i` whose variables no later line uses."""
    wanted = set().union(*(variables(line) for line in program[i:]))
    kept: list[str] = []
    for line in reversed(program[:i]):
        if wanted & variables(line):
            wanted |= variables(line)
            kept.insert(0, line)
    return (*kept, *program[i:])


# ---------------------------------------------------------------- Tensors


def smaller_tensors(program: Program) -> Iterator[Program]:
    """Shortens all literals along axes of one length, then each alone, or simplifies values."""
    found = [(i, *literal) for i, line in enumerate(program) if (literal := _literal(line))]
    lengths = sorted({n for _, data, _ in found for n in data.shape}, reverse=True)
    for length, shorter in itertools.product(lengths, (1, 2)):
        if shorter < length:
            yield _replaced(program, found, lambda data, n=length, m=shorter: data[tuple(
                slice(m) if axis == n else slice(None) for axis in data.shape)])
    for one in found:
        changes: list[Callable[[Any], Any]] = []
        for axis, length in enumerate(one[1].shape):
            changes += [lambda x, a=axis, m=m: numpy.take(x, range(m), a)
                        for m in (1, length // 2, length - 1) if 0 < m < length]
            changes += [lambda x, a=axis, m=m: numpy.take(x, m, a) for m in range(min(length, 3))]
        changes += [numpy.zeros_like, numpy.ones_like]
        if one[1].dtype.kind == "f":
            changes += [numpy.round, numpy.abs, lambda x: numpy.round(x, 1),
                        lambda x: numpy.round(x, 2)]
        for change in changes:
            yield _replaced(program, [one], change)
        for at in numpy.ndindex(one[1].shape):
            for value in (0, 1, 2):
                yield _replaced(program, [one], lambda x, at=at, v=value: _with(x, at, v))


def _with(array: Any, at: Any, value: Any) -> Any:
    array = array.copy()
    array[at] = value
    return array


def _literal(line: str) -> tuple[Any, tuple[int, int]] | None:
    """The array in a line's `torch.tensor(...)`, and the position of its text."""
    for node in ast.walk(ast.parse(line)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.tensor" and node.args:
            first = node.args[0]
            try:
                array = numpy.array(eval(compile(ast.Expression(first), "", "eval"),
                                         {"inf": numpy.inf, "nan": numpy.nan}))
            except (NameError, ValueError):
                continue
            if array.dtype.kind in "fib" and first.end_col_offset is not None:
                return array, (first.col_offset, first.end_col_offset)
    return None


def _replaced(program: Program, found: list[Any], change: Callable[[Any], Any]) -> Program:
    lines = list(program)
    for i, data, (start, stop) in found:
        with numpy.errstate(all="ignore"):
            changed = change(data)
        lines[i] = lines[i][:start] + repr(changed.tolist()) + lines[i][stop:]
    return tuple(lines)


# ---------------------------------------------------------------- expressions


def simpler_lines(line: str) -> Iterator[str]:
    """Lines with one node of the syntax tree simplified."""
    tree = ast.parse(line)
    for number, node in enumerate(ast.walk(tree)):
        for make in _simpler_nodes(node):
            changed = copy.deepcopy(tree)
            target = next(itertools.islice(ast.walk(changed), number, None))
            replacement = make(target)
            if replacement is not target:
                changed = _Exchange(target, replacement).visit(changed)
            try:
                text = ast.unparse(ast.fix_missing_locations(changed))
                ast.parse(text)
            except (SyntaxError, ValueError, AttributeError):
                continue
            if "\n" in text:
                text = re.sub(r":\n +", ": ", text)
            if text and "\n" not in text and text != line:
                yield text


def _simpler_nodes(node: ast.AST) -> Iterator[Callable[[Any], ast.AST]]:
    if isinstance(node, ast.With):
        yield lambda n: n.body[0]
    if isinstance(node, ast.Call):
        for i in range(len(node.keywords)):
            yield lambda n, i=i: _drop(n, n.keywords, i)
        for i in reversed(range(len(node.args))):
            yield lambda n, i=i: _drop(n, n.args, i)
        for i in range(len(node.args)):
            yield lambda n, i=i: n.args[i]
        if isinstance(node.func, ast.Attribute):
            yield lambda n: n.func.value
    if isinstance(node, ast.BinOp):
        yield lambda n: n.left
        yield lambda n: n.right
    if isinstance(node, ast.UnaryOp):
        yield lambda n: n.operand
    if isinstance(node, ast.Subscript):
        yield lambda n: n.value
    if isinstance(node, ast.Tuple | ast.List) and len(node.elts) > 1:
        for i in range(len(node.elts)):
            yield lambda n, i=i: _drop(n, n.elts, i)
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in (0, 1, 2, round(node.value) if abs(node.value) < 1e9 else 0):
            if node.value != value:
                yield lambda n, v=value: ast.Constant(v)


def _drop(node: ast.AST, parts: list[Any], i: int) -> ast.AST:
    del parts[i]
    return node


class _Exchange(ast.NodeTransformer):
    """Replaces a node by another."""

    def __init__(self, old: ast.AST, new: ast.AST):
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def renamed(program: Program) -> Program:
    """The program with its variables numbered from 1."""
    order = dict.fromkeys(itertools.chain.from_iterable(
        re.findall(r"\bv\d+\b", line) for line in program))
    numbers = {name: f"v{i}" for i, name in enumerate(order, 1)}
    return tuple(re.sub(r"\bv\d+\b", lambda m: numbers[m[0]], line) for line in program)
