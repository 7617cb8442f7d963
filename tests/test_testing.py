"""`assert_close` accepts and refuses the same values as PyTorch's."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
import torch

import tinytensor

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize("pair", [
    lambda t: ([1.0, 2.0], t([1.0, 2.0])), lambda t: (t([1.0, 2.0]), t([1.0, 2.0])),
    lambda t: (t([1.0, 2.0]), t([1.0, 2.1])), lambda t: (t([1.0]), t([1.0 + 1e-6])),
    lambda t: (t([1e6]), t([1e6 + 2])), lambda t: (t([0.0]), t([1.1e-5])),
    lambda t: (t([1.0]), t([1.0, 2.0])), lambda t: (t([1.0]), t([[1.0]])),
    lambda t: (t([1]), t([1.0])), lambda t: (t([1]), t([2])), lambda t: (t([True]), t([False])),
    lambda t: (t(1.0), t(2.0)), lambda t: (1.0, 1.1), lambda t: (1.0, 1 + 1e-9),
    lambda t: (1, 1.0), lambda t: (1, 2), lambda t: (None, None), lambda t: ("a", "a"),
    lambda t: (t([NAN]), t([NAN])), lambda t: (t([INF, 1.0]), t([INF, 1.0])),
    lambda t: (t([INF]), t([-INF])), lambda t: (t([1.0]), t([INF])), lambda t: (t([]), t([])),
    lambda t: ([t([1.0]), 2], [t([1.0]), 2]), lambda t: ([t([1.0]), 2], (t([1.0]), 3)),
    lambda t: ({"a": [t(1)]}, {"a": [t(2)]}), lambda t: ({"a": 1}, {"b": 1}),
    lambda t: ([1], [1, 2]), lambda t: (numpy.ones(2), numpy.ones(2)),
    lambda t: (numpy.ones(2), numpy.ones(2, "f4")), lambda t: (numpy.ones(2), numpy.ones(3)),
    lambda t: (numpy.ones(2), t([1.0, 1.0])), lambda t: (t([1.0]), [1.0]),
    lambda t: (numpy.array([1j]), numpy.array([2j])), lambda t: (2**70, 2**70),
    lambda t: (numpy.float64(1), 1.0), lambda t: (numpy.float32(1), 1.0),
    lambda t: (t([1.0]), None), lambda t: ({"a": 1}, [1])], ids=lambda p: "")
@pytest.mark.parametrize("options", [
    {}, {"equal_nan": True}, {"check_dtype": False}, {"rtol": 0.1, "atol": 0.0},
    {"rtol": 0.0, "atol": 0.0}], ids=str)
def test_decides_as_pytorch(pair: Any, options: dict[str, Any]) -> None:
    outcomes = []
    for library in (tinytensor, torch):
        actual, expected = pair(library.tensor)
        try:
            library.testing.assert_close(actual, expected, **options)
            outcomes.append(None)
        except (AssertionError, TypeError, ValueError) as error:
            outcomes.append(type(error))
    assert outcomes[0] is outcomes[1]


def test_says_how_much_and_where() -> None:
    x, y = tinytensor.zeros(2, 3), tinytensor.zeros(2, 3)
    y[1, 2] = 4.0
    with pytest.raises(AssertionError) as error:
        tinytensor.testing.assert_close({"w": [x]}, {"w": [y]})
    assert str(error.value) == (
        "Tensor-likes are not close!\n\nMismatched elements: 1 / 6 (16.7%)\n"
        "Greatest absolute difference: 4.0 at index (1, 2) (up to 1e-05 allowed)\n"
        "Greatest relative difference: 1.0 at index (1, 2) (up to 1.3e-06 allowed)\n\n"
        "The failure occurred for item ['w'][0]")
    with pytest.raises(AssertionError, match=r"^weights: Tensor-likes"):
        tinytensor.testing.assert_close(x, y, msg=lambda said: f"weights: {said}")
    with pytest.raises(AssertionError, match=r"^wrong$"):
        tinytensor.testing.assert_close(x, y, msg="wrong")
    for options in ({"rtol": 0.1}, {"atol": 0.1}):
        with pytest.raises(ValueError, match="give both rtol and atol, or neither"):
            tinytensor.testing.assert_close(x, x, **options)
    with pytest.raises(AssertionError, match=r"'stride' do not match: \(3, 1\) != \(1, 2\)"):
        tinytensor.testing.assert_close(x, tinytensor.zeros(3, 2).T, check_stride=True)


def test_devices(gpu: Any) -> None:
    x = tinytensor.ones(2)
    tinytensor.testing.assert_close(x.cuda(), x, check_device=False)
    with pytest.raises(AssertionError, match="'device' do not match: cuda:0 != cpu"):
        tinytensor.testing.assert_close(x.cuda(), x)
