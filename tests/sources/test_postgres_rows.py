"""What a Postgres source tells of rows: identities, large values, partitions, prepared and crossing transactions."""

from __future__ import annotations

import asyncio
import json
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.fixtures.fix_postgres import NEWEST, own_cluster
from tests.sources.rigs import Follower, PostgresRig
from tidings.outbox.table import PREFIX
from tidings.sources.router import ChangeRouter
from tidings.sources.rules import Rule

PLAIN = "REPLICA IDENTITY DEFAULT"
LARGE = 50 << 20
"""Bytes of a value that is told by its key alone."""

MEMORY_TIMES = 4
"""Bound on the memory that a large row takes, in sizes of its text on the wire (bytea is twice its bytes there):
libpq's buffer, its message and ours are three, and there is some room."""


async def following(pg: PostgresRig, *tables: str, **options: Any) -> Follower:
    return await (await pg.follow(*tables, **options)).begun()


async def test_an_unchanged_large_value_is_listed_and_never_null(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text, big text)")
    pg.database.run(f"ALTER TABLE tasks {PLAIN}", "ALTER TABLE tasks ALTER big SET STORAGE EXTERNAL")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1, 'a', repeat('x', 9000))")
    pg.execute("UPDATE tasks SET title = 'b'")
    pg.execute("UPDATE tasks SET id = 2")
    pg.execute("UPDATE tasks SET big = NULL")
    made, kept, moved, emptied = await follower.changes(4)
    assert made.new == {"id": 1, "title": "a", "big": "x" * 9000}
    assert (kept.old, kept.new, kept.unchanged) == ({"id": 1}, {"id": 1, "title": "b"}, ("big",))
    assert (moved.old, moved.new, moved.unchanged) == ({"id": 1}, {"id": 2, "title": "b"}, ("big",))
    assert (emptied.new, emptied.unchanged) == ({"id": 2, "title": "b", "big": None}, ())


async def test_with_full_identity_an_unchanged_large_value_is_filled_in(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text, big text)")
    pg.database.run("ALTER TABLE tasks ALTER big SET STORAGE EXTERNAL")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1, 'a', repeat('x', 9000))")
    pg.execute("UPDATE tasks SET title = 'b'")
    _, kept = await follower.changes(2)
    assert kept.new == {"id": 1, "title": "b", "big": "x" * 9000}
    assert kept.unchanged == ()


async def test_with_default_identity_only_the_key_is_told_of_a_row_that_went(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text)")
    pg.database.run(f"ALTER TABLE tasks {PLAIN}")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1, 'a')")
    pg.execute("DELETE FROM tasks")
    _, gone = await follower.changes(2)
    assert (gone.old, gone.unknown) == ({"id": 1}, ("title",))


async def test_partitions_are_told_under_the_name_of_their_table(pg: PostgresRig) -> None:
    pg.database.run(
        "CREATE TABLE days (id int, day int, t text, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1)",
        "CREATE TABLE days_2 PARTITION OF days FOR VALUES IN (2)",
    )
    follower = await following(pg, "days")
    pg.execute("INSERT INTO days VALUES (1, 1, 'a')")
    pg.execute("UPDATE days SET day = 2")
    pg.execute("UPDATE days_2 SET t = 'b'")
    pg.execute("TRUNCATE days")
    changes = await follower.changes(5)
    assert {change.name for change in changes} == {"days"}
    assert [change.kind for change in changes] == ["insert", "delete", "insert", "update", "truncate"]


@pytest.mark.parametrize("streaming", [False, True])
async def test_a_partition_that_does_not_log_its_old_rows_whole_tells_no_null_that_is_none(
    pg: PostgresRig, *, streaming: bool
) -> None:
    """The table logs them whole, so the server says that they are, and sends nulls for what is not there."""
    if streaming:
        pg.database.run(f"ALTER DATABASE {pg.database.name} SET logical_decoding_work_mem = '64kB'")
    pg.database.run(
        "CREATE TABLE days (id int, day int, t text, PRIMARY KEY (id, day)) PARTITION BY LIST (day)",
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES IN (1)",
        "CREATE TABLE days_2 PARTITION OF days FOR VALUES IN (2)",
        "ALTER TABLE days REPLICA IDENTITY FULL",
        "ALTER TABLE days_1 REPLICA IDENTITY FULL",
    )
    with capture_logs() as logs:
        follower = await following(pg, "days")
        pg.execute("INSERT INTO days VALUES (1, 1, 'a'), (2, 2, 'b'), (3, 2, 'c'), (4, 2, 'd'), (5, 1, NULL)")
        pg.execute(
            "DELETE FROM days WHERE id = 2; UPDATE days SET id = 33 WHERE id = 3; DELETE FROM days WHERE id = 1"
        )
        _, _, _, _, _, gone, changed, whole = await follower.changes(8)
    fix = "ALTER TABLE days_2 REPLICA IDENTITY FULL"
    warned = [line for line in logs if line["event"] == "partition_tells_less"]
    assert [(line["table"], line["partition"], line["fix"]) for line in warned] == [("days", "days_2", fix)]
    assert (gone.old, gone.unknown) == ({"id": 2, "day": 2}, ("t",))
    assert changed.old == {"id": 3, "day": 2}
    assert whole.old == {"id": 1, "day": 1, "t": "a"}
    pg.execute("ALTER TABLE days_2 REPLICA IDENTITY FULL; DELETE FROM days WHERE day = 2; DELETE FROM days")
    rest = await follower.changes(3)
    assert {change.old["id"]: change.old["t"] for change in rest if change.old} == {33: "c", 4: "d", 5: None}


async def test_columns_follow_from_the_first_row_after_a_change_of_the_table(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text)")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1, 'a')")
    pg.execute(
        "BEGIN; ALTER TABLE tasks ADD done bool DEFAULT true; UPDATE tasks SET title = 'b';"
        " ALTER TABLE tasks RENAME title TO name; ALTER TABLE tasks ALTER done DROP DEFAULT;"
        " ALTER TABLE tasks ALTER done TYPE int USING done::int;"
        " UPDATE tasks SET name = 'c'; ALTER TABLE tasks DROP done; UPDATE tasks SET name = 'd'; COMMIT"
    )
    assert [change.new for change in await follower.changes(4)] == [
        {"id": 1, "title": "a"},
        {"id": 1, "title": "b", "done": True},
        {"id": 1, "name": "c", "done": 1},
        {"id": 1, "name": "d"},
    ]


async def test_a_composite_type_is_told_as_it_is_when_its_table_is_told_anew(pg: PostgresRig) -> None:
    pg.database.run("CREATE TYPE pair AS (a int, b int)")
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, p pair, l pair[])")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks VALUES (1, '(1,2)', NULL)")
    (first,) = await follower.changes(1)
    assert first.row["p"] == {"a": 1, "b": 2}
    pg.database.run("ALTER TYPE pair RENAME ATTRIBUTE b TO c", "ALTER TYPE pair ADD ATTRIBUTE d int")
    pg.database.run("ALTER TABLE tasks ADD x int")
    pg.execute("INSERT INTO tasks VALUES (2, '(1,2,3)', ARRAY[(1,2,3)::pair])")
    (second,) = await follower.changes(1)
    assert second.row["p"] == {"a": 1, "c": 2, "d": 3}
    assert second.row["l"] == [{"a": 1, "c": 2, "d": 3}]


async def test_two_crossing_transactions_are_told_in_the_order_of_their_commits(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    follower = await following(pg)
    with pg.database.connect(autocommit=False) as early, pg.database.connect(autocommit=False) as late:
        early.execute("INSERT INTO tasks VALUES (1)")
        late.execute("INSERT INTO tasks VALUES (2)")
        late.commit()
        early.commit()
    assert [change.row["id"] for change in await follower.changes(2)] == [2, 1]


async def test_ten_thousand_crossing_rows_are_told_once_each(newest_pg: PostgresRig) -> None:
    """An outbox that is read by id skips rows that commit late; the log has them where they committed."""
    newest_pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    follower = await following(newest_pg)
    with (
        newest_pg.database.connect(autocommit=False) as odd,
        newest_pg.database.connect(autocommit=False) as even,
    ):
        for start in range(0, 10_000, 200):
            for connection, step in ((odd, 1), (even, 0)):
                connection.execute(
                    "INSERT INTO tasks SELECT generate_series(%s::int, %s::int, 2)",
                    [start + step, start + 199],
                )
            even.commit()
            odd.commit()
    found = [change.row["id"] for change in await follower.changes(10_000)]
    expected = [id for n in range(0, 10_000, 200) for step in (0, 1) for id in range(n + step, n + 200, 2)]
    assert found == expected


async def test_a_prepared_transaction_is_told_when_it_is_committed(tmp_path: Path) -> None:
    with own_cluster(
        NEWEST, tmp_path, max_prepared_transactions="5", logical_decoding_work_mem="64kB"
    ) as cluster:
        pg = PostgresRig(cluster)
        pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text)")
        follower = await following(pg)
        for name, count in (("small", 1), ("large", 3000)):
            pg.execute(
                f"BEGIN; INSERT INTO tasks SELECT i, repeat('{name}', 20) FROM generate_series(1, {count}) i;"
                f" PREPARE TRANSACTION '{name}'"
            )
            pg.execute(f"INSERT INTO tasks VALUES ({-count})")
            assert [change.row["id"] for change in await follower.changes(1)] == [-count]
            pg.execute(f"COMMIT PREPARED '{name}'")
            assert [change.row["id"] for change in await follower.changes(count)] == list(range(1, count + 1))
            pg.execute("DELETE FROM tasks WHERE id > 0")
            await follower.changes(count)
        pg.execute("BEGIN; INSERT INTO tasks VALUES (7); PREPARE TRANSACTION 'gone'")
        pg.execute("ROLLBACK PREPARED 'gone'")
        pg.execute("INSERT INTO tasks VALUES (8)")
        assert [change.row["id"] for change in await follower.changes(1)] == [8]
        await pg.let_go()


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
async def test_a_huge_transaction_with_aborted_parts_is_told_once_in_order_and_in_pages(
    pg: PostgresRig, streaming: bool
) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY, title text)")
    pg.database.run("ALTER SYSTEM SET logical_decoding_work_mem = '64kB'", "SELECT pg_reload_conf()")
    follower = await following(pg, streaming=streaming)
    pg.execute(
        "BEGIN; INSERT INTO tasks SELECT i, md5(i::text) FROM generate_series(1, 3000) i; SAVEPOINT a;"
        " INSERT INTO tasks SELECT i, md5(i::text) FROM generate_series(5001, 7000) i; SAVEPOINT b;"
        " INSERT INTO tasks SELECT i, md5(i::text) FROM generate_series(8001, 9000) i; RELEASE b; ROLLBACK TO a;"
        " INSERT INTO tasks SELECT i, md5(i::text) FROM generate_series(3001, 4000) i; COMMIT"
    )
    pg.database.run("ALTER SYSTEM RESET logical_decoding_work_mem", "SELECT pg_reload_conf()")
    pages = [await follower.next()]
    while sum(len(page.changes) for page in pages) < 4000:
        pages.append(await follower.next())
    assert [c.row["id"] for page in pages for c in page.changes] == list(range(1, 4001))
    assert max(len(page.changes) for page in pages) <= 500


async def test_a_commit_that_was_told_in_part_goes_on_where_it_was_cut(pg: PostgresRig) -> None:
    pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    follower = await following(pg)
    pg.execute("INSERT INTO tasks SELECT generate_series(1, 1000)")
    first = await follower.next()
    cut = len(first.changes)
    await follower.next(acknowledge=False)
    await follower.source.close()
    again = await pg.follow()
    pg.execute("INSERT INTO tasks VALUES (1001)")
    assert [c.row["id"] for c in await again.changes(1001 - cut)] == list(range(cut + 1, 1002))


# ── poison


@pytest.mark.parametrize(
    "content",
    ["", "no json", '{"channel": 5}', "[" * 5000, '{"channel": "a", "event": "pusher:x", "data": null}'],
)
async def test_a_poisoned_logical_message_is_parked_and_the_stream_goes_on(
    newest_pg: PostgresRig, content: str
) -> None:
    newest_pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    follower = await following(newest_pg)
    router = ChangeRouter([Rule(table="tasks", channel="all", deliver="change")], {"tasks": ("id",)})
    for transactional in ("true", "false"):
        with newest_pg.database.connect() as connection:
            connection.execute("SET synchronous_commit = on")
            sql = f"SELECT pg_logical_emit_message({transactional}, %s, %s)"
            connection.execute(sql, [PREFIX, content])
        found = await follower.next()
        assert [each.content for each in found.emitted] == [content.encode()]
        assert router.route(found, "k").messages == ()
    assert router.parked.total() == 2
    newest_pg.execute("INSERT INTO tasks VALUES (1)")
    assert len(await follower.changes(1)) == 1


async def test_messages_of_others_and_of_rolled_back_transactions_disturb_nothing(
    newest_pg: PostgresRig,
) -> None:
    newest_pg.execute("CREATE TABLE tasks (id int PRIMARY KEY)")
    follower = await following(newest_pg)
    newest_pg.execute("BEGIN; SELECT pg_logical_emit_message(true, 'tidings', 'x'); ROLLBACK")
    newest_pg.execute("SELECT pg_logical_emit_message(true, 'somebody', repeat('x', 100000))")
    newest_pg.execute("INSERT INTO tasks VALUES (1)")
    found = await follower.changes(1)
    assert found[0].row["id"] == 1


# ── large rows

READER = """
import asyncio, json, sys
from tidings.sources.postgres import PostgresSource

def peak():  # of this program alone: what getrusage tells is inherited
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

async def main(url, name):
    source = PostgresSource(url, ["tasks"], name=name)
    await source.open()
    before = 0
    async for transaction in source.transactions():
        await source.acknowledge(transaction.checkpoint)
        for change in transaction.changes:
            told = {"id": change.row["id"], "columns": sorted(change.row), "unknown": change.unknown}
            print(json.dumps({**told, "peak": peak() - before}), flush=True)
            before = before or peak()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("column", ["j jsonb", "b bytea"])
async def test_a_row_of_fifty_mebibytes_is_told_by_its_key_and_memory_stays_bounded(
    newest_pg: PostgresRig, column: str
) -> None:
    newest_pg.execute(f"CREATE TABLE tasks (id int PRIMARY KEY, title text, {column})")
    newest_pg.database.run(f"ALTER TABLE tasks {PLAIN}")
    reader = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, newest_pg.database.url, newest_pg.name, stdout=subprocess.PIPE
    )
    try:
        assert reader.stdout is not None
        slots = f"SELECT count(*) FROM pg_replication_slots WHERE slot_name = '{newest_pg.slot}' AND active"
        async with asyncio.timeout(60):
            while not newest_pg.one(slots):
                await asyncio.sleep(0.02)
            newest_pg.execute("INSERT INTO tasks VALUES (1, 'small')")
            assert (await told(reader.stdout))["columns"] == sorted(["id", column[0], "title"])
            value: Any = secrets.token_bytes(LARGE)
            if column[0] == "j":
                value = json.dumps({"text": value.hex()[:LARGE]})
            with newest_pg.database.connect() as connection:
                connection.execute("INSERT INTO tasks VALUES (2, 'large', %s)", [value])
            large = await told(reader.stdout)
        assert (large["id"], large["columns"], large["unknown"]) == (2, ["id", "title"], [column[0]])
        text = LARGE * (2 if column[0] == "b" else 1)
        assert large["peak"] < MEMORY_TIMES * text, large["peak"] / text
    finally:
        reader.kill()
        await reader.wait()


async def told(stream: asyncio.StreamReader) -> dict[str, Any]:
    while True:
        line = await stream.readline()
        assert line, "the reader ended"
        if line.startswith(b"{"):
            found: dict[str, Any] = json.loads(line)
            return found
