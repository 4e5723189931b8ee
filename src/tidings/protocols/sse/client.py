"""The client's side of an event stream: bytes → pushes, and the cursor to come back with. No connection.

It asks for the typed framing, the only one in which a message keeps its channel, id and `previous`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from tidings.errors import RemoteProtocolError
from tidings.ids import ChannelName
from tidings.messages import Position
from tidings.protocols.neutral_reading import decode_push
from tidings.protocols.sse.events import EventParser
from tidings.pushes import Push
from tidings.row_filters import RowFilter

HEARTBEAT = ":heartbeat"


class SseClient:
    """Follows channels over one stream at a time; `reconnected` begins the next."""

    def __init__(
        self,
        channels: Sequence[ChannelName],
        *,
        after: Position | None = None,
        filter: RowFilter | None = None,
        app: str | None = None,
    ) -> None:
        self._channels = tuple(channels)
        self._filter = filter
        self._app = app
        self._cursor = "" if after is None else str(after)
        self._parser = EventParser()

    @property
    def cursor(self) -> Position | None:
        """All up to here was received or told to be lost. Raises Refusal `bad_cursor` for a foreign server's id."""
        text = self._parser.last_event_id or self._cursor
        return Position.parse(text) if text else None

    @property
    def retry(self) -> float | None:
        """Seconds that the server asks to wait before coming back; None until it has."""
        return None if self._parser.retry is None else self._parser.retry / 1000

    def query(self) -> str:
        """The query string of `GET /events`."""
        pairs = [("channel", str(name)) for name in self._channels]
        if self._app is not None:
            pairs.append(("app", self._app))
        if self._filter is not None:
            pairs.append(("filter", str(self._filter)))
        return urlencode([*pairs, ("framing", "typed")])

    def headers(self) -> Mapping[str, str]:
        """The request's headers, with the cursor when there is one."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        cursor = self._parser.last_event_id or self._cursor
        return headers | {"Last-Event-ID": cursor} if cursor else headers

    def receive(self, data: bytes) -> list[Push]:
        """Take bytes of the body. Raises RemoteProtocolError for what no server of ours writes."""
        pushes = []
        for event in self._parser.feed(data):
            if event.data == HEARTBEAT:
                continue
            if event.event != "message":
                raise RemoteProtocolError(f"an event named {event.event!r} in a typed stream")
            push = decode_push(event.data)
            if push is not None:
                pushes.append(push)
        return pushes

    def reconnected(self) -> None:
        """A new body begins. What was unfinished in the old one is dropped; the cursor stays."""
        retry, self._cursor = self._parser.retry, self._parser.last_event_id or self._cursor
        self._parser = EventParser()
        self._parser.retry = retry
