"""Reads the facts that `tidings doctor` judges. Blocks; changes nothing, and makes no slot.

Works as a role with few rights too: what such a role may not see is left out, and said to be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import psycopg

from tidings.errors import SourceError
from tidings.sources.postgres import setup
from tidings.sources.postgres.catalog import Table, read_tables, usual_name, with_outbox
from tidings.sources.postgres.connections import Connection, connect, first_line, read_with
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
from tidings.sources.postgres.pgoutput.frames import parse_lsn
from tidings.sources.postgres.preparation import MAY_REPLICATE
from tidings.sources.postgres.setup import PLUGIN, Names

LISTED: Final = 5
"""Open transactions that are read, the oldest first: who ends one and asks again sees the next."""

_SETTINGS: Final = """
SELECT name, setting FROM pg_settings WHERE name IN ('wal_level', 'max_replication_slots', 'max_wal_senders',
  'max_slot_wal_keep_size', 'idle_replication_slot_timeout', 'synchronized_standby_slots', 'server_version')
"""
_SERVER: Final = """
SELECT pg_is_in_recovery(),
  pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END, '0/0'),
  (SELECT count(*) FROM pg_replication_slots), (SELECT count(*) FROM pg_stat_replication),
  current_user, pg_has_role('pg_read_all_stats', 'USAGE')
"""
_SLOTS: Final = """
SELECT to_jsonb(s), a.usename, a.application_name, a.client_addr::text
FROM pg_replication_slots s LEFT JOIN pg_stat_activity a ON a.pid = s.active_pid ORDER BY s.slot_name
"""
_PUBLICATION: Final = """
SELECT pg_get_userbyid(pubowner), pg_has_role(pubowner, 'USAGE') FROM pg_publication WHERE pubname = %s
"""
_NARROWED: Final = """
SELECT DISTINCT n.nspname, c.relname FROM pg_publication p JOIN pg_publication_rel r ON r.prpubid = p.oid
JOIN pg_class c ON c.oid = r.prrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE p.pubname = %s AND (to_jsonb(r)->>'prqual' IS NOT NULL OR to_jsonb(r)->>'prattrs' IS NOT NULL)
"""
"""Row filters and column lists came with Postgres 15."""

_OPEN: Final = """
SELECT 'pid ' || pid || ', ' || coalesce(usename, '?') || coalesce(nullif(', ' || application_name, ', '), ''),
  extract(epoch FROM now() - xact_start)::float8, 'SELECT pg_terminate_backend(' || pid || ')'
FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()
UNION ALL SELECT 'prepared as ' || quote_literal(gid) || ', ' || owner,
  extract(epoch FROM now() - prepared)::float8,
  'COMMIT PREPARED ' || quote_literal(gid) || ', or ROLLBACK PREPARED ' || quote_literal(gid)
FROM pg_prepared_xacts ORDER BY 2 DESC NULLS LAST LIMIT %s
"""
_SELECTS: Final = """
SELECT has_schema_privilege(relnamespace, 'USAGE') AND has_table_privilege(oid, 'SELECT') FROM pg_class WHERE oid = %s
"""


def examine(url: str, expected: Expected) -> Facts:
    """Look at a source's database. Raises SourceError when it cannot be reached."""

    def work(connection: Connection) -> Facts:
        role = _role(connection)
        tables = tuple(_tables(connection, expected))
        found = {each.name: each.table for each in tables if each.table is not None}
        slots = [_slot(*row) for row in connection.execute(_SLOTS)]
        return Facts(
            server=_server(connection),
            role=role,
            stream=_stream(url) if role.replicates else "",
            tables=tables,
            publication=_publication(connection, expected.names),
            tasks=tuple(setup.publication_tasks(connection, expected.names, found)),
            slot=next((_owned(connection, slot, raw) for slot, raw in slots if _is(slot, expected)), None),
            slots=tuple(slot for slot, _ in slots if not _is(slot, expected)),
            open=tuple(
                Open(who=who, seconds=seconds or 0.0, end=end)
                for who, seconds, end in connection.execute(_OPEN, [LISTED])
            ),
        )

    facts: Facts = read_with(url, work)
    return facts


def _server(connection: Connection) -> Server:
    settings = dict(connection.execute(_SETTINGS).fetchall())
    standby, written, slots, senders, _, _ = _one(connection, _SERVER)
    return Server(
        shown=_address(connection),
        release=settings["server_version"].split(" ")[0],
        version=connection.info.server_version,
        standby=standby,
        written=int(written),
        wal_level=settings["wal_level"],
        slots=(slots, int(settings["max_replication_slots"])),
        senders=(senders, int(settings["max_wal_senders"])),
        keep_mb=int(settings["max_slot_wal_keep_size"]),
        idle_timeout=int(settings.get("idle_replication_slot_timeout", 0)),
        awaited=settings.get("synchronized_standby_slots"),
    )


def _address(connection: Connection) -> str:
    info = connection.info
    host = f"{info.host}:{info.port}" if info.host and not info.host.startswith("/") else "the local socket"
    return f"database {info.dbname} at {host}"


def _role(connection: Connection) -> Role:
    *_, name, sees_all = _one(connection, _SERVER)
    return Role(name=name, replicates=bool(_one(connection, MAY_REPLICATE)[0]), sees_all=sees_all)


def _stream(url: str) -> str:
    """Why no replication connection can be made: pg_hba.conf, a pooler in between, no walsender that is free."""
    try:
        with connect(url, replication="database") as connection:
            connection.execute("IDENTIFY_SYSTEM")
    except SourceError as error:
        return str(error)
    except psycopg.Error as error:
        return first_line(error)
    return ""


def _tables(connection: Connection, expected: Expected) -> Iterator[TableFacts]:
    for name in with_outbox(connection, expected.tables):
        try:
            table: Table = read_tables(connection, [name])[name]
        except SourceError as error:
            yield TableFacts(name=usual_name(name), fault=str(error))
            continue
        yield TableFacts(name=name, table=table, selects=_one(connection, _SELECTS, table.oid)[0])


def _publication(connection: Connection, names: Names) -> Publication | None:
    row = connection.execute(_PUBLICATION, [names.publication]).fetchone()
    if row is None:
        return None
    narrowed = connection.execute(_NARROWED, [names.publication]).fetchall()
    return Publication(
        owner=row[0],
        owned=row[1],
        narrowed=tuple(usual_name(f"{schema}.{table}") for schema, table in narrowed),
    )


def _slot(raw: Mapping[str, Any], *who: str | None) -> tuple[SlotFacts, Mapping[str, Any]]:
    pid = raw["active_pid"]
    status = raw["wal_status"] or ""
    return SlotFacts(
        name=raw["slot_name"],
        physical=raw["slot_type"] == "physical",
        reader=", ".join([f"pid {pid}", *filter(None, who)]) if pid else "",
        wal_status=status,
        lost=raw.get("invalidation_reason") or ("its WAL was removed" if status == "lost" else ""),
        confirmed=parse_lsn(raw["confirmed_flush_lsn"]) if raw["confirmed_flush_lsn"] else 0,
        kept_from=parse_lsn(raw["restart_lsn"]) if raw["restart_lsn"] else None,
        safe=raw["safe_wal_size"],
        temporary=raw["temporary"],
        synced=bool(raw.get("synced")),
        two_phase=bool(raw.get("two_phase")),
        failover=raw.get("failover"),
    ), raw


def _is(slot: SlotFacts, expected: Expected) -> bool:
    return slot.name == expected.names.slot


def _owned(connection: Connection, slot: SlotFacts, raw: Mapping[str, Any]) -> SlotFacts:
    """The slot under our name: it may be another program's, or another database's."""
    ours = raw["plugin"] == PLUGIN and raw["database"] == connection.info.dbname
    return msgspec.structs.replace(slot, ours=ours)


def _one(connection: Connection, sql: str, *parameters: Any) -> tuple[Any, ...]:
    row = connection.execute(sql, parameters or None).fetchone()
    assert row is not None, "the query returns a row"
    found: tuple[Any, ...] = row
    return found
