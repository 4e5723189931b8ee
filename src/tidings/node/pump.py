"""From a change source into the log: route, append, acknowledge, for as long as the node runs. Holds no rule.

A transaction is acknowledged only after its messages are in the log. How far the source has come is kept in the log in
one step with them, so a crash repeats nothing and loses nothing, however long it lasts. Commits that wait together are
appended together.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec

from tidings.changes import Checkpoint, Gap, Progress
from tidings.engines.base import Broker, Published
from tidings.errors import EngineUnavailable, Refusal, SourceError
from tidings.ids import AppId
from tidings.messages import Message
from tidings.node.ahead import Ahead, Read
from tidings.node.landmarks import Landmarks
from tidings.node.metrics import Metrics
from tidings.sources.base import ChangeSource
from tidings.sources.router import ChangeRouter, Routed

log = logging.getLogger(__name__)

T = TypeVar("T")

CHUNK: Final = 500
"""Messages appended in one step at most, so that a huge transaction never holds the log or the loop. Not less than the
changes of a page of any source: where a change is one message, pages, and so small commits, stay whole."""

TOGETHER: Final = 250
"""Messages up to which transactions that wait are appended together. A publish beside a bulk load waits for the step
before its own, and with two pages of Postgres in one the load is no faster."""

SLICE_SECONDS: Final = 0.004
"""How long commits are routed before what there is is appended, and others have their turn of the loop."""

RETRY_SECONDS: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Waits between tries while the log or the database cannot be used; the last one repeats. Nothing is given up."""


class Pump:
    """Moves one source's changes into one app's log."""

    def __init__(
        self, app: AppId, source: ChangeSource, router: ChangeRouter, broker: Broker, metrics: Metrics
    ) -> None:
        self.app = app
        self.source = source
        self.router = router
        self.landmarks = Landmarks()
        self._broker = broker
        self._metrics = metrics
        self._kept: Progress | None = None  # what the log has, as far as this node knows
        self.fault = ""  # what keeps it from moving on, for /readyz

    async def open(self) -> None:
        """Open the source where the log says that it was. Raises SourceError, EngineUnavailable."""
        self._kept = await self._progress()
        await self.source.open(self._progress)
        self.landmarks.begin(self.source.generation, self._broker.head(self.app), self._kept)

    async def _progress(self) -> Progress | None:
        self._kept = await self._broker.progress(self.app, self.source.name)
        return self._kept

    async def run(self) -> None:
        """Run until cancelled. A source that fails is asked again; its health says why."""
        tries = 0
        while True:
            try:
                async with Ahead(self.source) as ahead:
                    while (read := await ahead.next()) is not None:
                        await self._move(read, ahead)
                        tries, self.fault = 0, ""
            except SourceError as error:
                self.fault = str(error)
                log.warning("source_failed", extra={"source": self.source.name, "error": self.fault})
            except Exception as error:
                # A fault of ours must be seen and tried again, never end the pump in silence.
                self.fault = f"{type(error).__name__}: {error}"
                log.exception("pump_failed", extra={"source": self.source.name})
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1

    async def _move(self, read: Read | None, ahead: Ahead) -> None:
        """Take a transaction, and with it those that are there already, up to `TOGETHER` messages."""
        batch, loop = _Batch(), asyncio.get_running_loop()
        until = loop.time() + SLICE_SECONDS
        while read is not None:
            covered = self._kept is not None and self._kept.covers(read.progress)
            if covered and read.transaction.gap is None:
                # A crash came between appending and acknowledging; its seals are older than those that are kept.
                covered_by = msgspec.structs.replace(read.progress, seals=None)
                batch.add(msgspec.structs.replace(read, progress=covered_by), Routed(()))
                read = ahead.more()
                continue
            routed = self.router.route(read.transaction, read.key)
            gaps = self._gaps(read, empty=not batch.messages and self._broker.head(self.app).offset == 0)
            if read.transaction.gap is not None or not self.landmarks.follows(read.progress.generation):
                self.landmarks.begin(read.progress.generation, self._broker.head(self.app))
            if batch.reads and (
                gaps or routed.untold or len(batch.messages) + len(routed.messages) > TOGETHER
            ):
                await self._append(batch)
                batch = _Batch()
            for gap in gaps:
                for pattern in self.router.patterns(gap):
                    await self._declare_gap(pattern, gap.reason, gap.tables)
            for pattern in routed.untold:
                await self._declare_gap(pattern, "a change could not be told whole, or held no message")
            batch.add(read, routed)
            read = ahead.more() if len(batch.messages) < TOGETHER and loop.time() < until else None
        await self._append(batch)

    def _gaps(self, read: Read, *, empty: bool) -> list[Gap]:
        """The gaps to declare. Not that of a database captured for the first time, while the log is still empty: there
        is no message that anybody could have missed, and no earlier state that anybody could have read from us."""
        gap = read.transaction.gap
        first = gap is not None and gap.first
        return [] if first and empty else self.router.gaps(read.transaction)

    async def _append(self, batch: _Batch) -> None:
        """Append a batch and acknowledge it. Only a single transaction is longer than a chunk: all but its last chunk
        go under keys, so that a crash between two repeats none."""
        last, begin = batch.reads[-1], 0
        while len(batch.messages) - begin > CHUNK:
            await self._publish(batch.messages[begin : begin + CHUNK], key=f"{last.key}/{begin}")
            begin += CHUNK
        published = await self._publish(batch.messages[begin:], progress=batch.progress)
        for end, checkpoint in batch.ends:
            if published is not None and begin < end <= begin + len(published.positions):
                offset = published.positions[end - begin - 1].offset
                self.landmarks.passed(last.progress.generation, checkpoint, offset)
        if self._kept is None or not self._kept.covers(batch.progress):
            self._kept = batch.progress.upon(self._kept)
        await self.source.acknowledge(last.transaction.checkpoint)
        self.landmarks.reached(last.progress.generation, last.progress.checkpoint)
        self._count(batch)

    async def _publish(
        self, messages: Sequence[Message], *, key: str | None = None, progress: Progress | None = None
    ) -> Published | None:
        """Append, for as long as it takes. None when it stands in the log already, under rules that were others."""

        async def publish() -> Published:
            return await self._broker.publish(self.app, messages, key=key, progress=progress)

        try:
            published = await self._until_written(publish)
        except Refusal as refusal:
            # The rules changed between a crash and this start: what was appended under the old ones stands.
            log.warning("change_already_told", extra={"key": key, "reason": refusal.name})
            return None
        if not published.repeated:
            self._metrics.published.labels(self.app).inc(len(messages))
        return published

    async def _declare_gap(self, pattern: str, why: str, tables: Sequence[str] = ()) -> None:
        told = {"source": self.source.name, "pattern": pattern, "why": why}
        log.warning("source_gap", extra={**told, "tables": ", ".join(tables)} if tables else told)
        await self._until_written(lambda: self._broker.declare_gap(self.app, pattern, "source"))

    async def _until_written(self, write: Callable[[], Awaitable[T]]) -> T:
        """Write to the log, again and again while it is unavailable."""
        tries = 0
        while True:
            try:
                return await write()
            except EngineUnavailable as error:
                log.warning("log_unavailable", extra={"source": self.source.name, "error": str(error)})
                await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
                tries += 1

    def _count(self, batch: _Batch) -> None:
        name, health = self.source.name, self.source.health()
        self._metrics.captured.labels(name).inc(sum(len(read.transaction.changes) for read in batch.reads))
        self._metrics.note_source(name, health)


class _Batch:
    """Transactions that are appended together, of one generation. ends: how many messages there are up to which
    checkpoint."""

    def __init__(self) -> None:
        self.reads: list[Read] = []
        self.messages: list[Message] = []
        self.ends: list[tuple[int, Checkpoint]] = []

    @property
    def progress(self) -> Progress:
        """How far its source is with all of it, with the newest seals that were told."""
        seals = next(
            (each.progress.seals for each in reversed(self.reads) if each.progress.seals is not None), None
        )
        return msgspec.structs.replace(self.reads[-1].progress, seals=seals)

    def add(self, read: Read, routed: Routed) -> None:
        before = len(self.messages)
        self.reads.append(read)
        self.messages += routed.messages
        steps = zip(routed.ends, read.transaction.steps, strict=False)
        self.ends += [(before + end, Checkpoint(value)) for end, value in steps]
        self.ends.append((len(self.messages), read.progress.checkpoint))
