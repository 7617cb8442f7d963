"""The hub: the process that collects what the ranks tell, and decides; see monitor.py.

It survives whatever happens to a rank. It runs in the program that started the ranks (`run.py`), or
in a process of its own that rank 0 starts: this file, as a program. So this module imports the
standard library only. Messages are lines of JSON; a connection is accepted only with the token that
the ranks share.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

TICK = 0.25  # seconds between two looks at what a rank is doing
PATIENCE = 3.0  # seconds for an answer, and for the end of a program
LONELY = 120.0  # seconds without any rank after which a Hub ends
# The beginning of what a DistributedDataParallel calls in every step.
OF_TRAINING = ("gradients(", "values(", "join(")


class Waiting(NamedTuple):
    """What the Hub knows of a rank that waits: its Call, as the monitor tells it, and

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


def line(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


class Peer:
    """One connection: lines of JSON in both directions."""

    def __init__(self, connection: socket.socket):
        self.connection, self.unread = connection, b""
        self.lock = threading.Lock()

    def send(self, **message: Any) -> None:
        with contextlib.suppress(OSError), self.lock:
            self.connection.sendall(line(message))

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
        self.peers: dict[int, Peer] = {}
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
        peer = Peer(connection)
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


def main() -> None:
    """The Hub as a process: prints its address, and ends when all ranks have."""
    hub = Hub(int(sys.argv[1]), sys.argv[2].split(","), lambda: None)
    print(hub.address, flush=True)
    hub.thread.join()


if __name__ == "__main__":
    main()
