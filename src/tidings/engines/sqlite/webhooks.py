"""Webhooks that wait, in an SQLite file beside the log. Knows no webhook, only texts and bytes.

A file of its own: a receiver that is down for long must not make the log's file grow, nor share its writer.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import apsw

from tidings.engines.sqlite.faults import Fault, describe, free_bytes
from tidings.engines.sqlite.files import BUSY_MS, make_file
from tidings.errors import EngineError

APPLICATION_ID: Final = 0x7469_6477
"""Tells such a file from anybody else's ("tidw")."""

VERSION: Final = 1

T = TypeVar("T")


def path_beside(log: str) -> str:
    """The file's name beside a log's: `log.db` → `log-webhooks.db`."""
    stem, suffix = os.path.splitext(log)
    return f"{stem}-webhooks{suffix or '.db'}"


class SqliteStore:
    """A `Store` on disk. The file is made at the first write: without webhooks there is none.

    What was written survives the end of the process and a power cut. All of SQLite runs in one thread of its own.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._connection: apsw.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._fault: Fault | None = None

    async def load(self) -> Sequence[tuple[str, bytes]]:
        """Open the file where there is one and return all that is kept, in order of the keys.

        Raises EngineError for a file that is damaged, a stranger's or a newer version's.
        """
        return await self._run(self._load)

    async def write(self, changes: Mapping[str, bytes | None]) -> None:
        """Keep and forget (None), as one transaction. Raises EngineUnavailable."""
        await self._run(lambda: self._write(changes))

    async def close(self) -> None:
        """Fold the write-ahead log into the file and close it. Idempotent."""
        if self._thread is not None:
            await self._run(self._close)
            self._thread.shutdown(wait=False)
            self._thread = None

    async def _run(self, work: Callable[[], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="tidings-webhooks")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # ── in the thread

    def _load(self) -> list[tuple[str, bytes]]:
        if not os.path.exists(self.path):
            return []
        try:
            found: Any = self._open().execute("SELECT key, value FROM kept ORDER BY key").fetchall()
        except apsw.Error as error:
            self._close()
            raise EngineError(
                f"{self.path} cannot be used for webhooks ({error}); restore it, or remove it to forget them"
            ) from error
        return list(found)

    def _write(self, changes: Mapping[str, bytes | None]) -> None:
        if self._fault is not None:
            raise self._fault.error()
        try:
            _transact(self._open(), changes)
        except apsw.Error as error:
            fault = describe(error, self.path, free=free_bytes(self.path))
            if fault.final:
                self._fault = fault
            raise fault.error() from error

    def _open(self) -> apsw.Connection:
        if self._connection is None:
            make_file(self.path)
            connection = apsw.Connection(self.path)
            try:
                _set_up(connection, self.path)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _transact(connection: apsw.Connection, changes: Mapping[str, bytes | None]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        gone = [(key,) for key, value in changes.items() if value is None]
        kept = [(key, value) for key, value in changes.items() if value is not None]
        connection.executemany("DELETE FROM kept WHERE key = ?", gone)
        connection.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", kept)
        connection.execute("COMMIT")
    except apsw.Error:
        if connection.in_transaction:  # on a full disk SQLite has rolled back by itself
            connection.execute("ROLLBACK")
        raise


def _set_up(connection: apsw.Connection, path: str) -> None:
    """Check whose file it is before anything changes it, then make its table. Raises EngineError, apsw.Error."""
    connection.set_busy_timeout(BUSY_MS)
    owner, version = connection.pragma("application_id"), connection.pragma("user_version")
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").get
    if owner != APPLICATION_ID and not (empty and owner == 0):
        raise EngineError(f"{path} is an SQLite file, but not one of our webhooks; move it away")
    if version > VERSION:
        raise EngineError(f"{path} was written by a newer Tidings; start that version, or move the file away")
    found = connection.pragma("quick_check", 1)
    if found != "ok":
        raise EngineError(
            f"{path} is damaged ({found}); restore it, or remove it to forget the webhooks that wait"
        )
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", 2)  # FULL: with group commits at most fifty a second it costs little
    connection.pragma("fullfsync", 1)
    if empty:
        with connection:
            connection.execute("CREATE TABLE kept (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID")
            connection.pragma("application_id", APPLICATION_ID)
            connection.pragma("user_version", VERSION)
