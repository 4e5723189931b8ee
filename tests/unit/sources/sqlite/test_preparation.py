"""What is captured in a SQLite file, and taking all of it out again."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tidings.errors import SourceError
from tidings.sources.sqlite import SqliteSource
from tidings.sources.sqlite.preparation import captured_tables, remove, tables_there
from tidings.sources.sqlite.readerlock import ReaderLock


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    file = tmp_path / "app.db"
    connection = apsw.Connection(str(file))
    connection.execute(
        "CREATE TABLE tasks (id INTEGER PRIMARY KEY); CREATE TABLE notes (id INTEGER PRIMARY KEY)"
    )
    connection.close()
    source = SqliteSource(file, ["tasks"], driver="apsw")
    await source.open()
    await source.close()
    return file


def test_what_there_is_and_what_is_captured(path: Path) -> None:
    assert tables_there(path, driver="apsw") == ["notes", "tasks"]
    assert captured_tables(path, driver="apsw") == ["tasks"]


def test_all_of_it_is_taken_out_and_nothing_the_second_time(path: Path) -> None:
    assert remove(path, driver="apsw") == ["tasks"]
    assert remove(path, driver="apsw") == []
    connection = apsw.Connection(str(path))
    left = "SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tidings%'"
    assert list(connection.execute(left)) == [(0,)]
    connection.close()


def test_not_while_it_is_read(path: Path) -> None:
    lock = ReaderLock(str(path))
    assert lock.acquire()
    with pytest.raises(SourceError, match="being read; end that server first"):
        remove(path, driver="apsw")
    lock.release()
    assert captured_tables(path, driver="apsw") == ["tasks"]


@pytest.mark.parametrize("function", [tables_there, captured_tables, remove])
def test_a_file_that_is_not_there_is_not_made(function: object, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no database"):
        function(tmp_path / "none.db")  # type: ignore[operator]
    assert list(tmp_path.iterdir()) == []
