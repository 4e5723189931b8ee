"""Publication and slot: made once, told with their SQL, taken out again; what belongs to others is left alone."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.errors import SourceError
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import read_tables
from tidings.sources.postgres.setup import Names

TABLE = "CREATE TABLE t (id int PRIMARY KEY)"


@pytest.mark.parametrize(
    ("source", "slot"),
    [("app", "tidings_app"), ("My.App-2", "tidings_my_app_2"), ("x" * 80, "tidings_" + "x" * 55)],
)
def test_the_names_are_what_postgres_allows(source: str, slot: str) -> None:
    assert Names.of(source) == Names(slot, slot)


def test_the_publication_is_made_once_and_grows(postgres: Database) -> None:
    postgres.run(TABLE, "CREATE TABLE u (id int PRIMARY KEY)")
    names = Names.of(postgres.name)
    with postgres.connect() as connection:
        tables = read_tables(connection, ["t", "u"])
        only = {"t": tables["t"]}
        assert setup.ensure_publication(connection, names, only)[0].sql.startswith("CREATE PUBLICATION")
        assert [step.sql for step in setup.ensure_publication(connection, names, only)] == [""]
        assert setup.unpublished(connection, names, tables) == ["u"]
        assert "ADD TABLE" in setup.ensure_publication(connection, names, tables)[-1].sql
        assert setup.unpublished(connection, names, tables) == []


def test_a_publication_that_leaves_out_kinds_is_mended(postgres: Database) -> None:
    postgres.run(TABLE)
    names = Names.of(postgres.name)
    postgres.run(f"CREATE PUBLICATION {names.publication} FOR TABLE t WITH (publish = 'insert')")
    with postgres.connect() as connection:
        setup.ensure_publication(connection, names, read_tables(connection, ["t"]))
    assert postgres.rows("SELECT pubinsert, pubupdate, pubdelete, pubtruncate FROM pg_publication") == [
        (True,) * 4
    ]


def test_the_slot_is_made_read_and_dropped(postgres: Database) -> None:
    names = Names.of(postgres.name)
    with postgres.connect() as connection:
        assert setup.read_slot(connection, names) is None
        made, step = setup.create_slot(connection, names)
        assert "pg_create_logical_replication_slot" in step.sql
        assert setup.read_slot(connection, names) == made
        assert not made.lost
        setup.drop_slot(connection, names)
        assert setup.read_slot(connection, names) is None
        assert setup.drop_slot(connection, names).sql == ""


def test_a_slot_of_another_plug_in_is_refused(newest_postgres: Database) -> None:
    names = Names.of(newest_postgres.name)
    newest_postgres.run(f"SELECT pg_create_logical_replication_slot('{names.slot}', 'test_decoding')")
    with newest_postgres.connect() as connection, pytest.raises(SourceError, match="another program's"):
        setup.read_slot(connection, names)


def test_a_slot_waits_for_open_transactions_and_names_who_holds_it_up(
    newest_postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "SLOT_SECONDS", 1)
    newest_postgres.run(TABLE)
    with newest_postgres.connect(autocommit=False) as holder, newest_postgres.connect() as connection:
        holder.execute("INSERT INTO t VALUES (1)")
        pid = holder.info.backend_pid
        with pytest.raises(SourceError, match=f"still open.*pid {pid}"):
            setup.create_slot(connection, Names.of(newest_postgres.name))
