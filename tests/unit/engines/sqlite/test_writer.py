"""The writer under faults: one poison item, a full disk, a stranger's lock, a file that goes away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.engines.harness import APP, NEWS, SPORT, Bench, message, opened, until
from tidings.engines.sqlite import SqliteEngine, files, log
from tidings.errors import EngineError, EngineUnavailable
from tidings.messages import Message, Position


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
async def bench(path: Path) -> AsyncIterator[Bench]:
    async with opened(SqliteEngine(path)) as bench:
        yield bench


def limit_pages(bench: Bench, count: int | None) -> None:
    """Let the file grow by so many pages more; None takes the limit away."""
    engine = bench.engine
    assert isinstance(engine, SqliteEngine)
    assert engine._files is not None
    connection: apsw.Connection = engine._files.writer
    pages = connection.pragma("page_count") + count if count is not None else 2**31
    connection.pragma("max_page_count", pages)


async def publish(bench: Bench, *messages: Message) -> Any:
    return await bench.engine.broker.publish(APP, messages)


async def publish_until_refused(bench: Bench) -> None:
    for _ in range(1000):
        await publish(bench, message(NEWS, b"x" * 1000))


async def test_one_poison_message_fails_alone(bench: Bench) -> None:
    poison = Message(id="\ud800", channel=NEWS, event="e", data=b"1", time=1)
    answers = await asyncio.gather(
        *[publish(bench, message(NEWS)) for _ in range(5)],
        publish(bench, message(SPORT), poison),
        *[publish(bench, message(NEWS)) for _ in range(5)],
        return_exceptions=True,
    )
    assert [isinstance(answer, BaseException) for answer in answers] == [False] * 5 + [True] + [False] * 5
    assert len(await bench.offsets(NEWS)) == 10
    assert await bench.offsets(SPORT) == []
    assert bench.heard.messages()[0].previous is None
    assert bench.engine.health().ok


async def test_a_full_disk_refuses_what_does_not_fit_and_heals(bench: Bench) -> None:
    said = await bench.say(NEWS, b"1")
    limit_pages(bench, 10)
    answers = await asyncio.gather(
        publish(bench, message(NEWS)),
        publish(bench, message(NEWS, b"x" * 100_000)),
        publish(bench, message(NEWS)),
        return_exceptions=True,
    )
    refused = answers[1]
    assert isinstance(refused, EngineUnavailable)
    assert refused.full
    assert "full" in str(refused)
    assert len(await bench.offsets(NEWS)) == 3
    with pytest.raises(EngineUnavailable):
        await publish_until_refused(bench)
    assert not bench.engine.health().ok
    before = await bench.offsets(NEWS)
    assert before[:1] == said
    limit_pages(bench, None)

    async def healed() -> bool:
        return bench.engine.health().ok

    await until(healed)
    after = await bench.say(NEWS, b"2")
    assert await bench.offsets(NEWS) == before + after
    assert [m.previous for m in bench.heard.messages()][-1] == before[-1]


async def test_a_strangers_lock_is_waited_for_then_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "BUSY_MS", 50)
    async with opened(SqliteEngine(path)) as bench:
        await bench.say(NEWS, b"1")
        with contextlib.closing(apsw.Connection(os.fspath(path))) as stranger:
            stranger.execute("BEGIN IMMEDIATE")
            with pytest.raises(EngineUnavailable, match="another program") as refused:
                await bench.say(NEWS, b"2")
            assert not refused.value.full
            assert "locked" in bench.engine.health().detail
            assert len(await bench.offsets(NEWS)) == 1
            stranger.execute("ROLLBACK")
        await bench.say(NEWS, b"3")
        assert bench.engine.health().ok


@pytest.mark.parametrize("name", ["log.db", "log.db-wal", "log.db-lock"])
async def test_a_file_that_was_removed_stops_acknowledging(path: Path, name: str) -> None:
    """What is written to a file without a name is gone with the process; without the lock another server comes in."""
    async with opened(SqliteEngine(path)) as bench:
        await bench.say(NEWS, b"1")
        os.unlink(path.with_name(name))

        async def noticed() -> bool:
            return "removed" in bench.engine.health().detail

        await until(noticed)
        with pytest.raises(EngineUnavailable, match="removed or replaced"):
            await bench.say(NEWS, b"2")
        assert len(await bench.offsets(NEWS)) == 1


async def test_another_content_put_into_the_open_file_stops_acknowledging(path: Path, tmp_path: Path) -> None:
    """As by `.restore` of SQLite's shell: the file stays the same one, and offsets would go on over what is gone."""
    backup = sqlite3.connect(tmp_path / "backup.db")
    async with opened(SqliteEngine(path)) as bench:
        await bench.say(NEWS, b"1")
        stranger = sqlite3.connect(path)
        stranger.backup(backup)
        await bench.say(NEWS, b"2")
        backup.backup(stranger)
        with pytest.raises(EngineUnavailable, match="replaced"):
            await bench.say(NEWS, b"3")
        with pytest.raises(EngineUnavailable, match="replaced"):
            await bench.say(NEWS, b"4")
        stranger.close()
    backup.close()
    async with opened(SqliteEngine(path)) as bench:
        page = await bench.engine.broker.read(APP, [NEWS], Position(bench.engine.broker.head(APP).epoch, 0))
        assert [message.data for message in page.messages] == [b"1"]


async def test_a_tool_that_rewrites_the_file_as_it_is_does_no_harm(bench: Bench, path: Path) -> None:
    await bench.say(NEWS, b"1")
    stranger = sqlite3.connect(path)
    stranger.execute("VACUUM")
    stranger.close()
    await bench.say(NEWS, b"2")
    assert bench.engine.health().ok
    assert len(await bench.offsets(NEWS)) == 2


async def test_an_engine_that_is_refused_does_not_drop_the_locks_of_the_first(
    bench: Bench, path: Path
) -> None:
    """POSIX locks go when their process closes any descriptor of the file; a stranger would then take the log away."""
    await bench.say(NEWS, b"1")
    with pytest.raises(EngineError, match="in use"):
        await SqliteEngine(path).open()
    opens_and_closes = (
        f"import sqlite3; c = sqlite3.connect({str(path)!r}); c.execute('SELECT * FROM log'); c.close()"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", opens_and_closes], check=True)
    assert path.with_name("log.db-wal").exists()
    await bench.say(NEWS, b"2")
    assert bench.engine.health().ok


async def test_what_waits_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "WAITING_MAX", 10)
    answers = await asyncio.gather(
        *[publish(bench, message(NEWS)) for _ in range(15)], return_exceptions=True
    )
    assert [isinstance(answer, EngineUnavailable) for answer in answers] == [False] * 10 + [True] * 5
    monkeypatch.setattr(log, "WAITING_BYTES", 100)
    with pytest.raises(EngineUnavailable, match="more publishes wait"):
        await bench.say(NEWS, b"x" * 101)
    await bench.say(NEWS, b"x")


async def test_sixty_four_publishes_at_once_share_commits(bench: Bench) -> None:
    engine = bench.engine
    assert isinstance(engine, SqliteEngine)
    assert engine._files is not None
    for _ in range(5):
        await asyncio.gather(*[bench.say(NEWS, b"1") for _ in range(64)])
    found = engine._files.readers[0].execute("SELECT max(serial) FROM apps").get
    assert found <= 10
