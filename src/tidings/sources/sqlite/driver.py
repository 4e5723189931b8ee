"""The two SQLite libraries a captured file can be opened with, behind one small face. Knows no table.

Two copies of SQLite in one process must not have the same file open: POSIX locks belong to the process, so the copies
do not see each other's, and closing a file in one drops the locks of the other (sqlite.org, "How To Corrupt", 2.2.1).
An application that runs in our process and writes its file with Python's `sqlite3` must therefore be followed with
`sqlite3` too. In a process of our own we take APSW's SQLite, which is newer.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import apsw

Driver = Literal["auto", "apsw", "sqlite3"]
"""auto: `sqlite3` where something in this process has imported it, else APSW."""

Trouble = Literal["busy", "readonly", "not_a_database", "damaged", "cannot_open", "full", "other"]

OLDEST: Final = (3, 38, 0)
"""The first SQLite that always has the JSON functions."""

_BY_CODE: Final[dict[int, Trouble]] = {
    apsw.SQLITE_BUSY: "busy",
    apsw.SQLITE_LOCKED: "busy",
    apsw.SQLITE_READONLY: "readonly",
    apsw.SQLITE_PERM: "readonly",
    apsw.SQLITE_NOTADB: "not_a_database",
    apsw.SQLITE_CORRUPT: "damaged",
    apsw.SQLITE_CANTOPEN: "cannot_open",
    apsw.SQLITE_FULL: "full",
}


class DatabaseError(Exception):
    """An error of SQLite, from either library."""

    def __init__(self, trouble: Trouble, text: str) -> None:
        self.trouble = trouble
        super().__init__(text)


class _Raw(Protocol):
    """What both libraries have."""

    @property
    def in_transaction(self) -> bool: ...

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Iterator[tuple[Any, ...]]: ...

    def close(self) -> None: ...


class Database:
    """One connection in autocommit mode. Every call may raise DatabaseError."""

    def __init__(self, path: Path, *, create: bool, busy_ms: int, driver: Driver) -> None:
        with _translated():
            self._raw = (_open_sqlite3 if _is_sqlite3(driver) else _open_apsw)(path, create, busy_ms)

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def run(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Run one statement to its end; no statement stays open, since it would hold a lock or the WAL."""
        with _translated():
            return list(self._raw.execute(sql, parameters))

    def each(self, sql: str, *parameters: Any) -> Iterator[tuple[Any, ...]]:
        """Rows one by one, for what may be large. Close the iterator, or take it to its end."""
        with _translated():
            yield from self._raw.execute(sql, parameters)

    def close(self) -> None:
        with _translated():
            self._raw.close()


def chosen_sqlite(driver: Driver) -> tuple[int, ...]:
    """The version of SQLite that a driver brings."""
    if _is_sqlite3(driver):
        import sqlite3  # not above: `auto` asks whether somebody else has imported it

        return sqlite3.sqlite_version_info
    return tuple(int(part) for part in apsw.sqlite_lib_version().split("."))


def _is_sqlite3(driver: Driver) -> bool:
    return driver == "sqlite3" or (driver == "auto" and "sqlite3" in sys.modules)


def _open_apsw(path: Path, create: bool, busy_ms: int) -> _Raw:  # noqa: FBT001 - both ways in have one form
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    raw = apsw.Connection(os.fspath(path), flags=flags)
    raw.set_busy_timeout(busy_ms)
    return raw


def _open_sqlite3(path: Path, create: bool, busy_ms: int) -> _Raw:  # noqa: FBT001 - both ways in have one form
    import sqlite3  # not above: `auto` asks whether somebody else has imported it

    uri = f"{path.absolute().as_uri()}?mode={'rwc' if create else 'rw'}"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=busy_ms / 1000
    )


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except apsw.Error as error:
        raise DatabaseError(_BY_CODE.get(getattr(error, "result", 0), "other"), str(error)) from error
    except Exception as error:
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            raise
        raise DatabaseError(_BY_CODE.get(code & 0xFF, "other"), str(error)) from error
