"""How a Postgres source is, from what was seen of it. Decides; asks nobody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from tidings.sources.base import SourceHealth

if TYPE_CHECKING:
    from tidings.sources.postgres.desk import Look

PATIENCE = 3.0
"""Seconds without a stream before it is a fault: a restart of the server takes about one."""

LOOK_PATIENCE = 30.0
"""Seconds without a look at slot and publication, which comes every five: until then a gap there is not seen."""

FLAPS = 3
"""Streams in a row that end before `PATIENCE` is over."""


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Beyond these a source is not well, and the node not ready.

    behind: bytes of the server's log that it has written and we have not published.
    retained: bytes that the server keeps for us: its disk is finite.
    safe: bytes that may still be written before the server takes the slot away (max_slot_wal_keep_size).
    """

    behind: int = 256 << 20
    retained: int = 4 << 30
    safe: int = 64 << 20


class Vitals:
    """What was seen last. Times are of the source's own clock, but for `last_commit`."""

    def __init__(self, since: float) -> None:
        self.trouble = "the stream has not begun"
        self.standby = False
        self.published = 0
        self.heard_at = since
        self.last_commit: int | None = None
        self.look: Look | None = None
        self.unseen = ""  # why the last looks have failed
        self._seen_at = since
        self._written = 0
        self._following = False
        self._connected_at = -math.inf
        self._losses = 0
        self._since = -math.inf  # before the first stream there is nothing to be patient about

    def connected(self, now: float, position: int) -> None:
        """The stream has begun."""
        self._following, self.standby = True, False
        self._connected_at = now
        self.heard_at = now
        self.published = self._written = position  # of this server: another one's positions mean nothing here

    def lost(self, now: float) -> None:
        """The stream has ended. One that did not last belongs to the trouble before it."""
        if not self._following:
            return
        self._following = False
        if self.lasted(now) or not self._losses:
            self._losses, self._since = 0, now
            self.trouble = "the stream ended"
        self._losses += 1

    def lasted(self, now: float) -> bool:
        """Whether the stream has held for as long as is patience for one that has not."""
        return now - self._connected_at >= PATIENCE

    def flapping(self, now: float) -> bool:
        """Whether streams begin and end again and again: then one that has just begun proves nothing."""
        return self._losses >= FLAPS and not self.lasted(now)

    def heard(self, now: float, written: int) -> None:
        """The server said something, and how far its log reaches."""
        self.heard_at = now
        self._written = max(self._written, written)

    def note(self, look: Look, now: float) -> None:
        """The slot was looked at."""
        self.look, self.unseen, self._seen_at = look, "", now
        self._written = max(self._written, look.written)

    @property
    def following(self) -> bool:
        return self._following

    def blind(self, now: float) -> bool:
        """Whether slot and publication were not seen for too long; not while the stream itself has just begun."""
        return now - max(self._seen_at, self._connected_at) > LOOK_PATIENCE

    @property
    def since(self) -> float:
        """When the stream was lost."""
        return self._since

    @property
    def behind(self) -> int:
        return max(0, self._written - self.published)

    @property
    def retained(self) -> int | None:
        look = self.look
        return None if look is None or look.kept_from is None else max(0, self._written - look.kept_from)


def judge(vitals: Vitals, bounds: Bounds, now: float, absent: Sequence[str]) -> SourceHealth:
    """Whether it follows within bounds; if not, what is wrong and what to do."""
    fault = "" if vitals.standby else _fault(vitals, bounds, now, absent)
    detail = fault
    if vitals.standby:
        detail = "another process reads this slot; this one takes over when it ends"
    return SourceHealth(
        ok=not fault,
        detail=detail,
        behind=vitals.behind,
        retained=vitals.retained,
        last_commit=vitals.last_commit,
    )


def _fault(vitals: Vitals, bounds: Bounds, now: float, absent: Sequence[str]) -> str:
    if not vitals.following or vitals.flapping(now):
        return vitals.trouble if now - vitals.since > PATIENCE else ""
    if vitals.blind(now):
        return f"slot and publication cannot be looked at: {vitals.unseen or 'the database does not answer'}"
    if absent:
        return f"gone, or not published, so not captured: {', '.join(absent)}"
    if vitals.behind > bounds.behind:
        return f"{vitals.behind} bytes of the database's log are not published yet (bound {bounds.behind})"
    look, retained = vitals.look, vitals.retained
    if look is not None and look.safe is not None and look.safe < bounds.safe:
        return (
            f"the server takes the slot away after {max(0, look.safe)} more bytes of log; raise"
            " max_slot_wal_keep_size, or find out what holds this reader up"
        )
    if retained is not None and retained > bounds.retained:
        return (
            f"the server keeps {retained} bytes of its log for this slot (bound {bounds.retained});"
            " a long transaction may hold it: see pg_stat_activity"
        )
    return ""
