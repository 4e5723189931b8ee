"""A verdict is clean only when nothing at all was found."""

from __future__ import annotations

import pytest

from tidings.testing.verdicts import Finding, Kind, Verdict


def verdict(*kinds: Kind) -> Verdict:
    counts = {kind: kinds.count(kind) for kind in Kind}
    findings = tuple(Finding(kind, "c1", "a", "m1", 1.0, "why") for kind in kinds)
    return Verdict(1, 1, 1, 0, 0, 0, counts, findings)


def test_nothing_found_is_clean() -> None:
    assert verdict().clean


@pytest.mark.parametrize("kind", list(Kind))
def test_any_finding_is_not_clean(kind: Kind) -> None:
    assert not verdict(kind).clean


def test_evidence_is_given_by_kind() -> None:
    found = verdict(Kind.LOST, Kind.PHANTOM, Kind.LOST)
    assert [finding.kind for finding in found.of(Kind.LOST)] == [Kind.LOST, Kind.LOST]
    assert found.of(Kind.REORDERED) == ()
