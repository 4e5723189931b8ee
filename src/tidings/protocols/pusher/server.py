"""The server's side of one Pusher conversation. Holds no subscriptions and no rights: those are the node's.

    receive:  pusher:signin, :subscribe, :unsubscribe, :ping, :pong, client-…   → commands
    push:     everything the server may say                                     → frames

Whatever a client sends ends as a command or a `Refusal`; no other exception leaves `receive`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar

import msgspec

from tidings import commands, pushes
from tidings.commands import Command
from tidings.errors import Disconnect, Refusal
from tidings.ids import ChannelName
from tidings.presence import Member
from tidings.protocols.json_values import MAX_DEPTH
from tidings.protocols.pusher import codes
from tidings.protocols.pusher.messages import (
    ENCODER,
    ClientFrame,
    SignInData,
    SubscribeData,
    UnsubscribeData,
    data_from_raw,
    make_frame,
    read_frame,
    read_json,
    stringified,
)
from tidings.protocols.pusher.names import (
    CLIENT_PREFIX,
    MAX_CHANNEL_NAME,
    MAX_EVENT_NAME,
    default_options,
    is_encrypted,
    validate_channel,
    validate_event,
)
from tidings.protocols.pusher.signatures import MAX_AUTH, PusherSignature, PusherUserSignature
from tidings.pushes import Encoder

PROTOCOLS: Final = ("5", "6", "7")

MAX_CLIENT_EVENT: Final = 10 * 1024
"""Bytes of a client event's data (pusher.md 1.9): they are not paid for by the application's own server."""

MAX_CHANNEL_DATA: Final = 8 * 1024
"""Characters of `channel_data`, which is signed whole before it is looked into."""

SHOWN: Final = 64
"""Characters of a client's own words that an error repeats."""


T = TypeVar("T")


class SubscriptionRefusal(Refusal):
    """No to a subscription whose command was never made; carries the channel, so that the answer can name it."""

    def __init__(self, channel: str, refusal: Refusal) -> None:
        super().__init__(refusal.name, detail=refusal.detail, field=refusal.field, limit=refusal.limit)
        self.channel = channel


def check_protocol(parameters: Mapping[str, str]) -> None:
    """Look at the query of `GET /app/{key}` (pusher.md 1.1).

    Raises Disconnect `bad_protocol`: close code 4008 when no protocol is named, 4007 when it is not 5, 6 or 7, 4006
    when `version` is there and empty or absurdly long.
    """
    protocol = parameters.get("protocol")
    if not protocol:
        raise codes.BadProtocol(codes.NO_PROTOCOL, "no protocol is named")
    if protocol not in PROTOCOLS:
        raise codes.BadProtocol(codes.UNSUPPORTED_PROTOCOL, "protocols 5, 6 and 7 are spoken here")
    if not 0 < len(parameters.get("version", "-")) <= SHOWN:
        raise codes.BadProtocol(codes.BAD_VERSION, "the version is empty or too long")


class PusherServer:
    """One client's conversation, as `protocols.base.WireProtocol` asks.

    client_events: whether the app lets clients publish. max_depth: levels of JSON in `data`.
    max_channel_name, max_event_name: characters. max_client_event: bytes of a client event's data.
    """

    name: ClassVar[str] = "pusher"
    subscribed_first: ClassVar[bool] = True
    excludes_sender: ClassVar[bool] = True
    one_way: ClassVar[bool] = False
    encoder: Encoder = ENCODER

    def __init__(
        self,
        *,
        client_events: bool,
        max_depth: int = MAX_DEPTH,
        max_channel_name: int = MAX_CHANNEL_NAME,
        max_event_name: int = MAX_EVENT_NAME,
        max_client_event: int = MAX_CLIENT_EVENT,
    ) -> None:
        self._client_events = client_events
        self._max_depth = max_depth
        self._max_channel_name = max_channel_name
        self._max_event_name = max_event_name
        self._max_client_event = max_client_event

    # ── from the client

    def receive(self, data: str | bytes) -> Sequence[Command]:
        """Read one frame. Raises Refusal for everything that is not a command; the connection lives on."""
        if isinstance(data, bytes):
            raise Refusal("bad_message", detail="binary frames are not part of this protocol")
        frame = read_frame(data, max_depth=self._max_depth)
        if frame.event.startswith(CLIENT_PREFIX):
            return (self._client_event(frame),)
        reader = _READERS.get(frame.event)
        if reader is None:
            raise Refusal("unknown_command", field="event", detail=f"{frame.event[:SHOWN]!r} is not known")
        return (reader(self, frame),)

    def _subscribe(self, frame: ClientFrame) -> Command:
        data = self._data(frame, SubscribeData)
        try:
            channel = validate_channel(data.channel, max_length=self._max_channel_name)
            return commands.Subscribe(channels=(channel,), credential=_credential(data))
        except Refusal as refusal:
            raise SubscriptionRefusal(data.channel[: self._max_channel_name], refusal) from refusal

    def _unsubscribe(self, frame: ClientFrame) -> Command:
        data = self._data(frame, UnsubscribeData)
        return commands.Unsubscribe(
            channels=(validate_channel(data.channel, max_length=self._max_channel_name),)
        )

    def _client_event(self, frame: ClientFrame) -> Command:
        """Check what the protocol itself demands (pusher.md 1.9); membership and rate are the node's."""
        if not self._client_events:
            raise Refusal("client_events_off")
        channel = validate_channel(frame.channel or "", max_length=self._max_channel_name)
        if not default_options(channel).client_events:
            kind = "encrypted" if is_encrypted(channel) else "public"
            raise Refusal(
                "forbidden", field="channel", detail=f"no client events on a channel that is {kind}"
            )
        data = data_from_raw(bytes(frame.data), max_depth=self._max_depth)
        if len(data) > self._max_client_event:
            detail = "a client event has too many bytes of data"
            raise Refusal("message_too_large", field="data", detail=detail, limit=self._max_client_event)
        event = validate_event(frame.event, max_length=self._max_event_name)
        return commands.Publish(channel=channel, event=event, data=data, client=True)

    def _ping(self, frame: ClientFrame) -> Command:
        return commands.Ping()

    def _pong(self, frame: ClientFrame) -> Command:
        return commands.Pong()

    def _sign_in(self, frame: ClientFrame) -> Command:
        data = self._data(frame, SignInData)
        return commands.SignIn(credential=PusherUserSignature(data.auth, data.user_data))

    def _data(self, frame: ClientFrame, kind: type[T]) -> T:
        return read_json(bytes(frame.data), kind, max_depth=self._max_depth)

    # ── to the client

    def push(self, push: pushes.Push) -> Sequence[bytes]:
        """Say something; no frame at all for what this protocol has no word for."""
        return _WRITERS[type(push)](push)

    def close_code(self, disconnect: Disconnect) -> tuple[int, str]:
        """See `codes.CLOSE_CODES` for the choice and its reasons."""
        return codes.close_code(disconnect)


def _credential(data: SubscribeData) -> PusherSignature | None:
    """The proof, where one was sent: pusher-js sends an empty `auth` for public channels."""
    if not data.auth:
        return None
    if len(data.auth) > MAX_AUTH:
        raise Refusal("bad_signature", field="auth", detail="it has too many characters", limit=MAX_AUTH)
    if data.channel_data is not None and len(data.channel_data) > MAX_CHANNEL_DATA:
        detail = "it has too many characters"
        raise Refusal("member_too_large", field="channel_data", detail=detail, limit=MAX_CHANNEL_DATA)
    return PusherSignature(data.auth, data.channel_data)


_READERS: Final[dict[str, Callable[[PusherServer, ClientFrame], Command]]] = {
    "pusher:subscribe": PusherServer._subscribe,
    "pusher:unsubscribe": PusherServer._unsubscribe,
    "pusher:ping": PusherServer._ping,
    "pusher:pong": PusherServer._pong,
    "pusher:signin": PusherServer._sign_in,
}


# ── frames (pusher.md 1.3)


def _welcome(push: pushes.Welcome) -> tuple[bytes, ...]:
    data = {"socket_id": push.session, "activity_timeout": push.activity_timeout}
    return (make_frame("pusher:connection_established", stringified(data)),)


def _subscribed(push: pushes.Subscribed) -> tuple[bytes, ...]:
    data = {} if push.members is None else {"presence": _roster(push.members)}
    position = b',"position":' + msgspec.json.encode(str(push.head))
    return (
        make_frame("pusher_internal:subscription_succeeded", stringified(data), push.channel, extra=position),
    )


def _roster(members: Sequence[Member]) -> dict[str, Any]:
    users = {member.user: msgspec.Raw(member.info) for member in members}
    return {"ids": list(users), "hash": users, "count": len(users)}


def _unsubscribed(push: pushes.Unsubscribed) -> tuple[bytes, ...]:
    """Nothing when the client asked for it; else the error that is the protocol's only word for it."""
    if push.reason is None:
        return ()
    return (_subscription_error(push.channel, push.reason.text, push.reason.reason.status),)


def _delivered(push: pushes.Delivered) -> tuple[bytes, ...]:
    return (ENCODER.encode(push.message),)


def _reset(push: pushes.Reset) -> tuple[bytes, ...]:
    """An event of its own on each channel: unmodified clients hand it to whoever binds to it, or ignore it."""
    data = stringified({"reason": push.reason, "cursor": str(push.cursor)})
    return tuple(make_frame("tidings:reset", data, channel) for channel in push.channels)


def _signed_in(push: pushes.SignedIn) -> tuple[bytes, ...]:
    """`user_data` with an id that is text: pusher-js takes no other (pusher.md 8.1, trap 8)."""
    fields = msgspec.json.decode(push.data, type=dict[str, msgspec.Raw])
    fields["id"] = msgspec.Raw(msgspec.json.encode(push.user))
    user_data = msgspec.json.encode(fields).decode()
    return (make_frame("pusher:signin_success", stringified({"user_data": user_data})),)


def _cache_miss(push: pushes.CacheMiss) -> tuple[bytes, ...]:
    """Without `data`, as pusher.md 1.3 has it."""
    channel = msgspec.json.encode(push.channel)
    return (b'{"event":"pusher:cache_miss","channel":' + channel + b"}",)


def _watchlist(push: pushes.WatchlistChanged) -> tuple[bytes, ...]:
    told = (("online", push.online), ("offline", push.offline))
    events = [{"name": name, "user_ids": users} for name, users in told if users]
    return (make_frame("pusher_internal:watchlist_events", stringified({"events": events})),)


def _refused(push: pushes.Refused) -> tuple[bytes, ...]:
    refusal = push.refusal
    channel = push.channel
    if channel is None and isinstance(refusal, SubscriptionRefusal):
        channel = ChannelName(refusal.channel)
    if channel is not None and (push.command == "subscribe" or isinstance(refusal, SubscriptionRefusal)):
        return (_subscription_error(channel, refusal.text, refusal.reason.status),)
    error = {"message": refusal.text, "code": codes.error_code(refusal, push.command)}
    return (make_frame("pusher:error", msgspec.json.encode(error)),)


def _subscription_error(channel: str, text: str, status: int) -> bytes:
    """`AuthError` whatever the reason: it is the only type that clients know."""
    data = {"type": "AuthError", "error": text, "status": status}
    return make_frame("pusher:subscription_error", stringified(data), channel)


def _pong(push: pushes.Answer) -> tuple[bytes, ...]:
    return (make_frame("pusher:pong", b"{}"),)


def _ping(push: pushes.Heartbeat) -> tuple[bytes, ...]:
    return (make_frame("pusher:ping", b"{}"),)


def _silence(push: pushes.Accepted | pushes.Goodbye) -> tuple[bytes, ...]:
    """There are no acknowledgements, and from protocol 6 on a goodbye is the close code alone."""
    return ()


_WRITERS: Final[dict[type, Callable[[Any], tuple[bytes, ...]]]] = {
    pushes.Welcome: _welcome,
    pushes.Subscribed: _subscribed,
    pushes.Unsubscribed: _unsubscribed,
    pushes.Delivered: _delivered,
    pushes.Reset: _reset,
    pushes.SignedIn: _signed_in,
    pushes.CacheMiss: _cache_miss,
    pushes.WatchlistChanged: _watchlist,
    pushes.Accepted: _silence,
    pushes.Refused: _refused,
    pushes.Answer: _pong,
    pushes.Heartbeat: _ping,
    pushes.Goodbye: _silence,
}
