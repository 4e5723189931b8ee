"""One request that is answered before ASGI, in the shape that uvicorn's connection expects of its cycles."""

from __future__ import annotations

import asyncio

from tidings.protocols.http import Request
from tidings.server.guard import Head, Header
from tidings.server.routing import Found


class FastCycle:
    """A request on its way to one of our endpoints.

    uvicorn reads and sets `response_complete`, `disconnected`, `keep_alive`, and calls `message_event.set()` when
    something happened; the latter we hear ourselves, so it does nothing.
    """

    __slots__ = (
        "body",
        "disconnected",
        "found",
        "head",
        "headers",
        "keep_alive",
        "message_event",
        "method",
        "more_body",
        "response_complete",
        "size",
        "started",
        "task",
        "version",
    )

    def __init__(
        self,
        found: Found,
        head: Head,
        method: str,
        version: str,
        headers: dict[str, str],
        *,
        keep_alive: bool,
    ) -> None:
        self.found = found
        self.head = head
        self.method = method
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        self.body: list[bytes] = []
        self.size = 0  # bytes in `body`
        self.more_body = True
        self.started = False  # every request before it on this connection is answered
        self.response_complete = False
        self.disconnected = False
        self.task: asyncio.Task[None] | None = None
        self.message_event = _NOTHING

    @property
    def max_body(self) -> int:
        """Bytes of body that the endpoint takes."""
        return self.found.endpoint.max_body

    def request(self, peer: str, root_path: str) -> Request:
        """The request as a value. root_path: what a proxy cut off the path."""
        return Request(
            method=self.method,
            path=root_path + self.head.path,
            query=self.head.query,
            headers=self.headers,
            body=b"".join(self.body),
            params=self.found.params,
            peer=peer,
        )


class _Nothing:
    """An event that nobody waits for."""

    __slots__ = ()

    def set(self) -> None:
        """Nobody waits."""


_NOTHING = _Nothing()


def join_headers(headers: list[Header]) -> dict[str, str]:
    """Headers by name; repeated ones joined as their grammar allows (RFC 9110 5.2, RFC 9113 8.2.3 for cookies).

    Those that must not be repeated were refused by the guard.
    """
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        if name in joined:
            value = joined[name] + ("; " if name == "cookie" else ", ") + value
        joined[name] = value
    return joined
