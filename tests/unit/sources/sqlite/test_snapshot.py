"""Rows of an SQLite file at one instant of its record of changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tidings.errors import SourceError
from tidings.sources.base import Wanted
from tidings.sources.sqlite import SqliteSource
from tidings.sources.sqlite.snapshot import read_snapshot


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    file = tmp_path / "app.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, r REAL, any)")
        source = SqliteSource(file, ["t"], driver="sqlite3")
        await source.open()
        await source.close()
        db.execute("INSERT INTO t VALUES (1, 7, 5.0, 7), (2, 7, 0.5, 'x'), (3, 8, 5.0, NULL)")
        db.execute("UPDATE t SET any = hex(zeroblob(60000)) WHERE id = 2")
    return file


def ids(path: Path, **equal: str) -> list[bytes]:
    (rows,) = read_snapshot(path, "sqlite3", [Wanted(table="t", equal=equal)], 10).rows
    return [row[:7] for row in rows]


async def test_rows_are_found_by_text_whatever_their_columns_type(path: Path) -> None:
    assert ids(path) == [b'{"id":1', b'{"id":2', b'{"id":3']
    assert ids(path, n="7") == [b'{"id":1', b'{"id":2']
    assert ids(path, r="5") == [b'{"id":1', b'{"id":3']
    assert ids(path, any="7", n="7") == [b'{"id":1']
    assert ids(path, n="word") == []


async def test_it_says_which_changes_the_rows_hold_and_leaves_out_what_is_too_large(path: Path) -> None:
    snapshot = read_snapshot(path, "sqlite3", [Wanted(table="t"), Wanted(table="t", equal={"id": "2"})], 10)
    with closing(sqlite3.connect(path)) as db:
        assert snapshot.checkpoint.value == db.execute("SELECT max(seq) FROM _tidings_changes").fetchone()[0]
    assert snapshot.rows[1] == (b'{"id":2,"n":7,"r":0.5}',)


async def test_one_row_more_than_asked_shows_that_there_are_more(path: Path) -> None:
    (rows,) = read_snapshot(path, "sqlite3", [Wanted(table="t")], 1).rows
    assert len(rows) == 2


async def test_what_is_missing_is_told(path: Path) -> None:
    with pytest.raises(SourceError, match="no table"):
        read_snapshot(path, "sqlite3", [Wanted(table="tt")], 10)
    with pytest.raises(SourceError):
        read_snapshot(path.with_name("none.db"), "sqlite3", [Wanted(table="t")], 10)
