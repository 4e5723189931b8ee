"""What is well, doubtful or broken in a Postgres source, and what to do about it. Pure: judges facts, reads none.

One rule for each thing that can be wrong, in the order in which they must be put right. What keeps changes from being
told fails; what will, if nobody minds it, is a warning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tidings.sources.findings import Finding, Level, lasting, sized
from tidings.sources.postgres.catalog import OLDEST, quote
from tidings.sources.postgres.doctor.facts import Expected, Facts, SlotFacts, TableFacts
from tidings.sources.rules import faults_of_old_rows

LONG_SECONDS: Final = 300
"""A transaction that has written and is open for longer is told: until it ends, the server keeps all its log since."""

FAILOVER: Final = 170_000
"""The first version whose standbys can keep a slot."""

UNREAD_BYTES: Final = 16 << 20
"""One segment of the log: a slot that nobody reads and that keeps less costs nothing yet."""


def judge(facts: Facts, expected: Expected) -> list[Finding]:
    """Every finding, in the order in which to put things right."""
    rules = (_server, _role, _tables, _publication, _slot, _log, _transactions, _others, _failover)
    return [
        Finding(level, expected.name, what, fix)
        for rule in rules
        for level, what, fix in rule(facts, expected)
    ]


Told = Iterator[tuple[Level, str, str]]


def _server(facts: Facts, expected: Expected) -> Told:
    server = facts.server
    major = server.version // 10_000
    old = major < OLDEST
    told = f"Postgres {server.release}, {server.shown}"
    yield ("fail", told, f"capture needs Postgres {OLDEST} or later") if old else ("ok", told, "")
    if server.wal_level != "logical":
        how = "ALTER SYSTEM SET wal_level = logical, then restart (managed services have a switch for it)"
        yield "fail", f"wal_level is {server.wal_level}", how
    else:
        yield "ok", "wal_level is logical", ""
    if server.standby:
        yield "warn", "this is a standby: publications are made on its primary", "capture from the primary"
    yield from _room("max_replication_slots", *server.slots, needed=facts.slot is None)
    reading = facts.slot is not None and bool(facts.slot.reader)
    yield from _room("max_wal_senders", *server.senders, needed=not reading)


def _room(setting: str, used: int, most: int, *, needed: bool) -> Told:
    what = f"{setting}: {used} of {most} in use"
    if used < most:
        yield "ok", what, ""
        return
    yield (
        "fail" if needed else "warn",
        f"{what}{', and we need one' if needed else ''}",
        f"drop a replication slot that nobody needs, or ALTER SYSTEM SET {setting} = {most + 10}, then restart",
    )


def _role(facts: Facts, expected: Expected) -> Told:
    role = facts.role
    if not role.replicates:
        how = f"ALTER ROLE {quote(role.name)} REPLICATION (Amazon RDS: GRANT rds_replication TO it)"
        yield "fail", f"role {role.name} may not read the database's log", how
    elif facts.stream:
        how = "connect to the server itself, not through a pooler; let the role in by pg_hba.conf"
        yield "fail", f"no replication connection: {facts.stream}", how
    else:
        yield "ok", f"role {role.name} may read the database's log", ""


# ── tables


def _tables(facts: Facts, expected: Expected) -> Told:
    if not facts.tables:
        yield "warn", "nothing to capture", "add [[rules]], name the source's tables, or make the outbox"
    for each in facts.tables:
        if each.fault:
            yield "fail", *_split(each.fault)
            continue
        yield from _old_rows(each, expected)
        if not each.selects and each.table is not None:
            how = f"GRANT SELECT ON {each.table.quoted} TO {quote(facts.role.name)}"
            yield "warn", f"{each.name}: its rows may not be read, which snapshots need and nothing else", how


def _old_rows(each: TableFacts, expected: Expected) -> Told:
    table = each.table
    assert table is not None, "it can be captured"
    told = "whole" if table.full else f"by {', '.join(table.old)}"
    yield "ok", f"{each.name}: old rows are told {told}", ""
    level: Level = "fail" if expected.required else "warn"
    for number, rule in expected.rules:
        if rule.table == each.name:
            for fault in faults_of_old_rows(rule, table.info):
                yield level, *_split(f"rules[{number}]{fault}")


def _split(fault: str) -> tuple[str, str]:
    """What is wrong, and what to do, of an error that tells both."""
    what, _, fix = fault.partition("; ")
    return what, fix


# ── publication


def _publication(facts: Facts, expected: Expected) -> Told:
    publication, name = facts.publication, expected.names.publication
    todo = [task for task in facts.tasks if task.step.sql and facts.tables]
    for task in todo:
        if task.may:
            yield "warn", task.lack, f"`tidings serve` does it at its start, or run {task.step.sql};"
        else:
            why = (
                f"{task.lack}, and {task.why}"
                if task.why
                else f"{task.lack}, and this role may not change it"
            )
            yield "fail", why, f"whoever may runs {task.remedy or task.step.sql};"
    if publication is None:
        return
    if not todo:
        owner = "" if publication.owned else f"; it is {publication.owner}'s, who must add further tables"
        yield "ok", f"publication {name} holds every table and every kind of change{owner}", ""
    for table in publication.narrowed:
        what = f"publication {name} leaves out rows or columns of {table}: they are not told"
        yield "warn", what, f"ALTER PUBLICATION {quote(name)} SET TABLE … without WHERE and columns"


# ── slot


def _slot(facts: Facts, expected: Expected) -> Told:
    slot, name = facts.slot, expected.names.slot
    if slot is None:
        what = f"replication slot {name} is not there: what is committed now is not told"
        yield (
            "warn",
            what,
            "`tidings serve` makes it at its start; where it was before, clients are told reset",
        )
        return
    if not slot.ours:
        yield (
            "fail",
            f"replication slot {name} is another program's, or another database's",
            "name the source anew",
        )
        return
    if slot.lost:
        how = (
            "the server makes a new one by itself, and tells every client reset; raise max_slot_wal_keep_size"
        )
        yield "fail", f"replication slot {name} is lost: {slot.lost}", how
        return
    if slot.two_phase:
        how = "end the server, drop the slot, and let the server make it"
        yield "fail", f"replication slot {name} tells prepared transactions apart, which we do not read", how
    if slot.reader:
        yield "ok", f"replication slot {name} is read by {slot.reader}", ""
    else:
        how = "start `tidings serve`, or let go of it: tidings source remove"
        yield "warn", f"replication slot {name} is read by nobody, and the server keeps its log for it", how
    yield from _reach(slot, facts, expected)


def _reach(slot: SlotFacts, facts: Facts, expected: Expected) -> Told:
    behind = max(0, facts.server.written - slot.confirmed)
    kept = _kept(slot, facts)
    what = f"confirmed up to {sized(behind)} before the end of the log; {sized(kept)} are kept for it"
    if behind > expected.behind:
        yield (
            "fail",
            f"{what} (max_behind_bytes {sized(expected.behind)})",
            "see what holds the reader up: its log",
        )
    elif kept > expected.retained:
        how = "end a long transaction, if there is one; else see the reader's log"
        yield "fail", f"{what} (max_retained_bytes {sized(expected.retained)})", how
    else:
        yield "ok", what, ""
    safe = "" if slot.safe is None else f", {sized(max(0, slot.safe))} before it is lost"
    how = "let the reader catch up now, or raise max_slot_wal_keep_size"
    if slot.wal_status == "unreserved" or (slot.safe is not None and slot.safe < expected.safe):
        yield "fail", f"wal_status is {slot.wal_status}{safe}", how
    elif slot.wal_status == "extended":
        yield "warn", f"wal_status is extended: more is kept than max_wal_size{safe}", how
    else:
        yield "ok", f"wal_status is {slot.wal_status}{safe}", ""


def _kept(slot: SlotFacts, facts: Facts) -> int:
    return 0 if slot.kept_from is None else max(0, facts.server.written - slot.kept_from)


def _log(facts: Facts, expected: Expected) -> Told:
    server = facts.server
    if server.keep_mb < 0:
        what = (
            "max_slot_wal_keep_size is not set: while the reader is away, the log may fill the server's disk"
        )
        how = (
            "ALTER SYSTEM SET max_slot_wal_keep_size = '20GB'; SELECT pg_reload_conf(); less than the disk has free."
            " At the bound the slot is lost and every client is told reset"
        )
        yield "warn", what, how
    else:
        bound = sized(server.keep_mb << 20)
        yield (
            "ok",
            f"max_slot_wal_keep_size is {bound}: beyond it the slot is lost and clients are told reset",
            "",
        )
    if server.idle_timeout:
        after = lasting(server.idle_timeout)
        what = f"idle_replication_slot_timeout: after {after} without a reader the slot is lost, clients are told reset"
        yield "warn", what, "let no stop of the reader last so long, or set it to 0"


def _transactions(facts: Facts, expected: Expected) -> Told:
    long = [each for each in facts.open if each.seconds >= LONG_SECONDS]
    for each in long:
        what = f"a transaction is open for {lasting(each.seconds)} ({each.who}): the log since then is kept"
        yield "warn", what, f"end it: {each.end};"
    if not long:
        name = quote(facts.role.name)
        unseen = f" of our own; GRANT pg_read_all_stats TO {name} shows those of others"
        yield "ok", f"no long transaction{'' if facts.role.sees_all else unseen}", ""


def _others(facts: Facts, expected: Expected) -> Told:
    for slot in facts.slots:
        if slot.reader or slot.temporary or slot.synced or slot.lost:
            continue
        kept = _kept(slot, facts)
        if kept >= UNREAD_BYTES:
            what = f"another slot, {slot.name}, is read by nobody and keeps {sized(kept)} of the log"
            yield "warn", what, f"if nobody needs it: SELECT pg_drop_replication_slot('{slot.name}');"


def _failover(facts: Facts, expected: Expected) -> Told:
    """Whether the slot outlives its server. Only standbys with a slot of their own can be seen."""
    slot, server = facts.slot, facts.server
    standbys = [each.name for each in facts.slots if each.physical and not each.lost]
    if slot is None or not slot.ours or not standbys:
        return
    after = "after a failover clients are told reset"
    if server.version < FAILOVER:
        yield "warn", f"Postgres {server.release} cannot keep a slot on a standby: {after}", "Postgres 17 can"
    elif not slot.failover:
        command = f"ALTER_REPLICATION_SLOT {slot.name} (FAILOVER)"
        how = f"with the reader stopped, on a connection with replication=database: {command};"
        yield "warn", f"replication slot {slot.name} is no failover slot: {after}", how
    elif not server.awaited:
        what = "synchronized_standby_slots is not set: a standby may lack what was told, and then"
        how = f"ALTER SYSTEM SET synchronized_standby_slots = '{standbys[0]}'; SELECT pg_reload_conf();"
        yield "warn", f"{what} {after}", how
    else:
        yield "ok", f"failover slot; {server.awaited} must have what we are told", ""
