"""Small parts for tests of the hub: messages, an encoder that shows them, an outlet that keeps what it is given."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from tidings.hub.hub import Hub
from tidings.hub.sendqueue import Outlet
from tidings.ids import ChannelName, SessionId
from tidings.messages import Kind, Message, Origin, Position
from tidings.row_filters import RowFilter

EPOCH = "0a1b2c3d"


def message(offset: int, channel: str = "a", *, sender: str | None = None, kind: Kind = "event") -> Message:
    """A message that shows its offset; without a position when it is ephemeral."""
    return Message(
        id=f"m{offset}",
        channel=ChannelName(channel),
        event="e",
        data=b"%d" % offset,
        time=0,
        kind=kind,
        position=Position(EPOCH, offset) if kind == "event" else None,
        origin=Origin(session=SessionId(sender)) if sender else None,
    )


class Showing:
    """Encoder and framer whose bytes can be read: `a5;` is the message 5 of channel a. Counts its work."""

    def __init__(self, key: str = "k") -> None:
        self.key = key
        self.encoded = 0
        self.framed = 0

    def encode(self, message: Message) -> bytes:
        self.encoded += 1
        return message.channel.encode() + message.data

    def frame(self, payload: bytes) -> bytes:
        self.framed += 1
        return payload + b";"


class Wire:
    """A transport that keeps what was written, and can pause its outlet after some writes."""

    def __init__(self, session: str, *, limit: int = 1000) -> None:
        self.written: list[bytes] = []
        self.full = 0
        self.on_write: Callable[[], None] | None = None
        self.outlet = Outlet(SessionId(session), self._write, self._overflow, limit=limit)

    @property
    def text(self) -> str:
        return b"".join(self.written).decode()

    def _write(self, data: bytes) -> None:
        self.written.append(data)
        if self.on_write is not None:
            self.on_write()

    def _overflow(self) -> None:
        self.full += 1


def row_message(offset: int, data: object, channel: str = "a", *, previous: int | None = None) -> Message:
    """A message that carries a row, or rows."""
    return msgspec.structs.replace(
        message(offset, channel), data=msgspec.json.encode(data), previous=previous
    )


def change(
    kind: str, *, new: object = None, old: object = None, table: str = "tasks", **more: object
) -> dict[str, object]:
    """A raw change as rules with `deliver = "change"` tell it."""
    told = {"schema": "main", "table": table, "type": kind, "new": new, "old": old, "unknown": []}
    return {**told, "commit_time": 1, "position": "0a1b2c3d:1", **more}


class Chain(Showing):
    """Shows offset and `previous`: `5<3;`."""

    def encode(self, message: Message) -> bytes:
        self.encoded += 1
        assert message.position is not None
        return b"%d<%s" % (message.position.offset, str(message.previous).encode())


def join(
    hub: Hub,
    wire: Wire,
    *channels: str,
    showing: Showing | None = None,
    excludes_sender: bool = False,
    filter: str | None = None,
    head: int = 0,
) -> None:
    """Subscribe at once, without history."""
    showing = showing or Showing()
    joined = hub.join(
        wire.outlet,
        tuple(map(ChannelName, channels)),
        showing,
        showing,
        excludes_sender=excludes_sender,
        filter=None if filter is None else RowFilter.parse(filter),
    )
    hub.complete(joined, (), after=head)
