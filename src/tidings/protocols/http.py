"""HTTP as values: request, response, route, and the port through which an endpoint reaches the node.

Holds no server. `server/http.py` mounts the routes, once over ASGI and once on the fast path.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol
from urllib.parse import parse_qsl

import msgspec

from tidings.errors import Refusal
from tidings.ids import AppId, ChannelName, UserId
from tidings.messages import Message, Position
from tidings.presence import Member

MAX_PARAMETERS: Final = 200
"""Parameters of one query: twice the channels a request may name. Each costs a decode before anything is checked."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request, whole.

    path: as the client sees it, percent-decoded once, with any prefix that a proxy added.
    query: raw query string without `?`. headers: names in lower case; a repeated header is joined by the server's
    rules or refused before it comes here. params: what the route's pattern caught.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = {}
    body: bytes = b""
    params: Mapping[str, str] = {}
    peer: str = ""

    def pairs(self) -> list[tuple[str, str]]:
        """The query's parameters in order, decoded. Raises Refusal `bad_request` when there are more than
        `MAX_PARAMETERS`."""
        query = self.query
        if query.count("&") >= MAX_PARAMETERS:
            raise Refusal("bad_request", field="query", detail="too many parameters", limit=MAX_PARAMETERS)
        if "%" in query or "+" in query:
            return parse_qsl(query, keep_blank_values=True)
        # Nothing to decode: a signed publish comes this way, and the parser would cost it a tenth of its time.
        return [
            (name, value) for name, _, value in [part.partition("=") for part in query.split("&") if part]
        ]


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP answer, whole."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = {}


def json_response(value: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return Response(status=status, body=msgspec.json.encode(value), headers=headers or {})


class AppView(Protocol):
    """What an endpoint may know of an app."""

    @property
    def id(self) -> AppId: ...

    @property
    def secrets(self) -> Mapping[str, str]:
        """Key to secret, newest first."""
        ...

    @property
    def enabled(self) -> bool: ...

    @property
    def max_data_bytes(self) -> int: ...

    @property
    def max_channel_name(self) -> int:
        """Characters; of an event's name too, below."""
        ...

    @property
    def max_event_name(self) -> int: ...

    @property
    def max_channels(self) -> int:
        """Channels in one publish."""
        ...

    @property
    def max_batch(self) -> int:
        """Events in one batch."""
        ...


class ChannelView(msgspec.Struct, frozen=True, kw_only=True):
    """One occupied channel: connections subscribed, and users present on a presence channel."""

    name: ChannelName
    subscriptions: int
    users: int | None = None


class Cached(msgspec.Struct, frozen=True, kw_only=True):
    """What a latest-value channel keeps: raw JSON bytes, and for how many seconds more they are given."""

    data: bytes
    seconds: float


class Host(Protocol):
    """The node as an endpoint sees it."""

    def app(self, app_id: str) -> AppView:
        """Raises Refusal `unknown_app` or `app_disabled`."""
        ...

    def app_of(self, key: str) -> AppView:
        """The app that a key belongs to. Raises Refusal `unknown_app` or `app_disabled`."""
        ...

    def now(self) -> float:
        """Wall clock, seconds since the Unix epoch."""
        ...

    def accept_signature(self, app: AppId, signature: str, expires: float, *, key: str | None = None) -> bool:
        """Note a request's signature until `expires` (seconds since the epoch); False when it was seen before.

        key: the idempotency key that came with it, noted too. The same signature with the same key is a retry and
        True; with another key, or with none at either time, it is False, because the key itself is not signed.
        """
        ...

    async def publish(
        self, app: AppId, messages: Sequence[Message], *, key: str | None = None
    ) -> Sequence[Position | None]:
        """Append to the log; None for a message of an ephemeral channel, which has no place in it.

        Raises Refusal (names, sizes, `key_reused`, `unavailable`, `storage_full`)."""
        ...

    async def channels(self, app: AppId, prefix: str) -> Sequence[ChannelView]: ...

    async def channel(self, app: AppId, name: ChannelName) -> ChannelView | None: ...

    async def members(self, app: AppId, name: ChannelName) -> Sequence[Member]: ...

    async def cached(self, app: AppId, name: ChannelName) -> Cached | None:
        """The last message of a latest-value channel; None for any other, or when it is too old."""
        ...

    def terminate(self, app: AppId, user: UserId) -> None:
        """Have the connections that are signed in as a user ended, on every node."""
        ...


Handler = Callable[[Request, Host], Awaitable[Response]]


class Route(msgspec.Struct, frozen=True):
    """An endpoint as a value. `pattern` holds `{name}` for one path segment."""

    method: str
    pattern: str
    handler: Handler
    max_body: int = 1 << 20
    """Bytes of body accepted before the request is refused with 413."""
