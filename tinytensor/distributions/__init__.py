"""Probability distributions: to draw from, and to differentiate the logarithm of."""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .independent import Independent
from .kl import kl_divergence, register_kl
from .multinomial import Multinomial
from .multivariate_normal import MultivariateNormal
from .normal import Normal
from .uniform import Uniform

__all__ = ["Distribution", "Bernoulli", "Categorical", "Independent", "Multinomial",
           "MultivariateNormal", "Normal", "Uniform", "kl_divergence", "register_kl"]
