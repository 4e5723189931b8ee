"""What happens to a SQLite file behind our back: all of it is told, and the source goes on by itself."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.sources.rigs import PATIENCE, Follower, Log, SqliteRig, until
from tidings.changes import Gap, Progress, Transaction
from tidings.errors import SourceError

TASKS = "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT)"
MANY = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) INSERT INTO tasks (id) SELECT i FROM n"
ALL = Gap("source")
OF_TASKS = Gap("source", ("tasks",))


async def following(sqlite: SqliteRig, *tables: str, **options: int) -> Follower:
    return await (await sqlite.follow(*tables, **options)).begun()


async def follows(sqlite: SqliteRig, follower: Follower, id: int) -> None:
    """A row written now is told next."""
    sqlite.execute(f"INSERT INTO tasks (id) VALUES ({id})")
    assert [c.row["id"] for c in await follower.changes(1)] == [id]


# ── the schema


async def test_a_dropped_trigger_is_a_gap_of_its_table_and_is_made_anew(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS + "; CREATE TABLE notes (id)")
    follower = await following(sqlite, "tasks", "notes")
    sqlite.execute("DROP TRIGGER _tidings_update_tasks; UPDATE tasks SET title = 'unseen'")
    assert await follower.gap() == OF_TASKS
    await follows(sqlite, follower, 1)


async def test_a_trigger_dropped_while_nobody_looks_is_told_at_the_next_start(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    await follower.source.close()
    sqlite.execute("DROP TRIGGER _tidings_insert_tasks; INSERT INTO tasks VALUES (1, 'unseen')")
    again = await sqlite.follow()
    assert await again.gap() == OF_TASKS
    await follows(sqlite, again, 2)


async def test_a_gap_is_repeated_until_it_is_acknowledged(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute("DROP TRIGGER _tidings_insert_tasks")
    told = await follower.next(acknowledge=False)
    await follower.source.close()
    again = await sqlite.follow()
    assert await again.next() == told
    assert told.gap == OF_TASKS


async def test_a_table_made_anew_is_a_gap(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute(f"BEGIN; DROP TABLE tasks; {TASKS}; INSERT INTO tasks VALUES (1, 'unseen'); COMMIT")
    assert await follower.gap() == OF_TASKS
    await follows(sqlite, follower, 2)


async def test_a_migration_that_rebuilds_the_table_is_a_gap(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute(
        "BEGIN; CREATE TABLE new_tasks (id INTEGER PRIMARY KEY, title TEXT NOT NULL DEFAULT '', done INT);"
        "INSERT INTO new_tasks (id, title) SELECT id, title FROM tasks; DROP TABLE tasks;"
        "ALTER TABLE new_tasks RENAME TO tasks; COMMIT"
    )
    assert await follower.gap() == OF_TASKS
    sqlite.execute("INSERT INTO tasks (id) VALUES (1)")
    (change,) = await follower.changes(1)
    assert change.new == {"id": 1, "title": "", "done": None}


async def test_a_table_that_goes_and_comes_back_is_a_gap_each_time_and_health_names_it(
    sqlite: SqliteRig,
) -> None:
    sqlite.execute(TASKS + "; CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    follower = await following(sqlite, "tasks", "notes")
    sqlite.execute("DROP TABLE tasks")
    assert await follower.gap() == OF_TASKS
    assert "tasks" in follower.source.health().detail
    sqlite.execute("INSERT INTO notes VALUES (1)")
    assert [c.table for c in await follower.changes(1)] == ["notes"]
    sqlite.execute(TASKS + "; INSERT INTO tasks VALUES (1, 'perhaps unseen')")
    assert await follower.gap() == OF_TASKS
    assert follower.source.health().detail == ""


async def test_a_new_column_is_a_gap_and_is_told_from_then_on(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS + "; INSERT INTO tasks VALUES (1, 'a')")
    follower = await following(sqlite)
    sqlite.execute("ALTER TABLE tasks ADD COLUMN done INT DEFAULT 0; UPDATE tasks SET done = 1")
    assert await follower.gap() == OF_TASKS
    sqlite.execute("UPDATE tasks SET done = 2")
    (change,) = await follower.changes(1)
    assert change.new == {"id": 1, "title": "a", "done": 2}


async def test_what_was_recorded_before_a_new_column_does_not_know_it(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    await follower.source.close()
    sqlite.execute("INSERT INTO tasks VALUES (1, 'a'); ALTER TABLE tasks ADD COLUMN done INT DEFAULT 0")
    again = await sqlite.follow()
    (change,) = await again.changes(1)
    assert (change.new, change.unknown) == ({"id": 1, "title": "a"}, ("done",))
    assert await again.gap() == OF_TASKS


async def test_a_renamed_column_goes_by_its_new_name(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute("ALTER TABLE tasks RENAME COLUMN title TO name")
    assert await follower.gap() == OF_TASKS
    sqlite.execute("INSERT INTO tasks VALUES (1, 'x')")
    (change,) = await follower.changes(1)
    assert change.new == {"id": 1, "name": "x"}


async def test_a_change_of_the_schema_elsewhere_is_no_gap(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute("CREATE TABLE other (x); CREATE INDEX i ON tasks (title); VACUUM; PRAGMA user_version = 7")
    await follows(sqlite, follower, 1)


async def test_a_table_no_longer_captured_loses_its_triggers(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS + "; CREATE TABLE notes (id)")
    await (await following(sqlite, "tasks", "notes")).source.close()
    await (await sqlite.follow("tasks")).source.close()
    assert (
        sqlite.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%notes' AND type = 'trigger'") == 0
    )


# ── the file


async def test_a_replaced_file_is_a_gap_of_all_and_a_new_generation(
    sqlite: SqliteRig, tmp_path: Path
) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    await follows(sqlite, follower, 1)
    before = follower.source.generation
    other = SqliteRig(_folder(tmp_path / "other"))
    other.execute(TASKS + "; INSERT INTO tasks VALUES (1, 'restored')")
    _remove(sqlite.path)
    os.replace(other.path, sqlite.path)
    assert await follower.gap() == ALL
    assert follower.source.generation != before
    await follows(sqlite, follower, 2)


async def test_a_backup_that_carries_our_tables_is_a_gap_of_all(sqlite: SqliteRig, tmp_path: Path) -> None:
    """Race: the backup's record has the same generation and smaller numbers; its keys would be taken for repeats."""
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute(f"VACUUM INTO '{tmp_path / 'backup.db'}'")
    await follows(sqlite, follower, 1)
    await follower.source.close()
    _remove(sqlite.path)
    os.replace(tmp_path / "backup.db", sqlite.path)
    again = await sqlite.follow()
    assert await again.gap() == ALL
    await follows(sqlite, again, 1)
    assert not set(again.keys) & set(follower.keys)


async def test_a_backup_restored_into_the_file_is_a_gap_of_all(sqlite: SqliteRig, tmp_path: Path) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute(f".backup '{tmp_path / 'backup.db'}'")
    for id in range(1, 4):
        await follows(sqlite, follower, id)
    sqlite.execute(f".restore '{tmp_path / 'backup.db'}'")
    assert await follower.gap() == ALL
    await follows(sqlite, follower, 9)


async def test_a_log_put_back_to_before_what_it_acknowledged_is_a_gap_of_all(sqlite: SqliteRig) -> None:
    """The file has forgotten what the log has lost."""
    sqlite.execute(TASKS)
    log = Log()
    source = sqlite.source()
    await source.open(log.tell)
    follower = Follower(source, log)
    await follower.gap()
    await follows(sqlite, follower, 1)
    before = log.progress
    await follows(sqlite, follower, 2)
    await source.close()
    for number, progress, gap in ((3, log.progress, None), (4, before, ALL)):
        log.progress = progress
        source = sqlite.source()
        await source.open(log.tell)
        follower = Follower(source, log)
        sqlite.execute(f"INSERT INTO tasks (id) VALUES ({number})")
        assert (await follower.next()).gap == gap
        await source.close()


async def test_a_gap_that_is_in_the_log_is_not_told_again_though_the_file_does_not_know(
    sqlite: SqliteRig,
) -> None:
    """As after `kill -9` within a second of it: every client would read anew for nothing."""
    sqlite.execute(TASKS)
    log = Log()
    source = sqlite.source()
    await source.open(log.tell)
    await Follower(source, log).gap()
    await source.close()
    sqlite.execute("UPDATE _tidings_meta SET value = '0' WHERE name = 'acknowledged'")
    again = sqlite.source()
    await again.open(log.tell)
    await follows(sqlite, Follower(again, log), 1)


async def test_a_deleted_file_is_told_in_health_and_followed_again_when_it_is_back(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    kept = sqlite.path.with_suffix(".kept")
    shutil.copy(sqlite.path, kept)
    _remove(sqlite.path)
    waiting = follower.source.transactions()
    coming = _soon(waiting)
    await until(lambda: not follower.source.health().ok)
    assert "not there" in follower.source.health().detail
    os.replace(kept, sqlite.path)
    assert (await coming).gap == ALL
    assert follower.source.health().ok


async def test_deleted_record_rows_are_a_gap_of_all(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    await follows(sqlite, follower, 1)
    sqlite.execute("BEGIN; INSERT INTO tasks VALUES (2, 'x'), (3, 'y'); DELETE FROM _tidings_changes; COMMIT")
    assert await follower.gap() == ALL
    await follows(sqlite, follower, 4)


async def test_dropped_tables_of_ours_are_a_gap_of_all(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute("DROP TABLE _tidings_changes")
    assert await follower.gap() == ALL
    await follows(sqlite, follower, 1)


async def test_more_changes_than_the_bound_become_a_gap(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    await (await following(sqlite)).source.close()
    sqlite.execute(MANY.format(101))
    again = await sqlite.follow(max_backlog=100)
    assert (await again.next()).gap == ALL
    await follows(sqlite, again, 500)


# ── locks, rights, damage


async def test_a_long_write_of_the_application_is_waited_for(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO tasks VALUES (1, 'a'), (2, 'b')")
        waiting = asyncio.create_task(follower.changes(2))
        await asyncio.sleep(0)
        assert follower.source.health().ok
        db.execute("COMMIT")
        assert [c.row["id"] for c in await waiting] == [1, 2]


async def test_changes_are_still_told_while_the_application_holds_the_lock(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute("INSERT INTO tasks VALUES (1, 'a'), (2, 'b')")
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        assert [c.row["id"] for c in await follower.changes(2)] == [1, 2]
        db.execute("ROLLBACK")


async def test_a_database_locked_for_long_is_told_and_followed_again(sqlite: SqliteRig) -> None:
    sqlite.execute("PRAGMA journal_mode = DELETE; " + TASKS)
    follower = await following(sqlite)
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        waiting = _soon(follower.source.transactions())
        await until(lambda: not follower.source.health().ok)
        assert "locked" in follower.source.health().detail
        db.execute("INSERT INTO tasks VALUES (1, 'a')")
        db.execute("COMMIT")
    assert len((await waiting).changes) == 1
    assert follower.source.health().ok


async def test_a_missing_file_is_refused_and_can_be_made(sqlite: SqliteRig) -> None:
    _remove(sqlite.path)
    with pytest.raises(SourceError, match="create=True"):
        await sqlite.source().open()
    source = sqlite.source(create=True)
    assert dict(await source.open()) == {}
    sqlite.execute(TASKS + "; INSERT INTO tasks VALUES (1, 'a')")
    follower = Follower(source)
    assert await follower.gap() == Gap("source", first=True)


async def test_a_file_that_is_no_database_is_refused(sqlite: SqliteRig) -> None:
    _remove(sqlite.path)
    sqlite.path.write_bytes(b"this is no database, whatever its name says" * 200)
    with pytest.raises(SourceError, match="not a SQLite database"):
        await sqlite.source().open()


async def test_a_file_that_cannot_be_written_is_refused(sqlite: SqliteRig) -> None:
    """The rights of files do not bind root, so the read-only database is one that SQLite itself calls so."""
    _remove(sqlite.path)
    sqlite.path.mkdir()
    with pytest.raises(SourceError, match="cannot be opened"):
        await sqlite.source().open()


async def test_a_damaged_file_is_told_and_followed_again_when_it_is_restored(sqlite: SqliteRig) -> None:
    sqlite.execute("PRAGMA journal_mode = DELETE; " + TASKS)
    follower = await following(sqlite)
    whole = sqlite.path.with_suffix(".whole")
    shutil.copy(sqlite.path, whole)
    damaged = sqlite.path.with_suffix(".damaged")
    damaged.write_bytes(whole.read_bytes()[:100] + b"\xff" * (whole.stat().st_size - 100))
    os.replace(damaged, sqlite.path)
    waiting = _soon(follower.source.transactions())
    await until(lambda: not follower.source.health().ok)
    assert "damaged" in follower.source.health().detail
    os.replace(whole, sqlite.path)
    assert (await waiting).gap == ALL


# ── room and readers


async def test_acknowledged_rows_are_forgotten(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    follower = await following(sqlite)
    sqlite.execute(MANY.format(3000))
    await follower.changes(3000)
    idle = _soon(follower.source.transactions())
    await until(lambda: sqlite.number("SELECT count(*) FROM _tidings_changes") == 1)
    assert sqlite.number("SELECT count(*) FROM _tidings_reads") == 0
    await follower.source.close()
    idle.cancel()


async def test_a_second_reader_waits_until_the_first_is_gone(sqlite: SqliteRig) -> None:
    sqlite.execute(TASKS)
    first = await following(sqlite)
    second = await sqlite.follow()
    waiting = _soon(second.source.transactions())
    await until(lambda: "another process" in second.source.health().detail)
    await follows(sqlite, first, 1)
    await first.source.close()
    sqlite.execute("INSERT INTO tasks VALUES (2, 'b')")
    assert [c.row["id"] for c in (await waiting).changes] == [2]


def _soon(stream: AsyncIterator[Transaction]) -> asyncio.Task[Transaction]:
    """The next transaction, awaited while the test does something else."""

    async def first() -> Transaction:
        return await asyncio.wait_for(anext(stream), PATIENCE)

    return asyncio.create_task(first())


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm", "-tidings-lock"):
        Path(f"{path}{end}").unlink(missing_ok=True)


async def test_an_earlier_state_written_into_the_same_file_is_seen_by_what_the_log_has(
    sqlite: SqliteRig, tmp_path: Path
) -> None:
    sqlite.execute(TASKS + "; PRAGMA journal_mode = DELETE")
    follower = await following(sqlite)
    await follows(sqlite, follower, 1)
    await follower.source.close()
    earlier = sqlite.path.read_bytes()
    follower = await sqlite.follow()
    await follows(sqlite, follower, 2)
    await follows(sqlite, follower, 3)
    checkpoint = (await follower_at(sqlite, follower, 4)).checkpoint
    generation = follower.source.generation
    await follower.source.close()
    with sqlite.path.open("r+b") as file:  # the same inode, so that nothing else shows it
        file.write(earlier)
        file.truncate()
    again = sqlite.source()

    async def progress() -> Progress:
        return Progress(source="app", generation=generation, checkpoint=checkpoint)

    await again.open(progress)
    assert await Follower(again).gap() == ALL


async def follower_at(sqlite: SqliteRig, follower: Follower, id: int) -> Transaction:
    """The transaction of a row written now."""
    sqlite.execute(f"INSERT INTO tasks (id) VALUES ({id})")
    return await follower.next()
