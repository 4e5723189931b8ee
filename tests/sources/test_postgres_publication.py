"""What happens to publication, tables and rights behind our back, and what is refused before anything is published."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
import pytest

from tests.fixtures.fix_postgres import NEWEST, own_cluster
from tests.sources.rigs import Follower, PostgresRig, until
from tidings.changes import Gap
from tidings.engines.base import DeclaredGap
from tidings.engines.sqlite import SqliteEngine
from tidings.errors import SourceError
from tidings.ids import AppId
from tidings.messages import Message
from tidings.node.metrics import Metrics
from tidings.node.pump import Pump
from tidings.sources.postgres import PostgresSource, watch
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

APP = AppId("1001")

TASKS = "CREATE TABLE tasks (id int PRIMARY KEY, title text)"
NOTES = "CREATE TABLE notes (id int PRIMARY KEY)"
BACK = Gap(
    "not all changes of these tables may have been published: their publication or a partition changed",
    ("tasks",),
)


@pytest.fixture(autouse=True)
def _looking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "WATCH_SECONDS", 0.05)


async def following(pg: PostgresRig, *tables: str) -> Follower:
    return await (await pg.follow(*tables)).begun()


def alter(pg: PostgresRig, what: str) -> None:
    pg.execute(f'ALTER PUBLICATION "{pg.slot}" {what}')


async def told(pg: PostgresRig, follower: Follower, id: int) -> None:
    """A row written now is told; after a gap that still comes it is written again."""
    pg.execute(f"INSERT INTO tasks VALUES ({id})")
    while True:
        transaction = await follower.next()
        if transaction.gap is not None:
            pg.execute(f"UPDATE tasks SET title = 'again' WHERE id = {id}")
        if [c.row["id"] for c in transaction.changes] == [id]:
            return


async def looks(follower: Follower, times: int = 2) -> None:
    """Wait until it has looked so often; what a look has found then was told, if there is a reader."""
    for _ in range(times):
        seen = follower.source._vitals._seen_at  # type: ignore[attr-defined]
        await until(lambda: follower.source._vitals._seen_at > seen)  # type: ignore[attr-defined]  # noqa: B023


async def goes_on(pg: PostgresRig, follower: Follower, id: int) -> None:
    """From here on there is no gap: neither before a row nor, for some looks, after it."""
    waiting = asyncio.create_task(follower.changes(2))  # fails on a gap
    for each in (id, id + 1):
        await looks(follower)
        pg.execute(f"INSERT INTO tasks VALUES ({each})")
    assert [change.row["id"] for change in await waiting] == [id, id + 1]


async def test_a_table_taken_out_of_the_publication_is_a_gap_and_is_put_back(pg: PostgresRig) -> None:
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    alter(pg, "DROP TABLE tasks")
    pg.execute("INSERT INTO tasks VALUES (1)")
    assert await follower.gap() == BACK
    await told(pg, follower, 2)


async def test_a_table_taken_out_and_put_back_between_two_looks_is_a_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    waiting = asyncio.create_task(follower.gap())
    await until(lambda: follower.source.health().retained is not None)  # it has looked once
    pg.execute(
        f'BEGIN; ALTER PUBLICATION "{pg.slot}" DROP TABLE tasks; COMMIT; INSERT INTO tasks VALUES (1);'
        f' BEGIN; ALTER PUBLICATION "{pg.slot}" ADD TABLE tasks; COMMIT'
    )
    assert await waiting == BACK
    await told(pg, follower, 2)


async def test_a_table_taken_out_while_nobody_looks_is_a_gap_at_the_next_start(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await told(pg, follower, 1)
    await follower.source.close()
    alter(pg, "DROP TABLE tasks")
    pg.execute("INSERT INTO tasks VALUES (2)")
    again = await pg.follow()
    assert await again.gap() == BACK
    await told(pg, again, 3)


async def test_a_table_taken_out_and_put_back_while_nobody_looks_is_a_gap_at_the_next_start(
    pg: PostgresRig,
) -> None:
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    await told(pg, follower, 1)
    await follower.source.close()
    alter(pg, "DROP TABLE tasks")
    pg.execute("INSERT INTO tasks VALUES (2)")
    alter(pg, "ADD TABLE tasks")
    again = await pg.follow("tasks", "notes")
    assert await again.gap() == BACK
    await told(pg, again, 3)


async def test_a_restart_of_ours_alone_is_no_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await told(pg, follower, 1)
    for number in (2, 4):
        await follower.source.close()
        follower = await pg.follow()
        await goes_on(pg, follower, number)


async def test_a_crash_between_publishing_anew_and_the_gap_in_the_log_does_not_lose_the_gap(
    pg: PostgresRig,
) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    await told(pg, follower, 1)
    alter(pg, "DROP TABLE tasks")
    pg.execute("INSERT INTO tasks VALUES (2)")
    while (await follower.next(acknowledge=False)).gap is None:
        pass
    await follower.source.close()
    again = await pg.follow()
    assert await again.gap() == BACK
    await told(pg, again, 3)


async def test_what_an_open_transaction_wrote_before_a_table_was_published_anew_is_a_second_gap(
    pg: PostgresRig,
) -> None:
    """Race: the server does not tell what was written before, and the commit comes after the first gap."""
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    waiting = asyncio.create_task(follower.gap())
    with pg.database.connect(autocommit=False) as writer:
        with pg.database.connect() as other:
            other.execute(f'ALTER PUBLICATION "{pg.slot}" DROP TABLE tasks')
            writer.execute("INSERT INTO tasks VALUES (1)")
        assert await waiting == BACK
        writer.commit()
    assert await follower.gap() == BACK
    await told(pg, follower, 2)


async def test_a_gap_comes_after_all_that_was_committed_before_it_was_seen(pg: PostgresRig) -> None:
    """Race: a client that reads anew must not be told older rows afterwards, for good where the newer are not told."""
    pg.execute(TASKS)
    follower = await following(pg)
    await told(pg, follower, 1)
    await follower.source.close()
    for number in range(40):  # commits for several looks
        pg.execute(
            f"INSERT INTO tasks SELECT i, 'old' FROM generate_series({number * 500 + 2}, {number * 500 + 501}) i"
        )
    alter(pg, "DROP TABLE tasks")
    pg.execute("UPDATE tasks SET title = 'new'")
    alter(pg, "ADD TABLE tasks")
    again, rows = await pg.follow(), 0
    while (transaction := await again.next()).gap is None:
        rows += len(transaction.changes)
        await asyncio.sleep(0.002)  # so that it is looked at before they are all told
    assert (transaction.gap, rows) == (BACK, 20_000)
    await told(pg, again, 0)


async def test_a_dropped_publication_is_a_gap_and_is_made_anew(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    waiting = asyncio.create_task(follower.gap())
    await until(lambda: follower.source.health().retained is not None)
    pg.execute(f'DROP PUBLICATION "{pg.slot}"')
    pg.execute("INSERT INTO tasks VALUES (1)")
    assert not (await waiting).first
    await told(pg, follower, 2)


async def test_a_publication_that_leaves_out_kinds_of_change_for_a_while_is_a_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    waiting = asyncio.create_task(follower.gap())
    await until(lambda: follower.source.health().retained is not None)
    alter(pg, "SET (publish = 'insert')")
    assert await waiting == BACK
    pg.execute("INSERT INTO tasks VALUES (1, 'a')")
    pg.execute("DELETE FROM tasks")
    while [c.kind for c in (await follower.next()).changes] != ["delete"]:
        pass


async def test_a_dropped_table_is_told_in_health_and_is_a_gap_when_it_is_made_again(pg: PostgresRig) -> None:
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    waiting = asyncio.create_task(follower.gap())
    pg.execute("DROP TABLE tasks")
    await until(lambda: not follower.source.health().ok)
    assert "tasks" in follower.source.health().detail
    pg.execute(TASKS)
    assert await waiting == BACK
    assert follower.source.health().ok
    await told(pg, follower, 1)


async def test_a_table_swapped_for_another_in_one_transaction_is_a_gap(pg: PostgresRig) -> None:
    pg.execute(TASKS)
    follower = await following(pg)
    waiting = asyncio.create_task(follower.gap())
    await until(lambda: follower.source.health().retained is not None)
    pg.execute(
        "BEGIN; ALTER TABLE tasks RENAME TO old_tasks; CREATE TABLE tasks (id int PRIMARY KEY, title text); COMMIT"
    )
    assert await waiting == BACK
    await told(pg, follower, 1)


@asynccontextmanager
async def life(pg: PostgresRig, path: Path) -> AsyncIterator[list[Message | DeclaredGap]]:
    """One life of source, pump and log: what the log tells."""
    log, source, told = SqliteEngine(path), pg.source("tasks"), []  # type: ignore[var-annotated]
    log.broker.listen(lambda app, items: told.extend(items))
    await log.open()
    columns = await source.open(lambda: log.broker.progress(APP, source.name))
    rule = Rule(table="tasks", channel="tasks", insert="made", data={"id": "id"})
    pump = Pump(APP, source, ChangeRouter([rule], columns), log.broker, Metrics())
    await pump.open()
    running = asyncio.create_task(pump.run())
    yield told
    running.cancel()
    await asyncio.wait([running])
    await source.close()
    await log.close()


async def test_over_a_restart_the_log_tells_the_gap_once(pg: PostgresRig, tmp_path: Path) -> None:
    pg.execute(TASKS)
    async with life(pg, tmp_path / "log.db") as told:
        pg.execute("INSERT INTO tasks VALUES (1)")
        await until(lambda: len(told) == 1)
    alter(pg, "DROP TABLE tasks")
    pg.execute("INSERT INTO tasks VALUES (2)")
    alter(pg, "ADD TABLE tasks")
    async with life(pg, tmp_path / "log.db") as told:
        await until(lambda: any(isinstance(item, DeclaredGap) and item.pattern == "tasks" for item in told))
    async with life(pg, tmp_path / "log.db") as told:
        pg.execute("INSERT INTO tasks VALUES (3)")
        await until(lambda: len(told) == 1)
        assert isinstance(told[0], Message)


async def test_a_slot_that_was_moved_and_a_publication_that_changed_are_told_again_when_writers_have_ended(
    pg: PostgresRig,
) -> None:
    """Race: who wrote while the table was not published commits after the gap of all."""
    pg.execute(TASKS)
    follower = await following(pg)
    await told(pg, follower, 1)
    await follower.source.close()
    alter(pg, "DROP TABLE tasks")
    with pg.database.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO tasks VALUES (2)")
        alter(pg, "ADD TABLE tasks")
        pg.execute(f"SELECT pg_replication_slot_advance('{pg.slot}', pg_current_wal_lsn())")
        again = await pg.follow()
        assert "moved on" in (await again.gap()).reason
        assert await again.gap() == BACK
        writer.commit()
    assert await again.gap() == BACK
    await told(pg, again, 3)


PARTS = (
    "CREATE TABLE tasks (id int PRIMARY KEY, title text) PARTITION BY RANGE (id);"
    "CREATE TABLE tasks_1 PARTITION OF tasks FOR VALUES FROM (0) TO (10)"
)


async def test_a_new_partition_is_no_gap_and_its_rows_are_told(pg: PostgresRig) -> None:
    pg.execute(PARTS)
    follower = await following(pg)
    pg.execute("CREATE TABLE tasks_2 PARTITION OF tasks FOR VALUES FROM (10) TO (20)")
    await goes_on(pg, follower, 11)


@pytest.mark.parametrize(
    "statements",
    [
        "TRUNCATE tasks_1",
        "DROP TABLE tasks_1",
        "ALTER TABLE tasks DETACH PARTITION tasks_1",
        "CREATE TABLE more (LIKE tasks); ALTER TABLE tasks ATTACH PARTITION more FOR VALUES FROM (10) TO (20)",
    ],
)
async def test_what_is_done_to_a_partition_and_not_told_is_a_gap(pg: PostgresRig, statements: str) -> None:
    pg.execute(PARTS)
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1)")
    assert len(await follower.changes(1)) == 1
    waiting = asyncio.create_task(follower.gap())
    await until(lambda: follower.source.health().retained is not None)  # it has looked once
    pg.execute(statements)
    assert await waiting == BACK


@pytest.mark.parametrize(
    "statements",
    [
        "INSERT INTO tasks VALUES (11); DROP TABLE tasks_2",
        "INSERT INTO tasks VALUES (11); ALTER TABLE tasks DETACH PARTITION tasks_2",
        "UPDATE tasks SET id = 11; DROP TABLE tasks_2",
    ],
)
async def test_a_partition_that_came_and_went_while_nobody_looked_is_a_gap(
    pg: PostgresRig, statements: str
) -> None:
    """Its rows were told; that they are gone is not."""
    pg.execute(PARTS)
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1)")
    assert len(await follower.changes(1)) == 1
    await follower.source.close()
    pg.execute("CREATE TABLE tasks_2 PARTITION OF tasks FOR VALUES FROM (10) TO (20)")
    pg.execute(statements)
    again = await pg.follow()
    assert await again.gap() == BACK
    await goes_on(pg, again, 5)


async def test_a_partition_whose_rows_were_told_and_that_is_gone_at_the_next_start_is_a_gap(
    pg: PostgresRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No seal ever knew it: it was made after the last look."""
    pg.execute(PARTS)
    monkeypatch.setattr(watch, "WATCH_SECONDS", 600.0)
    follower = await following(pg)
    waiting = asyncio.create_task(follower.changes(1))
    await until(
        lambda: follower.source.health().retained is not None
    )  # it has looked, and will not soon again
    pg.execute("CREATE TABLE tasks_2 PARTITION OF tasks FOR VALUES FROM (10) TO (20)")
    pg.execute("INSERT INTO tasks VALUES (11)")
    assert [change.row["id"] for change in await waiting] == [11]
    await follower.source.close()
    pg.execute("DROP TABLE tasks_2")
    again = await pg.follow()
    assert await again.gap() == BACK


async def test_a_table_that_is_gone_does_not_hold_up_a_new_slot(pg: PostgresRig) -> None:
    pg.execute(TASKS + "; " + NOTES)
    follower = await following(pg, "tasks", "notes")
    await follower.source.close()
    pg.execute("DROP TABLE notes")
    again = pg.source("tasks", "notes")
    pg.execute(NOTES)
    await again.open(pg.log.tell)
    pg.execute("DROP TABLE notes")
    pg.execute(f"SELECT pg_drop_replication_slot('{pg.slot}')")
    third = Follower(again, pg.log)
    assert "slot is gone" in (await third.gap()).reason
    await told(pg, third, 1)
    assert "notes" in again.health().detail


# ── what is refused


async def test_a_table_without_identity_is_refused_and_never_published(newest_pg: PostgresRig) -> None:
    newest_pg.database.run("CREATE TABLE loose (x int)")
    with pytest.raises(SourceError, match=r"no primary key or replica identity.*REPLICA IDENTITY FULL"):
        await newest_pg.source("loose").open()
    assert newest_pg.database.rows("SELECT 1 FROM pg_publication") == []
    newest_pg.database.run("INSERT INTO loose VALUES (1)", "UPDATE loose SET x = 2")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("CREATE VIEW odd AS SELECT 1 AS id", "it is a view"),
        ("CREATE MATERIALIZED VIEW odd AS SELECT 1 AS id", "it is a materialised view"),
        ("CREATE UNLOGGED TABLE odd (id int PRIMARY KEY)", "it is unlogged"),
        ("CREATE SEQUENCE odd", "it is a sequence"),
    ],
)
async def test_what_is_not_in_the_log_is_refused(newest_pg: PostgresRig, statement: str, reason: str) -> None:
    newest_pg.database.run(statement)
    with pytest.raises(SourceError, match=reason):
        await newest_pg.source("odd").open()


async def test_a_server_without_logical_decoding_is_refused_with_what_to_run(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with own_cluster(NEWEST, tmp_path_factory.mktemp("pg"), wal_level="replica") as cluster:
        pg = PostgresRig(cluster)
        pg.execute(TASKS)
        with pytest.raises(SourceError, match="ALTER SYSTEM SET wal_level = logical"):
            await pg.source("tasks").open()
        await pg.let_go()


# ── rights


@pytest.fixture
async def clerk(pg: PostgresRig) -> AsyncIterator[PostgresSource]:
    """A source whose role may log in, and nothing more."""
    name = f"clerk_{pg.database.name}"
    pg.database.run(f"CREATE ROLE {name} LOGIN", TASKS)
    made = PostgresSource(pg.cluster.url(pg.database.name, user=name), ["tasks"], name=pg.name)
    yield made
    await made.close()
    await pg.let_go()
    await asyncio.to_thread(pg.database.run, f"DROP OWNED BY {name} CASCADE", f"DROP ROLE {name}")


async def test_each_missing_right_is_told_with_the_sql_that_gives_it(
    pg: PostgresRig, clerk: PostgresSource
) -> None:
    ran: list[str] = []
    while (statement := await missing(clerk, pg)) and statement not in ran:
        ran.append(statement)
        pg.database.run(*[part for part in statement.split(";") if part.strip()])
    assert not statement, ran
    assert len(ran) >= 2, ran
    follower = await Follower(clerk, pg.log).begun()
    await told(pg, follower, 1)


async def missing(clerk: PostgresSource, pg: PostgresRig) -> str:
    """The SQL that the source asks for; empty when it can be opened."""
    try:
        await clerk.open(pg.log.tell)
    except SourceError as error:
        return sql_of(str(error))
    return ""


def sql_of(error: str) -> str:
    """What the error says is to be run."""
    found = error.partition("runs: ")[2]
    assert found, error
    return found.partition(" (Amazon")[0]


async def test_a_role_that_may_not_log_in_is_told_without_the_password(newest_pg: PostgresRig) -> None:
    url = f"postgresql://nobody:hunter2@/{newest_pg.database.name}?host={newest_pg.cluster.socket}"
    made = PostgresSource(url, ["tasks"], name="x")
    made._clock = iter(range(0, 100_000, 100)).__next__
    with pytest.raises(SourceError, match="cannot connect") as caught:
        await made.open()
    assert "hunter2" not in str(caught.value)
    await made.close()


async def test_a_name_that_is_somebody_elses_slot_is_refused(newest_pg: PostgresRig) -> None:
    newest_pg.execute(TASKS)
    newest_pg.execute(f"SELECT pg_create_logical_replication_slot('{newest_pg.slot}', 'test_decoding')")
    with pytest.raises((SourceError, psycopg.Error), match="another program's"):
        await newest_pg.follow()
