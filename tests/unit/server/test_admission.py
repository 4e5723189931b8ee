"""Connects per address."""

from __future__ import annotations

from tidings.server import admission
from tidings.server.admission import Admission


def count(door: Admission, address: str, now: float, times: int) -> int:
    return sum(door.allow(address, now) for _ in range(times))


def test_a_burst_passes_and_then_the_rate() -> None:
    door = Admission(5.0, burst=10)
    assert count(door, "1.1.1.1", 100.0, 50) == 10
    assert count(door, "1.1.1.1", 101.0, 50) == 5


def test_addresses_do_not_pay_for_one_another() -> None:
    door = Admission(1.0, burst=1)
    assert door.allow("1.1.1.1", 0.0)
    assert not door.allow("1.1.1.1", 0.0)
    assert door.allow("1.1.1.2", 0.0)


def test_an_ipv6_host_has_one_account_for_its_64() -> None:
    door = Admission(1.0, burst=1)
    assert door.allow("2001:db8:1:2::1", 0.0)
    assert not door.allow("2001:db8:1:2:ffff::9", 0.0)
    assert door.allow("2001:db8:1:3::1", 0.0)


def test_no_rate_admits_everybody() -> None:
    assert count(Admission(0.0), "1.1.1.1", 0.0, 1000) == 1000


def test_no_more_addresses_are_remembered_than_the_bound(monkeypatch: object) -> None:
    door = Admission(1.0, burst=1)
    for at in range(admission.MAX_ADDRESSES + 10):
        door.allow(f"a{at}", 0.0)
    assert len(door._limiters) == admission.MAX_ADDRESSES
    assert door.allow("a0", 0.0)
