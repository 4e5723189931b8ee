"""Whether all changes of the published tables were told since the log last knew. Decides; asks no server.

A seal is a text that stands for one table's publishing: `membership [+]leaf/file/links …`. The first word changes when
the table was taken out of the publication and put back, when the publication was altered, and when the table was made
anew or renamed. Of a partitioned table each leaf follows, with the number of its file and of the transactions that made
it and what is above it partitions; `+` says that it began as one, without rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import msgspec

from tidings.changes import Seals

LEAVES: Final = ""
"""What stands in place of a table's name before the leaves that were told and that no seal names yet, as JSON."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[int, str]).decode


class Horizon(NamedTuple):
    """Transactions below `ended` have ended. `begun`: one above the newest that has ended; of those from there on that
    are open already nothing is said, so let one end first."""

    ended: int
    begun: int


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a look has found. seals: of the tables that are published whole. horizon: as it was afterwards.

    gone: of the leaves that were asked about, those that are no partitions any more.
    """

    seals: Seals
    horizon: Horizon
    gone: frozenset[int] = frozenset()


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from a look. missed: tables of which changes may not have been told. seals: to be kept from then on;
    None while they are as they were. gone: leaves that need not be kept any more."""

    missed: tuple[str, ...] = ()
    seals: Seals | None = None
    gone: frozenset[int] = frozenset()


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

    A leaf whose rows are told before a seal in the log names it is kept by its number, from that commit on. If it is
    gone at a later look, so are its rows, and its table is told.
    """

    def __init__(self) -> None:
        self._known: Seals = {}
        self._queued: Seals | None = None  # what the log will have when it has all news that were made
        self._told: Seals = {}  # what it has when it has all that was handed out
        self._waiting: list[tuple[int, tuple[str, ...]]] = []
        self._leaves: dict[int, str] = {}
        self._reported: set[int] = set()  # leaves that are gone, and whose news wait

    @property
    def known(self) -> Mapping[str, str]:
        """The seals that were compared last."""
        return self._known

    @property
    def leaves(self) -> frozenset[int]:
        """What to ask a look about: leaves that were told and that no seal in the log names."""
        return frozenset(self._leaves.keys() - self._reported)

    @property
    def waiting(self) -> bool:
        """Whether a table is to be told a second time."""
        return bool(self._waiting)

    def go_on(self, kept: Seals | None) -> None:
        """Begin with what the log has. A table without a seal there is told, also if the log never had any."""
        self._set({name: seal for name, seal in (kept or {}).items() if name != LEAVES})
        self._queued = None if kept is None else self._told
        self._leaves = _decode(kept[LEAVES]) if kept is not None and LEAVES in kept else {}

    def begin(self, seals: Seals, horizon: Horizon | None = None) -> Seals:
        """Begin with a gap of all. Returns the seals to keep with it.

        horizon: with a slot that was there before; transactions that were open then may have written what is never
        sent. A new slot waits for those by itself.
        """
        self._set(seals)
        if horizon is not None and horizon.ended < horizon.begun:
            self._waiting.append((horizon.begun, tuple(seals)))
        self._queued = self._told = self._settled()
        return self._told

    def note(self, leaves: Mapping[int, str]) -> Seals | None:
        """Rows of these leaves (number to table) are told. Returns the seals to keep in one step with that; None where
        each leaf is kept already, or named. They are no newer than what was handed out."""
        fresh = leaves.keys() - self._leaves.keys() - _named(self._told.values())
        if not fresh:
            return None
        self._leaves |= {oid: leaves[oid] for oid in fresh}
        return self._with_leaves()

    def compare(self, found: Found) -> News:
        """Take what was found."""
        broken = [name for name, seal in found.seals.items() if not is_unbroken(self._known.get(name), seal)]
        gone = found.gone & self.leaves
        broken = _each_once([broken, (self._leaves[oid] for oid in sorted(gone))])
        self._known, self._reported = dict(found.seals), self._reported | gone
        ended, begun = found.horizon
        second = [names for until, names in self._waiting if until <= ended]
        self._waiting = [each for each in self._waiting if each[0] > ended]
        if broken and ended < begun:
            self._waiting.append((begun, tuple(broken)))
        seals = self._settled()
        if seals == self._queued and not gone:
            return News(missed=tuple(_each_once([broken, *second])))
        self._queued = seals
        return News(missed=tuple(_each_once([broken, *second])), seals=seals, gone=gone)

    def hand_out(self, news: News) -> Seals | None:
        """News are told now, in the order in which they were made. Returns the seals to keep in one step with that."""
        if news.seals is None:
            return None
        self._told = news.seals
        done = news.gone | _named(news.seals.values())
        self._leaves = {oid: table for oid, table in self._leaves.items() if oid not in done}
        self._reported -= done
        return self._with_leaves()

    def _set(self, seals: Seals) -> None:
        self._known, self._told = dict(seals), dict(seals)
        self._waiting, self._leaves, self._reported = [], {}, set()

    def _settled(self) -> Seals:
        waiting = {name for _, names in self._waiting for name in names}
        return {name: seal for name, seal in self._known.items() if name not in waiting}

    def _with_leaves(self) -> Seals:
        return {**self._told, LEAVES: _encode(self._leaves).decode()} if self._leaves else self._told


def _named(seals: Iterable[str]) -> set[int]:
    """The leaves that stand in seals."""
    return {int(word.lstrip("+").split("/")[0]) for seal in seals for word in seal.split()[1:]}


def _each_once(groups: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in groups for name in names))
