"""Row filters: the grammar, what each operator means for each kind of value, and one form for equal filters."""

from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.errors import Refusal
from tidings.filters import like_matcher
from tidings.row_filters import (
    LIKE_CHARACTERS,
    MAX_CONDITIONS,
    MAX_TEXT,
    MAX_VALUES,
    OPAQUE,
    Condition,
    RowFilter,
    key_of,
)

BIG = 2**70


@pytest.mark.parametrize(
    ("text", "value", "verdict"),
    [
        # a number compares as a number, a text as text, true and false as themselves
        ("eq.7", 7, True),
        ("eq.7", 7.0, True),
        ("eq.7", Decimal("7.00"), True),
        ("eq.7", "7", True),
        ("eq.7", "7.0", False),
        ("eq.7.0", 7, True),
        ("eq.7", True, False),
        ("eq.1", True, False),
        ("eq.0.1", 0.1, True),
        ("eq.0.1", Decimal("0.1"), True),
        (f"eq.{BIG}", BIG, True),
        (f"eq.{BIG}", BIG + 1, False),
        ("eq.1e3", 1000, True),
        ("eq.true", True, True),
        ("eq.true", False, False),
        ("eq.true", "true", True),
        ("eq.", "", True),
        ("eq.abc", 7, False),
        ("neq.7", 8, True),
        ("neq.7", 7.0, False),
        ("neq.abc", 7, True),
        ("not.eq.7", 8, True),
        ("lt.10", 9, True),
        ("lt.10", Decimal("10.0"), False),
        ("lte.10", 10.0, True),
        ("gt.9", 10, True),
        ("gt.9", "10", False),  # texts compare as texts
        ("gte.2024-01-01", "2024-01-01T10:00", True),
        ("not.gt.9", 9, True),
        ("gt.false", True, True),
        ("in.(1,2,3)", 2, True),
        ("in.(1,2,3)", "2", True),
        ("in.(1,2,3)", 4, False),
        ("not.in.(1,2,3)", 4, True),
        ('in.("a,b",c)', "a,b", True),
        ("is.true", True, True),
        ("is.true", False, False),
        ("is.true", 1, True),  # as SQLite keeps it
        ("is.false", 0, True),
        ("not.is.true", False, True),
        ("isdistinct.7", 8, True),
        ("isdistinct.7", 7, False),
        ("not.isdistinct.7", 7, True),
        ("like.a%", "abc", True),
        ("like.A%", "abc", False),
        ("ilike.A%", "abc", True),
        ("not.like.a%", "abc", False),
        (r"like.5\%", "5%", True),
        # null matches nothing but is.null and isdistinct
        ("eq.7", None, False),
        ("neq.7", None, False),
        ("not.eq.7", None, False),
        ("not.in.(1,2)", None, False),
        ("lt.7", None, False),
        ("not.lt.7", None, False),
        ("not.like.a%", None, False),
        ("is.null", None, True),
        ("is.null", 0, False),
        ("not.is.null", 0, True),
        ("is.true", None, False),
        ("not.is.true", None, True),
        ("isdistinct.7", None, True),
        ("not.isdistinct.7", None, False),
        ("isdistinct.null", None, False),
        ("isdistinct.null", 1, True),
        ('isdistinct."null"', "null", False),
        # what cannot be compared cannot be judged
        ("eq.7", [7], None),
        ("eq.7", {}, None),
        ("lt.abc", 7, None),
        ("lt.7", True, None),
        ("like.a", 7, None),
        ("is.true", "true", None),
        ("eq.7", float("nan"), None),
        ("lt.7", Decimal("nan"), None),
    ],
)
def test_what_a_condition_says_of_a_value(text: str, value: Any, verdict: bool | None) -> None:
    assert RowFilter.parse(f"c={text}").judge({"c": value}) is verdict


def test_conditions_are_all_needed_and_one_that_fails_settles_it() -> None:
    found = RowFilter.parse("a=eq.1,b=gt.2")
    assert found.judge({"a": 1, "b": 3}) is True
    assert found.judge({"a": 1, "b": 2}) is False
    assert found.judge({"a": 1}) is None
    assert found.judge({"b": 3}) is None
    assert found.judge({"a": 2}) is False
    assert found.judge({}) is None


def test_quotes_and_parentheses_hold_commas_together() -> None:
    found = RowFilter.parse(r'a=eq."x,\"y\\",b=eq.f(1,2), "the c"=in.(p,"q)")')
    assert found.conditions == (
        Condition("the c", "in", ("p", "q)")),
        Condition("a", "eq", ('x,"y\\',)),
        Condition("b", "eq", ("f(1,2)",)),
    )
    assert found.judge({"a": 'x,"y\\', "b": "f(1,2)", "the c": "q)"}) is True


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "a column's name"),
        ("a", "a column's name"),
        ("=eq.1", "a column's name"),
        ('""=eq.1', "a column's name"),
        ("a=1", "an operator and a dot"),
        ("a=eq", "an operator and a dot"),
        ("a=match.x", "there is no operator match"),
        ("a=not.not.eq.1", "there is no operator not"),
        ("a=is.maybe", "null, true or false"),
        ("a=in.1", "a list such as"),
        ("a=in.()", "is empty"),
        ("a=in.(1,2", "not closed"),
        ("a=in.(", "not closed"),
        ('a=in.("1"2)', "not closed"),
        ("a=in.(1)2", "a comma must follow"),
        ('a=eq."1"2', "a comma must follow"),
        ('a=eq."1', "a quote is not closed"),
        ('a=eq."1\\', "a quote is not closed"),
        ("a=eq.(1", "a parenthesis is not closed"),
        ("a=eq.1,", "a column's name"),
        ("a=eq.1,,b=eq.2", "a column's name"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refusal:
        RowFilter.parse(text)
    assert (refusal.value.name, refusal.value.field) == ("bad_filter", "filter")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("a=eq." + "x" * MAX_TEXT, MAX_TEXT),
        (",".join(f"a{n}=eq.1" for n in range(MAX_CONDITIONS + 1)), MAX_CONDITIONS),
        (f"a=in.({','.join(map(str, range(MAX_VALUES + 1)))})", MAX_VALUES),
    ],
)
def test_a_filter_is_bounded(text: str, limit: int) -> None:
    with pytest.raises(Refusal) as refusal:
        RowFilter.parse(text)
    assert refusal.value.limit == limit


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a=eq.1,b=eq.2", "b=eq.2,a=eq.1"),
        ("a=eq.1,a=eq.1", "a=eq.1"),
        ("a=eq.1", 'a=eq."1"'),
        ("a=in.(1)", "a=eq.1"),
        ("a=in.(2,1,2)", "a=in.(1,2)"),
        ("a=not.eq.1", "a=neq.1"),
        ("a=not.neq.1", "a=eq.1"),
        ("a=not.lt.1", "a=gte.1"),
        ("a=not.in.(1)", "a=neq.1"),
        ("a=not.isdistinct.1", "a=eq.1"),
        ("a=isdistinct.null", "a=not.is.null"),
    ],
)
def test_filters_that_mean_the_same_are_one(one: str, other: str) -> None:
    assert RowFilter.parse(one) == RowFilter.parse(other)
    assert hash(RowFilter.parse(one)) == hash(RowFilter.parse(other))
    assert str(RowFilter.parse(one)) == one


@pytest.mark.parametrize(
    ("one", "other"), [("a=eq.1", "a=eq.1.0"), ("a=eq.null", "a=is.null"), ("a=neq.1", "a=isdistinct.1")]
)
def test_filters_that_differ_for_some_row_are_not(one: str, other: str) -> None:
    assert RowFilter.parse(one) != RowFilter.parse(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a=eq.7", ("a", {"7", 7})),
        ("a=eq.x", ("a", {"x"})),
        ("a=eq.true", ("a", {"true", ("true",)})),
        ("a=in.(1,x),b=eq.y", ("b", {"y"})),
        ("b=gt.1,a=in.(1,x)", ("a", {"1", 1, "x"})),
        ("a=not.in.(1,2)", None),
        ("a=neq.1", None),
        ("a=gt.1,b=like.x", None),
    ],
)
def test_the_equality_by_which_a_filter_is_found(text: str, found: Any) -> None:
    equality = RowFilter.parse(text).equality()
    assert (equality and (equality[0], set(equality[1]))) == found


def test_keys_are_equal_as_the_values_are() -> None:
    assert key_of(7) == key_of(7.0) == key_of(Decimal("7.000"))
    assert len({key_of(value) for value in (1, True, "1", "true", None)}) == 5
    assert key_of([]) is key_of({}) is key_of(float("nan")) is OPAQUE


values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
texts = st.text(max_size=6)
conditions = st.builds(
    Condition,
    st.text(min_size=1, max_size=4),
    st.sampled_from(["eq", "neq", "lt", "lte", "gt", "gte", "like", "ilike", "isdistinct"]),
    st.tuples(texts),
    st.booleans(),
) | st.builds(
    Condition,
    st.text(min_size=1, max_size=4),
    st.just("in"),
    st.lists(texts, min_size=1, max_size=4).filter(lambda found: found != [""]).map(tuple),
    st.booleans(),
)


@given(st.lists(conditions, min_size=1, max_size=4).map(tuple))
def test_its_one_form_reads_as_itself(made: tuple[Condition, ...]) -> None:
    found = RowFilter(made)
    assert RowFilter.parse(found.canonical) == found


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(Refusal):
        RowFilter.parse(text)


@given(texts, values)
def test_found_by_its_key_is_what_matches(text: str, value: Any) -> None:
    found = RowFilter((Condition("a", "eq", (text,)),))
    equality = found.equality()
    assert equality is not None
    assert (key_of(value) in equality[1]) is found.judge({"a": value})


def test_no_pattern_takes_longer_than_its_text_times_its_own_length() -> None:
    fits = like_matcher("%a_" * 300 + "b")
    assert not fits("a" * 100_000)  # trying every place of each piece would outlast any limit


def test_a_text_too_long_for_a_pattern_cannot_be_judged() -> None:
    assert RowFilter.parse("a=like.%b").judge({"a": "a" * LIKE_CHARACTERS + "b"}) is None
