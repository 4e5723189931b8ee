"""When a table's publishing was unbroken, and which tables are told, once and again, until the log has their seals."""

from __future__ import annotations

import pytest

from tidings.sources.postgres.seals import LEAVES, Found, Horizon, Keeper, is_unbroken

QUIET = Horizon(100, 100)
"""No transaction is open."""


@pytest.mark.parametrize(
    ("before", "now", "unbroken"),
    [
        (None, "1.2", False),
        ("1.2", "1.2", True),
        ("1.2", "1.3", False),
        ("1.2 +8/8", "1.2 +8/8 +9/9", True),
        ("1.2 +8/8", "1.2 8/8 +9/9", True),
        ("1.2 8/8", "1.2 +8/8", True),
        ("1.2 +8/8", "1.2 +8/8 9/9", False),
        ("1.2 +8/8", "1.2 8/10", False),
        ("1.2 +8/8", "1.2", False),
    ],
)
def test_all_that_was_must_be_there_and_what_is_new_must_have_begun_without_rows(
    before: str | None, now: str, *, unbroken: bool
) -> None:
    assert is_unbroken(before, now) == unbroken


def test_what_is_as_it_was_is_not_told_and_not_kept_anew() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert keeper.compare(Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == ((), None)


def test_a_broken_seal_is_told_once_and_kept_with_that() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert keeper.compare(Found(seals={"t": "1", "u": "3"}, horizon=QUIET)) == (("u",), {"t": "1", "u": "3"})
    assert keeper.compare(Found(seals={"t": "1", "u": "3"}, horizon=QUIET)) == ((), None)


@pytest.mark.parametrize("kept", [None, {}])
def test_a_log_that_has_no_seals_has_all_told(kept: dict[str, str] | None) -> None:
    keeper = Keeper()
    keeper.go_on(kept)
    assert keeper.compare(Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == (
        ("t", "u"),
        {"t": "1", "u": "2"},
    )


def test_while_transactions_are_open_a_table_has_no_seal_and_is_told_again_at_their_end() -> None:
    """Crash: in between a restart finds no seal, and so tells the table anew."""
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert keeper.compare(Found(seals={"t": "9", "u": "2"}, horizon=Horizon(50, 60))) == (("t",), {"u": "2"})
    assert keeper.compare(Found(seals={"t": "9", "u": "2"}, horizon=Horizon(59, 70))) == ((), None)
    assert keeper.compare(Found(seals={"t": "9", "u": "2"}, horizon=Horizon(60, 70))) == (
        ("t",),
        {"t": "9", "u": "2"},
    )
    assert keeper.compare(Found(seals={"t": "9", "u": "2"}, horizon=QUIET)) == ((), None)


def test_a_table_that_breaks_twice_waits_for_the_later_one() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    assert keeper.compare(Found(seals={"t": "2"}, horizon=Horizon(50, 60))) == (("t",), {})
    assert keeper.compare(Found(seals={"t": "3"}, horizon=Horizon(55, 80))) == (("t",), None)
    assert keeper.compare(Found(seals={"t": "3"}, horizon=Horizon(60, 90))) == (("t",), None)
    assert keeper.compare(Found(seals={"t": "3"}, horizon=Horizon(80, 90))) == (("t",), {"t": "3"})


def test_a_table_that_is_gone_for_a_while_loses_its_seal_and_is_told_when_it_is_back() -> None:
    keeper = Keeper()
    assert keeper.begin({"t": "1", "u": "2"}) == {"t": "1", "u": "2"}
    assert keeper.compare(Found(seals={"u": "2"}, horizon=QUIET)) == ((), {"u": "2"})
    assert keeper.compare(Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == (("t",), {"t": "1", "u": "2"})


def test_beginning_anew_forgets_what_was_waited_for() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    keeper.compare(Found(seals={"t": "2"}, horizon=Horizon(50, 60)))
    keeper.begin({"t": "2"})
    assert keeper.compare(Found(seals={"t": "2"}, horizon=QUIET)) == ((), None)
    keeper.compare(Found(seals={"t": "3"}, horizon=Horizon(150, 160)))
    keeper.go_on({"t": "3"})
    assert keeper.compare(Found(seals={"t": "3"}, horizon=Horizon(200, 200))) == ((), None)


def test_with_a_slot_that_was_there_all_is_told_again_when_what_was_open_has_ended() -> None:
    keeper = Keeper()
    assert keeper.begin({"t": "1"}, Horizon(50, 60)) == {}
    assert keeper.compare(Found(seals={"t": "1"}, horizon=Horizon(55, 70))) == ((), None)
    assert keeper.compare(Found(seals={"t": "1"}, horizon=Horizon(60, 70))) == (("t",), {"t": "1"})


# ── leaves


def test_a_leaf_that_no_seal_names_is_kept_until_one_does() -> None:
    keeper = Keeper()
    keeper.begin({"p": "1 +8/8/5"})
    assert keeper.note({8}) is None
    assert keeper.note({9, 10}) == {"p": "1 +8/8/5", LEAVES: "9 10"}
    assert keeper.note({9}) is None
    assert keeper.leaves == {9, 10}
    found = Found(seals={"p": "1 +8/8/5 +9/9/7"}, horizon=QUIET)
    assert keeper.compare(found) == ((), {"p": "1 +8/8/5 +9/9/7", LEAVES: "10"})
    assert keeper.leaves == {10}


def test_a_leaf_that_is_gone_is_told_once_for_all_partitioned_tables_also_after_a_crash() -> None:
    keeper = Keeper()
    keeper.begin({"p": "1", "q": "2", "t": "3"})
    kept = keeper.note({9})
    seals = {"p": "1", "q": "2", "t": "3"}
    for _ in range(2):
        keeper.go_on(kept)
        assert keeper.leaves == {9}
        found = Found(seals=seals, horizon=QUIET, gone=(9,), partitioned=("p", "q"))
        assert keeper.compare(found) == (("p", "q"), seals)
    assert keeper.leaves == frozenset()
