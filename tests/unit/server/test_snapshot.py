"""The endpoint of snapshots: rows with their cursor, refusals, and what a page of another origin gets."""

from __future__ import annotations

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.fixtures.fix_server import make_node
from tidings.errors import Refusal
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.node.node import Node
from tidings.node.snapshots import State
from tidings.protocols.http import Request, Response
from tidings.server.door import Door
from tidings.server.snapshot import SnapshotEndpoint


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = make_node()
    await node.start()
    yield node
    await node.stop()


async def ask(node: Node, query: str, **headers: str) -> Response:
    request = Request(method="GET", path="/snapshot", query=query, headers={"host": "h", **headers})
    answer = await SnapshotEndpoint(Door(node)).answer(request)
    assert isinstance(answer, Response)
    return answer


async def test_rows_come_with_their_cursor(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def read(*_: object) -> State:
        return State(cursor=Position("0a1b2c3d", 7), rows={ChannelName("a"): {"t": [b'{"id":1}']}})

    monkeypatch.setattr(node.snapshots, "read", read)
    answer = await ask(node, "channel=a", origin="http://page.example")
    assert msgspec.json.decode(answer.body) == {"cursor": "0a1b2c3d:7", "channels": {"a": {"t": [{"id": 1}]}}}
    assert answer.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert "Cookie" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("channel=a", 404), ("channel=private-a", 401), ("channel=a&app=no", 404)],
)
async def test_what_cannot_be_had_is_refused(node: Node, query: str, status: int) -> None:
    answer = await ask(node, query)
    assert answer.status == status
    assert msgspec.json.decode(answer.body)["error"]["code"]


async def test_a_page_may_ask_before_it_asks(node: Node) -> None:
    request = Request(
        method="OPTIONS", path="/snapshot", headers={"host": "h", "origin": "http://page.example"}
    )
    answer = await Door(node).preflight(request)
    assert answer.status == 204


async def test_connects_of_an_address_are_counted(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    door = Door(node)

    def refuse(request: Request) -> None:
        raise Refusal("rate_limited")

    monkeypatch.setattr(door, "admit", refuse)
    request = Request(method="GET", path="/snapshot", query="channel=a", headers={"host": "h"})
    answer = await SnapshotEndpoint(door).answer(request)
    assert isinstance(answer, Response)
    assert answer.status == 429
