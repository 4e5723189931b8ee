"""The demo's own page: two boards side by side, a cable to pull, somebody who edits. Holds no board."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from examples.kanban.schema import open_database
from tidings.testing.faults import FaultProxy

STATIC: Final = Path(__file__).parent / "static"

EDITS: Final = (
    ("rename", "UPDATE tasks SET title = :text, version = version + 1, updated_by = 'cron' WHERE id = :id"),
    (
        "move",
        "UPDATE tasks SET status_id = :status, version = version + 1, updated_by = 'cron' WHERE id = :id",
    ),
)
TITLES: Final = (
    "Call the printer about the blue",
    "Answer the letter from Lisbon",
    "Replace the broken test account",
    "Ask support what hurt this week",
)


class Cable:
    """The left board's network: a TCP proxy in front of the server that can be unplugged."""

    def __init__(self, port: int) -> None:
        self.proxy = FaultProxy("127.0.0.1", port)
        self.plugged = True

    async def plug_in(self) -> None:
        self.plugged = True
        await self.proxy.heal()

    async def pull(self) -> None:
        """Connections are reset and new ones refused: what a browser sees when the network goes."""
        self.plugged = False
        await self.proxy.refuse()
        self.proxy.reset()


class Stage:
    """The demo's routes. databases: name of a system to its file."""

    def __init__(self, cable: Cable, databases: Mapping[str, Path], systems: Mapping[str, ASGIApp]) -> None:
        self._cable = cable
        self._kanban = databases["kanban"]
        self._systems = systems
        self._turn = itertools.count()

    def app(self) -> Starlette:
        """The stage at `/`, each system below its name."""
        return Starlette(
            routes=[
                Route("/", self.page),
                Route("/demo/setup", self.setup),
                Route("/demo/cable", self.cable, methods=["POST"]),
                Route("/demo/edit", self.edit, methods=["POST"]),
                Mount("/demo", StaticFiles(directory=STATIC)),
                *(Mount(f"/{name}", system) for name, system in self._systems.items()),
            ]
        )

    async def page(self, request: Request) -> Response:
        return FileResponse(STATIC / "index.html")

    async def setup(self, request: Request) -> Response:
        """GET: the cable's port and a command to try."""
        statement = "UPDATE tasks SET title = 'Hello from the shell' WHERE title = 'Fix homepage'"
        shell = f'sqlite3 {self._kanban} "{statement}"'
        body = {"cable_port": self._cable.proxy.port, "plugged": self._cable.plugged, "shell": shell}
        return JSONResponse(body)

    async def cable(self, request: Request) -> Response:
        """POST: pull the plug, or plug it in again."""
        await (self._cable.pull() if self._cable.plugged else self._cable.plug_in())
        return JSONResponse({"plugged": self._cable.plugged})

    async def edit(self, request: Request) -> Response:
        """POST: somebody writes a row with a tool that never heard of Tidings."""
        return JSONResponse({"what": await run_in_threadpool(edit_a_row, self._kanban, next(self._turn))})


def edit_a_row(database: Path, turn: int) -> str:
    """Rename or move a card of the first project, by plain SQL beside the board; returns what was done.

    Through the board's own SQLite library: two of them in one process would undo each other's file locks.
    """
    kind, statement = EDITS[turn % len(EDITS)]
    with closing(open_database(database)) as connection, connection:
        values: dict[str, Any] = {"text": TITLES[turn // len(EDITS) % len(TITLES)]}
        row = connection.execute(
            "SELECT id, title, status_id, project_id FROM tasks ORDER BY project_id, updated_at, id LIMIT 1"
        ).fetchone()
        if row is None:
            return "The board has no card to edit."
        values["id"], title = row[0], row[1]
        others = connection.execute(
            "SELECT id FROM statuses WHERE project_id = ? AND id <> ? ORDER BY position LIMIT 1 OFFSET ?",
            (row[3], row[2], turn % 3),
        ).fetchall()
        values["status"] = others[0][0] if others else row[2]
        connection.execute(statement, values)
        connection.execute(
            "UPDATE tasks SET updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?", (row[0],)
        )
    done = f"renamed to “{values['text']}”" if kind == "rename" else "moved to another column"
    return f"“{title}” was {done} by a script."
