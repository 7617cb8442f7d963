"""Conditions on parameters and values, under the names of `torch.distributions.constraints`.

`constraint.check(value)` tells for each event of the value whether it fulfils the condition.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import linalg, ops
from ..arrays import dtypes

_functions: Any = ops.names_for("")


class Constraint:
    """A condition. `event_dim` dims of a value are tested together; `is_discrete` counts values."""

    is_discrete = False
    event_dim = 0
    text = ""

    def check(self, value: Any) -> Any:
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.text


class _Dependent(Constraint):
    """A support that depends on parameters; the property of an instance gives it."""

    text = "dependent"

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0):
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def check(self, value: Any) -> Any:
        raise ValueError("constraints: what depends on parameters is checked on an instance")


class dependent_property(property, _Dependent):  # noqa: N801 - PyTorch's name
    """A property that gives a constraint which depends on parameters."""

    def __init__(self, fn: Any = None, *, is_discrete: bool = False, event_dim: int = 0):
        super().__init__(fn)
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, function: Any) -> dependent_property:
        return dependent_property(function, is_discrete=self.is_discrete,
                                  event_dim=self.event_dim)


class _Real(Constraint):
    text = "real"

    def check(self, value: Any) -> Any:
        return value == value  # NaN is not


class _Boolean(Constraint):
    is_discrete, text = True, "0 or 1"

    def check(self, value: Any) -> Any:
        return (value == 0) | (value == 1)


class interval(Constraint):  # noqa: N801
    """From lower_bound to upper_bound."""

    def __init__(self, lower_bound: Any, upper_bound: Any):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        self.text = "between low and high" if hasattr(lower_bound, "shape") \
            else f"in [{lower_bound}, {upper_bound}]"

    def check(self, value: Any) -> Any:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class _Chance(interval):
    """A probability of something that can happen."""

    def __init__(self) -> None:
        super().__init__(0, 1)
        self.text = "in (0, 1]"

    def check(self, value: Any) -> Any:
        return (value > 0) & (value <= 1)


class half_open_interval(interval):  # noqa: N801
    """From lower_bound to less than upper_bound."""

    def check(self, value: Any) -> Any:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class greater_than(Constraint):  # noqa: N801
    """More than lower_bound."""

    def __init__(self, lower_bound: Any):
        self.lower_bound, self.text = lower_bound, f"greater than {lower_bound}"

    def check(self, value: Any) -> Any:
        return value > self.lower_bound


class greater_than_eq(Constraint):  # noqa: N801
    """At least lower_bound."""

    def __init__(self, lower_bound: Any):
        self.lower_bound, self.text = lower_bound, f"at least {lower_bound}"

    def check(self, value: Any) -> Any:
        return value >= self.lower_bound


class less_than(Constraint):  # noqa: N801
    """Less than upper_bound."""

    def __init__(self, upper_bound: Any):
        self.upper_bound, self.text = upper_bound, f"less than {upper_bound}"

    def check(self, value: Any) -> Any:
        return value < self.upper_bound


class integer_interval(interval):  # noqa: N801
    """Integers from lower_bound to upper_bound."""

    is_discrete = True

    def __init__(self, lower_bound: Any, upper_bound: Any):
        super().__init__(lower_bound, upper_bound)
        self.text = f"integers from {lower_bound} to {upper_bound}"

    def check(self, value: Any) -> Any:
        return super().check(value) & (value % 1 == 0)


class integer_greater_than(greater_than_eq):  # noqa: N801
    """Integers of at least lower_bound."""

    is_discrete = True

    def __init__(self, lower_bound: Any):
        super().__init__(lower_bound)
        self.text = f"integers, at least {lower_bound}"

    def check(self, value: Any) -> Any:
        return super().check(value) & (value % 1 == 0)


class multinomial(Constraint):  # noqa: N801
    """Counts that add up to at most upper_bound."""

    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound: Any):
        self.upper_bound = upper_bound
        self.text = f"whole numbers of at least 0 that add up to at most {upper_bound}"

    def check(self, value: Any) -> Any:
        return ((value >= 0) & (value % 1 == 0)).all(-1) & (value.sum(-1) <= self.upper_bound)


class _Simplex(Constraint):
    event_dim, text = 1, "at least 0, with sum 1"

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _OneHot(Constraint):
    is_discrete, event_dim, text = True, 1, "one-hot"

    def check(self, value: Any) -> Any:
        return ((value == 0) | (value == 1)).all(-1) & (value.sum(-1) == 1)


class _Square(Constraint):
    event_dim, text = 2, "a square matrix"

    def check(self, value: Any) -> Any:
        full = value.new_ones(value.shape[:-2], dtype="bool")
        return full if value.shape[-2] == value.shape[-1] else ~full


class _Symmetric(_Square):
    text = "a symmetric matrix"

    def check(self, value: Any) -> Any:
        square = super().check(value)
        return _functions["isclose"](value, value.mT, atol=1e-6).all(-1).all(-1) \
            if square.all() else square


class _PositiveDefinite(_Symmetric):
    text = "a positive definite matrix"

    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        if not symmetric.all():
            return symmetric
        return (linalg.eigvalsh(value) > 0).all(-1)


class _PositiveSemidefinite(_Symmetric):
    text = "a positive semidefinite matrix"

    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        return (linalg.eigvalsh(value) >= 0).all(-1) if symmetric.all() else symmetric


class _LowerTriangular(Constraint):
    event_dim, text = 2, "a lower triangular matrix"

    def check(self, value: Any) -> Any:
        return (value.tril() == value).all(-1).all(-1)


class _LowerCholesky(_LowerTriangular):
    text = "a lower triangular matrix with a positive diagonal"

    def check(self, value: Any) -> Any:
        return super().check(value) & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(_LowerCholesky):
    text = "the Cholesky factor of a correlation matrix"

    def check(self, value: Any) -> Any:
        tolerance = dtypes.finfo(value.dtype).eps * value.shape[-1] * 10
        lengths = (value * value).sum(-1).sqrt()
        return super().check(value) & ((lengths - 1).abs() <= tolerance).all(-1)


class independent(Constraint):  # noqa: N801
    """A condition that holds for all of the last dims together."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int):
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims
        self.text = base_constraint.text

    def check(self, value: Any) -> Any:
        result = self.base_constraint.check(value)
        for _ in range(self.reinterpreted_batch_ndims):
            result = result.all(-1)
        return result


class MixtureSameFamilyConstraint(Constraint):
    """A condition on the values of a mixture: that of its components, which must all allow them."""

    def __init__(self, base_constraint: Constraint):
        if not isinstance(base_constraint, Constraint):
            raise AssertionError("MixtureSameFamilyConstraint: expected a Constraint, got "
                                 f"{type(base_constraint).__name__}")
        self.base_constraint = base_constraint
        self.is_discrete, self.event_dim = base_constraint.is_discrete, base_constraint.event_dim
        self.text = base_constraint.text

    def check(self, value: Any) -> Any:
        if value.ndim < self.event_dim:
            raise ValueError(f"expected a value of at least {self.event_dim} dims, got "
                             f"{value.ndim}")
        allowed = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        kept = tuple(allowed.shape[:value.ndim - self.event_dim])
        return allowed.reshape((*kept, -1)).all(-1)


class cat(Constraint):  # noqa: N801
    """Conditions on the parts of a value along a dim."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0,
                 lengths: Sequence[int] | None = None):
        self.cseq, self.dim = list(cseq), dim
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)
        self.text = f"in the parts {self.cseq}"

    def check(self, value: Any) -> Any:
        parts = value.split(self.lengths, self.dim)
        return _functions["cat"]([c.check(v) for c, v in zip(self.cseq, parts, strict=True)],
                                 self.dim)


class stack(Constraint):  # noqa: N801
    """Conditions on the slices of a value along a dim."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0):
        self.cseq, self.dim = list(cseq), dim
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq) + (dim < 0)
        self.text = f"in the slices {self.cseq}"

    def check(self, value: Any) -> Any:
        return _functions["stack"]([c.check(v) for c, v in zip(
            self.cseq, value.unbind(self.dim), strict=True)], self.dim)


def is_dependent(constraint: Constraint) -> bool:
    """Whether a constraint is known on instances only."""
    return isinstance(constraint, _Dependent)


dependent = _Dependent()
real = _Real()
real_vector = independent(real, 1)
boolean = _Boolean()
positive = greater_than(0)
nonnegative = greater_than_eq(0)
unit_interval = interval(0, 1)
chance = _Chance()
nonnegative_integer = integer_greater_than(0)
positive_integer = integer_greater_than(1)
simplex = _Simplex()
one_hot = _OneHot()
square = _Square()
symmetric = _Symmetric()
positive_definite = _PositiveDefinite()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
positive_semidefinite = _PositiveSemidefinite()

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval",
    "interval", "is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial",
    "nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite",
    "positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square",
    "stack", "symmetric", "unit_interval"]
