"""The board in SQLite: what is read, and what each write does in its one transaction. Knows no HTTP."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import apsw

from examples.kanban import rows, seed
from examples.kanban.bodies import (
    Move,
    NewStatus,
    NewTask,
    StatusChanges,
    TaskChanges,
    changed_fields,
    required_text,
)
from examples.kanban.columns import place_before, place_last
from examples.kanban.connections import ConnectionPool, snapshot
from examples.kanban.rows import Answer, Author, Row
from examples.kanban.schema import create_tables


class Store:
    """Projects, columns and tasks. Every method is synchronous and safe to call from several threads.

    before_commit: called inside each write, just before COMMIT; a test holds commits back or fails them here.
    """

    def __init__(self, path: Path, *, before_commit: Callable[[], None] | None = None) -> None:
        self._pool = ConnectionPool(path)
        self._before_commit = before_commit or (lambda: None)
        with self._pool.borrow() as connection:
            create_tables(connection)
            seed.fill(connection)

    def close(self) -> None:
        """Release the file."""
        self._pool.close()

    # Reading

    def projects(self, user: str) -> list[Row]:
        """The projects that `user` is a member of, by name."""
        sql = "SELECT id, name FROM projects JOIN members ON project_id = id WHERE user = ? ORDER BY name"
        with self._pool.borrow() as connection:
            return [{"id": row[0], "name": row[1]} for row in connection.execute(sql, (user,))]

    def project(self, project_id: str, user: str) -> Row:
        """One project with its columns and tasks in order, all from one moment. Raises Problem 403, 404."""
        with self._pool.borrow() as connection, snapshot(connection):
            rows.require_member(connection, project_id, user)
            return rows.whole_project(connection, project_id)

    def task(self, task_id: str, user: str) -> Row:
        """One task. Raises Problem 403, 404."""
        with self._pool.borrow() as connection:
            return rows.owned(connection, "task", task_id, user)

    def require_member(self, project_id: str, user: str) -> None:
        """Raises Problem 404 for an unknown project, 403 for a user who is not in it."""
        with self._pool.borrow() as connection:
            rows.require_member(connection, project_id, user)

    # Writing

    def create_task(self, new: NewTask, author: Author) -> Answer:
        """Insert a task at the end of its column, or before another. Raises Problem 403, 404, 409, 422."""

        def work(connection: apsw.Connection) -> Answer:
            rows.require_member(connection, new.project_id, author.user)
            status_id = new.status_id or rows.first_status(connection, new.project_id)
            rows.require_status(connection, status_id, new.project_id)
            rows.require_assignee(connection, new.project_id, new.assignee)
            values = {
                "project_id": new.project_id,
                "status_id": status_id,
                "title": required_text(new.title, "title"),
                "description": new.description,
                "priority": new.priority,
                "label": new.label.strip(),
                "assignee": new.assignee,
                "position": place_before(connection, status_id, new.before_id),
            }
            return rows.insert(connection, "task", new.id, values, author)

        return self._write(author, work)

    def update_task(self, task_id: str, changes: TaskChanges, author: Author) -> Answer:
        """Change the fields named and leave the others alone. Raises Problem 403, 404, 422."""
        fields = changed_fields(changes)

        def work(connection: apsw.Connection) -> Answer:
            task = rows.owned(connection, "task", task_id, author.user)
            rows.require_assignee(connection, task["projectId"], fields.get("assignee"))
            return rows.update(connection, "task", task_id, fields, author)

        return self._write(author, work)

    def move_task(self, task_id: str, move: Move, author: Author) -> Answer:
        """Put a task into a column of its own project. Raises Problem 403, 404, 422."""

        def work(connection: apsw.Connection) -> Answer:
            task = rows.owned(connection, "task", task_id, author.user)
            rows.require_status(connection, move.status_id, task["projectId"])
            position = place_before(connection, move.status_id, move.before_id, moving=task_id)
            return rows.update(
                connection, "task", task_id, {"status_id": move.status_id, "position": position}, author
            )

        return self._write(author, work)

    def delete_task(self, task_id: str, author: Author) -> Answer:
        """Remove a task. Raises Problem 403, 404."""

        def work(connection: apsw.Connection) -> Answer:
            rows.owned(connection, "task", task_id, author.user)
            connection.execute("DELETE FROM tasks WHERE id = ?", (task_id,))
            return Answer(204, b"")

        return self._write(author, work)

    def create_status(self, new: NewStatus, author: Author) -> Answer:
        """Add a column at the right end. Raises Problem 403, 404, 409, 422."""

        def work(connection: apsw.Connection) -> Answer:
            rows.require_member(connection, new.project_id, author.user)
            values = {
                "project_id": new.project_id,
                "name": required_text(new.name, "name"),
                "position": place_last(connection, new.project_id),
            }
            return rows.insert(connection, "status", new.id, values, author)

        return self._write(author, work)

    def update_status(self, status_id: str, changes: StatusChanges, author: Author) -> Answer:
        """Rename a column. Raises Problem 403, 404, 422."""
        fields = {"name": required_text(changes.name, "name")}

        def work(connection: apsw.Connection) -> Answer:
            rows.owned(connection, "status", status_id, author.user)
            return rows.update(connection, "status", status_id, fields, author)

        return self._write(author, work)

    def delete_status(self, status_id: str, author: Author, *, move_to: str | None) -> Answer:
        """Remove an empty column, or one whose tasks go to `move_to` in the same transaction.

        Raises Problem 403, 404; 409 while the column has tasks and no place for them was named.
        """

        def work(connection: apsw.Connection) -> Answer:
            status = rows.owned(connection, "status", status_id, author.user)
            if move_to is not None:
                rows.require_new_home(connection, status, move_to)
                rows.empty_into(connection, status_id, move_to, author)
            rows.require_empty(connection, status)
            connection.execute("DELETE FROM statuses WHERE id = ?", (status_id,))
            return Answer(204, b"")

        return self._write(author, work)

    def _write(self, author: Author, work: Callable[[apsw.Connection], Answer]) -> Answer:
        with self._pool.transaction() as connection:
            known = rows.answered_before(connection, author)
            if known is not None:
                return known
            answer = work(connection)
            rows.remember(connection, author, answer)
            self._before_commit()
            return answer
