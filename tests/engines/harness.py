"""What the suite over all engines works with: a clock to set, options to set, a listener that notes. No engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from tidings.engines.base import DeclaredGap, Engine, Page
from tidings.hub.channel import DEFAULT_OPTIONS, ChannelOptions
from tidings.ids import AppId, ChannelName, new_message_id
from tidings.messages import Message, Position

APP = AppId("app")
OTHER = AppId("other")
NEWS = ChannelName("news")
SPORT = ChannelName("sport")
PATIENCE = 30.0
"""Seconds after which a condition is given up. Only a broken engine waits so long."""


class Clock:
    """Seconds since the Unix epoch, as the test says."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Options:
    """What channels keep, by name; the default for all others."""

    def __init__(self) -> None:
        self.of: dict[str, ChannelOptions] = {}

    def __call__(self, app: AppId, channel: ChannelName) -> ChannelOptions:
        return self.of.get(channel, DEFAULT_OPTIONS)


class Kit(Protocol):
    """How the suite makes engines of one kind, all over the same store.

    lasting: what was acknowledged is there when the engine opens again. exact: bounds of retention below 16 hold to
    the message; otherwise an engine may keep more.
    """

    lasting: bool
    exact: bool
    clock: Clock
    options: Options

    def make(self) -> Engine: ...


class Heard:
    """A listener that notes what it is told, by app."""

    def __init__(self) -> None:
        self.by_app: dict[AppId, list[Message | DeclaredGap]] = {}

    def __call__(self, app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        self.by_app.setdefault(app, []).extend(told)

    def messages(self, app: AppId = APP) -> list[Message]:
        return [told for told in self.by_app.get(app, []) if isinstance(told, Message)]


class Bench:
    """An open engine and its listener."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.heard = Heard()
        engine.broker.listen(self.heard)

    async def say(
        self, channel: ChannelName, *data: bytes, key: str | None = None, app: AppId = APP
    ) -> list[int]:
        """Publish one message for each piece of data, as one step; returns the offsets."""
        messages = [message(channel, piece) for piece in data]
        published = await self.engine.broker.publish(app, messages, key=key)
        return [position.offset for position in published.positions]

    async def read(
        self, *channels: ChannelName, after: int = 0, app: AppId = APP, most: int = 500, size: int = 1 << 20
    ) -> Page:
        """Read after an offset of the present epoch."""
        cursor = Position(self.engine.broker.head(app).epoch, after)
        return await self.engine.broker.read(app, channels, cursor, max_messages=most, max_bytes=size)

    async def offsets(self, *channels: ChannelName, after: int = 0) -> list[int]:
        """The offsets of a read that needs no reset."""
        page = await self.read(*channels, after=after)
        assert page.resets == {}
        return [offset(message) for message in page.messages]


@asynccontextmanager
async def opened(engine: Engine) -> AsyncIterator[Bench]:
    """An engine open for the length of a block."""
    bench = Bench(engine)
    await engine.open()
    try:
        yield bench
    finally:
        await engine.close()


def message(channel: ChannelName, data: bytes = b"1", *, event: str = "said") -> Message:
    """A message without a position."""
    return Message(id=new_message_id(), channel=channel, event=event, data=data, time=1_700_000_000_123)


def offset(message: Message) -> int:
    """Where a message stands."""
    assert message.position is not None
    return message.position.offset


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for a condition to hold."""
    async with asyncio.timeout(PATIENCE):
        while not await condition():
            await asyncio.sleep(0.01)
