"""The place of one reader in the change table: what was given, what is acknowledged, what comes next. Blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from tidings.changes import Transaction
from tidings.errors import TidingsError
from tidings.sources.sqlite.capture import Capture
from tidings.sources.sqlite.driver import DatabaseError
from tidings.sources.sqlite.grouping import Group, Grouping
from tidings.sources.sqlite.rows import PAGE_CHANGES, Recorded, page, transaction


class RecordBroken(TidingsError):
    """Recorded rows have gone or have changed: the file was restored in place, or somebody deleted them."""


class Reader:
    """Reads recorded rows from the last acknowledged on, without a hole.

    Numbers rise by one, so a hole is a loss. The row given last stays in the table, so a restored file shows.
    """

    def __init__(self, capture: Capture) -> None:
        self._capture = capture
        self.generation = capture.generation
        self.last = self.acknowledged = self._written = capture.acknowledged()
        self.top = capture.top()
        self._grouping = Grouping(self._written, capture.reads(), self.top)
        self._mark: Recorded | None = None
        self._leftover = capture.has_rows_before(self._written)

    @property
    def lag(self) -> int:
        return max(0, self.top - self.acknowledged)

    @property
    def has_more(self) -> bool:
        return self.last < self.top

    @property
    def has_unwritten(self) -> bool:
        """True when the file does not know yet what is acknowledged, or still holds rows before it."""
        return self.acknowledged > self._written or self._leftover

    def resume_after(self, value: int) -> None:
        """Begin after a row that is known to be published, though the file may not know it."""
        self.last = self.acknowledged = max(self.acknowledged, value)

    def acknowledge(self, value: int) -> None:
        """Note what is published. A number that was not given belongs to a generation that is gone: ignored."""
        if value <= self.last:
            self.acknowledged = max(self.acknowledged, value)

    def look(self) -> None:
        """See how far the table has grown. Raises RecordBroken."""
        self.top = self._capture.top()
        if self.top < self.last:
            raise RecordBroken("recorded changes have gone")
        if not self.has_more and self.last:
            self._after_mark(self._capture.rows(self.last, self.last))

    def take(self) -> Transaction:
        """The next transaction; call when `has_more`. Raises RecordBroken."""
        group = self._group()
        most = 1 if group.single else PAGE_CHANGES
        with closing(self._capture.rows(self.last, group.last)) as rows:
            taken = page(self._checked(rows), most)
        self.last = taken[-1].seq
        self._mark = taken[-1]
        return transaction(taken, self._capture.shapes)

    def forget(self) -> bool:
        """Write the acknowledgement down, delete what is before it; True when more is left to delete."""
        value = self.acknowledged
        self._leftover = self._capture.forget(value)
        self._written = value
        self._grouping.acknowledged(value)
        return self._leftover

    def _group(self) -> Group:
        group = self._grouping.next(self.last + 1, self.top)
        if not group.note:
            return group
        try:
            self._capture.note_read(group.first, group.last)
        except DatabaseError as error:
            # The application holds the lock. One by one we need no note, for a while.
            if error.trouble != "busy" or not self._grouping.may_be_single(group.first):
                raise
            return Group(group.first, group.last, single=True)
        self._grouping.noted(group)
        return group

    def _checked(self, rows: Iterator[Recorded]) -> Iterator[Recorded]:
        expected = self.last + 1
        for row in self._after_mark(rows) if self.last else rows:
            if row.seq != expected:
                raise RecordBroken("recorded changes have gone")
            expected += 1
            yield row
        if expected == self.last + 1:
            raise RecordBroken("recorded changes have gone")

    def _after_mark(self, rows: Iterator[Recorded]) -> Iterator[Recorded]:
        """Take the row given last off the front and see that it is still the same."""
        first = next(rows, None)
        if first is None or first.seq != self.last or (self._mark is not None and first != self._mark):
            raise RecordBroken("the change given last has gone")
        return rows
