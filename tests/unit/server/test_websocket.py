"""The WebSocket class as others see it: an ASGI WebSocket as usual, unless a session takes the transport."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fixtures.fix_server import Running, client_frame, handshake, running, running_library
from tidings.server.websocket import EXTENSION, TidingsWebSocketProtocol

scopes: list[dict[str, Any]] = []


async def foreign(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Somebody else's application: echoes, or refuses, over plain ASGI."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    scopes.append(scope)
    await receive()
    if scope["path"] == "/refused":
        await send({"type": "websocket.close"})
        return
    await send({"type": "websocket.accept"})
    while (message := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": message["text"].upper()})


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(extra=foreign) as found:
        yield found


def test_a_foreign_application_has_a_websocket_as_usual(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/theirs?x=1") == 101
        peer.send(client_frame(1, b"abc") + client_frame(1, b"def"))
        assert [peer.frame(), peer.frame()] == [(1, b"ABC"), (1, b"DEF")]
        peer.send(client_frame(8, b"\x03\xe8"))
        assert peer.close_code() == 1000
    assert scopes[-1]["query_string"] == b"x=1"
    assert EXTENSION in scopes[-1]["extensions"]


def test_a_foreign_application_may_refuse(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/refused") == 403


def test_a_client_that_does_not_wait_for_the_answer_is_cut(server: Running) -> None:
    with server.connect() as peer:
        data = handshake("/theirs")
        peer.send(data + client_frame(1, b"early"))
        assert peer.read_all().startswith(b"HTTP/1.1 400")


def test_of_a_connection_with_a_session_the_handshakes_object_is_gone() -> None:
    def left() -> int:
        return sum(isinstance(thing, TidingsWebSocketProtocol) for thing in gc.get_objects())

    scopes.clear()
    gc.collect()
    with running_library() as server, server.connect() as peer:
        gc.disable()  # nothing may wait for the collector
        try:
            assert peer.upgrade("/ws") == 101
            peer.frame()
            server.until(lambda: left() == 0)
        finally:
            gc.enable()
        server.publish("a")
        peer.send(client_frame(9, b"alive"))
        assert peer.frame() == (10, b"alive")
