"""One transaction of the writer: items are numbered and gathered, then written with few statements. It neither begins
nor commits, and tells nobody: whoever calls it does.
"""

from __future__ import annotations

import apsw
import msgspec
from msgspec.structs import replace

from tidings.changes import Progress, Seals
from tidings.engines.base import DeclaredGap, Held, Published
from tidings.engines.pages import Gap, add_gap
from tidings.engines.receipts import Receipt, digest, is_covered
from tidings.engines.retention import due
from tidings.engines.sqlite.items import Answer, Append, Cursors, Declare, Group, Item
from tidings.engines.sqlite.ledger import AppRow, ChannelRow, Ledger
from tidings.engines.sqlite.rows import COLUMNS, Row, extra_of
from tidings.engines.sqlite.trim import Trimmer
from tidings.errors import Refusal
from tidings.messages import Message, Position

_INSERT = f"INSERT OR FAIL INTO messages ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_INSERT_RECEIPT = "INSERT INTO receipts (app, key, digest, first, count, at) VALUES (?, ?, ?, ?, ?, ?)"
_FIND_RECEIPT = "SELECT digest, first, count FROM receipts WHERE app = ? AND key = ?"
_UPDATE_APP = "UPDATE apps SET last = ?, serial = ? WHERE id = ?"
_KEEP_PROGRESS = (
    "INSERT OR REPLACE INTO progress (app, source, generation, value, part) VALUES (?, ?, ?, ?, ?)"
)
_KEEP_SEALS = "INSERT OR REPLACE INTO seals (app, source, seals) VALUES (?, ?, ?)"
_HOLD = (
    "INSERT OR REPLACE INTO held (app, client, epoch, connections, channels, at) VALUES (?, ?, ?, ?, ?, ?)"
)


class Transaction:
    """What happens between BEGIN and COMMIT for a group of items. now: milliseconds."""

    def __init__(
        self, connection: apsw.Connection, ledger: Ledger, trimmer: Trimmer, epoch: str, serial: int, now: int
    ) -> None:
        self.group = Group()
        self.used: set[ChannelRow] = set()
        self._connection = connection
        self._ledger = ledger
        self._trimmer = trimmer
        self._epoch = epoch
        self._serial = serial
        self._now = now
        self._rows: list[Row] = []
        self._receipts: dict[tuple[int, str], Receipt] = {}
        self._apps: dict[int, AppRow] = {}
        self._progress: dict[tuple[int, str], Progress] = {}
        self._seals: dict[tuple[int, str], Seals] = {}

    def add(self, item: Item) -> None:
        """Number an item and gather what it writes, or refuse it."""
        try:
            answer: Answer = self._append(item) if isinstance(item, Append) else self._declare(item)
        except Refusal as refusal:
            answer = refusal
        self.group.answers.append((item, answer))

    def hold(self, cursors: Cursors) -> None:
        """Write held cursors."""
        self.group.cursors.append(cursors)
        self._connection.executemany(
            _HOLD, [(*who, *_held_columns(held), self._now) for who, held in cursors.items()]
        )

    def write(self) -> None:
        """Write what was gathered, then drop what has become too much."""
        run = self._connection.executemany
        if self._rows:
            run(_INSERT, self._rows)
        if self._receipts:
            run(
                _INSERT_RECEIPT,
                [(*who, r.digest, r.first, r.count, self._now) for who, r in self._receipts.items()],
            )
        if self._progress:
            run(
                _KEEP_PROGRESS,
                [
                    (*who, p.generation, p.checkpoint.value, p.checkpoint.part)
                    for who, p in self._progress.items()
                ],
            )
        if self._seals:
            run(_KEEP_SEALS, [(*who, msgspec.json.encode(seals)) for who, seals in self._seals.items()])
        if self._apps:
            run(_UPDATE_APP, [(app.last, self._serial, app.id) for app in self._apps.values()])
        self._trimmer.trim(self.used, self._now)

    # ── inside

    def _append(self, item: Append) -> Published:
        app = self._ledger.app(item.app)
        receipt = None
        if item.key is not None:
            content = digest(item.messages)
            known = self._find(app, item.key)
            if known is not None:
                return known.answer(content, self._epoch)
            receipt = Receipt(content, app.last + 1, len(item.messages))
            self._receipts[(app.id, item.key)] = receipt
        if item.progress is not None:
            last = app.progress.get(item.progress.source)
            if is_covered(item.progress, last):
                return Published((), repeated=True)
            who = (app.id, item.progress.source)
            self._progress[who] = app.progress[item.progress.source] = item.progress.upon(last)
            if item.progress.seals is not None:
                self._seals[who] = item.progress.seals
        if not item.messages:
            return Published(())
        told = self._told(app)
        positions = []
        for message in item.messages:
            stored = self._number(app, message)
            told.append(stored)
            positions.append(stored.position)
        return Published(tuple(positions))  # type: ignore[arg-type]  # the engine gave each its position

    def _number(self, app: AppRow, message: Message) -> Message:
        channel = self._ledger.channel(app, message.channel, self._now)
        offset = app.last = app.last + 1
        previous = channel.last or None
        if channel.due == 0:
            channel.due = due(self._now, channel.options.history)
            self._trimmer.note(channel)
        channel.last = offset
        number = channel.number = channel.number + 1
        size = channel.size = channel.size + len(message.data)
        self.used.add(channel)
        m = message
        extra = extra_of(m)
        row = (channel.id, offset, previous, number, size, self._now, m.id, m.event, m.time, extra, m.data)
        self._rows.append(row)
        return replace(m, position=Position(self._epoch, offset), previous=previous)

    def _declare(self, item: Declare) -> Position:
        app = self._ledger.app(item.app)
        app.last += 1
        position = Position(self._epoch, app.last)
        app.gaps = add_gap(app.gaps, Gap(app.last, item.pattern, item.reason))
        self._connection.execute("DELETE FROM gaps WHERE app = ?", (app.id,))
        self._connection.executemany(
            "INSERT INTO gaps (app, offset, pattern, reason) VALUES (?, ?, ?, ?)",
            [(app.id, gap.offset, gap.pattern, gap.reason) for gap in app.gaps],
        )
        told = DeclaredGap(pattern=item.pattern, reason=item.reason, position=position)
        self._told(app).append(told)
        return position

    def _find(self, app: AppRow, key: str) -> Receipt | None:
        fresh = self._receipts.get((app.id, key))
        if fresh is not None:
            return fresh
        found = self._connection.execute(_FIND_RECEIPT, (app.id, key)).get
        return None if found is None else Receipt(*found)

    def _told(self, app: AppRow) -> list[Message | DeclaredGap]:
        self._apps[app.id] = app
        told = self.group.told.get(app.name)
        if told is None:
            told = self.group.told[app.name] = []
        return told


def _held_columns(held: Held) -> tuple[str, int, bytes]:
    return held.epoch, held.connections, msgspec.json.encode(held.channels)
