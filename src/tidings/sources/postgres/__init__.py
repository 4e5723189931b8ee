"""Capture of a Postgres database by logical replication. Needs psycopg: the extra `tidings[postgres]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidings.sources.base import TableInfo
from tidings.sources.postgres.catalog import check_server, read_tables, with_outbox
from tidings.sources.postgres.connections import Connection, read_with
from tidings.sources.postgres.health import Bounds
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.source import PostgresSource

__all__ = ["Bounds", "Names", "PostgresSource", "read_infos"]


def read_infos(url: str, tables: Sequence[str]) -> Mapping[str, TableInfo]:
    """Each table, and the outbox where there is one, as rules see it. Changes nothing. Raises SourceError."""

    def read(connection: Connection) -> dict[str, TableInfo]:
        check_server(connection)
        found = read_tables(connection, with_outbox(connection, tables))
        return {name: table.info for name, table in found.items()}

    infos: dict[str, TableInfo] = read_with(url, read)
    return infos
