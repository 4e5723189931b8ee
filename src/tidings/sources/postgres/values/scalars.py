"""From the text of a built-in scalar to the JSON value that Postgres' own to_jsonb gives. Knows no OID and no array.

The text is what a session writes under DateStyle=ISO, IntervalStyle=postgres, TimeZone=UTC, extra_float_digits=1 and
bytea_output=hex. Each function raises ValueError, and nothing else, for text that it cannot read. What has no function
here is text in JSON too, as `bytes.decode` reads it.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Any, Final

import msgspec

INT_DIGITS: Final = 4300
"""Digits of an int. Python refuses to read or write longer ones, as that takes quadratic time; they become Decimal."""

NUMERIC_EXPONENT: Final = 131_072
"""Digits that Postgres' numeric may have before its point. JSON may write 1e999999999 in a few bytes, and whoever
spells that out fills the memory."""

JSON_DEPTH: Final = 200
"""Levels of json and jsonb. What reads and writes JSON recurses, and gives up near 1,000 levels less its caller's."""

_SAFE_FRACTION: Final = 16
"""Characters of a fraction without exponent that a float holds exactly: 15 digits, and the point."""

_NOT_FINITE: Final = frozenset({b"NaN", b"Infinity", b"-Infinity"})
_BRACKET_OR_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[{]|[\]}]', re.DOTALL)
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_BOOLEANS: Final = {b"t": True, b"f": False}


def read_boolean(text: bytes) -> bool:
    try:
        return _BOOLEANS[text]
    except KeyError:
        raise ValueError("not a boolean") from None


def read_float(text: bytes) -> float | str:
    """NaN and the infinities are strings: JSON has no others."""
    if text in _NOT_FINITE:
        return text.decode()
    found = float(text)
    if not isfinite(found):
        raise ValueError("not a number")
    return found + 0.0  # to_jsonb goes through numeric, which has no -0


def read_numeric(text: bytes) -> int | Decimal | str:
    """Every digit is kept, also zeros at the end of a fraction."""
    if text in _NOT_FINITE:
        return text.decode()
    if b"." in text or len(text) > INT_DIGITS:
        return _decimal(text.decode())
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        found = Decimal(text)
    except InvalidOperation:
        raise ValueError("not a number") from None
    if not found.is_finite() or abs(found.adjusted()) > NUMERIC_EXPONENT:
        raise ValueError("a number out of bounds")
    return found


def read_timestamp(text: bytes) -> str:
    return text.decode().replace(" ", "T", 1)


def read_timestamptz(text: bytes) -> str:
    """The zone gets minutes, as XML Schema wants it: 2026-01-01T00:00:00+00:00."""
    moment = text.decode().replace(" ", "T", 1)
    era = ""
    if moment.endswith(" BC"):
        moment, era = moment[:-3], " BC"
    return f"{moment}:00{era}" if moment[-3:-2] in ("+", "-") else moment + era


def read_int_vector(text: bytes) -> list[int]:
    return [int(part) for part in text.split()]


def read_oid_vector(text: bytes) -> list[str]:
    """An oid is a string, as to_jsonb has it."""
    return text.decode().split()


def read_json(text: bytes) -> Any:
    """The parsed value. A fraction is a float where that is exact, else Decimal; a whole number an int up to its bound.

    Too deep, or not UTF-8 (half a surrogate pair may be written as an escape in json), is ValueError.
    """
    if text.count(b"[") + text.count(b"{") > JSON_DEPTH:
        _check_depth(text)
    try:
        return _JSON.decode(text)
    except msgspec.ValidationError:
        return _read_long_numbers(text)
    except (msgspec.MsgspecError, RecursionError):
        raise ValueError("JSON that cannot be read") from None


def _check_depth(text: bytes) -> None:
    depth = 0
    for token in _BRACKET_OR_STRING.finditer(text):
        mark = text[token.start()]
        if mark in b"[{":
            depth += 1
            if depth > JSON_DEPTH:
                raise ValueError("JSON nested too deep")
        elif mark != ord('"'):
            depth -= 1


def _read_long_numbers(text: bytes) -> Any:
    """The slower way, for the JSON that holds whole numbers beyond what msgspec reads."""
    unescaped = text.decode()
    try:
        found = json.loads(unescaped, parse_float=_fraction, parse_int=_whole, parse_constant=_decimal)
    except RecursionError:
        raise ValueError("JSON that cannot be read") from None
    if "\\u" in unescaped and _SURROGATE.search(json.dumps(found, ensure_ascii=False, default=str)):
        raise ValueError("JSON with half a surrogate pair")
    return found


def _whole(text: str) -> int | Decimal:
    return _decimal(text) if len(text) > INT_DIGITS else int(text)


def _fraction(text: str) -> float | Decimal:
    if len(text) <= _SAFE_FRACTION and "e" not in text and "E" not in text:
        return float(text) + 0.0
    return _decimal(text)


_JSON: Final = msgspec.json.Decoder(float_hook=_fraction)
