"""weight_norm and spectral_norm in their first form: hooks that compute a weight before forward.

`parametrizations` has the forms that replaced them, with other names in the state_dict.
"""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...tensors.tensor import Tensor
from .. import functional, init
from ..module import Module
from ..parameter import Parameter
from .parametrizations import (
    as_matrix,
    check_iterations,
    dim_of_outputs,
    image,
    norm_except,
    of_length,
    over_singular_value,
)


class ComputedWeight:
    """A forward pre-hook that computes a weight of a module from other parameters."""

    suffixes: tuple[str, ...]  # name + suffix are the parameters and buffers it computes from

    def __init__(self, name: str):
        self.name = name

    def weight(self, module: Module, training: bool) -> Tensor:
        """The weight, computed from the module's current parameters."""
        raise NotImplementedError

    def __call__(self, module: Module, inputs: tuple[Any, ...]) -> None:
        setattr(module, self.name, self.weight(module, module.training))

    def add(self, module: Module) -> None:
        """Registers the hook and replaces the weight by the parameters it is computed from.

        Raises:
            ValueError: the module has no such parameter.
            RuntimeError: the weight has a hook of this kind already.
        """
        what = type(self).__name__
        if _hook_key(type(self), module, self.name) is not None:
            raise RuntimeError(f"{what}: {self.name!r} of the {type(module).__name__} has one "
                               "already; remove it first")
        if module._parameters.get(self.name) is None:
            raise ValueError(f"{what}: the {type(module).__name__} has no parameter {self.name!r}")
        weight = module._parameters[self.name]
        delattr(module, self.name)
        self.register(module, weight)
        module.register_forward_pre_hook(self)

    def register(self, module: Module, weight: Parameter) -> None:
        """Registers the parameters that the weight is computed from, and sets the weight."""
        raise NotImplementedError

    @classmethod
    def remove(cls, module: Module, name: str) -> Module:
        """Makes the weight an ordinary parameter with its current value.

        Raises:
            ValueError: the weight has no hook of this kind.
        """
        key = _hook_key(cls, module, name)
        if key is None:
            raise ValueError(f"{cls.__name__}: {name!r} of the {type(module).__name__} has none "
                             "to remove")
        hook: Any = module._forward_pre_hooks.pop(key)
        with no_grad():
            weight = hook.weight(module, training=False)
        for suffix in ("", *cls.suffixes):
            delattr(module, name + suffix)
        module.register_parameter(name, Parameter(weight.detach()))
        return module


def _hook_key(kind: type[ComputedWeight], module: Module, name: str) -> int | None:
    """The key of the hook of this kind for a weight, or None."""
    return next((key for key, hook in module._forward_pre_hooks.items()
                 if isinstance(hook, kind) and hook.name == name), None)


class WeightNorm(ComputedWeight):
    """w = g v / ‖v‖."""

    suffixes = ("_g", "_v")

    def __init__(self, name: str, dim: int | None):
        super().__init__(name)
        self.dim = dim

    def weight(self, module: Module, training: bool) -> Tensor:
        g, v = getattr(module, self.name + "_g"), getattr(module, self.name + "_v")
        return of_length(g, v, self.dim)

    def register(self, module: Module, weight: Parameter) -> None:
        module.register_parameter(self.name + "_g", Parameter(
            norm_except(weight.detach(), self.dim)))
        module.register_parameter(self.name + "_v", Parameter(weight.detach()))
        setattr(module, self.name, self.weight(module, training=False))


class SpectralNorm(ComputedWeight):
    """W / σ, where σ is the largest singular value of W, estimated by power iteration."""

    suffixes = ("_u", "_v", "_orig")

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float):
        super().__init__(name)
        check_iterations(n_power_iterations)
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps

    def weight(self, module: Module, training: bool) -> Tensor:
        weight, u, v = (getattr(module, self.name + part) for part in ("_orig", "_u", "_v"))
        matrix = as_matrix(weight, self.dim)
        if training:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(image(matrix.T, u, self.eps))
                    u.copy_(image(matrix, v, self.eps))
        # The next forward writes into both.
        return over_singular_value(weight, u.clone(), v.clone(), self.dim)

    def register(self, module: Module, weight: Parameter) -> None:
        rows, columns = as_matrix(weight.detach(), self.dim).shape
        module.register_parameter(self.name + "_orig", weight)
        setattr(module, self.name, weight.data)
        for part, size in (("_u", rows), ("_v", columns)):
            vector = init.normal_(weight.detach().new_empty(size))
            module.register_buffer(self.name + part, functional.normalize(
                vector, dim=0, eps=self.eps))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Trains the length and the direction of a weight separately: w = g v / ‖v‖.

    g is the parameter <name>_g, v is <name>_v. Returns the module. `parametrizations.weight_norm`
    replaces it. Salimans and Kingma 2016.

    Args:
        dim: g has a length for each slice along dim, or one for all with None.

    Raises:
        ValueError: the module has no such parameter.
        RuntimeError: the parameter has a weight norm already.
    """
    WeightNorm(name, dim).add(module)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undoes `weight_norm`. The weight keeps its value. Returns the module.

    Raises:
        ValueError: the parameter has no weight norm.
    """
    return WeightNorm.remove(module, name)


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:
    """Divides a weight by its largest singular value before every forward.

    The value is estimated by power iteration, n_power_iterations at each forward while training.
    The trained parameter is <name>_orig, the vectors are the buffers <name>_u and <name>_v. Returns
    the module. `parametrizations.spectral_norm` replaces it. Miyato et al. 2018.

    Args:
        dim: the dim of the outputs: 1 for transposed convolutions, 0 for others by default.

    Raises:
        ValueError: the module has no such parameter, or n_power_iterations is not positive.
        RuntimeError: the parameter has a spectral norm already.
    """
    SpectralNorm(name, n_power_iterations, dim_of_outputs(module) if dim is None else dim,
                 eps).add(module)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undoes `spectral_norm`. The weight keeps its value. Returns the module.

    Raises:
        ValueError: the parameter has no spectral norm.
    """
    return SpectralNorm.remove(module, name)
