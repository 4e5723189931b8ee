"""Row filters such as `project_id=eq.42`: read from text, and judged against one row. Holds no message and no group.

A condition is `column=[not.]operator.value`; commas between conditions mean "and". A verdict has three values, because
a row may lack the column (the database did not tell it) or hold there what no value can be compared with (a list, an
object): True, False, and None for "cannot be judged". Whoever asks must let None pass: a screen that is told too much
reads once too often, one that is told too little stays wrong in silence.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from tidings.errors import Refusal
from tidings.filters import like_matcher

MAX_TEXT: Final = 1_000
"""Characters of a filter: it travels in a URL, and bounds what one evaluation costs."""

MAX_CONDITIONS: Final = 10
"""Conditions of a filter: each is judged for every change that comes near it."""

MAX_VALUES: Final = 100
"""Values of one `in`, as at Supabase: each takes places in an index."""

Row = Mapping[str, Any]
Verdict = bool | None
Test = Callable[[Any], Verdict]

OPAQUE: Final = object()
"""The key of a value that cannot be compared with a text: a list, an object, not-a-number."""

_OPERATORS: Final = ("eq", "neq", "lt", "lte", "gt", "gte", "in", "is", "isdistinct", "like", "ilike")
_COMPARED: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_OPPOSITES: Final = {"eq": "neq", "neq": "eq", "lt": "gte", "gte": "lt", "gt": "lte", "lte": "gt"}
"""`not.` before these says the same as the other one: a null matches neither, so equal filters get equal words."""

_IS: Final = ("null", "true", "false")
_BOOLS: Final = (("false",), ("true",))  # keys of their own: to Python, True and 1 are one key
_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]{1,4})?\Z")
_COLUMN: Final = re.compile(r"[^\s=,()\"\\]+")
_OPERATOR: Final = re.compile(r"(not\.)?([a-z]+)\.")
_BARE: Final = re.compile(r"[^,()\"\\]+\Z")


class Condition(NamedTuple):
    """One condition. values: several for `in`, else one; None stands for null in `isdistinct`."""

    column: str
    operator: str
    values: tuple[str | None, ...]
    negated: bool = False

    def __str__(self) -> str:
        values = [
            value if value in _IS and self.operator == "is" else _written(value) for value in self.values
        ]
        told = f"({','.join(map(str, values))})" if self.operator == "in" else values[0]
        column = self.column if _COLUMN.fullmatch(self.column) else _quoted(self.column)
        return f"{column}={'not.' if self.negated else ''}{self.operator}.{told}"


class RowFilter:
    """A filter that was read. Filters that mean the same are equal: one group, judged and encoded once.

    text: as it was written. canonical: conditions in their one form, sorted.
    """

    __slots__ = ("_tests", "canonical", "conditions", "text")

    def __init__(self, conditions: tuple[Condition, ...], text: str = "") -> None:
        self.conditions = tuple(sorted({_normal(condition) for condition in conditions}, key=str))
        self.canonical = ",".join(map(str, self.conditions))
        self.text = text or self.canonical
        self._tests = [(condition.column, _test(condition)) for condition in self.conditions]

    @classmethod
    def parse(cls, text: str, *, field: str = "filter") -> RowFilter:
        """Read a filter. Raises Refusal `bad_filter` with what is wrong and where."""
        if len(text) > MAX_TEXT:
            raise Refusal("bad_filter", field=field, detail="is too long", limit=MAX_TEXT)
        return cls(_Reader(text, field).conditions(), text)

    def judge(self, row: Row) -> Verdict:
        """Whether the row matches: False as soon as one condition does not, None when it cannot be told."""
        verdict: Verdict = True
        for column, test in self._tests:
            if column not in row:
                verdict = None
                continue
            found = test(row[column])
            if found is False:
                return False
            if found is None:
                verdict = None
        return verdict

    def equality(self) -> tuple[str, tuple[Hashable, ...]] | None:
        """A column and the keys (`key_of`) that its value must have for a match; None when no condition says so.

        The one with the fewest keys: it leaves the least to be judged.
        """
        told = [
            (condition.column, tuple(_keys(condition.values)))
            for condition in self.conditions
            if condition.operator in ("eq", "in") and not condition.negated
        ]
        return min(told, key=lambda one: len(one[1]), default=None)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"RowFilter({self.canonical!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RowFilter) and self.canonical == other.canonical

    def __hash__(self) -> int:
        return hash(self.canonical)


def key_of(value: Any) -> Hashable:
    """What a field's value is found under: equal keys are equal values, whatever way the number was written.

    None for null, `OPAQUE` for what cannot be compared.
    """
    kind = type(value)
    if kind is str or kind is int or value is None:
        return value  # type: ignore[no-any-return]
    if kind is bool:
        return _BOOLS[value]
    if kind is float:
        value = Decimal(repr(value))  # as it is written, which is what the filter's author saw
    if isinstance(value, Decimal) and not value.is_nan():
        return value
    return OPAQUE


# ── judging


def _keys(values: tuple[str | None, ...]) -> frozenset[Hashable]:
    """Every key that a filter's values match: as text, and where they read so as number, true or false."""
    found: set[Hashable] = set()
    for value in values:
        assert value is not None
        found.update(key for key in (value, _number(value), _truth(value)) if key is not None)
    return frozenset(found)


def _number(text: str) -> int | Decimal | None:
    if _NUMBER.match(text) is None:
        return None
    return int(text) if text.lstrip("-").isdigit() else Decimal(text)


def _truth(text: str) -> tuple[str] | None:
    return (text,) if text in ("true", "false") else None


def _test(condition: Condition) -> Test:
    """What judges the value of a column that is there."""
    _, name, values, negated = condition
    if name in ("eq", "neq", "in"):
        return _equal(_keys(values), wanted=(name == "neq") is negated, null=False)
    if name == "isdistinct":
        return _equal(_keys(values), wanted=False, null=True)
    text = values[0]
    assert text is not None
    if name == "is":
        return _is(text, negated=negated)
    if name in _COMPARED:
        return _ordered(_COMPARED[name], text)
    return _like(like_matcher(text, fold=name == "ilike"), negated=negated)


def _equal(keys: frozenset[Hashable], *, wanted: bool, null: bool) -> Test:
    def test(value: Any) -> Verdict:
        key = key_of(value)
        if key is None:
            return null
        return None if key is OPAQUE else (key in keys) is wanted

    return test


def _is(text: str, *, negated: bool) -> Test:
    if text == "null":
        return lambda value: (value is None) is not negated
    wanted = text == "true"

    def test(value: Any) -> Verdict:
        if value is None:
            return negated
        if isinstance(value, bool | int | float | Decimal):  # SQLite keeps truth as a number
            return (bool(value) is wanted) is not negated
        return None

    return test


def _ordered(compare: Callable[[Any, Any], bool], text: str) -> Test:
    number, truth = _number(text), _truth(text)

    def test(value: Any) -> Verdict:
        key = key_of(value)
        if key is None:
            return False
        if isinstance(key, str):
            return compare(key, text)
        if isinstance(key, int | Decimal):
            return None if number is None else compare(key, number)
        return None if key is OPAQUE or truth is None else compare(key, truth)

    return test


LIKE_CHARACTERS: Final = 1_000
"""Of a field that a pattern is compared with; a longer text cannot be judged, and passes. Patterns are read character
by character, and hundreds of strangers may have some each."""


def _like(fits: Callable[[str], bool], *, negated: bool) -> Test:
    def test(value: Any) -> Verdict:
        if value is None:
            return False
        if not isinstance(value, str) or len(value) > LIKE_CHARACTERS:
            return None
        return fits(value) is not negated

    return test


# ── reading and writing


def _normal(condition: Condition) -> Condition:
    """The one form of a condition; others that mean the same become it."""
    column, name, values, negated = condition
    if name == "in":
        values = tuple(sorted(set(values), key=str))
        if len(values) == 1:
            name = "eq"
    if name == "isdistinct":
        if values == (None,):
            name, values, negated = "is", ("null",), not negated
        elif negated:
            name, negated = "eq", False
    if negated and name in _OPPOSITES:
        name, negated = _OPPOSITES[name], False
    return Condition(column, name, values, negated)


def _written(value: str | None) -> str:
    if value is None:
        return "null"
    return value if _BARE.match(value) and value != "null" else _quoted(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class _Reader:
    """Reads one filter from left to right. Every step either takes characters or refuses: the cost is their number."""

    def __init__(self, text: str, field: str) -> None:
        self._text = text
        self._field = field
        self._at = 0

    def conditions(self) -> tuple[Condition, ...]:
        found = [self._condition()]
        while self._at < len(self._text):
            self._at += 1  # the comma at which a value ends
            found.append(self._condition())
            if len(found) > MAX_CONDITIONS:
                raise Refusal(
                    "bad_filter", field=self._field, detail="has too many conditions", limit=MAX_CONDITIONS
                )
        return tuple(found)

    def _condition(self) -> Condition:
        column = self._column()
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            raise self._wrong(f"after {column}= an operator and a dot are missing")
        if match[2] not in _OPERATORS:
            raise self._wrong(f"there is no operator {match[2][:40]}; use {', '.join(_OPERATORS)}")
        self._at = match.end()
        condition = Condition(column, match[2], self._values(match[2]), match[1] is not None)
        if self._at < len(self._text) and self._text[self._at] != ",":
            raise self._wrong("a comma must follow a quoted value or a list")
        return condition

    def _column(self) -> str:
        while self._text.startswith(" ", self._at):  # people write a blank after the comma
            self._at += 1
        if self._text.startswith('"', self._at):
            column = self._quoted()
        else:
            match = _COLUMN.match(self._text, self._at)
            column = match[0] if match else ""
            self._at += len(column)
        if not column or not self._text.startswith("=", self._at):
            raise self._wrong("a column's name and = are missing")
        self._at += 1
        return column

    def _values(self, name: str) -> tuple[str | None, ...]:
        if name == "in":
            return self._list()
        quoted = self._text.startswith('"', self._at)
        value = self._quoted() if quoted else self._bare()
        if name == "is" and value not in _IS:
            raise self._wrong("is takes null, true or false")
        if name == "isdistinct" and value == "null" and not quoted:
            return (None,)
        return (value,)

    def _bare(self) -> str:
        """Up to a comma outside parentheses."""
        begin, depth = self._at, 0
        while self._at < len(self._text):
            char = self._text[self._at]
            if char == "," and not depth:
                break
            depth = max(0, depth + (char == "(") - (char == ")"))
            self._at += 1
        if depth:
            raise self._wrong("a parenthesis is not closed; put the value in quotes")
        return self._text[begin : self._at]

    def _list(self) -> tuple[str, ...]:
        if not self._text.startswith("(", self._at):
            raise self._wrong("in takes a list such as (1,2,3)")
        found = []
        while not self._text.startswith(")", self._at):
            self._at += 1  # the parenthesis or the comma before a value
            if self._text.startswith('"', self._at):
                found.append(self._quoted())
            else:
                begin = self._at
                while self._text[self._at : self._at + 1] not in ("", ",", ")"):
                    self._at += 1
                found.append(self._text[begin : self._at])
            if self._text[self._at : self._at + 1] not in (",", ")"):
                raise self._wrong("the list of in is not closed")
        self._at += 1
        if found == [""]:
            raise self._wrong("the list of in is empty")
        if len(found) > MAX_VALUES:
            raise Refusal("bad_filter", field=self._field, detail="in has too many values", limit=MAX_VALUES)
        return tuple(found)

    def _quoted(self) -> str:
        r"""A text in quotes; `\` takes the next character as it is."""
        found: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            char = self._text[self._at]
            self._at += 1
            if char == '"':
                return "".join(found)
            if char == "\\":
                char = self._text[self._at : self._at + 1]
                self._at += 1
            found.append(char)
        raise self._wrong("a quote is not closed")

    def _wrong(self, detail: str) -> Refusal:
        return Refusal("bad_filter", field=self._field, detail=f"{detail} (at character {self._at + 1})")
