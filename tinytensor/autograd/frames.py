"""Which frames of the call stack are the program's, and which are of this package.

Errors, warnings and nodes name the line of the program. Tracebacks show the program's lines and at
most three frames of this package.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from types import CodeType, TracebackType
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

OWN = "__tinytensor__"  # a global of every module of this package
MOST = 3  # frames of this package in a traceback
passing: set[CodeType] = set()  # code that only passes a call on, and explains nothing


def mark_own_modules(package: str) -> None:
    """Marks the modules of a package or subpackage that are imported."""
    for name, module in list(sys.modules.items()):
        if f"{name}.".startswith(f"{package}."):
            vars(module)[OWN] = True


def user_frame(depth: int = 1) -> Any:
    """The frame of the program that is being executed: the innermost one outside the package.

    `depth` leaves out calls that are known to be of this package: each frame costs time.
    """
    frame = sys._getframe(depth)
    while OWN in frame.f_globals and frame.f_back:
        frame = frame.f_back
    return frame


def caller() -> str:
    """file:line of the program that is being executed."""
    frame = user_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def place_of(node: Any) -> str:
    """file:line of the call that made `node`, or of a write."""
    code, offset = node.code, node.offset
    line = next((ln for start, end, ln in code.co_lines() if start <= offset < end), None)
    return f"{code.co_filename}:{line or code.co_firstlineno}"


def error_at(node: Any, message: str) -> RuntimeError:
    """An error with the node of its operation, of which `tinytensor.learn.debug` shows the graph.

    In a notebook, or another interactive session, the message says so. (IPython shows no notes.)
    """
    hint = "\nThe numbers that led to it: from tinytensor import learn; learn.debug()"
    error = RuntimeError(message + hint * hasattr(sys, "ps1"))
    error.node = node  # type: ignore[attr-defined]
    return error


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns, at the line of the program that is being executed."""
    frame: Any = sys._getframe(0)
    level = 1
    while OWN in frame.f_globals and frame.f_back:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


# ---------------------------------------------------------------- tracebacks


def passes_on(function: F) -> F:
    """Decorator of a function whose frame tracebacks leave out."""
    passing.add(function.__code__)
    return function


def shorten(error: BaseException, most: int = MOST) -> None:
    """Leaves in the traceback every frame of the program and the last `most` of the package.

    Frames that only pass a call on are left out, unless the package has no other there. To be
    followed by `raise` alone, which adds no frame.
    """
    frames = list(_entries(error.__traceback__))
    own = [OWN in tb.tb_frame.f_globals for tb in frames]
    if True not in own:
        return
    end = len(own) - own[::-1].index(True)  # the last frames of the package are [start:end]
    start = end
    while start and own[start - 1]:
        start -= 1
    run = [tb.tb_frame.f_code for tb in frames[start:end]]
    explaining = [tb for tb, code, inner in zip(frames[start:end], run, [*run[1:], None],
                                                strict=True)
                  if code not in passing and not _same_definition(code, inner)]
    kept = explaining[-most:] or frames[start:start + 1]
    program = [tb for tb, is_own in zip(frames[:start], own, strict=False) if not is_own]
    chain = None
    for tb in reversed([*program, *kept, *frames[end:]]):
        chain = TracebackType(chain, tb.tb_frame, tb.tb_lasti, tb.tb_lineno)
    error.__traceback__ = chain


def _same_definition(code: CodeType, inner: CodeType | None) -> bool:
    """Whether `code` is the call of an op, and `inner` its forward."""
    return inner is not None and code.co_filename == inner.co_filename \
        and code.co_name.rstrip("_") == inner.co_name.rstrip("_")


def _entries(tb: TracebackType | None) -> Iterator[TracebackType]:
    while tb is not None:
        yield tb
        tb = tb.tb_next
