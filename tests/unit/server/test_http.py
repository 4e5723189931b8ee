"""The HTTP connection: life and end of requests. Its limits: tests/integration/test_http_limits.py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.fixtures.fix_server import Running, running
from tidings.errors import Disconnect, Refusal
from tidings.protocols.http import Host, Request, Response, Route

seen: list[Request] = []


async def show(request: Request, host: Host) -> Response:
    seen.append(request)
    return Response(body=request.path.encode(), headers={"X-Own": "1"})


async def refuse(request: Request, host: Host) -> Response:
    raise Refusal("rate_limited")


async def turn_away(request: Request, host: Host) -> Response:
    raise Disconnect("draining")


async def break_down(request: Request, host: Host) -> Response:
    raise RuntimeError("a fault")


async def inject(request: Request, host: Host) -> Response:
    return Response(headers={"X": "a\r\nSet-Cookie: b"})


async def wait(request: Request, host: Host) -> Response:
    await asyncio.sleep(0.05)
    return Response(body=b"waited")


ROUTES = (
    Route("GET", "/show/{a}/{b}", show),
    Route("GET", "/refuse", refuse),
    Route("GET", "/turn-away", turn_away),
    Route("GET", "/break-down", break_down),
    Route("GET", "/inject", inject),
    Route("GET", "/wait", wait),
)


async def extra(scope: dict[str, object], receive: object, send: object) -> None:
    """Somebody else's application."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()  # type: ignore[operator]
            await send({"type": message["type"] + ".complete"})  # type: ignore[operator]
            if message["type"] == "lifespan.shutdown":
                return
    await receive()  # type: ignore[operator]
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
    await send({"type": "http.response.body", "body": b"extra"})  # type: ignore[operator]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running(routes=ROUTES, extra=extra, trusted_proxies=["127.0.0.0/8"]) as found:
        yield found


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: h", *headers, "", ""]).encode()


def test_a_request_comes_whole(server: Running) -> None:
    with server.connect() as peer:
        peer.send(get("/show/a%20b/c?x=1", "X-Thing: y", "X-Forwarded-For: 1.2.3.4"))
        status, headers, body = peer.response()
    assert (status, headers["x-own"], body) == (200, "1", b"/show/a b/c")
    request = seen[-1]
    assert (request.query, request.params) == ("x=1", {"a": "a b", "b": "c"})
    assert (request.headers["x-thing"], request.peer) == ("y", "1.2.3.4")


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/refuse", 429, b"rate_limited"),
        ("/turn-away", 503, b"draining"),
        ("/break-down", 500, b"internal"),
        ("/inject", 500, b"internal"),
    ],
)
def test_what_goes_wrong_is_answered_and_the_connection_lives(
    server: Running, path: str, status: int, text: bytes
) -> None:
    with server.connect() as peer:
        for _ in range(2):
            peer.send(get(path))
            got, headers, body = peer.response()
            assert got == status
            assert text in body
            assert "set-cookie" not in headers


def test_order_is_kept_when_the_first_answer_takes_longest(server: Running) -> None:
    with server.connect() as peer:
        peer.send(get("/wait") + get("/show/1/2") + get("/anything") + get("/show/3/4"))
        assert [peer.response()[2] for _ in range(4)] == [b"waited", b"/show/1/2", b"extra", b"/show/3/4"]


def test_a_client_that_goes_in_the_middle_leaves_nothing(server: Running) -> None:
    with server.connect() as peer:
        peer.send(get("/wait") * 5)
    server.until(lambda: len(server.server.server_state.connections) == 0)
    server.until(lambda: len(server.server.server_state.tasks) == 0)


def test_the_path_of_somebody_else_is_left_to_him(server: Running) -> None:
    with server.connect() as peer:
        peer.send(get("/anything"))
        assert peer.response()[2] == b"extra"


def test_head_has_no_body(server: Running) -> None:
    answer = server.exchange(get("/show/a/b", "Connection: close").replace(b"GET", b"HEAD"))
    assert b"content-length: 9\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_quiet_connection_is_closed_in_the_end() -> None:
    with running(routes=ROUTES) as server, server.connect() as peer:
        peer.send(get("/show/a/b"))
        peer.response()
        (connection,) = server.call(lambda: list(server.server.server_state.connections))
        server.call(connection.expired)  # type: ignore[union-attr]
        assert peer.read_all() == b""
