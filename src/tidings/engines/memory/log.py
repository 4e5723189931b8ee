"""The log of each app in memory, with idempotency keys and declared gaps. It knows no node but this one."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from heapq import merge
from itertools import islice

from msgspec.structs import replace

from tidings.changes import Progress
from tidings.engines.base import (
    KEY_WINDOW,
    PAGE_BYTES,
    PAGE_MESSAGES,
    DeclaredGap,
    Listener,
    OptionsOf,
    Page,
    Published,
)
from tidings.engines.memory.shelf import Shelf
from tidings.engines.pages import Gap, add_gap, fill, quick_page, reset_reason
from tidings.engines.receipts import Receipt, check_content, check_key, digest, is_covered
from tidings.errors import RESET_REASONS, EngineUnavailable
from tidings.ids import AppId, ChannelName, new_epoch
from tidings.messages import Message, Position

CHANNELS_MAX = 100_000
"""Channels remembered per app, about 1 kB each when empty. Who invents channel names must not fill the memory: beyond,
the channel that was silent longest is forgotten, and cursors older than its last message get `reset` there."""

KEYS_MAX = 1_000_000
"""Idempotency keys remembered per app, about 300 bytes each. Beyond, the oldest go before `KEY_WINDOW` is over."""

SWEEP_CHANNELS = 1_000
"""Channels looked at in one sweep for what has passed its age: about a millisecond."""

logger = logging.getLogger("tidings.engines.memory")


class _AppLog:
    """One app's part: shelves by silence, longest first; receipts by age, oldest first."""

    def __init__(self) -> None:
        self.last = 0
        self.floor = 0  # the newest message of any channel that was forgotten
        self.shelves: OrderedDict[ChannelName, Shelf] = OrderedDict()
        self.receipts: OrderedDict[str, tuple[float, Receipt]] = OrderedDict()
        self.gaps: list[Gap] = []
        self.progress: dict[str, Progress] = {}

    def forget(self) -> None:
        while len(self.shelves) > CHANNELS_MAX:
            _, shelf = self.shelves.popitem(last=False)
            self.floor = max(self.floor, shelf.last)

    def prune(self, now: float) -> None:
        receipts = self.receipts
        while receipts:
            at = next(iter(receipts.values()))[0]
            if at > now - KEY_WINDOW and len(receipts) <= KEYS_MAX:
                return
            receipts.popitem(last=False)


class MemoryLog:
    """A `Broker` whose every step is one call on the event loop: what is appended is told before anything else runs."""

    def __init__(self, options: OptionsOf, clock: Callable[[], float]) -> None:
        self.epoch = new_epoch()
        self.closed = True
        self._options = options
        self._clock = clock
        self._listener: Listener | None = None
        self._apps: dict[AppId, _AppLog] = {}

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
        """Append, tell, answer. Raises Refusal `key_reused` or `bad_key`, EngineUnavailable after closing."""
        self._check_open()
        check_key(key)
        check_content(messages, progress)
        log, now = self._app(app), self._clock()
        log.prune(now)
        known = None if key is None else log.receipts.get(key)
        if known is not None:
            return known[1].answer(digest(messages), self.epoch)
        if progress is not None:
            last = log.progress.get(progress.source)
            if is_covered(progress, last):
                return Published((), repeated=True)
            log.progress[progress.source] = progress.upon(last)
        stored = self._append(app, log, messages, int(now * 1000))
        if key is not None:
            log.receipts[key] = now, Receipt(digest(messages), log.last - len(stored) + 1, len(stored))
        if stored:
            self._tell(app, stored)
        return Published(tuple([message.position for message in stored if message.position is not None]))

    def relay(self, app: AppId, message: Message) -> None:
        """Tell an ephemeral message."""
        if not self.closed:
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
        """Read what lies after a position."""
        self._check_open()
        head = self.head(app)
        return quick_page(channels, after, head) or self._read(
            app, channels, after.offset, head, max_messages, max_bytes
        )

    def head(self, app: AppId) -> Position:
        """The app's newest position."""
        log = self._apps.get(app)
        return Position(self.epoch, 0 if log is None else log.last)

    async def latest(self, app: AppId, channel: ChannelName) -> Message | None:
        """The last message of a latest-value channel; of another one, while history holds it."""
        log = self._apps.get(app)
        shelf = None if log is None else log.shelves.get(channel)
        if shelf is None:
            return None
        shelf.trim(int(self._clock() * 1000))
        return shelf.latest

    async def progress(self, app: AppId, source: str) -> Progress | None:
        """How far a source has come."""
        log = self._apps.get(app)
        return None if log is None else log.progress.get(source)

    async def declare_gap(self, app: AppId, pattern: str, reason: str) -> Position:
        """State a gap. Raises ValueError for a reason that is not one of `RESET_REASONS`."""
        self._check_open()
        if reason not in RESET_REASONS:
            raise ValueError(f"{reason!r} is not a reason to reset")
        log = self._app(app)
        log.last += 1
        log.gaps = add_gap(log.gaps, Gap(log.last, pattern, reason))
        position = Position(self.epoch, log.last)
        self._tell(app, (DeclaredGap(pattern=pattern, reason=reason, position=position),))
        return position

    def sweep(self, begin: int) -> int:
        """Drop what has passed its age in `SWEEP_CHANNELS` channels from number `begin`; where to go on, or 0."""
        now = int(self._clock() * 1000)
        everywhere = (shelf for log in self._apps.values() for shelf in log.shelves.values())
        count = 0
        for shelf in islice(everywhere, begin, begin + SWEEP_CHANNELS):
            shelf.trim(now)
            count += 1
        return begin + count if count == SWEEP_CHANNELS else 0

    # ── inside

    def _check_open(self) -> None:
        if self.closed:
            raise EngineUnavailable("the log in memory is closed; open the engine first")

    def _app(self, app: AppId) -> _AppLog:
        log = self._apps.get(app)
        if log is None:
            log = self._apps[app] = _AppLog()
        return log

    def _append(
        self, app: AppId, log: _AppLog, messages: Sequence[Message], now: int
    ) -> list[Message | DeclaredGap]:
        shelves = [self._shelf(app, log, message.channel) for message in messages]
        stored: list[Message] = []
        for message, shelf in zip(messages, shelves, strict=True):
            log.last += 1
            position = Position(self.epoch, log.last)
            stored.append(replace(message, position=position, previous=shelf.last or None))
            shelf.append(stored[-1], log.last, now)
            log.shelves.move_to_end(message.channel)
        log.forget()
        return [*stored]

    def _shelf(self, app: AppId, log: _AppLog, channel: ChannelName) -> Shelf:
        shelf = log.shelves.get(channel)
        if shelf is None:
            # It may be one that was forgotten: then its last message lies at or below the app's floor.
            shelf = log.shelves[channel] = Shelf(self._options(app, channel), log.floor)
        return shelf

    def _tell(self, app: AppId, told: Sequence[Message | DeclaredGap]) -> None:
        if self._listener is None:
            return
        try:
            self._listener(app, told)
        except Exception:  # a listener must not raise; if it does, the publish still stands
            logger.exception("listener_failed")

    def _read(
        self,
        app: AppId,
        channels: Sequence[ChannelName],
        after: int,
        head: Position,
        max_messages: int,
        max_bytes: int,
    ) -> Page:
        log, now = self._apps[app], int(self._clock() * 1000)
        resets: dict[ChannelName, str] = {}
        streams = []
        for channel in dict.fromkeys(channels):
            shelf = log.shelves.get(channel)
            if shelf is not None:
                shelf.trim(now)
            floor = log.floor if shelf is None else shelf.floor.offset
            reason = reset_reason(channel, after, floor, log.gaps)
            if reason is not None:
                resets[channel] = reason
            elif shelf is not None:
                streams.append(shelf.after(after, head.offset))
        found, complete = fill((message for _, message in merge(*streams)), max_messages, max_bytes)
        return Page(messages=found, head=head, complete=complete, resets=resets)
