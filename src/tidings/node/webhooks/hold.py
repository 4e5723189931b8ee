"""Holds back who left for a moment, and drops the news when they come back. Pure: the time is an argument.

A browser that goes to the next page leaves and returns within a second; its app should not hear of either. Pusher waits
up to 3 s with `channel_vacated` and `member_removed` (pusher.md 4), and so do we (soketi #830).
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from tidings.ids import AppId, ChannelName, UserId
from tidings.node.occurrences import Occurrence

HOLD_SECONDS: Final = 3.0
"""For a client to come back before it is told that it left; Pusher's own."""

RESTART_SECONDS: Final = 30.0
"""The same after a start of ours: all clients were cut, and those of a phone take their time to return."""

MERGE_SECONDS: Final = 3.0
"""In which repeated misses of a cache channel are one: until the first has been answered, each newcomer misses."""

COUNT_SECONDS: Final = 1.0
"""In which changes of a subscription count are one, the newest: a crowd that comes in must not be a request each."""

MAX_HELD: Final = 100_000
"""Departures held at once, some 300 bytes each. Beyond it they are told at once."""

_FAMILY: Final = {
    "channel_occupied": "channel",
    "channel_vacated": "channel",
    "member_added": "member",
    "member_removed": "member",
}
_COMING: Final = ("channel_occupied", "member_added")
_LEAVING: Final = ("channel_vacated", "member_removed")


class Subject(NamedTuple):
    """Whom an occurrence is about: a channel, a member of one, a channel's count."""

    app: AppId
    family: str
    channel: ChannelName
    user: UserId | None = None


class _Held(NamedTuple):
    due: float
    number: int
    occurrence: Occurrence


def subject_of(occurrence: Occurrence) -> Subject:
    """Whom it is about. Coming and leaving have the same subject."""
    family = _FAMILY.get(occurrence.kind, occurrence.kind)
    return Subject(
        occurrence.app, family, occurrence.channel, occurrence.user if family == "member" else None
    )


class Hold:
    """What is held back. All times are seconds of a monotonic clock."""

    def __init__(self, *, max_held: int = MAX_HELD) -> None:
        self._held: dict[Subject, _Held] = {}
        self._heap: list[tuple[float, int, Subject]] = []
        self._missed: OrderedDict[Subject, float] = OrderedDict()
        self._number = 0
        self._max = max_held

    def __len__(self) -> int:
        return len(self._held)

    def take(self, occurrence: Occurrence, now: float) -> list[Occurrence]:
        """Hear of something; returns what is to be told at once."""
        if occurrence.kind in _COMING:
            returned = self._held.pop(subject_of(occurrence), None)
            return [] if returned is not None else [occurrence]
        if occurrence.kind in _LEAVING:
            return self._hold(occurrence, now + HOLD_SECONDS)
        if occurrence.kind == "subscription_count":
            return self._newest(occurrence, now)
        if occurrence.kind == "cache_miss":
            return self._first(occurrence, now)
        return [occurrence]

    def restore(self, departures: Iterable[Occurrence], now: float) -> None:
        """Hold these for a restart's time: whoever was there when the process ended, and has not come back yet."""
        for occurrence in departures:
            self._hold(occurrence, now + RESTART_SECONDS)

    def due(self, now: float) -> list[Occurrence]:
        """What has been held long enough, in the order in which it happened."""
        told: list[Occurrence] = []
        while self._heap and self._heap[0][0] <= now:
            _, number, subject = heapq.heappop(self._heap)
            held = self._held.get(subject)
            if held is not None and held.number == number:
                del self._held[subject]
                told.append(held.occurrence)
        return told

    def next_at(self) -> float | None:
        """When `due` may have something; None when nothing is held."""
        return self._heap[0][0] if self._heap else None

    def _hold(self, occurrence: Occurrence, due: float) -> list[Occurrence]:
        if len(self._held) >= self._max:
            return [occurrence]
        self._number += 1
        subject = subject_of(occurrence)
        self._held[subject] = _Held(due, self._number, occurrence)
        heapq.heappush(self._heap, (due, self._number, subject))
        return []

    def _newest(self, occurrence: Occurrence, now: float) -> list[Occurrence]:
        held = self._held.get(subject_of(occurrence))
        if held is None:
            return self._hold(occurrence, now + COUNT_SECONDS)
        self._held[subject_of(occurrence)] = held._replace(occurrence=occurrence)
        return []

    def _first(self, occurrence: Occurrence, now: float) -> list[Occurrence]:
        while self._missed and (next(iter(self._missed.values())) <= now or len(self._missed) >= self._max):
            self._missed.popitem(last=False)
        subject = subject_of(occurrence)
        if subject in self._missed:
            return []
        self._missed[subject] = now + MERGE_SECONDS
        return [occurrence]


def departure(subject: Subject, time: int) -> Occurrence:
    """The leaving of a subject that was told of as there. time: milliseconds since the Unix epoch."""
    return Occurrence(
        kind="channel_vacated" if subject.family == "channel" else "member_removed",
        app=subject.app,
        channel=subject.channel,
        user=subject.user,
        time=time,
    )


class Standing:
    """Who was told of as being there and not yet as gone: after a crash they are, unless they come back.

    Bounded: beyond `max_held` further ones are not remembered, and a crash leaves their departure untold.
    """

    def __init__(self, *, max_held: int = MAX_HELD) -> None:
        self._there: set[Subject] = set()
        self._max = max_held

    def note(self, occurrence: Occurrence) -> tuple[Subject, bool] | None:
        """Hear what is being told; returns the subject that changed and whether it is there now."""
        subject = subject_of(occurrence)
        if occurrence.kind in _COMING and subject not in self._there and len(self._there) < self._max:
            self._there.add(subject)
            return subject, True
        if occurrence.kind in _LEAVING and subject in self._there:
            self._there.remove(subject)
            return subject, False
        return None

    def restore(self, subjects: Iterable[Subject]) -> None:
        """Take over what was written down before the start."""
        self._there.update(subjects)


def encode_subject(subject: Subject) -> str:
    """A subject as text, the same for the same one and for no other."""
    return msgspec.json.encode(subject).decode()


def decode_subject(text: str) -> Subject:
    """Raises msgspec.DecodeError for another text."""
    return msgspec.json.decode(text, type=Subject)
