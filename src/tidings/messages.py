"""The message and its place in the log. Holds values only: how they are stored or sent is not known here."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from tidings.errors import Refusal
from tidings.ids import ChannelName, SessionId, UserId

CURSOR_PATTERN: Final = re.compile(r"([0-9a-f]{8}):(0|[1-9][0-9]{0,18})\Z")
"""`epoch:offset`. Nineteen digits, because an offset is a signed 64-bit integer in every engine."""

RESERVED_EVENTS: Final = ("pusher:", "pusher_internal:", "tidings:", "phx_")
"""Beginnings of event names that only the server may say, on any way in: clients act on them."""

MAX_OFFSET: Final = 2**63 - 1


class Position(msgspec.Struct, frozen=True, order=True, gc=False):
    """Where a message stands in its app's log. An offset without its epoch is half a fact.

    epoch: one unbroken life of the log, 8 hexadecimal digits.
    offset: rises strictly over the whole log of the app; 0 is "before the first message".
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, cursor: str) -> Position:
        """Read a cursor as it travels on the wire.

        Raises Refusal `bad_cursor` for anything that this software never wrote.
        """
        match = CURSOR_PATTERN.match(cursor)
        if match is None or int(match[2]) > MAX_OFFSET:
            raise Refusal("bad_cursor", field="cursor", detail="a cursor looks like 1f2e3d4c:42")
        return cls(match[1], int(match[2]))


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """The row or thing that a message is about."""

    type: str
    id: str | int
    version: int | None = None
    change: Literal["insert", "update", "delete", "enter", "leave", "truncate"] | None = None


class Origin(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who caused a message, so that the sender need not apply it twice.

    mutation: the id that the sender gave to its own write.
    session: the connection that does not get the message (Pusher's `socket_id`, Echo's `X-Socket-Id`).
    """

    mutation: str | None = None
    session: SessionId | None = None


Kind = Literal["event", "client", "joined", "left", "count"]
"""event: published by a server and kept in the log. client: sent by a client. joined, left: presence. count: how many
subscribers the channel has, as the JSON number in `data`.
All but `event` are ephemeral: they have no position and may be dropped under pressure."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something published to a channel.

    data: raw JSON bytes, encoded once by whoever published it and never parsed again on the way.
    time: server commit time, milliseconds since the Unix epoch, UTC.
    position, previous: given by the engine; `previous` is the offset of the message before this one on the
        same channel, None for the channel's first. An ephemeral message has neither.
    keys: query keys that a client should invalidate.
    user: who sent it (client events on presence channels), or who joined or left.
    """

    id: str
    channel: ChannelName
    event: str
    data: bytes
    time: int
    kind: Kind = "event"
    position: Position | None = None
    previous: int | None = None
    entity: Entity | None = None
    keys: tuple[tuple[Any, ...], ...] = ()
    origin: Origin | None = None
    trail: str | None = None
    user: UserId | None = None

    @property
    def ephemeral(self) -> bool:
        """True when the message is not in the log."""
        return self.kind != "event"
