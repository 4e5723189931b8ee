"""The rate limiter: never more than burst plus rate times the window, and fair to who behaves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tidings.node.limits import Limits, RateLimiter


@given(st.lists(st.floats(0, 0.3), min_size=1, max_size=200), st.integers(1, 20), st.integers(1, 20))
def test_no_window_sees_more_than_burst_and_rate(steps: list[float], rate: int, burst: int) -> None:
    limiter, now, taken = RateLimiter(rate, burst=burst), 1000.0, []
    for step in steps:
        now += step
        if limiter.allow(now):
            taken.append(now)
    for start in range(len(taken)):
        for end in range(start, len(taken)):
            assert end - start + 1 <= burst + rate * (taken[end] - taken[start]) + 1e-6


def test_who_stays_below_the_rate_is_never_refused() -> None:
    limiter = RateLimiter(10)
    assert all(limiter.allow(1000 + n * 0.1001) for n in range(1000))


def test_the_limits_are_those_of_the_contract() -> None:
    limits = Limits()
    assert (limits.message_bytes, limits.channel_name, limits.connection_channels) == (100_000, 200, 100)
    assert (limits.batch, limits.presence_members, limits.member_bytes) == (10, 100, 1024)
    assert (limits.frame_bytes, limits.json_depth, limits.header_bytes) == (1 << 20, 32, 16 << 10)
    assert (limits.send_buffer, limits.header_seconds, limits.sign_in_seconds) == (1 << 20, 10, 10)
