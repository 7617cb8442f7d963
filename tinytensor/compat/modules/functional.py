"""`torch.functional`: functions of the package, and `F`, which is `nn.functional`.

Functions of `nn.functional` are found too, since `tinytensor.functional` is another name of it.
"""

from __future__ import annotations

from typing import Any

from ... import ops
from ...nn import functional as F
from ...tensors.tensor import Tensor as Tensor
from .low_rank import pca_lowrank as pca_lowrank
from .low_rank import svd_lowrank as svd_lowrank

NAMES = ("atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_shapes",
         "broadcast_tensors", "cartesian_prod", "cdist", "chain_matmul", "einsum", "meshgrid",
         "norm", "split", "tensordot", "unique", "unique_consecutive")
_FUNCTIONS = ops.names_for("")
globals().update({name: _FUNCTIONS[name] for name in NAMES})


def __getattr__(name: str) -> Any:
    return getattr(F, name)
