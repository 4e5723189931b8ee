"""A plan is what was asked for, and the same for the same seed."""

from __future__ import annotations

import pytest

from campaigns.plan import HOLD_SECONDS, UPTIME_SECONDS, Cut, Kill, draw


def test_the_same_seed_draws_the_same_plan() -> None:
    assert draw(7, kills=20, cuts=40, victims=5) == draw(7, kills=20, cuts=40, victims=5)
    assert draw(7, kills=20, cuts=40, victims=5) != draw(8, kills=20, cuts=40, victims=5)


def test_it_holds_as_many_strikes_as_asked() -> None:
    plan = draw(1, kills=20, cuts=40, victims=5)
    assert sum(isinstance(strike, Kill) for strike in plan) == 20
    assert sum(isinstance(strike, Cut) for strike in plan) == 40


def test_each_server_lives_as_long_as_stated() -> None:
    life, lives = 0.0, []
    for strike in draw(3, kills=50, cuts=100, victims=5):
        life += strike.wait
        if isinstance(strike, Kill):
            lives.append(life)
            life = 0.0
    assert all(UPTIME_SECONDS[0] - 1e-9 <= life <= UPTIME_SECONDS[1] + 1e-9 for life in lives)


def test_seconds_are_shared_out_among_the_lives() -> None:
    plan = draw(3, kills=5, cuts=10, victims=5, seconds=30.0)
    assert sum(strike.wait for strike in plan) == pytest.approx(30.0)


def test_without_kills_there_are_only_cuts() -> None:
    plan = draw(3, kills=0, cuts=10, victims=5)
    assert len(plan) == 10
    assert all(isinstance(strike, Cut) for strike in plan)


def test_every_victim_is_struck_within_bounds() -> None:
    cuts = [strike for strike in draw(3, kills=1, cuts=500, victims=5) if isinstance(strike, Cut)]
    assert {cut.victim for cut in cuts} == set(range(5))
    assert all(HOLD_SECONDS[0] <= cut.hold <= HOLD_SECONDS[1] and cut.size >= 1 for cut in cuts)
