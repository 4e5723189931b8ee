"""Rows of captured tables at one instant of the database's log, by a snapshot that a slot exports. Changes nothing.

An ordinary transaction will not do: it may see a commit and not one that stands before it in the log. The snapshot that
is exported when a slot is made holds exactly the commits before the slot's position.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import psycopg
from psycopg import errors, sql

from tidings.errors import SourceError
from tidings.sources.base import Wanted
from tidings.sources.postgres.catalog import Table
from tidings.sources.postgres.connections import StreamingConnection, connect_streaming, first_line, shown
from tidings.sources.postgres.pgoutput.frames import parse_lsn
from tidings.sources.postgres.stream import PROCESS

SNAPSHOT_SECONDS: Final = 10.0
"""How long it may take: the server waits for transactions that began before the slot."""

_TYPE: Final = """
SELECT format_type(coalesce(nullif(t.typbasetype, 0), t.oid), NULL)
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid WHERE a.attrelid = %s AND a.attname = %s
"""


COLUMN_LISTS: Final = 150_000
"""The first version whose publications may leave out columns and rows."""

_PUBLISHED: Final = """
SELECT attnames::text[], rowfilter FROM pg_publication_tables
WHERE pubname = %s AND schemaname = %s AND tablename = %s
"""


class Found(msgspec.Struct, frozen=True):
    """position: the rows are those after all commits before it."""

    position: int
    rows: tuple[tuple[bytes, ...], ...]


async def read_snapshot(
    url: str,
    publication: str,
    tables: Mapping[str, Table],
    wanted: Sequence[Wanted],
    most: int,
    *,
    process: str = "",
) -> Found:
    """Read rows as JSON, at most `most` + 1 for each of the wanted. Raises SourceError.

    process: the run of the server (`Process.begun`) whose log is read; positions of another mean nothing there.
    """
    try:
        async with asyncio.timeout(SNAPSHOT_SECONDS):
            return await _read(url, publication, tables, wanted, most, process)
    except TimeoutError:
        raise SourceError(
            f"no snapshot within {SNAPSHOT_SECONDS:.0f} s: a transaction that began before is still open; try again"
        ) from None
    except errors.InsufficientPrivilege as error:
        names = ", ".join(table.quoted for table in tables.values())
        raise SourceError(
            f"{first_line(error)}; the owner runs: GRANT SELECT ON {names} TO the role of {shown(url)}"
        ) from error
    except psycopg.Error as error:
        raise SourceError(f"{shown(url)} gives no snapshot: {first_line(error)}") from error


async def _read(
    url: str,
    publication: str,
    tables: Mapping[str, Table],
    wanted: Sequence[Wanted],
    most: int,
    process: str,
) -> Found:
    async with (
        await connect_streaming(url, replication="database") as slots,
        await connect_streaming(url) as reader,
    ):
        for connection in (slots, reader):
            cursor = await connection.execute(PROCESS)
            begun = await cursor.fetchone()
            if begun is None or process not in ("", begun[0]):
                raise SourceError(
                    "the address leads to another server than the one whose log is read; try again"
                )
        slot = f"tidings_snapshot_{secrets.token_hex(6)}"
        cursor = await slots.execute(
            sql.SQL("CREATE_REPLICATION_SLOT {} TEMPORARY LOGICAL pgoutput (SNAPSHOT 'export')").format(
                sql.Identifier(slot)
            )
        )
        row = await cursor.fetchone()
        assert row is not None, "the command returns a row"
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        await reader.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(row[2])))
        rows = [await _rows(reader, publication, tables[each.table], each, most) for each in wanted]
        await reader.execute("COMMIT")
        return Found(parse_lsn(row[1]), tuple(rows))  # the slot goes with its connection


async def _rows(
    reader: StreamingConnection, publication: str, table: Table, wanted: Wanted, most: int
) -> tuple[bytes, ...]:
    columns, condition = await _published(reader, publication, table)
    conditions = [sql.SQL("({})").format(sql.SQL(condition))] if condition else []
    for column, value in wanted.equal.items():
        cursor = await reader.execute(_TYPE, [table.oid, column])
        row = await cursor.fetchone()
        if row is None or not await _is_value(reader, value, row[0]):
            return ()
        conditions.append(
            sql.SQL("{} = CAST({} AS {})").format(sql.Identifier(column), sql.Literal(value), sql.SQL(row[0]))
        )
    # Only the columns that changes tell, too: generated ones are not among them.
    query = sql.SQL("SELECT to_jsonb(r)::text FROM (SELECT {} FROM {}{}{} LIMIT {}) r").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(table.schema, table.table),
        sql.SQL(" WHERE {}").format(sql.SQL(" AND ").join(conditions)) if conditions else sql.SQL(""),
        sql.SQL(" ORDER BY {}").format(sql.SQL(", ").join(map(sql.Identifier, table.key)))
        if table.key
        else sql.SQL(""),
        sql.Literal(most + 1),
    )
    cursor = await reader.execute(query)
    return tuple([found[0].encode() for found in await cursor.fetchall()])


async def _is_value(reader: StreamingConnection, text: str, type_name: str) -> bool:
    """Whether a text is a value of a type. If it is none, no row can have it."""
    await reader.execute("SAVEPOINT s")
    try:
        await reader.execute(sql.SQL("SELECT CAST({} AS {})").format(sql.Literal(text), sql.SQL(type_name)))
    except errors.DataError:
        await reader.execute("ROLLBACK TO s")
        return False
    return True


async def _published(
    reader: StreamingConnection, publication: str, table: Table
) -> tuple[list[str], str | None]:
    """What of a table the publication tells: columns, and a condition of rows. Messages hold no more than that."""
    if reader.info.server_version < COLUMN_LISTS:
        return list(table.columns), None
    cursor = await reader.execute(_PUBLISHED, [publication, table.schema, table.table])
    row = await cursor.fetchone()
    if row is None:
        raise SourceError(f"table {table.name} is not published, so it is not followed")
    told = set(row[0])
    return [column for column in table.columns if column in told], row[1]
