"""The parts of messages: rows, names, flags, times."""

from __future__ import annotations

import pytest

from tidings.sources.postgres.pgoutput.messages import UNCHANGED, DecodeError
from tidings.sources.postgres.pgoutput.wire import ended, no_flags, read_name, read_row, read_schema, to_ms


def test_a_row_holds_texts_nulls_and_what_was_not_told() -> None:
    data = b"I" + b"\0\4" + b"t\0\0\0\2hi" + b"n" + b"u" + b"t\0\0\0\0" + b"rest"
    assert read_row(data, 1) == ((b"hi", None, UNCHANGED, b""), len(data) - 4)


@pytest.mark.parametrize(
    ("row", "offset", "what"),
    [
        (b"\xff\xff", 1, "negative"),
        (b"\0\1b\0\0\0\1x", 3, "binary"),
        (b"\0\2nx", 4, "unknown kind"),
    ],
)
def test_a_row_that_is_wrong_says_where(row: bytes, offset: int, what: str) -> None:
    with pytest.raises(DecodeError, match=what) as caught:
        read_row(b"I" + row, 1)
    assert caught.value.offset == offset


def test_a_value_that_is_longer_than_the_message_ends_past_its_end() -> None:
    data = b"I\0\1t\xff\xff\xff\xffxyz"
    _, end = read_row(data, 1)
    with pytest.raises(DecodeError, match="too early") as caught:
        ended(data, end)
    assert caught.value.offset == len(data)


def test_the_end_is_the_end() -> None:
    ended(b"I12", 3)
    with pytest.raises(DecodeError, match="after its end") as caught:
        ended(b"I12", 2)
    assert caught.value.offset == 2


def test_names_end_with_a_zero() -> None:
    assert read_name(b"R\xc3\xa9\0x", 1) == ("\u00e9", 4)
    with pytest.raises(DecodeError, match="too early"):
        read_name(b"Rabc", 1)


def test_a_name_that_is_not_utf8_is_not_quoted() -> None:
    with pytest.raises(DecodeError, match="not UTF-8") as caught:
        read_name(b"Rsecret\xff\0", 1)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_schema_without_a_name_is_the_catalog() -> None:
    assert read_schema(b"R\0x", 1) == ("pg_catalog", 2)
    assert read_schema(b"Ra\0", 1) == ("a", 3)


def test_flags_that_are_not_known_are_not_passed_over() -> None:
    no_flags(b"C", 1, 0)
    with pytest.raises(DecodeError, match="flags"):
        no_flags(b"C", 1, 4)


@pytest.mark.parametrize(
    ("wire", "ms"), [(0, 946_684_800_000), (1_999, 946_684_800_001), (-1, 946_684_799_999)]
)
def test_times_count_from_1970(wire: int, ms: int) -> None:
    assert to_ms(wire) == ms
