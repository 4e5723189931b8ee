"""Reading what the captured tables look like, from the database itself. Changes nothing in it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from operator import itemgetter

from tidings.errors import SourceError
from tidings.sources.sqlite.driver import Database
from tidings.sources.sqlite.triggers import PREFIX, TableShape, Unique

_ROWID_NAMES = ("rowid", "_rowid_", "oid")


def read_shape(db: Database, table: str) -> TableShape | None:
    """The shape of a table; None when there is no such table.

    Raises SourceError for what cannot have our triggers: views, virtual tables, SQLite's own.
    """
    found = db.run("SELECT type, wr FROM pragma_table_list(?) WHERE schema = 'main'", table)
    if not found:
        return None
    kind, without_rowid = found[0]
    if kind != "table" or table.lower().startswith(("sqlite_", PREFIX)):
        raise SourceError(
            f"table {table!r} cannot be captured: it is a {kind}; name the tables that it reads from"
        )
    info = db.run("SELECT name, pk, hidden FROM pragma_table_xinfo(?) ORDER BY cid", table)
    columns = tuple(str(column) for column, _, _ in info)
    primary = tuple(str(column) for column, _, _ in sorted((c for c in info if c[1]), key=itemgetter(1)))
    rowid = None if without_rowid else _rowid_name(columns)
    return TableShape(
        name=table,
        columns=columns,
        key=primary or _rowid_key(table, columns, rowid),
        rowid=rowid,
        uniques=_uniques(db, table),
        generated=frozenset(str(column) for column, _, hidden in info if hidden in (2, 3)),
    )


def missing_table(db: Database, table: str) -> SourceError:
    """The error for a table that is not there, with the nearest name."""
    there = table_names(db)
    near = difflib.get_close_matches(table, there, n=1)
    listed = ", ".join(there[:20]) or "none"
    fix = f"did you mean {near[0]!r}?" if near else f"the database has: {listed}"
    return SourceError(f"there is no table {table!r} to capture; {fix}")


def table_names(db: Database) -> Sequence[str]:
    """The application's own tables."""
    sql = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    return [str(row[0]) for row in db.run(sql) if not str(row[0]).startswith(PREFIX)]


def _rowid_name(columns: Sequence[str]) -> str | None:
    taken = {column.lower() for column in columns}
    return next((candidate for candidate in _ROWID_NAMES if candidate not in taken), None)


def _rowid_key(table: str, columns: Sequence[str], rowid: str | None) -> tuple[str, ...]:
    if rowid is None:
        raise SourceError(
            f"table {table!r} has no primary key and its columns hide the rowid; give it a primary key"
        )
    return (rowid,)


def _uniques(db: Database, table: str) -> tuple[Unique, ...]:
    """The unique indexes over plain columns. One over an expression cannot be compared with NEW: it is left out."""
    found = []
    indexes = db.run('SELECT name FROM pragma_index_list(?) WHERE "unique" ORDER BY name', table)
    for (index,) in indexes:
        parts = db.run("SELECT name, coll FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno", index)
        if all(column is not None for column, _ in parts):
            found.append(Unique(tuple((str(column), str(how)) for column, how in parts)))
    return tuple(found)
