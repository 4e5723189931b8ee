"""The memory engine's life: each is a log of its own, and nothing of it runs on after closing."""

from __future__ import annotations

from tests.engines.harness import APP, NEWS, opened
from tidings.engines.memory import MemoryEngine


async def test_every_engine_is_a_new_epoch() -> None:
    epochs = set()
    for _ in range(2):
        async with opened(MemoryEngine()) as bench:
            await bench.say(NEWS, b"1")
            epochs.add(bench.engine.broker.head(APP).epoch)
    assert len(epochs) == 2


async def test_closing_stops_the_sweep() -> None:
    engine = MemoryEngine()
    await engine.open()
    timer = engine._timer
    assert timer is not None
    await engine.close()
    assert timer.cancelled()
    assert not engine.health().ok
