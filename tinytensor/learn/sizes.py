"""How many Values a program on arrays of Values makes, found without making them.

`Counting` is a NumPy array of float64 that stands for an array of Values. It computes with numbers,
at NumPy's speed, and counts for each call the Values that NumPy would make on an array of objects.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

# These choose among Values that exist already.
CHOOSING = {numpy.maximum, numpy.minimum, numpy.fmax, numpy.fmin}


class Counting(numpy.ndarray[Any, Any]):
    """Stands for an array of Values; `made` counts those of all arrays since the last reset.

    Results with truth values or positions are plain arrays: they hold no Values.
    """

    made = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, out: Any = None,
                        **options: Any) -> Any:
        if out is not None:
            options["out"] = tuple(_plain(o) for o in out)
        result = getattr(ufunc, method)(*map(_plain, inputs), **options)
        if method == "at":
            Counting.made += numpy.size(inputs[2])
            return result
        if ufunc not in CHOOSING and numpy.asarray(result).dtype.kind == "f":
            Counting.made += _count(ufunc, method, inputs, numpy.size(result),
                                    options.get("axis", 0))
        return out[0] if out is not None else _counting(result)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any,
                           kwargs: Any) -> Any:
        if function in (numpy.einsum, numpy.dot, numpy.inner, numpy.vdot):
            result = function(*(_plain(x) for x in args), **kwargs)
            operands = args if function is not numpy.einsum else args[1:]
            Counting.made += _products(function, args, operands, numpy.size(result))
            return _counting(result)
        return _counting(super().__array_function__(function, types, args, kwargs))


def counting(array: Any) -> Counting:
    """The numbers of an array, as an array that counts."""
    return numpy.array(array, dtype=numpy.float64).view(Counting)


def _plain(x: Any) -> Any:
    return x.view(numpy.ndarray) if isinstance(x, Counting) else x


def _counting(x: Any) -> Any:
    if isinstance(x, tuple | list):
        return type(x)(map(_counting, x))
    array = numpy.asarray(x)
    return array.view(Counting) if array.dtype.kind == "f" else x


def _count(ufunc: Any, method: str, inputs: Sequence[Any], size: int, axis: Any) -> int:
    """The Values made by one call of a ufunc, with a constant for each number beside a Value."""
    if method == "reduce":
        return max(numpy.size(inputs[0]) - size, 0)
    if method == "accumulate":
        return size - size // max(numpy.shape(inputs[0])[axis], 1)
    constants = sum(not isinstance(x, Counting) for x in inputs)
    if ufunc in (numpy.matmul, numpy.vecdot):
        length = numpy.shape(inputs[0])[-1]
        return size * max(2 * length - 1, 0) + size * length * constants
    return size * (1 + constants) + size * (ufunc is numpy.reciprocal)


def _products(function: Any, args: Sequence[Any], operands: Sequence[Any], size: int) -> int:
    """The Values made by sums of products."""
    if function is numpy.einsum:
        sizes = {letter: n for term, x in zip(args[0].partition("->")[0].split(","), operands,
                                              strict=True)
                 for letter, n in zip(reversed(term), reversed(numpy.shape(x)), strict=False)}
        terms = math.prod(sizes.values())
    else:
        terms = size * (numpy.shape(operands[0]) or (1,))[-1]
    constants = sum(not isinstance(x, Counting) for x in operands)
    return terms * (len(operands) - 1 + constants) + max(terms - size, 0)
