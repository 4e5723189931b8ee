"""The seals of published tables: what gives a table another one, and what does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.fixtures.fix_postgres import Database
from tidings.changes import Seals
from tidings.errors import SourceError
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import read_tables
from tidings.sources.postgres.published import read_published, read_seals
from tidings.sources.postgres.seals import is_unbroken
from tidings.sources.postgres.setup import Names

TABLES = ("CREATE TABLE t (id int PRIMARY KEY, n int)", "CREATE TABLE u (id int PRIMARY KEY)")


@contextmanager
def looking(database: Database, *tables: str) -> Iterator[Callable[[], Seals]]:
    """Publish the tables, and look at their seals as often as asked."""
    names = Names.of(database.name)
    with database.connect() as connection:
        found = read_tables(connection, tables)
        setup.ensure_publication(connection, names, found)
        yield lambda: read_seals(connection, names.publication, found)


def alter(database: Database, what: str) -> str:
    return f"ALTER PUBLICATION {Names.of(database.name).publication} {what}"


ALL_KINDS = "SET (publish = 'insert, update, delete, truncate')"


@pytest.mark.parametrize(
    "changes",
    [
        ("DROP TABLE t", "ADD TABLE t"),
        ("SET (publish = 'insert')", ALL_KINDS),
        ("SET TABLE t WHERE (id > 5), u", "SET TABLE t, u"),
        ("SET TABLE t (id), u", "SET TABLE t, u"),
    ],
)
def test_what_was_done_to_the_publication_and_undone_breaks_the_seal(
    postgres: Database, changes: tuple[str, ...]
) -> None:
    postgres.run(*TABLES)
    with looking(postgres, "t", "u") as seals:
        before = seals()
        assert seals() == before
        assert before.keys() == {"t", "u"}
        postgres.run(*(alter(postgres, change) for change in changes))
        after = seals()
        assert not is_unbroken(before["t"], after["t"])
        assert is_unbroken(before["u"], after["u"]) == ("TABLE" in changes[0])


@pytest.mark.parametrize(
    "statements",
    [
        ("ALTER TABLE t RENAME TO x", "ALTER TABLE x RENAME TO t"),
        ("CREATE SCHEMA s", "ALTER TABLE t SET SCHEMA s", "ALTER TABLE s.t SET SCHEMA public"),
        (
            "ALTER TABLE t RENAME TO x",
            "CREATE TABLE t (id int PRIMARY KEY, n int)",
            "ALTER PUBLICATION {} ADD TABLE t",
        ),
    ],
)
def test_a_table_that_was_another_one_or_had_another_name_has_another_seal(
    postgres: Database, statements: tuple[str, ...]
) -> None:
    postgres.run(*TABLES)
    with looking(postgres, "t", "u") as seals:
        before = seals()
        postgres.run(*(each.format(Names.of(postgres.name).publication) for each in statements))
        after = seals()
        assert not is_unbroken(before["t"], after["t"])
        assert after["u"] == before["u"]


def test_what_changes_nothing_that_is_told_leaves_the_seal(postgres: Database) -> None:
    postgres.run(*TABLES, "CREATE TABLE v (id int PRIMARY KEY)")
    with looking(postgres, "t", "u") as seals:
        before = seals()
        postgres.run(
            "INSERT INTO t VALUES (1, 1)",
            "ALTER TABLE t ADD COLUMN s text",
            "CREATE INDEX ON t (n)",
            "GRANT SELECT ON t TO PUBLIC",
            "TRUNCATE t",
            alter(postgres, "ADD TABLE v"),
            "VACUUM FULL t",
            "VACUUM FREEZE pg_publication",
            "VACUUM FULL pg_publication",
            "VACUUM FULL pg_publication_rel",
            "VACUUM FULL pg_type",
            "ANALYZE t",
        )
        assert seals() == before


def test_without_all_kinds_of_change_a_table_has_no_seal_though_it_is_published(postgres: Database) -> None:
    postgres.run(*TABLES)
    names = Names.of(postgres.name)
    with postgres.connect() as connection:
        found = read_tables(connection, ["t", "u"])
        setup.ensure_publication(connection, names, {"t": found["t"]})
        postgres.run(alter(postgres, "SET (publish = 'insert, update, delete')"))
        assert read_published(connection, names.publication, found) == {"t": None}
        assert read_seals(connection, names.publication, found) == {}


def test_a_schema_that_was_not_published_for_a_while_breaks_the_seal(postgres: Database) -> None:
    publication = Names.of(postgres.name).publication
    postgres.run(*TABLES, f"CREATE PUBLICATION {publication} FOR TABLES IN SCHEMA public")
    with looking(postgres, "t") as seals:
        before = seals()["t"]
        postgres.run(alter(postgres, "DROP TABLES IN SCHEMA public"))
        assert seals() == {}
        postgres.run(alter(postgres, "ADD TABLES IN SCHEMA public"))
        assert not is_unbroken(before, seals()["t"])


def test_a_table_made_anew_has_another_seal_where_all_tables_are_published(postgres: Database) -> None:
    postgres.run(*TABLES, f"CREATE PUBLICATION {Names.of(postgres.name).publication} FOR ALL TABLES")
    with looking(postgres, "t") as seals:
        before = seals()["t"]
        postgres.run("DROP TABLE t", TABLES[0])
        assert not is_unbroken(before, seals()["t"])


def test_a_partition_of_a_published_table_is_not_held_itself(postgres: Database) -> None:
    postgres.run(
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
    )
    names = Names.of(postgres.name)
    with postgres.connect() as connection:
        found = read_tables(connection, ["p", "p1"])
        setup.ensure_publication(connection, names, found)
        assert read_published(connection, names.publication, found).keys() == {"p"}


def test_a_look_waits_for_no_table(postgres: Database) -> None:
    postgres.run(
        TABLES[0],
        "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
    )
    with (
        looking(postgres, "t", "p") as seals,
        postgres.connect(autocommit=False) as other,
        postgres.connect() as reader,
    ):
        before = seals()
        other.execute("TRUNCATE t, p")
        assert seals() == before
        assert read_tables(reader, ["t", "p"]).keys() == {"t", "p"}


def test_a_change_of_the_publication_does_not_wait_for_a_locked_table_for_ever(
    postgres: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup, "LOCK_SECONDS", 0.01)
    postgres.run(*TABLES)
    names = Names.of(postgres.name)
    with postgres.connect(autocommit=False) as other, postgres.connect() as connection:
        found = read_tables(connection, ["t", "u"])
        setup.ensure_publication(connection, names, {"t": found["t"]})
        other.execute("LOCK TABLE u")
        with pytest.raises(SourceError, match=r"ADD TABLE .* waited .* for a lock"):
            setup.ensure_publication(connection, names, found)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)


# ── partitions


BORN = "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30)"
UPDATED = "UPDATE p SET t = 'b'"


@pytest.mark.parametrize(
    ("statements", "unbroken"),
    [
        ((BORN, "INSERT INTO p VALUES (21, 'a')", UPDATED), True),
        (("BEGIN", BORN, "INSERT INTO p VALUES (21, 'a')", "COMMIT"), True),
        ((BORN, "ALTER TABLE p RENAME id TO number", "ALTER TABLE p3 ALTER number SET STATISTICS 5"), True),
        ((BORN, "ALTER TABLE p3 REPLICA IDENTITY FULL", "GRANT SELECT (id) ON p3 TO PUBLIC"), True),
        (
            (
                "ALTER TABLE p ADD COLUMN n int",
                "ALTER TABLE p DROP COLUMN t",
                "ALTER TABLE p ADD CHECK (id < 99)",
            ),
            True,
        ),
        (
            (BORN, "VACUUM FREEZE p", "ANALYZE p", "VACUUM FREEZE pg_attribute", "VACUUM FULL pg_attribute"),
            True,
        ),
        (
            (
                "CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY RANGE (id)",
                "CREATE TABLE p4 PARTITION OF p3 FOR VALUES FROM (20) TO (25)",
            ),
            True,
        ),
        (("TRUNCATE p1",), False),
        (("BEGIN", "TRUNCATE p1", "INSERT INTO p VALUES (1, 'a')", "COMMIT"), False),
        ((BORN, "INSERT INTO p VALUES (21, 'a')", "TRUNCATE p3"), False),
        (("DROP TABLE p1",), False),
        (("ALTER TABLE p DETACH PARTITION p1",), False),
        (
            (
                "ALTER TABLE p DETACH PARTITION p1",
                "ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10)",
            ),
            False,
        ),
        (
            ("CREATE TABLE p3 (LIKE p)", "ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)"),
            False,
        ),
        (
            (
                "BEGIN",
                "CREATE TABLE p3 (LIKE p)",
                "INSERT INTO p3 VALUES (21, 'a')",
                "ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)",
                "COMMIT",
            ),
            False,
        ),
        (
            (
                "CREATE TABLE p3 (LIKE p) PARTITION BY RANGE (id)",
                "CREATE TABLE p4 PARTITION OF p3 FOR VALUES FROM (20) TO (25)",
                "INSERT INTO p3 VALUES (21, 'a')",
                "ALTER TABLE p ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)",
            ),
            False,
        ),
        (("ALTER TABLE p ALTER t TYPE text USING t || 'x'",), False),
    ],
)
def test_what_is_done_to_a_partition_is_seen_where_its_rows_are_not_told(
    postgres: Database, statements: tuple[str, ...], *, unbroken: bool
) -> None:
    postgres.run(
        "CREATE TABLE p (id serial PRIMARY KEY, t text) PARTITION BY RANGE (id)",
        "CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10)",
        "CREATE TABLE p2 PARTITION OF p FOR VALUES FROM (10) TO (20)",
        "INSERT INTO p VALUES (1, 'a'), (11, 'a')",
    )
    with looking(postgres, "p") as seals:
        before = seals()["p"]
        assert is_unbroken(before, before)
        postgres.run(*statements)
        after = seals()["p"]
        assert is_unbroken(before, after) == unbroken, (before, after)
        assert is_unbroken(after, seals()["p"])
