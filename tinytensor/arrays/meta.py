"""The arrays of the device "meta": a shape and a dtype, without memory for values.

All elements of a `Meta` are one zero, since its strides in NumPy are 0. NumPy passes every call on
it to `__array_ufunc__` and `__array_function__` below, which give a `Meta` of the shape and dtype
that the result has; views are NumPy's own. `module` is the array language for operations: NumPy's
functions, and creation of such arrays. To operations a `Meta` looks contiguous.

What has no rule here is computed, on arrays of the real size: few operations, on small arrays.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy

from .dtypes import BY_NUMPY

READS = ("the device 'meta' keeps shapes and dtypes, no values; make the Tensor, or the module by "
         "to_empty(device='cpu'), on a device with memory")


class NoValues(RuntimeError):  # noqa: N818
    """A value of a Tensor on the device "meta" was asked for."""


def _refuse(self: Any, *args: Any, **kwargs: Any) -> Any:
    raise NoValues(f"a value was asked for: {READS}")


def empty(shape: Any, dtype: Any = float) -> Any:
    """A new array of this kind."""
    shape = tuple(shape) if hasattr(shape, "__iter__") else (shape,)
    return numpy.ndarray.__new__(Meta, shape, dtype, numpy.zeros(16, numpy.uint8),
                                 strides=(0,) * len(shape))


def is_meta(x: Any) -> bool:
    return isinstance(x, Meta)


def plain(x: Any, like: Callable[..., Any] = numpy.zeros) -> Any:
    """An array of NumPy of the same shape, for what is computed; anything else as it is."""
    if type(x) in (list, tuple):
        return type(x)([plain(part, like) for part in x])
    return like(x.shape, x.dtype) if is_meta(x) else x


def small(x: Any, ndim: int | None = None) -> Any:
    """An array of one element and the same dtype, which tells the dtype of a result."""
    if not isinstance(x, numpy.ndarray):
        return x
    return numpy.ones((1,) * (x.ndim if ndim is None else ndim), x.dtype)


def wrapped(result: Any) -> Any:
    """Results that were computed, as arrays without values."""
    if isinstance(result, numpy.ndarray | numpy.generic) and result.dtype in BY_NUMPY:
        return result if is_meta(result) else empty(result.shape, result.dtype)
    if isinstance(result, tuple):
        parts = list(map(wrapped, result))
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return list(map(wrapped, result)) if isinstance(result, list) else result


class Meta(numpy.ndarray[Any, Any]):
    """An array without values."""

    @property  # type: ignore[misc]
    def strides(self) -> tuple[int, ...]:  # type: ignore[override]
        """Those of a contiguous array."""
        return tuple(self.itemsize * math.prod(max(n, 1) for n in self.shape[i + 1:])
                     for i in range(self.ndim))

    @property
    def flags(self) -> Any:
        column = self.ndim < 2
        return SimpleNamespace(c_contiguous=True, f_contiguous=column, forc=True, fnc=False,
                               writeable=True, owndata=True, aligned=True)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None,
                        **options: Any) -> Any:
        given = [x for x in inputs if isinstance(x, numpy.ndarray)]
        if any(x.ndim and not is_meta(x) for x in given):
            raise RuntimeError("the arrays are on different devices, cpu and meta")
        options.pop("where", None)
        if method == "at":
            return None
        if method == "__call__":
            results = _call(ufunc, inputs, options)
        elif all(x.size for x in given):
            results = _by_method(ufunc, method, inputs, options)
        else:  # of empty arrays, whose sum exists and whose maximum does not
            results = wrapped(getattr(ufunc, method)(*map(plain, inputs), **options))
        if out is None:
            return results
        outs = out if isinstance(out, tuple) else (out,)
        if not all(map(is_meta, outs)):
            raise NoValues(f"values were to be written into an array: {READS}")
        return outs[0] if len(outs) == 1 else outs

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        rule = RULES.get(function)
        if rule is not None:
            return rule(*args, **kwargs)
        if function in OF_PARTS:
            return super().__array_function__(function, types, args, kwargs)
        like = _regular if function.__module__ == "numpy.linalg" else numpy.zeros
        out = kwargs.pop("out", None)
        result = wrapped(function(*plain(args, like), **{k: plain(x) for k, x in kwargs.items()}))
        return result if out is None else out

    def __getitem__(self, key: Any) -> Any:
        keys = key if isinstance(key, tuple) else (key,)
        keys = tuple(numpy.asarray(k) if isinstance(k, list) else k for k in keys)
        if not any(isinstance(k, numpy.ndarray) for k in keys):
            return super().__getitem__(keys if any(k is Ellipsis for k in keys) else (*keys, ...))
        if any(is_meta(k) and k.dtype == bool for k in keys):
            raise NoValues(f"the shape of x[mask] depends on the mask: {READS}")
        if not self.size:
            return wrapped(plain(self)[plain(keys)])
        shape = numpy.broadcast_shapes(*(k.shape if k.dtype != bool else (numpy.count_nonzero(k),)
                                         for k in keys if isinstance(k, numpy.ndarray)))
        # Positions without elements leave a 0 where their dims are in the result.
        none = numpy.zeros((0,) * len(shape), numpy.intp)
        short: list[Any] = []
        for k in keys:
            wide = isinstance(k, numpy.ndarray) and k.dtype == bool
            short += [none] * k.ndim if wide else [none if isinstance(k, numpy.ndarray) else k]
        found = super().view(numpy.ndarray)[tuple(short)].shape
        at = found.index(0) if shape else 0
        return empty((*found[:at], *shape, *found[at + len(shape):]), self.dtype)

    def __setitem__(self, key: Any, value: Any) -> None:
        """
        Raises:
            ValueError: the value does not broadcast to what is selected, as NumPy's.
        """
        keys = key if isinstance(key, tuple) else (key,)
        if numpy.size(value) != 1 and not any(is_meta(k) and k.dtype == bool for k in keys):
            given = numpy.broadcast_to(numpy.int8(0), numpy.shape(value))  # without memory
            numpy.broadcast_to(given, self[key].shape)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> Any:
        return empty(self.shape, dtype)

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        return empty(self.shape, self.dtype)

    def flatten(self, *args: Any, **kwargs: Any) -> Any:
        return empty((self.size,), self.dtype)

    def fill(self, value: Any) -> None:
        pass

    def sort(self, *args: Any, **kwargs: Any) -> None:
        pass

    def view(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """As NumPy's, of a contiguous array."""
        kind = numpy.dtype(args[0]) if args else self.dtype
        if kind.itemsize == self.itemsize:
            return super().view(*args)
        last = self.shape[-1] * self.itemsize
        if last % kind.itemsize:
            raise ValueError(f"the last dim of shape {self.shape} cannot be viewed as {kind}")
        return empty((*self.shape[:-1], last // kind.itemsize), kind)

    def all(self, *args: Any, **kwargs: Any) -> Any:
        """Without an axis True: operations check values, and look for special ones, by these two
        methods."""
        return numpy.all(self, *args, **kwargs) if args or kwargs else numpy.True_

    def any(self, *args: Any, **kwargs: Any) -> Any:
        return numpy.any(self, *args, **kwargs) if args or kwargs else numpy.False_

    def __reduce__(self) -> Any:
        return empty, (self.shape, self.dtype)

    item = tolist = tobytes = _refuse
    __bool__ = __int__ = __float__ = __index__ = __complex__ = _refuse


def _delegate(name: str) -> Callable[..., Any]:
    function = getattr(numpy, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return function(self, *args, **kwargs)

    return method


for _name in ("argmax", "argmin", "argsort", "argpartition", "partition", "cumsum", "cumprod",
              "take", "repeat", "nonzero", "round", "dot", "searchsorted", "clip", "trace"):
    setattr(Meta, _name, _delegate(_name))


# ---------------------------------------------------------------- ufuncs


def _dtypes(ufunc: Any, inputs: tuple[Any, ...], options: dict[str, Any], ndim: int) -> Any:
    """The results of a call on one element."""
    with numpy.errstate(all="ignore"):
        results = ufunc(*(small(x, ndim) for x in inputs), **options)
    return results if isinstance(results, tuple) else (results,)


def _call(ufunc: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    shapes = [numpy.shape(x) for x in inputs]
    if ufunc.signature is None:
        made = [numpy.broadcast_shapes(*shapes)] * ufunc.nout
        found = _dtypes(ufunc, inputs, options, 1)
    else:
        names = [[part.strip() for part in core.split(",") if part.strip()]
                 for core in re.findall(r"\(([^)]*)\)", ufunc.signature)]
        made = _core_shapes(ufunc, names, shapes)
        found = _dtypes(ufunc, inputs, options, max(map(len, names)))
    results = [empty(shape, r.dtype) for shape, r in zip(made, found, strict=True)]
    return results[0] if len(results) == 1 else tuple(results)


def _core_shapes(ufunc: Any, names: list[list[str]], shapes: list[tuple[int, ...]],
                 ) -> list[tuple[int, ...]]:
    """The shapes of the results of a generalized ufunc, such as matmul: (n?,k),(k,m?)->(n?,m?)."""
    sizes: dict[str, int] = {}
    absent, loops = set(), []
    for core, shape in zip(names, shapes, strict=False):
        if len(shape) < len(core):
            if not shape or not any(name.endswith("?") for name in core):
                raise ValueError(f"{ufunc.__name__}: an input of shape {shape} has too few dims")
            absent |= {name for name in core if name.endswith("?")}
        kept = [name for name in core if name not in absent or len(shape) >= len(core)]
        at = len(shape) - len(kept)
        loops.append(shape[:at])
        for name, size in zip(kept, shape[at:], strict=True):
            if sizes.setdefault(name.rstrip("?"), size) != size:
                raise ValueError(f"{ufunc.__name__}: sizes {sizes[name.rstrip('?')]} and {size} "
                                 f"differ, of shapes {shapes}")
    loop = numpy.broadcast_shapes(*loops)
    return [(*loop, *(sizes[name.rstrip("?")] for name in core if name not in absent))
            for core in names[len(shapes):]]


def _by_method(ufunc: Any, method: str, inputs: tuple[Any, ...], options: dict[str, Any]) -> Any:
    """The results of reduce, accumulate, reduceat and outer."""
    x = inputs[0]
    result = getattr(ufunc, method)(*(small(i) for i in inputs), **options)
    if method == "reduce":
        axis = options.get("axis", inputs[1] if len(inputs) > 1 else 0)
        return empty(reduced_shape(x.shape, axis, options.get("keepdims", False)), result.dtype)
    if method == "accumulate":
        return empty(x.shape, result.dtype)
    if method == "outer":
        return empty(numpy.shape(x) + numpy.shape(inputs[1]), result.dtype)
    return wrapped(getattr(ufunc, method)(*map(plain, inputs), **options))


def reduced_shape(shape: tuple[int, ...], axis: Any, keepdims: Any = False) -> tuple[int, ...]:
    """The shape of a reduction over one axis, several, or all (None)."""
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    gone = {a % len(shape) for a in axes} if shape else set()
    return tuple(1 if i in gone else n for i, n in enumerate(shape) if keepdims or i not in gone)


# ---------------------------------------------------------------- functions


def _regular(shape: tuple[int, ...], dtype: Any) -> Any:
    """Matrices that can be inverted and factorised."""
    return numpy.broadcast_to(numpy.eye(*shape[-2:], dtype=dtype), shape) if len(shape) > 1 \
        else numpy.ones(shape, dtype)


def _same(function: Any) -> Callable[..., Any]:
    """The rule of a function whose result has the shape of its first argument."""
    def rule(a: Any, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        result = function(small(a), *(small(x, 0) if is_meta(x) else x for x in args), **kwargs)
        return empty(numpy.shape(a), result.dtype) if out is None else out

    return rule


def _positions(a: Any, *args: Any, **kwargs: Any) -> Any:
    """argsort, argpartition."""
    return empty(a.shape, numpy.intp)


def _reduction(function: Any) -> Callable[..., Any]:
    """The rule of a function that reduces over the parameters axis and keepdims."""
    bind = inspect.signature(function).bind

    def rule(*args: Any, **kwargs: Any) -> Any:
        given = bind(*args, **kwargs).arguments
        a, axis = given.pop("a"), given.pop("axis", None)
        keepdims, out = given.pop("keepdims", False), given.pop("out", None)
        if not a.size:
            return wrapped(function(plain(a), axis=axis, keepdims=keepdims))
        given = {k: v for k, v in given.items() if v is not numpy._NoValue}  # type: ignore
        result = numpy.asarray(function(small(a), axis=axis, **given))
        made = empty(reduced_shape(a.shape, axis, keepdims is True), result.dtype)
        return made if out is None else out

    return rule


def _accumulation(function: Any) -> Callable[..., Any]:
    def rule(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> Any:
        kind = numpy.asarray(function(small(a), axis=axis, dtype=dtype)).dtype
        made = empty((a.size,) if axis is None else a.shape, kind)
        return made if out is None else out

    return rule


def _concatenate(arrays: Any, axis: int = 0, out: Any = None, *, dtype: Any = None,
                 casting: str = "same_kind") -> Any:
    first, kind = arrays[0], numpy.concatenate([small(a) for a in arrays], 0, dtype=dtype).dtype
    at = axis % first.ndim
    for a in arrays:
        if a.ndim != first.ndim or any(m != n for i, (m, n) in enumerate(zip(
                a.shape, first.shape, strict=True)) if i != at):
            raise ValueError(f"shapes {first.shape} and {a.shape} do not fit along axis {axis}")
    shape = (*first.shape[:at], sum(a.shape[at] for a in arrays), *first.shape[at + 1:])
    return empty(shape, kind) if out is None else out


def _where(condition: Any, *choices: Any) -> Any:
    if not choices:
        _depends()
    kind = numpy.where(small(condition, 1), *(small(x, 1) for x in choices)).dtype
    return empty(numpy.broadcast_shapes(*map(numpy.shape, (condition, *choices))), kind)


def _einsum(subscripts: str, *operands: Any, **options: Any) -> Any:
    """The shape by the labels. Those of an ellipsis broadcast."""
    inputs, _, output = subscripts.replace(" ", "").partition("->")
    sizes: dict[str, int] = {}
    rest: tuple[int, ...] = ()
    for labels, x in zip(inputs.split(","), operands, strict=True):
        before, dots, after = labels.partition("...")
        count = x.ndim - len(after)
        if dots:
            rest = numpy.broadcast_shapes(rest, x.shape[len(before):count])
        ends = x.shape[:len(before)] + x.shape[count if dots else len(before):]
        for label, size in zip(before + after, ends, strict=True):
            sizes[label] = size if sizes.get(label, 1) == 1 else sizes[label]
    before, dots, after = output.partition("...")
    shape = (*(sizes[i] for i in before), *(rest if dots else ()), *(sizes[i] for i in after))
    return empty(shape, numpy.result_type(*(x.dtype for x in operands)))


def _dot(a: Any, b: Any, out: Any = None) -> Any:
    kind = numpy.dot(small(a, 1), small(b, 1)).dtype
    if not numpy.ndim(a) or not numpy.ndim(b):
        return empty(numpy.shape(a) + numpy.shape(b), kind)
    at = -1 if b.ndim == 1 else -2
    if a.shape[-1] != b.shape[at]:
        raise ValueError(f"shapes {a.shape} and {b.shape} not aligned")
    rest = b.shape[:-1] if b.ndim == 1 else b.shape[:-2] + b.shape[-1:]
    return empty(a.shape[:-1] + rest, kind)


def _take(a: Any, indices: Any, axis: Any = None, out: Any = None, mode: str = "raise") -> Any:
    where = numpy.shape(indices)
    if axis is None:
        return empty(where, a.dtype)
    at = axis % a.ndim
    return empty((*a.shape[:at], *where, *a.shape[at + 1:]), a.dtype)


def _pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    widths = numpy.broadcast_to(numpy.asarray(pad_width), (array.ndim, 2)).tolist()
    return empty([n + before + after for n, (before, after) in zip(
        array.shape, widths, strict=True)], array.dtype)


def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if is_meta(repeats):
        raise NoValues(f"the shape of repeat_interleave depends on the repeats: {READS}")
    shape = (a.size,) if axis is None else a.shape
    at = 0 if axis is None else axis % a.ndim
    count = int(numpy.broadcast_to(repeats, (shape[at],)).sum())
    return empty((*shape[:at], count, *shape[at + 1:]), a.dtype)


def _broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """A view, as NumPy's."""
    whole = numpy.ndarray.view(array, numpy.ndarray) if is_meta(array) else array
    return numpy.broadcast_to(whole, shape).view(Meta)


def _depends(*args: Any, **kwargs: Any) -> Any:
    raise NoValues(f"the shape of the result depends on values: {READS}")


def _like(function: Any) -> Callable[..., Any]:
    def rule(a: Any, *args: Any, dtype: Any = None, shape: Any = None, **kwargs: Any) -> Any:
        return empty(a.shape if shape is None else shape, dtype or a.dtype)

    return rule


def _windows(x: Any, window_shape: Any, axis: Any = None, **kwargs: Any) -> Any:
    sizes = window_shape if isinstance(window_shape, tuple) else (window_shape,)
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    shape = list(x.shape)
    for a, n in zip(axes, sizes, strict=True):
        shape[a] -= n - 1
    return empty((*shape, *sizes), x.dtype)


RULES: dict[Any, Callable[..., Any]] = {
    **{f: _same(f) for f in (numpy.sort, numpy.roll, numpy.clip, numpy.nan_to_num, numpy.copy,
                             numpy.tril, numpy.triu, numpy.round, numpy.real, numpy.sinc)},
    **{f: _like(f) for f in (numpy.zeros_like, numpy.ones_like, numpy.empty_like,
                             numpy.full_like)},
    **{f: _reduction(f) for f in (
        numpy.sum, numpy.prod, numpy.max, numpy.min, numpy.amax, numpy.amin, numpy.mean,
        numpy.any, numpy.all,
        numpy.argmax, numpy.argmin, numpy.var, numpy.std, numpy.count_nonzero, numpy.nansum,
        numpy.nanmax, numpy.nanmin)},
    **{f: _accumulation(f) for f in (numpy.cumsum, numpy.cumprod)},
    **dict.fromkeys((numpy.nonzero, numpy.flatnonzero, numpy.argwhere, numpy.unique,
                     numpy.bincount, numpy.array_equal), _depends),
    numpy.argsort: _positions, numpy.argpartition: _positions, numpy.partition: _same(numpy.sort),
    numpy.concatenate: _concatenate, numpy.where: _where, numpy.einsum: _einsum, numpy.dot: _dot,
    numpy.take: _take, numpy.pad: _pad, numpy.repeat: _repeat,
    numpy.broadcast_to: _broadcast_to,
    numpy.broadcast_arrays: lambda *args, **kwargs: tuple(
        _broadcast_to(a, numpy.broadcast_shapes(*map(numpy.shape, args))) for a in args),
    numpy.copyto: lambda *args, **kwargs: None, numpy.shape: lambda a: a.shape,
    numpy.searchsorted: lambda a, v, *args, **kwargs: empty(numpy.shape(v), numpy.intp),
    numpy.lib.stride_tricks.sliding_window_view: _windows,
}
# Functions in Python, made of others.
OF_PARTS = {
    numpy.transpose, numpy.reshape, numpy.moveaxis, numpy.swapaxes, numpy.expand_dims,
    numpy.squeeze, numpy.ravel, numpy.flip,
    numpy.diagonal, numpy.stack, numpy.hstack, numpy.vstack, numpy.split, numpy.array_split,
    numpy.tensordot, numpy.outer, numpy.take_along_axis, numpy.put_along_axis, numpy.ndim,
    numpy.size, numpy.atleast_1d, numpy.atleast_2d, numpy.isclose}


# ---------------------------------------------------------------- the array language


def _made(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of NumPy that makes an array, without its values."""
    def make(*args: Any, **kwargs: Any) -> Any:
        return wrapped(function(*plain(args), **kwargs))

    return make


def _full(shape: Any, fill_value: Any, dtype: Any = None, **kwargs: Any) -> Any:
    return empty(shape, numpy.asarray(fill_value).dtype if dtype is None else dtype)


def _zeros(shape: Any, dtype: Any = float, *args: Any, **kwargs: Any) -> Any:
    return empty(shape, dtype)


def _as_array(x: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    if is_meta(x):
        return x if dtype is None or x.dtype == dtype else x.astype(dtype)
    return wrapped(numpy.asarray(x, dtype))


class _Module:
    """NumPy, with functions that make arrays without values. It is no module of Python: that would
    call kernels for a GPU."""

    def __getattr__(self, name: str) -> Any:
        return getattr(numpy, name)


module: Any = _Module()
module.ndarray = Meta
module.zeros = module.ones = module.empty = _zeros
module.full = _full
module.asarray = module.array = module.ascontiguousarray = module.asanyarray = _as_array
for _name in ("arange", "eye", "identity", "linspace", "tri", "indices"):
    setattr(module, _name, _made(getattr(numpy, _name)))
module.lib = SimpleNamespace(stride_tricks=SimpleNamespace(
    as_strided=lambda x, shape, strides=None, **kwargs: empty(shape, x.dtype),
    sliding_window_view=_windows))


# ---------------------------------------------------------------- random numbers


class Stream:
    """In place of a stream of random numbers, as `streams.Stream`: their number and dtype."""

    xp = module

    def seed(self, seed: int) -> None:
        pass

    def uniform(self, count: int, dtype: Any) -> Any:
        return empty(count, numpy.float64 if dtype == numpy.float64 else numpy.float32)

    def uniform_in(self, count: int, dtype: Any, *limits: float) -> Any:
        return empty(count, dtype)

    def normal(self, count: int, dtype: Any, contiguous: bool = True) -> Any:
        return self.uniform(count, dtype)

    def exponential(self, count: int) -> Any:
        return empty(count, numpy.float64)

    serial_normal = exponential

    def less(self, count: int, limit: float) -> Any:
        return empty(count, bool)

    def less_again(self, count: int, limit: float) -> Any:
        return SimpleNamespace(bools=lambda: empty(count, bool))

    def integers(self, low: int, high: int, count: int, wide: bool | None = None) -> Any:
        return empty(count, numpy.int64)

    def permutation(self, count: int) -> Any:
        return empty(count, numpy.int64)

    def get_state(self, seed: int) -> Any:
        """The seed: there is nothing else to go on with."""
        return numpy.frombuffer(seed.to_bytes(8, "little"), numpy.uint8).copy()

    def set_state(self, state: Any) -> int:
        """
        Raises:
            ValueError: not such a state.
        """
        if state.dtype != numpy.uint8 or state.shape != (8,):
            raise ValueError(f"expected uint8 of shape (8,), got {state.dtype} of {state.shape}")
        return int.from_bytes(state.tobytes(), "little")

    def __getattr__(self, name: str) -> Any:
        raise NoValues(f"random numbers of this kind cannot be drawn: {READS}")
