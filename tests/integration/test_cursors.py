"""One cursor for every way out: taken on one transport it continues on another, and a hole is told exactly."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.fixtures.fix_server import PATIENCE, Running, make_node, running
from tidings.hub.channel import Retention
from tidings.node.apps import ChannelRule


@pytest.fixture
def server() -> Iterator[Running]:
    short = ChannelRule(match="short", history=Retention(count=2))
    with running(make_node(channels=(short,))) as found:
        yield found


def poll(server: Running, channels: str, cursor: str | None = None) -> dict[str, Any]:
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)) as connection:
        connection.request("GET", f"/poll?{channels}" + (f"&cursor={cursor}" if cursor else ""))
        answer: dict[str, Any] = json.loads(connection.getresponse().read())
        return answer


class Stream:
    """An open event stream, read as lines."""

    def __init__(self, server: Running, channels: str, last_event_id: str | None = None) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
        self.connection.request("GET", f"/events?{channels}&framing=typed", headers=headers)
        self.response = self.connection.getresponse()
        assert self.response.status == 200

    def events(self, *types: str) -> Iterator[tuple[str | None, dict[str, Any]]]:
        """Cursor and value of each event of these types, as they come."""
        cursor: str | None = None
        while True:
            line = self.response.readline().decode().rstrip("\n")
            if line.startswith("id: "):
                cursor = line[4:]
            elif line.startswith("data: "):
                value = json.loads(line[6:])
                if value["type"] in types:
                    yield cursor, value

    def take(self, count: int) -> list[tuple[str | None, dict[str, Any]]]:
        """The next messages."""
        events = self.events("message")
        return [next(events) for _ in range(count)]

    def joined(self) -> None:
        """Wait until the channel is live."""
        next(self.events("subscribed"))

    def close(self) -> None:
        self.response.close()
        self.connection.close()


def numbers(messages: list[dict[str, Any]]) -> list[Any]:
    return [message["data"] for message in messages]


def test_a_cursor_goes_from_sse_to_poll_to_websocket_and_back(server: Running) -> None:
    stream = Stream(server, "channel=a&channel=b")
    stream.joined()
    for number in range(1, 4):
        server.publish("ab"[number % 2], b"%d" % number)
    taken = stream.take(2)
    stream.close()
    assert numbers([value for _, value in taken]) == [1, 2]
    assert taken[-1][0] is not None

    page = poll(server, "channel=a&channel=b", taken[-1][0])
    assert numbers(page["messages"]) == [3]
    assert page["reset"] is None

    server.publish("a", b"4")
    with connect(f"ws://127.0.0.1:{server.port}/ws?channel=a&channel=b&cursor={page['cursor']}") as socket:
        told = [json.loads(socket.recv(PATIENCE)) for _ in range(4)]
    messages = [one for one in told if one["type"] == "message"]
    assert numbers(messages) == [4]

    server.publish("b", b"5")
    again = Stream(server, "channel=a&channel=b", messages[0]["position"])
    assert numbers([value for _, value in again.take(1)]) == [5]
    again.close()


def test_a_cursor_below_one_floor_resets_exactly_that_channel_on_every_way_out(server: Running) -> None:
    server.publish("long", b"0")
    cursor = poll(server, "channel=long")["cursor"]
    for number in range(1, 6):
        server.publish("short", b"%d" % number)
    server.publish("long", b"6")
    both = "channel=short&channel=long"

    page = poll(server, both, cursor)
    assert [(one["channels"], one["reason"]) for one in page["reset"]] == [(["short"], "retention")]
    assert numbers(page["messages"]) == [6]

    stream = Stream(server, both, cursor)
    events = stream.events("reset", "message")
    reset, message = next(events)[1], next(events)[1]
    stream.close()
    assert (reset["channels"], reset["reason"], message["data"]) == (["short"], "retention", 6)

    with connect(f"ws://127.0.0.1:{server.port}/ws?{both}&cursor={cursor}") as socket:
        told = [json.loads(socket.recv(PATIENCE)) for _ in range(5)]
    assert [one["channels"] for one in told if one["type"] == "reset"] == [["short"]]
    assert numbers([one for one in told if one["type"] == "message"]) == [6]


def test_following_page_after_page_never_misses_or_repeats(server: Running) -> None:
    cursor = poll(server, "channel=a")["cursor"]
    for number in range(1200):
        server.publish("a", b"%d" % number)
    seen: list[Any] = []
    while len(seen) < 1200:
        page = poll(server, "channel=a", cursor)
        assert page["messages"], "a page before the end is never empty"
        seen += numbers(page["messages"])
        cursor = page["cursor"]
    assert seen == list(range(1200))
