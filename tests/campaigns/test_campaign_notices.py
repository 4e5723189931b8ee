"""The campaign itself on trial: it passes a correct toy server, and convicts one that breaks a promise."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from campaigns.prove import Settings, run
from campaigns.report import Report
from tidings.testing.history import check
from tidings.testing.observations import decode_lines
from tidings.testing.verdicts import Kind

TOY = Path(__file__).with_name("toy_server.py")

pytestmark = [pytest.mark.integration, pytest.mark.timeout(100)]


async def campaign(output: Path, *, kills: int = 2, patience: float = 60.0) -> Report:
    program = (sys.executable, str(TOY))
    return await run(
        Settings(
            kills=kills, cuts=6, subscribers=4, seed=11, output=output, patience=patience, program=program
        )
    )


async def test_a_correct_server_passes(tmp_path: Path) -> None:
    report = await campaign(tmp_path)
    assert report.faults == (), report.evidence()
    assert (report.toll.kills, report.toll.cuts) == (2, 6)
    assert report.verdict.acknowledged == report.verdict.attempted > 50


async def test_the_file_that_stays_leads_to_the_same_verdict(tmp_path: Path) -> None:
    report = await campaign(tmp_path, kills=1)
    lines = await asyncio.to_thread(Path(report.history).read_bytes)
    assert check(decode_lines(lines)) == report.verdict


@pytest.mark.parametrize(
    ("bug", "kind"),
    [
        ("ack-first", Kind.LOST),
        ("forget-key", Kind.DUPLICATED),
        ("skip", Kind.SILENT_GAP),
        ("swap", Kind.REORDERED),
    ],
)
async def test_a_broken_server_is_convicted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bug: str, kind: Kind
) -> None:
    monkeypatch.setenv("TOY_BUG", bug)
    report = await campaign(tmp_path, patience=2.0)
    assert report.verdict.counts[kind] > 0, report.table()
    assert report.faults
