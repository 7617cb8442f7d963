"""`torch.jit`: TorchScript. Programs run as Python, so scripting and tracing return their argument.

`save` and `load` of compiled programs raise: `tinytensor.save` and `load` have the weights.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from ...distributed.futures import Future as Future
from ...nn.module import Module

T = TypeVar("T")
__all__ = ["Attribute", "Final", "Future", "ScriptFunction", "ScriptModule", "annotate", "export",
           "fork", "freeze", "wait",
           "ignore", "is_scripting", "is_tracing", "isinstance", "load", "optimize_for_inference",
           "save", "script", "script_if_tracing", "script_method", "set_fusion_strategy", "trace",
           "trace_module", "unused"]


class ScriptModule(Module):
    """A base class of modules: `Module` itself, under the name of a compiled one."""


class ScriptFunction:
    """The type of compiled functions, of which there are none."""


class TracerWarning(Warning):
    """PyTorch's warning of tracing, which is never given."""


def script(obj: T, *args: Any, **kwargs: Any) -> T:
    """The function, class or module itself."""
    return obj


def trace(func: T, example_inputs: Any = None, *args: Any, **kwargs: Any) -> T:
    """The function or module itself; it is not called."""
    return func


def trace_module(mod: T, inputs: Any, *args: Any, **kwargs: Any) -> T:
    """The module itself; it is not called."""
    return mod


def script_if_tracing(fn: T) -> T:
    """The function itself."""
    return fn


script_method = export = _overload = _overload_method = script_if_tracing
_script_if_tracing = script_if_tracing
freeze = optimize_for_inference = script


def interface(obj: T) -> T:
    """The class itself."""
    return obj


def ignore(drop: Any = False, **kwargs: Any) -> Any:
    """A decorator that returns the function: `@ignore` and `@ignore(drop=True)`."""
    return drop if callable(drop) else script_if_tracing


def unused(fn: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return fn


def fork(func: Callable[..., T], *args: Any, **kwargs: Any) -> Future[T]:
    """A Future with the result of func(*args, **kwargs), which is computed at once."""
    future: Future[T] = Future()
    future.set_result(func(*args, **kwargs))
    return future


def wait(future: Future[T]) -> T:
    """The result of a `fork`."""
    return future.wait()


def is_scripting() -> bool:
    """False: nothing is compiled."""
    return False


def is_tracing() -> bool:
    """False: nothing is traced."""
    return False


def annotate(the_type: Any, the_value: T) -> T:
    """The value."""
    return the_value


def Attribute(value: T, type: Any = None) -> T:  # noqa: N802 - PyTorch's name
    """The value."""
    return value


isinstance = isinstance


def save(m: Any, f: Any, *args: Any, **kwargs: Any) -> None:
    """Not supported.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("jit.save: programs are not compiled, so only weights can be saved; write "
                       "save(model.state_dict(), path)")


def load(f: Any, *args: Any, **kwargs: Any) -> Any:
    """Not supported.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("jit.load: a TorchScript file holds a compiled program, which only PyTorch "
                       "runs; save its state_dict() there, and load that")


def set_fusion_strategy(strategy: Any) -> None:
    """Has no effect."""


@contextlib.contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """Has no effect."""
    yield


@contextlib.contextmanager
def fuser(name: str) -> Iterator[None]:
    """Has no effect."""
    yield


def _get_trace_graph(*args: Any, **kwargs: Any) -> Any:
    """PyTorch's graph of a model, by which libraries count operations.

    Raises:
        RuntimeError: always.
    """
    raise RuntimeError("jit._get_trace_graph: programs run as they are written, nothing is traced; "
                       "tinytensor.utils.summary counts parameters and multiplications")
