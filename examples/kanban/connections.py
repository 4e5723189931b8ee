"""A small pool of SQLite connections: one thread holds one at a time. Holds no SQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import Final

import apsw

from examples.kanban.schema import open_database, writing

POOL_SIZE: Final = 4
"""SQLite has one writer; a few more connections let readers go on beside it."""


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[None]:
    """Several reads that all see the same moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("COMMIT")


class ConnectionPool:
    """At most POOL_SIZE open connections to one file, opened when first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: LifoQueue[apsw.Connection | None] = LifoQueue(POOL_SIZE)
        for _ in range(POOL_SIZE):
            self._free.put(None)

    @contextmanager
    def borrow(self) -> Iterator[apsw.Connection]:
        """A connection for the length of the block; waits while all are in use."""
        connection = self._free.get() or open_database(self._path)
        try:
            yield connection
        finally:
            self._free.put(connection)

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """A connection in a write transaction of its own, as `writing` makes it."""
        with self.borrow() as connection, writing(connection):
            yield connection

    def close(self) -> None:
        """Close every connection; the caller makes sure that none is in use."""
        for _ in range(POOL_SIZE):
            connection = self._free.get()
            if connection is not None:
                connection.close()
            self._free.put(None)
