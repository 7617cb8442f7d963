"""Results and gradients of float16 and bfloat16 inputs against those of float32, rounded."""

from __future__ import annotations

from typing import Any

import numpy

import tinytensor
from tinytensor import tensor
from tinytensor.autograd.table import TABLE, Entry
from tinytensor.checking.calls import (
    Drawn,
    arguments_of,
    differentiable,
    is_drawn,
    leaf_names,
    ours,
    outputs,
    replace,
    weights,
)
from tinytensor.checking.exemptions import OTHER_DTYPES, RANDOM
from tinytensor.ops.samples import S

SINGLE = numpy.float32
REFUSED = {
    "nanquantile": "as in PyTorch, it takes float32 and float64",
    "quantile": "as in PyTorch, it takes float32 and float64",
}
# Exceptions: the allowed error of a gradient, in units of the dtype's eps at its largest element.
RECORDED = {
    "nn.functional.embedding_bag": (2, "its rows are an operation of their own, because "
                                          "max_norm writes into the weight"),
}


def of_magnitude(arguments: Any, magnitude: float, half: Any) -> Any:
    """Scales each Tensor to the largest value `magnitude`, and rounds it to the dtype `half`."""
    def change(x: Drawn) -> Drawn:
        if x.array.dtype.kind != "f" or not x.array.any():
            return x
        array = x.array * (magnitude / numpy.abs(x.array).max())
        return Drawn(array.astype(half).astype(float), x.grad)

    return replace(arguments, is_drawn, change)


def evaluated(entry: Entry, arguments: Any, dtype: Any, half: Any, where: str,
              ) -> tuple[list[Any], list[Any]]:
    """Results and gradients of the inputs, from `slopes_of` the results."""
    (args, kwargs), leaves = ours(arguments, dtype, make=lambda array: tensor(array, device=where))
    results = outputs(entry.function(*args, **kwargs))
    floating, slopes = differentiable(results), []
    if floating and leaves:
        slopes = tinytensor.autograd.grad(floating, leaves, slopes_of(floating, half),
                                          allow_unused=True)
    return [x.cpu().detach().numpy() for x in results], [
        None if x is None else x.cpu().numpy() for x in slopes]


def slopes_of(results: list[Any], half: Any) -> list[Any]:
    """Gradients of the results, with the same values of the dtype `half` for both dtypes."""
    return [tensor(w.astype(half), dtype=r.dtype, device=r.device)
            for w, r in zip(weights(results, 0), results, strict=True)]


def rounded(x: Any, half: Any) -> Any:
    return x.astype(half) if x is not None and x.dtype == SINGLE else x


def compare(entry: Entry, sample: S, magnitudes: Any, half: Any, where: str = "cpu") -> None:
    arguments = arguments_of(sample, entry.name)
    tolerance = RECORDED.get(entry.key, (0, ""))[0] * tinytensor.finfo(half).eps
    for magnitude in magnitudes:
        given = of_magnitude(arguments, magnitude, half)
        found: list[Any] = []
        for dtype in (half, SINGLE):
            try:
                found.append(evaluated(entry, given, dtype, half, where))
            except (RuntimeError, ValueError, IndexError, numpy.linalg.LinAlgError) as error:
                found.append(type(error))  # the numbers are not in the function's domain
        narrow, single = found
        if isinstance(narrow, type) or isinstance(single, type):
            assert narrow is single, magnitude
            continue
        for i, (mine, reference) in enumerate(zip(narrow[0], single[0], strict=True)):
            equal(mine, rounded(reference, half), 0, f"result {i} at {magnitude}")
        for i, (mine, reference) in enumerate(zip(narrow[1], single[1], strict=True)):
            equal(mine, rounded(reference, half), tolerance, f"gradient {i} at {magnitude}")


def equal(mine: Any, expected: Any, tolerance: float, what: str) -> None:
    """Asserts that an array equals the expected one, up to a part of its largest element."""
    if mine is None or expected is None:
        assert mine is expected, what
        return
    assert mine.dtype == expected.dtype and mine.shape == expected.shape, what
    mine, expected = mine.astype(float), expected.astype(float)  # NumPy's tests know no bfloat16
    size = float(numpy.abs(expected).max(initial=0)) if tolerance else 0.0
    numpy.testing.assert_allclose(mine, expected, 0, tolerance * size, err_msg=what)


def calls(count: int | None, entries: Any = TABLE) -> list[tuple[str, int]]:
    """The first samples of each operation that have a floating point input with a gradient."""
    return [(key, i) for key, entry in entries.items()
            if key not in RANDOM and key not in OTHER_DTYPES and key not in REFUSED
            for i, sample in enumerate(entry.samples[:count])
            if leaf_names(entry, arguments_of(sample, entry.name))]
