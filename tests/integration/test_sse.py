"""Event streams over a real socket, as browsers ask for them: web-platform-tests' eventsource, from the other side."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.fixtures.fix_server import Peer, Running, make_node, running, running_asgi
from tidings.node.limits import Limits

Start = Callable[..., AbstractContextManager[Running]]


@pytest.fixture(scope="module", params=[running, running_asgi], ids=["ours", "asgi"])
def server(request: Any) -> Iterator[Running]:
    with request.param() as found:
        yield found


def ask(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", "Host: localhost", *headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def head_of(peer: Peer) -> tuple[int, dict[str, str]]:
    first, *lines = peer.read_until(b"\r\n\r\n").decode("latin-1").strip().split("\r\n")
    return int(first.split()[1]), {
        line.split(":", 1)[0].lower(): line.split(":", 1)[1].strip() for line in lines
    }


def test_a_stream_has_the_headers_that_keep_it_flowing(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Accept: text/event-stream", "Accept-Encoding: gzip"))
        status, headers = head_of(peer)
    assert status == 200
    assert headers["content-type"].startswith("text/event-stream")
    assert "no-transform" in headers["cache-control"]
    assert headers["x-accel-buffering"] == "no"
    assert headers["transfer-encoding"] == "chunked"
    assert "content-encoding" not in headers
    assert "content-length" not in headers


def test_a_stream_opens_with_retry_and_connected_and_then_flows(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=flow"))
        peer.read_until(b"retry: ")
        peer.read_until(b"event: connected")
        peer.read_until(b"event: subscribed")
        for at in range(3):
            server.publish("flow", b'{"n":%d}' % at, event="step")
            assert b"event: step" in peer.read_until(b'data: {"n":%d}\n\n' % at)


@pytest.mark.parametrize("by", ["header", "query"])
def test_a_client_that_comes_back_gets_what_it_missed(server: Running, by: str) -> None:
    channel = f"back-{by}"
    with server.connect() as peer:
        peer.send(ask(f"/events?channel={channel}"))
        peer.read_until(b"event: subscribed")
        server.publish(channel, b'"one"')
        cursor = peer.read_until(b'data: "one"').split(b"id: ")[-1].split(b"\n")[0].decode()
    server.publish(channel, b'"two"')
    server.publish(channel, b'"three"')
    with server.connect() as peer:
        if by == "header":
            peer.send(ask(f"/events?channel={channel}", f"Last-Event-ID: {cursor}"))
        else:
            peer.send(ask(f"/events?channel={channel}&last_event_id={cursor}"))
        missed = peer.read_until(b'data: "three"')
    assert b'data: "two"' in missed
    assert b'data: "one"' not in missed


def test_an_id_that_nobody_wrote_is_told_as_a_reset(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=lost", "Last-Event-ID: whatever"))
        told = peer.read_until(b"event: subscribed")
    assert b"event: reset" in told
    assert b"unknown_cursor" in told


def test_head_is_answered_without_a_stream(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Connection: close", method="HEAD"))
        status, headers = head_of(peer)
        assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
        assert peer.read_all() == b""
    assert server.call(lambda: server.node.connections) == 0


@pytest.mark.parametrize(
    ("path", "status", "name"),
    [
        ("/events", 400, b"bad_request"),
        ("/events?channel=a%20b", 400, b"bad_channel"),
        ("/events?channel=a&framing=x", 400, b"bad_request"),
        ("/events?channel=private-a", 401, b"not_authenticated"),
        ("/events?channel=a&app=nobody", 404, b"unknown_app"),
        ("/events?channel=a&token=x", 401, b"bad_token"),
    ],
)
def test_what_will_never_be_is_refused_with_a_status(
    server: Running, path: str, status: int, name: bytes
) -> None:
    with server.connect() as peer:
        peer.send(ask(path))
        got, headers, body = peer.response()
    assert (got, headers["content-type"]) == (status, "application/json")
    assert name in body


def test_a_page_of_another_host_may_listen_without_cookies_only(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Origin: http://page.example"))
        status, headers = head_of(peer)
        assert status == 200
        assert headers["access-control-allow-origin"] == "http://page.example"
        assert headers["access-control-allow-credentials"] == "true"
        assert headers["vary"] == "Origin"
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Origin: http://page.example", "Cookie: a=b"))
        assert peer.response()[0] == 403
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Origin: null"))
        assert peer.response()[0] == 403


def test_a_preflight_is_answered(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Origin: http://page.example", method="OPTIONS"))
        status, headers, _ = peer.response()
    assert status == 204
    assert "GET" in headers["access-control-allow-methods"]
    assert "Last-Event-ID" in headers["access-control-allow-headers"]
    assert headers["access-control-allow-origin"] == "http://page.example"


def test_other_methods_are_refused(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=a", "Content-Length: 0", method="POST"))
        status, headers, _ = peer.response()
    assert status == 405
    assert headers["allow"] == "GET, HEAD, OPTIONS"


def test_a_client_that_goes_is_noticed(server: Running) -> None:
    with server.connect() as peer:
        peer.send(ask("/events?channel=gone"))
        peer.read_until(b"event: subscribed")
        assert server.call(lambda: server.node.connections) >= 1
    server.until(lambda: server.node.connections == 0)


def test_http_1_0_gets_a_body_without_chunks() -> None:
    with running() as server, server.connect() as peer:
        peer.send(ask("/events?channel=old", version="1.0"))
        _, headers = head_of(peer)
        assert "transfer-encoding" not in headers
        assert peer.read_until(b"\n\n").startswith(b":")
        peer.read_until(b"event: subscribed")
        server.publish("old", b'"x"')
        peer.read_until(b'data: "x"\n\n')


@pytest.mark.parametrize("start", [running, running_asgi], ids=["ours", "asgi"])
def test_no_room_is_told_by_a_long_retry_and_never_by_a_status(start: Start) -> None:
    node = make_node(Limits(connections=1, connects_per_second=0.0))
    with start(node) as server, server.connect() as first, server.connect() as second:
        first.send(ask("/events?channel=a"))
        first.read_until(b"event: connected")
        second.send(ask("/events?channel=a", "Connection: close"))
        status, headers = head_of(second)
        assert (status, headers["content-type"].split(";")[0]) == (200, "text/event-stream")
        rest = second.read_all()
        wait = int(rest.split(b"retry: ")[1].split(b"\n")[0])
        assert 30_000 <= wait <= 60_000
        assert rest.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("start", [running, running_asgi], ids=["ours", "asgi"])
def test_an_address_that_comes_too_often_is_told_by_a_long_retry(start: Start) -> None:
    with start(make_node(Limits(connects_per_second=0.01))) as server, server.connect() as peer:
        peer.send(ask("/events?channel=a"))
        assert head_of(peer)[0] == 200
        assert b"retry: " in peer.read_until(b"\n\n")


@pytest.mark.parametrize("start", [running, running_asgi], ids=["ours", "asgi"])
def test_a_drain_says_goodbye_and_ends_the_body(start: Start) -> None:
    with start() as server, server.connect() as peer:
        peer.send(ask("/events?channel=a", "Connection: close"))
        peer.read_until(b"event: subscribed")
        server.wait(server.node.drain(0.0))
        rest = peer.read_all()
        assert b"event: goodbye" in rest
        assert rest.endswith(b"0\r\n\r\n")


def test_heartbeats_come_on_a_quiet_stream() -> None:
    node = make_node(Limits(sse_heartbeat_seconds=0.1, connects_per_second=0.0))
    with running(node) as server, server.connect() as peer:
        peer.send(ask("/events?channel=quiet"))
        peer.read_until(b"event: subscribed")
        began = time.monotonic()
        peer.read_until(b"\n:")
        assert time.monotonic() - began < 5.0


def test_what_a_client_sends_behind_its_request_is_dropped() -> None:
    with running() as server, server.connect() as peer:
        peer.send(ask("/events?channel=mute"))
        peer.read_until(b"event: subscribed")
        peer.send(ask("/healthz") * 100)
        server.publish("mute", b'"x"')
        assert b"HTTP/1.1" not in peer.read_until(b'data: "x"')


def test_a_reader_that_stops_is_cut() -> None:
    node = make_node(Limits(send_buffer=200_000, connects_per_second=0.0))
    with running(node) as server, server.connect() as peer:
        peer.send(ask("/events?channel=flood"))
        peer.read_until(b"event: subscribed")
        for _ in range(400):
            server.publish("flood", b'"' + b"x" * 60_000 + b'"')
            if server.call(lambda: server.node.connections) == 0:
                return
        server.until(lambda: server.node.connections == 0)
