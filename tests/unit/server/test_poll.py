"""Pages and refusals of polling."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.fixtures.fix_server import APP, make_node
from tidings.errors import EngineUnavailable
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.node.node import Node
from tidings.node.quotas import Quotas
from tidings.protocols.http import Request, Response
from tidings.server.door import Door
from tidings.server.poll import Poll


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    node = make_node()
    await node.start()
    yield node
    await node.stop()


async def ask(node: Node, query: str, **headers: str) -> Response:
    request = Request(method="GET", path="/poll", query=query, headers={"host": "h", **headers})
    answer = await Poll(Door(node)).answer(request)
    assert isinstance(answer, Response)
    return answer


async def test_a_page_holds_what_lies_behind_the_cursor(node: Node) -> None:
    head = node.head(node.apps.default)
    await node.engine.broker.publish(
        APP, [Message(id="m", channel=ChannelName("a"), event="e", data=b'"x"', time=1)]
    )
    answer = await ask(node, f"channel=a&cursor={head}", origin="http://page.example")
    assert b'"x"' in answer.body
    assert answer.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert "Cookie" in answer.headers["Vary"]


@pytest.mark.parametrize(
    ("query", "status"),
    [("", 400), ("channel=a&wait=x", 400), ("channel=a&wait=99", 400), ("channel=private-a", 401)],
)
async def test_a_poll_that_is_wrong_is_refused(node: Node, query: str, status: int) -> None:
    assert (await ask(node, query)).status == status


async def test_a_log_that_cannot_be_read_is_told_as_such(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise EngineUnavailable("gone")

    monkeypatch.setattr(node, "poll", fail)
    answer = await ask(node, "channel=a")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_a_full_disk_is_told_as_such(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise EngineUnavailable("no room", full=True)

    monkeypatch.setattr(node, "poll", fail)
    answer = await ask(node, "channel=a")
    assert answer.status == 507
    assert b"storage_full" in answer.body


async def test_no_more_polls_wait_than_connections_may(node: Node) -> None:
    poll = Poll(Door(node))
    poll._waiting = node.limits.connections
    answer = await poll.answer(Request(method="GET", path="/poll", query="channel=a", headers={"host": "h"}))
    assert isinstance(answer, Response)
    assert answer.status == 503


async def test_a_preflight_is_answered(node: Node) -> None:
    request = Request(method="OPTIONS", path="/poll", headers={"host": "h", "origin": "http://p"})
    assert (await Door(node).preflight(request)).status == 204


async def test_a_poll_above_the_apps_quota_is_told_to_come_back() -> None:
    node = make_node(quotas=Quotas(connections=1))
    await node.start()
    try:
        node.apps.default.waiting = 1
        answer = await ask(node, "channel=a")
        assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
        node.apps.default.waiting = 0
        assert (await ask(node, "channel=a")).status == 200
        assert node.apps.default.waiting == 0
    finally:
        await node.stop()


async def test_a_filter_asks_for_the_same_rights_and_moves_the_cursor(node: Node) -> None:
    assert (await ask(node, "channel=private-a&filter=p%3Deq.1")).status == 401
    assert (await ask(node, "channel=a&filter=p")).status == 400
    head = node.head(node.apps.default)
    told = [
        Message(id=f"m{n}", channel=ChannelName("a"), event="e", data=b'{"p":%d}' % n, time=1) for n in (1, 2)
    ]
    published = await node.engine.broker.publish(APP, told)
    answer = await ask(node, f"channel=a&filter=p%3Deq.1&cursor={head}")
    assert b'{"p":1}' in answer.body
    assert b'{"p":2}' not in answer.body
    assert answer.body.startswith(b'{"cursor":"%b"' % str(published.positions[1]).encode())
