"""The SQL of the outbox: it may run again, it sweeps, it can be taken out, and it agrees with the checks in Python."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import psycopg
import pytest

from tests.fixtures.fix_postgres import Database
from tidings.messages import FOREIGN_EVENTS, check_channel
from tidings.outbox.ddl import TABLE, Dialect, ddl, drop, drop_statements, statements
from tidings.outbox.table import MAX_BYTES

INSERT = f"INSERT INTO {TABLE} (channel, event) VALUES ('a', 'e')"


@pytest.mark.parametrize("dialect", ["postgresql", "sqlite"])
def test_the_text_is_the_statements_and_no_driver_takes_it_for_a_template(dialect: Dialect) -> None:
    assert ddl(dialect) == "".join(f"{each};\n" for each in statements(dialect))
    assert drop(dialect) == "".join(f"{each};\n" for each in drop_statements(dialect))
    assert "%" not in ddl(dialect) + drop(dialect)


def test_sqlite_sweeps_and_gives_no_number_twice(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "app.db")
    connection.executescript(ddl("sqlite") * 2)
    numbers = [connection.execute(INSERT).lastrowid for _ in range(3)]
    assert numbers == [1, 2, 3]
    assert connection.execute(f"SELECT count(*) FROM {TABLE}").fetchone() == (0,)
    connection.executescript(drop("sqlite") * 2)
    left = "SELECT name FROM sqlite_schema WHERE name LIKE 'tidings%'"
    assert connection.execute(left).fetchall() == []
    connection.close()


def test_postgres_takes_it_twice_and_lets_go_of_all_of_it(postgres: Database) -> None:
    postgres.run(ddl("postgresql"), ddl("postgresql"), INSERT)
    assert postgres.rows(f"SELECT count(*) FROM {TABLE}") == [(0,)]
    postgres.run(drop("postgresql"), drop("postgresql"))
    for column, table in (("proname", "pg_proc"), ("relname", "pg_class")):
        assert postgres.rows(f"SELECT {column} FROM {table} WHERE {column} LIKE 'tidings%'") == []


def test_the_writer_may_have_another_search_path_and_few_rights(postgres: Database) -> None:
    """The rights that docs/how-to/outbox.md names are enough."""
    role = f"writer_{postgres.name}"
    postgres.run(
        "CREATE SCHEMA live",
        "SET search_path = live; " + ddl("postgresql"),
        f"CREATE ROLE {role}",
        f"GRANT USAGE ON SCHEMA live TO {role}",
        f"GRANT SELECT, INSERT, DELETE ON live.{TABLE} TO {role}",
    )
    try:
        with postgres.connect() as connection:
            connection.execute(f"SET ROLE {role}")
            connection.execute(f"INSERT INTO live.{TABLE} (channel, event) VALUES ('a', 'e')")
            connection.execute("SELECT live.tidings_publish('a', 'e'), live.tidings_emit('a', 'e')")
            assert connection.execute(f"SELECT count(*) FROM live.{TABLE}").fetchall() == [(0,)]
    finally:
        postgres.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


@pytest.mark.parametrize("function", ["tidings_publish", "tidings_emit"])
def test_the_functions_refuse_what_python_refuses(postgres: Database, function: str) -> None:
    postgres.run(ddl("postgresql"))
    call = f"SELECT {function}(%s, %s, %s, %s, %s)"
    bad: list[tuple[list[str | None], str]] = [
        ([None, "e", "1", None, None], "bad_channel"),
        (["a" * 201, "e", "1", None, None], "bad_channel"),
        (["", "e", "1", None, None], "bad_channel"),
        (["a", "", "1", None, None], "bad_event"),
        (["a", "e\n", "1", None, None], "bad_event"),
        (["a", "e" * 201, "1", None, None], "bad_event"),
        (["a", "e", '"' + "x" * MAX_BYTES + '"', None, None], "message_too_large"),
        (["a", "e", "1", '{"a": 1}', None], "bad_message: keys"),
        (["a", "e", "1", None, "[]"], "bad_message: entity"),
        *([["a", f"{start}x", "1", None, None], "bad_event"] for start in FOREIGN_EVENTS),  # type: ignore[list-item]
    ]
    with postgres.connect() as connection:
        for arguments, code in bad:
            with pytest.raises(psycopg.errors.InvalidParameterValue, match=code):
                connection.execute(call, arguments)
        connection.execute(call, ["a" * 200, "e" * 200, '{"a": []}', "[[1]]", '{"type": "t", "id": 1}'])


def test_one_alphabet_in_sql_and_python(postgres: Database) -> None:
    postgres.run(ddl("postgresql"))
    allowed = "SELECT tidings_outbox_check(%s, 'e', NULL, NULL, NULL)"
    with postgres.connect() as connection:
        for character in map(chr, range(1, 0x250)):
            try:
                connection.execute(allowed, [f"a{character}"])
                said_yes = True
            except psycopg.errors.InvalidParameterValue:
                said_yes = False
            assert said_yes == (check_channel(f"a{character}") is None), character
