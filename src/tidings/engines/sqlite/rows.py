"""A message as a row of the log, and back; a source's progress. Pure: it knows the columns' order and runs no SQL."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tidings.changes import Checkpoint, Progress, Seals
from tidings.ids import ChannelName, UserId
from tidings.messages import Entity, Kind, Message, Origin, Position

COLUMNS: Final = "channel, offset, previous, number, size, at, name, event, time, extra, data"
READ_COLUMNS: Final = "offset, previous, name, event, time, extra, data"

READ_PROGRESS: Final = (
    "SELECT source, generation, value, part, seals FROM progress LEFT JOIN seals USING (app, source)"
)

Row = tuple[int, int, int | None, int, int, int, str, str, int, bytes | None, bytes]
ReadRow = tuple[int, int | None, str, str, int, bytes | None, bytes]
ProgressRow = tuple[str, str, int, int, bytes | None]


class Extra(msgspec.Struct, omit_defaults=True):
    """What few messages have, kept together in one column."""

    kind: Kind = "event"
    entity: Entity | None = None
    keys: tuple[tuple[Any, ...], ...] = ()
    origin: Origin | None = None
    trail: str | None = None
    user: UserId | None = None


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Extra).decode
_decode_seals = msgspec.json.Decoder(Seals).decode
_NOTHING = Extra()


def to_progress(row: ProgressRow) -> Progress:
    """The progress that a row holds."""
    source, generation, value, part, seals = row
    kept = None if seals is None else _decode_seals(seals)
    return Progress(source=source, generation=generation, checkpoint=Checkpoint(value, part), seals=kept)


def extra_of(message: Message) -> bytes | None:
    """The extra column of a message; None when all of it has its default."""
    if (
        message.trail is None
        and message.entity is None
        and not message.keys
        and message.origin is None
        and message.user is None
        and message.kind == "event"
    ):
        return None
    m = message
    return _encode(Extra(m.kind, m.entity, m.keys, m.origin, m.trail, m.user))


def to_message(row: ReadRow, channel: ChannelName, epoch: str) -> Message:
    """The message that a row holds."""
    offset, previous, name, event, time, extra, data = row
    more = _NOTHING if extra is None else _decode(extra)
    return Message(
        id=name,
        channel=channel,
        event=event,
        data=data,
        time=time,
        kind=more.kind,
        position=Position(epoch, offset),
        previous=previous,
        entity=more.entity,
        keys=more.keys,
        origin=more.origin,
        trail=more.trail,
        user=more.user,
    )
