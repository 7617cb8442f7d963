"""Recurrent layers of one step at a time: RNNCell, LSTMCell and GRUCell."""

from __future__ import annotations

from collections.abc import Sequence

from ..tensors.creation import empty, zeros
from ..tensors.tensor import Tensor
from .arguments import Device, DType
from .linear import uniform_by_fan_in
from .module import Module
from .parameter import Parameter
from .recurrent import MODES, RUN, States, as_pair, check_features, own


class RNNCellBase(Module):
    """The base class of RNNCell, LSTMCell and GRUCell: weights, and one step.

    The parameters weight_ih, weight_hh, bias_ih and bias_hh begin uniform in
    ± 1 / sqrt(hidden_size).
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
                 device: Device = None, dtype: DType = None):
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        rows = num_chunks * hidden_size
        for name, shape in (("weight_ih", (rows, input_size)), ("weight_hh", (rows, hidden_size)),
                            ("bias_ih", (rows,)), ("bias_hh", (rows,))):
            self.register_parameter(name, Parameter(empty(shape, device=device, dtype=dtype))
                                    if bias or name.startswith("weight") else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws new weights."""
        uniform_by_fan_in(self.hidden_size, *self.parameters())

    def _step(self, mode: str, input: Tensor, states: States | None,
              names: Sequence[str]) -> States:
        """The states after one step.

        Raises:
            ValueError: the input or a state does not have 1 or 2 dims.
            RuntimeError: sizes do not fit.
        """
        kind = type(self).__name__
        for name, x in zip(("the input", *names), (input, *(states or ())), strict=False):
            if x.ndim not in (1, 2):
                raise ValueError(f"{kind}: {name} must have 1 or 2 dims, got shape "
                                 f"{tuple(x.shape)}")
        check_features(kind, "the input", tuple(input.shape), self.input_size)
        expected = (*input.shape[:-1], self.hidden_size)
        if states is None:
            states = (zeros(expected, dtype=input.dtype, device=input.device),) * len(names)
        for name, state in zip(names, states, strict=True):
            if tuple(state.shape) != expected:
                raise RuntimeError(f"{kind}: {name} must have shape {expected} for an input of "
                                   f"shape {tuple(input.shape)}, got {tuple(state.shape)}")
        batched = input.ndim == 2
        if not batched:
            input, states = input.unsqueeze(0), tuple(s.unsqueeze(0) for s in states)
        weights = [w for w in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
                   if w is not None]
        after = tuple(map(own, RUN[mode](input, states, weights, (slice(0, len(input)),))))
        return after if batched else tuple(s.squeeze(0) for s in after)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ", bias=False" * (not self.bias)


class RNNCell(RNNCellBase):
    """One step of an `RNN`: tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in place of tanh.

    Shapes: (N, input), h (N, hidden) -> (N, hidden), all without N for one sample. h is zeros by
    default.

    Raises:
        ValueError: the input or h does not have 1 or 2 dims.
        RuntimeError: sizes do not fit, or the nonlinearity is unknown.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True,
                 nonlinearity: str = "tanh", device: Device = None, dtype: DType = None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in MODES:
            raise RuntimeError("RNNCell: nonlinearity must be 'tanh' or 'relu', got "
                               f"{self.nonlinearity!r}")
        states = None if hx is None else (hx,)
        return self._step(MODES[self.nonlinearity], input, states, ("hx",))[0]

    def extra_repr(self) -> str:
        shown = self.nonlinearity != "tanh"
        return super().extra_repr() + f", nonlinearity={self.nonlinearity}" * shown


class LSTMCell(RNNCellBase):
    """One step of an `LSTM`.

    Shapes: (N, input), h and c (N, hidden) -> h and c (N, hidden), all without N for one sample.
    States and errors as for `RNNCell`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None,
                 dtype: DType = None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor,
                hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        states = None if hx is None else as_pair("LSTMCell", hx)
        return self._step("LSTM_CELL", input, states, ("hx[0]", "hx[1]"))  # type: ignore[return-value]


class GRUCell(RNNCellBase):
    """One step of a `GRU`.

    Shapes: (N, input), h (N, hidden) -> (N, hidden), all without N for one sample. State and errors
    as for `RNNCell`.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Device = None,
                 dtype: DType = None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else (hx,), ("hx",))[0]
