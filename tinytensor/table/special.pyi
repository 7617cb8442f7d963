"""The functions of `special`.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..tensors.tensor import Tensor
from .methods import Operand

def bessel_j0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function J0(input). Shapes: (*) -> (*). Cephes.

    It has a derivative here, and none in PyTorch.
    """
def bessel_j1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Bessel function J1(input). Shapes: (*) -> (*). Cephes.

    It has a derivative here, and none in PyTorch.
    """
def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """-input log(input); 0 at 0, -inf below. Shapes: (*) -> (*)."""
def erfcx(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e**input² erfc(input), which has no overflow for large input. Shapes: (*) -> (*).

    A rational approximation after Cody 1969.
    """
def i0e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e**-|input| I0(input). Shapes: (*) -> (*). Cephes."""
def i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The modified Bessel function I1(input). Shapes: (*) -> (*). Cephes."""
def i1e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """e**-|input| I1(input). Shapes: (*) -> (*). Cephes."""
def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """log(ndtr(input)), exact also where ndtr(input) is tiny. Shapes: (*) -> (*)."""
def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The probability that a standard normal variable is below input: erfc(-input / √2) / 2.

    Shapes: (*) -> (*).
    """
def ndtri(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The x for which ndtr(x) is input; -inf at 0, inf at 1, NaN outside. Shapes: (*) -> (*).

    erfinv in the middle. In the tails Halley's steps from the approximation 26.2.23 of Abramowitz
    and Stegun 1964.
    """
def xlog1py(input: Operand | float, other: Operand | float, *, out: Tensor | None = None) -> Tensor:
    """input * log(1 + other), 0 where input is 0. Shapes: (*), (*) -> the broadcast shape."""
def zeta(input: Operand | float, other: Operand | float, *, out: Tensor | None = None) -> Tensor:
    """Hurwitz's zeta function Σ (other + k)⁻ⁱⁿᵖᵘᵗ for k >= 0; that of Riemann for other = 1.

    Infinite for input = 1 and at other = 0, -1, -2, ...; NaN for input < 1, and for a negative
    `other` unless input is an integer. Only `other` has a gradient.

    Shapes: (*), (*) -> the broadcast shape.
    """
from .functions import digamma as digamma
from .functions import erf as erf
from .functions import erfc as erfc
from .functions import erfinv as erfinv
from .functions import exp2 as exp2
from .functions import expm1 as expm1
from .functions import i0 as i0
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
from .functions import i0 as modified_bessel_i0
modified_bessel_i1 = i1
def expit(input: Tensor) -> Tensor:
    """1 / (1 + e ** -input), elementwise. Shapes: (*) -> (*)."""
