"""Neurons, layers and networks made of Values, and the Module that they build on."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, NamedTuple

from . import functional
from .engine import Value
from .functional import as_lists, as_value, is_batch

__all__ = ["MLP", "Embedding", "Layer", "LayerNorm", "Linear", "Module", "Neuron", "functional"]

# What a neuron's nonlin may be: the beginning of the neuron's name, and the function.
ACTIVATIONS: dict[bool | str, tuple[str, Callable[[Value], Value]]] = {
    True: ("ReLU", Value.relu),
    False: ("Linear", lambda x: x),
    "relu": ("ReLU", Value.relu),
    "tanh": ("Tanh", Value.tanh),
    "sigmoid": ("Sigmoid", Value.sigmoid),
}


class IncompatibleKeys(NamedTuple):
    """What load_state_dict found different, by name."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A model, or a part of one; its parameters are found in its attributes.

    They are the Values there that no operation has made, alone or in lists and dicts, and those of
    the Modules there. A subclass says in `forward` what becomes of one sample, a list of Values.
    """

    def __call__(self, x: Any) -> Any:
        """forward(x) for one sample, a list of numbers or Values; for a list of samples, of each.

        Rows of NumPy arrays will do as well; one number is a sample of one.
        """
        if isinstance(x, list) and set(map(type, x)) == {Value}:  # as between layers: be quick
            return self.forward(x)
        x = as_lists(x)
        if is_batch(x):
            return [self(sample) for sample in x]
        return self.forward([as_value(xi) for xi in (x if isinstance(x, list) else [x])])

    def forward(self, x: list[Value]) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, x)")

    def parameters(self) -> list[Value]:
        """All parameters, each once."""
        found: list[Value] = []
        for _, member in _members(vars(self)):
            found += (member.parameters() if isinstance(member, Module)
                      else [p for _, p in _entries(member)])
        return list(dict.fromkeys(found))

    def named_parameters(self) -> list[tuple[str, Value]]:
        """(name, parameter), named by its first place in the state_dict: layers.0.weight[2][1]."""
        names: dict[Value, str] = {}
        for name, array in self._arrays():
            for place, p in _entries(array):
                names.setdefault(p, name + place)
        return [(names[p], p) for p in self.parameters() if p in names]

    def zero_grad(self) -> None:
        """Sets all grads to 0; without it the next backward adds to those of the last."""
        for p in self.parameters():
            p.grad = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The parameters as numbers, in nested lists, by name."""
        return {name: _numbers(array) for name, array in self._arrays()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True
                        ) -> IncompatibleKeys:
        """Takes over all numbers of a state_dict, or none. Lists, NumPy arrays and Tensors will do.

        With strict=False names may be missing or unknown; what is known is loaded.

        Raises RuntimeError, with everything that does not fit; the model is then unchanged.
        """
        own = dict(self._arrays())
        given = {name: as_lists(array) for name, array in state_dict.items()}
        keys = IncompatibleKeys([k for k in own if k not in given],
                                [k for k in given if k not in own])
        problems = [f"missing: {name}" for name in keys.missing_keys if strict]
        problems += [f"unexpected: {name}" for name in keys.unexpected_keys if strict]
        for name in own.keys() & given.keys():
            want, got = _shape(own[name]), _shape(given[name])
            if got != want:
                problems.append(f"{name}: the model's shape is {want}, the one given {got}")
            elif not all(isinstance(x, (Real, Value)) for _, x in _entries(given[name])):
                problems.append(f"{name}: not all of its entries are numbers")
        if problems:
            raise RuntimeError(f"{type(self).__name__}: state_dict does not fit, nothing loaded\n  "
                               + "\n  ".join(sorted(problems)))
        for name in own.keys() & given.keys():
            for (_, p), (_, x) in zip(_entries(own[name]), _entries(given[name]), strict=True):
                p.data = float(x)
        return keys

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        """(name, array): a Value, or a list of Values, or of lists, for each state_dict entry."""
        for name, member in _members(vars(self)):
            if isinstance(member, Module):
                yield from ((f"{name}.{rest}", array) for rest, array in member._arrays())
            else:
                yield name, member


class Neuron(Module):
    """nonlin(w · x + b), a Value. nonlin is True or "relu", "tanh", "sigmoid", or False: linear.

    Raises ValueError at another nonlin, or when called on a sample that has not nin numbers.
    """

    def __init__(self, nin: int, nonlin: bool | str = True) -> None:
        if nonlin not in ACTIVATIONS:
            raise ValueError(f"Neuron: nonlin {nonlin!r} is none of {list(ACTIVATIONS)}")
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0.0)
        self.nonlin = nonlin

    def forward(self, x: list[Value]) -> Value:
        if len(x) != len(self.w):
            raise ValueError(f"Neuron: expected {len(self.w)} inputs, got {len(x)}")
        act = sum((wi * xi for wi, xi in zip(self.w, x, strict=True)), self.b)
        _, activation = ACTIVATIONS[self.nonlin]
        return activation(act)

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        yield "weight", self.w
        yield "bias", self.b

    def __repr__(self) -> str:
        name, _ = ACTIVATIONS[self.nonlin]
        return f"{name}Neuron({len(self.w)})"


class Layer(Module):
    """nout Neurons that see the same nin inputs; a list of Values, or one Value if nout is 1."""

    def __init__(self, nin: int, nout: int, **kwargs: Any) -> None:
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def forward(self, x: list[Value]) -> Any:
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        yield "weight", [neuron.w for neuron in self.neurons]
        yield "bias", [neuron.b for neuron in self.neurons]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: Layers of nouts neurons each, the last one linear."""

    def __init__(self, nin: int, nouts: list[int], nonlin: bool | str = "relu") -> None:
        if not isinstance(nouts, (list, tuple)) or not nouts:
            raise TypeError(f"MLP: the layers' sizes must be a list, as in MLP(2, [16, 1]), "
                            f"got {nouts!r}")
        sizes = [nin, *nouts]
        last = len(nouts) - 1
        self.layers = [Layer(sizes[i], sizes[i + 1], nonlin=nonlin if i < last else False)
                       for i in range(len(nouts))]

    def forward(self, x: list[Value]) -> Any:
        out: Any = x
        for layer in self.layers:
            out = layer(out)
        return out

    def __repr__(self) -> str:
        return f"MLP of [{', '.join(map(str, self.layers))}]"


# ---------------------------------------------------------------- under PyTorch's names


class Linear(Module):
    """Σ_j weight_ij · x_j + bias_i, a list of Values; both begin uniform in ± 1 / √in_features."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        bound = 1 / math.sqrt(in_features)

        def drawn(count: int) -> list[Value]:
            return [Value(random.uniform(-bound, bound)) for _ in range(count)]

        self.weight = [drawn(in_features) for _ in range(out_features)]
        self.bias = drawn(out_features) if bias else None

    def forward(self, x: list[Value]) -> list[Value]:
        return functional.linear(x, self.weight, self.bias)

    def __repr__(self) -> str:
        return (f"Linear({len(self.weight[0])}, {len(self.weight)}, "
                f"bias={self.bias is not None})")


class Embedding(Module):
    """A table of vectors, normally distributed to begin with; a sample is a list of indices."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        self.weight = [[Value(random.gauss(0.0, 1.0)) for _ in range(embedding_dim)]
                       for _ in range(num_embeddings)]

    def forward(self, x: list[Value]) -> list[list[Value]]:
        rows: list[list[Value]] = functional.embedding(x, self.weight)
        return rows

    def __repr__(self) -> str:
        return f"Embedding({len(self.weight)}, {len(self.weight[0])})"


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias, a list of Values. Weights begin at 1 and 0.

    normalized_shape is the length of a sample, n or (n,).
    """

    def __init__(self, normalized_shape: int | tuple[int], eps: float = 1e-5) -> None:
        self.normalized_shape = normalized_shape
        self.eps = eps
        length = normalized_shape if isinstance(normalized_shape, int) else normalized_shape[0]
        self.weight = [Value(1.0) for _ in range(length)]
        self.bias = [Value(0.0) for _ in range(length)]

    def forward(self, x: list[Value]) -> list[Value]:
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        return f"LayerNorm({self.normalized_shape}, eps={self.eps})"


# ---------------------------------------------------------------- arrays: nested lists of Values


def _members(attributes: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """(name, Module or array) of all that holds parameters, with names like layers.0."""
    for name, member in attributes.items():
        if isinstance(member, Module) or _is_array(member):
            yield str(name), member
        elif isinstance(member, (list, tuple, dict)):
            inner = member if isinstance(member, dict) else dict(enumerate(member))
            yield from ((f"{name}.{rest}", found) for rest, found in _members(inner))


def _is_array(member: Any) -> bool:
    entries = [x for _, x in _entries(member)]
    return (bool(entries) and _shape(member) is not None
            and all(isinstance(x, Value) and not x._prev for x in entries))


def _entries(array: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """(place, entry) of each entry; a place is what one writes to get it: [2][1]."""
    if isinstance(array, (list, tuple)):
        for i, row in enumerate(array):
            yield from _entries(row, f"{place}[{i}]")
    else:
        yield place, array


def _shape(array: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None where the rows differ."""
    if not isinstance(array, (list, tuple)):
        return ()
    shapes = {_shape(row) for row in array}
    row = shapes.pop() if shapes else ()
    return None if shapes or row is None else (len(array), *row)


def _numbers(array: Any) -> Any:
    return [_numbers(row) for row in array] if isinstance(array, (list, tuple)) else float(array)
