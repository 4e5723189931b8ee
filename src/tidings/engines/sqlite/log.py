"""The log as the event loop sees it: what waits, what was told, and the hops to the threads. It runs no SQL."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from tidings.changes import Progress
from tidings.engines.base import (
    PAGE_BYTES,
    PAGE_MESSAGES,
    DeclaredGap,
    Health,
    Held,
    Listener,
    OptionsOf,
    Page,
    Published,
)
from tidings.engines.pages import quick_page
from tidings.engines.receipts import check_content, check_key
from tidings.engines.sqlite.faults import Fault
from tidings.engines.sqlite.files import Files
from tidings.engines.sqlite.items import Append, Cursors, Declare, Group, Item
from tidings.engines.sqlite.reader import (
    Answers,
    Job,
    Readers,
    read_held,
    read_latest,
    read_page,
    read_progress,
)
from tidings.engines.sqlite.trim import HELD_MAX, HELD_SECONDS
from tidings.engines.sqlite.writer import Batch, Writer
from tidings.errors import RESET_REASONS, EngineUnavailable
from tidings.ids import AppId, ChannelName, ClientId
from tidings.messages import Message, Position

WAITING_MAX = 20_000
"""Publishes that may wait for the disk; about a tenth of a second of its work. More means that it cannot keep up."""

WAITING_BYTES = 64 << 20
"""Bytes of data that may wait for the disk."""

READS_MAX = 50_000
"""Reads that may wait: a storm of returning clients asks for one page each."""

HOLD_SECONDS = 0.5
"""Held cursors are gathered for so long: a thousand clients may each note one with every message."""

logger = logging.getLogger("tidings.engines.sqlite")


class SqliteLog:
    """A `Broker` and `CursorStore` over one file. Every method belongs to the loop that called `start`."""

    def __init__(self, options: OptionsOf, clock: Callable[[], float]) -> None:
        self._options = options
        self._clock = clock
        self._listener: Listener | None = None
        self._threads: tuple[Writer, Readers] | None = None  # None while closed
        self._loop: asyncio.AbstractEventLoop
        self._epoch = ""
        self._told: dict[AppId, int] = {}
        self._fault: Fault | None = None
        self._damage: Fault | None = None  # found by reading; it does not heal
        self._gathered: list[Item] = []
        self._handing = False
        self._waiting = 0
        self._waiting_bytes = 0
        self._reads = 0
        self._cursors: dict[tuple[AppId, ClientId], Held] = {}
        self._writing: list[Cursors] = []  # handed over, and not answered yet
        self._timer: asyncio.TimerHandle | None = None
        self._settling: list[
            asyncio.Future[None]
        ] = []  # who waits for `_cursors` to be handed over and written
        self._settled: dict[
            int, list[asyncio.Future[None]]
        ] = {}  # id of one in `_writing` → who waits for it

    # ── its life

    def start(self, files: Files) -> None:
        """Begin, over open files. They stay the caller's to close, after `stop`."""
        self._loop = asyncio.get_running_loop()
        self._epoch, self._told = files.epoch, files.heads
        self._fault = self._damage = None
        writer = Writer(files, self._options, self._clock, self._post_groups)
        readers = Readers(files.readers, files.path, self._post_answers)
        self._threads = writer, readers
        writer.start()
        readers.start()

    async def stop(self) -> None:
        """Write what waits, tell it, end the threads. Publishes that come later are refused."""
        if self._threads is None:
            return
        self._hand_over(cursors=True)
        (writer, readers), self._threads = self._threads, None
        writer.stop()
        readers.stop()
        await asyncio.to_thread(writer.join)
        await asyncio.to_thread(readers.join)
        # What the threads said stands in the loop's queue since before they ended: one turn, and it was told.
        await asyncio.sleep(0)

    def health(self) -> Health:
        """What the last write and the reads said."""
        if self._threads is None:
            return Health(ok=False, detail="the log is not open")
        fault = self._damage or self._fault
        return Health(ok=fault is None, detail="" if fault is None else fault.text)

    # ── the broker

    def listen(self, listener: Listener) -> None:
        """Set who is told."""
        self._listener = listener

    async def publish(
        self,
        app: AppId,
        messages: Sequence[Message],
        *,
        key: str | None = None,
        progress: Progress | None = None,
    ) -> Published:
        """Append messages as one step; returns when they are on disk and told.

        Raises Refusal `key_reused` or `bad_key`; EngineUnavailable when the disk, the file or the queue is full.
        """
        check_key(key)
        check_content(messages, progress)
        size = 0
        for message in messages:
            size += len(message.data)
        answer: Published = await self._put(Append(app, messages, key, size, self._future(), progress))
        return answer

    def relay(self, app: AppId, message: Message) -> None:
        """Tell an ephemeral message: to this node, there is no other."""
        if self._threads is not None:
            self._tell(app, (message,))

    async def read(
        self,
        app: AppId,
        channels: Sequence[ChannelName],
        after: Position,
        *,
        max_messages: int = PAGE_MESSAGES,
        max_bytes: int = PAGE_BYTES,
    ) -> Page:
        """Read what lies after a position. Raises EngineUnavailable."""
        self._opened()
        head = self.head(app)
        quick = quick_page(channels, after, head)
        if quick is not None:
            return quick
        page: Page = await self._ask(
            lambda connection: read_page(
                connection, app, channels, after.offset, head, max_messages, max_bytes
            )
        )
        return page

    def head(self, app: AppId) -> Position:
        """The newest position that the listener was told."""
        return Position(self._epoch, self._told.get(app, 0))

    async def latest(self, app: AppId, channel: ChannelName) -> Message | None:
        """The last message of a latest-value channel; of another one, while history holds it."""
        head = self.head(app)
        found: Message | None = await self._ask(
            lambda connection: read_latest(connection, app, channel, head)
        )
        return found

    async def progress(self, app: AppId, source: str) -> Progress | None:
        """How far a source has come. Raises EngineUnavailable."""
        found: Progress | None = await self._ask(lambda connection: read_progress(connection, app, source))
        return found

    async def declare_gap(self, app: AppId, pattern: str, reason: str) -> Position:
        """State a gap durably. Raises EngineUnavailable; ValueError for a reason not in `RESET_REASONS`."""
        if reason not in RESET_REASONS:
            raise ValueError(f"{reason!r} is not a reason to reset")
        position: Position = await self._put(Declare(app, pattern, reason, self._future()))
        return position

    # ── the cursor store

    def hold(self, app: AppId, client: ClientId, held: Held) -> None:
        """Note a cursor; written within about a second."""
        self._cursors[(app, client)] = held
        if len(self._cursors) > HELD_MAX:  # only when the disk refuses for long
            del self._cursors[next(iter(self._cursors))]
        self._write_cursors_later()

    def _write_cursors_later(self) -> None:
        if self._threads is not None and self._timer is None:
            self._timer = self._loop.call_later(HOLD_SECONDS, partial(self._hand_over, cursors=True))

    async def settle(self) -> None:
        """Return when every cursor noted so far is on disk. Who asks in one turn of the loop shares one commit."""
        self._opened()
        future: asyncio.Future[None] = self._loop.create_future()
        if self._cursors:
            self._settling.append(future)
            if len(self._settling) == 1:
                self._loop.call_soon(partial(self._hand_over, cursors=True))
        elif self._writing:
            self._settled.setdefault(id(self._writing[-1]), []).append(future)
        else:
            return
        await future

    async def held(self, app: AppId, client: ClientId) -> Held | None:
        """The last cursor noted; None for a client never seen or long gone. Raises EngineUnavailable."""
        for cursors in (self._cursors, *reversed(self._writing)):
            noted = cursors.get((app, client))
            if noted is not None:
                return noted
        since = int((self._clock() - HELD_SECONDS) * 1000)
        found: Held | None = await self._ask(lambda connection: read_held(connection, app, client, since))
        return found

    # ── towards the threads

    def _opened(self) -> tuple[Writer, Readers]:
        if self._threads is None:
            raise EngineUnavailable("the log is not open")
        return self._threads

    def _future(self) -> asyncio.Future[Any]:
        self._opened()
        return self._loop.create_future()

    def _put(self, item: Item) -> asyncio.Future[Any]:
        """Let an item wait. All that comes in one turn of the loop goes over together, in one hop."""
        if self._waiting >= WAITING_MAX or self._waiting_bytes + item.size > WAITING_BYTES:
            raise EngineUnavailable("more publishes wait than the disk can take; send more slowly")
        self._waiting += 1
        self._waiting_bytes += item.size
        self._gathered.append(item)
        if not self._handing:
            self._handing = True
            self._loop.call_soon(self._hand_over)
        return item.future

    def _hand_over(self, *, cursors: bool = False) -> None:
        if self._threads is None:
            return  # closed in between: `stop` has handed over all there was
        items, self._gathered, self._handing = self._gathered, [], False
        held: list[Cursors] = []
        if cursors and self._cursors:
            held.append(self._cursors)
            self._writing.append(self._cursors)
            self._settled[id(self._cursors)], self._settling = self._settling, []
            self._cursors = {}
        if cursors and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if items or held:
            self._threads[0].put(Batch(items, held))

    def _ask(self, job: Job) -> asyncio.Future[Any]:
        readers = self._opened()[1]
        if self._reads >= READS_MAX:
            raise EngineUnavailable("more reads wait than the disk can take; ask more slowly")
        self._reads += 1
        future: asyncio.Future[Any] = self._loop.create_future()
        readers.put(future, job)
        return future

    # ── from the threads

    def _post_groups(self, groups: list[Group], fault: Fault | None) -> None:
        self._post(self._take_groups, groups, fault)

    def _post_answers(self, answers: Answers) -> None:
        self._post(self._take_answers, answers)

    def _post(self, take: Callable[..., None], *what: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(take, *what)
        except RuntimeError:  # the loop ended without closing the engine: nobody is there to be told
            logger.warning("loop_gone")

    def _take_groups(self, groups: list[Group], fault: Fault | None) -> None:
        self._fault = fault
        for group in groups:
            # Answered first, told second, in one turn: whoever waits wakes after both, but before the fan-out is
            # written. So a publisher's next burst is not split by the writes of the last.
            for item, answer in group.answers:
                self._waiting -= 1
                self._waiting_bytes -= item.size
                _resolve(item.future, answer)
            for app, told in group.told.items():
                # First the head, then the telling: whoever joins out of the listener's call is then told of
                # a message twice, by the log and live, which `merge` sees; never of none.
                self._told[app] = told[-1].position.offset  # type: ignore[union-attr]
                self._tell(app, told)
            for held in group.cursors:
                self._writing = [cursors for cursors in self._writing if cursors is not held]
                if not group.written:
                    self._cursors = {**held, **self._cursors}
                    self._write_cursors_later()
                refusal = None if group.written else EngineUnavailable(fault.text if fault else "not written")
                for future in self._settled.pop(id(held), ()):
                    _resolve(future, refusal)

    def _take_answers(self, answers: Answers) -> None:
        for future, answer in answers:
            self._reads -= 1
            if isinstance(answer, Fault):
                self._damage = answer if answer.final else self._damage
                _resolve(future, answer.error())
            else:
                _resolve(future, answer)

    def _tell(self, app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        if self._listener is None:
            return
        try:
            self._listener(app, told)
        except Exception:  # a listener must not raise; if it does, the publish still stands
            logger.exception("listener_failed")


def _resolve(future: asyncio.Future[Any], answer: object) -> None:
    if future.done():
        return  # whoever asked has gone; what was published stands
    if isinstance(answer, BaseException):
        future.set_exception(answer)
    else:
        future.set_result(answer)
