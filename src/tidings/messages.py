"""The message, its parts and its place in the log. Holds values only: how they are stored or sent is not known here."""

from __future__ import annotations

import re
from typing import Any, Final, Literal

import msgspec

from tidings.errors import Refusal
from tidings.ids import CHANNEL_CHARACTERS, MAX_CHANNEL_NAME, ChannelName, SessionId, UserId

CURSOR_PATTERN: Final = re.compile(r"([0-9a-f]{8}):(0|[1-9][0-9]{0,18})\Z")
"""`epoch:offset`. Nineteen digits, because an offset is a signed 64-bit integer in every engine."""

RESERVED_EVENTS: Final = ("pusher:", "pusher_internal:", "tidings:", "phx_")
"""Beginnings of event names that only the server may say, on any way in: clients act on them."""

FOREIGN_EVENTS: Final = (*RESERVED_EVENTS, "client-")
"""Beginnings of event names that a rule or a service may not say: they are the server's own, or a client's."""

MAX_EVENT_NAME: Final = 200
"""Characters; the contract's limit."""

MAX_OFFSET: Final = 2**63 - 1

_CHANNEL: Final = re.compile(CHANNEL_CHARACTERS + r"*\Z")


def check_channel(channel: str) -> str | None:
    """Why a channel's name is not allowed; None when it is. The value itself is not repeated: it may be data."""
    if not channel:
        return "the channel name is empty"
    if len(channel) > MAX_CHANNEL_NAME:
        return f"the channel name is longer than {MAX_CHANNEL_NAME} characters"
    if not _CHANNEL.match(channel):
        return "the channel name has characters that are not allowed (letters, digits and _ - = @ , . ; are)"
    return None


def check_event(event: str) -> str | None:
    """Why an event name is not allowed; None when it is."""
    if not 0 < len(event) <= MAX_EVENT_NAME or not event.isprintable():
        return f"an event name has 1 to {MAX_EVENT_NAME} printable characters"
    if event.startswith(FOREIGN_EVENTS):
        return f"an event name may not begin with {', '.join(FOREIGN_EVENTS)}"
    return None


def encode_data(data: Any) -> bytes:
    """A message's data as JSON: anything that JSON can hold, or a model with `model_dump_json`, also deep inside.

    Raises TypeError for what JSON cannot hold, ValueError for a lone surrogate, RecursionError for endless nesting.
    """
    return msgspec.json.encode(data, enc_hook=_by_shape)


def _by_shape(value: Any) -> Any:
    """Users' own models: no dependency on whoever wrote them."""
    if hasattr(value, "model_dump_json"):
        return msgspec.Raw(value.model_dump_json())
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


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
