"""The text of triggers: quoting, bounds of SQLite, and that what SQLite stores is what we wrote."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tidings.sources.sqlite.driver import Database, Driver
from tidings.sources.sqlite.shapes import read_shape
from tidings.sources.sqlite.triggers import (
    TABLES,
    TableShape,
    Unique,
    encode_value,
    literal,
    name,
    trigger_name,
    triggers_of,
)

SHAPE = TableShape(
    name="ta\"s'k",
    columns=("id", "co'l"),
    key=("id",),
    rowid="rowid",
    uniques=(Unique((("co'l", "NOCASE"),)),),
)


def test_names_and_literals_are_quoted() -> None:
    assert name('a"b') == '"a""b"'
    assert literal("a'b") == "'a''b'"


def test_each_table_has_triggers_for_every_kind_of_change() -> None:
    assert set(triggers_of(SHAPE)) == {
        trigger_name(SHAPE.name, kind)
        for kind in ("insert", "update", "delete", "insert_before", "update_before")
    }


def test_sqlite_stores_the_text_as_it_was_written() -> None:
    """By this text an intact trigger is known from one that somebody changed."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute("""CREATE TABLE "ta""s'k" (id INTEGER PRIMARY KEY, "co'l" TEXT UNIQUE COLLATE NOCASE)""")
        for sql in (*TABLES, *triggers_of(SHAPE).values()):
            db.execute(sql)
        stored = dict(db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall())
        assert stored == triggers_of(SHAPE)


def test_a_key_wider_than_the_notes_is_captured_without_following_replace() -> None:
    columns = tuple(f"k{n}" for n in range(9))
    shape = TableShape(name="t", columns=columns, key=columns, rowid=None)
    assert set(triggers_of(shape)) == {trigger_name("t", kind) for kind in ("insert", "update", "delete")}


def test_a_table_without_key_also_tells_its_rowid() -> None:
    assert TableShape(name="t", columns=("a",), key=("rowid",), rowid="rowid").told == ("a", "rowid")
    assert SHAPE.told == SHAPE.columns


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "null"), (7, "7"), (float("inf"), '"Infinity"'), ("a\n", '"a\\n"'), (b"\x0f", '{"$hex":"0F"}')],
)
def test_a_value_becomes_json(value: object, text: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        assert db.execute(f"SELECT {encode_value('v')} FROM (SELECT ? AS v)", (value,)).fetchone() == (text,)


def test_reals_survive_the_way_through_text() -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        for value in (0.1, 1 / 3, 79273.92048435169, -1.3137028612468483e300, 5e-324, 2.0**53 + 2):
            (text,) = db.execute(f"SELECT {encode_value('v')} FROM (SELECT ? AS v)", (value,)).fetchone()
            assert float(text) == value


@pytest.mark.parametrize("driver", ["sqlite3", "apsw"])
@pytest.mark.parametrize(
    "sql",
    [
        "(id INTEGER PRIMARY KEY, a TEXT COLLATE NOCASE UNIQUE, b, c, UNIQUE (b, c))",
        "(id TEXT PRIMARY KEY COLLATE NOCASE, a UNIQUE, b, c, UNIQUE (b, c)) WITHOUT ROWID",
        "(id, a, b, c)",
    ],
)
def test_a_write_costs_the_same_in_a_large_table(tmp_path: Path, driver: Driver, sql: str) -> None:
    """Race: a look-up that reads the whole table makes each insert slower than the last."""
    db = Database(tmp_path / "a.db", create=True, busy_ms=10, driver=driver)
    db.run(f"CREATE TABLE t {sql}")
    shape = read_shape(db, "t")
    assert shape is not None
    for statement in (*TABLES, *triggers_of(shape).values()):
        db.run(statement)
    row = "SELECT i, 'a' || i, i, i FROM n"
    db.run(f"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t {row}")
    steps = count_steps(db)
    db.run("INSERT INTO t VALUES (5001, 'x', 5001, 5001)")
    db.run("INSERT OR REPLACE INTO t VALUES (7, 'a8', 9, 9)")
    if shape.rowid:
        db.run("UPDATE OR REPLACE t SET a = 'a20', b = 21, c = 21 WHERE rowid = 30")
    db.close()
    assert len(steps) < 50  # hundreds of instructions, where a look through the table takes ten thousands


def count_steps(db: Database) -> list[None]:
    """A list that grows by one for each hundred instructions of SQLite."""
    steps: list[None] = []
    raw: Any = db._raw
    if isinstance(raw, sqlite3.Connection):
        raw.set_progress_handler(lambda: steps.append(None), 100)
    else:
        raw.set_progress_handler(lambda: bool(steps.append(None)), 100)  # type: ignore[func-returns-value]
    return steps
