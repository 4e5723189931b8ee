"""What a publication holds of the captured tables, from the catalogue alone. Decides nothing.

It asks for no lock on any table: one that is locked for hours (VACUUM FULL, an open TRUNCATE) must not hold up a look,
so neither pg_publication_tables nor pg_partition_tree is used, which open the tables they tell of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tidings.changes import Seals, table_name
from tidings.sources.postgres.catalog import Table
from tidings.sources.postgres.connections import Connection

_HELD: Final = (
    "(p.puballtables"
    " OR EXISTS (SELECT FROM pg_publication_rel q WHERE q.prpubid = p.oid AND q.prrelid = {0}.oid){1})"
)
_HELD_BY_SCHEMA: Final = (
    " OR EXISTS (SELECT FROM pg_publication_namespace q"
    " WHERE q.pnpubid = p.oid AND q.pnnspid = {0}.relnamespace)"
)
_SCHEMA: Final = (
    "SELECT q.oid FROM pg_publication_namespace q WHERE q.pnpubid = p.oid AND q.pnnspid = w.relnamespace"
)
"""Schemas can be published since Postgres 15."""

# A leaf was made as a partition if a column of it and its ctid (attribute -1) were written by one command of one
# transaction (xmin, cmin): ATTACH writes the rows of all columns anew, and never those of the system columns. Its file
# is its first one as long as it has the number of the leaf itself: TRUNCATE and what writes all rows give another. The
# row of a table's type in pg_type is written anew when the table is renamed or moved to another schema.
_PUBLISHED: Final = """
WITH RECURSIVE wanted AS (
  SELECT n.nspname, c.relname, c.relkind, c.oid, c.relnamespace, c.reltype
  FROM unnest(%s::text[], %s::text[]) w(nspname, relname)
  JOIN pg_namespace n ON n.nspname = w.nspname
  JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.relname AND c.relpersistence = 'p'
), tree (root, oid, links, made) AS (
  SELECT oid, oid, NULL::text, true FROM wanted WHERE relkind = 'p'
  UNION ALL
  SELECT t.root, i.inhrelid, concat_ws('.', i.xmin, t.links),
    t.made AND EXISTS (SELECT FROM pg_attribute a JOIN pg_attribute s ON s.attrelid = a.attrelid AND s.attnum = -1
      WHERE a.attrelid = i.inhrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.xmin = s.xmin AND a.cmin = s.cmin)
  FROM tree t JOIN pg_inherits i ON i.inhparent = t.oid
)
SELECT w.nspname, w.relname,
  p.pubinsert AND p.pubupdate AND p.pubdelete AND p.pubtruncate AND (p.pubviaroot OR w.relkind <> 'p'),
  concat(p.oid, '.', p.xmin, '.', r.oid, '.', ({schema}), '.', w.oid, '.', y.xmin),
  (SELECT string_agg(
      concat(CASE WHEN t.made AND l.relfilenode = l.oid THEN '+' END, l.oid, '/', l.relfilenode, '/', t.links),
      ' ' ORDER BY l.oid)
    FROM tree t JOIN pg_class l ON l.oid = t.oid WHERE t.root = w.oid AND l.relkind <> 'p')
FROM wanted w JOIN pg_publication p ON p.pubname = %s
LEFT JOIN pg_publication_rel r ON r.prpubid = p.oid AND r.prrelid = w.oid
LEFT JOIN pg_type y ON y.oid = w.reltype
WHERE {held} AND NOT (p.pubviaroot AND EXISTS (
  SELECT FROM pg_partition_ancestors(w.oid) x JOIN pg_class u ON u.oid = x.relid WHERE u.oid <> w.oid AND {above}))
"""


def read_published(
    connection: Connection, publication: str, tables: Mapping[str, Table]
) -> dict[str, str | None]:
    """The tables that the publication holds, with their seals; None where not all of them is told.

    That is so where it leaves out kinds of change, or tells partitions under names of their own. A partition of a table
    that is published under its own name is not held: its changes are told as that table's.
    """
    by_schema = connection.info.server_version >= 150_000
    held, above = (_HELD.format(each, _HELD_BY_SCHEMA.format(each) if by_schema else "") for each in "wu")
    query = _PUBLISHED.format(schema=_SCHEMA if by_schema else "NULL", held=held, above=above)
    names = [[table.schema for table in tables.values()], [table.table for table in tables.values()]]
    found = {
        table_name(schema, table): f"{membership} {leaves or ''}".rstrip() if whole else None
        for schema, table, whole, membership, leaves in connection.execute(query, [*names, publication])
    }
    return {name: found[name] for name in tables if name in found}


def read_seals(connection: Connection, publication: str, tables: Mapping[str, Table]) -> Seals:
    """The seals of the tables that are published whole, in the order of `tables`."""
    found = read_published(connection, publication, tables)
    return {name: seal for name, seal in found.items() if seal is not None}
