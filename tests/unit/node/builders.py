"""A real node over the memory engine with the plain protocol, and a transport that keeps what it is given."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import jwt
import msgspec

from tidings.engines.memory import MemoryEngine
from tidings.errors import Disconnect
from tidings.hub.channel import ChannelOptions
from tidings.hub.fanout import Framer
from tidings.ids import AppId, ChannelName
from tidings.messages import Message, Position
from tidings.node.apps import AppSettings, ChannelRule
from tidings.node.authorizer import Visitor
from tidings.node.node import Node
from tidings.node.session import Session
from tidings.protocols.plain.server import PlainServer
from tidings.protocols.pusher.names import default_options

APP = AppId("1001")
SECRET = "a-secret-of-more-than-thirty-two-bytes"
_ids = itertools.count(1)


def by_name(channel: str) -> ChannelOptions:
    """Options by prefix, as the Pusher names have them."""
    return msgspec.convert(default_options(channel), ChannelOptions, from_attributes=True)


def settings(*rules: ChannelRule, **given: Any) -> AppSettings:
    return AppSettings(id=APP, keys={"key": "secret"}, jwt_secret=SECRET, channels=rules, **given)


class Clock:
    """A clock that stands until it is told to go on."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Line:
    """A transport: each frame is a line of JSON. `pings` keeps the payloads of WebSocket pings, if it can send them."""

    key = "line"

    @property
    def framer(self) -> Framer:
        return self

    def __init__(self, *, can_ping: bool = True) -> None:
        self.can_ping = can_ping
        self.data = b""
        self.ended: Disconnect | None = None
        self.pings: list[bytes] = []
        self.on_write: Callable[[], None] | None = None

    def frame(self, payload: bytes) -> bytes:
        return payload + b"\n"

    def write(self, data: bytes) -> None:
        self.data += data
        if self.on_write is not None:
            self.on_write()

    def close(self, disconnect: Disconnect) -> None:
        self.ended = disconnect

    def ping(self, payload: bytes) -> bool:
        if self.can_ping:
            self.pings.append(payload)
        return self.can_ping

    def said(self, *types: str) -> list[dict[str, Any]]:
        """What was said, of the given types or of all."""
        told = [msgspec.json.decode(line) for line in self.data.splitlines()]
        return [one for one in told if not types or one["type"] in types]

    def numbers(self) -> list[Any]:
        """The data of the messages received."""
        return [one["data"] for one in self.said("message")]


@asynccontextmanager
async def running(*apps: AppSettings, engine: Any = None, **given: Any) -> AsyncIterator[Node]:
    """A started node."""
    engine = engine or MemoryEngine(options=lambda app, channel: node.apps.by_id(app).options(channel))
    node = Node(apps or (settings(),), engine, by_name=by_name, **given)
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


def connect(
    node: Node,
    *,
    app: str = APP,
    client: str | None = None,
    token: str | None = None,
    can_ping: bool = True,
) -> tuple[Session, Line]:
    line = Line(can_ping=can_ping)
    visitor = Visitor(client=client, token=token)
    return node.connect(node.apps.by_id(app), PlainServer(), line, visitor), line


async def ask(session: Session, **command: Any) -> None:
    """Send a command and wait until it has been run."""
    session.receive(msgspec.json.encode(command).decode())
    await settled(session)


async def settled(session: Session) -> None:
    async with asyncio.timeout(10):
        while session.busy:
            await asyncio.sleep(0)
    await asyncio.sleep(0)


async def publish(node: Node, number: int, channel: str = "a", *, app: str = APP) -> Position:
    data, time = b"%d" % number, node.wall_ms()
    message = Message(id=f"m{next(_ids)}", channel=ChannelName(channel), event="e", data=data, time=time)
    (position,) = await node.host.publish(AppId(app), [message])
    await asyncio.sleep(0)
    assert position is not None
    return position


async def publish_row(node: Node, data: object, channel: str = "a") -> Position:
    """Append a message whose data is this value."""
    message = Message(
        id=f"m{next(_ids)}",
        channel=ChannelName(channel),
        event="e",
        data=msgspec.json.encode(data),
        time=node.wall_ms(),
    )
    (position,) = await node.host.publish(APP, [message])
    await asyncio.sleep(0)
    assert position is not None
    return position


def token(now: float, *, user: str | None = "ada", seconds: float = 60, **claims: Any) -> str:
    return jwt.encode({"sub": user, "exp": now + seconds, **claims}, SECRET, algorithm="HS256")
