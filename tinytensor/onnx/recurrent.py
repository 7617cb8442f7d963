"""The ONNX forms of recurrent layers, and of their sequences step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from ..nn.recurrent import GRU, LSTM, RNN
from ..tensors.tensor import Tensor
from .forms import form
from .recording import Recorder, unit
from .sizes import Number
from .writing import Form

# ---------------------------------------------------------------- recurrent layers


# Where ONNX has PyTorch's gates: it puts those of an LSTM as i, o, f, g, and of a GRU as z, r, n.
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


@unit(LSTM, GRU, RNN)
def _record_recurrent(recorder: Recorder, module: Any, args: Any, output: Any,
                      first: int) -> None:
    x, given = args[0], args[1] if len(args) > 1 else None
    if not isinstance(x, Tensor) or x.ndim != 3 or module.training and module.dropout:
        return
    if module.proj_size:  # ONNX's LSTM has no projection
        return
    states = [] if given is None else [given] if isinstance(given, Tensor) else list(given)
    last = [output[1]] if isinstance(output[1], Tensor) else list(output[1])
    inputs = {"input": x._array, **{f"state_{i}": s._array for i, s in enumerate(states)}}
    for layer, weights in enumerate(module.all_weights):
        inputs |= {f"weight_{layer}_{i}": w._array for i, w in enumerate(weights)}
    recorder.replace(first, "recurrent", inputs, {
        "kind": type(module).__mro__[[k in (LSTM, GRU, RNN) for k in type(module).__mro__]
                                     .index(True)].__name__,
        "activation": getattr(module, "nonlinearity", ""), "hidden": module.hidden_size,
        "layers": module.num_layers, "directions": 2 if module.bidirectional else 1,
        "bias": module.bias, "batch_first": module.batch_first, "states": len(states),
    }, [output[0]._array, *(s._array for s in last)])


@form("recurrent")
def recurrent(f: Form) -> Any:
    kind, directions, hidden = f.param("kind"), f.param("directions"), f.param("hidden")
    x = f["input"]
    if f.param("batch_first"):
        x = f.node("Transpose", [x], perm=[1, 0, 2])
    last: list[list[str]] = []
    for layer in range(f.param("layers")):
        numbers = range(layer * directions, (layer + 1) * directions)
        weights = [_beside(f, kind, [f[f"weight_{i}_{k}"] for i in numbers], hidden)
                   for k in range(4 if f.param("bias") else 2)]
        bias = f.node("Concat", weights[2:], axis=1) if f.param("bias") else ""
        states = [f.node("Slice", [f[f"state_{i}"], f.dims([numbers[0]]), f.dims([numbers[-1] + 1]),
                                   f.dims([0])]) for i in range(f.param("states"))]
        attributes: dict[str, Any] = {"hidden_size": hidden}
        if directions == 2:
            attributes["direction"] = "bidirectional"
        if kind == "GRU":
            attributes["linear_before_reset"] = 1
        if kind == "RNN":
            attributes["activations"] = [f.param("activation").capitalize()] * directions
        out, *after = f.node(kind, [x, *weights[:2], bias, "", *(states or [""])],
                             outputs=3 if kind == "LSTM" else 2, **attributes)
        last.append(after)
        # (T, directions, N, H) -> (T, N, directions * H)
        turned = f.node("Transpose", [out], perm=[0, 2, 1, 3])
        x = f.node("Reshape", [turned, f.dims([0, 0, -1])])
    if f.param("batch_first"):
        x = f.node("Transpose", [x], perm=[1, 0, 2])
    columns = [list(column) for column in zip(*last, strict=True)]
    return x, *(c[0] if len(c) == 1 else f.node("Concat", c, axis=0) for c in columns)


def _beside(f: Form, kind: str, names: list[str], hidden: int) -> str:
    """The weights of the directions, in a new first dim, with the gates in ONNX's order."""
    order = ORDER[kind]
    if order != tuple(range(len(order))):
        rows = numpy.concatenate([numpy.arange(k * hidden, (k + 1) * hidden) for k in order])
        names = [f.node("Gather", [name, f.constant(rows)], axis=0) for name in names]
    names = [f.node("Unsqueeze", [name, f.dims([0])]) for name in names]
    return names[0] if len(names) == 1 else str(f.node("Concat", names, axis=0))


def _steps(f: Form) -> list[tuple[Number, Number]]:
    """The first row of each step, and the row after its last."""
    if len({len(call.parameters["steps"]) for call in f.calls}) > 1:
        raise f.error(
            "the number of steps differs when the size of an input differs, and the steps are "
            "written one by one: leave the dim of time fixed. It may be dynamic in an LSTM without "
            "projections, a GRU or an RNN that is called with a batch, not a PackedSequence")
    bounds = f.vary(lambda call: [n for rows in call.parameters["steps"]
                                  for n in (rows.start, rows.stop)])
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def _step_by_step(f: Form, states: list[str], step: Callable[..., tuple[str, ...]],
                  ) -> tuple[str, ...]:
    """step(rows, *states) -> (*new states, ...) at each step; all results, by row."""
    initial, made, given = list(states), [], f.call.parameters["steps"]
    all_rows = all(rows.stop - rows.start == call.shapes["h0"][0]
                   for call in f.calls for rows in call.parameters["steps"])
    if not all_rows:
        f.param("steps")  # how many rows a step has would be fixed
    steps, had = _steps(f), f.call.shapes["h0"][0]
    for (start, stop), rows in zip(steps, given, strict=True):
        size = rows.stop - rows.start
        if size < had:
            states = [_rows(f, s, 0, size) for s in states]
        elif size > had:
            states = [f.node("Concat", [s, _rows(f, first, had, size)], axis=0)
                      for s, first in zip(states, initial, strict=True)]
        made.append(step(_rows(f, f["input"], start, stop), *states))
        states, had = list(made[-1][:len(initial)]), size
    ordered = made if given[0].start <= given[-1].start else made[::-1]
    return tuple(column[0] if len(column) == 1 else str(f.node("Concat", list(column), axis=0))
                 for column in zip(*ordered, strict=True))


def _rows(f: Form, x: str, start: Number, stop: Number) -> str:
    return str(f.node("Slice", [x, f.dims([start]), f.dims([stop]), f.dims([0])]))


def _recurrent_product(f: Form) -> Callable[[str], str]:
    across = f.node("Transpose", [f["weight"]], perm=[1, 0])
    return lambda h: str(f.node("MatMul", [h, across]))


def _gates(f: Form, x: str, count: int) -> tuple[str, ...]:
    hidden = f.fixed(lambda c: c.shapes["weight"][0]) // count
    parts: tuple[str, ...] = f.node("Split", [x, f.dims([hidden] * count)], outputs=count, axis=1)
    return parts


@form("rnn_sequence")
def rnn_sequence(f: Form) -> Any:
    kind, product = f.param("nonlinearity").capitalize(), _recurrent_product(f)

    def step(x: str, h: str) -> tuple[str, ...]:
        return (f.node(kind, [f.node("Add", [x, product(h)])]),)

    return _step_by_step(f, [f["h0"]], step)[0]


@form("lstm_sequence")
def lstm_sequence(f: Form) -> Any:
    return _lstm(f, lambda h: h)


@form("projected_lstm_sequence")
def projected_lstm_sequence(f: Form) -> Any:
    across = f.node("Transpose", [f["projection"]], perm=[1, 0])
    return _lstm(f, lambda h: str(f.node("MatMul", [h, across])))


def _lstm(f: Form, projected: Callable[[str], str]) -> tuple[str, ...]:
    product = _recurrent_product(f)

    def step(x: str, h: str, c: str) -> tuple[str, ...]:
        i, forget, new, out = _gates(f, f.node("Add", [x, product(h)]), 4)
        i, forget, out = (f.node("Sigmoid", [g]) for g in (i, forget, out))
        new = f.node("Tanh", [new])
        c = f.node("Add", [f.node("Mul", [forget, c]), f.node("Mul", [i, new])])
        h = projected(f.node("Mul", [out, f.node("Tanh", [c])]))
        return h, c, f.node("Concat", [i, forget, new, out], axis=1)

    return _step_by_step(f, [f["h0"], f["c0"]], step)


@form("gru_sequence")
def gru_sequence(f: Form) -> Any:
    product = _recurrent_product(f)

    def step(x: str, h: str) -> tuple[str, ...]:
        recurrent = product(h)
        if f.given("bias"):
            recurrent = f.node("Add", [recurrent, f["bias"]])
        given, own = _gates(f, x, 3), _gates(f, recurrent, 3)
        r, z = (f.node("Sigmoid", [f.node("Add", [a, b])])
                for a, b in zip(given[:2], own[:2], strict=True))
        new = f.node("Tanh", [f.node("Add", [given[2], f.node("Mul", [r, own[2]])])])
        h = f.node("Add", [new, f.node("Mul", [z, f.node("Sub", [h, new])])])
        return h, f.node("Concat", [r, z, new], axis=1)

    return _step_by_step(f, [f["h0"]], step)
