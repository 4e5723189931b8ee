"""What the writer remembers of apps and channels between commits, so that a publish reads nothing. Fills itself from
the file; after a rollback it is thrown away whole, because it may run ahead of the file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

import apsw
import msgspec

from tidings.changes import Progress
from tidings.engines.base import OptionsOf
from tidings.engines.pages import Gap
from tidings.engines.retention import SLACK_SHARE, Mark, due, is_over
from tidings.engines.sqlite.rows import READ_PROGRESS, to_progress
from tidings.hub.channel import ChannelOptions
from tidings.ids import AppId, ChannelName

CHANNELS_CACHED = 50_000
"""Channels remembered by the writer, about 1 kB each. One that is not costs two look-ups in the file."""


class AppRow(msgspec.Struct, eq=False):
    """An app's row. last: its newest offset. floor: the newest one of any channel that was forgotten. progress: by
    source."""

    id: int
    name: AppId
    last: int
    floor: int
    gaps: list[Gap]
    progress: dict[str, Progress] = {}


class ChannelRow(msgspec.Struct, eq=False):
    """A channel's row, and how far its messages have come.

    last, number, size: as in `retention.Mark`, of the newest message. due: as in the file; 0 stands for NULL.
    """

    id: int
    app: AppRow
    name: ChannelName
    options: ChannelOptions
    floor: Mark
    last: int
    number: int
    size: int
    due: int

    @property
    def newest(self) -> Mark:
        return Mark(self.last, self.number, self.size)

    @property
    def is_over(self) -> bool:
        """True when the channel holds so much more than it may that trimming is worth while."""
        return is_over(self.newest, self.floor, self.options.history, slack=SLACK_SHARE)


class Ledger:
    """The cache of rows, bounded by `trim`. Only the writer's thread may touch it."""

    def __init__(self, connection: apsw.Connection, options: OptionsOf) -> None:
        self._connection = connection
        self._options = options
        self._apps: dict[AppId, AppRow] = {}
        self._channels: OrderedDict[tuple[int, ChannelName], ChannelRow] = OrderedDict()

    def app(self, name: AppId) -> AppRow:
        """The app's row, made when there is none."""
        row = self._apps.get(name)
        if row is None:
            row = self._apps[name] = self._load_app(name)
        return row

    def channel(self, app: AppRow, name: ChannelName, now: int) -> ChannelRow:
        """The channel's row, made when there is none. now: milliseconds."""
        row = self._channels.get((app.id, name))
        if row is None:
            row = self._channels[(app.id, name)] = self._load_channel(app, name, now)
        return row

    def forget(self, row: ChannelRow) -> None:
        """Take note that a channel is gone from the file; from here on the app's floor stands for its own."""
        row.app.floor = max(row.app.floor, row.last)
        self._channels.pop((row.app.id, row.name), None)

    def clear(self) -> None:
        """Forget all: what is here may not be in the file."""
        self._apps.clear()
        self._channels.clear()

    def trim(self, used: Iterable[ChannelRow]) -> None:
        """Keep what was used longest ago from filling the memory. Call between transactions only."""
        if len(self._channels) > CHANNELS_CACHED // 2:
            for row in used:
                self._channels.move_to_end((row.app.id, row.name))
        while len(self._channels) > CHANNELS_CACHED:
            self._channels.popitem(last=False)

    def _load_app(self, name: AppId) -> AppRow:
        find = "SELECT id, last, floor FROM apps WHERE name = ?"
        found = self._connection.execute(find, (name,)).get
        if found is None:
            made = "INSERT INTO apps (name, last, floor, serial) VALUES (?, 0, 0, 0) RETURNING id"
            return AppRow(self._connection.execute(made, (name,)).get, name, 0, 0, [])
        gaps = self._connection.execute(
            "SELECT offset, pattern, reason FROM gaps WHERE app = ? ORDER BY offset", (found[0],)
        )
        rows = self._connection.execute(f"{READ_PROGRESS} WHERE app = ?", (found[0],))
        progress = {kept.source: kept for kept in map(to_progress, rows)}
        return AppRow(found[0], name, found[1], found[2], [Gap(*row) for row in gaps], progress)

    def _load_channel(self, app: AppRow, name: ChannelName, now: int) -> ChannelRow:
        options = self._options(app.name, name)
        find = "SELECT id, floor, number, size, due FROM channels WHERE app = ? AND name = ?"
        found = self._connection.execute(find, (app.id, name)).get
        if found is None:
            return self._make_channel(app, name, options, now)
        floor = Mark(*found[1:4])
        last = self._connection.execute(
            "SELECT offset, number, size FROM messages WHERE channel = ? ORDER BY offset DESC LIMIT 1",
            (found[0],),
        ).get
        # The row kept of a latest-value channel may itself lie at the floor.
        newest = floor if last is None else Mark(*last)
        return ChannelRow(
            found[0], app, name, options, floor, newest.offset, newest.number, newest.size, found[4] or 0
        )

    def _make_channel(self, app: AppRow, name: ChannelName, options: ChannelOptions, now: int) -> ChannelRow:
        # It may be one that was forgotten: then its last message lies at or below the app's floor.
        floor, until = Mark(app.floor, 0, 0), due(now, options.history)
        made = "INSERT INTO channels (app, name, floor, number, size, due) VALUES (?, ?, ?, 0, 0, ?) RETURNING id"
        number = self._connection.execute(made, (app.id, name, floor.offset, until)).get
        return ChannelRow(number, app, name, options, floor, floor.offset, 0, 0, until)
