"""The Pusher HTTP API as routes over plain requests and responses. Holds no server and no state.

An answer to a publish means "stored": `{}` and nothing else (pusher.md 2.1). An error is one line of text with Pusher's
status and the catalogue's name in the header `tidings-error`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from tidings.errors import Refusal
from tidings.ids import SESSION_ID_PATTERN, ChannelName, SessionId, UserId, new_message_id
from tidings.messages import Message, Origin
from tidings.protocols.http import ChannelView, Response, Route, json_response
from tidings.protocols.pusher.door import Call, endpoint, idempotency_key, read_body
from tidings.protocols.pusher.messages import data_from_raw, data_from_text, text_of
from tidings.protocols.pusher.names import (
    MAX_USER_ID,
    USER_PATTERN,
    is_cache,
    is_presence,
    validate_channel,
    validate_event,
)
from tidings.protocols.pusher.openapi import openapi_route
from tidings.protocols.pusher.signatures import Signed

COUNTS: Final = frozenset({"user_count", "subscription_count"})
CHANNEL_INFO: Final = COUNTS | {"cache"}


class EventBody(msgspec.Struct, frozen=True):
    """Body of `POST /events`, and one event of a batch. `data` is raw JSON, in most cases a string; empty: absent."""

    name: str | None = None
    data: msgspec.Raw = msgspec.Raw()
    channels: tuple[str, ...] | None = None
    channel: str | None = None
    socket_id: str | None = None
    info: str | None = None


class BatchBody(msgspec.Struct, frozen=True):
    """Body of `POST /batch_events`."""

    batch: tuple[EventBody, ...]


# ── publishing


async def publish_event(call: Call) -> Response:
    """`POST /apps/{app_id}/events`: one event to up to 100 channels.

    What the body leaves out may stand in the query, where it is signed too.
    """
    event = _event(call)
    names = _channels(call, event)
    wanted = _attributes(event.info)
    messages = _messages(call, event, names)
    positions = await call.host.publish(call.app.id, messages, key=idempotency_key(call.request))
    body = (
        {} if event.info is None else {"channels": {name: await _info(call, name, wanted) for name in names}}
    )
    kept = [position for position in positions if position is not None]
    return json_response(body, headers={"tidings-position": str(kept[-1])} if kept else None)


async def publish_batch(call: Call) -> Response:
    """`POST /apps/{app_id}/batch_events`: up to 10 events, each to one channel."""
    batch = read_body(call.request, BatchBody).batch
    limit = call.app.max_batch
    if len(batch) > limit:
        raise Refusal("bad_request", field="batch", detail="more events than a batch may hold", limit=limit)
    if not batch:
        raise Refusal("bad_message", field="batch", detail="it holds no event")
    wanted = [_attributes(event.info) for event in batch]
    names = [_one_channel(call, event) for event in batch]
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


async def publish_old(call: Call) -> Response:
    """`POST /apps/{app_id}/channels/{channel}/events?name=…&socket_id=…`: the body is the data, as it stands."""
    try:
        text = call.request.body.decode()
    except UnicodeDecodeError as error:
        raise Refusal("bad_json", field="body", detail="it is not UTF-8") from error
    event = EventBody(
        name=call.signed.parameter("name"), socket_id=call.signed.parameter("socket_id") or None
    )
    messages = _messages(call, event, (call.channel(),), data=data_from_text(text))
    await call.host.publish(call.app.id, messages, key=idempotency_key(call.request))
    return json_response({}, status=202)


def _event(call: Call) -> EventBody:
    """The event of a request: from the body, and what that leaves out from the query."""
    event = read_body(call.request, EventBody) if call.request.body else EventBody()
    given: dict[str, Any] = {
        name: value
        for name in ("name", "channel", "socket_id", "info")
        if getattr(event, name) is None and (value := _parameter(call.signed, name)) is not None
    }
    if not event.data and (data := _parameter(call.signed, "data")) is not None:
        given["data"] = msgspec.Raw(msgspec.json.encode(data))
    if event.channels is None and (names := call.signed.parameters_of("channels[]")):
        given["channels"] = names
    return msgspec.structs.replace(event, **given) if given else event


def _parameter(signed: Signed, name: str) -> str | None:
    return next(iter(signed.parameters_of(name)), None)


def _channels(call: Call, event: EventBody) -> tuple[ChannelName, ...]:
    """All channels of an event, each once."""
    names = event.channels or ()
    if event.channel is not None:
        names = (*names, event.channel)
    if len(names) > call.app.max_channels:
        raise Refusal("too_many_channels", field="channels", limit=call.app.max_channels)
    if not names:
        raise Refusal("bad_message", field="channels", detail="no channel is named")
    return tuple(dict.fromkeys(_name(call, name) for name in names))


def _name(call: Call, name: str) -> ChannelName:
    return validate_channel(name, max_length=call.app.max_channel_name)


def _one_channel(call: Call, event: EventBody) -> ChannelName:
    if event.channel is None:
        raise Refusal("bad_message", field="channel", detail="each event of a batch names its one channel")
    return _name(call, event.channel)


def _messages(
    call: Call, event: EventBody, names: Iterable[ChannelName], *, data: bytes | None = None
) -> list[Message]:
    """One message for each channel, all with the same data: that of the event, where none is given."""
    if event.name is None:
        raise Refusal("bad_message", field="name", detail="is missing")
    name = validate_event(event.name, max_length=call.app.max_event_name)
    if data is None:
        if not event.data:
            raise Refusal("bad_message", field="data", detail="is missing")
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
    wanted = _attributes(call.signed.parameter("info"), CHANNEL_INFO)
    if "user_count" in wanted and not is_presence(name):
        raise Refusal("not_presence", field="info", detail="user_count is for presence channels")
    if "cache" in wanted and not is_cache(name):
        raise Refusal("bad_request", field="info", detail="cache is for cache channels")
    view = await call.host.channel(call.app.id, name)
    occupied = view is not None and view.subscriptions > 0
    told: dict[str, Any] = {"occupied": occupied, **_counts(view or _empty(name), wanted)}
    if "cache" in wanted:
        told["cache"] = await _cache(call, name)
    return json_response(told)


async def _cache(call: Call, name: ChannelName) -> dict[str, Any] | None:
    """What a cache channel keeps: the data as it was published, and for how many seconds more."""
    cached = await call.host.cached(call.app.id, name)
    if cached is None:
        return None
    return {"data": msgspec.Raw(text_of(cached.data)), "ttl": int(cached.seconds)}


async def list_users(call: Call) -> Response:
    """`GET /apps/{app_id}/channels/{channel}/users`: 400 where there are no members to know (8.2, trap 29)."""
    name = call.channel()
    if not is_presence(name):
        raise Refusal("not_presence", field="channel")
    members = await call.host.members(call.app.id, name)
    return json_response({"users": [{"id": member.user} for member in members]})


async def terminate_connections(call: Call) -> Response:
    """`POST /apps/{app_id}/users/{user_id}/terminate_connections`: ends exactly those signed in as the user.

    The Python SDK leaves `/apps/{app_id}` out; its key says which app it means.
    """
    user = call.request.params["user_id"]
    if USER_PATTERN.match(user) is None:
        detail = "a user id has 1 to 128 characters on one line"
        raise Refusal("bad_request", field="user_id", detail=detail, limit=MAX_USER_ID)
    call.host.terminate(call.app.id, UserId(user))
    return json_response({})


def _attributes(info: str | None, known: frozenset[str] = COUNTS) -> frozenset[str]:
    """The attributes asked for. Raises Refusal `bad_request` for one that is not known there."""
    wanted = frozenset(name.strip() for name in (info or "").split(",")) - {""}
    unknown = sorted(wanted - known)
    if unknown:
        detail = f"no attribute {unknown[0][:64]!r} here; there are {', '.join(sorted(known))}"
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


_ENDPOINTS: Final = (
    Route("POST", "/apps/{app_id}/events", endpoint(publish_event)),
    Route("POST", "/apps/{app_id}/batch_events", endpoint(publish_batch)),
    Route("POST", "/apps/{app_id}/channels/{channel}/events", endpoint(publish_old)),
    Route("GET", "/apps/{app_id}/channels", endpoint(list_channels)),
    Route("GET", "/apps/{app_id}/channels/{channel}", endpoint(show_channel)),
    Route("GET", "/apps/{app_id}/channels/{channel}/users", endpoint(list_users)),
    Route("POST", "/apps/{app_id}/users/{user_id}/terminate_connections", endpoint(terminate_connections)),
    Route("POST", "/users/{user_id}/terminate_connections", endpoint(terminate_connections)),
)

ROUTES: Final = (*_ENDPOINTS, openapi_route(_ENDPOINTS))
"""All endpoints of the API, and the document that describes them."""
