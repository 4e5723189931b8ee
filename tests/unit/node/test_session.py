"""One client's conversation: never an exception, order kept, bounded, and an end that is said."""

from __future__ import annotations

import asyncio

from tests.unit.node.builders import ask, connect, publish, running, settings, settled
from tidings.commands import Pong, Subscribe
from tidings.errors import Disconnect
from tidings.ids import ChannelName
from tidings.node.limits import Limits


async def test_what_is_said_to_one_comes_after_what_was_pending_for_all() -> None:
    async with running() as node:
        session, line = connect(node)
        await ask(session, type="subscribe", channel="a")
        await publish(node, 1)
        session.receive('{"type":"ping","ref":5}')
        assert [one["type"] for one in line.said()][-2:] == ["message", "pong"]


async def test_pings_are_answered_at_once_with_the_servers_clock() -> None:
    async with running(wall=lambda: 1234.5) as node:
        session, line = connect(node)
        session.receive('{"type":"ping","ref":5}')
        assert line.said("pong") == [{"type": "pong", "ref": 5, "time": 1_234_500}]


async def test_more_commands_than_may_wait_are_refused_and_the_rest_runs() -> None:
    async with running(settings(limits=Limits(commands_in_flight=3))) as node:
        session, line = connect(node)
        for number in range(6):
            session.submit(Subscribe(channels=(ChannelName(f"c{number}"),), ref=number))
        await ask(session, type="ping")
        async with asyncio.timeout(10):
            while session.busy:
                await asyncio.sleep(0)
        assert len(line.said("subscribed")) == 3
        assert len([one for one in line.said("reply") if one["error"]["name"] == "busy"]) == 3


async def test_the_end_is_said_once_and_nothing_is_read_afterwards() -> None:
    async with running() as node:
        session, line = connect(node)
        session.end(Disconnect("draining", after=1.0))
        session.end(Disconnect("slow"))
        session.receive('{"type":"subscribe","channel":"a"}')
        assert [one["name"] for one in line.said("goodbye")] == ["draining"]
        assert line.ended is not None
        assert session.state.value == "ending"
        session.closed()
        session.closed()
        assert session.state.value == "closed"
        assert node.connections == 0


async def test_a_full_buffer_ends_this_session_only() -> None:
    async with running(settings(limits=Limits(send_buffer=500))) as node:
        slow, slow_line = connect(node)
        other, other_line = connect(node)
        for session in (slow, other):
            await ask(session, type="subscribe", channel="a")
        slow.outlet.pause()
        for number in range(10):
            await publish(node, number)
        assert slow_line.ended is not None
        assert slow_line.ended.name == "slow"
        assert other_line.numbers() == list(range(10))


async def test_a_pong_is_a_sign_of_life_and_no_command() -> None:
    async with running() as node:
        session, line = connect(node)
        session.pinged = 1.0
        session.pong(b"anything")
        session.submit(Pong())
        assert [session.pinged, line.said()] == [None, line.said("connected")]


async def test_a_client_that_asks_more_than_its_pace_is_cut_and_others_are_not() -> None:
    async with running(clock=lambda: 100.0) as node:
        session, line = connect(node)
        other, other_line = connect(node)
        for _ in range(4):
            await ask(session, type="subscribe", channels=[f"c{n}" for n in range(100)])
            await ask(session, type="unsubscribe", channels=[f"c{n}" for n in range(100)])
        assert line.ended is not None
        assert line.ended.name == "flood"
        await ask(other, type="subscribe", channel="a")
        assert other_line.ended is None
        session.closed()
        assert [name for name, _ in node.apps.default.hub.occupied()] == ["a"]


async def test_resubscribing_all_channels_one_by_one_stays_within_the_pace() -> None:
    async with running(clock=lambda: 100.0) as node:
        session, line = connect(node)
        for number in range(100):
            session.receive(f'{{"type":"subscribe","channel":"c{number}"}}')
        await settled(session)
        assert line.ended is None
        assert len(line.said("subscribed")) == 100


async def test_a_client_that_sends_more_bytes_than_its_pace_is_cut() -> None:
    async with running(clock=lambda: 100.0) as node:
        session, line = connect(node)
        for _ in range(6):
            session.receive('{"type":"nope","x":"' + "x" * (1 << 20) + '"}')
        assert line.ended is not None
        assert line.ended.name == "flood"


async def test_others_have_their_turn_between_the_commands_of_one() -> None:
    async with running() as node:
        session, _ = connect(node)
        for number in range(50):
            session.receive(f'{{"type":"subscribe","channel":"c{number}"}}')
        turns = 0
        async with asyncio.timeout(10):
            while session.busy:
                await asyncio.sleep(0)
                turns += 1
        assert turns >= 50
