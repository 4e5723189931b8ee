"""The table of apps in SQLite, read whole when it has changed. Writes nothing and understands no column.

Blocking: its follower calls it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tidings.errors import SourceError
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver

BUSY_MS: Final = 2_000
"""Milliseconds to wait for another writer's lock; the next look is not far."""

MAX_APPS: Final = 10_000
"""Rows that are read. Each app costs a hub and its settings; beyond this several servers do better."""

Row = Mapping[str, Any]


class AppsTable:
    """The rows of one table. path, table: as configured. driver: see `sources.sqlite.driver`."""

    def __init__(self, path: str, table: str, *, driver: Driver = "auto") -> None:
        self._path = Path(path)
        self._table = table
        self._driver = driver
        self._db: Database | None = None
        self._file: tuple[int, ...] | None = None
        self._seen: Any = None

    def changed(self) -> list[Row] | None:
        """All rows, or None when nothing has changed since the last call. Raises SourceError; then call again."""
        try:
            return self._changed()
        except (DatabaseError, OSError) as error:
            self.close()
            raise SourceError(self._told(error)) from error

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        db, self._db, self._seen = self._db, None, None
        if db is not None:
            db.close()

    def _changed(self) -> list[Row] | None:
        stat = os.stat(self._path)
        # Another file has taken its place, or was copied over it, which SQLite's own counter may not show.
        file = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if self._db is None or self._file != file:
            self.close()
            self._db = Database(self._path, create=False, busy_ms=BUSY_MS, driver=self._driver)
            self._file = file
            self._db.run("PRAGMA query_only = 1")
        # Asked before reading: a commit in between is then read twice, never missed.
        version = self._db.run("PRAGMA data_version")[0][0]
        if version == self._seen:
            return None
        rows = self._read(self._db)
        self._seen = version
        return rows

    def _read(self, db: Database) -> list[Row]:
        columns = [name for _, name, *_ in db.run("SELECT * FROM pragma_table_info(?)", self._table)]
        if not columns:
            raise SourceError(
                f"{self._path} has no table {self._table}; docs/how-to/several-apps.md has its CREATE TABLE"
            )
        # Text as bytes: one row that is not UTF-8 must not make the others unreadable.
        named = ", ".join(
            f"CASE typeof({c}) WHEN 'text' THEN CAST({c} AS BLOB) ELSE {c} END" for c in map(_quoted, columns)
        )
        found = db.run(f"SELECT {named} FROM {_quoted(self._table)} LIMIT {MAX_APPS + 1}")
        if len(found) > MAX_APPS:
            raise SourceError(f"table {self._table} has more than {MAX_APPS} rows; spread them over servers")
        return [dict(zip(columns, map(_text, row), strict=True)) for row in found]

    def _told(self, error: Exception) -> str:
        if isinstance(error, FileNotFoundError):
            return f"there is no database {self._path}; correct apps_table.url, or create it first"
        return f"{self._path} cannot be read: {error}"


def _text(value: Any) -> Any:
    """What was text as text again. What is none stays bytes, which is a fault of that row."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
