"""Kernels for the steps of optimisers and for gradient clipping: one launch for all parameters.

The addresses of the arrays go to the kernels of `steps.cu` with the launch, by value. The steps of
optimisers that need no more than numbers from the host are generated from `FORMULAS`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy

from ... import amp
from ...arrays.devices import cupy, gpu_module, is_gpu_array
from ...autograd.graph import Tensor
from ...nn.utils import clip_grad
from ...optim.adadelta import Adadelta
from ...optim.adagrad import Adagrad
from ...optim.adam import Adam
from ...optim.adamax import Adamax
from ...optim.asgd import ASGD
from ...optim.nadam import NAdam
from ...optim.optimizer import check_shapes
from ...optim.radam import RAdam
from ...optim.rmsprop import RMSprop
from ...optim.rprop import Rprop
from ...optim.sgd import SGD
from .launch import FLOATS, THREADS, Array, Source, dense, is_here

SOURCE = Source("steps", after=("tables",))
ROWS, ARRAYS, CHUNK = 70, 5, 4096  # as in tables.cu
TABLE = numpy.dtype([("rows", "i8"), ("chunks", "i8"), ("row", "i8", (ROWS, ARRAYS + 2))])
STEPS = numpy.dtype([("rows", "i8"), ("step", "i8", ROWS)])


def _tables(rows: Sequence[Sequence[Array]]) -> Iterator[tuple[Any, slice, int]]:
    """The rows, of arrays or None, as tables for launches, each with its place among the rows and
    its number of chunks. Tables without any element are left out.
    """
    for start in range(0, len(rows), ROWS):
        part = rows[start:start + ROWS]
        chunks, fields = 0, []
        for row in part:
            size = row[0].size
            fields.append([*(0 if a is None else a.data.ptr for a in row),
                           *[0] * (ARRAYS - len(row)), size, chunks])
            chunks += -(-size // CHUNK)
        table = numpy.zeros((), TABLE)
        table["rows"], table["chunks"] = len(part), chunks
        table["row"][:len(part)] = fields
        if chunks:
            yield table, slice(start, start + len(part)), chunks


def _fitting(update: Any, prepared: list[tuple[Any, ...]], group: dict[str, Any],
             arrays: int) -> dict[Any, list[tuple[Any, ...]]]:
    """The rows by dtype and by what follows their arrays. The reference updates the others.

    Gradients may be strided.

    Raises:
        RuntimeError: shapes that differ. No parameter has changed.
    """
    check_shapes(update.name, prepared)
    fitting: dict[Any, list[tuple[Any, ...]]] = {}
    left = []
    for row in prepared:
        dtype = row[0].dtype
        written = [a for i, a in enumerate(row[:arrays]) if a is not None and i != 1]
        if dtype in FLOATS and row[1].dtype == dtype and all(
                a.dtype == dtype and a.flags.c_contiguous for a in written):
            numbers = tuple([None if isinstance(x, Tensor) else x for x in row[arrays:]])
            fitting.setdefault((dtype, numbers), []).append(row)
        else:
            left.append(row)
    if left:
        update.reference(gpu_module(), left, group)
    return fitting


def _launch(name: str, dtype: Any, rows: list[tuple[Any, ...]], arrays: int,
            *arguments: Any, source: Source = SOURCE) -> None:
    given = [[row[0], dense(row[1]), *row[2:arrays]] for row in rows]
    for table, _, chunks in _tables(given):
        source.launch(name, dtype, chunks, THREADS, table, *arguments)


def _signs(group: dict[str, Any]) -> tuple[float, float]:
    """The sign of the gradient, and the L2 penalty."""
    decay = 0.0 if group.get("decoupled_weight_decay") else float(group.get("weight_decay", 0))
    return (-1.0 if group["maximize"] else 1.0), decay


def _rate(group: dict[str, Any], dtype: Any) -> tuple[Array | None, float]:
    """The learning rate: an array on the GPU, which the host does not read, or a number."""
    lr = group["lr"]
    if isinstance(lr, Tensor) and is_gpu_array(lr._array):
        return lr._array.astype(dtype, copy=False), 0.0
    return None, float(lr)


@SGD.update.kernel("cuda")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    for (dtype, (first,)), rows in _fitting(SGD.update, prepared, group, 3).items():
        _launch("sgd", dtype, rows, 3, *_rate(group, dtype), *_signs(group),
                float(group["momentum"]), 1.0 - group["dampening"], int(group["nesterov"]),
                int(first))
    return True


@Adam.update.kernel("cuda")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    beta1, beta2 = map(float, group["betas"])
    decay = float(group["weight_decay"]) if group["decoupled_weight_decay"] else 0.0
    averages = 1 - beta1, beta2, 1 - beta2
    for (dtype, (rate, eps)), rows in _fitting(Adam.update, prepared, group, 5).items():
        if eps is not None:
            shrink = 1 - float(group["lr"]) * decay if decay else 1.0
            _launch("adam", dtype, rows, 5, None, rate, eps, *_signs(group), shrink, None,
                    *averages)
            continue
        for start in range(0, len(rows), ROWS):  # the counts of steps are on the GPU
            part = rows[start:start + ROWS]
            numbers, shrink = _counted(part, group, dtype, decay)
            _launch("adam", dtype, part, 5, numbers, 0.0, 0.0, *_signs(group), 0.0, shrink,
                    *averages)
    return True


def _counted(rows: list[tuple[Any, ...]], group: dict[str, Any], dtype: Any,
             decay: float) -> tuple[Array, Array]:
    """Counts a step. The numbers of each row, and the factor of decoupled decay, on the GPU."""
    steps = numpy.zeros((), STEPS)
    steps["rows"], steps["step"][:len(rows)] = len(rows), [row[5]._array.data.ptr for row in rows]
    numbers, shrink = cupy().empty((len(rows), 2), "float64"), cupy().empty(1, "float64")
    SOURCE.launch("count_steps", dtype, 1, ROWS, steps, numbers, *_rate(group, dtype),
                  float(group["eps"]), *map(float, group["betas"]), decay, shrink)
    return numbers, shrink


@RMSprop.update.kernel("cuda")
def _(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> Any:
    alpha = float(group["alpha"])
    for (dtype, _), rows in _fitting(RMSprop.update, prepared, group, 5).items():
        _launch("rmsprop", dtype, rows, 5, *_rate(group, dtype), *_signs(group), alpha,
                1 - alpha, float(group["eps"]), float(group["momentum"]))
    return True


# ---------------------------------------------------------------- steps from their formulas

# For each optimiser: its state arrays, the numbers that it prepares for each parameter, options of
# the group, and the step of an element p whose gradient is g. Numbers are double.
FORMULAS: dict[type[Any], tuple[str, str, str, str]] = {
    Adadelta: ("square delta_square", "", "rho eps lr", """
        square = square * Real(rho) + g * g * Real(1 - rho);
        Real delta = sqrt((delta_square + Real(eps)) / (square + Real(eps))) * g;
        delta_square = delta_square * Real(rho) + delta * delta * Real(1 - rho);
        p -= delta * Real(lr);"""),
    Adagrad: ("total", "rate", "eps", """
        total += g * g;
        p -= g / (sqrt(total) + Real(eps)) * Real(rate);"""),
    Adamax: ("mean largest", "rate", "beta1 beta2 eps", """
        mean += (g - mean) * Real(1 - beta1);
        largest = larger(largest * Real(beta2), abs(g) + Real(eps));
        p -= mean / largest * Real(rate);"""),
    ASGD: ("average", "eta mu", "lambd", """
        p = p * Real(1 - lambd * eta) - Real(eta) * g;
        average += (p - average) * Real(mu);"""),
    NAdam: ("mean square", "of_g of_m correction", "beta1 beta2 eps", """
        mean += (g - mean) * Real(1 - beta1);
        square = square * Real(beta2) + g * g * Real(1 - beta2);
        p -= (mean * Real(of_m) + Real(of_g) * g) / (sqrt(square / Real(correction)) + Real(eps));
        """),
    RAdam: ("mean square", "rate trusted", "beta1 beta2 eps", """
        mean += (g - mean) * Real(1 - beta1);
        square = square * Real(beta2) + g * g * Real(1 - beta2);
        p -= (trusted != 0 ? mean / (sqrt(square) + Real(eps)) : mean) * Real(rate);"""),
    Rprop: ("before size", "", "less more least most", """
        Real agreement = g * before;
        size *= Real(agreement > 0 ? more : agreement < 0 ? less : 1.0);
        size = size < Real(least) ? Real(least) : size > Real(most) ? Real(most) : size;
        before = agreement < 0 ? Real(0) : g;
        p -= (before > 0 ? 1 : before < 0 ? -1 : before) * size;"""),
}
PAIRS = {"betas": ("beta1", "beta2"), "etas": ("less", "more"), "step_sizes": ("least", "most")}
TEXT = """
extern "C" __global__ void {name}_step(const __grid_constant__ Table table, double sign,
                                       double penalty, double kept{numbers}) {{
    for_each_element(table, [&](int row, Int i) {{
        Real* const* array = table.row[row].array;
        Real p = array[0][i] * Real(kept), g = direction(array[1][i], p, Real(sign), Real(penalty));
        {state}{step}
        array[0][i] = p;
    }});
}}
"""


def _text(name: str, states: str, prepared: str, options: str, step: str) -> str:
    """The kernel of an optimiser."""
    numbers = "".join(f", double {n}" for n in f"{prepared} {options}".split())
    state = " ".join(f"Real& {n} = array[{2 + i}][i];" for i, n in enumerate(states.split()))
    return TEXT.format(name=name, numbers=numbers, state=state, step=step)


FORMULAS_SOURCE = Source("formulas of optimisers", "".join(
    _text(kind.__name__.lower(), *description) for kind, description in FORMULAS.items()),
    after=("tables",))


def _options(group: dict[str, Any], names: str) -> list[float]:
    values = dict(group)
    for pair, parts in PAIRS.items():
        values |= dict(zip(parts, group.get(pair, ()), strict=False))
    return [float(values[name]) for name in names.split()]


def _by_formula(kind: type[Any], states: str, options: str) -> Any:
    """The kernel of the step of an optimiser."""
    arrays = 2 + len(states.split())

    def step(prepared: list[tuple[Any, ...]], group: dict[str, Any]) -> bool:
        decay = float(group["weight_decay"]) if group.get("decoupled_weight_decay") else 0.0
        kept = 1 - float(group["lr"]) * decay if decay else 1.0
        numbers = _options(group, options)
        for (dtype, own), rows in _fitting(kind.update, prepared, group, arrays).items():
            _launch(f"{kind.__name__.lower()}_step", dtype, rows, arrays, *_signs(group), kept,
                    *map(float, own), *numbers, source=FORMULAS_SOURCE)
        return True

    return step


for _kind, _description in FORMULAS.items():
    _kind.update.kernel("cuda")(_by_formula(_kind, _description[0], _description[2]))


# ---------------------------------------------------------------- clipping


def _alike(arrays: list[Array]) -> bool:
    dtype = arrays[0].dtype if arrays else None
    return dtype in FLOATS and is_here(arrays[0]) and all(
        a.dtype == dtype and a.flags.c_contiguous for a in arrays)


@clip_grad.norms.kernel("cuda")
def _(arrays: list[Array], p: float) -> Array | None:
    if p != 2 or not _alike(arrays):
        return None
    module, dtype = cupy(), arrays[0].dtype
    norms = module.zeros(len(arrays), dtype)
    for table, rows, chunks in _tables([[a] for a in arrays]):
        sums = module.empty(chunks, "float64")
        SOURCE.launch("chunk_squares", dtype, chunks, THREADS, table, sums)
        of_table = norms[rows]
        SOURCE.launch("row_norms", dtype, of_table.size, 32, table, sums, of_table)
    return norms


@clip_grad.scale.kernel("cuda")
def _(arrays: list[Array], factor: Array) -> bool | None:
    if not _alike(arrays):
        return None
    factor = factor.astype(arrays[0].dtype, copy=False)
    for table, _, chunks in _tables([[a] for a in arrays]):
        SOURCE.launch("scale", arrays[0].dtype, chunks, THREADS, table, factor)
    return True


@amp.unscale.kernel("cuda")
def _(arrays: list[Array], factor: float) -> Array | None:
    if not _alike(arrays):
        return None
    finite = cupy().ones((), "bool")
    for table, _, chunks in _tables([[a] for a in arrays]):
        SOURCE.launch("unscale", arrays[0].dtype, chunks, THREADS, table, float(factor), finite)
    return finite
