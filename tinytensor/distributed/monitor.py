"""The monitor: if one rank fails, all end, and the user reads the first cause.

MPI itself does not notice that a rank raised, left early, hangs, or takes part in another
collective: the others wait for ever. So each rank has a Watcher, whose threads have a TCP
connection to one Hub. It runs in the program that started the ranks (`run.py`), or in a process of
its own that rank 0 starts: this file, as a program. It survives whatever happens to a rank, so this
module imports the standard library only. Nothing is sent while all goes well. A Watcher tells the
Hub

    waiting   that its rank has been in one collective for a while, and which came before
    raised    that its rank ends with an exception, and the traceback
    left      that its rank has come to the end of the program

and a connection that closes without `left` belongs to a rank that was killed. The Hub prints the
first cause on stderr and has all ranks end with exit status 1. Messages are lines of JSON; a
connection is accepted only with the token that the ranks share.
"""

from __future__ import annotations

import atexit
import collections
import contextlib
import functools
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

TICK = 0.25  # seconds between two looks at what a rank is doing
PATIENCE = 3.0  # seconds for an answer, and for the end of a program
LONELY = 120.0  # seconds without any rank after which a Hub ends
HISTORY = 64  # collectives that a rank remembers
ADDRESS = "TINYTENSOR_HUB"  # the environment variable with the address of a Hub outside
# The beginning of what a DistributedDataParallel calls in every step.
OF_TRAINING = ("gradients(", "values(", "join(")
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


class Waiting(NamedTuple):
    """What the Hub knows of a rank that waits: its Call, as `_message` tells it, and

    place     file and line of its program
    since     when it began to wait
    past      its last collectives: the text of each by [group, number]
    counts    how many collectives of each group it has begun
    """

    group: str
    number: int | None
    what: str
    members: list[int]
    timeout: float
    place: str
    since: float
    past: dict[tuple[str, int], str]
    counts: dict[str, int]

    def advice(self) -> str:
        """What to look at if a rank is missing."""
        if self.what.startswith(OF_TRAINING):
            return ("Did the ranks take different numbers of steps? DistributedSampler gives all "
                    "ranks the same number of batches, and model.join() lets the others go on")
        if self.number is None and not self.what.startswith("new_group("):
            return "It must call the send or recv that belongs to this one"
        return "All ranks of the group must call it"

    def misses(self, counts: dict[str, int]) -> bool:
        """Whether this rank waits in vain for one with these counts, which begins no more.

        What that rank has begun will end. It may have sent what a transfer waits for.
        """
        if self.number is None:
            return time.monotonic() - self.since > PATIENCE
        return counts.get(self.group, 0) <= self.number


def _line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


class _Peer:
    """One connection: lines of JSON in both directions."""

    def __init__(self, connection: socket.socket):
        self.connection, self.unread = connection, b""
        self.lock = threading.Lock()

    def send(self, **message: Any) -> None:
        with contextlib.suppress(OSError), self.lock:
            self.connection.sendall(_line(message))

    def receive(self) -> list[dict[str, Any]] | None:
        """The messages that have arrived; None at the end of the connection."""
        try:
            data = self.connection.recv(1 << 16)
        except OSError:
            return None
        if not data:
            return None
        *lines, self.unread = (self.unread + data).split(b"\n")
        return [json.loads(line) for line in lines]


# ---------------------------------------------------------------- the hub


class Hub:
    """Collects what the ranks tell, and decides.

    Args:
        size: the number of ranks.
        hosts: the addresses of this machine that the ranks try; 127.0.0.1 is for ranks on it.
        ended: called once, after the first cause was printed and all ranks were told to end.
    """

    def __init__(self, size: int, hosts: Sequence[str], ended: Callable[[], None]):
        import secrets  # loads OpenSSL, which ranks do not need

        self.size, self.ended, self.token = size, ended, secrets.token_hex(16)
        self.is_equal = secrets.compare_digest
        alone = list(hosts) == ["127.0.0.1"]
        self.listener = socket.create_server(("127.0.0.1" if alone else "", 0), backlog=size)
        self.address = f"{','.join(hosts)}:{self.listener.getsockname()[1]}:{self.token}"
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.peers: dict[int, _Peer] = {}
        self.names: dict[int, str] = {}  # "rank 1 (host, process 123)"
        self.waiting: dict[int, Waiting] = {}
        self.left: dict[int, dict[str, int]] = {}  # with how many collectives each has begun
        self.closed: set[int] = set()
        self.places: dict[int, tuple[str, int]] = {}  # host and process
        self.begun = time.monotonic()
        self.done = threading.Event()  # all have left, or the first cause is printed
        self.succeeded = False
        self.asked: list[int] = []
        self.answers: dict[int, dict[str, Any]] = {}  # to the question that is asked
        self.question: tuple[float, Callable[[], None]] | None = None
        self.thread = threading.Thread(target=self._serve, name="hub of the ranks", daemon=True)
        self.thread.start()

    def _serve(self) -> None:
        try:
            while not self.done.is_set():
                for key, _ in self.selector.select(TICK):
                    if key.fileobj is self.listener:
                        self._accept()
                    else:
                        self._read(key.data)
                self._decide()
        except Exception:  # a fault of the monitor must not end in a program that hangs
            self.fail(f"the monitor of the ranks failed:\n{traceback.format_exc()}")
        finally:
            self._finish()
            for key in list(self.selector.get_map().values()):
                key.fileobj.close()  # type: ignore[union-attr]
            self.selector.close()

    def _finish(self) -> None:
        """Waits for the ranks to end, after a failure, and kills those on this machine that do
        not: a rank may be stopped."""
        until = time.monotonic() + PATIENCE
        while not self.succeeded and len(self.closed) < len(self.peers) \
                and time.monotonic() < until:
            for key, _ in self.selector.select(TICK):
                if key.fileobj is not self.listener and self.peers[key.data].receive() is None:
                    self._close(key.data)
        for rank, (host, process) in self.places.items():
            if not self.succeeded and rank not in self.closed and host == socket.gethostname():
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGKILL)

    def _accept(self) -> None:
        connection, _ = self.listener.accept()
        peer = _Peer(connection)
        connection.settimeout(PATIENCE)
        try:
            hello = json.loads(connection.makefile("rb").readline(1000))
            rank = int(hello["rank"])
            if not self.is_equal(hello["token"], self.token) or rank in self.peers:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError):
            connection.close()
            return
        connection.settimeout(None)
        self.peers[rank] = peer
        self.places[rank] = hello["host"], int(hello["pid"])
        self.names[rank] = f"rank {rank} of {self.size} ({hello['host']}, process {hello['pid']})"
        self.selector.register(connection, selectors.EVENT_READ, rank)
        peer.send(welcome=True)

    def _read(self, rank: int) -> None:
        messages = self.peers[rank].receive()
        for message in messages or ():
            if "waiting" in message:
                self._note_waiting(rank, message)
            elif "raised" in message:
                self.fail(f"{self.names[rank]} raised\n{message['raised'].rstrip()}")
            elif "answer" in message:
                self.answers[rank] = message
            elif "left" in message:
                self.left[rank] = message["counts"]
                self.waiting.pop(rank, None)
        if messages is None:
            self._close(rank)

    def _close(self, rank: int) -> None:
        self.selector.unregister(self.peers[rank].connection)
        self.peers[rank].connection.close()
        self.closed.add(rank)

    def _note_waiting(self, rank: int, message: dict[str, Any]) -> None:
        if message["waiting"] is None:
            self.waiting.pop(rank, None)
            return
        group, number, what, members, timeout = message["waiting"]
        self.waiting[rank] = Waiting(
            group, number, what, members, timeout, message["place"],
            time.monotonic() - message["seconds"],
            {(g, n): text for g, n, text in message["past"]}, message["counts"])

    # ------------------------------------------------------------ decisions

    def _decide(self) -> None:
        if self.question is not None:
            until, decide = self.question
            if time.monotonic() > until or self.answers.keys() >= set(self.asked):
                self.question = None
                decide()
            return
        dead = sorted(self.closed.difference(self.left))
        if dead:  # the launcher may have killed others in the same moment
            self.fail(f"{' and '.join(self.names[r] for r in dead)} ended without a word: killed "
                      "(the kernel does that when memory runs out), crashed in native code, or "
                      "ended by os._exit")
            return
        if not self.peers and time.monotonic() > self.begun + LONELY:
            self.done.set()
        if len(self.left) == self.size:
            for peer in self.peers.values():
                peer.send(all_left=True)
            self.succeeded = True
            self.done.set()
        for rank, call in sorted(self.waiting.items()):
            absent = {r for r in call.members if r in self.left and call.misses(self.left[r])}
            if absent:
                self.fail(f"{self._waits(rank)}, but {_ranks(absent)} has left: its program has "
                          f"ended. {call.advice()}")
            elif differing := self._differing(rank):
                self.fail(f"{self._waits(rank)}{differing}.\nAll ranks must call the same "
                          "collectives in the same order, with the same shapes and dtypes")
            elif time.monotonic() - call.since > call.timeout:
                self._ask(sorted({rank, *call.members}), functools.partial(self._give_up, rank))
            else:
                continue
            return

    def _differing(self, rank: int) -> str:
        """What another rank called in place of the collective that this one waits in, or a circle
        of ranks that wait for each other; "" if there is neither."""
        call = self.waiting[rank]
        if call.number is None:
            return ""
        for other, theirs in self.waiting.items():
            text = theirs.past.get((call.group, call.number), call.what)
            if other in call.members and text != call.what:
                return f",\nwhere {self.names[other]} called {text}.\n{self._waits(other)}"
        circle = [rank]
        while (last := circle[-1]) not in circle[:-1]:
            current = self.waiting[last]
            blocked = [r for r in current.members
                       if r in self.waiting and current.number is not None
                       and current.misses(self.waiting[r].counts)]
            if not blocked:
                return ""
            circle.append(blocked[0])
        return ",\nbut the ranks wait for each other:\n" + "\n".join(
            self._waits(r) for r in dict.fromkeys(circle[1:]))

    def _give_up(self, rank: int) -> None:
        """Reports a timeout, now that the ranks have told where they are."""
        call = self.waiting.get(rank)
        if call is None or rank not in self.answers:  # it has gone on, or is stopped itself
            self.waiting.pop(rank, None)
            return
        text = (f"{self._waits(rank)}, for {time.monotonic() - call.since:.1f} seconds; the "
                f"timeout is {call.timeout:g} seconds")
        for r in sorted(set(call.members) - {rank}):
            answer = self.answers.get(r)
            if answer is None:
                text += (f".\n{self.names[r]} does not answer: it was stopped, or is in native "
                         "code that holds the GIL")
            elif r in self.waiting:
                text += f".\n{self._waits(r)}"
            else:
                text += f".\n{self.names[r]} has not come to it; it is at\n{answer['answer']}"
        self.fail(text)

    def _waits(self, rank: int) -> str:
        call = self.waiting[rank]
        number = "" if call.number is None else f", number {call.number} of group {call.group}"
        return f"{self.names[rank]} waits in {call.what}{number}, at {call.place}"

    def _ask(self, ranks: list[int], decide: Callable[[], None]) -> None:
        """Asks ranks where they are, and calls `decide` when `answers` has what they say."""
        self.answers, self.asked = {}, ranks
        self.question = time.monotonic() + PATIENCE, decide
        for rank in ranks:
            self.peers[rank].send(where=True)

    def fail(self, text: str) -> None:
        """Prints the first cause and has all ranks end. Later causes are ignored."""
        if self.done.is_set():
            return
        self.done.set()
        line = "=" * 72
        with contextlib.suppress(OSError, ValueError):
            os.write(2, f"{line}\ntinytensor.distributed: {text}\n"
                        f"All ranks end.\n{line}\n".encode(errors="replace"))
        for peer in self.peers.values():
            peer.send(end=1)
        self.ended()


def _ranks(ranks: set[int]) -> str:
    return "rank " + ", ".join(map(str, sorted(ranks)))


# ---------------------------------------------------------------- the watcher of a rank


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
        self.peer: _Peer | None = None
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
        connection.sendall(_line({"token": token, "rank": rank, "host": socket.gethostname(),
                                  "pid": os.getpid()}))
        if not connection.recv(100):
            raise OSError("the hub has refused the connection")
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.peer = _Peer(connection)
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
            time.sleep(TICK)

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
            time.sleep(PATIENCE / 3)
        self.peer.send(raised=text)
        # The Hub prints and answers `end`. If it cannot, this rank prints itself.
        time.sleep(PATIENCE)
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
            return socket.create_connection((host, port), PATIENCE)
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
    """Starts this file as a program: the process, and its address."""
    process = subprocess.Popen([sys.executable, "-I", "-S", __file__, str(size), ",".join(hosts)],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               start_new_session=True)
    assert process.stdout is not None
    with process.stdout:
        return process, process.stdout.readline().decode().strip()


def main() -> None:
    """The Hub as a process: prints its address, and ends when all ranks have."""
    hub = Hub(int(sys.argv[1]), sys.argv[2].split(","), lambda: None)
    print(hub.address, flush=True)
    hub.thread.join()


def _machine() -> str:
    """What tells machines, and containers, with the same name apart."""
    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            return file.read() + os.readlink("/proc/self/ns/net")
    except OSError:
        return ""


def own_addresses() -> list[str]:
    """Addresses at which other machines may reach this one: MASTER_ADDR, if it is set, first."""
    found = [os.environ.get("MASTER_ADDR", "")]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: asks for the address of the route
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += socket.gethostbyname_ex(socket.gethostname())[2]
    with contextlib.suppress(OSError):
        found += [address for _, name in socket.if_nameindex()
                  if (address := _of_interface(name)) is not None]
    usable = [address for address in dict.fromkeys(found)
              if address not in ("", "localhost") and not address.startswith("127.")]
    return usable or ["127.0.0.1"]


def _of_interface(name: str) -> str | None:
    """The IPv4 address of a network interface, on Linux."""
    import fcntl
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            answer = fcntl.ioctl(probe.fileno(), 0x8915, struct.pack("256s", name.encode()[:15]))
        except OSError:  # SIOCGIFADDR: it has none
            return None
    return socket.inet_ntoa(answer[20:24])


if __name__ == "__main__":
    main()
