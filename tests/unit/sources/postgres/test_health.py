"""When a Postgres source is well, and what is said when it is not."""

from __future__ import annotations

import re

import pytest

from tidings.sources.postgres.desk import Look
from tidings.sources.postgres.health import LOOK_PATIENCE, PATIENCE, Bounds, Vitals, judge

BOUNDS = Bounds(behind=100, retained=1000, safe=50)


def following(position: int = 500) -> Vitals:
    vitals = Vitals(since=0.0)
    vitals.connected(1.0, position)
    return vitals


def test_before_the_first_stream_it_is_not_well() -> None:
    health = judge(Vitals(since=0.0), BOUNDS, 0.0, ())
    assert (health.ok, health.detail) == (False, "the stream has not begun")


def test_a_stream_within_bounds_is_well_and_tells_its_numbers() -> None:
    vitals = following()
    vitals.last_commit = 7
    vitals.note(Look(written=550, kept_from=400, safe=None, status="reserved"), 1.0)
    health = judge(vitals, BOUNDS, 2.0, ())
    assert (health.ok, health.behind, health.retained, health.last_commit) == (True, 50, 150, 7)


def test_a_break_is_a_fault_only_after_a_while_and_says_what_is_wrong() -> None:
    vitals = following()
    vitals.lost(10.0)
    vitals.trouble = "the database does not answer"
    assert judge(vitals, BOUNDS, 10.0 + PATIENCE, ()).ok
    health = judge(vitals, BOUNDS, 10.1 + PATIENCE, ())
    assert (health.ok, health.detail) == (False, "the database does not answer")
    vitals.connected(20.0, 500)
    assert judge(vitals, BOUNDS, 20.0, ()).ok


def test_one_that_waits_for_another_reader_is_well_and_says_so() -> None:
    vitals = Vitals(since=0.0)
    vitals.standby = True
    health = judge(vitals, BOUNDS, 100.0, ())
    assert health.ok
    assert "takes over" in health.detail


@pytest.mark.parametrize(
    ("look", "absent", "words"),
    [
        (Look(written=601, kept_from=500, safe=None, status=""), (), "101 bytes .* not published yet"),
        (Look(written=500, kept_from=500, safe=49, status=""), (), "takes the slot away after 49 more"),
        (Look(written=1600, kept_from=500, safe=None, status=""), (), "bytes"),
        (Look(written=500, kept_from=500, safe=None, status=""), ("tasks",), "not captured: tasks"),
    ],
)
def test_each_bound_that_is_passed_is_named(look: Look, absent: tuple[str, ...], words: str) -> None:
    vitals = following()
    vitals.note(look, 1.0)
    health = judge(vitals, BOUNDS, 2.0, absent)
    assert not health.ok
    assert re.search(words, health.detail), health.detail


def test_log_that_is_kept_for_long_is_named_even_when_all_is_published() -> None:
    vitals = following(5000)
    vitals.note(Look(written=5000, kept_from=10, safe=None, status="extended"), 1.0)
    health = judge(vitals, BOUNDS, 2.0, ())
    assert not health.ok
    assert "keeps 4990 bytes" in health.detail


def test_streams_that_begin_and_end_again_and_again_are_no_sign_of_health() -> None:
    vitals = following()
    now = 10.0
    for _ in range(20):
        vitals.lost(now)
        vitals.trouble = "the server cannot tell its own log"
        now += 0.5
        vitals.connected(now, 500)
    health = judge(vitals, BOUNDS, now, ())
    assert (health.ok, health.detail) == (False, "the server cannot tell its own log")
    assert judge(vitals, BOUNDS, now + PATIENCE, ()).ok  # this one lasts


def test_a_slot_that_cannot_be_looked_at_for_long_is_a_fault_with_its_reason() -> None:
    """Silence: what happens to the publication meanwhile is not seen."""
    vitals = following()
    vitals.note(Look(written=500, kept_from=500, safe=None, status=""), 10.0)
    vitals.unseen = "the database refused: no"
    assert judge(vitals, BOUNDS, 10.0 + LOOK_PATIENCE, ()).ok
    health = judge(vitals, BOUNDS, 10.1 + LOOK_PATIENCE, ())
    assert not health.ok
    assert "the database refused: no" in health.detail
    vitals.note(Look(written=500, kept_from=500, safe=None, status=""), 50.0)
    assert judge(vitals, BOUNDS, 51.0, ()).ok
