"""Print the table of operations, one row each, generated from the code."""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy

from ..arrays.dispatch import use_kernels
from ..autograd.op import Op
from ..autograd.table import TABLE, Entry
from ..ops.samples import S, concrete, t
from ..tensors import creation
from ..tensors.tensor import Tensor

COLUMNS = ("operation", "shapes", "derivatives", "devices", "kernels")

PAGE = """# Operations

The operations under PyTorch's names, first by family, then one by one. PyTorch's names that are
left out on purpose are on [a page of their own](PYTORCH.md#differences-from-pytorch). This page is
the output of `python -m tinytensor ops --markdown`.

## Families

A family is a file of [ops/](ops).

{families}

## Table

An alias follows its operation's name. In a shape, `*` is any number of dimensions. "any order"
means that the gradients can be differentiated again.

`kernels` lists by device what runs as a compiled loop, or on a GPU in as few launches as possible.
"forward" is the result, "backward" the gradients. "in linear" means that the operation is composed
of others, of which `linear` has kernels. "-" means that NumPy or CuPy computes everything. The CPU
kernels need Numba; without it everything works, slower.

{table}"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true",
                      help="print the Markdown page tinytensor/OPERATIONS.md")
    form.add_argument("--families", action="store_true",
                      help="print only the names, by file of tinytensor/ops")


def run(options: argparse.Namespace) -> None:
    print(families() if options.families else text(options.markdown))


def text(markdown: bool) -> str:
    """The whole table; as Markdown, the whole page."""
    table = rows()
    if markdown:
        lines = ["| " + " | ".join(COLUMNS) + " |", "|" + "---|" * len(COLUMNS)]
        lines += ["| " + " | ".join(c.replace("|", "\\|") for c in row) + " |" for row in table]
        return PAGE.format(families=families("ops"), table="\n".join(lines))
    widths = [max(len(r[i]) for r in [COLUMNS, *table]) for i in range(len(COLUMNS))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip()
             for r in [COLUMNS, *table]]
    return "\n".join([*lines, "", f"{len(table)} operations"])


def rows() -> list[tuple[str, ...]]:
    """A row for each operation that users can call: see COLUMNS."""
    return sorted(row(key, entry) for key, entry in TABLE.items() if not entry.internal)


def row(key: str, entry: Entry) -> tuple[str, ...]:
    with use_kernels(False):  # the samples need not wait for a compiler
        differentiable = [r for r in results(entry) if r.requires_grad]
    return (", ".join([key, *entry.aliases]), shapes(entry),
            "any order" if differentiable else "none", "cpu, cuda",
            kernels(entry.op) if entry.op else kernels_within(differentiable))


def shapes(entry: Entry) -> str:
    """The sentence of its docstring that begins with "Shapes:"; it may end with "..."."""
    doc = " ".join(inspect.cleandoc(entry.doc).split())
    sentence = re.search(r"Shapes: (.*?(?:\.\.\.(?= |$)|(?=\.(?: |$))))", doc)
    return sentence[1] if sentence else ""


def results(entry: Entry) -> Iterator[Tensor]:
    """The Tensors that the operation returns for its samples, with gradients recorded."""
    rng = numpy.random.default_rng(0)
    for sample in entry.samples or [S(t(2, 3))]:  # an op that draws random numbers has none
        call = concrete(sample, rng, lambda values, spec: creation.tensor(
            values, requires_grad=spec.grad))
        result = entry.function(*call.args, **call.kwargs)
        for r in result if isinstance(result, tuple | list) else (result,):
            if isinstance(r, Tensor):
                yield r


def kernels(op: Op) -> str:
    """The parts of an op that have kernels, by device: "cpu: forward, backward"."""
    inputs = {name for names in op.rules for name in names}
    by_device: dict[str, list[str]] = {}
    for device in sorted({device for part in op.kernels.values() for device in part.kernels}):
        covered = {name for names, part in op.kernels.items() if device in part.kernels
                   for name in names}
        parts = by_device[device] = []
        if () in op.kernels and device in op.kernels[()].kernels:
            parts.append("forward")
        if covered:
            parts.append("backward" if covered == inputs
                         else f"backward for {' and '.join(sorted(covered))}")
    return "; ".join(f"{device}: {', '.join(parts)}" for device, parts in by_device.items()) or "-"


def kernels_within(tensors: Iterable[Tensor]) -> str:
    """The ops with kernels in the graphs of a composed operation's results: "cpu: in linear"."""
    with_kernels: dict[str, set[str]] = {}
    nodes: list[Any] = [tensor.grad_fn for tensor in tensors]
    seen = set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        nodes += node.parents
        for part in node.op.kernels.values() if isinstance(node.op, Op) else ():
            for device in part.kernels:
                with_kernels.setdefault(device, set()).add(node.op.name)
    return "; ".join(f"{device}: in {', '.join(sorted(names))}"
                     for device, names in sorted(with_kernels.items())) or "-"


def families(folder: str = "tinytensor/ops") -> str:
    """The names of all operations, a row of a Markdown table for each file of `ops/`.

    `folder` is that of the links.
    """
    by_module: dict[str, set[str]] = {}
    for entry in TABLE.values():
        if not entry.internal:
            by_module.setdefault(entry.module, set()).add(f"`{entry.name}`")
    lines = ["| family | operations |", "|---|---|"]
    for module, names in sorted(by_module.items()):
        family = module.rpartition(".")[2]
        lines.append(f"| [{family}]({folder}/{family}.py) | {' '.join(sorted(names))} |")
    return "\n".join(lines)
