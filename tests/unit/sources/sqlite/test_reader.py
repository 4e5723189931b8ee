"""A reader's place: nothing is passed over, and a hole is seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidings.sources.sqlite.capture import Capture
from tidings.sources.sqlite.reader import Reader, RecordBroken


class File:
    """A captured file and its writer."""

    def __init__(self, path: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
        self.capture = Capture(path, ["t"], create=False, driver="sqlite3")
        self.capture.install()

    def insert(self, *ids: int) -> None:
        self.db.execute(f"INSERT INTO t VALUES {', '.join(f'({id})' for id in ids)}")

    def reader(self) -> Reader:
        reader = Reader(self.capture)
        if reader.last == 0:
            reader.take()
            reader.acknowledge(1)
        return reader


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    with closing(sqlite3.connect(":memory:")):
        made = File(tmp_path / "a.db")
    yield made
    made.capture.close()
    made.db.close()


def ids(reader: Reader) -> list[int]:
    return [change.row["id"] for change in reader.take().changes]


def test_rows_read_together_are_one_transaction(file: File) -> None:
    reader = file.reader()
    file.insert(1, 2)
    file.insert(3)
    reader.look()
    assert (reader.has_more, reader.lag) == (True, 3)
    assert ids(reader) == [1, 2, 3]
    assert file.capture.reads() == [(2, 4)]


def test_one_row_alone_writes_nothing_to_the_file(file: File) -> None:
    reader = file.reader()
    file.insert(1)
    reader.look()
    assert ids(reader) == [1]
    assert file.capture.reads() == []


def test_a_noted_group_is_read_again_as_it_was(file: File) -> None:
    reader = file.reader()
    reader.forget()
    file.insert(1, 2)
    reader.look()
    reader.take()
    file.insert(3)
    assert ids(Reader(file.capture)) == [1, 2]


def test_an_acknowledgement_that_was_never_given_is_ignored(file: File) -> None:
    reader = file.reader()
    reader.acknowledge(99)
    assert reader.acknowledged == 1


def test_forgetting_writes_what_is_acknowledged(file: File) -> None:
    reader = file.reader()
    before = reader.has_unwritten
    assert not reader.forget()
    assert (before, reader.has_unwritten) == (True, False)
    assert file.capture.acknowledged() == 1


def test_while_the_application_holds_the_lock_rows_come_one_by_one(file: File) -> None:
    reader = file.reader()
    file.insert(1, 2)
    file.db.execute("BEGIN IMMEDIATE")
    reader.look()
    assert ids(reader) == [1]
    assert ids(reader) == [2]


@pytest.mark.parametrize(
    "tamper",
    [
        "DELETE FROM _tidings_changes WHERE seq = 3",
        "DELETE FROM _tidings_changes WHERE seq = 2",
        "UPDATE _tidings_changes SET time = 5 WHERE seq = 1",
        "DELETE FROM _tidings_changes",
    ],
)
def test_a_hole_is_never_passed_over(file: File, tamper: str) -> None:
    reader = file.reader()
    file.insert(1, 2, 3)
    file.db.execute(tamper)
    with pytest.raises(RecordBroken):  # noqa: PT012 - either of the two may be the first to see it
        reader.look()
        reader.take()


def test_a_changed_mark_is_seen_even_when_nothing_is_new(file: File) -> None:
    reader = file.reader()
    file.db.execute("UPDATE _tidings_changes SET time = 5")
    with pytest.raises(RecordBroken):
        reader.look()
