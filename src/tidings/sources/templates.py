"""Templates of rules: `project-{project_id}` and the row that fills it. Knows no rule and no table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from tidings.errors import ConfigError

_PART: Final = re.compile(r"\{([^{}]+)\}|([{}])")


MAX_STEPS: Final = 200
"""Steps of reading a name back: a stranger may ask for any name, and each further column multiplies the ways."""


class TooManyWays(Exception):
    """A name that could have been made of a row in too many ways to look for them all."""


class Unfilled(Exception):
    """A template that this row cannot fill. `null` when a column is NULL: then the thing does not exist."""

    def __init__(self, reason: str, *, null: bool = False) -> None:
        self.null = null
        super().__init__(reason)


class Template:
    """A text with columns in braces. A brace can stand for nothing else.

    columns: those it names, in order. pattern: the text with `*` for each column, as channel patterns are written.
    """

    def __init__(self, text: str) -> None:
        """Raises ConfigError for a brace without its partner or without a name."""
        self.text = text
        self._parts: list[tuple[str, str | None]] = []
        at = 0
        for found in _PART.finditer(text):
            if found[2]:
                raise ConfigError(
                    f"template {text!r}: a brace at {found.start()} has no partner or no name in it"
                )
            self._parts.append((text[at : found.start()], found[1]))
            at = found.end()
        self._parts.append((text[at:], None))
        self.columns = tuple(column for _, column in self._parts if column is not None)
        self._only = self.columns[0] if len(self.columns) == 1 else None
        self._alone = self._only is not None and text == f"{{{self._only}}}"
        self.pattern = "".join(fixed + ("*" if column is not None else "") for fixed, column in self._parts)

    def values(self, text: str) -> list[dict[str, str]]:
        """Every way in which columns could have made a text; none when none could.

        A text between two columns may stand in their values too: then there are several ways. Raises TooManyWays.
        """
        found: list[dict[str, str]] = []
        self._split(text, 0, {}, found, [MAX_STEPS])
        return found

    def _split(
        self, text: str, at: int, so_far: dict[str, str], found: list[dict[str, str]], steps: list[int]
    ) -> None:
        steps[0] -= 1
        if steps[0] < 0:
            raise TooManyWays
        fixed, column = self._parts[at]
        if not text.startswith(fixed):
            return
        rest = text[len(fixed) :]
        if column is None:
            if not rest:
                found.append(so_far)
            return
        following = self._parts[at + 1][0]
        for end in range(1, len(rest) + 1):
            if rest.startswith(following, end) and so_far.get(column, rest[:end]) == rest[:end]:
                self._split(rest[end:], at + 1, {**so_far, column: rest[:end]}, found, steps)

    def fill(self, row: Mapping[str, Any]) -> str:
        """The text for a row. Raises Unfilled when a column is NULL, unknown or not a plain value."""
        if self._only is not None:
            value = row.get(self._only)
            if type(value) is int or type(value) is str:  # nearly always; everything else takes the long way
                return f"{self._parts[0][0]}{value}{self._parts[1][0]}"
        return "".join(
            fixed + ("" if column is None else _plain(row, column)) for fixed, column in self._parts
        )

    def value(self, row: Mapping[str, Any]) -> str | int | float | bool | Decimal:
        """Like `fill`, but a template that is one column alone keeps the value's JSON type: `{id}` gives 7, not "7"."""
        if self._alone:
            return _scalar(row, self.columns[0])
        return self.fill(row)


def _plain(row: Mapping[str, Any], column: str) -> str:
    value = _scalar(row, column)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))  # 5.0 and 5 are one value to a database, so they must be one channel
    return str(value)


def _scalar(row: Mapping[str, Any], column: str) -> str | int | float | bool | Decimal:
    if column not in row:
        raise Unfilled(f"column {column} is unknown")
    value = row[column]
    if value is None:
        raise Unfilled(f"column {column} is NULL", null=True)
    if not isinstance(value, str | int | float | Decimal):
        raise Unfilled(f"column {column} is not a plain value")
    return value
