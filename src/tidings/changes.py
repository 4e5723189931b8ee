"""Committed row changes as a source tells them. Holds no rules: which messages follow is the router's matter."""

from __future__ import annotations

from typing import Any, Final, Literal

import msgspec

ChangeKind = Literal["insert", "update", "delete", "truncate"]
Row = dict[str, Any]
"""Column name to a JSON-like value (None, bool, int, float, Decimal, str, list, dict). A column that is not in it was
not told: it is unknown, never null."""

Seals = dict[str, str]
"""Table name to a text that only the source reads. The log compares for equality, to know whether there is something to
store."""

USUAL_SCHEMAS: Final = frozenset({"main", "public"})
"""Schemas that are not written before a table's name: SQLite's only one, and Postgres' default."""

WHOLE: Final = 2**53
"""`Checkpoint.part` when a commit is told to its end."""


def table_name(schema: str, table: str) -> str:
    """A table as rules and settings name it: `tasks`, or `sales.orders` outside the usual schemas."""
    return table if schema in USUAL_SCHEMAS else f"{schema}.{table}"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row changed by a committed transaction.

    key: names of the primary key's columns, in order.
    new: the row after the change; None on delete and truncate.
    old: the row before it; None on insert and truncate, and where the database tells nothing of it. It holds what the
        database told; columns that are not in it are unknown.
    unknown: columns of the row (`new`; on delete `old`) whose value the database did not tell.
    unchanged: columns that `new` lacks because the update did not touch them: the value before is still right.
    time: commit time in milliseconds since the Unix epoch, as near as the database tells it.
    position: where the commit stands in the database's own log, as the database writes it; empty where it has none.
    """

    table: str
    kind: ChangeKind
    schema: str = "main"
    key: tuple[str, ...] = ()
    new: Row | None = None
    old: Row | None = None
    unknown: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    time: int = 0
    position: str = ""

    @property
    def name(self) -> str:
        """The table as rules name it."""
        return table_name(self.schema, self.table)

    @property
    def row(self) -> Row:
        """The row that best describes the change: the new one, else the old one, else nothing."""
        return self.new if self.new is not None else (self.old or {})

    def changed(self, column: str) -> bool:
        """True when an update gave the column another value; what is unknown counts as unchanged."""
        if self.new is None or self.old is None or column not in self.new or column not in self.old:
            return False
        return bool(self.new[column] != self.old[column])


class Emitted(msgspec.Struct, frozen=True, kw_only=True):
    """Something a transaction wrote into the database's own log instead of a table (pg_logical_emit_message).

    at: how many of the transaction's `changes` were made before it. prefix: says who it is for.
    """

    at: int
    prefix: str
    content: bytes
    time: int = 0


class Checkpoint(msgspec.Struct, frozen=True, order=True):
    """Where to resume a source: all up to and including it has been published. Opaque but ordered.

    value: rises with each commit. part: how much of that commit is told; `WHOLE` for all of it.
    """

    value: int
    part: int = WHOLE


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source's changes are in an app's log; kept in the log, in one step with the messages.

    generation: one unbroken life of the source's numbering; checkpoints of two generations cannot be compared.
    seals: by table, what must be unbroken for its changes to be complete when the source goes on. None keeps those that
        are stored; a source that needs none always gives None.
    """

    source: str
    generation: str
    checkpoint: Checkpoint
    seals: Seals | None = None

    def covers(self, other: Progress) -> bool:
        """True when what `other` tells of is in the log already."""
        if self.generation != other.generation or other.checkpoint > self.checkpoint:
            return False
        # Other seals at the same place are news; those of an earlier one are older than what is kept.
        return other.checkpoint < self.checkpoint or other.seals is None or other.seals == self.seals

    def upon(self, last: Progress | None) -> Progress:
        """What is to be kept when this comes after `last`."""
        if self.seals is not None or last is None:
            return self
        return msgspec.structs.replace(self, seals=last.seals)


class Gap(msgspec.Struct, frozen=True):
    """A stretch of changes that a source cannot tell any more, and why.

    tables: the tables concerned; empty means all that the source captures.
    first: the source has never captured this database before, and so cannot have missed what it promised to tell.
    """

    reason: str
    tables: tuple[str, ...] = ()
    first: bool = False


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """The changes of one commit, or as near to it as the source can tell, in the order they were made.

    emitted: what the transaction wrote into the database's log itself.
    gap: set when changes before this point were lost; clients of those tables are told `reset`.
    size: bytes that it took in the database's log, as near as the source knows.
    steps: where several commits are told as one, the checkpoint's value of each change; empty otherwise.
    seals: to be kept with the progress from here on; None leaves those that are.
    """

    checkpoint: Checkpoint
    changes: tuple[Change, ...] = ()
    emitted: tuple[Emitted, ...] = ()
    gap: Gap | None = None
    size: int = 0
    steps: tuple[int, ...] = ()
    seals: Seals | None = None
