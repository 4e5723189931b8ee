"""PostgresSource: the change source of a Postgres database, over logical replication.

It begins where the log has us, connection after connection; `following` reads one, `watch` looks at what is published.

Never gives up: each trouble is told in `health` and tried again. Never silent: what cannot be continued is a gap.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Final

import msgspec
import structlog

from tidings.changes import Checkpoint, Progress, Seals, Transaction
from tidings.errors import SourceError, TidingsError
from tidings.sources.base import ProgressOf, Snapshot, SourceHealth, Wanted, no_progress
from tidings.sources.postgres.assembler import Assembler
from tidings.sources.postgres.continuity import Beginning, begin, start_position
from tidings.sources.postgres.desk import Desk
from tidings.sources.postgres.following import Following
from tidings.sources.postgres.health import Bounds, Vitals, judge
from tidings.sources.postgres.pgoutput.messages import DecodeError
from tidings.sources.postgres.seals import Keeper
from tidings.sources.postgres.setup import Names
from tidings.sources.postgres.snapshot import read_snapshot
from tidings.sources.postgres.spool import SPOOL_BYTES, Spool, SpoolFull
from tidings.sources.postgres.stream import SlotBusy, SlotLost, Stream, StreamFailed
from tidings.sources.postgres.values.types import Types
from tidings.sources.postgres.watch import Watch

log = structlog.get_logger("tidings.sources.postgres")

MAX_NAME: Final = 48
"""Characters of a source's name: it is part of message ids and of the slot's name."""

OPEN_SECONDS: Final = 30.0
"""How long `open` waits for a server that does not answer yet."""

RETRY_SECONDS: Final = (0.05, 2.0)
"""First and longest wait after a trouble; doubled each time. A restarted server is read again within seconds."""

STANDBY_SECONDS: Final = 0.5
"""Between tries to become the reader while another process is."""

STANDBY: Final = (
    "the server is a standby; waiting for its promotion, or for an address that leads to the primary"
)
"""What is wrong with a slot there may be right as soon as it is promoted."""

UNREAD_TRIES: Final = 3
"""Connections in a row on which the same place cannot be read. Then it is no accident of the network: streaming is
given up, and then the slot is made anew behind that place, which is a gap."""


class PostgresSource:
    """Captures the committed changes of some tables of a Postgres database, whoever writes them.

    url: `postgresql://…`, anything libpq understands. tables: what to capture, `sales.orders` outside of public.
    name: letters, digits, `_ - .`; part of message ids and of slot and publication, so it must not change, and no two
    servers with logs of their own may share it on one database. bounds: beyond which it is not well.
    streaming: have large transactions sent while they are still open.
    """

    def __init__(
        self,
        url: str,
        tables: Sequence[str] = (),
        *,
        name: str = "postgres",
        bounds: Bounds | None = None,
        streaming: bool = True,
        spool_bytes: int = SPOOL_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if len(name) > MAX_NAME or re.fullmatch(r"[A-Za-z0-9_.\-]+", name) is None:
            raise SourceError(
                f"source name {name!r} is not allowed; use up to {MAX_NAME} letters, digits and _ - ."
            )
        self.name = name
        self.generation = ""
        self.names = Names.of(name)
        self._url = url
        self._bounds = bounds or Bounds()
        self._streaming = streaming
        self._spool_bytes = spool_bytes
        self._clock = clock
        self._types = Types()
        self._desk = Desk(url, self.names, tuple(dict.fromkeys(tables)), self._types)
        self._progress: ProgressOf = no_progress
        self._stream: Stream | None = None
        self._following: Following | None = None
        self._hurry = False  # for the next one
        self._vitals = Vitals(since=clock())
        self._keeper = Keeper()
        self._given: Checkpoint | None = None
        self._settled = asyncio.Event()  # all that was given is in the log
        self._condemned = ""  # why the slot must be made anew, though it may look well
        self._closed = False

    def key(self, checkpoint: Checkpoint) -> str:
        """The idempotency key of a transaction: where its commit stands in the database's log."""
        return f"{self.name}:{self.generation}:{checkpoint.value:x}.{checkpoint.part:x}"

    async def open(self, progress: ProgressOf = no_progress) -> Mapping[str, Sequence[str]]:
        """Make publication and, for a first capture, the slot where they are missing.

        Returns each table with the columns its changes carry. Raises SourceError with the fix: no such server, database
        or table, a missing right, wal_level.
        """
        self._progress = progress
        until = self._clock() + OPEN_SECONDS
        while True:
            try:
                columns = await asyncio.to_thread(self._desk.prepare)
                if await progress() is None:  # from here on nothing is missed, before anybody can listen
                    await asyncio.to_thread(self._desk.first_slot)
                return columns
            except SourceError:
                if self._closed or self._desk.connected or self._clock() >= until:
                    raise
                await asyncio.sleep(STANDBY_SECONDS)

    async def transactions(self) -> AsyncGenerator[Transaction, None]:
        """Yield what is committed, from what the log has on, until cancelled or closed.

        After a trouble the log is asked anew, and so not before all that was given is in it.
        """
        tries = unread = 0
        self._settled.set()
        while not self._closed:
            await self._settled.wait()
            try:
                async with aclosing(self._follow()) as following:
                    async for transaction in following:
                        tries = unread = 0
                        self._given = transaction.checkpoint
                        self._settled.clear()
                        yield transaction
            except SlotBusy:
                self._vitals.standby = True
                await asyncio.sleep(STANDBY_SECONDS)
                continue
            except SlotLost as error:
                log.warning("slot_lost", source=self.name, detail=str(error))
                self._condemned = self._vitals.trouble = str(error)
            except (DecodeError, StreamFailed) as error:
                self._trouble(str(error))
                unread += 1
                if unread >= UNREAD_TRIES:
                    unread = 0
                    self._give_way(str(error))
            except SpoolFull as error:
                log.warning("streaming_off", source=self.name, detail=str(error))
                self._streaming = False
            except TidingsError as error:
                self._trouble(str(error))
            first, longest = RETRY_SECONDS
            await asyncio.sleep(min(longest, first * 2.0**tries))
            tries = min(tries + 1, 16)

    def _give_way(self, text: str) -> None:
        """A place of the log cannot be read, again and again: without streaming, and if that was not it, never.

        Servers have failed on transactions that are sent while they are open and can tell the same ones at their end.
        """
        if self._streaming:
            log.warning("streaming_off", source=self.name, detail=text)
            self._streaming = False
        else:
            log.warning("slot_condemned", source=self.name, detail=text)
            self._condemned = text

    async def acknowledge(self, checkpoint: Checkpoint) -> None:
        """All up to here is in the log; the server may forget it."""
        if checkpoint == self._given:
            self._settled.set()
        if self._stream is not None:
            flushed = start_position(checkpoint) or checkpoint.value
            self._stream.confirm(flushed)
            self._vitals.published = max(self._vitals.published, flushed)

    async def close(self) -> None:
        """Stop and let go of the connections. Idempotent. The slot stays: the server keeps its log for us."""
        self._closed = True
        self._settled.set()
        if self._stream is not None:
            if self._following is not None:
                self._following.stop()
            await self._stream.close()
            self._stream = None
        await asyncio.to_thread(self._desk.close)

    def health(self) -> SourceHealth:
        return judge(self._vitals, self._bounds, self._clock(), self._desk.absent)

    async def snapshot(self, wanted: Sequence[Wanted], *, most: int) -> Snapshot:
        """At most `most` + 1 rows for each of the wanted, all of one instant. Raises SourceError with the fix."""
        names = list(dict.fromkeys(each.table for each in wanted))
        tables = await asyncio.to_thread(self._desk.fresh, names)
        generation, process = self.generation, self._desk.process
        found = await read_snapshot(self._url, self.names.publication, tables, wanted, most, process=process)
        if self.generation != generation:
            raise SourceError("the source has begun anew in the meantime; try again")
        if self._following is not None:
            self._following.hurry()
        else:
            self._hurry = True
        return Snapshot(generation=generation, checkpoint=Checkpoint(found.position - 1), rows=found.rows)

    # ── following

    async def _follow(self) -> AsyncGenerator[Transaction, None]:
        """One connection's life: begin where the log has us, then read until something breaks."""
        stream = await Stream.connect(self._url)
        assembler: Assembler | None = None
        watching: asyncio.Task[None] | None = None
        try:
            plan, after, seals = await self._begin(stream)
            self.generation = plan.generation
            self._stream = stream
            self._vitals.connected(self._clock(), after.value + 1)
            log.info("source_follows", source=self.name, generation=self.generation, goes_on=plan.gap is None)
            if plan.gap is not None:
                yield Transaction(checkpoint=after, gap=plan.gap, seals=seals)
            if self._closed:  # while nobody followed who could be stopped
                return
            assembler = Assembler(
                stream.version, self._types, self._desk.key_of, after, spool=Spool(self._spool_bytes)
            )
            watch = Watch(
                self.name, self._desk, self._keeper, self._vitals, clock=self._clock, found=stream.wake
            )
            self._following = Following(
                stream,
                assembler,
                watch,
                self._keeper,
                self._vitals,
                after=after,
                learn=self._learn,
                clock=self._clock,
                hurry=self._hurry,
            )
            self._hurry = False
            watching = asyncio.create_task(watch.run())
            async with aclosing(self._following.read()) as transactions:
                async for transaction in transactions:
                    yield transaction
        finally:
            self._stream = self._following = None
            self._vitals.lost(self._clock())
            if watching is not None:
                watching.cancel()
            if assembler is not None:
                assembler.close()
            await stream.close()

    async def _begin(self, stream: Stream) -> tuple[Beginning, Checkpoint, Seals | None]:
        """Start a stream where the log has us. Returns how, after which checkpoint, and what to keep with a gap."""
        process = await stream.process()
        await asyncio.to_thread(self._desk.meet, process.begun)
        slot = await asyncio.to_thread(self._desk.slot)
        if slot is not None and self._condemned:
            slot = msgspec.structs.replace(slot, lost=self._condemned)
        progress = await self._progress()  # after the slot: what that has confirmed, the log had before
        server = await stream.identify()  # after the log: what that holds, the server had written before
        plan = begin(progress, server, slot, secrets.token_hex(3))
        if plan.create and process.standby:
            raise SourceError(STANDBY)
        if plan.create:
            slot = await asyncio.to_thread(self._desk.new_slot, drop=plan.drop)
            self._condemned = ""
        assert slot is not None, "it was there, or was made"
        after = plan.after or Checkpoint(max(0, slot.confirmed - 1))
        try:
            await stream.start(self.names, start_position(plan.after), streaming=self._streaming)
        except SlotLost as error:
            if process.standby:
                raise SourceError(STANDBY) from error
            raise
        return plan, after, self._remember(plan, await self._still(progress))  # ours only from here on

    async def _learn(self, types: list[int]) -> None:
        await asyncio.to_thread(self._desk.learn_types, types)

    async def _still(self, progress: Progress | None) -> Progress | None:
        """The progress, at the same place; it may have newer seals. Raises SourceError when it has moved on."""
        latest = await self._progress()
        if _place(latest) != _place(progress):
            raise SourceError("another process has read on in the meantime; beginning anew")
        return latest

    def _remember(self, plan: Beginning, progress: Progress | None) -> Seals | None:
        """Compare the publication with what the log knows of it from now on. Returns what goes with a gap."""
        if plan.gap is not None and (plan.create or plan.gap.first):
            return self._keeper.begin(self._desk.before_slot, self._desk.horizon)
        # Also after a gap with a slot that stands: what was not published may lie behind it.
        self._keeper.go_on(None if progress is None else progress.seals)
        return None

    def _trouble(self, text: str) -> None:
        self._vitals.standby = False
        if self._vitals.trouble != text:
            log.warning("source_trouble", source=self.name, detail=text)
        self._vitals.trouble = text


def _place(progress: Progress | None) -> tuple[str, Checkpoint] | None:
    return None if progress is None else (progress.generation, progress.checkpoint)
