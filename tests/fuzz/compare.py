"""Compares the variables of a program under tinytensor and under PyTorch.

Two correct libraries differ by rounding errors, and a program may amplify them without bound. So a
larger difference is compared with the change of PyTorch's own results when it computes in float64,
or when the last digit of its inputs changes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy
import torch

import tinytensor

from .known import meant
from .programs import UNREADABLE, Program, Run, Seen, flat, run

# The relative rounding error of a few operations, and the relative size of the last digit of an
# input, by the narrowest dtype in a program.
TOLERANCE = {"float16": 4e-3, "float32": 2e-5, "float64": 1e-10}
LAST_DIGIT = {"float16": 2.0**-10, "float32": 2.0**-22, "float64": 2.0**-50}
PERTURBED_RUNS = 12
MARGIN = 30.0  # allowed difference, in multiples of the change of PyTorch's results


@dataclass(frozen=True)
class Difference:
    """The first difference between two runs of a program."""

    line: int  # len(program) means the final state
    what: str  # "error", "dtype", "shape", "values", ...; with the prefix "grad" for a gradient
    name: str
    ours: Any
    theirs: Any

    @property
    def kind(self) -> tuple[str, ...]:
        """Two programs show the same difference if their kinds are equal."""
        return (self.what, *(re.sub(r"\d+|v\d+", "#", f"{type(e).__name__}: {e}")[:30]
                             if isinstance(e, Exception) else "" for e in (self.ours, self.theirs)))

    def __str__(self) -> str:
        def shown(x: Any) -> str:
            return f"{type(x).__name__}: {x}" if isinstance(x, Exception) else str(x)

        return f"{self.what} of {self.name}\ntinytensor: {shown(self.ours)}\n" \
               f"PyTorch:    {shown(self.theirs)}"


def difference(program: Program, excuse: bool = True) -> Difference | None:
    """The first difference between the libraries that is neither rounding nor intended."""
    ours, theirs = run(program, tinytensor), run(program, torch)
    precision = narrowest(theirs)
    for line, what, name, a, b in differences(ours, theirs, TOLERANCE[precision]):
        if what.endswith(("values", "shape", "numbers")) \
                and by_rounding(program, precision, largest(theirs), line, name, a, b):
            if what.endswith("shape"):
                return None  # later lines depend on rounding too
            continue
        found = Difference(line, what, name, a, b)
        reason = meant(program, found) if excuse else None
        if reason is None:
            return found
        if reason.ends:
            return None
    return None


def narrowest(done: Run) -> str:
    """The narrowest floating point dtype in a run."""
    values = [*done.state.values(), *(x for made in done.assigned for x in made.values())]
    dtypes = {x.dtype for x in flat(values) if isinstance(x, Seen)}
    return next((dtype for dtype in TOLERANCE if dtype in dtypes), "float64")


def largest(done: Run) -> float:
    """The largest finite number in a run."""
    arrays = [x.array for x in flat(list(done.state.values())) if isinstance(x, Seen)]
    numbers = [numpy.abs(a[numpy.isfinite(a)]).max(initial=0.0) for a in arrays
               if a.dtype.kind == "f"]
    return float(max(numbers, default=0.0))


def differences(ours: Run, theirs: Run, tolerance: float) -> Iterator[tuple[Any, ...]]:
    """(line, what, name, ours, theirs) of each difference, in order."""
    for i, errors in enumerate(zip(ours.errors, theirs.errors, strict=True)):
        if (errors[0] is None) != (errors[1] is None):
            yield i, "error", "", *errors
        for name, value in theirs.assigned[i].items():
            if name in ours.assigned[i]:
                yield from _unequal(i, name, ours.assigned[i][name], value, tolerance)
        for name, others in theirs.shared[i].items():
            if ours.shared[i].get(name, others) != others:
                yield i, "memory", name, ours.shared[i][name], others
    for name, value in theirs.state.items():
        if name in ours.state:
            yield from _unequal(len(ours.errors), name, ours.state[name], value, tolerance)


def _unequal(line: int, name: str, a: Any, b: Any, tolerance: float) -> Iterator[tuple[Any, ...]]:
    prefix = "grad " if name.endswith(".grad") else ""
    if b is UNREADABLE:
        return
    if isinstance(b, list) and isinstance(a, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            yield from _unequal(line, f"{name}[{i}]", x, y, tolerance)
    elif isinstance(a, Seen) and isinstance(b, Seen):
        for what in ("dtype", "shape", "requires_grad", "is_leaf"):
            if getattr(a, what) != getattr(b, what):
                yield line, prefix + what, name, a, b
                return
        if not close(a.array, b.array, tolerance):
            yield line, prefix + "values", name, a, b
    elif type(a) is not type(b):
        yield line, prefix + "type", name, a, b
    elif isinstance(b, float):
        if not close(numpy.array(a), numpy.array(b), tolerance):
            yield line, prefix + "numbers", name, a, b
    elif isinstance(b, int | str | bool | list) and a != b:
        yield line, prefix + "numbers", name, a, b


def close(a: Any, b: Any, tolerance: float, slack: Any = 0.0) -> bool:
    """Whether all |a - b| are at most `tolerance` times the largest element of b, plus `slack`."""
    return bool(_close(a, b, tolerance, slack).all())


def _close(a: Any, b: Any, tolerance: float, slack: Any = 0.0) -> Any:
    if b.dtype.kind != "f":
        return a == b
    a, b = a.astype(float), b.astype(float)
    size = numpy.abs(b[numpy.isfinite(b)]).max(initial=0.0)
    with numpy.errstate(all="ignore"):
        near = numpy.abs(a - b) <= tolerance * size + slack
    return near | (a == b) | (numpy.isnan(a) & numpy.isnan(b))


# ---------------------------------------------------------------- rounding


def by_rounding(program: Program, precision: str, scale: float, line: int, name: str,
                a: Any, b: Any) -> bool:
    """Whether PyTorch's own result changes as much when its rounding changes.

    The last digit of `scale`, the largest number in the program, counts as rounding too.
    """
    exact = _value(run(program, exact_torch()), line, name)
    digit = LAST_DIGIT[precision]
    moved = [_value(run(program, perturbed_torch(digit, seed),
                        nudge(digit, seed) if seed % 4 else None), line, name)
             for seed in range(PERTURBED_RUNS)]
    ours, theirs = (x.array if isinstance(x, Seen) else numpy.array(x) for x in (a, b))
    others = [x for x in (exact, *moved) if x is not None]
    if any(x.shape != theirs.shape for x in others):
        return True
    if ours.shape != theirs.shape:
        return False
    tolerance = TOLERANCE[precision]
    if exact is not None and exact.dtype.kind == "f" and theirs.dtype.kind == "f":
        exact = exact.astype(theirs.dtype)  # overflows to inf in float16
    if theirs.dtype.kind != "f":
        unstable = numpy.zeros(theirs.shape, dtype=bool)
        for other in others:
            unstable |= other != theirs
        return bool(((ours == theirs) | unstable).all())
    spread = numpy.zeros(theirs.shape)
    with numpy.errstate(all="ignore"):
        for other in others:
            distance = numpy.abs(other.astype(float) - theirs.astype(float))
            same = (other == theirs) | (numpy.isnan(other) & numpy.isnan(theirs))
            spread = numpy.maximum(spread, numpy.where(same, 0.0, distance))
    spread = numpy.where(numpy.isnan(spread), numpy.inf, spread)
    # Rounding of one element can affect the others, so the largest change counts for all.
    most = spread[numpy.isfinite(spread)].max(initial=0.0)
    slack = MARGIN * numpy.maximum(spread, most) + LAST_DIGIT[precision] * scale
    good = _close(ours, theirs, tolerance, slack)
    good |= numpy.isinf(spread)
    if exact is not None:
        good |= _close(ours, exact, tolerance)  # PyTorch may overflow alone
    return bool(good.all())


def _value(done: Run, line: int, name: str) -> Any:
    """The array of a variable after a line of another run, or None if it has none there."""
    base, *positions = re.findall(r"[^\[\]]+", name)
    held = done.state if line == len(done.assigned) else done.assigned[line]
    value = held.get(base)
    try:
        for position in positions:
            value = value[int(position)]
    except (TypeError, IndexError):
        return None
    if isinstance(value, Seen):
        return value.array
    return None if value is None or isinstance(value, list) else numpy.array(value)


class _Stand:
    """PyTorch with some of its names replaced."""

    def __init__(self, **replaced: Any):
        vars(self).update(replaced)

    def __getattr__(self, name: str) -> Any:
        return getattr(torch, name)


def exact_torch() -> Any:
    """PyTorch with float64 in place of float16 and float32."""
    def tensor(data: Any, dtype: Any = None, **options: Any) -> Any:
        made = torch.tensor(data, dtype=dtype, **options)
        return made.detach().double().requires_grad_(made.requires_grad) \
            if made.is_floating_point() else made

    wide = dict.fromkeys(("float16", "half", "float32", "float"), torch.float64)
    return _Stand(tensor=tensor, **wide)


def perturbed_torch(relative: float, seed: int) -> Any:
    """PyTorch with a `tensor` that changes the last digit of numbers.

    Integral numbers do not change, because the behaviour at 0 or at a tie is not rounding.
    """
    rng = random.Random(seed)

    def change(x: Any) -> Any:
        if isinstance(x, list | tuple):
            return [change(y) for y in x]
        if isinstance(x, float) and x == x and abs(x) != float("inf") and not x.is_integer():
            return x * (1 + relative * rng.choice((-1, 1)))
        return x

    return _Stand(tensor=lambda data, **options: torch.tensor(change(data), **options))


def nudge(relative: float, seed: int) -> Callable[[Any], None]:
    """A function that changes the last digit of results, each element at random."""
    rng = numpy.random.default_rng(seed)

    def change(value: Any) -> None:
        if isinstance(value, torch.Tensor) and value.is_floating_point() \
                and not value._is_view() and value.numel() and 0 not in value.stride():
            data = value.detach()
            signs = torch.tensor(rng.choice((-relative, relative), tuple(value.shape)))
            data.data.mul_(torch.where(data == data.trunc(), 0.0, signs).to(data.dtype) + 1)

    return change
