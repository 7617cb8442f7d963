"""Workers that are processes, each with its own copy of the dataset.

The program and a worker have two connections: jobs go one way, results the other. A thread of the
worker receives the jobs, so that the program never waits to send one. If the program ends, however
it ends, that thread sees the end of its connection, and the worker ends too.

    program                              worker
    submit  -- jobs ------------------>  thread _receive -> queue
    take    <- results, shared memory -  loop of serve
"""

from __future__ import annotations

import ast
import atexit
import contextlib
import multiprocessing
import os
import pickle
import queue
import random as python_random
import signal
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterator
from multiprocessing import connection, context
from typing import Any

import numpy

from ... import random
from ...arrays import dtypes, threads
from ...arrays.dispatch import KernelSettings
from .fetch import END
from .transfer import Arrived, Parcel, Receiver, Sender, dumps
from .worker import Loading, Task, generators, set_generators

GRACE = 2.0  # seconds in which a worker finishes its job after the program has ended or left it
BLAS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
AT_EXIT = 1.0  # seconds that the end of the program waits for workers

ADVICE = ("Worker processes get copies by pickle: define functions and classes at the top level "
          "of a module or script, and open files and connections in __getitem__ "
          "or in worker_init_fn. Or load without copies: num_workers=0, or "
          "multiprocessing_context='thread'")
GUARD = ("Worker processes import the main script. What it runs, which includes the loop over the "
         "DataLoader, belongs under a guard:\n\n"
         "    def main():\n        for batch in loader: ...\n\n"
         "    if __name__ == \"__main__\":\n        main()\n\n"
         "Or load without processes: num_workers=0, or multiprocessing_context='thread'")


def resolve(method: Any) -> context.BaseContext:
    """The context of multiprocessing that starts workers.

    By default processes are forked by a server without other threads where the system has that,
    and else spawned; a program that forks beside busy threads may hang. Where workers cannot import
    what the program defines, Python's default is used, as in PyTorch: in a notebook, and in a
    script without `if __name__ == "__main__":`. `set_start_method("spawn")` is followed.

    Raises:
        ValueError: an unknown name.
        TypeError: neither a name nor a context.
    """
    methods = multiprocessing.get_all_start_methods()
    if method is None:
        method = _chosen() or _default(methods)
    if isinstance(method, str):
        if method not in methods:
            raise ValueError("multiprocessing_context option should specify a valid start method "
                             f"in {methods}, or 'thread', but got {method!r}")
        method = multiprocessing.get_context(method)
    if not isinstance(method, context.BaseContext):
        raise TypeError("multiprocessing_context option should be a start method or a context of "
                        f"multiprocessing, or 'thread', but got {method!r}")
    return method


def _chosen() -> str | None:
    """The method that the program has set for all processes, unless it is a fork."""
    given = multiprocessing.get_start_method(allow_none=True)
    return given if given in ("spawn", "forkserver") else None


def _default(methods: list[str]) -> str:
    """How workers start, unless the program says so."""
    if _forks(methods) and not _main_can_be_imported():
        return "fork"  # only a fork has what the program defines
    return "forkserver" if "forkserver" in methods else "spawn"


def _forks(methods: list[str]) -> bool:
    """Whether Python itself forks by default; CUDA does not survive that."""
    return methods[0] == "fork" and "cupy" not in sys.modules


def _main_can_be_imported() -> bool:
    """Whether the program is a script with a guard: an `if` at its top level asks for `__name__`,
    and defines no class or function, which a worker that imports the script would not have.

    A notebook, a prompt and `python -c` have no script.
    """
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    if hasattr(sys, "ps1") or path is None:
        return False
    try:
        with open(path, "rb") as file:
            lines = [line for line in ast.parse(file.read()).body if isinstance(line, ast.If)]
    except (OSError, SyntaxError, ValueError):  # such as a program in a zip file
        return True
    guarded = [line for line in lines if any(
        isinstance(node, ast.Name) and node.id == "__name__" for node in ast.walk(line.test))]
    return bool(guarded) and not any(isinstance(inner, ast.ClassDef | ast.FunctionDef)
                                     for line in guarded for inner in line.body)


def start(given: Any, task: Task, base: int, states: list[bytes | None]) -> list[ProcessWorker]:
    """Starts a worker for each of the states of the generators.

    A Task that cannot be pickled goes to forked workers, unless the program has chosen how workers
    start.
    """
    try:
        return _start(resolve(given), task, base, states)
    except pickle.PicklingError:
        methods = multiprocessing.get_all_start_methods()
        if given is not None or _chosen() is not None or not _forks(methods):
            raise
    return _start(multiprocessing.get_context("fork"), task, base, states)


def _start(method: context.BaseContext, task: Task, base: int,
           states: list[bytes | None]) -> list[ProcessWorker]:
    workers: list[ProcessWorker] = []
    parcel = Parcel(task)
    try:
        for i, state in enumerate(states):
            workers.append(ProcessWorker(method, parcel, i, len(states), base + i, state))
    except BaseException:
        for worker in workers:
            worker.stop()
        raise
    finally:
        parcel.close()
    return workers


def warm_up(method: context.BaseContext) -> None:
    """Starts the server that forks workers. It imports tinytensor while the program goes on."""
    if method.get_start_method() == "forkserver" and not _importing_main() \
            and multiprocessing.parent_process() is None:
        from multiprocessing import forkserver

        preloaded: Any = vars(forkserver._forkserver).get(  # type: ignore[attr-defined]
            "_preload_modules", ())
        if __name__ not in preloaded:  # the main script is imported in workers, not in the server
            chosen = [name for name in preloaded if name != "__main__"]
            method.set_forkserver_preload([*chosen, __name__])
        with _starting(method):
            forkserver.ensure_running()


def _importing_main() -> bool:
    """Whether this process is starting and imports the main script of its program."""
    return getattr(multiprocessing.current_process(), "_inheriting", False)


@contextlib.contextmanager
def _starting(method: context.BaseContext) -> Iterator[None]:
    """The environment in which processes start: they find the program's modules, and BLAS does not
    start threads, which would compete for the cores. A worker then gets the program's environment.
    """
    if method.get_start_method() == "fork":
        yield
        return
    changes = {"PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path),
               "PYTHONSAFEPATH": "1", **dict.fromkeys(BLAS, "1")}
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# ---------------------------------------------------------------- in the program


class ProcessWorker:
    """A worker process, as the program sees it.

    Args:
        parcel: the Task.
        states: of Python's and NumPy's generators, when an epoch is resumed.

    Raises:
        pickle.PicklingError: the dataset, collate_fn or worker_init_fn cannot be pickled.
        RuntimeError: in a script without `if __name__ == "__main__":`.
    """

    def __init__(self, method: context.BaseContext, parcel: Parcel, worker: int, workers: int,
                 seed: int, states: bytes | None):
        if _importing_main():
            raise RuntimeError(f"DataLoader: num_workers={workers} in a process that is itself "
                               f"starting. {GUARD}")
        self.id, self.pending = worker, 0
        self.states = states
        self.began = False  # whether the worker has sent anything
        self.received: tuple[str, Any] | None = None  # by `ready`, for `take`
        self.receiving = False  # True also after an interrupt in the middle of a message
        self.owner = os.getpid()
        results, theirs = method.Pipe()
        their_jobs, self.jobs = method.Pipe(duplex=False)
        self.receiver = Receiver(results)
        _connections.update((results, self.jobs))
        self.process: Any = method.Process(  # type: ignore[attr-defined]
            target=serve, name=f"DataLoader worker process {worker}", daemon=True,
            args=(parcel, worker, workers, seed, states, their_jobs, theirs, _settings(method)))
        try:
            with _starting(method):
                self.process.start()
        except BaseException as error:
            self.close()
            if parcel.failed and isinstance(error, Exception):
                raise pickle.PicklingError(_unpicklable(parcel.content, error)) from error
            if isinstance(error, EOFError | ConnectionError):  # the process has ended
                raise RuntimeError(f"DataLoader: worker {worker} did not start: its error is "
                                   f"printed above. {GUARD}") from None
            raise
        finally:
            theirs.close()
            their_jobs.close()
        _workers.add(self)

    @property
    def usable(self) -> bool:
        return not self.receiving and not self.jobs.closed and self.process.is_alive()

    def begin(self, seed: int, epoch: int) -> None:
        while self.pending:  # of an epoch that was left
            self.ready(0)
            with contextlib.suppress(Exception):
                self.take()
        self._send(("epoch", (seed, epoch), []))

    def submit(self, job: Any) -> None:
        self._send(("job", job, self.receiver.take_freed()))
        self.pending += 1

    def _send(self, message: Any) -> None:
        if self.receiving:
            raise RuntimeError("DataLoader: the iterator was interrupted while it received a "
                               "batch; begin a new one")
        try:
            self.jobs.send(message)
        except ConnectionError:
            pass  # the worker has ended; `take` says why

    def ready(self, timeout: float) -> bool:
        end = time.monotonic() + timeout
        while self.received is None:
            if not connection.wait([self.receiver.connection, self.process.sentinel],
                                   max(0.0, end - time.monotonic()) if timeout else None):
                return False
            self._receive()
        return True

    def take(self) -> Any:
        assert self.received is not None
        (kind, content), self.received = self.received, None
        self.pending -= 1
        if kind == "died":
            raise RuntimeError(content)
        content, states = content
        if states is not None:
            self.states = states
        if kind == "error":
            raise_again(content)
        return END if kind == "end" else content

    def _receive(self) -> None:
        self.receiving = True
        try:
            kind, content = self.receiver.receive()
        except (EOFError, ConnectionError):
            kind, content = "died", self._end()
        self.receiving = False
        if kind == "began":
            self.began = True
        else:
            self.received = kind, content

    def _end(self) -> str:
        """Why the worker has ended."""
        self.process.join(GRACE)
        who, code = f"DataLoader worker (pid {self.process.pid})", self.process.exitcode
        if code is None:
            return f"{who} closed its connection, but runs"
        if code < 0:
            name = signal.Signals(-code).name if -code in {*signal.Signals} else f"{-code}"
            return (f"{who} was killed by signal: {name}" + (
                ". The system kills a process that takes too much memory: use fewer workers or a "
                "smaller prefetch_factor" if name == "SIGKILL" else ""))
        if self.began:
            return f"{who} exited unexpectedly with exit code {code}"
        return (f"{who} exited with exit code {code} before it had started; its error is printed "
                f"above. {GUARD}")

    def stop(self) -> None:
        """The worker ends after its current job, or is ended if that takes too long."""
        if self.owner == os.getpid():
            try:
                self.jobs.send(END_OF_JOBS)
            except (OSError, ValueError):
                pass  # it has ended
        self.close()
        for worker in [w for w in _workers if w.jobs.closed and w.owner == os.getpid()
                       and not w.process.is_alive()]:
            _workers.discard(worker)

    def close(self) -> None:
        self.jobs.close()
        self.receiver.close()


def _unpicklable(task: Task, error: BaseException) -> str:
    """The message about a Task that cannot be pickled; it names the part."""
    parts = {"the dataset": task.dataset, "collate_fn": task.collate, "worker_init_fn": task.init}
    culprit = "the dataset, collate_fn or worker_init_fn"
    for name, part in parts.items():
        try:
            dumps(part, True)
        except Exception as again:
            if str(again) == str(error):
                culprit = name
    return (f"DataLoader: {culprit} cannot be sent to worker processes: {type(error).__name__}: "
            f"{error}. {ADVICE}")


END_OF_JOBS = None

_workers: set[ProcessWorker] = set()  # that have not ended yet
_connections: weakref.WeakSet[connection.Connection] = weakref.WeakSet()


def _settings(method: context.BaseContext) -> dict[str, Any]:
    """What a forked process would have from this one."""
    return {"dtype": dtypes.get_default_dtype(), "kernels": KernelSettings.enabled,
            "environment": dict(os.environ), "forked": method.get_start_method() == "fork"}


@atexit.register
def _stop_all() -> None:
    """Ends all workers. multiprocessing would wait for those that do not end by themselves."""
    workers = [w for w in _workers if w.owner == os.getpid()]
    for worker in workers:
        worker.stop()
    end = time.monotonic() + AT_EXIT
    for act in ("terminate", "kill"):
        for worker in workers:
            worker.process.join(max(0.0, end - time.monotonic()))
        for worker in workers:
            if worker.process.is_alive():
                getattr(worker.process, act)()
                end = time.monotonic() + AT_EXIT


def raise_again(content: tuple[bytes | None, str, str]) -> None:
    """Raises the exception of a worker, with the worker's traceback as a note.

    Raises:
        Exception: the worker's, or RuntimeError if it cannot be pickled.
    """
    pickled, summary, report = content
    error: Any = None
    if pickled is not None:
        try:
            error = pickle.loads(pickled)
        except Exception:
            error = None  # such as an exception whose arguments are not those of its class
    if not isinstance(error, BaseException):
        error = RuntimeError(summary)
    error.add_note(report)
    try:
        raise error
    finally:
        del error  # or the exception and this frame would refer to each other


# ---------------------------------------------------------------- in the worker


def serve(parcel: Parcel | Arrived, worker: int, workers: int, seed: int, states: bytes | None,
          jobs: connection.Connection, results: connection.Connection,
          settings: dict[str, Any]) -> None:
    """The program of a worker process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the program, which ends workers
    for inherited in list(_connections):  # of a forked process; they would keep others open
        inherited.close()
    _workers.clear()
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_receive_jobs, args=(jobs, waiting), daemon=True).start()
    sender = Sender(results, os.getppid())
    with contextlib.suppress(ConnectionError):  # the program has left
        _serve(lambda: _load(parcel, worker, workers, seed, states, settings), waiting, sender)


def _receive_jobs(jobs: connection.Connection, waiting: queue.SimpleQueue[Any]) -> None:
    """Passes on the jobs until the program sends no more or has ended."""
    try:
        while (message := jobs.recv()) is not END_OF_JOBS:
            waiting.put(message)
    except (EOFError, OSError):
        pass
    jobs.close()
    waiting.put(END_OF_JOBS)
    time.sleep(GRACE)
    os._exit(1)  # the job does not end


def _load(parcel: Parcel | Arrived, worker: int, workers: int, seed: int, states: bytes | None,
          settings: dict[str, Any]) -> Loading:
    if not settings["forked"]:
        os.environ.clear()
        os.environ.update(settings["environment"])
        dtypes.set_default_dtype(settings["dtype"])
        KernelSettings.enabled = settings["kernels"]
    threads.set_num_threads(1)
    base = seed - worker
    python_random.seed(seed)
    numpy.random.seed(numpy.random.SeedSequence(
        [worker, base & 0xFFFFFFFF, base >> 32, 0]).generate_state(4))  # as PyTorch does
    try:
        task: Task = parcel.load()
    except Exception as error:
        error.add_note(f"DataLoader: worker {worker} could not load the dataset, collate_fn or "
                       f"worker_init_fn. {ADVICE}")
        raise
    loading = Loading(task, worker, workers, seed, random.streams(), whole_process=True)
    if states is not None:
        set_generators(states)
    return loading


def _serve(load: Callable[[], Loading], waiting: queue.SimpleQueue[Any], sender: Sender) -> None:
    failure = loading = None
    sender.send("began", None)
    try:
        loading = load()
    except Exception as error:
        failure = _report(error)
    known = generators()
    while (message := waiting.get()) is not END_OF_JOBS:
        kind, given, freed = message
        sender.free.update(freed)
        if kind == "epoch":
            if loading is not None:
                loading.begin(*given)
            continue
        batch: Any = None
        try:
            if loading is None:
                kind, batch = "error", failure
            else:
                batch = loading(given)
                kind = "end" if batch is END else "batch"
        except Exception as error:
            kind, batch = "error", _report(error)
        states = generators()
        changed, known = None if states == known else states, states
        try:
            sender.send(kind, (None if batch is END else batch, changed))
        except ConnectionError:
            raise
        except Exception as error:
            error.add_note("DataLoader: the batch cannot be pickled, which a worker process needs "
                           "to send it")
            sender.send("error", (_report(error), changed))
        del batch  # it would stay in memory while the worker waits


def _report(error: Exception) -> tuple[bytes | None, str, str]:
    """An exception for `raise_again`: itself, in short, and in full."""
    kind = type(error).__name__
    trace = "".join(traceback.format_exception(error))
    process = multiprocessing.current_process().name
    try:
        error.__traceback__ = None
        pickled = pickle.dumps(error)
    except Exception:
        pickled = None
    report = f"Caught {kind} in {process} (pid {os.getpid()}).\nOriginal {trace}"
    return pickled, f"{kind}: {error}", report
