"""Which recorded rows are told together, so that a repeat after a crash is cut at the same places. Pure.

SQLite does not say which rows were one commit. Rows that are read together are told together: what one look at the
table shows are whole commits. But after a crash another look may show more, and a transaction with the same start and
another end would be published a second time. So the end of every group of several rows is written down before it is
told. A single row needs no note, as long as there are at most `SINGLES` of them beyond the last note: that many rows
are told one by one after a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

SINGLES: Final = 64
"""Rows told one by one beyond what is written down. More would make a restart slow, fewer would make more notes."""


class Group(NamedTuple):
    """Rows `first` to `last` are told together, in pages. `note` when that must be written down first.

    single: only the row `first` is told, with what `rows.page` does not part from it.
    """

    first: int
    last: int
    note: bool = False
    single: bool = False


class Grouping:
    """The groups of one reader. All numbers are `seq` of the change table.

    acknowledged: written down as published. reads: the noted groups. top: newest row when the reader began.
    """

    def __init__(self, acknowledged: int, reads: Sequence[tuple[int, int]], top: int) -> None:
        self._reads = sorted(reads)
        self._mark = max([acknowledged, *(last for _, last in reads)])
        self._perhaps_told = min(self._mark + SINGLES, top)

    def next(self, first: int, top: int) -> Group:
        """The group that begins with row `first`, when `top` is the newest row."""
        for start, last in self._reads:
            if start <= first <= last:
                return Group(first, last)
        if first <= max(self._mark, self._perhaps_told) or (first == top and self.may_be_single(first)):
            return Group(first, top, single=True)
        return Group(first, top, note=True)

    def may_be_single(self, seq: int) -> bool:
        """True while a row may be told alone without a note."""
        return seq <= self._mark + SINGLES

    def noted(self, group: Group) -> None:
        """The group has been written down."""
        self._reads.append((group.first, group.last))
        self._mark = max(self._mark, group.last)

    def acknowledged(self, seq: int) -> None:
        """It has been written down that all up to here is published."""
        self._mark = max(self._mark, seq)
        self._reads = [(first, last) for first, last in self._reads if last > seq]
