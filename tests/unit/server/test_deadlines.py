"""One sweep for all deadlines, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tidings.server.deadlines import TICK, Deadlines, deadlines_of


class Timer:
    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at, self.call, self.cancelled = at, call, False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + delay, call))
        return self.timers[-1]

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer.at <= end]:
            timer = min(due, key=lambda timer: timer.at)
            self.timers.remove(timer)
            self.now = timer.at
            if not timer.cancelled:
                timer.call()
        self.now = end


class Mortal:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.at: list[float] = []

    def expired(self) -> None:
        self.at.append(self.loop.now - 100.0)


def begin() -> tuple[Loop, Deadlines, Mortal]:
    loop = Loop()
    return loop, Deadlines(loop), Mortal(loop)  # type: ignore[arg-type]


def test_a_deadline_passes_once_and_never_late() -> None:
    loop, deadlines, mortal = begin()
    deadlines.set(mortal, 10.0)
    loop.run(30)
    (at,) = mortal.at
    assert 10.0 - TICK <= at <= 10.0
    assert len(deadlines) == 0


def test_a_deadline_taken_back_never_passes() -> None:
    loop, deadlines, mortal = begin()
    deadlines.set(mortal, 1.0)
    deadlines.clear(mortal)
    deadlines.clear(mortal)
    loop.run(3)
    assert mortal.at == []


def test_a_new_deadline_replaces_the_old_one() -> None:
    loop, deadlines, mortal = begin()
    deadlines.set(mortal, 1.0)
    deadlines.set(mortal, 5.0)
    loop.run(10)
    assert len(mortal.at) == 1
    assert mortal.at[0] > 4.0


def test_the_sweep_rests_while_there_is_nothing() -> None:
    loop, deadlines, mortal = begin()
    deadlines.set(mortal, 1.0)
    loop.run(3)
    assert loop.timers == []
    deadlines.set(mortal, 1.0)
    deadlines.close()
    loop.run(3)
    assert len(mortal.at) == 1


def test_who_is_over_may_set_a_deadline_for_another() -> None:
    loop, deadlines, mortal = begin()

    class Chain:
        def expired(self) -> None:
            deadlines.set(mortal, 2.0)

    deadlines.set(Chain(), 1.0)
    loop.run(10)
    assert len(mortal.at) == 1


def test_a_fault_of_one_does_not_spare_the_others(caplog: pytest.LogCaptureFixture) -> None:
    loop, deadlines, mortal = begin()

    class Faulty:
        def expired(self) -> None:
            raise RuntimeError("broken")

    deadlines.set(Faulty(), 1.0)
    deadlines.set(mortal, 1.0)
    loop.run(3)
    assert len(mortal.at) == 1
    assert "deadline_failed" in caplog.text


async def test_a_loop_has_one_set_of_deadlines() -> None:
    loop = asyncio.get_running_loop()
    assert deadlines_of(loop) is deadlines_of(loop)
