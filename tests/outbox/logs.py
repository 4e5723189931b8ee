"""What the database's own log tells of the outbox, read without a Tidings server."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any, Protocol

import msgspec

from tests.fixtures.fix_postgres import Database
from tidings.outbox.table import PREFIX, TABLE, Staged, read_emitted, read_row
from tidings.sources.sqlite.triggers import CHANGES, TABLES, TableShape, triggers_of

SLOT = "reading"

COLUMNS = ("id", "channel", "event", "data", "keys", "entity", "origin", "created")

NOTES = "CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE)"
"""The business: what the application saves beside what it tells."""


class Log(Protocol):
    """A database under test. url: as an application names it."""

    url: str

    def begin(self) -> None:
        """Start reading; the outbox has been made."""
        ...

    def told(self) -> list[Staged]:
        """Every message in the log, in the order of commits."""
        ...

    def rows(self, sql: str) -> list[tuple[Any, ...]]: ...


class SqliteLog:
    """The trigger table of a SQLite file: one writer at a time, so its order is that of commits."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self._file = file
        self._run("PRAGMA journal_mode = WAL")
        self._run(NOTES)

    def begin(self) -> None:
        shape = TableShape(name=TABLE, columns=COLUMNS, key=("id",), rowid="rowid")
        for statement in (*TABLES, *triggers_of(shape).values()):
            self._run(statement)

    def told(self) -> list[Staged]:
        sql = f"SELECT new FROM {CHANGES} WHERE tbl = '{TABLE}' AND kind = 'insert' ORDER BY seq"
        return [read_row(msgspec.json.decode(new)) for (new,) in self.rows(sql)]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._run(sql)

    def _run(self, sql: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self._file, isolation_level=None)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()


class PostgresLog:
    """A replication slot, read by the plug-in that every server has."""

    def __init__(self, database: Database) -> None:
        self.url = database.url
        self._database = database
        database.run(NOTES.replace("INTEGER PRIMARY KEY", "integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))

    def begin(self) -> None:
        self._database.run(f"SELECT pg_create_logical_replication_slot('{SLOT}', 'test_decoding')")

    def told(self) -> list[Staged]:
        # The tests' server commits without waiting for its log; whoever does wait brings all before it along.
        self._database.run(
            "SET synchronous_commit = on; SELECT pg_logical_emit_message(true, 'flush', 'all before')"
        )
        lines = self.rows(f"SELECT data FROM pg_logical_slot_peek_changes('{SLOT}', NULL, NULL)")
        return [staged for (line,) in lines if (staged := _staged(line)) is not None]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.rows(sql)


_INSERT = re.compile(rf"table public\.{TABLE}: INSERT: (.*)", re.DOTALL)
_COLUMN = re.compile(r"(\w+)\[[a-z ]+\]:(?:'((?:[^']|'')*)'|(null|\d+))")
_MESSAGE = re.compile(rf"message: transactional: 1 prefix: {PREFIX}, sz: \d+ content:(.*)", re.DOTALL)


def _staged(line: str) -> Staged | None:
    if (found := _MESSAGE.match(line)) is not None:
        return read_emitted(found[1].encode())
    if (found := _INSERT.match(line)) is None:
        return None
    columns = {name: None if bare == "null" else text for name, text, bare in _COLUMN.findall(found[1])}
    return read_row({name: text.replace("''", "'") if text else text for name, text in columns.items()})
