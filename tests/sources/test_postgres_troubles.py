"""What happens to a Postgres server, its slot and its log behind our back: continued exactly, or told as a gap."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.fix_postgres import MAJORS, Cluster, own_cluster, template
from tests.sources.rigs import PATIENCE, Follower, PostgresRig, until
from tidings.changes import Gap, Transaction
from tidings.sources.postgres import Bounds

TASKS = "CREATE TABLE tasks (id int PRIMARY KEY, title text)"
TERMINATE = (
    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '{}' AND active"
)


async def following(pg: PostgresRig, *tables: str, **options: Any) -> Follower:
    return await (await pg.follow(*tables, **options)).begun()


async def follows(pg: PostgresRig, follower: Follower, id: int) -> None:
    """A row written now is told next."""
    pg.execute(f"INSERT INTO tasks VALUES ({id})")
    assert [c.row["id"] for c in await follower.changes(1)] == [id]


def soon(stream: AsyncIterator[Transaction]) -> asyncio.Task[Transaction]:
    """The next that tells something, awaited while the test does something else."""

    async def first() -> Transaction:
        async for transaction in stream:
            if transaction.changes or transaction.gap:
                return transaction
        raise AssertionError("the source ended")

    return asyncio.create_task(asyncio.wait_for(first(), PATIENCE))


async def quiet(follower: Follower) -> None:
    """Take what comes, until all that the server has written is published."""
    while follower.source.health().behind:
        assert (await follower.any()).changes == ()


# ── the server goes and comes back


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT, None], ids=["fast", "immediate", "kill-9"])
async def test_a_server_that_restarts_is_read_on_without_gap_or_repeat(
    own_pg: PostgresRig, how: signal.Signals | None
) -> None:
    own_pg.execute(TASKS)
    follower = await following(own_pg)
    told: list[int] = []
    reading = asyncio.create_task(collect(follower, told))
    for first in (1, 6, 11):
        for id in range(first, first + 5):
            own_pg.execute(f"INSERT INTO tasks VALUES ({id})")
        await asyncio.to_thread(end, own_pg.cluster, how)
        await asyncio.to_thread(own_pg.cluster.start)
    await until(lambda: len(told) >= 15 and follower.source.health().ok)
    reading.cancel()
    assert told == list(range(1, 16))


async def collect(follower: Follower, told: list[int]) -> None:
    """Take what comes, as the pump does: without a pause."""
    while True:
        transaction = await follower.any()
        assert transaction.gap is None, transaction.gap
        told += [change.row["id"] for change in transaction.changes]


def end(cluster: Cluster, how: signal.Signals | None) -> None:
    if how is None:
        cluster.kill9()
    else:
        cluster.stop(how)


async def test_a_fast_shutdown_does_not_wait_for_us_even_while_nothing_can_be_published(
    own_pg: PostgresRig,
) -> None:
    own_pg.execute(TASKS)
    follower = await following(own_pg)
    own_pg.execute("INSERT INTO tasks VALUES (1)")
    await follower.next(acknowledge=False)  # as while the log is full
    waiting = asyncio.create_task(follower.next())
    await asyncio.to_thread(own_pg.cluster.stop, signal.SIGINT)  # fails beyond its own patience
    waiting.cancel()


async def test_a_server_that_is_down_is_not_well_and_the_address_is_told_without_its_password(
    own_pg: PostgresRig,
) -> None:
    own_pg.execute(TASKS)
    follower = await following(own_pg)
    assert follower.source.health().ok
    waiting = asyncio.create_task(follower.next())
    await asyncio.to_thread(own_pg.cluster.stop)
    await until(lambda: not follower.source.health().ok)
    assert "cannot connect to postgresql://" in follower.source.health().detail
    await asyncio.to_thread(own_pg.cluster.start)
    own_pg.execute("INSERT INTO tasks VALUES (1)")
    assert len((await waiting).changes) == 1
    assert follower.source.health().ok


# ── the slot


async def test_a_slot_dropped_under_load_is_a_gap_of_all_and_a_new_generation(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await follows(pg, follower, 1)
    before = follower.source.generation
    waiting = asyncio.create_task(follower.gap())
    await asyncio.to_thread(drop_slot, pg)
    pg.execute("INSERT INTO tasks VALUES (2)")
    gap = await waiting
    assert (gap.tables, gap.first) == ((), False)
    assert follower.source.generation != before
    await follower_tells(pg, follower, 3)


async def follower_tells(pg: PostgresRig, follower: Follower, id: int) -> None:
    """A row written now is told; what was written beside the gap may be told before."""
    pg.execute(f"INSERT INTO tasks VALUES ({id})")
    while True:
        transaction = await follower.next()
        assert transaction.gap is None
        if [c.row["id"] for c in transaction.changes] == [id]:
            return


def drop_slot(pg: PostgresRig) -> None:
    """End whoever reads the slot and drop it before they come back."""
    with pg.database.connect() as connection:
        for _ in range(1000):
            connection.execute(TERMINATE.format(pg.slot))
            try:
                connection.execute("SELECT pg_drop_replication_slot(%s)", [pg.slot])
                return
            except Exception:
                continue
    raise AssertionError("the slot stays in use")


async def test_a_slot_dropped_while_nobody_reads_is_a_gap_at_the_next_start(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await follower.source.close()
    await asyncio.to_thread(drop_slot, pg)
    pg.execute("INSERT INTO tasks VALUES (1)")
    again = await pg.follow()
    assert await again.gap() == Gap("the replication slot is gone")
    await follows(pg, again, 2)


async def test_a_slot_made_anew_by_somebody_is_a_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await follower.source.close()
    await asyncio.to_thread(drop_slot, pg)
    pg.execute("INSERT INTO tasks VALUES (1)")
    pg.execute(f"SELECT pg_create_logical_replication_slot('{pg.slot}', 'pgoutput')")
    again = await pg.follow()
    assert "moved on by somebody else" in (await again.gap()).reason
    await follows(pg, again, 2)


async def test_a_slot_that_somebody_moved_on_is_a_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await follower.source.close()
    pg.execute("BEGIN; SET LOCAL synchronous_commit = on; INSERT INTO tasks VALUES (1); COMMIT")
    await until(lambda: not pg.one(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{pg.slot}'"))
    pg.execute(f"SELECT pg_replication_slot_advance('{pg.slot}', pg_current_wal_lsn())")
    again = await pg.follow()
    assert "moved on by somebody else" in (await again.gap()).reason
    await follows(pg, again, 2)


@pytest.mark.parametrize("major", MAJORS)
async def test_a_slot_invalidated_while_we_were_away_is_a_gap(tmp_path: Path, major: str) -> None:
    with own_cluster(
        major, tmp_path, max_slot_wal_keep_size="4MB", max_wal_size="32MB", min_wal_size="32MB"
    ) as cluster:
        pg = PostgresRig(cluster)
        pg.execute(TASKS)
        follower = await following(pg)
        await follower.source.close()
        await asyncio.to_thread(fill, pg, lambda: status(pg) == "lost")
        again = await pg.follow()
        assert "invalidated" in (await again.gap()).reason
        await follows(pg, again, 2)
        assert again.source.health().ok
        await pg.let_go()


def fill(pg: PostgresRig, enough: Callable[[], bool], table: str = "filler") -> None:
    """Write log that is nothing to us, segment by segment."""
    pg.database.run(f"CREATE TABLE IF NOT EXISTS {table} (t text)")
    limit = time.monotonic() + PATIENCE
    while not enough():
        assert time.monotonic() < limit, "it did not come true"
        pg.database.run(
            f"INSERT INTO {table} SELECT repeat(md5(i::text), 30) FROM generate_series(1, 1000) i"
        )
        pg.database.run("SELECT pg_switch_wal()", "CHECKPOINT")


def status(pg: PostgresRig) -> str:
    return str(pg.one(f"SELECT wal_status FROM pg_replication_slots WHERE slot_name = '{pg.slot}'"))


async def test_a_slot_that_will_soon_be_taken_away_is_told_before(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg, bounds=Bounds(retained=1))
    taking = asyncio.create_task(take_all(follower))
    await until(lambda: not follower.source.health().ok)
    assert "keeps" in follower.source.health().detail
    taking.cancel()


async def test_writes_to_other_tables_move_the_slot_on_and_let_the_server_forget(own_pg: PostgresRig) -> None:
    own_pg.execute(TASKS)
    follower = await following(own_pg)
    place = f"SELECT restart_lsn FROM pg_replication_slots WHERE slot_name = '{own_pg.slot}'"
    confirmed = f"SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '{own_pg.slot}'"
    before, flushed = own_pg.one(place), own_pg.one(confirmed)
    taking = asyncio.create_task(take_all(follower))
    await asyncio.to_thread(
        fill, own_pg, lambda: own_pg.one(confirmed) > flushed and own_pg.one(place) > before
    )
    taking.cancel()


async def take_all(follower: Follower) -> None:
    while True:
        assert (await follower.any()).changes == ()


# ── a second reader


async def test_a_second_reader_waits_and_takes_over_without_gap_or_repeat(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    first = await following(pg)
    second = await pg.follow()
    waiting = soon(second.source.transactions())
    await until(lambda: "another process" in second.source.health().detail)
    assert second.source.health().ok
    await follows(pg, first, 1)
    await first.source.close()
    pg.execute("INSERT INTO tasks VALUES (2)")
    taken = await waiting
    assert [c.row["id"] for c in taken.changes] == [2]
    assert taken.gap is None
    assert second.source.generation == first.source.generation


async def test_a_second_reader_is_not_well_when_the_server_goes(own_pg: PostgresRig) -> None:
    own_pg.execute(TASKS)
    first = await following(own_pg)
    reading = asyncio.create_task(first.next())
    second = await own_pg.follow()
    waiting = soon(second.source.transactions())
    await until(lambda: "another process" in second.source.health().detail)
    await asyncio.to_thread(own_pg.cluster.stop, signal.SIGQUIT)
    await until(lambda: not second.source.health().ok)
    waiting.cancel()
    reading.cancel()


async def test_a_reader_cut_off_by_the_server_is_back_within_its_own_slot(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    for id in range(5):
        waiting = asyncio.create_task(follower.changes(1))
        pg.execute(TERMINATE.format(pg.slot))
        pg.execute(f"INSERT INTO tasks VALUES ({id})")
        assert [c.row["id"] for c in await waiting] == [id]


async def test_what_was_given_and_is_not_in_the_log_yet_is_not_given_twice(pg: PostgresRig) -> None:
    """Race: the stream breaks while transactions wait to be appended; the log does not know of them yet."""
    pg.execute(TASKS)
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1)")
    pg.execute("INSERT INTO tasks VALUES (2)")
    given = [await follower.next(acknowledge=False) for _ in range(2)]
    pg.execute(TERMINATE.format(pg.slot))
    pg.execute("INSERT INTO tasks VALUES (3)")
    waiting = asyncio.create_task(follower.next(acknowledge=False))
    await until(lambda: not pg.one(f"SELECT active FROM pg_replication_slots WHERE slot_name = '{pg.slot}'"))
    for one in given:
        await follower.acknowledge(one.checkpoint)
    assert [c.row["id"] for c in (await waiting).changes] == [3]


# ── another server


@pytest.mark.parametrize("major", MAJORS)
async def test_another_cluster_under_the_same_address_is_a_gap(tmp_path: Path, major: str) -> None:
    with (
        own_cluster(major, folder(tmp_path / "a")) as cluster,
        other_cluster(major, folder(tmp_path / "b")) as other,
    ):
        pg = PostgresRig(cluster)
        pg.execute(TASKS)
        fill(
            pg, lambda: pg.one("SELECT pg_current_wal_lsn() > '0/4000000'")
        )  # further than the other ever was
        follower = await following(pg)
        await follows(pg, follower, 1)
        await follower.source.close()
        pg.database.cluster = other
        other.run(f"CREATE DATABASE {pg.database.name}")
        pg.execute(TASKS)
        again = await pg.follow()
        assert await again.gap() == Gap("this is another database cluster")
        await follows(pg, again, 1)
        await quiet(again)
        assert again.source.health().retained is not None
        assert again.source.health().behind == 0
        await pg.let_go()


@contextmanager
def other_cluster(major: str, folder: Path) -> Iterator[Cluster]:
    """One that is no copy: the files that servers are made of are made anew."""
    template.cache_clear()
    with own_cluster(major, folder) as cluster:
        yield cluster


def folder(path: Path) -> Path:
    path.mkdir()
    return path
