"""Functions that make Tensors: from data, filled, counted, random."""

from __future__ import annotations

import math
from typing import Any

import numpy

from . import device as devices
from . import dtypes, random
from .autograd.engine import tensor_of
from .tensor import Tensor

__all__ = ["tensor", "as_tensor", "asarray", "from_numpy", "from_dlpack", "zeros", "ones", "empty",
           "full", "zeros_like", "ones_like", "empty_like", "full_like", "arange", "linspace",
           "eye", "rand", "randn", "randint", "randperm", "rand_like", "randn_like",
           "randint_like"]


def _finish(array: Any, requires_grad: bool) -> Tensor:
    tensor: Tensor = tensor_of(array, None)
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _wanted(dtype: Any) -> Any:
    return (dtypes.get_default_dtype() if dtype is None else dtypes.resolve(dtype)).numpy


def shape_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape in zeros(2, 3), zeros((2, 3)) and zeros(torch_size).

    Raises:
        TypeError, RuntimeError: not integers, or negative ones.
    """
    if len(sizes) == 1 and isinstance(sizes[0], tuple | list):
        sizes = tuple(sizes[0])
    shape = tuple(n.__index__() for n in sizes)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"a shape has no negative sizes: {shape}")
    return shape


def from_data(data: Any, dtype: Any = None) -> Any:
    """A new NumPy (or CuPy) array with the values of numbers, nested lists, arrays, Tensors."""
    wanted = None if dtype is None else dtypes.resolve(dtype).numpy
    if isinstance(data, Tensor):
        array = data._array.copy()
    elif devices.is_array(data) or isinstance(data, numpy.generic):
        array = devices.as_array(data).copy()
    elif hasattr(data, "__array__") or hasattr(data, "__dlpack__"):
        array = numpy.array(data)
    else:
        array = _from_lists(data)
    if wanted is not None:
        array = array.astype(wanted, copy=False)
    dtypes.of_array(array)
    return array


def _from_lists(data: Any) -> Any:
    def plain(x: Any) -> Any:
        if isinstance(x, Tensor):
            return x.tolist()
        return [plain(e) for e in x] if isinstance(x, list | tuple | range) else x

    try:
        array = numpy.array(plain(data))
    except ValueError as error:
        raise ValueError(f"tensor: the nested lists are not rectangular ({error})") from None
    if array.dtype == object and not array.size:
        array = array.astype(numpy.float64)
    if array.dtype.kind not in "biufO":
        raise TypeError(f"tensor: cannot make a Tensor of {type(data).__name__} data of "
                        f"dtype {array.dtype}; give numbers, or nested lists of them")
    first = data
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if isinstance(first, numpy.generic | numpy.ndarray | Tensor):
        return array
    return array.astype(dtypes.get_default_dtype().numpy) if array.dtype.kind == "f" else array


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:
    """A leaf Tensor with a copy of `data`: numbers, nested lists, arrays.

    Python floats become the default dtype, ints int64, bools bool; arrays keep theirs.

    Raises:
        ValueError: lists that are not rectangular.
        TypeError: a dtype that Tensors do not have.
        RuntimeError: requires_grad on integers; a device that is not there.
    """
    array = from_data(data, dtype)
    where = devices.device_of(array) if device is None else devices.resolve(device)
    return _finish(devices.to_device(array, where), requires_grad)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """`data` as a Tensor that shares its memory where it can."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    if isinstance(data, numpy.ndarray) or devices.is_gpu_array(data):
        return from_numpy(data).to(device=device, dtype=dtype)
    return tensor(data, dtype=dtype, device=device)


asarray = as_tensor


def from_numpy(array: Any) -> Tensor:
    """A Tensor in the memory of a NumPy (or CuPy) array: what one writes, the other sees.

    Raises:
        TypeError: not an array, or of a dtype that Tensors do not have.
    """
    if not devices.is_array(array):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}; "
                        "tensor(...) takes other data")
    dtypes.of_array(array)
    return _finish(array, False)


def from_dlpack(other: Any) -> Tensor:
    """A Tensor in the memory of another library's array (PyTorch, CuPy, JAX), through DLPack."""
    kind = other.__dlpack_device__()[0]
    module = numpy if int(kind) == 1 else devices.module_for(devices.device("cuda"))
    array = module.from_dlpack(other)
    if not array.flags.writeable if module is numpy else False:
        pass
    dtypes.of_array(array)
    return _finish(array, False)


def _filled(name: str, doc: str) -> Any:
    def make(*size: Any, dtype: Any = None, device: Any = None, requires_grad: bool = False,
             **ignored: Any) -> Tensor:
        shape = shape_of((ignored.pop("size"),) if "size" in ignored else size)
        array = devices.on(devices.resolve(device),
                           lambda xp: getattr(xp, name)(shape, dtype=_wanted(dtype)))
        return _finish(array, requires_grad)

    make.__name__, make.__doc__ = name, doc
    return make


zeros = _filled("zeros", "A Tensor of zeros: zeros(2, 3) or zeros((2, 3)).")
ones = _filled("ones", "A Tensor of ones: ones(2, 3) or ones((2, 3)).")
empty = _filled("empty", "A Tensor whose values are whatever was in memory.")


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:
    """A Tensor of one value, whose dtype follows the value: full((2, 3), 7)."""
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    wanted = dtypes.of_number(fill_value).numpy if dtype is None else _wanted(dtype)
    array = devices.on(devices.resolve(device),
                       lambda xp: xp.full(shape_of((size,)), fill_value, dtype=wanted))
    return _finish(array, requires_grad)


def _like(make: Any, name: str) -> Any:
    def function(input: Tensor, *args: Any, dtype: Any = None, device: Any = None,
                 requires_grad: bool = False, memory_format: Any = None) -> Tensor:
        return make(tuple(input.shape), *args, dtype=dtype or input.dtype,
                    device=device or input.device, requires_grad=requires_grad)

    function.__name__ = f"{name}_like"
    function.__doc__ = f"As `{name}`, with the shape, dtype and device of the input."
    return function


def _new(make: Any, name: str) -> Any:
    def method(self: Tensor, *args: Any, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:
        return make(*args, dtype=dtype or self.dtype, device=device or self.device,
                    requires_grad=requires_grad)

    method.__name__ = f"new_{name}"
    method.__doc__ = f"As `{name}`, with the dtype and device of this Tensor."
    return method


zeros_like, ones_like, empty_like = (_like(f, f.__name__) for f in (zeros, ones, empty))
full_like = _like(full, "full")
for _make in (zeros, ones, empty, full):
    setattr(Tensor, f"new_{_make.__name__}", _new(_make, _make.__name__))


def new_tensor(self: Tensor, data: Any, *, dtype: Any = None, device: Any = None,
               requires_grad: bool = False) -> Tensor:
    """As `tensor`, with the dtype and device of this Tensor."""
    return tensor(data, dtype=dtype or self.dtype, device=device or self.device,
                  requires_grad=requires_grad)


Tensor.new_tensor = new_tensor  # type: ignore[attr-defined]


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None,
           requires_grad: bool = False) -> Tensor:
    """start, start + step, ... before end: int64 from integers, else the default dtype.

    Raises:
        RuntimeError: a step of 0, or away from the end.
    """
    if end is None:
        start, end = 0, start
    start, end, step = (x.item() if isinstance(x, Tensor) else x for x in (start, end, step))
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: from {start} to {end} there is no step {step}")
    floating = any(isinstance(x, float) for x in (start, end, step))
    wanted = (_wanted(None) if floating else dtypes.int64.numpy) if dtype is None \
        else _wanted(dtype)
    count = math.ceil((end - start) / step)
    array = devices.on(devices.resolve(device), lambda xp: (
        xp.arange(count) * step + start).astype(wanted))
    return _finish(array, requires_grad)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """`steps` values at equal distances from start to end, both included."""
    if steps < 0:
        raise RuntimeError(f"linspace: the number of steps must not be negative, got {steps}")
    array = devices.on(devices.resolve(device), lambda xp: xp.linspace(
        float(start), float(end), steps).astype(_wanted(dtype)))
    return _finish(array, requires_grad)


def eye(n: int, m: int | None = None, *, dtype: Any = None, device: Any = None,
        requires_grad: bool = False) -> Tensor:
    """Ones on the diagonal of an (n, m) matrix of zeros; m is n by default."""
    array = devices.on(devices.resolve(device),
                       lambda xp: xp.eye(n, n if m is None else m, dtype=_wanted(dtype)))
    return _finish(array, requires_grad)


# ---------------------------------------------------------------- random


def _random(draw: Any, shape: tuple[int, ...], dtype: Any, device: Any, generator: Any,
            requires_grad: bool) -> Tensor:
    """Values that `draw(numpy generator, shape)` gives, on a device."""
    where = devices.resolve(device)
    stream = generator or random.default_generator(where)
    array = numpy.asarray(draw(stream.numpy, shape)).astype(dtype, copy=False)
    return _finish(devices.to_device(array, where), requires_grad)


def rand(*size: Any, generator: Any = None, dtype: Any = None, device: Any = None,
         requires_grad: bool = False) -> Tensor:
    """Uniformly distributed values in [0, 1)."""
    wanted = _wanted(dtype)
    single = wanted == numpy.float32

    def draw(stream: Any, shape: Any) -> Any:
        return stream.random(shape, dtype=numpy.float32 if single else numpy.float64)

    return _random(draw, shape_of(size), wanted, device, generator, requires_grad)


def randn(*size: Any, generator: Any = None, dtype: Any = None, device: Any = None,
          requires_grad: bool = False) -> Tensor:
    """Normally distributed values, mean 0 and variance 1."""
    wanted = _wanted(dtype)
    single = wanted == numpy.float32

    def draw(stream: Any, shape: Any) -> Any:
        return stream.standard_normal(shape, dtype=numpy.float32 if single else numpy.float64)

    return _random(draw, shape_of(size), wanted, device, generator, requires_grad)


def randint(low: int, high: Any = None, size: Any = None, *, generator: Any = None,
            dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Uniformly distributed integers in [low, high): randint(high, size) or with low first."""
    if size is None or isinstance(high, tuple | list):
        low, high, size = 0, low, high if size is None else size
    if not low < high:
        raise RuntimeError(f"randint: there is no integer in [{low}, {high})")
    wanted = dtypes.int64.numpy if dtype is None else _wanted(dtype)
    return _random(lambda stream, shape: stream.integers(low, high, shape), shape_of((size,)),
                   wanted, device, generator, requires_grad)


def randperm(n: int, *, generator: Any = None, dtype: Any = None, device: Any = None,
             requires_grad: bool = False) -> Tensor:
    """The integers 0 to n - 1 in random order."""
    wanted = dtypes.int64.numpy if dtype is None else _wanted(dtype)
    return _random(lambda stream, shape: stream.permutation(n), (n,), wanted, device, generator,
                   requires_grad)


rand_like, randn_like = _like(rand, "rand"), _like(randn, "randn")


def randint_like(input: Tensor, low: int, high: int | None = None, *, dtype: Any = None,
                 device: Any = None, requires_grad: bool = False) -> Tensor:
    """As `randint`, with the shape, dtype and device of the input."""
    low, high = (0, low) if high is None else (low, high)
    return randint(low, high, tuple(input.shape), dtype=dtype or input.dtype,
                   device=device or input.device, requires_grad=requires_grad)
