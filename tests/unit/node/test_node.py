"""The node: letting in, sending away, hearing the log, telling gaps."""

from __future__ import annotations

import asyncio

import pytest

from tests.unit.node.builders import APP, Line, ask, by_name, connect, publish, running, settings
from tidings.engines.memory import MemoryEngine
from tidings.errors import Disconnect, SourceError
from tidings.ids import AppId
from tidings.node.authorizer import Visitor
from tidings.node.limits import Limits
from tidings.node.node import Node
from tidings.protocols.plain.server import PlainServer


async def test_two_apps_with_the_same_names_never_meet() -> None:
    other = settings()
    other = type(other)(id=AppId("2002"), keys={"key2": "secret2"})
    async with running(settings(), other) as node:
        one, one_line = connect(node)
        two, two_line = connect(node, app="2002")
        for session in (one, two):
            await ask(session, type="subscribe", channel="a")
        await publish(node, 1)
        await publish(node, 2, app="2002")
        assert one_line.numbers() == [1]
        assert two_line.numbers() == [2]
        assert node.head(node.apps.by_id(APP)).offset == 1


async def test_a_full_or_stopping_node_lets_nobody_in_and_says_so() -> None:
    async with running(limits=Limits(connections=1)) as node:
        connect(node)
        with pytest.raises(Disconnect) as full:
            connect(node)
        assert full.value.name == "over_capacity"
        node.draining = True
        with pytest.raises(Disconnect) as draining:
            connect(node)
        assert draining.value.name == "draining"


async def test_draining_sends_everybody_away_spread_over_the_time() -> None:
    async with running() as node:
        lines = [connect(node)[1] for _ in range(5)]
        await node.drain(0.05)
        ended = [line.ended for line in lines]
        assert all(one is not None and one.name == "draining" for one in ended)
        assert len({one.after for one in ended if one is not None}) == 5
        assert node.ready()[0] is False


async def test_a_declared_gap_is_told_to_live_subscribers_of_matching_channels_only() -> None:
    async with running() as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channels=["project-1", "project-2", "other"])
        await node.engine.broker.declare_gap(APP, "project-*", "source")
        told = line.said("reset")
        assert sorted(channel for one in told for channel in one["channels"]) == ["project-1", "project-2"]
        assert {one["cursor"] for one in told} == {str(node.head(node.apps.default))}


async def test_readiness_follows_the_engine() -> None:
    engine = MemoryEngine()
    async with running(engine=engine) as node:
        assert node.ready()[0]
        await engine.close()
        ok, particulars = node.ready()
        assert not ok
        assert particulars["engine"]["detail"]


async def test_messages_of_an_app_that_is_gone_disturb_nobody() -> None:
    async with running() as node:
        node._on_messages(AppId("nobody"), [])
        assert isinstance(connect(node)[1], Line)


async def test_an_app_that_goes_during_a_handshake_lets_nobody_in() -> None:
    off = type(settings())(id=AppId("2002"), keys={"key2": "secret2"}, enabled=False)
    async with running(settings()) as node:
        app = node.apps.by_id(APP)
        await node.put_app(off)
        switched_off = node.apps.get("2002")
        await node.remove_app(APP)
        for gone, name in ((app, "app_gone"), (switched_off, "app_off")):
            assert gone is not None
            with pytest.raises(Disconnect) as refused:
                node.connect(gone, PlainServer(), Line(), Visitor())
            assert refused.value.name == name
        with pytest.raises(KeyError):
            await node.remove_app(APP)


async def test_draining_many_takes_the_time_it_was_given() -> None:
    loop = asyncio.get_running_loop()
    async with running() as node:
        for _ in range(3000):
            connect(node)
        begun = loop.time()
        await node.drain(0.5)
        assert loop.time() - begun >= 0.45


async def test_a_start_that_fails_leaves_nothing_open_and_can_be_tried_again() -> None:
    engine = MemoryEngine()

    class Broken:
        name = "broken"
        closed = 0

        async def open(self, progress: object) -> None:
            raise SourceError("no database")

        async def close(self) -> None:
            self.closed += 1

    node = Node((settings(),), engine, by_name=by_name)
    source = Broken()
    node.add_source(APP, source, object())  # type: ignore[arg-type]
    for attempt in (1, 2):
        with pytest.raises(SourceError):
            await node.start()
        assert source.closed == attempt
        assert not engine.health().ok
