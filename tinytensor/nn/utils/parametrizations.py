"""Weights of a given norm: parametrizations that are ready to use."""

from __future__ import annotations

from typing import Any

from ...autograd.modes import no_grad
from ...tensors.tensor import Tensor
from .. import functional, init
from ..module import Module
from . import parametrize

__all__ = ["spectral_norm", "weight_norm"]


def norm_except(tensor: Any, dim: int | None) -> Any:
    """The 2-norm over all dims but one, which stays; over all if it is None or -1."""
    if dim is None or dim == -1:
        return (tensor * tensor).sum().sqrt()
    over = tuple(i for i in range(tensor.ndim) if i != dim % tensor.ndim)
    return (tensor * tensor).sum(over, keepdim=True).sqrt() if over else tensor.abs()


class _WeightNorm(Module):
    """g v / ‖v‖, with a length g for each slice along a dim."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Any, weight_v: Any) -> Any:
        return weight_v * (weight_g / norm_except(weight_v, self.dim))

    def right_inverse(self, weight: Any) -> tuple[Any, Any]:
        """g and v of a weight."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Any, name: str = "weight", dim: int | None = 0) -> Any:
    """Trains length and direction of a weight apart: w = g v / ‖v‖. Returns the module.

    g is module.parametrizations.<name>.original0, v is original1. Salimans and Kingma 2016.

    Args:
        dim: along which there is a length for each slice; None for one in all.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    return module


class _SpectralNorm(Module):
    """W / σ, σ the largest singular value of W as a matrix, estimated by power iteration.

    Each forward while training takes n_power_iterations steps from where the last one ended.
    """

    _u: Any
    _v: Any

    def __init__(self, weight: Any, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dim {dim} is out of range for a weight of shape "
                             f"{tuple(weight.shape)}")
        check_iterations(n_power_iterations)
        self.dim, self.eps = dim % weight.ndim, eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:  # otherwise it is a division by the norm
            matrix = as_matrix(weight, self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                vector = init.normal_(weight.new_empty(size))
                self.register_buffer(name, functional.normalize(vector, dim=0, eps=eps))
            power_iterations(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Any) -> Any:
        if weight.ndim == 1:
            return functional.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iterations(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()  # the next forward writes into the buffers
        return weight / u.dot(matrix.mv(v))

    def right_inverse(self, value: Any) -> Any:
        """The value itself: a weight that is normalised already stays so."""
        return value


def as_matrix(weight: Any, dim: int) -> Any:
    """A weight as a matrix, with one dim as its rows."""
    return weight.movedim(dim, 0).flatten(1)


def check_iterations(n_power_iterations: int) -> None:
    if n_power_iterations <= 0:
        raise ValueError("spectral_norm: n_power_iterations must be positive, got "
                         f"{n_power_iterations}")


def power_iterations(matrix: Any, u: Any, v: Any, count: int, eps: float) -> None:
    """Moves u and v towards the singular vectors of the largest singular value, in place."""
    with no_grad():
        matrix = matrix.detach()
        for _ in range(count):
            u.copy_(functional.normalize(matrix.mv(v), dim=0, eps=eps))
            v.copy_(functional.normalize(matrix.T.mv(u), dim=0, eps=eps))


def spectral_norm(module: Any, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Any:
    """Divides a weight by its largest singular value, so that a layer stretches nothing.

    The vectors of the power iteration are buffers. Returns the module. Miyato et al. 2018.

    Args:
        dim: which is the dim of outputs: 0 if not given, 1 for transposed convolutions.

    Raises:
        ValueError: no such parameter; n_power_iterations that are not positive.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"spectral_norm: the {type(module).__name__} has no parameter or buffer "
                         f"{name!r}")
    parametrize.register_parametrization(module, name, _SpectralNorm(
        weight, n_power_iterations, dim_of_outputs(module) if dim is None else dim, eps))
    return module


def dim_of_outputs(module: Any) -> int:
    """Of the weight of a layer: 1 for transposed convolutions, 0 for the others."""
    from ..convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

    return int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))
