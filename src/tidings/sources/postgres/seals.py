"""Whether all changes of the published tables were told since the log last knew. Decides; asks no server.

A seal is a text that stands for one table's publishing: `membership [+]leaf/file/links …`. The first word changes when
the table was taken out of the publication and put back, when the publication was altered, and when the table was made
anew or renamed. Of a partitioned table each leaf follows, with the number of its file and of the transactions that made
it and what is above it partitions; `+` says that it began as one, without rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from tidings.changes import Seals

LEAVES: Final = ""
"""What stands in place of a table's name before the leaves that were told and that no seal names yet."""


class Horizon(NamedTuple):
    """Transactions below `ended` have ended; those from `begun` on had not begun. Numbers of the server's own."""

    ended: int
    begun: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a look has found. seals: of the tables that are published whole. horizon: as it was afterwards.

    gone: of the leaves that were asked about, those that are no partitions any more. partitioned: the captured tables
    that have partitions.
    """

    seals: Seals
    horizon: Horizon
    gone: tuple[int, ...] = ()
    partitioned: tuple[str, ...] = ()


def is_unbroken(before: str | None, now: str) -> bool:
    """Whether all changes of a table were published from one seal to the next.

    All that there was must be there, and what is new must have begun without rows: partitions that were made as such.
    Postgres does not tell what attaching, detaching or dropping a partition, or truncating one alone, does to the rows.
    """
    was, there = set((before or "").replace("+", "").split()), now.split()
    kept = was <= {word.lstrip("+") for word in there}
    return kept and all(word.startswith("+") or word in was for word in there)


class Keeper:
    """Follows the seals of a source's tables, and says of which tables changes may not have been told.

    A broken seal is told at once, and a second time when the transactions that were open then have ended: what those
    wrote before the table was published anew is never sent, however late they commit. Until the second time the table
    has no seal in the log, so that a crash cannot keep it from being told.

    A leaf that is told before any seal names it is kept by its number. If it is gone at the next look, so are its rows,
    and whose it was is not known any more: all partitioned tables are told.
    """

    def __init__(self) -> None:
        self._known: Seals = {}
        # What the log has, or will have when it has all that was handed out.
        self._handed: Seals | None = None
        self._waiting: list[tuple[int, tuple[str, ...]]] = []
        self._leaves: set[int] = set()

    @property
    def known(self) -> Mapping[str, str]:
        """The seals that were compared last."""
        return self._known

    @property
    def leaves(self) -> frozenset[int]:
        """What to ask a look about: leaves that were told and that no seal names."""
        return frozenset(self._leaves)

    def go_on(self, kept: Seals | None) -> None:
        """Begin with what the log has. A table without a seal there is told, also if the log never had any."""
        self._handed = kept
        self._known = dict(kept or {})
        self._leaves = {int(oid) for oid in self._known.pop(LEAVES, "").split()}
        self._waiting.clear()

    def begin(self, seals: Seals, horizon: Horizon | None = None) -> Seals:
        """Begin with a gap of all. Returns the seals to keep with it.

        horizon: with a slot that was there before; transactions that were open then may have written what is never
        sent. A new slot waits for those by itself.
        """
        self._known, self._handed, self._leaves = dict(seals), None, set()
        self._waiting.clear()
        if horizon is not None and horizon.ended < horizon.begun:
            self._waiting.append((horizon.begun, tuple(seals)))
        return self._to_keep() or {}

    def note(self, leaves: Collection[int]) -> Seals | None:
        """Rows of these leaves are told. Returns the seals to keep in one step with that; None where all have one."""
        fresh = set(leaves) - self._leaves - _named(self._known.values())
        self._leaves |= fresh
        return self._to_keep() if fresh else None

    def compare(self, found: Found) -> tuple[tuple[str, ...], Seals | None]:
        """Take what was found. Returns the tables to tell of, and the seals to keep in one step with that; None while
        they are as they were."""
        broken = tuple(
            name for name, seal in found.seals.items() if not is_unbroken(self._known.get(name), seal)
        )
        if found.gone:
            broken = _each_once([broken, found.partitioned])
        self._known = dict(found.seals)
        self._leaves -= {*found.gone, *_named(found.seals.values())}
        ended, begun = found.horizon
        second = [names for until, names in self._waiting if until <= ended]
        self._waiting = [each for each in self._waiting if each[0] > ended]
        if broken and ended < begun:
            self._waiting.append((begun, broken))
        return _each_once([broken, *second]), self._to_keep()

    def _to_keep(self) -> Seals | None:
        waiting = set(_each_once(names for _, names in self._waiting))
        keep = {name: seal for name, seal in self._known.items() if name not in waiting}
        if self._leaves:
            keep[LEAVES] = " ".join(map(str, sorted(self._leaves)))
        if keep == self._handed:
            return None
        self._handed = keep
        return keep


def _named(seals: Iterable[str]) -> set[int]:
    """The leaves that stand in seals."""
    return {int(word.lstrip("+").split("/")[0]) for seal in seals for word in seal.split()[1:]}


def _each_once(groups: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for names in groups for name in names))
