"""Neurons, layers and networks of Values, and their base class Module."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, NamedTuple, Never

from . import functional
from .engine import Value
from .functional import as_lists, as_value, is_batch

__all__ = ["MLP", "Embedding", "Layer", "LayerNorm", "Linear", "Module", "Neuron", "functional"]

# For each nonlin of a neuron, the prefix of the neuron's name and the function.
ACTIVATIONS: dict[bool | str, tuple[str, Callable[[Value], Value]]] = {
    True: ("ReLU", Value.relu),
    False: ("Linear", lambda x: x),
    "relu": ("ReLU", Value.relu),
    "tanh": ("Tanh", Value.tanh),
    "sigmoid": ("Sigmoid", Value.sigmoid),
}


class IncompatibleKeys(NamedTuple):
    """The names in which a model and a state_dict differ."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A model or a part of a model. Its parameters are in its attributes.

    They are the Values that no operation computed, alone or in lists and dicts, and the
    parameters of other Modules. A subclass defines `forward` for one sample, a list of Values.
    """

    def __call__(self, x: Any) -> Any:
        """forward(x) for one sample; a list of forward(sample) for a list of samples.

        A sample is a list of numbers or Values, a row of an array, or one number.
        """
        if isinstance(x, list) and set(map(type, x)) == {Value}:  # fast path between layers
            return self.forward(x)
        x = as_lists(x)
        if is_batch(x):
            return [self(sample) for sample in x]
        return self.forward([as_value(xi) for xi in (x if isinstance(x, list) else [x])])

    def forward(self, x: list[Value]) -> Any:
        raise NotImplementedError(f"{type(self).__name__}: define forward(self, x)")

    def parameters(self) -> list[Value]:
        """All parameters, each once."""
        parameters: list[Value] = []
        for _, member in _members(vars(self)):
            parameters += (member.parameters() if isinstance(member, Module)
                           else [p for _, p in _entries(member)])
        return list(dict.fromkeys(parameters))

    def named_parameters(self) -> list[tuple[str, Value]]:
        """(name, parameter); the name is its first place in state_dict: layers.0.weight[2][1]."""
        names: dict[Value, str] = {}
        for name, array in self._arrays():
            for index, p in _entries(array):
                names.setdefault(p, name + index)
        return [(names[p], p) for p in self.parameters() if p in names]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """(dotted name, module) for this module, named "", and for all in it, each once."""
        seen: set[int] = set()
        stack: list[tuple[str, Module]] = [("", self)]
        while stack:
            path, module = stack.pop()
            if id(module) in seen:
                continue
            seen.add(id(module))
            yield path, module
            inner = [(f"{path}.{name}" if path else name, member)
                     for name, member in _members(vars(module)) if isinstance(member, Module)]
            stack += reversed(inner)

    def zero_grad(self) -> None:
        """Sets the grads of all parameters to 0; backward adds to them."""
        for p in self.parameters():
            p.grad = 0.0

    def state_dict(self) -> dict[str, Any]:
        """The data of the parameters in nested lists, by name."""
        return {name: _numbers(array) for name, array in self._arrays()}

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True
                        ) -> IncompatibleKeys:
        """Copies the numbers of a state_dict of lists, NumPy arrays or Tensors into the model.

        With strict=False, names may be missing or unexpected; the others are loaded.

        Raises RuntimeError that lists all differences; the model is then unchanged.
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
                problems.append(f"{name}: the shape is {want} in the model, "
                                f"{'ragged' if got is None else got} in state_dict")
            elif not all(isinstance(x, (Real, Value)) for _, x in _entries(given[name])):
                problems.append(f"{name}: some entries are not numbers")
        if problems:
            raise RuntimeError(f"{type(self).__name__}: state_dict does not fit, nothing loaded\n  "
                               + "\n  ".join(sorted(problems)))
        for name in own.keys() & given.keys():
            for (_, p), (_, x) in zip(_entries(own[name]), _entries(given[name]), strict=True):
                p.data = float(x)
        return keys

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        """(name, array) for each entry of state_dict. An array is a Value or nested lists."""
        for name, member in _members(vars(self)):
            if isinstance(member, Module):
                yield from ((f"{name}.{rest}", array) for rest, array in member._arrays())
            else:
                yield name, member


class Neuron(Module):
    """nonlin(w · x + b), a Value. nonlin is True or "relu", "tanh", "sigmoid", or False: linear.

    Raises ValueError for another nonlin, and if a sample does not have nin numbers.
    """

    def __init__(self, nin: int, nonlin: bool | str = True, **unknown: Never) -> None:
        _check_arguments("Neuron", unknown, nin=nin)
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
    """nout Neurons with the same nin inputs: a list of Values, or one Value if nout is 1."""

    def __init__(self, nin: int, nout: int, nonlin: bool | str = True, **unknown: Never) -> None:
        _check_arguments("Layer", unknown, nin=nin, nout=nout)
        self.neurons = [Neuron(nin, nonlin) for _ in range(nout)]

    def forward(self, x: list[Value]) -> Any:
        out = [neuron(x) for neuron in self.neurons]
        return out[0] if len(out) == 1 else out

    def _arrays(self) -> Iterator[tuple[str, Any]]:
        yield "weight", [neuron.w for neuron in self.neurons]
        yield "bias", [neuron.b for neuron in self.neurons]

    def __repr__(self) -> str:
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """A multi-layer perceptron: one Layer for each size in nouts; the last one is linear."""

    def __init__(self, nin: int, nouts: Sequence[int], nonlin: bool | str = "relu",
                 **unknown: Never) -> None:
        if not isinstance(nouts, (list, tuple)) or not nouts:
            raise TypeError(f"MLP: nouts must be a list of the layers' sizes, as in "
                            f"MLP(2, [16, 1]), got {nouts!r}")
        _check_arguments("MLP", unknown, nin=nin, **{f"nouts[{i}]": n for i, n in enumerate(nouts)})
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


# ---------------------------------------------------------------- PyTorch's layers


class Linear(Module):
    """Σ_j weight_ij · x_j + bias_i, a list of Values. Both start uniform in ± 1 / √in_features."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        _check_arguments("Linear", {}, in_features=in_features, out_features=out_features)
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
    """The rows of weight at the indices in a sample. The weight starts normally distributed."""

    def __init__(self, num_embeddings: int, embedding_dim: int) -> None:
        _check_arguments("Embedding", {}, num_embeddings=num_embeddings,
                         embedding_dim=embedding_dim)
        self.weight = [[Value(random.gauss(0.0, 1.0)) for _ in range(embedding_dim)]
                       for _ in range(num_embeddings)]

    def forward(self, x: list[Value]) -> list[list[Value]]:
        rows: list[list[Value]] = functional.embedding(x, self.weight)
        return rows

    def __repr__(self) -> str:
        return f"Embedding({len(self.weight)}, {len(self.weight[0])})"


class LayerNorm(Module):
    """(x - mean) / √(variance + eps) · weight + bias, a list of Values.

    normalized_shape is the length of a sample, n or (n,). The weight starts at 1, the bias at 0.
    """

    def __init__(self, normalized_shape: int | tuple[int], eps: float = 1e-5) -> None:
        self.normalized_shape = normalized_shape
        self.eps = eps
        length = normalized_shape if isinstance(normalized_shape, int) else normalized_shape[0]
        _check_arguments("LayerNorm", {}, normalized_shape=length)
        self.weight = [Value(1.0) for _ in range(length)]
        self.bias = [Value(0.0) for _ in range(length)]

    def forward(self, x: list[Value]) -> list[Value]:
        return functional.layer_norm(x, self.normalized_shape, self.weight, self.bias, self.eps)

    def __repr__(self) -> str:
        return f"LayerNorm({self.normalized_shape}, eps={self.eps})"


# ---------------------------------------------------------------- arguments


def _check_arguments(name: str, unknown: Mapping[str, Any], **sizes: Any) -> None:
    """
    Raises:
        TypeError: an unknown argument, or a size that is not a whole number.
        ValueError: a size below 1.
    """
    if unknown:
        raise TypeError(f"{name}: unknown argument {', '.join(unknown)}; the activation is "
                        "nonlin='relu', 'tanh', 'sigmoid', or False for none")
    for argument, size in sizes.items():
        if not isinstance(size, Integral):
            raise TypeError(f"{name}: {argument} must be a whole number, got {size!r}")
        if size < 1:
            raise ValueError(f"{name}: {argument} must be at least 1, got {size}")


# ---------------------------------------------------------------- arrays: nested lists of Values


def _members(attributes: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    """(name, Module or array) for each attribute with parameters; in a list, layers.0."""
    for name, member in attributes.items():
        if isinstance(member, Module) or _is_array(member):
            yield str(name), member
        elif isinstance(member, (list, tuple, dict)):
            inner = member if isinstance(member, dict) else dict(enumerate(member))
            yield from ((f"{name}.{rest}", part) for rest, part in _members(inner))


def _is_array(member: Any) -> bool:
    entries = [x for _, x in _entries(member)]
    return (bool(entries) and _shape(member) is not None
            and all(isinstance(x, Value) and not x._prev for x in entries))


def _entries(array: Any, index: str = "") -> Iterator[tuple[str, Any]]:
    """(index, entry) of each entry; an index is written as in Python: [2][1]."""
    if isinstance(array, (list, tuple)):
        for i, row in enumerate(array):
            yield from _entries(row, f"{index}[{i}]")
    else:
        yield index, array


def _shape(array: Any) -> tuple[int, ...] | None:
    """The shape of nested lists; None if the lengths of rows differ."""
    if not isinstance(array, (list, tuple)):
        return ()
    shapes = {_shape(row) for row in array}
    row = shapes.pop() if shapes else ()
    return None if shapes or row is None else (len(array), *row)


def _numbers(array: Any) -> Any:
    return [_numbers(row) for row in array] if isinstance(array, (list, tuple)) else float(array)
