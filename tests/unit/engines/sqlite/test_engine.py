"""The sqlite engine at its edges: strangers, damage, torn tails, second processes, backups."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.engines.crashes import leave_as_killed
from tests.engines.harness import APP, NEWS, offset, opened
from tidings.engines.sqlite import SqliteEngine
from tidings.engines.sqlite.guard import Mark, identity
from tidings.errors import EngineError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "log.db"


async def fill(path: Path, count: int, data: bytes = b"1") -> list[int]:
    async with opened(SqliteEngine(path)) as bench:
        return [(await bench.say(NEWS, data))[0] for _ in range(count)]


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)


def content(path: Path) -> bytes:
    return path.read_bytes()


async def test_a_second_engine_on_the_same_file_is_refused(path: Path) -> None:
    async with opened(SqliteEngine(path)):
        with pytest.raises(EngineError, match=r"log\.db is in use by another process"):
            await SqliteEngine(path).open()
    await fill(path, 1)


async def test_a_link_to_the_file_is_the_same_file(path: Path, tmp_path: Path) -> None:
    async with opened(SqliteEngine(path)):
        (tmp_path / "link.db").symlink_to(path)
        with pytest.raises(EngineError, match="in use"):
            await SqliteEngine(tmp_path / "link.db").open()


async def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    write(path, b"a diary, not a database\n" * 100)
    with pytest.raises(EngineError, match=r"log\.db"):
        await SqliteEngine(path).open()
    assert content(path).startswith(b"a diary")


async def test_somebody_elses_database_is_refused_and_left_alone(path: Path) -> None:
    os.mkdir(path.parent)
    stranger = sqlite3.connect(path)
    stranger.execute("CREATE TABLE diary (day)")
    stranger.close()
    before = content(path)
    with pytest.raises(EngineError, match="not a Tidings log"):
        await SqliteEngine(path).open()
    assert content(path) == before


async def test_a_log_of_a_newer_version_is_refused(path: Path) -> None:
    await fill(path, 1)
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(EngineError, match="newer Tidings"):
        await SqliteEngine(path).open()


async def test_a_damaged_file_is_refused_by_name(path: Path) -> None:
    await fill(path, 200, b"x" * 500)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096 * 4)
    with pytest.raises(EngineError, match=r"log\.db"):
        await SqliteEngine(path).open()


async def test_a_file_cut_short_is_refused_by_name(path: Path) -> None:
    await fill(path, 200, b"x" * 500)
    os.truncate(path, 60_000)
    with pytest.raises(EngineError, match=r"log\.db"):
        await SqliteEngine(path).open()


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EngineError, match="cannot be written"):
        await SqliteEngine(tmp_path / "file" / "log.db").open()


async def test_a_torn_tail_is_cut_off_and_told_as_a_new_epoch_if_it_was_acknowledged(path: Path) -> None:
    async with opened(SqliteEngine(path)) as bench:
        said = [(await bench.say(NEWS, b"x" * 300))[0] for _ in range(30)]
        epoch = bench.engine.broker.head(APP).epoch
        torn = path.parent / "torn"
        for cut in (0, 1, 24, 4096, 20_000):
            shutil.rmtree(torn, ignore_errors=True)
            leave_as_killed(path.parent, torn)
            os.truncate(torn / "log.db-wal", (torn / "log.db-wal").stat().st_size - cut)
            async with opened(SqliteEngine(torn / "log.db")) as after:
                kept = await after.offsets(NEWS)
                assert kept == said[: len(kept)]
                assert (after.engine.broker.head(APP).epoch == epoch) == (kept == said)
                assert (cut == 0) == (kept == said)


async def test_bytes_after_the_last_commit_harm_nothing(path: Path) -> None:
    async with opened(SqliteEngine(path)) as bench:
        said = [(await bench.say(NEWS, b"1"))[0] for _ in range(5)]
        epoch = bench.engine.broker.head(APP).epoch
        copy = path.parent / "copy"
        leave_as_killed(path.parent, copy)
    with (copy / "log.db-wal").open("ab") as wal:
        wal.write(b"\x37" * 3000)
    async with opened(SqliteEngine(copy / "log.db")) as after:
        assert await after.offsets(NEWS) == said
        assert after.engine.broker.head(APP).epoch == epoch


async def set_back(path: Path, restore: Callable[[Path, Path], object]) -> str:
    """Back a log's folder up, publish more, restore: why a cursor of then is reset."""
    first = await fill(path, 3)
    folder, backup = path.parent, path.parent.with_name("backup")
    shutil.copytree(folder, backup)
    async with opened(SqliteEngine(path)) as bench:
        await bench.say(NEWS, b"later")
        cursor = bench.engine.broker.head(APP)
    restore(backup, folder)
    async with opened(SqliteEngine(path)) as bench:
        await bench.say(NEWS, b"other", b"another")
        page = await bench.engine.broker.read(APP, [NEWS], cursor)
        assert (await bench.offsets(NEWS))[:3] == first
    async with opened(SqliteEngine(path)) as bench:  # and from then on it goes on
        assert await bench.offsets(NEWS, after=first[-1]) == [first[-1] + 1, first[-1] + 2]
    return page.resets.get(NEWS, "not at all")


def keeps_generations(folder: Path) -> bool:
    (folder / "probe").touch()
    return not identity(str(folder / "probe")).endswith(".00000000")


def replace(backup: Path, folder: Path) -> None:
    shutil.rmtree(folder)
    shutil.copytree(backup, folder)


def over(backup: Path, folder: Path) -> None:
    """As `cp backup/* data/`, hours later."""
    long_ago = time.time_ns() // 10**6 - 3_600_000
    lock = backup / "log.db-lock"
    mark = Mark.decode(lock.read_bytes())
    assert mark is not None
    lock.write_bytes(mark._replace(time=long_ago).encode())
    shutil.copytree(backup, folder, copy_function=shutil.copyfile, dirs_exist_ok=True)


def log_alone(backup: Path, folder: Path) -> None:
    shutil.copyfile(backup / "log.db", folder / "log.db")


def elsewhere(backup: Path, folder: Path) -> None:
    """The log restored where no server ever ran: by `VACUUM INTO`, or the log's file alone."""
    shutil.rmtree(folder)
    folder.mkdir()
    shutil.copyfile(backup / "log.db", folder / "log.db")


def marked_anew(backup: Path, folder: Path) -> None:
    """All overwritten with times and all, which nothing can tell: the manual says to remove the lock file."""
    shutil.copytree(backup, folder, copy_function=shutil.copy2, dirs_exist_ok=True)
    (folder / "log.db-lock").unlink()


@pytest.mark.parametrize("restore", [replace, over, log_alone, elsewhere, marked_anew])
async def test_a_log_that_was_set_back_begins_a_new_epoch(
    path: Path, restore: Callable[[Path, Path], object]
) -> None:
    """Else new messages take the offsets of lost ones, and a cursor of then passes over them in silence."""
    if restore is replace and not keeps_generations(path.parent.parent):
        pytest.skip("this file system keeps no generations, so a copy may get the number of what was removed")
    assert await set_back(path, restore) == "epoch"


async def test_a_folder_that_moves_or_changes_hands_keeps_its_epoch(path: Path) -> None:
    said = await fill(path, 3)
    async with opened(SqliteEngine(path)) as bench:
        epoch = bench.engine.broker.head(APP).epoch
    for file in path.parent.iterdir():
        file.chmod(0o660)
        os.chown(file, os.getuid(), os.getgid())
    moved = path.parent.rename(path.parent.with_name("moved")) / "log.db"
    async with opened(SqliteEngine(moved)) as bench:
        assert bench.engine.broker.head(APP).epoch == epoch
        assert await bench.offsets(NEWS) == said


async def test_closing_leaves_one_whole_file_that_others_cannot_read(path: Path) -> None:
    await fill(path, 3)
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["log.db", "log.db-lock"]
    assert os.stat(path).st_mode & 0o077 == 0


async def test_an_engine_opens_again_after_closing(path: Path) -> None:
    engine = SqliteEngine(path)
    async with opened(engine) as bench:
        said = await bench.say(NEWS, b"1")
    async with opened(engine) as bench:
        page = await bench.read(NEWS)
        assert [offset(m) for m in page.messages] == said
        assert await bench.say(NEWS, b"2") > said
