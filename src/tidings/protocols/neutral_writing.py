"""Pushes and messages → JSON objects. Reads nothing; `neutral_reading` is its other half."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from tidings.errors import Disconnect, Refusal, Unsubscription
from tidings.ids import Ref
from tidings.messages import Message
from tidings.protocols.neutral_objects import (
    CacheMissObject,
    ConnectedObject,
    ErrorObject,
    GoodbyeObject,
    HeartbeatObject,
    JoinedObject,
    LeftObject,
    MemberObject,
    MessageObject,
    PongObject,
    ReplyObject,
    ResetObject,
    SignedInObject,
    SubscribedObject,
    SubscriptionCountObject,
    UnsubscribedObject,
    WatchlistObject,
    WireObject,
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

COMMAND_NAMES: Final = {"authenticate": "token"}
"""Commands whose name on the wire is not their own."""

_encoder = msgspec.json.Encoder()


def encode_message(message: Message) -> bytes:
    """Write one message. `data` goes in as the raw bytes that it is."""
    if message.kind == "joined" or message.kind == "left":
        presence = JoinedObject if message.kind == "joined" else LeftObject
        return _encoder.encode(
            presence(
                id=message.id,
                channel=message.channel,
                user=message.user,
                info=Raw(message.data),
                time=message.time,
            )
        )
    if message.kind == "count":
        count = msgspec.json.decode(message.data, type=int)
        return _encoder.encode(
            SubscriptionCountObject(id=message.id, channel=message.channel, count=count, time=message.time)
        )
    position = message.position
    return _encoder.encode(
        MessageObject(
            id=message.id,
            channel=message.channel,
            event=message.event,
            data=Raw(message.data),
            position=UNSET if position is None else str(position),
            previous=UNSET if position is None else message.previous,
            time=message.time,
            entity=message.entity or UNSET,
            keys=message.keys or UNSET,
            origin=message.origin or UNSET,
            trail=message.trail or UNSET,
            user=message.user or UNSET,
            kind=UNSET if message.kind == "event" else message.kind,
        )
    )


class MessageEncoder:
    """`hub.fanout.Encoder` of the bare object. Payloads are the same for everybody."""

    key: Hashable = ("json",)

    def encode(self, message: Message) -> bytes:
        return encode_message(message)


def encode_push(push: Push) -> bytes:
    """Write one push."""
    if isinstance(push, Delivered):
        return encode_message(push.message)
    return _encoder.encode(_object_of(push))


def error_object(refusal: Refusal | Disconnect | Unsubscription) -> ErrorObject:
    """A no as it stands in replies and in the bodies of refused requests."""
    reason = refusal.reason
    return ErrorObject(
        code=reason.code,
        name=reason.name,
        message=refusal.text,
        field=refusal.field or UNSET,
        limit=UNSET if refusal.limit is None else refusal.limit,
        retry=reason.retry,
    )


def error_body(refusal: Refusal | Disconnect | Unsubscription) -> bytes:
    """The JSON body `{"error": {…}}` of a refused HTTP request."""
    return _encoder.encode({"error": error_object(refusal)})


def _object_of(push: Push) -> WireObject:
    match push:
        case Welcome():
            return ConnectedObject(
                cursor=str(push.cursor),
                session=push.session,
                activity_timeout=push.activity_timeout,
                user=push.user or UNSET,
            )
        case Subscribed():
            return _subscribed_object(push)
        case Unsubscribed():
            return _unsubscribed_object(push)
        case Reset():
            return ResetObject(channels=push.channels, reason=push.reason, cursor=str(push.cursor))
        case SignedIn() | WatchlistChanged() | CacheMiss():
            return _rare_object(push)
        case Accepted():
            position = UNSET if push.position is None else str(push.position)
            return ReplyObject(ref=_ref(push.ref), ok=True, command=_name(push.command), position=position)
        case Refused():
            return ReplyObject(
                ref=_ref(push.ref),
                ok=False,
                command=_name(push.command),
                error=error_object(push.refusal),
                channel=push.channel or UNSET,
            )
        case Answer():
            return PongObject(ref=_ref(push.ref), time=push.time)
        case Heartbeat():
            return HeartbeatObject(time=push.time)
        case Goodbye():
            return _goodbye_object(push.disconnect)
        case Delivered():
            raise AssertionError("messages are written by encode_message")


def _rare_object(push: SignedIn | WatchlistChanged | CacheMiss) -> WireObject:
    match push:
        case SignedIn():
            return SignedInObject(user=push.user, data=Raw(push.data), ref=_ref(push.ref))
        case WatchlistChanged():
            return WatchlistObject(online=push.online, offline=push.offline)
        case CacheMiss():
            return CacheMissObject(channel=push.channel)


def _subscribed_object(push: Subscribed) -> SubscribedObject:
    members: tuple[MemberObject, ...] | UnsetType = UNSET
    if push.members is not None:
        members = tuple(MemberObject(member.user, Raw(member.info)) for member in push.members)
    return SubscribedObject(channel=push.channel, cursor=str(push.head), members=members, ref=_ref(push.ref))


def _unsubscribed_object(push: Unsubscribed) -> UnsubscribedObject:
    if push.reason is None:
        return UnsubscribedObject(channel=push.channel, ref=_ref(push.ref))
    reason = push.reason.reason
    return UnsubscribedObject(
        channel=push.channel,
        reason=reason.name,
        code=reason.code,
        message=push.reason.text,
        retry=reason.retry,
        ref=_ref(push.ref),
    )


def _goodbye_object(disconnect: Disconnect) -> GoodbyeObject:
    reason = disconnect.reason
    return GoodbyeObject(
        code=reason.code,
        name=reason.name,
        message=disconnect.text,
        retry=reason.retry,
        after=disconnect.after or UNSET,
    )


def _name(command: str) -> str:
    return COMMAND_NAMES.get(command, command)


def _ref(ref: Ref) -> Ref | UnsetType:
    return UNSET if ref is None else ref
