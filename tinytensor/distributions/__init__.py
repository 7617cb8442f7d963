"""Probability distributions: samples, differentiable log-densities, entropies, divergences."""

from typing import Any

from ..compat import absent
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy
from .distribution import Distribution
from .exponential import Exponential
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .log_normal import LogNormal
from .multinomial import Multinomial
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .uniform import Uniform

__all__ = ["Distribution", "Bernoulli", "Categorical", "Cauchy", "Exponential", "Geometric",
           "Gumbel", "HalfNormal", "Independent", "Laplace", "LogNormal", "Multinomial",
           "MultivariateNormal", "Normal", "OneHotCategorical", "Uniform", "kl_divergence",
           "register_kl"]


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.distributions", name, lambda: globals())
