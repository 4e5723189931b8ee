"""What is sent when: order per channel, batches, retries, when to give up. Pure: the time is an argument.

    letters → Lane (one app, URL and channel; in order) → Parcel (one request) → sent | waits for a retry | dead

A lane gives letters to one parcel at a time and waits until that is settled, so a channel's events stay in order over
retries, and a channel that fails holds back only its own. A parcel of several channels that failed twice is taken
apart, a parcel for each, lest one of them hold back the others.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tidings.ids import AppId, ChannelName
from tidings.node.webhooks.letters import Letter, Outcome, parcel_body, parcel_id
from tidings.node.webhooks.settings import BatchSettings

RETRY_SECONDS: Final = 300.0
"""From the queue to the dead letters for what cannot be delivered; Pusher's own. At the end stands a last try."""

FIRST_WAIT: Final = 1.0
"""Seconds before the first retry; each further wait is twice as long."""

LONGEST_WAIT: Final = 60.0
"""Seconds between two tries at most, so that a receiver that is back is noticed within a minute."""

TOGETHER: Final = 2
"""Tries of a parcel before it is taken apart: one retry with the same id and body is what a lost answer needs."""

IN_FLIGHT: Final = 8
"""Requests to one URL at a time: a receiver that hangs holds these and no more."""

MAX_WAITING: Final = 10_000
"""Letters for one URL: five minutes at 33 a second. Beyond it new ones are lost, and that is told."""

MAX_WAITING_BYTES: Final = 16 << 20
"""Bytes of events for one URL, for the same reason: client events may have 10 kB each."""

PARCEL_BYTES: Final = 256 << 10
"""Bytes of events in one request: what a receiver's framework accepts without being told to. At least one event."""

Address = tuple[AppId, str]
"""An app and a URL of it."""

BatchOf = Callable[[AppId, str], BatchSettings | None]
"""How the queue learns whether events for a URL go together."""


class Parcel:
    """One request and its retries. until: from then on a failure is final, seconds of a monotonic clock."""

    __slots__ = ("app", "id", "letters", "tries", "until", "url")

    def __init__(self, letters: Sequence[Letter], until: float, tries: int = 0) -> None:
        self.app, self.url = letters[0].app, letters[0].url
        self.id = parcel_id(letters)
        self.letters = tuple(letters)
        self.until = until
        self.tries = tries

    @property
    def body(self) -> bytes:
        """The same bytes at every attempt, after a restart too."""
        return parcel_body(self.letters)

    def channels(self) -> dict[ChannelName, list[Letter]]:
        """Its letters by channel."""
        found: dict[ChannelName, list[Letter]] = {}
        for letter in self.letters:
            found.setdefault(letter.channel, []).append(letter)
        return found


class Lane:
    """The letters of one channel for one URL that are in no parcel. busy: some of its letters are in one."""

    __slots__ = ("busy", "letters", "ready_at")

    def __init__(self) -> None:
        self.letters: deque[tuple[Letter, float]] = deque()
        self.busy = False
        self.ready_at = 0.0


class Receiver:
    """All that waits for one URL."""

    __slots__ = ("bytes", "flying", "lanes", "open", "ready", "ready_count", "retries")

    def __init__(self) -> None:
        self.lanes: dict[ChannelName, Lane] = {}
        self.ready: OrderedDict[ChannelName, Lane] = OrderedDict()  # lanes with letters and no parcel
        self.ready_count = 0  # letters in those
        self.retries: deque[Parcel] = deque()  # parcels whose time has come
        self.flying = 0
        self.open: OrderedDict[int, int] = OrderedDict()  # number → time of each letter that is not settled
        self.bytes = 0

    def make_ready(self, channel: ChannelName, lane: Lane, now: float) -> None:
        """A lane has letters and no parcel from now on."""
        lane.ready_at = now
        self.ready[channel] = lane
        self.ready_count += len(lane.letters)

    def take(self, limit: int) -> list[tuple[Letter, float]]:
        """Letters for one parcel, in order of their numbers. Their lanes are busy then."""
        taken: list[tuple[Letter, float]] = []
        size = 0
        while self.ready and len(taken) < limit and size < PARCEL_BYTES:
            _, lane = self.ready.popitem(last=False)
            self.ready_count -= len(lane.letters)
            lane.busy = True
            while lane.letters and len(taken) < limit and (size < PARCEL_BYTES or not taken):
                taken.append(lane.letters.popleft())
                size += len(taken[-1][0].event)
        taken.sort(key=lambda entry: entry[0].number)
        return taken


class Queue:
    """Every letter that is not settled. jitter: a random number from 0 to 1."""

    def __init__(self, batch_of: BatchOf, jitter: Callable[[], float]) -> None:
        self._batch_of = batch_of
        self._jitter = jitter
        self._receivers: dict[Address, Receiver] = {}
        self._active: dict[Address, Receiver] = {}  # those with something that may be sent
        self._later: list[tuple[float, int, Parcel]] = []  # heap of parcels that wait for a retry
        self._serial = 0

    def __len__(self) -> int:
        return sum(len(receiver.open) for receiver in self._receivers.values())

    def waiting(self, app: AppId) -> int:
        """Letters of an app that are not settled."""
        return sum(len(r.open) for (owner, _), r in self._receivers.items() if owner == app)

    def oldest(self, app: AppId) -> int | None:
        """When the oldest of those was put in, milliseconds since the Unix epoch."""
        times = (
            next(iter(r.open.values()))
            for (owner, _), r in self._receivers.items()
            if owner == app and r.open
        )
        return min(times, default=None)

    def has_room(self, app: AppId, url: str, size: int) -> bool:
        """Whether a letter with an event of `size` bytes may be added."""
        receiver = self._receivers.get((app, url))
        if receiver is None:
            return True
        return len(receiver.open) < MAX_WAITING and receiver.bytes + size <= MAX_WAITING_BYTES

    def add(self, letter: Letter, now: float) -> None:
        """Put a letter at the end of its lane."""
        address = (letter.app, letter.url)
        receiver = self._receivers.get(address)
        if receiver is None:
            receiver = self._receivers[address] = Receiver()
        receiver.open[letter.number] = letter.time
        receiver.bytes += len(letter.event)
        lane = receiver.lanes.get(letter.channel)
        if lane is None:
            lane = receiver.lanes[letter.channel] = Lane()
        lane.letters.append((letter, now))
        if lane.busy:
            return
        if letter.channel in receiver.ready:
            receiver.ready_count += 1
        else:
            receiver.make_ready(letter.channel, lane, now)
        self._active[address] = receiver

    def ready(self, now: float) -> list[Parcel]:
        """Parcels to send now. Each must be given back to `settle`."""
        while self._later and self._later[0][0] <= now:
            parcel = heapq.heappop(self._later)[2]
            receiver = self._receivers[parcel.app, parcel.url]
            receiver.retries.append(parcel)
            self._active[parcel.app, parcel.url] = receiver
        parcels: list[Parcel] = []
        for app, url in list(self._active):
            parcels += self.follow_up(app, url, now)
        return parcels

    def follow_up(self, app: AppId, url: str, now: float) -> list[Parcel]:
        """The same for one URL alone: what may go now that a parcel of it has been settled."""
        receiver = self._active.get((app, url))
        if receiver is None:
            return []
        parcels = list(self._parcels((app, url), receiver, now))
        if not receiver.retries and not receiver.ready:
            del self._active[app, url]
        return parcels

    def next_at(self) -> float | None:
        """When `ready` may have something that it has not now, if nothing else happens; None for never."""
        times = [self._later[0][0]] if self._later else []
        for (app, url), receiver in self._active.items():
            if receiver.flying < IN_FLIGHT and receiver.ready:
                batch = self._batch_of(app, url)
                times.append(_first_ready(receiver) + (batch.seconds if batch else 0.0))
        return min(times, default=None)

    def settle(self, parcel: Parcel, outcome: Outcome, now: float) -> bool:
        """Hear how an attempt went. True when the parcel is done with: delivered, or given up."""
        receiver = self._receivers[parcel.app, parcel.url]
        receiver.flying -= 1
        parcel.tries += 1
        if not outcome.delivered and now < parcel.until:
            self._retry(parcel, now)
            if receiver.ready or receiver.retries:
                self._active[parcel.app, parcel.url] = receiver
            return False
        for letter in parcel.letters:
            del receiver.open[letter.number]
            receiver.bytes -= len(letter.event)
        self._release(receiver, parcel, now)
        return True

    # ── inside

    def _parcels(self, address: Address, receiver: Receiver, now: float) -> Iterator[Parcel]:
        batch = self._batch_of(*address)
        while receiver.flying < IN_FLIGHT:
            if receiver.retries:
                parcel = receiver.retries.popleft()
            elif receiver.ready and _is_due(receiver, batch, now):
                taken = receiver.take(batch.events if batch else 1)
                until = max(since for _, since in taken) + RETRY_SECONDS
                parcel = Parcel([letter for letter, _ in taken], until)
            else:
                return
            receiver.flying += 1
            yield parcel

    def _retry(self, parcel: Parcel, now: float) -> None:
        apart = parcel.channels() if parcel.tries >= TOGETHER else {}
        parts = [parcel]
        if len(apart) > 1:
            parts = [Parcel(letters, parcel.until, parcel.tries) for letters in apart.values()]
        for part in parts:
            self._serial += 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (part.tries - 1))
            wait *= 0.5 + 0.5 * self._jitter()  # receivers that failed together must not be asked together
            heapq.heappush(self._later, (min(now + wait, part.until), self._serial, part))

    def _release(self, receiver: Receiver, parcel: Parcel, now: float) -> None:
        for channel in parcel.channels():
            lane = receiver.lanes[channel]
            lane.busy = False
            if lane.letters:
                receiver.make_ready(channel, lane, now)
            else:
                del receiver.lanes[channel]
        address = (parcel.app, parcel.url)
        if receiver.ready or receiver.retries:
            self._active[address] = receiver
        elif not receiver.open:
            del self._receivers[address]
            self._active.pop(address, None)


def _first_ready(receiver: Receiver) -> float:
    return next(iter(receiver.ready.values())).ready_at


def _is_due(receiver: Receiver, batch: BatchSettings | None, now: float) -> bool:
    if batch is None or receiver.ready_count >= batch.events:
        return True
    return _first_ready(receiver) + batch.seconds <= now
