"""The gamma distribution, and those that are made of it: Chi2, Beta, Dirichlet, StudentT, ..."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..arrays import devices, dtypes
from ..autograd.engine import grad
from ..autograd.function import Function
from ..autograd.modes import enable_grad
from ..ops.gamma import digamma, igamma, lgamma
from ..tensors.creation import tensor
from ..tensors.sampling import stream_of
from ..tensors.tensor import Tensor
from . import constraints
from .constraints import Constraint
from .distribution import Distribution, Number, broadcast_all, functions
from .normal import Normal

where, stack = functions["where"], functions["stack"]


class _StandardGamma(Function):
    """Values of Gamma(concentration, 1), differentiable by the concentration.

    A value x keeps its probability P(a, x) when a changes, so dx/da = -(dP/da) / (dP/dx).
    Figurnov, Mohamed and Mnih 2018.
    """

    @staticmethod
    def forward(ctx: Any, concentration: Any) -> Any:
        shapes = devices.to_numpy(concentration._array)
        drawn = stream_of(None, concentration.device).numpy.standard_gamma(shapes)
        least = dtypes.finfo(concentration.dtype).tiny
        x = tensor(drawn, dtype=concentration.dtype, device=concentration.device).clamp(min=least)
        ctx.save_for_backward(concentration, x)
        return x

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        a, x = (t.detach().double() for t in ctx.saved_tensors)
        a.requires_grad_()
        with enable_grad():
            (slope,) = grad(igamma(a, x).sum(), (a,))
        a = a.detach()
        density = ((a - 1) * x.log() - x - lgamma(a)).exp()
        return grads[0] * (-slope / density).to(grads[0].dtype)


def standard_gamma(concentration: Tensor) -> Any:
    """Draws from the gamma distribution of rate 1; differentiable once."""
    return _StandardGamma.apply(concentration)


class Gamma(Distribution):
    """Values above 0. Density: rateᵃ xᵃ⁻¹ exp(-rate x) / Γ(a) for a = `concentration`."""

    arg_constraints = {"concentration": constraints.positive,  # noqa: RUF012
                       "rate": constraints.positive}
    has_rsample = True

    concentration: Any
    rate: Any

    def __init__(self, concentration: Number, rate: Number, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all(type(self).__name__, concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.nonnegative

    @property
    def mean(self) -> Any:
        return self.concentration / self.rate

    @property
    def mode(self) -> Any:
        return ((self.concentration - 1) / self.rate).clamp(min=0)

    @property
    def variance(self) -> Any:
        return self.concentration / self.rate ** 2

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, concentration=self.concentration,
                              rate=self.rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        drawn = standard_gamma(self.concentration.expand(shape)) / self.rate
        return drawn.clamp(min=dtypes.finfo(drawn.dtype).tiny)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        a, rate = self.concentration, self.rate
        return functions["xlogy"](a, rate) + functions["xlogy"](a - 1, value) - rate * value \
            - lgamma(a)

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return igamma(self.concentration, self.rate * value)

    def entropy(self) -> Any:
        a = self.concentration
        return a - self.rate.log() + lgamma(a) + (1 - a) * digamma(a)


class Chi2(Gamma):
    """The sum of `df` squared standard normal numbers: Gamma(df / 2, 1 / 2)."""

    arg_constraints = {"df": constraints.positive}  # noqa: RUF012

    def __init__(self, df: Number, validate_args: bool | None = None):
        (df,) = broadcast_all("Chi2", df)
        super().__init__(0.5 * df, 0.5, validate_args=validate_args)

    @property
    def df(self) -> Any:
        return self.concentration * 2


class InverseGamma(Distribution):
    """1 / x for x of Gamma(concentration, rate)."""

    arg_constraints = Gamma.arg_constraints
    has_rsample = True

    concentration: Any
    rate: Any

    def __init__(self, concentration: Number, rate: Number, validate_args: bool | None = None):
        self.concentration, self.rate = broadcast_all("InverseGamma", concentration, rate)
        super().__init__(self.concentration.shape, validate_args=validate_args)

    @property
    def base_dist(self) -> Gamma:
        return Gamma(self.concentration, self.rate, self._validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.positive

    @property
    def mean(self) -> Any:
        a = self.concentration
        return where(a > 1, self.rate / (a - 1), math.inf)

    @property
    def mode(self) -> Any:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        a = self.concentration
        return where(a > 2, self.rate ** 2 / ((a - 1) ** 2 * (a - 2)), math.inf)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, concentration=self.concentration,
                              rate=self.rate)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return 1 / self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self.base_dist.log_prob(1 / value) - 2 * value.log()

    def cdf(self, value: Any) -> Any:
        return 1 - self.base_dist.cdf(1 / value)

    def entropy(self) -> Any:
        a = self.concentration
        return a + self.rate.log() + lgamma(a) - (1 + a) * digamma(a)


class Dirichlet(Distribution):
    """Probabilities: positive numbers whose sum is 1 along the last dim.

    Density: Γ(Σ aᵢ) / Π Γ(aᵢ) · Π xᵢ^(aᵢ - 1) for a = `concentration`.
    """

    arg_constraints = {  # noqa: RUF012
        "concentration": constraints.independent(constraints.positive, 1)}
    has_rsample = True

    concentration: Any

    def __init__(self, concentration: Tensor, validate_args: bool | None = None):
        if concentration.ndim < 1:
            raise ValueError("Dirichlet: concentration must have at least 1 dim")
        self.concentration = concentration
        super().__init__(concentration.shape[:-1], concentration.shape[-1:],
                         validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.simplex

    @property
    def mean(self) -> Any:
        return self.concentration / self.concentration.sum(-1, keepdim=True)

    @property
    def mode(self) -> Any:
        """The most probable value; a corner if no concentration is above 1."""
        above = (self.concentration - 1).clamp(min=0.0)
        mode = above / above.sum(-1, keepdim=True)
        corner = (above * 0).scatter(-1, self.concentration.argmax(-1, keepdim=True), 1.0)
        return where((self.concentration < 1).all(-1, keepdim=True), corner, mode)

    @property
    def variance(self) -> Any:
        total = self.concentration.sum(-1, keepdim=True)
        return self.concentration * (total - self.concentration) / (total ** 2 * (total + 1))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        new = self._expanded(batch_shape, _instance, self._event_shape,
                             concentration=self.concentration)
        new._event_shape = self._event_shape
        return new

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        # In float64: in float32 all the numbers of small concentrations would be the least one.
        shape, dtype = self._extended_shape(sample_shape), self.concentration.dtype
        drawn = standard_gamma(self.concentration.double().expand(shape))
        shares = (drawn / drawn.sum(-1, keepdim=True)).to(dtype)
        info = dtypes.finfo(dtype)
        return shares.clamp(min=info.tiny, max=1 - info.eps / 2)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        a = self.concentration
        return functions["xlogy"](a - 1, value).sum(-1) + lgamma(a.sum(-1)) - lgamma(a).sum(-1)

    def entropy(self) -> Any:
        a, total = self.concentration, self.concentration.sum(-1)
        return (lgamma(a).sum(-1) - lgamma(total) - (a.shape[-1] - total) * digamma(total)
                - ((a - 1) * digamma(a)).sum(-1))


class Beta(Distribution):
    """Values in [0, 1]. Density: x^(a - 1) (1 - x)^(b - 1) Γ(a + b) / (Γ(a) Γ(b))."""

    arg_constraints = {"concentration1": constraints.positive,  # noqa: RUF012
                       "concentration0": constraints.positive}
    has_rsample = True

    def __init__(self, concentration1: Number, concentration0: Number,
                 validate_args: bool | None = None):
        one, zero = broadcast_all("Beta", concentration1, concentration0)
        self._dirichlet = Dirichlet(stack([one, zero], -1), validate_args=False)
        super().__init__(one.shape, validate_args=validate_args)
        if self._validate_args:
            for name in self.arg_constraints:
                if not bool((getattr(self, name) > 0).all()):
                    raise ValueError(f"Beta: {name} must be greater than 0, got "
                                     f"{getattr(self, name)}")

    @property
    def concentration1(self) -> Any:
        return self._dirichlet.concentration[..., 0]

    @property
    def concentration0(self) -> Any:
        return self._dirichlet.concentration[..., 1]

    @property
    def support(self) -> Constraint:
        return constraints.unit_interval

    @property
    def mean(self) -> Any:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Any:
        return self._dirichlet.mode[..., 0]

    @property
    def variance(self) -> Any:
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total ** 2 * (total + 1))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return type(self)(self.concentration1.expand(batch_shape),
                          self.concentration0.expand(batch_shape), validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        return self._dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self._dirichlet.log_prob(stack([value, 1 - value], -1))

    def entropy(self) -> Any:
        return self._dirichlet.entropy()

    def __repr__(self) -> str:
        return f"Beta(concentration1: {self.concentration1}, concentration0: {self.concentration0})"


class StudentT(Distribution):
    """loc + scale z / sqrt(c / df) for a standard normal z and c of Chi2(df)."""

    arg_constraints = {"df": constraints.positive, "loc": constraints.real,  # noqa: RUF012
                       "scale": constraints.positive}
    has_rsample = True

    df: Any
    loc: Any
    scale: Any

    def __init__(self, df: Number, loc: Number = 0.0, scale: Number = 1.0,
                 validate_args: bool | None = None):
        self.df, self.loc, self.scale = broadcast_all("StudentT", df, loc, scale)
        super().__init__(self.df.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.real

    @property
    def mean(self) -> Any:
        return where(self.df > 1, self.loc, math.nan)

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        finite = self.scale ** 2 * self.df / (self.df - 2)
        return where(self.df > 2, finite, where(self.df > 1, math.inf, math.nan))

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, df=self.df, loc=self.loc, scale=self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        normal = Normal(self.loc * 0, self.scale * 0 + 1, validate_args=False).sample(sample_shape)
        chi = standard_gamma((0.5 * self.df).expand(shape)) * 2
        return self.loc + self.scale * normal * (chi / self.df).rsqrt()

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        y, df = (value - self.loc) / self.scale, self.df
        return (-0.5 * (df + 1) * (y ** 2 / df).log1p() - self.scale.log() - 0.5 * df.log()
                - 0.5 * math.log(math.pi) - lgamma(0.5 * df) + lgamma(0.5 * (df + 1)))

    def entropy(self) -> Any:
        df = self.df
        beta = lgamma(0.5 * df) + math.lgamma(0.5) - lgamma(0.5 * (1 + df))
        return (self.scale.log() + 0.5 * (df + 1) * (digamma(0.5 * (1 + df)) - digamma(0.5 * df))
                + 0.5 * df.log() + beta)


class FisherSnedecor(Distribution):
    """(x / df1) / (y / df2) for x of Chi2(df1) and y of Chi2(df2)."""

    arg_constraints = {"df1": constraints.positive, "df2": constraints.positive}  # noqa: RUF012
    has_rsample = True

    df1: Any
    df2: Any

    def __init__(self, df1: Number, df2: Number, validate_args: bool | None = None):
        self.df1, self.df2 = broadcast_all("FisherSnedecor", df1, df2)
        super().__init__(self.df1.shape, validate_args=validate_args)

    @property
    def support(self) -> Constraint:
        return constraints.positive

    @property
    def mean(self) -> Any:
        return where(self.df2 > 2, self.df2 / (self.df2 - 2), math.nan)

    @property
    def mode(self) -> Any:
        return where(self.df1 > 2, (self.df1 - 2) / self.df1 * self.df2 / (self.df2 + 2), math.nan)

    @property
    def variance(self) -> Any:
        d1, d2 = self.df1, self.df2
        finite = 2 * d2 ** 2 * (d1 + d2 - 2) / (d1 * (d2 - 2) ** 2 * (d2 - 4))
        return where(d2 > 4, finite, math.nan)

    def expand(self, batch_shape: Sequence[int], _instance: Any = None) -> Any:
        return self._expanded(batch_shape, _instance, df1=self.df1, df2=self.df2)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        one, two = (standard_gamma((0.5 * df).expand(shape)) / df for df in (self.df1, self.df2))
        return one / two.clamp(min=dtypes.finfo(two.dtype).tiny)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        d1, d2 = self.df1, self.df2
        ratio = d1 / d2
        return (lgamma((d1 + d2) / 2) - lgamma(d1 / 2) - lgamma(d2 / 2) + d1 / 2 * ratio.log()
                + (d1 / 2 - 1) * value.log() - (d1 + d2) / 2 * (ratio * value).log1p())
