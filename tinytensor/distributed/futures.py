"""Futures, under the names of `torch.futures`: results that are there later.

A Future is done when `set_result` was called. That of a collective, and those that `then` and
`collect_all` make of it, move on in `wait` and `done`: nothing runs in the background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Future(Generic[T]):
    """A value that `set_result` gives, and `wait` returns."""

    def __init__(self, *, devices: Any = None):
        self.future: futures.Future[Any] = futures.Future()
        # What brings the result, if no other thread does: called with whether to wait for it.
        self._advance: Callable[[bool], None] | None = None

    def _move_on(self, waits: bool) -> None:
        if self._advance is not None and not self.future.done():
            self._advance(waits)

    def done(self) -> bool:
        """Whether there is a value or an error."""
        self._move_on(False)
        return self.future.done()

    def wait(self) -> T:
        """The value. Waits for it; raises the error that was set in its place."""
        self._move_on(True)
        return self.future.result()  # type: ignore[no-any-return]

    value = wait

    def set_result(self, result: T) -> None:
        """Gives the value, to all that wait for it.

        Raises:
            RuntimeError: there is a value or an error already.
        """
        self._set("set_result", self.future.set_result, result)

    def set_exception(self, result: BaseException) -> None:
        """Gives an error in place of the value; `wait` raises it. Errors as `set_result`."""
        self._set("set_exception", self.future.set_exception, result)

    @staticmethod
    def _set(name: str, function: Callable[[Any], None], result: Any) -> None:
        try:
            function(result)
        except futures.InvalidStateError:
            raise RuntimeError(f"Future.{name}: the Future has a value or an error already"
                               ) from None

    def add_done_callback(self, callback: Callable[[Future[T]], None]) -> None:
        """Calls callback(self) when it is done, at once if it is."""
        self.future.add_done_callback(lambda _: callback(self))

    def then(self, callback: Callable[[Future[T]], Any]) -> Future[Any]:
        """The future of callback(self)."""
        following: Future[Any] = Future()
        following._advance = self._move_on

        def run(done: Future[T]) -> None:
            try:
                following.set_result(callback(done))
            except Exception as error:
                following.set_exception(error)

        self.add_done_callback(run)
        return following


def wait_all(futures: Iterable[Future[Any]]) -> list[Any]:
    """The values of all."""
    return [future.wait() for future in futures]


def collect_all(futures: Iterable[Future[Any]]) -> Future[list[Future[Any]]]:
    """A future of the list of these, when all are done."""
    waiting, all_done = list(futures), Future[Any]()

    def advance(waits: bool) -> None:
        for future in waiting:
            future._move_on(waits)

    all_done._advance = advance
    left = len(waiting)
    if not left:
        all_done.set_result(waiting)

    def count(done: Future[Any]) -> None:
        nonlocal left
        left -= 1
        if not left:
            all_done.set_result(waiting)

    for future in waiting:
        future.add_done_callback(count)
    return all_done
