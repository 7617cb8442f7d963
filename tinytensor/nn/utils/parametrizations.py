"""Ready-made parametrizations: weight_norm and spectral_norm."""

from __future__ import annotations

from ...autograd.halves import in_single
from ...autograd.modes import no_grad
from ...tensors.tensor import Tensor
from .. import functional, init
from ..module import Module
from . import parametrize

__all__ = ["spectral_norm", "weight_norm"]


@in_single
def norm_except(tensor: Tensor, dim: int | None) -> Tensor:
    """The 2-norm over all dims but `dim`, keeping dims; over all dims if it is None or -1."""
    if dim is None or dim == -1:
        return (tensor * tensor).sum().sqrt()
    over = tuple(i for i in range(tensor.ndim) if i != dim % tensor.ndim)
    return (tensor * tensor).sum(over, keepdim=True).sqrt() if over else tensor.abs()


@in_single
def of_length(g: Tensor, v: Tensor, dim: int | None) -> Tensor:
    """g v / ‖v‖."""
    return v * (g / norm_except(v, dim))


class _WeightNorm(Module):
    """w = g v / ‖v‖, with a length g for each slice along dim."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return of_length(weight_g, weight_v, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """g and v that give a weight."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Trains the length and the direction of a weight separately: w = g v / ‖v‖.

    g is module.parametrizations.<name>.original0, v is original1. Returns the module. Salimans and
    Kingma 2016.

    Args:
        dim: g has a length for each slice along dim, or one for all with None.

    Raises:
        ValueError: the module has no such parameter or buffer.
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)
    return module


class _SpectralNorm(Module):
    """W / σ, where σ is the largest singular value of W as a matrix, by power iteration.

    Each forward while training continues the iteration by n_power_iterations steps.
    """

    _u: Tensor
    _v: Tensor

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0,
                 eps: float = 1e-12):
        super().__init__()
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: dim {dim} is out of range for a weight of shape "
                             f"{tuple(weight.shape)}")
        check_iterations(n_power_iterations)
        self.dim, self.eps = dim % weight.ndim, eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:  # a vector is divided by its norm, without iteration
            matrix = as_matrix(weight, self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                vector = init.normal_(weight.new_empty(size))
                self.register_buffer(name, functional.normalize(vector, dim=0, eps=eps))
            power_iterations(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.ndim == 1:
            return functional.normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            power_iterations(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        u, v = self._u.clone(), self._v.clone()  # the next forward writes into the buffers
        return over_singular_value(weight, u, v, self.dim)

    def right_inverse(self, value: Tensor) -> Tensor:
        """The value itself, which is right if its largest singular value is 1."""
        return value


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """A weight as a matrix whose rows are the slices along dim."""
    return weight.movedim(dim, 0).flatten(1)


@in_single
def over_singular_value(weight: Tensor, u: Tensor, v: Tensor, dim: int) -> Tensor:
    """A weight by the singular value that belongs to u and v."""
    return weight / u.dot(as_matrix(weight, dim).mv(v))


@in_single
def image(matrix: Tensor, vector: Tensor, eps: float) -> Tensor:
    """matrix @ vector, of length 1."""
    return functional.normalize(matrix.mv(vector), dim=0, eps=eps)


def check_iterations(n_power_iterations: int) -> None:
    """Raises ValueError unless n_power_iterations is positive."""
    if n_power_iterations <= 0:
        raise ValueError("spectral_norm: n_power_iterations must be positive, got "
                         f"{n_power_iterations}")


def power_iterations(matrix: Tensor, u: Tensor, v: Tensor, count: int, eps: float) -> None:
    """Moves u and v, in place, towards the singular vectors of the largest singular value."""
    with no_grad():
        matrix = matrix.detach()
        for _ in range(count):
            u.copy_(image(matrix, v, eps))
            v.copy_(image(matrix.T, u, eps))


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1,
                  eps: float = 1e-12, dim: int | None = None) -> Module:
    """Divides a weight by its largest singular value, which bounds the layer's Lipschitz constant.

    The value is estimated by power iteration, n_power_iterations at each forward while training.
    Returns the module. Miyato et al. 2018.

    Args:
        dim: the dim of the outputs: 1 for transposed convolutions, 0 for others by default.

    Raises:
        ValueError: the module has no such parameter or buffer, or n_power_iterations is not
            positive.
        IndexError: dim is out of range.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"spectral_norm: the {type(module).__name__} has no parameter or buffer "
                         f"{name!r}")
    parametrize.register_parametrization(module, name, _SpectralNorm(
        weight, n_power_iterations, dim_of_outputs(module) if dim is None else dim, eps))
    return module


def dim_of_outputs(module: Module) -> int:
    """The dim of the outputs in a layer's weight: 1 for transposed convolutions, 0 for others."""
    from ..convolution import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d

    return int(isinstance(module, ConvTranspose1d | ConvTranspose2d | ConvTranspose3d))
