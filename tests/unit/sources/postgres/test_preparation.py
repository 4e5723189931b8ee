"""Publication and slot made and taken out again on real servers, by roles with all rights, some and none."""

from __future__ import annotations

import asyncio

import pytest

from tests.fixtures.fix_postgres import Database
from tests.unit.sources.postgres.roles import as_role, role
from tidings.errors import SourceError
from tidings.sources.postgres.catalog import read_table
from tidings.sources.postgres.preparation import prepare, remove, tables_there
from tidings.sources.postgres.setup import MissingRight, Names
from tidings.sources.postgres.stream import Stream

TASKS = "CREATE TABLE tasks (id int PRIMARY KEY, title text)"
NOTES = "CREATE TABLE notes (t text)"


def names(database: Database) -> Names:
    return Names.of(database.name)


def identity(database: Database, table: str) -> str:
    ((found,),) = database.rows(f"SELECT relreplident::text FROM pg_class WHERE relname = '{table}'")
    return str(found)


def test_it_is_made_once_told_with_its_sql_and_taken_out_again(postgres: Database) -> None:
    postgres.run(TASKS)
    first = prepare(postgres.url, names(postgres), ["tasks"])
    assert ["CREATE PUBLICATION" in step.sql for step in first.steps] == [True, False]
    assert "pg_create_logical_replication_slot" in first.steps[1].sql
    assert first.missing == ()
    again = prepare(postgres.url, names(postgres), ["public.tasks"])
    assert [step.sql for step in again.steps] == ["", ""]
    assert [bool(step.sql) for step in remove(postgres.url, names(postgres))] == [True, True]
    assert [step.sql for step in remove(postgres.url, names(postgres))] == ["", ""]
    assert identity(postgres, "tasks") == "d"


def test_what_is_told_can_be_run_by_hand(postgres: Database) -> None:
    postgres.run(TASKS, NOTES)
    steps = prepare(postgres.url, names(postgres), ["tasks", "notes"], ["notes"]).steps
    list(remove(postgres.url, names(postgres)))
    postgres.run(*(step.sql for step in steps))
    assert all(not step.sql for step in prepare(postgres.url, names(postgres), ["tasks", "notes"]).steps)


def test_a_table_without_identity_is_refused_and_nothing_is_made(postgres: Database) -> None:
    postgres.run(NOTES)
    with pytest.raises(SourceError, match=r"primary key, or run ALTER TABLE .* --full notes"):
        prepare(postgres.url, names(postgres), ["notes"])
    assert postgres.rows("SELECT * FROM pg_publication") == []
    assert identity(postgres, "notes") == "d"


def test_full_is_set_for_a_partitioned_table_and_each_of_its_partitions(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE days (day int PRIMARY KEY) PARTITION BY RANGE (day)",
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE days_2 PARTITION OF days FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (day)",
        "CREATE TABLE days_3 PARTITION OF days_2 FOR VALUES FROM (10) TO (15)",
    )
    prepared = prepare(postgres.url, names(postgres), ["days"], ["days"])
    assert prepared.tables["days"].full
    assert [identity(postgres, table) for table in ("days", "days_1", "days_2", "days_3")] == ["f"] * 4
    assert sum("REPLICA IDENTITY" in step.sql for step in prepared.steps) == 4


def test_old_rows_are_whole_only_where_the_partitioned_table_says_so_too(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE days (day int PRIMARY KEY, t text) PARTITION BY RANGE (day)",
        "CREATE TABLE days_1 PARTITION OF days FOR VALUES FROM (0) TO (10)",
        "ALTER TABLE days_1 REPLICA IDENTITY FULL",
    )
    with postgres.connect() as connection:
        table = read_table(connection, "days")
    assert table is not None
    assert table.old == ("day",)


def test_a_role_without_rights_is_told_all_that_somebody_must_run(postgres: Database) -> None:
    postgres.run(TASKS, NOTES)
    with role(postgres) as name:
        url = as_role(postgres, name)
        prepared = prepare(url, names(postgres), ["tasks", "notes"], ["notes"])
        assert prepared.steps == ()
        postgres.run(*(missing.sql for missing in prepared.missing))
        after = prepare(url, names(postgres), ["tasks", "notes"], ["notes"])
        assert after.missing == ()
        assert [step.text for step in after.steps if step.sql] == [f"replication slot {names(postgres).slot}"]
        with pytest.raises(MissingRight, match="does not own publication"):
            list(remove(url, names(postgres)))


def test_an_owner_needs_to_create_and_nothing_more(postgres: Database) -> None:
    with role(postgres, "REPLICATION") as name:
        postgres.run(TASKS, f"ALTER TABLE tasks OWNER TO {name}")
        url = as_role(postgres, name)
        (missing,) = prepare(url, names(postgres), ["tasks"]).missing
        assert missing.sql == f'GRANT CREATE ON DATABASE "{postgres.name}" TO "{name}"'
        postgres.run(missing.sql)
        assert prepare(url, names(postgres), ["tasks"]).missing == ()
        assert [bool(step.sql) for step in remove(url, names(postgres))] == [True, True]


def test_a_slot_that_is_read_is_not_taken_away(postgres: Database) -> None:
    postgres.run(TASKS)
    prepare(postgres.url, names(postgres), ["tasks"])

    async def read() -> None:
        stream = await Stream.connect(postgres.url)
        try:
            await stream.start(names(postgres), 0, streaming=False)
            with pytest.raises(SourceError, match="being read; end that server first"):
                list(remove(postgres.url, names(postgres)))
        finally:
            await stream.close()

    asyncio.run(read())
    assert postgres.rows("SELECT count(*) FROM pg_publication") == [(1,)]


def test_another_programs_slot_is_left_alone(postgres: Database) -> None:
    postgres.rows(f"SELECT pg_create_logical_replication_slot('{names(postgres).slot}', 'test_decoding')")
    with pytest.raises(SourceError, match="another program's"):
        list(remove(postgres.url, names(postgres)))


def test_the_tables_there_are(newest_postgres: Database) -> None:
    newest_postgres.run(TASKS, "CREATE SCHEMA sales", "CREATE TABLE sales.orders (id int PRIMARY KEY)")
    assert tables_there(newest_postgres.url) == ["tasks", "sales.orders"]
