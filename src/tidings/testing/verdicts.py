"""The words of a verdict: kinds of findings, their evidence, and the counts. It judges nothing; `history` does."""

from __future__ import annotations

import enum
from dataclasses import dataclass

EVIDENCE_MAX = 1_000
"""Findings kept for each kind. All are counted; a broken server would otherwise fill the memory with evidence."""


class Kind(enum.StrEnum):
    """The ways in which a history can break the promises of delivery."""

    LOST = "lost"
    """Kept (acknowledged, or shown to anybody) and attempted after the client had subscribed, yet the client
    caught up, or the history ended, without its seeing it and without a reset that covers it."""
    DUPLICATED = "duplicated"
    """The client took the same publish twice, resumes included; or one publish became two messages."""
    REORDERED = "reordered"
    """Offsets fell on a client's channel, or two clients were told different places for one message."""
    SILENT_GAP = "silent gap"
    """`previous` lies beyond the last offset the client knew, or the epoch changed, and no reset said so."""
    PHANTOM = "phantom"
    """Delivered or acknowledged without being attempted, or on a channel where it does not belong."""
    UNFINISHED = "unfinished"
    """The client never said that it had caught up: it is stuck, or the history was broken off."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation with its evidence. `body` names the publish, `at` the moment in seconds."""

    kind: Kind
    client: str
    channel: str
    body: str
    at: float
    detail: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a history shows. `counts` is exact; `findings` holds the first `EVIDENCE_MAX` of each kind."""

    attempted: int
    acknowledged: int
    deliveries: int
    repeated: int
    resets: int
    excused: int
    """Messages that a client did not see because a reset had told it so."""
    counts: dict[Kind, int]
    findings: tuple[Finding, ...]

    @property
    def clean(self) -> bool:
        """Whether no promise was broken."""
        return not any(self.counts.values())

    def of(self, kind: Kind) -> tuple[Finding, ...]:
        """Return the evidence of one kind."""
        return tuple(finding for finding in self.findings if finding.kind is kind)
