"""PyTorch's older call forms: a table of adaptations of functions with the present signatures.

    add(input, 2, other)              is  add(input, other, alpha=2)
    addcmul(input, 2, a, b)           is  addcmul(input, a, b, value=2)
    softmax(input, 1, _stacklevel=5)  is  softmax(input, 1)
    mse_loss(x, y, reduce=False)      is  mse_loss(x, y, reduction="none"), with a warning
    clip_grad_norm(parameters, 1)     is  clip_grad_norm_(parameters, 1), with a warning

`adapted` wraps the functions listed in `ADAPTERS` when the table of operations is attached.
`loss_arguments` adapts the arguments of the loss modules. `help`, `inspect` and the stubs show the
present signature only.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable
from typing import Any

from ..autograd.frames import passes_on, shorten, warn
from ..autograd.out import into

Function = Callable[..., Any]
Adapter = Callable[[Function], Function]


def adapted(key: str, function: Function) -> Function:
    """The function of an operation, which also takes its older forms if there are any."""
    adapter = ADAPTERS.get(key)
    return adapter(function) if adapter else function


# ---------------------------------------------------------------- a number before the Tensor


def _alpha_second(function: Function) -> Function:
    """add(input, alpha, other)."""
    @passes_on
    @functools.wraps(function)
    def called(input: Any, other: Any, last: Any = None, *, alpha: Any = 1,
               out: Any = None) -> Any:
        try:
            if out is not None:
                return into(out, called, input, other, last, alpha=alpha)
            if last is not None:
                return function(input, last, alpha=other)
            return function(input, other) if alpha == 1 else function(input, other, alpha=alpha)
        except Exception as error:
            shorten(error)
            raise

    return called


def _value_second(function: Function) -> Function:
    """addcmul(input, value, tensor1, tensor2)."""
    @passes_on
    @functools.wraps(function)
    def called(input: Any, tensor1: Any, tensor2: Any, last: Any = None, *,
               value: Any = 1) -> Any:
        try:
            if last is not None:
                return function(input, tensor2, last, value=tensor1)
            return function(input, tensor1, tensor2, value=value)
        except Exception as error:
            shorten(error)
            raise

    return called


# ---------------------------------------------------------------- arguments without effect


def _stacklevel_third(function: Function) -> Function:
    """softmax(input, dim, _stacklevel, dtype)."""
    @passes_on
    @functools.wraps(function)
    def called(input: Any, dim: Any = None, dtype: Any = None, last: Any = None, *,
               _stacklevel: int = 3, axis: Any = None) -> Any:
        if dtype.__class__ is int:
            dtype = last
        try:
            return function(input, dim if axis is None else axis, dtype)
        except Exception as error:
            shorten(error)
            raise

    return called


def with_only_inputs(grad: Function) -> Function:
    """grad(outputs, inputs, grad_outputs, retain_graph, create_graph, only_inputs, ...)."""
    @passes_on
    @functools.wraps(grad)
    def called(outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: Any = None,
               create_graph: bool = False, only_inputs: bool = True, *args: Any,
               **kwargs: Any) -> Any:
        if not only_inputs:
            raise ValueError("grad: only_inputs=False is not supported; backward() adds to the "
                             "gradients of all leaves")
        try:
            return grad(outputs, inputs, grad_outputs, retain_graph, create_graph, *args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return called


# ---------------------------------------------------------------- size_average and reduce


# The positional parameters of the older signatures, from `size_average` on. The present signatures
# have the same parameters before it, and take the others by keyword only.
FLAG_NAMES = frozenset(("size_average", "reduce"))
FLAGS = ("size_average", "reduce", "reduction")
FROM_SIZE_AVERAGE: dict[str, tuple[str, ...]] = {
    "mse_loss": (*FLAGS, "weight"),
    "l1_loss": (*FLAGS, "weight"),
    "smooth_l1_loss": (*FLAGS, "beta"),
    "nll_loss": ("size_average", "ignore_index", "reduce", "reduction"),
    "cross_entropy": ("size_average", "ignore_index", "reduce", "reduction", "label_smoothing"),
    "binary_cross_entropy": FLAGS,
    "binary_cross_entropy_with_logits": (*FLAGS, "pos_weight"),
    "kl_div": (*FLAGS, "log_target"),
    "poisson_nll_loss": ("size_average", "eps", "reduce", "reduction"),
    "hinge_embedding_loss": FLAGS,
    "margin_ranking_loss": FLAGS,
    "soft_margin_loss": FLAGS,
    "multilabel_soft_margin_loss": FLAGS,
    "multilabel_margin_loss": FLAGS,
    "multi_margin_loss": FLAGS,
    "triplet_margin_loss": FLAGS,
    "cosine_embedding_loss": FLAGS,
}


def reduction_of(size_average: bool | None, reduce: bool | None) -> str:
    """The reduction that the two flags ask for."""
    return "none" if reduce is False else "sum" if size_average is False else "mean"


def _with_flags(name: str, order: tuple[str, ...], positional: int, args: tuple[Any, ...],
                kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """The arguments in the present form, and whether a flag was given.

    Raises:
        TypeError: too many arguments, or an argument given twice.
    """
    if len(args) > positional + len(order):
        raise TypeError(f"{name}: takes at most {positional + len(order)} positional arguments, "
                        f"got {len(args)}")
    named = dict(zip(order, args[positional:], strict=False))
    twice = named.keys() & kwargs.keys()
    if twice:
        raise TypeError(f"{name}: {' and '.join(sorted(twice))} given by position and by name")
    named |= kwargs
    size_average, reduce = named.pop("size_average", None), named.pop("reduce", None)
    flagged = size_average is not None or reduce is not None
    if flagged:
        named["reduction"] = reduction_of(size_average, reduce)
    return args[:positional], named, flagged


def _positional(signature: inspect.Signature) -> int:
    """The number of arguments that may be positional."""
    return sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in signature.parameters.values())


def _flags(function: Function) -> Function:
    """mse_loss(input, target, size_average, reduce, reduction, weight)."""
    name, positional = function.__name__, _positional(inspect.signature(function))
    order = FROM_SIZE_AVERAGE[name]

    @passes_on
    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        if len(args) > positional or (kwargs and not FLAG_NAMES.isdisjoint(kwargs)):
            args, kwargs, flagged = _with_flags(name, order, positional, args, kwargs)
            if flagged:
                warn(f"{name}: size_average and reduce are deprecated, write "
                     f"reduction={kwargs['reduction']!r} instead")
        try:
            return function(*args, **kwargs)
        except Exception as error:
            shorten(error)
            raise

    return called


def loss_arguments(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
                   ) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a loss module, MSELoss(size_average, reduce, ...), in the present form.

    Raises:
        TypeError: too many arguments, or an argument given twice.
    """
    order = FROM_SIZE_AVERAGE.get(module.function)
    if order is None:
        return args, kwargs
    positional = _positional(module.__signature__)
    args, kwargs, _ = _with_flags(type(module).__name__, order, positional, args, kwargs)
    return args, kwargs


# ---------------------------------------------------------------- deprecated names


def deprecated(place: str, function: Function) -> Function:
    """The function of a module under its deprecated name, without the underscore. It warns."""
    name = function.__name__

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"{place}.{name[:-1]} is deprecated; write {place}.{name}", FutureWarning,
                      stacklevel=2)
        return function(*args, **kwargs)

    called.__name__ = name[:-1]
    return called


ADAPTERS: dict[str, Adapter] = {
    "add": _alpha_second,
    "sub": _alpha_second,
    "addcmul": _value_second,
    "addcdiv": _value_second,
    "softmax": _stacklevel_third,
    "log_softmax": _stacklevel_third,
    "nn.functional.softmin": _stacklevel_third,
    **{f"nn.functional.{name}": _flags for name in FROM_SIZE_AVERAGE},
}
