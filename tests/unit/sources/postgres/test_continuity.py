"""Whether a slot goes on where the log has us: every way in which it cannot is a gap."""

from __future__ import annotations

from typing import Any

import pytest

from tidings.changes import Checkpoint, Gap, Progress
from tidings.sources.postgres.continuity import (
    Server,
    Slot,
    begin,
    end_of_records,
    generation_of,
    parse_history,
    start_position,
)

HERE = Server(system=0xABC, timeline=2, switches=((1, 1000),), written=9000)
NONCE = "0123ab"
GENERATION = "abc-2-fedcba"


def progress(value: int = 2000, generation: str = GENERATION, **part: int) -> Progress:
    return Progress(source="s", generation=generation, checkpoint=Checkpoint(value, **part))


def test_what_fits_goes_on_and_keeps_its_generation() -> None:
    plan = begin(progress(), HERE, Slot(confirmed=2001), NONCE)
    assert (plan.generation, plan.after, plan.gap) == (GENERATION, Checkpoint(2000), None)
    assert not plan.create
    assert not plan.drop


@pytest.mark.parametrize("slot", [None, Slot(confirmed=500), Slot(confirmed=500, lost="wal_removed")])
def test_a_first_capture_makes_what_is_missing_and_says_that_it_is_the_first(slot: Slot | None) -> None:
    plan = begin(None, HERE, slot, NONCE)
    assert plan.gap == Gap("source", first=True)
    assert plan.after is None
    assert plan.generation == generation_of(HERE, NONCE) == "abc-2-0123ab"
    assert plan.create == (slot is None or bool(slot.lost))
    assert plan.drop == (slot is not None and bool(slot.lost))


@pytest.mark.parametrize(
    ("known", "server", "slot", "why"),
    [
        (progress(), HERE, None, "the replication slot is gone"),
        (progress(), HERE, Slot(confirmed=1, lost="wal_removed"), "invalidated: wal_removed"),
        (progress(), HERE, Slot(confirmed=2002), "moved on by somebody else"),
        (progress(2000, part=3), HERE, Slot(confirmed=2001), "moved on by somebody else"),
        (progress(), Server(system=0xDEF, timeline=2), Slot(confirmed=1), "another database cluster"),
        (progress(generation="nonsense"), HERE, Slot(confirmed=1), "another database cluster"),
        (progress(generation="abc-7-fedcba"), HERE, Slot(confirmed=1), "timeline 7 is not in"),
        (progress(1000, "abc-1-fedcba"), HERE, Slot(confirmed=1), "promoted lacks commits"),
        (progress(9000), HERE, Slot(confirmed=1), "restored from an earlier state"),
    ],
)
def test_what_does_not_fit_is_a_gap_under_a_new_generation(
    known: Progress, server: Server, slot: Slot | None, why: str
) -> None:
    plan = begin(known, server, slot, NONCE)
    assert plan.gap is not None
    assert why in plan.gap.reason
    assert not plan.gap.first
    assert plan.after is None
    assert plan.generation.endswith(NONCE)
    assert plan.create == (slot is None or bool(slot.lost))


def test_a_promoted_standby_that_has_all_goes_on_under_its_own_timeline() -> None:
    plan = begin(progress(999, "abc-1-fedcba"), HERE, Slot(confirmed=900), NONCE)
    assert plan.gap is None
    assert plan.after == Checkpoint(999)
    assert plan.generation == "abc-2-0123ab"


@pytest.mark.parametrize(
    ("after", "position"), [(None, 0), (Checkpoint(2000), 2001), (Checkpoint(2000, 3), 0)]
)
def test_a_commit_that_was_told_in_part_is_asked_for_again(after: Any, position: int) -> None:
    assert start_position(after) == position


def test_a_history_file_says_where_each_timeline_was_left() -> None:
    text = b"1\t0/16B3748\tno recovery target specified\n\n2\t1/0\tx # y\nnonsense\n"
    assert parse_history(text) == ((1, 0x16B3748), (2, 1 << 32))
    assert parse_history(b"") == ()


@pytest.mark.parametrize(
    ("next_byte", "end"),
    [(8192 * 5, 8192 * 5), (8192 * 5 + 24, 8192 * 5), ((16 << 20) + 40, 16 << 20), (8192 + 48, 8192 + 48)],
)
def test_behind_the_header_of_a_page_nothing_is_written_yet(next_byte: int, end: int) -> None:
    assert end_of_records(next_byte) == end
