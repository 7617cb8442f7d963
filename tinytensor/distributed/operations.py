"""ReduceOp: what reductions compute."""

from __future__ import annotations

import enum
from typing import ClassVar


class ReduceOp(enum.Enum):
    """The operation of a reduction. AVG, the sum divided by the number of ranks, needs floats;
    BAND, BOR and BXOR need integers or bools."""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7

    __hash__ = object.__hash__  # there is one object of each; Enum's own hash runs in Python

    def __str__(self) -> str:
        return self._name_  # `name` is a property that runs in Python

    RedOpType: ClassVar[type[ReduceOp]]  # PyTorch's name of the type of ReduceOp.SUM


ReduceOp.RedOpType = ReduceOp

BITWISE = frozenset((ReduceOp.BAND, ReduceOp.BOR, ReduceOp.BXOR))
