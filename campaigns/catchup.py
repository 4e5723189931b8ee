"""How long clients were behind after a break, read from a history. Pure; whether anything was lost is for the judge."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tidings.testing.observations import (
    Acknowledged,
    AnyObservation,
    Attempted,
    Connected,
    Delivered,
    Disconnected,
    Reset,
    Subscribed,
)


@dataclass(frozen=True, slots=True)
class CatchUp:
    """From the moment `client` lost its connection until it had all that was acknowledged when it came back."""

    client: str
    at: float
    seconds: float


@dataclass(slots=True)
class _Behind:
    """One client: what it has, since when it is behind, and the offsets it must reach to be so no more."""

    last: dict[str, int] = field(default_factory=dict)
    since: float | None = None
    owed: dict[str, int] = field(default_factory=dict)


class _Targets:
    """For each channel the highest offset that was acknowledged by a given moment."""

    def __init__(self, observations: Sequence[AnyObservation]) -> None:
        offsets = {seen.body: seen.offset for seen in observations if isinstance(seen, Delivered)}
        attempted = {seen.key: seen for seen in observations if isinstance(seen, Attempted)}
        moments: dict[str, list[float]] = {}
        heights: dict[str, list[int]] = {}
        for seen in observations:
            if isinstance(seen, Acknowledged) and seen.key in attempted:
                publish = attempted[seen.key]
                if publish.body in offsets:
                    moments.setdefault(publish.channel, []).append(seen.at)
                    heights.setdefault(publish.channel, []).append(offsets[publish.body])
        self._moments = moments
        self._heights = {channel: list(accumulate(offsets, max)) for channel, offsets in heights.items()}

    def at(self, channel: str, moment: float) -> int:
        index = bisect_right(self._moments.get(channel, ()), moment)
        return self._heights[channel][index - 1] if index else 0


def catch_ups(observations: Sequence[AnyObservation]) -> list[CatchUp]:
    """Return every catch-up of a history that is in order of time. A break without a return has none."""
    targets = _Targets(observations)
    clients: dict[str, _Behind] = {}
    found: list[CatchUp] = []
    for seen in observations:
        if isinstance(seen, Attempted | Acknowledged):
            continue
        behind = clients.setdefault(seen.client, _Behind())
        _follow(behind, seen, targets)
        if behind.since is not None and not behind.owed and not isinstance(seen, Disconnected):
            found.append(CatchUp(seen.client, seen.at, seen.at - behind.since))
            behind.since = None
    return found


def _follow(behind: _Behind, seen: AnyObservation, targets: _Targets) -> None:
    match seen:
        case Subscribed():
            for channel in seen.channels:
                behind.last.setdefault(channel, seen.offset or 0)
        case Disconnected():
            # A second break before the first was made good does not start a new count.
            behind.since = seen.at if behind.since is None else behind.since
        case Connected() if behind.since is not None:
            due = {channel: targets.at(channel, seen.at) for channel in behind.last}
            behind.owed = {channel: to for channel, to in due.items() if to > behind.last[channel]}
        case Delivered():
            behind.last[seen.channel] = seen.offset
            if seen.offset >= behind.owed.get(seen.channel, seen.offset + 1):
                del behind.owed[seen.channel]
        case Reset():
            for channel in seen.channels:
                behind.owed.pop(channel, None)
