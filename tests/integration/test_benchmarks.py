"""The benchmarks run: every scenario with 20 subscribers and a few messages. How fast it was does not matter here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.machine import cpu_seconds
from benchmarks.rounds import Series, interleaved
from benchmarks.table import Bound, Group, Row, lines, missed

ROOT = Path(__file__).parents[2]

ROWS = (
    "WebSocket, 20 subscribers of one channel, one publish at a time",
    "WebSocket, 20 subscribers of one channel, 16 publishes in flight",
    "SSE, 20 subscribers of one channel, one publish at a time",
    "SSE, 20 subscribers of one channel, 16 publishes in flight",
    "sqlite engine, one publish at a time",
    "sqlite engine, 16 publishes in flight",
    "websockets broadcast()",
    "C, send() loop",
    "Node ws",
    "4 channels of 5",
    "A publish that nobody listens to",
    "tidings, WebSocket",
    "tidings, SSE",
    "APSW, one row a commit",
    "sqlite engine, 64 in flight",
    "tidings, p50",
    "tidings, p99",
    "the hub: found, judged, encoded, written",
    "tidings, each with a filter",
    "polling a slot at 100 ms, p99",
    "the stream alone, decoded, p99",
    "tidings, into the log, streamed",
    "the source alone, decoded",
    "one call of pg_logical_slot_get_changes",
    "longest hold of the event loop",
    "resident memory more than before",
    "p99 of publishes to another channel",
    "32 transactions of one row in the slot",
    "tidings, one filter for all",
    "a query each, in place of apply_rls",
    "not held:",
)


def run(*arguments: str, program: str = "benchmarks.run") -> str:
    """What a run prints."""
    command = [sys.executable, "-m", program, *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_one_run_prints_every_row() -> None:
    printed = run("--smoke")
    assert [row for row in ROWS if row not in printed] == []


def test_without_a_c_compiler_the_rest_is_still_measured_and_the_gap_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    printed = run("--smoke", "--only", "websocket", "sse")
    assert "no C compiler (cc): the C loop is left out" in printed
    assert re.search(r"C, send\(\) loop +- +no C compiler \(cc\) here", printed)
    assert re.search(r"Node ws +- +no node", printed)
    assert "websockets broadcast()" in printed


def test_interleaving_goes_round_and_forgets_the_first_turn() -> None:
    turns: list[str] = []

    def measure(name: str) -> float:
        turns.append(name)
        return float(len(turns))

    found = interleaved({"a": lambda: measure("a"), "b": lambda: measure("b")}, rounds=2)
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert found == {"a": Series((3.0, 5.0)), "b": Series((4.0, 6.0))}


def test_a_ratio_is_taken_within_rounds_so_that_drift_of_the_machine_cancels() -> None:
    assert Series((1.0, 10.0, 100.0)).ratio(Series((2.0, 20.0, 200.0))) == 0.5


@pytest.mark.parametrize(
    ("bound", "value", "verdict"),
    [
        (Bound(1.45, 1.15), 1.5, "MISS"),
        (Bound(1.45, 1.15), 1.45, "ok"),
        (Bound(1.45, 1.15), 1.1, "ok, aim met"),
        (Bound(10, 30, more=True), 9.9, "MISS"),
        (Bound(10, 30, more=True), 31, "ok, aim met"),
    ],
)
def test_a_bound_says_whether_it_is_held(bound: Bound, value: float, verdict: str) -> None:
    assert bound.verdict(value) == verdict


def test_what_is_not_held_is_named_and_shown() -> None:
    group = Group(
        "Idle", "kB", [Row("one", Series((8.0,)), bound=Bound(7, 3)), Row("two", None, note="absent")]
    )
    assert missed([group]) == ["Idle: one"]
    printed = "\n".join(lines([group]))
    assert "MISS" in printed
    assert "absent" in printed


def test_the_cpu_clock_of_a_process_counts_its_work() -> None:
    before = time.process_time()
    seen = cpu_seconds(os.getpid())
    assert before <= seen <= time.process_time()
