"""Recurrent layers over whole sequences: RNN (Elman), LSTM and GRU."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from .. import ops
from ..arrays.numbers import is_integer, is_number
from ..autograd.casting import NONE, casting, inside
from ..autograd.frames import warn
from ..tensors.creation import empty, zeros
from ..tensors.tensor import Tensor
from . import functional
from .arguments import Device, DType
from .linear import uniform_by_fan_in
from .module import Module
from .parameter import Parameter
from .utils.rnn import PackedSequence

Weights = Sequence[Tensor]  # weight_ih, weight_hh, with biases bias_ih, bias_hh, and weight_hr
States = tuple[Tensor, ...]  # passed from step to step: (h,), for an LSTM (h, c)
Steps = tuple[slice, ...]  # the rows of each step, in the order of the steps
HiddenState = Tensor | tuple[Tensor, Tensor]  # h, or (h, c) for an LSTM
Rows = TypeVar("Rows", Tensor, PackedSequence)


# ---------------------------------------------------------------- one layer over a sequence
#
# Each function takes packed rows, the initial states and the weights, and returns the states at
# every row. The input is multiplied by weight_ih once for all steps.


def _input_product(rows: Tensor, weights: Weights) -> Tensor:
    weight, _, *biases = weights
    return functional.linear(rows, weight, biases[0] + biases[1] if biases else None)


def _run_elman(nonlinearity: str, rows: Tensor, states: States, weights: Weights,
               steps: Steps) -> States:
    return (ops.recurrent.rnn_sequence(_input_product(rows, weights), weights[1], *states, steps,
                                       nonlinearity),)


def _run_tanh(*arguments: Any) -> States:
    return _run_elman("tanh", *arguments)


def _run_relu(*arguments: Any) -> States:
    return _run_elman("relu", *arguments)


def _run_lstm(rows: Tensor, states: States, weights: Weights, steps: Steps) -> States:
    result = ops.recurrent.lstm_sequence(_input_product(rows, weights), weights[1], *states, steps)
    return result.hidden, result.cells


def _run_projected_lstm(rows: Tensor, states: States, weights: Weights, steps: Steps) -> States:
    *weights, projection = weights
    result = ops.recurrent.projected_lstm_sequence(_input_product(rows, weights), weights[1],
                                                   projection, *states, steps)
    return result.hidden, result.cells


def _run_gru(rows: Tensor, states: States, weights: Weights, steps: Steps) -> States:
    padded: tuple[Any, ...] = (*weights, None, None)
    weight_ih, weight_hh, bias_ih, bias_hh = padded[:4]
    result = ops.recurrent.gru_sequence(functional.linear(rows, weight_ih, bias_ih), weight_hh,
                                        bias_hh, *states, steps)
    return (result.hidden,)


def own(states: Tensor) -> Tensor:
    """A copy for the user, who may write to it: the rule saves the states themselves."""
    return states.clone() if states.requires_grad else states


def _in_dtype_of_state(run: Callable[..., States]) -> Callable[..., States]:
    """A layer that computes in the dtype of its states inside an autocast on the CPU, where PyTorch
    gives the states of these layers that dtype. Others compute in the dtype of the autocast.
    """
    def running(rows: Tensor, states: States, weights: Weights, steps: Steps) -> States:
        if "cpu" not in casting.targets or rows.device.type != "cpu":
            return run(rows, states, weights, steps)
        d = states[0].dtype
        with inside(NONE):
            return run(rows.to(d), states, [w.to(d) for w in weights], steps)

    return running


RUN = {"RNN_TANH": _run_tanh, "RNN_RELU": _run_relu, "LSTM": _run_lstm,
       "LSTM_CELL": _in_dtype_of_state(_run_lstm), "GRU": _in_dtype_of_state(_run_gru)}
GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
MODES = {"tanh": "RNN_TANH", "relu": "RNN_RELU"}


# ---------------------------------------------------------------- layers


class RNNBase(Module):
    """The base class of RNN, LSTM and GRU: stacked layers, in one or both directions.

    Layer k has the parameters weight_ih_l{k}, weight_hh_l{k}, bias_ih_l{k} and bias_hh_l{k}, and
    weight_hr_l{k} with proj_size. The names for the backward direction end in _reverse. All begin
    uniform in ± 1 / sqrt(hidden_size).

    Args:
        dropout: the probability of dropout between layers.

    Raises:
        TypeError: a size is not an int, or bias or batch_first is not a bool.
        ValueError: a size is not positive, dropout is not in [0, 1], or proj_size is given for
            another layer than an LSTM, or is not smaller than hidden_size.
    """

    state_names: ClassVar[tuple[str, ...]] = ("h_0",)

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device: Device = None,
                 dtype: DType = None):
        super().__init__()
        _check_options(type(self).__name__, input_size=input_size, hidden_size=hidden_size,
                       num_layers=num_layers, bias=bias, batch_first=batch_first, dropout=dropout,
                       proj_size=proj_size, mode=mode)
        if mode not in GATES:
            raise ValueError(f"{type(self).__name__}: mode must be one of {', '.join(GATES)}, got "
                             f"{mode!r}")
        input_size, hidden_size, num_layers, proj_size = map(
            index, (input_size, hidden_size, num_layers, proj_size))
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
        for layer, suffix in self._layers():
            columns = input_size if layer == 0 else directions * self._size_of_h
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, columns), "weight_hh": (rows, self._size_of_h)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for name, shape in shapes.items():
                self.register_parameter(f"{name}_l{layer}{suffix}", Parameter(
                    empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    @property
    def _size_of_h(self) -> int:
        return self.proj_size or self.hidden_size

    def _layers(self) -> list[tuple[int, str]]:
        """(layer, suffix of its parameter names) for each layer and direction, in order."""
        suffixes = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, suffix) for layer in range(self.num_layers) for suffix in suffixes]

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._names()]

    def _names(self) -> list[list[str]]:
        """The names of `all_weights`."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[:4 if self.bias else 2]
        names += ("weight_hr",) if self.proj_size else ()
        return [[f"{name}_l{layer}{suffix}" for name in names]
                for layer, suffix in self._layers()]

    @property
    def _flat_weights_names(self) -> list[str]:
        """The names in one list. It is private in PyTorch, but programs use it."""
        return [name for names in self._names() for name in names]

    def reset_parameters(self) -> None:
        """Draws new weights."""
        uniform_by_fan_in(self.hidden_size, *self.parameters())

    def flatten_parameters(self) -> None:
        """Does nothing. In PyTorch it makes the weights contiguous for cuDNN."""

    # ------------------------------------------------------------ forward

    if TYPE_CHECKING:
        def __call__(self, input: Rows,  # type: ignore[override]
                     hx: Tensor | None = None) -> tuple[Rows, Tensor]: ...

    def forward(self, input: Tensor | PackedSequence, hx: HiddenState | None = None) -> Any:
        """The last layer's h at every step, and every layer's states after its last step.

        Shapes: (T, N, input), or (N, T, input) with batch_first, or (T, input) without a batch, or
        a PackedSequence -> the same with D * hidden for input; (layers * D, N, hidden) for each
        state, where D is the number of directions. With proj_size, h has that size in place of
        hidden. `hx` is the initial states in the same form, zeros by default.

        Raises:
            ValueError: the input has the wrong number of dims or another dtype than the weights.
            RuntimeError: sizes do not fit, or the sequence is empty.
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
            raise RuntimeError(f"{type(self).__name__}: the sequence is empty: the input has shape "
                               f"{tuple(input.shape)}, with 0 steps")
        states = self._initial(hx, input, count, batched)
        rows, last = self._run(padded.reshape(length * count, size), [count] * length, states)
        out = rows.reshape(length, count, rows.shape[1])
        if not batched:
            return out.squeeze(1), self._as_result(tuple(s.squeeze(1) for s in last))
        return out.transpose(0, 1) if self.batch_first else out, self._as_result(last)

    def _run(self, rows: Tensor, sizes: list[int], states: States) -> tuple[Tensor, States]:
        """Runs all layers over packed rows; step i has sizes[i] rows."""
        starts = [0, *itertools.accumulate(sizes)]
        steps = tuple(slice(a, b) for a, b in itertools.pairwise(starts))
        run = _run_projected_lstm if self.proj_size else RUN[self.mode]
        directions = 2 if self.bidirectional else 1
        hidden, last = [], []  # h of each direction of a layer; the last states of each layer
        for i, weights in enumerate(self.all_weights):
            reverse = i % directions
            after = run(rows, tuple(s[i] for s in states), weights,
                        steps[::-1] if reverse else steps)
            last.append([s[:sizes[0]] if reverse else _last_states(s, starts, sizes)
                         for s in after])
            hidden.append(after[0])
            if len(hidden) == directions:
                rows = ops.shape.cat(hidden, 1) if self.bidirectional else hidden[0]
                hidden = []
                if i + 1 < len(states[0]):
                    rows = functional.dropout(rows, self.dropout, self.training)
        rows = rows if self.bidirectional else own(rows)
        return rows, tuple(ops.shape.stack(column) for column in zip(*last, strict=True))

    def _initial(self, hx: HiddenState | None, input: Tensor, count: int,
                 batched: bool) -> States:
        """The initial states, each (layers * directions, N, hidden)."""
        layers = len(self._layers())
        sizes = (self._size_of_h, self.hidden_size)[:len(self.state_names)]
        if hx is None:
            return tuple(zeros((layers, count, size), dtype=input.dtype, device=input.device)
                         for size in sizes)
        given = self._as_states(hx)
        for name, state, size in zip(self.state_names, given, sizes, strict=True):
            expected = (layers, count, size) if batched else (layers, size)
            if tuple(state.shape) != expected:
                raise RuntimeError(f"{type(self).__name__}: {name} must have shape {expected} for "
                                   f"an input of shape {tuple(input.shape)}, got "
                                   f"{tuple(state.shape)}")
        return given if batched else tuple(s.unsqueeze(1) for s in given)

    def _as_states(self, hx: HiddenState) -> States:
        if not isinstance(hx, Tensor):
            raise TypeError(f"{type(self).__name__}: hx must be one Tensor, h, got a "
                            f"{type(hx).__name__}")
        return (hx,)

    def _as_result(self, states: States) -> Any:
        return states[0]

    def _check_input(self, input: Tensor, what: str, *dims: int) -> None:
        name, shape = type(self).__name__, tuple(input.shape)
        if input.ndim not in dims:
            raise ValueError(f"{name}: {what} must have {' or '.join(map(str, dims))} dims, got "
                             f"shape {shape}")
        weight = self.weight_ih_l0
        if input.dtype is not weight.dtype and not casting.targets:
            raise ValueError(f"{name}: {what} has dtype {input.dtype}, the weights have "
                             f"{weight.dtype}; convert it with .to({weight.dtype})")
        check_features(name, what, shape, self.input_size)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        text += f", proj_size={self.proj_size}" if self.proj_size else ""
        for name, default in (("num_layers", 1), ("bias", True), ("batch_first", False),
                              ("dropout", 0.0), ("bidirectional", False)):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text


def _last_states(states: Tensor, starts: list[int], sizes: list[int]) -> Any:
    """The state of each sequence at its last step, the longest sequence first."""
    after = [*sizes[1:], 0]
    pieces = [states[start + longer:start + size] for start, size, longer in zip(
        starts, sizes, after, strict=False) if longer < size]
    return pieces[0] if len(pieces) == 1 else ops.shape.cat(pieces[::-1]) if pieces else states[:0]


def check_features(name: str, what: str, shape: tuple[int, ...], input_size: int) -> None:
    if shape[-1] != input_size:
        raise RuntimeError(f"{name}: {what} has {shape[-1]} features (shape {shape}), this layer "
                           f"takes {input_size} (input_size)")


def _check_options(kind: str, **options: Any) -> None:
    """Raises TypeError or ValueError for invalid options; warns if dropout has no effect."""
    for name in ("bias", "batch_first"):
        if not isinstance(options[name], bool):
            raise TypeError(f"{kind}: {name} must be a bool, got {type(options[name]).__name__}")
    for name in ("input_size", "hidden_size", "num_layers"):
        if not is_integer(options[name]):
            raise TypeError(f"{kind}: {name} must be an int, got {type(options[name]).__name__}")
        if options[name] <= 0:
            raise ValueError(f"{kind}: {name} must be greater than zero, got {options[name]}")
    dropout = options["dropout"]
    if not is_number(dropout) or isinstance(dropout, bool) or not 0 <= dropout <= 1:
        raise ValueError(f"{kind}: dropout must be a number in [0, 1], got {dropout!r}")
    if dropout and options["num_layers"] == 1:
        warn(f"{kind}: dropout={dropout} has no effect: it acts between layers, and num_layers "
             "is 1")
    size = options["proj_size"]
    if not is_integer(size):
        raise TypeError(f"{kind}: proj_size must be an int, got {type(size).__name__}")
    if size and options["mode"] != "LSTM":
        raise ValueError(f"{kind}: only an LSTM has proj_size, got {size}")
    if not 0 <= size < options["hidden_size"]:
        raise ValueError(f"{kind}: proj_size must be at least 0 and smaller than hidden_size "
                         f"{options['hidden_size']}, got {size}")


class RNN(RNNBase):
    """h ← tanh(W_ih x + b_ih + W_hh h + b_hh), or relu in place of tanh. Elman 1990.

    Shapes: (T, N, input) and h (layers * D, N, hidden) -> (T, N, D * hidden) and h after the last
    step; see `RNNBase.forward`. For parameters and errors see `RNNBase`.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1,
                 nonlinearity: str = "tanh", bias: bool = True, batch_first: bool = False,
                 dropout: float = 0.0, bidirectional: bool = False, device: Device = None,
                 dtype: DType = None):
        if nonlinearity not in MODES:
            raise ValueError(f"RNN: nonlinearity must be 'tanh' or 'relu', got {nonlinearity!r}")
        super().__init__(MODES[nonlinearity], input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, device=device, dtype=dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory, with the states h and c:

        i, f, g, o = W_ih x + b_ih + W_hh h + b_hh
        c ← σ(f) c + σ(i) tanh(g)
        h ← σ(o) tanh(c)

    Hochreiter and Schmidhuber 1997; Gers, Schmidhuber and Cummins 2000 (f). With proj_size,
    h ← W_hr (σ(o) tanh(c)), of that size: Sak, Senior and Beaufays 2014.

    Shapes: (T, N, input) and (h, c), each (layers * D, N, hidden) -> (T, N, D * hidden) and (h, c)
    after the last step; see `RNNBase.forward`. For parameters and errors see `RNNBase`.
    """

    state_names = ("h_0", "c_0")

    if TYPE_CHECKING:
        def __call__(self, input: Rows,  # type: ignore[override]
                     hx: tuple[Tensor, Tensor] | None = None,
                     ) -> tuple[Rows, tuple[Tensor, Tensor]]: ...

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device: Device = None, dtype: DType = None):
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)

    def _as_states(self, hx: HiddenState) -> States:
        return as_pair("LSTM", hx)

    def _as_result(self, states: States) -> Any:
        return states


class GRU(RNNBase):
    """Gated recurrent unit:

        r, z = σ(W_ih x + b_ih + W_hh h + b_hh)
        n = tanh(W_in x + b_in + r (W_hn h + b_hn))
        h ← (1 - z) n + z h

    Cho et al. 2014, who multiply h by r before the product with W_hn.

    Shapes: as for `RNN`. For parameters and errors see `RNNBase`.
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device: Device = None, dtype: DType = None):
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, device=device, dtype=dtype)


def as_pair(name: str, hx: HiddenState) -> States:
    if not isinstance(hx, tuple | list) or len(hx) != 2:
        got = f"{len(hx)} values" if isinstance(hx, tuple | list) else f"a {type(hx).__name__}"
        raise TypeError(f"{name}: hx must be a pair of Tensors (h, c), got {got}")
    return tuple(hx)
