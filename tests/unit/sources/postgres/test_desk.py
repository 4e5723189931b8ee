"""The connection beside the stream: it prepares, looks, and says what was not published for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.postgres.desk import Desk
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.values.types import Types

TABLE = "CREATE TABLE t (id int PRIMARY KEY, s mood)"


@pytest.fixture
def database(newest_postgres: Database) -> Database:
    newest_postgres.run("CREATE TYPE mood AS ENUM ('sad')", TABLE)
    return newest_postgres


@pytest.fixture
def desk(database: Database) -> Iterator[Desk]:
    made = Desk(database.url, Names.of(database.name), ("t",), Types())
    yield made
    made.close()


def alter(database: Database, what: str) -> None:
    database.run(f"ALTER PUBLICATION {Names.of(database.name).publication} {what}")


def test_it_prepares_and_knows_the_tables(desk: Desk) -> None:
    assert dict(desk.prepare()) == {"t": ("id", "s")}
    assert desk.connected
    assert desk.key_of("t") == ("id",)
    assert desk.key_of("u") is None
    assert desk.fresh(["t"])["t"].name == "t"
    with pytest.raises(SourceError, match="no table 'u'"):
        desk.fresh(["u"])


def test_the_first_slot_is_made_once(desk: Desk) -> None:
    desk.prepare()
    assert desk.slot() is None
    desk.first_slot()
    made = desk.slot()
    desk.first_slot()
    assert desk.slot() == made


def test_a_new_slot_takes_the_place_of_an_old_one(desk: Desk, database: Database) -> None:
    desk.prepare()
    desk.first_slot()
    before = desk.slot()
    database.run("BEGIN", "INSERT INTO t VALUES (1)")
    assert desk.new_slot(drop=True) == desk.slot() != before


def test_types_are_learned_and_those_that_are_gone_stay_text(database: Database) -> None:
    types = Types()
    desk = Desk(database.url, Names.of(database.name), ("t",), types)
    ((oid,),) = database.rows("SELECT 'mood'::regtype::oid::int8")
    assert types.missing([oid, 2**31]) == [oid, 2**31]
    desk.learn_types([oid, 2**31])
    assert types.missing([oid, 2**31]) == []
    desk.close()


def test_a_look_tells_of_the_slot(desk: Desk) -> None:
    desk.prepare()
    assert desk.look().kept_from is None
    desk.first_slot()
    found = desk.look()
    assert found.kept_from is not None
    assert found.written >= found.kept_from
    assert (found.status, found.returned) == ("reserved", ())


def test_a_table_that_was_not_published_is_published_again_and_told_once(
    desk: Desk, database: Database
) -> None:
    desk.prepare()
    desk.begin_with_new_slot()
    assert desk.look().returned == ()
    alter(database, "DROP TABLE t")
    assert desk.look().returned == ("t",)
    assert desk.look().returned == ()
    alter(database, "DROP TABLE t")
    alter(database, "ADD TABLE t")
    assert desk.look().returned == ("t",)
    assert desk.look().returned == ()


def test_it_is_told_again_when_who_wrote_before_has_ended(desk: Desk, database: Database) -> None:
    desk.prepare()
    desk.begin_with_new_slot()
    with database.connect(autocommit=False) as writer:
        alter(database, "DROP TABLE t")
        writer.execute("INSERT INTO t VALUES (1)")
        assert desk.look().returned == ("t",)
        assert desk.look().returned == ()
        writer.commit()
    assert desk.look().returned == ("t",)
    assert desk.look().returned == ()


def test_what_a_start_had_to_publish_while_a_slot_was_there_is_told(desk: Desk, database: Database) -> None:
    desk.prepare()
    desk.first_slot()
    alter(database, "DROP TABLE t")
    again = Desk(database.url, Names.of(database.name), ("t",), Types())
    again.prepare()
    assert again.begin_with_new_slot() == {}
    assert again.look().returned == ("t",)
    again.close()


def test_what_was_done_to_the_publication_and_undone_while_nobody_looked_is_told(
    desk: Desk, database: Database
) -> None:
    desk.prepare()
    desk.first_slot()
    kept = desk.begin_with_new_slot()
    assert kept.keys() == {"t"}
    again = Desk(database.url, Names.of(database.name), ("t",), Types())
    again.prepare()
    again.go_on(kept)
    found = again.look()
    assert (found.returned, found.seals) == ((), None)
    alter(database, "DROP TABLE t")
    alter(database, "ADD TABLE t")
    again.go_on(kept)
    found = again.look()
    assert found.returned == ("t",)
    assert found.seals not in (None, kept)
    again.close()


@pytest.mark.parametrize("failing", ["_HORIZON", "_LOOK"])
def test_a_look_that_fails_in_between_has_told_nothing_and_so_keeps_nothing(
    desk: Desk, database: Database, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    desk.prepare()
    desk.begin_with_new_slot()
    alter(database, "DROP TABLE t")
    with monkeypatch.context() as patch:
        patch.setattr(f"tidings.sources.postgres.desk.{failing}", "SELECT 1 / 0")
        with pytest.raises(SourceError, match="refused"):
            desk.look()
    found = desk.look()
    assert found.returned == ("t",)
    assert found.seals is not None


def test_what_cannot_be_published_again_is_absent_and_holds_up_nothing(
    desk: Desk, database: Database
) -> None:
    """The owner took a table out, and this role may not put it back."""
    database.run("CREATE TABLE u (id int PRIMARY KEY)")
    other = Desk(database.url, Names.of(database.name), ("t", "u"), Types())
    other.prepare()
    other.begin_with_new_slot()
    database.run("DROP TABLE u", "CREATE VIEW u AS SELECT 1 AS id")
    found = other.look()
    assert found.seals is not None
    assert found.seals.keys() == {"t"}
    assert [*other.absent] == ["u"]
    assert other.new_slot(drop=False) == other.slot()
    assert [*other.absent] == ["u"]
    other.close()


def test_a_table_that_is_locked_does_not_hold_up_a_look(desk: Desk, database: Database) -> None:
    desk.prepare()
    desk.begin_with_new_slot()
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE t")
        assert desk.look().returned == ()


def test_a_log_without_seals_has_all_told(desk: Desk) -> None:
    desk.prepare()
    desk.first_slot()
    desk.go_on(None)
    found = desk.look()
    assert found.returned == ("t",)
    assert found.seals is not None
    assert found.seals.keys() == {"t"}
    assert desk.look().seals is None


def test_a_table_that_is_to_be_told_a_second_time_has_no_seal_until_then(
    desk: Desk, database: Database
) -> None:
    """Crash: between the two, a restart must find it as it was before the first."""
    desk.prepare()
    desk.begin_with_new_slot()
    with database.connect(autocommit=False) as writer:
        alter(database, "DROP TABLE t")
        writer.execute("INSERT INTO t VALUES (1)")
        found = desk.look()
        assert (found.returned, found.seals) == (("t",), {})
        writer.commit()
    found = desk.look()
    assert found.returned == ("t",)
    assert found.seals is not None
    assert found.seals.keys() == {"t"}


def test_a_table_that_is_not_captured_any_more_loses_its_seal(desk: Desk, database: Database) -> None:
    """So that what is missed until it is captured again is told then."""
    database.run("CREATE TABLE u (id int PRIMARY KEY)")
    both = Desk(database.url, Names.of(database.name), ("t", "u"), Types())
    both.prepare()
    kept = both.begin_with_new_slot()
    assert kept.keys() == {"t", "u"}
    both.close()
    desk.prepare()
    desk.go_on(kept)
    found = desk.look()
    assert (found.returned, found.seals) == ((), {"t": kept["t"]})


def test_a_table_that_is_gone_is_absent_until_it_is_back(desk: Desk, database: Database) -> None:
    desk.prepare()
    desk.look()
    database.run("DROP TABLE t")
    assert desk.look().returned == ()
    assert [*desk.absent] == ["t"]
    database.run(TABLE)
    assert desk.look().returned == ("t",)
    assert [*desk.absent] == []


def test_a_lost_connection_is_an_error_once_and_then_made_anew(desk: Desk, database: Database) -> None:
    desk.prepare()
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings'"
        " AND datname = current_database()"
    )
    with pytest.raises(SourceError, match="does not answer"):
        desk.look()
    assert desk.look().written


def test_what_is_closed_stays_closed(desk: Desk) -> None:
    desk.prepare()
    desk.close()
    desk.close()
    assert not desk.connected
    with pytest.raises(SourceError, match="closed"):
        desk.look()
