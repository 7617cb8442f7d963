"""Modules of PyTorch whose names libraries import, but which cannot work here.

Every name of such a module is a class: importing it and testing `isinstance` against it work, and
calling it, or an attribute of it, raises an error with the reason.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any, NoReturn

from ...autograd.frames import OWN
from .. import absent

QUANTIZED = "quantised arithmetic is not for training"
SHARDED = "every process has the whole model; there is no sharding"
COMPLEX = "there are no complex Tensors; numpy.fft transforms x.numpy(), without a gradient"
COMPILED = "programs are run as they are written, nothing is compiled or traced"
REASONS: dict[str, str] = {
    "ao": QUANTIZED, "ao.quantization": QUANTIZED, "quantization": QUANTIZED, "ao.nn": QUANTIZED,
    "fft": COMPLEX,
    "distributed.tensor": SHARDED, "distributed._tensor": SHARDED, "distributed.fsdp": SHARDED,
    "distributed.fsdp.fully_sharded_data_parallel": SHARDED,
    "distributed.fsdp.sharded_grad_scaler": SHARDED, "distributed.fsdp.wrap": SHARDED,
    "distributed.device_mesh": SHARDED, "distributed.checkpoint": SHARDED,
    "distributed.checkpoint.state_dict": SHARDED, "distributed.checkpoint.optimizer": SHARDED,
    "distributed.checkpoint.default_planner": SHARDED, "distributed.pipelining": SHARDED,
    "distributed.algorithms.join": SHARDED,
    "distributed.algorithms._checkpoint": SHARDED,
    "distributed.algorithms._checkpoint.checkpoint_wrapper": SHARDED,
    "distributed.algorithms.model_averaging": SHARDED, "distributed.nn": SHARDED,
    "distributed.nn.functional": SHARDED,
    "distributed._functional_collectives": SHARDED,
    "fx.experimental": COMPILED, "fx.graph": COMPILED, "export": COMPILED, "_inductor": COMPILED,
    "_inductor.config": COMPILED, "_subclasses": COMPILED, "_subclasses.fake_tensor": COMPILED,
    "nn.attention.flex_attention": "its masks are programs that PyTorch compiles; "
                                   "scaled_dot_product_attention takes masks as Tensors",
}
# Functions of the package to which libraries give another name when they are imported.
FUNCTIONS = ("complex",)


class _Unsupported(type):
    """The class of a name that cannot be used."""

    _reason: str

    def __call__(cls, *args: Any, **kwargs: Any) -> NoReturn:
        cls._refuse()

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        cls._refuse()

    def _refuse(cls) -> NoReturn:
        raise RuntimeError(f"{cls.__module__}.{cls.__name__} is left out on purpose: "
                           f"{cls._reason}")


def function(name: str) -> type:
    """`torch.NAME` for a name of FUNCTIONS: calling it raises."""
    return _Unsupported(name, (), {"__module__": "torch", "_reason": absent.REASONS[name]})


class _Module(ModuleType):
    """A module that has every name."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _Unsupported(name, (), {"__module__": self.__name__,
                                       "_reason": REASONS[self.__name__.removeprefix("torch.")]})
        setattr(self, name, made)
        return made


def module_of(name: str) -> ModuleType | None:
    """The module of a dotted name below `torch`, if it is one of these."""
    if name not in REASONS:
        return None
    full = f"torch.{name}"
    module = sys.modules.get(full)
    if not isinstance(module, _Module):
        module = _Module(full, f"torch.{name} is left out on purpose: {REASONS[name]}.")
        module.__path__ = []
        vars(module)[OWN] = True
    return module
