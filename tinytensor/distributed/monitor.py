"""The monitor: if one rank fails, all end, and the user reads the first cause.

MPI itself does not notice that a rank raised, left early, hangs, or takes part in another
collective: the others wait for ever. So each rank has a Watcher, whose threads have a TCP
connection to one Hub (`hub.py`). Nothing is sent while all goes well. A Watcher tells the Hub

    waiting   that its rank has been in one collective for a while, and which came before
    raised    that its rank ends with an exception, and the traceback
    left      that its rank has come to the end of the program

and a connection that closes without `left` belongs to a rank that was killed. The Hub prints the
first cause on stderr and has all ranks end with exit status 1.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from . import hub
from .addresses import own_addresses

HISTORY = 64  # collectives that a rank remembers
ADDRESS = "TINYTENSOR_HUB"  # the environment variable with the address of a Hub outside
PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Kind(NamedTuple):
    """A collective, or a transfer between two ranks, as the ranks compare it.

    group     the name of the group
    what      the name, and what must be equal on all ranks, such as shape and dtype
    members   the ranks without which it cannot end
    timeout   the seconds that it may take
    """

    group: str
    what: tuple[Any, ...]
    members: tuple[int, ...]
    timeout: float

    def text(self) -> str:
        """all_reduce((2, 3), float32, SUM)"""
        name, *rest = self.what
        return f"{name}({', '.join(map(str, rest))})"


# One call: its Kind, and how many collectives of the group came before; None for transfers. A plain
# tuple, because one is made for each collective.
Call = tuple[Kind, int | None]


def _message(call: Call) -> list[Any]:
    """As JSON. Made only when something is wrong."""
    kind, number = call
    return [kind.group, number, kind.text(), kind.members, kind.timeout]


class Watcher:
    """The side of one rank: what it is doing, and the thread that tells the Hub.

    call      the collective that the rank waits for now, or None
    history   the last collectives
    counts    how many collectives of each group have begun
    """

    def __init__(self) -> None:
        self.call: Call | None = None
        self.history: collections.deque[Call] = collections.deque(maxlen=HISTORY)
        self.counts: dict[str, int] = {}
        self.peer: hub.Peer | None = None
        self.main = threading.main_thread().ident
        self.hub: subprocess.Popen[bytes] | None = None
        self.comm: Any = None
        self.gone = threading.Event()  # every rank has left
        self.pid = os.getpid()

    def connect(self, address: str, rank: int) -> None:
        """Connects with the Hub and watches the program from now on.

        Raises:
            OSError: there is no Hub at this address, or it does not answer.
        """
        hosts, port, token = address.rsplit(":", 2)
        connection = _connected(hosts.split(","), int(port))
        connection.sendall(hub.line({"token": token, "rank": rank, "host": socket.gethostname(),
                                  "pid": os.getpid()}))
        if not connection.recv(100):
            raise OSError("the hub has refused the connection")
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = hub.Peer(connection)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forked)
        self.former_hook, sys.excepthook = sys.excepthook, self._excepthook
        atexit.register(self.leave)
        threading.Thread(target=self._listen, name="watcher: hub", daemon=True).start()
        threading.Thread(target=self._look, name="watcher: rank", daemon=True).start()

    def disconnect(self) -> None:
        """Watches no more: some rank could not connect."""
        if self.hub is not None:
            self.hub.kill()
            self.hub.wait()
        self.gone.set()
        if self.peer is not None:
            peer, self.peer = self.peer, None
            peer.connection.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def inside(self, call: Call) -> Iterator[None]:
        """For the time in which the rank waits for a collective, perhaps within another one."""
        before, self.call = self.call, call
        try:
            yield
        finally:
            self.call = before

    def _look(self) -> None:
        """Tells the Hub if the rank has been in one collective for two looks."""
        seen, since, told = None, 0.0, False
        while not self.gone.is_set():
            call = self.call
            if call is not seen:
                if told and self.peer:
                    self.peer.send(waiting=None)
                seen, since, told = call, time.monotonic(), False
            elif call is not None and not told and self.peer:
                self.peer.send(
                    waiting=_message(call), place=self._place(), seconds=time.monotonic() - since,
                    past=[_message(past)[:3] for past in tuple(self.history)], counts=self.counts)
                told = True
            time.sleep(hub.TICK)

    def _listen(self) -> None:
        peer = self.peer
        assert peer is not None
        while True:
            messages = peer.receive()
            for message in messages or ():
                if "end" in message:
                    end(message["end"])
                elif "all_left" in message:
                    self.gone.set()
                    return
                elif "where" in message:
                    peer.send(answer=self._stack())
            if messages is None:
                if not self.gone.is_set() and os.getpid() == self.pid:
                    os.write(2, b"tinytensor.distributed: the monitor of the ranks was killed, or "
                                b"cannot be reached any more. This rank ends.\n")
                    end(1)
                return

    def _stack(self) -> str:
        """Where the main thread is, without what has started the program."""
        frame = sys._current_frames().get(self.main or 0)
        lines = traceback.extract_stack(frame) if frame else []
        while lines and (lines[0].filename.startswith(os.path.join(PACKAGE, "distributed"))
                         or "runpy" in lines[0].filename):
            lines.pop(0)
        return "".join(traceback.format_list(lines)).rstrip()

    def _place(self) -> str:
        """File and line of the program, outside of this package, that the main thread is at."""
        frame = sys._current_frames().get(self.main or 0)
        while frame is not None and frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "an unknown place"

    # ------------------------------------------------------------ the end of a program

    def _excepthook(self, kind: Any, error: BaseException, trace: Any) -> None:
        if os.getpid() != self.pid or self.peer is None:
            self.former_hook(kind, error, trace)
            return
        self.raised(error)

    def raised(self, error: BaseException) -> None:
        """Tells the Hub of the exception that ends this rank, and ends it."""
        text = "".join(traceback.format_exception(error))
        assert self.peer is not None
        if hasattr(error, "of_rank"):  # that rank has raised too, and its traceback says more
            time.sleep(hub.PATIENCE / 3)
        self.peer.send(raised=text)
        # The Hub prints and answers `end`. If it cannot, this rank prints itself.
        time.sleep(hub.PATIENCE)
        with contextlib.suppress(OSError):
            os.write(2, text.encode(errors="replace"))
        end(1)

    def leave(self) -> None:
        """Waits until all ranks have come to the end of their programs, or one has failed.

        MPI's own end waits for all ranks too, but in native code, where the monitor is dead.
        """
        if self.peer is not None and os.getpid() == self.pid:
            self.peer.send(left=True, counts=self.counts)
            # MPI may have to move data of this rank's last collectives still, and it does so only
            # in its own calls.
            request = self.comm.Ibarrier()
            while not self.gone.wait(0.002):
                request.Test()
            request.Wait()
            self.peer = None
            if self.hub is not None:
                self.hub.wait()

    def _forked(self) -> None:
        """In a child: the connection is the parent's."""
        if self.peer is not None:
            with contextlib.suppress(OSError):
                self.peer.connection.close()
            self.peer = None
        self.gone.set()


def _connected(hosts: Sequence[str], port: int) -> socket.socket:
    """A connection with the first of the addresses that answers.

    Raises:
        OSError: none does.
    """
    for host in hosts[:-1]:
        with contextlib.suppress(OSError):
            return socket.create_connection((host, port), hub.PATIENCE)
    return socket.create_connection((hosts[-1], port), 10)


def end(status: int) -> None:
    """Ends the process at once, whatever its threads are doing."""
    flusher = threading.Thread(target=_flush, daemon=True)  # another thread may hold their locks
    flusher.start()
    flusher.join(0.5)
    os._exit(status)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()


watcher = Watcher()


def start(comm: Any) -> None:
    """Connects all ranks of a communicator with one Hub. Does nothing for a single rank.

    If that is not possible, a warning says so, and faults are left to the launcher.
    """
    if comm.size == 1 or watcher.peer is not None:
        return
    several = len(set(comm.allgather((socket.gethostname(), _machine())))) > 1
    address = os.environ.get(ADDRESS)
    if address is None and comm.rank == 0:
        hosts = own_addresses() if several else ["127.0.0.1"]
        watcher.hub, address = _start_hub(comm.size, hosts)
    address = comm.bcast(address)
    watcher.comm, problem = comm, None
    try:
        watcher.connect(address, comm.rank)
    except OSError as error:
        problem = f"rank {comm.rank} cannot reach {address.rpartition(':')[0]}: {error}"
    problems = [p for p in comm.allgather(problem) if p]
    if problems:
        watcher.disconnect()
        if comm.rank == 0:
            os.write(2, f"tinytensor.distributed: no monitor: {problems[0]}. If a rank fails, the "
                        "others may wait for ever\n".encode())


def _start_hub(size: int, hosts: Sequence[str]) -> tuple[subprocess.Popen[bytes], str]:
    """Starts hub.py as a program: the process, and its address."""
    command = [sys.executable, "-I", "-S", hub.__file__, str(size), ",".join(hosts)]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        return process, process.stdout.readline().decode().strip()


def _machine() -> str:
    """What tells machines, and containers, with the same name apart."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read() + os.readlink("/proc/self/ns/net")
    except OSError:
        return ""
