"""The Pusher HTTP API as routes over plain requests and responses. Holds no server and no state.

An answer to a publish means "stored": `{}` and nothing else (pusher.md 2.1). An error is one line of text with Pusher's
status and the catalogue's name in the header `tidings-error`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tidings.errors import Refusal
from tidings.ids import SESSION_ID_PATTERN, ChannelName, SessionId, new_message_id
from tidings.messages import Message, Origin
from tidings.protocols.http import AppView, ChannelView, Host, Request, Response, Route, json_response
from tidings.protocols.json_values import MAX_DEPTH, refuse_shape
from tidings.protocols.pusher.messages import check_bounds, data_from_raw
from tidings.protocols.pusher.names import is_presence, validate_channel, validate_event
from tidings.protocols.pusher.signatures import Signed, verify_request

MAX_CHANNELS: Final = 100
"""Channels in one publish: each is a message of its own in the log."""

MAX_BATCH: Final = 10
"""Events in one batch (pusher.md 2.3)."""

MAX_KEY: Final = 128
"""Characters of an `Idempotency-Key`: each is remembered for as long as the log."""

BODY_DEPTH: Final = MAX_DEPTH + 3
"""Levels of a body's JSON: data, within an event, within a batch, within the body."""

CHANNEL_INFO: Final = frozenset({"user_count", "subscription_count"})


class EventBody(msgspec.Struct, frozen=True):
    """Body of `POST /events`, and one event of a batch. `data` is raw JSON, in most cases a string."""

    name: str
    data: msgspec.Raw
    channels: tuple[str, ...] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class BatchBody(msgspec.Struct, frozen=True):
    """Body of `POST /batch_events`."""

    batch: tuple[EventBody, ...]


class Call(msgspec.Struct, frozen=True):
    """A request whose app and signature are known to be good."""

    request: Request
    host: Host
    app: AppView
    signed: Signed

    def channel(self) -> ChannelName:
        """The channel in the path. Raises Refusal `bad_channel`."""
        return validate_channel(self.request.params["channel"])


T = TypeVar("T")
Endpoint = Callable[[Call], Awaitable[Response]]


# ── the door


def admit(request: Request, host: Host) -> Call:
    """Find the app and check the signature before anything else of the request is looked at.

    Raises Refusal `unknown_app`, `app_disabled`, or as `verify_request` does, or `signature_replayed`.
    """
    app = host.app(request.params["app_id"])
    signed = verify_request(request, app.secrets, host.now())
    if request.method == "POST":
        _refuse_replay(app, signed, host, idempotency_key(request))
    return Call(request, host, app, signed)


def _refuse_replay(app: AppView, signed: Signed, host: Host, key: str | None) -> None:
    """A signature counts once; but with the idempotency key it first came with it is a retry, and makes no second
    message. The key must be that one: it is not signed, and a thief could add a fresh one."""
    if key is None:
        fresh = host.accept_signature(app.id, signed.signature, signed.expires)
    else:
        fresh = host.accept_signature(app.id, signed.signature, signed.expires, key=key)
    if not fresh:
        raise Refusal("signature_replayed", field="auth_signature")


def idempotency_key(request: Request) -> str | None:
    """The key of a publish, in a name space of its own. Raises Refusal `bad_key`."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Refusal("bad_key", field="Idempotency-Key", limit=MAX_KEY)
    return f"pusher:{key}"


def _endpoint(endpoint: Endpoint) -> Callable[[Request, Host], Awaitable[Response]]:
    async def handle(request: Request, host: Host) -> Response:
        try:
            return await endpoint(admit(request, host))
        except Refusal as refusal:
            return error_response(refusal)

    return handle


def error_response(refusal: Refusal) -> Response:
    """A refusal as Pusher's callers read it: the status, and the reason as text (pusher.md 2.2)."""
    headers = {"tidings-error": refusal.name}
    if refusal.reason.retry:
        headers["retry-after"] = "1"
    body = f"{refusal.text}\n".encode(errors="replace")
    return Response(
        status=refusal.reason.status, body=body, content_type="text/plain; charset=utf-8", headers=headers
    )


# ── publishing


async def publish_event(call: Call) -> Response:
    """`POST /apps/{app_id}/events`: one event to up to 100 channels."""
    event = read_body(call.request, EventBody)
    names = _channels(event, call.signed)
    wanted = _attributes(event.info)
    messages = _messages(call, event, names)
    positions = await call.host.publish(call.app.id, messages, key=idempotency_key(call.request))
    body = (
        {} if event.info is None else {"channels": {name: await _info(call, name, wanted) for name in names}}
    )
    return json_response(body, headers={"tidings-position": str(positions[-1])} if positions else None)


async def publish_batch(call: Call) -> Response:
    """`POST /apps/{app_id}/batch_events`: up to 10 events, each to one channel."""
    batch = read_body(call.request, BatchBody).batch
    if len(batch) > MAX_BATCH:
        raise Refusal(
            "bad_request", field="batch", detail="more events than a batch may hold", limit=MAX_BATCH
        )
    if not batch:
        raise Refusal("bad_message", field="batch", detail="it holds no event")
    wanted = [_attributes(event.info) for event in batch]
    names = [_one_channel(event) for event in batch]
    messages = [
        message
        for event, name in zip(batch, names, strict=True)
        for message in _messages(call, event, (name,))
    ]
    await call.host.publish(call.app.id, messages, key=idempotency_key(call.request))
    if all(event.info is None for event in batch):
        return json_response({})
    infos = [await _info(call, name, want) for name, want in zip(names, wanted, strict=True)]
    return json_response({"batch": infos})


def read_body(request: Request, kind: type[T]) -> T:
    """Read the JSON of a body. Raises Refusal `bad_json`, `too_deep` or `bad_message`."""
    check_bounds(request.body, max_depth=BODY_DEPTH)
    try:
        return msgspec.json.decode(request.body, type=kind)
    except msgspec.ValidationError as error:
        raise refuse_shape(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("bad_json", field="body", detail=str(error)) from error


def _channels(event: EventBody, signed: Signed) -> tuple[ChannelName, ...]:
    """All channels of an event, each once; in the query too, as `channels[]` (8.2, trap 23)."""
    names: Sequence[str] = event.channels or signed.parameters_of("channels[]")
    if event.channel is not None:
        names = (*names, event.channel)
    if len(names) > MAX_CHANNELS:
        raise Refusal("too_many_channels", field="channels", limit=MAX_CHANNELS)
    if not names:
        raise Refusal("bad_message", field="channels", detail="no channel is named")
    return tuple(dict.fromkeys(validate_channel(name) for name in names))


def _one_channel(event: EventBody) -> ChannelName:
    if event.channel is None:
        raise Refusal("bad_message", field="channel", detail="each event of a batch names its one channel")
    return validate_channel(event.channel)


def _messages(call: Call, event: EventBody, names: Iterable[ChannelName]) -> list[Message]:
    """One message for each channel, all with the same data."""
    name = validate_event(event.name)
    data = data_from_raw(bytes(event.data))
    limit = call.app.max_data_bytes
    if len(data) > limit:
        raise Refusal(
            "message_too_large", field="data", detail="an event has too many bytes of data", limit=limit
        )
    origin = _origin(event.socket_id)
    time = int(call.host.now() * 1000)
    return [
        Message(id=new_message_id(), channel=channel, event=name, data=data, time=time, origin=origin)
        for channel in names
    ]


def _origin(socket_id: str | None) -> Origin | None:
    """The connection that does not get the event. Laravel sends an empty one when there is none."""
    if not socket_id:
        return None
    if SESSION_ID_PATTERN.match(socket_id) is None:
        raise Refusal("bad_message", field="socket_id", detail="a socket id is digits, a dot, digits")
    return Origin(session=SessionId(socket_id))


# ── asking


async def list_channels(call: Call) -> Response:
    """`GET /apps/{app_id}/channels`: occupied channels; user counts only below the prefix `presence-`."""
    prefix = call.signed.parameter("filter_by_prefix")
    wanted = _attributes(call.signed.parameter("info"))
    if "user_count" in wanted and not is_presence(prefix):
        raise Refusal("bad_request", field="info", detail="user_count needs filter_by_prefix=presence-")
    views = await call.host.channels(call.app.id, prefix)
    return json_response({"channels": {view.name: _counts(view, wanted) for view in views}})


async def show_channel(call: Call) -> Response:
    """`GET /apps/{app_id}/channels/{channel}`."""
    name = call.channel()
    wanted = _attributes(call.signed.parameter("info"))
    if "user_count" in wanted and not is_presence(name):
        raise Refusal("not_presence", field="info", detail="user_count is for presence channels")
    view = await call.host.channel(call.app.id, name)
    occupied = view is not None and view.subscriptions > 0
    return json_response({"occupied": occupied, **_counts(view or _empty(name), wanted)})


async def list_users(call: Call) -> Response:
    """`GET /apps/{app_id}/channels/{channel}/users`: 400 where there are no members to know (8.2, trap 29)."""
    name = call.channel()
    if not is_presence(name):
        raise Refusal("not_presence", field="channel")
    members = await call.host.members(call.app.id, name)
    return json_response({"users": [{"id": member.user} for member in members]})


def _attributes(info: str | None) -> frozenset[str]:
    """The attributes asked for. Raises Refusal `bad_request` for one that is not known."""
    wanted = frozenset(name.strip() for name in (info or "").split(",")) - {""}
    unknown = sorted(wanted - CHANNEL_INFO)
    if unknown:
        detail = f"no attribute {unknown[0][:64]!r}; there are user_count and subscription_count"
        raise Refusal("bad_request", field="info", detail=detail)
    return wanted


async def _info(call: Call, name: ChannelName, wanted: frozenset[str]) -> dict[str, Any]:
    view = await call.host.channel(call.app.id, name) if wanted else None
    return _counts(view or _empty(name), wanted)


def _counts(view: ChannelView, wanted: frozenset[str]) -> dict[str, int]:
    counts = {}
    if "user_count" in wanted and is_presence(view.name):
        counts["user_count"] = view.users or 0
    if "subscription_count" in wanted:
        counts["subscription_count"] = view.subscriptions
    return counts


def _empty(name: ChannelName) -> ChannelView:
    return ChannelView(name=name, subscriptions=0)


ROUTES: Final = (
    Route("POST", "/apps/{app_id}/events", _endpoint(publish_event)),
    Route("POST", "/apps/{app_id}/batch_events", _endpoint(publish_batch)),
    Route("GET", "/apps/{app_id}/channels", _endpoint(list_channels)),
    Route("GET", "/apps/{app_id}/channels/{channel}", _endpoint(show_channel)),
    Route("GET", "/apps/{app_id}/channels/{channel}/users", _endpoint(list_users)),
)
"""All endpoints of the API that are served."""
