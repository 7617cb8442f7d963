"""repr of Tensors, in PyTorch's layout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from ..arrays import devices, dtypes

options: dict[str, Any] = {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80,
                           "sci_mode": None}


def set_printoptions(precision: int | None = None, threshold: int | None = None,
                     edgeitems: int | None = None, linewidth: int | None = None,
                     profile: str | None = None, sci_mode: bool | None = None) -> None:
    """Sets how Tensors are printed.

    Args:
        precision: digits after the point.
        threshold: the number of elements above which a Tensor is summarised.
        edgeitems: how many elements a summary shows at each end of a dim.
        linewidth: characters per line.
        profile: "default", "short" or "full": a set of values, which the other arguments override.
        sci_mode: scientific notation always (True), never (False), or depending on the values.
    """
    profiles = {"default": (4, 1000, 3, 80), "short": (2, 1000, 2, 80),
                "full": (4, math.inf, 3, 80)}
    if profile is not None:
        if profile not in profiles:
            raise ValueError(f"set_printoptions: profile must be one of {', '.join(profiles)}, "
                             f"got {profile!r}")
        options.update(zip(("precision", "threshold", "edgeitems", "linewidth"),
                           profiles[profile], strict=True))
    given = {"precision": precision, "threshold": threshold, "edgeitems": edgeitems,
             "linewidth": linewidth}
    options.update({k: v for k, v in given.items() if v is not None}, sci_mode=sci_mode)


def tensor_str(tensor: Any) -> str:
    """repr(tensor): the values, and attributes that differ from the defaults."""
    array = tensor._array if tensor.is_meta else devices.to_numpy(tensor._array)
    suffixes = []
    if tensor.device.type != "cpu":
        suffixes.append(f"device='{tensor.device}'")
    usual = (dtypes.get_default_dtype(), dtypes.int64, dtypes.bool_)
    if tensor.is_meta:
        body = "..."
        suffixes.append(f"size={tuple(array.shape)}")
        if tensor.dtype is not dtypes.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
    elif array.size == 0:
        body = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        if tensor.dtype is not dtypes.get_default_dtype():
            suffixes.append(f"dtype={tensor.dtype}")
    else:
        if tensor.dtype not in usual:
            suffixes.append(f"dtype={tensor.dtype}")
        body = numbers_of(array, len("tensor("))
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    return _with_suffixes("tensor(" + body, suffixes)


def numbers_of(array: numpy.ndarray[Any, Any], indent: int) -> str:
    """The elements as text, in brackets; lines after the first are indented."""
    summarize = array.size > options["threshold"]
    return _layout(array, indent, summarize, _formatter(_edges(array) if summarize else array))


def _with_suffixes(text: str, suffixes: list[str]) -> str:
    room = len(text) - text.rfind("\n") - 1 + 1
    for suffix in suffixes:
        if room + len(suffix) + 2 > options["linewidth"]:
            text += ",\n" + " " * len("tensor(") + suffix
            room = len("tensor(") + len(suffix)
        else:
            text += ", " + suffix
            room += len(suffix) + 2
    return text + ")"


def _edges(array: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    """The elements that a summary shows."""
    edge = options["edgeitems"]
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = numpy.concatenate([array.take(range(edge), axis),
                                       array.take(range(size - edge, size), axis)], axis)
    return array


def _formatter(array: numpy.ndarray[Any, Any]) -> Callable[[Any], str]:
    """A function that formats one element, at a common width for all."""
    if array.dtype.kind == "O":
        return _padded([f"{float(v):.{options['precision']}f}" for v in array.ravel()],
                       lambda v: f"{float(v):.{options['precision']}f}")
    if not dtypes.is_floating(array.dtype):
        return _padded([str(v) for v in array.ravel().tolist()], str)
    values = numpy.abs(array[numpy.isfinite(array) & (array != 0)].astype(numpy.float64))
    whole = bool((values == numpy.ceil(values)).all())
    scientific, digits = False, options["precision"]
    if values.size:
        largest, smallest = float(values.max()), float(values.min())
        scientific = largest > 1e8 or largest / smallest > 1000 or not whole and smallest < 1e-4
    if options["sci_mode"] is not None:
        scientific = options["sci_mode"]

    def write(v: Any) -> str:
        v = float(v)
        if scientific:
            return f"{v:.{digits}e}"
        if whole:
            return f"{v:.0f}." if math.isfinite(v) else f"{v:.0f}"
        return f"{v:.{digits}f}"

    finite = [write(v) for v in array.ravel() if math.isfinite(v) and v != 0]
    return _padded(finite, write)


def _padded(texts: list[str], write: Callable[[Any], str]) -> Callable[[Any], str]:
    width = max(map(len, texts), default=1)

    def formatted(v: Any) -> str:
        return write(v).rjust(width)

    formatted.width = width  # type: ignore[attr-defined]
    return formatted


def _layout(array: numpy.ndarray[Any, Any], indent: int, summarize: bool,
            write: Callable[[Any], str]) -> str:
    edge = options["edgeitems"]
    if array.ndim == 0:
        return write(array.item())
    cut = summarize and array.shape[0] > 2 * edge
    if array.ndim == 1:
        width = write.width + 2  # type: ignore[attr-defined]
        per_line = max(1, (options["linewidth"] - indent) // width)
        if cut:
            texts = [*map(write, array[:edge]), " ...", *map(write, array[-edge:])]
        else:
            texts = [*map(write, array)]
        lines = [texts[i:i + per_line] for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(", ".join(line) for line in lines) + "]"
    rows = [*array[:edge], None, *array[-edge:]] if cut else [*array]
    parts = ["..." if r is None else _layout(r, indent + 1, summarize, write) for r in rows]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(parts) + "]"
