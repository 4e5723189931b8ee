"""The table that a campaign prints, and whether it passed. It runs and judges nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.catchup import CatchUp
from campaigns.nemesis import Toll
from tidings.testing.verdicts import Kind, Verdict

EVIDENCE_SHOWN = 20
"""Findings printed; the history file has the rest."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one campaign did and what came of it."""

    seed: int
    kills_planned: int
    cuts_planned: int
    subscribers: int
    toll: Toll
    verdict: Verdict
    catch_ups: Sequence[CatchUp]
    retries: int
    seconds: float
    durable: bool
    history: str

    @property
    def faults(self) -> tuple[str, ...]:
        """Why the campaign failed; empty when it passed."""
        reasons = [f"{kind}: {count}" for kind, count in self.verdict.counts.items() if count]
        if self.durable and self.verdict.resets:
            # Nothing outran the retention here, so a durable log can always be continued.
            reasons.append(f"resets without a reason: {self.verdict.resets}")
        if self.toll.kills < self.kills_planned:
            reasons.append(f"only {self.toll.kills} of {self.kills_planned} kills")
        if self.toll.cuts < self.cuts_planned:
            reasons.append(f"only {self.toll.cuts} of {self.cuts_planned} cuts, victims never came back")
        if not self.verdict.deliveries:
            reasons.append("nothing was delivered")
        return tuple(reasons)

    def table(self) -> str:
        """Return the table as text."""
        rows = [*self._effort(), *self._outcome()]
        width = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{width}}  {value:>12}" for name, value in rows)

    def evidence(self) -> str:
        """Return the first findings, one on a line."""
        return "\n".join(
            f"{finding.kind} at {finding.at:.3f}: {finding.client} {finding.channel} {finding.body}: {finding.detail}"
            for finding in self.verdict.findings[:EVIDENCE_SHOWN]
        )

    def _effort(self) -> list[tuple[str, str]]:
        verdict, toll = self.verdict, self.toll
        return [
            ("seed", str(self.seed)),
            ("seconds", f"{self.seconds:.1f}"),
            ("subscribers", str(self.subscribers)),
            ("published", str(verdict.attempted)),
            ("acknowledged", str(verdict.acknowledged)),
            ("publishes retried", str(self.retries)),
            ("deliveries checked", str(verdict.deliveries)),
            ("kills", str(toll.kills)),
            ("cuts", str(toll.cuts)),
            ("longest start", f"{toll.longest_start:.2f} s"),
        ]

    def _outcome(self) -> list[tuple[str, str]]:
        verdict = self.verdict
        names = {Kind.SILENT_GAP: "silent gaps"}
        longest = max(self.catch_ups, key=lambda found: found.seconds, default=None)
        return [
            *((names.get(kind, str(kind)), str(verdict.counts[kind])) for kind in Kind),
            ("repeated", str(verdict.repeated)),
            ("resets", str(verdict.resets)),
            ("longest catch-up", f"{longest.seconds:.2f} s" if longest else "none"),
        ]
