"""Functions of Values: max and min, activations, softmax, the functions of layers, and losses.

Names, arguments and defaults are PyTorch's. In place of a Tensor they take a Value, a number, a
list of these, nested lists, or an array.
"""

from __future__ import annotations

import builtins
import functools
import math
import operator
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from . import ieee
from .engine import Value

# ---------------------------------------------------------------- max and min


def max(*operands: Any) -> Value:
    """The largest of several Values or numbers, or of one list; nan if one of them is nan.

    Equal operands share the gradient equally. Raises ValueError if there are no operands.
    """
    return _extremum("max", builtins.max, operands)


def min(*operands: Any) -> Value:
    """The smallest of several Values or numbers, or of one list; otherwise like max."""
    return _extremum("min", builtins.min, operands)


def _extremum(name: str, choose: Callable[[list[float]], float], operands: Any) -> Value:
    candidates = as_lists(operands[0] if len(operands) == 1 else operands)
    if not isinstance(candidates, list) or not candidates:
        raise ValueError(f"{name}: needs several operands, or one list of them, got {candidates!r}")
    values = [as_value(x) for x in candidates]
    numbers = [v.data for v in values]
    y = math.nan if any(math.isnan(x) for x in numbers) else choose(numbers)
    winners = [float(x == y) for x in numbers]
    return Value.operation(name, y, values, [ieee.divide(w, sum(winners)) for w in winners])


# ---------------------------------------------------------------- activations


def relu(input: Any) -> Any:
    """max(0, input), elementwise."""
    return _elementwise("relu", Value.relu, input)


def tanh(input: Any) -> Any:
    """The hyperbolic tangent, elementwise."""
    return _elementwise("tanh", Value.tanh, input)


def sigmoid(input: Any) -> Any:
    """1 / (1 + e ** -input), elementwise."""
    return _elementwise("sigmoid", Value.sigmoid, input)


def gelu(input: Any, approximate: str = "none") -> Any:
    """input · Φ(input), Φ the normal distribution function, elementwise (Hendrycks, Gimpel 2016).

    approximate="tanh" is 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) instead, as in GPT-2.

    Raises ValueError for another approximate.
    """

    def exact(x: Value) -> Value:
        below = 0.5 * math.erfc(-x.data / math.sqrt(2))
        density = ieee.exp(-0.5 * x.data * x.data) / math.sqrt(2 * math.pi)
        return Value.operation("GELU", x.data * below, [x], [below + x.data * density])

    def by_tanh(x: Value) -> Value:
        return 0.5 * x * (1 + (math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)).tanh())

    if approximate not in ("none", "tanh"):
        raise ValueError(f"gelu: approximate {approximate!r} is none of 'none', 'tanh'")
    return _elementwise("gelu", exact if approximate == "none" else by_tanh, input)


def softmax(logits: Any) -> list[Any]:
    """e ** z_i / Σ_j e ** z_j, for one sample (a list of Values) or for each in a list of them."""
    logits = as_lists(logits)
    if is_batch(logits):
        return [softmax(row) for row in logits]
    powers = [z.exp() for z in _shifted("softmax", logits)]
    total = _sum(powers)
    return [power / total for power in powers]


def log_softmax(logits: Any) -> list[Any]:
    """z_i - log Σ_j e ** z_j, for one sample (a list of Values) or for each in a list of them."""
    logits = as_lists(logits)
    if is_batch(logits):
        return [log_softmax(row) for row in logits]
    shifted = _shifted("log_softmax", logits)
    log_total = _sum([z.exp() for z in shifted]).log()
    return [z - log_total for z in shifted]


def _shifted(name: str, logits: Any) -> list[Value]:
    """The logits minus their maximum: softmax is the same, and no power of e overflows."""
    if not isinstance(logits, list) or not logits:
        raise ValueError(f"{name}: needs a list of logits, one for each class, got {logits!r}")
    values = [as_value(z) for z in logits]
    largest = Value(builtins.max(z.data for z in values))  # a constant: its gradient would be 0
    return [z - largest for z in values]


# ---------------------------------------------------------------- the functions of layers


def dot(input: Any, other: Any) -> Value:
    """Σ a_i b_i as one node. The local derivative by a_i is b_i, by b_i it is a_i.

    Raises ValueError if the lengths differ.
    """
    a, b = ([as_value(x) for x in as_lists(row)] for row in (input, other))
    if len(a) != len(b):
        raise ValueError(f"dot: the lengths {len(a)} and {len(b)} differ")
    xs, ys = [x.data for x in a], [y.data for y in b]
    return Value.operation("dot", sum(map(operator.mul, xs, ys)), a + b, ys + xs)


def linear(input: Any, weight: Any, bias: Any = None) -> list[Any]:
    """Σ_j weight_ij · input_j + bias_i, for one sample or for each in a list of them.

    Raises ValueError if the sizes do not match.
    """
    input = as_lists(input)
    if is_batch(input):
        return [linear(row, weight, bias) for row in input]
    if len(input) != len(weight[0]) or bias is not None and len(bias) != len(weight):
        raise ValueError(f"linear: a weight of {len(weight)} rows of {len(weight[0])} takes "
                         f"samples of {len(weight[0])} and a bias of {len(weight)}, got a sample "
                         f"of {len(input)}"
                         + ("" if bias is None else f" and a bias of {len(bias)}"))
    out = [dot(row, input) for row in weight]
    return out if bias is None else [y + b for y, b in zip(out, bias, strict=True)]


def embedding(input: Any, weight: Any) -> Any:
    """The row of weight at the index input; for lists of indices, lists of rows.

    Raises TypeError for an index that is not a whole number, IndexError if it is out of bounds.
    """
    input = as_lists(input)
    if isinstance(input, list):
        return [embedding(i, weight) for i in input]
    if not float(input).is_integer():
        raise TypeError(f"embedding: an index must be a whole number, not {float(input):g}")
    index = int(float(input))
    if not 0 <= index < len(weight):
        raise IndexError(f"embedding: index {index} is out of bounds: there are {len(weight)} "
                         "rows, counted from 0")
    return list(weight[index])


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None,
               eps: float = 1e-5) -> list[Any]:
    """(x - mean) / √(variance + eps) · weight + bias, for one sample or each in a list of them.

    Ba, Kiros and Hinton 2016. normalized_shape is the length of a sample, n or (n,).

    Raises ValueError if the sizes do not match.
    """
    input = as_lists(input)
    if is_batch(input):
        return [layer_norm(row, normalized_shape, weight, bias, eps) for row in input]
    mean = _sum(input) / _length("layer_norm", input, normalized_shape, weight, bias)
    centred = [x - mean for x in input]
    scale = (dot(centred, centred) / len(input) + eps) ** -0.5
    return _affine([x * scale for x in centred], weight, bias)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None
             ) -> list[Any]:
    """x / √(mean of x² + eps) · weight, for one sample or each in a list of them.

    Zhang and Sennrich 2019. eps=None is the machine epsilon. Otherwise like layer_norm.
    """
    input = as_lists(input)
    if is_batch(input):
        return [rms_norm(row, normalized_shape, weight, eps) for row in input]
    mean = dot(input, input) / _length("rms_norm", input, normalized_shape, weight)
    scale = (mean + (sys.float_info.epsilon if eps is None else eps)) ** -0.5
    return _affine([x * scale for x in input], weight)


def _length(name: str, input: Any, normalized_shape: Any, *affine: Any) -> int:
    """The length of a sample.

    Raises ValueError if normalized_shape, weight or bias has another length.
    """
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    lengths = [len(x) for x in (input, *affine) if x is not None]
    if not input or shape != [len(input)] or len(set(lengths)) > 1:
        raise ValueError(f"{name}: normalized_shape {normalized_shape!r} and the lengths of the "
                         f"sample, weight and bias must be one number above 0, got {lengths}")
    return len(input)


def _affine(x: list[Value], weight: Any, bias: Any = None) -> list[Value]:
    x = x if weight is None else [a * w for a, w in zip(x, weight, strict=True)]
    return x if bias is None else [a + b for a, b in zip(x, bias, strict=True)]


# ---------------------------------------------------------------- losses


def cross_entropy(logits: Any, target: Any, reduction: str = "mean") -> Any:
    """-log softmax(logits)[target], the loss of a classifier.

    For one sample, logits is a list and target the index of its class; for a batch, logits is a
    list of such lists and target a list of indices. reduction is "mean", "sum" or "none".

    Raises:
        ValueError: the numbers of samples and targets differ, or reduction is unknown.
        TypeError: a target is not an int.
        IndexError: a target is not the index of a class.
    """
    reduce = _reduction("cross_entropy", reduction)
    logits, target = as_lists(logits), as_lists(target)
    if not is_batch(logits):
        return _cross_entropy_of_one(logits, target)
    targets = target if isinstance(target, list) else [target]
    if len(targets) != len(logits):
        raise ValueError(f"cross_entropy: {len(logits)} samples, but {len(targets)} targets")
    return reduce([_cross_entropy_of_one(z, t) for z, t in zip(logits, targets, strict=True)])


def _cross_entropy_of_one(logits: Any, target: Any) -> Value:
    if not isinstance(target, int):
        raise TypeError("cross_entropy: a target must be the index of a class, an int, not "
                        f"{target!r}")
    log_probabilities: list[Value] = log_softmax(logits)
    if not 0 <= target < len(log_probabilities):
        raise IndexError(f"cross_entropy: target {target} is out of bounds: there are "
                         f"{len(log_probabilities)} classes, counted from 0")
    return -log_probabilities[target]


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """(input - target)², the squared error.

    Raises ValueError if the lengths of input and target differ, or reduction is unknown.
    """
    reduce = _reduction("mse_loss", reduction)
    return reduce(_elementwise("mse_loss", lambda x, t: (x - t) ** 2, input, target))


def hinge_loss(input: Any, target: Any, reduction: str = "mean") -> Any:
    """max(0, 1 - target · input), the loss of a support vector machine. Targets are -1 or 1.

    Raises ValueError for other targets, if the lengths differ, or if reduction is unknown.
    """

    def hinge(score: Value, target: Value) -> Value:
        if target not in (-1, 1):
            raise ValueError(f"hinge_loss: a target must be -1 or 1, not {target:g}; for labels y "
                             "of 0 and 1, pass 2 * y - 1")
        return (1 - target * score).relu()

    return _reduction("hinge_loss", reduction)(_elementwise("hinge_loss", hinge, input, target))


def binary_cross_entropy(probabilities: Any, targets: Any, reduction: str = "mean") -> Any:
    """-(t log p + (1 - t) log(1 - p)), where no log is less than -100, so no loss is infinite.

    As in PyTorch, the derivative by p is (p - t) / max(p (1 - p), 1e-12).

    Raises ValueError outside of [0, 1], if the lengths differ, or if reduction is unknown.
    """

    def entropy(probability: Value, target: Value) -> Value:
        p, t = probability.data, target.data
        if not (0 <= p <= 1 and 0 <= t <= 1):
            raise ValueError("binary_cross_entropy: probabilities and targets must be between 0 "
                             f"and 1, got {p:g} and {t:g}; for logits z, pass sigmoid(z)")
        log_p, log_q = (builtins.max(ieee.log(x), -100.0) for x in (p, 1 - p))
        local = [(p - t) / builtins.max(p * (1 - p), 1e-12), log_q - log_p]
        return Value.operation("BCE", -(t * log_p + (1 - t) * log_q), [probability, target], local)

    reduce = _reduction("binary_cross_entropy", reduction)
    return reduce(_elementwise("binary_cross_entropy", entropy, probabilities, targets))


def squared_norm(parameters: Iterable[Value]) -> Value:
    """Σ p², the penalty of L2 regularization without its factor."""
    return _sum([p * p for p in parameters])


# ---------------------------------------------------------------- lists of Values


def as_lists(x: Any) -> Any:
    """x with arrays, tuples and iterators converted to lists; a Value or a number is unchanged."""
    if isinstance(x, Value):
        return x
    if hasattr(x, "tolist"):
        return x.tolist()
    return [as_lists(row) for row in x] if hasattr(x, "__iter__") and not isinstance(x, str) else x


def as_value(x: Value | float) -> Value:
    """x itself, or a number as a Value."""
    return x if isinstance(x, Value) else Value(x)


def is_batch(x: Any) -> bool:
    """Whether x, after as_lists, is a list of samples rather than one sample."""
    return isinstance(x, list) and len(x) > 0 and isinstance(x[0], list)


def _elementwise(name: str, f: Callable[..., Value], *operands: Any) -> Any:
    """f of each element, or of each pair of elements, in lists nested as the operands are."""
    operands = tuple(as_lists(x) for x in operands)
    if not any(isinstance(x, list) for x in operands):
        return f(*map(as_value, operands))
    lengths = [len(x) if isinstance(x, list) else None for x in operands]
    if len(set(lengths)) > 1:
        # PyTorch would broadcast, which is almost always a mistake in a loss.
        described = " and ".join("one number" if n is None else f"a list of {n}" for n in lengths)
        raise ValueError(f"{name}: input and target must have the same length, got {described}")
    return [_elementwise(name, f, *row) for row in zip(*operands, strict=True)]


def _reduction(name: str, reduction: str) -> Callable[[Any], Any]:
    """The function from nested lists of losses to the loss.

    Raises ValueError for an unknown reduction.
    """
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{name}: reduction {reduction!r} is none of 'mean', 'sum', 'none'")

    def reduce(losses: Any) -> Any:
        if reduction == "none":
            return losses
        flat = list(_flatten(losses))
        return _sum(flat) / len(flat) if reduction == "mean" else _sum(flat)

    return reduce


def _flatten(losses: Any) -> Iterator[Value]:
    if isinstance(losses, list):
        for row in losses:
            yield from _flatten(row)
    else:
        yield losses


def _sum(values: list[Value]) -> Value:
    return functools.reduce(operator.add, values) if values else Value(0.0)
