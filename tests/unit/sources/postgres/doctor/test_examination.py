"""The reading of what `tidings doctor` judges, on real servers, as their owner and as a role with few rights."""

from __future__ import annotations

import pytest

from tests.fixtures.fix_postgres import Database
from tests.unit.sources.postgres.roles import as_role, role
from tidings.errors import SourceError
from tidings.sources.postgres.doctor.examination import examine
from tidings.sources.postgres.doctor.facts import Expected
from tidings.sources.postgres.doctor.judgement import judge
from tidings.sources.postgres.preparation import prepare
from tidings.sources.postgres.setup import Names


def expected(database: Database, *tables: str) -> Expected:
    return Expected(name="shop", names=Names.of(database.name), tables=tables)


def test_a_prepared_source_is_read_as_it_is(postgres: Database) -> None:
    postgres.run("CREATE TABLE tasks (id int PRIMARY KEY, title text)")
    wanted = expected(postgres, "tasks")
    prepare(postgres.url, wanted.names, wanted.tables)
    facts = examine(postgres.url, wanted)
    assert facts.server.version // 10_000 == int(postgres.cluster.major)
    assert (facts.server.wal_level, facts.server.standby, facts.server.keep_mb) == ("logical", False, -1)
    assert 1 <= facts.server.slots[0] <= facts.server.slots[1] == 20
    assert facts.role.replicates
    assert facts.role.sees_all
    assert facts.stream == ""
    assert [(each.name, each.fault, each.selects) for each in facts.tables] == [("tasks", "", True)]
    assert facts.publication is not None
    assert facts.publication.owned
    assert [task.step.sql for task in facts.tasks] == [""]
    assert facts.slot is not None
    assert facts.slot.ours
    assert facts.slot.reader == ""
    assert 0 < facts.slot.confirmed <= facts.server.written
    assert facts.slot.failover is (True if facts.server.version >= 170_000 else None)
    assert {finding.level for finding in judge(facts, wanted)} == {"ok", "warn"}


def test_nothing_is_made_by_looking(postgres: Database) -> None:
    postgres.run("CREATE TABLE tasks (id int PRIMARY KEY)", "CREATE TABLE notes (t text)")
    wanted = expected(postgres, "tasks", "notes", "nots")
    facts = examine(postgres.url, wanted)
    assert (facts.publication, facts.slot) == (None, None)
    assert [bool(each.fault) for each in facts.tables] == [False, True, True]
    assert examine(postgres.url, wanted).slot is None
    assert postgres.rows("SELECT * FROM pg_publication") == []


def test_a_role_with_few_rights_is_told_each_that_is_missing(postgres: Database) -> None:
    postgres.run("CREATE TABLE tasks (id int PRIMARY KEY)")
    wanted = expected(postgres, "tasks")
    with role(postgres) as name:
        facts = examine(as_role(postgres, name), wanted)
    assert (facts.role.name, facts.role.replicates, facts.role.sees_all) == (name, False, False)
    assert [each.selects for each in facts.tables] == [False]
    (task,) = facts.tasks
    assert not task.may
    assert "CREATE PUBLICATION" in task.remedy
    failed = [finding.what for finding in judge(facts, wanted) if finding.level == "fail"]
    assert len(failed) == 2, failed


def test_a_role_may_replicate_and_use_a_publication_of_the_owner(postgres: Database) -> None:
    postgres.run("CREATE TABLE tasks (id int PRIMARY KEY)")
    wanted = expected(postgres, "tasks")
    prepare(postgres.url, wanted.names, wanted.tables)
    with role(postgres, "REPLICATION") as name:
        facts = examine(as_role(postgres, name), wanted)
    assert facts.publication is not None
    assert (facts.publication.owner, facts.publication.owned) == ("postgres", False)
    assert not [finding for finding in judge(facts, wanted) if finding.level == "fail"]


def test_an_open_transaction_and_a_slot_of_others_are_seen(postgres: Database) -> None:
    postgres.run("CREATE TABLE tasks (id int PRIMARY KEY)")
    other = f"other_{postgres.name}"
    postgres.rows(f"SELECT pg_create_logical_replication_slot('{other}', 'test_decoding')")
    with postgres.connect(autocommit=False) as connection:
        connection.execute("INSERT INTO tasks VALUES (1)")
        connection.execute("SELECT pg_sleep(0.05)")
        pid = connection.info.backend_pid
        facts = examine(postgres.url, expected(postgres, "tasks"))
        connection.rollback()
    assert any(each.who.startswith(f"pid {pid}, postgres") and each.seconds > 0 for each in facts.open)
    assert any(str(pid) in each.end for each in facts.open)
    (found,) = [slot for slot in facts.slots if slot.name == other]
    assert (found.reader, found.physical, found.temporary) == ("", False, False)


def test_a_slot_of_another_program_under_our_name(postgres: Database) -> None:
    wanted = expected(postgres)
    postgres.rows(f"SELECT pg_create_logical_replication_slot('{wanted.names.slot}', 'test_decoding')")
    facts = examine(postgres.url, wanted)
    assert facts.slot is not None
    assert not facts.slot.ours


def test_a_publication_with_a_column_list_or_a_row_filter(postgres: Database) -> None:
    wanted = expected(postgres, "tasks", "notes")
    name = wanted.names.publication
    postgres.run(
        "CREATE TABLE tasks (id int PRIMARY KEY, title text)",
        "CREATE TABLE notes (id int PRIMARY KEY)",
        f"CREATE PUBLICATION {name} FOR TABLE tasks (id), notes WHERE (id > 7)",
    )
    facts = examine(postgres.url, wanted)
    assert facts.publication is not None
    assert set(facts.publication.narrowed) == {"tasks", "notes"}


def test_a_server_that_does_not_answer() -> None:
    with pytest.raises(SourceError, match="cannot connect"):
        examine("postgresql://x:secret@127.0.0.1:1/x", Expected(name="x", names=Names.of("x")))
