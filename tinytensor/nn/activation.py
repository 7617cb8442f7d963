"""Activation functions as modules."""

from __future__ import annotations

from .. import ops
from ..tensors.creation import full
from ..tensors.tensor import Tensor
from . import functional
from .arguments import Device, DType
from .function_module import FunctionModule
from .module import Module
from .parameter import Parameter


class Elementwise(FunctionModule, not_passed=("inplace",)):
    """The base class of element-wise activations. `inplace` writes into the input."""

    inplace = False

    def forward(self, input: Tensor) -> Tensor:
        if not self.inplace:
            return self._call(input)
        return ops.in_place(lambda x: self._call(x), f"{self.function}_")(input)


class ReLU(Elementwise, function="relu", shown=("?inplace",)):
    """max(0, x). Shapes: (*) -> (*)."""

    inplace: bool = False


class ReLU6(Elementwise, function="relu6", shown=("?inplace",)):
    """min(max(0, x), 6). Shapes: (*) -> (*)."""

    inplace: bool = False


class LeakyReLU(Elementwise, function="leaky_relu", shown=("negative_slope", "?inplace")):
    """max(0, x) + negative_slope min(0, x). Shapes: (*) -> (*). Maas et al. 2013."""

    negative_slope: float = 0.01
    inplace: bool = False


class RReLU(Elementwise, function="rrelu", shown=("lower", "upper", "?inplace"),
            not_passed=("inplace",)):
    """`LeakyReLU` with a slope drawn from [lower, upper] for each element while training.

    In evaluation the slope is (lower + upper) / 2. Shapes: (*) -> (*). Xu et al. 2015.
    """

    lower: float = 1.0 / 8
    upper: float = 1.0 / 3
    inplace: bool = False

    def _call(self, input: Tensor) -> Tensor:  # type: ignore[override]
        return functional.rrelu(input, self.lower, self.upper, self.training)


class ELU(Elementwise, function="elu", shown=("alpha", "?inplace")):
    """x where x > 0, alpha (e**x - 1) elsewhere. Shapes: (*) -> (*). Clevert et al. 2016."""

    alpha: float = 1.0
    inplace: bool = False


class SELU(Elementwise, function="selu", shown=("?inplace",)):
    """1.0507 ELU(x) with alpha = 1.6733, which keeps mean 0 and variance 1. Shapes: (*) -> (*).

    Klambauer et al. 2017.
    """

    inplace: bool = False


class CELU(Elementwise, function="celu", shown=("alpha", "?inplace")):
    """max(0, x) + min(0, alpha (e**(x / alpha) - 1)). Shapes: (*) -> (*). Barron 2017."""

    alpha: float = 1.0
    inplace: bool = False


class SiLU(Elementwise, function="silu", shown=("?inplace",)):
    """x sigmoid(x), also called swish. Shapes: (*) -> (*). Elfwing, Uchibe and Doya 2018."""

    inplace: bool = False


class Mish(Elementwise, function="mish", shown=("?inplace",)):
    """x tanh(softplus(x)). Shapes: (*) -> (*). Misra 2019."""

    inplace: bool = False


class Hardtanh(Elementwise, function="hardtanh", shown=("min_val", "max_val", "?inplace")):
    """min(max(x, min_val), max_val). Shapes: (*) -> (*)."""

    min_val: float = -1.0
    max_val: float = 1.0
    inplace: bool = False


class Hardsigmoid(Elementwise, function="hardsigmoid", shown=("?inplace",)):
    """min(max(0, x / 6 + 1/2), 1). Shapes: (*) -> (*)."""

    inplace: bool = False


class Hardswish(Elementwise, function="hardswish", shown=("?inplace",)):
    """x hardsigmoid(x). Shapes: (*) -> (*). Howard et al. 2019."""

    inplace: bool = False


class Threshold(Elementwise, function="threshold", shown=("threshold", "value", "?inplace")):
    """x where x > threshold, `value` elsewhere. Shapes: (*) -> (*)."""

    threshold: float
    value: float
    inplace: bool = False


class GELU(FunctionModule, function="gelu"):
    """x Φ(x), where Φ is the standard normal distribution function. Shapes: (*) -> (*).

    approximate="tanh" approximates Φ with tanh. Hendrycks and Gimpel 2016.
    """

    approximate: str = "none"


class Sigmoid(FunctionModule, function="sigmoid"):
    """1 / (1 + e**-x). Shapes: (*) -> (*)."""


class Tanh(FunctionModule, function="tanh"):
    """The hyperbolic tangent. Shapes: (*) -> (*)."""


class LogSigmoid(FunctionModule, function="logsigmoid"):
    """log(1 / (1 + e**-x)), computed without overflow. Shapes: (*) -> (*)."""


class Softplus(FunctionModule, function="softplus"):
    """log(1 + e**(beta x)) / beta; x itself where beta x > threshold. Shapes: (*) -> (*)."""

    beta: float = 1.0
    threshold: float = 20.0


class Softsign(FunctionModule, function="softsign"):
    """x / (1 + abs(x)). Shapes: (*) -> (*)."""


class Softshrink(FunctionModule, function="softshrink", shown=("=lambd",)):
    """sign(x) max(abs(x) - lambd, 0). Shapes: (*) -> (*)."""

    lambd: float = 0.5


class Hardshrink(FunctionModule, function="hardshrink", shown=("=lambd",)):
    """x where abs(x) > lambd, 0 elsewhere. Shapes: (*) -> (*)."""

    lambd: float = 0.5


class Tanhshrink(FunctionModule, function="tanhshrink"):
    """x - tanh(x). Shapes: (*) -> (*)."""


class GLU(FunctionModule, function="glu"):
    """a sigmoid(b), where a and b are the halves of x along dim. Shapes: (*, 2n, *) -> (*, n, *).

    Dauphin et al. 2017.
    """

    dim: int = -1


class Softmax(FunctionModule, function="softmax"):
    """e**x / Σ e**x along dim. Shapes: (*) -> (*)."""

    dim: int | None = None


class Softmin(FunctionModule, function="softmin"):
    """Softmax of -x along dim. Shapes: (*) -> (*)."""

    dim: int | None = None


class LogSoftmax(FunctionModule, function="log_softmax"):
    """log softmax(x) along dim, computed without overflow. Shapes: (*) -> (*)."""

    dim: int | None = None


class Softmax2d(Module):
    """Softmax over the channels of each pixel. Shapes: (N, C, H, W) or (C, H, W) -> the same.

    Raises:
        ValueError: the input does not have 3 or 4 dims.
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.ndim not in (3, 4):
            raise ValueError("Softmax2d: the input must be (N, C, H, W) or (C, H, W), got shape "
                             f"{tuple(input.shape)}")
        return functional.softmax(input, -3)


class PReLU(Module):
    """max(0, x) + weight min(0, x), where weight is trained. Shapes: (N, C, *) -> the same.

    The weight is one slope, or one for each channel (num_parameters = C). He et al. 2015.
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25,
                 device: Device = None, dtype: DType = None):
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(full((num_parameters,), float(init), dtype=dtype, device=device))

    def reset_parameters(self) -> None:
        """Sets the slopes to `init`."""
        self.weight.data.fill_(self.init)  # type: ignore[attr-defined]

    def forward(self, input: Tensor) -> Tensor:
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"
