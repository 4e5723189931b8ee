"""JSON objects → pushes and messages, as a client reads them. Writes nothing; `neutral_writing` is its other half."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from tidings.errors import CATALOGUE, Disconnect, Refusal, RemoteProtocolError, Unsubscription
from tidings.ids import ChannelName, Ref, SessionId, UserId
from tidings.messages import Message, Position
from tidings.presence import Member
from tidings.protocols.neutral_objects import (
    TYPES,
    AnyObject,
    CacheMissObject,
    ConnectedObject,
    ErrorObject,
    GoodbyeObject,
    HeartbeatObject,
    JoinedObject,
    LeftObject,
    MessageObject,
    PongObject,
    PresenceObject,
    ReplyObject,
    ResetObject,
    SignedInObject,
    SubscribedObject,
    SubscriptionCountObject,
    UnsubscribedObject,
    WatchlistObject,
)
from tidings.pushes import (
    Accepted,
    Answer,
    CacheMiss,
    Delivered,
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


class _Typed(msgspec.Struct):
    type: str


_type_decoder = msgspec.json.Decoder(_Typed)
_decoder: msgspec.json.Decoder[AnyObject] = msgspec.json.Decoder(AnyObject)


def decode_push(data: bytes | str) -> Push | None:
    """Read one object from a server. None for a type that this software does not know: a newer server's.

    Raises RemoteProtocolError for what no server of ours writes.
    """
    try:
        if _type_decoder.decode(data).type not in TYPES:
            return None
        return _push_of(_decoder.decode(data))
    except (msgspec.DecodeError, UnicodeError, RecursionError, Refusal) as error:
        raise RemoteProtocolError(f"the server sent what cannot be read: {error}") from error


def message_of(found: MessageObject) -> Message:
    """The message in an object. Raises Refusal `bad_cursor` for a position that is none."""
    return Message(
        id=found.id,
        channel=ChannelName(found.channel),
        event=found.event,
        data=bytes(found.data),
        time=found.time,
        kind=found.kind or "event",
        position=Position.parse(found.position) if found.position else None,
        previous=None if found.previous is UNSET else found.previous,
        entity=found.entity or None,
        keys=found.keys or (),
        origin=found.origin or None,
        trail=found.trail or None,
        user=UserId(found.user) if found.user else None,
    )


def _push_of(found: AnyObject) -> Push:
    match found:
        case MessageObject():
            return Delivered(message=message_of(found))
        case JoinedObject() | LeftObject():
            return _presence_of(found, "joined" if isinstance(found, JoinedObject) else "left")
        case SubscriptionCountObject() | CacheMissObject() | SignedInObject() | WatchlistObject():
            return _rare_of(found)
        case ConnectedObject():
            return Welcome(
                session=SessionId(found.session),
                cursor=Position.parse(found.cursor),
                activity_timeout=found.activity_timeout,
                user=UserId(found.user) if found.user else None,
            )
        case SubscribedObject():
            return _subscribed_of(found)
        case UnsubscribedObject():
            reason = Unsubscription(_known(found.reason, "interrupted")) if found.reason else None
            return Unsubscribed(channel=ChannelName(found.channel), reason=reason, ref=_given(found.ref))
        case ResetObject():
            channels = tuple(ChannelName(name) for name in found.channels)
            return Reset(channels=channels, reason=found.reason, cursor=Position.parse(found.cursor))
        case ReplyObject():
            return _reply_of(found)
        case PongObject():
            return Answer(time=found.time, ref=_given(found.ref))
        case HeartbeatObject():
            return Heartbeat(time=found.time)
        case GoodbyeObject():
            return Goodbye(disconnect=_disconnect_of(found))


def _rare_of(found: SubscriptionCountObject | CacheMissObject | SignedInObject | WatchlistObject) -> Push:
    match found:
        case SubscriptionCountObject():
            return _count_of(found)
        case CacheMissObject():
            return CacheMiss(channel=ChannelName(found.channel))
        case SignedInObject():
            return SignedIn(user=UserId(found.user), data=bytes(found.data), ref=_given(found.ref))
        case WatchlistObject():
            online = tuple(UserId(user) for user in found.online)
            return WatchlistChanged(online=online, offline=tuple(UserId(user) for user in found.offline))


def _presence_of(found: PresenceObject, kind: Literal["joined", "left"]) -> Delivered:
    return Delivered(
        message=Message(
            id=found.id,
            channel=ChannelName(found.channel),
            event=kind,
            data=bytes(found.info),
            time=found.time,
            kind=kind,
            user=UserId(found.user) if found.user is not None else None,
        )
    )


def _count_of(found: SubscriptionCountObject) -> Delivered:
    return Delivered(
        message=Message(
            id=found.id,
            channel=ChannelName(found.channel),
            event="subscription_count",
            data=b"%d" % found.count,
            time=found.time,
            kind="count",
        )
    )


def _subscribed_of(found: SubscribedObject) -> Subscribed:
    members = None
    if found.members is not UNSET:
        members = tuple(Member(UserId(member.user), bytes(member.info)) for member in found.members)
    return Subscribed(
        channel=ChannelName(found.channel),
        head=Position.parse(found.cursor),
        members=members,
        ref=_given(found.ref),
    )


def _reply_of(found: ReplyObject) -> Push:
    if found.ok:
        position = Position.parse(found.position) if found.position else None
        return Accepted(command=found.command, ref=_given(found.ref), position=position)
    if found.error is UNSET:
        raise RemoteProtocolError("a reply says no without an error")
    return Refused(
        command=found.command,
        refusal=refusal_of(found.error),
        channel=ChannelName(found.channel) if found.channel else None,
        ref=_given(found.ref),
    )


def refusal_of(found: ErrorObject) -> Refusal:
    """The refusal in an error object; its `text` is again the message that the server wrote."""
    name = _known(found.name, "bad_request")
    field = found.field or None
    limit = None if found.limit is UNSET else found.limit
    return Refusal(name, detail=_detail(found.message, name, field, limit), field=field, limit=limit)


def _disconnect_of(found: GoodbyeObject) -> Disconnect:
    name = _known(found.name, "draining" if found.retry else "ended")
    return Disconnect(name, detail=_detail(found.message, name), after=found.after or 0.0)


def _detail(text: str, name: str, field: str | None = None, limit: int | None = None) -> str:
    """Take off what an error's `text` adds by itself."""
    text = text.removesuffix(f"; {CATALOGUE[name].fix}")
    if limit is not None:
        text = text.removesuffix(f" (limit {limit})")
    return text.removeprefix(f"{field}: ") if field else text


def _known(name: str, otherwise: str) -> str:
    """A name of our catalogue; a newer server may have others."""
    return name if name in CATALOGUE else otherwise


def _given(ref: Ref | UnsetType) -> Ref:
    return None if ref is UNSET else ref
