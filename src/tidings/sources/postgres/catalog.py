"""What the captured tables look like, from the server's catalogue. Blocks; changes nothing.

Refuses with a clear word what cannot be captured: views, foreign, temporary and unlogged tables, and tables whose own
application would break if they were published.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tidings.changes import table_name
from tidings.errors import SourceError
from tidings.nearest import nearest
from tidings.outbox.table import TABLE as OUTBOX
from tidings.sources.base import TableInfo
from tidings.sources.postgres.connections import Connection

OLDEST: Final = 14
"""Major version of Postgres: the first whose pgoutput tells logical messages and streams large transactions."""

KINDS: Final = {
    "v": "a view",
    "m": "a materialised view",
    "f": "a foreign table",
    "S": "a sequence",
    "c": "a composite type",
    "i": "an index",
}

# Of a table and its partitions at every depth; those that inherit from an ordinary table are tables of their own. Not
# pg_partition_tree: it locks each partition, waits for those who hold one, and can end an application's transaction.
_TREE: Final = """
WITH RECURSIVE tree (oid) AS (SELECT {root} UNION ALL SELECT i.inhrelid FROM tree t
  JOIN pg_inherits i ON i.inhparent = t.oid JOIN pg_class u ON u.oid = t.oid AND u.relkind = 'p')
"""

# The root counts too: partitions write the old row as their own identity says, and it is told as that of the root.
_TABLE: Final = f"""
SELECT n.nspname, c.relname, c.oid::int8, c.relkind::text, c.relpersistence::text,
  coalesce((SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''), '{{}}'),
  coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i,
    unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place), pg_attribute a
    WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.number), '{{}}'),
  ({_TREE.format(root="c.oid")}
    SELECT min(CASE l.relreplident WHEN 'n' THEN 0 WHEN 'd' THEN 1 WHEN 'i' THEN 2 ELSE 3 END)
    FROM pg_class l JOIN tree t ON t.oid = l.oid WHERE l.oid = c.oid OR l.relkind <> 'p'),
  coalesce((SELECT array_agg(a.attname::text ORDER BY k.place) FROM pg_index i,
    unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place), pg_attribute a
    WHERE i.indrelid = c.oid AND i.indisreplident AND a.attrelid = c.oid AND a.attnum = k.number), '{{}}'),
  pg_has_role(c.relowner, 'USAGE')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relname = %s
"""

_NAMES: Final = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2 LIMIT 10000
"""

_MEMBERS: Final = f"""
{_TREE.format(root="%s::oid")}
SELECT n.nspname, c.relname, c.relreplident::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN tree t ON t.oid = c.oid WHERE c.relkind IN ('r', 'p') ORDER BY c.oid
"""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table that can be captured.

    columns: those that changes tell, in order; stored generated ones are not among them. key: the primary key's.
    old: those that are told of a row that was changed or deleted. full: whether that is the whole row.
    owned: whether we may publish it.
    """

    name: str
    schema: str
    table: str
    oid: int
    columns: tuple[str, ...]
    key: tuple[str, ...]
    old: tuple[str, ...]
    full: bool
    partitioned: bool
    owned: bool

    @property
    def quoted(self) -> str:
        """The table's name as SQL."""
        return f"{quote(self.schema)}.{quote(self.table)}"

    @property
    def info(self) -> TableInfo:
        """The table as rules see it."""
        fix = f"run ALTER TABLE {self.quoted} REPLICA IDENTITY FULL"
        if self.partitioned:
            fix += " and the same for each of its partitions"
        fix += f" (tidings source add --full {self.name} sets what is missing)"
        return TableInfo(columns=self.columns, key=self.key, old=self.old, fix=fix)


def quote(name: str) -> str:
    """An identifier as SQL."""
    return '"' + name.replace('"', '""') + '"'


def split_name(name: str) -> tuple[str, str]:
    """`sales.orders` as schema and table; without a schema: public."""
    schema, dot, table = name.partition(".")
    return (schema, table) if dot else ("public", name)


def usual_name(name: str) -> str:
    """A table's name as changes and rules have it: without the schema where that is the usual one."""
    return table_name(*split_name(name))


def read_table(connection: Connection, name: str) -> Table | None:
    """A table by the name that settings give it; None when there is none.

    Raises SourceError for what cannot be captured whatever its owner does.
    """
    row = connection.execute(_TABLE, split_name(name)).fetchone()
    if row is None:
        return None
    schema, table, oid, kind, persistence, columns, key, identity, index, owned = row
    if kind in KINDS:
        raise SourceError(
            f"{name!r} cannot be captured: it is {KINDS[kind]}; name the tables that it reads from"
        )
    if persistence != "p":
        how = "temporary" if persistence == "t" else "unlogged (ALTER TABLE … SET LOGGED changes that)"
        raise SourceError(f"{name!r} cannot be captured: it is {how}, so its changes are not in the log")
    old = {0: (), 1: tuple(key), 2: tuple(index), 3: tuple(columns)}[1 if identity is None else identity]
    return Table(
        name=usual_name(name),
        schema=schema,
        table=table,
        oid=oid,
        columns=tuple(columns),
        key=tuple(key),
        old=old,
        full=identity == 3,
        partitioned=kind == "p",
        owned=owned,
    )


def read_tables(connection: Connection, names: Sequence[str]) -> dict[str, Table]:
    """Each table by its usual name. Raises SourceError with all that is missing or cannot be captured."""
    found: dict[str, Table] = {}
    faults: list[str] = []
    for name in names:
        try:
            table = read_table(connection, name)
            if table is None:
                faults.append(_missing(connection, name))
            elif not table.old:
                faults.append(_identity_fault(table))
            else:
                found[table.name] = table
        except SourceError as error:
            faults.append(str(error))
    if faults:
        raise SourceError("\n".join(faults))
    return found


def table_names(connection: Connection) -> list[str]:
    """The tables there are, as settings name them."""
    return [table_name(*row) for row in connection.execute(_NAMES)]


def members(connection: Connection, table: Table) -> list[tuple[str, bool]]:
    """A table and its partitions at every depth, as SQL, and whether each one's old rows are told whole."""
    found = connection.execute(_MEMBERS, [table.oid]).fetchall()
    return [(f"{quote(schema)}.{quote(name)}", identity == "f") for schema, name, identity in found]


def _missing(connection: Connection, name: str) -> str:
    there = table_names(connection)
    near = nearest(usual_name(name), there)
    fix = f"did you mean {near!r}?" if near else f"the database has: {', '.join(there[:20]) or 'none'}"
    return f"there is no table {name!r} to capture; {fix}"


def _identity_fault(table: Table) -> str:
    """Without an identity of its rows, a published table refuses its application's own UPDATE and DELETE."""
    return (
        f"table {table.name!r} has no primary key or replica identity: once published, the application's own UPDATE and"
        f" DELETE would fail; choose one: give it a primary key,"
        f" or run ALTER TABLE {table.quoted} REPLICA IDENTITY FULL (old rows are written to the log whole;"
        f" tidings source add --full {table.name} does it)"
    )


def setting(connection: Connection, name: str) -> str:
    """One of the server's settings."""
    row = connection.execute("SELECT current_setting(%s, true)", [name]).fetchone()
    return str(row[0]) if row and row[0] is not None else ""


def check_server(connection: Connection) -> None:
    """Raise SourceError with the fix for a server that cannot be captured from."""
    major = connection.info.server_version // 10_000
    if major < OLDEST:
        raise SourceError(f"this is Postgres {major}; capture needs {OLDEST} or later")
    level = setting(connection, "wal_level")
    if level != "logical":
        raise SourceError(
            f"wal_level is {level}: run ALTER SYSTEM SET wal_level = logical, then restart Postgres"
            " (managed services have a switch for logical replication)"
        )


def columns_of(tables: Mapping[str, Table]) -> dict[str, tuple[str, ...]]:
    """Each table with the columns that its changes tell."""
    return {name: table.columns for name, table in tables.items()}


def with_outbox(connection: Connection, tables: Sequence[str]) -> list[str]:
    """The tables to capture, and the outbox where there is one. Raises SourceError for one that cannot be captured."""
    names = list(dict.fromkeys(usual_name(name) for name in tables))
    if OUTBOX not in names and read_table(connection, OUTBOX) is not None:
        names.append(OUTBOX)
    return names
