"""When the tailer looks, and how it takes trouble."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidings.errors import SourceError
from tidings.sources.sqlite.tailer import FORGET_SECONDS, LOCKED_SECONDS, Tailer


class Clock:
    """Time that goes on only when asked."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.1  # so that a call of `next` ends after three looks
        return self.now


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    return tmp_path / "a.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tailer(path: Path, clock: Clock) -> Iterator[Tailer]:
    made = Tailer(path, ["t"], create=False, poll_seconds=0.001, clock=clock, driver="sqlite3")
    made.open()
    yield made
    made.close()


def value(path: Path, sql: str) -> int:
    with closing(sqlite3.connect(path)) as db:
        return int(db.execute(sql).fetchone()[0])


def take(tailer: Tailer) -> int:
    """Take a transaction and acknowledge it."""
    found = tailer.next()
    assert found is not None
    tailer.acknowledge(found.checkpoint.value)
    return found.checkpoint.value


def test_next_ends_by_itself_when_there_is_nothing(tailer: Tailer) -> None:
    take(tailer)
    assert tailer.next() is None


def test_next_ends_at_once_after_stop(tailer: Tailer) -> None:
    tailer.stop()
    assert tailer.next() is None


def test_the_acknowledgement_is_written_after_a_while(tailer: Tailer, path: Path, clock: Clock) -> None:
    take(tailer)
    clock.now += FORGET_SECONDS
    assert tailer.next() is None
    assert value(path, "SELECT value FROM _tidings_meta WHERE name = 'acknowledged'") == 1


def test_closing_writes_the_acknowledgement(tailer: Tailer, path: Path) -> None:
    take(tailer)
    tailer.close()
    assert value(path, "SELECT value FROM _tidings_meta WHERE name = 'acknowledged'") == 1


def test_a_lock_is_told_only_when_it_lasts(tailer: Tailer, path: Path, clock: Clock) -> None:
    take(tailer)
    tailer.rewind()
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        assert tailer.next() is None
        assert tailer.health().ok
        clock.now += LOCKED_SECONDS
        assert not tailer.health().ok
        assert "locked" in tailer.health().detail
    assert tailer.next() is None
    assert tailer.health().ok


def test_a_missing_database_is_an_error_at_open(tmp_path: Path, clock: Clock) -> None:
    tailer = Tailer(
        tmp_path / "none.db", ["t"], create=False, poll_seconds=0.01, clock=clock, driver="sqlite3"
    )
    with pytest.raises(SourceError, match="create=True"):
        tailer.open()


def test_removing_leaves_the_file_as_it_was(tailer: Tailer, path: Path) -> None:
    tailer.remove()
    assert value(path, "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tidings%'") == 0
