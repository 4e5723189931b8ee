"""What the server may say to one client, in nobody's wire format; and `Encoder`, how a message for many is said.

Holds no protocol: each fits `Encoder` by shape.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

import msgspec

from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.ids import ChannelName, Ref, SessionId, UserId
from tidings.messages import Message, Position
from tidings.presence import Member


class Welcome(msgspec.Struct, frozen=True, kw_only=True):
    """The first thing said. `activity_timeout` in seconds: silence after which a client should ping."""

    session: SessionId
    cursor: Position
    activity_timeout: int
    user: UserId | None = None


class Subscribed(msgspec.Struct, frozen=True, kw_only=True):
    """A channel is live. `head` is the position up to which it is covered; `members` on presence channels only."""

    channel: ChannelName
    head: Position
    members: tuple[Member, ...] | None = None
    ref: Ref = None


class Unsubscribed(msgspec.Struct, frozen=True, kw_only=True):
    """A channel has ended: asked for (no reason), or told by the server."""

    channel: ChannelName
    reason: Unsubscription | None = None
    ref: Ref = None


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """A message for one session alone (replay, latest value)."""

    message: Message


class Reset(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be replayed: these channels must be read anew; following goes on from `cursor`."""

    channels: tuple[ChannelName, ...]
    reason: str
    cursor: Position


class SignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """The connection is signed in. data: the user's data as the application signed it, raw JSON bytes."""

    user: UserId
    data: bytes
    ref: Ref = None


class CacheMiss(msgspec.Struct, frozen=True, kw_only=True):
    """A latest-value channel has no message to give to this newcomer."""

    channel: ChannelName


class WatchlistChanged(msgspec.Struct, frozen=True, kw_only=True):
    """Users on the client's watchlist who came or went."""

    online: tuple[UserId, ...] = ()
    offline: tuple[UserId, ...] = ()


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Yes to a command. `position` for a publish that was stored."""

    command: str
    ref: Ref = None
    position: Position | None = None


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """No to a command; the connection lives on. `channel` when the command named one."""

    command: str
    refusal: Refusal
    channel: ChannelName | None = None
    ref: Ref = None


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Reply to a client's ping. `time` is the server's clock, milliseconds since the Unix epoch."""

    time: int
    ref: Ref = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """A sign of life, where the protocol has one that scripts can see."""

    time: int


class Goodbye(msgspec.Struct, frozen=True, kw_only=True):
    """The last thing said before the server closes."""

    disconnect: Disconnect


Push = (
    Welcome
    | Subscribed
    | Unsubscribed
    | Delivered
    | Reset
    | SignedIn
    | CacheMiss
    | WatchlistChanged
    | Accepted
    | Refused
    | Answer
    | Heartbeat
    | Goodbye
)


class Encoder(Protocol):
    """Message → payload bytes. Pure; equal keys must give equal bytes, so that one payload serves a whole group."""

    @property
    def key(self) -> Hashable: ...

    def encode(self, message: Message) -> bytes: ...
