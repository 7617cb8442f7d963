"""Probability distributions: to draw from, and to differentiate the logarithm of."""

from .bernoulli import Bernoulli
from .categorical import Categorical
from .distribution import Distribution
from .kl import kl_divergence, register_kl
from .normal import Normal

__all__ = ["Distribution", "Bernoulli", "Categorical", "Normal", "kl_divergence", "register_kl"]
