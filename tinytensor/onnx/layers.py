"""The ONNX forms of products, convolution, pooling, normalization and attention."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy

from ..arrays import dtypes
from ..nn.normalization import BatchNorm
from ..ops.pooling import Line, positions
from ..tensors.tensor import Tensor
from .elementwise import number
from .forms import form
from .recording import Call, Recorder, unit
from .writing import Form

# ---------------------------------------------------------------- products


@form("matmul")
def matmul(f: Form) -> Any:
    return f.node("MatMul", [f["input"], f["other"]])


@form("nn.functional.linear")
def linear(f: Form) -> Any:
    x, weight, bias = f.names()
    if f.rank() == 2 and f.rank("weight") == 2:
        return f.node("Gemm", [x, weight, bias], transB=1)
    if f.rank("weight") == 2:
        weight = f.node("Transpose", [weight], perm=[1, 0])
    out = f.node("MatMul", [x, weight])
    return f.node("Add", [out, bias]) if bias else out


@form("internal.linear_relu")
def linear_relu(f: Form) -> Any:
    return f.node("Relu", [linear(f)])


@form("det")
def det(f: Form) -> Any:
    return f.node("Det", [f["A"]])


@form("euclidean_distances")
def euclidean_distances(f: Form) -> Any:
    a = f.node("Unsqueeze", [f["x1"], f.dims([-2])])
    b = f.node("Unsqueeze", [f["x2"], f.dims([-3])])
    return f.node("ReduceL2", [f.node("Sub", [a, b]), f.dims([-1])], keepdims=0)


@form("attention")
def attention(f: Form) -> Any:
    query = f.node("Mul", [f["query"], number(f, f.param("scale"))])
    order = list(range(f.rank("key")))
    order[-2:] = order[:-3:-1]
    scores = f.node("MatMul", [query, f.node("Transpose", [f["key"]], perm=order)])
    if f.param("is_causal"):
        sizes = f.vary(lambda c: [c.shapes["query"][-2], c.shapes["key"][-2]])
        every = f.node("Expand", [number(f, -math.inf), f.dims(sizes)])
        later = f.node("Trilu", [every, f.constant(numpy.int64(1))], upper=1)
        scores = f.node("Add", [scores, later])
    if f.given("mask"):
        scores = f.node("Add", [scores, f["mask"]])
    return f.node("MatMul", [f.node("Softmax", [scores], axis=-1), f["value"]])


@form("label_cross_entropy")
def label_cross_entropy(f: Form) -> Any:
    weights = [f["weight"]] * f.given("weight")
    ignored = {} if f.param("ignore_index") is None else {"ignore_index": f.param("ignore_index")}
    reduction, smoothing = f.param("reduction"), f.param("label_smoothing")
    if not smoothing:
        return f.node("SoftmaxCrossEntropyLoss", [f["input"], f["target"], *weights],
                      reduction=reduction, **ignored)

    def chosen(scores: str, *weights: str) -> Any:
        """-weight[label] scores[label], of the rows that are not ignored."""
        return f.node("NegativeLogLikelihoodLoss", [scores, f["target"], *weights],
                      reduction="none" if reduction == "none" else "sum", **ignored)

    shape = f.node("Shape", [f["input"]])
    logs = f.node("LogSoftmax", [f["input"]], axis=1)
    every = f.node("ReduceSum", [f.node("Mul", [logs, *weights]) if weights else logs, f.dims([1])])
    classes = f.fixed(lambda call: call.shapes["input"][1], "the number of classes")
    losses = f.node("Add", [
        f.node("Mul", [chosen(logs, *weights), number(f, 1 - smoothing)]),
        f.node("Mul", [chosen(f.node("Expand", [every, shape])), number(f, smoothing / classes)])])
    if reduction != "mean":
        return losses
    return f.node("Div", [losses, chosen(f.node("Expand", [number(f, -1), shape]), *weights)])


# ---------------------------------------------------------------- convolution


def _padding(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """The padding after. That before will do if it gives as many windows."""
    span = dilation * (kernel - 1) + 1
    if (size + 2 * padding - span) // stride + 1 == out:
        return padding
    return max((out - 1) * stride + span - size - padding, 0)


def _per_dim(f: Form, function: Callable[..., int]) -> list[int]:
    """function(size, out, kernel, stride, padding, dilation) for each spatial dim."""
    def numbers(call: Call) -> list[int]:
        p = call.parameters["frame"]
        return [function(*dim) for dim in zip(
            p.size, p.out, p.kernel, p.stride, p.padding, p.dilation, strict=True)]

    return list(f.fixed(numbers, "the padding of a convolution"))


def _window_attributes(f: Form) -> dict[str, Any]:
    frame = f.call.parameters["frame"]
    return {"kernel_shape": frame.kernel, "strides": frame.stride, "dilations": frame.dilation}


@form("internal.convolution")
def convolution(f: Form) -> Any:
    frame = f.call.parameters["frame"]
    return f.node("Conv", f.names(), group=frame.groups,
                  pads=[*frame.padding, *_per_dim(f, _padding)], **_window_attributes(f))


@form("internal.convolution_input")
def convolution_input(f: Form) -> Any:
    frame = f.call.parameters["frame"]

    def excess(size: int, out: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
        return size - ((out - 1) * stride + dilation * (kernel - 1) + 1 - 2 * padding)

    more = _per_dim(f, excess)
    after = [p + max(-e, 0) for p, e in zip(frame.padding, more, strict=True)]
    return f.node("ConvTranspose", f.names(), group=frame.groups,
                  pads=[*frame.padding, *after], output_padding=[max(e, 0) for e in more],
                  **_window_attributes(f))


@form("internal.windows")
def windows(f: Form) -> Any:
    frame = f.call.parameters["frame"]
    ends = _per_dim(f, lambda size, out, kernel, stride, padding, dilation: max(
        (out - 1) * stride + dilation * (kernel - 1) + 1 - size - padding, 0))
    x = f.node("Pad", [f["input"], f.dims([0, 0, *frame.padding, 0, 0, *ends])])
    n = len(frame.kernel)
    counts = f.fixed(lambda c: c.parameters["frame"].out, "the number of windows")
    for i in reversed(range(n)):
        index = numpy.arange(frame.kernel[i])[:, None] * frame.dilation[i] \
            + numpy.arange(counts[i]) * frame.stride[i]
        x = f.node("Gather", [x, f.constant(index)], axis=2 + i)
    # (N, C, k1, o1, k2, o2, ...) -> (N, C, k1, k2, ..., o1, o2, ...)
    return f.node("Transpose", [x], perm=[0, 1, *range(2, 2 + 2 * n, 2), *range(3, 3 + 2 * n, 2)])


@form("internal.overlap_add")
def overlap_add(f: Form) -> Any:
    frame, n = f.call.parameters["frame"], len(f.call.parameters["frame"].kernel)
    if n != 2:
        raise f.error("ONNX's Col2Im is used for two dims only")
    sizes = f.shape()
    blocks = math.prod(frame.kernel)
    columns = f.reshape(f["input"], [sizes[0], f.fixed(
        lambda c: c.shapes["input"][1] * blocks), f.fixed(lambda c: math.prod(
            c.parameters["frame"].out))])
    return f.node("Col2Im", [columns, f.dims(f.fixed(lambda c: c.parameters["frame"].size)),
                             f.dims(frame.kernel)],
                  dilations=frame.dilation, strides=frame.stride,
                  pads=[*frame.padding, *_per_dim(f, _padding)])


# ---------------------------------------------------------------- pooling, one dim at a time


class Windows(NamedTuple):
    """Windows along one dim that are the same everywhere, but for the padding."""

    kernel: int
    stride: int
    before: int
    after: int
    dilation: int


def _regular(line: Line) -> Windows | None:
    """The windows of a line, if they have a stride; weights are not looked at."""
    members = _members(line)
    if not members or not all(members) or any(len(set(m)) < len(m) for m in members):
        return None
    middle = max(members, key=len)
    kernel, dilation = len(middle), middle[1] - middle[0] if len(middle) > 1 else 1
    # From a window of all taps the starts of the others follow, given the stride.
    at = members.index(middle)
    full = [o for o, m in enumerate(members) if len(m) == kernel]
    stride = (members[full[-1]][0] - middle[0]) // (full[-1] - at) if full[-1] != at else 0
    for step in ([stride] if stride else [line.size] if line.out == 1 else range(1, line.size)):
        starts = [middle[0] + (o - at) * step for o in range(line.out)]
        if all(m == [i for i in range(s, s + kernel * dilation, dilation) if 0 <= i < line.size]
               for m, s in zip(members, starts, strict=True)):
            reach = (kernel - 1) * dilation + 1
            before, after = -starts[0], max(starts[-1] + reach - line.size, 0)
            count = (line.size + before + after - reach) // step + 1
            return Windows(kernel, step, before, after, dilation) \
                if before >= 0 and count == line.out else None
    return None


def _members(line: Line) -> list[list[int]]:
    """The input positions of each window."""
    found: list[list[int]] = [[] for _ in range(line.out)]
    for tap in line.taps:
        for o, i in zip(positions(tap.outs), positions(tap.ins), strict=True):
            found[o].append(i)
    return [sorted(m) for m in found]


def _matrix(line: Line) -> Any:
    """The windows as a matrix (size, out)."""
    matrix = numpy.zeros((line.size, line.out))
    for tap in line.taps:
        outs, ins = positions(tap.outs), positions(tap.ins)
        for o, i, w in zip(outs, ins, tap.weights or [1.0] * len(outs), strict=True):
            matrix[i, o] += w
    return matrix


def _pool(f: Form, kind: str, line: Windows, **attributes: Any) -> str:
    """A pooling along one spatial dim. One after another along another dim they are one node."""
    axis, rank = f.param("axis"), f.rank()

    def one_each(value: int, rest: int) -> list[int]:
        return [value if i == axis else rest for i in range(2, rank)]

    given = {"kernel_shape": one_each(line.kernel, 1), "strides": one_each(line.stride, 1),
             "pads": [*one_each(line.before, 0), *one_each(line.after, 0)], **attributes}
    if kind == "MaxPool":
        given["dilations"] = one_each(line.dilation, 1)
    name = f["input"]
    earlier = f.writer.only_maker(f, kind)
    if earlier is not None:
        known = {a.name: f.writer.helper.get_attribute_value(a) for a in earlier.attribute}
        fits = all(known.get(k) == v for k, v in attributes.items())
        if fits and known["kernel_shape"][axis - 2] == known["strides"][axis - 2] == 1:
            for key in ("kernel_shape", "strides", "dilations"):
                if key in given:
                    given[key] = [a if i == axis - 2 else b for i, (a, b) in enumerate(
                        zip(given[key], known[key], strict=True))]
            given["pads"] = [a + b for a, b in zip(given["pads"], known["pads"], strict=True)]
            name = earlier.input[0]
            f.writer.nodes.remove(earlier)
    return str(f.node(kind, [name], **given))


def _same_windows(f: Form) -> Windows | None:
    lines = [_regular(call.parameters["line"]) for call in f.calls]
    kernels = {(w.kernel, w.stride, w.before, w.dilation) for w in lines if w is not None}
    if None in lines or len(kernels) > 1 or f.rank() < 3 or f.param("axis") < 2:
        return None
    first: Any = lines[0]
    if any(w.after != first.after for w in lines if w is not None):
        # More elements than the windows need: padding after as before gives the same windows.
        counts = all(_padding(call.parameters["line"].size, call.parameters["line"].out,
                              first.kernel, first.stride, first.before, first.dilation)
                     == first.before for call in f.calls)
        return first._replace(after=first.before) if counts else None
    if first.after < first.before:
        line = f.call.parameters["line"]
        if _padding(line.size, line.out, first.kernel, first.stride, first.before,
                    first.dilation) == first.before:
            return first._replace(after=first.before)
    return first


@form("internal.window_max")
def window_max(f: Form) -> Any:
    line = _same_windows(f)
    if line is not None:
        return _pool(f, "MaxPool", line)
    members = f.fixed(lambda c: _members(c.parameters["line"]), "a window of a pooling")
    longest = max(map(len, members))
    index = numpy.array([[*m, *[m[0]] * (longest - len(m))] for m in members])  # again the first
    axis = f.param("axis")
    parts = f.node("Gather", [f["input"], f.constant(index)], axis=axis)
    return f.node("ReduceMax", [parts, f.dims([axis + 1])], keepdims=0)


@form("internal.window_sum")
def window_sum(f: Form) -> Any:
    line, axis = _same_windows(f), f.param("axis")
    if line is not None and line.dilation == 1 and dtypes.is_floating(f.dtype()):
        for include in (1, 0):  # what the sum of a window is, over the mean of its elements
            ratios = [_ratio(call.parameters["line"], bool(include)) for call in f.calls]
            if None not in ratios and max(ratios) - min(ratios) < 1e-9:  # type: ignore
                ratio: Any = ratios[0]
                ratio *= f.writer.take_scale(f)
                out = _pool(f, "AveragePool", line, count_include_pad=include)
                return f.writer.scaled(f, out, ratio)
    matrix = f.constant(f.fixed(lambda c: _matrix(c.parameters["line"]),
                                "a window of a pooling or an interpolation"
                                ).astype(f.dtype()))
    order = list(range(f.rank()))
    order[axis], order[-1] = order[-1], order[axis]
    turned = order != sorted(order)
    x = f.node("Transpose", [f["input"]], perm=order) if turned else f["input"]
    out = f.node("MatMul", [x, matrix])
    return f.node("Transpose", [out], perm=order) if turned else out


def _ratio(line: Line, include_padding: bool) -> float | None:
    """The weight of each element times the number of elements, if that is one number."""
    matrix = _matrix(line)
    counts = (matrix != 0).sum(0)
    if counts.tolist() != list(map(len, _members(line))):
        return None  # a weight is 0
    if include_padding:
        counts = numpy.full_like(counts, counts.max())
    ratios = (matrix * counts)[matrix != 0]
    if not ratios.size or ratios.max() - ratios.min() > 1e-9 * abs(ratios).max():
        return None
    return float(ratios[0])


# ---------------------------------------------------------------- normalization


@form("batch_norm")
def batch_norm(f: Form) -> Any:
    return f.node("BatchNormalization", f.names(), epsilon=float(f.param("eps")))


@unit(BatchNorm)
def _record_batch_norm(recorder: Recorder, module: Any, args: Any, output: Tensor,
                       first: int) -> None:
    mean, var = module.running_mean, module.running_var
    if module.training or mean is None or len(args) != 1:
        return
    channels = mean.shape[0]

    def filled(x: Tensor | None, value: float) -> Any:
        return numpy.full(channels, value, mean._array.dtype) if x is None else x._array

    inputs = {"input": args[0]._array, "weight": filled(module.weight, 1),
              "bias": filled(module.bias, 0), "mean": mean._array, "var": var._array}
    recorder.replace(first, "batch_norm", inputs, {"eps": module.eps}, [output._array])


def _moments(f: Form, x: str, axes: Sequence[int]) -> tuple[str, str, str]:
    """The input without its mean, the mean, and the variance over axes."""
    mean = f.node("ReduceMean", [x, f.dims(axes)], keepdims=1)
    centred = f.node("Sub", [x, mean])
    var = f.node("ReduceMean", [f.node("Mul", [centred, centred]), f.dims(axes)], keepdims=1)
    return centred, mean, var


@form("standardize")
def standardize(f: Form) -> Any:
    centred, mean, var = _moments(f, f["input"], f.param("dims"))
    scale = f.node("Sqrt", [f.node("Add", [var, number(f, f.param("eps"))])])
    out = f.node("Div", [centred, scale])
    if f.given("weight"):
        out = f.node("Mul", [out, f["weight"]])
    if f.given("bias"):
        out = f.node("Add", [out, f["bias"]])
    return out, mean, var


@form("nn.functional.layer_norm")
def layer_norm(f: Form) -> Any:
    shape = f.param("normalized_shape")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    weight = f["weight"] if f.given("weight") else f.constant(numpy.ones(shape, f.dtype()))
    return f.node("LayerNormalization", [f["input"], weight, f["bias"]], axis=-len(shape),
                  epsilon=float(f.param("eps")))


@form("nn.functional.rms_norm")
def rms_norm(f: Form) -> Any:
    shape, eps = f.param("normalized_shape"), f.param("eps")
    count = 1 if isinstance(shape, int) else len(shape)
    eps = float(numpy.finfo(f.dtype()).eps) if eps is None else eps
    square = f.node("ReduceMean", [f.node("Mul", [f["input"]] * 2),
                                   f.dims(list(range(-count, 0)))], keepdims=1)
    scale = f.node("Reciprocal", [f.node("Sqrt", [f.node("Add", [square, number(f, eps)])])])
    out = f.node("Mul", [f["input"], scale])
    return f.node("Mul", [out, f["weight"]]) if f.given("weight") else out
