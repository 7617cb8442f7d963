"""The functions of `special`: where they are defined.

Written by `python -m tinytensor stubs`; not to be edited.
"""

from ..ops.bessel import bessel_j0 as bessel_j0
from ..ops.bessel import bessel_j1 as bessel_j1
from ..ops.normal import entr as entr
from ..ops.normal import erfcx as erfcx
from ..ops.bessel import i0e as i0e
from ..ops.bessel import i1 as i1
from ..ops.bessel import i1e as i1e
from ..ops.normal import log_ndtr as log_ndtr
from ..ops.normal import ndtr as ndtr
from ..ops.normal import ndtri as ndtri
from ..ops.normal import xlog1py as xlog1py
from ..ops.gamma import zeta as zeta
