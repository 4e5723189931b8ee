"""JSON from a client, checked before anybody looks into it. Knows no message and no field."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from tidings.errors import Refusal

MAX_DEPTH: Final = 32
"""Nesting of inbound JSON (contract 9): a parser's stack is the attack."""


def check_json(text: str, *, max_depth: int = MAX_DEPTH) -> bytes:
    """Return `text` as UTF-8 once it is known to be one JSON value, nested at most `max_depth` deep.

    A part of it may then be cut out raw and passed on unread. msgspec alone does not look into raw parts.
    Raises Refusal `bad_json` (also for lone surrogates and for numbers beyond 64 bits' range), `too_deep`.
    """
    try:
        data = text.encode()
        value = msgspec.json.decode(data)
    except RecursionError:
        raise Refusal("too_deep", limit=max_depth) from None
    except UnicodeEncodeError:
        raise Refusal("bad_json", detail="the text holds a lone surrogate") from None
    except msgspec.DecodeError as error:
        raise Refusal("bad_json", detail=str(error)) from None
    if depth_of(value) > max_depth:
        raise Refusal("too_deep", limit=max_depth)
    return data


def depth_of(value: Any) -> int:
    """How many arrays and objects lie within one another: 0 for a number, 1 for `[]`. Uses no stack of its own."""
    depth = 0
    level = [value]
    while True:
        boxes = [item for item in level if isinstance(item, dict | list)]
        if not boxes:
            return depth
        depth += 1
        level = [item for box in boxes for item in (box.values() if isinstance(box, dict) else box)]


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
