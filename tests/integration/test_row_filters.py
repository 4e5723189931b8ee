"""Row filters over real sockets: `/ws`, `/events` and `/poll`, each followed live and resumed by its cursor."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.fixtures.fix_server import Peer, Running, client_frame, running, running_asgi

P1 = f"filter={quote('p=eq.1')}"


@pytest.fixture(scope="module", params=[running, running_asgi], ids=["ours", "asgi"])
def server(request: Any) -> Iterator[Running]:
    with request.param() as found:
        yield found


def publish(server: Running, channel: str, *rows: object) -> None:
    for row in rows:
        server.publish(channel, json.dumps(row, separators=(",", ":")).encode())


def row(number: int, n: int) -> dict[str, int]:
    return {"p": number, "n": n}


def objects(peer: Peer) -> Iterator[dict[str, Any]]:
    while True:
        opcode, payload = peer.frame()
        if opcode == 1:
            yield json.loads(payload)


def messages(peer: Peer, count: int) -> list[dict[str, Any]]:
    found = (one for one in objects(peer) if one["type"] == "message")
    return [next(found) for _ in range(count)]


def numbers(told: list[dict[str, Any]]) -> list[int]:
    return [one["data"]["n"] for one in told]


def get(peer: Peer, path: str) -> tuple[int, dict[str, Any]]:
    peer.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    status, _, body = peer.response()
    return status, json.loads(body)


def subscribed(peer: Peer) -> dict[str, Any]:
    return next(one for one in objects(peer) if one["type"] == "subscribed")


def test_a_socket_is_filtered_live_and_on_its_return(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade(f"/ws?channel=sock&{P1}") == 101
        head = int(subscribed(peer)["cursor"].split(":")[1])
        publish(server, "sock", row(2, 1), row(1, 2), row(2, 3), row(1, 4))
        told = messages(peer, 2)
        assert numbers(told) == [2, 4]
        offsets = [int(one["position"].split(":")[1]) for one in told]
        assert [one["previous"] for one in told] == [head, offsets[0]]
    publish(server, "sock", row(2, 5), row(1, 6), row(2, 7), row(1, 8))
    with server.connect() as peer:
        assert peer.upgrade(f"/ws?channel=sock&{P1}&cursor={told[-1]['position']}") == 101
        missed = messages(peer, 2)
        publish(server, "sock", row(2, 9), row(1, 10))
        last = messages(peer, 1)
    assert numbers(missed + last) == [6, 8, 10]
    assert [one["previous"] is None for one in missed] == [True, False]


def test_a_command_filters_one_channel_and_another_stays_whole(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade("/ws?channel=all") == 101
        subscribed(peer)
        for command in (
            {"type": "subscribe", "channels": ["some", "x"], "filter": "p=eq.1", "ref": 1},
            {"type": "subscribe", "channel": "some", "filter": "p=eq.1", "ref": 2},
            {"type": "subscribe", "channel": "some", "filter": "p=eq.2", "ref": 3},
        ):
            peer.send(client_frame(1, json.dumps(command).encode()))
        found = objects(peer)
        answers = [next(found) for _ in range(3)]
        assert [(one["type"], one["ref"]) for one in answers] == [
            ("reply", 1),
            ("subscribed", 2),
            ("reply", 3),
        ]
        assert [answers[at]["error"]["name"] for at in (0, 2)] == ["bad_filter", "already_subscribed"]
        for n in range(4):
            publish(server, "all", row(2, n))
            publish(server, "some", row(n % 2, n))
        assert [(one["channel"], one["data"]["n"]) for one in messages(peer, 6)] == [
            ("all", 0),
            ("all", 1),
            ("some", 1),
            ("all", 2),
            ("all", 3),
            ("some", 3),
        ]


def test_a_row_that_leaves_the_filter_is_told(server: Running) -> None:
    with server.connect() as peer:
        assert peer.upgrade(f"/ws?channel=leave&{P1}") == 101
        subscribed(peer)
        told = {"schema": "main", "table": "t", "unknown": [], "commit_time": 1, "position": "x"}
        publish(
            server,
            "leave",
            told | {"type": "UPDATE", "new": row(2, 1), "old": row(2, 0)},
            told | {"type": "UPDATE", "new": row(2, 2), "old": row(1, 1)},
            told | {"type": "DELETE", "new": None, "old": row(2, 2)},
            told | {"type": "DELETE", "new": None, "old": {"n": 4}},
        )
        found = messages(peer, 2)
    assert [one["data"]["type"] for one in found] == ["UPDATE", "DELETE"]


def test_a_filter_that_cannot_be_read_is_refused_before_anything_begins(server: Running) -> None:
    for path in ("/events?channel=a&filter=p", "/poll?channel=a&filter=p"):
        with server.connect() as peer:
            status, body = get(peer, path)
            assert (status, body["error"]["name"]) == (400, "bad_filter")
    with server.connect() as peer:
        assert peer.upgrade("/ws?channel=a&filter=p") == 400


def test_a_stream_is_filtered_live_and_on_its_return(server: Running) -> None:
    request = f"GET /events?channel=flow&channel=other&{P1} HTTP/1.1\r\nHost: localhost\r\n"
    with server.connect() as peer:
        peer.send(f"{request}\r\n".encode())
        peer.read_until(b'"channel":"other"')
        publish(server, "flow", row(2, 1), row(1, 2))
        publish(server, "other", row(2, 3), row(1, 4))
        text = peer.read_until(b'data: {"p":1,"n":4}\n\n').decode()
    assert [f'"n":{n}' in text for n in (1, 2, 3, 4)] == [False, True, False, True]
    cursor = text.split("id: ")[-1].split("\n")[0]
    publish(server, "flow", row(2, 5), row(1, 6))
    with server.connect() as peer:
        peer.send(f"{request}Last-Event-ID: {cursor}\r\n\r\n".encode())
        text = peer.read_until(b'data: {"p":1,"n":6}\n\n').decode()
    assert [f'"n":{n}' in text for n in (4, 5)] == [False, False]


def test_polls_are_filtered_and_their_cursor_moves_past_what_was_kept_back(server: Running) -> None:
    with server.connect() as peer:
        _, first = get(peer, f"/poll?channel=asked&{P1}")
        publish(server, "asked", row(2, 1), row(1, 2), row(2, 3))
        _, page = get(peer, f"/poll?channel=asked&{P1}&cursor={first['cursor']}")
        assert numbers(page["messages"]) == [2]
        assert page["cursor"] > page["messages"][0]["position"]
        _, quiet = get(peer, f"/poll?channel=asked&{P1}&cursor={page['cursor']}")
        assert quiet == {"cursor": page["cursor"], "messages": [], "reset": None}


def test_a_long_poll_waits_on_while_only_others_rows_come(server: Running) -> None:
    with server.connect() as peer:
        _, first = get(peer, f"/poll?channel=long&{P1}")

        def later() -> None:
            server.until(lambda: bool(server.node.polls))
            for n in range(5):
                publish(server, "long", row(2, n))
            publish(server, "long", row(1, 9))

        thread = threading.Thread(target=later)
        thread.start()
        _, page = get(peer, f"/poll?channel=long&{P1}&wait=60&cursor={first['cursor']}")
        thread.join()
    assert numbers(page["messages"]) == [9]


def test_a_long_poll_that_gets_nothing_ends_with_its_wait_and_a_newer_cursor(server: Running) -> None:
    with server.connect() as peer:
        _, first = get(peer, f"/poll?channel=none&{P1}")
        publish(server, "none", row(2, 1))
        began = time.monotonic()
        _, page = get(peer, f"/poll?channel=none&{P1}&wait=0.3&cursor={first['cursor']}")
    assert time.monotonic() - began >= 0.3
    assert page["messages"] == []
    assert page["cursor"] != first["cursor"]
