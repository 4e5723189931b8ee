"""Two apps with the same channel names and user ids under load: every payload is marked, and no mark crosses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2 as httpx
import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.fixtures.fix_configured import ConfiguredServer
from tests.fixtures.fix_publish import event_body, signed
from tidings.auth import Auth

CLIENTS, PLAIN, STREAMS = 150, 50, 20
"""Of each app: pusher-style, `/ws` and SSE connections; 440 together, and polls beside them."""

USERS = 50
ROUNDS = 25
PATIENCE = 60.0
CHANNELS = ("news", "private-family-7", "presence-room")


class Tenant(NamedTuple):
    id: str
    key: str
    secret: str
    jwt_secret: str

    @property
    def mark(self) -> str:
        return f"mark-of-{self.id}"

    @property
    def auth(self) -> Auth:
        return Auth(self.key, self.secret)

    def token(self) -> str:
        claims = {"sub": "u1", "exp": time.time() + 600, "channels": ["*"], "publish": ["*"]}
        return jwt.encode(claims, self.jwt_secret, algorithm="HS256")


ONE = Tenant("1001", "key-one", "secret-one", "token-secret-one-" + "1" * 20)
TWO = Tenant("1002", "key-two", "secret-two", "token-secret-two-" + "2" * 20)

CONFIG = "[limits]\nconnects_per_second = 0\npresence_members = 1000\n" + "".join(
    f'[[apps]]\nid = "{app.id}"\nkey = "{app.key}"\nsecret = "{app.secret}"\njwt_secret = "{app.jwt_secret}"\n'
    for app in (ONE, TWO)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConfiguredServer]:
    folder: Path = tmp_path_factory.mktemp("two-apps")
    with ConfiguredServer(folder, CONFIG) as running:
        yield running


@pytest.fixture
async def http(server: ConfiguredServer) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE) as client:
        yield client


async def post(
    http: httpx.AsyncClient, tenant: Tenant, path: str, body: bytes, by: Tenant | None = None
) -> httpx.Response:
    """A signed request for one app, by its own key or by another's."""
    signer = by or tenant
    whole = f"/apps/{tenant.id}/{path}"
    return await http.post(whole, params=signed(signer.key, signer.secret, "POST", whole, body), content=body)


async def get(http: httpx.AsyncClient, tenant: Tenant, path: str) -> Any:
    whole = f"/apps/{tenant.id}/{path}"
    answer = await http.get(whole, params=signed(tenant.key, tenant.secret, "GET", whole))
    assert answer.status_code == 200, answer.text
    return answer.json()


# ── clients that keep all they hear


class Listener:
    """What one client of an app was told, as text."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.heard: list[str] = []
        self.changed = asyncio.Event()

    def hear(self, text: str) -> None:
        self.heard.append(text)
        self.changed.set()

    async def until(self, part: str, times: int = 1) -> None:
        """Wait until it heard something so many times, looking at each text once."""
        at = count = 0
        async with asyncio.timeout(PATIENCE):
            while True:
                count += sum(text.count(part) for text in self.heard[at:])
                at = len(self.heard)
                if count >= times:
                    return
                self.changed.clear()
                await self.changed.wait()


async def read(socket: ClientConnection, listener: Listener) -> None:
    async for text in socket:
        listener.hear(str(text))


class Pusher(Listener):
    """A connection as pusher-js makes it."""

    socket: ClientConnection
    id: str

    async def open(self, server: ConfiguredServer, stack: AsyncExitStack, group: asyncio.TaskGroup) -> None:
        url = f"ws://{server.host}:{server.port}/app/{self.tenant.key}?protocol=7"
        self.socket = await stack.enter_async_context(connect(url, compression=None, proxy=None))
        first = json.loads(await self.socket.recv())
        self.id = json.loads(first["data"])["socket_id"]
        group.create_task(read(self.socket, self))

    async def say(self, event: str, data: Any, channel: str | None = None) -> None:
        frame = {"event": event, "data": data} | ({"channel": channel} if channel else {})
        await self.socket.send(json.dumps(frame))

    async def join(self, channel: str, user: str, by: Tenant | None = None) -> None:
        auth = (by or self.tenant).auth
        data: dict[str, Any] = {"channel": channel}
        if channel.startswith("presence-"):
            info = {"mark": self.tenant.mark}
            data |= auth.channel(self.id, channel, user_id=user, user_info=info)
        elif channel.startswith("private-"):
            data |= auth.channel(self.id, channel)
        await self.say("pusher:subscribe", data)


async def stream(server: ConfiguredServer, listener: Listener) -> None:
    """An SSE client."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        head = f"GET /events?channel=news&app={listener.tenant.key} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        writer.write(head.encode())
        while line := await reader.readline():
            listener.hear(line.decode())
    finally:
        writer.close()


async def poll(http: httpx.AsyncClient, listener: Listener) -> None:
    """A client that polls, page after page, until it has heard the last."""
    query: dict[str, str] = {"channel": "news", "app": listener.tenant.key}
    while not listener.heard or '"last"' not in listener.heard[-1]:
        answer = await http.get("/poll", params=query)
        assert answer.status_code == 200, answer.text
        listener.hear(answer.text)
        query |= {"cursor": answer.json()["cursor"], "wait": "20"}


async def plain(
    server: ConfiguredServer, listener: Listener, stack: AsyncExitStack, group: asyncio.TaskGroup
) -> ClientConnection:
    """A `/ws` client with a token."""
    query = f"channel=news&channel=private-family-7&app={listener.tenant.key}&token={listener.tenant.token()}"
    url = f"ws://{server.host}:{server.port}/ws?{query}"
    socket = await stack.enter_async_context(connect(url, compression=None, proxy=None))
    group.create_task(read(socket, listener))
    await listener.until('"subscribed"')
    return socket


@asynccontextmanager
async def crowd() -> AsyncIterator[tuple[AsyncExitStack, asyncio.TaskGroup]]:
    """Where clients live; all of them end with it."""

    class Over(Exception):
        pass

    async def end() -> None:
        raise Over

    try:
        async with asyncio.TaskGroup() as group:
            async with AsyncExitStack() as stack:  # readers read on while sockets say goodbye
                yield stack, group
            group.create_task(end())
    except* Over:
        pass


# ── the load


class Side:
    """One app with all its clients."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.sockets = [Pusher(tenant) for _ in range(CLIENTS)]
        self.readers = [Listener(tenant) for _ in range(PLAIN)]
        self.streams = [Listener(tenant) for _ in range(STREAMS)]
        self.polling = Listener(tenant)
        self.everybody = [*self.sockets, *self.readers, *self.streams, self.polling]
        self.publisher: ClientConnection | None = None

    async def open(
        self,
        server: ConfiguredServer,
        http: httpx.AsyncClient,
        stack: AsyncExitStack,
        group: asyncio.TaskGroup,
    ) -> None:
        """Connect all and wait until each is in its channels."""
        for at, client in enumerate(self.sockets):
            await client.open(server, stack, group)
            for channel in CHANNELS:
                await client.join(channel, f"u{at % USERS}")
        for one in self.readers:
            self.publisher = await plain(server, one, stack, group)
        for one in self.streams:
            group.create_task(stream(server, one))
        group.create_task(poll(http, self.polling))
        for socket in self.sockets:
            await socket.until("subscription_succeeded", len(CHANNELS))
        for one in (*self.streams, self.polling):
            await one.until("cursor")

    async def publish(self, http: httpx.AsyncClient) -> None:
        """Through both ways of the HTTP API, through `/ws`, and as client events."""
        assert self.publisher is not None
        for number in range(ROUNDS):
            data = {"mark": self.tenant.mark, "n": number}
            for channel in CHANNELS:
                answer = await post(http, self.tenant, "events", event_body(channel, "one", data))
                assert (answer.status_code, answer.json()) == (200, {})
            batch = [
                {"channel": channel, "name": "batched", "data": json.dumps(data)} for channel in CHANNELS
            ]
            answer = await post(http, self.tenant, "batch_events", json.dumps({"batch": batch}).encode())
            assert answer.status_code == 200
            command = {"type": "publish", "channel": "news", "event": "plain", "data": data, "ref": number}
            await self.publisher.send(json.dumps(command))
            await self.sockets[number % CLIENTS].say("client-typing", data, "private-family-7")
        for channel in CHANNELS:
            await post(http, self.tenant, "events", event_body(channel, "last", {"mark": self.tenant.mark}))
        for one in self.everybody:
            await one.until("last", len(CHANNELS) if isinstance(one, Pusher) else 1)

    def check(self, foreign: str) -> None:
        """Everybody heard all of their own app, and nothing with the other's mark."""
        assert [text[:200] for one in self.everybody for text in one.heard if foreign in text] == []
        for socket in self.sockets:
            frames = [json.loads(text)["event"] for text in socket.heard]
            told = [event for event in frames if event in ("one", "batched", "plain")]
            assert len(told) == ROUNDS * (2 * len(CHANNELS) + 1)
            assert frames.count("client-typing") in (ROUNDS - 1, ROUNDS)  # one's own is not told


async def test_nothing_crosses_between_two_apps_under_load(
    server: ConfiguredServer, http: httpx.AsyncClient
) -> None:
    one, two = Side(ONE), Side(TWO)
    async with crowd() as (stack, group):
        for side in (one, two):
            await side.open(server, http, stack, group)
        await asyncio.gather(*(side.publish(http) for side in (one, two)))
        for side in (one, two):
            users = (await get(http, side.tenant, "channels/presence-room/users"))["users"]
            assert sorted(user["id"] for user in users) == sorted(f"u{at}" for at in range(USERS))
    one.check(TWO.mark)
    two.check(ONE.mark)


# ── keys that are somebody else's


async def test_the_key_of_another_app_publishes_nothing(http: httpx.AsyncClient) -> None:
    answer = await post(http, TWO, "events", event_body("news", "forged", {}), by=ONE)
    assert answer.status_code == 401
    mixed = Tenant(TWO.id, TWO.key, ONE.secret, "")
    assert (await post(http, TWO, "events", event_body("news", "forged", {}), by=mixed)).status_code == 401


async def test_a_channel_signed_by_another_app_does_not_open(server: ConfiguredServer) -> None:
    async with crowd() as (stack, group):
        client = Pusher(TWO)
        await client.open(server, stack, group)
        for by in (ONE, Tenant("", TWO.key, ONE.secret, "")):
            for at, channel in enumerate(("private-family-7", "presence-room"), 1):
                seen = len([text for text in client.heard if "subscription_error" in text])
                await client.join(channel, "u1", by)
                await client.until("subscription_error", seen + 1)
                assert at
        assert not any("subscription_succeeded" in text for text in client.heard)


async def test_a_token_of_another_app_is_refused(http: httpx.AsyncClient) -> None:
    query = {"channel": "private-family-7", "app": TWO.key, "token": ONE.token()}
    for path in ("/events", "/poll"):
        assert (await http.get(path, params=query)).status_code == 401


async def test_a_socket_of_another_app_is_not_left_out(
    server: ConfiguredServer, http: httpx.AsyncClient
) -> None:
    async with crowd() as (stack, group):
        one, two = Pusher(ONE), Pusher(TWO)
        for client in (one, two):
            await client.open(server, stack, group)
            await client.join("excluding", "u1")
            await client.until("subscription_succeeded")
        body = json.loads(event_body("excluding", "said", {})) | {"socket_id": two.id}
        assert (await post(http, ONE, "events", json.dumps(body).encode())).status_code == 200
        await one.until("said")


async def test_a_cursor_of_another_app_brings_nothing_of_it(http: httpx.AsyncClient) -> None:
    start = (await http.get("/poll", params={"channel": "cursors", "app": ONE.key})).json()["cursor"]
    await post(http, ONE, "events", event_body("cursors", "said", {"mark": ONE.mark}))
    page = await http.get(
        "/poll", params={"channel": "cursors", "app": TWO.key, "cursor": start, "wait": "0"}
    )
    assert ONE.mark not in page.text
