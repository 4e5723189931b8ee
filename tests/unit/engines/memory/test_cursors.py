"""Held cursors in memory: bounded by number and age."""

from __future__ import annotations

import pytest

from tests.engines.harness import APP, Clock
from tidings.engines.base import Held
from tidings.engines.memory import cursors
from tidings.engines.memory.cursors import MemoryCursors
from tidings.ids import ClientId

HELD = Held(epoch="0000000a", connections=1, channels={})


async def test_who_was_silent_longest_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors, "HELD_MAX", 2)
    store = MemoryCursors(Clock())
    for name in ("a", "b", "a", "c"):
        store.hold(APP, ClientId(name), HELD)
    found = [await store.held(APP, ClientId(name)) for name in ("a", "b", "c")]
    assert found == [HELD, None, HELD]


async def test_a_day_later_it_is_gone() -> None:
    clock = Clock()
    store = MemoryCursors(clock)
    store.hold(APP, ClientId("a"), HELD)
    clock.now += 24 * 3600
    assert await store.held(APP, ClientId("a")) is None
    store.hold(APP, ClientId("b"), HELD)
    assert len(store._held) == 1
