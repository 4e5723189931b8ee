"""The promise of `ChangeSource`, over every source. What one database alone can do is in files of its own."""

from __future__ import annotations

import asyncio

import pytest

from tests.sources.rigs import Follower, Rig
from tidings.errors import SourceError

INSERT = "INSERT INTO tasks (id, project_id, title) VALUES "


async def test_open_tells_tables_and_columns(rig: Rig) -> None:
    assert dict(await rig.source("tasks").open()) == {"tasks": ("id", "project_id", "title")}


async def test_a_table_that_is_not_there_is_refused_with_the_nearest_name(rig: Rig) -> None:
    with pytest.raises(SourceError, match=r"'task'.*did you mean 'tasks'"):
        await rig.source("task").open()


async def test_each_kind_of_change_tells_the_whole_row(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 5, 'write')")
    rig.execute("UPDATE tasks SET title = 'read' WHERE id = 1")
    rig.execute("DELETE FROM tasks")
    first, second, third = await follower.changes(3)
    written, read = ({"id": 1, "project_id": 5, "title": title} for title in ("write", "read"))
    assert (first.kind, first.old, first.new, first.key) == ("insert", None, written, ("id",))
    assert (second.kind, second.old, second.new) == ("update", written, read)
    assert (third.kind, third.old, third.new) == ("delete", read, None)
    assert second.changed("title")
    assert not second.changed("id")


async def test_a_commit_comes_in_the_order_of_its_statements_and_carries_a_time(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(
        "BEGIN; " + INSERT + "(2, 1, 'b'); " + INSERT + "(1, 1, 'a'); DELETE FROM tasks WHERE id = 2; COMMIT"
    )
    changes = await follower.changes(3)
    assert [(c.kind, c.row["id"]) for c in changes] == [("insert", 2), ("insert", 1), ("delete", 2)]
    assert all(c.time > 1_600_000_000_000 for c in changes)


async def test_what_is_rolled_back_is_never_told(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute("BEGIN; " + INSERT + "(1, 1, 'never'); ROLLBACK")
    rig.execute(
        "BEGIN; " + INSERT + "(2, 1, 'kept'); SAVEPOINT s; " + INSERT + "(3, 1, 'no'); ROLLBACK TO s; COMMIT"
    )
    rig.execute(INSERT + "(4, 1, 'last')")
    assert [c.row["title"] for c in await follower.changes(2)] == ["kept", "last"]


async def test_a_key_that_changes_tells_the_old_and_the_new(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 1, 'a')")
    rig.execute("UPDATE tasks SET id = 9")
    _, moved = await follower.changes(2)
    assert moved.old is not None
    assert moved.new is not None
    assert (moved.kind, moved.old["id"], moved.new["id"]) == ("update", 1, 9)


async def test_an_unacknowledged_transaction_is_repeated_as_it_was(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 1, 'a'), (2, 1, 'b')")
    first = await follower.next(acknowledge=False)
    rig.execute(INSERT + "(3, 1, 'c')")
    await follower.source.close()
    again = await rig.follow("tasks")
    assert await again.next() == first
    assert again.keys[0] == follower.keys[-1]
    assert [c.row["id"] for c in await again.changes(1)] == [3]


async def test_what_is_acknowledged_is_not_repeated_after_a_restart(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 1, 'a')")
    await follower.changes(1)
    await follower.source.close()
    rig.execute(INSERT + "(2, 1, 'while nobody looks')")
    again = await rig.follow("tasks")
    assert [c.row["id"] for c in await again.changes(1)] == [2]


async def test_asking_anew_goes_on_after_the_last_acknowledged(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 1, 'a')")
    await follower.changes(1)
    rig.execute(INSERT + "(2, 1, 'b')")
    lost = await follower.next(acknowledge=False)
    follower.restart()
    assert await follower.next() == lost


async def test_a_cancelled_reader_loses_nothing(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    waiting = asyncio.create_task(follower.next())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    rig.execute(INSERT + "(1, 1, 'a')")
    follower.restart()
    assert [c.row["id"] for c in await follower.changes(1)] == [1]


async def test_a_large_commit_comes_whole_in_bounded_parts_while_the_loop_lives(rig: Rig) -> None:
    follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + ", ".join(f"({n}, 1, 'bulk')" for n in range(1, 5001)))
    pauses: list[float] = []
    ticks = asyncio.create_task(_note_pauses(pauses))
    parts = [await follower.next()]
    while sum(len(part.changes) for part in parts) < 5000:
        parts.append(await follower.next())
    ticks.cancel()
    assert len(pauses) >= len(parts) / 2  # others had their turn between the parts
    assert [c.row["id"] for part in parts for c in part.changes] == list(range(1, 5001))
    assert max(len(part.changes) for part in parts) <= 500


async def _note_pauses(pauses: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(0)
        pauses.append(loop.time() - before)


async def test_two_tables_share_one_order(rig: Rig) -> None:
    rig.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    follower = await (await rig.follow("tasks", "notes")).begun()
    rig.execute("INSERT INTO notes VALUES (1)")
    rig.execute(INSERT + "(1, 1, 'a')")
    rig.execute("INSERT INTO notes VALUES (2)")
    assert [c.table for c in await follower.changes(3)] == ["notes", "tasks", "notes"]


async def test_a_table_that_is_not_captured_is_not_told(rig: Rig) -> None:
    rig.execute("CREATE TABLE secrets (id INTEGER PRIMARY KEY)")
    follower = await (await rig.follow("tasks")).begun()
    rig.execute("INSERT INTO secrets VALUES (1)")
    rig.execute(INSERT + "(1, 1, 'a')")
    assert [c.table for c in await follower.changes(1)] == ["tasks"]


async def test_health_is_well_while_it_follows_and_tells_the_lag(rig: Rig) -> None:
    follower: Follower = await (await rig.follow("tasks")).begun()
    rig.execute(INSERT + "(1, 1, 'a'), (2, 1, 'b')")
    waiting = await follower.next(acknowledge=False)
    health = follower.source.health()
    assert health.ok
    assert (
        health.lag == 2 if health.lag is not None else health.behind
    )  # changes; or bytes, if it counts those
    await follower.acknowledge(waiting.checkpoint)
    health = follower.source.health()
    while health.lag is None and health.behind:  # the log goes on a little after the commit
        await follower.any()
        health = follower.source.health()
    assert health.ok
    assert not health.lag


async def test_closing_twice_is_harmless(rig: Rig) -> None:
    source = rig.source("tasks")
    await source.open()
    await source.close()
    await source.close()
