"""What a source test needs of a database, and how SQLite and Postgres give it. Holds no test."""

from __future__ import annotations

import asyncio
import json
import math
import re
import shutil
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

from tests.fixtures.fix_postgres import Cluster, Database
from tidings.changes import Change, Checkpoint, Gap, Progress, Seals, Transaction
from tidings.sources.base import ChangeSource
from tidings.sources.postgres import PostgresSource
from tidings.sources.postgres.setup import Names
from tidings.sources.sqlite import SqliteSource

PATIENCE = 30.0
"""Seconds to wait for something that should take milliseconds, on a machine that is busy."""


class Log:
    """In place of the log: how far a source's changes are in it. It outlives the source."""

    def __init__(self) -> None:
        self.progress: Progress | None = None

    async def tell(self) -> Progress | None:
        return self.progress


class Follower:
    """Takes transactions from a source and keeps what came. log: where it notes what it acknowledges."""

    def __init__(self, source: ChangeSource, log: Log | None = None) -> None:
        self.source = source
        self.keys: list[str] = []
        self._log = log or Log()
        self._seals: Seals | None = None
        self._stream: AsyncIterator[Transaction] = source.transactions()

    async def next(self, *, acknowledge: bool = True) -> Transaction:
        """The next that tells something; a source may say in between that there was nothing."""
        while True:
            transaction = await self.any(acknowledge=acknowledge)
            if transaction.changes or transaction.emitted or transaction.gap is not None:
                return transaction

    async def any(self, *, acknowledge: bool = True) -> Transaction:
        """The next, also when it tells nothing but its checkpoint."""
        transaction = await asyncio.wait_for(anext(self._stream), PATIENCE)
        self.keys.append(self.source.key(transaction.checkpoint))
        self._seals = self._seals if transaction.seals is None else transaction.seals
        if acknowledge:
            await self.acknowledge(transaction.checkpoint)
        return transaction

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        """As after appending to the log."""
        source = self.source
        told = Progress(
            source=source.name, generation=source.generation, checkpoint=checkpoint, seals=self._seals
        )
        self._log.progress, self._seals = told.upon(self._log.progress), None
        await source.acknowledge(checkpoint)

    async def changes(self, count: int, *, acknowledge: bool = True) -> list[Change]:
        """Exactly so many changes; a gap on the way fails."""
        found: list[Change] = []
        while len(found) < count:
            transaction = await self.next(acknowledge=acknowledge)
            assert transaction.gap is None, transaction.gap
            found.extend(transaction.changes)
        assert len(found) == count, found
        return found

    async def gap(self) -> Gap:
        """The next gap; changes before it are passed over."""
        while True:
            transaction = await self.next()
            if transaction.gap is not None:
                return transaction.gap

    async def begun(self) -> Follower:
        """Take the gap with which a new capture begins."""
        assert await self.gap() == Gap("source", first=True)
        return self

    def restart(self) -> None:
        """Ask the source anew, as after a cancelled task."""
        self._stream = self.source.transactions()


class Rig(Protocol):
    """A database under test."""

    def execute(self, sql: str) -> None:
        """Run statements from another process, each by itself unless the text says BEGIN."""
        ...

    def rows(self, table: str) -> list[dict[str, Any]]: ...

    def source(self, *tables: str) -> ChangeSource:
        """A new source, not opened; closed at the end of the test if the test does not."""
        ...

    async def follow(self, *tables: str) -> Follower:
        """Open a new source and begin to follow it."""
        ...

    async def close(self) -> None: ...


class SqliteRig:
    """A SQLite file; the writer is the `sqlite3` shell of the system, which has another SQLite than ours."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.path = folder / "app.db"
        self._options = options
        self._sources: list[ChangeSource] = []
        self.execute("PRAGMA journal_mode = WAL")

    def execute(self, sql: str, *, fails: bool = False) -> None:
        shell = shutil.which("sqlite3")
        assert shell, "these tests need the sqlite3 shell: apt-get install sqlite3"
        bail = [] if fails else ["-bail"]
        done = subprocess.run(
            [shell, *bail, str(self.path)], input=sql, text=True, capture_output=True, timeout=60, check=False
        )
        assert fails or (done.returncode == 0 and not done.stderr), done.stderr

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows, in the words in which changes tell values."""
        with closing(sqlite3.connect(self.path)) as db:
            cursor = db.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            return [dict(zip(names, map(told, row), strict=True)) for row in cursor]

    def number(self, sql: str) -> int:
        with closing(sqlite3.connect(self.path)) as db:
            return int(db.execute(sql).fetchone()[0])

    def source(self, *tables: str, **options: Any) -> SqliteSource:
        made = SqliteSource(self.path, tables or ("tasks",), name="app", **{**self._options, **options})
        self._sources.append(made)
        return made

    async def follow(self, *tables: str, **options: Any) -> Follower:
        source = self.source(*tables, **options)
        await source.open()
        return Follower(source)

    async def close(self) -> None:
        for source in self._sources:
            await source.close()


class PostgresRig:
    """A database of a real server; whoever writes has a session of its own. Old rows are told whole."""

    def __init__(self, cluster: Cluster, *, identity: str = "FULL", **options: Any) -> None:
        self.cluster = cluster
        self.database = Database(cluster)
        self.log = Log()
        self._identity = identity
        self._options = options
        self._sources: list[PostgresSource] = []

    def execute(self, sql: str) -> None:
        whole = [sql] if "BEGIN" in sql else re.split(r";\s*", sql)
        made = re.findall(r"CREATE TABLE (\w+)", sql)
        whole += [f"ALTER TABLE {table} REPLICA IDENTITY {self._identity}" for table in made]
        self.database.run(*whole)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All rows, in the words in which changes tell values."""
        query = f'SELECT to_jsonb(whole_row)::text FROM "{table}" whole_row'
        return [json.loads(row) for (row,) in self.database.rows(query)]

    def source(self, *tables: str, **options: Any) -> PostgresSource:
        url = self.database.url
        made = PostgresSource(url, tables or ("tasks",), name=self.name, **{**self._options, **options})
        self._sources.append(made)
        return made

    @property
    def name(self) -> str:
        """Slots are the server's, not the database's, so each database has a source of its own name."""
        return f"app-{self.database.name}"

    async def follow(self, *tables: str, **options: Any) -> Follower:
        source = self.source(*tables, **options)
        await source.open(self.log.tell)
        return Follower(source, self.log)

    @property
    def slot(self) -> str:
        return Names.of(self.name).slot

    def one(self, sql: str) -> Any:
        """The first value of the first row."""
        return self.database.rows(sql)[0][0]

    async def let_go(self) -> None:
        """Close the sources."""
        for source in self._sources:
            await source.close()

    async def close(self) -> None:
        await self.let_go()
        await asyncio.to_thread(self.database.drop)


def told(value: Any) -> Any:
    """A SQLite value as a change tells it."""
    if isinstance(value, bytes):
        return {"$hex": value.hex().upper()}
    if isinstance(value, float) and math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def replay(changes: Sequence[Change], onto: dict[tuple[Any, ...], dict[str, Any]]) -> None:
    """Apply changes to a replica, rows by key. Raises AssertionError where one does not fit."""
    for change in changes:
        if change.old is not None:
            key = tuple(map(repr, (change.old[part] for part in change.key)))
            assert onto.get(key) == change.old, (change, onto.get(key))
            del onto[key]
        if change.new is not None:
            key = tuple(map(repr, (change.new[part] for part in change.key)))
            assert key not in onto, change
            onto[key] = change.new


async def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition that another thread or process makes true."""
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.01)
