"""What is left when an engine opens again: all of it, or a new epoch that says so."""

from __future__ import annotations

from tests.engines.harness import APP, NEWS, SPORT, Kit, offset, opened
from tidings.changes import Checkpoint, Progress
from tidings.engines.base import Held
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import ClientId
from tidings.messages import Position


async def test_a_restart_keeps_the_log_or_begins_a_new_epoch(kit: Kit) -> None:
    kit.options.of[NEWS] = ChannelOptions(history=Retention(count=3), cache=True)
    async with opened(kit.make()) as before:
        said = await before.say(NEWS, b"1", b"2", b"3", b"4", b"5")
        await before.say(SPORT, b"6", key="k")
        head = before.engine.broker.head(APP)
    async with opened(kit.make()) as after:
        broker = after.engine.broker
        page = await broker.read(APP, [NEWS], Position(head.epoch, said[1]))
        if not kit.lasting:
            assert page.resets == {NEWS: "epoch"}
            return
        assert broker.head(APP) == head
        assert [m.data for m in page.messages] == [b"3", b"4", b"5"]
        if kit.exact:
            assert (await after.read(NEWS, after=said[0])).resets == {NEWS: "retention"}
        assert (await after.say(SPORT, b"6", key="k")) == [head.offset]
        again = await after.say(NEWS, b"7")
        assert again[0] > head.offset
        assert after.heard.messages()[-1].previous == said[-1]
        assert [offset(m) for m in after.heard.messages()] == again


async def test_a_declared_gap_outlives_a_restart(kit: Kit) -> None:
    async with opened(kit.make()) as before:
        said = await before.say(NEWS, b"1")
        await before.engine.broker.declare_gap(APP, "news", "source")
        cursor = Position(before.engine.broker.head(APP).epoch, said[0])
    async with opened(kit.make()) as after:
        page = await after.engine.broker.read(APP, [NEWS], cursor)
        assert page.resets == {NEWS: "source" if kit.lasting else "epoch"}


async def test_held_cursors_outlive_a_restart(kit: Kit) -> None:
    held = Held(epoch="0a1b2c3d", connections=7, channels={NEWS: 3})
    async with opened(kit.make()) as before:
        before.engine.cursors.hold(APP, ClientId("c"), held)
    async with opened(kit.make()) as after:
        assert await after.engine.cursors.held(APP, ClientId("c")) == (held if kit.lasting else None)


async def test_progress_outlives_a_restart(kit: Kit) -> None:
    seals = {"tasks": "16384 740", "sales.“orders”": ""}
    progress = Progress(source="db", generation="g", checkpoint=Checkpoint(2**63 - 1, 7), seals=seals)
    async with opened(kit.make()) as before:
        await before.engine.broker.publish(APP, [], progress=progress)
    async with opened(kit.make()) as after:
        assert await after.engine.broker.progress(APP, "db") == (progress if kit.lasting else None)
        again = await after.engine.broker.publish(APP, [], progress=progress)
        assert again.repeated == kit.lasting
