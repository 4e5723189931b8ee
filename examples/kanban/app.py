"""The kanban back end as one Starlette app: routes and who may use them. The rows are the store's business.

It publishes nothing after a write: in `server` mode the live server reads committed rows from the database
file, in `client-trigger` mode the page asks for the event itself once its write is answered.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from examples.kanban.bodies import (
    MAX_EVENT_BYTES,
    Move,
    NewStatus,
    NewTask,
    StatusChanges,
    TaskChanges,
    Trigger,
    decode,
    read_body,
    read_bounded,
)
from examples.kanban.live import LiveSettings, Publish, TriggerLimiter, channel_signature, project_of
from examples.kanban.page import Page, http_problem, with_security_headers
from examples.kanban.problems import Problem, problem_response
from examples.kanban.rows import Answer, Author
from examples.kanban.seed import USERS
from examples.kanban.sessions import current_user, mutation_id, remember_user, user_or_default
from examples.kanban.store import Store

Emit = Literal["server", "client-trigger"]
SOCKET_ID: Final = re.compile(r"[0-9]{1,20}\.[0-9]{1,20}")
NO_STORE: Final = {"Cache-Control": "no-store"}
"""Rows change under the reader; the page has its own cache and knows when to ask again."""
logger = logging.getLogger("examples.kanban")
STATIC: Final = Path(__file__).parent / "static"


def create_app(
    database: Path,
    *,
    live: LiveSettings,
    emit: Emit = "server",
    publish: Publish | None = None,
    commit_delay: Callable[[], None] | None = None,
    static: Path = STATIC,
    clock: Callable[[], float] = time.monotonic,
    framed_by: str = "'self'",
) -> Starlette:
    """The board on `database`, made and seeded if it is new. Mount it at any prefix, or run it by itself.

    live: the live server, as the page and the back end reach it.
    emit: who announces a committed change.
    publish: sends an event to the live server; needed for /api/pusher/trigger.
    commit_delay: test hook, called in a worker thread before each commit; may wait, or raise to roll back.
    static: the built page. clock: seconds, for the trigger's rate limit.
    framed_by: who may show the page in a frame, as CSP sources.
    """
    store = Store(database, before_commit=commit_delay)
    board = Board(store)
    wire = Wire(store, live, emit, publish, TriggerLimiter(clock))
    page = Page(static)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        store.close()

    return with_security_headers(
        Starlette(
            routes=[*board.routes(), *wire.routes(), *page.routes()],
            exception_handlers={Problem: problem_response, HTTPException: http_problem},
            lifespan=lifespan,
        ),
        framed_by=framed_by,
    )


class Board:
    """REST over projects, columns and tasks. A write is answered after its commit, never before."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def routes(self) -> list[Route]:
        """Everything that reads or writes rows."""
        return [
            Route("/api/projects", self.projects),
            Route("/api/projects/{id}", self.project),
            Route("/api/tasks", self.create_task, methods=["POST"]),
            Route("/api/tasks/{id}", self.task),
            Route("/api/tasks/{id}", self.update_task, methods=["PATCH"]),
            Route("/api/tasks/{id}", self.delete_task, methods=["DELETE"]),
            Route("/api/tasks/{id}/move", self.move_task, methods=["PATCH"]),
            Route("/api/statuses", self.create_status, methods=["POST"]),
            Route("/api/statuses/{id}", self.update_status, methods=["PATCH"]),
            Route("/api/statuses/{id}", self.delete_status, methods=["DELETE"]),
        ]

    async def projects(self, request: Request) -> Response:
        """GET: the caller's projects."""
        return _json(await run_in_threadpool(self._store.projects, current_user(request)))

    async def project(self, request: Request) -> Response:
        """GET: one project with its columns and tasks."""
        user = current_user(request)
        return _json(await run_in_threadpool(self._store.project, request.path_params["id"], user))

    async def task(self, request: Request) -> Response:
        """GET: one task."""
        user = current_user(request)
        return _json(await run_in_threadpool(self._store.task, request.path_params["id"], user))

    async def create_task(self, request: Request) -> Response:
        """POST: 201 and the saved row."""
        author = _author(request)
        return _answer(
            await run_in_threadpool(self._store.create_task, await read_body(request, NewTask), author)
        )

    async def update_task(self, request: Request) -> Response:
        """PATCH: the saved row."""
        author, changes = _author(request), await read_body(request, TaskChanges)
        return _answer(
            await run_in_threadpool(self._store.update_task, request.path_params["id"], changes, author)
        )

    async def move_task(self, request: Request) -> Response:
        """PATCH: the saved row."""
        author, move = _author(request), await read_body(request, Move)
        return _answer(
            await run_in_threadpool(self._store.move_task, request.path_params["id"], move, author)
        )

    async def delete_task(self, request: Request) -> Response:
        """DELETE: 204."""
        author = _author(request)
        return _answer(await run_in_threadpool(self._store.delete_task, request.path_params["id"], author))

    async def create_status(self, request: Request) -> Response:
        """POST: 201 and the saved row."""
        author, new = _author(request), await read_body(request, NewStatus)
        return _answer(await run_in_threadpool(self._store.create_status, new, author))

    async def update_status(self, request: Request) -> Response:
        """PATCH: the saved row."""
        author, changes = _author(request), await read_body(request, StatusChanges)
        return _answer(
            await run_in_threadpool(self._store.update_status, request.path_params["id"], changes, author)
        )

    async def delete_status(self, request: Request) -> Response:
        """DELETE: 204; `?moveTo={statusId}` names the column that takes its tasks."""
        author, move_to = _author(request), request.query_params.get("moveTo")
        status_id = request.path_params["id"]
        return _answer(await run_in_threadpool(self._store.delete_status, status_id, author, move_to=move_to))


class Wire:
    """What the page needs to listen: configuration, channel authorisation, and the trigger."""

    def __init__(
        self, store: Store, live: LiveSettings, emit: Emit, publish: Publish | None, limiter: TriggerLimiter
    ) -> None:
        self._store = store
        self._live = live
        self._emit = emit
        self._publish = publish
        self._limiter = limiter

    def routes(self) -> list[Route]:
        """Everything about the live server."""
        return [
            Route("/api/config", self.config),
            Route("/api/pusher/auth", self.authorise, methods=["POST"]),
            Route("/api/pusher/trigger", self.trigger, methods=["POST"]),
        ]

    async def config(self, request: Request) -> Response:
        """GET: where the page connects, who the caller is, and who else could be."""
        user = user_or_default(request)
        answer = _json({**self._live.for_page(), "emit": self._emit, "user": user, "users": USERS})
        return remember_user(answer, user)

    async def authorise(self, request: Request) -> Response:
        """POST form `socket_id`, `channel_name`: the signature for pusher-js. 403 for strangers."""
        user = current_user(request)
        form = dict(parse_qsl((await read_bounded(request, MAX_EVENT_BYTES)).decode("utf-8", "replace")))
        channel, socket_id = form.get("channel_name", ""), form.get("socket_id", "")
        if not SOCKET_ID.fullmatch(socket_id):
            raise Problem(
                422, "bad_socket_id", "A socket id looks like 12.34.", field="socket_id", fix="Connect first."
            )
        await run_in_threadpool(self._store.require_member, project_of(channel), user)
        return _json({"auth": channel_signature(self._live, socket_id, channel)})

    async def trigger(self, request: Request) -> Response:
        """POST `{channel, event, data, projectId}`: announce a change that the caller has just saved."""
        user = current_user(request)
        wanted = decode(await read_bounded(request, MAX_EVENT_BYTES), Trigger)
        project_id = _agreed_project(wanted)
        await run_in_threadpool(self._store.require_member, project_id, user)
        self._limiter.take(user)
        await self._announce(wanted)
        return _json({})

    async def _announce(self, wanted: Trigger) -> None:
        if self._publish is None:
            raise Problem(
                503,
                "no_live_server",
                "The board was started without a live server.",
                fix="Start it with --live URL.",
            )
        try:
            await self._publish(wanted.channel, wanted.event, msgspec.to_builtins(wanted.data))
        except Exception as error:
            logger.warning("publish failed", extra={"channel": wanted.channel, "error": repr(error)})
            raise Problem(
                502,
                "live_server_failed",
                "The live server did not take the event.",
                fix="Try again in a moment.",
            ) from error


def _agreed_project(wanted: Trigger) -> str:
    """The project of the channel, once every place that names a project names the same one."""
    project_id = project_of(wanted.channel)
    for named in (wanted.project_id, wanted.data.project_id):
        if named not in (None, msgspec.UNSET, project_id):
            raise Problem(
                422,
                "project_mismatch",
                f"The channel is for {project_id!r}, but the body also names {named!r}.",
                field="projectId",
                fix="Name the project of the channel, or leave projectId out.",
            )
    return project_id


def _author(request: Request) -> Author:
    return Author(current_user(request), mutation_id(request), f"{request.method} {request.url.path}")


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=NO_STORE)


def _answer(answer: Answer) -> Response:
    media_type = "application/json" if answer.body else None
    return Response(answer.body, status_code=answer.status, media_type=media_type, headers=NO_STORE)
