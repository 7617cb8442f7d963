"""Functions that make Tensors: from data, filled with a value, ranges. Random ones: sampling.py."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy

from ..arrays import devices, dtypes
from ..arrays.numbers import integer, integers, is_integer, python_number
from ..arrays.streams import memory_dims
from ..autograd.frames import shorten, warn
from ..autograd.graph import tensor_of
from ..autograd.modes import mode
from .tensor import DeviceLike, DTypeLike, Number, NumPyArray, Tensor

__all__ = [
    "arange",
    "as_tensor",
    "asarray",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "frombuffer",
    "full",
    "full_like",
    "linspace",
    "logspace",
    "ones",
    "ones_like",
    "tensor",
    "tril_indices",
    "triu_indices",
    "zeros",
    "zeros_like",
]


def finish(array: Any, requires_grad: bool) -> Tensor:
    """A leaf Tensor that holds `array`."""
    tensor: Tensor = tensor_of(array, None)
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def wanted_dtype(dtype: DTypeLike | None,
                 otherwise: dtypes.dtype | None = None) -> numpy.dtype[Any]:
    """The NumPy dtype of an argument `dtype`; for None that of `otherwise` or the default dtype."""
    if dtype is None:
        dtype = dtypes.get_default_dtype() if otherwise is None else otherwise
    return dtypes.resolve(dtype).numpy


def number_of(x: Any) -> Any:
    """A number that may come as a Tensor of one element, or as a NumPy scalar."""
    return x.item() if isinstance(x, Tensor) else python_number(x)


def shape_argument(name: str, sizes: tuple[Any, ...], keyword: dict[str, Any]) -> tuple[int, ...]:
    """The shape in name(2, 3), name((2, 3)) and name(size=(2, 3))."""
    if set(keyword) - {"size"} or (keyword and sizes):
        raise TypeError(f"{name}() got an unexpected keyword argument {next(iter(keyword))!r}")
    return shape_of(sizes or tuple(keyword.values()))


def shape_of(sizes: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape in zeros(2, 3), zeros((2, 3)) and zeros(x.shape).

    Raises:
        TypeError: no sizes, or sizes that are not integers.
        RuntimeError: a negative size.
    """
    if not sizes:
        raise TypeError("the shape is missing: write zeros(2, 3), or zeros(()) for a 0-d Tensor")
    if len(sizes) == 1 and not is_integer(sizes[0]):
        (sizes,) = sizes
    shape = integers("the sizes of a shape", sizes)
    if any(n < 0 for n in shape):
        raise RuntimeError(f"the sizes of a shape must not be negative, got {shape}")
    return shape


def size_of(name: str, size: Sequence[int]) -> tuple[int, ...]:
    """The shape from an argument `size`, which must be a tuple or list."""
    if not isinstance(size, tuple | list):
        raise TypeError(f"{name}: size must be a tuple of integers, got {type(size).__name__}; "
                        f"write ({size},)")
    return shape_of((size,))


# ---------------------------------------------------------------- from data


def from_data(data: Any, dtype: DTypeLike | None = None) -> Any:
    """A new array with a copy of the data: numbers, nested lists, arrays or Tensors."""
    wanted = None if dtype is None else dtypes.resolve(dtype).numpy
    if isinstance(data, Tensor):
        array = data._array.copy()
    elif devices.is_array(data) or isinstance(data, numpy.generic):
        array = devices.plain_array(devices.as_array(data)).copy()
    elif hasattr(data, "__array__") or hasattr(data, "__dlpack__"):
        array = numpy.array(data)
    else:
        array = _from_lists(data, wanted)
    if array.dtype.kind == "O":
        _check_values(array)
    if wanted is not None:
        array = array.astype(wanted, copy=False)
    dtypes.of_array(array)
    return array


def _from_lists(data: Any, wanted: numpy.dtype[Any] | None) -> NumPyArray:
    """An array of a number or nested sequences of numbers, of the dtype to which they promote."""
    kinds = _kinds(data)
    if any(map(_is_sequence, kinds)):
        data = _listed(data)
        kinds = _kinds(data)
    try:
        if kinds <= {bool, int, float}:  # NumPy's own conversion is the fastest
            array = numpy.array(data)
            common = dtypes.get_default_dtype().numpy if array.dtype.kind == "f" else None
        else:
            leaves = [_dtype_of(leaf) for leaf in _leaves(data)]
            array = numpy.array(_plain(data))
            common = functools.reduce(dtypes.promote_types, leaves).numpy
    except ValueError as error:
        if "inhomogeneous" not in str(error):
            raise
        raise ValueError(f"tensor: the nested lists are not rectangular ({error})") from None
    if kinds <= {bool, int, float} and array.dtype.kind in "Ou" and array.size:
        raise ValueError("tensor: an integer is too large for int64; write it as a float")
    if wanted is not None:
        return dtypes.checked_range("tensor", array, wanted)
    return array if common is None else array.astype(common)


def _kinds(data: object) -> set[type]:
    """The types of the elements of nested sequences."""
    if not isinstance(data, list | tuple | range):
        return {type(data)}
    kinds = set(map(type, data))
    if kinds & {list, tuple, range}:
        return set().union(*map(_kinds, data))
    return kinds


def _is_sequence(kind: type) -> bool:
    """Whether it is a sequence of elements, such as deque and array.array."""
    return issubclass(kind, Sequence) and not issubclass(kind, str | bytes)


def _listed(data: Any) -> Any:
    """Nested sequences of all kinds as nested lists."""
    return [_listed(element) for element in data] if _is_sequence(type(data)) else data


def _leaves(data: object) -> Iterator[Any]:
    if isinstance(data, list | tuple | range):
        for element in data:
            yield from _leaves(element)
    else:
        yield data


def _plain(data: object) -> Any:
    """The nested lists with each Tensor of one element replaced by its number."""
    if isinstance(data, list | tuple | range):
        return [_plain(element) for element in data]
    if isinstance(data, Tensor):
        if data.numel() != 1:
            raise ValueError(f"tensor: a list of Tensors must hold Tensors of one element, got "
                             f"shape {tuple(data.shape)}; use stack() or cat()")
        if data._node is not None and mode.enabled:
            warn("tensor: the list holds Tensors that require grad, of which it takes the numbers, "
                 "without a gradient: write stack(tensors)")
        return data.item()
    return data


def _dtype_of(leaf: object) -> dtypes.dtype:
    if isinstance(leaf, Tensor):
        return leaf.dtype
    if isinstance(leaf, numpy.generic | numpy.ndarray):
        return dtypes.of_array(leaf)
    if isinstance(leaf, bool | int | float):
        return dtypes.of_number(leaf)
    if _is_value(leaf):
        return dtypes.scalar_value
    kind = RuntimeError if leaf is None or isinstance(leaf, dict | set) else TypeError
    raise kind(f"tensor: cannot make a Tensor of {type(leaf).__name__} data; give numbers, nested "
               "lists of them, or an array")


def _is_value(x: object) -> bool:
    """Whether `x` is a `scalar.Value`, or another scalar class with `backward`."""
    return hasattr(type(x), "backward")


def _check_values(array: NumPyArray) -> None:
    for x in array.flat:
        if not isinstance(x, bool | int | float | numpy.generic) and not _is_value(x):
            raise TypeError("tensor: cannot make a Tensor of an array of dtype object that holds "
                            f"{type(x).__name__} objects; give numbers")


def tensor(data: Any, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
           requires_grad: bool = False, pin_memory: bool = False) -> Tensor:
    """A leaf Tensor with a copy of `data`: a number, nested lists or an array.

    Python floats get the default dtype, ints int64, bools bool; arrays keep their dtype. For a
    Tensor it warns, as its graph is not copied: write x.detach().clone().

    Raises:
        ValueError: lists that are not rectangular; an integer that does not fit into int64.
        TypeError: data that are not numbers; an unsupported dtype.
        RuntimeError: requires_grad with integers; values that do not fit into the dtype; a missing
            device.
    """
    if isinstance(data, Tensor):
        warn("tensor: to copy a Tensor write x.detach().clone(), or "
             "x.detach().clone().requires_grad_(True), rather than tensor(x)")
    try:
        return _new_leaf(data, dtype, device, requires_grad)
    except Exception as error:
        shorten(error)
        raise


def _new_leaf(data: Any, dtype: DTypeLike | None, device: DeviceLike | None,
              requires_grad: bool = False) -> Tensor:
    array = from_data(data, dtype)
    stays = device is None and devices.is_gpu_array(array)
    where = devices.device_of(array) if stays else devices.resolve(device)
    return finish(devices.to_device(array, where), requires_grad)


def as_tensor(data: Any, dtype: DTypeLike | None = None,
              device: DeviceLike | None = None) -> Tensor:
    """`data` as a Tensor: a Tensor itself, an array without a copy if dtype and device allow."""
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)
    if devices.is_array(data):
        stays = device is None and devices.is_gpu_array(data)
        return from_numpy(data).to(device=None if stays else devices.resolve(device), dtype=dtype)
    return _new_leaf(data, dtype, device)


def asarray(obj: Any, *, dtype: DTypeLike | None = None, device: DeviceLike | None = None,
            copy: bool | None = None, requires_grad: bool = False) -> Tensor:
    """`obj` as a Tensor, without a copy if possible; never (copy=False) or always (True) copied.

    Raises:
        ValueError: copy=False, but the dtype or device needs a copy.
    """
    shared = isinstance(obj, Tensor) or devices.is_array(obj)
    made = from_dlpack(obj) if hasattr(obj, "__dlpack__") and not shared else obj
    result = as_tensor(made, dtype, device)
    if copy and shared:
        result = result.clone()
    source = getattr(made, "_array", made)
    if copy is False and not (devices.is_array(source)
                              and result.data_ptr() == finish(source, False).data_ptr()):
        raise ValueError(f"asarray: {type(obj).__name__} data cannot become a Tensor of that dtype "
                         "and device without a copy; leave copy=False out")
    return result.requires_grad_() if requires_grad else result


def from_numpy(array: NumPyArray) -> Tensor:
    """A Tensor that shares the memory of a NumPy (or CuPy) array: writes to one change both.

    In-place operations raise if the array is read-only. An array of a subclass, such as a matrix
    or a memmap, becomes a plain one.

    Raises:
        TypeError: not an array, an unsupported dtype, or a masked array with masked elements.
    """
    if not devices.is_array(array):
        raise TypeError(f"from_numpy: expected an ndarray, got {type(array).__name__}; "
                        "tensor(...) takes other data")
    dtypes.of_array(array)
    return finish(devices.plain_array(array), False)


def from_dlpack(other: Any) -> Tensor:
    """A Tensor that shares the memory of another library's array (PyTorch, CuPy, JAX), by DLPack.

    In-place operations raise if the other library marks the memory as read-only.

    Raises:
        TypeError: not an array with `__dlpack__`; an unsupported dtype.
    """
    if not hasattr(other, "__dlpack__"):
        raise TypeError(f"from_dlpack: expected an array with __dlpack__, got "
                        f"{type(other).__name__}; tensor(...) takes other data")
    on_cpu = int(other.__dlpack_device__()[0]) == 1
    module = numpy if on_cpu else devices.module_for(devices.device("cuda"))
    return from_numpy(module.from_dlpack(other))


def frombuffer(buffer: bytes | bytearray | memoryview | NumPyArray, *, dtype: DTypeLike,
               count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """A 1-d Tensor that shares the memory of a buffer, from byte `offset` on.

    It has `count` elements, or all for -1. In-place operations raise if the buffer is read-only.

    Raises:
        ValueError: too few bytes, or not a whole number of elements.
    """
    array = numpy.frombuffer(buffer, wanted_dtype(dtype), count, offset)
    return finish(array, requires_grad)


# ---------------------------------------------------------------- filled


def _filled(name: str, size: tuple[Any, ...], keyword: dict[str, Any], dtype: DTypeLike | None,
            device: DeviceLike | None, requires_grad: bool) -> Tensor:
    shape = shape_argument(name, size, keyword)
    array = devices.on(devices.resolve(device),
                       lambda xp: getattr(xp, name)(shape, dtype=wanted_dtype(dtype)))
    return finish(array, requires_grad)


def zeros(*size: int | Sequence[int], dtype: DTypeLike | None = None, layout: str | None = None,
          device: DeviceLike | None = None, requires_grad: bool = False, pin_memory: bool = False,
          memory_format: dtypes.memory_format | None = None, **keyword: Sequence[int]) -> Tensor:
    """A Tensor of zeros: zeros(2, 3) or zeros((2, 3))."""
    return _filled("zeros", size, keyword, dtype, device, requires_grad)


def ones(*size: int | Sequence[int], dtype: DTypeLike | None = None, layout: str | None = None,
         device: DeviceLike | None = None, requires_grad: bool = False, pin_memory: bool = False,
         memory_format: dtypes.memory_format | None = None, **keyword: Sequence[int]) -> Tensor:
    """A Tensor of ones: ones(2, 3) or ones((2, 3))."""
    return _filled("ones", size, keyword, dtype, device, requires_grad)


def empty(*size: int | Sequence[int], dtype: DTypeLike | None = None, layout: str | None = None,
          device: DeviceLike | None = None, requires_grad: bool = False, pin_memory: bool = False,
          memory_format: dtypes.memory_format | None = None, **keyword: Sequence[int]) -> Tensor:
    """A Tensor with uninitialized values: empty(2, 3) or empty((2, 3))."""
    return _filled("empty", size, keyword, dtype, device, requires_grad)


def full(size: Sequence[int], fill_value: Tensor | Number, *, dtype: DTypeLike | None = None,
         layout: str | None = None, device: DeviceLike | None = None, requires_grad: bool = False,
         pin_memory: bool = False) -> Tensor:
    """A Tensor filled with a value, by default of the value's dtype: full((2, 3), 7)."""
    value, shape = number_of(fill_value), size_of("full", size)
    wanted = wanted_dtype(dtype, dtypes.of_number(value))
    if wanted.kind in "iu":
        value = dtypes.checked_range("full", numpy.asarray(value), wanted).astype(wanted)
    array = devices.on(devices.resolve(device), lambda xp: xp.full(shape, value, dtype=wanted))
    return finish(array, requires_grad)


class Like(Protocol):
    """A function that makes a Tensor of the shape, dtype and device of another."""

    def __call__(self, input: Tensor, *, dtype: DTypeLike | None = None, layout: str | None = None,
                 device: DeviceLike | None = None, requires_grad: bool = False,
                 pin_memory: bool = False,
                 memory_format: dtypes.memory_format | None = None) -> Tensor: ...


class FullLike(Protocol):
    """The same, and filled with a value."""

    def __call__(self, input: Tensor, fill_value: Tensor | Number, *,
                 dtype: DTypeLike | None = None, layout: str | None = None,
                 device: DeviceLike | None = None, requires_grad: bool = False,
                 pin_memory: bool = False,
                 memory_format: dtypes.memory_format | None = None) -> Tensor: ...


def need_tensor(name: str, input: Any) -> None:
    """Raises TypeError for anything else."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}: `input` must be a Tensor, got {type(input).__name__}")


def like(make: Callable[..., Tensor], name: str) -> Any:
    """The variant `<name>_like` of a function, which takes shape, dtype and device of a Tensor."""
    def function(input: Tensor, *args: Any, dtype: DTypeLike | None = None,
                 layout: str | None = None, device: DeviceLike | None = None,
                 requires_grad: bool = False, pin_memory: bool = False,
                 memory_format: dtypes.memory_format | None = None, **options: Any) -> Tensor:
        need_tensor(f"{name}_like", input)
        options |= {"dtype": dtype or input.dtype, "device": device or input.device}
        array = input._array
        if array.flags.c_contiguous or memory_format not in (None, dtypes.preserve_format):
            return make(tuple(input.shape), *args, requires_grad=requires_grad, **options)
        dims = memory_dims(array)
        made = make([array.shape[dim] for dim in dims], *args, **options)
        laid_out = tensor_of(made._array.transpose(numpy.argsort(dims).tolist()), None)
        return laid_out.requires_grad_(requires_grad)

    function.__name__ = f"{name}_like"
    function.__doc__ = (f"As `{name}`, with the shape, dtype and device of the input, and with its "
                        "order of elements in memory.")
    return function


def _new(make: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    def method(self: Tensor, *args: Any, dtype: DTypeLike | None = None, layout: str | None = None,
               device: DeviceLike | None = None, requires_grad: bool = False,
               pin_memory: bool = False, **size: Any) -> Tensor:
        return make(*args, dtype=dtype or self.dtype, device=device or self.device,
                    requires_grad=requires_grad, **size)

    method.__name__ = f"new_{name}"
    method.__doc__ = f"As `{name}`, with the dtype and device of this Tensor."
    return method


zeros_like: Like = like(zeros, "zeros")
ones_like: Like = like(ones, "ones")
empty_like: Like = like(empty, "empty")
full_like: FullLike = like(full, "full")
for _make in (zeros, ones, empty, full):
    setattr(Tensor, f"new_{_make.__name__}", _new(_make, _make.__name__))


def new_tensor(self: Tensor, data: Any, *, dtype: DTypeLike | None = None,
               device: DeviceLike | None = None, requires_grad: bool = False,
               layout: str | None = None, pin_memory: bool = False) -> Tensor:
    """As `tensor`, with the dtype and device of this Tensor."""
    return tensor(data, dtype=dtype or self.dtype, device=device or self.device,
                  requires_grad=requires_grad)


Tensor.new_tensor = new_tensor  # type: ignore[method-assign, assignment]


# ---------------------------------------------------------------- ranges


def arange(start: Tensor | Number | None = None, end: Tensor | Number | None = None,
           step: Tensor | Number = 1, *, dtype: DTypeLike | None = None, layout: str | None = None,
           device: DeviceLike | None = None, requires_grad: bool = False,
           pin_memory: bool = False) -> Tensor:
    """start, start + step, ... up to but without end: int64 for integers, else the default dtype.

    With a floating point step, rounding may add or drop the last value; `linspace` has a fixed
    number of values.

    Raises:
        TypeError: an argument that is not a number.
        RuntimeError: a step of 0 or with the wrong sign; a bound that is not finite.
        NotImplementedError: bool.
    """
    _refuse_bool("arange", dtype)
    if end is None:
        start, end = 0, start
    start, end, step = number_of(0 if start is None else start), number_of(end), number_of(step)
    if not all(isinstance(x, bool | int | float) for x in (start, end, step)):
        raise TypeError("arange: start, end and step must be numbers, got "
                        f"{start!r}, {end!r} and {step!r}")
    if not all(math.isfinite(x) for x in (start, end, step)):
        raise RuntimeError(f"arange: start, end and step must be finite, got {start}, {end} and "
                           f"{step}")
    floating = any(isinstance(x, float) for x in (start, end, step))
    wanted = wanted_dtype(dtype, None if floating else dtypes.int64)
    if wanted == numpy.int64:
        start, end, step, floating = int(start), int(end), int(step), False
    if step == 0 or (end - start) * step < 0:
        raise RuntimeError(f"arange: the step {step} does not lead from {start} to {end}; it must "
                           "have the sign of end - start")
    count = math.ceil((end - start) / step) if floating else -(-(end - start) // step)
    array = devices.on(devices.resolve(device), lambda xp: xp.arange(count, dtype=wanted)
                       if (start, step) == (0, 1) and wanted.kind != "b" else
                       (xp.arange(count) * step + start).astype(wanted))
    return finish(array, requires_grad)


def _line(name: str, start: Tensor | Number, end: Tensor | Number, steps: int,
          dtype: DTypeLike | None) -> tuple[float, float, int]:
    """The arguments of `linspace` as Python numbers.

    Raises:
        TypeError: a number of steps that is not an int.
        RuntimeError: a negative number of steps; a start or end with dims.
        NotImplementedError: bool.
    """
    if isinstance(steps, bool):
        raise TypeError(f"{name}: the number of steps must be an int, got {steps}")
    count = integer(f"{name}: steps", steps)
    if count < 0:
        raise RuntimeError(f"{name}: the number of steps must not be negative, got {count}")
    for word, x in (("start", start), ("end", end)):
        if isinstance(x, Tensor) and x.ndim:
            raise RuntimeError(f"{name}: {word} must be a number or a 0-d Tensor, got shape "
                               f"{tuple(x.shape)}")
    _refuse_bool(name, dtype)
    return float(number_of(start)), float(number_of(end)), count


def _spaced(xp: Any, start: float, end: float, steps: int, kind: numpy.dtype[Any]) -> Any:
    """Evenly spaced values, before they are rounded to the dtype `kind`. The second half is counted
    from the end, with a step of the dtype, as in PyTorch. For integers the start and the end are
    rounded towards 0 first.
    """
    whole = kind.kind in "iu"
    if steps < 2 or not whole and kind not in (numpy.float32, numpy.float64):
        return xp.linspace(start, end, steps)
    number = float if whole else kind.type
    first, last = (number(int(x) if whole else x) for x in (start, end))
    step = (last - first) / number(steps - 1)
    i = numpy.arange(steps, dtype="longdouble")  # PyTorch rounds each number once
    spaced = numpy.where(i < steps // 2, first + step * i, last - step * (steps - 1 - i))
    return xp.asarray(spaced.astype("float64" if whole else kind))


def _refuse_bool(name: str, dtype: DTypeLike | None) -> None:
    if dtype is not None and wanted_dtype(dtype).kind == "b":
        raise NotImplementedError(f"{name}: bool has no numbers in between; choose another dtype, "
                                  "or compare the result")


def linspace(start: Tensor | Number, end: Tensor | Number, steps: int, *,
             dtype: DTypeLike | None = None, layout: str | None = None,
             device: DeviceLike | None = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:
    """`steps` evenly spaced values from start to end, both included.

    Raises:
        RuntimeError: a negative number of steps; a start or end with dims.
        NotImplementedError: bool.
    """
    line = _line("linspace", start, end, steps, dtype)
    array = devices.on(devices.resolve(device), lambda xp: _spaced(
        xp, *line, wanted_dtype(dtype)).astype(wanted_dtype(dtype)))
    return finish(array, requires_grad)


def logspace(start: Tensor | Number, end: Tensor | Number, steps: int, base: float = 10.0, *,
             dtype: DTypeLike | None = None, layout: str | None = None,
             device: DeviceLike | None = None, requires_grad: bool = False,
             pin_memory: bool = False) -> Tensor:
    """base ** x for `steps` evenly spaced values x from start to end, both included.

    Raises:
        RuntimeError: a negative number of steps; a start or end with dims.
        NotImplementedError: bool.
    """
    line = _line("logspace", start, end, steps, dtype)
    array = devices.on(devices.resolve(device), lambda xp: (
        float(base) ** _spaced(xp, *line, wanted_dtype(dtype))).astype(wanted_dtype(dtype)))
    return finish(array, requires_grad)


def _matrix_size(name: str, rows: int, columns: int) -> tuple[int, int]:
    """The two sizes as ints.

    Raises:
        RuntimeError: a negative size.
    """
    rows, columns = integer(f"{name}: a size", rows), integer(f"{name}: a size", columns)
    if rows < 0 or columns < 0:
        raise RuntimeError(f"{name}: the sizes must not be negative, got {rows} and {columns}")
    return rows, columns


def eye(n: int, m: int | None = None, *, dtype: DTypeLike | None = None, layout: str | None = None,
        device: DeviceLike | None = None, requires_grad: bool = False,
        pin_memory: bool = False) -> Tensor:
    """An (n, m) matrix with ones on the diagonal and zeros elsewhere; by default m is n.

    Raises:
        RuntimeError: a negative size.
    """
    size = _matrix_size("eye", n, n if m is None else m)
    array = devices.on(devices.resolve(device), lambda xp: xp.eye(*size, dtype=wanted_dtype(dtype)))
    return finish(array, requires_grad)


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None,
                 device: DeviceLike | None = None,
                 layout: Any = None) -> Tensor:
    """The indices on and below a diagonal of a (row, col) matrix: (2, k), int64.

    Raises:
        RuntimeError: a negative size.
    """
    return _triangle("tril", row, col, offset, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: DTypeLike | None = None,
                 device: DeviceLike | None = None,
                 layout: Any = None) -> Tensor:
    """The indices on and above a diagonal of a (row, col) matrix: (2, k), int64.

    Raises:
        RuntimeError: a negative size.
    """
    return _triangle("triu", row, col, offset, dtype, device)


def _triangle(name: str, row: int, col: int, offset: int, dtype: DTypeLike | None,
              device: DeviceLike | None) -> Tensor:
    size = _matrix_size(f"{name}_indices", row, col)
    offset = integer(f"{name}_indices: offset", offset)
    wanted = wanted_dtype(dtype, dtypes.int64)
    where = devices.resolve(device)
    array = devices.on(devices.CPU if where.type == "meta" else where, lambda xp: xp.stack(
        xp.nonzero(getattr(xp, name)(xp.ones(size, dtype=bool), offset))).astype(wanted))
    return finish(devices.to_device(array, where), False)
