"""One behaviour on every carrier: our own classes, and plain ASGI under a foreign server."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.fixtures.fix_server import (
    KEY,
    PATIENCE,
    Peer,
    Running,
    client_frame,
    handshake,
    make_node,
    running,
    running_asgi,
    running_library,
)
from tidings.node.limits import Limits

PUSHER = f"/app/{KEY}?protocol=7&client=js&version=8.6.0"


@pytest.fixture(
    scope="module", params=[running, running_asgi, running_library], ids=["ours", "asgi", "library"]
)
def server(request: Any) -> Iterator[Running]:
    with request.param() as found:
        yield found


def test_a_pusher_client_is_welcomed_and_served(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade(PUSHER) == 101
        assert b"pusher:connection_established" in peer.frame()[1]
        peer.send(client_frame(1, b'{"event":"pusher:subscribe","data":{"channel":"room"}}'))
        assert b"subscription_succeeded" in peer.frame()[1]
        server.publish("room", b'{"a":1}', event="hello")
        assert b'"hello"' in peer.frame()[1]
        peer.send(client_frame(1, b'{"event":"pusher:ping","data":{}}'))
        assert b"pusher:pong" in peer.frame()[1]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/app/nokey?protocol=7", 4001),
        (f"/app/{KEY}?protocol=3", 4007),
        (f"/app/{KEY}", 4008),
    ],
)
def test_a_pusher_client_is_turned_away_by_close_codes(server: Running, path: str, code: int) -> None:
    with server.connect() as peer:
        assert peer.upgrade(path) == 101
        assert peer.close_code() == code


def test_a_plain_client_resumes_from_its_cursor(server: Running) -> None:
    server.publish("resume", b'"first"')
    with server.connect() as peer:
        peer.send(b"GET /poll?channel=resume HTTP/1.1\r\nHost: localhost\r\n\r\n")
        cursor = peer.response()[2].split(b'"cursor":"')[1].split(b'"')[0].decode()
    server.publish("resume", b'"second"')
    with server.connect() as peer:
        assert peer.upgrade(f"/ws?channel=resume&cursor={cursor}") == 101
        got = b"".join(peer.frame()[1] for _ in range(3))
    assert b'"second"' in got
    assert b'"first"' not in got


def test_messages_of_one_burst_stay_apart(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/ws?channel=burst") == 101
        peer.frame()
        peer.frame()
        for at in range(50):
            server.publish("burst", b"%d" % at, event=f"n{at}")
        for at in range(50):
            assert f'"event":"n{at}"'.encode() in peer.frame()[1]


def test_a_client_id_may_stand_in_front_of_the_path(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/c/tab-1" + PUSHER) == 101
        peer.frame()
        clients = server.call(
            lambda: [session.visitor.client for app in server.node.apps for session in app.sessions.values()]
        )
        assert "tab-1" in clients


def converse(peer: Peer, mark: bytes) -> bytes:
    """Read as pusher-js does, answering every ping, up to a frame that holds `mark`. Returns all that was read."""
    read = b""
    while mark not in read:
        opcode, payload = peer.frame()
        if opcode == 9:
            peer.send(client_frame(10, payload))
        elif b'"pusher:ping"' in payload:
            peer.send(client_frame(1, b'{"event":"pusher:pong","data":{}}'))
        else:
            read += payload
    return read


def test_what_a_client_without_cursors_has_received_is_not_sent_again(server: Running) -> None:
    path, join = "/c/held-1" + PUSHER, b'{"event":"pusher:subscribe","data":{"channel":"held"}}'

    def confirmed() -> bool:
        node = server.node
        sessions = [s for s in node.holding if s.visitor.client == "held-1" and s.resume is not None]
        return any(s.resume.snapshot().get("held") == node.head(s.app).offset for s in sessions)  # type: ignore[union-attr,call-overload]

    with server.connect() as peer:
        assert peer.upgrade(path) == 101
        peer.send(client_frame(1, join))
        converse(peer, b"subscription_succeeded")
        for at in range(30):
            server.publish("held", b"%d" % at, event=f"e{at}-")
        converse(peer, b"e29-")
        reader = threading.Thread(target=lambda: suppressed(lambda: converse(peer, b"never")), daemon=True)
        reader.start()
        server.until(confirmed)
        peer.sock.shutdown(socket.SHUT_RDWR)
        reader.join(PATIENCE)
    server.publish("held", b"30", event="e30-")
    with server.connect() as peer:
        assert peer.upgrade(path) == 101
        peer.send(client_frame(1, join))
        read = converse(peer, b"e30-")
    assert [at for at in range(31) if f"e{at}-".encode() in read] == [30]


def suppressed(work: Callable[[], Any]) -> None:
    """Run until the connection ends."""
    with contextlib.suppress(EOFError, OSError):
        work()


def test_a_foreign_page_with_cookies_is_refused(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade(PUSHER, "Origin: http://evil.example\r\nCookie: a=b\r\n") == 403


def test_an_unknown_socket_is_refused(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/nowhere") == 404


def test_a_client_that_goes_is_noticed(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/ws?channel=bye") == 101
        peer.frame()
        peer.send(client_frame(8, b"\x03\xe8"))
        assert peer.close_code() == 1000
    server.until(lambda: server.node.connections == 0)


def test_a_message_above_the_limit_is_cut_with_1009() -> None:
    for start in (running, running_asgi):
        node = make_node(Limits(frame_bytes=1000, connects_per_second=0.0))
        with start(node) as server, server.connect() as peer:
            assert peer.upgrade("/ws") == 101
            peer.send(client_frame(1, b"x" * 1001))
            assert peer.close_code() == 1009


def test_a_drain_sends_everybody_away(server: Running) -> None:
    """The last test of each server: afterwards it takes nobody."""
    with server.connect() as peer, server.connect() as late:
        assert peer.upgrade(PUSHER) == 101
        peer.frame()
        server.wait(server.node.drain(0.0))
        assert peer.close_code() in range(4100, 4300)
        late.send(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert late.response()[0] == 503
    with server.connect() as peer:
        assert peer.upgrade(PUSHER) == 101
        assert peer.close_code() in range(4100, 4300)
    server.call(lambda: setattr(server.node, "draining", False))


def test_a_poll_waits_for_something_and_is_answered_at_once(server: Running) -> None:
    with server.connect() as peer:
        peer.send(b"GET /poll?channel=wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
        _, headers, body = peer.response()
        cursor = body.split(b'"cursor":"')[1].split(b'"')[0]
        began = time.monotonic()
        peer.send(b"GET /poll?channel=wait&wait=9&cursor=" + cursor + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.until(lambda: server.node.apps.default.hub.subscribers("wait") == 1)  # type: ignore[arg-type]
        server.publish("wait", b'"x"')
        assert b'"x"' in peer.response()[2]
        assert time.monotonic() - began < 5.0
        peer.send(
            b"GET /poll?channel=wait HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "
            + headers["etag"].encode()
            + b"\r\n\r\n"
        )
        assert peer.response()[0] == 200


def test_an_unchanged_page_is_answered_304(server: Running) -> None:
    ask = b"GET /poll?channel=same HTTP/1.1\r\nHost: localhost\r\n"
    with server.connect() as peer:
        peer.send(ask + b"\r\n")
        tag = peer.response()[1]["etag"].encode()
        peer.send(ask + b"If-None-Match: " + tag + b"\r\n\r\n")
        assert peer.response()[::2] == (304, b"")


def test_a_poller_that_goes_away_is_forgotten(server: Running) -> None:
    with server.connect() as peer:
        peer.send(b"GET /poll?channel=away HTTP/1.1\r\nHost: localhost\r\n\r\n")
        cursor = peer.response()[2].split(b'"cursor":"')[1].split(b'"')[0]
        peer.send(b"GET /poll?channel=away&wait=9&cursor=" + cursor + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.until(lambda: server.node.apps.default.hub.subscribers("away") == 1)  # type: ignore[arg-type]
    server.until(lambda: server.node.apps.default.hub.subscribers("away") == 0)  # type: ignore[arg-type]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_the_state_can_be_asked_for(server: Running, path: str) -> None:
    with server.connect() as peer:
        peer.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert peer.response()[0] == 200
        peer.send(f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        assert peer.read_all().endswith(b"\r\n\r\n")


def test_no_token_reaches_a_log(caplog: pytest.LogCaptureFixture) -> None:
    canary = "cAnArY"
    with caplog.at_level(logging.DEBUG), running() as server:
        for data in (
            handshake(f"/ws?token={canary}"),
            handshake(f"/app/{KEY}?protocol=7&token={canary}"),
            handshake(f"/nowhere?token={canary}"),
            f"GET /events?channel=a&token={canary} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode(),
            f"GET /nowhere?token={canary} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode(),
            f"GET /a\0?token={canary} HTTP/1.1\r\nHost: h\r\n\r\n".encode(),
        ):
            with server.connect() as peer:
                peer.send(data)
                peer.read_until(b"\r\n\r\n")
    assert canary not in "".join(record.getMessage() + str(record.__dict__) for record in caplog.records)
