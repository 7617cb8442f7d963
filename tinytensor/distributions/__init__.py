"""Probability distributions: samples, differentiable log-densities, entropies, divergences."""

import importlib
from typing import Any

from ..compat import absent
from . import constraints, transforms
from .bernoulli import Bernoulli
from .categorical import Categorical
from .cauchy import Cauchy
from .constraint_registry import biject_to, transform_to
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
from .uniform import Uniform

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "Dirichlet",
    "Distribution", "Exponential", "FisherSnedecor", "Gamma", "Geometric", "Gumbel",
    "HalfNormal", "Independent", "InverseGamma", "Laplace", "LogNormal", "MixtureSameFamily",
    "Multinomial", "MultivariateNormal", "NegativeBinomial", "Normal", "OneHotCategorical",
    "Poisson", "StudentT", "TransformedDistribution", "Uniform", "biject_to", "constraints",
    "kl_divergence", "register_kl", "transform_to", "transforms", *_transforms
]


# Distributions that few programs use are imported when they are asked for.
LATER = {
    "ContinuousBernoulli": "continuous_bernoulli", "ExponentialFamily": "exponential_family",
    "GeneralizedPareto": "generalized_pareto", "LKJCholesky": "random_matrices",
    "Wishart": "random_matrices", "HalfCauchy": "powers_of_noise", "Kumaraswamy": "powers_of_noise",
    "LogisticNormal": "powers_of_noise",
    "LowRankMultivariateNormal": "low_rank_multivariate_normal",
    "OneHotCategoricalStraightThrough": "relaxed", "Pareto": "powers_of_noise",
    "RelaxedBernoulli": "relaxed", "LogitRelaxedBernoulli": "relaxed",
    "RelaxedOneHotCategorical": "relaxed", "ExpRelaxedCategorical": "relaxed",
    "VonMises": "von_mises", "Weibull": "powers_of_noise"}


def import_all() -> None:
    """Imports those of LATER, for programs that walk through the names of this module."""
    for name in LATER:
        globals()[name] = __getattr__(name)


def __getattr__(name: str) -> Any:
    if name in LATER:
        return getattr(importlib.import_module(f"{__name__}.{LATER[name]}"), name)
    raise absent.AbsentName("tinytensor.distributions", name, lambda: globals())
