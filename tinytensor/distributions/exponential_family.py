"""ExponentialFamily: a base class for distributions of a program's own."""

from __future__ import annotations

from typing import Any

from ..autograd.engine import grad
from ..autograd.modes import enable_grad
from .distribution import Distribution


class ExponentialFamily(Distribution):
    """Densities exp(t(x) · θ - F(θ) + k(x)), with natural parameters θ and log normaliser F.

    A subclass defines `_natural_params`, `_log_normalizer(*θ)` and `_mean_carrier_measure`, which
    is E[k(x)]; `entropy` follows from them. Nielsen and Nock 2010. The distributions of this
    package have an entropy of their own, and are not derived from this class.
    """

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Any:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Any:
        """F(θ) - θ · dF/dθ - E[k(x)]."""
        with enable_grad():
            parameters = [p.detach().requires_grad_() for p in self._natural_params]
            normaliser = self._log_normalizer(*parameters)
            slopes = grad(normaliser.sum(), parameters, create_graph=True)
        result = normaliser - self._mean_carrier_measure
        for parameter, slope in zip(parameters, slopes, strict=True):
            product = parameter * slope  # type: ignore[operator]
            result = result - product.reshape((*self._batch_shape, -1)).sum(-1)
        return result
