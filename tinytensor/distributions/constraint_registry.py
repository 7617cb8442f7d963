"""Which transform leads from real numbers to the values that fulfil a constraint."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints
from .constraints import Constraint
from .transforms import (
    AffineTransform,
    ComposeTransform,
    CorrCholeskyTransform,
    ExpTransform,
    IndependentTransform,
    LowerCholeskyTransform,
    PositiveDefiniteTransform,
    SigmoidTransform,
    SoftmaxTransform,
    StickBreakingTransform,
    Transform,
    identity_transform,
)


class ConstraintRegistry:
    """Transforms from real numbers to the values that fulfil a constraint."""

    def __init__(self) -> None:
        self._rules: dict[type, Callable[[Any], Transform]] = {}

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Registers factory(constraint) for the class of a constraint; also a decorator."""
        if factory is None:
            return lambda f: self.register(constraint, f)
        kind = constraint if isinstance(constraint, type) else type(constraint)
        self._rules[kind] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        """The transform for a constraint.

        Raises:
            NotImplementedError: none is registered.
        """
        for kind in type(constraint).__mro__:
            if kind in self._rules:
                return self._rules[kind](constraint)
        raise NotImplementedError(f"no transform is registered for {type(constraint).__name__}: "
                                  f"{constraint}")


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _between(constraint: Any) -> Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
        return SigmoidTransform()
    return ComposeTransform([SigmoidTransform(), AffineTransform(low, high - low)])


def _above(constraint: Any) -> Transform:
    return ComposeTransform([ExpTransform(), AffineTransform(constraint.lower_bound, 1)]) \
        if constraint is not constraints.positive and constraint is not constraints.nonnegative \
        else ExpTransform()


for _registry in (biject_to, transform_to):
    _registry.register(constraints.real, lambda _: identity_transform)
    _registry.register(constraints.greater_than, _above)
    _registry.register(constraints.greater_than_eq, _above)
    _registry.register(constraints.less_than, lambda c: ComposeTransform(
        [ExpTransform(), AffineTransform(c.upper_bound, -1)]))
    _registry.register(constraints.interval, _between)
    _registry.register(constraints.half_open_interval, _between)
    _registry.register(constraints.lower_cholesky, lambda _: LowerCholeskyTransform())
    for _kind in (constraints.positive_definite, constraints.positive_semidefinite):
        _registry.register(_kind, lambda _: PositiveDefiniteTransform())
    _registry.register(constraints.corr_cholesky, lambda _: CorrCholeskyTransform())
    _registry.register(constraints.independent, lambda c, to=_registry: IndependentTransform(
        to(c.base_constraint), c.reinterpreted_batch_ndims))
biject_to.register(constraints.simplex, lambda _: StickBreakingTransform())
transform_to.register(constraints.simplex, lambda _: SoftmaxTransform())
