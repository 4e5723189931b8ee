"""The sweep: dead peers, expired tokens, our own lateness. Time stands still unless a test moves it."""

from __future__ import annotations

import time

from tests.unit.node.builders import Clock, connect, running, settings, token
from tests.unit.node.pusher_clients import PusherClient
from tidings.errors import Disconnect
from tidings.node.authorizer import LEEWAY


async def test_a_silent_client_is_asked_and_then_ended() -> None:
    clock = Clock(100.0)
    async with running(clock=clock) as node:
        session, line = connect(node)
        clock.now += node.limits.activity_seconds + 1
        node.keeper.sweep()
        assert len(line.said("heartbeat")) == 1
        assert line.pings == [b""]
        clock.now += node.limits.pong_seconds + 1
        node.keeper.sweep()
        assert line.ended is not None
        assert line.ended.name == "silent"
        assert session.state.value == "ending"


async def test_any_sign_of_life_spares_it() -> None:
    clock = Clock(100.0)
    async with running(clock=clock) as node:
        session, line = connect(node)
        for _ in range(5):
            clock.now += node.limits.activity_seconds + 1
            node.keeper.sweep()
            session.pong(b"")
        clock.now += node.limits.pong_seconds + 1
        node.keeper.sweep()
        assert line.ended is None


async def test_nobody_is_blamed_for_the_time_that_the_loop_stood_still() -> None:
    clock = Clock(100.0)
    async with running(clock=clock) as node:
        _, line = connect(node)
        clock.now += node.limits.activity_seconds + 1
        node.keeper.sweep()
        clock.now += node.limits.pong_seconds + 20
        node.keeper.sweep(grace=30.0)
        assert line.ended is None


async def test_an_expired_token_ends_the_connection() -> None:
    wall = Clock(time.time())
    async with running(wall=wall) as node:
        _, line = connect(node, token=token(wall.now, seconds=60))
        wall.now += 59
        node.keeper.sweep()
        assert not line.ended
        wall.now += 1 + LEEWAY
        node.keeper.sweep()
        assert [type(line.ended), line.ended and line.ended.name] == [Disconnect, "expired"]


# ── connections that must sign in (pusher.md 1.13)


async def test_who_shows_no_proof_in_time_is_ended_where_the_app_wants_one() -> None:
    clock = Clock(100.0)
    async with running(settings(require_sign_in=True), clock=clock) as node:
        idle, public = PusherClient(node), PusherClient(node)
        signed_in, private, left = PusherClient(node), PusherClient(node), PusherClient(node)
        await public.subscribe("a")
        await signed_in.sign_in("7")
        await private.subscribe("private-a")
        await left.subscribe("private-a")
        await left.send("pusher:unsubscribe", {"channel": "private-a"})
        clock.now += node.limits.sign_in_seconds
        node.keeper.sweep()
        assert idle.line.ended is None
        clock.now += 0.1
        node.keeper.sweep()
        ended = [one.line.ended for one in (idle, public, signed_in, private, left)]
        assert [None if one is None else one.name for one in ended] == ["not_signed_in"] * 2 + [None] * 3


async def test_otherwise_nobody_must_sign_in() -> None:
    clock = Clock(100.0)
    async with running(clock=clock) as node:
        idle = PusherClient(node)
        clock.now += node.limits.sign_in_seconds + 1
        node.keeper.sweep()
        assert idle.line.ended is None


async def test_where_no_pings_can_be_sent_the_carrier_watches_over_life() -> None:
    clock = Clock(100.0)
    async with running(clock=clock) as node:
        _, line = connect(node, can_ping=False)
        for asked in range(1, 4):
            clock.now += node.limits.activity_seconds + 1
            node.keeper.sweep()
            assert len(line.said("heartbeat")) == asked
        assert line.ended is None
