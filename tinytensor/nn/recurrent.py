"""Recurrent layers: Elman's, LSTM and GRU, over whole sequences or one step at a time."""

from __future__ import annotations

import itertools
import numbers
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .. import ops
from ..autograd.frames import warn
from ..tensors.creation import empty, zeros
from ..tensors.tensor import Tensor
from . import functional
from .linear import uniform_by_fan_in
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

Weights = Sequence[Any]  # weight_ih, weight_hh and, if there are biases, bias_ih, bias_hh
States = tuple[Any, ...]  # what is carried from step to step: (h,), for an LSTM (h, c)
Steps = tuple[slice, ...]  # the rows of each step, in the order in which they are taken
Rows = TypeVar("Rows", Tensor, PackedSequence)


# ---------------------------------------------------------------- what runs a sequence
#
# Each takes the rows of a sequence, the states to begin in and the weights, and returns the states
# at every row. The products with the input are one, ahead of the steps.


def _input_product(rows: Any, weights: Weights) -> Any:
    weight, _, *biases = weights
    return functional.linear(rows, weight, biases[0] + biases[1] if biases else None)


def _run_elman(nonlinearity: str, rows: Any, states: States, weights: Weights,
               steps: Steps) -> States:
    return (ops.recurrent.rnn_sequence(_input_product(rows, weights), weights[1], *states, steps,
                                       nonlinearity),)


def _run_tanh(*arguments: Any) -> States:
    return _run_elman("tanh", *arguments)


def _run_relu(*arguments: Any) -> States:
    return _run_elman("relu", *arguments)


def _run_lstm(rows: Any, states: States, weights: Weights, steps: Steps) -> States:
    found = ops.recurrent.lstm_sequence(_input_product(rows, weights), weights[1], *states, steps)
    return found.hidden, found.cells


def _run_gru(rows: Any, states: States, weights: Weights, steps: Steps) -> States:
    weight_ih, weight_hh, bias_ih, bias_hh = (*weights, None, None)[:4]
    found = ops.recurrent.gru_sequence(functional.linear(rows, weight_ih, bias_ih), weight_hh,
                                       bias_hh, *states, steps)
    return (found.hidden,)


RUN = {"RNN_TANH": _run_tanh, "RNN_RELU": _run_relu, "LSTM": _run_lstm, "GRU": _run_gru}
GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
MODES = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}


# ---------------------------------------------------------------- layers


class RNNBase(Module):
    """What RNN, LSTM and GRU share: layers above each other, in one direction or in both.

    The parameters are, for layer k, weight_ih_l{k} and weight_hh_l{k}, bias_ih_l{k} and
    bias_hh_l{k}; with _reverse behind for the second direction. They begin uniform in
    ± 1 / sqrt(hidden_size).
    """

    states: ClassVar[tuple[str, ...]] = ("h_0",)

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device: Any = None,
                 dtype: Any = None):
        super().__init__()
        _check_options(type(self).__name__, input_size=input_size, hidden_size=hidden_size,
                       num_layers=num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
                       proj_size=proj_size)
        if mode not in GATES:
            raise ValueError(f"{type(self).__name__}: mode {mode!r} is none of {', '.join(GATES)}")
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        directions, rows = 2 if bidirectional else 1, GATES[mode] * hidden_size
        for layer, suffix in self._places():
            columns = input_size if layer == 0 else directions * hidden_size
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, columns), "weight_hh": (rows, hidden_size)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}{suffix}", Parameter(
                    empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def _places(self) -> list[tuple[int, str]]:
        """(layer, the end of its parameters' names) for each layer and direction, in order."""
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, suffix) for layer in range(self.num_layers) for suffix in suffixes]

    @property
    def all_weights(self) -> list[list[Any]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names()]

    def _names(self) -> list[list[str]]:
        """Of the same their names."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[:4 if self.bias else 2]
        return [[f"{name}_l{layer}{suffix}" for name in names]
                for layer, suffix in self._places()]

    @property
    def _flat_weights_names(self) -> list[str]:
        """The names in one list: not public in PyTorch either, but programs ask for it."""
        return [name for names in self._names() for name in names]

    def reset_parameters(self) -> None:
        """Draws new weights."""
        uniform_by_fan_in(self.hidden_size, *self.parameters())

    def flatten_parameters(self) -> None:
        """Does nothing: programs call it for cuDNN's sake, which needs weights in one piece."""

    # ------------------------------------------------------------ forward

    if TYPE_CHECKING:
        def __call__(self, input: Rows,
                     hx: Tensor | None = None) -> tuple[Rows, Tensor]: ...

    def forward(self, input: Any, hx: Any = None) -> Any:
        """The last layer's state at every step, and all layers' states after their last step.

        Shapes: (T, N, input), or (N, T, input) with batch_first, or (T, input) without a batch, or
        a PackedSequence -> the same with D * hidden for input; (layers * D, N, hidden), D being
        the number of directions, for each state. `hx` are the initial states, of these shapes;
        without them they are zeros.

        Raises:
            ValueError: an input with another number of dims or of another dtype.
            RuntimeError: sizes that do not fit; an empty sequence.
        """
        if isinstance(input, PackedSequence):
            sizes = input.batch_sizes.tolist()
            self._check_input(input.data, "the data of a PackedSequence", 2)
            states = self._initial(hx, input.data, sizes[0], True)
            if input.sorted_indices is not None:
                states = tuple(s.index_select(1, input.sorted_indices) for s in states)
            rows, last = self._run(input.data, sizes, states)
            if input.unsorted_indices is not None:
                last = tuple(s.index_select(1, input.unsorted_indices) for s in last)
            return input._replace(data=rows), self._as_result(last)
        self._check_input(input, "the input", 2, 3)
        batched = input.ndim == 3
        padded = input if batched else input.unsqueeze(1)
        padded = padded.transpose(0, 1) if batched and self.batch_first else padded
        length, count, size = padded.shape
        if not length:
            raise RuntimeError(f"{type(self).__name__}: the sequence is empty, the input has "
                               f"shape {tuple(input.shape)}")
        states = self._initial(hx, input, count, batched)
        rows, last = self._run(padded.reshape(length * count, size), [count] * length, states)
        out = rows.reshape(length, count, rows.shape[1])
        if not batched:
            return out.squeeze(1), self._as_result(tuple(s.squeeze(1) for s in last))
        return out.transpose(0, 1) if self.batch_first else out, self._as_result(last)

    def _run(self, rows: Any, sizes: list[int], states: States) -> tuple[Any, States]:
        """All layers over packed rows, of which `sizes` are at each step."""
        starts = [0, *itertools.accumulate(sizes)]
        steps = tuple(slice(a, b) for a, b in itertools.pairwise(starts))
        run, directions = RUN[self.mode], 2 if self.bidirectional else 1
        found, last = [], []
        for place, weights in enumerate(self.all_weights):
            reverse = place % directions
            made = run(rows, tuple(s[place] for s in states), weights,
                       steps[::-1] if reverse else steps)
            last.append([s[:sizes[0]] if reverse else _ends(s, starts, sizes) for s in made])
            found.append(made[0])
            if len(found) == directions:
                rows = ops.shape.cat(found, 1) if self.bidirectional else found[0]
                found = []
                if place + 1 < len(states[0]):
                    rows = functional.dropout(rows, self.dropout, self.training)
        return rows, tuple(ops.shape.stack(column) for column in zip(*last, strict=True))

    def _initial(self, hx: Any, input: Any, count: int, batched: bool) -> States:
        """The states to begin in, each (layers * directions, N, hidden)."""
        shape = (len(self._places()), count, self.hidden_size)
        if hx is None:
            start = zeros(shape, dtype=input.dtype, device=input.device)
            return (start,) * len(self.states)
        given = self._as_states(hx)
        for name, state in zip(self.states, given, strict=True):
            expected = shape if batched else (shape[0], self.hidden_size)
            if tuple(state.shape) != expected:
                raise RuntimeError(f"{type(self).__name__}: {name} must have shape {expected} for "
                                   f"this input, got {tuple(state.shape)}")
        return given if batched else tuple(s.unsqueeze(1) for s in given)

    def _as_states(self, hx: Any) -> States:
        if not isinstance(hx, Tensor):
            raise TypeError(f"{type(self).__name__}: hx must be a Tensor, got {type(hx).__name__}")
        return (hx,)

    def _as_result(self, states: States) -> Any:
        return states[0]

    def _check_input(self, input: Any, what: str, *dims: int) -> None:
        name, shape = type(self).__name__, tuple(input.shape)
        if input.ndim not in dims:
            raise ValueError(f"{name}: {what} must have {' or '.join(map(str, dims))} dims, got "
                             f"shape {shape}")
        weight = self.weight_ih_l0
        if input.dtype is not weight.dtype:
            raise ValueError(f"{name}: {what} is of {input.dtype}, the weights of {weight.dtype}; "
                             f"convert it with .to({weight.dtype})")
        if shape[-1] != self.input_size:
            raise RuntimeError(f"{name}: the last dim of {what} {shape} must be {self.input_size}, "
                               "the input_size")

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False),
                              ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


def _ends(states: Any, starts: list[int], sizes: list[int]) -> Any:
    """The state of each sequence at its own last step, the longest sequence first."""
    after = [*sizes[1:], 0]
    pieces = [states[start + longer:start + size] for start, size, longer in zip(
        starts, sizes, after, strict=False) if longer < size]
    return pieces[0] if len(pieces) == 1 else ops.shape.cat(pieces[::-1]) if pieces else states[:0]


def _check_options(kind: str, **options: Any) -> None:
    """Raises TypeError or ValueError for options that make no layer; warns of idle dropout."""
    for name in ("bias", "batch_first"):
        if not isinstance(options[name], bool):
            raise TypeError(f"{kind}: {name} must be a bool, got {type(options[name]).__name__}")
    for name in ("input_size", "hidden_size", "num_layers"):
        if not isinstance(options[name], int):
            raise TypeError(f"{kind}: {name} must be an int, got {type(options[name]).__name__}")
        if options[name] <= 0:
            raise ValueError(f"{kind}: {name} must be greater than zero, got {options[name]}")
    dropout = options["dropout"]
    if not isinstance(dropout, numbers.Number) or isinstance(dropout, bool) \
            or not 0 <= dropout <= 1:  # type: ignore[operator]
        raise ValueError(f"{kind}: dropout must be a number in [0, 1], got {dropout!r}")
    if dropout and options["num_layers"] == 1:
        warn(f"{kind}: dropout={dropout} has no effect: it acts between layers, and num_layers "
             "is 1")
    if options["proj_size"]:
        raise ValueError(f"{kind}: proj_size={options['proj_size']} is not supported; put a Linear "
                         "behind the layer for a smaller output")


class RNN(RNNBase):
    """Elman's recurrent network: h = tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Shapes: (T, N, input) and (layers * D, N, hidden) -> (T, N, D * hidden) and the states after
    the last step; see `RNNBase.forward`. Elman 1990.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1,
                 nonlinearity: str = "tanh", bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device: Any = None,
                 dtype: Any = None):
        if nonlinearity not in MODES:
            raise ValueError(f"RNN: nonlinearity {nonlinearity!r} is neither 'tanh' nor 'relu'")
        super().__init__(MODES[nonlinearity], input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory. `hx` and the states after the last step are pairs (h, c).

    With the gates i, f, g, o = W_ih x + b_ih + W_hh h + b_hh: c = σ(f) c + σ(i) tanh(g) and
    h = σ(o) tanh(c). proj_size is not supported.

    Shapes: (T, N, input) and twice (layers * D, N, hidden) -> (T, N, D * hidden) and the pair; see
    `RNNBase.forward`. Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000.
    """

    states = ("h_0", "c_0")

    if TYPE_CHECKING:
        def __call__(self, input: Rows,  # type: ignore[override]
                     hx: tuple[Tensor, Tensor] | None = None,
                     ) -> tuple[Rows, tuple[Tensor, Tensor]]: ...

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device: Any = None, dtype: Any = None):
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)

    def _as_states(self, hx: Any) -> States:
        return _as_pair("LSTM", hx)

    def _as_result(self, states: States) -> Any:
        return states


class GRU(RNNBase):
    """Gated recurrent unit: h = (1 - z) n + z h, with the gates r, z and n of the input and h.

    r, z = σ(W_ih x + b_ih + W_hh h + b_hh) and n = tanh(W_in x + b_in + r (W_hn h + b_hn)), where
    the paper applies r to h, before the product.

    Shapes: (T, N, input) and (layers * D, N, hidden) -> (T, N, D * hidden) and the states after
    the last step; see `RNNBase.forward`. Cho et al. 2014.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Any = None, dtype: Any = None):
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)


def _as_pair(name: str, hx: Any) -> States:
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        got = f"{len(hx)} of them" if isinstance(hx, tuple | list) else type(hx).__name__
        raise TypeError(f"{name}: hx must be the two Tensors (h, c), got {got}")
    return tuple(hx)


# ---------------------------------------------------------------- single steps


class RNNCellBase(Module):
    """What the cells share: the weights of one step, and the step as a sequence of one."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int,
                 device: Any = None, dtype: Any = None):
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
        """Draws new weights: uniform in ± 1 / sqrt(hidden_size)."""
        uniform_by_fan_in(self.hidden_size, *self.parameters())

    def _step(self, mode: str, input: Any, states: States | None, names: Sequence[str]) -> States:
        """The states after one step.

        Raises:
            ValueError: an input or state that has other than 1 or 2 dims.
            RuntimeError: sizes that do not fit.
        """
        kind = type(self).__name__
        for name, x in zip(("the input", *names), (input, *(states or ())), strict=False):
            if x.ndim not in (1, 2):
                raise ValueError(f"{kind}: {name} must have 1 or 2 dims, got shape "
                                 f"{tuple(x.shape)}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"{kind}: the last dim of the input {tuple(input.shape)} must be "
                               f"{self.input_size}, the input_size")
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
        found = RUN[mode](input, states, weights, (slice(0, len(input)),))
        return found if batched else tuple(s.squeeze(0) for s in found)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}" + ", bias=False" * (not self.bias)


class RNNCell(RNNCellBase):
    """One step of an RNN: tanh(W_ih x + b_ih + W_hh h + b_hh), or with relu.

    Shapes: (N, input), (N, hidden) -> (N, hidden), all without N for one sample.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True,
                 nonlinearity: str = "tanh", device: Any = None, dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        if self.nonlinearity not in MODES:
            raise RuntimeError(f"RNNCell: nonlinearity {self.nonlinearity!r} is neither 'tanh' nor "
                               "'relu'")
        states = None if hx is None else (hx,)
        return self._step(MODES[self.nonlinearity], input, states, ("hx",))[0]

    def extra_repr(self) -> str:
        other = self.nonlinearity != "tanh"
        return super().extra_repr() + f", nonlinearity={self.nonlinearity}" * other


class LSTMCell(RNNCellBase):
    """One step of an LSTM, whose states are pairs (h, c).

    Shapes: (N, input), twice (N, hidden) -> twice (N, hidden), all without N for one sample.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input: Tensor,
                hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        states = None if hx is None else _as_pair("LSTMCell", hx)
        return self._step("LSTM", input, states, ("hx[0]", "hx[1]"))


class GRUCell(RNNCellBase):
    """One step of a GRU.

    Shapes: (N, input), (N, hidden) -> (N, hidden), all without N for one sample.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None,
                 dtype: Any = None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        return self._step("GRU", input, None if hx is None else (hx,), ("hx",))[0]
