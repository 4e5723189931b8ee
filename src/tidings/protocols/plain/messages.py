"""Commands as JSON objects, both ways. Pushes are in `protocols.neutral_*`: others write them too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from tidings.commands import (
    Authenticate,
    Command,
    Ping,
    Pong,
    Publish,
    SignIn,
    Subscribe,
    Track,
    Unsubscribe,
    Untrack,
)
from tidings.errors import LocalProtocolError, Refusal
from tidings.ids import ChannelName
from tidings.messages import RESERVED_EVENTS, Position
from tidings.protocols.json_values import refuse_shape
from tidings.protocols.queries import MAX_TOKEN, check_channel, check_channels
from tidings.row_filters import RowFilter

MAX_REF: Final = 128
"""Characters of a `ref`: it is sent back, so it must be small."""

CLIENT_PREFIX: Final = "client-"
"""Events of such a name are ephemeral, as with Pusher: not in the log, and only where members may send them."""

_EVENT: Final = re.compile(r"[^\x00-\x1f\x7f]{1,200}\Z")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,128}\Z")

WireRef: TypeAlias = Annotated[str, Meta(max_length=MAX_REF)] | int | None


class CommandObject(msgspec.Struct, frozen=True, tag_field="type", kw_only=True, omit_defaults=True):
    """One JSON object from a client. Unknown fields are passed over."""

    ref: WireRef = None


class _Channels(CommandObject, frozen=True, kw_only=True):
    channel: str | UnsetType = UNSET
    channels: tuple[str, ...] | UnsetType = UNSET

    def names(self) -> tuple[ChannelName, ...]:
        """The one or the many. Raises Refusal `bad_message`, `bad_channel`, `too_many_channels`."""
        if (self.channel is UNSET) == (self.channels is UNSET):
            raise Refusal("bad_message", field="channel", detail="give either channel or channels")
        if self.channels is UNSET:
            return check_channels([self.channel] if self.channel is not UNSET else [])
        if not self.channels:
            raise Refusal("bad_message", field="channels", detail="is empty")
        return check_channels(self.channels, field="channels")


class SubscribeObject(_Channels, tag="subscribe", frozen=True, kw_only=True):
    cursor: str | None = None
    filter: str | None = None
    auth: Any = UNSET


class UnsubscribeObject(_Channels, tag="unsubscribe", frozen=True, kw_only=True):
    pass


class PublishObject(CommandObject, tag="publish", frozen=True, kw_only=True):
    channel: str
    event: str
    data: Raw = Raw(b"null")
    key: str | None = None


class TrackObject(CommandObject, tag="track", frozen=True, kw_only=True):
    channel: str
    info: Raw = Raw(b"null")


class UntrackObject(CommandObject, tag="untrack", frozen=True, kw_only=True):
    channel: str


class TokenObject(CommandObject, tag="token", frozen=True, kw_only=True):
    token: Annotated[str, Meta(min_length=1, max_length=MAX_TOKEN)]


class PingObject(CommandObject, tag="ping", frozen=True, kw_only=True):
    pass


class PongObject(CommandObject, tag="pong", frozen=True, kw_only=True):
    pass


AnyCommand: TypeAlias = (
    SubscribeObject
    | UnsubscribeObject
    | PublishObject
    | TrackObject
    | UntrackObject
    | TokenObject
    | PingObject
    | PongObject
)

COMMANDS: Final = frozenset(
    {"subscribe", "unsubscribe", "publish", "track", "untrack", "token", "ping", "pong"}
)


class _Typed(msgspec.Struct):
    type: str


_types = msgspec.json.Decoder(_Typed)
_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)
_encoder = msgspec.json.Encoder()


def decode_command(data: bytes, *, max_data_bytes: int) -> Command:
    """Read one command from JSON that `check_json` has passed. `data` and `info` stay as they were written.

    Raises Refusal that names the field.
    """
    try:
        kind = _types.decode(data).type
        if kind not in COMMANDS:
            raise Refusal("unknown_command", field="type", detail=f"there is no {kind[:40]!r} to send")
        return _command_of(_decoder.decode(data), max_data_bytes)
    except msgspec.ValidationError as error:
        raise refuse_shape(error) from None


def _command_of(found: AnyCommand, max_data_bytes: int) -> Command:
    match found:
        case SubscribeObject():
            return _subscribe_of(found)
        case UnsubscribeObject():
            return Unsubscribe(channels=found.names(), ref=found.ref)
        case PublishObject():
            return _publish_of(found, max_data_bytes)
        case TrackObject():
            info = _bounded(found.info, "info", max_data_bytes)
            return Track(channel=check_channel(found.channel), info=info, ref=found.ref)
        case UntrackObject():
            return Untrack(channel=check_channel(found.channel), ref=found.ref)
        case TokenObject():
            return Authenticate(token=found.token, ref=found.ref)
        case PingObject():
            return Ping(ref=found.ref)
        case PongObject():
            return Pong()


def _subscribe_of(found: SubscribeObject) -> Subscribe:
    if found.auth is not UNSET:
        raise Refusal("bad_message", field="auth", detail="a token opens channels here: send it first")
    after = None if found.cursor is None else Position.parse(found.cursor)
    channels = found.names()
    return Subscribe(channels=channels, after=after, filter=_filter_of(found, channels), ref=found.ref)


def _filter_of(found: SubscribeObject, channels: Sequence[ChannelName]) -> RowFilter | None:
    if found.filter is None:
        return None
    if len(channels) > 1:
        raise Refusal(
            "bad_filter", field="filter", detail="goes with one channel; subscribe to each by itself"
        )
    return RowFilter.parse(found.filter)


def _publish_of(found: PublishObject, max_data_bytes: int) -> Publish:
    if _EVENT.match(found.event) is None:
        raise Refusal("bad_event", field="event", limit=200)
    if found.event.startswith(RESERVED_EVENTS):
        raise Refusal("bad_event", field="event", detail="the name is reserved for the server")
    if found.key is not None and _KEY.match(found.key) is None:
        raise Refusal("bad_key", field="key", limit=128)
    return Publish(
        channel=check_channel(found.channel),
        event=found.event,
        data=_bounded(found.data, "data", max_data_bytes),
        client=found.event.startswith(CLIENT_PREFIX),
        key=found.key,
        ref=found.ref,
    )


def _bounded(raw: Raw, field: str, limit: int) -> bytes:
    data = bytes(raw)
    if len(data) > limit:
        raise Refusal("message_too_large", field=field, limit=limit)
    return data


def encode_command(command: Command) -> bytes:
    """Write one command. Raises LocalProtocolError for what plain WebSocket has no word for."""
    match command:
        case Subscribe():
            if command.credential is not None:
                raise LocalProtocolError(
                    "plain WebSocket carries no credential: authenticate with a token first"
                )
            cursor = None if command.after is None else str(command.after)
            if command.filter is not None and len(command.channels) > 1:
                raise LocalProtocolError("plain WebSocket carries a filter for one channel at a time")
            wanted = None if command.filter is None else str(command.filter)
            return _encoder.encode(
                SubscribeObject(**_named(command.channels), cursor=cursor, filter=wanted, ref=command.ref)
            )
        case Unsubscribe():
            return _encoder.encode(UnsubscribeObject(**_named(command.channels), ref=command.ref))
        case Publish():
            return _encoder.encode(_publish_object(command))
        case Track():
            return _encoder.encode(
                TrackObject(channel=command.channel, info=Raw(command.info), ref=command.ref)
            )
        case Untrack():
            return _encoder.encode(UntrackObject(channel=command.channel, ref=command.ref))
        case SignIn():
            raise LocalProtocolError("plain WebSocket signs nobody in: authenticate with a token")
        case Authenticate():
            return _encoder.encode(TokenObject(token=command.token, ref=command.ref))
        case Ping():
            return _encoder.encode(PingObject(ref=command.ref))
        case Pong():
            return _encoder.encode(PongObject())


def _publish_object(command: Publish) -> PublishObject:
    if command.client != command.event.startswith(CLIENT_PREFIX):
        raise LocalProtocolError(f"client events, and no others, begin with {CLIENT_PREFIX}")
    return PublishObject(
        channel=command.channel,
        event=command.event,
        data=Raw(command.data),
        key=command.key,
        ref=command.ref,
    )


def _named(channels: Sequence[ChannelName]) -> dict[str, Any]:
    return {"channel": channels[0]} if len(channels) == 1 else {"channels": tuple(channels)}
