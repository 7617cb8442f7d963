"""The doctor's checks, in the order of causes: what is found first explains what follows.

Each check takes a Patient and yields findings. The order is data, loss, gradients, what depends on
what, layers, optimizer, training.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..patient import Patient
from .data import check_inputs, check_targets
from .dependence import check_future, check_samples
from .finding import Finding
from .gradients import check_gradients, check_units
from .layers import check_layers
from .loss import check_first_loss, check_loss, check_warnings
from .optimizer import check_evaluation, check_optimizer, check_step
from .running import check_run
from .training import check_baselines, check_overfit

__all__ = ["CHECKS", "Finding"]

Check = Callable[[Patient], Iterator[Finding]]
CHECKS: list[Check] = [check_inputs, check_targets, check_run, check_loss, check_warnings,
                       check_units, check_layers, check_gradients, check_samples, check_future,
                       check_first_loss, check_optimizer, check_step, check_evaluation,
                       check_overfit, check_baselines]
