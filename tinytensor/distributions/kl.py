"""The Kullback-Leibler divergence between two distributions of one type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..tensors.creation import full_like, zeros_like
from ..tensors.tensor import Tensor
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy
from .distribution import Distribution, broadcast_all, functions
from .exponential import Exponential
from .geometric import Geometric
from .half_normal import HalfNormal
from .independent import Independent
from .laplace import Laplace
from .log_normal import LogNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical

Rule = Callable[[Any, Any], Tensor]

softplus: Any = ops.names_for("nn.functional")["softplus"]
where = functions["where"]
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


def _with_limits(terms: Tensor, never_in_p: Tensor, never_in_q: Tensor) -> Tensor:
    """The terms p log(p / q): 0 where p is 0, otherwise infinite where q is 0."""
    terms, never_in_p, never_in_q = broadcast_all("kl_divergence", terms, never_in_p, never_in_q)
    terms = where(never_in_q, full_like(terms, float("inf")), terms)
    return where(never_in_p, zeros_like(terms), terms)
