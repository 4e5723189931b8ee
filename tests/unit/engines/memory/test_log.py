"""The memory log's own bounds; what it does as a broker is tested with all engines."""

from __future__ import annotations

import pytest

from tests.engines.harness import APP, NEWS, SPORT, Clock, Options, offset, opened
from tidings.engines.memory import MemoryEngine, log
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import ChannelName


async def test_a_forgotten_channel_resets_cursors_and_is_never_taken_for_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log, "CHANNELS_MAX", 2)
    async with opened(MemoryEngine()) as bench:
        first = await bench.say(NEWS, b"1", b"2")
        await bench.say(SPORT, b"3")
        await bench.say(ChannelName("third"), b"4")
        assert (await bench.read(NEWS, after=first[0])).resets == {NEWS: "retention"}
        assert await bench.offsets(SPORT) == [offset(bench.heard.messages()[2])]
        await bench.say(NEWS, b"5")
        assert bench.heard.messages()[-1].previous == first[-1]


async def test_keys_are_forgotten_after_their_window_and_beyond_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock()
    async with opened(MemoryEngine(clock=clock)) as bench:
        first = await bench.say(NEWS, b"1", key="k")
        clock.now += 24 * 3600 - 1
        assert await bench.say(NEWS, b"1", key="k") == first
        clock.now += 1
        assert await bench.say(NEWS, b"1", key="k") > first
        monkeypatch.setattr(log, "KEYS_MAX", 3)
        for number in range(9):
            await bench.say(NEWS, b"1", key=f"k{number}")
        assert len(bench.engine.broker._apps[APP].receipts) <= 4  # type: ignore[attr-defined]


async def test_the_sweep_frees_silent_channels_a_slice_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, options = Clock(), Options()
    monkeypatch.setattr(log, "SWEEP_CHANNELS", 4)
    names = [ChannelName(f"c{n}") for n in range(10)]
    options.of = {name: ChannelOptions(history=Retention(age=1)) for name in names}
    engine = MemoryEngine(clock=clock, options=options)
    async with opened(engine) as bench:
        for name in names:
            await bench.say(name, b"1")
        clock.now += 2
        assert [engine.broker.sweep(0), engine.broker.sweep(4), engine.broker.sweep(8)] == [4, 8, 0]
        assert sum(len(shelf) for shelf in engine.broker._apps[APP].shelves.values()) == 0
