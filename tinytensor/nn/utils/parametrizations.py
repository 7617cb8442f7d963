"""Ready-made parametrizations: weight_norm, spectral_norm and orthogonal."""

# ruff: noqa: N803, N806 - matrices have names that are capitals

from __future__ import annotations

from ... import ops
from ...autograd.halves import in_single
from ...autograd.modes import no_grad
from ...tensors.creation import eye
from ...tensors.sampling import randn
from ...tensors.tensor import Tensor
from .. import functional, init
from ..module import Module
from . import parametrize

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


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


class _Orthogonal(Module):
    """An orthogonal matrix, or one with orthonormal columns or rows, from a free matrix."""

    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, use_trivialization: bool):
        super().__init__()
        self.shape, self.orthogonal_map = weight.shape, orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)
        self.use_trivialization = use_trivialization

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        matrix = X.mT if wide else X
        if self.orthogonal_map == "householder":
            below = matrix.tril(-1)
            tau = 2 / (1 + (below * below).sum(-2))
            Q = ops.names_for("linalg")["householder_product"](below, tau)
            Q = Q * matrix.diagonal(0, -2, -1).int().unsqueeze(-2)  # the diagonal holds the signs
        else:
            Q = self._rotation(matrix.tril())
        Q = self.base @ Q if self.use_trivialization else Q
        return Q.mT if wide else Q

    def _rotation(self, lower: Tensor) -> Tensor:
        """The first columns of a rotation, from a matrix of which the lower triangle counts."""
        n, k = lower.shape[-2:]
        square = functional.pad(lower, (0, n - k))
        skew = square - square.mT
        if self.orthogonal_map == "matrix_exp":
            return skew.matrix_exp()[..., :k]
        one = eye(n, dtype=skew.dtype, device=skew.device)
        return ops.names_for("linalg")["solve"](one - skew / 2, one + skew / 2)[..., :k]

    def right_inverse(self, Q: Tensor) -> Tensor:
        """A free matrix that gives Q, or, where Q is not orthonormal, a matrix near it."""
        if Q.shape != self.shape:
            raise ValueError(f"orthogonal: expected a matrix of shape {tuple(self.shape)}, got "
                             f"{tuple(Q.shape)}")
        wide = Q.shape[-2] < Q.shape[-1]
        tall = Q.mT if wide else Q
        if self.use_trivialization:
            self.base = _completed(tall.detach())
            start = Q.new_zeros(Q.shape)
            start.diagonal(0, -2, -1).fill_(-1.0)  # the identity, for each of the three maps
            return start
        if self.orthogonal_map != "householder":
            raise NotImplementedError(f"orthogonal: a matrix cannot be assigned with "
                                      f"{self.orthogonal_map!r} and use_trivialization=False")
        factors, tau = tall.detach().geqrf()
        diagonal = factors.diagonal(0, -2, -1)
        diagonal.copy_(diagonal.sign() * (1 - 2 * (tau == 0).to(tau.dtype)))
        return factors.mT if wide else factors


def _completed(tall: Tensor) -> Tensor:
    """A square orthogonal matrix that begins with the orthonormalised columns."""
    n, k = tall.shape[-2:]
    if n == k and _is_orthogonal(tall):
        return tall.clone()
    if k < n:
        more = randn(*tall.shape[:-2], n, n - k, dtype=tall.dtype, device=tall.device)
        tall = ops.names_for("")["cat"]([tall, more], -1)
    Q, R = tall.qr()
    return Q * R.diagonal(0, -2, -1).sgn().unsqueeze(-2)


def _is_orthogonal(square: Tensor) -> bool:
    one = eye(square.shape[-1], dtype=square.dtype, device=square.device)
    step = 2.0 ** -23 if square.element_size() == 4 else 2.0 ** -52
    return bool((square.mT @ square - one).abs().max() <= 10 * square.shape[-1] * step)


def orthogonal(module: Module, name: str = "weight", orthogonal_map: str | None = None, *,
               use_trivialization: bool = True) -> Module:
    """Keeps a weight orthogonal: its columns are orthonormal, or its rows if it has fewer rows.

    The weight is computed from a free matrix, which is trained. Returns the module.

        "matrix_exp"    exp(A - Aᵀ)
        "cayley"        (I - (A - Aᵀ) / 2)⁻¹ (I + (A - Aᵀ) / 2)
        "householder"   a product of reflections, see `linalg.householder_product`

    Lezcano-Casado and Martínez-Rubio 2019; Mhammedi et al. 2017.

    Args:
        orthogonal_map: by default "matrix_exp" for a square weight, "householder" for others.
        use_trivialization: multiply by the matrix that the weight had, or was assigned, with
            orthonormalised columns. Then every matrix can be assigned.

    Raises:
        ValueError: the module has no such parameter or buffer, it has fewer than 2 dims, or
            another map.
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"orthogonal: the {type(module).__name__} has no parameter or buffer "
                         f"{name!r}")
    if weight.ndim < 2:
        raise ValueError("orthogonal: expected a matrix or a batch of matrices, got shape "
                         f"{tuple(weight.shape)}")
    chosen = orthogonal_map or (
        "matrix_exp" if weight.shape[-2] == weight.shape[-1] else "householder")
    if chosen not in ("matrix_exp", "cayley", "householder"):
        raise ValueError("orthogonal: orthogonal_map must be 'matrix_exp', 'cayley' or "
                         f"'householder', got {orthogonal_map!r}")
    parametrize.register_parametrization(
        module, name, _Orthogonal(weight, chosen, use_trivialization), unsafe=True)
    return module
