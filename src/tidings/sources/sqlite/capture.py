"""The captured file: opening, installing, reading and forgetting recorded rows. Blocks, so it lives in a thread.

When to look, and what to do about trouble, is the tailer's matter. Every call may raise DatabaseError.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tidings.errors import SourceError
from tidings.sources.sqlite import installation
from tidings.sources.sqlite.driver import Database, Driver
from tidings.sources.sqlite.rows import Recorded
from tidings.sources.sqlite.shapes import missing_table, read_shape
from tidings.sources.sqlite.triggers import (
    CHANGES,
    FIRST_CAPTURE,
    META,
    PREFIX,
    READS,
    RECORD_GAP,
    REPLACED,
    TABLES,
    TableShape,
    name,
)

FORMAT: Final = "1"
"""Of our tables. Another one is not ours to read: it begins anew, with a gap."""

BUSY_MS: Final = 20
"""Milliseconds to wait for a lock of the application before trying later: while we wait, commits are not told."""

MAX_BACKLOG: Final = 1_000_000
"""Recorded rows that are still told one by one after a long stop (about 300 MB). Beyond it one gap is told instead."""

PRUNE_ROWS: Final = 500
"""Rows forgotten in one transaction: the application's write lock is held for about a millisecond."""


class Capture:
    """One open connection to the application's file.

    shapes: the captured tables that exist. generation: the life of the numbering. backlog is bounded at opening.
    """

    def __init__(
        self,
        path: Path,
        tables: Sequence[str],
        *,
        create: bool,
        max_backlog: int = MAX_BACKLOG,
        driver: Driver = "auto",
    ) -> None:
        self._path = path
        self._tables = tuple(tables)
        self._max_backlog = max_backlog
        self.inode = 0
        self.generation = ""
        self.shapes: dict[str, TableShape] = {}
        self._schema = -1
        self._data = -1
        self._db = Database(path, create=create, busy_ms=BUSY_MS, driver=driver)
        try:
            if create and not self._value("SELECT count(*) FROM sqlite_schema"):
                self._db.run("PRAGMA journal_mode = WAL")
            self._text = str(self._value("PRAGMA encoding"))
            self.inode = os.stat(path).st_ino
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close. SQLite itself leaves the WAL alone when another file stands at the path now."""
        self._db.close()

    def install(self, *, strict: bool = False) -> None:
        """Make the file record the changes of our tables, and note what was lost since the last time.

        Takes the write lock only if something is to be done. strict: raise SourceError for a missing table.
        """
        shapes = {table: read_shape(self._db, table) for table in self._tables}
        absent = [table for table, shape in shapes.items() if shape is None]
        if strict and absent:
            raise missing_table(self._db, absent[0])
        if not self._is_installed(shapes):
            with self._writing():
                self._install()
        self._schema = int(self._value("PRAGMA schema_version"))
        self.generation = str(self._meta("generation"))
        self.shapes = {table: shape for table, shape in shapes.items() if shape is not None}

    def remove(self) -> None:
        """Take all that is ours out of the file."""
        with self._writing():
            for trigger in self._triggers():
                self._db.run(f"DROP TRIGGER {name(trigger)}")
            self._drop_tables()

    def renew(self, why: str) -> None:
        """Begin a new generation with a gap of all tables: what is recorded cannot be trusted."""
        with self._writing():
            self._renew(why)
        self.install()

    def limit_backlog(self) -> bool:
        """Tell a gap instead of more rows than the bound. True when it was so."""
        if self.top() - self.acknowledged() <= self._max_backlog:
            return False
        with self._writing():
            self._db.run(RECORD_GAP, "", "more changes than the bound were waiting")
            self._set("acknowledged", str(self.top() - 1))
            self._db.run(f"DELETE FROM {READS}")
        return True

    def has_news(self) -> bool:
        """True once after each commit of another connection, and the first time."""
        data = int(self._value("PRAGMA data_version"))
        news = data != self._data
        self._data = data
        return news

    def schema_changed(self) -> bool:
        """True when anybody changed the schema since `install`."""
        return int(self._value("PRAGMA schema_version")) != self._schema

    def top(self) -> int:
        """The newest recorded row. All up to here are whole commits: a reader never sees half of one."""
        return int(self._value(f"SELECT coalesce(max(seq), 0) FROM {CHANGES}"))

    def acknowledged(self) -> int:
        return int(self._meta("acknowledged") or 0)

    def reads(self) -> list[tuple[int, int]]:
        return [(int(first), int(last)) for first, last in self._db.run(f"SELECT first, last FROM {READS}")]

    def note_read(self, first: int, last: int) -> None:
        with self._writing():
            self._db.run(f"INSERT OR REPLACE INTO {READS} (first, last) VALUES (?, ?)", first, last)

    def rows(self, first: int, last: int) -> Generator[Recorded, None, None]:
        """Recorded rows in order. Text is fetched as bytes, since SQLite does not check that it is UTF-8."""
        sql = (
            f"SELECT seq, CAST(tbl AS BLOB), kind, CAST(old AS BLOB), CAST(new AS BLOB), time "
            f"FROM {CHANGES} WHERE seq BETWEEN ? AND ? ORDER BY seq"
        )
        for seq, table, kind, old, new, time in self._db.each(sql, first, last):
            yield Recorded(
                seq, (self._utf8(table) or b"").decode(), kind, self._utf8(old), self._utf8(new), time
            )

    def has_rows_before(self, seq: int) -> bool:
        return int(self._value(f"SELECT coalesce(min(seq), 0) FROM {CHANGES}")) < seq

    def forget(self, acknowledged: int) -> bool:
        """Write down what is acknowledged and delete a batch of rows before it; True when more are left.

        The acknowledged row itself stays, as the mark by which a restored or tampered file is recognised.
        """
        with self._writing():
            self._set("acknowledged", str(acknowledged))
            self._db.run(f"DELETE FROM {READS} WHERE last <= ?", acknowledged)
            oldest = int(self._value(f"SELECT coalesce(min(seq), 0) FROM {CHANGES}"))
            bound = min(acknowledged, oldest + PRUNE_ROWS)
            self._db.run(f"DELETE FROM {CHANGES} WHERE seq < ?", bound)
        return bound < acknowledged

    def _install(self) -> None:
        if not self._tables_are_ours():
            ours = self._triggers() or self._db.run("SELECT 1 FROM sqlite_schema WHERE name = ?", CHANGES)
            self._renew("the record belongs to another file or version" if ours else FIRST_CAPTURE)
        shapes = {table: read_shape(self._db, table) for table in self._tables}
        todo = installation.plan(shapes, self._triggers(), self._states())
        if todo is None:
            return
        for trigger in todo.drop:
            self._db.run(f"DROP TRIGGER IF EXISTS {name(trigger)}")
        for sql in todo.create:
            self._db.run(sql)
        for table, why in todo.gaps.items():
            self._db.run(RECORD_GAP, table, why)
        self._db.run(f"DELETE FROM {META} WHERE name LIKE 'table:%'")
        for table, state in todo.states.items():
            self._set(f"table:{table}", state)

    def _is_installed(self, shapes: dict[str, TableShape | None]) -> bool:
        return self._tables_are_ours() and installation.plan(shapes, self._triggers(), self._states()) is None

    def _tables_are_ours(self) -> bool:
        """False for a file that was never captured, or whose record was copied here from another file."""
        present = {row[0] for row in self._db.run("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not {CHANGES, META, READS, REPLACED} <= present:
            return False
        return bool(self._meta("format") == FORMAT) and self._meta("inode") == str(self.inode)

    def _renew(self, why: str) -> None:
        self._drop_tables()
        for sql in TABLES:
            self._db.run(sql)
        self._set("format", FORMAT)
        self._set("inode", str(self.inode))
        self._set("generation", secrets.token_hex(4))
        self._set("acknowledged", "0")
        self._db.run(RECORD_GAP, "", why)

    def _drop_tables(self) -> None:
        for table in (CHANGES, META, READS, REPLACED):
            self._db.run(f"DROP TABLE IF EXISTS {table}")

    def _triggers(self) -> dict[str, str]:
        found = self._db.run("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        return {str(trigger): str(sql) for trigger, sql in found if str(trigger).startswith(PREFIX)}

    def _states(self) -> dict[str, str]:
        rows = self._db.run(f"SELECT substr(name, 7), value FROM {META} WHERE name LIKE 'table:%'")
        return {str(table): str(state) for table, state in rows}

    def _meta(self, key: str) -> str | None:
        rows = self._db.run(f"SELECT value FROM {META} WHERE name = ?", key)
        return str(rows[0][0]) if rows else None

    def _set(self, key: str, value: str) -> None:
        self._db.run(f"INSERT OR REPLACE INTO {META} (name, value) VALUES (?, ?)", key, value)

    def _value(self, sql: str) -> Any:
        rows = self._db.run(sql)
        if not rows:
            raise SourceError(f"{self._path}: no answer to {sql}")
        return rows[0][0]

    def _utf8(self, text: bytes | None) -> bytes | None:
        if text is None or self._text == "UTF-8":
            return text
        return text.decode(self._text, errors="replace").encode()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A write transaction that has the lock from its start, so that it cannot fail half-way for want of it."""
        self._db.run("BEGIN IMMEDIATE")
        try:
            yield
            self._db.run("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk may have rolled back already
                self._db.run("ROLLBACK")
            raise
