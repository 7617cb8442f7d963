"""explain: why a gradient that was written by hand is wrong.

The right forward runs on Values. In the backward pass of its graph one mistake is made at a time,
until the gradients are those of the learner.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy

from scalar import Value

from ..arrays import dtypes
from ..arrays.devices import to_numpy
from ..arrays.dispatch import use_kernels
from ..autograd import graph
from .matching import diagnose
from .tape import Tape, value_array
from .words import Explanation, sentences

LARGEST = 50_000  # Values of a function


def explain(forward: Callable[..., Any], inputs: Mapping[str, Any], gradients: Mapping[str, Any],
            g: Any = None) -> Explanation:
    """What is wrong with the gradients of a function that were computed by hand, and why.

        def softmax(x):
            powers = np.exp(x)
            return powers / powers.sum(-1, keepdims=True)

        print(learn.explain(softmax, {"x": x}, {"x": my_gradient}, g))

    Args:
        forward: the right function. It takes what the inputs are: NumPy arrays, Tensors, lists of
            numbers, or numbers. It runs on Values in their place.
        inputs: the arguments of `forward` by name. Arrays of integers stay as they are.
        gradients: what the learner computed, by the names of inputs; some or all of them.
        g: the gradient from above, in the shape of the result; ones if it is left out. Random
            numbers tell mistakes apart best.

    Returns:
        An Explanation: print it, or look at `right`, `mistakes` and `several`.

    Raises:
        TypeError: forward computes something that Values cannot.
        ValueError: a name that is no input, or no parameter of forward; a g of another shape; a
            result that does not depend on the inputs; more than 50,000 Values.
    """
    inputs = dict(inputs)
    unknown = [name for name in gradients if name not in inputs]
    if unknown:
        raise ValueError(f"explain: there is no input {unknown[0]!r}; the inputs are "
                         f"{', '.join(inputs)}")
    call = _by_name(forward, list(inputs))
    try:
        tape = Tape.of(call, inputs, _on_values, forward)
    except (TypeError, AttributeError) as error:
        raise TypeError(f"explain: forward cannot run on Values: {error}") from error
    if tape.output is None:
        raise ValueError("explain: the result of forward does not depend on the inputs; look for "
                         "float(), .data, .item() or numpy.array(...) in it")
    if not any(isinstance(x, float | list | tuple) for x in inputs.values()):
        _check_result(tape, call(*map(_copied, inputs.values())))
    if len(tape.values) > LARGEST:
        raise ValueError(f"explain: forward makes {len(tape.values):,} Values, and {LARGEST:,} is "
                         "the limit; smaller inputs show the same mistakes")
    above = numpy.ones(tape.output.shape) if g is None else _array(g)
    if above.shape != tape.output.shape:
        raise ValueError(f"explain: g has shape {above.shape}, and the result of forward "
                         f"{tape.output.shape}")
    return diagnose(tape, {name: _array(x) for name, x in gradients.items()}, above)


def _by_name(forward: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """A function that takes the inputs in order and gives them to `forward` by their names.

    In order too, if `forward` is in C or takes them by position only.
    """
    try:
        parameters = inspect.signature(forward).parameters
    except (TypeError, ValueError):
        return forward
    if any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL) for p in parameters.values()):
        return forward
    if any(p.kind is not p.VAR_KEYWORD for p in parameters.values()):
        for name in names:
            if name not in parameters:
                raise ValueError(f"explain: forward has no parameter {name!r}; its parameters are "
                                 f"{', '.join(parameters)}")
    return lambda *given: forward(**dict(zip(names, given, strict=True)))


def _copied(x: Any) -> Any:
    """A copy, which a forward may write to."""
    if isinstance(x, graph.Tensor):
        return graph.tensor_of(x._array.copy(), None)
    return x.copy() if isinstance(x, numpy.ndarray) else x


def _check_result(tape: Tape, result: Any) -> None:
    """Raises if an operation did something else on Values than on numbers, as floor does."""
    data = numpy.array([tape.values[i].data if i >= 0 else math.nan
                        for i in tape.output.ravel().tolist()])
    expected = _array(result).ravel()
    known = ~numpy.isnan(data)
    if data.size != expected.size or not numpy.allclose(data[known], expected[known], 1e-4, 1e-6):
        raise TypeError("explain: forward gives other numbers on Values: it has an operation that "
                        "Values cannot compute, such as floor or round")


def _on_values(name: str, x: Any) -> Any:
    """An argument with Values in the place of its numbers."""
    if isinstance(x, graph.Tensor):
        return graph.tensor_of(value_array(to_numpy(x._array), name), None) \
            if dtypes.is_floating(x._array.dtype) else x
    if isinstance(x, numpy.ndarray | numpy.floating):
        return value_array(x, name) if dtypes.is_floating(x.dtype) else x
    if isinstance(x, float | Value):
        return Value(float(getattr(x, "data", x)), label=name)
    if isinstance(x, list | tuple):
        return type(x)(_on_values(f"{name}[{i}]", row) for i, row in enumerate(x))
    return x


def _array(x: Any) -> Any:
    """The numbers of an array, a Tensor, a Value or nested lists; None stays."""
    if x is None:
        return None
    if isinstance(x, graph.Tensor):
        x = to_numpy(x._array)
    array = numpy.asarray(x)
    if array.dtype == object:
        return numpy.array([float(getattr(v, "data", v)) for v in array.ravel()]) \
            .reshape(array.shape)
    return array


def mistake_in_backward(function: Callable[..., Any], inputs: Sequence[Any], checked: Sequence[int],
                        place: int, result: Any, g: Any, gradients: Sequence[Any]) -> str:
    """What `gradcheck` says of gradients of function(*inputs): those of the inputs at `checked`,
    for the gradient g of the `result` at `place`. "" if no mistake gives them.
    """
    names = {i: f"input {i}" for i in checked}

    def forward(*given: Any) -> Any:
        results = function(*given)
        return results if isinstance(results, graph.Tensor) else results[place]

    try:
        with use_kernels(False):
            tape = Tape.of(forward, {names.get(i, f"{i}"): x for i, x in enumerate(inputs)},
                           lambda name, x: _on_values(name, x) if name in names.values() else x,
                           function)
        if tape.output is None or len(tape.values) > LARGEST or tape.output.shape != g.shape:
            return ""
        _check_result(tape, result)
        explanation = diagnose(tape, dict(zip(names.values(), gradients, strict=True)), g)
    except Exception:  # Values cannot run every operation
        return ""
    if explanation.right or explanation.unknown:
        return ""
    both = ["Two mistakes together give these gradients."] if explanation.together else []
    return "\n".join([*both, *sentences(explanation)])
