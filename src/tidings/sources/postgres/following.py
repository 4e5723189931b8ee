"""One connection's stream, read into transactions until something breaks. It opens and closes nothing, and what the
log has already was compared before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Final

import msgspec
import structlog

from tidings.changes import Checkpoint, Transaction
from tidings.errors import SourceError
from tidings.sources.postgres.assembler import Assembler
from tidings.sources.postgres.continuity import reached
from tidings.sources.postgres.health import Vitals
from tidings.sources.postgres.pgoutput.frames import Keepalive, XLogData
from tidings.sources.postgres.seals import Keeper
from tidings.sources.postgres.stream import SILENT_SECONDS, Stream
from tidings.sources.postgres.watch import WATCH_SECONDS, Watch

log = structlog.get_logger("tidings.sources.postgres")

SLICE_SECONDS: Final = 0.001
"""How long to work on what is here before others have their turn: a publish beside a bulk load waits for about five
turns of the loop, and with longer slices the load is no faster (benchmarks/RESULTS.md)."""

LET_GO_SECONDS: Final = 5.0
"""How long a server that asks us for a confirmation waits for what cannot be published now."""

IDLE_SECONDS: Final = 1.0
"""Between two notes that there was nothing for us: each is written to the log, and lets the server forget."""

NEWS_SECONDS: Final = 0.2
"""Between two questions how far the server has come, while there is something to tell once it is there. The server's
log writer writes to disk about as often (wal_writer_delay)."""


class Following:
    """Reads a stream that has begun. after: what is told already. learn: called with the numbers of types that the
    assembler does not know. hurry: somebody waits already. It must be read by one task alone."""

    def __init__(
        self,
        stream: Stream,
        assembler: Assembler,
        watch: Watch,
        keeper: Keeper,
        vitals: Vitals,
        *,
        after: Checkpoint,
        learn: Callable[[list[int]], Awaitable[None]],
        clock: Callable[[], float],
        hurry: bool = False,
    ) -> None:
        self._stream = stream
        self._assembler = assembler
        self._watch = watch
        self._keeper = keeper
        self._vitals = vitals
        self._learn = learn
        self._clock = clock
        self._idle = Idle(after, clock())
        self._turn = _Turn(clock)
        self._asked: float | None = None  # when the server began to wait for a confirmation
        self._ask_at = 0.0
        self._hurry = hurry
        self._stopped = False

    def hurry(self) -> None:
        """Somebody waits for what is told to reach a place of the server's log: ask how far it has come."""
        self._hurry = True
        self._stream.ask()
        self._stream.wake()

    def stop(self) -> None:
        """Let `read` end at its next turn."""
        self._stopped = True
        self._stream.wake()

    async def read(self) -> AsyncGenerator[Transaction, None]:
        """Yield what comes, until `stop`. Raises TidingsError when the stream breaks or cannot be read."""
        stream, assembler, idle = self._stream, self._assembler, self._idle
        while not self._stopped:
            if assembler.idle and (news := self._watch.ripe(idle.told, idle.reached)) is not None:
                yield news
            if self._watch.elsewhere:
                raise SourceError(self._watch.elsewhere)
            frame = stream.next()
            now = self._clock()
            if isinstance(frame, XLogData):
                self._vitals.heard(now, frame.end)
                for found in assembler.take(frame.payload, frame.time):
                    if isinstance(found, list):
                        await self._learn(found)
                        continue
                    idle.told = found.checkpoint
                    self._vitals.last_commit = assembler.last_commit
                    self._warn(assembler.take_lacking())
                    yield self._with_leaves(found, assembler.take_leaves())
                    await self._turn.share()
            elif isinstance(frame, Keepalive):
                self._heed(frame, now)
            self._check_asked(now)
            if frame is not None:
                await self._turn.share()
            elif assembler.idle and idle.due(now, hurry=self._hurry):
                self._hurry = False
                yield Transaction(checkpoint=idle.take(now))
            else:
                await self._wait(now)

    def _with_leaves(self, told: Transaction, leaves: Mapping[int, str]) -> Transaction:
        """A transaction with the partitions whose rows it is the first to tell."""
        seals = self._keeper.note(leaves) if leaves else None
        return told if seals is None else msgspec.structs.replace(told, seals=seals)

    def _warn(self, lacking: list[tuple[str, str]]) -> None:
        """Of partitions whose old rows are less than their table promises: rules that need more tell `reset`."""
        for table, partition in lacking:
            fix = f"ALTER TABLE {partition} REPLICA IDENTITY FULL"
            log.warning("partition_tells_less", table=table, partition=partition, fix=fix)

    def _heed(self, frame: Keepalive, now: float) -> None:
        self._vitals.heard(now, frame.end)
        self._idle.note(frame, settled=self._assembler.idle)
        if frame.reply_now:
            self._stream.confirm(0, now=True)
            self._asked = now if self._asked is None else self._asked

    def _check_asked(self, now: float) -> None:
        """A server that wants to end waits until its readers have confirmed all. It must not wait for our log."""
        if self._asked is None:
            return
        if self._stream.confirmed >= self._idle.end:
            self._asked = None
        elif now - self._asked > LET_GO_SECONDS:
            raise SourceError("the server asks to be let go, and what it told cannot be published yet")

    async def _wait(self, now: float) -> None:
        """Until the server says something, or there is something to do without it."""
        silent = now - self._vitals.heard_at
        if silent > SILENT_SECONDS:
            raise SourceError("the server has said nothing for too long; connecting anew")
        if silent > SILENT_SECONDS / 2:
            self._stream.ask()
        longest = self._idle.seconds(now) if self._asked is None else LET_GO_SECONDS / 5
        if self._watch.waiting:
            longest = min(longest, NEWS_SECONDS)
            if now >= self._ask_at:
                self._stream.ask()
                self._ask_at = now + NEWS_SECONDS
        await self._stream.wait(longest)
        self._turn.begin()


class _Turn:
    """A slice of the loop's time."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        self._until = self._clock() + SLICE_SECONDS

    async def share(self) -> None:
        """When it is over, give others theirs."""
        if self._clock() >= self._until:
            await asyncio.sleep(0)
            self.begin()


class Idle:
    """What keepalives say: that up to there was nothing for us. told: the checkpoint that was told last. end: how far
    there was nothing but what was told, as a place of the server's log."""

    def __init__(self, told: Checkpoint, now: float) -> None:
        self.told = told
        self.end = 0
        self._at = now
        self._urgent = False

    @property
    def reached(self) -> int:
        """Up to here all is told."""
        return max(self.end, reached(self.told))

    def note(self, frame: Keepalive, *, settled: bool) -> None:
        """A position is only as good as what lies before it was told."""
        if settled:
            self.end = max(self.end, frame.end)
            self._urgent = self._urgent or frame.reply_now

    def due(self, now: float, *, hurry: bool) -> bool:
        """Whether a note is due, which lets the server forget. hurry: somebody waits for it."""
        news = self.end - 1 > self.told.value
        return news and (hurry or self._urgent or now - self._at >= IDLE_SECONDS)

    def take(self, now: float) -> Checkpoint:
        """The checkpoint to note; the next is due only after `IDLE_SECONDS`."""
        self.told, self._at, self._urgent = Checkpoint(self.end - 1), now, False
        return self.told

    def seconds(self, now: float) -> float:
        """How long to wait for the server, in seconds."""
        return max(0.01, IDLE_SECONDS - (now - self._at)) if self.end - 1 > self.told.value else WATCH_SECONDS
