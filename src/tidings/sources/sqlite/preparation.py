"""Making a SQLite file ready for capture before any server runs, and taking all of it out again. Holds no SQL.

Blocks. The triggers themselves are `SqliteSource.open`'s: a server makes the same at its start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tidings.errors import SourceError
from tidings.sources.sqlite.capture import Capture
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver
from tidings.sources.sqlite.readerlock import ReaderLock
from tidings.sources.sqlite.shapes import table_names
from tidings.sources.sqlite.triggers import PREFIX
from tidings.sources.sqlite.troubles import explain

READ_MS: Final = 2_000
"""Milliseconds to wait for the application's lock."""


def tables_there(path: Path, *, driver: Driver = "auto") -> list[str]:
    """The application's tables. Raises SourceError."""
    with _reading(path, driver) as db:
        return list(table_names(db))


def captured_tables(path: Path, *, driver: Driver = "auto") -> list[str]:
    """The tables whose changes the file records now. Raises SourceError."""
    with _reading(path, driver) as db:
        found = db.run("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'trigger' ORDER BY tbl_name")
        return list(dict.fromkeys(str(table) for name, table in found if str(name).startswith(PREFIX)))


def remove(path: Path, *, driver: Driver = "auto") -> list[str]:
    """Take triggers and tables of ours out; returns the tables that were captured. Raises SourceError.

    The lock file beside the database stays: a reader may be about to take it.
    """
    captured = captured_tables(path, driver=driver)
    lock = ReaderLock(str(path))
    try:
        if not lock.acquire():
            raise SourceError(f"{path} is being read; end that server first")
        capture = Capture(path, (), create=False, driver=driver)
        try:
            capture.remove()
        finally:
            capture.close()
    except (DatabaseError, OSError) as error:
        raise SourceError(explain(error, path)) from error
    finally:
        lock.release()
    return captured


@contextmanager
def _reading(path: Path, driver: Driver) -> Iterator[Database]:
    if not path.exists():
        raise SourceError(f"there is no database {path}; correct the url, or create the database first")
    try:
        db = Database(path, create=False, busy_ms=READ_MS, driver=driver)
        try:
            db.run("PRAGMA query_only = 1")
            yield db
        finally:
            db.close()
    except DatabaseError as error:
        raise SourceError(explain(error, path)) from error
