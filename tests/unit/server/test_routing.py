"""Paths to endpoints."""

from __future__ import annotations

import pytest

from tidings.protocols.http import Request, Response, Route
from tidings.server.routing import Endpoint, Router, Stream, catch_params, endpoint_of


async def nothing(request: Request) -> Response | Stream:
    return Response()


def router(*patterns: tuple[str, str]) -> Router:
    return Router(Endpoint(method, pattern, nothing) for method, pattern in patterns)


def test_a_path_finds_its_endpoint_and_what_it_caught() -> None:
    found = router(("POST", "/apps/{app}/events"), ("GET", "/events")).match("POST", "/apps/7/events")
    assert found is not None
    assert found.params == {"app": "7"}
    assert found.endpoint.pattern == "/apps/{app}/events"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/apps/7/events"),
        ("POST", "/apps//events"),
        ("POST", "/apps/7/events/"),
        ("POST", "/apps/7/8/events"),
        ("POST", "/"),
        ("POST", ""),
    ],
)
def test_what_does_not_fit_finds_nothing(method: str, path: str) -> None:
    assert router(("POST", "/apps/{app}/events")).match(method, path) is None


def test_what_is_remembered_is_bounded_and_follows_new_endpoints() -> None:
    table = router(("GET", "/a/{x}"))
    for at in range(3000):
        table.match("GET", f"/{at}")
    assert len(table._known) <= 1000
    assert table.match("GET", "/b") is None
    table.add(Endpoint("GET", "/b", nothing))
    assert table.match("GET", "/b") is not None


def test_head_finds_get() -> None:
    table = router(("GET", "/a"))
    assert table.match("HEAD", "/a") is not None
    assert table.methods("/a") == ["GET", "HEAD"]


def test_methods_of_a_path_are_known_over_patterns() -> None:
    table = router(("GET", "/a/{x}"), ("POST", "/a/{x}"), ("PUT", "/b/{x}"))
    assert table.methods("/a/1") == ["GET", "HEAD", "POST"]
    assert table.methods("/c") == []


def test_the_same_endpoint_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="twice"):
        router(("GET", "/a/{x}"), ("GET", "/a/{x}"))
    with pytest.raises(ValueError, match="twice"):
        router(("GET", "/a"), ("GET", "/a"))


async def test_a_route_is_bound_to_its_host() -> None:
    async def handler(request: Request, host: object) -> Response:
        return Response(body=str(host).encode())

    endpoint = endpoint_of(Route("GET", "/a", handler, max_body=5), "the host")  # type: ignore[arg-type]
    answer = await endpoint.answer(Request(method="GET", path="/a"))
    assert isinstance(answer, Response)
    assert (answer.body, endpoint.max_body) == (b"the host", 5)


def test_segments_are_caught_by_name() -> None:
    assert catch_params(["", "a", "{b}", "{c}"], ["", "a", "1", "2"]) == {"b": "1", "c": "2"}
    assert catch_params(["", "a"], ["", "a", "b"]) is None
