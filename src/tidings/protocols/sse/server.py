"""The server's side of an event stream: pushes → event chunks, and what a request for a stream asks. No transport.

Framings (contract C12): `named` writes a message's own data under its own event name; `typed` writes unnamed events
whose JSON is the neutral object with its `type`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import ClassVar, Final, Literal

import msgspec

from tidings.commands import Command
from tidings.errors import Disconnect, LocalProtocolError, Refusal
from tidings.ids import ChannelName
from tidings.messages import Message, Position
from tidings.protocols.http import Request, Response
from tidings.protocols.neutral_objects import NOWHERE
from tidings.protocols.neutral_writing import encode_message, encode_push, error_body
from tidings.protocols.queries import Parameters
from tidings.protocols.sse.events import PADDING, PING, write_event, write_retry
from tidings.pushes import (
    Accepted,
    Answer,
    CacheMiss,
    Delivered,
    Encoder,
    Goodbye,
    Heartbeat,
    Push,
    Refused,
    Reset,
    SignedIn,
    Subscribed,
    Unsubscribed,
    WatchlistChanged,
    Welcome,
)
from tidings.row_filters import RowFilter

Framing = Literal["named", "typed"]
HeartbeatStyle = Literal["comment", "data"]

RETRY_MS: Final = 500
"""Milliseconds before a client comes back, at rest: browsers' own 3 s are long for a screen."""

RETRY_LOADED_MS: Final = 30_000
"""Milliseconds at full load. An answer of 5xx would end an EventSource for good, so overload is told in this way."""

HEADERS: Final = {
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",  # nginx and its kin hold a stream back otherwise
}
"""Of every stream. `no-transform` keeps compressing proxies from collecting events."""

CONTENT_TYPE: Final = "text/event-stream"

OWN_NAMES: Final = frozenset(
    {
        "connected",
        "subscribed",
        "unsubscribed",
        "reset",
        "reply",
        "joined",
        "left",
        "subscription_count",
        "cache_miss",
        "goodbye",
        "open",
        "error",
    }
)
"""Event names that are ours or the browser's own. A published event of such a name is sent as `message:` and its name:
`error` would call a page's `onerror`, and a forged `reset` would empty its caches."""

ESCAPE: Final = "message:"

HEARTBEAT_DATA: Final = PING + b"data: :heartbeat\n\n"
"""A heartbeat that scripts can see (contract C13)."""


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a request for a stream asks.

    unknown: a last event id was sent that this software never wrote; `after` is `NOWHERE` then, so every engine
    answers with resets, which the stream tells with the reason `unknown_cursor`.
    """

    channels: tuple[ChannelName, ...]
    after: Position | None = None
    unknown: bool = False
    filter: RowFilter | None = None
    framing: Framing = "named"
    heartbeat: HeartbeatStyle = "comment"
    app: str | None = None

    def server(self, retry_ms: int = RETRY_MS) -> SseServer:
        """The conversation that was asked for."""
        return SseServer(framing=self.framing, heartbeat=self.heartbeat, retry_ms=retry_ms, after=self.after)


def parse_events(request: Request) -> EventsQuery:
    """Read `GET /events`.

    The `Last-Event-ID` header wins over the `last_event_id` parameter: a browser that reconnects by itself repeats the
    URL it began with, and only the header is new. An unknown id is no refusal, since a 4xx ends an EventSource.
    Raises Refusal with the parameter's name.
    """
    parameters = Parameters(request.pairs())
    after, unknown = _last_event_id(request.headers.get("last-event-id") or parameters.one("last_event_id"))
    framing = parameters.choice("framing", ("named", "typed"))
    heartbeat = parameters.choice("heartbeat", ("comment", "data"))
    return EventsQuery(
        channels=parameters.channels(),
        after=after,
        unknown=unknown,
        filter=parameters.filter(),
        framing="typed" if framing == "typed" else "named",
        heartbeat="data" if heartbeat == "data" else "comment",
        app=parameters.app(),
    )


def _last_event_id(text: str | None) -> tuple[Position | None, bool]:
    if not text:
        return None, False
    try:
        return Position.parse(text), False
    except Refusal:
        return NOWHERE, True


def retry_ms(jitter: float, load: float = 0.0) -> int:
    """Milliseconds for `retry:`. jitter: random, 0 to 1, doubles at most. load: 0 at rest to 1 at the limit."""
    load = min(max(load, 0.0), 1.0)
    return int((RETRY_MS + (RETRY_LOADED_MS - RETRY_MS) * load) * (1.0 + jitter))


def overload_body(retry: int) -> bytes:
    """The whole stream of a server that has no room: come back later."""
    return write_retry(retry) + b": busy\n\n"


def refused_response(refusal: Refusal, retry: int = RETRY_LOADED_MS) -> Response:
    """Answer no before a stream began.

    What may succeed later is answered 200 with a long `retry:`, for an EventSource never comes back after 4xx or 5xx.
    What never will is answered with its status, which stops the EventSource, and that is meant.
    """
    if refusal.reason.retry:
        return Response(body=overload_body(retry), content_type=CONTENT_TYPE, headers=HEADERS)
    return Response(
        status=refusal.reason.status, body=error_body(refusal), headers={"Cache-Control": "no-store"}
    )


class SseEncoder:
    """Message → one event chunk. Ephemeral messages carry no id: they are not in the log."""

    __slots__ = ("framing", "key")

    def __init__(self, framing: Framing) -> None:
        self.framing = framing
        self.key: Hashable = ("sse", framing)

    def encode(self, message: Message) -> bytes:
        position = "" if message.position is None else str(message.position)
        if self.framing == "typed":
            return write_event(encode_message(message), id=position)
        if message.kind == "joined" or message.kind == "left":
            return write_event(encode_message(message), event=message.kind)
        if message.kind == "count":
            return write_event(encode_message(message), event="subscription_count")
        return write_event(message.data, event=event_name(message.event), id=position)


def event_name(name: str) -> str:
    """A published event's name in the named framing; empty for `message`, which is the default."""
    if name == "message":
        return ""
    return ESCAPE + name if name in OWN_NAMES or name.startswith(ESCAPE) else name


_ENCODERS: Final[dict[Framing, SseEncoder]] = {"named": SseEncoder("named"), "typed": SseEncoder("typed")}


class SseServer:
    """One stream. `WireProtocol` by shape; nothing is ever received.

    The `id:` that a client comes back with never runs ahead of what it was given. Therefore `connected` carries the
    client's own cursor, a `reset` before the channels are live carries none, and `subscribed` carries the head.

    retry_ms: milliseconds, jitter included (`retry_ms()` makes it). after: the client's own cursor.
    """

    name: ClassVar[str] = "sse"
    subscribed_first: ClassVar[bool] = False
    excludes_sender: ClassVar[bool] = False
    one_way: ClassVar[bool] = True

    def __init__(
        self,
        *,
        framing: Framing = "named",
        heartbeat: HeartbeatStyle = "comment",
        retry_ms: int = RETRY_MS,
        after: Position | None = None,
    ) -> None:
        self.encoder: Encoder = _ENCODERS[framing]
        self.framing: Framing = framing
        self._heartbeat = PING if heartbeat == "comment" else HEARTBEAT_DATA
        self._retry_ms = retry_ms
        self._after = after
        self._live = False
        self._newest: Position | None = None  # of what was said to this session alone

    def receive(self, data: str | bytes) -> Sequence[Command]:
        """Raises LocalProtocolError: nothing comes in on an event stream."""
        raise LocalProtocolError("an event stream is one way")

    def close_code(self, disconnect: Disconnect) -> tuple[int, str]:
        """An event stream just ends; this is for logs."""
        return 1000, disconnect.name

    def push(self, push: Push) -> Sequence[bytes]:
        match push:
            case Delivered():
                self._newest = push.message.position or self._newest
                return [self.encoder.encode(push.message)]
            case Welcome():
                return [self._opening(push)]
            case Subscribed():
                self._live = True
                return [self._own(push, "subscribed", self._covered(push.head))]
            case Reset():
                return [self._reset(push)]
            case Unsubscribed():
                return [self._own(push, "unsubscribed")]
            case Refused():
                return [self._own(push, "reply")]
            case Heartbeat():
                return [self._heartbeat]
            case Goodbye():
                return [write_retry(self._wait(push.disconnect)) + self._own(push, "goodbye")]
            case CacheMiss():
                return [self._own(push, "cache_miss")]
            case Accepted() | Answer() | SignedIn() | WatchlistChanged():
                return []

    def _opening(self, welcome: Welcome) -> bytes:
        cursor = self._after or welcome.cursor
        told = msgspec.structs.replace(welcome, cursor=cursor)
        return PADDING + write_retry(self._retry_ms) + self._own(told, "connected", cursor)

    def _reset(self, reset: Reset) -> bytes:
        if self._live:
            return self._own(reset, "reset", reset.cursor)
        if self._after == NOWHERE:
            reset = msgspec.structs.replace(reset, reason="unknown_cursor")
        return self._own(reset, "reset")

    def _own(self, push: Push, name: str, cursor: Position | None = None) -> bytes:
        event = name if self.framing == "named" else ""
        return write_event(encode_push(push), event=event, id="" if cursor is None else str(cursor))

    def _covered(self, head: Position) -> Position:
        """The head, or what was replayed beyond it: the id must not go back."""
        newest = self._newest
        return newest if newest is not None and newest.epoch == head.epoch and newest > head else head

    def _wait(self, disconnect: Disconnect) -> int:
        if disconnect.after:
            return int(disconnect.after * 1000)
        return self._retry_ms if disconnect.reason.retry else RETRY_LOADED_MS
