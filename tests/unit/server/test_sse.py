"""Whether a stream begins. The stream itself: tests/integration/test_sse.py."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_server import make_node
from tidings.errors import Refusal
from tidings.node.limits import Limits
from tidings.protocols.http import Request, Response
from tidings.server.door import Door
from tidings.server.routing import Stream
from tidings.server.sse import Events


def events(limits: Limits | None = None, *, draining: bool = False) -> Events:
    node = make_node(limits)
    node.draining = draining
    return Events(Door(node, chance=lambda: 0.5))


def request(query: str, **headers: str) -> Request:
    return Request(
        method="GET", path="/events", query=query, headers={"host": "h", **headers}, peer="1.1.1.1"
    )


async def test_a_stream_begins_with_the_pages_cors_headers() -> None:
    answer = await events().answer(request("channel=a", origin="http://page.example"))
    assert isinstance(answer, Stream)
    assert answer.headers["Access-Control-Allow-Origin"] == "http://page.example"
    assert answer.content_type == "text/event-stream"
    assert b"retry: 45000" in answer.busy()


@pytest.mark.parametrize(
    ("query", "status"), [("", 400), ("channel=private-a", 401), ("channel=a&app=x", 404)]
)
async def test_what_will_never_be_has_a_status(query: str, status: int) -> None:
    answer = await events().answer(request(query))
    assert isinstance(answer, Response)
    assert answer.status == status


async def test_a_draining_node_says_come_back_later_and_never_5xx() -> None:
    answer = await events(draining=True).answer(request("channel=a"))
    assert isinstance(answer, Response)
    assert (answer.status, answer.content_type) == (200, "text/event-stream")
    assert b"retry: 45000" in answer.body


async def test_a_preflight_of_a_foreign_app_is_refused() -> None:
    with pytest.raises(Refusal):
        await events()._door.preflight(request("app=nobody", origin="http://page.example"))


def test_the_endpoint_changes_nothing_and_may_be_abandoned() -> None:
    get, options = events().endpoints()
    assert (get.method, get.abandons, options.method) == ("GET", True, "OPTIONS")
