"""The JSON objects that plain WebSocket, typed Server-Sent Events and polling share, as types.

Holds no conversion: `neutral_writing` and `neutral_reading` are its two directions, one for server and one for client.
Commands are not here: only plain WebSocket has them. docs/protocols/plain.md holds the vocabulary.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tidings.ids import Ref
from tidings.messages import Entity, Kind, Origin, Position

NOWHERE: Final = Position("00000000", 0)
"""The cursor of no log. Whoever comes back with it is told `reset`, so it is safe to give to a client whose own cursor
was not understood."""


class WireObject(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """One JSON object on the wire. Fields that do not apply are left out."""


class MessageObject(WireObject, tag="message", frozen=True, kw_only=True):
    id: str
    channel: str
    event: str
    data: Raw
    position: str | UnsetType = UNSET
    previous: int | UnsetType | None = UNSET
    time: int
    entity: Entity | UnsetType = UNSET
    keys: tuple[tuple[Any, ...], ...] | UnsetType = UNSET
    origin: Origin | UnsetType = UNSET
    trail: str | UnsetType = UNSET
    user: str | UnsetType = UNSET
    kind: Kind | UnsetType = UNSET


class PresenceObject(WireObject, frozen=True, kw_only=True):
    id: str
    channel: str
    user: str | None
    info: Raw
    time: int


class JoinedObject(PresenceObject, tag="joined", frozen=True, kw_only=True):
    """A user came: the first of their sessions."""


class LeftObject(PresenceObject, tag="left", frozen=True, kw_only=True):
    """A user went: the last of their sessions."""


class SubscriptionCountObject(WireObject, tag="subscription_count", frozen=True, kw_only=True):
    """How many subscribers a channel has now."""

    id: str
    channel: str
    count: int
    time: int


class CacheMissObject(WireObject, tag="cache_miss", frozen=True, kw_only=True):
    """A latest-value channel has nothing to give to a newcomer."""

    channel: str


class SignedInObject(WireObject, tag="signed_in", frozen=True, kw_only=True):
    user: str
    data: Raw
    ref: Ref | UnsetType = UNSET


class WatchlistObject(WireObject, tag="watchlist", frozen=True, kw_only=True):
    """Users on the client's watchlist who came or went."""

    online: tuple[str, ...] = ()
    offline: tuple[str, ...] = ()


class MemberObject(msgspec.Struct, frozen=True):
    user: str
    info: Raw


class ConnectedObject(WireObject, tag="connected", frozen=True, kw_only=True):
    cursor: str
    session: str
    activity_timeout: int
    user: str | UnsetType = UNSET


class SubscribedObject(WireObject, tag="subscribed", frozen=True, kw_only=True):
    channel: str
    cursor: str
    members: tuple[MemberObject, ...] | UnsetType = UNSET
    ref: Ref | UnsetType = UNSET


class UnsubscribedObject(WireObject, tag="unsubscribed", frozen=True, kw_only=True):
    channel: str
    reason: str | UnsetType = UNSET
    code: int | UnsetType = UNSET
    message: str | UnsetType = UNSET
    retry: bool | UnsetType = UNSET
    ref: Ref | UnsetType = UNSET


class ResetObject(WireObject, tag="reset", frozen=True, kw_only=True):
    channels: tuple[str, ...]
    reason: str
    cursor: str


class ErrorObject(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal in words and numbers; also the body of every refused HTTP request."""

    code: int
    name: str
    message: str
    field: str | UnsetType = UNSET
    limit: int | UnsetType = UNSET
    retry: bool


class ReplyObject(WireObject, tag="reply", frozen=True, kw_only=True):
    ref: Ref | UnsetType = UNSET
    ok: bool
    command: str
    position: str | UnsetType = UNSET
    error: ErrorObject | UnsetType = UNSET
    channel: str | UnsetType = UNSET


class PongObject(WireObject, tag="pong", frozen=True, kw_only=True):
    ref: Ref | UnsetType = UNSET
    time: int


class HeartbeatObject(WireObject, tag="heartbeat", frozen=True, kw_only=True):
    time: int


class GoodbyeObject(WireObject, tag="goodbye", frozen=True, kw_only=True):
    """after: seconds to wait before coming back."""

    code: int
    name: str
    message: str
    retry: bool
    after: float | UnsetType = UNSET


AnyObject: TypeAlias = (
    MessageObject
    | JoinedObject
    | LeftObject
    | SubscriptionCountObject
    | CacheMissObject
    | SignedInObject
    | WatchlistObject
    | ConnectedObject
    | SubscribedObject
    | UnsubscribedObject
    | ResetObject
    | ReplyObject
    | PongObject
    | HeartbeatObject
    | GoodbyeObject
)

OBJECTS: Final = (
    MessageObject,
    JoinedObject,
    LeftObject,
    SubscriptionCountObject,
    CacheMissObject,
    SignedInObject,
    WatchlistObject,
    ConnectedObject,
    SubscribedObject,
    UnsubscribedObject,
    ResetObject,
    ReplyObject,
    PongObject,
    HeartbeatObject,
    GoodbyeObject,
)
TYPES: Final = frozenset(str(kind.__struct_config__.tag) for kind in OBJECTS)
"""Every `type` that a server of ours writes."""
