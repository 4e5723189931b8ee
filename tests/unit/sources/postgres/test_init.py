"""What the rest of the house may ask of Postgres without opening a source."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.base import TableInfo
from tidings.sources.postgres import read_infos


def test_tables_are_read_as_rules_see_them_and_nothing_is_made(newest_postgres: Database) -> None:
    newest_postgres.run(
        "CREATE TABLE tasks (id int PRIMARY KEY, title text)",
        "CREATE TABLE notes (id int PRIMARY KEY, body text)",
        "ALTER TABLE notes REPLICA IDENTITY FULL",
    )
    infos = read_infos(newest_postgres.url, ["tasks", "public.notes"])
    assert set(infos) == {"tasks", "notes"}
    assert infos["tasks"] == TableInfo(
        columns=("id", "title"),
        key=("id",),
        old=("id",),
        fix='run ALTER TABLE "public"."tasks" REPLICA IDENTITY FULL'
        " (tidings source add --full tasks sets what is missing)",
    )
    assert infos["notes"].old == ("id", "body")
    assert newest_postgres.rows("SELECT count(*) FROM pg_publication") == [(0,)]


def test_a_partitioned_table_says_that_its_partitions_count(newest_postgres: Database) -> None:
    newest_postgres.run(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (9)",
    )
    assert "each of its partitions" in read_infos(newest_postgres.url, ["p"])["p"].fix


def test_what_is_missing_is_told_with_the_nearest_name(newest_postgres: Database) -> None:
    newest_postgres.run("CREATE TABLE tasks (id int PRIMARY KEY)")
    with pytest.raises(SourceError, match="did you mean 'tasks'"):
        read_infos(newest_postgres.url, ["taks"])
