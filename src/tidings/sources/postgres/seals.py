"""Whether all changes of the published tables were told since the log last knew. Decides; asks no server.

A seal is a text that stands for one table's publishing: `membership [+]leaf/file/links …`. The first word changes when
the table was taken out of the publication and put back, when the publication was altered, and when the table was made
anew or renamed. Of a partitioned table each leaf follows, with the number of its file and of the transactions that made
it and what is above it partitions; `+` says that it began as one, without rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from tidings.changes import Seals


class Horizon(NamedTuple):
    """Transactions below `ended` have ended; those from `begun` on had not begun. Numbers of the server's own."""

    ended: int
    begun: int


def is_unbroken(before: str | None, now: str) -> bool:
    """Whether all changes of a table were published from one seal to the next.

    All that there was must be there, and what is new must have begun without rows: partitions that were made as such.
    Postgres does not tell what attaching, detaching or dropping a partition, or truncating one alone, does to the rows.
    """
    was, there = set((before or "").replace("+", "").split()), now.split()
    kept = was <= {word.lstrip("+") for word in there}
    return kept and all(word.startswith("+") or word in was for word in there)


class Keeper:
    """Follows the seals of a source's tables, and says which tables are to be told as having missed something.

    A broken seal is told at once, and a second time when the transactions that were open then have ended: what those
    wrote before the table was published anew is never sent, however late they commit. Until the second time the table
    has no seal in the log, so that a crash cannot keep it from being told.
    """

    def __init__(self) -> None:
        self._known: Seals = {}
        self._handed: Seals | None = (
            None  # what the log has, or will have when it has all that was handed out
        )
        self._waiting: list[tuple[int, tuple[str, ...]]] = []

    def go_on(self, kept: Seals | None) -> None:
        """Begin with what the log has. A table without a seal there is told, also if the log never had any."""
        self._known, self._handed = dict(kept or {}), kept
        self._waiting.clear()

    def begin(self, found: Seals) -> Seals:
        """Begin with tables of which nothing can have been missed since. Returns the seals to keep with that."""
        self._known, self._handed = dict(found), dict(found)
        self._waiting.clear()
        return self._handed

    def broken(self, found: Seals) -> tuple[str, ...]:
        """The tables whose changes were not all published since they were last compared."""
        return tuple(name for name, seal in found.items() if not is_unbroken(self._known.get(name), seal))

    def compare(self, found: Seals, horizon: Horizon) -> tuple[tuple[str, ...], Seals | None]:
        """Take what was found. horizon: as it was afterwards.

        Returns the tables to tell of, and the seals to keep in one step with that; None while they are as they were.
        """
        broken, self._known = self.broken(found), dict(found)
        second = [names for begun, names in self._waiting if begun <= horizon.ended]
        self._waiting = [each for each in self._waiting if each[0] > horizon.ended]
        if broken and horizon.ended < horizon.begun:
            self._waiting.append((horizon.begun, broken))
        told = _each_once([broken, *second])
        waiting = set(_each_once([names for _, names in self._waiting]))
        keep = {name: seal for name, seal in found.items() if name not in waiting}
        if keep == self._handed:
            return told, None
        self._handed = keep
        return told, keep


def _each_once(groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in groups for name in names))
