"""`out=`: the result of an operation is written into Tensors of the program.

    torch.add(a, b, out=c)        is  c.copy_(torch.add(a, b)), where c may have another shape

Every operation takes `out`. The operations of `Op` hand it on to `into`; functions that are
composed of others are wrapped by `taking_out`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from ..arrays import dtypes
from . import graph
from .frames import passes_on, shorten, warn
from .modes import mode


@passes_on
def into(out: Any, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Calls the function, and writes its result, or each of its results, into `out`. Returns `out`.

    A Tensor of another shape gets the shape of the result, with a warning if it has elements.

    Raises:
        TypeError: `out` is not a Tensor, or not as many as there are results.
        RuntimeError: a Tensor requires grad and operations are recorded; the dtype or device of
            `out` does not fit; `out` cannot be written.
    """
    result = function(*args, **kwargs)
    name = function.__name__.rstrip("_")
    results = result if isinstance(result, tuple) else (result,)
    outs = tuple(out) if isinstance(out, tuple | list) else (out,)
    if len(outs) != len(results) or not all(isinstance(x, graph.Tensor) for x in outs):
        expected = "a Tensor" if len(results) == 1 else f"a tuple of {len(results)} Tensors"
        raise TypeError(f"{name}: out must be {expected}, got "
                        f"{' and '.join(type(x).__name__ for x in outs)}")
    if mode.enabled and any(x._node is not None for x in (*outs, *results)):
        raise RuntimeError(f"{name}: a result that is written into out= has no gradient, but one "
                           "of the arguments requires grad; leave out= out, or use no_grad()")
    for target, value in zip(outs, results, strict=True):
        if target.device != value.device:
            raise RuntimeError(f"{name}: out is on {target.device}, the result on {value.device}")
        if not dtypes.can_cast(value.dtype, target.dtype):
            raise RuntimeError(f"{name}: a result of {value.dtype} cannot be written into out of "
                               f"{target.dtype}")
        if target.shape == value.shape:
            target._check_write(name)
    for target, value in zip(outs, results, strict=True):
        if target.shape == value.shape:
            target._array[...] = value._array
            target._note_write(name)
        else:
            if target.numel():
                warn(f"{name}: out of shape {tuple(target.shape)} gets the shape "
                     f"{tuple(value.shape)} of the result; give out.resize_(0) to say so")
            target.data = value.clone().to(target.dtype)
    return type(result)(*outs) if hasattr(result, "_fields") else out


@functools.cache
def taking_out(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which also takes `out`; itself if it is the function of an `Op`."""
    if hasattr(function, "op") or "out" in inspect.signature(function).parameters:
        return function

    @passes_on
    @functools.wraps(function)
    def called(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        try:
            if out is not None:
                return into(out, function, *args, **kwargs)
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return called
