"""The ONNX form of each operation of the table: `FORMS`, and for those without one, `NO_FORM`.

A form is a function of a `writing.Form`, which is one call. It adds nodes and returns the name of
the result, or a tuple of names. `elementwise.py`, `shapes.py`, `indexing.py`, `layers.py` and
`recurrent.py` beside this file register them. A program registers one for an operation of its own:

    @tinytensor.onnx.form("squareplus")
    def squareplus(f):
        x, b = f["input"], f.constant(numpy.float32(f.param("b")))
        root = f.node("Sqrt", [f.node("Add", [f.node("Mul", [x, x]), b])])
        return f.node("Div", [f.node("Add", [x, root]), f.constant(numpy.float32(2))])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FORMS: dict[str, Callable[[Any], Any]] = {}

_ADJOINT = "it is only the derivative of another operation"
_NO_OPERATOR = "ONNX has no such operator; compute it outside of the exported model"
_MATRICES = "ONNX has no such decomposition; compute it outside of the exported model"
_SHAPE_BY_VALUES = "the shape of its result depends on values; compute it outside of the model"
# Operations without a form, by their name in the table, and why.
NO_FORM: dict[str, str] = {
    **dict.fromkeys(("overlap_add", "internal.convolution_weight", "put_strided", "spread"),
                    _ADJOINT),
    **dict.fromkeys(("internal.winner", "internal.pick", "internal.put"),
                    "it belongs to max pooling with return_indices=True, or to its inverse"),
    **dict.fromkeys(("gcd", "lcm", "erfinv", "bitwise_left_shift", "bitwise_right_shift",
                     "cumprod", "logcumsumexp", "where_cummax", "where_cummin", "where_mode",
                     "lgamma", "digamma", "polygamma_of", "igamma", "igammac", "bincount",
                     "histc", "frexp", "ldexp", "over_power",
                     "nextafter", "i0", "special.i0e", "special.i1", "special.i1e",
                     "special.bessel_j0", "special.bessel_j1", "special.erfcx", "special.entr",
                     "special.ndtri", "special.xlog1py", "special.zeta"), _NO_OPERATOR),
    **dict.fromkeys(("linalg.inv", "solve_matrix", "solve_triangle", "cholesky_factor",
                     "linalg.qr", "linalg.eigh", "linalg.svd", "pseudoinverse",
                     "slogdet", "matrix_exp"), _MATRICES),
    **dict.fromkeys(("runs",), _SHAPE_BY_VALUES),
}


def form(*keys: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Decorates the function that writes the ONNX form of operations, named as in the table."""
    def register(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        FORMS.update(dict.fromkeys(keys, function))
        return function

    return register
