"""The writer's memory: a cache that may be small, and changes nothing but speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.harness import APP, Options, offset, opened
from tidings.engines.sqlite import SqliteEngine, ledger
from tidings.hub.channel import ChannelOptions, Retention
from tidings.ids import ChannelName


async def test_more_channels_than_the_cache_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "CHANNELS_CACHED", 3)
    options = Options()
    names = [ChannelName(f"c{n}") for n in range(8)]
    options.of = {name: ChannelOptions(history=Retention(count=2), cache=True) for name in names[:4]}
    engine = SqliteEngine(tmp_path / "log.db", options=options)
    async with opened(engine) as bench:
        for turn in range(5):
            for name in names:
                await bench.say(name, b"%d" % turn)
        writer = engine.broker._threads
        assert writer is not None
        assert len(writer[0]._ledger._channels) <= 3
        newest: dict[str, int] = {}
        for m in bench.heard.messages():
            assert m.previous == newest.get(m.channel)
            newest[m.channel] = offset(m)
        for name in names:
            own = [offset(m) for m in bench.heard.messages() if m.channel == name]
            floor = own[-3] if name in names[:4] else 0
            assert await bench.offsets(name, after=floor) == [o for o in own if o > floor]
            latest = await engine.broker.latest(APP, name)
            assert latest is not None
            assert offset(latest) == own[-1]
