"""Reads the text of Postgres arrays and composite values. Knows no type: the caller converts the parts.

The manual's chapters are "Array Input and Output Syntax" and "Composite Type Input and Output Syntax". What is read is
what the server writes, which is less than it accepts. All loops run over the text once; nothing recurses.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

ARRAY_DIMENSIONS: Final = 6
"""Postgres' own bound (MAXDIM). Deeper text is not an array."""

_BOUNDS: Final = re.compile(rb"(?:\[-?\d+:-?\d+\])+=")
_FIELD: Final = re.compile(rb'(?:"((?:[^"\\]++|\\.|"")*+)"|([^",()\\]*+))([,)])', re.DOTALL)
_ESCAPED: Final = re.compile(rb"\\(.)", re.DOTALL)
_ESCAPED_OR_DOUBLED: Final = re.compile(rb'\\(.)|"(")', re.DOTALL)

_OPEN, _CLOSE, _DELIMITER, _QUOTED, _BARE = range(1, 6)


def read_array(text: bytes, delimiter: bytes, convert: Callable[[bytes], Any]) -> list[Any]:
    """The elements, converted, as nested lists; lower bounds are dropped. Raises ValueError."""
    if text[:1] == b"[":
        bounds = _BOUNDS.match(text)
        text = text[bounds.end() :] if bounds else b""
    if b'"' in text or b"\\" in text or text.count(b"{") != 1 or text.count(b"}") != 1:
        return _read_nested(text, delimiter, convert)
    if text[0] != ord("{") or text[-1] != ord("}"):
        raise ValueError("not the text of an array")
    if len(text) == 2:
        return []
    # "Empty" stands in quotes and never comes here, so an empty part is left to the element's own converter.
    return [None if part == b"NULL" else convert(part) for part in text[1:-1].split(delimiter)]


@cache
def _tokens(delimiter: bytes) -> re.Pattern[bytes]:
    """One alternative for each kind of token, possessive so that a large element costs no memory to match."""
    mark = re.escape(delimiter)
    bare = rb'[^{}"\\' + mark + rb"]++"
    return re.compile(rb"(\{)|(\})|(" + mark + rb')|"((?:[^"\\]++|\\.)*+)"|(' + bare + rb")", re.DOTALL)


def _read_nested(text: bytes, delimiter: bytes, convert: Callable[[bytes], Any]) -> list[Any]:
    """The general case: quotes, or more than one dimension."""
    root: list[Any] = []
    lists = [root]
    due = True  # an element, rather than a delimiter or an end
    at = 0
    for token in _tokens(delimiter).finditer(text):
        kind = token.lastindex
        if token.start() != at or (len(lists) == 1 and (at > 0 or kind != _OPEN)):
            break
        at = token.end()
        if kind == _CLOSE:
            if due and lists[-1]:
                break
            lists.pop()
            due = False
        elif due is (kind == _DELIMITER):
            break
        elif kind == _DELIMITER:
            due = True
        elif kind == _OPEN:
            inner: list[Any] = []
            lists[-1].append(inner)
            lists.append(inner)
            if len(lists) > ARRAY_DIMENSIONS + 1:
                break
        else:
            lists[-1].append(_element(token, convert))
            due = False
    else:
        if len(lists) == 1 and at == len(text) > 0:
            found: list[Any] = root[0]
            return found
    raise ValueError("not the text of an array")


def _element(token: re.Match[bytes], convert: Callable[[bytes], Any]) -> Any:
    text: bytes = token[token.lastindex or 0]
    if token.lastindex == _QUOTED:
        return convert(_ESCAPED.sub(rb"\1", text) if b"\\" in text else text)
    return None if text == b"NULL" else convert(text)


def split_composite(text: bytes) -> list[bytes | None]:
    """The fields' texts in order, None for null. `()` is one null field, or none at all. Raises ValueError."""
    fields: list[bytes | None] = []
    if text[:1] != b"(":
        raise ValueError("not the text of a composite value")
    at = 1
    while True:
        field = _FIELD.match(text, at)
        if field is None:
            raise ValueError("not the text of a composite value")
        quoted, bare, mark = field.groups()
        if quoted is None:
            fields.append(bare or None)
        else:
            fields.append(
                _ESCAPED_OR_DOUBLED.sub(rb"\1\2", quoted) if b"\\" in quoted or b'"' in quoted else quoted
            )
        at = field.end()
        if mark == b")":
            break
    if at != len(text):
        raise ValueError("not the text of a composite value")
    return fields
