"""The SQL that makes a SQLite file record its own changes: tables and triggers, as text. Opens no database.

The triggers run inside whatever program writes, so they use only what every SQLite since 3.38 has built in, and
nothing that `PRAGMA trusted_schema = OFF` forbids. What they write is part of the writer's own transaction: a
rollback takes it back, a savepoint too.

A `REPLACE` conflict removes rows without firing a delete trigger (unless `recursive_triggers` is on), be it a row
with the same key or one that collides in a UNIQUE column. So a BEFORE trigger notes the rows that stand in the way,
and the AFTER trigger records those that are gone as `replaced`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

PREFIX: Final = "_tidings_"
CHANGES: Final = "_tidings_changes"
META: Final = "_tidings_meta"
READS: Final = "_tidings_reads"
REPLACED: Final = "_tidings_replaced"

VALUE_CHARS: Final = 100_000
"""Longest text or BLOB (characters or bytes) that is recorded; a longer one is told as unknown. It could not be sent
anyway (a message is at most 100 kB), and a 50 MiB value would be copied at each update of its row."""

MAX_IDENTITY: Final = 8
"""Key columns of a WITHOUT ROWID table for which REPLACE is followed. The note table has one column for each."""

_CHUNK: Final = 40
"""Terms joined at one depth. SQLite refuses expressions deeper than 1,000, and a table may have 2,000 columns."""

NOW_MS: Final = "CAST(ROUND((julianday('now') - 2440587.5) * 86400000.0) AS INTEGER)"
"""Milliseconds since the epoch, in words that SQLite before 3.42 knows too."""

TABLES: Final = (
    # The newest row is never deleted: AUTOINCREMENT alone would give a number twice after INSERT OR FAIL, which
    # stops before sqlite_sequence is written.
    (
        f"CREATE TABLE {CHANGES} (seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, kind TEXT NOT NULL, "
        "old TEXT, new TEXT, time INTEGER NOT NULL)"
    ),
    f"CREATE TABLE {META} (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    f"CREATE TABLE {READS} (first INTEGER PRIMARY KEY, last INTEGER NOT NULL)",
    f"CREATE TABLE {REPLACED} (tbl, {', '.join(f'k{n}' for n in range(MAX_IDENTITY))}, old)",
)

FIRST_CAPTURE: Final = "capture begins here"
"""Why there is a gap in a file that was never captured before."""

RECORD_GAP: Final = f"INSERT INTO {CHANGES} (tbl, kind, new, time) VALUES (?, 'gap', ?, {NOW_MS})"
"""Parameters: table ('' for all), why. A gap is a row like any other, so it is repeated until it is acknowledged."""


class Unique(msgspec.Struct, frozen=True):
    """A unique index: its columns, and the collation by which each is compared."""

    columns: tuple[tuple[str, str], ...]


class TableShape(msgspec.Struct, frozen=True, kw_only=True):
    """What must be known of a table to capture it.

    columns: all of them in order, generated ones too. key: the names that identify a row in what is told.
    rowid: a name under which SQLite gives the rowid; None for WITHOUT ROWID, or when columns hide all three names.
    generated: columns that are computed; an UPDATE never names them.
    """

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    rowid: str | None
    uniques: tuple[Unique, ...] = ()
    generated: frozenset[str] = frozenset()

    @property
    def told(self) -> tuple[str, ...]:
        """The columns that a change carries: a table without a primary key also tells its rowid."""
        return self.columns if set(self.key) <= set(self.columns) else (*self.columns, *self.key)

    @property
    def identity(self) -> tuple[str, ...]:
        """The names that find a row again, whatever its key: the rowid where there is one."""
        return (self.rowid,) if self.rowid else self.key


def name(text: str) -> str:
    """Quote a name for SQL."""
    return '"' + text.replace('"', '""') + '"'


def literal(text: str) -> str:
    """Quote a text value for SQL."""
    return "'" + text.replace("'", "''") + "'"


def triggers_of(shape: TableShape) -> dict[str, str]:
    """Every trigger of a table: name to the text that `sqlite_schema` will hold."""
    bodies = {"insert": _after_insert(shape), "update": _after_update(shape), "delete": _after_delete(shape)}
    if _follows_replace(shape):
        bodies |= {"insert_before": _before_insert(shape), "update_before": _before_update(shape)}
    names = {trigger_name(shape.name, kind): body for kind, body in bodies.items()}
    return {trigger: f"CREATE TRIGGER {name(trigger)} {body}" for trigger, body in names.items()}


def trigger_name(table: str, kind: str) -> str:
    return f"{PREFIX}{kind}_{table}"


def encode_value(ref: str) -> str:
    """An expression that turns one value into exact JSON text.

    Reals get 19 digits, since `quote` and `json_object` of SQLite 3.40 lose the last one. JSON has no infinity, so
    it is the string "Infinity", as in PostgreSQL's JSON; NaN is NULL in SQLite already.
    """
    large = f"""'{{"$large":'||length({ref})||'}}'"""
    return (
        f"CASE typeof({ref}) WHEN 'null' THEN 'null' WHEN 'integer' THEN CAST({ref} AS TEXT) "
        f"""WHEN 'real' THEN CASE WHEN {ref} - {ref} IS NOT NULL THEN printf('%!.19g', {ref}) """
        f"""WHEN {ref} > 0 THEN '"Infinity"' ELSE '"-Infinity"' END """
        f"WHEN 'text' THEN CASE WHEN length({ref}) > {VALUE_CHARS} THEN {large} ELSE json_quote({ref}) END "
        f"""ELSE CASE WHEN length({ref}) > {VALUE_CHARS} THEN {large} ELSE '{{"$hex":"'||hex({ref})||'"}}' END END"""
    )


def encode_row(shape: TableShape, source: str) -> str:
    """An expression for a whole row as a JSON object; `source` is NEW, OLD or an alias."""
    pieces = []
    for at, column in enumerate(shape.told):
        label = literal(("," if at else "{") + _json_text(column) + ":")
        pieces.append(f"{label}||({encode_value(f'{source}.{name(_reference(shape, column))}')})")
    return _joined("||", [*pieces, "'}'"])


def _json_text(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _reference(shape: TableShape, column: str) -> str:
    return column if column in shape.columns else (shape.rowid or column)


def _joined(operator: str, terms: Sequence[str]) -> str:
    """Join terms in groups, so that the expression stays shallow."""
    parts = list(terms)
    while len(parts) > 1:
        parts = ["(" + operator.join(parts[at : at + _CHUNK]) + ")" for at in range(0, len(parts), _CHUNK)]
    return parts[0]


def _follows_replace(shape: TableShape) -> bool:
    return len(shape.identity) <= MAX_IDENTITY


def _on(shape: TableShape) -> str:
    return f"ON {name(shape.name)}"


def _record(shape: TableShape, kind: str, old: str, new: str) -> str:
    return (
        f"INSERT INTO {CHANGES} (tbl, kind, old, new, time) "
        f"VALUES ({literal(shape.name)}, '{kind}', {old}, {new}, {NOW_MS});"
    )


def _after_insert(shape: TableShape) -> str:
    replaced = _record_replaced(shape) if _follows_replace(shape) else ""
    record = _record(shape, "insert", "NULL", encode_row(shape, "NEW"))
    return f"AFTER INSERT {_on(shape)} BEGIN {replaced} {record} END"


def _after_update(shape: TableShape) -> str:
    forget = _forget(shape) + " " + _record_replaced(shape) if _follows_replace(shape) else ""
    record = _record(shape, "update", encode_row(shape, "OLD"), encode_row(shape, "NEW"))
    return f"AFTER UPDATE {_on(shape)} WHEN {_differs(shape)} BEGIN {forget} {record} END"


def _after_delete(shape: TableShape) -> str:
    forget = _forget(shape) if _follows_replace(shape) else ""
    record = _record(shape, "delete", encode_row(shape, "OLD"), "NULL")
    return f"AFTER DELETE {_on(shape)} BEGIN {forget} {record} END"


def _differs(shape: TableShape) -> str:
    """True when any column has another value. BINARY, or a NOCASE column would hide a change of case."""
    references = dict.fromkeys(_reference(shape, column) for column in shape.told)
    return _joined(" OR ", [f"OLD.{name(ref)} COLLATE BINARY IS NOT NEW.{name(ref)}" for ref in references])


def _before_insert(shape: TableShape) -> str:
    return f"BEFORE INSERT {_on(shape)} {_note(shape, _collisions(shape))}"


def _before_update(shape: TableShape) -> str:
    columns = {column for unique in shape.uniques for column, _ in unique.columns}
    settable = sorted(columns | (set(shape.key) & set(shape.columns)))
    named = settable and not columns & shape.generated
    of = f"OF {', '.join(map(name, settable))} " if named else ""
    same = _all(f"t.{name(part)} IS OLD.{name(part)}" for part in shape.identity)
    others = [f"{condition} AND NOT ({same})" for condition in _collisions(shape)]
    return f"BEFORE UPDATE {of}{_on(shape)} {_note(shape, others)}"


def _collisions(shape: TableShape) -> list[str]:
    """Conditions on `t`: the row shares the rowid or a unique value with NEW. NULL never collides.

    Each stands in a query of its own: with OR between them, newer SQLites read the whole table where a collation is
    named, at every insert.
    """
    conditions = [f"t.{name(shape.rowid)} = NEW.{name(shape.rowid)}"] if shape.rowid else []
    for unique in shape.uniques:
        equal = (
            f"t.{name(column)} COLLATE {name(how)} = NEW.{name(column)}" for column, how in unique.columns
        )
        conditions.append(_all(equal))
    return conditions


def _note(shape: TableShape, conditions: Sequence[str]) -> str:
    """WHEN and body of a trigger that notes the rows of any condition. Mostly there are none: it costs look-ups."""
    rows = [f"FROM {name(shape.name)} AS t WHERE {condition}" for condition in conditions]
    when = _joined(" OR ", [f"EXISTS (SELECT 1 {each})" for each in rows])
    columns = ", ".join(_slots(shape))
    values = ", ".join(f"t.{name(part)}" for part in shape.identity)
    noted = _all(f"t.{name(part)} IS s.{slot}" for part, slot in _pairs(shape))
    once = f"NOT EXISTS (SELECT 1 FROM {REPLACED} AS s WHERE s.tbl = {literal(shape.name)} AND {noted})"
    inserts = " ".join(
        f"INSERT INTO {REPLACED} (tbl, {columns}, old) "
        f"SELECT {literal(shape.name)}, {values}, {encode_row(shape, 't')} {each} AND {once};"
        for each in rows
    )
    return f"WHEN {when} BEGIN {_clear(shape)} {inserts} END"


def _record_replaced(shape: TableShape) -> str:
    """Record noted rows that are gone: no row has their identity, or NEW took it over."""
    taken = _all(f"NEW.{name(part)} IS s.{slot}" for part, slot in _pairs(shape))
    there = _all(f"t.{name(part)} = s.{slot}" for part, slot in _pairs(shape))
    return (
        f"INSERT INTO {CHANGES} (tbl, kind, old, time) SELECT s.tbl, 'replaced', s.old, {NOW_MS} "
        f"FROM {REPLACED} AS s WHERE s.tbl = {literal(shape.name)} "
        f"AND (({taken}) OR NOT EXISTS (SELECT 1 FROM {name(shape.name)} AS t WHERE {there})); {_clear(shape)}"
    )


def _forget(shape: TableShape) -> str:
    """Drop the note of a row that is told by its own trigger."""
    same = _all(f"OLD.{name(part)} IS {slot}" for part, slot in _pairs(shape))
    return f"DELETE FROM {REPLACED} WHERE tbl = {literal(shape.name)} AND {same};"


def _clear(shape: TableShape) -> str:
    return f"DELETE FROM {REPLACED} WHERE tbl = {literal(shape.name)};"


def _pairs(shape: TableShape) -> list[tuple[str, str]]:
    return list(zip(shape.identity, _slots(shape), strict=True))


def _slots(shape: TableShape) -> list[str]:
    return [f"k{at}" for at in range(len(shape.identity))]


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)
