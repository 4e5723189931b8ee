"""Both SQLite libraries behave alike behind the face."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tidings.sources.sqlite.driver import OLDEST, Database, DatabaseError, Driver, chosen_sqlite

DRIVERS: tuple[Driver, ...] = ("apsw", "sqlite3")


@pytest.fixture(params=DRIVERS)
def driver(request: pytest.FixtureRequest) -> Driver:
    chosen: Driver = request.param
    return chosen


@pytest.fixture
def db(driver: Driver, tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "a b?.db", create=True, busy_ms=10, driver=driver)
    yield made
    made.close()


def test_statements_run_with_parameters(db: Database) -> None:
    db.run("CREATE TABLE t (a, b)")
    db.run("INSERT INTO t VALUES (?, ?)", 1, b"x")
    assert db.run("SELECT * FROM t") == [(1, b"x")]
    assert list(db.each("SELECT b FROM t WHERE a = ?", 1)) == [(b"x",)]


def test_transactions_are_ours_alone(db: Database) -> None:
    before = db.in_transaction
    db.run("BEGIN IMMEDIATE")
    within = db.in_transaction
    db.run("ROLLBACK")
    assert (before, within, db.in_transaction) == (False, True, False)


def test_a_lock_is_busy(db: Database, driver: Driver, tmp_path: Path) -> None:
    other = Database(tmp_path / "a b?.db", create=False, busy_ms=10, driver=driver)
    other.run("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseError) as told:
        db.run("BEGIN IMMEDIATE")
    other.close()
    assert told.value.trouble == "busy"


def test_a_missing_file_cannot_be_opened(driver: Driver, tmp_path: Path) -> None:
    with pytest.raises(DatabaseError) as told:
        Database(tmp_path / "none.db", create=False, busy_ms=10, driver=driver)
    assert told.value.trouble == "cannot_open"


def test_a_file_that_is_no_database_says_so(driver: Driver, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"something else " * 100)
    db = Database(tmp_path / "x.db", create=False, busy_ms=10, driver=driver)
    with pytest.raises(DatabaseError) as told:
        db.run("SELECT * FROM sqlite_schema")
    db.close()
    assert told.value.trouble == "not_a_database"


def test_a_fault_in_sql_is_another_trouble(db: Database) -> None:
    with pytest.raises(DatabaseError) as told:
        db.run("SELECT nonsense")
    assert told.value.trouble == "other"


def test_both_know_their_version(driver: Driver) -> None:
    assert chosen_sqlite(driver) >= OLDEST


@pytest.mark.parametrize(("imports", "own"), [("", True), ("import sqlite3; ", False)])
def test_auto_takes_the_library_that_the_process_uses_already(imports: str, own: bool) -> None:
    """Race: two copies of SQLite in one process drop each other's locks."""
    code = (
        f"{imports}from tidings.sources.sqlite import driver as d; "
        "print(d.chosen_sqlite('auto') == d.chosen_sqlite('apsw'), 'sqlite3' in __import__('sys').modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == [str(own), str(not own)]
