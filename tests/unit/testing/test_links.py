"""The bookkeeping of one link, without sockets; what a link does to bytes is in test_faults."""

from __future__ import annotations

import asyncio
import random
from typing import cast

import pytest

from tidings.testing.links import Counts, Direction, Link, Streams, Weather, reset_transport


def link_without_sockets(weather: Weather | None = None) -> Link:
    nothing = cast(Streams, None)
    return Link(nothing, nothing, weather=weather or Weather(), rng=random.Random(7), counts=Counts())


async def test_everything_passes_at_once_in_fair_weather() -> None:
    link = link_without_sockets()
    assert link.portion(Direction.UP, 500) == 500
    assert link.due(10.0) == 10.0
    await link.held_back(Direction.UP)


async def test_a_drip_bounds_the_portion() -> None:
    link = link_without_sockets()
    link.drip(3, interval=0.1)
    assert link.portion(Direction.UP, 500) == 3
    assert link.portion(Direction.UP, 2) == 2


async def test_drop_after_bounds_only_its_direction() -> None:
    link = link_without_sockets()
    link.drop_after(10, direction=Direction.DOWN)
    assert link.portion(Direction.DOWN, 500) == 10
    assert link.portion(Direction.UP, 500) == 500


async def test_a_used_up_allowance_ends_the_link_once() -> None:
    link = link_without_sockets()
    link.drop_after(10)
    link.passed(Direction.DOWN, 10)
    link.cut()
    assert (link.counts.dropped, link.counts.cut, link.counts.bytes_down) == (1, 0, 10)


async def test_healing_forgets_a_pending_drop() -> None:
    link = link_without_sockets()
    link.drop_after(10)
    link.heal()
    link.passed(Direction.DOWN, 50)
    assert link.counts.dropped == 0


async def test_a_blackhole_holds_one_direction_until_healed() -> None:
    link = link_without_sockets()
    link.blackhole(Direction.DOWN)
    await link.held_back(Direction.UP)
    waiting = asyncio.create_task(link.held_back(Direction.DOWN))
    await asyncio.sleep(0)
    assert not waiting.done()
    link.heal()
    await asyncio.wait_for(waiting, 5)


async def test_jitter_is_bounded_and_repeats_with_its_seed() -> None:
    weather = Weather(delay=0.2, jitter=0.1)
    first, second = link_without_sockets(weather), link_without_sockets(weather)
    drawn = [first.due(0.0) for _ in range(50)]
    assert drawn == [second.due(0.0) for _ in range(50)]
    assert all(0.2 <= due <= 0.3 for due in drawn)
    assert len(set(drawn)) > 1


async def test_a_healed_delay_is_not_waited_out() -> None:
    link = link_without_sockets(Weather(delay=3600.0))
    waiting = asyncio.create_task(link.until(asyncio.get_running_loop().time() + 3600.0))
    await asyncio.sleep(0)
    link.heal()
    await asyncio.wait_for(waiting, 5)


@pytest.mark.parametrize("error", [OSError("bad file descriptor"), ValueError("negative file descriptor")])
def test_a_socket_that_is_closed_already_is_aborted_all_the_same(error: Exception) -> None:
    """uvloop raises ValueError where asyncio raises OSError."""
    aborted: list[bool] = []

    class Closed:
        transport = property(lambda self: self)

        def get_extra_info(self, name: str) -> Closed:
            return self

        def setsockopt(self, *_: object) -> None:
            raise error

        def abort(self) -> None:
            aborted.append(True)

    reset_transport(cast(asyncio.StreamWriter, Closed()))
    assert aborted == [True]
