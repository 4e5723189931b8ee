"""The face of the source: names, keys, closing. What it captures is in tests/sources."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tidings.changes import Checkpoint
from tidings.errors import SourceError
from tidings.sources.base import ChangeSource
from tidings.sources.sqlite import SqliteSource


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    return tmp_path / "a.db"


@pytest.mark.parametrize("name", ["", "a b", "a:b", "é", "x" * 65])
def test_a_name_that_cannot_be_part_of_a_key_is_refused(path: Path, name: str) -> None:
    with pytest.raises(SourceError, match="name"):
        SqliteSource(path, ["t"], name=name)


def test_a_source_without_tables_is_refused(path: Path) -> None:
    with pytest.raises(SourceError, match="no table"):
        SqliteSource(path, [])


async def test_the_key_names_source_generation_and_checkpoint(path: Path) -> None:
    source: ChangeSource = SqliteSource(path, ["t"], name="my-app.1")
    await source.open()
    assert source.key(Checkpoint(7)) == f"my-app.1:{source.generation}:7"
    assert len(source.generation) == 8
    await source.close()


async def test_a_closed_source_ends_its_transactions(path: Path) -> None:
    source = SqliteSource(path, ["t", "t"])
    await source.open()
    async for _ in source.transactions():
        await source.close()
    assert source.health().ok
