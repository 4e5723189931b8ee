"""Where a card or a column goes: the fractional key between its neighbours. Moves nothing itself but ties."""

from __future__ import annotations

from typing import cast

import apsw

from examples.kanban.ordering import key_between, keys_in_a_row

Place = tuple[str, str | None]


def place_before(
    connection: apsw.Connection, status_id: str, before_id: str | None, *, moving: str | None = None
) -> str:
    """The key for a task that shall stand before `before_id`, or at the end when that is None or has left.

    moving: the task that moves, if it is in the column already; it is no neighbour of itself.
    """
    column = [place for place in _column(connection, status_id) if place[0] != moving]
    try:
        return _key_at(column, before_id)
    except ValueError:
        return _key_at(_respaced(connection, column), before_id)


def place_last(connection: apsw.Connection, project_id: str) -> str:
    """The key for a new column at the right end of the board."""
    sql = "SELECT max(position) FROM statuses WHERE project_id = ?"
    last = cast(str | None, connection.execute(sql, (project_id,)).fetchall()[0][0])
    return key_between(last, None)


def _column(connection: apsw.Connection, status_id: str) -> list[Place]:
    sql = "SELECT id, position FROM tasks WHERE status_id = ? ORDER BY position IS NULL, position, rowid"
    return cast(list[Place], connection.execute(sql, (status_id,)).fetchall())


def _key_at(column: list[Place], before_id: str | None) -> str:
    """Raises ValueError where hand-written rows left a tie, a gap or a position that is no key."""
    at = next((index for index, place in enumerate(column) if place[0] == before_id), len(column))
    low, high = column[at - 1 : at], column[at : at + 1]
    for _, position in low + high:
        if position is None:
            raise ValueError("a neighbour has no position")
    return key_between(low[0][1] if low else None, high[0][1] if high else None)


def _respaced(connection: apsw.Connection, column: list[Place]) -> list[Place]:
    """Give every task of the column a fresh key, in the order that people see now."""
    keys = keys_in_a_row(len(column))
    fresh: list[Place] = [(place[0], key) for place, key in zip(column, keys, strict=True)]
    for task_id, key in fresh:
        connection.execute("UPDATE tasks SET position = ? WHERE id = ?", (key, task_id))
    return fresh
