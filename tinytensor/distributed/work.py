"""Work: a collective that runs while the program goes on."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .monitor import Call, watcher

if TYPE_CHECKING:
    from .futures import Future

Finish = Sequence[Callable[[], None]]


class DistError(RuntimeError):
    """What goes wrong between ranks."""


class DistBackendError(DistError):
    """The transport has failed in a collective."""


def failed(call: Call, error: Exception) -> DistBackendError:
    """The error of a transport, with the collective that it failed in."""
    return DistBackendError(f"{call[0].text()}: the transport failed: {error}")


def _ended(request: Any) -> bool:
    """Whether a request has ended, perhaps with an error, which nobody asks for any more."""
    try:
        return bool(request.Test())
    except (RuntimeError, ValueError):  # RuntimeError: MPI's errors are
        return True


# Requests of Works that were dropped before their end, with the arrays that MPI still uses.
dropped: list[tuple[Any, ...]] = []


class Work:
    """What `async_op=True`, isend and irecv return: call `wait()` before the Tensors are used."""

    def __init__(self, call: Call, request: Any, finish: Finish = (), result: Sequence[Any] = (),
                 held: Any = None):
        self._call, self._request, self._finish = call, request, finish
        self._results = list(result)
        self._held = held  # what else refers to the arrays that MPI uses
        self._error: DistBackendError | None = None
        self._source: Callable[[], int] | None = None
        if dropped:
            dropped[:] = [held for held in dropped if not _ended(held[0])]

    def __del__(self) -> None:
        if self._request is not None:
            dropped.append((self._request, self._finish, self._results, self._held))

    def wait(self, timeout: datetime.timedelta | None = None) -> bool:
        """Waits until the results are in the Tensors. Returns True.

        Raises:
            RuntimeError: the transport failed, or the timeout has passed.
        """
        if self._error is not None:
            raise self._error
        if self._request is None:
            return True
        try:
            with watcher.inside(self._call):
                if timeout is None:
                    self._request.Wait()
                else:
                    self._wait_until(time.monotonic() + timeout.total_seconds())
        except TimeoutError:
            raise RuntimeError(f"{self._call[0].text()}: it is not done after the timeout of "
                               f"{timeout}") from None
        except Exception as error:
            raise self._fail(error) from error
        self._end()
        return True

    def _wait_until(self, end: float) -> None:
        while not self._request.Test():
            if time.monotonic() > end:
                raise TimeoutError
            time.sleep(0)

    def _fail(self, error: Exception) -> DistBackendError:
        """Ends without results. The error, as every later `wait` raises it."""
        self._request, self._finish = None, ()
        self._error = failed(self._call, error)
        return self._error

    def _end(self) -> None:
        self._request = None
        finish, self._finish = self._finish, ()
        for step in finish:
            step()

    def is_completed(self) -> bool:
        """Whether it has ended, with its results in the Tensors or with an error. MPI also makes
        progress in this call."""
        if self._request is not None:
            try:
                ended = self._request.Test()
            except Exception as error:
                self._fail(error)
            else:
                if ended:
                    self._end()
        return self._request is None

    def is_success(self) -> bool:
        """Whether it is completed, without an error."""
        return self.is_completed() and self._error is None

    def exception(self) -> Exception | None:
        """What the transport failed with, as `wait` raises it, or None."""
        return self._error

    def result(self) -> list[Any]:
        """The Tensors that hold the results, after `wait`."""
        self.wait()
        return self._results

    def source_rank(self) -> int:
        """The rank that sent what irecv has received.

        Raises:
            RuntimeError: it was no receive.
        """
        if self._source is None:
            raise RuntimeError(f"source_rank: {self._call[0].text()} has no source")
        self.wait()
        return self._source()

    def get_future(self) -> Future[list[Any]]:
        """The Tensors that hold the results, as a Future. `wait` and `done` of it, and of those
        that `then` makes of it, move the data."""
        from .futures import Future

        future: Future[list[Any]] = Future()

        def advance(waits: bool) -> None:
            try:
                if not waits and not self.is_completed():
                    return
                self.wait()
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(self._results)

        future._advance = advance
        return future
