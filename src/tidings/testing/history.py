"""The judge: reads what clients observed and says what was lost, duplicated, reordered or made up.

Pure: no files, no clock, no sockets. One pass, about a million observations a second. What is promised to
whom is stated in `verdicts.Kind`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tidings.testing.observations import (
    Acknowledged,
    AnyObservation,
    Attempted,
    Connected,
    Delivered,
    Disconnected,
    Finished,
    Repeated,
    Reset,
    Subscribed,
)
from tidings.testing.verdicts import EVIDENCE_MAX, Finding, Kind, Verdict


@dataclass(slots=True)
class _Publish:
    """One publish: what was attempted, and what the observations so far say of its fate."""

    channel: str
    body: str
    attempted_at: float
    kept_at: float | None = None
    acknowledged: bool = False
    message_id: str | None = None
    position: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class _Told:
    """A reset as it bears on one channel: the client's last offset there before, and where it goes on."""

    at: float
    before: tuple[str, int] | None
    after: tuple[str, int] | None

    def covers(self, publish: _Publish) -> bool:
        if publish.attempted_at >= self.at:
            return False
        if publish.position is None:
            return True
        epoch, offset = publish.position
        if self.before is not None and self.before[0] == epoch and offset <= self.before[1]:
            return False
        return self.after is None or self.after[0] != epoch or offset <= self.after[1]


@dataclass(slots=True)
class _Client:
    """What one client has taken, knows and was told."""

    seen: set[int] = field(default_factory=set)
    subscribed_at: dict[str, float] = field(default_factory=dict)
    last: dict[str, tuple[str, int] | None] = field(default_factory=dict)
    told: dict[str, list[_Told]] = field(default_factory=dict)
    finished_at: float | None = None


class Judge:
    """Takes observations in order of time, and gives its verdict at any moment."""

    def __init__(self) -> None:
        self._publishes: list[_Publish] = []
        self._by_body: dict[str, int] = {}
        self._by_key: dict[str, int] = {}
        self._at_position: dict[tuple[str, int], int] = {}
        self._by_id: dict[str, int] = {}
        self._clients: dict[str, _Client] = {}
        self._counts = dict.fromkeys(Kind, 0)
        self._findings: list[Finding] = []
        self._acknowledged = self._deliveries = self._repeated = self._resets = 0
        self._takes: dict[type, Callable[[Any], None]] = {
            Attempted: self._attempted,
            Acknowledged: self._take_acknowledged,
            Subscribed: self._subscribed,
            Connected: self._ignore,
            Disconnected: self._ignore,
            Delivered: self._delivered,
            Repeated: self._take_repeated,
            Reset: self._reset,
            Finished: self._finished,
        }

    def observe(self, observations: Iterable[AnyObservation]) -> None:
        """Take more observations, not older than those taken before."""
        takes = self._takes
        for observation in observations:
            takes[type(observation)](observation)

    def verdict(self) -> Verdict:
        """Judge what was observed so far; more may be observed afterwards."""
        counts, findings = dict(self._counts), list(self._findings)
        excused = 0
        for finding in self._losses():
            if finding is None:
                excused += 1
            else:
                _keep(finding, counts, findings)
        return Verdict(
            attempted=len(self._publishes),
            acknowledged=self._acknowledged,
            deliveries=self._deliveries,
            repeated=self._repeated,
            resets=self._resets,
            excused=excused,
            counts=counts,
            findings=tuple(findings),
        )

    # ── publishers

    def _attempted(self, seen: Attempted) -> None:
        number = self._by_body.get(seen.body)
        if number is None:
            number = self._by_body[seen.body] = len(self._publishes)
            self._publishes.append(_Publish(seen.channel, seen.body, seen.at))
        self._by_key[seen.key] = number

    def _take_acknowledged(self, seen: Acknowledged) -> None:
        number = self._by_key.get(seen.key)
        if number is None:
            self._find(Kind.PHANTOM, "", "", seen.key, seen.at, "acknowledged a key that nobody attempted")
            return
        publish = self._publishes[number]
        self._acknowledged += not publish.acknowledged
        publish.acknowledged = True
        if publish.kept_at is None:
            publish.kept_at = seen.at
        if seen.epoch is not None and seen.offset is not None:
            self._place(number, (seen.epoch, seen.offset), "", seen.at)

    # ── subscribers

    def _ignore(self, seen: AnyObservation) -> None:
        """Coming and going proves nothing about what was delivered."""

    def _subscribed(self, seen: Subscribed) -> None:
        client = self._client(seen.client)
        for channel in seen.channels:
            client.subscribed_at.setdefault(channel, seen.at)
            client.last.setdefault(channel, _position(seen.epoch, seen.offset))

    def _delivered(self, seen: Delivered) -> None:
        self._deliveries += 1
        client = self._client(seen.client)
        number = self._by_body.get(seen.body)
        stranger = self._stranger(seen, client, number)
        if stranger is not None or number is None:
            self._find(Kind.PHANTOM, seen.client, seen.channel, seen.body, seen.at, str(stranger))
        elif number in client.seen:
            where = f"id {seen.id} at {seen.epoch}:{seen.offset}, last {client.last.get(seen.channel)}"
            self._find(Kind.DUPLICATED, seen.client, seen.channel, seen.body, seen.at, where)
            self._advance(client, seen)
        else:
            client.seen.add(number)
            self._identify(number, seen)
            self._place(number, (seen.epoch, seen.offset), seen.client, seen.at)
            self._follow(client, seen)

    def _stranger(self, seen: Delivered, client: _Client, number: int | None) -> str | None:
        if number is None:
            return "nobody attempted this"
        if self._publishes[number].channel != seen.channel:
            return f"published to {self._publishes[number].channel}"
        if seen.channel not in client.subscribed_at:
            return "the client is not subscribed to this channel"
        return None

    def _identify(self, number: int, seen: Delivered) -> None:
        publish = self._publishes[number]
        if publish.kept_at is None:
            publish.kept_at = seen.at
        if publish.message_id is None:
            publish.message_id = seen.id
        elif publish.message_id != seen.id:
            detail = f"one publish, two messages: {publish.message_id} and {seen.id}"
            self._find(Kind.DUPLICATED, seen.client, seen.channel, seen.body, seen.at, detail)
        if self._by_id.setdefault(seen.id, number) != number:
            other = self._publishes[self._by_id[seen.id]].body
            self._find(
                Kind.PHANTOM, seen.client, seen.channel, seen.body, seen.at, f"id {seen.id} is {other}"
            )

    def _place(self, number: int, position: tuple[str, int], client: str, at: float) -> None:
        publish = self._publishes[number]
        owner = self._at_position.setdefault(position, number)
        if owner != number:
            detail = f"{position} is also the place of {self._publishes[owner].body}"
            self._find(Kind.REORDERED, client, publish.channel, publish.body, at, detail)
        elif publish.position is None:
            publish.position = position
        elif publish.position != position:
            detail = f"told as {position} here and as {publish.position} elsewhere"
            self._find(Kind.REORDERED, client, publish.channel, publish.body, at, detail)

    def _follow(self, client: _Client, seen: Delivered) -> None:
        last = client.last.get(seen.channel)
        client.last[seen.channel] = (seen.epoch, seen.offset)
        if last is None:
            return
        if last[0] != seen.epoch:
            self._misplaced(Kind.SILENT_GAP, seen, last)
        elif seen.offset <= last[1]:
            client.last[seen.channel] = last
            self._misplaced(Kind.REORDERED, seen, last)
        elif seen.previous is not None and seen.previous > last[1]:
            self._misplaced(Kind.SILENT_GAP, seen, last)

    @staticmethod
    def _advance(client: _Client, seen: Delivered) -> None:
        """A duplicate may be a message of its own in the log; then what follows it leaves no gap."""
        last = client.last.get(seen.channel)
        if last is not None and last[0] == seen.epoch:
            client.last[seen.channel] = max(last, (seen.epoch, seen.offset))

    def _misplaced(self, kind: Kind, seen: Delivered, last: tuple[str, int]) -> None:
        detail = f"{seen.epoch}:{seen.offset} (previous {seen.previous}) after {last[0]}:{last[1]}"
        self._find(kind, seen.client, seen.channel, seen.body, seen.at, detail)

    def _take_repeated(self, seen: Repeated) -> None:
        self._repeated += 1
        if self._by_body.get(seen.body) not in self._client(seen.client).seen:
            detail = "dropped as a repeat, but never taken before"
            self._find(Kind.REORDERED, seen.client, seen.channel, seen.body, seen.at, detail)

    def _reset(self, seen: Reset) -> None:
        self._resets += 1
        client = self._client(seen.client)
        after = _position(seen.epoch, seen.offset)
        for channel in seen.channels:
            told = _Told(at=seen.at, before=client.last.get(channel), after=after)
            client.told.setdefault(channel, []).append(told)
            client.last[channel] = after

    def _finished(self, seen: Finished) -> None:
        self._client(seen.client).finished_at = seen.at

    # ── the end

    def _losses(self) -> Iterable[Finding | None]:
        """Yield a finding for each message missed, and None for each that a reset excuses."""
        on_channel: dict[str, list[int]] = {}
        for number, publish in enumerate(self._publishes):
            if publish.kept_at is not None:
                on_channel.setdefault(publish.channel, []).append(number)
        for name, client in self._clients.items():
            if client.finished_at is None:
                subscribed = f"subscribed to {list(client.subscribed_at)}"
                yield Finding(Kind.UNFINISHED, name, "", "", 0.0, subscribed)
            for channel, since in client.subscribed_at.items():
                missed = [number for number in on_channel.get(channel, ()) if number not in client.seen]
                yield from self._judge_missed(name, client, since, missed)

    def _judge_missed(
        self, name: str, client: _Client, since: float, missed: list[int]
    ) -> Iterable[Finding | None]:
        for publish in map(self._publishes.__getitem__, missed):
            if publish.attempted_at <= since or not _due(publish, client):
                continue
            if any(told.covers(publish) for told in client.told.get(publish.channel, ())):
                yield None
            else:
                how = "acknowledged" if publish.acknowledged else "seen by others"
                detail = f"{how}, position {publish.position}, attempted at {publish.attempted_at}"
                yield Finding(Kind.LOST, name, publish.channel, publish.body, publish.kept_at or 0.0, detail)

    def _client(self, name: str) -> _Client:
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _Client()
        return client

    def _find(self, kind: Kind, client: str, channel: str, body: str, at: float, detail: str) -> None:
        _keep(Finding(kind, client, channel, body, at, detail), self._counts, self._findings)


def check(observations: Iterable[AnyObservation]) -> Verdict:
    """Judge a whole history, given in order of time."""
    judge = Judge()
    judge.observe(observations)
    return judge.verdict()


def _keep(finding: Finding, counts: dict[Kind, int], findings: list[Finding]) -> None:
    counts[finding.kind] += 1
    if counts[finding.kind] <= EVIDENCE_MAX:
        findings.append(finding)


def _position(epoch: str | None, offset: int | None) -> tuple[str, int] | None:
    return None if epoch is None or offset is None else (epoch, offset)


def _due(publish: _Publish, client: _Client) -> bool:
    """Whether the message was kept before the client said that it had caught up, or at all if it never did."""
    if publish.kept_at is None:
        return False
    return client.finished_at is None or publish.kept_at < client.finished_at
