"""Scalars as JSON. That this is what to_jsonb gives is compared with real servers in test_postgres_values.py."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidings.sources.postgres.values.scalars import (
    INT_DIGITS,
    JSON_DEPTH,
    NUMERIC_EXPONENT,
    read_boolean,
    read_float,
    read_int_vector,
    read_json,
    read_numeric,
    read_oid_vector,
    read_timestamp,
    read_timestamptz,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def test_booleans() -> None:
    assert read_boolean(b"t") is True
    assert read_boolean(b"f") is False
    with pytest.raises(ValueError):
        read_boolean(b"true")


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"1", 1.0), (b"-1.5e-300", -1.5e-300), (b"NaN", "NaN"), (b"-Infinity", "-Infinity"), (b"-0", 0.0)],
)
def test_floats(text: bytes, value: float | str) -> None:
    assert repr(read_float(text)) == repr(value)


@pytest.mark.parametrize("text", [b"", b"x", b"1e999", b"inf"])
def test_what_is_no_float_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_float(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"12", 12),
        (b"-12", -12),
        (b"1.10", Decimal("1.10")),
        (b"9" * INT_DIGITS, 10**INT_DIGITS - 1),
        (b"9" * (INT_DIGITS + 1), Decimal("9" * (INT_DIGITS + 1))),
        (b"0." + b"1" * 5000, Decimal("0." + "1" * 5000)),
        (b"NaN", "NaN"),
        (b"Infinity", "Infinity"),
    ],
)
def test_numerics_keep_every_digit(text: bytes, value: Any) -> None:
    made = read_numeric(text)
    assert made == value
    assert type(made) is type(value)
    if isinstance(value, Decimal):
        assert isinstance(made, Decimal)
        assert made.as_tuple() == value.as_tuple()


@pytest.mark.parametrize("text", [b"", b"x", b"1.x", b"sNaN.", b"\xff.", b"1.0e999999"])
def test_what_is_no_numeric_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_numeric(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"2026-08-01 10:11:12.5", "2026-08-01T10:11:12.5"),
        (b"0044-03-15 12:00:00 BC", "0044-03-15T12:00:00 BC"),
        (b"-infinity", "-infinity"),
    ],
)
def test_timestamps(text: bytes, value: str) -> None:
    assert read_timestamp(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"2026-08-01 10:11:12.5+00", "2026-08-01T10:11:12.5+00:00"),
        (b"2026-08-01 10:11:12-03", "2026-08-01T10:11:12-03:00"),
        (b"2026-08-01 10:11:12+05:30", "2026-08-01T10:11:12+05:30"),
        (b"0044-03-15 12:00:00+00 BC", "0044-03-15T12:00:00+00:00 BC"),
        (b"infinity", "infinity"),
        (b"-infinity", "-infinity"),
    ],
)
def test_timestamps_with_a_zone(text: bytes, value: str) -> None:
    assert read_timestamptz(text) == value


def test_vectors() -> None:
    assert read_int_vector(b"1 -2") == [1, -2]
    assert read_oid_vector(b"1 2") == ["1", "2"]
    assert read_int_vector(b"") == []
    assert read_oid_vector(b"") == []


@given(JSON, st.booleans())
def test_json_comes_back(value: Any, ascii_only: bool) -> None:
    assert read_json(json.dumps(value, ensure_ascii=ascii_only).encode()) == value


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_no_number_in_json_is_rounded(number: Decimal) -> None:
    made = read_json(f"[{number}]".encode())[0]
    assert (Decimal(repr(made)) if isinstance(made, float) else Decimal(made)) == number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"1.5", 1.5),
        (b"-0.0", 0.0),
        (b"0.12345678901234", 0.12345678901234),
        (b"0.123456789012345", Decimal("0.123456789012345")),
        (b"1e2", Decimal("1e2")),
        (b"9" * 400, int("9" * 400)),
        (b"[" + b"9" * 5000 + b", 1.5, 7]", [Decimal("9" * 5000), 1.5, 7]),
        (b'["\\u0000"]', ["\0"]),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"[" + b"9" * 5000 + b', "\\ud83d\\ude00"]', [Decimal("9" * 5000), "\U0001f600"]),
    ],
)
def test_json_that_is_odd(text: bytes, value: Any) -> None:
    assert repr(read_json(text)) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nul",
        b"[1",
        b"NaN",
        b'"\xff"',
        b'"\\ud800"',
        b"[" + b"9" * 5000 + b', "\\ud800"]',
        b"[" + b"9" * 5000 + b', {"\\udc00": 1}]',
        b"[" + b"9" * 5000 + b', "\xff"]',
        b"[" + b"9" * 5000 + b", NaN]",
        b"[" + b"9" * 5000 + b",",
        b"1e999999999",
        b"1e99999999999999999999999",
        b"-1e-999999999",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"[" * (JSON_DEPTH + 1) + b"]" * (JSON_DEPTH + 1),
    ],
)
def test_json_that_cannot_be_read_is_one_error(text: bytes) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_json_read_near_the_end_of_the_stack_is_that_error_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def recursing(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr("tidings.sources.postgres.values.scalars.json.loads", recursing)
    with pytest.raises(ValueError, match="cannot be read"):
        read_json(b"9" * 5000)


def test_json_may_be_as_deep_and_as_large_as_it_may() -> None:
    deep = b"[" * JSON_DEPTH + b"]" * JSON_DEPTH
    assert json.dumps(read_json(deep)).encode() == deep
    assert read_json(b"1e%d" % NUMERIC_EXPONENT) == Decimal(f"1e{NUMERIC_EXPONENT}")


def test_brackets_that_are_not_nested_do_not_count() -> None:
    flat = ["[[{{" * JSON_DEPTH, *([{}] * JSON_DEPTH), '"[']
    assert read_json(json.dumps(flat).encode()) == flat
