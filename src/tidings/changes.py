"""Committed row changes as a source tells them. Holds no rules: which messages follow is the router's matter."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

ChangeKind = Literal["insert", "update", "delete", "truncate"]
Row = dict[str, Any]
"""Column name to a JSON-like value (None, bool, int, float, str, list, dict)."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One row changed by a committed transaction.

    key: names of the primary key's columns, in order.
    new: the row after the change; None on delete and truncate.
    old: the row before it; None on insert and truncate.
    unknown: columns of `new` or `old` whose value the database did not tell. They are not null: they are unknown.
    time: commit time in milliseconds since the Unix epoch, as near as the database tells it.
    """

    table: str
    kind: ChangeKind
    schema: str = "main"
    key: tuple[str, ...] = ()
    new: Row | None = None
    old: Row | None = None
    unknown: tuple[str, ...] = ()
    time: int = 0

    @property
    def row(self) -> Row:
        """The row that best describes the change: the new one, else the old one, else nothing."""
        return self.new if self.new is not None else (self.old or {})

    def changed(self, column: str) -> bool:
        """True when an update gave the column another value; what is unknown counts as unchanged."""
        if self.new is None or self.old is None or column in self.unknown:
            return False
        return bool(self.new.get(column) != self.old.get(column))


class Checkpoint(msgspec.Struct, frozen=True, order=True):
    """Where to resume a source: all up to and including `value` has been published. Opaque but ordered."""

    value: int


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

    gap: set when changes before this point were lost; clients of those tables are told `reset`.
    """

    checkpoint: Checkpoint
    changes: tuple[Change, ...] = ()
    gap: Gap | None = None
