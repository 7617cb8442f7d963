"""The functions of `special`.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..tensors.tensor import Tensor

from .functions import digamma as digamma
from .functions import erf as erf
from .functions import erfc as erfc
from .functions import erfinv as erfinv
from .functions import exp2 as exp2
from .functions import expm1 as expm1
from .functions import log1p as log1p
from .functions import log_softmax as log_softmax
from .functions import logit as logit
from .functions import logsumexp as logsumexp
from .functions import polygamma as polygamma
from .functions import round as round
from .functions import sinc as sinc
from .functions import softmax as softmax
from .functions import xlogy as xlogy
from .functions import igamma as gammainc
from .functions import igammac as gammaincc
from .functions import lgamma as gammaln
from .functions import mvlgamma as multigammaln
from .functions import digamma as psi
def expit(input: Tensor) -> Tensor:
    """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
