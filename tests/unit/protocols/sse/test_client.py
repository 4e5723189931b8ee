"""The client's side of a stream, spoken to by our own server's side."""

from __future__ import annotations

import pytest

from tests.unit.protocols.nouns import CHANNEL, at, message, plainly, welcome
from tidings.errors import RemoteProtocolError
from tidings.protocols.http import Request
from tidings.protocols.sse.client import SseClient
from tidings.protocols.sse.server import SseServer, parse_events
from tidings.pushes import Delivered, Heartbeat, Push, Reset, Subscribed
from tidings.row_filters import RowFilter


def say(server: SseServer, *pushes: Push) -> bytes:
    return b"".join(payload for push in pushes for payload in server.push(push))


def test_it_asks_for_what_the_server_understands() -> None:
    client = SseClient([CHANNEL], after=at(3), app="demo")
    headers = {name.lower(): value for name, value in client.headers().items()}
    asked = parse_events(Request(method="GET", path="/events", query=client.query(), headers=headers))
    assert (asked.channels, asked.after, asked.framing, asked.app) == ((CHANNEL,), at(3), "typed", "demo")
    filtered = SseClient([CHANNEL], filter=RowFilter.parse("a=eq.1"))
    asked = parse_events(Request(method="GET", path="/events", query=filtered.query()))
    assert asked.filter == RowFilter.parse("a=eq.1")


def test_without_a_cursor_it_sends_none() -> None:
    assert "Last-Event-ID" not in SseClient([CHANNEL]).headers()
    assert SseClient([CHANNEL]).cursor is None


def test_it_hears_what_the_server_says_whatever_the_pieces() -> None:
    told: list[Push] = [
        welcome(9),
        Subscribed(channel=CHANNEL, head=at(9)),
        Delivered(message=message(11)),
        Reset(channels=(CHANNEL,), reason="source", cursor=at(12)),
    ]
    stream = say(SseServer(framing="typed", heartbeat="data"), told[0], Heartbeat(time=1), *told[1:])
    client = SseClient([CHANNEL])
    heard = [push for n in range(0, len(stream), 7) for push in client.receive(stream[n : n + 7])]
    assert plainly(heard) == plainly(told)
    assert client.cursor == at(12)
    assert client.retry == 0.5


def test_a_broken_body_leaves_the_cursor_of_the_last_whole_event() -> None:
    stream = say(SseServer(framing="typed"), welcome(9), Delivered(message=message(11)))
    client = SseClient([CHANNEL])
    client.receive(stream[:-1])
    client.reconnected()
    assert client.headers()["Last-Event-ID"] == "1f2e3d4c:9"
    assert client.retry == 0.5
    assert [type(push) for push in client.receive(say(SseServer(framing="typed"), welcome(12)))]


@pytest.mark.parametrize("body", [b"event: task-created\ndata: {}\n\n", b"data: nonsense\n\n"])
def test_a_stream_that_is_not_typed_is_told_apart(body: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        SseClient([CHANNEL]).receive(body)


def test_what_a_newer_server_says_is_passed_over() -> None:
    assert SseClient([CHANNEL]).receive(b'data: {"type":"weather"}\n\n') == []
