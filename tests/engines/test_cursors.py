"""Cursors held for clients: the newest counts, at once, for each app by itself, for a day."""

from __future__ import annotations

from tests.engines.harness import APP, NEWS, OTHER, SPORT, Bench, Kit, opened
from tidings.engines.base import Held
from tidings.ids import ClientId

CLIENT = ClientId("client")


def held(offset: int) -> Held:
    return Held(epoch="0a1b2c3d", connections=offset, channels={NEWS: 1, SPORT: offset})


async def test_a_client_never_seen_has_none(bench: Bench) -> None:
    assert await bench.engine.cursors.held(APP, CLIENT) is None


async def test_the_last_cursor_noted_is_found_at_once(bench: Bench) -> None:
    cursors = bench.engine.cursors
    for number in range(5):
        cursors.hold(APP, CLIENT, held(number))
        assert await cursors.held(APP, CLIENT) == held(number)
        await bench.say(NEWS, b"1")
        assert await cursors.held(APP, CLIENT) == held(number)


async def test_apps_do_not_share_clients(bench: Bench) -> None:
    bench.engine.cursors.hold(APP, CLIENT, held(1))
    assert await bench.engine.cursors.held(OTHER, CLIENT) is None


async def test_a_cursor_that_was_left_for_long_is_gone(kit: Kit) -> None:
    async with opened(kit.make()) as bench:
        bench.engine.cursors.hold(APP, CLIENT, held(1))
    if not kit.lasting:
        return
    kit.clock.now += 31 * 24 * 3600
    async with opened(kit.make()) as bench:
        assert await bench.engine.cursors.held(APP, CLIENT) is None


async def test_what_is_settled_is_found_afterwards(bench: Bench) -> None:
    bench.engine.cursors.hold(APP, CLIENT, held(3))
    await bench.engine.cursors.settle()
    await bench.engine.cursors.settle()
    assert await bench.engine.cursors.held(APP, CLIENT) == held(3)
