"""How operations run on all samples at once: with the batch as one more dim, in front.

A rule gets the operation's inputs with the batch as dim 0 (or as they are, for inputs that are the
same for all samples), and returns the result with the batch as dim 0. It calls the operation
itself, or others, so that the result is recorded. What a rule cannot do it leaves to the loop over
the samples, by returning None.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..arrays import devices, dtypes
from ..autograd.inputs import Constant
from ..autograd.table import TABLE
from ..ops import linalg
from ..tensors.tensor import Tensor
from .batched import (
    Batched,
    DependsOnValues,
    Level,
    batch_of,
    innermost,
    one_by_one,
    spread_over,
    wrapped,
)

Rule = Callable[..., Any]
RULES: dict[str, Rule] = {}

# Families of which every operation computes element by element, and others that do.
ELEMENTWISE = ("elementwise", "compare", "special")
BESIDE = ("leaky_relu", "hardtanh", "threshold", "softshrink", "hardshrink", "elu", "gelu", "silu",
          "mish", "hardswish", "softplus", "logsigmoid", "hardsigmoid", "clone", "contiguous",
          "cast", "move", "where", "masked_fill", "alias")


class Call:
    """A call of an operation: its inputs, which of them have a sample for each element, and the
    shapes of one sample.
    """

    def __init__(self, op: Any, level: Level, inputs: Sequence[Any], parameters: dict[str, Any]):
        self.op, self.level, self.parameters = op, level, parameters
        self.inputs = [x.whole if batch_of(x, level)
                       else x._array if isinstance(x, Constant) else x for x in inputs]
        self.batched = [batch_of(x, level) for x in inputs]
        self.shapes = [tuple(x.shape) if isinstance(x, Tensor) else () for x in inputs]
        self.ndims = [len(shape) for shape in self.shapes]

    def run(self, inputs: Sequence[Any] | None = None, **parameters: Any) -> Any:
        """The operation, with other inputs or parameters."""
        given = self.inputs if inputs is None else inputs
        names, signature = self.parameters | parameters, self.op.signature
        if signature.variadic:
            named = {signature.inputs[0]: list(given)}
        else:
            named = dict(zip(signature.inputs, given, strict=True))
        return self.op.function(**{n: (named | names)[n] for n in signature.order})

    def all(self) -> list[Any]:
        """The inputs, all with the batch as dim 0."""
        return [x if batched or not isinstance(x, Tensor) else spread_over(x, self.level)
                for x, batched in zip(self.inputs, self.batched, strict=True)]


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        RULES.update(dict.fromkeys(names, function))
        return function

    return register


def call(op: Any, error: Exception, inputs: tuple[Any, ...], parameters: dict[str, Any]) -> Any:
    """What `errors.recover` returns for a call with some Batched input: its result or an error."""
    level = innermost(inputs)
    if level is None:
        return None
    if isinstance(error, DependsOnValues):
        return error
    try:
        result = wrapped(_computed(Call(op, level, inputs, parameters)), level)
        if op.view:
            for x in (result, *inputs):
                if isinstance(x, Batched):
                    x.shown = True
        return result
    except Exception as problem:
        return problem


def _computed(given: Call) -> Any:
    """The result of a call for all samples, by a rule or one by one."""
    found = _rules().get(given.op.name)
    result = None if found is None else found(given)
    if result is not None:
        return result
    inputs = [Batched(x, given.level) if batched else x
              for x, batched in zip(given.inputs, given.batched, strict=True)]
    return one_by_one(lambda inputs: given.run(inputs), given.level, (inputs,), {})


@functools.cache
def _rules() -> dict[str, Rule]:
    """The rules by the names of operations."""
    found = dict(RULES)
    for entry in TABLE.values():
        if entry.op is not None and entry.op.name not in found and (
                entry.op.forward.__module__.rpartition(".")[2] in ELEMENTWISE
                or entry.op.name in BESIDE):
            found[entry.op.name] = elementwise
    return found


# ---------------------------------------------------------------- elementwise


def elementwise(given: Call) -> Any:
    """Dims are aligned from the right: the batch goes in front of the longest shape."""
    inputs, most = _of_one_dtype(given), max(given.ndims)
    for i, x in enumerate(inputs):
        if given.batched[i] and given.ndims[i] < most:
            missing = [1] * (most - given.ndims[i])
            inputs[i] = x.reshape(given.level.size, *missing, *given.shapes[i])
    return given.run(inputs)


def _of_one_dtype(given: Call) -> list[Any]:
    """The inputs in the dtype to which those of one sample are promoted, where a batch of 0-d
    Tensors would count for more than one of them does.
    """
    inputs = list(given.inputs)
    if not any(batched and not n for batched, n in zip(given.batched, given.ndims, strict=True)):
        return inputs
    names = given.op.signature.inputs
    chosen = [i for i, name in enumerate(names) if name in given.op.promoted
              and inputs[i] is not None]
    if given.op.promotes not in ("common", "float", "floating") or len(chosen) < 2:
        return inputs
    samples = tuple(numpy.empty(given.shapes[i], inputs[i].dtype.numpy)
                    if isinstance(inputs[i], Tensor) else inputs[i] for i in chosen)
    common = dtypes.BY_NUMPY[dtypes.result_dtype(samples)]
    return [x.to(common) if i in chosen and isinstance(x, Tensor) else x
            for i, x in enumerate(inputs)]


# ---------------------------------------------------------------- along dims

DIMS = ("dim", "dims", "axis", "dimension", "dim1", "dim2")


def _moved(dim: Any, ndim: int) -> Any:
    """A dim, or several, of one sample, as dims beside the batch."""
    if isinstance(dim, tuple | list):
        return tuple(_moved(d, ndim) for d in dim)
    return dim % ndim + 1 if dim >= 0 or -ndim <= dim else dim


@rule("softmax", "log_softmax", "cumsum", "cumprod", "logcumsumexp", "where_cummax", "where_cummin",
      "argsort", "where_topk", "where_median", "where_mode", "flip", "repeat_each", "unfold",
      "diagonal", "rot90", "window_sum", "window_max", "winner")
def along(given: Call) -> Any:
    """The dims of the parameters are those after the batch."""
    if not given.ndims[0]:
        return None
    moved = {name: _moved(value, given.ndims[0]) for name, value in given.parameters.items()
             if name in DIMS}
    return given.run(**moved)


@rule("sum", "mean", "all", "any", "logsumexp", "amax", "amin")
def reduction(given: Call) -> Any:
    dim, n = given.parameters["dim"], given.ndims[0]
    if not n:
        return None
    if dim == () and given.op.name in ("all", "any"):  # over no dim
        return given.run()
    return given.run(dim=tuple(range(1, n + 1)) if dim is None or dim == () else _moved(dim, n))


@rule("prod", "argmax", "argmin")
def reduction_of_one_dim(given: Call) -> Any:
    dim, n = given.parameters["dim"], given.ndims[0]
    if not n or dim is None and given.parameters["keepdim"]:
        return None
    if dim is None:
        return given.run([given.inputs[0].reshape(given.level.size, -1)], dim=1)
    return given.run(dim=_moved(dim, n))


@rule("roll")
def roll(given: Call) -> Any:
    dims, n = given.parameters["dims"], given.ndims[0]
    return None if dims is None or not n else given.run(dims=_moved(dims, n))


@rule("take_along_dim", "pick", "put_back", "put")
def along_with_positions(given: Call) -> Any:
    n, name = given.ndims[0], "dim" if "dim" in given.parameters else "axis"
    if given.parameters[name] is None or given.ndims[1] != n or not n:
        return None
    return given.run(given.all(), **{name: _moved(given.parameters[name], n)})


# ---------------------------------------------------------------- shapes


@rule("reshape", "broadcast_to")
def shaped(given: Call) -> Any:
    shape, size = given.parameters["shape"], given.level.size
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    x = given.inputs[0]
    if given.op.name == "reshape":
        if -1 in shape and not x.numel():
            return None
        return given.run(shape=(size, *shape))
    missing = [1] * (len(shape) - given.ndims[0])
    shape = tuple(given.shapes[0][i - len(missing)] if n == -1 and i >= len(missing) else n
                  for i, n in enumerate(shape))
    return given.run([x.reshape(size, *missing, *given.shapes[0])], shape=(size, *shape))


@rule("permute")
def permuted(given: Call) -> Any:
    dims = given.parameters["dims"]
    return given.run(dims=(0, *(_moved(d, given.ndims[0]) for d in dims)))


@rule("cat")
def joined(given: Call) -> Any:
    if given.ndims != [given.ndims[0]] * len(given.ndims) or not given.ndims[0]:
        return None
    return given.run(given.all(), dim=_moved(given.parameters["dim"], given.ndims[0]))


@rule("getitem")
def selected(given: Call) -> Any:
    """By ints, slices and `...`; arrays of positions too, if they stay where they are."""
    index = given.parameters["index"]
    arrays = [i for i, key in enumerate(index) if devices.is_array(key)]
    if arrays and arrays != list(range(arrays[0], arrays[0] + len(arrays))) or arrays and any(
            k.__class__ is int for k in index):
        return None
    if any(isinstance(key, bool) for key in index):
        return None
    return given.run(index=(slice(None), *index))


@rule("surround")
def surrounded(given: Call) -> Any:
    return given.run(sides=((0, 0), *given.parameters["sides"]))


@rule("tril", "triu", "inv", "cholesky_factor", "qr", "eigh", "svd", "det", "slogdet", "matrix_exp")
def with_batch_in_front(given: Call) -> Any:
    """These take any number of dims before the last two."""
    if given.ndims[0] < 2 or given.parameters.get("mode") == "r":  # without Q
        return None
    return given.run()


@rule("attention")
def attention(given: Call) -> Any:
    if len({n for n, x in zip(given.ndims, given.inputs, strict=True) if x is not None}) > 1:
        return None
    return given.run(given.all())


@rule("as_strided")
def strided(given: Call) -> Any:
    """The memory of one sample is that of a Tensor of its own."""
    def one(whole: Any) -> Any:
        return given.run([whole.clone()])

    return one_by_one(one, given.level, (Batched(given.inputs[0], given.level),), {})


@rule("solve_triangle", "euclidean_distances")
def with_batches_in_front(given: Call) -> Any:
    """These broadcast the dims before the last two."""
    if min(n for n, x in zip(given.ndims, given.inputs, strict=True) if x is not None) < 2:
        return None
    return given.run(_aligned(given))


def _aligned(given: Call) -> list[Any]:
    """The inputs with the batch in front, and with as many dims as the longest of them."""
    most = max(given.ndims)
    return [x.reshape(given.level.size, *[1] * (most - len(shape)), *shape)
            if batched and len(shape) < most else x
            for x, batched, shape in zip(given.inputs, given.batched, given.shapes, strict=True)]


# ---------------------------------------------------------------- products


@rule("matmul")
def product(given: Call) -> Any:
    (a, b), (m, n) = given.inputs, given.ndims
    if not m or not n:
        return None
    # Vectors become matrices, so that the batch is no part of the product.
    a = a.unsqueeze(-2) if m == 1 else a
    b = b.unsqueeze(-1) if n == 1 else b
    most = max(m, n, 2)
    parts = []
    for x, batched in zip((a, b), given.batched, strict=True):
        missing = most + batched - x.ndim
        parts.append(x.reshape(x.shape[0], *[1] * missing, *x.shape[1:]) if batched and missing > 0
                     else x)
    out = linalg.matmul(*parts)
    if m == 1:
        out = out.squeeze(-2)
    return out.squeeze(-1) if n == 1 else out


@rule("linear", "linear_relu")
def linear(given: Call) -> Any:
    x, weight, bias = given.inputs
    of_x, of_weight, of_bias = given.batched
    if not of_weight and not of_bias:
        return given.run()
    wrapped_weight = Batched(weight, given.level) if of_weight else weight
    wrapped_x = Batched(x, given.level) if of_x else x
    # In this order the gradient of the weight, the largest array, needs no transpose.
    out = wrapped_weight @ wrapped_x if given.ndims[0] == 1 \
        else (wrapped_weight @ wrapped_x.mT).mT
    if bias is not None:
        out = out + (Batched(bias, given.level) if of_bias else bias)
    if given.op.name == "linear_relu":
        out = out.relu()
    return spread_over(out, given.level)


@rule("convolution")
def convolution(given: Call) -> Any:
    """Inputs for one weight are one long batch. Weights of their own are groups of channels."""
    size, (x, weight, bias) = given.level.size, given.inputs
    if given.batched == [True, False, False]:
        out = given.run([x.flatten(0, 1), weight, bias])
        return out.reshape(size, given.shapes[0][0], *out.shape[1:])
    x, weight, bias = given.all()
    frame = given.parameters["frame"]
    out = given.run([x.movedim(0, 1).flatten(1, 2), weight.flatten(0, 1),
                     None if bias is None else bias.flatten()],
                    frame=dataclasses.replace(frame, groups=size * frame.groups))
    return out.unflatten(1, (size, -1)).movedim(1, 0)


# ---------------------------------------------------------------- layers


@rule("layer_norm")
def layer_norm(given: Call) -> Any:
    x, weight, bias = given.inputs
    if given.batched == [True, False, False]:
        return given.run()
    if not given.batched[0]:
        return None
    out = Batched(given.run([x, None, None]), given.level)
    for part, batched, combine in ((weight, given.batched[1], "mul"),
                                   (bias, given.batched[2], "add")):
        if part is not None:
            out = getattr(out, combine)(Batched(part, given.level) if batched else part)
    return out.whole


@rule("embedding")
def embedding(given: Call) -> Any:
    """A table for each sample is one long table, with the positions moved to its part."""
    positions, table = given.inputs
    if not given.batched[1]:
        return given.run()
    if given.parameters["padding_idx"] is not None or given.parameters["scale_grad_by_freq"]:
        return None
    rows, size = given.shapes[1][0], given.level.size
    positions = given.all()[0]
    starts = positions.new_tensor(range(0, rows * size, rows)).reshape(
        -1, *[1] * given.ndims[0])
    return given.run([positions + starts, table.flatten(0, 1)])


@rule("label_cross_entropy")
def label_cross_entropy(given: Call) -> Any:
    reduction = given.parameters["reduction"]
    if given.ndims[0] != 2 or given.ndims[1] != 1 or given.inputs[2] is not None or (
            reduction == "mean" and given.parameters["ignore_index"] is not None):
        return None
    scores, labels, _ = given.all()
    losses = given.run([scores.flatten(0, 1), labels.flatten(0, 1), None], reduction="none")
    losses = losses.reshape(given.level.size, given.shapes[0][0])
    return losses if reduction == "none" else getattr(losses.flatten(1), reduction)(1)

