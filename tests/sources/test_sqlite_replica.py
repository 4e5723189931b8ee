"""A replica that is kept from captured changes alone equals the table, whatever is written and whoever is killed."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.sources.rigs import PATIENCE, Follower, SqliteRig, replay
from tidings.changes import Transaction

TABLE = "CREATE TABLE t (id INTEGER PRIMARY KEY, code TEXT UNIQUE COLLATE NOCASE, n, r REAL, b BLOB)"
READER = Path(__file__).with_name("reader_process.py")
Replica = dict[tuple[Any, ...], dict[str, Any]]


class Writer:
    """Writes at random, in all the ways SQLite knows."""

    def __init__(self, path: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA synchronous = OFF")

    def transaction(self) -> None:
        if self.random.random() < 0.3:
            self.db.execute(f"PRAGMA recursive_triggers = {self.random.choice(['ON', 'OFF'])}")
        self.db.execute("BEGIN")
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            self.piece()
        self.db.execute("ROLLBACK" if self.random.random() < 0.15 else "COMMIT")

    def piece(self) -> None:
        if self.random.random() < 0.8:
            self.statement()
            return
        self.db.execute("SAVEPOINT s")
        self.statement()
        if self.random.random() < 0.5:
            self.db.execute("ROLLBACK TO s")
        self.db.execute("RELEASE s")

    def statement(self) -> None:
        how = self.random.choice(["", "OR REPLACE", "OR REPLACE", "OR IGNORE", "OR FAIL", "OR ABORT"])
        try:
            self.random.choice(
                [self.insert, self.insert, self.upsert, self.update, self.move, self.bulk, self.delete]
            )(how)
        except sqlite3.IntegrityError:
            pass  # that is one of the ways

    def insert(self, how: str) -> None:
        self.db.execute(
            f"INSERT {how} INTO t VALUES (?, ?, ?, ?, ?), (?, ?, ?, ?, ?)", (*self.row(), *self.row())
        )

    def upsert(self, how: str) -> None:
        sql = "INSERT INTO t VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET code = excluded.code, n = excluded.n"
        self.db.execute(sql, self.row())

    def update(self, how: str) -> None:
        self.db.execute(
            f"UPDATE {how} t SET code = ?, r = ? WHERE id = ?", (self.code(), self.random.random(), self.id())
        )

    def move(self, how: str) -> None:
        self.db.execute(f"UPDATE {how} t SET id = ? WHERE id = ?", (self.id(), self.id()))

    def bulk(self, how: str) -> None:
        self.db.execute("UPDATE t SET n = coalesce(n, 0) + 1 WHERE id % ? = 0", (self.random.randint(1, 5),))

    def delete(self, how: str) -> None:
        self.db.execute("DELETE FROM t WHERE id = ? OR code = ?", (self.id(), self.code()))

    def row(self) -> tuple[Any, ...]:
        id = self.random.choice([None, self.id(), self.id(), self.id()])
        n = self.random.choice([None, 2**62, "é", 0.1, self.random.randint(0, 9)])
        return id, self.code(), n, self.random.uniform(-1e9, 1e9), self.random.randbytes(3)

    def id(self) -> int:
        return self.random.randint(-2, 30)

    def code(self) -> str | None:
        return self.random.choice([None, self.random.choice("abcdefABCDEF")])


class Ledger:
    """What was told, by key. The same key must tell the same."""

    def __init__(self) -> None:
        self.told: dict[str, Transaction] = {}
        self.repeats = 0
        self.replica: Replica = {}

    def take(self, key: str, transaction: Transaction) -> None:
        if key in self.told:
            assert self.told[key] == transaction
            self.repeats += 1
            return
        self.told[key] = transaction
        assert transaction.gap is None or len(self.told) == 1
        replay(transaction.changes, self.replica)


def as_replica(sqlite: SqliteRig) -> Replica:
    return {(repr(row["id"]),): row for row in sqlite.rows("t")}


@pytest.mark.parametrize("seed", [1, 2])
async def test_two_thousand_random_transactions_with_a_reader_that_comes_and_goes(
    sqlite: SqliteRig, seed: int
) -> None:
    sqlite.execute(TABLE)
    writer = Writer(sqlite.path, seed)
    ledger = Ledger()
    follower = await sqlite.follow("t")
    with closing(writer.db):
        for _ in range(100):
            for _ in range(20):
                writer.transaction()
            await _read_some(follower, ledger, writer.random)
            if writer.random.random() < 0.3:
                await follower.source.close()
                follower = await sqlite.follow("t")
            elif writer.random.random() < 0.3:
                follower.restart()
    await _read_all(follower, ledger, sqlite)
    assert ledger.replica == as_replica(sqlite)
    assert ledger.repeats > 10
    assert len(ledger.replica) > 3


async def _read_some(follower: Follower, ledger: Ledger, chance: random.Random) -> None:
    """Some transactions, of which the last ones are not always acknowledged."""
    acknowledging = True
    for _ in range(chance.randint(0, 3)):
        try:
            transaction = await asyncio.wait_for(follower.next(acknowledge=False), 0.3)
        except TimeoutError:
            follower.restart()
            return
        ledger.take(follower.keys[-1], transaction)
        acknowledging = acknowledging and chance.random() < 0.7
        if acknowledging:
            await follower.source.acknowledge(transaction.checkpoint)


async def _read_all(follower: Follower, ledger: Ledger, sqlite: SqliteRig) -> None:
    follower.restart()
    top = sqlite.number("SELECT max(seq) FROM _tidings_changes")
    while max(each.checkpoint.value for each in ledger.told.values()) < top:
        transaction = await follower.next()
        ledger.take(follower.keys[-1], transaction)


async def test_a_reader_killed_between_reading_and_acknowledging_repeats_and_never_loses(
    sqlite: SqliteRig,
) -> None:
    sqlite.execute(TABLE)
    await (await sqlite.follow("t")).source.close()
    writer = Writer(sqlite.path, 7)
    ledger = Ledger()
    with closing(writer.db):
        for _ in range(8):
            reader = await asyncio.create_subprocess_exec(
                sys.executable, str(READER), str(sqlite.path), "t", "0.01", stdout=subprocess.PIPE
            )
            writer.db.execute("INSERT INTO t (n) VALUES ('sign of life')")
            await _line(reader, ledger, PATIENCE)
            for _ in range(writer.random.randint(1, 25)):
                writer.transaction()
                await _line(reader, ledger, writer.random.choice([0.001, 0.02]))
            reader.kill()
            await reader.wait()
    await _read_all(await sqlite.follow("t"), ledger, sqlite)
    assert ledger.replica == as_replica(sqlite)
    assert ledger.repeats > 0


async def _line(reader: asyncio.subprocess.Process, ledger: Ledger, patience: float) -> None:
    """One line if it comes in time."""
    assert reader.stdout is not None
    try:
        line = await asyncio.wait_for(reader.stdout.readline(), patience)
    except TimeoutError:
        assert patience < PATIENCE, "the reader tells nothing"
        return
    told = msgspec.json.decode(line)
    ledger.take(told["key"], msgspec.convert(told["transaction"], Transaction))
