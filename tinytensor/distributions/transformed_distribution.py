"""TransformedDistribution: transform(x) for x of another distribution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution
from .independent import Independent
from .transforms import ComposeTransform, Transform
from .transforms.transform import sum_rightmost


class TransformedDistribution(Distribution):
    """Values y = transform(x), with log p(y) = log p(x) - log |det dy/dx|.

    Args:
        transforms: one, or several, of which the first is applied first.

    Raises:
        ValueError: not a distribution or not transforms; fewer dims than the transforms need.
    """

    arg_constraints = {}  # noqa: RUF012

    def __init__(self, base_distribution: Distribution, transforms: Transform | Sequence[Transform],
                 validate_args: bool | None = None):
        self.transforms = [transforms] if isinstance(transforms, Transform) else list(transforms)
        if not all(isinstance(t, Transform) for t in self.transforms):
            raise ValueError("TransformedDistribution: transforms must be a Transform or a list of "
                             "them")
        whole = ComposeTransform(self.transforms)
        base = (*base_distribution.batch_shape, *base_distribution.event_shape)
        if len(base) < whole.domain.event_dim:
            raise ValueError(f"TransformedDistribution: the base distribution needs at least "
                             f"{whole.domain.event_dim} dims, got shape {base}")
        shape = whole.forward_shape(base)
        expanded = whole.inverse_shape(shape)
        if tuple(base) != tuple(expanded):
            batch = expanded[:len(expanded) - len(base_distribution.event_shape)]
            base_distribution = base_distribution.expand(batch)
        joined = whole.domain.event_dim - len(base_distribution.event_shape)
        if joined > 0:
            base_distribution = Independent(base_distribution, joined)
        self.base_dist = base_distribution
        dims = max(len(base_distribution.event_shape) + whole.codomain.event_dim
                   - whole.domain.event_dim, whole.codomain.event_dim)
        cut = len(shape) - dims
        super().__init__(shape[:cut], shape[cut:], validate_args=validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        if not self.transforms:
            return self.base_dist.support
        support, dims = self.transforms[-1].codomain, len(self.event_shape)
        return constraints.independent(support, dims - support.event_dim) \
            if dims > support.event_dim else support

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        shape = ComposeTransform(self.transforms).inverse_shape((*batch_shape, *self.event_shape))
        base = self.base_dist.expand(shape[:len(shape) - len(self.base_dist.event_shape)])
        new = object.__new__(type(self)) if _instance is None else _instance
        vars(new).update(vars(self))
        new.base_dist = base
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self._applied(self.base_dist.sample(sample_shape)).detach()

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self._applied(self.base_dist.rsample(sample_shape))

    def _applied(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def log_prob(self, value: Tensor) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        total: Any = 0.0
        dims, y = len(self.event_shape), value
        for transform in reversed(self.transforms):
            x = transform._inverse(y)
            dims += transform.domain.event_dim - transform.codomain.event_dim
            total = total - sum_rightmost(transform.log_abs_det_jacobian(x, y),
                                          dims - transform.domain.event_dim)
            y = x
        return total + sum_rightmost(self.base_dist.log_prob(y),
                                     dims - len(self.base_dist.event_shape))

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def cdf(self, value: Tensor) -> Any:
        y = value
        for transform in reversed(self.transforms):
            y = transform._inverse(y)
        if self._validate_args:  # by the base: the limits of the support are values too
            try:
                self.base_dist._validate_sample(y)
            except ValueError:
                raise ValueError(f"{type(self).__name__}: values must be {self.support}, got "
                                 f"{value}") from None
        return self._in_order(self.base_dist.cdf(y))

    def icdf(self, value: Tensor) -> Any:
        return self._applied(self.base_dist.icdf(self._in_order(value)))

    def _in_order(self, probability: Any) -> Any:
        """The probability itself if the transforms increase, else that of the other side."""
        sign = self._sign()
        return sign * (probability - 0.5) + 0.5

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.transforms})"
