"""Special functions, under the names of `torch.special`. Many are also at the top level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import ops
from .compat import absent

if TYPE_CHECKING:
    from .table.special import *  # noqa: F403

SHARED = ("digamma", "erf", "erfc", "erfinv", "exp2", "expm1", "i0", "log1p", "log_softmax",
          "logit", "logsumexp", "polygamma", "round", "sinc", "softmax", "xlogy")

# Names of functions that have another name at the top level.
SAME = {"gammainc": "igamma", "gammaincc": "igammac", "gammaln": "lgamma",
        "multigammaln": "mvlgamma", "psi": "digamma", "modified_bessel_i0": "i0"}

_everywhere = ops.names_for("")
globals().update({name: _everywhere[name] for name in SHARED})
globals().update(ops.names_for("special"))
globals().update(expit=_everywhere["sigmoid"])
globals().update({name: _everywhere[other] for name, other in SAME.items()})
globals().update(modified_bessel_i1=globals()["i1"])


if not TYPE_CHECKING:  # checkers report unknown names themselves
    def __getattr__(name: str) -> Any:
        raise absent.AbsentName("tinytensor.special", name, lambda: globals())
