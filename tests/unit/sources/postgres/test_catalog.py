"""What the captured tables look like, and which cannot be."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.postgres.catalog import (
    check_server,
    columns_of,
    quote,
    read_table,
    read_tables,
    split_name,
    usual_name,
)


@pytest.mark.parametrize(
    ("name", "parts", "usual"),
    [
        ("tasks", ("public", "tasks"), "tasks"),
        ("public.tasks", ("public", "tasks"), "tasks"),
        ("sales.orders", ("sales", "orders"), "sales.orders"),
    ],
)
def test_a_name_is_of_schema_and_table(name: str, parts: tuple[str, str], usual: str) -> None:
    assert split_name(name) == parts
    assert usual_name(name) == usual


def test_a_name_as_sql_is_quoted() -> None:
    assert quote('odd "one"') == '"odd ""one"""'


def test_a_table_has_columns_key_and_identity(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE t (b text, a int, c int GENERATED ALWAYS AS (a + 1) STORED, gone int, PRIMARY KEY (b, a))",
        "ALTER TABLE t DROP gone",
    )
    with postgres.connect() as connection:
        found = read_table(connection, "public.t")
        assert found is not None
        assert (found.name, found.columns, found.key, found.old) == ("t", ("b", "a"), ("b", "a"), ("b", "a"))
        assert (found.full, found.partitioned, found.owned) == (False, False, True)
        assert read_table(connection, "none") is None


@pytest.mark.parametrize(
    ("identity", "old"),
    [("FULL", ("id", "x", "y")), ("USING INDEX by_x", ("x",)), ("DEFAULT", ("id",)), ("NOTHING", ())],
)
def test_the_identity_says_what_is_told_of_old_rows(
    newest_postgres: Database, identity: str, old: tuple[str, ...]
) -> None:
    newest_postgres.run(
        "CREATE TABLE t (id int PRIMARY KEY, x int NOT NULL, y int)",
        "CREATE UNIQUE INDEX by_x ON t (x)",
        f"ALTER TABLE t REPLICA IDENTITY {identity}",
    )
    with newest_postgres.connect() as connection:
        found = read_table(connection, "t")
        assert found is not None
        assert found.old == old


def test_all_that_is_wrong_is_told_at_once(newest_postgres: Database) -> None:
    newest_postgres.run(
        "CREATE TABLE tasks (id int PRIMARY KEY)",
        "CREATE VIEW seen AS SELECT 1",
        "CREATE TABLE loose (x int)",
    )
    with newest_postgres.connect() as connection:
        with pytest.raises(SourceError) as caught:
            read_tables(connection, ["task", "seen", "loose"])
        faults = str(caught.value).splitlines()
        assert len(faults) == 3
        assert "did you mean 'tasks'" in faults[0]
        assert "it is a view" in faults[1]
        assert "REPLICA IDENTITY FULL" in faults[2]
        found = read_tables(connection, ["public.tasks"])
        assert columns_of(found) == {"tasks": ("id",)}


def test_a_server_that_decodes_is_taken(postgres: Database) -> None:
    with postgres.connect() as connection:
        check_server(connection)
