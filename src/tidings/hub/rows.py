"""The rows that a message tells of, read from its data; and whether a filter lets it pass. Holds no group.

Two forms of data carry rows. A raw change: an object with `schema`, `table`, `type`, `new` and `old`. Any other object
is itself one row: its members are the fields. What is in neither form tells of no row, nor does an emptied table.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

import msgspec

from tidings.messages import Message
from tidings.row_filters import Row, RowFilter

UNTOLD: Final[Row] = {}
"""A row of which nothing is told: no filter can be judged on it, so every filter lets it pass."""

_MARKS: Final = frozenset({"schema", "table", "type", "new", "old"})

_decoder = msgspec.json.Decoder(float_hook=Decimal)  # exact: 0.1 in a filter is 0.1 in the data


def rows_of(data: bytes) -> tuple[Row, ...]:
    """The rows to judge; a message passes when one of them does.

    An update has two, the row before and after it. A row that leaves a filter matches with its old one and so is told
    to those who must drop it. An old row that the database did not tell is `UNTOLD`: it may have matched.
    """
    try:
        value = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError, ArithmeticError):  # a number beyond all bounds
        return (UNTOLD,)
    if not isinstance(value, dict):
        return (UNTOLD,)
    return _sides(value) if value.keys() >= _MARKS else (value,)


def _sides(change: dict[str, Any]) -> tuple[Row, ...]:
    """The rows of a raw change. A type without a row (TRUNCATE) concerns everybody."""
    new, old = _row(change["new"]), _row(change["old"])
    match change["type"]:
        case "INSERT":
            return (new,)
        case "UPDATE":
            return (_completed(new, old, change["unchanged"]) if "unchanged" in change else new, old)
        case "DELETE":
            return (old,)
        case _:
            return (UNTOLD,)


def _row(side: Any) -> Row:
    return side if isinstance(side, dict) else UNTOLD


def _completed(new: Row, old: Row, unchanged: Any) -> Row:
    """The new row with what an update did not touch and the database therefore told only of the old one."""
    columns = unchanged if isinstance(unchanged, list) else []
    return {**{column: old[column] for column in columns if isinstance(column, str) and column in old}, **new}


def lets_pass(filter: RowFilter, rows: tuple[Row, ...]) -> bool:
    """Whether one of the rows matches, or may match."""
    for row in rows:  # noqa: SIM110  # a generator would cost as much as the judging
        if filter.judge(row) is not False:
            return True
    return False


def passes(filter: RowFilter | None, message: Message) -> bool:
    """Whether a message is for whoever has this filter. What is not an event (presence, client events) is for all."""
    return filter is None or message.kind != "event" or lets_pass(filter, rows_of(message.data))
