"""The node as HTTP endpoints see it: sizes, ephemeral channels, occupied channels."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.node.builders import APP, Clock, ask, connect, publish, running, settings
from tidings.errors import EngineUnavailable, Refusal
from tidings.ids import ChannelName
from tidings.messages import Message
from tidings.node.apps import ChannelRule
from tidings.node.limits import Limits


def message(channel: str = "a", *, event: str = "e", data: bytes = b"1") -> Message:
    return Message(id="m1", channel=ChannelName(channel), event=event, data=data, time=0)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (message("c" * 201), "bad_channel"),
        (message(event="e" * 201), "bad_event"),
        (message(data=b"1" * 11), "message_too_large"),
    ],
)
async def test_what_is_too_large_is_refused_with_its_limit(bad: Message, reason: str) -> None:
    async with running(settings(limits=Limits(message_bytes=10))) as node:
        with pytest.raises(Refusal) as refused:
            await node.host.publish(APP, [bad])
        assert refused.value.name == reason
        assert refused.value.limit is not None
        assert node.head(node.apps.default).offset == 0


async def test_the_same_key_is_one_message() -> None:
    async with running() as node:
        first = await node.host.publish(APP, [message()], key="k")
        again = await node.host.publish(APP, [message()], key="k")
        assert first == again
        with pytest.raises(Refusal) as reused:
            await node.host.publish(APP, [message(data=b"2")], key="k")
        assert reused.value.name == "key_reused"


async def test_messages_of_ephemeral_channels_are_passed_on_and_not_logged() -> None:
    async with running(settings(ChannelRule(match="cursors", ephemeral=True))) as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channel="cursors")
        await node.host.publish(APP, [message("cursors")])
        await asyncio.sleep(0)
        assert line.numbers() == [1]
        assert "position" not in line.said("message")[0]
        assert node.head(node.apps.default).offset == 0


@pytest.mark.parametrize(("full", "reason"), [(True, "storage_full"), (False, "unavailable")])
async def test_an_engine_that_cannot_is_told_with_a_hint_to_retry(full: bool, reason: str) -> None:
    async with running() as node:

        async def broken(*given: object, **named: object) -> None:
            raise EngineUnavailable("no", full=full)

        node.engine.broker.publish = broken  # type: ignore[assignment, method-assign]
        with pytest.raises(Refusal) as refused:
            await node.host.publish(APP, [message()])
        assert refused.value.name == reason
        assert refused.value.reason.retry


async def test_occupied_channels_and_who_is_there() -> None:
    async with running() as node:
        for _ in range(2):
            session, _ = connect(node)
            await ask(session, type="subscribe", channels=["a", "b"])
        views = {view.name: view.subscriptions for view in await node.host.channels(APP, "")}
        assert views == {"a": 2, "b": 2}
        assert [view.name for view in await node.host.channels(APP, "b")] == ["b"]
        assert await node.host.channel(APP, ChannelName("nobody")) is None
        assert await node.host.members(APP, ChannelName("a")) == ()


async def test_a_cache_channel_tells_what_it_keeps_and_for_how_long() -> None:
    clock = Clock()
    async with running(wall=clock) as node:
        await publish(node, 1, "cache-a")
        await publish(node, 2, "a")
        clock.now += 600
        cached = await node.host.cached(APP, ChannelName("cache-a"))
        assert cached is not None
        assert (cached.data, cached.seconds) == (b"1", 1200.0)
        clock.now += 1201
        assert await node.host.cached(APP, ChannelName("cache-a")) is None
        assert await node.host.cached(APP, ChannelName("a")) is None


async def test_nobody_publishes_to_a_reserved_channel() -> None:
    async with running() as node:
        for channel in ("#users-7", "#a"):
            with pytest.raises(Refusal) as refused:
                await node.host.publish(APP, [message(channel)])
            assert refused.value.name == "bad_channel"
        await node.host.publish(APP, [message("#server-to-user-7")])
