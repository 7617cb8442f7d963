"""The checks that follow from the definition of an operation.

The table of operations says how to call each operation (its samples) and what it must equal (its
reference). From these the checks follow, so an operation has no test of its own for them. The
command `python -m tinytensor check NAME` and tests/test_operations.py run the same functions.

    calls.py         samples with their Tensors, here and in PyTorch; gradients of their results
    comparing.py     two arrays that must agree, and what their difference suggests
    checks.py        the checks, each a function of an operation and one of its samples
    exemptions.py    operations to which a check does not apply, with the reason
    reports.py       runs the checks of an operation, and prints what they say
"""

from .checks import CHECKS, Check
from .comparing import CheckError, NotChecked
from .reports import Outcome, check, run

__all__ = ["CHECKS", "Check", "CheckError", "NotChecked", "Outcome", "check", "run"]
