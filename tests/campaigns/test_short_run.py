"""A small campaign against a real server on every run of the tests; `make prove` runs the large one."""

from __future__ import annotations

from pathlib import Path

import pytest

from campaigns.prove import Settings, run

SEED = 20_261_120


@pytest.mark.integration
@pytest.mark.timeout(100)
async def test_nothing_is_lost_through_kills_and_cuts(tmp_path: Path) -> None:
    report = await run(Settings(kills=5, cuts=10, subscribers=8, seed=SEED, output=tmp_path))
    assert report.faults == (), f"{report.table()}\n{report.evidence()}"
    assert (report.toll.kills, report.toll.cuts) == (5, 10)
    assert report.verdict.deliveries > 8 * 10
