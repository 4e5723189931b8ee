"""SqliteSource: the change source of an application's SQLite file, for the event loop. The work is the tailer's."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tidings.changes import Checkpoint, Transaction
from tidings.errors import SourceError
from tidings.sources.base import ProgressOf, Snapshot, SourceHealth, Wanted, no_progress
from tidings.sources.sqlite.capture import MAX_BACKLOG
from tidings.sources.sqlite.driver import Driver
from tidings.sources.sqlite.snapshot import read_snapshot
from tidings.sources.sqlite.tailer import POLL_SECONDS, Tailer

MAX_NAME = 64
"""Characters of a source's name: it is part of an idempotency key."""


class SqliteSource:
    """Captures the committed changes of some tables, whoever writes them, with triggers in the file itself.

    path: the application's database. tables: what to capture. name: letters, digits, `_ - .`; part of message ids, so
    it must not change. poll_seconds: how often to look for commits. create: make the file if it is missing, and do
    not insist that the tables exist. max_backlog: changes still told one by one after a long stop.
    driver: the SQLite library; `sqlite3` whenever the application writes the file from this process (see driver.py).
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        tables: Sequence[str],
        *,
        name: str = "sqlite",
        poll_seconds: float = POLL_SECONDS,
        create: bool = False,
        max_backlog: int = MAX_BACKLOG,
        driver: Driver = "auto",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(name) > MAX_NAME or re.fullmatch(r"[A-Za-z0-9_.\-]+", name) is None:
            raise SourceError(
                f"source name {name!r} is not allowed; use up to {MAX_NAME} letters, digits and _ - ."
            )
        if not tables:
            raise SourceError(f"source {name!r} captures no table; name at least one")
        self.name = name
        self._path = Path(path)
        self._driver: Driver = driver
        # A thread of its own, since SQLite blocks; one, so that the connection has one owner.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"tidings-{name}")
        self._tailer = Tailer(
            self._path,
            tuple(dict.fromkeys(tables)),
            create=create,
            poll_seconds=poll_seconds,
            max_backlog=max_backlog,
            driver=driver,
            clock=clock,
        )
        self._closed = False

    @property
    def generation(self) -> str:
        """One unbroken life of the file's record; another file, or a restored one, begins another."""
        return self._tailer.generation

    def key(self, checkpoint: Checkpoint) -> str:
        """The idempotency key of a transaction; ask before taking the next one."""
        return f"{self.name}:{self.generation}:{checkpoint.value}"

    async def open(self, progress: ProgressOf = no_progress) -> Mapping[str, Sequence[str]]:
        """Install the triggers where they are missing; returns each table with the columns its changes carry.

        Raises SourceError with the fix: no such file or table, no right to write, not a database, locked.
        """
        known = await progress()
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._tailer.open, known)

    async def transactions(self) -> AsyncGenerator[Transaction, None]:
        """Yield what is committed, from the last acknowledged on, until cancelled or closed."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._tailer.rewind)
        while not self._closed:
            found = await loop.run_in_executor(self._thread, self._tailer.next)
            if found is not None:
                yield found

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        """All up to here is in the log. Written down within about a second; a crash before repeats it."""
        self._tailer.acknowledge(checkpoint.value)

    async def close(self) -> None:
        """Stop, write the acknowledgement down, let go of the file. Idempotent. The triggers stay and record on."""
        if self._closed:
            return
        self._closed = True
        self._tailer.stop()
        await asyncio.get_running_loop().run_in_executor(self._thread, self._tailer.close)
        self._thread.shutdown(wait=False)

    async def remove(self) -> None:
        """Take triggers and tables out of the file again, for good. Raises SourceError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._tailer.remove)

    async def snapshot(self, wanted: Sequence[Wanted], *, most: int) -> Snapshot:
        """At most `most` + 1 rows for each of the wanted, all of one instant. Raises SourceError with the fix."""
        return await asyncio.to_thread(read_snapshot, self._path, self._driver, wanted, most)

    def health(self) -> SourceHealth:
        return self._tailer.health()
