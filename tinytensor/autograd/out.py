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

from ..arrays import devices, dtypes
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
    own = inspect.signature(function, follow_wrapped=False).parameters
    if hasattr(function, "op") and not hasattr(function, "__wrapped__") or "out" in own:
        return function

    @passes_on
    @functools.wraps(function)
    def called(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        try:
            if out is not None:
                return into(out, function, *args, **kwargs)
            return function(*args, **kwargs)
        except Exception as error:
            refuse_others(error, function, args, kwargs)
            shorten(error)
            raise

    return called


@functools.cache
def naming_its_tensors(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, whose error for an argument that is no Tensor says which; itself if it is the
    function of an `Op`, whose errors do.
    """
    if hasattr(function, "op") and not hasattr(function, "__wrapped__"):
        return function

    @passes_on
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            refuse_others(error, function, args, kwargs)
            shorten(error)
            raise

    return called


def refuse_others(error: Exception, function: Callable[..., Any], args: tuple[Any, ...],
                  kwargs: dict[str, Any]) -> None:
    """Raises TypeError for the first argument that has to be a Tensor and is not, if the error can
    have come from that.
    """
    if not isinstance(error, AttributeError | TypeError):
        return
    try:
        bound = inspect.signature(function).bind_partial(*args, **kwargs).arguments
    except TypeError:
        return
    for parameter in inspect.signature(function).parameters.values():
        x, wanted = bound.get(parameter.name, None), str(parameter.annotation)
        given = parameter.name in bound and not isinstance(x, graph.Tensor)
        several = wanted == "Sequence[Tensor]" or (
            (wanted == "Tensor" or parameter.name == "tensors")
            and parameter.kind is parameter.VAR_POSITIONAL)
        one = wanted == "Tensor" or parameter.annotation is parameter.empty \
            and parameter.name == "input"
        if given and one and not several and not devices.is_array(x):
            hint = "; write tensor(...) around it" if isinstance(x, list | tuple | int | float) \
                else ""
            raise TypeError(f"{function.__name__.rstrip('_')}: `{parameter.name}` must be a Tensor,"
                            f" got {type(x).__name__}{hint}") from None
        if given and several and not (isinstance(x, list | tuple) and all(
                isinstance(item, graph.Tensor) for item in x)):
            kinds = " and ".join(sorted({type(item).__name__ for item in x})) \
                if isinstance(x, list | tuple) and x else type(x).__name__
            raise TypeError(f"{function.__name__}: `{parameter.name}` must be several Tensors, "
                            f"got {kinds}") from None
