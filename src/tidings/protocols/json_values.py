"""JSON from a client, checked before anybody looks into it. Knows no message and no field."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from tidings.errors import Refusal

MAX_DEPTH: Final = 32
"""Nesting of inbound JSON (contract 9): a parser's stack is the attack."""


_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.S)
_BRACKETS: Final = bytes.maketrans(b"{}", b"[]")
_OTHERS: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")


def check_json(text: str, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Return `text` as UTF-8 once it is known to be one JSON value, nested at most `max_depth` deep.

    A part of it may then be cut out raw and passed on unread. msgspec alone does not look into raw parts.
    Raises Refusal `bad_json` (also for lone surrogates and for numbers beyond 64 bits' range), `too_deep`.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError:
        raise Refusal("bad_json", detail="the text holds a lone surrogate") from None
    if is_deeper(data, max_depth):
        raise Refusal("too_deep", limit=max_depth)
    try:
        msgspec.json.decode(data)
    except msgspec.DecodeError as error:
        raise Refusal("bad_json", detail=str(error)) from None
    return data


def is_deeper(text: bytes, depth: int) -> bool:
    """True when arrays and objects lie more than `depth` deep in JSON text, told before anything is built from it.

    A few passes at the speed of C, and no stack: a megabyte of brackets must not hold the loop. Text that is not JSON
    gets some answer; the parser refuses it anyway.
    """
    if text.count(b"[") + text.count(b"{") <= depth:
        return False
    brackets = _STRING.sub(b"", text).translate(_BRACKETS, _OTHERS)
    for _ in range(depth):
        if not brackets:
            return False
        brackets = brackets.replace(b"[]", b"")  # the innermost level, everywhere at once
    return bool(brackets)


def refuse_shape(error: msgspec.ValidationError) -> Refusal:
    """Turn msgspec's complaint about a field into Refusal `bad_message` that names the field.

    msgspec writes "Expected `str`, got `int` - at `$.channel`" and "Object missing required field `channel`".
    """
    what, _, where = str(error).partition(" - at `")
    field = where.rstrip("`").removeprefix("$").removeprefix(".").removeprefix("key in ")
    if what.startswith("Object missing required field `"):
        missing = what.split("`")[1]
        return Refusal("bad_message", field=f"{field}.{missing}" if field else missing, detail="is missing")
    return Refusal("bad_message", field=field or None, detail=what.replace("`", "").lower())
