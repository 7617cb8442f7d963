"""The layers under PyTorch's module paths, such as `nn.modules.conv.Conv2d`.

Nothing is defined here. The definitions are in the files of `tinytensor/nn`.
"""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from .. import (
    activation,
    adaptive,
    arguments,
    attention,
    containers,
    convolution,
    distance,
    dropout,
    lazy,
    linear,
    loss,
    normalization,
    padding,
    pooling,
    recurrent,
    recurrent_cells,
    sparse,
    state,
    sync_batch_norm,
    transformer,
    upsampling,
)
from .. import module as base

PLACES = {
    "activation": (activation, attention), "adaptive": (adaptive,),
    "batchnorm": (normalization, lazy, sync_batch_norm), "channelshuffle": (upsampling,),
    "container": (containers,), "conv": (convolution, lazy), "distance": (distance,),
    "dropout": (dropout,), "flatten": (linear,), "fold": (upsampling,),
    "instancenorm": (normalization, lazy), "linear": (linear, lazy), "loss": (loss,),
    "module": (base,), "normalization": (normalization,), "padding": (padding,),
    "pixelshuffle": (upsampling,), "pooling": (pooling,), "rnn": (recurrent, recurrent_cells),
    "sparse": (sparse,), "transformer": (transformer,), "upsampling": (upsampling,),
}
# Base classes and helpers that programs import by PyTorch's private names.
PRIVATE: dict[str, dict[str, Any]] = {
    "batchnorm": {"_BatchNorm": normalization.BatchNorm, "_NormBase": normalization.RunningNorm},
    "conv": {"_ConvNd": convolution.Convolution},
    "instancenorm": {"_InstanceNorm": normalization.InstanceNorm},
    "loss": {"_Loss": loss.Loss, "_WeightedLoss": loss.WeightedLoss},
    "module": {"_IncompatibleKeys": state.IncompatibleKeys,
               "_EXTRA_STATE_KEY_SUFFIX": "_extra_state"},
    "utils": {"_ntuple": lambda n, name="parse": lambda x: arguments.each_dim(x, n),
              **{f"_{name}": lambda x, n=n: arguments.each_dim(x, n) for n, name in enumerate(
                  ("single", "pair", "triple", "quadruple"), 1)}},
}


def _classes(source: ModuleType) -> dict[str, type]:
    return {name: kind for name, kind in vars(source).items()
            if inspect.isclass(kind) and kind.__module__ == source.__name__}


def _fill() -> None:
    for place in {**PLACES, **PRIVATE}:
        module = ModuleType(f"{__name__}.{place}", f"What PyTorch keeps in nn.modules.{place}.")
        for source in PLACES.get(place, ()):
            vars(module).update(_classes(source))
            globals().update(_classes(source))
        vars(module).update(PRIVATE.get(place, {}))
        globals()[place] = sys.modules[module.__name__] = module


_fill()
# PyTorch's older layer of the same formula.
CrossMapLRN2d = vars(sys.modules[f"{__name__}.normalization"])["LocalResponseNorm"]
