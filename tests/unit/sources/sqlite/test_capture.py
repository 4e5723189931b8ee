"""The captured file, call by call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tidings.errors import SourceError
from tidings.sources.sqlite.capture import PRUNE_ROWS, Capture


def write(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for sql in statements:
            db.execute(sql)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "a.db", "PRAGMA journal_mode = WAL", "CREATE TABLE t (id INTEGER PRIMARY KEY)")
    return tmp_path / "a.db"


@pytest.fixture
def capture(path: Path) -> Iterator[Capture]:
    made = Capture(path, ["t"], create=False, max_backlog=10, driver="sqlite3")
    made.install(strict=True)
    yield made
    made.close()


def kinds(capture: Capture) -> list[str]:
    return [row.kind for row in capture.rows(1, capture.top())]


def test_a_new_capture_begins_with_a_gap(capture: Capture) -> None:
    assert kinds(capture) == ["gap"]
    assert capture.acknowledged() == 0


def test_installing_again_changes_nothing(capture: Capture) -> None:
    before = capture.generation
    capture.install()
    assert (kinds(capture), capture.generation, capture.schema_changed()) == (["gap"], before, False)


def test_commits_of_others_are_news_once(capture: Capture, path: Path) -> None:
    assert capture.has_news()
    assert not capture.has_news()
    write(path, "INSERT INTO t VALUES (1)")
    assert capture.has_news()
    assert not capture.has_news()


def test_our_own_writes_are_no_news(capture: Capture) -> None:
    capture.has_news()
    capture.note_read(1, 1)
    capture.forget(1)
    assert not capture.has_news()


def test_a_changed_schema_is_noticed(capture: Capture, path: Path) -> None:
    write(path, "CREATE TABLE other (x)")
    assert capture.schema_changed()
    capture.install()
    assert not capture.schema_changed()


def test_forgetting_goes_in_batches_and_keeps_the_acknowledged_row(capture: Capture, path: Path) -> None:
    rows = f"WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PRUNE_ROWS + 9})"
    write(path, f"{rows} INSERT INTO t SELECT i FROM n")
    top = capture.top()
    capture.note_read(1, top)
    assert capture.forget(top)
    assert capture.has_rows_before(top)
    assert not capture.forget(top)
    assert [row.seq for row in capture.rows(1, top)] == [top]
    assert (capture.acknowledged(), capture.reads()) == (top, [])


def test_a_backlog_above_the_bound_becomes_a_gap(capture: Capture, path: Path) -> None:
    assert not capture.limit_backlog()
    write(path, *(f"INSERT INTO t VALUES ({n})" for n in range(10)))
    assert capture.limit_backlog()
    assert [row.kind for row in capture.rows(capture.acknowledged() + 1, capture.top())] == ["gap"]
    assert not capture.limit_backlog()


def test_a_renewal_is_a_new_generation_with_a_gap(capture: Capture) -> None:
    before = capture.generation
    capture.renew("because")
    assert capture.generation != before
    assert kinds(capture) == ["gap"]


def test_removing_and_installing_again_works(capture: Capture, path: Path) -> None:
    capture.remove()
    write(path, "INSERT INTO t VALUES (1)")
    capture.install()
    assert kinds(capture) == ["gap"]


def test_a_missing_table_is_an_error_only_when_strict(path: Path) -> None:
    capture = Capture(path, ["t", "tt"], create=False, driver="sqlite3")
    with pytest.raises(SourceError, match="did you mean 't'"):
        capture.install(strict=True)
    capture.install()
    assert list(capture.shapes) == ["t"]
    capture.close()


def test_a_file_that_is_made_by_us_has_a_wal(tmp_path: Path) -> None:
    capture = Capture(tmp_path / "new.db", ["t"], create=True, driver="sqlite3")
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    capture.close()
