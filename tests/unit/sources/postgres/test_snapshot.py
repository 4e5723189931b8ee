"""Rows at one instant of the log: written as changes tell them, and exactly those before its position."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.base import Wanted
from tidings.sources.postgres import snapshot
from tidings.sources.postgres.catalog import Table, read_tables
from tidings.sources.postgres.snapshot import read_snapshot

PUBLICATION = "told"


def tables(database: Database) -> dict[str, Table]:
    with database.connect() as connection:
        return read_tables(connection, ["t"])


@pytest.fixture
def database(newest_postgres: Database) -> Database:
    newest_postgres.run(
        "CREATE TABLE t (id int PRIMARY KEY, p int, x numeric, twice int GENERATED ALWAYS AS (p * 2) STORED)",
        "INSERT INTO t VALUES (2, 5, 1.50), (1, 5, NULL), (3, 6, NULL)",
        f"CREATE PUBLICATION {PUBLICATION} FOR TABLE t",
    )
    return newest_postgres


async def test_rows_come_by_key_as_changes_tell_them(database: Database) -> None:
    found = await read_snapshot(
        database.url, PUBLICATION, tables(database), [Wanted(table="t", equal={"p": "5"})], 10
    )
    assert found.rows == ((b'{"p": 5, "x": null, "id": 1}', b'{"p": 5, "x": 1.50, "id": 2}'),)
    ((slots,),) = database.rows(
        "SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"
    )
    assert slots == 0


async def test_positions_of_another_server_are_not_given(database: Database) -> None:
    with pytest.raises(SourceError, match="another server"):
        await read_snapshot(
            database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10, process="1795212264.5"
        )


async def test_one_more_than_the_most_says_that_there_are_more(database: Database) -> None:
    (found,) = (await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 1)).rows
    assert [json.loads(row)["id"] for row in found] == [1, 2]


async def test_its_position_stands_before_what_is_committed_later(database: Database) -> None:
    found = await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10)
    database.run("INSERT INTO t VALUES (4, 1)")
    ((after,),) = database.rows("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')")
    assert 0 < found.position < int(after)


@pytest.mark.parametrize("equal", [{"p": "no number"}, {"none": "1"}])
async def test_what_no_row_can_have_finds_none(database: Database, equal: dict[str, str]) -> None:
    found = await read_snapshot(
        database.url, PUBLICATION, tables(database), [Wanted(table="t", equal=equal), Wanted(table="t")], 10
    )
    assert [len(rows) for rows in found.rows] == [0, 3]


async def test_an_open_transaction_that_holds_it_up_is_an_error_in_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "SNAPSHOT_SECONDS", 0.5)
    with database.connect(autocommit=False) as holder:
        holder.execute("INSERT INTO t VALUES (9, 9)")
        with pytest.raises(SourceError, match="still open"):
            await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10)


async def test_what_the_publication_hides_is_not_shown(database: Database) -> None:
    database.run(f"ALTER PUBLICATION {PUBLICATION} SET TABLE t (id, p) WHERE (id < 3)")
    (rows,) = (await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10)).rows
    assert [json.loads(row) for row in rows] == [{"id": 1, "p": 5}, {"id": 2, "p": 5}]
    database.run(f"ALTER PUBLICATION {PUBLICATION} DROP TABLE t")
    with pytest.raises(SourceError, match="not published"):
        await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10)


async def test_a_row_that_cannot_be_written_is_an_error_and_never_an_empty_list(database: Database) -> None:
    database.run("ALTER TABLE t ADD j json", """UPDATE t SET j = '"\\u0000"' WHERE id = 1""")
    with pytest.raises(SourceError):
        await read_snapshot(database.url, PUBLICATION, tables(database), [Wanted(table="t")], 10)
