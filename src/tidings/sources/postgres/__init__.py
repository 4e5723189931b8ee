"""Capture of a Postgres database by logical replication. Needs psycopg: the extra `tidings[postgres]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.sources.base import TableInfo
from tidings.sources.postgres.catalog import Connection, Table, check_server, read_tables
from tidings.sources.postgres.desk import read_with, with_outbox
from tidings.sources.postgres.health import Bounds
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.source import PostgresSource

__all__ = ["Bounds", "Names", "PostgresSource", "info_of", "read_infos"]


def read_infos(url: str, tables: Sequence[str]) -> Mapping[str, TableInfo]:
    """Each table, and the outbox where there is one, as rules see it. Changes nothing. Raises SourceError."""

    def read(connection: Connection) -> dict[str, TableInfo]:
        check_server(connection)
        found = read_tables(connection, with_outbox(connection, tables))
        return {name: info_of(table) for name, table in found.items()}

    infos: dict[str, TableInfo] = read_with(url, read)
    return infos


def info_of(table: Table) -> TableInfo:
    """A table as rules see it."""
    fix = f"run ALTER TABLE {table.quoted} REPLICA IDENTITY FULL"
    if table.partitioned:
        fix += " and the same for each of its partitions"
    return TableInfo(columns=table.columns, key=table.key, old=table.old, fix=fix)
