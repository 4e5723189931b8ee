"""The dead-letter list: what could not be delivered, and what was lost, until somebody replays it. Pure and bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from tidings.ids import AppId
from tidings.node.webhooks.letters import Dead

MAX_DEAD: Final = 10_000
"""Dead letters of one app. Beyond it the oldest goes, and the loss is stated in the list itself."""

MAX_DEAD_BYTES: Final = 16 << 20
"""Bytes of their events, for the same reason."""

DISPLACED: Final = "the dead-letter list was full and its oldest entries made room"

Loss = tuple[AppId, str, str]
"""App, URL, reason."""


class Changes(msgspec.Struct):
    """What an operation put into the list and what it took out."""

    added: list[Dead]
    removed: list[Dead]


class _List:
    """One app's list, oldest first."""

    __slots__ = ("bytes", "entries")

    def __init__(self) -> None:
        self.entries: OrderedDict[str, Dead] = OrderedDict()
        self.bytes = 0

    def add(self, dead: Dead) -> None:
        self.entries[dead.id] = dead
        self.bytes += dead.size

    def remove(self, dead: Dead) -> None:
        del self.entries[dead.id]
        self.bytes -= dead.size


class DeadLetters:
    """The lists of all apps."""

    def __init__(self, *, max_dead: int = MAX_DEAD, max_bytes: int = MAX_DEAD_BYTES) -> None:
        self._apps: dict[AppId, _List] = {}
        self._losses: dict[Loss, Dead] = {}
        self._max = max_dead
        self._max_bytes = max_bytes

    def count(self, app: AppId) -> int:
        """Entries of an app."""
        held = self._apps.get(app)
        return len(held.entries) if held else 0

    def restore(self, dead: Iterable[Dead]) -> None:
        """Take over what was written down before the start."""
        for one in dead:
            self._apps.setdefault(one.app, _List()).add(one)
            if one.lost:
                self._losses[one.app, one.url, one.reason] = one

    def add(self, dead: Dead, *, number: int) -> Changes:
        """Note a letter that was given up. number: for the statement of a loss, should one be needed."""
        held = self._apps.setdefault(dead.app, _List())
        held.add(dead)
        changes = Changes([dead], [])
        while len(held.entries) > self._max or held.bytes > self._max_bytes:
            oldest = next((one for one in held.entries.values() if one.letter is not None), None)
            if oldest is None or oldest is dead:
                break
            held.remove(oldest)
            changes.removed.append(oldest)
        if changes.removed:
            stated = self.lose(dead.app, "", DISPLACED, count=len(changes.removed), number=number, at=dead.at)
            changes.added += stated.added
            changes.removed += stated.removed
        return changes

    def lose(self, app: AppId, url: str, reason: str, *, count: int, number: int, at: int) -> Changes:
        """State that events were lost. One entry for each URL and reason, whose count grows."""
        held = self._apps.setdefault(app, _List())
        before = self._losses.get((app, url, reason))
        lost = count + (before.lost if before else 0)
        if before is not None:
            number = before.number
            held.remove(before)
        stated = Dead(number=number, app=app, url=url, reason=reason, at=at, lost=lost)
        held.add(stated)
        self._losses[app, url, reason] = stated
        return Changes([stated], [])

    def page(self, app: AppId, *, after: str | None, limit: int) -> tuple[list[Dead], bool]:
        """Entries of an app, oldest first, behind the one with the id `after`; and whether there are more."""
        held = self._apps.get(app)
        entries = list(held.entries.values()) if held else []
        start = next((at for at, one in enumerate(entries, 1) if one.id == after), 0) if after else 0
        return entries[start : start + limit], len(entries) > start + limit

    def take(self, app: AppId, ids: Sequence[str] | None, *, limit: int) -> list[Dead]:
        """Take entries out, oldest first: those named, else up to `limit` that hold a letter.

        The statement of a loss goes only when it is named: it cannot be replayed, and must have been read.
        """
        held = self._apps.get(app)
        if held is None:
            return []
        if ids is None:
            found = [one for one in held.entries.values() if one.letter is not None]
        else:
            wanted = set(ids)
            found = [one for one in held.entries.values() if one.id in wanted]
        for one in found[:limit]:
            held.remove(one)
            if one.lost:
                self._losses.pop((app, one.url, one.reason), None)
        return found[:limit]


def row_of(dead: Dead) -> dict[str, Any]:
    """An entry as JSON shows it."""
    row: dict[str, Any] = {
        "id": dead.id,
        "url": dead.url or None,
        "reason": dead.reason,
        "tries": dead.tries,
        "time_ms": dead.at,
    }
    if dead.letter is not None:
        row["event"] = msgspec.Raw(dead.letter.event)
    if dead.lost:
        row["lost"] = dead.lost
    return row
