"""A campaign passes only when it struck as often as planned, checked something, and found nothing."""

from __future__ import annotations

from dataclasses import replace

from campaigns.catchup import CatchUp
from campaigns.nemesis import Toll
from campaigns.prove import parse
from campaigns.report import Report
from tidings.testing.verdicts import Finding, Kind, Verdict

NOTHING = dict.fromkeys(Kind, 0)
PASSED = Report(
    seed=7,
    kills_planned=5,
    cuts_planned=10,
    subscribers=8,
    toll=Toll(kills=5, cuts=10, longest_start=0.5),
    verdict=Verdict(100, 100, 600, 3, 0, 0, NOTHING, ()),
    catch_ups=[CatchUp("c1", 1.0, 0.25), CatchUp("c2", 2.0, 1.25)],
    retries=4,
    seconds=12.0,
    durable=True,
    history="history.jsonl",
)


def test_a_campaign_without_findings_passes() -> None:
    assert PASSED.faults == ()


def test_any_finding_fails_it() -> None:
    lost = Finding(Kind.LOST, "c1", "a", "m1", 1.0, "why")
    report = replace(
        PASSED, verdict=replace(PASSED.verdict, counts={**NOTHING, Kind.LOST: 1}, findings=(lost,))
    )
    assert report.faults == ("lost: 1",)
    assert "m1" in report.evidence()


def test_fewer_strikes_than_planned_fail_it() -> None:
    assert len(replace(PASSED, toll=Toll(kills=4, cuts=9)).faults) == 2


def test_nothing_checked_fails_it() -> None:
    assert replace(PASSED, verdict=replace(PASSED.verdict, deliveries=0)).faults


def test_a_durable_log_has_no_reason_to_reset() -> None:
    told = replace(PASSED.verdict, resets=1)
    assert replace(PASSED, verdict=told).faults
    assert not replace(PASSED, verdict=told, durable=False).faults


def test_the_table_names_what_was_promised() -> None:
    rows = dict(line.rsplit(maxsplit=1) for line in PASSED.table().splitlines() if not line.endswith(" s"))
    assert (rows["lost"], rows["duplicated"], rows["reordered"], rows["silent gaps"]) == ("0", "0", "0", "0")
    assert (rows["published"], rows["deliveries checked"], rows["kills"], rows["cuts"]) == (
        "100",
        "600",
        "5",
        "10",
    )
    assert "1.25 s" in PASSED.table()


def test_a_seed_is_drawn_when_none_is_given() -> None:
    assert parse(["--seed", "9"]).seed == 9
    assert parse([]).seed != parse([]).seed
