"""One reader stops reading: it alone is cut, at its bound, and comes back whole; a thousand others notice nothing."""

from __future__ import annotations

import json
import resource
import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from websockets.sync.client import connect

from tests.fixtures.fix_server import (
    PATIENCE,
    Peer,
    Running,
    client_frame,
    handshake,
    make_node,
    running,
    until,
)
from tidings.node.limits import Limits

OTHERS = 1000
BLOCK = b'"' + b"x" * 60_000 + b'"'


class Crowd:
    """Many WebSocket subscribers of one channel in one thread, each counting the messages it got."""

    def __init__(self, server: Running, size: int, channel: str) -> None:
        self.counts = [0] * size
        self._selector = selectors.DefaultSelector()
        self._sockets: list[socket.socket] = []
        self._rest = [b""] * size
        self._stop = False
        for at in range(size):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            one.sendall(handshake(f"/ws?channel={channel}"))
            self._sockets.append(one)
            self._selector.register(one, selectors.EVENT_READ, at)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def all_have(self, count: int) -> None:
        """Wait until everybody has got so many messages."""
        until(lambda: min(self.counts) >= count, seconds=60)

    def close(self) -> None:
        self._stop = True
        self._thread.join(PATIENCE)
        for one in self._sockets:
            one.close()
        self._selector.close()

    def _read(self) -> None:
        mark = b'"type":"message"'
        while not self._stop:
            for key, _ in self._selector.select(0.05):
                at = key.data
                data = self._rest[at] + key.fileobj.recv(1 << 16)  # type: ignore[union-attr]
                self.counts[at] += data.count(mark)
                self._rest[at] = data[-len(mark) + 1 :] if not data.endswith(mark) else b""


@contextmanager
def crowd(server: Running, channel: str) -> Iterator[Crowd]:
    found = Crowd(server, OTHERS, channel)
    try:
        server.until(lambda: server.node.apps.default.hub.subscribers(channel) >= OTHERS)  # type: ignore[arg-type]
        yield found
    finally:
        found.close()


@pytest.fixture
def server() -> Iterator[Running]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with running(make_node(Limits(connects_per_second=0.0, send_buffer=256 << 10))) as found:
        yield found


def stuck_reader(server: Running) -> Peer:
    """A subscriber of `calm` and `busy` with a small window, who then never reads."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", server.port))
    peer = Peer(sock)
    assert peer.upgrade("/ws") == 101
    peer.send(client_frame(1, json.dumps({"type": "subscribe", "channels": ["calm", "busy"]}).encode()))
    server.until(lambda: server.node.apps.default.hub.subscribers("busy") == 1)  # type: ignore[arg-type]
    return peer


def test_a_stuck_reader_is_cut_at_its_bound_and_resumes_whole_while_others_go_on(server: Running) -> None:
    app = server.node.apps.default
    with crowd(server, "calm") as others:
        cursor = str(server.call(lambda: server.node.head(app)))
        stuck = stuck_reader(server)
        session = server.call(lambda: next(s for s in app.sessions.values() if "busy" in s.channels))
        calm = busy = 0
        while not server.call(lambda: session.outlet.closed):
            server.publish("busy", BLOCK)
            busy += 1
            if busy % 5 == 0:
                server.publish("calm", b"%d" % calm)
                calm += 1
                others.all_have(calm)  # also while the other's transport is full
            assert busy < 500, "it was never cut"
        server.until(lambda: session.id not in app.sessions)
        assert server.call(lambda: session.outlet.queued) == 0
        server.publish("calm", b"%d" % calm)
        others.all_have(calm + 1)
        stuck.sock.close()

    url = f"ws://127.0.0.1:{server.port}/ws?channel=calm&channel=busy&cursor={cursor}"
    got: list[str] = []
    with connect(url, max_size=None) as back:
        while len(got) < calm + 1 + busy:
            told = json.loads(back.recv(PATIENCE))
            assert told["type"] != "reset"
            if told["type"] == "message":
                got.append(told["position"])
    offsets = [int(position.split(":")[1]) for position in got]
    assert offsets == sorted(set(offsets))
    assert len(offsets) == calm + 1 + busy
