"""Writes to Postgres at random, in all the ways it knows, from several sessions at once. Holds no verdict.

Each transaction marks its first and its last change with its number, so that what of it arrives can be told apart.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Any, Final, LiteralString

import psycopg
from psycopg import errors, sql

TABLES: Final[dict[str, tuple[str, ...]]] = {
    "by_key": ("id",),
    "whole": ("id",),
    "pairs": ("a", "b"),
    "marks": ("tx", "step"),
}
"""Tables with their primary keys."""

SCHEMA: Final[tuple[LiteralString, ...]] = (
    "CREATE TABLE by_key (id int PRIMARY KEY, n numeric, t text, j jsonb, at timestamptz, l int[], big text)",
    "CREATE TABLE whole (id int PRIMARY KEY, n numeric, t text, j jsonb, at timestamptz, l int[], big text)",
    "ALTER TABLE whole REPLICA IDENTITY FULL",
    "CREATE TABLE pairs (a int, b text, n int DEFAULT 0, big text, PRIMARY KEY (a, b))",
    "CREATE TABLE marks (tx int, step int, PRIMARY KEY (tx, step))",
    "ALTER TABLE by_key ALTER big SET STORAGE EXTERNAL",
    "ALTER TABLE whole ALTER big SET STORAGE EXTERNAL",
    "ALTER TABLE pairs ALTER big SET STORAGE EXTERNAL",
)

TYPES: Final = {"int": "int", "text": "text", "numeric": "numeric(12,2)", "jsonb": "jsonb"}
"""Types of columns that come and go, each castable to the others through text."""

EXTRAS: Final = ("x1", "x2", "x3")
"""Names of columns that come and go."""

PATIENCE: Final = 60.0
"""Seconds for a killed server to be back."""

LOCK_SECONDS: Final = 2
"""A writer that waits longer for another one gives its transaction up."""

ROLLED_BACK: Final = 0.15
STREAMED_ROWS: Final = 400
"""Rows of a large transaction: beyond logical_decoding_work_mem=64kB, so that it is streamed while it is open."""

WRITER_NUMBERS: Final = 1_000_000
"""Transactions that one writer may number."""


class Tally:
    """How many transactions are to be begun, and were ended, over all writers."""

    def __init__(self, wanted: int) -> None:
        self.done = 0
        self._left = wanted
        self._lock = threading.Lock()

    def take(self) -> bool:
        with self._lock:
            self._left -= 1
            return self._left >= 0

    def count(self) -> None:
        with self._lock:
            self.done += 1


class Writer(threading.Thread):
    """One session's life. A transaction that fails, whatever the reason, is one of the ways."""

    def __init__(self, number: int, url: str, seed: str, tally: Tally, *, ddl: bool = True) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self._url = url
        self._random = random.Random(seed)
        self._tally = tally
        self._ddl = ddl
        self._next = number * WRITER_NUMBERS
        self._db: psycopg.Connection[Any]
        self.trouble: BaseException | None = None

    def run(self) -> None:
        try:
            self._db = connect(self._url)
            while self._tally.take():
                self._attempt()
                self._tally.count()
            self._db.close()
        except BaseException as error:  # a thread's fault is told by whoever joins it
            self.trouble = error

    def _attempt(self) -> None:
        self._next += 1
        try:
            self._transaction(self._next)
        except psycopg.Error:
            self._recover()

    def _recover(self) -> None:
        """Give the transaction up; on a new session where this one is gone."""
        try:
            self._db.rollback()
        except psycopg.Error:
            self._db.close()
            self._db = connect(self._url)

    def _transaction(self, number: int) -> None:
        self._run("BEGIN")
        self._run(f"INSERT INTO marks VALUES ({number}, 0)")
        for _ in range(self._random.choice([1, 1, 1, 2, 3, 5])):
            self._piece(2)
        self._run(f"INSERT INTO marks VALUES ({number}, 1)")
        self._run("ROLLBACK" if self._random.random() < ROLLED_BACK else "COMMIT")

    def _piece(self, depth: int) -> None:
        """A statement, or a savepoint around some."""
        if depth == 0 or self._random.random() < 0.7:
            self._statement()
            return
        name = f"s{depth}"
        self._run(f"SAVEPOINT {name}")
        try:
            for _ in range(self._random.randint(1, 3)):
                self._piece(depth - 1)
        except (errors.IntegrityError, errors.UndefinedColumn, errors.DuplicateColumn):
            self._run(f"ROLLBACK TO {name}")
            return
        if self._random.random() < 0.4:
            self._run(f"ROLLBACK TO {name}")
        if self._random.random() < 0.7:
            self._run(f"RELEASE {name}")

    def _statement(self) -> None:
        usual = [self._insert, self._insert, self._upsert, self._update, self._update, self._extra]
        usual += [self._move, self._bulk, self._remove, self._pair, self._pair]
        if self._random.random() < 0.03:
            self._random.choice([self._truncate, self._large, self._large])()
        elif self._ddl and self._random.random() < 0.02:
            self._alter()
        else:
            self._random.choice(usual)()

    # ── rows

    def _insert(self) -> None:
        self._run(
            f"INSERT INTO {self._table()} (id, n, t, j, at, l, big) VALUES {self._row()}, {self._row()}"
        )

    def _upsert(self) -> None:
        self._run(
            f"INSERT INTO {self._table()} (id, n, t, j, at, l, big) VALUES {self._row()}"
            " ON CONFLICT (id) DO UPDATE SET t = excluded.t, n = excluded.n"
        )

    def _update(self) -> None:
        """Large values are mostly left alone."""
        big = f", big = {self._big()}" if self._random.random() < 0.2 else ""
        self._run(f"UPDATE {self._table()} SET t = {self._text()}{big} WHERE id = {self._id()}")

    def _extra(self) -> None:
        """A column that may not be there, or not any more."""
        column, value = self._random.choice(EXTRAS), self._random.randint(0, 99)
        there = self._extras(table := self._table())
        if column in there:
            self._run(f"UPDATE {table} SET {column} = '{value}' WHERE id % 7 = {self._random.randint(0, 6)}")

    def _move(self) -> None:
        self._run(f"UPDATE {self._table()} SET id = {self._id()} WHERE id = {self._id()}")

    def _bulk(self) -> None:
        self._run(
            f"UPDATE {self._table()} SET n = coalesce(n, 0) + 1.5 WHERE id % {self._random.randint(3, 9)} = 0"
        )

    def _remove(self) -> None:
        self._run(f"DELETE FROM {self._table()} WHERE id IN ({self._id()}, {self._id()}) OR id > 1000")

    def _pair(self) -> None:
        a, b = self._random.randint(0, 9), self._random.choice("abc")
        big = self._big()
        self._run(
            self._random.choice(
                [
                    f"INSERT INTO pairs VALUES ({a}, '{b}', 1, {big}) ON CONFLICT DO NOTHING",
                    f"UPDATE pairs SET n = n + 1 WHERE a = {a}",
                    f"UPDATE pairs SET b = '{b}' WHERE a = {a} AND b = 'z'",
                    f"UPDATE pairs SET a = {a}, b = 'z' WHERE a = {a} AND b = '{b}'",
                    f"DELETE FROM pairs WHERE a = {a}",
                ]
            )
        )

    def _large(self) -> None:
        """Streamed while it is open; a part of it is often given up."""
        table, start = self._table(), self._random.randint(1001, 3000)
        self._run(
            f"INSERT INTO {table} (id, t) SELECT i, md5(i::text) || repeat('x', 200)"
            f" FROM generate_series({start}, {start + STREAMED_ROWS}) i ON CONFLICT DO NOTHING"
        )
        self._run("SAVEPOINT large")
        self._run(f"UPDATE {table} SET t = repeat('gone', 60) WHERE id > 1000")
        if self._random.random() < 0.6:
            self._run("ROLLBACK TO large")
        self._run(f"DELETE FROM {table} WHERE id > {start + 50}")

    def _truncate(self) -> None:
        self._run(f"TRUNCATE {self._random.choice(['by_key', 'whole', 'pairs', 'by_key, pairs'])}")

    # ── columns

    def _alter(self) -> None:
        """A change of a table's form, and of each of its rows: what the form alone changes is told by nobody."""
        table = self._table()
        there = self._extras(table)
        absent = [name for name in EXTRAS if name not in there]
        type_ = self._random.choice(list(TYPES.values()))
        ways = [f"ADD {self._random.choice(absent)} {type_} DEFAULT '7'"] if absent else []
        if there:
            one = self._random.choice(there)
            ways.append(f"DROP {one}")
            # Through a default of another type, and values that may not fit: either is refused and rolled back.
            ways.append(f"ALTER {one} DROP DEFAULT, ALTER {one} TYPE {type_} USING {one}::text::{type_}")
        if there and absent:
            ways.append(f"RENAME {self._random.choice(there)} TO {self._random.choice(absent)}")
        self._run("SAVEPOINT form")
        try:
            self._run(f"ALTER TABLE {table} {self._random.choice(ways)}")
        except errors.DataError:
            self._run("ROLLBACK TO form")
        self._run(f"UPDATE {table} SET n = n")

    def _extras(self, table: str) -> list[str]:
        found = self._db.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attname LIKE 'x_'", [table]
        )
        return [name for (name,) in found]

    # ── values

    def _table(self) -> str:
        return self._random.choice(["by_key", "whole"])

    def _row(self) -> str:
        n = self._random.choice(["NULL", "'NaN'", "1.50", "1e30", str(self._random.randint(-99, 99))])
        j = self._random.choice(
            ["NULL", """'{"a": [1, 2.50, null, "\u00e9"]}'""", "'12345678901234567890123'"]
        )
        l_ = self._random.choice(["NULL", "'{}'", "'{1,NULL,3}'"])
        return f"({self._id()}, {n}, {self._text()}, {j}, '2026-08-01 10:00:00.5+02', {l_}, {self._big()})"

    def _id(self) -> int:
        return self._random.randint(0, 60)

    def _text(self) -> str:
        return self._random.choice(["NULL", "''", "'it''s \\ \u00e9\u4e16'", f"'{self._random.random()}'"])

    def _big(self) -> str:
        """Sometimes a value that is stored out of line."""
        if self._random.random() < 0.75:
            return "NULL"
        return f"repeat('{self._random.randbytes(8).hex()}', {self._random.randint(200, 500)})"

    def _run(self, statement: str) -> None:
        self._db.execute(sql.SQL(statement))


def connect(url: str) -> psycopg.Connection[Any]:
    """A session, as soon as the server answers."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            db = psycopg.connect(url, autocommit=True)
            db.execute(sql.SQL("SET lock_timeout = {}").format(f"{LOCK_SECONDS}s"))
            return db
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
