"""The demo's own page: two boards side by side, a cable to pull, somebody who edits. Holds no board."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from examples.kanban.schema import open_database, writing
from tidings.testing.faults import FaultProxy

STATIC: Final = Path(__file__).parent / "static"

TITLES: Final = (
    "Call the printer about the blue",
    "Answer the letter from Lisbon",
    "Replace the broken test account",
    "Ask support what hurt this week",
    "Find out who wrote the old footer",
    "Give the error page a way back",
    "Thank the people who sent bug reports",
    "Throw away last year's banners",
)

LOOPBACK_OF: Final = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "*": "127.0.0.1", "::": "::1"}
"""Where to dial a server that listens everywhere."""


class Cable:
    """The left board's network: a TCP proxy in front of the server that can be unplugged.

    Its port stays the same over restarts, so that a page that is open finds its way back: that of the last time, else
    the one after the server's, else any. remembered: the file that holds it.
    """

    def __init__(self, host: str, port: int, *, remembered: Path) -> None:
        self._host = host
        self._target = (LOOPBACK_OF.get(host, host), port)
        self._remembered = remembered
        self._proxy: FaultProxy | None = None
        self._laid = asyncio.Event()
        self.plugged = False

    async def port(self) -> int:
        """Where it listens; waits until it is laid."""
        await self._laid.wait()
        assert self._proxy is not None
        return self._proxy.port

    async def lay(self) -> None:
        """Listen on the first port that is free, and remember it. Raises OSError when there is none."""
        proxy = await self._listening()
        self._remembered.write_text(f"{proxy.port}\n")
        self._proxy = proxy
        self.plugged = True
        self._laid.set()

    async def _listening(self) -> FaultProxy:
        for port in (*self._last_port(), self._target[1] + 1):
            proxy = FaultProxy(*self._target, host=self._host, port=port)
            with suppress(OSError, OverflowError):
                await proxy.accept()
                return proxy
        proxy = FaultProxy(*self._target, host=self._host)
        await proxy.accept()
        return proxy

    async def plug_in(self) -> None:
        """Pass everything again; on another port when somebody took this one meanwhile."""
        assert self._proxy is not None
        try:
            await self._proxy.heal()
        except OSError:
            await self.lay()
        self.plugged = True

    async def pull(self) -> None:
        """Connections are reset and new ones refused: what a browser sees when the network goes."""
        assert self._proxy is not None
        self.plugged = False
        await self._proxy.refuse()
        self._proxy.reset()

    async def take_away(self) -> None:
        """End it for good."""
        if self._proxy is not None:
            await self._proxy.close()

    def _last_port(self) -> Iterator[int]:
        with suppress(OSError, ValueError):
            last = int(self._remembered.read_text())
            if 0 < last < 65536 and last != self._target[1]:
                yield last


class Stage:
    """The demo's routes. databases: name of a system to its file. lan: the address for other devices, if any."""

    def __init__(
        self,
        cable: Cable,
        databases: Mapping[str, Path],
        systems: Mapping[str, ASGIApp],
        *,
        lan: str | None = None,
    ) -> None:
        self._cable = cable
        self._lan = lan
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
        """GET: the cable's port and state, the address for other devices, and a command to try."""
        statement = "UPDATE tasks SET title = 'Hello from the shell' WHERE title = 'Fix homepage'"
        shell = f'sqlite3 {self._kanban} "{statement}"'
        return JSONResponse({**await self._state(), "lan": self._lan, "shell": shell})

    async def cable(self, request: Request) -> Response:
        """POST: pull the plug, or plug it in again."""
        await self._cable.port()
        await (self._cable.pull() if self._cable.plugged else self._cable.plug_in())
        return JSONResponse(await self._state())

    async def _state(self) -> dict[str, Any]:
        return {"cable_port": await self._cable.port(), "plugged": self._cable.plugged}

    async def edit(self, request: Request) -> Response:
        """POST: somebody writes a row with a tool that never heard of Tidings."""
        return JSONResponse({"what": await run_in_threadpool(edit_a_row, self._kanban, next(self._turn))})


def edit_a_row(database: Path, turn: int) -> str:
    """Rename, move or mark a card of the first project, by plain SQL beside the board; returns what was done.

    Through the board's own SQLite library: two of them in one process would undo each other's file locks.
    """
    edit = EDITS[turn % len(EDITS)]
    with closing(open_database(database)) as connection, writing(connection):
        row = connection.execute(
            "SELECT id, title, status_id, project_id FROM tasks ORDER BY project_id, updated_at, id LIMIT 1"
        ).fetchone()
        if row is None:
            return "The board has no card to edit."
        card = Card(*row)
        column, value, done = edit(connection, card, turn // len(EDITS))
        connection.execute(
            f"UPDATE tasks SET {column} = ?, version = version + 1, updated_by = 'cron',"
            " updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?",
            (value, card.id),
        )
    return f"“{card.title}” {done}."


class Card(NamedTuple):
    """What an edit needs to know of a task's row."""

    id: str
    title: str
    status_id: str
    project_id: str


Edit = tuple[str, str, str]
"""Column, new value, and what to tell."""


def rename(connection: Any, card: Card, turn: int) -> Edit:
    """A title that no card has."""
    there = {title for (title,) in connection.execute("SELECT title FROM tasks")}
    free = [title for title in TITLES if title not in there]
    title = free[0] if free else f"{TITLES[turn % len(TITLES)]} ({turn})"
    return "title", title, f"was renamed to “{title}” by a script"


def move(connection: Any, card: Card, turn: int) -> Edit:
    """Another column of the board, each time another one."""
    others = connection.execute(
        "SELECT id, name FROM statuses WHERE project_id = ? AND id <> ? ORDER BY position",
        (card.project_id, card.status_id),
    ).fetchall()
    status, name = others[turn % len(others)] if others else (card.status_id, "the same column")
    return "status_id", status, f"was moved to “{name}” by a nightly job"


def mark(connection: Any, card: Card, turn: int) -> Edit:
    """Another priority than the last time round."""
    priority = ("urgent", "low")[turn % 2]
    return "priority", priority, f"was marked {priority} by somebody in the SQL shell"


EDITS: Final = (rename, move, mark)
