"""The connection beside the stream: it prepares, looks, and says what was not published for a while."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.changes import Seals
from tidings.errors import SourceError
from tidings.sources.postgres import desk as module
from tidings.sources.postgres import setup
from tidings.sources.postgres.connections import Connection, connect
from tidings.sources.postgres.continuity import PAGE
from tidings.sources.postgres.desk import Desk, Elsewhere
from tidings.sources.postgres.seals import Keeper
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.stream import PROCESS, Process
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


def test_it_asks_only_the_server_that_was_met(desk: Desk, database: Database) -> None:
    ((begun, standby),) = database.rows(PROCESS)
    assert not Process(begun, standby).standby
    desk.prepare()
    desk.meet(begun)
    desk.prepare()
    desk.meet("1795212264.5")
    with pytest.raises(Elsewhere, match="another server"):
        desk.prepare()
    desk.meet(begun)
    desk.prepare()


def test_a_server_that_goes_away_before_its_first_answer_is_told_as_such(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Race: it accepts a connection and ends, as in a failover."""

    def half(url: str) -> Connection:
        connection = connect(url)
        with connect(url) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        return connection

    monkeypatch.setattr(module, "connect", half)
    with pytest.raises(SourceError, match="does not answer"):
        desk.slot()
    monkeypatch.setattr(module, "connect", connect)
    assert desk.slot() is None


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


Missed = tuple[tuple[str, ...], Seals | None]
"""Tables to tell of, and seals to keep."""


class Watcher:
    """A desk and what is compared of it, as the source has them. tables: to capture."""

    def __init__(self, database: Database, *tables: str) -> None:
        self.desk = Desk(database.url, Names.of(database.name), tables or ("t",), Types())
        self.desk.prepare()
        self._keeper = Keeper()

    def begin(self) -> Seals:
        return self._keeper.begin(self.desk.before_slot, self.desk.horizon)

    def go_on(self, kept: Seals | None) -> None:
        self._keeper.go_on(kept)

    def look(self) -> Missed:
        keeper = self._keeper
        news = keeper.compare(self.desk.look(keeper.known, keeper.leaves, waiting=keeper.waiting).found)
        return news.missed, keeper.hand_out(news)


@pytest.fixture
def watcher(database: Database) -> Iterator[Watcher]:
    made = Watcher(database)
    yield made
    made.desk.close()


def test_a_look_tells_of_the_slot(desk: Desk) -> None:
    desk.prepare()
    assert desk.look({}).kept_from is None
    desk.first_slot()
    found = desk.look({})
    assert found.kept_from is not None
    assert found.written >= found.kept_from
    assert found.status == "reserved"


def test_a_look_says_how_far_the_log_is_written_though_a_file_of_it_has_just_begun(
    desk: Desk, database: Database
) -> None:
    """Behind the header of a new file is nothing that the stream could reach."""
    desk.prepare()
    known = desk.look({}).found.seals
    for _ in range(20):  # somebody else may write in between
        database.run("SELECT pg_switch_wal()")
        if desk.look(known).at % PAGE == 0:
            return
    pytest.fail("it never stood at the begin of a page")


def test_a_table_that_was_not_published_is_published_again_and_told_once(
    watcher: Watcher, database: Database
) -> None:
    kept = watcher.begin()
    assert watcher.look() == ((), None)
    alter(database, "DROP TABLE t")
    missed, seals = watcher.look()
    assert missed == ("t",)
    assert seals not in (None, kept)
    assert watcher.look() == ((), None)
    alter(database, "DROP TABLE t")
    alter(database, "ADD TABLE t")
    assert watcher.look()[0] == ("t",)
    assert watcher.look() == ((), None)


def test_it_is_told_again_when_who_wrote_before_has_ended(watcher: Watcher, database: Database) -> None:
    """Crash: between the two the log has no seal, so that a restart tells it."""
    watcher.begin()
    with database.connect(autocommit=False) as writer:
        alter(database, "DROP TABLE t")
        writer.execute("INSERT INTO t VALUES (1)")
        assert watcher.look() == (("t",), {})
        assert watcher.look() == ((), None)
        writer.commit()
    missed, seals = watcher.look()
    assert missed == ("t",)
    assert seals is not None
    assert seals.keys() == {"t"}
    assert watcher.look() == ((), None)


def test_what_a_start_had_to_publish_while_a_slot_was_there_is_told(
    watcher: Watcher, database: Database
) -> None:
    watcher.desk.first_slot()
    alter(database, "DROP TABLE t")
    again = Watcher(database)
    assert again.begin() == {}
    assert again.look()[0] == ("t",)
    again.desk.close()


def test_with_an_old_slot_and_a_new_log_all_is_told_again_when_who_wrote_before_has_ended(
    watcher: Watcher, database: Database
) -> None:
    watcher.desk.first_slot()
    alter(database, "DROP TABLE t")
    with database.connect(autocommit=False) as writer:
        writer.execute("INSERT INTO t VALUES (1)")
        alter(database, "ADD TABLE t")
        again = Watcher(database)
        again.desk.first_slot()
        assert again.begin() == {}
        assert again.look() == ((), None)
        writer.commit()
    missed, seals = again.look()
    assert missed == ("t",)
    assert seals is not None
    assert seals.keys() == {"t"}
    again.desk.close()


def test_what_was_done_to_the_publication_and_undone_while_nobody_looked_is_told(
    watcher: Watcher, database: Database
) -> None:
    watcher.desk.first_slot()
    kept = watcher.begin()
    again = Watcher(database)
    again.go_on(kept)
    assert again.look() == ((), None)
    alter(database, "DROP TABLE t")
    alter(database, "ADD TABLE t")
    again.go_on(kept)
    assert again.look()[0] == ("t",)
    again.desk.close()


@pytest.mark.parametrize("failing", ["_HORIZON", "_LOOK"])
def test_a_look_that_fails_in_between_has_told_nothing_and_so_keeps_nothing(
    watcher: Watcher, database: Database, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    watcher.begin()
    alter(database, "DROP TABLE t")
    with monkeypatch.context() as patch:
        patch.setattr(f"tidings.sources.postgres.desk.{failing}", "SELECT 1 / 0")
        with pytest.raises(SourceError, match="refused"):
            watcher.look()
    missed, seals = watcher.look()
    assert missed == ("t",)
    assert seals is not None


def test_what_cannot_be_published_again_is_absent_and_holds_up_nothing(database: Database) -> None:
    database.run("CREATE TABLE u (id int PRIMARY KEY)")
    watcher = Watcher(database, "t", "u")
    watcher.begin()
    database.run("DROP TABLE u", "CREATE VIEW u AS SELECT 1 AS id")
    assert watcher.look()[1] == {"t": watcher.desk.before_slot["t"]}
    assert [*watcher.desk.absent] == ["u"]
    assert watcher.desk.new_slot(drop=False) == watcher.desk.slot()
    assert [*watcher.desk.absent] == ["u"]
    watcher.desk.close()


@pytest.mark.parametrize(
    "hindrance",
    [
        ("default_transaction_read_only = on", ""),
        ("statement_timeout = '1s'", "LOCK TABLE u"),
    ],
)
def test_a_table_that_this_role_may_not_put_back_keeps_no_other_from_being_told(
    database: Database, monkeypatch: pytest.MonkeyPatch, hindrance: tuple[str, str]
) -> None:
    monkeypatch.setattr(setup, "LOCK_SECONDS", 0.01)
    setting, locked = hindrance
    database.run("CREATE TABLE u (id int PRIMARY KEY)")
    watcher = Watcher(database, "t", "u")
    watcher.begin()
    watcher.desk._connection.execute(f"SET {setting}")  # type: ignore[union-attr]
    with database.connect(autocommit=False) as other:
        alter(database, "DROP TABLE t, u")
        alter(database, "ADD TABLE t")
        if locked:
            other.execute(locked)
        assert watcher.look()[0] == ("t",)
        assert [*watcher.desk.absent] == ["u"]
    watcher.desk.close()


def test_a_captured_partition_of_a_captured_table_is_absent_and_holds_up_nothing(database: Database) -> None:
    database.run(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
    )
    Watcher(database, "p", "p1").desk.close()
    again = Watcher(database, "p", "p1")
    again.begin()
    again.look()
    assert [*again.desk.absent] == ["p1"]
    again.desk.close()


def test_a_table_that_is_locked_does_not_hold_up_a_look(watcher: Watcher, database: Database) -> None:
    watcher.begin()
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE t")
        assert watcher.look() == ((), None)


def test_a_log_without_seals_has_all_told(watcher: Watcher) -> None:
    watcher.go_on(None)
    missed, seals = watcher.look()
    assert missed == ("t",)
    assert seals is not None
    assert seals.keys() == {"t"}
    assert watcher.look() == ((), None)


def test_a_table_that_is_not_captured_any_more_loses_its_seal(watcher: Watcher, database: Database) -> None:
    """So that what is missed until it is captured again is told then."""
    database.run("CREATE TABLE u (id int PRIMARY KEY)")
    both = Watcher(database, "t", "u")
    kept = both.begin()
    assert kept.keys() == {"t", "u"}
    both.desk.close()
    watcher.go_on(kept)
    assert watcher.look() == ((), {"t": kept["t"]})


def test_a_table_that_is_gone_is_absent_until_it_is_back(watcher: Watcher, database: Database) -> None:
    watcher.begin()
    database.run("DROP TABLE t")
    assert watcher.look() == ((), {})
    assert [*watcher.desk.absent] == ["t"]
    database.run(TABLE)
    assert watcher.look()[0] == ("t",)
    assert [*watcher.desk.absent] == []


def test_a_lost_connection_is_an_error_once_and_then_made_anew(desk: Desk, database: Database) -> None:
    desk.prepare()
    database.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidings'"
        " AND datname = current_database()"
    )
    with pytest.raises(SourceError, match="does not answer"):
        desk.look({})
    assert desk.look({}).written


def test_what_is_closed_stays_closed(desk: Desk) -> None:
    desk.prepare()
    desk.close()
    desk.close()
    assert not desk.connected
    with pytest.raises(SourceError, match="closed"):
        desk.look({})
