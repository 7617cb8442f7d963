"""Weights computed before every forward: weight_norm and spectral_norm as they first were.

Those in `parametrizations` are what replaced them; the names under which weights are saved differ.
"""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from .. import functional, init
from ..parameter import Parameter
from .parametrizations import (
    as_matrix,
    check_iterations,
    dim_of_outputs,
    norm_except,
)


class Computed:
    """A hook that computes a weight from other parameters of the module, before its forward."""

    names: tuple[str, ...]  # behind the weight's: of what it is computed from, and needs for it

    def __init__(self, name: str):
        self.name = name

    def weight(self, module: Any, training: bool) -> Any:
        """The weight, of what is in the module now."""
        raise NotImplementedError

    def __call__(self, module: Any, inputs: Any) -> None:
        setattr(module, self.name, self.weight(module, module.training))

    def add(self, module: Any) -> None:
        """Takes its place among the hooks.

        Raises:
            ValueError: there is no such parameter.
            RuntimeError: it is there already, for the same weight.
        """
        what = type(self).__name__
        if _find(type(self), module, self.name) is not None:
            raise RuntimeError(f"{what}: {self.name!r} of the {type(module).__name__} has one "
                               "already")
        if module._parameters.get(self.name) is None:
            raise ValueError(f"{what}: the {type(module).__name__} has no parameter {self.name!r}")
        weight = module._parameters[self.name]
        delattr(module, self.name)
        self.divide(module, weight)
        module.register_forward_pre_hook(self)

    def divide(self, module: Any, weight: Any) -> None:
        """Registers what the weight is to be computed from, and the weight as an attribute."""
        raise NotImplementedError

    @classmethod
    def remove(cls, module: Any, name: str) -> Any:
        """Makes the weight a parameter again, of the value it has now.

        Raises:
            ValueError: there is no such hook.
        """
        key = _find(cls, module, name)
        if key is None:
            raise ValueError(f"{cls.__name__}: {name!r} of the {type(module).__name__} has none")
        hook = module._forward_pre_hooks.pop(key).function
        with no_grad():
            weight = hook.weight(module, training=False)
        for part in ("", *cls.names):
            delattr(module, name + part)
        module.register_parameter(name, Parameter(weight.detach()))
        return module


def _find(kind: type[Computed], module: Any, name: str) -> int | None:
    """The key of a hook of a kind for a weight."""
    return next((key for key, hook in module._forward_pre_hooks.items()
                 if isinstance(hook.function, kind) and hook.function.name == name), None)


class WeightNorm(Computed):
    """g v / ‖v‖."""

    names = ("_g", "_v")

    def __init__(self, name: str, dim: int | None):
        super().__init__(name)
        self.dim = dim

    def weight(self, module: Any, training: bool) -> Any:
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return v * (g / norm_except(v, self.dim))

    def divide(self, module: Any, weight: Any) -> None:
        module.register_parameter(self.name + "_g", Parameter(
            norm_except(weight.detach(), self.dim)))
        module.register_parameter(self.name + "_v", Parameter(weight.detach()))
        setattr(module, self.name, self.weight(module, training=False))


class SpectralNorm(Computed):
    """W / σ, σ the largest singular value of W, by power iteration."""

    names = ("_u", "_v", "_orig")

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float):
        super().__init__(name)
        check_iterations(n_power_iterations)
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps

    def weight(self, module: Any, training: bool) -> Any:
        weight, u, v = (getattr(module, self.name + part) for part in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if training:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(functional.normalize(matrix.T.mv(u), dim=0, eps=self.eps))
                    u.copy_(functional.normalize(matrix.mv(v), dim=0, eps=self.eps))
        return weight / u.clone().dot(matrix.mv(v.clone()))  # the next forward writes into both

    def divide(self, module: Any, weight: Any) -> None:
        rows, columns = as_matrix(weight.detach(), self.dim).shape
        module.register_parameter(self.name + "_orig", weight)
        setattr(module, self.name, weight.data)
        for part, size in (("_u", rows), ("_v", columns)):
            vector = init.normal_(weight.detach().new_empty(size))
            module.register_buffer(self.name + part, functional.normalize(
                vector, dim=0, eps=self.eps))


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Trains length and direction of a weight apart: w = g v / ‖v‖. Returns the module.

    g is the parameter <name>_g, v is <name>_v. `parametrizations.weight_norm` is newer. Salimans
    and Kingma 2016.

    Raises:
        ValueError: there is no such parameter.
        RuntimeError: it has a weight norm already.
    """
    WeightNorm(name, dim).add(module)
    return module


def remove_weight_norm(module: Any, name: str = "weight") -> Any:
    """Undoes weight_norm; the weight keeps its value. Returns the module.

    Raises:
        ValueError: there is none.
    """
    return WeightNorm.remove(module, name)


def spectral_norm(module: Any, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Any:
    """Divides a weight by its largest singular value before every forward. Returns the module.

    The parameter is <name>_orig, the vectors of the power iteration, which goes on while
    training, are the buffers <name>_u and <name>_v. `parametrizations.spectral_norm` is newer.
    Miyato et al. 2018.

    Args:
        dim: which is the dim of outputs: 0 if not given, 1 for transposed convolutions.

    Raises:
        ValueError: there is no such parameter; n_power_iterations that are not positive.
        RuntimeError: it has a spectral norm already.
    """
    SpectralNorm(name, n_power_iterations, dim_of_outputs(module) if dim is None else dim,
                 eps).add(module)
    return module


def remove_spectral_norm(module: Any, name: str = "weight") -> Any:
    """Undoes spectral_norm; the weight keeps the value of now. Returns the module.

    Raises:
        ValueError: there is none.
    """
    return SpectralNorm.remove(module, name)
