"""When a table's publishing was unbroken, and which tables are told, once and again, until the log has their seals."""

from __future__ import annotations

import pytest

from tidings.sources.postgres.seals import Horizon, Keeper, is_unbroken

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
    assert keeper.compare({"t": "1", "u": "2"}, QUIET) == ((), None)


def test_a_broken_seal_is_told_once_and_kept_with_that() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert keeper.broken({"t": "1", "u": "3"}) == ("u",)
    assert keeper.compare({"t": "1", "u": "3"}, QUIET) == (("u",), {"t": "1", "u": "3"})
    assert keeper.compare({"t": "1", "u": "3"}, QUIET) == ((), None)


@pytest.mark.parametrize("kept", [None, {}])
def test_a_log_that_has_no_seals_has_all_told(kept: dict[str, str] | None) -> None:
    keeper = Keeper()
    keeper.go_on(kept)
    assert keeper.compare({"t": "1", "u": "2"}, QUIET) == (("t", "u"), {"t": "1", "u": "2"})


def test_while_transactions_are_open_a_table_has_no_seal_and_is_told_again_at_their_end() -> None:
    """Crash: in between a restart finds no seal, and so tells the table anew."""
    keeper = Keeper()
    keeper.go_on({"t": "1", "u": "2"})
    assert keeper.compare({"t": "9", "u": "2"}, Horizon(50, 60)) == (("t",), {"u": "2"})
    assert keeper.compare({"t": "9", "u": "2"}, Horizon(59, 70)) == ((), None)
    assert keeper.compare({"t": "9", "u": "2"}, Horizon(60, 70)) == (("t",), {"t": "9", "u": "2"})
    assert keeper.compare({"t": "9", "u": "2"}, QUIET) == ((), None)


def test_a_table_that_breaks_twice_waits_for_the_later_one() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    assert keeper.compare({"t": "2"}, Horizon(50, 60)) == (("t",), {})
    assert keeper.compare({"t": "3"}, Horizon(55, 80)) == (("t",), None)
    assert keeper.compare({"t": "3"}, Horizon(60, 90)) == (("t",), None)
    assert keeper.compare({"t": "3"}, Horizon(80, 90)) == (("t",), {"t": "3"})


def test_a_table_that_is_gone_for_a_while_loses_its_seal_and_is_told_when_it_is_back() -> None:
    keeper = Keeper()
    assert keeper.begin({"t": "1", "u": "2"}) == {"t": "1", "u": "2"}
    assert keeper.compare({"u": "2"}, QUIET) == ((), {"u": "2"})
    assert keeper.compare({"t": "1", "u": "2"}, QUIET) == (("t",), {"t": "1", "u": "2"})


def test_beginning_anew_forgets_what_was_waited_for() -> None:
    keeper = Keeper()
    keeper.go_on({"t": "1"})
    keeper.compare({"t": "2"}, Horizon(50, 60))
    keeper.begin({"t": "2"})
    assert keeper.compare({"t": "2"}, QUIET) == ((), None)
    keeper.compare({"t": "3"}, Horizon(150, 160))
    keeper.go_on({"t": "3"})
    assert keeper.compare({"t": "3"}, Horizon(200, 200)) == ((), None)
