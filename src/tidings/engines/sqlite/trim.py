"""What leaves the log: messages by retention, receipts, held cursors and forgotten channels by age and count.

Works in slices, inside transactions that somebody else begins; what is left over is done next time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import apsw

from tidings.engines.base import KEY_WINDOW
from tidings.engines.retention import Mark, due, raise_floor
from tidings.engines.sqlite.ledger import ChannelRow, Ledger
from tidings.ids import AppId, ChannelName

SLICE_ROWS = 1_000
"""Messages of one channel, or receipts, dropped in one go: a few milliseconds, so that no publish waits long."""

SWEEP_CHANNELS = 64
"""Channels that one sweep trims by age."""

PAUSE_SECONDS = 60.0
"""Between two looks at the age of one channel's messages: they may stay so much longer."""

PAUSE_SHARE = 64
"""The same for short ages, as one part in so many of the age."""

RECEIPTS_MAX = 10_000_000
"""Receipts kept, about 100 bytes each. Beyond, the oldest go before `KEY_WINDOW` is over."""

HELD_MAX = 100_000
"""Cursors kept for clients. Beyond, those that were silent longest start without history."""

HELD_SECONDS = 30 * 24 * 3600.0
"""Much longer than messages are kept by default, so that a client who returns late is told `reset` and not taken for a
stranger."""

CHANNELS_MAX = 1_000_000
"""Channels without messages that stay known with their floor. An older one is forgotten: the app's floor covers it."""

_ABOVE = (
    "SELECT offset, number, size, at FROM messages WHERE channel = ? AND offset > ? ORDER BY offset LIMIT ?"
)
_OLDEST = "SELECT at FROM messages WHERE channel = ? AND offset > ? ORDER BY offset LIMIT 1"
_DROP = "DELETE FROM messages WHERE channel = ? AND offset <= ?"
_UPDATE = "UPDATE channels SET floor = ?, number = ?, size = ?, due = ? WHERE id = ?"
_DUE = (
    "SELECT a.name, c.name FROM channels c JOIN apps a ON a.id = c.app"
    " WHERE c.due <= ? ORDER BY c.due LIMIT ?"
)
_STALE_RECEIPTS = "SELECT id FROM (SELECT id, at FROM receipts ORDER BY id LIMIT ?) WHERE id <= ? OR at <= ?"
_FORGETTABLE = (
    "SELECT a.name, c.name FROM channels c JOIN apps a ON a.id = c.app"
    " WHERE c.id <= (SELECT max(id) FROM channels) - ? AND c.due IS NULL LIMIT ?"
)


class Trimmer:
    """Drops what retention no longer allows. Only the writer's thread may call it."""

    def __init__(self, connection: apsw.Connection, ledger: Ledger) -> None:
        self._connection = connection
        self._ledger = ledger
        self._changed: set[ChannelRow] = set()
        self._behind: set[tuple[AppId, ChannelName]] = set()  # names: rows may leave the ledger meanwhile

    def note(self, channel: ChannelRow) -> None:
        """Remember that a channel's row must be written."""
        self._changed.add(channel)

    def forget(self) -> None:
        """After a rollback: what was noted belongs to rows that are gone."""
        self._changed.clear()
        self._behind.clear()

    def trim(self, used: Collection[ChannelRow], now: int) -> None:
        """Drop what has become too many or too large in the channels just used, a slice each; write changed rows."""
        for channel in used:
            if channel.is_over:
                self._trim(channel, now)
        if self._changed:
            self._connection.executemany(
                _UPDATE, [(*row.floor[:3], row.due or None, row.id) for row in self._changed]
            )
            self._changed.clear()

    def has_work(self, now: int) -> bool:
        """True when `sweep` would find something. Reads only."""
        return bool(self._behind) or any(
            self._connection.execute(f"SELECT EXISTS ({query})", values).get
            for query, values in (
                (_DUE, (now, 1)),
                (_STALE_RECEIPTS, (1, *self._stale(now))),
                ("SELECT 1 FROM held WHERE at <= ?", (now - HELD_SECONDS * 1000,)),
                ("SELECT 1 FROM held LIMIT 1 OFFSET ?", (HELD_MAX,)),
                (_FORGETTABLE, (CHANNELS_MAX, 1)),
            )
        )

    def sweep(self, now: int) -> None:
        """Drop one slice of everything that is over its age or number."""
        for channel in self._named({*self._names(_DUE, (now, SWEEP_CHANNELS)), *self._behind}):
            self._behind.discard((channel.app.name, channel.name))
            self._trim(channel, now)
        self.trim((), now)
        self._forget_channels()
        run = self._connection.execute
        run(f"DELETE FROM receipts WHERE id IN ({_STALE_RECEIPTS})", (SLICE_ROWS, *self._stale(now)))
        run("DELETE FROM held WHERE at <= ?", (now - HELD_SECONDS * 1000,))
        run(
            "DELETE FROM held WHERE (app, client) IN"
            " (SELECT app, client FROM held ORDER BY at DESC LIMIT ? OFFSET ?)",
            (SLICE_ROWS, HELD_MAX),
        )

    # ── inside

    def _trim(self, channel: ChannelRow, now: int) -> None:
        keep = channel.options.history
        above: Any = self._connection.execute(_ABOVE, (channel.id, channel.floor.offset, SLICE_ROWS))
        floor = raise_floor(map(Mark._make, above), channel.floor, channel.newest, keep, now)
        if floor is not channel.floor:
            channel.floor = floor
            self._drop(channel)
        oldest = self._connection.execute(_OLDEST, (channel.id, floor.offset)).get
        until = 0 if oldest is None else due(oldest, keep)
        if channel.is_over or 0 < until <= now:
            self._behind.add((channel.app.name, channel.name))
        # Not at once when the next message is due: a busy channel has one due at every moment.
        channel.due = until and max(until, now + int(min(keep.age / PAUSE_SHARE, PAUSE_SECONDS) * 1000))
        self._changed.add(channel)

    def _drop(self, channel: ChannelRow) -> None:
        upto = channel.floor.offset
        if channel.options.cache and upto == channel.last:
            upto -= 1  # the latest value stays, below the floor, where `read` does not find it
        self._connection.execute(_DROP, (channel.id, upto))

    def _forget_channels(self) -> None:
        for channel in self._named(self._names(_FORGETTABLE, (CHANNELS_MAX, SLICE_ROWS))):
            self._forget(channel)

    def _names(self, query: str, values: tuple[int, int]) -> Sequence[tuple[AppId, ChannelName]]:
        found: list[Any] = self._connection.execute(query, values).fetchall()
        return found

    def _named(self, names: Iterable[tuple[AppId, ChannelName]]) -> list[ChannelRow]:
        return [self._ledger.channel(self._ledger.app(app), name, 0) for app, name in names]

    def _forget(self, channel: ChannelRow) -> None:
        run = self._connection.execute
        run("DELETE FROM messages WHERE channel = ?", (channel.id,))
        run("DELETE FROM channels WHERE id = ?", (channel.id,))
        run("UPDATE apps SET floor = max(floor, ?) WHERE id = ?", (channel.last, channel.app.id))
        self._ledger.forget(channel)

    def _stale(self, now: int) -> tuple[int, int]:
        newest = self._connection.execute("SELECT coalesce(max(id), 0) FROM receipts").get
        return newest - RECEIPTS_MAX, int(now - KEY_WINDOW * 1000)
