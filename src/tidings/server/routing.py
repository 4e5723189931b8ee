"""Paths to endpoints. Holds values only: what an endpoint does stands beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from tidings.node.session import Session, Transport
from tidings.protocols.http import Host, Request, Response, Route

MAX_KNOWN: Final = 1000
"""Answers remembered by method and path: publishers ask for the same one over and over, strangers for anything."""


class Stream(NamedTuple):
    """An answer that has no end of its own: a head, then whatever a session says.

    open: makes the session over the carrier's transport; what it writes follows the head. Raises Disconnect or Refusal
    when there is no room after all; `busy` is then the whole body.
    """

    headers: Mapping[str, str]
    content_type: str
    open: Callable[[Transport], Session]
    busy: Callable[[], bytes]


Answer = Callable[[Request], Awaitable[Response | Stream]]


class Endpoint(NamedTuple):
    """Something that answers requests.

    max_body: bytes accepted before 413. abandons: whether to cancel it when the client has gone; only where nothing is
    changed by it.
    """

    method: str
    pattern: str
    answer: Answer
    max_body: int = 0
    abandons: bool = False


class Found(NamedTuple):
    """An endpoint and what its pattern caught."""

    endpoint: Endpoint
    params: Mapping[str, str]


class Router:
    """Endpoints by method and path. `{name}` in a pattern is one segment, never empty and never with a slash."""

    def __init__(self, endpoints: Iterable[Endpoint] = ()) -> None:
        self._exact: dict[str, dict[str, Endpoint]] = {}
        self._known: dict[tuple[str, str], Found | None] = {}
        self._by_length: dict[int, list[tuple[tuple[str, ...], dict[str, Endpoint]]]] = {}
        for endpoint in endpoints:
            self.add(endpoint)

    def add(self, endpoint: Endpoint) -> None:
        """Add an endpoint; the same method and pattern twice is a ValueError."""
        if "{" not in endpoint.pattern:
            methods = self._exact.setdefault(endpoint.pattern, {})
        else:
            segments = tuple(endpoint.pattern.split("/"))
            group = self._by_length.setdefault(len(segments), [])
            methods = next((have for pattern, have in group if pattern == segments), {})
            if not methods:
                group.append((segments, methods))
        if endpoint.method in methods:
            raise ValueError(f"{endpoint.method} {endpoint.pattern} is there twice")
        methods[endpoint.method] = endpoint
        self._known.clear()

    def match(self, method: str, path: str) -> Found | None:
        """The endpoint of a request; HEAD finds GET's. None when there is none."""
        asked = (method, path)
        if asked in self._known:
            return self._known[asked]
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        found = self._known[asked] = self._match(method, path)
        return found

    def _match(self, method: str, path: str) -> Found | None:
        if method == "HEAD":
            method = "GET"
        exact = self._exact.get(path)
        if exact is not None and method in exact:
            return Found(exact[method], {})
        segments = path.split("/")
        for pattern, methods in self._by_length.get(len(segments), ()):
            if method in methods:
                params = catch_params(pattern, segments)
                if params is not None:
                    return Found(methods[method], params)
        return None

    def methods(self, path: str) -> list[str]:
        """The methods that a path knows, for 405; empty when the path is unknown."""
        found = set(self._exact.get(path, {}))
        segments = path.split("/")
        for pattern, methods in self._by_length.get(len(segments), ()):
            if catch_params(pattern, segments) is not None:
                found.update(methods)
        return sorted(found | {"HEAD"} if "GET" in found else found)


def catch_params(pattern: Sequence[str], segments: Sequence[str]) -> dict[str, str] | None:
    """What a pattern's `{name}`s catch of a path's segments; None when it does not fit."""
    if len(pattern) != len(segments):
        return None
    params: dict[str, str] = {}
    for want, got in zip(pattern, segments, strict=True):
        if want.startswith("{"):
            if not got:
                return None
            params[want[1:-1]] = got
        elif want != got:
            return None
    return params


def endpoint_of(route: Route, host: Host) -> Endpoint:
    """Bind a route of a protocol to the node behind it."""
    handler = route.handler

    async def answer(request: Request) -> Response | Stream:
        return await handler(request, host)

    return Endpoint(route.method, route.pattern, answer, route.max_body)
