"""The Pusher HTTP API against a host in memory: publishing, asking, and every way of being refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from tidings.errors import Refusal
from tidings.ids import AppId, ChannelName, UserId
from tidings.messages import Message, Position
from tidings.presence import Member
from tidings.protocols.http import Cached, ChannelView, Host, Request, Response
from tidings.protocols.pusher.api import ROUTES
from tidings.protocols.pusher.messages import text_of
from tidings.protocols.pusher.signatures import body_md5, request_text, sign

NOW = 1_700_000_000
MAX_CHANNELS, MAX_BATCH = 5, 3


class App(msgspec.Struct, frozen=True):
    id: AppId = AppId("1001")
    secrets: Mapping[str, str] = msgspec.field(default_factory=lambda: {"key": "secret"})
    enabled: bool = True
    max_data_bytes: int = 1000
    max_channel_name: int = 200
    max_event_name: int = 200
    max_channels: int = MAX_CHANNELS
    max_batch: int = MAX_BATCH


class MemoryHost:
    """A host that keeps what is published."""

    def __init__(self) -> None:
        self.published: list[tuple[list[Message], str | None]] = []
        self.signatures: dict[str, str | None] = {}
        self.views: dict[str, ChannelView] = {}
        self.error: Refusal | None = None
        self.kept: dict[str, Cached] = {}
        self.ended: list[str] = []

    def app(self, app_id: str) -> App:
        if app_id != "1001":
            raise Refusal("unknown_app")
        return App()

    def app_of(self, key: str) -> App:
        if key != "key":
            raise Refusal("unknown_app")
        return App()

    def now(self) -> float:
        return NOW + 0.5

    def accept_signature(self, app: AppId, signature: str, expires: float, *, key: str | None = None) -> bool:
        assert expires == NOW + 600
        if signature not in self.signatures:
            self.signatures[signature] = key
            return True
        return key is not None and self.signatures[signature] == key

    async def publish(
        self, app: AppId, messages: Sequence[Message], *, key: str | None = None
    ) -> Sequence[Position]:
        if self.error is not None:
            raise self.error
        self.published.append((list(messages), key))
        return [Position("1f2e3d4c", at) for at, _ in enumerate(messages)]

    async def channels(self, app: AppId, prefix: str) -> Sequence[ChannelView]:
        return [view for name, view in self.views.items() if name.startswith(prefix)]

    async def channel(self, app: AppId, name: ChannelName) -> ChannelView | None:
        return self.views.get(name)

    async def members(self, app: AppId, name: ChannelName) -> Sequence[Member]:
        return [Member(UserId("7")), Member(UserId("8"))]

    async def cached(self, app: AppId, name: ChannelName) -> Cached | None:
        return self.kept.get(name)

    def terminate(self, app: AppId, user: UserId) -> None:
        self.ended.append(user)

    def occupy(self, name: str, subscriptions: int, users: int | None = None) -> None:
        self.views[name] = ChannelView(name=ChannelName(name), subscriptions=subscriptions, users=users)

    @property
    def messages(self) -> list[Message]:
        return [message for messages, _ in self.published for message in messages]


@pytest.fixture
def host() -> MemoryHost:
    return MemoryHost()


async def ask(
    host: MemoryHost,
    method: str,
    path: str,
    *,
    body: Any = None,
    query: Mapping[str, str] | None = None,
    secret: str = "secret",
    headers: Mapping[str, str] | None = None,
    app: str = "1001",
) -> Response:
    """Sign and send a request the way the SDKs do."""
    full = f"/apps/{app}/{path}" if app else f"/{path}"
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    pairs = [("auth_key", "key"), ("auth_timestamp", str(NOW)), ("auth_version", "1.0")]
    pairs += [*(query or {}).items(), *([("body_md5", body_md5(raw))] if raw else [])]
    pairs.append(("auth_signature", sign(secret, request_text(method, full, pairs))))
    return await send(
        host, Request(method=method, path=full, query=urlencode(pairs), body=raw, headers=headers or {})
    )


async def send(host: Host, request: Request) -> Response:
    """Find the route by its pattern, as the server does, and call it."""
    given = request.path.strip("/").split("/")
    for route in ROUTES:
        wanted = route.pattern.strip("/").split("/")
        if route.method == request.method and len(wanted) == len(given):
            pairs = list(zip(wanted, given, strict=True))
            if all(part.startswith("{") or part == text for part, text in pairs):
                caught = {part.strip("{}"): text for part, text in pairs if part.startswith("{")}
                fields = {name: getattr(request, name) for name in request.__struct_fields__}
                return await route.handler(Request(**(fields | {"params": caught})), host)
    raise AssertionError(f"no route for {request.method} {request.path}")


async def publish(host: MemoryHost, **event: Any) -> Response:
    return await ask(host, "POST", "events", body={"name": "said", "data": "{}", "channel": "room", **event})


def told(response: Response) -> tuple[int, str]:
    return response.status, response.headers["tidings-error"]


# ── publishing


async def test_success_is_an_empty_object_and_nothing_else(host: MemoryHost) -> None:
    response = await publish(host)
    assert (response.status, response.body, response.content_type) == (200, b"{}", "application/json")


async def test_an_event_becomes_one_message_with_its_data_as_published(host: MemoryHost) -> None:
    await publish(host, data='{"a":  1}')
    (message,) = host.messages
    assert (message.channel, message.event, message.data) == ("room", "said", b'{"a":  1}')
    assert (message.kind, message.time, message.origin) == ("event", NOW * 1000 + 500, None)


@pytest.mark.parametrize("text", ["hello", '"hello"', "{}", "1", "", '{"a": [1, 2]}'])
async def test_the_string_is_kept_exactly(host: MemoryHost, text: str) -> None:
    await publish(host, data=text)
    assert json.loads(text_of(host.messages[0].data)) == text


async def test_data_that_is_no_string_is_taken_as_it_is(host: MemoryHost) -> None:
    await publish(host, data={"a": [1, 2]})
    assert json.loads(host.messages[0].data) == {"a": [1, 2]}


async def test_several_channels_are_one_call_with_a_message_each(host: MemoryHost) -> None:
    await publish(host, channel=None, channels=["a", "b", "a"])
    ((messages, _),) = host.published
    assert [message.channel for message in messages] == ["a", "b"]
    assert len({message.id for message in messages}) == 2


async def test_channels_may_be_named_in_the_query(host: MemoryHost) -> None:
    await ask(host, "POST", "events", body={"name": "said", "data": "1"}, query={"channels[]": "a"})
    assert [message.channel for message in host.messages] == ["a"]


async def test_the_sender_is_left_out_by_its_socket_id(host: MemoryHost) -> None:
    await publish(host, socket_id="12.34")
    origin = host.messages[0].origin
    assert origin is not None
    assert origin.session == "12.34"


async def test_an_empty_socket_id_is_none(host: MemoryHost) -> None:
    await publish(host, socket_id="")
    assert host.messages[0].origin is None


async def test_info_tells_the_counts_of_each_channel(host: MemoryHost) -> None:
    host.occupy("presence-a", 3, users=2)
    info = {"channels": ["presence-a", "b"], "channel": None, "info": "user_count,subscription_count"}
    response = await publish(host, **info)
    assert json.loads(response.body) == {
        "channels": {"presence-a": {"user_count": 2, "subscription_count": 3}, "b": {"subscription_count": 0}}
    }


@pytest.mark.parametrize(
    ("event", "status", "name"),
    [
        ({"name": ""}, 400, "bad_event"),
        ({"name": "pusher:error"}, 400, "bad_event"),
        ({"name": 1}, 400, "bad_message"),
        ({"name": "x" * 201}, 400, "bad_event"),
        ({"channel": None}, 400, "bad_message"),
        ({"channel": "a b"}, 400, "bad_channel"),
        ({"channels": [f"c{n}" for n in range(MAX_CHANNELS)]}, 400, "too_many_channels"),
        ({"channels": "a"}, 400, "bad_message"),
        ({"socket_id": "1.1\n"}, 400, "bad_message"),
        ({"socket_id": "1.1:a"}, 400, "bad_message"),
        ({"info": "weather"}, 400, "bad_request"),
        ({"data": "x" * 999}, 413, "message_too_large"),
        ({"data": "[" * 33 + "]" * 33}, 400, "too_deep"),
        ({"data": [[]] * 9 + [json.loads("[" * 33 + "]" * 33)]}, 400, "too_deep"),
    ],
)
async def test_a_wrong_event_is_refused_with_its_reason(
    host: MemoryHost, event: dict[str, Any], status: int, name: str
) -> None:
    assert told(await publish(host, **event)) == (status, name)
    assert host.published == []


async def test_the_limit_on_data_is_told(host: MemoryHost) -> None:
    response = await publish(host, data="x" * 2000)
    assert b"1000" in response.body
    assert (await publish(host, data="x" * 998)).status == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 5000, b'{"name":"\\ud800"}', b"[]", b"{}"])
async def test_a_body_that_is_no_event_is_refused(host: MemoryHost, body: bytes) -> None:
    assert (await ask(host, "POST", "events", body=body)).status == 400


async def test_a_refusal_of_the_host_keeps_its_status_and_says_when_to_retry(host: MemoryHost) -> None:
    host.error = Refusal("unavailable")
    response = await publish(host)
    assert told(response) == (503, "unavailable")
    assert response.headers["retry-after"] == "1"


# ── batches


def event(channel: str = "a", **fields: Any) -> dict[str, Any]:
    return {"name": "said", "data": "{}", "channel": channel, **fields}


async def test_a_batch_is_one_call_in_order(host: MemoryHost) -> None:
    response = await ask(host, "POST", "batch_events", body={"batch": [event("b"), event("a"), event("b")]})
    assert response.body == b"{}"
    ((messages, _),) = host.published
    assert [message.channel for message in messages] == ["b", "a", "b"]


async def test_a_batch_with_info_answers_in_the_same_order(host: MemoryHost) -> None:
    host.occupy("a", 2)
    batch = [event("b"), event("a", info="subscription_count")]
    response = await ask(host, "POST", "batch_events", body={"batch": batch})
    assert json.loads(response.body) == {"batch": [{}, {"subscription_count": 2}]}


@pytest.mark.parametrize(
    "batch",
    [
        [],
        [event()] * (MAX_BATCH + 1),
        [{"name": "a", "data": "1", "channels": ["a"]}],
        [event(data="x" * 999)],
    ],
)
async def test_a_wrong_batch_publishes_nothing(host: MemoryHost, batch: list[dict[str, Any]]) -> None:
    response = await ask(host, "POST", "batch_events", body={"batch": batch})
    assert response.status in (400, 413)
    assert host.published == []


# ── the door


async def test_an_unknown_app_is_not_found(host: MemoryHost) -> None:
    assert told(await ask(host, "POST", "events", body=event(), app="9")) == (404, "unknown_app")


async def test_the_signature_is_checked_before_the_body(host: MemoryHost) -> None:
    assert told(await ask(host, "POST", "events", body=b"{", secret="wrong")) == (401, "bad_signature")


async def test_a_signed_publish_counts_once(host: MemoryHost) -> None:
    assert (await publish(host)).status == 200
    assert told(await publish(host)) == (401, "signature_replayed")
    assert len(host.published) == 1


async def test_a_retry_with_its_idempotency_key_reaches_the_log_under_the_same_key(host: MemoryHost) -> None:
    for _ in range(2):
        response = await ask(host, "POST", "events", body=event(), headers={"idempotency-key": "k 1"})
        assert response.status == 200
    assert [key for _, key in host.published] == ["pusher:k 1", "pusher:k 1"]


async def test_a_stolen_request_does_not_pass_with_a_fresh_idempotency_key(host: MemoryHost) -> None:
    await ask(host, "POST", "events", body=event())
    for key in ("stolen", "stolen", "again"):
        response = await ask(host, "POST", "events", body=event(), headers={"idempotency-key": key})
        assert told(response) == (401, "signature_replayed")


@pytest.mark.parametrize("key", ["", "x" * 129, "ä", "a\n", "\x7f"])
async def test_an_idempotency_key_is_short_and_printable(host: MemoryHost, key: str) -> None:
    response = await ask(host, "POST", "events", body=event(), headers={"idempotency-key": key})
    assert told(response) == (400, "bad_key")


async def test_questions_may_be_repeated(host: MemoryHost) -> None:
    for _ in range(2):
        assert (await ask(host, "GET", "channels")).status == 200


async def test_errors_are_a_line_of_text(host: MemoryHost) -> None:
    response = await publish(host, name="")
    assert response.content_type.startswith("text/plain")
    assert response.body.endswith(b"\n")


# ── the old path, and what may stand in the query


async def test_the_old_path_takes_the_body_as_data_and_answers_202(host: MemoryHost) -> None:
    query = {"name": "said", "socket_id": "12.34"}
    response = await ask(host, "POST", "channels/room/events", body=b"hello", query=query)
    assert (response.status, response.body) == (202, b"{}")
    (message,) = host.messages
    assert (message.channel, message.event, message.data) == ("room", "said", b'"hello"')
    assert message.origin is not None
    assert message.origin.session == "12.34"


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        ({}, b"x", 400),
        ({"name": ""}, b"x", 400),
        ({"name": "pusher:error"}, b"x", 400),
        ({"name": "said"}, b"\xff", 400),
        ({"name": "said"}, b"x" * 1001, 413),
        ({"name": "said", "socket_id": "1:1"}, b"x", 400),
    ],
)
async def test_a_wrong_old_request_is_refused(
    host: MemoryHost, query: dict[str, str], body: bytes, status: int
) -> None:
    response = await ask(host, "POST", "channels/room/events", body=body, query=query)
    assert (response.status, host.published) == (status, [])


async def test_what_the_body_leaves_out_may_stand_in_the_query(host: MemoryHost) -> None:
    query = {
        "name": "said",
        "data": "{}",
        "channels[]": "a",
        "socket_id": "1.2",
        "info": "subscription_count",
    }
    response = await ask(host, "POST", "events", query=query)
    assert json.loads(response.body) == {"channels": {"a": {"subscription_count": 0}}}
    (message,) = host.messages
    assert (message.event, message.data, message.origin is not None) == ("said", b"{}", True)


async def test_the_body_goes_before_the_query(host: MemoryHost) -> None:
    query = {"name": "other", "channel": "b", "data": "1"}
    await ask(host, "POST", "events", body=event("a"), query=query)
    assert [(message.channel, message.event, message.data) for message in host.messages] == [
        ("a", "said", b"{}")
    ]


# ── users


async def test_terminating_names_the_user_and_answers_an_empty_object(host: MemoryHost) -> None:
    for body in (None, b"{}"):
        response = await ask(host, "POST", "users/7 a/terminate_connections", body=body)
        assert (response.status, response.body) == (200, b"{}")
    assert host.ended == ["7 a", "7 a"]


async def test_the_python_sdk_leaves_the_app_out_of_the_path(host: MemoryHost) -> None:
    response = await ask(host, "POST", "users/7/terminate_connections", body=b"{}", app="")
    assert (response.status, response.body, host.ended) == (200, b"{}", ["7"])
    response = await ask(host, "POST", "users/8/terminate_connections", body=b"{}", app="", secret="wrong")
    assert (told(response), host.ended) == ((401, "bad_signature"), ["7"])
    unsigned = Request(method="POST", path="/users/8/terminate_connections")
    assert (await send(host, unsigned)).status == 404


async def test_a_user_id_that_cannot_be_is_refused(host: MemoryHost) -> None:
    for user in ("x" * 129, "a\nb"):
        response = await ask(host, "POST", f"users/{user}/terminate_connections")
        assert told(response) == (400, "bad_request")
    assert host.ended == []


async def test_publishing_to_a_user_is_an_ordinary_publish(host: MemoryHost) -> None:
    assert (await publish(host, channel="#server-to-user-7")).status == 200
    assert told(await publish(host, channel="#users-7")) == (400, "bad_channel")


# ── asking


async def test_a_cache_channel_tells_what_it_keeps(host: MemoryHost) -> None:
    host.kept["cache-a"] = Cached(data=b'{"a": 1}', seconds=12.7)
    host.occupy("cache-a", 1)
    response = await ask(host, "GET", "channels/cache-a", query={"info": "cache"})
    assert json.loads(response.body) == {"occupied": True, "cache": {"data": '{"a": 1}', "ttl": 12}}
    response = await ask(host, "GET", "channels/cache-b", query={"info": "cache"})
    assert json.loads(response.body) == {"occupied": False, "cache": None}


async def test_channels_lists_the_occupied_ones_below_a_prefix(host: MemoryHost) -> None:
    host.occupy("presence-a", 3, users=2)
    host.occupy("b", 1)
    assert json.loads((await ask(host, "GET", "channels")).body) == {"channels": {"presence-a": {}, "b": {}}}
    query = {"filter_by_prefix": "presence-", "info": "user_count"}
    response = await ask(host, "GET", "channels", query=query)
    assert json.loads(response.body) == {"channels": {"presence-a": {"user_count": 2}}}


async def test_user_counts_need_the_presence_prefix(host: MemoryHost) -> None:
    assert told(await ask(host, "GET", "channels", query={"info": "user_count"})) == (400, "bad_request")


async def test_a_channel_is_occupied_or_not(host: MemoryHost) -> None:
    host.occupy("a", 1)
    assert (await ask(host, "GET", "channels/a")).body == b'{"occupied":true}'
    response = await ask(host, "GET", "channels/b", query={"info": "subscription_count"})
    assert json.loads(response.body) == {"occupied": False, "subscription_count": 0}


async def test_a_presence_channel_tells_its_users(host: MemoryHost) -> None:
    host.occupy("presence-a", 3, users=2)
    response = await ask(host, "GET", "channels/presence-a", query={"info": "user_count"})
    assert json.loads(response.body) == {"occupied": True, "user_count": 2}
    response = await ask(host, "GET", "channels/presence-a/users")
    assert json.loads(response.body) == {"users": [{"id": "7"}, {"id": "8"}]}


@pytest.mark.parametrize(
    ("path", "info", "name"),
    [
        ("channels/a", "user_count", "not_presence"),
        ("channels/a", "weather", "bad_request"),
        ("channels/a b", "", "bad_channel"),
        ("channels/a", "cache", "bad_request"),
        ("channels", "cache", "bad_request"),
        ("channels", "subscription_count,weather", "bad_request"),
        ("channels/a/users", "", "not_presence"),
        ("channels/presence-a*/users", "", "bad_channel"),
    ],
)
async def test_a_question_that_does_not_fit_is_a_bad_request(
    host: MemoryHost, path: str, info: str, name: str
) -> None:
    assert told(await ask(host, "GET", path, query={"info": info})) == (400, name)
