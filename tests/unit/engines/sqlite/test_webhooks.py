"""The store of the sqlite engine: all or nothing, kept when it returns, and clear words for a file that will not do."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from tidings.engines.sqlite.webhooks import SqliteStore, path_beside
from tidings.errors import EngineError, EngineUnavailable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log-webhooks.db"


async def kept(path: Path) -> list[tuple[str, bytes]]:
    store = SqliteStore(str(path))
    try:
        return list(await store.load())
    finally:
        await store.close()


def test_the_file_stands_beside_the_log() -> None:
    assert path_beside("data/log.db") == "data/log-webhooks.db"
    assert path_beside("data.d/log") == "data.d/log-webhooks.db"


async def test_what_is_kept_is_loaded_in_order_and_what_is_forgotten_is_not(path: Path) -> None:
    store = SqliteStore(str(path))
    assert await store.load() == []
    await store.write({"b": b"2", "a": b"1", "c": b"3"})
    await store.write({"c": None, "nobody": None, "a": b"4"})
    await store.close()
    await store.close()
    assert await kept(path) == [("a", b"4"), ("b", b"2")]


async def test_without_webhooks_there_is_no_file(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.load()
    await store.close()
    assert os.listdir(os.path.dirname(path)) == []


async def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.write({"a": b"1"})
    await store.close()
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600


async def test_what_was_written_survives_kill_9(path: Path) -> None:
    program = f"""
import asyncio, os, signal
from tidings.engines.sqlite.webhooks import SqliteStore
async def main():
    store = SqliteStore({str(path)!r})
    await store.write({{"a": b"1"}})
    await store.write({{"b": b"2", "a": None}})
    os.kill(os.getpid(), signal.SIGKILL)
asyncio.run(main())
"""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", program)
    assert await asyncio.wait_for(child.wait(), 60) == -signal.SIGKILL
    assert await kept(path) == [("b", b"2")]


async def test_a_strangers_file_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (a)")
    with pytest.raises(EngineError, match="not one of our webhooks"):
        await kept(path)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]


async def test_a_newer_versions_file_is_left_alone(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.write({"a": b"1"})
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(EngineError, match="newer Tidings"):
        await kept(path)


@pytest.fixture
def damaged(path: Path) -> Path:
    path.write_bytes(b"this is no database, and long enough to be seen as none" * 100)
    return path


async def test_a_damaged_file_is_told_with_what_to_do(damaged: Path) -> None:
    with pytest.raises(EngineError, match=r"cannot be used for webhooks .*restore it, or remove it"):
        await kept(damaged)


async def test_a_write_that_fails_changes_nothing_and_may_be_tried_again(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.write({"a": b"1"})
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    assert store._connection is not None
    store._connection.set_busy_timeout(1)
    with pytest.raises(EngineUnavailable, match=r"keeps .* locked"):
        await store.write({"a": None, "b": b"2"})
    other.execute("ROLLBACK")
    other.close()
    await store.write({"b": b"2"})
    await store.close()
    assert await kept(path) == [("a", b"1"), ("b", b"2")]


async def test_a_full_disk_is_told_as_such(path: Path) -> None:
    store = SqliteStore(str(path))
    await store.write({"a": b"1"})
    assert store._connection is not None
    store._connection.pragma("max_page_count", 5)
    with pytest.raises(EngineUnavailable, match="full") as raised:
        await store.write({f"k{at}": b"x" * 4000 for at in range(100)})
    assert raised.value.full
    store._connection.pragma("max_page_count", 1 << 20)
    await store.write({"b": b"2"})
    await store.close()
    assert await kept(path) == [("a", b"1"), ("b", b"2")]
