"""From recorded rows to a transaction: paging, decoding, putting replaced rows together. Reads no database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from tidings.changes import Change, Checkpoint, Gap, Row, Transaction
from tidings.sources.sqlite.triggers import FIRST_CAPTURE, TableShape

PAGE_CHANGES: Final = 500
"""Most recorded rows in one transaction: some milliseconds of decoding, so that nothing else waits for a bulk load."""

PAGE_BYTES: Final = 1 << 20
"""Bytes of recorded rows in one transaction, after which it is closed. It holds at least one row."""


class Recorded(msgspec.Struct, frozen=True):
    """A row of the change table; `old` and `new` as the bytes of their JSON text."""

    seq: int
    table: str
    kind: str
    old: bytes | None
    new: bytes | None
    time: int

    @property
    def size(self) -> int:
        return len(self.old or b"") + len(self.new or b"")


def page(rows: Iterable[Recorded], most: int = PAGE_CHANGES) -> list[Recorded]:
    """The rows that make up the next transaction.

    Depends on nothing but the rows and `most`, so a repeat is cut at the same places. A gap stands alone; a
    `replaced` row is never parted from the row that took its place.
    """
    taken: list[Recorded] = []
    size = 0
    for row in rows:
        if taken and (row.kind == "gap" or _full(taken, size, most)):
            break
        taken.append(row)
        size += row.size
        if row.kind == "gap":
            break
    return taken


def _full(taken: Sequence[Recorded], size: int, most: int) -> bool:
    return (len(taken) >= most or size >= PAGE_BYTES) and taken[-1].kind != "replaced"


def transaction(rows: Sequence[Recorded], shapes: Mapping[str, TableShape]) -> Transaction:
    """Decode a page. A row that cannot be decoded becomes a gap of its table: told, and no hindrance."""
    checkpoint = Checkpoint(rows[-1].seq)
    if rows[0].kind == "gap":
        table = rows[0].table
        first = rows[0].new == FIRST_CAPTURE.encode()
        return Transaction(checkpoint=checkpoint, gap=Gap("source", (table,) if table else (), first))
    changes: list[Change] = []
    steps: list[int] = []
    lost: set[str] = set()
    for run in _runs([row for row in rows if row.table in shapes]):
        try:
            told = list(_changes(run, shapes[run[-1].table]))
        except msgspec.DecodeError:
            lost.add(run[-1].table)
        else:
            changes += told
            steps += [run[-1].seq] * len(told)
    gap = Gap("source", tuple(sorted(lost))) if lost else None
    size = sum(row.size for row in rows)
    return Transaction(checkpoint=checkpoint, changes=tuple(changes), gap=gap, size=size, steps=tuple(steps))


def _runs(rows: Sequence[Recorded]) -> Iterator[list[Recorded]]:
    """Each row together with the `replaced` rows of its table right before it."""
    run: list[Recorded] = []
    for row in rows:
        if run and row.table != run[-1].table:
            yield run
            run = []
        run.append(row)
        if row.kind != "replaced":
            yield run
            run = []
    if run:
        yield run


def _changes(run: Sequence[Recorded], shape: TableShape) -> Iterator[Change]:
    """What a run tells: rows that had to go are deletes, but one whose key lives on was an update.

    That is how most people mean INSERT OR REPLACE. An update that changed nothing is not told.
    """
    *replaced, last = [_change(row, shape) for row in run]
    before = None
    for gone in replaced:
        if run[-1].kind == "insert" and _key(gone.old, shape) == _key(last.new, shape):
            before = gone
        else:
            yield gone
    if before is None:
        yield last
    elif before.old != last.new:
        yield msgspec.structs.replace(last, kind="update", old=before.old)


def _key(row: Row | None, shape: TableShape) -> list[Any]:
    return [(row or {}).get(column) for column in shape.key]


def _change(row: Recorded, shape: TableShape) -> Change:
    old, old_unknown = _row(row.old, shape)
    new, new_unknown = _row(row.new, shape)
    return Change(
        table=row.table,
        kind=row.kind if row.kind in ("insert", "update") else "delete",  # type: ignore[arg-type]
        key=shape.key,
        old=old,
        new=new,
        unknown=tuple(old_unknown if new is None else new_unknown),
        time=row.time,
        position=str(row.seq),
    )


def _row(text: bytes | None, shape: TableShape) -> tuple[Row | None, list[str]]:
    """A row and the columns that are not known: too large to record, or younger than the recording trigger."""
    if text is None:
        return None, []
    row = _decode(text)
    large = [column for column, value in row.items() if isinstance(value, dict) and "$large" in value]
    for column in large:
        del row[column]
    return row, large + [column for column in shape.columns if column not in row and column not in large]


def row_of(text: bytes, shape: TableShape) -> Row:
    """A row as a change tells it, from its JSON text: what is too large to tell is left out."""
    row, _ = _row(text, shape)
    return row or {}


def _decode(text: bytes) -> Row:
    """Read JSON text; bytes that are not UTF-8, which SQLite stores without a word, become U+FFFD."""
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode(errors="replace").encode()
    return msgspec.json.decode(text, type=dict[str, Any])
