"""Named results: their fields and how they are printed are PyTorch's."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch

import tinytensor

X = [[0.5, 4.0, -1.0], [2.0, 1.0, 8.0]]
A = [[4.0, 1.0], [1.0, 3.0]]
CALLS: dict[str, Callable[[Any], Any]] = {
    "max": lambda lib: lib.tensor(X).max(1), "min": lambda lib: lib.tensor(X).min(dim=0),
    "sort": lambda lib: lib.tensor(X).sort(), "topk": lambda lib: lib.tensor(X).topk(2),
    "kthvalue": lambda lib: lib.tensor(X).kthvalue(2),
    "median": lambda lib: lib.tensor(X).median(1),
    "nanmedian": lambda lib: lib.tensor(X).nanmedian(1),
    "mode": lambda lib: lib.tensor([[1.0, 3.0, 3.0]]).mode(1),
    "cummax": lambda lib: lib.tensor(X).cummax(1), "cummin": lambda lib: lib.tensor(X).cummin(1),
    "topk of a number": lambda lib: lib.tensor(3.0).topk(1),
    "aminmax": lambda lib: lib.tensor(X).aminmax(), "frexp": lambda lib: lib.frexp(lib.tensor(X)),
    "histogram": lambda lib: lib.tensor(X).histogram(2),
    "slogdet": lambda lib: lib.slogdet(lib.tensor(A)),
    "eigh": lambda lib: lib.linalg.eigh(lib.tensor([[2.0, 0.0], [0.0, 3.0]])),
    "svd": lambda lib: lib.svd(lib.tensor([[1.0]])),
    "linalg.svd": lambda lib: lib.linalg.svd(lib.tensor([[1.0]])),
    "qr": lambda lib: lib.qr(lib.tensor([[-1.0]])),
    "linalg.qr": lambda lib: lib.linalg.qr(lib.tensor([[-1.0]])),
    "lstsq": lambda lib: lib.linalg.lstsq(lib.tensor([[2.0]]), lib.tensor([[4.0]])),
    "cholesky_ex": lambda lib: lib.linalg.cholesky_ex(lib.tensor([[4.0]])),
    "inv_ex": lambda lib: lib.linalg.inv_ex(lib.tensor([[4.0]])),
    "geqrf": lambda lib: lib.geqrf(lib.tensor([[4.0]])),
    "histogramdd": lambda lib: lib.histogramdd(lib.tensor(X), [2, 2, 2]),
    "solve_ex": lambda lib: lib.linalg.solve_ex(lib.tensor([[4.0]]), lib.tensor([[4.0]])),
    "triangular_solve": lambda lib: lib.triangular_solve(lib.tensor([[4.0]]), lib.tensor([[4.0]])),
}


@pytest.mark.filterwarnings("ignore:torch.(triangular_solve|qr) is deprecated")
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_named_results_are_printed_as_in_pytorch(call: Callable[[Any], Any],
                                                 monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = call(tinytensor), call(torch)
    assert repr(ours).startswith("tinytensor.return_types.")
    monkeypatch.setattr("tinytensor.arrays.naming.package", "torch")
    assert repr(ours) == repr(theirs)
    assert all(hasattr(theirs, field) for field in ours._fields)


def test_named_results_can_be_pickled() -> None:
    values = tinytensor.tensor(X).max(1)
    again = pickle.loads(pickle.dumps(values))
    assert type(again) is type(values) and again.indices.tolist() == [1, 2]
