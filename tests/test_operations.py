"""Generated from the table of operations: each sample of each operation, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch

import tinytensor
from operations import (
    differentiable,
    made,
    ours,
    outputs,
    reference,
    samples,
    theirs,
    values,
)

CASES = list(samples())
cases = pytest.mark.parametrize(("entry", "sample"), [c[1:] for c in CASES],
                                ids=[c[0] for c in CASES])


def weights(tensors: list[Any], seed: int) -> list[Any]:
    """What to multiply results with to make one number of them: fixed, not symmetric."""
    rng = numpy.random.default_rng(seed)
    return [rng.uniform(0.5, 1.5, tuple(t.shape)) for t in tensors]


def total(tensors: list[Any], library: Any, seed: int) -> Any:
    """Σ w · result over all results."""
    pairs = zip(tensors, weights(tensors, seed), strict=True)
    return sum((t * library.tensor(w, dtype=t.dtype)).sum() for t, w in pairs)


def close(mine: Any, reference: Any, tolerance: float, what: str) -> None:
    mine, reference = values(mine), values(reference)
    assert mine.shape == reference.shape, f"{what}: shape {mine.shape}, PyTorch {reference.shape}"
    assert mine.dtype == reference.dtype, f"{what}: dtype {mine.dtype}, PyTorch {reference.dtype}"
    numpy.testing.assert_allclose(mine, reference, tolerance, tolerance, err_msg=what)


@cases
@pytest.mark.parametrize("dtype", [numpy.float64, numpy.float32], ids=["float64", "float32"])
def test_result_and_gradients_equal_pytorch(entry, sample, dtype):
    arguments = made(sample, entry.name)
    (args, kwargs), leaves = ours(arguments, dtype)
    (args_t, kwargs_t), leaves_t = theirs(arguments, dtype)
    tolerance = 1e-11 if dtype == numpy.float64 else 3e-5
    result = outputs(entry.function(*args, **kwargs))
    result_t = outputs(reference(entry)(*args_t, **kwargs_t))
    assert len(result) == len(result_t)
    for i, (mine, other) in enumerate(zip(result, result_t, strict=True)):
        close(mine, other, tolerance, f"result {i}")
    result, result_t = differentiable(result), differentiable(result_t)
    assert len(result) == len(result_t)
    if not result:
        return
    grads = tinytensor.autograd.grad(total(result, tinytensor, 0), leaves, allow_unused=True)
    grads_t = torch.autograd.grad(total(result_t, torch, 0), leaves_t, allow_unused=True)
    for i, (mine, other) in enumerate(zip(grads, grads_t, strict=True)):
        assert (mine is None) == (other is None), f"gradient {i}"
        if mine is not None:
            close(mine, other, tolerance, f"gradient {i}")


@cases
def test_second_derivatives_equal_pytorch(entry, sample):
    arguments = made(sample, entry.name)
    found = []
    for library, make, function in ((tinytensor, ours, entry.function),
                                    (torch, theirs, reference(entry))):
        (args, kwargs), leaves = make(arguments)
        result = differentiable(outputs(function(*args, **kwargs)))
        if not result:
            return
        first = library.autograd.grad(total(result, library, 0), leaves, create_graph=True,
                                      allow_unused=True)
        first = differentiable([g for g in first if g is not None])
        if first:
            second = library.autograd.grad(total(first, library, 1), leaves, allow_unused=True)
        else:
            second = [None] * len(leaves)
        found.append([numpy.zeros(tuple(x.shape)) if g is None else values(g)
                      for g, x in zip(second, leaves, strict=True)])
    for i, (mine, other) in enumerate(zip(*found, strict=True)):
        close(mine, other, 1e-10, f"second derivative {i}")
