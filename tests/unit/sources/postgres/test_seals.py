"""When a table's publishing was unbroken, and which tables are told, once and again, until the log has their seals."""

from __future__ import annotations

import pytest

from tidings.sources.postgres.seals import LEAVES, Found, Horizon, Keeper, is_unbroken

QUIET = Horizon(100, 100)
"""No transaction is open."""


def told(keeper: Keeper, found: Found) -> tuple[tuple[str, ...], dict[str, str] | None]:
    """What follows from a look that is told at once: the tables, and the seals that are kept."""
    news = keeper.compare(found)
    return news.missed, keeper.hand_out(news)


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
    assert told(keeper, Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == ((), None)


def test_a_broken_seal_is_told_once_and_kept_with_that() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert told(keeper, Found(seals={"t": "1", "u": "3"}, horizon=QUIET)) == (("u",), {"t": "1", "u": "3"})
    assert told(keeper, Found(seals={"t": "1", "u": "3"}, horizon=QUIET)) == ((), None)


@pytest.mark.parametrize("kept", [None, {}])
def test_a_log_that_has_no_seals_has_all_told(kept: dict[str, str] | None) -> None:
    keeper = Keeper()
    keeper.go_on(kept)
    assert told(keeper, Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == (
        ("t", "u"),
        {"t": "1", "u": "2"},
    )


def test_while_transactions_are_open_a_table_has_no_seal_and_is_told_again_at_their_end() -> None:
    """Crash: in between a restart finds no seal, and so tells the table anew."""
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert told(keeper, Found(seals={"t": "9", "u": "2"}, horizon=Horizon(50, 60))) == (("t",), {"u": "2"})
    assert told(keeper, Found(seals={"t": "9", "u": "2"}, horizon=Horizon(59, 70))) == ((), None)
    assert told(keeper, Found(seals={"t": "9", "u": "2"}, horizon=Horizon(60, 70))) == (
        ("t",),
        {"t": "9", "u": "2"},
    )
    assert told(keeper, Found(seals={"t": "9", "u": "2"}, horizon=QUIET)) == ((), None)


def test_a_table_that_breaks_twice_waits_for_the_later_one() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    assert told(keeper, Found(seals={"t": "2"}, horizon=Horizon(50, 60))) == (("t",), {})
    assert told(keeper, Found(seals={"t": "3"}, horizon=Horizon(55, 80))) == (("t",), None)
    assert told(keeper, Found(seals={"t": "3"}, horizon=Horizon(60, 90))) == (("t",), None)
    assert told(keeper, Found(seals={"t": "3"}, horizon=Horizon(80, 90))) == (("t",), {"t": "3"})


def test_a_table_that_is_gone_for_a_while_loses_its_seal_and_is_told_when_it_is_back() -> None:
    keeper = Keeper()
    assert keeper.begin({"t": "1", "u": "2"}) == {"t": "1", "u": "2"}
    assert told(keeper, Found(seals={"u": "2"}, horizon=QUIET)) == ((), {"u": "2"})
    assert told(keeper, Found(seals={"t": "1", "u": "2"}, horizon=QUIET)) == (("t",), {"t": "1", "u": "2"})


def test_beginning_anew_forgets_what_was_waited_for() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    told(keeper, Found(seals={"t": "2"}, horizon=Horizon(50, 60)))
    keeper.begin({"t": "2"})
    assert told(keeper, Found(seals={"t": "2"}, horizon=QUIET)) == ((), None)
    told(keeper, Found(seals={"t": "3"}, horizon=Horizon(150, 160)))
    keeper.go_on({"t": "3"})
    assert told(keeper, Found(seals={"t": "3"}, horizon=Horizon(200, 200))) == ((), None)


def test_with_a_slot_that_was_there_all_is_told_again_when_what_was_open_has_ended() -> None:
    keeper = Keeper()
    assert keeper.begin({"t": "1"}, Horizon(50, 60)) == {}
    assert told(keeper, Found(seals={"t": "1"}, horizon=Horizon(55, 70))) == ((), None)
    assert told(keeper, Found(seals={"t": "1"}, horizon=Horizon(60, 70))) == (("t",), {"t": "1"})


# ── leaves

P = {"p": "1 +8/8/5"}
OF_P = {8: "p", 9: "p", 10: "p"}


def some(*leaves: int) -> dict[int, str]:
    return {leaf: OF_P[leaf] for leaf in leaves}


def test_a_leaf_that_no_seal_names_is_kept_until_one_does() -> None:
    keeper = Keeper()
    keeper.begin(P)
    assert keeper.note(some(8)) is None
    assert keeper.note(some(9, 10)) == {**P, LEAVES: '{"9":"p","10":"p"}'}
    assert keeper.note(some(9)) is None
    assert keeper.leaves == {9, 10}
    seals = {"p": "1 +8/8/5 +9/9/7"}
    assert told(keeper, Found(seals=seals, horizon=QUIET)) == ((), {**seals, LEAVES: '{"10":"p"}'})
    assert keeper.leaves == {10}


def test_a_leaf_that_is_gone_is_told_once_and_also_after_a_crash() -> None:
    keeper = Keeper()
    seals = {**P, "q": "2"}
    keeper.begin(seals)
    kept = keeper.note(some(9))
    for _ in range(2):
        keeper.go_on(kept)
        assert keeper.leaves == {9}
        found = Found(seals=seals, horizon=QUIET, gone=frozenset({9}))
        news = keeper.compare(found)
        assert news.missed == ("p",)
        assert keeper.compare(found).missed == ()  # though those news still wait
        assert keeper.hand_out(news) == seals
    assert keeper.leaves == frozenset()


def test_while_news_wait_a_commit_brings_no_seal_of_theirs_and_keeps_the_leaves_that_only_they_name() -> None:
    """Crash: before a gap is stored the log must have the seal that is broken, and each leaf in one way or another."""
    keeper = Keeper()
    keeper.begin({**P, "t": "3"})
    after = {"p": "1 +8/8/5 +9/9/7", "t": "4"}
    news = keeper.compare(Found(seals=after, horizon=QUIET))
    assert news.missed == ("t",)
    assert keeper.note(some(9)) == {**P, "t": "3", LEAVES: '{"9":"p"}'}
    later = keeper.compare(Found(seals={**after, "t": "5"}, horizon=QUIET))
    assert keeper.note(some(10)) == {**P, "t": "3", LEAVES: '{"9":"p","10":"p"}'}
    assert keeper.hand_out(news) == {**after, LEAVES: '{"10":"p"}'}
    assert keeper.hand_out(later) == {**after, "t": "5", LEAVES: '{"10":"p"}'}
