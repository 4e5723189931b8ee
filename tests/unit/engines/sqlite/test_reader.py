"""The readers: only what was asked for is loaded, and damage found by reading is told."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tests.engines.harness import APP, NEWS, SPORT, opened
from tidings.engines.base import Page
from tidings.engines.sqlite import SqliteEngine, log
from tidings.engines.sqlite.reader import read_latest, read_page
from tidings.errors import EngineUnavailable
from tidings.ids import ChannelName
from tidings.messages import Position


async def test_a_page_loads_one_row_more_per_channel_than_it_gives(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "log.db")
    async with opened(engine) as bench:
        for turn in range(40):
            for number in range(5):
                await bench.say(ChannelName(f"c{number}"), b"%d" % turn)
        assert engine._files is not None
        connection, loaded = engine._files.readers[0], list[object]()

        def note(cursor: apsw.Cursor, row: apsw.SQLiteValues) -> apsw.SQLiteValues:
            loaded.append(row)
            return row

        connection.row_trace = note
        names = [ChannelName(f"c{number}") for number in range(3)]
        page = read_page(connection, APP, names, 10, engine.broker.head(APP), 20, 1 << 20)
        connection.row_trace = None
        assert len(page.messages) == 20
        messages = [row for row in loaded if isinstance(row, tuple) and len(row) == 7]
        assert len(messages) <= 20 + 1 + len(names)


async def test_damage_found_by_reading_is_told_and_stays(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "log.db")
    async with opened(engine) as bench:
        await bench.say(NEWS, b"1")

        def job(connection: apsw.Connection) -> Page:
            raise apsw.CorruptError("database disk image is malformed")

        with pytest.raises(EngineUnavailable, match="damaged"):
            await engine.broker._ask(job)
        assert not engine.health().ok
        await bench.say(NEWS, b"2")
        assert "damaged" in engine.health().detail


async def test_reads_that_wait_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(SqliteEngine(tmp_path / "log.db")) as bench:
        await bench.say(NEWS, b"1")
        monkeypatch.setattr(log, "READS_MAX", 0)
        with pytest.raises(EngineUnavailable, match="more reads wait"):
            await bench.read(SPORT)


async def test_what_is_committed_and_not_told_yet_is_not_read(tmp_path: Path) -> None:
    engine = SqliteEngine(tmp_path / "log.db")
    async with opened(engine) as bench:
        said = await bench.say(NEWS, b"1", b"2", b"3")
        assert engine._files is not None
        connection = engine._files.readers[0]
        told = Position(engine.broker.head(APP).epoch, said[1])
        page = read_page(connection, APP, [NEWS], 0, told, 500, 1 << 20)
        assert [m.data for m in page.messages] == [b"1", b"2"]
        assert page.complete
        assert page.head == told
        latest = read_latest(connection, APP, NEWS, told)
        assert latest is not None
        assert latest.data == b"2"
