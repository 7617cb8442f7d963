"""PyTorch's dtypes and its promotion rules."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

import numpy

from . import naming

# bool < integer < floating point. NumPy's kind of bfloat16 is V, as of all dtypes added to it.
CATEGORIES = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2, "O": 2}


class dtype:  # noqa: N801 - PyTorch's name
    """The data type of a Tensor's elements; `numpy` is the corresponding NumPy dtype."""

    __slots__ = ("name", "numpy")

    def __init__(self, name: str, of: type):
        self.name = name
        self.numpy: numpy.dtype[Any] = numpy.dtype(of)

    @property
    def is_floating_point(self) -> bool:
        return self.numpy in DIFFERENTIABLE

    @property
    def is_complex(self) -> bool:
        return False

    @property
    def is_signed(self) -> bool:
        return self.numpy.kind not in "bu"

    @property
    def itemsize(self) -> int:
        return self.numpy.itemsize

    def __repr__(self) -> str:
        return f"{naming.package}.{self.name}"

    def __reduce__(self) -> Any:
        return from_name, (self.name,)


class _BFloat16(dtype):
    """bfloat16, which NumPy has by the package ml_dtypes. It is imported at the first use."""

    __slots__ = ()

    def __init__(self) -> None:
        self.name = "bfloat16"

    def __getattr__(self, name: str) -> Any:
        if name != "numpy":
            raise AttributeError(f"dtype has no attribute {name!r}")
        try:
            from ml_dtypes import bfloat16
        except ImportError:
            raise ModuleNotFoundError("bfloat16 needs the package ml_dtypes, which adds it to "
                                      "NumPy: pip install ml_dtypes") from None
        self.numpy = numpy.dtype(bfloat16)
        BY_NUMPY[self.numpy] = self
        for kinds in (HALVES, FLOATING, DIFFERENTIABLE):
            kinds.add(self.numpy)
        return self.numpy

    @property
    def is_floating_point(self) -> bool:
        return True

    @property
    def is_signed(self) -> bool:
        return True

    @property
    def itemsize(self) -> int:
        return 2


class _Unsupported(dtype):
    """A dtype that NumPy lacks. Programs may name it; using it raises."""

    __slots__ = ()

    def __init__(self, name: str):
        self.name = name

    @property
    def numpy(self) -> Any:  # type: ignore[override]
        raise TypeError(f"{self.name}: Tensors have no such dtype; use float32, float16 to save "
                        "memory, or int64")

    @property
    def is_floating_point(self) -> bool:
        return "float" in self.name

    @property
    def is_complex(self) -> bool:
        return self.name.startswith("complex")

    @property
    def is_signed(self) -> bool:
        return self.name[0] not in "uq"

    @property
    def itemsize(self) -> int:
        bits = re.search(r"[0-9]+", self.name)
        return max(int(bits[0]) // 8, 1) if bits else 1


bool_ = dtype("bool", numpy.bool_)
uint8 = dtype("uint8", numpy.uint8)
int8 = dtype("int8", numpy.int8)
int16 = short = dtype("int16", numpy.int16)
int32 = int_ = dtype("int32", numpy.int32)
int64 = long = dtype("int64", numpy.int64)
float16 = half = dtype("float16", numpy.float16)
float32 = float_ = dtype("float32", numpy.float32)
float64 = double = dtype("float64", numpy.float64)
bfloat16 = _BFloat16()
complex32 = _Unsupported("complex32")
complex64 = _Unsupported("complex64")
complex128 = _Unsupported("complex128")
uint16 = _Unsupported("uint16")
uint32 = _Unsupported("uint32")
uint64 = _Unsupported("uint64")
float8_e4m3fn = _Unsupported("float8_e4m3fn")
float8_e4m3fnuz = _Unsupported("float8_e4m3fnuz")
float8_e5m2 = _Unsupported("float8_e5m2")
float8_e5m2fnuz = _Unsupported("float8_e5m2fnuz")
float8_e8m0fnu = _Unsupported("float8_e8m0fnu")
float4_e2m1fn_x2 = _Unsupported("float4_e2m1fn_x2")
qint8 = _Unsupported("qint8")
qint32 = _Unsupported("qint32")
quint8 = _Unsupported("quint8")
quint4x2 = _Unsupported("quint4x2")
quint2x4 = _Unsupported("quint2x4")
bit, bits1x8, bits2x4, bits4x2, bits8, bits16 = map(_Unsupported, (
    "bit", "bits1x8", "bits2x4", "bits4x2", "bits8", "bits16"))
int1, int2, int3, int4, int5, int6, int7 = (_Unsupported(f"int{i}") for i in range(1, 8))
uint1, uint2, uint3, uint4, uint5, uint6, uint7 = (_Unsupported(f"uint{i}") for i in range(1, 8))
UNSUPPORTED = (
    complex32, complex64, complex128, uint16, uint32, uint64, float8_e4m3fn, float8_e4m3fnuz,
    float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu, float4_e2m1fn_x2, qint8, qint32, quint8, quint4x2,
    quint2x4, bit, bits1x8, bits2x4, bits4x2, bits8, bits16, int1, int2, int3, int4, int5, int6,
    int7, uint1, uint2, uint3, uint4, uint5, uint6, uint7)
# For Tensors whose elements are `scalar.Value`: an op on them builds the scalar engine's graph.
scalar_value = dtype("scalar_value", object)

ALL = (bool_, uint8, int8, int16, int32, int64, bfloat16, float16, float32, float64, scalar_value)
# The first use of bfloat16 adds its NumPy dtype to these four.
BY_NUMPY = {d.numpy: d for d in ALL if d is not bfloat16}
HALVES = {float16.numpy}  # computed in float32, see autograd/halves.py
FLOATING = {float16.numpy, float32.numpy, float64.numpy}
DIFFERENTIABLE = {*FLOATING, scalar_value.numpy}  # of these a Tensor can have a gradient
BY_NAME = {d.name: d for d in ALL} | {"float": float32, "double": float64, "half": float16,
                                      "int": int32, "long": int64, "short": int16,
                                      "cfloat": complex64, "cdouble": complex128,
                                      "chalf": complex32, **{d.name: d for d in UNSUPPORTED}}
DTypeLike: TypeAlias = (dtype | numpy.dtype[Any] | str
                        | type[bool] | type[int] | type[float] | type[numpy.generic])
_default = float32


def from_name(name: str) -> dtype:
    return BY_NAME[name]


def has_bfloat16() -> bool:
    """Whether the package ml_dtypes is installed."""
    try:
        return bfloat16.numpy is not None
    except ModuleNotFoundError:
        return False


def is_floating(kind: numpy.dtype[Any]) -> bool:
    """Whether a NumPy dtype is bfloat16, float16, float32 or float64."""
    return kind in FLOATING


def is_differentiable(kind: numpy.dtype[Any]) -> bool:
    """Whether a Tensor of a NumPy dtype can have a gradient: floating point, or of Values."""
    return kind in DIFFERENTIABLE


def of_array(array: Any) -> dtype:
    """The dtype of an array.

    Raises:
        TypeError: Tensors do not support the array's dtype.
    """
    try:
        return BY_NUMPY[array.dtype]
    except KeyError:
        return _of_numpy(array.dtype)


def _of_numpy(kind: numpy.dtype[Any]) -> dtype:
    """The dtype of a NumPy dtype, which may be bfloat16 that was not used here before.

    Raises:
        TypeError: Tensors do not support it.
    """
    if kind.name == "bfloat16" and kind == bfloat16.numpy:
        return bfloat16
    try:
        return BY_NUMPY[kind]
    except KeyError:
        raise _unknown(kind) from None


def resolve(given: DTypeLike) -> dtype:
    """The dtype of an argument `dtype`: a dtype, NumPy's, a name, or Python's bool, int, float.

    Raises:
        TypeError: it is none of these, or Tensors do not support it.
    """
    if isinstance(given, dtype):
        return given
    if isinstance(given, type) and not issubclass(given, bool | int | float | numpy.generic):
        raise _unknown(given)  # numpy.dtype of any other class is the dtype object
    if given == "bfloat16":
        return bfloat16
    try:
        return _of_numpy(numpy.dtype(int64.numpy if given is int else given))
    except (TypeError, ValueError):
        raise _unknown(given) from None


def _unknown(given: Any) -> TypeError:
    if isinstance(given, numpy.dtype) and given.newbyteorder("=") in BY_NUMPY:
        return TypeError(f"dtype {given!r} does not have this machine's byte order; "
                         f"convert with .astype({given.name!r})")
    names = ", ".join(d.name for d in ALL[:-1])
    return TypeError(f"unknown dtype {given!r}; Tensors support {names}")


def get_default_dtype() -> dtype:
    """The dtype of Tensors made from Python floats: float32 at first."""
    return _default


def set_default_dtype(d: DTypeLike) -> None:
    """Sets the dtype of Tensors made from Python floats; initially float32.

    Raises:
        TypeError: not a floating point dtype.
    """
    global _default
    given = resolve(d)
    if not given.is_floating_point:
        raise TypeError(f"set_default_dtype: needs a floating point dtype, got {given}; "
                        "write float32 or float64")
    _default = given


def promote_types(type1: DTypeLike, type2: DTypeLike) -> dtype:
    """The smallest dtype to which both convert; of a float and an integer dtype, the float one."""
    first, second = resolve(type1).numpy, resolve(type2).numpy
    if CATEGORIES[first.kind] != CATEGORIES[second.kind]:
        return BY_NUMPY[max(first, second, key=lambda d: CATEGORIES[d.kind])]
    if first in HALVES and second in HALVES and first != second:
        return float32  # float16 and bfloat16: neither contains the other
    return BY_NUMPY[numpy.promote_types(first, second)]


def can_cast(from_: DTypeLike, to: DTypeLike) -> bool:
    """Whether PyTorch's in-place operations may store a result of dtype `from_` in dtype `to`."""
    return CATEGORIES[resolve(from_).numpy.kind] <= CATEGORIES[resolve(to).numpy.kind] and not (
        resolve(to) is bool_ and resolve(from_) is not bool_)


def checked_range(name: str, array: Any, wanted: numpy.dtype[Any]) -> Any:
    """The array, if its numbers fit into a dtype. Unsigned dtypes wrap negative ones.

    Raises:
        RuntimeError: a number does not fit into an integer dtype.
    """
    if wanted.kind not in "iu" or array.dtype.kind not in "iuf" or not array.size:
        return array
    limits = numpy.iinfo(wanted)
    low = -int(limits.max) if wanted.kind == "u" else int(limits.min)
    if not (array.min() >= low and array.max() <= int(limits.max)):
        raise RuntimeError(f"{name}: values from {array.min()} to {array.max()} do not fit into "
                           f"{wanted.name}; give a wider dtype")
    return array


def of_number(x: bool | int | float) -> dtype:
    """The dtype of a Python number in promotion."""
    if isinstance(x, bool):
        return bool_
    return int64 if isinstance(x, int) else _default


def result_dtype(values: tuple[Any, ...]) -> numpy.dtype[Any]:
    """The dtype to which arrays and Python numbers are promoted, as `torch.result_type`.

    0-d arrays, and after them Python numbers, count only if their category is higher than that of
    the other values (bool < integer < floating point).
    """
    groups: tuple[list[dtype], ...] = ([], [], [])
    for value in values:
        if isinstance(value, bool | int | float):
            groups[2].append(of_number(value))
        else:
            groups[0 if value.ndim else 1].append(of_array(value))
    result: dtype | None = None
    for group in groups:
        if not group:
            continue
        common = group[0]
        for other in group[1:]:
            common = promote_types(common, other)
        if result is None:
            result = common
        elif CATEGORIES[common.numpy.kind] > CATEGORIES[result.numpy.kind]:
            result = promote_types(result, common)
    assert result is not None
    return result.numpy


class memory_format:  # noqa: N801 - PyTorch's name
    """The order of a Tensor's dims in memory. Functions accept it and ignore it."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"{naming.package}.{self.name}"


contiguous_format = memory_format("contiguous_format")
preserve_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


# bits, the largest number, eps, the smallest normal number and the resolution of dtypes that
# NumPy's finfo does not know.
LIMITS = {"bfloat16": (16, (2 - 2.0**-7) * 2.0**127, 2.0**-7, 2.0**-126, 0.01),
          "float8_e4m3fn": (8, 448.0, 2.0**-3, 2.0**-6, 1.0),
          "float8_e4m3fnuz": (8, 240.0, 2.0**-3, 2.0**-7, 1.0),
          "float8_e5m2": (8, 57344.0, 2.0**-2, 2.0**-14, 1.0),
          "float8_e5m2fnuz": (8, 57344.0, 2.0**-3, 2.0**-15, 1.0)}


class finfo:  # noqa: N801
    """The limits of a floating point dtype: bits, eps, max, min, tiny, smallest_normal,
    resolution; `dtype` is its name, as in PyTorch."""

    def __init__(self, type: DTypeLike | None = None):
        given = resolve(_default if type is None else type)
        if not given.is_floating_point:
            raise TypeError(f"finfo: needs a floating point dtype, got {given}; use iinfo")
        self.dtype = given.name
        if given.name in LIMITS:
            self.bits, self.max, self.eps, self.tiny, self.resolution = LIMITS[given.name]
            self.min, self.smallest_normal = -self.max, self.tiny
            return
        info = numpy.finfo(given.numpy)
        self.bits = int(info.bits)
        self.eps, self.max, self.min = float(info.eps), float(info.max), float(info.min)
        self.tiny = self.smallest_normal = float(info.tiny)
        self.resolution = float(str(info.resolution))  # the power of 10, not rounded to the dtype

    def __repr__(self) -> str:
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        limits = ", ".join(f"{name}={getattr(self, name):g}" for name in names)
        return f"finfo({limits}, dtype={self.dtype})"


class iinfo:  # noqa: N801
    """The limits of an integer dtype: bits, max, min; `dtype` is its name, as in PyTorch."""

    def __init__(self, type: DTypeLike):
        given = resolve(type)
        if given.numpy.kind not in "iu":
            raise TypeError(f"iinfo: needs an integer dtype, got {given}; use finfo")
        self.dtype = given.name
        info = numpy.iinfo(given.numpy)
        self.bits, self.max, self.min = int(info.bits), int(info.max), int(info.min)

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
