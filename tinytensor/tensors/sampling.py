"""Random numbers: new Tensors, samples of distributions, in-place methods.

Numbers are drawn on their device, from the argument `generator` or that of the device. Those of
the CPU are PyTorch's; `arrays/streams.py` says how they follow from the seed, and
`arrays/philox.py` how those of a GPU do.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy

from .. import random
from ..arrays import dtypes
from ..arrays.devices import array_module, as_array, on, resolve, to_device, to_numpy
from ..arrays.devices import device as device_type
from ..arrays.numbers import integer
from ..arrays.streams import Stream, in_memory_order, memory_dims
from ..autograd.deferred import check_all, check_range
from ..autograd.graph import tensor_of
from .creation import (
    Like,
    empty_like,
    finish,
    like,
    need_tensor,
    number_of,
    shape_argument,
    size_of,
    wanted_dtype,
)
from .tensor import DeviceLike, DTypeLike, NumPyArray, Tensor

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]

PRECISION = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}  # bits of a number
UNIT = numpy.dtype("float64")
Draw: TypeAlias = Callable[[Stream, int], NumPyArray]  # so many numbers, 1-d


def stream_of(generator: random.Generator | None, where: device_type) -> Stream:
    """The stream of `generator`, or of the device's default generator.

    Raises:
        RuntimeError: `generator` belongs to another type of device.
    """
    generator = random.generator_of(where) if generator is None else generator
    if generator.device.type != where.type:
        raise RuntimeError(f"a generator of device {generator.device} cannot draw for {where}; "
                           f"make it with Generator({where.type!r})")
    return generator.stream


def _drawn(draw: Draw, shape: Sequence[int], dtype: numpy.dtype[Any] | type[numpy.generic],
           device: DeviceLike | None, generator: random.Generator | None,
           requires_grad: bool = False) -> Tensor:
    where = resolve(device)
    stream = stream_of(generator, where)

    def drawn(xp: Any) -> Any:
        return as_array(draw(stream, math.prod(shape))).reshape(shape).astype(dtype, copy=False)

    return finish(to_device(on(where, drawn), where), requires_grad)


def _check_floating(name: str, dtype: numpy.dtype[Any]) -> None:
    if not dtypes.is_floating(dtype):
        raise NotImplementedError(f"{name}: needs a floating point dtype, got {dtype.name}")


def _check_std(name: str, std: float) -> None:
    if std < 0:
        raise RuntimeError(f"{name}: the standard deviation must not be negative, got {std}")


def _check_positive(name: str, parameter: str, value: float) -> None:
    if value <= 0:
        raise RuntimeError(f"{name}: {parameter} must be positive, got {value}")


# ---------------------------------------------------------------- new Tensors


def rand(*size: int | Sequence[int], generator: random.Generator | None = None,
         dtype: DTypeLike | None = None, layout: str | None = None,
         device: DeviceLike | None = None, requires_grad: bool = False, pin_memory: bool = False,
         **keyword: Sequence[int]) -> Tensor:
    """Uniformly distributed values in [0, 1)."""
    wanted, shape = wanted_dtype(dtype), shape_argument("rand", size, keyword)
    _check_floating("rand", wanted)
    return _drawn(lambda s, count: s.uniform_in(count, wanted), shape, wanted, device, generator,
                  requires_grad)


def randn(*size: int | Sequence[int], generator: random.Generator | None = None,
          dtype: DTypeLike | None = None, layout: str | None = None,
          device: DeviceLike | None = None, requires_grad: bool = False, pin_memory: bool = False,
          **keyword: Sequence[int]) -> Tensor:
    """Normally distributed values, mean 0 and variance 1."""
    wanted, shape = wanted_dtype(dtype), shape_argument("randn", size, keyword)
    _check_floating("randn", wanted)
    return _drawn(lambda s, count: s.normal(count, wanted), shape, wanted, device, generator,
                  requires_grad)


def randint(low: int | None = None, high: int | Sequence[int] | None = None,
            size: Sequence[int] | None = None, *, generator: random.Generator | None = None,
            dtype: DTypeLike | None = None, layout: str | None = None,
            device: DeviceLike | None = None, requires_grad: bool = False,
            pin_memory: bool = False) -> Tensor:
    """Uniform integers in [low, high): randint(high, size) or randint(low, high, size).

    Raises:
        TypeError: no size, or one that is not a tuple.
        RuntimeError: an empty range, or integers that the dtype cannot represent.
    """
    if isinstance(high, tuple | list):
        low, high, size = None, low, high
    elif high is None:
        low, high = None, low
    if high is None or size is None:
        raise TypeError("randint: write randint(high, size) or randint(low, high, size), with a "
                        "tuple for size")
    wanted, shape = wanted_dtype(dtype, dtypes.int64), size_of("randint", size)
    bounds = number_of(0 if low is None else low), number_of(high)
    _check_integers("randint", *bounds, wanted)
    return _drawn(lambda s, count: s.integers(*bounds, count), shape, wanted, device, generator,
                  requires_grad)


def _check_integers(name: str, low: int, high: int, dtype: numpy.dtype[Any]) -> None:
    if not low < high:
        raise RuntimeError(f"{name}: low must be less than high, got {low} and {high}")
    least, most = _integers_of(dtype)
    if low < least or high - 1 > most:
        raise RuntimeError(f"{name}: {dtype.name} cannot represent all integers in "
                           f"[{low}, {high}); give a wider dtype")


def _integers_of(dtype: numpy.dtype[Any]) -> tuple[int, int]:
    """The range of integers that a dtype represents exactly."""
    if dtype.kind == "b":
        return 0, 1
    if dtypes.is_floating(dtype):
        return -2 ** PRECISION[dtype.name], 2 ** PRECISION[dtype.name]
    return int(numpy.iinfo(dtype).min), int(numpy.iinfo(dtype).max)


def randperm(n: int, *, generator: random.Generator | None = None, dtype: DTypeLike | None = None,
             layout: str | None = None, device: DeviceLike | None = None,
             requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """The integers 0 to n - 1 in random order.

    Raises:
        RuntimeError: a negative n, or integers that the dtype cannot represent.
    """
    wanted, n = wanted_dtype(dtype, dtypes.int64), integer("randperm: n", n)
    if n < 0:
        raise RuntimeError(f"randperm: n must not be negative, got {n}")
    if n:
        _check_integers("randperm", 0, n, wanted)
    return _drawn(lambda s, count: s.permutation(count), (n,), wanted, device, generator,
                  requires_grad)


def normal(mean: Tensor | float = 0.0, std: Tensor | float = 1.0, size: Sequence[int] | None = None,
           *, generator: random.Generator | None = None, dtype: DTypeLike | None = None,
           layout: str | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:
    """Normally distributed values: normal(mean, std, size), or with Tensors for mean, std or both.

    No gradient flows to mean and std; for one write mean + std * randn_like(std).

    Raises:
        TypeError: two numbers without a size, or a Tensor with one.
        RuntimeError: a negative standard deviation.
    """
    tensors = [x for x in (mean, std) if isinstance(x, Tensor)]
    if not tensors:
        if size is None:
            raise TypeError("normal: with numbers for mean and std, size must be given")
        _check_std("normal", std)  # type: ignore[arg-type]
        wanted, shape = wanted_dtype(dtype), size_of("normal", size)
        _check_floating("normal", wanted)
        return _drawn(lambda s, count: s.normal(count, wanted) * float(std) + float(mean), shape,
                      wanted, device, generator, requires_grad)
    if size is not None:
        raise TypeError("normal: with a Tensor for mean or std, the size is its shape; leave "
                        "size out")
    wanted = dtypes.result_dtype(tuple(x._array for x in tensors))
    _check_floating("normal", wanted)
    if isinstance(std, Tensor):
        check_all(~(std._array < 0), lambda: RuntimeError(
            "normal: the standard deviations must not be negative"))
    else:
        _check_std("normal", std)
    where = tensors[0].device
    centre, scale = (to_device(x._array, where) if isinstance(x, Tensor) else float(x)
                     for x in (mean, std))
    shape = numpy.broadcast_shapes(*(tuple(x.shape) for x in tensors))
    return _drawn(lambda s, count: s.normal(count, wanted).astype(wanted).reshape(shape) * scale
                  + centre, shape, wanted, where, generator)


# ---------------------------------------------------------------- samples of distributions


def bernoulli(input: Tensor, p: float | None = None, *,
              generator: random.Generator | None = None) -> Tensor:
    """1 with the probability in each element of the input (or p), else 0. Shapes: (*) -> (*).

    Raises:
        RuntimeError: a probability outside of [0, 1].
    """
    return input.new_empty(tuple(input.shape)).bernoulli_(
        input if p is None else p, generator=generator)


def multinomial(input: Tensor, num_samples: int, replacement: bool = False, *,
                generator: random.Generator | None = None) -> Tensor:
    """Indices drawn with probabilities proportional to the weights in each row.

    Shapes: (C) -> (S), (N, C) -> (N, S), int64. Without replacement the indices of a row differ:
    those of the largest weight / exponential (Efraimidis and Spirakis 2006).

    Raises:
        RuntimeError: not 1 or 2 dims; weights that are not floating point, negative, not finite,
            or all 0; without replacement more samples than weights.
    """
    if input.ndim not in (1, 2):
        raise RuntimeError(f"multinomial: expects weights (C) or (N, C), got shape "
                           f"{tuple(input.shape)}")
    if not input.dtype.is_floating_point:
        raise RuntimeError(f"multinomial: weights must be floating point, got {input.dtype}; "
                           "convert them with .float()")
    num_samples = integer("multinomial: num_samples", num_samples)
    if num_samples < 1 or (not replacement and num_samples > input.shape[-1]):
        raise RuntimeError(f"multinomial: cannot draw {num_samples} of {input.shape[-1]} indices"
                           + (" without replacement" if num_samples > 0 else ""))
    weights = input._array.reshape(-1, input.shape[-1])
    check_all((weights >= 0) & (weights < math.inf), lambda: RuntimeError(
        "multinomial: weights must be finite and not negative"))
    check_all(weights.sum(axis=1) > 0, lambda: RuntimeError(
        "multinomial: every row must have a positive weight"))
    draw = _with_replacement if replacement and num_samples > 1 else _without_replacement
    return _drawn(lambda s, _: draw(s, weights, num_samples),
                  (*input.shape[:-1], num_samples), numpy.int64, input.device, generator)


def _without_replacement(stream: Stream, weights: NumPyArray, count: int) -> NumPyArray:
    times = stream.exponential(weights.size).astype(weights.dtype).reshape(weights.shape)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        keys = stream.xp.where(weights > 0, weights / times, 0.0)
    if count == 1:
        return stream.xp.argmax(keys, axis=1)
    return stream.xp.argsort(-keys, axis=1, kind="stable")[:, :count]


def _with_replacement(stream: Stream, weights: NumPyArray, count: int) -> NumPyArray:
    if stream.xp is not numpy:
        return _with_replacement_at_once(stream, weights.astype("float64"), count)
    indices = numpy.empty((len(weights), count), dtype=numpy.int64)
    for row, w in zip(indices, weights, strict=True):
        total = numpy.cumsum(w)
        total /= total[-1]
        # A weight of 0 leaves no room between two sums; the first is found, except at the start.
        row[:] = numpy.searchsorted(total, stream.uniform(count, UNIT))
    return indices


def _with_replacement_at_once(stream: Stream, weights: Any, count: int) -> Any:
    """The same for all rows in one search: the sums of row i are in (i, i + 1]."""
    xp, (rows, classes) = stream.xp, weights.shape
    first = xp.arange(rows, dtype=weights.dtype)[:, None]
    sums = xp.cumsum(weights, axis=1)
    sums = (sums / sums[:, -1:] + first).reshape(-1)
    drawn = stream.uniform(rows * count, UNIT).reshape(rows, count) + first
    found = xp.searchsorted(sums, drawn.reshape(-1), side="right").reshape(rows, count)
    last = classes - 1 - xp.argmax(weights[:, ::-1] > 0, axis=1)[:, None]  # where sums round to 1
    return xp.minimum(found - xp.arange(rows)[:, None] * classes, last)


def poisson(input: Tensor, generator: random.Generator | None = None) -> Tensor:
    """Poisson distributed counts with the rates in the input. Shapes: (*) -> (*).

    They are drawn on the host, for a GPU too.

    Raises:
        RuntimeError: a negative rate.
    """
    _check_floating("poisson", input.dtype.numpy)
    rates = to_numpy(input._array)
    if rates.size and not rates.min() >= 0:
        raise RuntimeError(f"poisson: rates must not be negative, got {rates.min()}")
    return _drawn(lambda s, _: numpy.asarray(s.numpy.poisson(rates)), rates.shape, rates.dtype,
                  input.device, generator)


# ---------------------------------------------------------------- in-place methods


def _fill(name: str, self: Tensor, generator: random.Generator | None, draw: Draw,
          integers: bool = False) -> Tensor:
    """Fills a Tensor with draw(stream, count), in the order of its elements in memory."""
    dtype = self.dtype.numpy
    if not integers:
        _check_floating(name, dtype)
    self._check_write(name)
    stream, old = stream_of(generator, self.device), self._array
    with numpy.errstate(over="ignore"):
        values = on(self.device, lambda xp: in_memory_order(draw(stream, old.size), old).astype(
            dtype, copy=False))
    return self._write(name, tensor_of(to_device(values, self.device), None))


def uniform_(self: Tensor, from_: float = 0, to: float = 1, *,
             generator: random.Generator | None = None) -> Tensor:
    """Fills with uniformly distributed values in [from_, to)."""
    from_, to = number_of(from_), number_of(to)
    if from_ > to:
        raise RuntimeError(f"uniform_: from_ must not be greater than to, got {from_} and {to}")
    dtype = self.dtype.numpy
    return _fill("uniform_", self, generator,
                 lambda s, count: s.uniform_in(count, dtype, from_, to))


def normal_(self: Tensor, mean: float = 0, std: float = 1, *,
            generator: random.Generator | None = None) -> Tensor:
    """Fills with normally distributed values."""
    mean, std = number_of(mean), number_of(std)
    _check_std("normal_", std)
    dtype, contiguous = self.dtype.numpy, self._array.flags.c_contiguous

    def draw(stream: Stream, count: int) -> NumPyArray:
        values = stream.normal(count, dtype, contiguous)
        values *= std
        values += mean
        return values

    return _fill("normal_", self, generator, draw)


def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *,
                generator: random.Generator | None = None) -> Tensor:
    """Fills with e ** x for normally distributed x of this mean and standard deviation."""
    mean, std = number_of(mean), number_of(std)
    _check_positive("log_normal_", "std", std)
    return _fill("log_normal_", self, generator,
                 lambda s, count: s.xp.exp(s.serial_normal(count) * std + mean))


def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *,
            generator: random.Generator | None = None) -> Tensor:
    """Fills with Cauchy distributed values."""
    median, sigma = number_of(median), number_of(sigma)
    _check_positive("cauchy_", "sigma", sigma)
    return _fill("cauchy_", self, generator, lambda s, count: s.xp.tan(
        (s.uniform(count, UNIT) - 0.5) * math.pi) * sigma + median)


def exponential_(self: Tensor, lambd: float = 1, *,
                 generator: random.Generator | None = None) -> Tensor:
    """Fills with exponentially distributed values of rate lambd."""
    lambd = number_of(lambd)
    _check_positive("exponential_", "lambd", lambd)
    return _fill("exponential_", self, generator, lambda s, count: s.exponential(count) / lambd)


def geometric_(self: Tensor, p: float, *, generator: random.Generator | None = None) -> Tensor:
    """Fills with the number of trials until the first success, at probability p each: 1, 2, ..."""
    p = number_of(p)
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_: p must be in (0, 1), got {p}")
    return _fill("geometric_", self, generator, lambda s, count: s.xp.ceil(
        s.xp.log(s.uniform(count, UNIT)) / math.log1p(-p)), integers=True)


def bernoulli_(self: Tensor, p: Tensor | float = 0.5, *,
               generator: random.Generator | None = None) -> Tensor:
    """Fills with 1 with probability p (a number, or a Tensor that broadcasts), else 0."""
    if not isinstance(p, Tensor):
        if not 0 <= p <= 1:
            raise RuntimeError(f"bernoulli: probabilities must be in [0, 1], got {p}")
        return _fill("bernoulli_", self, generator, lambda s, count: s.less(count, p),
                     integers=True)
    _check_floating("bernoulli", p.dtype.numpy)
    check_range(p._array, 0, 1, lambda value: RuntimeError(
        f"bernoulli: probabilities must be in [0, 1], got {value}"))
    old = self._array
    chances = array_module(old).broadcast_to(to_device(p._array, self.device), old.shape)

    def draw(stream: Stream, count: int) -> NumPyArray:
        uniform = in_memory_order(stream.uniform(count, chances.dtype), old)
        return (uniform < chances).transpose(memory_dims(old)).reshape(-1)

    return _fill("bernoulli_", self, generator, draw, integers=True)


NOT_GIVEN: Any = object()


def random_(self: Tensor, from_: int | None = None, to: int | None = NOT_GIVEN, *,
            generator: random.Generator | None = None) -> Tensor:
    """Fills with integers in [from_, to), in [0, to) for one argument, or in the dtype's range.

    random_(from_, None) has the largest number of the dtype as its last. For a floating point
    dtype the range is that in which every integer is exact.
    """
    dtype, wide = self.dtype.numpy, None
    if from_ is None:
        from_, to, wide = 0, _integers_of(dtype)[1] + 1, dtype in (numpy.int64, numpy.float64)
    elif to is NOT_GIVEN:
        from_, to = 0, from_
    elif to is None:
        to = _integers_of(dtype)[1] + 1
    bounds = number_of(from_ or 0), number_of(to)
    _check_integers("random_", *bounds, dtype)
    return _fill("random_", self, generator, lambda s, count: s.integers(*bounds, count, wide),
                 integers=True)


def _like(make: Callable[..., Tensor], name: str, fill: Callable[..., Tensor]) -> Like:
    """The variant `<name>_like`. It draws in the order of the input's elements in memory, from the
    stream that PyTorch's `fill` uses for such a layout.
    """
    ordered = like(make, name)

    @functools.wraps(ordered)
    def function(input: Tensor, *args: Any, requires_grad: bool = False,
                 generator: random.Generator | None = None, **options: Any) -> Tensor:
        need_tensor(f"{name}_like", input)
        if input._array.flags.c_contiguous:
            return ordered(input, *args, requires_grad=requires_grad, generator=generator,
                           **options)
        made = fill(empty_like(input, **options), *args, generator=generator)
        return made.requires_grad_(requires_grad)

    return function


def _randint(size: Sequence[int], low: int | None = None, high: int | None = None,
             **options: Any) -> Tensor:
    return randint(low, high, size, **options)


def _randint_(self: Tensor, low: int | None = None, high: int | None = None,
              **options: Any) -> Tensor:
    return random_(self, *((low,) if high is None else (low, high)), **options)


rand_like: Like = _like(rand, "rand", uniform_)
randn_like: Like = _like(randn, "randn", normal_)
randint_like: Like = _like(_randint, "randint", _randint_)
for _function in (uniform_, normal_, log_normal_, cauchy_, exponential_, geometric_, bernoulli_,
                  random_, bernoulli, multinomial):
    setattr(Tensor, _function.__name__, _function)
