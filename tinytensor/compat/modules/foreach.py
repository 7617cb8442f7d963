"""`torch._foreach_add` and its kind: an operation on each Tensor of a list.

    _foreach_add(xs, ys)          [x + y for x, y in zip(xs, ys)], as a tuple
    _foreach_add(xs, 2.0)         [x + 2.0 for x in xs]
    _foreach_add_(xs, ys)         in place

PyTorch runs them as one kernel. Here they run one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ... import linalg, ops
from ...tensors.tensor import Tensor

PREFIX = "_foreach_"
UNARY = ("abs", "acos", "asin", "atan", "ceil", "clone", "cos", "cosh", "erf", "erfc", "exp",
         "expm1", "floor", "frac", "log", "log10", "log1p", "log2", "neg", "reciprocal", "round",
         "rsqrt", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "zero")
BINARY = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "clamp_min", "clamp_max",
          "addcmul", "addcdiv", "lerp", "copy")
NAMES = frozenset((*(f"{PREFIX}{name}{end}" for name in (*UNARY, *BINARY) for end in ("", "_")),
                   f"{PREFIX}norm", f"{PREFIX}max"))


def _at(argument: Any, i: int) -> Any:
    """The argument for Tensor `i`: an item of a list, or the argument itself."""
    return argument[i] if isinstance(argument, list | tuple) else argument


def _method(name: str, arguments: list[Any], keywords: dict[str, Any], end: str) -> str:
    """The name of the method of Tensor."""
    if name in ("maximum", "minimum") and not isinstance(arguments[0], Tensor):
        name = {"maximum": "clamp_min", "minimum": "clamp_max"}[name]
    if name in ("addcmul", "addcdiv"):
        if len(arguments) == 3:
            keywords["value"] = arguments.pop()
        if "scalars" in keywords:
            keywords["value"] = keywords.pop("scalars")
    return f"{name}{end}"


def _of_each(name: str) -> Callable[..., Any]:
    end = "_" if name.endswith("_") or name.endswith(("copy", "zero")) else ""
    plain = name.removesuffix("_")

    def function(tensors: Sequence[Tensor], *args: Any, **kwargs: Any) -> Any:
        results = []
        for i, tensor in enumerate(tensors):
            arguments = [_at(argument, i) for argument in args]
            keywords = {key: _at(value, i) for key, value in kwargs.items()}
            method = _method(plain, arguments, keywords, end)
            if end and not name.endswith("_"):  # copy and zero have no form out of place
                tensor = tensor.clone()
            if hasattr(Tensor, method):
                results.append(getattr(tensor, method)(*arguments, **keywords))
            else:  # maximum has no form in place
                tensor.copy_(getattr(tensor, method.removesuffix("_"))(*arguments, **keywords))
        return None if name.endswith("_") else tuple(results)

    function.__name__ = f"{PREFIX}{name}"
    function.__doc__ = f"`{name}` on each Tensor of a list."
    return function


def norm(tensors: Sequence[Tensor], ord: float = 2, dtype: Any = None) -> tuple[Tensor, ...]:
    """`linalg.vector_norm` of each Tensor."""
    return tuple(linalg.vector_norm(x, ord, dtype=dtype) for x in tensors)


def largest(tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The largest element of each Tensor."""
    return tuple(ops.extrema.amax(x) for x in tensors)


def __getattr__(name: str) -> Any:
    if name not in NAMES:
        raise AttributeError(name)
    plain = name.removeprefix(PREFIX)
    return {"norm": norm, "max": largest}.get(plain) or _of_each(plain)
