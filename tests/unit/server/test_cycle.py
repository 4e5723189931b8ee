"""A request on its way to one of our endpoints."""

from __future__ import annotations

from tidings.protocols.http import Request, Response
from tidings.server.cycle import FastCycle, join_headers
from tidings.server.guard import Head
from tidings.server.routing import Endpoint, Found, Stream


async def nothing(request: Request) -> Response | Stream:
    return Response()


def test_a_cycle_becomes_a_request() -> None:
    found = Found(Endpoint("POST", "/a/{x}", nothing, 10), {"x": "1"})
    cycle = FastCycle(found, Head("/a/1", "q=2", "h"), "POST", "1.1", {"host": "h"}, keep_alive=True)
    cycle.body += [b"ab", b"c"]
    request = cycle.request("9.9.9.9", "/base")
    assert (request.path, request.query, request.body) == ("/base/a/1", "q=2", b"abc")
    assert (request.params, request.peer, cycle.max_body) == ({"x": "1"}, "9.9.9.9", 10)


def test_the_event_uvicorn_sets_is_nobodys() -> None:
    found = Found(Endpoint("GET", "/", nothing), {})
    FastCycle(found, Head("/", "", ""), "GET", "1.1", {}, keep_alive=True).message_event.set()


def test_repeated_headers_are_joined_by_their_grammar() -> None:
    headers = [(b"a", b"1"), (b"cookie", b"x=1"), (b"a", b"2"), (b"cookie", b"y=2")]
    assert join_headers(headers) == {"a": "1, 2", "cookie": "x=1; y=2"}
