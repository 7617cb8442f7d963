"""Pooling over windows, one dim after the other.

A sum or maximum over a box is a sum or maximum along each of its dims in turn. So each op here
works along one axis, for any number of dims. As in convolution.py, it loops over the taps, the
elements of a window: for each, the outputs whose window has it, and the inputs that it reads.

The derivative of `window_sum` is `window_sum` with inputs and outputs exchanged. `pick` and `put`
are a pair: each is the derivative of the other. Windows may have weights and differing sizes:
adaptive pooling and interpolation use the same ops.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import namedtuple
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ..arrays import Array, dtypes
from ..arrays.numbers import integer, integers
from ..autograd.deferred import check_range
from ..autograd.table import op
from ..tensors import creation
from .checks import need_floating, need_integers
from .convolution import at_least, line_taps, named, per_dim, with_batch
from .index import setitem
from .reduce import root
from .samples import S, ints, t
from .shape import broadcast_to

Index = slice | list[int]

LINES_KEPT = 256  # of each kind, as a training uses the same ones in every step

ValuesAndIndices = namedtuple("ValuesAndIndices", "values indices")


# ---------------------------------------------------------------- windows along one dim


@dataclass(frozen=True)
class Tap:
    """One element of each window: the outputs whose window has it, and the inputs that it reads.

    Positions are distinct on both sides, so that `+=` accumulates correctly.
    """

    outs: Index
    ins: Index
    weights: list[float] | None = None  # of each output; 1 if None


@dataclass(frozen=True, eq=False)  # hashed by identity, so kernels keep what they compute of it
class Line:
    """Windows along one dim: the number of inputs and of outputs, and the taps."""

    size: int
    out: int
    taps: list[Tap]

    @functools.cached_property
    def transposed(self) -> Line:
        """The line with inputs and outputs exchanged."""
        return Line(self.out, self.size, [Tap(tap.ins, tap.outs, tap.weights)
                                          for tap in self.taps])

    def first_taps(self) -> list[int]:
        """The number of each output's first tap: those before it read the padding."""
        first = [0] * self.out
        for k, tap in reversed([*enumerate(self.taps)]):
            for o in positions(tap.outs):
                first[o] = k
        return first

    def scaled(self, factors: Sequence[float]) -> Line:
        """The line with the taps of each output multiplied by its factor."""
        taps = [Tap(tap.outs, tap.ins, [factors[i] for i in positions(tap.outs)])
                for tap in self.taps]
        return Line(self.size, self.out, taps)


def positions(index: Index) -> Sequence[int]:
    """The positions that an index selects."""
    return index if isinstance(index, list) else range(index.start, index.stop, index.step or 1)


def ragged(size: int, windows: Sequence[Sequence[int | None]],
           weights: Sequence[Sequence[float]] | None = None) -> Line:
    """A line of windows, each given as the list of its input positions.

    None in place of a position leaves out that tap.
    """
    taps = []
    every = -(-len(windows) // size)  # with fewer inputs, about this many outputs read each
    for k, first in itertools.product(range(max(map(len, windows), default=0)), range(every)):
        left = [i for i in range(first, len(windows), every)
                if len(windows[i]) > k and windows[i][k] is not None]
        while left:  # outputs that read the same input go into different taps
            chosen: dict[Any, int] = {}
            for i in left:
                chosen.setdefault(windows[i][k], i)
            ins, outs = list(chosen), list(chosen.values())
            taken = set(outs)
            left = [i for i in left if i not in taken]
            taps.append(Tap(_as_slice(outs), _as_slice(ins),
                            None if weights is None else [weights[i][k] for i in outs]))
    return Line(size, len(windows), taps)


@functools.lru_cache(LINES_KEPT)
def even(size: int, out: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1,
         ) -> Line:
    """A line of windows of `kernel` elements at even distances."""
    return Line(size, out, [Tap(*tap) for tap in line_taps(size, out, kernel, stride, padding,
                                                           dilation)])


def _as_slice(positions: list[int]) -> Index:
    """Evenly spaced positions as a slice, which gives a view instead of a copy."""
    step = positions[1] - positions[0] if len(positions) > 1 else 1
    if step > 0 and all(b - a == step for a, b in itertools.pairwise(positions)):
        return slice(positions[0], positions[-1] + 1, step)
    return positions


def along(axis: int, index: Any) -> tuple[Any, ...]:
    """The index that selects along one axis."""
    return (slice(None),) * axis + (index,)


def _resized(array, axis, size):
    return (*array.shape[:axis], size, *array.shape[axis + 1:])


def _weighted(xp, values, axis, weights):
    if weights is None:
        return values
    need_floating("weighted windows", values)
    column = xp.asarray(weights, dtype=values.dtype)
    return values * column.reshape(-1, *[1] * (values.ndim - axis - 1))


def _as_matrix(line, torch):
    """A line as a matrix (out, size), for a reference."""
    matrix = torch.zeros(line.out, line.size, dtype=torch.float64)
    for tap in line.taps:
        outs, ins = positions(tap.outs), positions(tap.ins)
        for o, i, w in zip(outs, ins, tap.weights or [1.0] * len(outs), strict=True):
            matrix[o, i] += w
    return matrix


PAIRS = Line(5, 3, [Tap(slice(0, 3), slice(0, 5, 2)), Tap(slice(0, 2), slice(1, 4, 2))])
UNEVEN = ragged(4, [[0, 1], [0, 1, 2], [3]], [[0.5, 2.0], [1.0, -1.0, 0.5], [1.5]])


@op(home="internal", method=False, reference=lambda torch: lambda x, axis, line: torch.movedim(
    torch.movedim(x, axis, -1) @ _as_matrix(line, torch).to(x.dtype).T, -1, axis),
    samples=[S(t(2, 5, 3), 1, PAIRS), S(t(2, 3, 4), 2, UNEVEN), S(t(0, 5), 1, PAIRS),
             S(t(2, 3), 1, UNEVEN.transposed)])
def window_sum(xp, input: Array, axis: int, line: Line):
    """The weighted sum over each window along an axis. Shapes: (*, size, *) -> (*, out, *)."""
    out = xp.zeros(_resized(input, axis, line.out), dtype=input.dtype)
    for tap in line.taps:
        out[along(axis, tap.outs)] += _weighted(xp, input[along(axis, tap.ins)], axis,
                                                tap.weights)
    return out


window_sum.vjp(
    input=lambda xp, g, axis, line: window_sum.run(xp, g, axis, line.transposed),
)


# ---------------------------------------------------------------- the maximum of windows


def _lowest(dtype):
    """The smallest value of a dtype."""
    return -math.inf if dtypes.is_differentiable(dtype) \
        else dtypes.iinfo(dtypes.BY_NUMPY[dtype]).min


def _torch_max(torch):
    """`window_max` by PyTorch's amax over each window."""
    def window_max(x, axis, line):
        matrix = _as_matrix(line, torch) != 0
        return torch.stack([x.index_select(axis, row.nonzero()[:, 0]).amax(axis)
                            for row in matrix], axis)

    return window_max


@op(home="internal", method=False, reference=_torch_max, samples=[
    S(t(2, 5, 3, distinct=True), 1, PAIRS), S(t(2, 3, 4, distinct=True), 2, UNEVEN)])
def window_max(xp, input: Array, axis: int, line: Line):
    """The largest element of each window along an axis. Shapes: (*, size, *) -> (*, out, *)."""
    out = xp.full(_resized(input, axis, line.out), _lowest(input.dtype), dtype=input.dtype)
    for tap in line.taps:
        outs = along(axis, tap.outs)
        out[outs] = xp.maximum(out[outs], input[along(axis, tap.ins)])
    return out


@window_max.vjp("input")
def _(xp, g, input, axis, line):
    return put.run(xp, g, winner.run(xp, input, axis, line), axis, line)


@op(home="internal", method=False, scalar="gives positions, not values", samples=[])
def winner(xp, input: Array, axis: int, line: Line):
    """The number of the tap with the maximum of each window: the first at a tie, the last NaN.

    Shapes: (*, size, *) -> (*, out, *), integers.
    """
    shape = _resized(input, axis, line.out)
    best = xp.full(shape, _lowest(input.dtype), dtype=input.dtype)
    column = xp.asarray(line.first_taps(), dtype=xp.uint8 if len(line.taps) < 256 else xp.int64)
    number = xp.broadcast_to(column.reshape(-1, *[1] * (input.ndim - axis - 1)), shape).copy()
    for k, tap in enumerate(line.taps):
        outs, values = along(axis, tap.outs), input[along(axis, tap.ins)]
        if k:
            better = (values > best[outs]) | (values != values)
            number[outs] = xp.maximum(number[outs], better.astype(number.dtype) * k)
        best[outs] = xp.maximum(best[outs], values)
    return number


@op(contiguous=True,
    home="internal", method=False, scalar="positions choose from arrays of numbers", samples=[])
def pick(xp, input: Array, number: Array, axis: int, line: Line):
    """The element of each window at its tap `number`.

    Shapes: (*, size, *), (*, out, *) integers -> (*, out, *).
    """
    out = xp.zeros(number.shape, dtype=input.dtype)
    for k, tap in enumerate(line.taps):
        outs = along(axis, tap.outs)
        out[outs] = xp.where(number[outs] == k, input[along(axis, tap.ins)], out[outs])
    return out


@op(home="internal", method=False, scalar="positions choose from arrays of numbers", samples=[])
def put(xp, input: Array, number: Array, axis: int, line: Line):
    """Each element added at tap `number` of its window.

    Shapes: (*, out, *), (*, out, *) integers -> (*, size, *).
    """
    out = xp.zeros(_resized(input, axis, line.size), dtype=input.dtype)
    for k, tap in enumerate(line.taps):
        outs = along(axis, tap.outs)
        out[along(axis, tap.ins)] += input[outs] * (number[outs] == k)
    return out


pick.vjp(input=lambda xp, g, number, axis, line: put.run(xp, g, number, axis, line))
put.vjp(input=lambda xp, g, number, axis, line: pick.run(xp, g, number, axis, line))


def _largest(input, lines, return_indices):
    """The maximum over boxes, with its indices in the flattened spatial dims if requested.

    It starts with the last dim, so that at a tie the first element in memory is taken.
    """
    axes = range(input.ndim - 1, input.ndim - 1 - len(lines), -1)
    if not return_indices:
        for axis, line in zip(axes, reversed(lines), strict=True):
            input = window_max(input, axis, line)
        return input
    spatial = tuple(input.shape[-len(lines):])
    place = broadcast_to(creation.arange(math.prod(spatial), device=input.device)
                         .reshape(spatial), input.shape)
    for axis, line in zip(axes, reversed(lines), strict=True):
        number = winner(input, axis, line)
        input, place = pick(input, number, axis, line), pick(place, number, axis, line)
    return ValuesAndIndices(input, place)


def _batched(result, unbatched):
    """The result without the batch dim that was added."""
    if isinstance(result, tuple):
        return ValuesAndIndices(*(_batched(r, unbatched) for r in result))
    return result.squeeze(0) if unbatched else result


# ---------------------------------------------------------------- pooling


@dataclass(frozen=True)
class Boxes:
    """The windows of a pooling: their parameters, one for each dim, checked."""

    size: tuple[int, ...]
    out: tuple[int, ...]
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def lines(self) -> list[Line]:
        return list(map(even, self.size, self.out, self.kernel, self.stride, self.padding,
                        self.dilation))


def _boxes(name, input, dims, kernel, stride, padding, dilation, ceil_mode):
    kernel = per_dim(name, "kernel_size", kernel, dims)
    no_stride = stride is None or (isinstance(stride, tuple | list) and not stride)
    stride = kernel if no_stride else per_dim(name, "stride", stride, dims)
    padding = per_dim(name, "padding", padding, dims)
    dilation = per_dim(name, "dilation", dilation, dims)
    at_least(name, 1, kernel_size=kernel, stride=stride, dilation=dilation)
    at_least(name, 0, padding=padding)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    if any(2 * p > span for p, span in zip(padding, spans, strict=True)):
        raise RuntimeError(f"{name}: padding {padding} is more than half of the kernel {kernel} "
                           f"with dilation {dilation}: a window could lie wholly outside")
    size = tuple(input.shape[2:])
    out = tuple(_count(*line, ceil_mode) for line in zip(size, spans, stride, padding,
                                                        strict=True))
    if min(out) < 1 or not input.shape[1]:
        raise RuntimeError(f"{name}: a kernel of {kernel} with dilation {dilation} and padding "
                           f"{padding} does not fit into an input of shape {tuple(input.shape)}")
    return Boxes(size, out, kernel, stride, padding, dilation)


def _count(size, span, stride, padding, ceil_mode):
    """The number of windows; none starts in the padding after the input."""
    room = size + 2 * padding - span
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - ((count - 1) * stride >= size + padding)


def _pool_samples(n: int, grad: bool, **options: Any) -> list[S]:
    """Samples for maximum and average pooling."""
    def x(*shape: int) -> Any:
        return t(*shape, *(7, 6, 5)[:n], distinct=grad)

    return [
        S(x(2, 2), 2, **options), S(x(2), (3, 2, 2)[:n], **options), S(x(1, 2), 3, 2, **options),
        S(x(1, 2), 3, 2, 1, **options), S(x(1, 2), 2, 3, ceil_mode=True, **options),
        S(x(1, 2), 3, 2, 1, ceil_mode=True, **options), S(x(1, 2), 1, **options),
        S(x(1, 1), (7, 6, 5)[:n], **options), S(x(0, 2), 2, **options),
    ]


def _autocast(dims: int) -> str:
    """PyTorch's autocast computes pooling over three dims in float32."""
    return "float32 on cpu" if dims == 3 else ""


def _max_pool(dims: int) -> Callable[..., Any]:
    name = f"max_pool{dims}d"

    def max_pool(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
                 return_indices=False):
        input, unbatched = with_batch(name, input, dims)
        boxes = _boxes(name, input, dims, kernel_size, stride, padding, dilation, ceil_mode)
        return _batched(_largest(input, boxes.lines(), return_indices), unbatched)

    return named(max_pool, name, f"""The largest element of each window of {dims} dims.

    At a tie the first element gets the gradient. The stride is kernel_size by default; with
    `ceil_mode` the last window may reach beyond the end. With `return_indices`,
    (values, indices), where the indices are those of the flattened {dims} dims, as in
    `max_unpool{dims}d`.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel.
    """, widens=True, autocast=_autocast(dims), samples=[
        *_pool_samples(dims, True), *_pool_samples(dims, True, return_indices=True)[::3],
        S(t(1, 2, *(7, 6, 5)[:dims], distinct=True), 2, 1, 1, 2)])


max_pool1d, max_pool2d, max_pool3d = map(_max_pool, (1, 2, 3))


def _avg_pool(dims: int) -> Callable[..., Any]:
    name = f"avg_pool{dims}d"

    def avg_pool(input, kernel_size, stride=None, padding=0, ceil_mode=False,
                 count_include_pad=True, divisor_override=None):
        input, unbatched = with_batch(name, input, dims)
        need_floating(name, input._array)
        boxes = _boxes(name, input, dims, kernel_size, stride, padding, 1, ceil_mode)
        if divisor_override is not None:
            if not divisor_override:
                raise RuntimeError(f"{name}: divisor_override must not be 0")
            result = _box_sum(input, boxes.lines()) / divisor_override
        else:
            result = _box_mean(input, boxes, count_include_pad)
        return result.squeeze(0) if unbatched else result

    def without_divisor(input, kernel_size, stride=None, padding=0, ceil_mode=False,
                        count_include_pad=True):
        return avg_pool(input, kernel_size, stride, padding, ceil_mode, count_include_pad)

    function = without_divisor if dims == 1 else avg_pool  # as PyTorch's signatures are
    x = t(1, 2, *(7, 6, 5)[:dims])
    samples = [*_pool_samples(dims, False), S(x, 3, 2, 1, True, False), S(x, 3, 2, 1, False, False)]
    return named(function, name, f"""The mean of each window of {dims} dims.

    Padding counts as zeros, or is ignored without `count_include_pad`. Positions beyond the
    padding, possible with `ceil_mode`, are ignored. `divisor_override` replaces the divisor.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *out) or (C, *out).

    Raises:
        RuntimeError: a kernel larger than the padded input; padding of more than half a kernel;
            integers, whose means PyTorch would truncate.
    """, widens=True, autocast=_autocast(dims),
       samples=samples + [S(x, 2, divisor_override=3)] * (dims > 1))


def _box_sum(input, lines):
    for axis, line in enumerate(lines, 2):
        input = window_sum(input, axis, line)
    return input


def _box_mean(input, boxes, count_include_pad):
    """The sum over each window divided by its number of elements, a product over the dims."""
    lines, divisors = zip(*(
        _of_means(*numbers, bool(count_include_pad)) for numbers in zip(
            boxes.size, boxes.out, boxes.kernel, boxes.stride, boxes.padding, strict=True)),
        strict=True)
    total, divisor = _box_sum(input, lines), math.prod(divisors)
    return total if divisor == 1 else total / divisor


@functools.lru_cache(LINES_KEPT)
def _of_means(size, out, kernel, stride, padding, count_include_pad):
    """A line, and what divides its sums to make them means."""
    line = even(size, out, kernel, stride, padding)
    low, high = (-padding, size + padding) if count_include_pad else (0, size)
    starts = [o * stride - padding for o in range(out)]
    counts = [min(start + kernel, high) - max(start, low) for start in starts]
    return (line, counts[0]) if len(set(counts)) == 1 else (line.scaled([1 / n for n in counts]), 1)


avg_pool1d, avg_pool2d, avg_pool3d = map(_avg_pool, (1, 2, 3))


# ---------------------------------------------------------------- adaptive pooling


def shares(size: int, out: int) -> list[range]:
    """`size` positions divided evenly among `out` windows, which may overlap."""
    return [range(i * size // out, -(-(i + 1) * size // out)) for i in range(out)]


@functools.lru_cache(LINES_KEPT)
def _of_shares(size, out):
    return ragged(size, shares(size, out))


@functools.lru_cache(LINES_KEPT)
def _of_share_means(size, out):
    return _of_shares(size, out).scaled([1 / len(w) for w in shares(size, out)])


def _adaptive(name, input, dims, output_size):
    """The batched input, whether it was unbatched, and the output size; None keeps a size."""
    input, unbatched = with_batch(name, input, dims)
    size = tuple(input.shape[2:])
    wanted = [w if w is None else integer(f"{name}: output_size", w)
              for w in (output_size if isinstance(output_size, tuple | list) else [output_size])]
    wanted = wanted * dims if len(wanted) == 1 else wanted
    if len(wanted) != dims:
        raise RuntimeError(f"{name}: output_size must be a number or {dims}, got {output_size}")
    wanted = tuple(n if w is None else w for w, n in zip(wanted, size, strict=True))
    at_least(name, 0, output_size=wanted)
    if 0 in input.shape[1:]:
        raise RuntimeError(f"{name}: only the batch may be empty, got an input of shape "
                           f"{tuple(input.shape)}")
    return input, unbatched, wanted


def _adaptive_samples(n: int, distinct: bool) -> list[S]:
    def x(*shape: int) -> Any:
        return t(*shape, *(7, 6, 5)[:n], distinct=distinct)

    sizes = [S(x(2, 2), 3), S(x(2), (2, 3, 4)[:n]), S(x(1, 2), 1), S(x(1, 2), 9), S(x(0, 2), 2)]
    return sizes + [S(x(1, 2), (None, 3, 2)[:n])] * (n > 1)


def _adaptive_avg_pool(dims: int) -> Callable[..., Any]:
    name = f"adaptive_avg_pool{dims}d"

    def adaptive_avg_pool(input, output_size):
        input, unbatched, wanted = _adaptive(name, input, dims, output_size)
        if set(wanted) == {1}:
            result = input.mean(tuple(range(2, dims + 2)), True)
        else:
            result = input
            for axis, (n, out) in enumerate(zip(input.shape[2:], wanted, strict=True), 2):
                result = window_sum(result, axis, _of_share_means(n, out))
        return result.squeeze(0) if unbatched else result

    return named(adaptive_avg_pool, name, f"""The mean of each of output_size windows of {dims}d.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """, widens=True, autocast=_autocast(dims), samples=_adaptive_samples(dims, False))


adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d = map(
    _adaptive_avg_pool, (1, 2, 3))


def _adaptive_max_pool(dims: int) -> Callable[..., Any]:
    name = f"adaptive_max_pool{dims}d"

    def adaptive_max_pool(input, output_size, return_indices=False):
        input, unbatched, wanted = _adaptive(name, input, dims, output_size)
        lines = list(map(_of_shares, input.shape[2:], wanted))
        return _batched(_largest(input, lines, return_indices), unbatched)

    samples = _adaptive_samples(dims, True)
    return named(adaptive_max_pool, name, f"""The largest element of each of output_size windows.

    Window i of n spans floor(i size / n) to ceil((i + 1) size / n). None keeps a size. With
    `return_indices`, (values, indices), indices into the flattened {dims} dims.

    Shapes: (N, C, *size) or (C, *size) -> (N, C, *output_size) or (C, *output_size).

    Raises:
        RuntimeError: sizes below 0, or another number of them.
    """, widens=True, autocast=_autocast(dims),
       samples=[*samples, *(S(*s.args, return_indices=True) for s in samples[:2])])


adaptive_max_pool1d, adaptive_max_pool2d, adaptive_max_pool3d = map(
    _adaptive_max_pool, (1, 2, 3))


# ---------------------------------------------------------------- power-average pooling, unpooling


def _lp_pool(dims: int, mean: Callable[..., Any],
             largest: Callable[..., Any]) -> Callable[..., Any]:
    def lp_pool(input, norm_type, kernel_size, stride=None, ceil_mode=False):
        if math.isinf(norm_type):  # the limits: the largest and the smallest absolute value
            sign = 1 if norm_type > 0 else -1
            return sign * largest(sign * input.abs(), kernel_size, stride, 0, 1, ceil_mode)
        means = mean(input.pow(norm_type), kernel_size, stride, 0, ceil_mode)
        elements = math.prod(per_dim(f"lp_pool{dims}d", "kernel_size", kernel_size, dims))
        return root(means * elements, norm_type)

    x = t(2, 2, *(7, 6, 5)[:dims], low=0.2)
    return named(lp_pool, f"lp_pool{dims}d", f"""(Σ input ** p) ** (1 / p), over {dims}d windows.

    Its derivative where the sum is 0 counts as 0. Shapes: (N, C, *size) or (C, *size) ->
    (N, C, *out) or (C, *out).
    """, widens=True, samples=[S(x, 2, 2), S(x, 3, 3, 2), S(x, 1.5, 2, ceil_mode=True)])


lp_pool1d, lp_pool2d, lp_pool3d = itertools.starmap(
    _lp_pool, ((1, avg_pool1d, max_pool1d), (2, avg_pool2d, max_pool2d),
               (3, avg_pool3d, max_pool3d)))


def _max_unpool(dims: int) -> Callable[..., Any]:
    name = f"max_unpool{dims}d"

    def max_unpool(input, indices, kernel_size, stride=None, padding=0, output_size=None):
        input, unbatched = with_batch(name, input, dims)
        indices, _ = with_batch(name, indices, dims)
        need_integers(name, indices._array)
        if input.shape != indices.shape:
            raise RuntimeError(f"{name}: input and indices must have one shape, got "
                               f"{tuple(input.shape)} and {tuple(indices.shape)}")
        size = _unpooled_size(name, input, dims, kernel_size, stride, padding, output_size)
        n, channels = input.shape[:2]
        # A copy: a node saves it, and a program may reuse its memory.
        places, planes = indices._array.copy().reshape(n * channels, -1), n * channels
        check_range(places, 0, math.prod(size) - 1, lambda index: RuntimeError(
            f"{name}: index {index} does not lie within an output of {size}; do output_size and "
            "kernel_size fit the pooling that made them?"))
        rows = creation.arange(planes, device=input.device)._array.reshape(-1, 1)
        empty = input.new_zeros((planes, math.prod(size)))
        result = setitem(empty, input.reshape(planes, -1), (rows, places))
        result = result.reshape(n, channels, *size)
        return result.squeeze(0) if unbatched else result

    one = (2, 3, *(1,) * dims)  # one element in each plane, so that no index repeats
    x, places = t(*one), ints(*one, high=2 ** dims)
    samples = [S(x, places, 2), S(x, places, 2, 3), S(x, places, 2, output_size=(3,) * dims)]
    return named(max_unpool, name, f"""Zeros, with each value at its index in a {dims}d output.

    `indices` are those of the flattened dims, as max_pool{dims}d returns them. Where indices
    repeat, the last value is written.

    Shapes: (N, C, *size) or (C, *size) twice -> (N, C, *out) or (C, *out), out = output_size or
    (size - 1) stride - 2 padding + kernel_size.

    Raises:
        RuntimeError: shapes that differ; an index outside of the output, or no integer.
        ValueError: an output_size that does not fit the pooling.
    """, autocast="float32 on cpu", samples=samples)


def _unpooled_size(name, input, dims, kernel, stride, padding, output_size):
    kernel = per_dim(name, "kernel_size", kernel, dims)
    stride = kernel if stride is None else per_dim(name, "stride", stride, dims)
    padding = per_dim(name, "padding", padding, dims)
    if min(stride) < 1:
        raise RuntimeError(f"{name}: stride must be positive, got {stride}")
    usual = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(
        input.shape[2:], stride, padding, kernel, strict=True))
    if output_size is None:
        return usual
    wanted = integers(f"{name}: output_size", output_size)[-dims:]
    if len(output_size) not in (dims, dims + 2) or any(
            not n - s < w < n + s for n, s, w in zip(usual, stride, wanted, strict=True)):
        raise ValueError(f"{name}: output_size {tuple(output_size)} is not within the stride "
                         f"{stride} of {usual}")
    return wanted


max_unpool1d, max_unpool2d, max_unpool3d = map(_max_unpool, (1, 2, 3))
