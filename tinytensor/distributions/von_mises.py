"""The von Mises distribution, the normal distribution of angles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..autograd.modes import no_grad
from ..tensors.creation import zeros
from ..tensors.sampling import rand
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, functions

where = functions["where"]

# Polynomials of the modified Bessel functions: Abramowitz and Stegun 9.8.1 to 9.8.4, as PyTorch.
SMALL = ((1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.360768e-1, 0.45813e-2),
         (0.5, 0.87890594, 0.51498869, 0.15084934, 0.2658733e-1, 0.301532e-2, 0.32411e-3))
LARGE = ((0.39894228, 0.1328592e-1, 0.225319e-2, -0.157565e-2, 0.916281e-2, -0.2057706e-1,
          0.2635537e-1, -0.1647633e-1, 0.392377e-2),
         (0.39894228, -0.3988024e-1, -0.362018e-2, 0.163801e-2, -0.1031555e-1, 0.2282967e-1,
          -0.2895312e-1, 0.1787654e-1, -0.420059e-2))


def log_bessel(x: Tensor, order: int = 0) -> Any:
    """log Iₙ(x), the modified Bessel function of order 0 or 1, for x > 0; relative error 2e-7."""
    small = _polynomial((x / 3.75) ** 2, SMALL[order]).log()
    small = small + x.abs().log() if order else small
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, LARGE[order]).log()
    return where(x < 3.75, small, large)


def _polynomial(x: Any, coefficients: Sequence[float]) -> Any:
    total: Any = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = coefficient + x * total
    return total


class VonMises(Distribution):
    """Angles in [-π, π) around `loc`. Density: exp(κ cos(x - loc)) / (2π I₀(κ)), κ =
    `concentration`.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}  # noqa: RUF012
    has_rsample = False

    def __init__(self, loc: Number, concentration: Number, validate_args: bool | None = None):
        self.loc, self.concentration = broadcast_all("VonMises", loc, concentration)
        super().__init__(self.loc.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def mean(self) -> Tensor:
        """The direction of the mean vector."""
        return self.loc

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Any:
        """1 minus the length of the mean vector."""
        return 1 - (log_bessel(self.concentration, 1) - log_bessel(self.concentration)).exp()

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> VonMises:
        shape = tuple(batch_shape)
        return type(self)(self.loc.expand(shape), self.concentration.expand(shape),
                          self._validate_args)

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self.concentration * (value - self.loc).cos() - math.log(2 * math.pi) \
            - log_bessel(self.concentration)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Draws angles by rejection: Best and Fisher 1979."""
        with no_grad():
            shape = self._extended_shape(sample_shape)
            concentration, loc = self.concentration.double(), self.loc.double()
            root = 1 + (1 + 4 * concentration ** 2).sqrt()
            rho = (root - (2 * root).sqrt()) / (2 * concentration)
            r = where(concentration < 1e-5, 1 / concentration + concentration,
                      (1 + rho ** 2) / (2 * rho))
            angles = zeros(shape, dtype=loc.dtype, device=loc.device)
            left = angles == 0
            while bool(left.any()):
                drawn = rand((3, *shape), dtype=loc.dtype, device=loc.device)
                z = (math.pi * drawn[0]).cos()
                f = (1 + r * z) / (r + z)
                c = concentration * (r - f)
                accepted = ((c * (2 - c) - drawn[1]) > 0) \
                    | ((c / drawn[1]).log() + 1 - c >= 0)
                angles = where(accepted, (drawn[2] - 0.5).sign() * f.acos(), angles)
                left = left & ~accepted
            return ((angles + math.pi + loc) % (2 * math.pi) - math.pi).to(self.loc.dtype)
