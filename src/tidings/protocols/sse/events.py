"""The event stream format (HTML standard 9.2.5, 9.2.6), written and read. Knows no message."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

import msgspec

from tidings.errors import LocalProtocolError, RemoteProtocolError

MAX_EVENT_BYTES: Final = 4 << 20
"""Bytes of one event that a client holds: forty times the largest message, so an endless line cannot fill memory."""

PING: Final = b": ping\n\n"
"""A comment: keeps proxies from closing a quiet stream. Scripts do not see it."""

PADDING: Final = b":" + b" " * 2048 + b"\n\n"
"""A comment that fills the first buffer of proxies and of old browsers, so that the first event is not held back."""

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_BREAKS_NAME: Final = {ord("\r"): "\N{REPLACEMENT CHARACTER}", ord("\n"): "\N{REPLACEMENT CHARACTER}"}
_BOM: Final = b"\xef\xbb\xbf"


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One dispatched event, as `MessageEvent` has it. id: the last event id seen so far, on whatever event."""

    event: str = "message"
    data: str
    id: str = ""


def write_event(data: bytes, *, event: str = "", id: str = "") -> bytes:
    """One event. Every CR, LF or CRLF in `data` begins a new `data:` line and is read as LF.

    Without `event` it reaches `onmessage`; without `id` the client keeps the one it has. Line ends in `event` become
    U+FFFD, for they would begin a field of the sender's choice.
    Raises LocalProtocolError for an id with a line end or NUL: ids are cursors, which have none.
    """
    head = write_id(id) if id else b""
    if event:
        head += b"event: %b\n" % event.translate(_BREAKS_NAME).encode("utf-8", "replace")
    if b"\n" in data or b"\r" in data:
        data = b"\ndata: ".join(_LINE_END.split(data))
    return b"%bdata: %b\n\n" % (head, data)


def write_id(id: str) -> bytes:
    """An `id` field. Alone before an empty line it moves the client's last event id without an event."""
    if any(end in id for end in "\r\n\0"):
        raise LocalProtocolError("an event id holds no line end and no NUL")
    return b"id: %b\n" % id.encode()


def write_retry(milliseconds: int) -> bytes:
    """A `retry` field: how long the client waits before coming back."""
    return b"retry: %d\n" % milliseconds


class EventParser:
    """Bytes → events, in pieces of any size (HTML standard 9.2.6).

    last_event_id: what a client sends as `Last-Event-ID` when it comes back. retry: milliseconds, None until told.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        self._limit = max_event_bytes
        self._begun = False  # the first bytes have been looked at for a byte order mark
        self._rest = b""  # an unfinished line
        self._parts: list[bytes] = []  # of the unfinished line, joined when it ends: a long line stays linear
        self._after_cr = False
        self._size = 0  # bytes of the unfinished event
        self._event = b""
        self._data: list[bytes] = []
        self._id = ""

    def feed(self, chunk: bytes) -> list[StreamEvent]:
        """Take what came; return the events that are whole now.

        Raises RemoteProtocolError when an event passes the limit.
        """
        events = []
        for line in self._lines(chunk):
            event = self._take(line)
            if event is not None:
                events.append(event)
        return events

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        chunk = self._without_bom(chunk)
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return
        self._after_cr = chunk.endswith(b"\r")
        *whole, rest = _LINE_END.split(chunk)
        for line in whole:
            self._parts.append(line)
            self._grow(len(line))
            joined = b"".join(self._parts)
            self._parts = []
            yield joined
        self._parts.append(rest)
        self._grow(len(rest))

    def _without_bom(self, chunk: bytes) -> bytes:
        if self._begun:
            return chunk
        chunk = self._rest + chunk
        if len(chunk) < len(_BOM) and _BOM.startswith(chunk):
            self._rest = chunk
            return b""
        self._begun = True
        self._rest = b""
        return chunk.removeprefix(_BOM)

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limit:
            raise RemoteProtocolError(f"an event is above the limit of {self._limit} bytes")

    def _take(self, line: bytes) -> StreamEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
        elif name == b"event":
            self._event = value
        elif name == b"id":
            if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry = int(value[:10])
        elif not name:
            self._size -= len(line)  # a comment is nobody's data
        return None

    def _dispatch(self) -> StreamEvent | None:
        self.last_event_id = self._id
        data, event = self._data, self._event
        self._data, self._event, self._size = [], b"", 0
        if not data:
            return None
        return StreamEvent(
            event=event.decode("utf-8", "replace") or "message",
            data=b"\n".join(data).decode("utf-8", "replace"),
            id=self.last_event_id,
        )
