"""The Kullback-Leibler divergence between two distributions of one type."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import linalg, ops
from ..ops.gamma import digamma, lgamma
from ..tensors.creation import full_like, zeros_like
from ..tensors.tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy
from .counts import Binomial, Poisson
from .distribution import Distribution, broadcast_all, functions
from .exponential import Exponential
from .gamma import Beta, Dirichlet, Gamma, InverseGamma
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .log_normal import LogNormal
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .transformed_distribution import TransformedDistribution
from .uniform import Uniform

Rule = Callable[[Any, Any], Tensor]

softplus: Any = ops.names_for("nn.functional")["softplus"]
where = functions["where"]
EULER = 0.5772156649015329  # Euler's constant
RULES: dict[tuple[type, type], Rule] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """Decorates a function that computes kl_divergence for two types and their subclasses."""
    def register(rule: Rule) -> Rule:
        RULES[type_p, type_q] = rule
        return rule
    return register


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """KL(p ‖ q) = E_p[log p(x) - log q(x)], for each element of the batch.

    Raises:
        NotImplementedError: no function is registered for these types.
    """
    for one in type(p).__mro__:
        for other in type(q).__mro__:
            if (one, other) in RULES:
                return RULES[one, other](p, q)
    known = ", ".join(f"({a.__name__}, {b.__name__})" for a, b in RULES)
    raise NotImplementedError(f"kl_divergence: no rule for ({type(p).__name__}, "
                              f"{type(q).__name__}); there are rules for {known}; add one with "
                              "register_kl")


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ratio.log())


@register_kl(LogNormal, LogNormal)
@register_kl(HalfNormal, HalfNormal)
def _of_normal(p: LogNormal | HalfNormal, q: LogNormal | HalfNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return ratio * (-distance / p.scale).exp() + distance / q.scale - 1 - ratio.log()


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - ratio.log()


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    return (((p.scale + q.scale) ** 2 + (p.loc - q.loc) ** 2).log()
            - (4 * p.scale * q.scale).log())


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - (-q.probs).log1p() / p.probs - q.logits


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    ones = p.probs * (softplus(-q.logits) - softplus(-p.logits))
    zeros = (1 - p.probs) * (softplus(q.logits) - softplus(p.logits))
    return (_with_limits(ones, p.probs == 0, q.probs == 0)
            + _with_limits(zeros, p.probs == 1, q.probs == 1))


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    return _with_limits(terms, p.probs == 0, q.probs == 0).sum(-1)


@register_kl(OneHotCategorical, OneHotCategorical)
def _one_hot_categorical(p: OneHotCategorical, q: OneHotCategorical) -> Tensor:
    return _categorical(p._categorical, q._categorical)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError("kl_divergence: reinterpreted_batch_ndims must be equal, got "
                                  f"{p.reinterpreted_batch_ndims} and "
                                  f"{q.reinterpreted_batch_ndims}")
    return p.summed(kl_divergence(p.base_dist, q.base_dist))


# ---------------------------------------------------------------- gamma, beta and counts


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Any:
    a, b = p.concentration, q.concentration
    return (b * (p.rate / q.rate).log() + lgamma(b) - lgamma(a) + (a - b) * digamma(a)
            + (q.rate - p.rate) * (a / p.rate))


@register_kl(InverseGamma, InverseGamma)
def _inverse_gamma(p: InverseGamma, q: InverseGamma) -> Any:
    return _gamma(p.base_dist, q.base_dist)


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Any:
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    return (lgamma(total) - lgamma(b.sum(-1)) - (lgamma(a) - lgamma(b)).sum(-1)
            + ((a - b) * (digamma(a) - digamma(total).unsqueeze(-1))).sum(-1))


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Any:
    return _dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Any:
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Bernoulli, q: Poisson) -> Any:
    return -p.entropy() - (functions["xlogy"](p.probs, q.rate) - q.rate)


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Any:
    """
    Raises:
        NotImplementedError: q has fewer trials in some element: infinite, or without a formula.
    """
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("kl_divergence: of two Binomials with fewer trials in the first "
                                  "there is no formula")
    chance = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return where(p.total_count > q.total_count, math.inf, p.total_count * chance)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Any:
    if p.event_shape != q.event_shape:
        raise ValueError(f"kl_divergence: event shapes {tuple(p.event_shape)} and "
                         f"{tuple(q.event_shape)} differ")
    one: Any = p.scale_tril
    other: Any = q.scale_tril
    half = (other.diagonal(dim1=-2, dim2=-1).log() - one.diagonal(dim1=-2, dim2=-1).log()).sum(-1)
    shape = functions["broadcast_tensors"](one, other)[0].shape
    ratio = linalg.solve_triangular(other.expand(shape), one.expand(shape), upper=False)
    away = linalg.solve_triangular(other, (q.loc - p.loc).unsqueeze(-1), upper=False)
    return half + 0.5 * ((ratio ** 2).sum((-2, -1)) + (away ** 2).sum((-2, -1))
                         - p.event_shape[0])


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError("kl_divergence: the transforms and event shapes must be equal")
    return kl_divergence(p.base_dist, q.base_dist)


# ---------------------------------------------------------------- of two families


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Any:
    ratio = ((q.high - q.low) / (p.high - p.low)).log()
    return where((q.low > p.low) | (q.high < p.high), math.inf, ratio)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Any:
    ratio, away = p.scale / q.scale, (q.loc - p.loc) / q.scale
    return (-ratio.log() - away + ratio * EULER + (away + lgamma(1 + ratio)).exp()
            - (1 + EULER))


@register_kl(Laplace, Normal)
def _laplace_normal(p: Laplace, q: Normal) -> Any:
    variance, distance = q.scale ** 2, p.loc - q.loc
    ratio = p.scale ** 2 / variance
    return (-0.5 * (2 * ratio / math.pi).log() + ratio + 0.5 * distance ** 2 / variance - 1)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Normal, q: Laplace) -> Any:
    away, ratio = p.loc - q.loc, p.scale / q.scale
    scaled = away / p.scale
    spread = math.sqrt(2 / math.pi) * p.scale * (-0.5 * scaled ** 2).exp() \
        + away * (math.sqrt(0.5) * scaled).erf()
    return -ratio.log() + spread / q.scale - 0.5 * math.log(0.5 * math.pi) - 0.5


@register_kl(Normal, Gumbel)
def _normal_gumbel(p: Normal, q: Gumbel) -> Any:
    mean, ratio = (p.loc - q.loc) / q.scale, (p.scale / q.scale) ** 2
    return (-0.5 * ratio.log() + mean + (-mean + 0.5 * ratio).exp()
            - 0.5 * (1 + math.log(2 * math.pi)))


@register_kl(Gumbel, Normal)
def _gumbel_normal(p: Gumbel, q: Normal) -> Any:
    ratio = p.scale / q.scale
    away = (p.loc + p.scale * EULER - q.loc) / q.scale
    return (-ratio.log() + 0.5 * math.log(2 * math.pi) + (ratio * math.pi) ** 2 / 12
            + away ** 2 / 2 - (EULER + 1))


@register_kl(Uniform, Normal)
def _uniform_normal(p: Uniform, q: Normal) -> Any:
    width = p.high - p.low
    spread = (width ** 2 / 12 + ((p.high + p.low) / 2 - q.loc) ** 2) / (2 * q.scale ** 2)
    return (math.sqrt(2 * math.pi) * q.scale / width).log() + spread


@register_kl(Uniform, Gumbel)
def _uniform_gumbel(p: Uniform, q: Gumbel) -> Any:
    width = (p.high - p.low) / q.scale
    high, low = (q.loc - p.high) / q.scale, (q.loc - p.low) / q.scale
    return (-width.log() - 0.5 * (high + low) - (high.exp() - low.exp()) / width)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Uniform, q: Exponential) -> Any:
    result = q.rate * (p.high + p.low) / 2 - ((p.high - p.low) * q.rate).log()
    return where(p.low < 0, math.inf, result)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Uniform, q: Gamma) -> Any:
    a, rate = q.concentration, q.rate
    log_mean = _mean_of_log(p)
    result = (-(p.high - p.low).log() - a * rate.log() + lgamma(a) + (1 - a) * log_mean
              + rate * (p.high + p.low) / 2)
    return where(p.low < 0, math.inf, result)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Uniform, q: Beta) -> Any:
    one, zero = q.concentration1, q.concentration0
    mirrored = Uniform(1 - p.high, 1 - p.low, validate_args=False)
    result = (-(p.high - p.low).log() + (1 - one) * _mean_of_log(p)
              + (1 - zero) * _mean_of_log(mirrored) + lgamma(one) + lgamma(zero)
              - lgamma(one + zero))
    return where((p.high > 1) | (p.low < 0), math.inf, result)


def _mean_of_log(p: Uniform) -> Any:
    """E[log x], by the integral x log(x) - x."""
    xlogy = functions["xlogy"]
    return (xlogy(p.high, p.high) - xlogy(p.low, p.low)) / (p.high - p.low) - 1


@register_kl(Exponential, Gamma)
def _exponential_gamma(p: Exponential, q: Gamma) -> Any:
    a, ratio = q.concentration, q.rate / p.rate
    return -a * ratio.log() + ratio + lgamma(a) + a * EULER - (1 + EULER)


@register_kl(Exponential, Gumbel)
def _exponential_gumbel(p: Exponential, q: Gumbel) -> Any:
    product, loc = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 + product.reciprocal() - loc + (loc.exp() * product / (product + 1))


@register_kl(Exponential, Normal)
def _exponential_normal(p: Exponential, q: Normal) -> Any:
    variance, mean = q.scale ** 2, 1 / p.rate
    return (0.5 * (p.rate ** 2 * variance * 2 * math.pi).log() - 1
            + (mean ** 2 - q.loc * mean + q.loc ** 2 / 2) / variance)


@register_kl(Gamma, Exponential)
def _gamma_exponential(p: Gamma, q: Exponential) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.concentration / p.rate


@register_kl(Gamma, Gumbel)
def _gamma_gumbel(p: Gamma, q: Gumbel) -> Any:
    scaled, loc, a = p.rate * q.scale, q.loc / q.scale, p.concentration
    return ((a - 1) * digamma(a) - lgamma(a) - a + scaled.log() + a / scaled - loc
            + (loc.exp() * (1 + scaled.reciprocal()) ** -a))


@register_kl(Gamma, Normal)
def _gamma_normal(p: Gamma, q: Normal) -> Any:
    variance, a = q.scale ** 2, p.concentration
    square = (a + a ** 2) / p.rate ** 2
    cross = q.loc * a / p.rate
    return (0.5 * (p.rate ** 2 * variance * 2 * math.pi).log()
            + (a - 1) * digamma(a) - lgamma(a) - a
            + (0.5 * square - cross + 0.5 * q.loc ** 2) / variance)


@register_kl(Beta, Uniform)
def _beta_uniform(p: Beta, q: Uniform) -> Any:
    result = -p.entropy() + (q.high - q.low).log()
    return where((q.low > 0) | (q.high < 1), math.inf, result)


@register_kl(Beta, Exponential)
def _beta_exponential(p: Beta, q: Exponential) -> Any:
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Beta, Gamma)
def _beta_gamma(p: Beta, q: Gamma) -> Any:
    one, a = p.concentration1, q.concentration
    log_mean = digamma(one) - digamma(one + p.concentration0)
    return -p.entropy() + lgamma(a) - a * q.rate.log() - (a - 1) * log_mean + q.rate * p.mean


@register_kl(Beta, Normal)
def _beta_normal(p: Beta, q: Normal) -> Any:
    variance = q.scale ** 2
    square = p.variance + p.mean ** 2
    return (-p.entropy() + 0.5 * (variance * 2 * math.pi).log()
            + (square * 0.5 - p.mean * q.loc + q.loc ** 2 * 0.5) / variance)


def _infinite(p: Any, q: Any) -> Any:
    """p has values that q has not."""
    first = next(v for v in (getattr(p, n, None) for n in (
        "loc", "rate", "low", "probs", "concentration1")) if v is not None)
    return full_like(first, math.inf)


for _first, _others in (
        (Beta, ()), (Exponential, (Beta, Uniform)), (Gamma, (Beta, Uniform)),
        (Gumbel, (Beta, Exponential, Gamma, Uniform)),
        (Laplace, (Beta, Exponential, Gamma, Uniform)),
        (Normal, (Beta, Exponential, Gamma, Uniform)), (Poisson, (Bernoulli, Binomial))):
    for _other in _others:
        register_kl(_first, _other)(_infinite)


def _with_limits(terms: Tensor, never_in_p: Tensor, never_in_q: Tensor) -> Tensor:
    """The terms p log(p / q): 0 where p is 0, otherwise infinite where q is 0."""
    terms, never_in_p, never_in_q = broadcast_all("kl_divergence", terms, never_in_p, never_in_q)
    terms = where(never_in_q, full_like(terms, float("inf")), terms)
    return where(never_in_p, zeros_like(terms), terms)
