"""Linear algebra, under PyTorch's names: `tinytensor.linalg.svd(A)`, `.solve(A, B)`, `.norm(A)`.

The functions are operations like all others, batched and differentiable to any order; their
definitions are in `ops/linalg.py`, `ops/solving.py`, `ops/decomposition.py` and `ops/norms.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ops
from .compat import absent
from .ops.matrices import LinAlgError as LinAlgError

if TYPE_CHECKING:
    from .table.linalg import *  # noqa: F403

# Functions that are also at the top level, under the same name.
SHARED = ("det", "matmul", "matrix_exp", "matrix_power", "slogdet")

_everywhere = ops.names_for("")
globals().update({name: _everywhere[name] for name in SHARED})
globals().update(ops.names_for("linalg"))


if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        raise absent.AbsentName("tinytensor.linalg", name, lambda: globals())
