"""`torch.utils.tensorboard.summary`: the table of hyperparameters, as Lightning writes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tensorboard.compat.proto.summary_pb2 import Summary

from ...utils.tensorboard_parts import hyperparameters


def hparams(hparam_dict: Mapping[str, Any], metric_dict: Mapping[str, Any],
            hparam_domain_discrete: Mapping[str, list[Any]] | None = None,
            ) -> tuple[Summary, ...]:
    """Three Summaries: of the experiment, of the start of its session and of the end.

    Raises:
        TypeError, ValueError: as `SummaryWriter.add_hparams`.
    """
    records = hyperparameters(hparam_dict, metric_dict, hparam_domain_discrete or {})
    return tuple(Summary(value=[record]) for record in records)
