"""bfloat16: stored by ml_dtypes, computed in float32, rounded once.

The tests over the table are those of float16. Comparisons with PyTorch follow.
"""

from __future__ import annotations

import ml_dtypes
import pytest
from narrow import calls, compare
from operations import in_turn

from tinytensor.autograd.table import TABLE

HALF = ml_dtypes.bfloat16

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@in_turn("key, i", calls(None))
def test_results_and_gradients_are_those_of_float32_rounded(key: str, i: int) -> None:
    compare(TABLE[key], TABLE[key].samples[i], (300.0,), HALF)
