"""The rows of a message, and which filters let it pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hub.builders import change, message, row_message
from tidings.hub.rows import UNTOLD, passes, rows_of
from tidings.row_filters import RowFilter

FIRST, SECOND = {"id": 1, "p": 42}, {"id": 1, "p": 43}
P42 = RowFilter.parse("p=eq.42")


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (change("INSERT", new=FIRST), (FIRST,)),
        (change("UPDATE", new=SECOND, old=FIRST), (SECOND, FIRST)),
        (change("UPDATE", new=SECOND), (SECOND, UNTOLD)),
        (change("DELETE", old=FIRST), (FIRST,)),
        (change("DELETE"), (UNTOLD,)),
        (FIRST, (FIRST,)),
        ({"type": "UPDATE", "new": 1}, ({"type": "UPDATE", "new": 1},)),  # an object of somebody's own
        (change("TRUNCATE"), (UNTOLD,)),
        (change("INSERT", new=FIRST) | {"type": ["INSERT"]}, (UNTOLD,)),
        (
            change("UPDATE", new={"p": 43}, old=FIRST, unchanged=["id", "text"]),
            ({"p": 43, "id": 1}, FIRST),
        ),
        (change("UPDATE", new={"p": 43}, old=FIRST, unchanged=7), ({"p": 43}, FIRST)),
        (change("UPDATE", new={"p": 43}, old=FIRST, unchanged=[[], "id"]), ({"p": 43, "id": 1}, FIRST)),
        ({"type": ["INSERT"]}, ({"type": ["INSERT"]},)),
        ([FIRST], (UNTOLD,)),
        (None, (UNTOLD,)),
        ("text", (UNTOLD,)),
    ],
)
def test_the_rows_of_data(data: object, rows: tuple[object, ...]) -> None:
    assert rows_of(row_message(1, data).data) == rows


def test_numbers_are_exact() -> None:
    (row,) = rows_of(b'{"a":0.1,"b":1e400,"c":123456789012345678901234567890}')
    assert row == {"a": Decimal("0.1"), "b": Decimal("1e400"), "c": 123456789012345678901234567890}


@pytest.mark.parametrize(
    "data", [b"{", b"\xff", b'{"a":1e99999999999999999999}', b'{"a":' + b"1" * 5000 + b"}", b"[" * 5000]
)
def test_what_cannot_be_read_tells_no_row(data: bytes) -> None:
    assert rows_of(data) == (UNTOLD,)


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (change("INSERT", new=FIRST), True),
        (change("INSERT", new=SECOND), False),
        (change("UPDATE", new=FIRST, old=SECOND), True),  # comes in
        (change("UPDATE", new=SECOND, old=FIRST), True),  # leaves, and whoever shows it is told
        (change("UPDATE", new=SECOND, old=SECOND), False),
        (change("UPDATE", new=SECOND), True),  # it may have been there before
        (change("UPDATE", new=SECOND, old={"id": 1}), True),
        (change("DELETE", old=FIRST), True),
        (change("DELETE", old=SECOND), False),
        (change("DELETE", old={"id": 1}), True),
        (change("INSERT", new={"id": 1, "p": None}), False),
        (FIRST, True),
        (SECOND, False),
        ({"id": 1}, True),
        (5, True),
    ],
)
def test_who_is_told_of_what(data: object, verdict: bool) -> None:
    assert passes(P42, row_message(1, data)) is verdict


def test_what_is_no_event_is_for_everybody_and_no_filter_lets_all_pass() -> None:
    assert passes(None, row_message(1, SECOND))
    assert passes(P42, message(1, kind="joined"))
    assert passes(P42, message(1, kind="client"))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3), lambda inner: st.lists(inner, max_size=2)
)
raw = st.fixed_dictionaries(
    {
        "schema": anything,
        "table": anything,
        "type": st.sampled_from(["INSERT", "UPDATE", "DELETE"]) | anything,
    },
    optional={"unchanged": anything},
).flatmap(
    lambda told: st.builds(
        lambda new, old: told | {"new": new, "old": old},
        anything | st.dictionaries(st.sampled_from(["p", "q"]), anything),
        anything | st.dictionaries(st.sampled_from(["p", "q"]), anything),
    )
)


@given(raw | anything, st.sampled_from(["p=eq.1", "p=gt.1,q=is.true", "p=not.like.a%", "p=isdistinct.null"]))
def test_whatever_a_stranger_publishes_is_judged_without_a_fault(data: object, text: str) -> None:
    assert passes(RowFilter.parse(text), row_message(1, data)) in (True, False)
