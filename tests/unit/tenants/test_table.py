"""Reading the table: only when it changed, whoever changed it, whatever became of the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.tenants.tables import create_table, insert, run
from tidings.errors import SourceError
from tidings.tenants import table as module
from tidings.tenants.table import AppsTable


@pytest.fixture
def path(tmp_path: Path) -> Path:
    run(tmp_path / "apps.db", create_table())
    return tmp_path / "apps.db"


@pytest.fixture
def table(path: Path) -> Iterator[AppsTable]:
    opened = AppsTable(str(path), "tidings_apps", driver="sqlite3")
    yield opened
    opened.close()


def test_rows_are_given_when_they_changed_and_not_again(table: AppsTable, path: Path) -> None:
    assert table.changed() == []
    assert table.changed() is None
    insert(path, "1", "a")
    rows = table.changed()
    assert rows is not None
    assert [(row["id"], row["key"], row["enabled"]) for row in rows] == [("1", "a", 1)]
    assert table.changed() is None


def test_a_file_in_the_place_of_the_old_one_is_read(table: AppsTable, path: Path) -> None:
    insert(path, "1", "a")
    table.changed()
    other = path.with_name("other.db")
    run(other, create_table())
    insert(other, "2", "b")
    os.replace(other, path)
    rows = table.changed()
    assert rows is not None
    assert [row["id"] for row in rows] == ["2"]


def test_trouble_is_told_and_passes(table: AppsTable, path: Path) -> None:
    table.changed()
    away = path.with_name("away.db")
    os.replace(path, away)
    with pytest.raises(SourceError, match="there is no database"):
        table.changed()
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(SourceError, match="cannot be read"):
        table.changed()
    os.replace(away, path)
    assert table.changed() == []
    run(path, "DROP TABLE tidings_apps")
    with pytest.raises(SourceError, match="CREATE TABLE"):
        table.changed()


def test_a_table_with_too_many_rows_is_not_read_in_part(
    table: AppsTable, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_APPS", 1)
    insert(path, "1", "a")
    assert table.changed() is not None
    insert(path, "2", "b")
    with pytest.raises(SourceError, match="more than 1 rows"):
        table.changed()


def test_any_name_of_a_table_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "apps.db"
    run(path, 'CREATE TABLE "a ""b""; --" (id, "se""cret")')
    table = AppsTable(str(path), 'a "b"; --', driver="sqlite3")
    assert table.changed() == []
    table.close()


def test_a_row_that_is_no_text_leaves_the_others_readable(table: AppsTable, path: Path) -> None:
    insert(path, "1", "a")
    insert(path, "2", "b")
    run(path, "UPDATE tidings_apps SET key = CAST(x'ff' AS TEXT) WHERE id = '1'")
    rows = table.changed()
    assert rows is not None
    assert {row["id"]: row["key"] for row in rows} == {"1": b"\xff", "2": "b"}
