"""What SQLite's triggers must see: every kind of table, value, statement and writer."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.sources.rigs import SqliteRig
from tidings.errors import SourceError


async def kinds(sqlite: SqliteRig, table: str, sql: str, count: int) -> list[tuple[str, Any, Any]]:
    follower = await (await sqlite.follow(table)).begun()
    sqlite.execute(sql)
    return [(c.kind, c.old, c.new) for c in await follower.changes(count)]


async def test_values_are_told_exactly(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, x)")
    follower = await (await sqlite.follow("v")).begun()
    values = [
        None, 0, -1, 2**63 - 1, -(2**63), 0.1, 1 / 3, 79273.92048435169, 5e-324, 1.7976931348623157e308, 5.0,
        float("inf"), float("-inf"), "", "7", "é 😀 \" \\ \n \x01 \x7f '", '{"json": [1]}', "a\0b", b"",
        b"\x00\xff", b"text",
    ]  # fmt: skip
    with closing(sqlite3.connect(sqlite.path, isolation_level=None)) as db:
        db.executemany("INSERT INTO v (x) VALUES (?)", [(value,) for value in values])
    changes = await follower.changes(len(values))
    assert [c.row["x"] for c in changes] == [row["x"] for row in sqlite.rows("v")]
    assert [type(c.row["x"]) for c in changes] == [type(row["x"]) for row in sqlite.rows("v")]


async def test_text_that_is_not_utf8_is_told_with_marks_and_stops_nothing(sqlite: SqliteRig) -> None:
    told = await kinds(
        sqlite_with(sqlite, "CREATE TABLE v (x)"),
        "v",
        "INSERT INTO v VALUES (CAST(x'61ff62' AS TEXT)), (1)",
        2,
    )
    assert [new["x"] for _, _, new in told] == ["a�b", 1]


def sqlite_with(sqlite: SqliteRig, sql: str) -> SqliteRig:
    sqlite.execute(sql)
    return sqlite


async def test_a_database_in_utf16_is_read_right(sqlite: SqliteRig) -> None:
    sqlite.path.unlink()
    sqlite.execute("PRAGMA encoding = 'UTF-16le'; CREATE TABLE v (id INTEGER PRIMARY KEY, x TEXT)")
    told = await kinds(sqlite, "v", "INSERT INTO v VALUES (1, 'é😀')", 1)
    assert told == [("insert", None, {"id": 1, "x": "é😀"})]


async def test_a_huge_value_is_unknown_and_not_copied(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE v (id INTEGER PRIMARY KEY, body TEXT, n)")
    follower = await (await sqlite.follow("v")).begun()
    sqlite.execute("INSERT INTO v VALUES (1, printf('%.*c', 3000000, 'x'), 5)")
    (change,) = await follower.changes(1)
    assert (change.new, change.unknown) == ({"id": 1, "n": 5}, ("body",))
    assert sqlite.number("SELECT max(length(new)) FROM _tidings_changes") < 1000


async def test_names_with_quotes_spaces_and_other_letters(sqlite: SqliteRig) -> None:
    sqlite.execute('CREATE TABLE "a \'b\' ""c"" ü" ("k ""1""" TEXT PRIMARY KEY, "sélect \'" INT)')
    told = await kinds(sqlite, "a 'b' \"c\" ü", 'INSERT INTO "a \'b\' ""c"" ü" VALUES (\'x\', 1)', 1)
    assert told == [("insert", None, {'k "1"': "x", "sélect '": 1})]


async def test_a_table_without_primary_key_is_told_by_rowid(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE n (x)")
    follower = await (await sqlite.follow("n")).begun()
    sqlite.execute("INSERT INTO n VALUES ('same'), ('same'); DELETE FROM n WHERE rowid = 1")
    changes = await follower.changes(3)
    assert changes[0].key == ("rowid",)
    assert changes[2].old == {"x": "same", "rowid": 1}


async def test_a_table_whose_columns_hide_the_rowid_needs_a_key(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE h (rowid TEXT, oid TEXT, _rowid_ TEXT)")
    with pytest.raises(SourceError, match="give it a primary key"):
        await sqlite.source("h").open()


async def test_a_composite_key_without_rowid(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE w (a TEXT, b INT, c, PRIMARY KEY (b, a)) WITHOUT ROWID")
    follower = await (await sqlite.follow("w")).begun()
    sqlite.execute("INSERT INTO w VALUES ('x', 1, 2); UPDATE w SET a = 'y'; DELETE FROM w")
    changes = await follower.changes(3)
    assert [c.key for c in changes] == [("b", "a")] * 3
    assert [c.kind for c in changes] == ["insert", "update", "delete"]


async def test_generated_columns_are_told(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE g (id INTEGER PRIMARY KEY, a, v AS (a * 2), s AS (a + 1) STORED UNIQUE)")
    told = await kinds(sqlite, "g", "INSERT INTO g (id, a) VALUES (1, 4); UPDATE g SET a = 5", 2)
    assert told[1][1:] == ({"id": 1, "a": 4, "v": 8, "s": 5}, {"id": 1, "a": 5, "v": 10, "s": 6})


async def test_a_table_of_a_thousand_columns(sqlite: SqliteRig) -> None:
    names = [f"c{n}" for n in range(1000)]
    sqlite.execute(f"CREATE TABLE big (id INTEGER PRIMARY KEY, {', '.join(names)})")
    told = await kinds(
        sqlite, "big", "INSERT INTO big (id, c999) VALUES (1, 'x'); UPDATE big SET c500 = 2", 2
    )
    assert told[1][2] == {"id": 1, **dict.fromkeys(names), "c999": "x", "c500": 2}


async def test_an_update_that_changes_nothing_is_not_told(sqlite: SqliteRig) -> None:
    sqlite.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT COLLATE NOCASE); INSERT INTO t VALUES (1, 'a')"
    )
    told = await kinds(
        sqlite,
        "t",
        "UPDATE t SET x = 'a'; UPDATE t SET x = NULL; UPDATE t SET x = NULL; UPDATE t SET x = 'b'",
        2,
    )
    assert [new["x"] for _, _, new in told] == [None, "b"]


async def test_a_change_of_case_is_a_change_whatever_the_collation(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE t (x TEXT COLLATE NOCASE PRIMARY KEY); INSERT INTO t VALUES ('a')")
    assert await kinds(sqlite, "t", "UPDATE t SET x = 'A'", 1) == [("update", {"x": "a"}, {"x": "A"})]


async def test_upsert_and_returning(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x); INSERT INTO t VALUES (1, 'a')")
    told = await kinds(
        sqlite, "t",
        "INSERT INTO t VALUES (1, 'b'), (2, 'c') ON CONFLICT DO UPDATE SET x = excluded.x RETURNING id; "
        "INSERT INTO t VALUES (1, 'z') ON CONFLICT DO NOTHING; INSERT OR IGNORE INTO t VALUES (2, 'z'); DELETE FROM t",
        4,
    )  # fmt: skip
    assert [kind for kind, _, _ in told] == ["update", "insert", "delete", "delete"]


async def test_cascades_are_told(sqlite: SqliteRig) -> None:
    sqlite.execute(
        "CREATE TABLE p (id INTEGER PRIMARY KEY); INSERT INTO p VALUES (1);"
        "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p ON DELETE CASCADE); INSERT INTO c VALUES (7, 1)"
    )
    follower = await (await sqlite.follow("p", "c")).begun()
    sqlite.execute("PRAGMA foreign_keys = ON; DELETE FROM p")
    assert {(c.table, c.kind) for c in await follower.changes(2)} == {("p", "delete"), ("c", "delete")}


@pytest.mark.parametrize("recursive", ["OFF", "ON"])
async def test_a_row_that_replace_removes_is_told(sqlite: SqliteRig, recursive: str) -> None:
    """Race: REPLACE fires no delete trigger, so a row that collides in a UNIQUE column would vanish in silence."""
    sqlite.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, mail TEXT UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
    )
    told = await kinds(
        sqlite, "t", f"PRAGMA recursive_triggers = {recursive}; REPLACE INTO t VALUES (3, 'a')", 2
    )
    assert told == [("delete", {"id": 1, "mail": "a"}, None), ("insert", None, {"id": 3, "mail": "a"})]


async def test_replacing_a_row_by_its_key_is_an_update(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE t (id TEXT PRIMARY KEY, x); INSERT INTO t VALUES ('k', 1)")
    told = await kinds(sqlite, "t", "REPLACE INTO t VALUES ('k', 2); REPLACE INTO t VALUES ('k', 2)", 1)
    assert told == [("update", {"id": "k", "x": 1}, {"id": "k", "x": 2})]


async def test_update_or_replace_tells_the_row_that_had_to_go(sqlite: SqliteRig) -> None:
    sqlite.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, x UNIQUE); INSERT INTO t VALUES (1, 'a'), (2, 'b')"
    )
    told = await kinds(sqlite, "t", "UPDATE OR REPLACE t SET x = 'a' WHERE id = 2", 2)
    assert told[0] == ("delete", {"id": 1, "x": "a"}, None)
    assert told[1] == ("update", {"id": 2, "x": "b"}, {"id": 2, "x": "a"})


async def test_a_statement_that_fails_half_way_keeps_numbers_unique(sqlite: SqliteRig) -> None:
    """Race: INSERT OR FAIL stops before SQLite writes sqlite_sequence, so AUTOINCREMENT would give a number twice."""
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY)")
    follower = await (await sqlite.follow("t")).begun()
    sqlite.execute("INSERT OR FAIL INTO t VALUES (1), (2), (1)", fails=True)
    await follower.changes(2)
    await follower.source.close()
    sqlite.execute("INSERT INTO t VALUES (3)")
    again = await sqlite.follow("t")
    assert [c.row["id"] for c in await again.changes(1)] == [3]
    assert again.keys[0] not in follower.keys


@pytest.mark.parametrize("table", ["v", "f"])
async def test_what_cannot_have_triggers_is_refused(sqlite: SqliteRig, table: str) -> None:
    sqlite.execute(
        "CREATE TABLE t (x); CREATE VIEW v AS SELECT * FROM t; CREATE VIRTUAL TABLE f USING fts5(x)"
    )
    with pytest.raises(SourceError, match="cannot be captured"):
        await sqlite.source(table).open()


async def test_last_insert_rowid_and_changes_stay_the_applications(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
    await (await sqlite.follow("t")).begun()
    with closing(sqlite3.connect(sqlite.path)) as db:
        cursor = db.execute("INSERT INTO t VALUES (41, 'a')")
        assert (cursor.lastrowid, cursor.rowcount) == (41, 1)
        assert db.execute("UPDATE t SET x = 'b'").rowcount == 1


async def test_removing_capture_leaves_nothing_behind(sqlite: SqliteRig) -> None:
    sqlite.execute("CREATE TABLE t (x)")
    source = sqlite.source("t")
    await source.open()
    assert sqlite.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tidings%'") > 5
    await source.remove()
    assert sqlite.number("SELECT count(*) FROM sqlite_schema WHERE name LIKE '%tidings%'") == 0
