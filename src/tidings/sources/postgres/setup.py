"""Publication and slot: what must be in the database for capture, made with the least rights, and taken out again.

Blocks. Each thing that was done is told with its SQL; where a right is missing, the error holds the SQL that whoever
has it must run. It never touches a row, and of the tables it only asks that they be published.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec
import psycopg
from psycopg import errors

from tidings.changes import table_name
from tidings.errors import SourceError
from tidings.sources.postgres.catalog import Table, quote
from tidings.sources.postgres.connections import Connection, first_line
from tidings.sources.postgres.continuity import Slot
from tidings.sources.postgres.pgoutput.frames import parse_lsn
from tidings.sources.postgres.published import read_published

PREFIX: Final = "tidings_"
"""Begins the names of our slots and publications."""

PLUGIN: Final = "pgoutput"

SLOT_SECONDS: Final = 30
"""How long making a slot may wait for transactions that began before it; then whoever holds it up is named."""

LOCK_SECONDS: Final = 5
"""How long a change of a publication or table may wait for a lock: who waits for one holds up all that come later."""

OPTIONS: Final = "publish = 'insert, update, delete, truncate', publish_via_partition_root = true"
"""Of our publication: every kind of change, and partitions under the name of their table."""

_SLOT: Final = """
SELECT plugin, database, slot_type, confirmed_flush_lsn::text, coalesce(wal_status, ''), to_jsonb(s)
FROM pg_replication_slots s WHERE slot_name = %s
"""
_PUBLICATION: Final = """
SELECT puballtables, pubinsert AND pubupdate AND pubdelete AND pubtruncate, pubviaroot, pg_has_role(pubowner, 'USAGE')
FROM pg_publication WHERE pubname = %s
"""
_MEMBERS: Final = """
SELECT c.oid::int8, n.nspname, c.relname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s ORDER BY n.nspname, c.relname
"""
_OLDEST: Final = """
SELECT pid, usename, coalesce(application_name, '') FROM pg_stat_activity
WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start LIMIT 1
"""


class Step(msgspec.Struct, frozen=True):
    """One thing that was done to the database. sql: how; empty when it was there already."""

    text: str
    sql: str = ""


class Task(msgspec.Struct, frozen=True):
    """A step that is to be done, if it has SQL; else it was done already. lack: what is missing until then.

    may: whether this role looks as if it may; the database decides. why: what it may be refused for. remedy: the SQL
    that whoever may must run then; empty for that of the step.
    """

    step: Step
    lack: str = ""
    why: str = ""
    remedy: str = ""
    may: bool = True


class MissingRight(SourceError):
    """Something that this role may not do. sql: what whoever may must run."""

    def __init__(self, why: str, sql: str, text: str = "") -> None:
        self.why = why
        self.sql = sql
        super().__init__(text or f"{why}; the owner, or a superuser, runs: {sql};")


class Names(msgspec.Struct, frozen=True):
    """What slot and publication of a source are called."""

    slot: str
    publication: str

    @classmethod
    def of(cls, source: str) -> Names:
        """The names for a source: Postgres allows a slot lower case letters, digits and `_`, 63 in all."""
        name = (PREFIX + re.sub(r"[^a-z0-9_]", "_", source.lower()))[:63]
        return cls(name, name)


# ── the publication


def ensure_publication(connection: Connection, names: Names, tables: Mapping[str, Table]) -> list[Step]:
    """Have the publication hold the tables, no others being taken out. Raises MissingRight, SourceError."""
    return [run(connection, task) for task in publication_tasks(connection, names, tables)]


def publication_tasks(connection: Connection, names: Names, tables: Mapping[str, Table]) -> list[Task]:
    """What is to be done so that the publication holds the tables. Does none of it."""
    row = connection.execute(_PUBLICATION, [names.publication]).fetchone()
    if row is None:
        return [_creation(connection, names, tables)]
    everything, all_kinds, via_root, owned = row
    tasks = []
    if not all_kinds or (not via_root and any(table.partitioned for table in tables.values())):
        lack = f"publication {names.publication} leaves out some kinds of change"
        sql = f"ALTER PUBLICATION {quote(names.publication)} SET ({OPTIONS})"
        step = Step(f"publication {names.publication}: every kind of change", sql)
        tasks.append(Task(step, lack, may=owned))
    if everything:
        return tasks or [Task(Step(f"publication {names.publication} for all tables"))]
    return [*tasks, _addition(connection, names, tables, owned=owned)]


def unpublished(connection: Connection, names: Names, tables: Mapping[str, Table]) -> list[str]:
    """The tables that the publication does not hold (any more)."""
    there = read_published(connection, names.publication, tables)
    return [name for name in tables if name not in there]


def members(connection: Connection, names: Names) -> list[str]:
    """The tables that the publication lists one by one, as rules name them."""
    return [table_name(schema, name) for _, schema, name in connection.execute(_MEMBERS, [names.publication])]


def _creation(connection: Connection, names: Names, tables: Mapping[str, Table]) -> Task:
    """Whoever owns the tables makes it; to let us do it, if that is us, the database must allow it."""
    listed = ", ".join(table.quoted for table in tables.values())
    sql = f"CREATE PUBLICATION {quote(names.publication)}{' FOR TABLE ' + listed if listed else ''} WITH ({OPTIONS})"
    strangers = [table.quoted for table in tables.values() if not table.owned]
    user, database = connection.info.user, connection.info.dbname
    grant = f"GRANT CREATE ON DATABASE {quote(database)} TO {quote(user)}"
    return Task(
        Step(f"publication {names.publication} for {', '.join(tables) or 'no table'}", sql),
        f"publication {names.publication} is not there",
        why=f"this role does not own {', '.join(strangers)}"
        if strangers
        else "this role may not create publications",
        remedy=sql if strangers else grant,
        may=not strangers and _may_create(connection),
    )


def _addition(connection: Connection, names: Names, tables: Mapping[str, Table], *, owned: bool) -> Task:
    there = {oid for oid, _, _ in connection.execute(_MEMBERS, [names.publication])}
    missing = [name for name in unpublished(connection, names, tables) if tables[name].oid not in there]
    if not missing:
        return Task(Step(f"publication {names.publication} for {', '.join(tables) or 'no table'}"))
    listed = ", ".join(tables[name].quoted for name in missing)
    sql = f"ALTER PUBLICATION {quote(names.publication)} ADD TABLE {listed}"
    return Task(
        Step(f"publication {names.publication}: {', '.join(missing)} added", sql),
        f"publication {names.publication} lacks {', '.join(missing)}",
        may=owned and all(tables[name].owned for name in missing),
    )


def _may_create(connection: Connection) -> bool:
    row = connection.execute("SELECT has_database_privilege(current_database(), 'CREATE')").fetchone()
    return row is not None and bool(row[0])


# ── the slot


def read_slot(connection: Connection, names: Names) -> Slot | None:
    """The slot as it is; None when there is none. Raises SourceError when the name is somebody else's."""
    row = connection.execute(_SLOT, [names.slot]).fetchone()
    if row is None:
        return None
    plugin, database, kind, confirmed, wal_status, whole = row
    if plugin != PLUGIN or kind != "logical" or database != connection.info.dbname:
        raise SourceError(
            f"replication slot {names.slot} is another program's ({kind}, {plugin or 'no plug-in'}, database"
            f" {database or '-'}); give this source another name"
        )
    lost = whole.get("invalidation_reason") or ("its WAL was removed" if wal_status == "lost" else "")
    return Slot(confirmed=parse_lsn(confirmed) if confirmed else 0, lost=str(lost))


def create_slot(connection: Connection, names: Names) -> tuple[Slot, Step]:
    """Make the slot; from here on the server keeps its log for us. Raises SourceError with what to do.

    On Postgres 17 and later it is a failover slot: servers that copy such slots to their standbys keep it.
    """
    failover = connection.info.server_version >= 170_000
    arguments = "%s, %s, false, false, true" if failover else "%s, %s"
    try:
        connection.execute(f"SET statement_timeout = {SLOT_SECONDS * 1000}")
        row = connection.execute(
            f"SELECT lsn::text FROM pg_create_logical_replication_slot({arguments})",
            [names.slot, PLUGIN],
        ).fetchone()
    except errors.InsufficientPrivilege as error:
        raise not_replicating(connection.info.user) from error
    except errors.ConfigurationLimitExceeded as error:
        raise SourceError(
            "all replication slots are in use: drop one that nobody reads, or raise max_replication_slots and restart"
        ) from error
    except errors.QueryCanceled as error:
        raise SourceError(_held_up(connection)) from error
    finally:
        connection.execute("RESET statement_timeout")
    assert row is not None, "the function returns a row"
    given = f"'{names.slot}', '{PLUGIN}'{', failover => true' if failover else ''}"
    call = f"SELECT pg_create_logical_replication_slot({given})"
    return Slot(confirmed=parse_lsn(row[0])), Step(f"replication slot {names.slot}", call)


def drop_slot(connection: Connection, names: Names) -> Step:
    """Take the slot away; the server may then forget its log. Raises SourceError while somebody reads it."""
    try:
        connection.execute("SELECT pg_drop_replication_slot(%s)", [names.slot])
    except errors.ObjectInUse as error:
        raise SourceError(f"replication slot {names.slot} is being read; end that server first") from error
    except errors.UndefinedObject:
        return Step(f"replication slot {names.slot} was not there")
    return Step(f"replication slot {names.slot} dropped", f"SELECT pg_drop_replication_slot('{names.slot}')")


def _held_up(connection: Connection) -> str:
    row = connection.execute(_OLDEST).fetchone()
    who = f" (pid {row[0]}, {row[1]}, {row[2] or 'no name'})" if row else ""
    return f"making the slot waited {SLOT_SECONDS} s for a transaction that is still open{who}; end it, then try again"


def drop_publication(connection: Connection, names: Names) -> Step:
    """Take the publication away. Raises MissingRight."""
    if connection.execute(_PUBLICATION, [names.publication]).fetchone() is None:
        return Step(f"publication {names.publication} was not there")
    step = Step(f"publication {names.publication} dropped", f"DROP PUBLICATION {quote(names.publication)}")
    return run(connection, Task(step, why=f"this role does not own publication {names.publication}"))


def run(connection: Connection, task: Task) -> Step:
    """Do what a task says, if anything. Raises MissingRight, SourceError for a table that stays locked."""
    if not task.step.sql:
        return task.step
    try:
        connection.execute(f"SET statement_timeout = 0; SET lock_timeout = {LOCK_SECONDS * 1000:.0f}")
        connection.execute(task.step.sql)
    except errors.InsufficientPrivilege as error:
        raise MissingRight(task.why or task.lack, task.remedy or task.step.sql) from error
    except errors.LockNotAvailable as error:
        text = (
            f"{task.step.sql} waited {LOCK_SECONDS} s for a lock; end who holds it (pg_locks), then try again"
        )
        raise SourceError(text) from error
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        raise SourceError(f"{task.step.sql}: {first_line(error)}") from error
    finally:
        if not connection.closed:
            connection.execute("RESET statement_timeout; RESET lock_timeout")
    return task.step


def not_replicating(user: str) -> MissingRight:
    """The error for a role that may not read the database's log."""
    why, sql = "this role may not make a replication slot", f"ALTER ROLE {quote(user)} REPLICATION"
    text = f"{why}; whoever may runs: {sql}; (Amazon RDS: GRANT rds_replication TO it)"
    return MissingRight(why, sql, text)
