"""What leaves the log over time: in slices, without a publish, and with an exact floor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.harness import APP, NEWS, SPORT, Bench, Clock, Options, opened, until
from tidings.engines.base import Held
from tidings.engines.sqlite import SqliteEngine, trim, writer
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import ChannelName, ClientId

DAY = 24 * 3600


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def options() -> Options:
    return Options()


@pytest.fixture
async def bench(
    tmp_path: Path, clock: Clock, options: Options, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    monkeypatch.setattr(writer, "SWEEP_SECONDS", 0.02)
    async with opened(SqliteEngine(tmp_path / "log.db", clock=clock, options=options)) as bench:
        yield bench


def ask(bench: Bench, query: str) -> Any:
    engine = bench.engine
    assert isinstance(engine, SqliteEngine)
    assert engine._files is not None
    return engine._files.readers[0].execute(query).get


async def until_gone(bench: Bench, table: str, left: int = 0) -> None:
    async def gone() -> bool:
        return bool(ask(bench, f"SELECT count(*) FROM {table}") == left)

    await until(gone)


async def test_a_silent_log_empties_in_slices(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "SLICE_ROWS", 7)
    said = await bench.say(NEWS, *[b"1"] * 50)
    await bench.say(SPORT, b"1")
    clock.now += DAY
    await until_gone(bench, "messages")
    assert (await bench.read(NEWS, after=said[-2])).resets == {NEWS: "retention"}
    assert (await bench.read(NEWS, after=said[-1])).resets == {}
    again = await bench.say(NEWS, b"2")
    assert bench.heard.messages()[-1].previous == said[-1]
    assert await bench.offsets(NEWS, after=said[-1]) == again


async def test_a_log_far_over_its_bound_is_cut_in_slices(
    tmp_path: Path, clock: Clock, options: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(trim, "SLICE_ROWS", 10)
    path = tmp_path / "log.db"
    async with opened(SqliteEngine(path, clock=clock, options=options)) as bench:
        said = await bench.say(NEWS, *[b"1"] * 100)
    options.of[NEWS] = ChannelOptions(history=Retention(count=5))
    async with opened(SqliteEngine(path, clock=clock, options=options)) as bench:
        said += await bench.say(NEWS, b"1")
        await until_gone(bench, "messages", left=5)
        assert await bench.offsets(NEWS, after=said[-6]) == said[-5:]
        assert (await bench.read(NEWS, after=said[-7])).resets == {NEWS: "retention"}


async def test_large_bounds_are_trimmed_many_at_a_time(bench: Bench, options: Options) -> None:
    options.of[NEWS] = ChannelOptions(history=Retention(count=160))
    said = await bench.say(NEWS, *[b"1"] * 160)
    said = await bench.say(NEWS, *[b"1"] * 10)
    assert ask(bench, "SELECT count(*) FROM messages") == 170
    await bench.say(NEWS, b"1")
    assert ask(bench, "SELECT count(*) FROM messages") == 160
    assert len(await bench.offsets(NEWS, after=said[0] - 1)) == 11


async def test_receipts_go_after_their_window(bench: Bench, clock: Clock) -> None:
    first = await bench.say(NEWS, b"1", key="k")
    clock.now += DAY - 1
    assert await bench.say(NEWS, b"1", key="k") == first
    clock.now += 1
    await until_gone(bench, "receipts")
    assert await bench.say(NEWS, b"1", key="k") > first


async def test_receipts_beyond_their_number_go(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trim, "RECEIPTS_MAX", 3)
    said = [(await bench.say(NEWS, b"1", key=f"k{n}"))[0] for n in range(9)]
    await until_gone(bench, "receipts", left=3)
    assert await bench.say(NEWS, b"1", key="k8") == said[-1:]


async def test_held_cursors_go_by_age_and_number(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "HELD_MAX", 3)
    for number in range(9):
        held = Held(epoch="0000000a", connections=number, channels={NEWS: 1})
        bench.engine.cursors.hold(APP, ClientId(f"c{number}"), held)
    await until_gone(bench, "held", left=3)
    clock.now += 31 * DAY
    await until_gone(bench, "held")


async def test_forgotten_channels_stay_safe(
    bench: Bench, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "CHANNELS_MAX", 2)
    first = await bench.say(NEWS, b"1", b"2")
    clock.now += DAY
    await until_gone(bench, "messages")
    for number in range(4):
        await bench.say(ChannelName(f"c{number}"), b"1")
    await until_gone(bench, "channels", left=4)
    assert (await bench.read(NEWS, after=first[0])).resets == {NEWS: "retention"}
    assert (await bench.read(NEWS, after=first[1])).resets == {}
    await bench.say(NEWS, b"3")
    assert bench.heard.messages()[-1].previous == first[-1]
