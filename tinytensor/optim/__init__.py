"""Optimisers and learning-rate schedulers, under PyTorch's names."""

from typing import Any

from ..compat import absent
from . import lr_scheduler, swa_utils
from .adadelta import Adadelta
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .adamax import Adamax
from .asgd import ASGD
from .lbfgs import LBFGS
from .muon import Muon
from .nadam import NAdam
from .optimizer import Optimizer
from .radam import RAdam
from .rmsprop import RMSprop
from .rprop import Rprop
from .sgd import SGD
from .zero import ZeroRedundancyOptimizer

__all__ = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad", "Adadelta", "Adafactor", "Adamax", "NAdam",
           "RAdam", "Rprop", "ASGD", "Muon", "LBFGS", "ZeroRedundancyOptimizer", "Optimizer",
           "lr_scheduler", "swa_utils"]


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.optim", name, lambda: globals())
