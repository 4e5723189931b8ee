"""The tables: versions that follow one another, queries that find their index."""

from __future__ import annotations

import apsw
import pytest

from tidings.engines.sqlite import reader, schema, trim
from tidings.engines.sqlite.schema import APPLICATION_ID, VERSIONS, check, migrate
from tidings.errors import EngineError


@pytest.fixture
def connection() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    check(connection, "log.db")
    migrate(connection)
    return connection


def test_a_new_file_gets_version_owner_and_epoch(connection: apsw.Connection) -> None:
    assert connection.pragma("user_version") == len(VERSIONS)
    assert connection.pragma("application_id") == APPLICATION_ID
    assert len(connection.execute("SELECT epoch FROM log").get) == 8


def test_migrating_again_changes_nothing(connection: apsw.Connection) -> None:
    epoch = connection.execute("SELECT epoch FROM log").get
    migrate(connection)
    assert connection.execute("SELECT epoch FROM log").get == epoch


def test_a_later_version_keeps_what_is_there(
    connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    epoch = connection.execute("SELECT epoch FROM log").get
    monkeypatch.setattr(schema, "VERSIONS", (*VERSIONS, "ALTER TABLE apps ADD COLUMN note TEXT"))
    check(connection, "log.db")
    migrate(connection)
    assert connection.pragma("user_version") == len(VERSIONS) + 1
    assert connection.execute("SELECT epoch FROM log").get == epoch
    monkeypatch.undo()
    with pytest.raises(EngineError, match="newer"):
        check(connection, "log.db")


@pytest.mark.parametrize(
    ("query", "values"),
    [
        (reader._AFTER, (1, 1, 1)),
        (reader._LATEST, (1, "a", "c")),
        (reader._CHANNELS, (1, '["c"]')),
        (reader._GAPS, (1, 1)),
        (reader._HELD, ("a", "c", 1)),
        (trim._ABOVE, (1, 1, 1)),
        (trim._OLDEST, (1, 1)),
        (trim._DROP, (1, 1)),
        (trim._DUE, (1, 1)),
        (trim._FORGETTABLE, (1, 1)),
    ],
)
def test_no_query_walks_through_a_table(
    connection: apsw.Connection, query: str, values: tuple[object, ...]
) -> None:
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", values)]
    walks = [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
    assert walks == []
    assert not any("TEMP B-TREE" in step for step in plan)
