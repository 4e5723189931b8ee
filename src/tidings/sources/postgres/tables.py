"""From the tuples of one relation to the rows of a change. Pure; what a relation looks like it is told.

What the database does not tell is left out of a row, never null: a large value that an update did not touch is
`unchanged`, what cannot be read or is too large is `unknown`, and of the row before, only what the replica identity
covers is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tidings.changes import Change, Row, table_name
from tidings.sources.postgres.pgoutput.messages import (
    UNCHANGED,
    Delete,
    Insert,
    OldKind,
    Relation,
    Update,
    Value,
)
from tidings.sources.postgres.values.types import Types

VALUE_BYTES: Final = 1 << 20
"""Text of one value that is still read. A larger one fits no message: it is unknown, and clients fetch the row."""


class RelationRows:
    """Reads the rows of one relation as it was when it was told.

    key: the primary key's columns; where it is not known any more, those that the relation says. partial: whether it
    has a partition whose old rows are not logged whole though the table's are: the server then says of them that they
    are whole, and sends nulls for what the partition did not log. Which partition a row was in it does not say.
    """

    def __init__(
        self, relation: Relation, types: Types, key: Sequence[str] | None, *, partial: bool = False
    ) -> None:
        self.partial = partial
        self.full = relation.identity == "f"
        self.schema = relation.schema
        self.table = relation.table
        self.name = table_name(relation.schema, relation.table)
        names = [column.name for column in relation.columns]
        identity = tuple(column.name for column in relation.columns if column.key)
        self._key = tuple(key) if key is not None and set(key) <= set(names) else identity
        # A partition may have a lesser identity than its table, under whose name it is told: then a whole row was
        # promised, and a key came. Of that only the primary key is certain, and never null.
        self._identity = identity if relation.identity != "f" else tuple(key or ())
        self._readers = [(column.name, types.converter(column.type)) for column in relation.columns]

    def insert(self, message: Insert, time: int, position: str) -> Change:
        """A new row."""
        new, unknown, _ = self._read(message.new)
        return self._change("insert", None, new, unknown, (), time, position)

    def update(self, message: Update, time: int, position: str) -> Change:
        """A changed row. Without an old tuple the identity's columns are as before."""
        new, unknown, unchanged = self._read(message.new)
        if message.old is None:
            old: Row = {column: new[column] for column in self._identity if column in new}
        else:
            old = self._old(message.old, message.old_kind)
            for column in [column for column in unchanged if column in old]:
                new[column] = old[column]
                unchanged.remove(column)
        return self._change("update", old, new, unknown, unchanged, time, position)

    def delete(self, message: Delete, time: int, position: str) -> Change:
        """A row that is gone."""
        old = self._old(message.old, message.old_kind)
        unknown = [name for name, _ in self._readers if name not in old]
        return self._change("delete", old, None, unknown, (), time, position)

    def truncate(self, time: int, position: str) -> Change:
        """All rows are gone."""
        return self._change("truncate", None, None, (), (), time, position)

    def _old(self, values: Sequence[Value], kind: OldKind | None) -> Row:
        """In a key tuple, and in one that is whole in name only, what was not logged is null without being it."""
        old, _, _ = self._read(values)
        if kind == "O":
            return (
                {column: value for column, value in old.items() if value is not None} if self.partial else old
            )
        return {column: old[column] for column in self._identity if old.get(column) is not None}

    def _read(self, values: Sequence[Value]) -> tuple[Row, list[str], list[str]]:
        row: Row = {}
        unknown: list[str] = []
        unchanged: list[str] = []
        for (name, convert), value in zip(self._readers, values, strict=False):
            if value is None:
                row[name] = None
            elif value is UNCHANGED:
                unchanged.append(name)
            elif len(value) > VALUE_BYTES:
                unknown.append(name)
            else:
                try:
                    row[name] = convert(value)
                except ValueError:
                    unknown.append(name)
        return row, unknown, unchanged

    def _change(
        self,
        kind: str,
        old: Row | None,
        new: Row | None,
        unknown: Sequence[str],
        unchanged: Sequence[str],
        time: int,
        position: str,
    ) -> Change:
        return Change(
            table=self.table,
            schema=self.schema,
            kind=kind,  # type: ignore[arg-type]  # one of the four words above
            key=self._key,
            new=new,
            old=old,
            unknown=tuple(unknown),
            unchanged=tuple(unchanged),
            time=time,
            position=position,
        )
