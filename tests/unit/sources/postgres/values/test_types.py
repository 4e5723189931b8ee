"""Types by OID: what is known, what is missing, and how their values become JSON."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tidings.sources.postgres.values.types import TYPE_DEPTH, TypeInfo, Types

MOOD = TypeInfo(1, "mood", "e")
MOODS = TypeInfo(2, "_mood", element=1)
POSITIVE = TypeInfo(3, "positive", "d", base=20)
PAIR = TypeInfo(4, "pair", "c", fields=(("a", 3), ("b", 2)))
PAIRS = TypeInfo(5, "_pair", element=4)
NOTHING = TypeInfo(6, "nothing", "c")


@pytest.mark.parametrize(
    ("oid", "text", "value"),
    [
        (16, b"t", True),
        (17, b"\\x00", "\\x00"),
        (20, b"12", 12),
        (22, b"1 2", [1, 2]),
        (25, b"x", "x"),
        (26, b"12", "12"),
        (114, b'{"a":1}', {"a": 1}),
        (1700, b"1.10", Decimal("1.10")),
        (1114, b"2026-08-01 10:00:00", "2026-08-01T10:00:00"),
        (1007, b"{1,NULL}", [1, None]),
        (1115, b'{"2026-08-01 10:00:00"}', ["2026-08-01T10:00:00"]),
        (1006, b'{"1 2"}', [[1, 2]]),
        (1020, b"{(1,1),(0,0);(3,3),(2,2)}", ["(1,1),(0,0)", "(3,3),(2,2)"]),
        (3807, b'{"{\\"a\\": [1]}",null}', [{"a": [1]}, None]),
        (3904, b"[1,2)", "[1,2)"),
        (6150, b'{"{[1,2)}"}', ["{[1,2)}"]),
    ],
)
def test_built_in_types_are_known(oid: int, text: bytes, value: Any) -> None:
    types = Types()
    assert types.missing([oid]) == []
    assert types.converter(oid)(text) == value


def test_a_type_that_is_not_known_is_text() -> None:
    assert Types().converter(99_999)(b"{x}") == "{x}"


def test_what_is_missing_is_found_through_what_is_known() -> None:
    types = Types()
    assert types.missing([23, 5, 5]) == [5]
    types.add([PAIRS])
    assert types.missing([5]) == [4]
    types.add([PAIR])
    assert types.missing([5, 6]) == [2, 3, 6]
    types.add([MOODS, POSITIVE])
    assert types.missing([5]) == [1]
    types.add([MOOD])
    assert types.missing([5]) == []


def test_types_within_types() -> None:
    types = Types()
    types.add([MOOD, MOODS, POSITIVE, PAIR, PAIRS])
    value = b'{"(7,\\"{sad,NULL}\\")",NULL,"(,)"}'
    assert types.converter(5)(value) == [{"a": 7, "b": ["sad", None]}, None, {"a": None, "b": None}]


def test_a_composite_without_fields() -> None:
    types = Types()
    types.add([NOTHING])
    assert types.converter(6)(b"()") == {}


@pytest.mark.parametrize("text", [b"(1)", b"(1,{},2)", b"(x,{})", b"()", b"(1,x)"])
def test_a_composite_that_does_not_fit_its_type_is_refused(text: bytes) -> None:
    types = Types()
    types.add([MOOD, MOODS, POSITIVE, PAIR])
    with pytest.raises(ValueError):
        types.converter(4)(text)


def test_what_is_added_takes_the_place_of_what_was_known() -> None:
    types = Types()
    types.add([POSITIVE, PAIR])
    before = types.converter(4)
    assert before is types.converter(4)
    types.add([TypeInfo(4, "pair", "c", fields=(("only", 25),))])
    assert types.converter(4)(b"(x)") == {"only": "x"}
    assert before(b"(1,)") == {"a": 1, "b": None}


def test_a_type_within_itself_is_text_there() -> None:
    types = Types()
    types.add([TypeInfo(7, "self", "c", fields=(("a", 7), ("b", 8))), TypeInfo(8, "d", "d", base=7)])
    assert types.missing([7]) == []
    assert types.converter(7)(b'(x,"(y,z)")') == {"a": "x", "b": "(y,z)"}


def test_types_nested_deeper_than_anyone_needs_are_text() -> None:
    types = Types()
    types.add(TypeInfo(100_000 + n, "d", "d", base=100_001 + n) for n in range(5000))
    types.add([TypeInfo(105_000, "d", "d", base=23)])
    assert types.converter(100_000)(b"1") == "1"
    assert types.converter(105_000 - TYPE_DEPTH + 1)(b"1") == 1


def test_a_row_of_the_catalog_becomes_a_type() -> None:
    row = (4, "pair", "c", 0, ",", 0, ["a", "b"], [3, 2])
    assert TypeInfo.from_row(row) == PAIR
    assert PAIR.parts == (3, 2)
    assert TypeInfo.from_row((2, "_mood", "b", 1, ",", 0, [], [])) == MOODS
