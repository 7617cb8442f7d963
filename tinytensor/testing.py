"""assert_close and make_tensor, as in `torch.testing`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy
from numpy.typing import NDArray

from .arrays import dtypes
from .arrays.devices import to_numpy
from .arrays.dtypes import is_floating
from .autograd.frames import warn
from .compat import absent
from .tensors import creation, sampling
from .tensors.tensor import DeviceLike, Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

# (rtol, atol) as in PyTorch; 0 for integers and bools.
TOLERANCES = {"bfloat16": (1.6e-2, 1e-5), "float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5),
              "float64": (1e-7, 1e-7)}
KINDS: tuple[Any, ...] = (Tensor, numpy.ndarray, bool | int | float | numpy.generic)


def assert_close(actual: Any, expected: Any, *, allow_subclasses: bool = True,
                 rtol: float | None = None, atol: float | None = None, equal_nan: bool = False,
                 check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
                 check_stride: bool = False,
                 msg: str | Callable[[str], str] | None = None) -> None:
    """Asserts that |actual - expected| <= atol + rtol |expected| for every element.

    Both are Tensors, arrays or numbers of one shape, dtype and device, or nested sequences and
    mappings of them. Infinities are close if they are equal.

    Args:
        rtol, atol: both or neither. The default depends on the dtype: 1.3e-6 and 1e-5 for float32,
            1e-7 and 1e-7 for float64, 1e-3 and 1e-5 for float16, 1.6e-2 and 1e-5 for bfloat16, 0
            for others; the larger ones if the dtypes differ.
        equal_nan: whether NaN is close to NaN.
        check_device, check_dtype, check_stride: whether these must be equal.
        check_layout, allow_subclasses: ignored.
        msg: replaces the message; a function gets the message and returns another.

    Raises:
        AssertionError: they differ; the message has the number of mismatched elements and the
            greatest differences.
        TypeError: types that cannot be compared.
        ValueError: only one of rtol and atol.
    """
    if (rtol is None) != (atol is None):
        raise ValueError("assert_close: give both rtol and atol, or neither, got "
                         f"rtol={rtol} and atol={atol}")

    def compare(a: Any, b: Any, path: str) -> None:
        if all(isinstance(x, Mapping) for x in (a, b)) or _is_sequence(a) and _is_sequence(b):
            fault = _parts(a, b, path, compare)
        else:
            fault = _leaves(a, b, rtol, atol, equal_nan, check_device, check_dtype, check_stride)
        if fault:
            message = fault + (f"\n\nThe failure occurred for item {path}" if path else "")
            if msg is not None:
                message = msg if isinstance(msg, str) else msg(message)
            raise AssertionError(message)

    compare(actual, expected, "")


def assert_allclose(actual: Any, expected: Any, rtol: float | None = None,
                    atol: float | None = None, equal_nan: bool = True, msg: str = "") -> None:
    """`assert_close` without a check of dtypes, under its older name. It warns.

    Raises:
        AssertionError: they differ.
    """
    warn("testing.assert_allclose is deprecated; write testing.assert_close", FutureWarning)
    if not isinstance(actual, Tensor):
        actual = creation.tensor(actual)
    if not isinstance(expected, Tensor):
        expected = creation.tensor(expected, dtype=actual.dtype)
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_device=True,
                 check_dtype=False, check_stride=False, msg=msg or None)


# The bounds of `make_tensor` where the program gives none: of floats and signed integers.
LOW, HIGH = -9, {"float": 9, "int": 10}


def make_tensor(*shape: int | Sequence[int], dtype: dtypes.dtype, device: DeviceLike,
                low: float | None = None, high: float | None = None, requires_grad: bool = False,
                noncontiguous: bool = False, exclude_zero: bool = False,
                memory_format: dtypes.memory_format | None = None) -> Tensor:
    """Random numbers from [low, high), for tests: by default from [-9, 9), whole ones from [-9, 10)
    or, without a sign, [0, 10), bools from [0, 2). Bounds beyond the dtype are moved to its own.

    Args:
        noncontiguous: every second element of a larger memory.
        exclude_zero: the smallest positive number of the dtype in place of 0.

    Raises:
        ValueError: low >= high or NaN; requires_grad of integers; noncontiguous together with a
            memory_format.
        TypeError: a dtype that Tensors cannot have.
    """
    size = creation.shape_of(shape or ((),))
    if dtype.is_floating_point:
        limits: Any = dtypes.finfo(dtype)
        last = limits.max
        least, most = LOW, HIGH["float"]
    elif dtype is dtypes.bool_:
        limits, last, least, most = None, 1, 0, 2
    else:
        limits = dtypes.iinfo(dtype)
        last = limits.max + (dtype is not dtypes.int64)  # high is excluded
        least, most = (LOW if dtype.is_signed else 0), HIGH["int"]
    if requires_grad and not dtype.is_floating_point:
        raise ValueError(f"make_tensor: a Tensor of {dtype} has no gradient")
    if noncontiguous and memory_format is not None:
        raise ValueError("make_tensor: noncontiguous contradicts a memory_format")
    bottom = least if low is None else low
    top = most if high is None else high
    if not bottom < top and not (bottom == top and dtype.is_floating_point):  # also NaN
        raise ValueError(f"make_tensor: low must be less than high, got {bottom} and {top}")
    if limits is not None:
        if top <= limits.min or bottom >= last:
            raise ValueError(f"make_tensor: {dtype} has no number from {bottom} to {top}")
        bottom, top = (min(max(bound, limits.min), last) for bound in (bottom, top))
    if dtype.is_floating_point:
        values: Any = creation.empty(size, device=device, dtype=dtype)
        wide = top / 2 - bottom / 2 > limits.max / 2  # beyond what uniform_ can scale
        values.uniform_(bottom / 2, top / 2).mul_(2) if wide else values.uniform_(bottom, top)
    else:
        values = sampling.randint(math.ceil(bottom), math.ceil(top), size, device=device,
                                  dtype=dtype)
    if exclude_zero:
        values[values == 0] = limits.tiny if dtype.is_floating_point else 1
    if noncontiguous and values.numel() > 1:
        values = values.unsqueeze(-1).repeat_interleave(2, -1)[..., 0]
    elif memory_format is not None:
        values = values.contiguous(memory_format=memory_format)
    return values.requires_grad_(requires_grad)  # type: ignore[no-any-return]


def _is_sequence(x: object) -> bool:
    return isinstance(x, Sequence) and not isinstance(x, str | bytes)


def _parts(a: Any, b: Any, path: str, compare: Callable[[Any, Any, str], None]) -> str:
    """Compares the items. Returns "", or the message if keys or lengths differ."""
    if isinstance(a, Mapping):
        if a.keys() != b.keys():
            return ("The keys of the mappings do not match: missing in actual "
                    f"{[k for k in b if k not in a]}, additional {[k for k in a if k not in b]}.")
        places: Any = a.keys()
    else:
        if len(a) != len(b):
            return f"The lengths of the sequences do not match: {len(a)} != {len(b)}."
        places = range(len(a))
    for place in places:
        compare(a[place], b[place], f"{path}[{place!r}]")
    return ""


def _leaves(a: Any, b: Any, rtol: float | None, atol: float | None, equal_nan: bool,
            check_device: bool, check_dtype: bool, check_stride: bool) -> str:
    """Compares two Tensors, arrays or numbers. Returns the message, "" if they are close."""
    kinds = [next((k for k in KINDS if isinstance(x, k)), None) for x in (a, b)]
    if a is b is None:
        return ""
    if a is None or b is None:
        return f"None does not match: {a} != {b}."
    if kinds[0] is not kinds[1] or kinds[0] is None:
        raise TypeError(f"assert_close: cannot compare {type(a).__name__} with "
                        f"{type(b).__name__}; give two Tensors, arrays or numbers")
    if isinstance(a, Tensor):
        if tuple(a.shape) != tuple(b.shape):
            return f"The shapes do not match: {tuple(a.shape)} != {tuple(b.shape)}."
        for name, check, mine, other in (
                ("device", check_device, a.device, b.device),
                ("dtype", check_dtype, a.dtype, b.dtype),
                ("stride", check_stride, a.stride(), b.stride())):
            if check and mine != other:
                return f"The values for attribute {name!r} do not match: {mine} != {other}."
        x, y = to_numpy(a._array), to_numpy(b._array)
    elif kinds[0] is numpy.ndarray:
        x, y = a, b
        if x.shape != y.shape:
            return f"The shapes do not match: {x.shape} != {y.shape}."
        if check_dtype and x.dtype != y.dtype:
            return f"The dtypes do not match: {x.dtype} != {y.dtype}."
    else:
        if check_dtype and _kind(a) is not _kind(b):
            return f"The types do not match: {type(a).__name__} != {type(b).__name__}."
        x, y = numpy.asarray(a), numpy.asarray(b)
    if rtol is None or atol is None:
        pairs = [TOLERANCES.get(v.dtype.name, (0.0, 0.0)) for v in (x, y)]
        rtol, atol = (max(values) for values in zip(*pairs, strict=True))
    return _difference(x, y, rtol, atol, equal_nan)


def _kind(x: bool | int | float | numpy.generic) -> type:
    """bool, int or float: the type of a Python or NumPy number."""
    return type(x.item() if isinstance(x, numpy.generic) else x)


def _difference(x: NDArray[Any], y: NDArray[Any], rtol: float, atol: float, equal_nan: bool) -> str:
    kinds = {"f" if is_floating(d) else d.kind for d in (x.dtype, y.dtype)}
    if not kinds <= set("biufcO" if not x.ndim else "biufc"):
        raise TypeError(f"assert_close: cannot compare {x.dtype} with {y.dtype}")
    wide: Any = numpy.complex128 if "c" in kinds else numpy.float64 if "f" in kinds \
        else object if kinds & {"u", "O"} else numpy.int64
    x, y = x.astype(wide), y.astype(wide)  # Python integers if int64 may be too small
    with numpy.errstate(all="ignore"):
        absolute: Any = numpy.asarray(numpy.abs(x - y))
        relative = absolute.astype(numpy.float64) / numpy.asarray(numpy.abs(y), numpy.float64)
        close = (x == y) | (absolute <= atol + rtol * numpy.abs(y)) & (numpy.abs(y) < numpy.inf)
    if equal_nan:
        close |= (x != x) & (y != y)  # numpy.isnan does not support objects
    if close.all():
        return ""
    kind = "close" if rtol or atol else "equal"
    if not x.ndim:
        return (f"Scalars are not {kind}!\n\nExpected {y} but got {x}.\n"
                f"Absolute difference: {absolute} (up to {atol} allowed)\n"
                f"Relative difference: {relative} (up to {rtol} allowed)")
    wrong = int((~close).sum())
    lines = [f"Tensor-likes are not {kind}!\n",
             f"Mismatched elements: {wrong} / {x.size} ({wrong / x.size:.1%})"]
    for name, apart, allowed in (("absolute", absolute, atol), ("relative", relative, rtol)):
        where = numpy.unravel_index(numpy.argmax(numpy.where(close, -1, apart)), x.shape)
        index = tuple(int(i) for i in where)
        lines.append(f"Greatest {name} difference: {apart[index]} at index {index} "
                     f"(up to {allowed} allowed)")
    return "\n".join(lines)


def __getattr__(name: str) -> Any:
    raise absent.AbsentName("tinytensor.testing", name, lambda: globals())
