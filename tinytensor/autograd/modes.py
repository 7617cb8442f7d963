"""What is recorded, and what is checked: no_grad and its relatives, detect_anomaly."""

from __future__ import annotations

import functools
import inspect
import math
import threading
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, Self, TypeVar, overload

from ..arrays import dtypes
from ..arrays.devices import array_module, as_array, is_array
from .frames import error_at, place_of

F = TypeVar("F", bound=Callable[..., Any])
# Recorded, and each node is shown to `observe`: for detect_anomaly and saved_tensors_hooks.
OBSERVED = "observed"


class _Everywhere:
    """What holds for all threads, so that an op need not ask for the mode of its own."""

    def __init__(self) -> None:
        self.recorded = True  # in every thread, and nothing is observed
        self.exceptions: set[int] = set()  # threads of which that may not be true
        self.lock = threading.Lock()


everywhere = _Everywhere()


class Mode(threading.local):
    """Whether calls of ops are recorded; each thread has its own.

    enabled     True, False or OBSERVED; to be set by `set_mode`
    inference   whether an inference_mode is the reason that it is False
    anomaly     whether a detect_anomaly is a reason that it is OBSERVED
    packing     the hooks of a saved_tensors_hooks, which is another reason, or None
    device      of the gradients, while a backward is recorded: where rules make Tensors
    depth       how many blocks and walks, that put the mode back, the thread is in
    watcher     called with the arguments of `observe`, which is a third, see `watched`
    writes      called with each write to the memory of a Tensor, see `Tensor._note_write`
    """

    enabled: bool | str = True
    inference = False
    anomaly = False
    packing: Any = None
    device: Any = None
    depth = 0
    watcher: Callable[..., None] | None = None
    writes: Callable[..., None] | None = None


mode = Mode()


def set_mode(enabled: bool | str) -> None:
    """Sets `mode.enabled`.

    Ctrl-C may raise KeyboardInterrupt when any call begins, so a caller that puts the mode back
    does so again if this call fails.
    """
    thread = get_ident()
    with everywhere.lock:
        if enabled is True:  # the mode first: `recorded` may be False too often, never too seldom
            mode.enabled = enabled
            everywhere.exceptions.discard(thread)
            everywhere.recorded = not everywhere.exceptions
        else:
            everywhere.recorded = False
            everywhere.exceptions.add(thread)
            mode.enabled = enabled


def _undo(state: State) -> Generator[None]:
    """Sets the mode to this state when it is closed.

    Ctrl-C may end `__exit__` before its first line. Then the generator is closed when it is freed,
    which is no later than the traceback, unless a block around this one has ended before. (A method
    __del__ would run each time, and an interrupt that arrives in it is lost.)
    """
    depth = mode.depth
    mode.depth = depth + 1
    try:
        yield
    finally:
        if mode.depth > depth:
            mode.depth = depth
            enabled, mode.inference, mode.anomaly, mode.packing, mode.watcher = state
            try:
                set_mode(enabled)
            except BaseException:  # Ctrl-C
                set_mode(enabled)
                raise


class _Switch:
    """A context manager, and a decorator, that sets `mode` and puts it back."""

    def __enter__(self) -> None:
        self.undo = _undo(_current())
        next(self.undo)
        self.switch()

    def __exit__(self, *exception: object) -> None:
        self.undo.close()

    def switch(self) -> None:
        raise NotImplementedError

    def copy(self) -> _Switch:
        return type(self)()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return self._around_steps(function)  # type: ignore[return-value]

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self.copy():  # one each call, so that a function may call itself
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


    def _around_steps(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A generator whose steps run inside, while its caller's code between them does not."""
        @functools.wraps(function)
        def steps(*args: Any, **kwargs: Any) -> Any:
            generator = function(*args, **kwargs)
            step, given = generator.send, None
            try:
                while True:
                    with self.copy():
                        item = step(given)
                    try:
                        step, given = generator.send, (yield item)
                    except GeneratorExit:
                        generator.close()
                        raise
                    except BaseException as error:
                        step, given = generator.throw, error
            except StopIteration as stop:
                return stop.value
            finally:
                del given  # or this frame and an error would keep each other alive

        return steps


class no_grad(_Switch):  # noqa: N801 - PyTorch's name
    """Nothing inside is recorded: `with no_grad():` or `@no_grad()`."""

    @overload
    def __new__(cls) -> Self: ...
    @overload
    def __new__(cls, orig_func: Callable[..., Any]) -> Any: ...
    def __new__(cls, orig_func: Callable[..., Any] | None = None) -> Any:
        """`@no_grad` without brackets decorates too."""
        switch = super().__new__(cls)
        return switch if orig_func is None else switch(orig_func)

    def switch(self) -> None:
        set_mode(False)


class enable_grad(no_grad):  # noqa: N801
    """Operations inside are recorded, also within no_grad."""

    def switch(self) -> None:
        set_mode(_recorded())


class inference_mode(_Switch):  # noqa: N801
    """As no_grad; `is_inference_mode_enabled()` tells the two apart."""

    def __init__(self, mode: bool = True):
        self.inference = mode

    def switch(self) -> None:
        if self.inference:
            set_mode(False)
            mode.inference = True

    def copy(self) -> inference_mode:
        return inference_mode(self.inference)


class set_grad_enabled(_Switch):  # noqa: N801
    """Sets whether operations are recorded, at once; as a context manager, also back."""

    def __init__(self, mode: bool):
        self.wanted = mode
        self.previous = _current()
        self.switch()

    def __enter__(self) -> None:
        self.undo = _undo(self.previous)
        next(self.undo)
        self.switch()

    def switch(self) -> None:
        set_mode(_recorded() if self.wanted else False)

    def copy(self) -> set_grad_enabled:
        return set_grad_enabled(self.wanted)

    def __call__(self, function: F) -> F:
        set_mode(self.previous[0])  # a decorator changes nothing by itself
        return super().__call__(function)


class detect_anomaly(_Switch):  # noqa: N801
    """Raises where NaN, or an infinity that the program did not ask for, first appears.

    The error names the recorded operation and the line that called it. It is raised for

    - a result with NaN;
    - a result with an infinity if no argument has one, as log(0), 1 / 0 and an overflow of exp
      give. An infinity that is an argument, such as the -inf of a mask, is no anomaly;
    - a gradient with NaN. Infinite gradients are not looked for, as in PyTorch, which checks the
      backward only.
    """

    def __init__(self, check_nan: bool = True):
        self.check_nan = check_nan

    def switch(self) -> None:
        if self.check_nan and mode.enabled:
            mode.anomaly = True
            set_mode(OBSERVED)

    def copy(self) -> detect_anomaly:
        return detect_anomaly(self.check_nan)


class set_detect_anomaly(detect_anomaly):  # noqa: N801
    """Switches `detect_anomaly` on or off at once; as a context manager, also back."""

    def __init__(self, mode: bool, check_nan: bool = True):
        super().__init__(check_nan)
        self.wanted = mode
        self.previous = _current()
        self.switch()

    def __enter__(self) -> None:
        self.undo = _undo(self.previous)
        next(self.undo)
        self.switch()

    def switch(self) -> None:
        if mode.enabled:
            mode.anomaly = self.wanted and self.check_nan
            set_mode(_recorded())

    def copy(self) -> set_detect_anomaly:
        return set_detect_anomaly(self.wanted, self.check_nan)

    def __call__(self, function: F) -> F:
        mode.anomaly = self.previous[2]
        set_mode(self.previous[0])  # a decorator changes nothing by itself
        return super().__call__(function)


class set_multithreading_enabled(_Switch):  # noqa: N801
    """Has no effect, also as a context manager: a backward runs in the thread that calls it."""

    def __init__(self, mode: bool):
        self.wanted = mode

    def switch(self) -> None:
        pass

    def copy(self) -> set_multithreading_enabled:
        return set_multithreading_enabled(self.wanted)


class watched(_Switch):  # noqa: N801
    """Calls watcher(node, results, arguments) after each operation that is recorded inside.

    The results are arrays or Tensors. Recording is on inside, and anomalies are not looked for.
    """

    def __init__(self, watcher: Callable[..., None]):
        self.watcher = watcher

    def switch(self) -> None:
        mode.watcher, mode.anomaly = self.watcher, False
        set_mode(OBSERVED)

    def copy(self) -> watched:
        return watched(self.watcher)


State = tuple[bool | str, bool, bool, Any, Any]


def _current() -> State:
    return mode.enabled, mode.inference, mode.anomaly, mode.packing, mode.watcher


def _recorded() -> bool | str:
    """`mode.enabled` where operations are recorded."""
    return OBSERVED if mode.anomaly or mode.packing or mode.watcher else True


def is_grad_enabled() -> bool:
    """Whether operations are recorded for backward, in this thread."""
    return bool(mode.enabled)


def is_inference_mode_enabled() -> bool:
    """Whether the innermost of such blocks is `inference_mode`."""
    return mode.inference


def is_anomaly_enabled() -> bool:
    """Whether `detect_anomaly` is on."""
    return mode.anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether `detect_anomaly` looks for NaN: always, when it is on."""
    return mode.anomaly


# ---------------------------------------------------------------- what detect_anomaly checks


def observe(node: Any, results: tuple[Any, ...], arguments: tuple[Any, ...]) -> None:
    """Called with every node that is recorded while `mode.enabled` is OBSERVED."""
    if mode.watcher:
        mode.watcher(node, results, arguments)
    if mode.anomaly:
        check_forward(node, results, arguments)
    if mode.packing:
        mode.packing.pack(node)


def check_forward(node: Any, results: tuple[Any, ...], arguments: tuple[Any, ...]) -> None:
    """Raises if a result of the call that left `node` has NaN, or an infinity that no argument has.

    `arguments` are the arrays, numbers and sequences that the operation was given.
    """
    for test in ("isnan", "isinf"):
        if not _any(test, results):
            continue
        if not _any(test, arguments):
            raise _anomaly("forward", node, "produced " + KINDS[test])
        if test == "isnan":
            raise _anomaly("forward", node, "was given NaN")


def check_backward(node: Any, gradient: Any) -> None:
    """Raises if a gradient that the rules of `node` computed has NaN."""
    if _any("isnan", gradient):
        raise _anomaly("backward", node, "produced NaN")


KINDS = {"isnan": "NaN", "isinf": "inf"}


def _anomaly(phase: str, node: Any, what: str) -> RuntimeError:
    return error_at(node, f"detect_anomaly: the {phase} of {node.op.name}, called at "
                          f"{place_of(node)}, {what}")


def _any(test: str, values: Any) -> bool:
    """Whether numpy.isnan or isinf holds for an element of arrays, Tensors, numbers or sequences
    of them.
    """
    if isinstance(values, tuple | list):
        return any(_any(test, value) for value in values)
    if isinstance(values, float):
        return bool(getattr(math, test)(values))
    array = as_array(getattr(values, "_array", values))
    return is_array(array) and dtypes.is_floating(array.dtype) \
        and bool(getattr(array_module(array), test)(array).any())
