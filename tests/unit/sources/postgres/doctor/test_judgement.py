"""The judging of a Postgres source, rule by rule: each begins with a source that is well, and breaks one thing."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tidings.sources.findings import Finding
from tidings.sources.postgres.catalog import Table
from tidings.sources.postgres.doctor.facts import (
    Expected,
    Facts,
    Open,
    Publication,
    Role,
    Server,
    SlotFacts,
    TableFacts,
)
from tidings.sources.postgres.doctor.judgement import LONG_SECONDS, UNREAD_BYTES, judge
from tidings.sources.postgres.setup import Names, Step, Task
from tidings.sources.rules import Rule

WRITTEN = 1 << 40

TABLE = Table(
    name="tasks",
    schema="public",
    table="tasks",
    oid=1,
    columns=("id", "project_id"),
    key=("id",),
    old=("id",),
    full=False,
    partitioned=False,
    owned=True,
)
SERVER = Server(
    shown="database shop at db:5432",
    release="18.6",
    version=180_006,
    standby=False,
    written=WRITTEN,
    wal_level="logical",
    slots=(1, 10),
    senders=(1, 10),
    keep_mb=20_480,
    awaited="",
)
SLOT = SlotFacts(
    name="tidings_shop",
    reader="pid 7, tidings",
    confirmed=WRITTEN,
    kept_from=WRITTEN - 56,
    safe=20 << 30,
    failover=True,
)
STANDBY = SlotFacts(name="standby", physical=True, reader="pid 9", kept_from=WRITTEN)
WELL = Facts(
    server=SERVER,
    role=Role(name="tidings", replicates=True, sees_all=True),
    tables=(TableFacts(name="tasks", table=TABLE),),
    publication=Publication(owner="tidings", owned=True),
    tasks=(Task(Step("publication tidings_shop for tasks")),),
    slot=SLOT,
)
EXPECTED = Expected(name="shop", names=Names.of("shop"), tables=("tasks",))
NEEDY = Rule(table="tasks", channel="project-{project_id}", insert="made", delete="gone")


def judged(facts: Facts, expected: Expected = EXPECTED) -> list[Finding]:
    """What is not well."""
    return [finding for finding in judge(facts, expected) if finding.level != "ok"]


def changed(part: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(part, **fields)


def test_a_source_that_is_well_has_nothing_to_fix() -> None:
    found = judge(WELL, EXPECTED)
    assert {finding.level for finding in found} == {"ok"}
    assert {finding.fix for finding in found} == {""}
    assert {finding.about for finding in found} == {"shop"}


@pytest.mark.parametrize(
    ("fields", "level", "what", "fix"),
    [
        ({"version": 130_010, "release": "13.10"}, "fail", "Postgres 13.10", "needs Postgres 14"),
        ({"wal_level": "replica"}, "fail", "wal_level is replica", "SET wal_level = logical"),
        ({"standby": True}, "warn", "a standby", "from the primary"),
        ({"slots": (10, 10)}, "warn", "max_replication_slots: 10 of 10 in use", "= 20"),
        ({"senders": (10, 10)}, "warn", "max_wal_senders: 10 of 10 in use", "= 20"),
        ({"keep_mb": -1}, "warn", "may fill the server's disk", "every client is told reset"),
        ({"idle_timeout": 3600}, "warn", "after 60 min without a reader the slot is lost", "set it to 0"),
    ],
)
def test_the_server(fields: dict[str, Any], level: str, what: str, fix: str) -> None:
    (found,) = judged(changed(WELL, server=changed(SERVER, **fields)))
    assert found.level == level
    assert what in found.what
    assert fix in found.fix


def test_a_slot_or_sender_that_is_needed_and_not_free_fails() -> None:
    full = changed(SERVER, slots=(10, 10), senders=(10, 10))
    levels = [finding.level for finding in judged(changed(WELL, server=full, slot=None))]
    assert levels.count("fail") == 2


def test_a_role_that_may_not_replicate() -> None:
    (found,) = judged(changed(WELL, role=Role(name='a"b', replicates=False, sees_all=True)))
    assert found.level == "fail"
    assert 'ALTER ROLE "a""b" REPLICATION' in found.fix
    assert "rds_replication" in found.fix


def test_a_pooler_in_between() -> None:
    (found,) = judged(changed(WELL, stream="unsupported startup parameter: replication"))
    assert found.level == "fail"
    assert "not through a pooler" in found.fix


def test_a_role_that_sees_only_its_own_transactions_is_told_so() -> None:
    facts = changed(WELL, role=Role(name="tidings", replicates=True, sees_all=False))
    assert judged(facts) == []
    (found,) = [one for one in judge(facts, EXPECTED) if "long transaction" in one.what]
    assert 'GRANT pg_read_all_stats TO "tidings"' in found.what


def test_nothing_to_capture() -> None:
    (found,) = judged(changed(WELL, tables=()))
    assert (found.level, found.what) == ("warn", "nothing to capture")


def test_a_table_that_cannot_be_captured() -> None:
    broken = TableFacts(name="nots", fault="there is no table 'nots' to capture; did you mean 'notes'?")
    (found,) = judged(changed(WELL, tables=(*WELL.tables, broken)))
    assert found == Finding("fail", "shop", "there is no table 'nots' to capture", "did you mean 'notes'?")


def test_a_table_that_cannot_be_read_is_a_matter_of_snapshots() -> None:
    (found,) = judged(changed(WELL, tables=(TableFacts(name="tasks", table=TABLE, selects=False),)))
    assert found.level == "warn"
    assert found.fix == 'GRANT SELECT ON "public"."tasks" TO "tidings"'


@pytest.mark.parametrize(("required", "level"), [(True, "fail"), (False, "warn")])
def test_a_rule_that_needs_an_old_row_that_is_not_told(required: bool, level: str) -> None:
    (found,) = judged(WELL, changed(EXPECTED, rules=((3, NEEDY),), required=required))
    assert found.level == level
    assert found.what.startswith("rules[3].channel: ")
    assert "REPLICA IDENTITY FULL" in found.fix


def test_a_rule_is_content_with_a_table_that_tells_old_rows_whole() -> None:
    table = changed(TABLE, old=TABLE.columns, full=True)
    facts = changed(WELL, tables=(TableFacts(name="tasks", table=table),))
    assert judged(facts, changed(EXPECTED, rules=((1, NEEDY),))) == []


CREATION = Task(
    Step("publication tidings_shop for tasks", "CREATE PUBLICATION x"),
    "publication tidings_shop is not there",
    why="this role does not own tasks",
    may=False,
)


def test_a_publication_that_may_not_be_made_fails_with_the_sql() -> None:
    (found,) = judged(changed(WELL, publication=None, tasks=(CREATION,)))
    assert found.level == "fail"
    assert found.what == "publication tidings_shop is not there, and this role does not own tasks"
    assert found.fix == "whoever may runs CREATE PUBLICATION x;"


def test_a_publication_that_we_may_make_is_a_warning() -> None:
    (found,) = judged(changed(WELL, publication=None, tasks=(changed(CREATION, may=True),)))
    assert found.level == "warn"
    assert "tidings serve" in found.fix


def test_a_publication_that_leaves_something_out() -> None:
    publication = changed(WELL.publication, narrowed=("tasks",))
    (found,) = judged(changed(WELL, publication=publication))
    assert found.level == "warn"
    assert "leaves out rows or columns of tasks" in found.what


def test_anothers_publication_is_well_and_its_owner_is_named() -> None:
    publication = changed(WELL.publication, owner="dba", owned=False)
    facts = changed(WELL, publication=publication)
    assert judged(facts) == []
    assert any("dba's" in finding.what for finding in judge(facts, EXPECTED))


@pytest.mark.parametrize(
    ("fields", "level", "what", "fix"),
    [
        ({"ours": False}, "fail", "another program's", "name the source anew"),
        ({"lost": "wal_removed"}, "fail", "is lost: wal_removed", "tells every client reset"),
        ({"two_phase": True}, "fail", "prepared transactions", "drop the slot"),
        ({"reader": ""}, "warn", "read by nobody", "tidings source remove"),
        ({"confirmed": WRITTEN - (1 << 30)}, "fail", "confirmed up to 1.0 GB", "holds the reader up"),
        ({"kept_from": WRITTEN - (5 << 30)}, "fail", "5.0 GB are kept", "long transaction"),
        ({"wal_status": "extended"}, "warn", "wal_status is extended", "catch up"),
        ({"wal_status": "unreserved", "safe": 0}, "fail", "unreserved, 0 bytes before", "catch up"),
        ({"safe": 1 << 20}, "fail", "1.0 MB before it is lost", "max_slot_wal_keep_size"),
    ],
)
def test_the_slot(fields: dict[str, Any], level: str, what: str, fix: str) -> None:
    (found,) = judged(changed(WELL, slot=changed(SLOT, **fields)))
    assert found.level == level
    assert what in found.what
    assert fix in found.fix


def test_a_slot_that_is_not_there() -> None:
    (found,) = judged(changed(WELL, slot=None))
    assert found.level == "warn"
    assert "clients are told reset" in found.fix


def test_a_long_transaction_is_named_and_a_short_one_is_not() -> None:
    end = "SELECT pg_terminate_backend(7)"
    short = Open(who="pid 7, app", seconds=LONG_SECONDS - 1, end=end)
    assert judged(changed(WELL, open=(short,))) == []
    (found,) = judged(changed(WELL, open=(changed(short, seconds=LONG_SECONDS),)))
    assert found.what == "a transaction is open for 5 min (pid 7, app): the log since then is kept"
    assert end in found.fix


def test_another_slot_that_nobody_reads() -> None:
    other = SlotFacts(name="debezium", kept_from=WRITTEN - UNREAD_BYTES)
    (found,) = judged(changed(WELL, slots=(other,)))
    assert "debezium, is read by nobody and keeps 16 MB" in found.what
    for well in ({"reader": "pid 8"}, {"temporary": True}, {"synced": True}, {"kept_from": WRITTEN}):
        assert judged(changed(WELL, slots=(changed(other, **well),))) == []


@pytest.mark.parametrize(
    ("server", "slot", "what", "fix"),
    [
        ({"version": 150_018}, {"failover": None}, "cannot keep a slot on a standby", "Postgres 17 can"),
        ({}, {"failover": False}, "is no failover slot", "ALTER_REPLICATION_SLOT tidings_shop (FAILOVER)"),
        ({"awaited": ""}, {}, "synchronized_standby_slots is not set", "= 'standby'"),
    ],
)
def test_a_slot_that_would_not_outlive_its_server(
    server: dict[str, Any], slot: dict[str, Any], what: str, fix: str
) -> None:
    facts = changed(WELL, server=changed(SERVER, **server), slot=changed(SLOT, **slot), slots=(STANDBY,))
    (found,) = judged(facts)
    assert found.level == "warn"
    assert what in found.what
    assert fix in found.fix


def test_a_failover_slot_that_its_standby_must_have() -> None:
    facts = changed(WELL, server=changed(SERVER, awaited="standby"), slots=(STANDBY,))
    assert judged(facts) == []
