"""JSON from outside: what passes does so unchanged, what does not is named."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given

from tests.unit.protocols.nouns import json_values
from tidings.errors import Refusal
from tidings.protocols.json_values import check_json, is_deeper, refuse_shape


@given(json_values)
def test_json_passes_as_it_was_written(value: object) -> None:
    text = msgspec.json.encode(value).decode()
    assert check_json(text).decode() == text


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "bad_json"),
        ("{", "bad_json"),
        ("NaN", "bad_json"),
        ("\ufeff1", "bad_json"),
        ('"\ud800"', "bad_json"),
        ('{"data":"\\ud800"}', "bad_json"),
        ('{"data":"\\udc00\\ud800 and more"}', "bad_json"),
        ('{"n":1e999}', "bad_json"),
        ("1" * 5000, "bad_json"),
        ("{} {}", "bad_json"),
        ("[" * 100_000, "too_deep"),
        ("[" * 33 + "]" * 33, "too_deep"),
        ('{"a":' * 33 + "1" + "}" * 33, "too_deep"),
    ],
)
def test_what_is_no_json_for_us_is_refused(text: str, name: str) -> None:
    with pytest.raises(Refusal) as refused:
        check_json(text)
    assert refused.value.name == name


def test_depth_at_the_limit_passes() -> None:
    assert check_json("[" * 32 + "]" * 32)


def depth_of(value: object) -> int:
    """The plain way to say it."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(json_values)
def test_depth_is_told_from_the_text_as_from_the_value(value: object) -> None:
    text, depth = msgspec.json.encode(value), depth_of(value)
    assert not is_deeper(text, depth)
    assert depth == 0 or is_deeper(text, depth - 1)


@pytest.mark.parametrize("text", [b'"[[[[[["', rb'"\"[[[[[["', rb'"\\\\[[[[[[\\"', b"[[[],{}],[]]"])
def test_brackets_in_text_and_beside_each_other_are_not_depth(text: bytes) -> None:
    assert not is_deeper(text, 3)


class _Shape(msgspec.Struct):
    count: int
    names: list[str] = []


@pytest.mark.parametrize(
    ("data", "field"),
    [(b'{"count":"x"}', "count"), (b"{}", "count"), (b'{"count":1,"names":[1]}', "names[0]"), (b"[]", None)],
)
def test_a_wrong_shape_is_told_by_its_field(data: bytes, field: str | None) -> None:
    with pytest.raises(msgspec.ValidationError) as complaint:
        msgspec.json.decode(data, type=_Shape)
    refusal = refuse_shape(complaint.value)
    assert (refusal.name, refusal.field) == ("bad_message", field)
