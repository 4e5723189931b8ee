"""The text of arrays and composite values, taken apart."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidings.sources.postgres.values.arrays import ARRAY_DIMENSIONS, read_array, split_composite

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["NULL", "null", "", '"', "\\", "{}", ",", ";", "(a)", " "]
)
ITEMS = st.none() | TEXTS


def write_array(items: list[Any], delimiter: str) -> str:
    """As array_out does: quotes only where they are needed."""
    return "{" + delimiter.join(_write_item(item, delimiter) for item in items) + "}"


def _write_item(item: Any, delimiter: str) -> str:
    if isinstance(item, list):
        return write_array(item, delimiter)
    if item is None:
        return "NULL"
    if item == "" or item.lower() == "null" or re.search(rf'[{{}}"\\\s{delimiter}]', item):
        return '"' + re.sub(r'(["\\])', r"\\\1", item) + '"'
    return str(item)


def write_composite(fields: list[str | None]) -> str:
    """As record_out does: quotes and backslashes are doubled."""
    return "(" + ",".join(_write_field(field) for field in fields) + ")"


def _write_field(field: str | None) -> str:
    if field is None:
        return ""
    if field == "" or re.search(r'[()",\\\s]', field):
        return '"' + re.sub(r'(["\\])', r"\1\1", field) + '"'
    return field


def read(text: str | bytes, delimiter: str = ",") -> list[Any]:
    return read_array(text.encode() if isinstance(text, str) else text, delimiter.encode(), bytes.decode)


@settings(deadline=None)
@given(st.lists(ITEMS, max_size=5), st.sampled_from(",;"))
def test_arrays_come_back(items: list[str | None], delimiter: str) -> None:
    assert read(write_array(items, delimiter), delimiter) == items


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.lists(ITEMS, min_size=1, max_size=2), min_size=1, max_size=2), min_size=1, max_size=2
    )
)
def test_arrays_of_more_dimensions_come_back(items: list[Any]) -> None:
    assert read(write_array(items, ",")) == items


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("{}", []),
        ("[0:1]={a,b}", ["a", "b"]),
        ("[-5:-5][2:3]={{a,NULL}}", [["a", None]]),
        ('[2:2]={"[1:2]={}"}', ["[1:2]={}"]),
        ('{"NULL",NULL}', ["NULL", None]),
        ('{"a\\"b","c\\\\d",""}', ['a"b', "c\\d", ""]),
    ],
)
def test_arrays_as_the_server_writes_them(text: str, items: list[Any]) -> None:
    assert read(text) == items


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "{",
        "}",
        "}{",
        "{a}b",
        "a{b}",
        "{a}{b}",
        "{{a}{b}}",
        '{"a}',
        '{"a"b}',
        '{a"b"}',
        '{"a",}',
        '{,"a"}',
        '{"a",,"b"}',
        "{{a},}",
        "{a\\",
        "[1:2]",
        "[1:2]={",
        "[x]={a}",
        '{"a"},',
        '"a"',
        "{" * (ARRAY_DIMENSIONS + 1) + "a" + "}" * (ARRAY_DIMENSIONS + 1),
        "{" * 100_000,
    ],
)
def test_what_is_no_array_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        read(text)


def test_an_array_may_have_as_many_dimensions_as_postgres_allows() -> None:
    found: Any = read("{" * ARRAY_DIMENSIONS + "a" + "}" * ARRAY_DIMENSIONS)
    for _ in range(ARRAY_DIMENSIONS):
        (found,) = found
    assert found == "a"


@settings(deadline=None)
@given(st.binary(max_size=30) | st.text('{}",\\a[]=:1N', max_size=20).map(str.encode))
def test_made_up_arrays_are_read_or_refused(text: bytes) -> None:
    try:
        assert isinstance(read(text), list)
    except ValueError:
        return


@settings(deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=5))
def test_composites_come_back(fields: list[str | None]) -> None:
    found = split_composite(write_composite(fields).encode())
    assert [None if field is None else field.decode() for field in found] == fields


@settings(deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=4), st.lists(ITEMS, max_size=4))
def test_composites_in_arrays_in_composites_come_back(
    inner: list[str | None], items: list[str | None]
) -> None:
    text = write_composite([write_array([write_composite(inner), *items], ","), None])
    array, nothing = split_composite(text.encode())
    assert array is not None
    assert nothing is None
    composite, *rest = read(array)
    assert rest == items
    assert [field and field.decode() for field in split_composite(composite.encode())] == [
        field if field is None else (field or b"") for field in inner
    ]


@pytest.mark.parametrize(
    "text", ["", "(", ")", "a", "(a", '("a)', '("a"b)', "(a)b", "(a)(b)", "((a))", '(a"b")', "(a\\)"]
)
def test_what_is_no_composite_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="composite"):
        split_composite(text.encode())


def test_large_elements_are_read_at_once() -> None:
    large = 'x\\"' * 500_000
    assert read(write_array([large, large], ",")) == [large, large]
    assert split_composite(write_composite([large]).encode()) == [large.encode()]
