"""The statements by which the outbox is made, written and removed on Django's connections. Checks no message."""

from __future__ import annotations

from typing import Any, Final, cast

from django.db import connections

from tidings.errors import ConfigError
from tidings.outbox.table import PREFIX, TABLE, Dialect, Staged, drop_statements, statements

COLUMNS: Final = ("channel", "event", "data", "keys", "entity", "origin")

INSERT: Final = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
"""A statement and no model: the row is gone at once, and nothing of it is to be fetched or signalled."""

EMIT: Final = "SELECT pg_logical_emit_message(true, %s, CAST(%s AS bytea))"


def write_row(staged: Staged, using: str) -> None:
    """Insert a message in the transaction that is open on `using`, or in one of its own. Raises ConfigError."""
    connection = connections[using]
    dialect_of(connection)
    row = staged.row()
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [row[column] for column in COLUMNS])


def write_emission(staged: Staged, using: str) -> None:
    """Write a message into the log of Postgres itself. Raises ConfigError."""
    connection = connections[using]
    if dialect_of(connection) != "postgresql":
        raise ConfigError(
            f"emit needs Postgres, and the database {using!r} is none; publish works on SQLite too"
        )
    with connection.cursor() as cursor:
        cursor.execute(EMIT, [PREFIX, staged.emitted()])


def create_outbox(apps: Any, schema_editor: Any) -> None:
    """For RunPython: table, trigger and, on Postgres, the SQL functions. Raises ConfigError."""
    for statement in statements(dialect_of(schema_editor.connection)):
        schema_editor.execute(statement, params=None)


def drop_outbox(apps: Any, schema_editor: Any) -> None:
    """For RunPython, backwards."""
    for statement in drop_statements(dialect_of(schema_editor.connection)):
        schema_editor.execute(statement, params=None)


def dialect_of(connection: Any) -> Dialect:
    """The dialect of a connection of Django. Raises ConfigError when there is no outbox in it."""
    if connection.vendor not in ("postgresql", "sqlite"):
        raise ConfigError(
            f"the outbox works in SQLite and Postgres, and the database {connection.alias!r} is {connection.vendor}; "
            "publish after the commit, through the HTTP API, or keep the app tidings_outbox from this database in "
            "DATABASE_ROUTERS and name another one with using="
        )
    return cast(Dialect, connection.vendor)
