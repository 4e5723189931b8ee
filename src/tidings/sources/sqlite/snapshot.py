"""Rows of captured tables at one instant of the record of changes. Blocks; changes nothing.

SQLite has one writer at a time, so that one read transaction sees both: the rows, and the newest change that they hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from tidings.changes import Checkpoint
from tidings.errors import SourceError
from tidings.sources.base import Snapshot, Wanted
from tidings.sources.sqlite.driver import Database, DatabaseError, Driver
from tidings.sources.sqlite.rows import row_of
from tidings.sources.sqlite.shapes import missing_table, read_shape
from tidings.sources.sqlite.triggers import CHANGES, META, TableShape, encode_row, name
from tidings.sources.sqlite.troubles import explain

BUSY_MS: Final = 2_000
"""Milliseconds to wait for the application's lock."""


def read_snapshot(path: Path, driver: Driver, wanted: Sequence[Wanted], most: int) -> Snapshot:
    """At most `most` + 1 rows for each of the wanted. Raises SourceError."""
    try:
        db = Database(path, create=False, busy_ms=BUSY_MS, driver=driver)
        try:
            db.run("BEGIN")
            ((generation,),) = db.run(f"SELECT value FROM {META} WHERE name = 'generation'")
            ((top,),) = db.run(f"SELECT coalesce(max(seq), 0) FROM {CHANGES}")
            rows = tuple([tuple(_rows(db, each, most)) for each in wanted])
            db.run("ROLLBACK")
            return Snapshot(generation=generation, checkpoint=Checkpoint(top), rows=rows)
        finally:
            db.close()
    except DatabaseError as error:
        raise SourceError(explain(error, path)) from error


def _rows(db: Database, wanted: Wanted, most: int) -> list[bytes]:
    shape = read_shape(db, wanted.table)
    if shape is None:
        raise missing_table(db, wanted.table)
    condition = " AND ".join(_equal(db, shape, column) for column in wanted.equal) or "1"
    order = ", ".join(f"r.{name(column)}" for column in shape.key)
    sql = (
        f"SELECT CAST({encode_row(shape, 'r')} AS BLOB) FROM {name(shape.name)} r"
        f" WHERE {condition} ORDER BY {order} LIMIT {most + 1}"
    )
    found = db.run(sql, *wanted.equal.values())
    return [msgspec.json.encode(row_of(text, shape)) for (text,) in found]


def _equal(db: Database, shape: TableShape, column: str) -> str:
    """A comparison with text: by the column's own affinity where it has one, or an index could not help."""
    found = db.run("SELECT type FROM pragma_table_xinfo(?) WHERE name = ?", shape.name, column)
    declared = str(found[0][0]).upper() if found else ""
    if not declared or "BLOB" in declared:
        return f"CAST(r.{name(column)} AS TEXT) = ?"
    return f"r.{name(column)} = ?"
