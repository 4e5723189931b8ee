"""What is read of a table."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tidings.errors import SourceError
from tidings.sources.sqlite.driver import Database
from tidings.sources.sqlite.shapes import missing_table, read_shape, table_names
from tidings.sources.sqlite.triggers import Unique


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "a.db", create=True, busy_ms=10, driver="sqlite3")
    yield made
    made.close()


def shape_of(db: Database, sql: str) -> tuple[tuple[str, ...], tuple[str, ...], str | None]:
    db.run(f"CREATE TABLE t {sql}")
    shape = read_shape(db, "t")
    assert shape is not None
    return shape.columns, shape.key, shape.rowid


@pytest.mark.parametrize(
    ("sql", "key", "rowid"),
    [
        ("(id INTEGER PRIMARY KEY, x)", ("id",), "rowid"),
        ("(x, id TEXT PRIMARY KEY)", ("id",), "rowid"),
        ("(x, id, PRIMARY KEY (x, id))", ("x", "id"), "rowid"),
        ("(x, id, PRIMARY KEY (id, x)) WITHOUT ROWID", ("id", "x"), None),
        ("(x, id)", ("rowid",), "rowid"),
        ("(RowId, id)", ("_rowid_",), "_rowid_"),
        ("(rowid, oid, _rowid_, id PRIMARY KEY)", ("id",), None),
    ],
)
def test_the_key_is_the_primary_key_or_the_rowid(
    db: Database, sql: str, key: tuple[str, ...], rowid: str
) -> None:
    assert shape_of(db, sql)[1:] == (key, rowid)


def test_unique_indexes_are_known_with_their_collation(db: Database) -> None:
    db.run("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE, b, g AS (b) STORED)")
    db.run("CREATE UNIQUE INDEX i ON t (b, a COLLATE RTRIM)")
    db.run("CREATE UNIQUE INDEX e ON t (lower(a))")
    shape = read_shape(db, "t")
    assert shape is not None
    assert set(shape.uniques) == {Unique((("a", "NOCASE"),)), Unique((("b", "BINARY"), ("a", "RTRIM")))}
    assert shape.generated == {"g"}


def test_a_missing_table_is_none_and_the_error_names_the_nearest(db: Database) -> None:
    db.run("CREATE TABLE tasks (x)")
    db.run("CREATE TABLE _tidings_changes (x)")
    assert read_shape(db, "task") is None
    assert list(table_names(db)) == ["tasks"]
    assert "did you mean 'tasks'" in str(missing_table(db, "task"))
    assert "the database has: tasks" in str(missing_table(db, "zzz"))


@pytest.mark.parametrize("table", ["v", "sqlite_master", "_tidings_meta"])
def test_what_is_no_table_of_the_application_is_refused(db: Database, table: str) -> None:
    db.run("CREATE TABLE _tidings_meta (x)")
    db.run("CREATE VIEW v AS SELECT 1")
    with pytest.raises(SourceError, match="cannot be captured"):
        read_shape(db, table)
