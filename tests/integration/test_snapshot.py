"""Load a channel's rows, then follow from their cursor: nothing lies between, and nothing comes twice."""

from __future__ import annotations

import json
import random
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2 as httpx
import pytest

from tests.fixtures.fix_configured import ConfiguredServer
from tests.fixtures.fix_postgres import MAJORS, Database, shared_cluster

PATIENCE = 30.0

CONFIG = """
[[apps]]
id = "1"
key = "key"
secret = "secret"

[[sources]]
url = "{url}"

[[channels]]
match = "locked-*"
require_auth = true

[[rules]]
table = "tasks"
channel = "project-{{project_id}}"
deliver = "change"

[[rules]]
table = "tasks"
channel = "notified"
insert = "made"

[[rules]]
table = "tasks"
channel = "locked-{{project_id}}"
deliver = "change"
"""

Execute = Callable[[str], None]


class World:
    """A server over a database, and a way to write to that."""

    def __init__(self, server: ConfiguredServer, execute: Execute, rows: Callable[[str], list[Any]]) -> None:
        self.execute = execute
        self.rows = rows
        self.http = httpx.Client(base_url=server.url, timeout=PATIENCE)

    def snapshot(self, *channels: str) -> Any:
        answer = self.http.get("/snapshot?" + urlencode([("channel", name) for name in channels]))
        assert answer.status_code == 200, answer.text
        return answer.json()

    def follow(
        self, channel: str, cursor: str, until: Callable[[dict[str, Any]], bool]
    ) -> list[dict[str, Any]]:
        """The messages after a cursor, up to and with one that says so."""
        found: list[dict[str, Any]] = []
        while True:
            page = self.http.get(f"/poll?channel={channel}&cursor={cursor}&wait=20").json()
            assert not page["reset"], page
            cursor = page["cursor"]
            for message in page["messages"]:
                found.append(message)
                if until(message):
                    return found


@pytest.fixture(params=["sqlite", *MAJORS])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """A server that follows the table `tasks` of each kind of database."""
    if request.param == "sqlite":
        path = tmp_path / "app.db"
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("CREATE TABLE tasks (id INTEGER PRIMARY KEY, project_id INTEGER, title TEXT)")
            yield from _world(
                tmp_path,
                f"sqlite:///{path}",
                lambda sql: _all(db, sql),
                lambda sql: db.execute(sql).fetchall(),
            )
        return
    database = Database(shared_cluster(request.param))
    database.run(
        "CREATE TABLE tasks (id int PRIMARY KEY, project_id int, title text)",
        "ALTER TABLE tasks REPLICA IDENTITY FULL",
    )
    with database.connect() as connection:
        yield from _world(
            tmp_path,
            database.url,
            lambda sql: _ignore(connection.execute(sql)),
            database.rows,
        )
    database.drop()


def _all(db: sqlite3.Connection, sql: str) -> None:
    for statement in sql.split(";"):
        db.execute(statement)


def _ignore(_: object) -> None:
    return None


def _world(folder: Path, url: str, execute: Execute, rows: Callable[[str], list[Any]]) -> Iterator[World]:
    with ConfiguredServer(folder, CONFIG.format(url=url)) as server:
        made = World(server, execute, rows)
        yield made
        made.http.close()


def test_rows_come_with_the_cursor_to_follow_them_from(world: World) -> None:
    world.execute("INSERT INTO tasks VALUES (1, 42, 'a'), (2, 7, 'b'), (3, 42, 'c')")
    state = world.snapshot("project-42", "project-8")
    rows = [{"id": 1, "project_id": 42, "title": "a"}, {"id": 3, "project_id": 42, "title": "c"}]
    assert state["channels"] == {"project-42": {"tasks": rows}, "project-8": {"tasks": []}}
    world.execute("UPDATE tasks SET title = 'x' WHERE id = 3")
    (message,) = world.follow("project-42", state["cursor"], until=lambda message: True)
    assert (message["data"]["new"]["title"], message["data"]["old"]["title"]) == ("x", "c")


def test_only_who_may_subscribe_may_read_and_only_what_messages_tell(world: World) -> None:
    world.execute("INSERT INTO tasks VALUES (1, 42, 'a')")
    for channel, status in (("locked-42", 401), ("notified", 404), ("nowhere", 404), ("bad name", 400)):
        answer = world.http.get(f"/snapshot?channel={channel}")
        assert (channel, answer.status_code) == (channel, status), answer.text
        assert answer.json()["error"]
    assert world.http.get("/snapshot").status_code == 400
    assert world.snapshot("project-a-word")["channels"] == {"project-a-word": {"tasks": []}}
    assert world.snapshot("project-042")["channels"] == {"project-042": {"tasks": []}}


def test_loading_and_following_while_others_write_is_exact(world: World) -> None:
    over = threading.Event()
    chance = random.Random(5)

    def write() -> None:
        number = 0
        while not over.wait(0.003):  # not so fast that the channel's history is outgrown
            number += 1
            first, last = chance.randint(1, 40), chance.randint(1, 40)
            world.execute(
                chance.choice(
                    [
                        f"INSERT INTO tasks VALUES ({1000 + number}, {chance.randint(1, 2)}, 'n{number}')",
                        f"UPDATE tasks SET title = 'u{number}' WHERE id % 40 = {first}",
                        f"UPDATE tasks SET project_id = 3 - project_id WHERE id % 40 = {last}",
                        f"DELETE FROM tasks WHERE id % 40 = {first}",
                        f"INSERT INTO tasks SELECT {100_000 * number} + {first}, 1, 'bulk' WHERE true",
                    ]
                )
            )

    writer = threading.Thread(target=write)
    writer.start()
    states: list[Any] = []
    try:
        states.extend(world.snapshot("project-1") for _ in range(12))
    finally:
        over.set()
        writer.join()
    world.execute("INSERT INTO tasks VALUES (0, 1, 'the end')")
    truth = {
        row[0]: {"id": row[0], "project_id": row[1], "title": row[2]}
        for row in world.rows("SELECT id, project_id, title FROM tasks WHERE project_id = 1")
    }
    for state in states:
        rows = {row["id"]: row for row in state["channels"]["project-1"]["tasks"]}
        for message in world.follow("project-1", state["cursor"], until=_is_end):
            _apply(rows, message["data"])
        assert rows == truth


def _is_end(message: dict[str, Any]) -> bool:
    return (message["data"]["new"] or {}).get("title") == "the end"


def _apply(rows: dict[int, Any], change: dict[str, Any]) -> None:
    """Each change must fit exactly: what is gone must have been there as it is told, what comes must be new."""
    old, new = change["old"], change["new"]
    if old is not None:
        assert rows.pop(old["id"], None) == old, json.dumps(change)
    if new is not None:
        assert new["id"] not in rows, json.dumps(change)
        rows[new["id"]] = new
