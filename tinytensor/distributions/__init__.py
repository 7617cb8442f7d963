"""Probability distributions: samples, differentiable log-densities, entropies, divergences."""

from typing import Any

from ..compat import absent
from . import constraints, transforms
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy
from .counts import Binomial, NegativeBinomial, Poisson
from .distribution import Distribution
from .exponential import Exponential
from .gamma import (
    Beta,
    Chi2,
    Dirichlet,
    FisherSnedecor,
    Gamma,
    InverseGamma,
    StudentT,
)
from .geometric import Geometric
from .gumbel import Gumbel
from .half_normal import HalfNormal
from .independent import Independent
from .kl import kl_divergence, register_kl
from .laplace import Laplace
from .log_normal import LogNormal
from .mixture import MixtureSameFamily
from .multinomial import Multinomial
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .one_hot_categorical import OneHotCategorical
from .transformed_distribution import TransformedDistribution
from .transforms import *  # noqa: F403
from .transforms import __all__ as _transforms
from .transforms import biject_to, transform_to
from .uniform import Uniform

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "Dirichlet",
    "Distribution", "Exponential", "FisherSnedecor", "Gamma", "Geometric", "Gumbel",
    "HalfNormal", "Independent", "InverseGamma", "Laplace", "LogNormal", "MixtureSameFamily",
    "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal", "OneHotCategorical",
    "Poisson", "StudentT", "TransformedDistribution", "Uniform", "biject_to", "constraints",
    "kl_divergence", "register_kl", "transform_to", "transforms", *_transforms
]


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.distributions", name, lambda: globals())
