"""Opening the log's file: lock, checks, connections. Everything here may wait for the disk; no thread is started."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Any

import apsw

from tidings.engines.sqlite.guard import Guard
from tidings.engines.sqlite.schema import check, migrate
from tidings.errors import EngineError
from tidings.ids import AppId, new_epoch

READERS = 2
"""Threads that read: one long page does not hold up the short ones, and more would only share the cores."""

BUSY_MS = 2_000
"""Milliseconds to wait for a stranger's lock on the file; only tools of the administrator take one."""

CHECK_BYTES = 16 << 20
"""Files up to this size are checked whole at open, about 0.1 s. In larger ones damage is found when it is read."""

WAL_BYTES = 64 << 20
"""To this size SQLite cuts its write-ahead log after a checkpoint."""

_CACHE_KIB = 16 << 10
"""Page cache of a connection."""

logger = logging.getLogger("tidings.engines.sqlite")


class Files:
    """The open log: its lock, one connection that writes, and those that read.

    heads: each app's newest offset. serial: number of the last commit. Raises EngineError when it cannot be used.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.readers: list[apsw.Connection] = []
        make_file(self.path)
        self.guard = Guard(self.path)
        try:
            self.writer = self._connect(apsw.SQLITE_OPEN_READWRITE)
            check(self.writer, self.path)  # before anything changes a file that may be a stranger's
            _set_up(self.writer)
            migrate(self.writer)
            self._check()
            self.epoch, self.serial = self._continue()
            heads: Any = self.writer.execute("SELECT name, last FROM apps").fetchall()
            self.heads: dict[AppId, int] = dict(heads)
            self.readers = [self._connect(apsw.SQLITE_OPEN_READONLY) for _ in range(READERS)]
        except apsw.Error as error:
            self.close()
            raise EngineError(
                f"{self.path} cannot be used as the log ({error}); restore it from a backup, or name another file"
            ) from error
        except EngineError:
            self.close()
            raise
        names = (self.path, f"{self.path}-wal", self.guard.path)
        self._inodes = {name: os.stat(name).st_ino for name in names if os.path.exists(name)}

    def close(self) -> None:
        """Close all, the writer last: it then moves the write-ahead log into the file."""
        for connection in [*self.readers, *([self.writer] if hasattr(self, "writer") else [])]:
            try:
                connection.close()
            except apsw.Error:  # what it says was said when it happened; the lock must be released
                logger.exception("close_failed")
        self.guard.release()

    def replaced(self) -> bool:
        """True when a path no longer leads to the file that is open: log, write-ahead log or lock.

        While they are open, the numbers of their inodes are not given again.
        """
        try:
            return any(os.stat(name).st_ino != inode for name, inode in self._inodes.items())
        except OSError:
            return True

    def _connect(self, flags: int) -> apsw.Connection:
        connection = apsw.Connection(self.path, flags=flags | apsw.SQLITE_OPEN_NOMUTEX)
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("cache_size", -_CACHE_KIB)
        connection.pragma("temp_store", 2)
        return connection

    def _check(self) -> None:
        pages = self.writer.pragma("page_count") * self.writer.pragma("page_size")
        if pages <= CHECK_BYTES:
            found = self.writer.pragma("quick_check", 1)
            if found != "ok":
                raise EngineError(f"{self.path} is damaged ({found}); restore it from a backup")
            return
        for table in ("messages", "channels", "receipts"):  # both ends of each: a file cut short shows here
            self.writer.execute(f"SELECT min(id) FROM {table}").fetchall()
            self.writer.execute(f"SELECT * FROM {table} ORDER BY id DESC LIMIT 1").fetchall()

    def _continue(self) -> tuple[str, int]:
        """The epoch and the number of the last commit; a new epoch where it cannot be proved that the log goes on."""
        epoch = self.writer.execute("SELECT epoch FROM log").get
        if not isinstance(epoch, str):
            raise EngineError(f"{self.path} has lost its epoch; restore it from a backup")
        serial = int(self.writer.execute("SELECT coalesce(max(serial), 0) FROM apps").get)
        if why := self.guard.check(epoch, serial):
            if serial or self.guard.read() is not None:  # else it is new
                logger.error("log_not_continued path=%s why=%r", self.path, why)
            epoch = new_epoch()
            self.writer.execute("UPDATE log SET epoch = ?", (epoch,))
        self.guard.begin(epoch, serial)
        return epoch, serial


def make_file(path: str) -> None:
    """Make the folder and the file: readable by us alone, because it holds what users say to each other."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            # One that is there is not opened: closing it would drop the locks of whoever has it open in this process.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        except FileExistsError:
            if not os.access(path, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None
        folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise EngineError(f"{path} cannot be written ({error.strerror}); check its owner and mode") from error


def _set_up(connection: apsw.Connection) -> None:
    if connection.pragma("journal_mode", "wal") != "wal":
        raise EngineError(
            f"{connection.filename} is on a file system without shared memory; use a local disk"
        )
    connection.pragma("synchronous", 2)  # FULL: the write-ahead log is forced to disk with every commit
    connection.pragma("fullfsync", 1)  # macOS: through the drive's own cache as well
    connection.pragma("journal_size_limit", WAL_BYTES)
