"""Looking at a SQLite file and judging it: one broken thing at a time, and nothing changed by looking."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from tidings.sources.findings import Finding
from tidings.sources.sqlite import SqliteSource
from tidings.sources.sqlite.capture import MAX_BACKLOG
from tidings.sources.sqlite.doctor import Facts, examine, judge


def run(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "app.db"
    run(file, "PRAGMA journal_mode = WAL", "CREATE TABLE tasks (id INTEGER PRIMARY KEY, title TEXT)")
    return file


async def capture(path: Path, *tables: str) -> None:
    source = SqliteSource(path, tables, driver="apsw")
    await source.open()
    await source.close()


def looked(path: Path, *tables: str) -> list[Finding]:
    return judge(examine(path, tables, driver="apsw"), "app")


def troubles(path: Path, *tables: str) -> list[tuple[str, str]]:
    return [(found.level, found.what) for found in looked(path, *tables) if found.level != "ok"]


async def test_a_captured_file_is_well(path: Path) -> None:
    await capture(path, "tasks")
    assert troubles(path, "tasks") == []
    assert {found.about for found in looked(path, "tasks")} == {"app"}


def test_looking_installs_nothing(path: Path) -> None:
    before = path.read_bytes()
    told = troubles(path, "tasks")
    assert told == [("warn", "tasks: it has no triggers, so its changes are not recorded")]
    assert path.read_bytes() == before
    assert not path.with_name("app.db-tidings-lock").exists()


async def test_triggers_that_do_not_fit_the_columns_any_more(path: Path) -> None:
    await capture(path, "tasks")
    run(path, "ALTER TABLE tasks ADD COLUMN status TEXT")
    ((level, what),) = troubles(path, "tasks")
    assert level == "warn"
    assert "a gap will be told" in what


def test_a_table_that_is_not_there(path: Path) -> None:
    assert ("fail", "there is no table 'taks' to capture") in troubles(path, "taks")


def test_no_table_at_all(path: Path) -> None:
    assert troubles(path) == [("fail", "nothing to capture")]


def test_another_journal_mode(path: Path) -> None:
    run(path, "PRAGMA journal_mode = DELETE")
    assert ("warn", "journal mode is delete: readers and writers wait for each other") in troubles(path)


def test_a_file_that_is_not_there_or_no_database(tmp_path: Path) -> None:
    ((level, what),) = troubles(tmp_path / "none.db")
    assert (level, what) == ("fail", f"there is no database {tmp_path / 'none.db'}")
    (tmp_path / "text.db").write_text("not a database, though long enough to be read as one" * 20)
    ((level, what),) = troubles(tmp_path / "text.db", "tasks")
    assert level == "fail"
    assert "not a SQLite database" in what


def test_what_cannot_be_written_and_what_waits_too_long() -> None:
    """Pure: tests may run as root, who may write everything."""
    found = judge(Facts(path=Path("app.db"), writable=False, waiting=MAX_BACKLOG + 1), "app")
    assert [each.level for each in found] == ["fail", "ok", "fail", "warn"]
    assert "one gap is told instead" in found[-1].fix
