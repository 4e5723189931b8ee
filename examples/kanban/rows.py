"""Single rows of the board: reading, checking, inserting and updating them inside a caller's transaction.

Opens no transaction of its own and knows no HTTP beyond the refusals that it raises.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple, cast

import apsw
import msgspec

from examples.kanban.bodies import FIXES
from examples.kanban.columns import place_before
from examples.kanban.problems import Problem, not_found

Row = dict[str, Any]

MUTATIONS_KEPT_SECONDS: Final = 86_400
"""A client that repeats a write does so within minutes; a day is ample, and the table stays small."""

STATUS_FIELDS: Final = (
    "id",
    "project_id",
    "name",
    "position",
    "version",
    "updated_by",
    "updated_at",
    "mutation_id",
)
TASK_FIELDS: Final = (
    "id",
    "project_id",
    "status_id",
    "title",
    "description",
    "priority",
    "label",
    "assignee",
    "position",
    "version",
    "updated_by",
    "updated_at",
    "mutation_id",
)
IN_ORDER: Final = "ORDER BY position IS NULL, position, rowid"
STAMP: Final = (
    "version = version + 1, updated_by = :user, mutation_id = :mutation,"
    " updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
)


class Author(NamedTuple):
    """Who writes, and under which mutation id; `request` is method and path.

    The same mutation id again gets the same answer.
    """

    user: str
    mutation: str | None
    request: str


class Answer(NamedTuple):
    """What a write answers: HTTP status and JSON body (empty for a delete)."""

    status: int
    body: bytes


def require_member(connection: apsw.Connection, project_id: str, user: str) -> None:
    """Raises Problem 404 for an unknown project, 403 for a user who is not in it."""
    if not connection.execute("SELECT 1 FROM projects WHERE id = ?", (project_id,)).fetchall():
        raise not_found("project", project_id)
    if user not in members(connection, project_id):
        raise Problem(
            403,
            "not_a_member",
            f"{user} is not a member of the project {project_id!r}.",
            field="projectId",
            fix="Choose a project that GET /api/projects lists.",
        )


def members(connection: apsw.Connection, project_id: str) -> list[str]:
    sql = "SELECT user FROM members WHERE project_id = ? ORDER BY rowid"
    return [row[0] for row in connection.execute(sql, (project_id,))]


def whole_project(connection: apsw.Connection, project_id: str) -> Row:
    """A project with its members, and with its columns and tasks in order."""
    name = connection.execute("SELECT name FROM projects WHERE id = ?", (project_id,)).fetchall()[0][0]
    return {
        "id": project_id,
        "name": name,
        "members": members(connection, project_id),
        "statuses": find(connection, "statuses", STATUS_FIELDS, "project_id = ?", project_id),
        "tasks": find(connection, "tasks", TASK_FIELDS, "project_id = ?", project_id),
    }


def find(
    connection: apsw.Connection, table: str, fields: tuple[str, ...], where: str, value: str
) -> list[Row]:
    found = connection.execute(f"SELECT {', '.join(fields)} FROM {table} WHERE {where} {IN_ORDER}", (value,))
    keys = [_camel(field) for field in fields]
    return [dict(zip(keys, row, strict=True)) for row in found]


def _camel(field: str) -> str:
    first, *rest = field.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _table(kind: str) -> tuple[str, tuple[str, ...]]:
    return ("tasks", TASK_FIELDS) if kind == "task" else ("statuses", STATUS_FIELDS)


def owned(connection: apsw.Connection, kind: str, wanted: str, user: str) -> Row:
    """The row, once it is sure that `user` may see it."""
    table, fields = _table(kind)
    found = find(connection, table, fields, "id = ?", wanted)
    if not found:
        raise not_found(kind, wanted)
    require_member(connection, found[0]["projectId"], user)
    return found[0]


def first_status(connection: apsw.Connection, project_id: str) -> str:
    statuses = find(connection, "statuses", STATUS_FIELDS, "project_id = ?", project_id)
    if not statuses:
        raise Problem(
            409, "no_columns", "The project has no column yet.", fix="Add a column with POST /api/statuses."
        )
    return str(statuses[0]["id"])


def require_status(connection: apsw.Connection, status_id: str, project_id: str) -> None:
    sql = "SELECT 1 FROM statuses WHERE id = ? AND project_id = ?"
    if not connection.execute(sql, (status_id, project_id)).fetchall():
        raise Problem(
            422,
            "unknown_status",
            f"The project has no column with the id {status_id!r}; it may have been deleted.",
            field="statusId",
            fix="Read the project again and use one of its statuses.",
        )


def require_assignee(connection: apsw.Connection, project_id: str, assignee: str | None) -> None:
    if assignee is not None and assignee not in members(connection, project_id):
        raise Problem(
            422, "unknown_assignee", f"{assignee!r} is not a member.", field="assignee", fix=FIXES["assignee"]
        )


def insert(
    connection: apsw.Connection, kind: str, row_id: str | None, values: dict[str, Any], author: Author
) -> Answer:
    table, fields = _table(kind)
    if row_id is not None:
        _check_unused(connection, kind, row_id)
        values = {"id": row_id, **values}
    values = {**values, "updated_by": author.user, "mutation_id": author.mutation}
    marks = ", ".join(f":{name}" for name in values)
    connection.execute(f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks})", values)
    made = find(connection, table, fields, "rowid = ?", str(connection.last_insert_rowid()))
    return Answer(201, msgspec.json.encode(made[0]))


def _check_unused(connection: apsw.Connection, kind: str, row_id: str) -> None:
    if connection.execute(f"SELECT 1 FROM {_table(kind)[0]} WHERE id = ?", (row_id,)).fetchall():
        raise Problem(
            409,
            f"{kind}_exists",
            f"There is already a {kind} with the id {row_id!r}.",
            field="id",
            fix="Make a new random id, or leave it out and let the server make one.",
        )


def update(
    connection: apsw.Connection, kind: str, row_id: str, changes: dict[str, Any], author: Author
) -> Answer:
    table, fields = _table(kind)
    settings = ", ".join(f"{name} = :{name}" for name in changes)
    connection.execute(
        f"UPDATE {table} SET {settings}, {STAMP} WHERE id = :row_id",
        {**changes, "row_id": row_id, "user": author.user, "mutation": author.mutation},
    )
    return Answer(200, msgspec.json.encode(find(connection, table, fields, "id = ?", row_id)[0]))


def require_new_home(connection: apsw.Connection, status: Row, move_to: str) -> None:
    require_status(connection, move_to, status["projectId"])
    if move_to == status["id"]:
        raise Problem(
            422,
            "same_status",
            "The tasks cannot move into the column that goes.",
            field="moveTo",
            fix="Name another.",
        )


def empty_into(connection: apsw.Connection, status_id: str, move_to: str, author: Author) -> None:
    leaving = find(connection, "tasks", ("id",), "status_id = ?", status_id)
    for task in leaving:
        changes = {"status_id": move_to, "position": place_before(connection, move_to, None)}
        update(connection, "task", task["id"], changes, author)


def require_empty(connection: apsw.Connection, status: Row) -> None:
    sql = "SELECT count(*) FROM tasks WHERE status_id = ?"
    count = connection.execute(sql, (status["id"],)).fetchall()[0][0]
    if count:
        tasks = "1 task" if count == 1 else f"{count} tasks"
        raise Problem(
            409,
            "status_has_tasks",
            f"The column “{status['name']}” still has {tasks}.",
            field="id",
            fix="Move or delete them first, or name a column that takes them: ?moveTo={statusId}.",
        )


def answered_before(connection: apsw.Connection, author: Author) -> Answer | None:
    if author.mutation is None:
        return None
    sql = "SELECT request, status, answer FROM mutations WHERE id = ?"
    found = connection.execute(sql, (author.mutation,)).fetchall()
    if not found:
        return None
    request, status, answer = cast(tuple[str, int, bytes], found[0])
    if request != f"{author.user} {author.request}":
        raise Problem(
            422,
            "mutation_id_reused",
            "This mutation id was used for another request.",
            field="X-Mutation-Id",
            fix="Make a new random id for each change; repeat an id only to repeat the same request.",
        )
    return Answer(status, answer)


def remember(connection: apsw.Connection, author: Author, answer: Answer) -> None:
    if author.mutation is None:
        return
    connection.execute("DELETE FROM mutations WHERE saved_at < unixepoch() - ?", (MUTATIONS_KEPT_SECONDS,))
    connection.execute(
        "INSERT INTO mutations (id, request, status, answer) VALUES (?, ?, ?, ?)",
        (author.mutation, f"{author.user} {author.request}", answer.status, answer.body),
    )
