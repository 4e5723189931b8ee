"""The load generator where there is no C compiler: the arguments, input and output of `load.c`, in plain Python.

Slower by far, which the figures bear: they are CPU of the server, not of the clients.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

OPENING = 64
CHUNK = 1 << 18
STALL_SECONDS = 20.0


@dataclass(slots=True, eq=False)
class Connection:
    """One socket; wanted: what is counted in what it receives."""

    sock: socket.socket
    publisher: bool
    opening: bytes
    wanted: bytes
    ready: bool = False
    busy: bool = False
    rest: bytes = b""


@dataclass(slots=True)
class Counts:
    """What came in since a run began."""

    answered: int = 0
    deliveries: int = 0
    received: int = 0
    reads: int = 0


@dataclass(slots=True)
class Load:
    """All connections of one server."""

    port: int
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    publishers: list[Connection] = field(default_factory=list)
    opened: int = 0
    ready: int = 0
    counts: Counts = field(default_factory=Counts)

    def open(self, text: str, opening: str, wanted: str, *, publisher: bool) -> None:
        """Open one connection and say its handshake."""
        sock = socket.create_connection(("127.0.0.1", self.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = Connection(sock, publisher, opening.encode(), wanted.encode(), ready=not text)
        self.selector.register(sock, selectors.EVENT_READ, made)
        self.opened += 1
        self.ready += made.ready
        sock.sendall(text.encode())
        if publisher:
            self.publishers.append(made)
        while self.opened - self.ready >= OPENING:
            self.turn()

    def turn(self) -> None:
        """Wait for something and take it. Ends the process when nothing comes."""
        events = self.selector.select(STALL_SECONDS)
        if not events:
            sys.exit(f"load: stalled with {self.counts}, {self.ready} of {self.opened} open")
        for key, _ in events:
            at: Connection = key.data
            data = at.sock.recv(CHUNK)
            if not data:
                sys.exit(f"load: the server ended a connection {at.rest!r}")
            self.counts.received += len(data)
            self.counts.reads += 1
            self._take(at, at.rest + data)

    def _take(self, at: Connection, data: bytes) -> None:
        wanted = at.wanted
        if not at.ready:
            head, found, after = data.partition(at.opening)
            at.ready = bool(found)
            self.ready += at.ready
            data, wanted = (after, wanted) if found else (head, at.opening)
        count = data.count(wanted) if at.ready else 0
        if count:
            data = data[data.rfind(wanted) + len(wanted) :]
        if not at.publisher:
            self.counts.deliveries += count
        elif count:
            self.counts.answered += count
            at.busy = False
        elif at.busy and b"HTTP/1." in data:
            sys.exit(f"load: a publish was refused: {data!r}")
        at.rest = data[max(0, len(data) - len(wanted) + 1) :]

    def run(self, requests: list[bytes], flight: int, per: int) -> str:
        """Publish all and wait for the last delivery."""
        self.counts = counts = Counts()
        began = time.perf_counter()
        took: list[float] = []
        sent, sent_at = 0, began
        ahead = 0 if flight == 1 else (2 * flight - 1) * per
        while counts.answered < len(requests) or counts.deliveries < len(requests) * per:
            for n in range(len(self.publishers)):
                by = self.publishers[(sent + n) % len(self.publishers)]
                due = sent < min(len(requests), counts.answered + flight)
                if due and not by.busy and sent * per - counts.deliveries <= ahead:
                    by.busy = True
                    by.sock.sendall(requests[sent])
                    sent, sent_at = sent + 1, time.perf_counter()
            self.turn()
            if flight == 1 and len(took) < sent == counts.answered and counts.deliveries == sent * per:
                took.append(time.perf_counter() - sent_at)
        seconds = time.perf_counter() - began
        took = sorted(took) or [0.0]
        p50, p99 = (took[int(len(took) * share)] * 1e6 for share in (0.5, 0.99))
        return f"done {seconds:.6f} {counts.deliveries} {counts.received} {counts.reads} {p50:.1f} {p99:.1f}"

    def wait(self, deliveries: int) -> str:
        """Count what somebody else publishes, once we have said that we do."""
        self.counts = counts = Counts()
        print("waiting", flush=True)
        began = time.perf_counter()
        while counts.deliveries < deliveries:
            self.turn()
        seconds = time.perf_counter() - began
        return f"done {seconds:.6f} {counts.deliveries} {counts.received} {counts.reads} 0 0"


def requests_of(path: str) -> Iterator[bytes]:
    """The requests in a file, each behind its length."""
    data, at = Path(path).read_bytes(), 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "little")
        yield data[at + 4 : at + 4 + size]
        at += 4 + size


def main() -> None:
    """Open all, then run what the input says until it ends."""
    port, subscribers, groups, text, ready, mark, publishers, say, heard, answer = sys.argv[1:]
    load = Load(int(port))
    began = time.perf_counter()
    for n in range(int(subscribers)):
        load.open(text.replace("{n}", str(n % int(groups))), ready, mark, publisher=False)
    for _ in range(int(publishers)):
        load.open(say, heard, answer, publisher=True)
    while load.ready < load.opened:
        load.turn()
    print(f"ready {time.perf_counter() - began:.3f}", flush=True)
    for line in sys.stdin:
        word, *rest = line.split()
        if word == "wait":
            print(load.wait(int(rest[0])), flush=True)
            continue
        path, flight, per = rest
        print(load.run(list(requests_of(path)), int(flight), int(per)), flush=True)


if __name__ == "__main__":
    main()
